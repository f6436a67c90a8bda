//! The gate of a listener: where credentials are checked, away from the sessions. A password costs tens of milliseconds by
//! design, which no shard can spare.
//!
//! Each gate has a queue and threads of its own, so that a crowd at one listener doesn't hold up another one. The queue is
//! bounded; who finds it full is refused at once. `keeper` reads the files again.

mod keeper;

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{oneshot, watch};

use crate::access::{Credentials, Denied, Guard, Rules};
use crate::config::Checks;
use crate::session::{Admitted, Standing};

pub use keeper::{Keeper, Kept};

/// What came of a check.
pub type Verdict = Result<Admitted, Denied>;

/// A check that is on its way.
pub type Checking = oneshot::Receiver<Verdict>;

/// One listener's gate. Its threads end when nobody holds it any more.
#[derive(Debug)]
pub struct Gate {
    rules: Arc<Rules>,
    queue: SyncSender<Check>,
    current: Arc<Current>,
}

/// A CONNECT that waits.
struct Check {
    credentials: Credentials,
    /// The session has given up by then.
    deadline: Instant,
    answer: oneshot::Sender<Verdict>,
}

/// The guard of the moment, which the keeper replaces, with the number of its reading.
#[derive(Debug)]
pub(crate) struct Current {
    guard: Mutex<(u64, Arc<Guard>)>,
    readings: watch::Sender<u64>,
}

impl Current {
    fn guard(&self) -> (u64, Arc<Guard>) {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, guard: Guard) {
        let mut current = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = current.0 + 1;
        *current = (reading, Arc::new(guard));
        drop(current);
        self.readings.send_replace(reading);
    }
}

impl Gate {
    /// Opens the gate of a listener: starts its threads. Also gives what a [`Keeper`] needs to keep its file.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn open(
        listener: &str,
        rules: &Arc<Rules>,
        checks: &Checks,
    ) -> io::Result<(Arc<Self>, Kept)> {
        let guard = Mutex::new((0, checks.guard.clone()));
        let current = Arc::new(Current { guard, readings: watch::Sender::new(0) });
        let (queue, waiting) = sync_channel(checks.waiting_max);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..checks.threads {
            let (waiting, current) = (waiting.clone(), current.clone());
            let work = move || {
                while let Some(check) = next(&waiting) {
                    check.answer_by(&current);
                }
            };
            thread::Builder::new().name(format!("gate-{listener}")).spawn(work)?;
        }
        let kept = Kept::new(listener, checks.source.clone(), current.clone());
        Ok((Arc::new(Self { rules: rules.clone(), queue, current }), kept))
    }

    /// What sessions of this listener keep to.
    #[must_use]
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The number of the file's latest reading; it changes after the guard.
    #[must_use]
    pub fn readings(&self) -> watch::Receiver<u64> {
        self.current.readings.subscribe()
    }

    /// Whether what has let a device in is still so, and as of which reading.
    #[must_use]
    pub fn review(&self, admitted: &Admitted) -> (u64, Standing) {
        let (reading, guard) = self.current.guard();
        match guard.stands_by(&admitted.name, &admitted.witness) {
            true => (reading, Standing::Unchanged),
            false => (reading, Standing::Over),
        }
    }

    /// Asks for a verdict; it isn't looked for after the deadline. An error is the verdict that the gate is busy.
    #[must_use]
    pub fn ask(&self, credentials: Credentials, deadline: Instant) -> Checking {
        let (answer, checking) = oneshot::channel();
        let check = Check { credentials, deadline, answer };
        // Where the queue is full the check is dropped, and its asker hears that nobody will answer.
        let _ = self.queue.try_send(check);
        checking
    }
}

/// The next check; `None`: the gate is gone.
fn next(waiting: &Mutex<Receiver<Check>>) -> Option<Check> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl Check {
    fn answer_by(self, current: &Current) {
        let now = Instant::now();
        // Nobody waits for it: the device has left, or was told that it takes too long.
        if self.answer.is_closed() || now >= self.deadline {
            return;
        }
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (reading, guard) = current.guard();
        let verdict = guard.check(&self.credentials, unix_s).map(|subject| {
            let left = subject.expires_unix_s.map(|at| at.saturating_sub(unix_s));
            let until = left.and_then(|left| now.checked_add(Duration::from_secs(left)));
            Admitted { name: subject.name, until, witness: subject.witness, reading }
        });
        // As above.
        let _ = self.answer.send(verdict);
    }
}

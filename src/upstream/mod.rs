//! Reaching an upstream: which address, the connection to it, and when it is left alone.

mod breaker;

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;

use crate::config::Upstream;
use crate::transport::{Caller, Connector, QuicEndpoints, Renewal, Stream, TlsFault};

use self::breaker::{Breaker, Change, Outcome, Ticket};

pub use self::breaker::Standing;

/// An upstream, and who is on the way to it. All shards share it.
#[derive(Debug)]
pub struct Reach {
    name: String,
    connector: Connector,
    /// A permit for each connection that may be opened now.
    openings: Semaphore,
    breaker: Mutex<Breaker>,
    /// How often the breaker has opened.
    suspensions: AtomicU64,
    /// Client identifiers are the devices' to choose, and compared as fingerprints.
    keys: RandomState,
}

impl Reach {
    /// The way to an upstream on which so many connections are opened at once; the others wait for their turn. So a
    /// storm of devices is none for the upstream. Relative paths start at `folder`; what can change is handed to `renewal`.
    ///
    /// # Errors
    /// When certificates, keys or authorities are no good.
    pub fn new(
        upstream: &Upstream,
        openings_max: usize,
        folder: &Path,
        renewal: &mut Renewal,
    ) -> Result<Self, TlsFault> {
        let keys = RandomState::new();
        Ok(Self {
            name: upstream.name.clone(),
            connector: Connector::new(upstream, folder, renewal)?,
            openings: Semaphore::new(openings_max.clamp(1, Semaphore::MAX_PERMITS)),
            // Several proxies in front of one upstream should not draw the same numbers.
            breaker: Mutex::new(Breaker::new(upstream.breaker, keys.hash_one("seed"))),
            suspensions: AtomicU64::new(0),
            keys,
        })
    }

    /// Its name: a label of logs and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the upstream is told whose connection it is.
    #[must_use]
    pub fn names_caller(&self) -> bool {
        self.connector.names_caller()
    }

    /// What its breaker lets through.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.breaker().standing(Instant::now())
    }

    /// How often its breaker has opened.
    #[must_use]
    pub fn suspensions(&self) -> u64 {
        self.suspensions.load(Ordering::Relaxed)
    }

    /// Never held for longer than it takes to look.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, ticket: Ticket, outcome: Outcome) {
        // The lock is given back before the log is written.
        let change = self.breaker().settle(ticket, outcome, Instant::now());
        let upstream = &*self.name;
        match change {
            Change::None => {}
            Change::Opened(backoff) => {
                self.suspensions.fetch_add(1, Ordering::Relaxed);
                let backoff_ms = backoff.as_millis();
                tracing::warn!(
                    upstream,
                    backoff_ms,
                    "the upstream has failed too often: devices are refused, and one tries again after the back-off"
                );
            }
            Change::Closed => {
                tracing::info!(upstream, "the upstream answers again: devices are let through");
            }
        }
    }
}

/// Why an upstream's connection was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// The upstream has failed too often, and is left alone for a while.
    Suspended,
    /// It can't be reached.
    Unreachable(io::Error),
}

/// What the upstream had to say to a session, as far as the next sessions are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It answers.
    Answered,
    /// It takes nobody.
    TakesNobody,
    /// It was reached, or was to be, and had nothing to say to this client identifier.
    Silent(&'a str),
    /// The session ended for another cause.
    Unknown,
}

/// One session's try to reach an upstream, from its turn to the upstream's answer to CONNECT. Dropped without
/// [`Attempt::settle`], it says nothing of the upstream.
#[derive(Clone)]
pub struct Attempt(Rc<Try>);

struct Try {
    reach: Arc<Reach>,
    /// From the session's turn on.
    ticket: Cell<Option<Ticket>>,
}

impl Drop for Try {
    fn drop(&mut self) {
        self.settle(Outcome::Unknown);
    }
}

impl Try {
    fn settle(&self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.reach.settle(ticket, outcome);
        }
    }
}

impl Attempt {
    /// A try that has not begun.
    #[must_use]
    pub fn new(reach: Arc<Reach>) -> Self {
        Self(Rc::new(Try { reach, ticket: Cell::new(None) }))
    }

    /// Says what came of it, once; before its turn nothing can have come of it.
    pub fn settle(&self, verdict: Verdict<'_>) {
        self.0.settle(match verdict {
            Verdict::Answered => Outcome::Answered,
            Verdict::TakesNobody => Outcome::Failed,
            Verdict::Silent(device) => Outcome::Silent(self.0.reach.keys.hash_one(device)),
            Verdict::Unknown => Outcome::Unknown,
        });
    }

    /// Opens the connection. The session bounds the time, waiting included. `endpoints`: the own shard's. `caller`: whose
    /// connection it is, if the upstream is to be told.
    ///
    /// # Errors
    /// At once while the upstream is left alone, and when it can't be reached.
    pub async fn open(
        self,
        endpoints: Rc<QuicEndpoints>,
        caller: Option<Caller>,
    ) -> Result<Stream, OpenError> {
        let reach = &self.0.reach;
        if reach.breaker().refuses(Instant::now()) {
            return Err(OpenError::Suspended);
        }
        let turn = reach.openings.acquire().await;
        // Much may have happened meanwhile.
        let ticket = reach.breaker().ask(Instant::now()).map_err(|_| OpenError::Suspended)?;
        self.0.ticket.set(Some(ticket));
        let opened = reach.connector.connect(&endpoints, caller).await;
        drop(turn);
        opened.map_err(|error| {
            self.0.settle(if is_own(&error) { Outcome::Unknown } else { Outcome::Failed });
            OpenError::Unreachable(error)
        })
    }
}

/// Whether the proxy lacks something (descriptors, memory, ports), so that nothing is known of the upstream.
fn is_own(error: &io::Error) -> bool {
    use libc::{EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    let own = [EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|error| own.contains(&error))
}

//! The keeper reads the files of the gates again: when it is told to, and when they have changed. A file that can't be used
//! changes nothing, and is told once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::access::Source;

use super::Current;

/// How often files are looked at. One that was changed is read when it has stayed the same for so long: whoever writes it is
/// done then.
const INTERVAL: Duration = Duration::from_secs(2);

/// Tells the keeper to read everything now. Dropped, it ends the keeper. Without files there is none.
#[derive(Debug)]
pub struct Keeper(Option<Sender<Tell>>);

/// Read everything now, and say so.
type Tell = SyncSender<()>;

/// A file that is kept.
#[derive(Debug)]
pub struct Kept {
    listener: String,
    source: Source,
    current: Arc<Current>,
    /// What the file was like when it was read last, and when it was looked at last.
    read: Option<Stamp>,
    seen: Option<Stamp>,
    /// It couldn't be read for want of descriptors or the like, and that was told: it is tried again and again.
    is_wanting: bool,
}

/// What a file is like from outside. `None`: there is none.
type Stamp = Option<(SystemTime, u64)>;

impl Kept {
    pub(super) fn new(listener: &str, source: Source, current: Arc<Current>) -> Self {
        Self {
            listener: listener.to_owned(),
            source,
            current,
            read: None,
            seen: None,
            is_wanting: false,
        }
    }

    /// Reads the file if it has changed, and isn't being changed.
    fn look(&mut self, folder: &Path) {
        let stamp = stamp(&folder.join(self.source.file()));
        if self.seen == Some(stamp) && self.read != Some(stamp) {
            // The first time it is what the start has read, or what has come of it since.
            let (is_first, was_wanting) = (self.read.is_none(), self.is_wanting);
            match self.read_now(folder) {
                Ok(()) if is_first => {}
                Err(_) if was_wanting && self.is_wanting => {}
                outcome => self.tell(outcome, folder),
            }
        }
        self.seen = Some(stamp);
    }

    /// Puts the file's guard in force.
    fn read_now(&mut self, folder: &Path) -> Result<(), String> {
        let path = folder.join(self.source.file());
        let stamp = stamp(&path);
        let text = fs::read_to_string(&path);
        self.is_wanting = text.as_ref().is_err_and(is_passing);
        if !self.is_wanting {
            self.read = Some(stamp);
        }
        let text = text.map_err(|error| format!("{} can't be read: {error}", path.display()))?;
        let guard = self.source.guard(&text).map_err(|faults| {
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
        })?;
        self.current.replace(guard);
        Ok(())
    }

    fn tell(&self, outcome: Result<(), String>, folder: &Path) {
        let (listener, file) = (&self.listener, folder.join(self.source.file()));
        match outcome {
            Ok(()) => {
                tracing::info!(%listener, file = %file.display(), "the file is in force as it is now")
            }
            Err(faults) => tracing::error!(
                %listener, %faults, "the file can't be used; the one that was read before stays in force"
            ),
        }
    }
}

/// Whether it isn't the file's fault that it can't be read.
fn is_passing(error: &io::Error) -> bool {
    use libc::{EIO, EMFILE, ENFILE, ENOMEM};
    error.raw_os_error().is_some_and(|error| [EIO, EMFILE, ENFILE, ENOMEM].contains(&error))
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl Keeper {
    /// Starts keeping these files. Relative paths start at `folder`.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(kept: Vec<Kept>, folder: PathBuf) -> io::Result<Self> {
        if kept.is_empty() {
            return Ok(Self(None));
        }
        let (told, tells) = channel();
        thread::Builder::new().name("gate-keeper".to_owned()).spawn(move || {
            keep(kept, &folder, &tells);
        })?;
        Ok(Self(Some(told)))
    }

    /// Reads every file now, and comes back when that is done.
    pub fn read_again(&self) {
        let Some(told) = &self.0 else { return };
        let (done, is_done) = sync_channel(1);
        // It is there for as long as this value is.
        if told.send(done).is_ok() {
            let _ = is_done.recv();
        }
    }
}

fn keep(mut kept: Vec<Kept>, folder: &Path, tells: &Receiver<Tell>) {
    loop {
        match tells.recv_timeout(INTERVAL) {
            Ok(done) => {
                for kept in &mut kept {
                    let outcome = kept.read_now(folder);
                    kept.tell(outcome, folder);
                }
                // Whoever asked may have lost interest.
                let _ = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => kept.iter_mut().for_each(|kept| kept.look(folder)),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

//! What the process as a whole runs out of: memory. One thread looks ten times a second, and publishes what follows; shards
//! read that when a session begins, never for a message.

mod memory;
mod shedding;
mod watermarks;

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::config::Proxy;

use self::memory::Memory;
use self::shedding::{Shedding, Survey};
use self::watermarks::Marks;

pub use self::shedding::{Holder, Order};
pub use self::watermarks::Level;

/// How often the thread looks.
const EVERY: Duration = Duration::from_millis(100);

/// What all threads know of the process's state.
#[derive(Debug)]
pub struct Overload {
    level: AtomicU8,
    used: AtomicU64,
    /// 0: no limit is known.
    memory_max: u64,
    orders: watch::Sender<Order>,
    survey: Mutex<Survey>,
}

/// Dropped, it ends the thread.
#[derive(Debug)]
pub struct Watch {
    _ends: Sender<()>,
}

/// Of a process that isn't watched.
impl Default for Overload {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Overload {
    fn new(memory_max: u64) -> Self {
        Self {
            level: AtomicU8::new(Level::Normal as u8),
            used: AtomicU64::new(0),
            memory_max,
            orders: watch::Sender::new(Order::Nothing),
            survey: Mutex::default(),
        }
    }

    /// How short of memory the process is.
    #[must_use]
    pub fn level(&self) -> Level {
        Level::of(self.level.load(Ordering::Relaxed))
    }

    /// Bytes that the process has, as of the latest look.
    #[must_use]
    pub fn memory_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that it may have; 0: no limit is known.
    #[must_use]
    pub fn memory_max(&self) -> u64 {
        self.memory_max
    }

    /// What shards are told to do, each time that it changes.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<Order> {
        self.orders.subscribe()
    }

    /// Says what a session holds.
    pub fn report(&self, holder: Holder) {
        self.survey.lock().unwrap_or_else(PoisonError::into_inner).add(holder);
    }
}

/// Starts watching, until what it gives is dropped.
///
/// # Errors
/// When the thread can't be started.
pub fn start(proxy: &Proxy) -> io::Result<(Arc<Overload>, Watch)> {
    let memory = Memory::of_process(proxy.memory_max);
    let overload = Arc::new(Overload::new(memory.as_ref().map_or(0, Memory::max)));
    let (ends, ended) = mpsc::channel();
    if let Some(memory) = memory {
        let marks = Marks::new(memory.max(), proxy.memory_refuse_percent, proxy.memory_end_percent);
        let mut watcher = Watcher { overload: overload.clone(), memory, marks, shedding: None };
        let work = move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                watcher.look(Instant::now());
            }
        };
        std::thread::Builder::new().name("overload".to_owned()).spawn(work)?;
    }
    Ok((overload, Watch { _ends: ends }))
}

/// The thread's own.
struct Watcher {
    overload: Arc<Overload>,
    memory: Memory,
    marks: Marks,
    /// Only above the upper mark.
    shedding: Option<Shedding>,
}

impl Watcher {
    fn look(&mut self, now: Instant) {
        let Some(used) = self.memory.used() else { return };
        let overload = &self.overload;
        let (before, level) = (overload.level(), self.marks.level(overload.level(), used));
        overload.used.store(used, Ordering::Relaxed);
        overload.level.store(level as u8, Ordering::Relaxed);
        if level != before {
            tell(level, used, self.memory.max());
        }
        if level != Level::Ending {
            if self.shedding.take().is_some() {
                overload.orders.send_replace(Order::Nothing);
            }
            return;
        }
        let excess = used.saturating_sub(self.marks.end_until());
        let shedding = self.shedding.get_or_insert_with(|| Shedding::new(now));
        if let Some(order) = shedding.next(now, excess, &overload.survey) {
            overload.orders.send_replace(order);
        }
    }
}

fn tell(level: Level, used: u64, max: u64) {
    match level {
        Level::Normal => {
            tracing::info!(used, max, "there is memory again: new sessions are let in")
        }
        Level::Refusing => tracing::warn!(used, max, "memory is short: new sessions are refused"),
        Level::Ending => tracing::error!(
            used,
            max,
            "memory is nearly gone: sessions that hold the most are ended; give the process more, or lower `sessions_max` or `buffered_bytes_max`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_published_and_ordered() {
        let folder = tempfile::tempdir().unwrap();
        let overload = Arc::new(Overload::new(1000));
        let orders = overload.orders();
        let memory = Memory::of_group(folder.path(), 1000).expect_err("no files yet");
        assert_eq!(memory.kind(), io::ErrorKind::NotFound);
        let says = |current: u64, cache: u64| {
            std::fs::write(folder.path().join("memory.current"), format!("{current}\n")).unwrap();
            let stat = format!("anon 5\ninactive_file {cache}\nactive_file 9\n");
            std::fs::write(folder.path().join("memory.stat"), stat).unwrap();
        };
        says(100, 0);
        let memory = Memory::of_group(folder.path(), 1000).expect("both files are there");
        let marks = Marks::new(1000, 85, 95);
        let mut watcher = Watcher { overload: overload.clone(), memory, marks, shedding: None };
        let now = Instant::now();
        watcher.look(now);
        assert_eq!((overload.level(), overload.memory_used()), (Level::Normal, 100));
        // What the kernel can drop at once is no shortage.
        says(990, 500);
        watcher.look(now);
        assert_eq!((overload.level(), overload.memory_used()), (Level::Normal, 490));
        says(900, 0);
        watcher.look(now);
        assert_eq!((overload.level(), orders.has_changed().unwrap()), (Level::Refusing, false));
        says(990, 0);
        watcher.look(now);
        assert_eq!(overload.level(), Level::Ending);
        assert!(matches!(*orders.borrow(), Order::Report));
        says(300, 0);
        watcher.look(now);
        assert_eq!(overload.level(), Level::Normal);
        assert!(matches!(*orders.borrow(), Order::Nothing));
    }
}

//! What the process as a whole runs out of: memory, shards that run, and descriptors. One thread looks ten times a second, and publishes
//! what follows; shards read that when a session begins, never for a message.

mod beats;
mod descriptors;
mod memory;
mod shedding;
mod watermarks;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::config::Proxy;

use self::beats::{Change, Judge};
use self::memory::Memory;
use self::shedding::{Shedding, Survey};
use self::watermarks::Marks;

pub use self::descriptors::sessions_max;
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
    beats: Box<[Beat]>,
}

/// A shard's sign of life.
#[derive(Debug, Default)]
struct Beat {
    count: AtomicU64,
    stalled: AtomicBool,
}

/// Dropped, it ends the thread.
#[derive(Debug)]
pub struct Watch {
    _ends: Sender<()>,
}

/// Of a process that isn't watched.
impl Default for Overload {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl Overload {
    fn new(memory_max: u64, shards: usize) -> Self {
        Self {
            level: AtomicU8::new(Level::Normal as u8),
            used: AtomicU64::new(0),
            memory_max,
            orders: watch::Sender::new(Order::Nothing),
            survey: Mutex::default(),
            beats: std::iter::repeat_with(Beat::default).take(shards).collect(),
        }
    }

    /// Of a process with so many shards whose memory isn't watched.
    #[cfg(test)]
    pub(crate) fn of_shards(shards: usize) -> Self {
        Self::new(0, shards)
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

    /// A shard is alive. It says so several times a second.
    pub fn beat(&self, shard: usize) {
        if let Some(beat) = self.beats.get(shard) {
            beat.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a shard hangs, or is dead.
    #[must_use]
    pub fn is_stalled(&self, shard: usize) -> bool {
        self.beats.get(shard).is_some_and(|beat| beat.stalled.load(Ordering::Relaxed))
    }

    /// The first shard that hangs, or is dead.
    #[must_use]
    pub fn stalled(&self) -> Option<usize> {
        (0..self.beats.len()).find(|shard| self.is_stalled(*shard))
    }

    /// Says whether a shard hangs.
    pub(crate) fn set_stalled(&self, shard: usize, stalled: bool) {
        if let Some(beat) = self.beats.get(shard) {
            beat.stalled.store(stalled, Ordering::Relaxed);
        }
    }

    /// Says what a session holds.
    pub fn report(&self, holder: Holder) {
        self.survey.lock().unwrap_or_else(PoisonError::into_inner).add(holder);
    }
}

/// Starts watching so many shards, until what it gives is dropped.
///
/// # Errors
/// When the thread can't be started.
pub fn start(proxy: &Proxy, shards: usize) -> io::Result<(Arc<Overload>, Watch)> {
    let memory = Memory::of_process(proxy.memory_max).map(|memory| {
        let (refuse, end) = (proxy.memory_refuse_percent, proxy.memory_end_percent);
        MemoryWatch { marks: Marks::new(memory.max(), refuse, end), memory, shedding: None }
    });
    let max = memory.as_ref().map_or(0, |watch| watch.memory.max());
    let overload = Arc::new(Overload::new(max, shards));
    let (ends, ended) = mpsc::channel();
    let judge = proxy.watchdog.map(|patience| Judge::new(shards, patience, Instant::now()));
    if memory.is_some() || judge.is_some() {
        let mut watcher = Watcher { overload: overload.clone(), memory, judge };
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
    memory: Option<MemoryWatch>,
    judge: Option<Judge>,
}

struct MemoryWatch {
    memory: Memory,
    marks: Marks,
    /// Only above the upper mark.
    shedding: Option<Shedding>,
}

impl Watcher {
    fn look(&mut self, now: Instant) {
        let overload = &*self.overload;
        let counts = overload.beats.iter().map(|beat| beat.count.load(Ordering::Relaxed));
        let changes = self.judge.as_mut().map(|judge| judge.look(now, counts)).unwrap_or_default();
        // First all is published: what a shard hangs in may be the log.
        for Change { shard, stalled } in &changes {
            overload.set_stalled(*shard, *stalled);
        }
        if let Some(memory) = &mut self.memory {
            memory.look(overload, now);
        }
        changes.iter().for_each(tell_of_shard);
    }
}

fn tell_of_shard(&Change { shard, stalled }: &Change) {
    match stalled {
        true => tracing::error!(
            shard,
            "the shard has not run for `watchdog_ms`: its sessions stand still; restart the process"
        ),
        false => tracing::warn!(shard, "the shard runs again"),
    }
}

impl MemoryWatch {
    fn look(&mut self, overload: &Overload, now: Instant) {
        let Some(used) = self.memory.used() else { return };
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
    use crate::config::MemoryMax;

    #[test]
    fn what_is_seen_is_published_and_ordered() {
        let folder = tempfile::tempdir().unwrap();
        let overload = Overload::new(1000, 0);
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
        let mut watch = MemoryWatch { memory, marks, shedding: None };
        let now = Instant::now();
        watch.look(&overload, now);
        assert_eq!((overload.level(), overload.memory_used()), (Level::Normal, 100));
        // What the kernel can drop at once is no shortage.
        says(990, 500);
        watch.look(&overload, now);
        assert_eq!((overload.level(), overload.memory_used()), (Level::Normal, 490));
        says(900, 0);
        watch.look(&overload, now);
        assert_eq!((overload.level(), orders.has_changed().unwrap()), (Level::Refusing, false));
        says(990, 0);
        watch.look(&overload, now);
        assert_eq!(overload.level(), Level::Ending);
        assert!(matches!(*orders.borrow(), Order::Report));
        says(300, 0);
        watch.look(&overload, now);
        assert_eq!(overload.level(), Level::Normal);
        assert!(matches!(*orders.borrow(), Order::Nothing));
    }

    #[test]
    fn a_shard_whose_thread_is_gone_is_seen() {
        let proxy = Proxy {
            memory_max: MemoryMax::Off,
            watchdog: Some(Duration::from_secs(1)),
            ..Proxy::default()
        };
        let (overload, watch) = start(&proxy, 2).expect("a thread");
        let until = |what: &str, is_so: &dyn Fn() -> bool| {
            let late = Instant::now() + Duration::from_secs(20);
            while !is_so() {
                assert!(Instant::now() < late, "not in time: {what}");
                overload.beat(1);
                std::thread::yield_now();
            }
        };
        let dying = overload.clone();
        let shard = std::thread::spawn(move || {
            dying.beat(0);
            panic!("as a fault of the proxy would")
        });
        assert!(shard.join().is_err());
        until("it is missed", &|| overload.stalled() == Some(0));
        assert!(!overload.is_stalled(1));
        overload.beat(0);
        until("it is back", &|| overload.stalled().is_none());
        drop(watch);
    }
}

//! What the threads of a soak share: the counts, what they saw that must not be, and whether the proxy is up.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(2);

/// Something that is counted.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether devices may try to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Shut,
    Open,
}

/// What a run's threads share.
#[derive(Debug)]
pub(crate) struct State {
    /// Connections that devices cut.
    pub(crate) device_cuts: Count,
    /// Connections that the forwarder cut.
    pub(crate) upstream_cuts: Count,
    /// Connections that were closed on a device: by a cut upstream, a kill, or a takeover.
    pub(crate) closed: Count,
    pub(crate) connections: Count,
    pub(crate) kills: Count,
    /// Messages that were sent again with DUP.
    pub(crate) resent: Count,
    /// Messages up that are done with: acknowledged, or sent at QoS 0.
    pub(crate) done_up: Count,
    /// How many messages go up.
    pub(crate) messages_up: u64,
    /// The latest number of each stream; those up and those down have different ones.
    received: Vec<AtomicU32>,
    gate: Mutex<Gate>,
    moved: Condvar,
    violations: Mutex<Vec<String>>,
    end: Instant,
}

impl State {
    pub(crate) fn new(messages_up: u64, streams: u32, longest: Duration) -> Self {
        Self {
            device_cuts: Count::default(),
            upstream_cuts: Count::default(),
            closed: Count::default(),
            connections: Count::default(),
            kills: Count::default(),
            resent: Count::default(),
            done_up: Count::default(),
            messages_up,
            received: (0..streams).map(|_| AtomicU32::new(0)).collect(),
            gate: Mutex::new(Gate::Open),
            moved: Condvar::new(),
            violations: Mutex::new(Vec::new()),
            end: Instant::now() + longest,
        }
    }

    /// What is left of the run's time; `None` when it is over.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    pub(crate) fn set_gate(&self, gate: Gate) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = gate;
        self.moved.notify_all();
    }

    /// Waits until devices may connect. Without it they would take the proxy's port for their own ends while it is down.
    pub(crate) fn await_gate(&self) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        while *gate == Gate::Shut
            && let Some(left) = self.left()
        {
            gate = self.moved.wait_timeout(gate, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until something is so, or the time is over.
    pub(crate) fn await_that(&self, is_so: impl Fn() -> bool) {
        while !is_so() && self.left().is_some() {
            thread::sleep(LOOK);
        }
    }

    /// A message is where it belongs. The latest number of its stream is remembered.
    pub(crate) fn note_received(&self, stream: u32, number: u32) {
        if let Some(latest) = self.received.get(stream as usize) {
            latest.fetch_max(number, Ordering::Relaxed);
        }
    }

    /// The latest number of this stream that is where it belongs.
    pub(crate) fn latest_received(&self, stream: u32) -> u32 {
        self.received.get(stream as usize).map_or(0, |latest| latest.load(Ordering::Relaxed))
    }

    /// Notes what must not be.
    pub(crate) fn violation(&self, text: String) {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    pub(crate) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut *self.violations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

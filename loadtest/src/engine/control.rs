//! What the threads of a run tell each other: the phase, the start of the load, and a few gauges.
//!
//! Nothing here is on the way of a message but relaxed stores of one's own gauges.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const NOT_YET: u64 = u64::MAX;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Devices connect, and nothing is sent.
    Connecting,
    /// Messages are due.
    Load,
    /// No message is due any more; those on their way are waited for.
    Draining,
    /// Everybody disconnects.
    Closing,
    /// The sink stops too.
    Over,
}

/// What the main thread needs to know of another one while it runs.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Devices that are connected and subscribed.
    pub(crate) connected: AtomicU64,
    /// Devices whose first connection has failed at least once.
    pub(crate) failed: AtomicU64,
    /// PUBLISH packets sent.
    pub(crate) sent: AtomicU64,
    /// Messages without their acknowledgement, or not yet written.
    pub(crate) outstanding: AtomicU64,
    /// Commands sent.
    pub(crate) commands_sent: AtomicU64,
    /// PUBLISH packets received.
    pub(crate) received: AtomicU64,
    /// Acknowledgements received.
    pub(crate) answered: AtomicU64,
}

/// One run's.
#[derive(Debug)]
pub(crate) struct Control {
    phase: AtomicU8,
    start: AtomicU64,
    stop: AtomicU64,
    warm_up: u64,
    load: u64,
    /// One for each sending thread.
    pub(crate) shards: Vec<Gauges>,
    /// That of the sink or echo.
    pub(crate) end: Gauges,
}

impl Control {
    /// For so many sending threads; lengths in nanoseconds, the warm-up being a part of the load.
    pub(crate) fn new(shards: usize, warm_up: u64, load: u64) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Connecting as u8),
            start: AtomicU64::new(NOT_YET),
            stop: AtomicU64::new(NOT_YET),
            warm_up,
            load,
            shards: (0..shards).map(|_| Gauges::default()).collect(),
            end: Gauges::default(),
        }
    }

    /// Where the run is.
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Connecting,
            1 => Phase::Load,
            2 => Phase::Draining,
            3 => Phase::Closing,
            _ => Phase::Over,
        }
    }

    /// Goes on to a phase.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// The load starts at this time of the clock.
    pub(crate) fn start_at(&self, time: u64) {
        self.start.store(time, Ordering::Release);
        self.enter(Phase::Load);
    }

    /// No message is due after this time of the clock: the end of the load, or that of an interrupted one.
    pub(crate) fn stop_at(&self, time: u64) {
        self.stop.store(time, Ordering::Release);
        self.enter(Phase::Draining);
    }

    /// The last time at which messages are due.
    pub(crate) fn stop(&self) -> u64 {
        self.stop.load(Ordering::Acquire)
    }

    /// When the load starts or started.
    pub(crate) fn start(&self) -> Option<u64> {
        let start = self.start.load(Ordering::Acquire);
        (start != NOT_YET).then_some(start)
    }

    /// Nanoseconds of the warm-up, and of the load with it.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        (self.warm_up, self.load)
    }

    /// A gauge over all sending threads.
    pub(crate) fn sum(&self, gauge: impl Fn(&Gauges) -> &AtomicU64) -> u64 {
        self.shards.iter().map(|gauges| gauge(gauges).load(Ordering::Relaxed)).sum()
    }
}

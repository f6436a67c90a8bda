//! The run's clock: nanoseconds since the run began, the same for every thread. Intended times and latencies are in it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// The clock of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    base: Instant,
    /// Unix time at the base, in nanoseconds.
    unix_ns: u64,
}

impl Clock {
    /// A clock that begins now.
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { base: Instant::now(), unix_ns: nanoseconds(unix) }
    }

    /// Nanoseconds since it began.
    pub(crate) fn now(&self) -> u64 {
        nanoseconds(self.base.elapsed())
    }

    /// Milliseconds of Unix time at this time of the clock.
    pub(crate) fn unix_ms(&self, time_ns: u64) -> u64 {
        (self.unix_ns + time_ns) / 1_000_000
    }
}

/// A duration in nanoseconds; the longest times here are weeks.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time of the calling thread, in nanoseconds.
pub(crate) fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * SECOND + u64::try_from(time.tv_nsec).unwrap_or(0)
}

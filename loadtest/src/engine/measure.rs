//! What one thread measures: counters and latencies of the whole run, and of the second that is running.
//!
//! Whether a latency counts is decided by the intended time, whether a packet counts as measured by the time at which it
//! went or came. Invariant: counting allocates nothing; once a second an interval is sent to the main thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::clock::{SECOND, thread_cpu};
use super::control::Control;
use crate::results::{Counts, Histogram, LatencyKind, Second, new_histogram};

/// One second of one thread.
#[derive(Debug)]
pub(crate) struct Interval {
    /// Counts of this second; percentiles are not filled in.
    pub(crate) counts: Second,
    /// The latency that stands for the run, as far as this thread measures it.
    pub(crate) latency: Histogram,
}

/// What one thread found out over the whole run.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) counts: Counts,
    pub(crate) errors: BTreeMap<&'static str, u64>,
    pub(crate) acknowledged: Histogram,
    pub(crate) arrival: Histogram,
    pub(crate) round_trip: Histogram,
    pub(crate) command: Histogram,
    pub(crate) connect: Histogram,
    pub(crate) lateness: Histogram,
    /// Connections that ended before the end.
    pub(crate) ended_early: u64,
    /// CPU time in the measured time.
    pub(crate) cpu_ns: u64,
    /// Of it, the time that was spent looking whether something is due.
    pub(crate) spin_ns: u64,
}

impl Totals {
    fn new() -> Self {
        Self {
            counts: Counts::default(),
            errors: BTreeMap::new(),
            acknowledged: new_histogram(),
            arrival: new_histogram(),
            round_trip: new_histogram(),
            command: new_histogram(),
            connect: new_histogram(),
            lateness: new_histogram(),
            ended_early: 0,
            cpu_ns: 0,
            spin_ns: 0,
        }
    }

    fn histogram(&mut self, kind: LatencyKind) -> &mut Histogram {
        match kind {
            LatencyKind::Acknowledged => &mut self.acknowledged,
            LatencyKind::Arrival => &mut self.arrival,
            LatencyKind::RoundTrip => &mut self.round_trip,
            LatencyKind::Command => &mut self.command,
        }
    }
}

/// The parts of a run, in nanoseconds of its clock.
#[derive(Debug, Clone, Copy)]
struct Times {
    start: u64,
    measured: u64,
    end: u64,
}

/// What is measured once the load runs.
#[derive(Debug)]
pub(crate) struct Measure {
    control: Arc<Control>,
    times: Option<Times>,
    /// Which latency stands for the run.
    primary: LatencyKind,
    interval: Interval,
    totals: Totals,
    cpu_from: Option<u64>,
    /// CPU time at the end of the last turn, if nothing was found in it.
    spinning_since: Option<u64>,
    to_main: Sender<Interval>,
}

impl Measure {
    /// Nothing measured yet.
    pub(crate) fn new(
        control: Arc<Control>,
        primary: LatencyKind,
        to_main: Sender<Interval>,
    ) -> Self {
        let interval = Interval { counts: Second::default(), latency: new_histogram() };
        let totals = Totals::new();
        Self {
            control,
            times: None,
            primary,
            interval,
            totals,
            cpu_from: None,
            spinning_since: None,
            to_main,
        }
    }

    /// When the load started, if it did.
    pub(crate) fn start(&self) -> Option<u64> {
        self.times.map(|times| times.start)
    }

    /// To be called with each new `now`, before anything is counted with it.
    pub(crate) fn roll(&mut self, now: u64) {
        let times = match self.times {
            Some(times) => times,
            None => {
                let Some(start) = self.control.start() else { return };
                let (warm_up, load) = self.control.lengths();
                *self.times.insert(Times { start, measured: start + warm_up, end: start + load })
            }
        };
        if self.cpu_from.is_none() && now >= times.measured {
            self.cpu_from = Some(thread_cpu());
        }
        if self.totals.cpu_ns == 0 && now >= times.end {
            let from = self.cpu_from.unwrap_or_else(thread_cpu);
            self.totals.cpu_ns = (thread_cpu() - from).max(1);
        }
        let second = now.saturating_sub(times.start) / SECOND;
        if second > self.interval.counts.second {
            self.send_interval(second);
        }
    }

    /// Sends what was counted so far as that of the running second.
    fn send_interval(&mut self, next: u64) {
        let counts = Second { second: next, ..Second::default() };
        let done =
            std::mem::replace(&mut self.interval, Interval { counts, latency: new_histogram() });
        // Main may be gone after an error of its own; then nobody wants to know.
        let _ = self.to_main.send(done);
    }

    /// The end: what was found out.
    pub(crate) fn finish(mut self) -> Totals {
        self.send_interval(0);
        if self.totals.cpu_ns == 0
            && let Some(from) = self.cpu_from
        {
            self.totals.cpu_ns = thread_cpu() - from;
        }
        self.totals
    }

    /// The counters of the whole run.
    pub(crate) fn counts(&mut self) -> &mut Counts {
        &mut self.totals.counts
    }

    /// The counters of the running second.
    pub(crate) fn second(&mut self) -> &mut Second {
        &mut self.interval.counts
    }

    /// Whether `time` lies in the measured part of the load.
    pub(crate) fn is_measured(&self, time: u64) -> bool {
        self.times.is_some_and(|times| (times.measured..times.end).contains(&time))
    }

    /// A latency, from the intended time to now.
    pub(crate) fn latency(&mut self, kind: LatencyKind, intended: u64, now: u64) {
        let took = now.saturating_sub(intended);
        if kind == self.primary {
            self.interval.latency.saturating_record(took);
        }
        if self.is_measured(intended) {
            self.totals.histogram(kind).saturating_record(took);
        }
    }

    /// How late the generator got to a message.
    pub(crate) fn lateness(&mut self, intended: u64, now: u64) {
        if self.is_measured(intended) {
            self.totals.lateness.saturating_record(now.saturating_sub(intended));
        }
    }

    /// A connection ended in the middle of the run.
    pub(crate) fn ended_early(&mut self) {
        self.totals.ended_early += 1;
    }

    /// From the start of a connection to its CONNACK.
    pub(crate) fn connected(&mut self, took: u64) {
        self.totals.connect.saturating_record(took);
    }

    /// A turn in which nothing was found. Its CPU time is that since the last such turn, if nothing was done between;
    /// asking for it is a system call, which only those pay who have nothing to do.
    pub(crate) fn spun(&mut self, now: u64) {
        if !self.is_measured(now) {
            return;
        }
        let cpu = thread_cpu();
        if let Some(before) = self.spinning_since.replace(cpu) {
            self.totals.spin_ns += cpu - before;
        }
    }

    /// A turn in which something was done.
    pub(crate) fn worked(&mut self) {
        self.spinning_since = None;
    }

    /// An error by kind.
    pub(crate) fn error(&mut self, kind: &'static str) {
        *self.totals.errors.entry(kind).or_default() += 1;
        self.interval.counts.errors += 1;
    }
}

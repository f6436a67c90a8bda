//! The schedule: which message is due when. Message n of a schedule is that of device n modulo the devices, so each
//! device has a fixed interval of its own, and the devices are spread evenly over it.
//!
//! It doesn't know whether anybody could send then; that is why latency can be measured from it.
//! Invariant: times grow with n, and the same n has the same time, however late it is asked for.

use std::time::Duration;

use super::clock::{SECOND, nanoseconds};
use crate::scenario::{Burst, Load, Rate, Step};

/// A part of the load with one rate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    start_ns: u64,
    /// Messages per nanosecond.
    rate: f64,
    /// Messages before it.
    before: f64,
}

/// The intended times of a list of messages.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    segments: Vec<Segment>,
    /// How many messages there are.
    total: u64,
    /// Where the last question was answered.
    last: usize,
}

impl Schedule {
    /// The schedule of `share` (0 to 1) of a load. Times are nanoseconds since the start of the load.
    pub(crate) fn new(load: &Load, devices: u32, share: f64) -> Self {
        let per_second = |rate: Rate| rate.total(devices) * share;
        let end = nanoseconds(load.warm_up + load.duration);
        let mut pieces = Vec::new();
        if load.steps.is_empty() {
            pieces.push((0, per_second(load.rate)));
        } else {
            steps(&load.steps, load.warm_up, |start, rate| pieces.push((start, per_second(rate))));
        }
        if let Some(burst) = load.burst {
            pieces = with_bursts(&pieces, burst, per_second(burst.rate), end);
        }
        Self::of(&pieces, end)
    }

    /// A schedule of one rate.
    pub(crate) fn constant(per_second: f64, length: Duration) -> Self {
        Self::of(&[(0, per_second)], nanoseconds(length))
    }

    fn of(pieces: &[(u64, f64)], end: u64) -> Self {
        let mut segments: Vec<Segment> = Vec::new();
        let mut before = 0.0;
        for (index, (start_ns, per_second)) in pieces.iter().enumerate() {
            let rate = per_second / SECOND as f64;
            segments.push(Segment { start_ns: *start_ns, rate, before });
            let until = pieces.get(index + 1).map_or(end, |(next, _)| *next).min(end);
            before += rate * until.saturating_sub(*start_ns) as f64;
        }
        // A message whose time is the end itself isn't sent; rounding may not add one either.
        let total = (before - 1e-6).ceil().max(0.0) as u64;
        Self { segments, total, last: 0 }
    }

    /// How many messages there are.
    #[cfg(test)]
    fn total(&self) -> u64 {
        self.total
    }

    /// When message `number` is due: nanoseconds since the start of the load. `None` past the last one.
    pub(crate) fn time(&mut self, number: u64) -> Option<u64> {
        if number >= self.total {
            return None;
        }
        let wanted = number as f64;
        let holds = |index: usize| {
            self.segments
                .get(index)
                .is_some_and(|segment| segment.before <= wanted && segment.rate > 0.0)
                && self.segments.get(index + 1).is_none_or(|next| wanted < next.before)
        };
        if !holds(self.last) {
            let behind = self.segments.partition_point(|segment| segment.before <= wanted);
            let mut index = behind.saturating_sub(1);
            while self.segments[index].rate <= 0.0 && index > 0 {
                index -= 1;
            }
            self.last = index;
        }
        let segment = self.segments[self.last];
        Some(segment.start_ns + ((wanted - segment.before) / segment.rate).round() as u64)
    }
}

/// The first step holds during the warm-up too.
fn steps(steps: &[Step], warm_up: Duration, mut piece: impl FnMut(u64, Rate)) {
    let mut start = 0;
    let mut next = nanoseconds(warm_up);
    for step in steps {
        piece(start, step.rate);
        next += nanoseconds(step.length);
        start = next;
    }
}

/// Cuts the bursts out of the pieces.
fn with_bursts(pieces: &[(u64, f64)], burst: Burst, per_second: f64, end: u64) -> Vec<(u64, f64)> {
    let (every, length) = (nanoseconds(burst.every).max(1), nanoseconds(burst.length));
    let usual = |time: u64| {
        pieces.iter().rev().find(|(start, _)| *start <= time).map_or(0.0, |piece| piece.1)
    };
    let mut edges: Vec<u64> = pieces.iter().map(|(start, _)| *start).collect();
    let mut start = every;
    while start < end {
        edges.extend([start, start + length]);
        start += every;
    }
    edges.sort_unstable();
    edges.dedup();
    let in_burst = |time: u64| time >= every && time % every < length;
    edges
        .iter()
        .map(|time| (*time, if in_burst(*time) { per_second } else { usual(*time) }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(rate: f64, seconds: u64) -> Load {
        let mut load = crate::scenario::Scenario::default().load;
        load.rate = Rate::Total(rate);
        load.warm_up = Duration::ZERO;
        load.duration = Duration::from_secs(seconds);
        load
    }

    /// Messages that are due in each second.
    fn per_second(schedule: &mut Schedule, seconds: usize) -> Vec<u64> {
        let mut counts = vec![0; seconds];
        let mut last = 0;
        for number in 0..schedule.total() {
            let time = schedule.time(number).expect("one of them");
            assert!(time >= last, "message {number}");
            last = time;
            counts[(time / SECOND) as usize] += 1;
        }
        counts
    }

    #[test]
    fn a_rate_is_spread_evenly() {
        let mut schedule = Schedule::new(&load(4.0, 2), 1, 1.0);
        let times: Vec<u64> = (0..8).filter_map(|number| schedule.time(number)).collect();
        assert_eq!(times, (0..8).map(|number| number * SECOND / 4).collect::<Vec<u64>>());
        assert_eq!(schedule.time(8), None);
        assert_eq!(Schedule::new(&load(4.0, 2), 1, 0.5).total(), 4);
        assert_eq!(Schedule::new(&load(0.0, 2), 1, 1.0).total(), 0);
    }

    #[test]
    fn steps_follow_each_other_and_the_first_holds_in_the_warm_up() {
        let mut load = load(0.0, 3);
        load.warm_up = Duration::from_secs(1);
        let step = |rate: f64| Step { rate: Rate::Total(rate), length: Duration::from_secs(1) };
        load.steps = vec![step(10.0), step(0.0), step(30.0)];
        let mut schedule = Schedule::new(&load, 1, 1.0);
        assert_eq!(per_second(&mut schedule, 4), [10, 10, 0, 30]);
        // Asked again, late and out of order.
        assert_eq!(schedule.time(5), Some(SECOND / 2));
    }

    #[test]
    fn bursts_take_the_place_of_the_rate() {
        let mut load = load(10.0, 6);
        let (every, length) = (Duration::from_secs(2), Duration::from_secs(1));
        load.burst = Some(Burst { every, length, rate: Rate::Total(100.0) });
        let mut schedule = Schedule::new(&load, 1, 1.0);
        assert_eq!(per_second(&mut schedule, 6), [10, 10, 100, 10, 100, 10]);
    }
}

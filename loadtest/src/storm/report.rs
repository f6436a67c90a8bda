//! What came of storms: the model that table and JSON are made from.

use serde::Serialize;

use super::attacker::Counts;
use super::kind::Kind;
use super::newcomers::Arrivals;
use crate::results::{Latency, Machine, Pinning, Results, Spread, Verdict};

/// The number of the JSON's form; it grows when a field changes its meaning or goes away.
pub(super) const STORM_FORMAT: u32 = 1;

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) storm_format: u32,
    pub(super) version: String,
    pub(super) command: String,
    pub(super) seed: u64,
    pub(super) machine: Machine,
    pub(super) pinning: Pinning,
    /// Honest devices, and the messages per second of all of them.
    pub(super) devices: u32,
    pub(super) messages_per_s: f64,
    /// Seconds measured of each part of a round.
    pub(super) measured_s: f64,
    /// The p99 in a storm may be so many times that of the calm before it, as a median over rounds.
    pub(super) ratio_max: f64,
    pub(super) storms: Vec<Storm>,
    pub(super) remarks: Vec<String>,
}

/// All rounds of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Storm {
    pub(super) kind: Kind,
    pub(super) rounds: Vec<Round>,
    /// Storm by calm, the median over rounds.
    pub(super) p50_ratio: Option<f64>,
    pub(super) p99_ratio: Option<f64>,
    pub(super) p999_ratio: Option<f64>,
    /// Whether `p99_ratio` is within what was asked for, and nothing was lost.
    pub(super) holds: bool,
}

/// The same load without a storm, and with it.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    pub(super) calm: Weather,
    pub(super) storm: Weather,
    pub(super) attackers: Attackers,
}

/// What honest devices had of it, and what the proxy needed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Weather {
    /// Messages whose latency was measured: from the intended time to PUBACK.
    pub(super) messages: u64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) max_us: f64,
    /// Honest messages that were lost, doubled, damaged, out of order or unanswered, and honest connections that ended.
    pub(super) wrong: u64,
    /// What of it, one sentence each.
    pub(super) faults: Vec<String>,
    /// How late the generator itself was, at p99. It is in the latencies.
    pub(super) late_p99_us: Option<f64>,
    /// Cores that the proxy kept busy.
    pub(super) proxy_cores: Option<f64>,
    /// The part of the time in which the proxy could have run, and something else had its core.
    pub(super) proxy_waited: Option<f64>,
    pub(super) proxy_memory_max_bytes: Option<u64>,
    pub(super) newcomers: Newcomers,
}

/// What devices had of it that came anew in the measured time, where the attackers were.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Newcomers {
    pub(super) let_in: u64,
    /// From when each was meant to come, to its CONNACK. `None` if nobody was let in.
    pub(super) p50_us: Option<f64>,
    pub(super) max_us: Option<f64>,
    pub(super) kept_out: u64,
    /// Why the first of them was kept out.
    pub(super) fault: Option<String>,
}

/// What attackers achieved in the measured time.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Attackers {
    pub(super) seconds: f64,
    pub(super) open_min: u64,
    pub(super) open_max: u64,
    pub(super) opened_per_s: f64,
    pub(super) failed_per_s: f64,
    pub(super) ended_by_target_per_s: f64,
    pub(super) shaken_per_s: f64,
    pub(super) answered_per_s: f64,
    pub(super) bytes_per_s: f64,
}

impl Weather {
    /// What a run says. `None` if it measured no latency.
    pub(super) fn of(results: &Results, arrivals: &Arrivals) -> Option<Self> {
        let latency = crate::compare::latency(results)?;
        let failed = || results.checks.iter().filter(|check| check.verdict == Verdict::Failed);
        let process = results.process.as_ref();
        let seconds = results.durations.measured_s.max(f64::MIN_POSITIVE);
        Some(Self {
            messages: latency.count,
            p50_us: latency.p50_us,
            p99_us: latency.p99_us,
            p999_us: latency.p999_us,
            max_us: latency.max_us,
            wrong: failed().map(|check| check.count).sum(),
            faults: failed().map(crate::results::one_check).collect(),
            late_p99_us: results.generator.lateness.as_ref().map(|late| late.p99_us),
            proxy_cores: process.map(|process| process.cores),
            proxy_waited: process.and_then(|process| Some(process.waited_us? / 1e6 / seconds)),
            proxy_memory_max_bytes: process.map(|process| process.resident_max_bytes),
            newcomers: Newcomers::of(arrivals),
        })
    }
}

impl Newcomers {
    fn of(arrivals: &Arrivals) -> Self {
        let took = Latency::of(&arrivals.took);
        Self {
            let_in: arrivals.took.len(),
            p50_us: took.as_ref().map(|took| took.p50_us),
            max_us: took.as_ref().map(|took| took.max_us),
            kept_out: arrivals.kept_out,
            fault: arrivals.fault.clone(),
        }
    }
}

impl Attackers {
    /// What was said in the measured time; the first is the start. `None` for less than two.
    pub(super) fn of(said: &[Counts]) -> Option<Self> {
        let (first, rest) = said.split_first()?;
        let last = rest.last()?;
        let seconds = last.at_ms.saturating_sub(first.at_ms) as f64 / 1000.0;
        let per_s = |of: fn(&Counts) -> u64| {
            of(last).saturating_sub(of(first)) as f64 / seconds.max(f64::MIN_POSITIVE)
        };
        Some(Self {
            seconds,
            open_min: rest.iter().map(|counts| counts.open).min()?,
            open_max: rest.iter().map(|counts| counts.open).max()?,
            opened_per_s: per_s(|counts| counts.opened),
            failed_per_s: per_s(|counts| counts.failed),
            ended_by_target_per_s: per_s(|counts| counts.ended_by_target),
            shaken_per_s: per_s(|counts| counts.shaken),
            answered_per_s: per_s(|counts| counts.answered),
            bytes_per_s: per_s(|counts| counts.bytes),
        })
    }
}

impl Storm {
    pub(super) fn of(kind: Kind, rounds: Vec<Round>, ratio_max: f64) -> Self {
        let median = |of: fn(&Weather) -> f64| {
            let ratios = rounds.iter().map(|round| of(&round.storm) / of(&round.calm));
            Spread::of(ratios).map(|spread| spread.median)
        };
        let p99_ratio = median(|weather| weather.p99_us);
        let is_whole = rounds.iter().all(|round| round.storm.wrong + round.calm.wrong == 0);
        Self {
            kind,
            p50_ratio: median(|weather| weather.p50_us),
            p99_ratio,
            p999_ratio: median(|weather| weather.p999_us),
            holds: is_whole && p99_ratio.is_some_and(|ratio| ratio <= ratio_max),
            rounds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weather(p99_us: f64, wrong: u64) -> Weather {
        Weather {
            messages: 100,
            p50_us: 1.0,
            p99_us,
            p999_us: 1.0,
            max_us: p99_us,
            wrong,
            faults: Vec::new(),
            late_p99_us: None,
            proxy_cores: None,
            proxy_waited: None,
            proxy_memory_max_bytes: None,
            newcomers: Newcomers::default(),
        }
    }

    fn counts(at_ms: u64, open: u64, opened: u64) -> Counts {
        Counts { at_ms, open, opened, ..Counts::default() }
    }

    #[test]
    fn a_storm_holds_by_the_median_of_its_rounds_and_only_if_nothing_was_lost() {
        let attackers = Attackers::of(&[counts(0, 0, 0), counts(1000, 1, 1)]).expect("two");
        let storm = |all: &[(f64, u64)]| {
            let round = |(p99, wrong): &(f64, u64)| Round {
                calm: weather(100.0, 0),
                storm: weather(*p99, *wrong),
                attackers,
            };
            Storm::of(Kind::Garbage, all.iter().map(round).collect(), 2.0)
        };
        let found = storm(&[(150.0, 0), (900.0, 0), (190.0, 0)]);
        assert_eq!((found.p99_ratio, found.holds), (Some(1.9), true));
        assert!(!storm(&[(150.0, 0), (210.0, 0), (210.0, 0)]).holds);
        assert!(!storm(&[(150.0, 1)]).holds);
    }

    #[test]
    fn attackers_are_counted_from_the_start_of_the_measured_time() {
        let said = [counts(1000, 9, 500), counts(1100, 40, 600), counts(3000, 60, 1500)];
        let found = Attackers::of(&said).expect("they said something");
        assert_eq!((found.open_min, found.open_max), (40, 60));
        assert!((found.opened_per_s - 500.0).abs() < 1e-9, "{found:?}");
        assert!(Attackers::of(&said[..1]).is_none());
    }
}

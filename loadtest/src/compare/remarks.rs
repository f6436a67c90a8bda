//! What a reader of a comparison has to know before believing the figures.

use crate::results::{Comparison, End, Measured, Results, Side};

/// A generator that is later than this at its 99th percentile was measured itself.
const LATE_US: f64 = 1000.0;
/// A target that others kept from running for more of the time than this was disturbed.
const WAITED: f64 = 0.02;
/// Below this part of its cores a target wasn't the limit.
const BUSY: f64 = 0.95;
/// The part of the wanted rate that has to get through.
const THROUGH: f64 = 0.99;
/// The beginning of the engine's remark on lateness, which is said here once for all runs.
const LATE: &str = "the generator was late";

/// All remarks. `said` are those that were made on the way.
pub(super) fn remarks(comparison: &Comparison, wanted: usize, said: &[String]) -> Vec<String> {
    let mut remarks = said.to_vec();
    let rounds = comparison.rounds.len();
    if rounds < wanted {
        remarks.push(format!("it was interrupted: {rounds} of {wanted} rounds were measured"));
    }
    if rounds < 4 {
        remarks.push(format!("{rounds} rounds say little about the spread; six or more do"));
    }
    remarks.extend(late(comparison));
    for (name, side) in [("A", Side::A), ("B", Side::B)] {
        let measured = comparison.measured(side);
        remarks.extend(disturbed(name, &measured));
        remarks.extend(short(name, &measured));
        remarks.extend(idle(name, &measured, comparison.pinning.target.len()));
    }
    let foreign = |measured: &Measured| measured.results.end == End::Foreign;
    if comparison.rounds.iter().any(|round| foreign(&round.a) != foreign(&round.b)) {
        remarks.push(
            "only one of the targets has the sink of this process behind it: what stands behind the other one is in its figures"
                .to_owned(),
        );
    }
    remarks.extend(others(comparison));
    remarks
}

fn late(comparison: &Comparison) -> Option<String> {
    let of = |results: &Results| {
        results.generator.lateness.as_ref().map(|late| late.p99_us).filter(|late| *late > LATE_US)
    };
    let mut late: Vec<(String, f64)> =
        comparison.named_runs().filter_map(|(name, results)| Some((name, of(results)?))).collect();
    late.sort_by(|one, other| other.1.total_cmp(&one.1));
    let (name, us) = late.first()?;
    Some(format!(
        "the generator was late by more than 1 ms at its 99th percentile in {} of {} measurements, by {:.1} ms in the worst ({name}): \
         latencies contain it; free its core, or lower the rate",
        late.len(),
        comparison.runs().count(),
        us / 1000.0
    ))
}

fn disturbed(name: &str, measured: &[&Measured]) -> Option<String> {
    let waited: Vec<f64> = measured.iter().filter_map(|measured| measured.waited).collect();
    let most = waited.iter().copied().fold(0.0, f64::max);
    let rounds = waited.iter().filter(|waited| **waited > WAITED).count();
    (rounds > 0).then(|| {
        format!(
            "something else ran on {name}'s core in {rounds} of {} rounds: {name} could have run, and waited, for up to {:.0} % of the time",
            measured.len(),
            most * 100.0
        )
    })
}

/// Less came through than the schedule asked for.
fn short(name: &str, measured: &[&Measured]) -> Option<String> {
    let is_short = |measured: &&&Measured| {
        let counts = &measured.results.counts;
        let arrived = counts.measured_arrived.unwrap_or(counts.measured_sent);
        let intended = intended(&measured.results);
        intended > 0 && (arrived as f64) < intended as f64 * THROUGH
    };
    let rounds = measured.iter().filter(is_short).count();
    (rounds > 0).then(|| {
        format!(
            "in {rounds} of {} rounds {name} passed on less than the scenario asked for within the measured time",
            measured.len()
        )
    })
}

/// What the schedule asked for in the measured seconds.
fn intended(results: &Results) -> u64 {
    let from = results.durations.warm_up_s.ceil() as u64;
    results
        .seconds
        .iter()
        .filter(|second| second.second >= from)
        .map(|second| second.intended)
        .sum()
}

/// As fast as it goes, and the target wasn't busy: somebody else was the limit.
fn idle(name: &str, measured: &[&Measured], cores: usize) -> Option<String> {
    let full = measured.iter().all(|measured| intended(&measured.results) == 0);
    let busy: Vec<f64> = measured
        .iter()
        .filter_map(|measured| measured.results.process.as_ref())
        .map(|process| process.cores / cores.max(1) as f64)
        .collect();
    let least = busy.iter().copied().fold(f64::INFINITY, f64::min);
    (full && least < BUSY).then(|| {
        format!(
            "{name} had only {:.0} % of its core to do at the least: the generator or the sink was the limit, so messages per second say \
             nothing about {name}, and CPU per message does",
            least * 100.0
        )
    })
}

/// What the runs themselves remarked, once each.
fn others(comparison: &Comparison) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    for (name, results) in comparison.named_runs() {
        for remark in results.remarks.iter().filter(|remark| !remark.starts_with(LATE)) {
            remarks.push(format!("{name}: {remark}"));
        }
    }
    remarks
}

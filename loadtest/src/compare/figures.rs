//! From runs to figures: what one run says about its target, and what all rounds say about both.
//!
//! Nothing is measured here. Invariant: a figure is there only if it was measured for its side; it is never made up from
//! the other one.

use crate::results::{
    Direct, End, Figure, Latency, LatencyKind, Measured, Results, Round, Row, Series, Total,
};
use crate::scenario::{Pacing, Scenario};

/// What one run says about a target. `direct` is the same load on the sink itself.
pub(super) fn measured(results: Results, direct: Option<&Direct>, scenario: &Scenario) -> Measured {
    let messages = passed(&results);
    let seconds = results.durations.measured_s.max(f64::MIN_POSITIVE);
    let mut figures = Vec::new();
    let mut add = |figure: Figure, value: Option<f64>| {
        figures.extend(value.filter(|value| value.is_finite()).map(|value| (figure, value)));
    };
    add(Figure::MessagesPerSecond, Some(messages as f64 / seconds));
    let process = results.process.as_ref();
    if let Some(process) = process {
        let per_message = (messages > 0).then(|| process.cpu_us / messages as f64);
        add(Figure::CpuPerMessage, per_message);
        add(Figure::MessagesPerCpuSecond, per_message.map(|us| 1e6 / us));
        add(Figure::MemoryPerConnection, process.bytes_per_connection);
        add(Figure::MemoryMax, Some(process.resident_max_bytes as f64));
    }
    // As fast as it goes all queues are full, and a latency is their length.
    if scenario.load.pacing != Pacing::Full
        && let Some(found) = latency(&results)
    {
        let without = direct.and_then(|direct| latency(&direct.results));
        let rows = [
            (Figure::LatencyP50, Figure::AddedP50, found.p50_us, without.map(|of| of.p50_us)),
            (Figure::LatencyP99, Figure::AddedP99, found.p99_us, without.map(|of| of.p99_us)),
            (Figure::LatencyP999, Figure::AddedP999, found.p999_us, without.map(|of| of.p999_us)),
        ];
        for (plain, added, value, without) in rows {
            add(plain, Some(value));
            add(added, without.map(|without| value - without));
        }
    }
    let waited = process.and_then(|process| process.waited_us).map(|us| us / 1e6 / seconds);
    Measured { messages, figures, waited, results }
}

/// PUBLISH packets that came out of the target in the measured time, up and down. Without an end of ours nobody knows what
/// came out above, and what went in has to do.
pub(super) fn passed(results: &Results) -> u64 {
    let counts = &results.counts;
    let up = match results.end {
        End::Foreign => counts.measured_sent,
        End::Sink | End::Echo => counts.measured_arrived.unwrap_or(0),
    };
    up + counts.measured_received
}

/// The latency that stands for a run.
pub(crate) fn latency(results: &Results) -> Option<&Latency> {
    let kind = results.seconds.iter().find_map(|second| second.of)?;
    let all = &results.latencies;
    let found = match kind {
        LatencyKind::Acknowledged => &all.acknowledged,
        LatencyKind::Arrival => &all.arrival,
        LatencyKind::RoundTrip => &all.round_trip,
        LatencyKind::Command => &all.command,
    };
    found.as_ref()
}

/// Every figure that either side has.
pub(super) fn rows(rounds: &[Round]) -> Vec<Row> {
    let rows = Figure::ALL.into_iter().map(|figure| row(figure, rounds));
    rows.filter(|row| row.a.spread.is_some() || row.b.spread.is_some()).collect()
}

fn row(figure: Figure, rounds: &[Round]) -> Row {
    let of = |side: fn(&Round) -> &Measured| -> Vec<Option<f64>> {
        rounds.iter().map(|round| side(round).figure(figure)).collect()
    };
    let (a, b) = (of(|round| &round.a), of(|round| &round.b));
    let ratio = a.iter().zip(&b).map(|(a, b)| ratio((*a)?, (*b)?)).collect();
    Row {
        figure,
        unit: figure.unit(),
        a: Series::of(a),
        b: Series::of(b),
        ratio: Series::of(ratio),
    }
}

/// Nothing times something is no ratio that anybody could use.
fn ratio(a: f64, b: f64) -> Option<f64> {
    (a > 0.0 && b > 0.0).then(|| a / b)
}

/// The sum of all rounds.
pub(super) fn total<'m>(all: impl Iterator<Item = &'m Measured>) -> Total {
    let mut total = Total { cpu_us: Some(0.0), ..Total::default() };
    for measured in all {
        total.messages += measured.messages;
        total.measured_s += measured.results.durations.measured_s;
        let cpu = measured.results.process.as_ref().map(|process| process.cpu_us);
        total.cpu_us = total.cpu_us.zip(cpu).map(|(sum, cpu)| sum + cpu);
    }
    if let Some(cpu) = total.cpu_us.filter(|cpu| *cpu > 0.0 && total.messages > 0) {
        total.cpu_us_per_message = Some(cpu / total.messages as f64);
        total.messages_per_cpu_s = Some(total.messages as f64 / cpu * 1e6);
    }
    total
}

//! The plots: which lines and dots each is made of.

use super::axis::{Axis, kibibytes, plain};
use super::chart::{Chart, Ink, Mark, Stroke};
use super::page::{Figure, Key, Sample};
use crate::results::{Latency, Results, Row, Second};

/// A value of a second.
type OfSecond = fn(&Second) -> Option<f64>;

/// The seconds that lie whole in the load; the last one may be a piece.
fn whole(results: &Results) -> &[Second] {
    let load = results.durations.warm_up_s + results.durations.measured_s;
    let count = results.seconds.iter().take_while(|second| second.second as f64 + 0.99 <= load);
    &results.seconds[..count.count()]
}

/// Each second stands at its middle.
fn over_time(seconds: &[Second], of: OfSecond) -> Vec<(f64, f64)> {
    seconds.iter().filter_map(|second| Some((second.second as f64 + 0.5, of(second)?))).collect()
}

/// The part that isn't measured.
fn warm_up(results: &Results) -> Mark {
    Mark::Column { ink: Ink::Reference, from: 0.0, to: results.durations.warm_up_s }
}

fn warm_up_key() -> Key {
    Key::new(Ink::Reference, Sample::Area, "warm-up, not measured")
}

/// Messages per second over time.
pub(super) fn throughput(results: &Results) -> Option<Figure> {
    let seconds = whole(results);
    let arrived = results.counts.publish_arrived.is_some();
    let asked: OfSecond = |second| Some(second.intended as f64).filter(|count| *count > 0.0);
    let through: (OfSecond, &str) = if arrived {
        (|second| second.arrived.map(|count| count as f64), "arrived behind the target")
    } else {
        (|second| Some(second.acknowledged as f64), "acknowledged")
    };
    let received: OfSecond = |second| Some(second.received as f64);
    let lines = [
        (Ink::Reference, Stroke::Broad, asked, "asked for by the scenario"),
        (
            Ink::First,
            Stroke::Thick,
            (|second| Some(second.sent as f64)) as OfSecond,
            "sent by devices",
        ),
        (Ink::Second, Stroke::Dashed, through.0, through.1),
        (Ink::Third, Stroke::Thin, received, "received by devices"),
    ];
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(ink, stroke, of, text)| (ink, stroke, over_time(seconds, of), text))
        .filter(|(_, _, points, _)| points.iter().any(|(_, y)| *y > 0.0))
        .collect();
    let values = lines.iter().flat_map(|(_, _, points, _)| points.iter().map(|(_, y)| *y));
    let y = Axis::from_zero("Messages per second", values, plain);
    let mut marks = vec![warm_up(results)];
    let mut keys = Vec::new();
    for (ink, stroke, points, text) in lines {
        let sample = if stroke == Stroke::Dashed { Sample::Dashed } else { Sample::Line };
        keys.push(Key::new(ink, sample, text));
        marks.push(Mark::Line { ink, stroke, points });
    }
    keys.push(warm_up_key());
    (seconds.len() > 1).then(|| Figure {
        title: "Throughput over time".to_owned(),
        caption: "PUBLISH packets in each second of the load.".to_owned(),
        keys,
        chart: Chart { x: time_axis(results), y, marks },
    })
}

fn time_axis(results: &Results) -> Axis {
    Axis::seconds("Seconds since the load began", whole(results).len() as f64)
}

/// Percentiles over time.
pub(super) fn latency_over_time(results: &Results, of_what: &str) -> Option<Figure> {
    let seconds = whole(results);
    let all: [(Ink, OfSecond, &str); 3] = [
        (Ink::First, |second| second.p50_us, "p50"),
        (Ink::Third, |second| second.p99_us, "p99"),
        (Ink::Second, |second| second.p999_us, "p99.9"),
    ];
    let lines = all.map(|(ink, of, text)| (ink, over_time(seconds, of), text));
    let values = lines.iter().flat_map(|(_, points, _)| points.iter().map(|(_, y)| *y));
    let y = Axis::latency("Latency", values);
    let mut marks = vec![warm_up(results)];
    let mut keys = Vec::new();
    for (ink, points, text) in lines {
        keys.push(Key::new(ink, Sample::Line, text));
        marks.push(Mark::Line { ink, stroke: Stroke::Plain, points });
    }
    keys.push(warm_up_key());
    let any = seconds.iter().filter(|second| second.p50_us.is_some()).count() > 1;
    any.then(|| Figure {
        title: "Latency over time".to_owned(),
        caption: format!(
            "From the intended time of a message {of_what}, for the messages that were done in each second; logarithmic."
        ),
        keys,
        chart: Chart { x: time_axis(results), y, marks },
    })
}

/// Connected devices over time, where that is a question.
pub(super) fn connections(results: &Results) -> Option<Figure> {
    let points = over_time(whole(results), |second| Some(second.connected as f64));
    let errors = over_time(whole(results), |second| Some(second.errors as f64));
    let moves = points.windows(2).any(|pair| pair[0].1 != pair[1].1);
    if !moves && errors.iter().all(|(_, count)| *count == 0.0) {
        return None;
    }
    let values = points.iter().chain(&errors).map(|(_, y)| *y);
    let y = Axis::from_zero("Devices, errors", values, plain);
    let line = |ink, stroke, points| Mark::Line { ink, stroke, points };
    let marks = vec![
        warm_up(results),
        line(Ink::First, Stroke::Plain, points),
        line(Ink::Second, Stroke::Dashed, errors),
    ];
    Some(Figure {
        title: "Connections over time".to_owned(),
        caption:
            "Devices that were connected at the end of each second, and errors of any kind in it."
                .to_owned(),
        keys: vec![
            Key::new(Ink::First, Sample::Line, "connected devices"),
            Key::new(Ink::Second, Sample::Dashed, "errors"),
            warm_up_key(),
        ],
        chart: Chart { x: time_axis(results), y, marks },
    })
}

/// One side of a plot of distributions.
pub(super) struct Distributions<'r> {
    pub(super) ink: Ink,
    pub(super) text: String,
    /// One per round; several are drawn faintly, with their median.
    pub(super) latencies: Vec<&'r Latency>,
}

/// Latency by percentile.
pub(super) fn distribution(sides: &[Distributions<'_>], caption: &str) -> Option<Figure> {
    let all = || sides.iter().flat_map(|side| &side.latencies);
    let count = all().map(|latency| latency.count).max()?;
    let x = Axis::percentiles("Percentile of messages", count);
    let mut marks = Vec::new();
    let mut keys = Vec::new();
    let mut values = Vec::new();
    for side in sides.iter().filter(|side| !side.latencies.is_empty()) {
        let mut draw = |stroke, points: Vec<(f64, f64)>| {
            // The fastest half of what only stands for comparison may begin below the axis.
            let from = if side.ink == Ink::Reference { 50.0 } else { 0.0 };
            let seen = points.iter().filter(|(percentile, _)| *percentile >= from);
            values.extend(seen.map(|(_, us)| *us));
            marks.push(Mark::Line { ink: side.ink, stroke, points });
        };
        for latency in side.latencies.iter().filter(|_| side.latencies.len() > 1) {
            draw(Stroke::Faint, points(latency));
        }
        draw(Stroke::Plain, median(&side.latencies));
        keys.push(Key::new(side.ink, Sample::Line, &side.text));
    }
    // Thick lines over all thin ones.
    marks.sort_by_key(|mark| matches!(mark, Mark::Line { stroke: Stroke::Plain, .. }));
    let y = Axis::latency("Latency", values.into_iter());
    Some(Figure {
        title: "Latency by percentile".to_owned(),
        caption: caption.to_owned(),
        keys,
        chart: Chart { x, y, marks },
    })
}

/// Up to the percentile that one message alone stands for.
fn points(latency: &Latency) -> Vec<(f64, f64)> {
    let last = 100.0 * (1.0 - 1.0 / latency.count.max(1) as f64);
    let points = latency.distribution.iter().map(|point| (point.percentile, point.us));
    points.filter(|(percentile, _)| *percentile <= last).collect()
}

/// The median over the rounds at each percentile of the first one.
fn median(latencies: &[&Latency]) -> Vec<(f64, f64)> {
    let Some(first) = latencies.first() else { return Vec::new() };
    let at = |latency: &Latency, percentile: f64| {
        let points = &latency.distribution;
        points.iter().find(|point| point.percentile >= percentile - 1e-9).map(|point| point.us)
    };
    let middle = |percentile| {
        let found = latencies.iter().filter_map(|latency| at(latency, percentile));
        crate::results::Spread::of(found).map(|spread| spread.median)
    };
    let places = points(first).into_iter().map(|(percentile, _)| percentile);
    places.filter_map(|percentile| Some((percentile, middle(percentile)?))).collect()
}

/// A ratio in each round, with the median and the quartiles.
pub(super) fn ratio(row: &Row, title: &str, caption: &str) -> Option<Figure> {
    let spread = row.ratio.spread?;
    let points = by_round(&row.ratio.rounds, 0.0, 1.0);
    let x = Axis::rounds(row.ratio.rounds.len());
    let y = Axis::around_one("A / B", points.iter().map(|(_, ratio)| *ratio));
    let across = |ratio: f64| vec![(x.low, ratio), (x.high, ratio)];
    let marks = vec![
        Mark::Band { ink: Ink::Third, from: spread.lower_quartile, to: spread.upper_quartile },
        Mark::Line { ink: Ink::Reference, stroke: Stroke::Dashed, points: across(1.0) },
        Mark::Line { ink: Ink::Third, stroke: Stroke::Plain, points: across(spread.median) },
        Mark::Dots { ink: Ink::Third, points },
    ];
    Some(Figure {
        title: title.to_owned(),
        caption: caption.to_owned(),
        keys: vec![
            Key::new(Ink::Third, Sample::Block, "each round"),
            Key::new(Ink::Third, Sample::Line, &format!("median, {:.3}", spread.median)),
            Key::new(Ink::Third, Sample::Area, "between the quartiles"),
            Key::new(Ink::Reference, Sample::Dashed, "no difference"),
        ],
        chart: Chart { x, y, marks },
    })
}

/// Values of both targets in each round, side by side.
pub(super) fn bars(row: &Row, kind: Bars, names: [&str; 2]) -> Option<Figure> {
    let (title, axis, caption, unit) = match kind {
        Bars::Cpu => (
            "CPU time per message",
            "µs per message",
            "CPU time of the target, user and system, by messages that came through, in each round.",
            1.0,
        ),
        Bars::Memory => (
            "Memory per connection",
            "KiB per connection",
            "What the target's resident memory grew by from before the first connection until all devices were connected. The \
             kernel's buffers aren't in it.",
            1024.0,
        ),
    };
    let count = row.a.rounds.len().max(row.b.rounds.len());
    let (a, b) = (by_round(&row.a.rounds, -0.2, unit), by_round(&row.b.rounds, 0.2, unit));
    let any = a.len() + b.len() > 0;
    let label = if kind == Bars::Memory { kibibytes } else { plain };
    let y = Axis::from_zero(axis, a.iter().chain(&b).map(|(_, value)| *value), label);
    let bar = |ink, points| Mark::Bars { ink, width: 0.36, points };
    any.then(|| Figure {
        title: title.to_owned(),
        caption: caption.to_owned(),
        keys: vec![
            Key::new(Ink::First, Sample::Block, names[0]),
            Key::new(Ink::Second, Sample::Block, names[1]),
        ],
        chart: Chart {
            x: Axis::rounds(count),
            y,
            marks: vec![bar(Ink::First, a), bar(Ink::Second, b)],
        },
    })
}

/// What bars show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bars {
    Cpu,
    Memory,
}

fn by_round(rounds: &[Option<f64>], shift: f64, unit: f64) -> Vec<(f64, f64)> {
    let points = rounds.iter().enumerate();
    points
        .filter_map(|(index, value)| Some((index as f64 + 1.0 + shift, (*value)? / unit)))
        .collect()
}

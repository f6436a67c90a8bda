//! The page of a comparison.

use maud::{Markup, html};

use super::chart::Ink;
use super::page::{all_checks, facts, machine, notes, number, origin, page};
use super::plots::{Bars, Distributions, bars, distribution, ratio};
use crate::compare::latency;
use crate::results::{Comparison, Figure, Measured, Round, Row, Side, Spread, grouped};

/// The page.
///
/// # Errors
/// A plot couldn't be drawn.
pub(crate) fn comparison(comparison: &Comparison) -> anyhow::Result<String> {
    let names = names(comparison);
    let pair = [names[0].as_str(), names[1].as_str()];
    let of = |figure| comparison.row(figure);
    let figures = [
        of(Figure::CpuPerMessage).and_then(|row| {
            let caption =
                format!("CPU time of {} by that of {}, in each round.", names[0], names[1]);
            ratio(row, "CPU time per message, A / B", &caption)
        }),
        of(Figure::CpuPerMessage).and_then(|row| bars(row, Bars::Cpu, pair)),
        distributions(comparison, pair),
        of(Figure::MemoryPerConnection).and_then(|row| bars(row, Bars::Memory, pair)),
    ];
    let mut drawn = Vec::new();
    for figure in figures.into_iter().flatten() {
        drawn.push(figure.html()?);
    }
    let body = html! {
        p.lead { (lead(comparison)) }
        (sides(comparison))
        (medians(comparison))
        (notes(&comparison.remarks))
        @for figure in &drawn { (figure) }
        h2 { "Round by round" }
        (rounds(comparison))
        h2 { "Checks" }
        (all_checks(comparison.named_runs()))
        h2 { "Where and how" }
        (surroundings(comparison))
        (origin(Some(&comparison.command), &comparison.scenario))
    };
    let title = format!("{} and {} side by side", comparison.a.name, comparison.b.name);
    Ok(page(&title, comparison.started_unix_ms, &comparison.version, &body))
}

/// With their letters, so that two of the same name are told apart.
fn names(comparison: &Comparison) -> [String; 2] {
    [format!("A ({})", comparison.a.name), format!("B ({})", comparison.b.name)]
}

/// What came out, in a sentence.
fn lead(comparison: &Comparison) -> Markup {
    let spread = comparison.row(Figure::CpuPerMessage).and_then(|row| row.ratio.spread);
    let rounds = comparison.rounds.len();
    html! {
        @match spread {
            Some(spread) => {
                "A needs " strong { (format!("{:.3}", spread.median)) } " times the CPU time of B per message: the median of "
                (rounds) " rounds, of which half lie between " (format!("{:.3}", spread.lower_quartile)) " and "
                (format!("{:.3}", spread.upper_quartile)) ", and all between " (format!("{:.3}", spread.min)) " and "
                (format!("{:.3}", spread.max)) "."
            }
            None => { "The CPU time of one of the two isn't known, so there is no ratio of it." }
        }
    }
}

fn sides(comparison: &Comparison) -> Markup {
    html! {
        table.facts {
            tbody {
                tr { th scope="row" { strong.first { "A" } " " (comparison.a.name) } td { (comparison.a.about) } }
                tr { th scope="row" { strong.second { "B" } " " (comparison.b.name) } td { (comparison.b.about) } }
            }
        }
    }
}

/// Figure by figure.
fn medians(comparison: &Comparison) -> Markup {
    let value = |row: &Row, spread: Option<Spread>| {
        spread.map_or_else(|| "–".to_owned(), |spread| row.unit.text(spread.median))
    };
    html! {
        h2 { "Medians of all rounds" }
        div.scroll {
            table {
                thead {
                    tr {
                        th {}
                        th.number { span.first { "A" } }
                        th.number { span.second { "B" } }
                        th.number { "A / B" }
                        th.number { "quartiles" }
                        th.number { "min, max" }
                    }
                }
                tbody {
                    @for row in &comparison.figures {
                        tr {
                            th scope="row" { (super::page::capitalised(row.figure.text())) }
                            (number(&value(row, row.a.spread)))
                            (number(&value(row, row.b.spread)))
                            @match row.ratio.spread {
                                Some(spread) => {
                                    td.number { strong { (format!("{:.3}", spread.median)) } }
                                    (number(&format!("{:.3} – {:.3}", spread.lower_quartile, spread.upper_quartile)))
                                    (number(&format!("{:.3} – {:.3}", spread.min, spread.max)))
                                }
                                None => { (number("–")) (number("–")) (number("–")) }
                            }
                        }
                    }
                }
            }
        }
        p.small.soft {
            "“Added” is a percentile of the latency without the same percentile of a short run on the sink itself, in the same round. "
            (sums(comparison))
        }
    }
}

fn sums(comparison: &Comparison) -> String {
    let (a, b) = (&comparison.total_a, &comparison.total_b);
    let cpu = |us: Option<f64>| {
        us.map_or_else(String::new, |us| format!(" with {:.2} s of CPU", us / 1e6))
    };
    format!(
        "In all, {} messages came through A in {:.1} s{}, {} through B in {:.1} s{}.",
        grouped(a.messages as f64),
        a.measured_s,
        cpu(a.cpu_us),
        grouped(b.messages as f64),
        b.measured_s,
        cpu(b.cpu_us)
    )
}

fn distributions(comparison: &Comparison, names: [&str; 2]) -> Option<super::page::Figure> {
    // Where queues are full by design there is no such figure.
    comparison.row(Figure::LatencyP50)?;
    let of = |side: fn(&Round) -> Option<&crate::results::Results>| {
        comparison.rounds.iter().filter_map(side).filter_map(latency).collect()
    };
    let sides = [
        Distributions {
            ink: Ink::Reference,
            text: "the sink itself".to_owned(),
            latencies: of(|round| round.direct.as_ref().map(|direct| &direct.results)),
        },
        Distributions {
            ink: Ink::First,
            text: names[0].to_owned(),
            latencies: of(|round| Some(&round.a.results)),
        },
        Distributions {
            ink: Ink::Second,
            text: names[1].to_owned(),
            latencies: of(|round| Some(&round.b.results)),
        },
    ];
    let caption = "From the intended time of each message: this share of the messages took at most so long. Thin lines are single \
                   rounds, thick ones their median. Both axes are logarithmic.";
    distribution(&sides, caption)
}

/// Which columns the rounds have.
const COLUMNS: [(Figure, &str); 7] = [
    (Figure::CpuPerMessage, "CPU per message"),
    (Figure::MessagesPerCpuSecond, "messages per CPU-second"),
    (Figure::MessagesPerSecond, "messages per second"),
    (Figure::LatencyP50, "p50"),
    (Figure::LatencyP99, "p99"),
    (Figure::LatencyP999, "p99.9"),
    (Figure::MemoryPerConnection, "memory per connection"),
];

fn rounds(comparison: &Comparison) -> Markup {
    let columns: Vec<_> =
        COLUMNS.iter().filter(|(figure, _)| comparison.row(*figure).is_some()).collect();
    html! {
        p.small.soft { "In the order in which they were measured." }
        div.scroll {
            table.small.dense {
                thead {
                    tr {
                        th { "Round" }
                        @for (_, name) in &columns { th.number { (name) } }
                        th.number { "waited for core" }
                    }
                }
                tbody {
                    @for round in &comparison.rounds {
                        @let order = if round.first == Side::A { [Side::A, Side::B] } else { [Side::B, Side::A] };
                        @for (place, side) in order.into_iter().enumerate() {
                            @let measured = round.side(side);
                            tr.group[place == 1] {
                                th scope="row" {
                                    (round.number) " "
                                    @if side == Side::A { span.first { "A" } } @else { span.second { "B" } }
                                }
                                @for (figure, _) in &columns { (cell(*figure, measured)) }
                                (number(&measured.waited.map_or_else(|| "–".to_owned(), |part| format!("{:.1} %", part * 100.0))))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(figure: Figure, measured: &Measured) -> Markup {
    let value = measured.figure(figure);
    number(&value.map_or_else(|| "–".to_owned(), |value| figure.unit().text(value)))
}

fn surroundings(comparison: &Comparison) -> Markup {
    let first = comparison.rounds.first();
    let seconds = first.map_or(0.0, |round| round.a.results.durations.measured_s);
    let direct = first.and_then(|round| round.direct.as_ref());
    let direct = direct.map_or_else(String::new, |direct| {
        format!(", and {:.1} s of the sink itself", direct.results.durations.measured_s)
    });
    let mut rows = vec![
        (
            "Rounds",
            format!(
                "{} with {seconds:.1} s measured of each target{direct}; A first in one round, B first in the next; seed {}",
                comparison.rounds.len(),
                comparison.seed
            ),
        ),
        ("Cores", comparison.pinning.text()),
    ];
    rows.extend(machine(&comparison.machine));
    if let Some(load) = comparison.load_average_after {
        rows.push(("Load average after", format!("{load:.2}, the comparison's own load included")));
    }
    facts(&rows)
}

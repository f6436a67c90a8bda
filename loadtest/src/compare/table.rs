//! A comparison as a table for a person. Every figure in it is in the JSON too.

use crate::results::{
    Comparison, Figure, Measured, Round, Row, Side, Spread, Total, Verdict, grouped, one_check,
};

/// What has a column in the table of rounds.
const COLUMNS: [(Figure, &str); 7] = [
    (Figure::CpuPerMessage, "CPU/message"),
    (Figure::MessagesPerCpuSecond, "per CPU-s"),
    (Figure::MessagesPerSecond, "per second"),
    (Figure::AddedP50, "+p50"),
    (Figure::AddedP99, "+p99"),
    (Figure::AddedP999, "+p99.9"),
    (Figure::MemoryPerConnection, "memory/conn."),
];

/// The table.
pub(crate) fn table(comparison: &Comparison) -> String {
    let mut table = Table { out: String::new() };
    head(comparison, &mut table);
    rounds(comparison, &mut table);
    ratios(comparison, &mut table);
    checks(comparison, &mut table);
    for remark in &comparison.remarks {
        table.row("note", remark);
    }
    table.out
}

fn head(comparison: &Comparison, table: &mut Table) {
    let first = comparison.rounds.first();
    let seconds = first.map_or(0.0, |round| round.a.results.durations.measured_s);
    table.row(
        "scenario",
        &format!(
            "{}, seed {}, {} rounds with {seconds:.1} s measured of each target, alternating",
            comparison.name,
            comparison.seed,
            comparison.rounds.len()
        ),
    );
    table.row("A", &comparison.a.about);
    table.row("B", &comparison.b.about);
    let mut machine = comparison.machine.text();
    if let Some(load) = comparison.load_average_after {
        machine.push_str(&format!(", {load:.2} after"));
    }
    table.row("machine", &machine);
    table.row("cores", &comparison.pinning.text());
}

fn rounds(comparison: &Comparison, table: &mut Table) {
    let columns: Vec<(Figure, &str)> = columns(comparison);
    let names: String = columns.iter().map(|(_, name)| format!("{name:>14}")).collect();
    table.line("");
    table.row("round", &names);
    for round in &comparison.rounds {
        for (name, measured) in in_order(round) {
            table.row(&format!("{:>3} {name}", round.number), &cells(&columns, measured));
        }
    }
    for (name, total) in [("A", &comparison.total_a), ("B", &comparison.total_b)] {
        table.row(&format!("sum {name}"), &total_text(total));
    }
    table.line("");
}

/// Those that somebody has.
fn columns(comparison: &Comparison) -> Vec<(Figure, &'static str)> {
    COLUMNS.into_iter().filter(|(figure, _)| comparison.row(*figure).is_some()).collect()
}

fn in_order(round: &Round) -> [(&'static str, &Measured); 2] {
    let (a, b) = (("A", &round.a), ("B", &round.b));
    if round.first == Side::A { [a, b] } else { [b, a] }
}

fn cells(columns: &[(Figure, &str)], measured: &Measured) -> String {
    let cell = |figure: Figure| {
        let value = measured.figure(figure);
        value.map_or_else(|| "–".to_owned(), |value| figure.unit().text(value))
    };
    columns.iter().map(|(figure, _)| format!("{:>14}", cell(*figure))).collect()
}

fn total_text(total: &Total) -> String {
    let mut text =
        format!("{} messages in {:.1} s", grouped(total.messages as f64), total.measured_s);
    if let (Some(cpu), Some(each), Some(per_second)) =
        (total.cpu_us, total.cpu_us_per_message, total.messages_per_cpu_s)
    {
        text.push_str(&format!(
            ", {:.2} s of CPU: {each:.3} µs per message, {} messages per CPU-second",
            cpu / 1e6,
            grouped(per_second)
        ));
    }
    text
}

fn ratios(comparison: &Comparison, table: &mut Table) {
    table.row(
        "A / B",
        &format!("{:>9}{:>16}{:>16}  {}", "median", "quartiles", "min, max", "per round"),
    );
    for row in &comparison.figures {
        if let Some(spread) = row.ratio.spread {
            table.row(&format!("  {}", row.figure.text()), &ratio(row, spread));
        }
    }
    table.line("");
}

fn ratio(row: &Row, spread: Spread) -> String {
    let pair = |low: f64, high: f64| format!("{low:.3}–{high:.3}");
    let rounds: Vec<String> = row
        .ratio
        .rounds
        .iter()
        .map(|ratio| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}")))
        .collect();
    format!(
        "{:>9.3}{:>16}{:>16}  {}",
        spread.median,
        pair(spread.lower_quartile, spread.upper_quartile),
        pair(spread.min, spread.max),
        rounds.join(" ")
    )
}

/// All that passed in one line, and each that didn't.
fn checks(comparison: &Comparison, table: &mut Table) {
    let mut passed = 0;
    for (name, results) in comparison.named_runs() {
        for check in &results.checks {
            match check.verdict {
                Verdict::Passed => passed += 1,
                Verdict::Failed => {
                    table.row("check", &format!("{name}: {}", one_check(check)));
                }
                Verdict::NotChecked => {}
            }
        }
    }
    let runs = comparison.runs().count();
    table.row("checks", &format!("{passed} passed in {runs} measurements"));
}

/// A measurement in one line, while it goes on.
pub(super) fn one_line(measured: &Measured) -> String {
    let mut parts = Vec::new();
    let all = [
        (Figure::MessagesPerSecond, ""),
        (Figure::CpuPerMessage, " of CPU per message"),
        (Figure::LatencyP50, " p50"),
        (Figure::LatencyP99, " p99"),
        (Figure::MemoryPerConnection, " per connection"),
    ];
    for (figure, what) in all {
        if let Some(value) = measured.figure(figure) {
            parts.push(format!("{}{what}", figure.unit().text(value)));
        }
    }
    if let Some(waited) = measured.waited {
        parts.push(format!("waited {:.1} % of the time for its core", waited * 100.0));
    }
    parts.join(", ")
}

struct Table {
    out: String,
}

impl Table {
    fn row(&mut self, name: &str, text: &str) {
        let width = if name.starts_with("  ") { 26 } else { 14 };
        self.line(&format!("{name:width$}{text}"));
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }
}

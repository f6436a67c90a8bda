//! A result as a table for a person. Every figure in it is in the JSON too.

use super::{Check, Latency, ProcessUse, Results, Verdict};

/// The table.
pub(crate) fn table(results: &Results) -> String {
    let mut table = Table { out: String::new() };
    head(results, &mut table);
    counts(results, &mut table);
    latencies(results, &mut table);
    machine(results, &mut table);
    for check in &results.checks {
        table.row("check", &one_check(check));
    }
    for remark in &results.remarks {
        table.row("note", remark);
    }
    table.out
}

fn head(results: &Results, table: &mut Table) {
    let durations = &results.durations;
    table.row("scenario", &format!("{}, seed {}", results.name, results.seed));
    table.row(
        "target",
        &match results.end {
            super::End::Foreign => results.target.clone(),
            super::End::Sink => {
                format!("{}, with the sink of this process behind it", results.target)
            }
            super::End::Echo => {
                format!("{}, with the echo of this process behind it", results.target)
            }
        },
    );
    table.row(
        "time",
        &format!(
            "{:.1} s connecting, {:.1} s warm-up, {:.1} s measured, {:.1} s draining",
            durations.connecting_s, durations.warm_up_s, durations.measured_s, durations.drain_s
        ),
    );
}

fn counts(results: &Results, table: &mut Table) {
    let counts = &results.counts;
    let measured = results.durations.measured_s.max(f64::MIN_POSITIVE);
    let per_second = |count: u64| format!("{:.0}/s", count as f64 / measured);
    table.row(
        "connections",
        &format!(
            "{} devices, {} connects, {} accepted, {} refused, {} ended by the target",
            counts.devices,
            counts.connects,
            counts.accepted,
            counts.refused,
            counts.disconnects_unwanted
        ),
    );
    table.row(
        "PUBLISH sent",
        &format!("{}, measured {}", counts.publish_sent, per_second(counts.measured_sent)),
    );
    if counts.publish_acknowledged > 0 {
        let measured = per_second(counts.measured_acknowledged);
        table.row("acknowledged", &format!("{}, measured {measured}", counts.publish_acknowledged));
    }
    if let (Some(arrived), Some(measured)) = (counts.publish_arrived, counts.measured_arrived) {
        table.row("arrived", &format!("{arrived}, measured {}", per_second(measured)));
    }
    if counts.subscribe_sent > 0 {
        table.row(
            "SUBSCRIBE",
            &format!("{} sent, {} granted", counts.subscribe_sent, counts.subscribe_granted),
        );
    }
    if counts.publish_received + counts.commands_sent > 0 {
        let commands = counts.commands_sent;
        let measured = per_second(counts.measured_received);
        table.row(
            "received",
            &format!(
                "{}, measured {measured}; {commands} commands were sent",
                counts.publish_received
            ),
        );
    }
    for (kind, count) in &results.errors {
        table.row("error", &format!("{kind} {count}"));
    }
}

fn latencies(results: &Results, table: &mut Table) {
    let all = &results.latencies;
    let measured = [
        ("to ack", &all.acknowledged),
        ("to arrival", &all.arrival),
        ("round trip", &all.round_trip),
        ("command", &all.command),
        ("connect", &all.connect),
    ];
    if measured.iter().all(|(_, latency)| latency.is_none()) {
        return;
    }
    table.row(
        "latency",
        &line(["p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"].map(str::to_owned)),
    );
    for (name, latency) in measured {
        if let Some(latency) = latency {
            table.row(&format!("  {name}"), &percentiles(latency));
        }
    }
}

fn machine(results: &Results, table: &mut Table) {
    let generator = &results.generator;
    let share = |us: f64| us / 1e6 / results.durations.measured_s.max(f64::MIN_POSITIVE) * 100.0;
    let mut text =
        format!("{} threads, {:.0} % of a core", generator.threads, share(generator.cpu_us));
    if let Some(each) = generator.cpu_us_per_message {
        text.push_str(&format!(", {each:.2} µs of CPU per message"));
    }
    if generator.spin_us > 0.0 {
        text.push_str(&format!(", and {:.0} % looking for what is due", share(generator.spin_us)));
    }
    if let Some(end) = generator.end_cpu_us {
        text.push_str(&format!("; the end {:.0} % of a core", share(end)));
    }
    table.row("generator", &text);
    if let Some(late) = &generator.lateness {
        table.row("  late by", &percentiles(late));
    }
    if let Some(process) = &results.process {
        table.row("process", &process_text(process));
    }
}

fn process_text(process: &ProcessUse) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut text = format!("{} ({}), {:.2} cores", process.command, process.pid, process.cores);
    if let Some(each) = process.cpu_us_per_message {
        text.push_str(&format!(", {each:.2} µs of CPU per message"));
    }
    if let Some(waited) = process.waited_us {
        text.push_str(&format!(", waited {:.1} ms for a core", waited / 1000.0));
    }
    text.push_str(&format!(
        ", memory {:.1} MiB before, {:.1} MiB connected, {:.1} MiB at most",
        mebibytes(process.resident_before_bytes),
        mebibytes(process.resident_connected_bytes),
        mebibytes(process.resident_max_bytes)
    ));
    if let Some(each) = process.bytes_per_connection {
        text.push_str(&format!(", {:.1} KiB per connection", each / 1024.0));
    }
    text
}

/// A check in one line.
pub(crate) fn one_check(check: &Check) -> String {
    let name = &check.name;
    let detail =
        if check.detail.is_empty() { String::new() } else { format!(" ({})", check.detail) };
    match check.verdict {
        Verdict::Passed => format!("{name}: passed{detail}"),
        Verdict::Failed => format!("{name}: FAILED, {}{detail}", check.count),
        Verdict::NotChecked => format!("{name}: not checked{detail}"),
    }
}

fn percentiles(latency: &Latency) -> String {
    let values = [
        latency.p50_us,
        latency.p90_us,
        latency.p99_us,
        latency.p999_us,
        latency.p9999_us,
        latency.max_us,
        latency.mean_us,
    ];
    line(values.map(duration))
}

/// Microseconds in the unit that suits them.
pub(crate) fn duration(us: f64) -> String {
    match us {
        us if us < 1000.0 => format!("{us:.0} µs"),
        us if us < 100_000.0 => format!("{:.2} ms", us / 1000.0),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1000.0),
        us => format!("{:.2} s", us / 1_000_000.0),
    }
}

fn line(cells: [String; 7]) -> String {
    cells.iter().map(|cell| format!("{cell:>10}")).collect()
}

struct Table {
    out: String,
}

impl Table {
    fn row(&mut self, name: &str, text: &str) {
        self.out.push_str(&format!("{name:14}{text}\n"));
    }
}

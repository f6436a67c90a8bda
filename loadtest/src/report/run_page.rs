//! The page of one run.

use maud::{Markup, html};

use super::chart::Ink;
use super::page::{capitalised, checks, facts, machine, notes, number, origin, page};
use super::plots::{Distributions, connections, distribution, latency_over_time, throughput};
use crate::compare::latency;
use crate::results::{End, Latency, LatencyKind, Results, Verdict, duration, grouped};

/// The page.
///
/// # Errors
/// A plot couldn't be drawn.
pub(crate) fn single_run(results: &Results) -> anyhow::Result<String> {
    let figures = [
        throughput(results),
        latency_over_time(results, until(results)),
        distributions(results),
        connections(results),
    ];
    let mut drawn = Vec::new();
    for figure in figures.into_iter().flatten() {
        drawn.push(figure.html()?);
    }
    let body = html! {
        p.lead { (lead(results)) }
        (notes(&results.remarks))
        @for figure in &drawn { (figure) }
        h2 { "Latency" }
        (latencies(results))
        h2 { "Checks" }
        (checks(results))
        h2 { "Counts" }
        (counts(results))
        h2 { "Where and how" }
        (surroundings(results))
        (origin(results.command.as_deref(), &results.scenario))
    };
    let title = format!("Load test: {}", results.name);
    Ok(page(&title, results.started_unix_ms, &results.version, &body))
}

/// Until when the latency that stands for the run counts.
fn until(results: &Results) -> &'static str {
    match results.seconds.iter().find_map(|second| second.of) {
        Some(LatencyKind::Acknowledged) => "to its acknowledgement",
        Some(LatencyKind::Arrival) => "to its arrival behind the target",
        Some(LatencyKind::RoundTrip) => "until its echo came back",
        Some(LatencyKind::Command) => "from the controller to the device",
        None => "to its end",
    }
}

/// The beginning of a sentence on the latency that stands for the run.
fn done(results: &Results) -> &'static str {
    match results.seconds.iter().find_map(|second| second.of) {
        Some(LatencyKind::Acknowledged) => " Half of them were acknowledged within ",
        Some(LatencyKind::RoundTrip) => " Half of them were back as an echo within ",
        Some(LatencyKind::Command) => " Half of the commands reached their device within ",
        Some(LatencyKind::Arrival) | None => " Half of them had arrived behind the target within ",
    }
}

/// What came out, in two sentences.
fn lead(results: &Results) -> Markup {
    let counts = &results.counts;
    let per_second =
        counts.measured_sent as f64 / results.durations.measured_s.max(f64::MIN_POSITIVE);
    let failed = results.checks.iter().filter(|check| check.verdict == Verdict::Failed).count();
    html! {
        (grouped(counts.devices as f64)) " devices sent " (grouped(per_second)) " messages per second for "
        (format!("{:.0}", results.durations.measured_s)) " s."
        @if let Some(found) = latency(results) {
            (done(results)) (duration(found.p50_us)) " of their intended time, 99 % within " (duration(found.p99_us))
            ", 99.9 % within " (duration(found.p999_us)) "."
        }
        @if failed == 0 { " No check failed." } @else { " " span.bad { (failed) @if failed == 1 { " check failed." } @else { " checks failed." } } }
    }
}

fn all_latencies(results: &Results) -> Vec<(&'static str, &Latency)> {
    let all = &results.latencies;
    let named = [
        ("to the acknowledgement", &all.acknowledged),
        ("to the arrival behind the target", &all.arrival),
        ("until the echo came back", &all.round_trip),
        ("of commands, to the device", &all.command),
        ("of connecting, to CONNACK", &all.connect),
        ("the generator itself was late by", &results.generator.lateness),
    ];
    let there = named.into_iter().filter_map(|(name, latency)| Some((name, latency.as_ref()?)));
    there.collect()
}

fn distributions(results: &Results) -> Option<super::page::Figure> {
    let inks = [Ink::First, Ink::Second, Ink::Third];
    let mut shown = all_latencies(results);
    // Connecting is another question.
    shown.retain(|(name, _)| !name.starts_with("of connecting"));
    let late = shown.pop_if(|(name, _)| name.starts_with("the generator"));
    let inks = inks.into_iter().cycle();
    let mut sides: Vec<Distributions<'_>> = shown
        .into_iter()
        .zip(inks)
        .map(|((name, latency), ink)| Distributions {
            ink,
            text: name.to_owned(),
            latencies: vec![latency],
        })
        .collect();
    sides.extend(late.map(|(name, latency)| Distributions {
        ink: Ink::Reference,
        text: name.to_owned(),
        latencies: vec![latency],
    }));
    let caption = "From the intended time of each message: this share of the messages took at most so long. Both axes are logarithmic.";
    distribution(&sides, caption)
}

fn latencies(results: &Results) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th {}
                        @for name in ["p50", "p90", "p99", "p99.9", "p99.99", "max", "count"] {
                            th.number { (name) }
                        }
                    }
                }
                tbody {
                    @for (name, found) in all_latencies(results) {
                        tr {
                            th scope="row" { (capitalised(name)) }
                            @for us in [found.p50_us, found.p90_us, found.p99_us, found.p999_us, found.p9999_us, found.max_us] {
                                (number(&duration(us)))
                            }
                            (number(&grouped(found.count as f64)))
                        }
                    }
                }
            }
        }
    }
}

fn counts(results: &Results) -> Markup {
    let counts = &results.counts;
    let mut rows: Vec<(String, u64)> = [
        ("PUBLISH sent by devices", Some(counts.publish_sent)),
        ("PUBLISH acknowledged", Some(counts.publish_acknowledged)),
        ("PUBLISH rejected by reason code", Some(counts.publish_rejected)),
        ("PUBLISH that arrived behind the target", counts.publish_arrived),
        ("… rewritten around their stamp", counts.publish_rewritten),
        ("PUBLISH received by devices", Some(counts.publish_received)),
        ("Commands sent", Some(counts.commands_sent)),
        ("PUBLISH asked for and never sent", Some(counts.publish_unsent)),
        ("PUBLISH never acknowledged", Some(counts.publish_unanswered)),
        ("PUBLISH on their way when a connection ended", Some(counts.publish_cut_off)),
        ("SUBSCRIBE sent", Some(counts.subscribe_sent)),
        ("SUBSCRIBE granted", Some(counts.subscribe_granted)),
        ("SUBSCRIBE refused", Some(counts.subscribe_refused)),
        ("Connections begun", Some(counts.connects)),
        ("Connections accepted", Some(counts.accepted)),
        ("Connections refused", Some(counts.refused)),
        ("Connections ended by the target", Some(counts.disconnects_unwanted)),
    ]
    .into_iter()
    .filter_map(|(name, count)| Some((name.to_owned(), count.filter(|count| *count > 0)?)))
    .collect();
    rows.extend(results.errors.iter().map(|(kind, count)| (format!("Errors: {kind}"), *count)));
    html! {
        p.small.soft { "Of the whole run, warm-up included. What isn't listed is 0." }
        table {
            tbody {
                @for (name, count) in &rows {
                    tr { th scope="row" { (name) } (number(&grouped(*count as f64))) }
                }
            }
        }
    }
}

fn surroundings(results: &Results) -> Markup {
    let durations = &results.durations;
    let behind = match results.end {
        End::Foreign => "",
        End::Sink => ", with the sink of the generator behind it",
        End::Echo => ", with the echo of the generator behind it",
    };
    let mut rows = vec![
        ("Target", format!("{}{behind}", results.target)),
        (
            "Time",
            format!(
                "{:.1} s connecting, {:.1} s warm-up, {:.1} s measured, {:.1} s draining; seed {}",
                durations.connecting_s,
                durations.warm_up_s,
                durations.measured_s,
                durations.drain_s,
                results.seed
            ),
        ),
        ("Generator", generator(results)),
    ];
    if let Some(process) = &results.process {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let each = process
            .cpu_us_per_message
            .map_or_else(String::new, |us| format!(", {us:.2} µs of CPU per message"));
        let connection = process.bytes_per_connection.map_or_else(String::new, |bytes| {
            format!(", {:.1} KiB per connection", bytes / 1024.0)
        });
        rows.push((
            "Target's process",
            format!(
                "{}, {:.2} cores{each}, memory {:.1} MiB before, {:.1} MiB connected, {:.1} MiB at most{connection}",
                process.command,
                process.cores,
                mebibytes(process.resident_before_bytes),
                mebibytes(process.resident_connected_bytes),
                mebibytes(process.resident_max_bytes)
            ),
        ));
    }
    if let Some(found) = &results.machine {
        rows.extend(machine(found));
    }
    facts(&rows)
}

fn generator(results: &Results) -> String {
    let generator = &results.generator;
    let cores = match &generator.cores[..] {
        [] => "not pinned".to_owned(),
        cores => {
            format!("on core {}", cores.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
        }
    };
    let each = generator
        .cpu_us_per_message
        .map_or_else(String::new, |us| format!(", {us:.2} µs of its CPU per message"));
    let threads = if generator.threads == 1 { "thread" } else { "threads" };
    format!("{} sending {threads}, {cores}{each}", generator.threads)
}

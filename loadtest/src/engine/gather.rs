//! Puts together what the threads found out: the series of seconds, the sums, the latencies, the checks.

use std::collections::BTreeMap;

use super::clock::SECOND;
use super::conduct::Timeline;
use super::measure::{Interval, Totals};
use super::names::without_secrets;
use super::plan::Plan;
use super::shard::Outcome;
use super::verdict::{Evidence, checks};
use crate::check::{Books, Seen};
use crate::process::Watched;
use crate::results::{
    Check, Counts, Durations, FORMAT, Generator, Histogram, Latencies, Latency, LatencyKind,
    Results, Second, microseconds, new_histogram,
};
use crate::scenario::text;
use crate::sink::Received;

/// A generator that is later than this at its 99th percentile says so.
const LATE_US: f64 = 1000.0;

/// The seconds of a run while they come in from the threads.
#[derive(Debug)]
pub(super) struct Series {
    length_ns: u64,
    seconds: BTreeMap<u64, (Second, Histogram)>,
    errors: u64,
}

impl Series {
    /// For a load of this length.
    pub(super) fn new(length_ns: u64) -> Self {
        Self { length_ns, seconds: BTreeMap::new(), errors: 0 }
    }

    /// Adds a thread's interval to its second.
    pub(super) fn add(&mut self, interval: Interval) {
        let counts = interval.counts;
        self.errors += counts.errors;
        let entry = self.seconds.entry(counts.second);
        let (second, latency) = entry.or_insert_with(|| {
            (Second { second: counts.second, ..Second::default() }, new_histogram())
        });
        second.intended += counts.intended;
        second.sent += counts.sent;
        second.acknowledged += counts.acknowledged;
        second.received += counts.received;
        second.errors += counts.errors;
        second.connected += counts.connected;
        if let Some(arrived) = counts.arrived {
            *second.arrived.get_or_insert(0) += arrived;
        }
        latency.add(&interval.latency).expect("all histograms have the same bounds");
    }

    /// The last second that every thread has probably reported, when `now` is running.
    pub(super) fn last_complete(&self, now: u64) -> Option<Second> {
        let (second, latency) = self.seconds.range(..now).next_back()?.1;
        Some(with_percentiles(second, latency, LatencyKind::Acknowledged))
    }

    /// Errors so far.
    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    fn finish(self, kind: LatencyKind) -> Vec<Second> {
        let last = self.length_ns.div_ceil(SECOND);
        self.seconds
            .range(..last)
            .map(|(_, (second, latency))| with_percentiles(second, latency, kind))
            .collect()
    }
}

fn with_percentiles(second: &Second, latency: &Histogram, kind: LatencyKind) -> Second {
    let mut second = second.clone();
    if !latency.is_empty() {
        let at = |quantile: f64| Some(microseconds(latency.value_at_quantile(quantile)));
        second.of = Some(kind);
        (second.p50_us, second.p99_us, second.p999_us) = (at(0.5), at(0.99), at(0.999));
    }
    second
}

/// What the threads brought back.
pub(super) struct Gathered {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) end: Option<Received>,
    pub(super) series: Series,
    pub(super) watched: Option<Watched>,
    pub(super) timeline: Timeline,
    pub(super) cores: Vec<usize>,
}

/// The results.
pub(super) fn gather(plan: &Plan, gathered: Gathered) -> Results {
    let Gathered { outcomes, end, series, watched, timeline, cores } = gathered;
    let mut sum = Sum::default();
    let threads = outcomes.len();
    outcomes.into_iter().for_each(|outcome| sum.add(outcome));
    sum.counts.devices = plan.devices.len() as u64;
    if let Some(end) = &end {
        sum.add_end(end);
    }
    let checks = checks_of(plan, &sum, end.as_ref(), timeline.never_connected);
    let durations = durations(plan, &timeline);
    let end_totals = end.as_ref().and_then(|end| end.totals.as_deref());
    let messages = sum.counts.measured_sent + sum.counts.measured_received;
    let generator = generator(threads, cores, &sum.histograms, end_totals, messages);
    let devices = sum.counts.devices;
    let process =
        watched.and_then(|watched| watched.finish(durations.measured_s, messages, devices));
    let remarks = remarks(plan, &sum, &generator, &durations, end.as_ref());
    Results {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_unix_ms: plan.clock.unix_ms(0),
        command: None,
        machine: None,
        name: plan.scenario.name.clone(),
        scenario: text(&without_secrets(&plan.scenario)),
        seed: plan.seed,
        target: plan.target.to_string(),
        end: plan.end,
        durations,
        latencies: latencies(&sum.histograms, end_totals),
        counts: sum.counts,
        errors: sum.errors,
        checks,
        seconds: series.finish(plan.primary),
        generator,
        process,
        remarks,
    }
}

fn checks_of(plan: &Plan, sum: &Sum, end: Option<&Received>, never_connected: u64) -> Vec<Check> {
    let mut books = vec![Books::default(); plan.devices.len()];
    for (number, own) in &sum.books {
        books[*number as usize] = own.clone();
    }
    let counts = &sum.counts;
    let unexpected = sum.errors.get("unexpected_acknowledgement");
    checks(&Evidence {
        plan,
        counts,
        books: &books,
        commands: sum.commands.as_ref(),
        end,
        echoes: &sum.echoes,
        received_commands: &sum.received_commands,
        never_connected,
        unexpected_acknowledgements: unexpected.copied().unwrap_or(0),
        cut: sum.ended_early > 0,
    })
}

fn latencies(sums: &Histograms, end: Option<&Totals>) -> Latencies {
    Latencies {
        acknowledged: Latency::of(&sums.acknowledged),
        arrival: end.and_then(|totals| Latency::of(&totals.arrival)),
        round_trip: Latency::of(&sums.round_trip),
        command: Latency::of(&sums.command),
        connect: Latency::of(&sums.connect),
    }
}

fn durations(plan: &Plan, timeline: &Timeline) -> Durations {
    let seconds = |from: u64, until: u64| until.saturating_sub(from) as f64 / SECOND as f64;
    let warm_up_s = plan.scenario.load.warm_up.as_secs_f64();
    let load_s = seconds(timeline.start, timeline.stop);
    Durations {
        connecting_s: seconds(timeline.first_connect, timeline.start),
        warm_up_s: warm_up_s.min(load_s),
        measured_s: (load_s - warm_up_s).max(0.0),
        drain_s: seconds(timeline.stop, timeline.drained),
        interrupted: timeline.interrupted,
    }
}

fn generator(
    threads: usize,
    cores: Vec<usize>,
    sums: &Histograms,
    end: Option<&Totals>,
    messages: u64,
) -> Generator {
    let spin_us = microseconds(sums.spin_ns);
    let cpu_us = microseconds(sums.cpu_ns.saturating_sub(sums.spin_ns));
    Generator {
        threads,
        cores,
        cpu_us,
        spin_us,
        cpu_us_per_message: (messages > 0).then(|| cpu_us / messages as f64),
        end_cpu_us: end.map(|totals| microseconds(totals.cpu_ns)),
        lateness: Latency::of(&sums.lateness),
    }
}

/// What is to be known before the figures are believed.
fn remarks(
    plan: &Plan,
    sum: &Sum,
    generator: &Generator,
    durations: &Durations,
    end: Option<&Received>,
) -> Vec<String> {
    let mut remarks = Vec::new();
    if durations.interrupted {
        remarks
            .push(format!("the run was interrupted: {:.1} s were measured", durations.measured_s));
    }
    if let Some(late) = generator.lateness.as_ref().filter(|late| late.p99_us > LATE_US) {
        remarks.push(format!(
            "the generator was late by {:.1} ms at its 99th percentile, {:.1} ms at most: latencies contain it; use --threads, free \
             its core, or lower the rate",
            late.p99_us / 1000.0,
            late.max_us / 1000.0
        ));
    }
    if sum.counts.publish_unsent > 0 {
        remarks.push(format!(
            "{} messages that the schedule asked for were never sent: connections were missing, or the target took no more",
            sum.counts.publish_unsent
        ));
    }
    if plan.scenario.connections.slow_readers > 0 {
        remarks.push(
            "latencies and what comes down are those of the devices that read at once".to_owned(),
        );
    }
    let strangers = sum.echoes.wrong.strangers + end.map_or(0, |end| end.seen.wrong.strangers);
    if strangers > 0 {
        remarks.push(format!("{strangers} messages of other runs came, and were left out"));
    }
    remarks
}

/// Sums over the sending threads.
#[derive(Default)]
struct Sum {
    counts: Counts,
    errors: BTreeMap<String, u64>,
    histograms: Histograms,
    ended_early: u64,
    books: Vec<(u32, Books)>,
    commands: Option<Books>,
    echoes: Seen,
    received_commands: Seen,
}

struct Histograms {
    acknowledged: Histogram,
    round_trip: Histogram,
    command: Histogram,
    connect: Histogram,
    lateness: Histogram,
    cpu_ns: u64,
    spin_ns: u64,
}

impl Default for Histograms {
    fn default() -> Self {
        Self {
            acknowledged: new_histogram(),
            round_trip: new_histogram(),
            command: new_histogram(),
            connect: new_histogram(),
            lateness: new_histogram(),
            cpu_ns: 0,
            spin_ns: 0,
        }
    }
}

impl Sum {
    fn add_end(&mut self, end: &Received) {
        let counts = &mut self.counts;
        counts.publish_arrived = Some(end.arrived);
        counts.publish_rewritten = Some(end.rewritten);
        counts.measured_arrived = Some(end.measured);
        for (kind, count) in &end.errors {
            *self.errors.entry(format!("end_{kind}")).or_default() += count;
        }
    }

    fn add(&mut self, outcome: Outcome) {
        let Outcome { totals, books, commands, echoes, received_commands } = outcome;
        add_counts(&mut self.counts, &totals.counts);
        for (kind, count) in totals.errors {
            *self.errors.entry(kind.to_owned()).or_default() += count;
        }
        let sums = &mut self.histograms;
        for (sum, own) in [
            (&mut sums.acknowledged, &totals.acknowledged),
            (&mut sums.round_trip, &totals.round_trip),
            (&mut sums.command, &totals.command),
            (&mut sums.connect, &totals.connect),
            (&mut sums.lateness, &totals.lateness),
        ] {
            sum.add(own).expect("all histograms have the same bounds");
        }
        self.ended_early += totals.ended_early;
        sums.cpu_ns += totals.cpu_ns;
        sums.spin_ns += totals.spin_ns;
        self.books.extend(books);
        self.commands = self.commands.take().or(commands);
        self.echoes.merge(echoes);
        self.received_commands.merge(received_commands);
    }
}

/// What the sending threads count; the rest is the end's.
fn add_counts(sum: &mut Counts, own: &Counts) {
    sum.connects += own.connects;
    sum.accepted += own.accepted;
    sum.refused += own.refused;
    sum.disconnects_wanted += own.disconnects_wanted;
    sum.disconnects_unwanted += own.disconnects_unwanted;
    sum.publish_sent += own.publish_sent;
    sum.publish_acknowledged += own.publish_acknowledged;
    sum.publish_rejected += own.publish_rejected;
    sum.publish_received += own.publish_received;
    sum.commands_sent += own.commands_sent;
    sum.publish_unsent += own.publish_unsent;
    sum.publish_unanswered += own.publish_unanswered;
    sum.publish_cut_off += own.publish_cut_off;
    sum.subscribe_sent += own.subscribe_sent;
    sum.subscribe_granted += own.subscribe_granted;
    sum.subscribe_refused += own.subscribe_refused;
    sum.measured_sent += own.measured_sent;
    sum.measured_acknowledged += own.measured_acknowledged;
    sum.measured_received += own.measured_received;
}

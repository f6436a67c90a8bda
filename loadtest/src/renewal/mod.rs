//! `renewal`: certificates are replaced while devices send, and nobody notices but who comes anew.
//!
//! ```text
//! sessions over TLS and QUIC ──▶ proxy ──▶ sink
//! server.pem, server.key replaced, SIGHUP ──▲ ◀── a new connection after each: which certificate is it shown?
//! ```
//!
//! Each second replacement is no good, and has to be left alone. Invariant: a message counts as lost unless the sink has counted it.

mod course;
mod replace;
mod session;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::limits;
use crate::results::{Latency, duration};
use crate::run::NOT_STARTED;
use crate::scenario::time_above_zero as time;

/// Files of this process: both ends of the sink's, and each session's.
const FILES_PER_SESSION: u64 = 2;
const OTHER_FILES: u64 = 64;
/// The number of the JSON's form; it grows when a field changes its meaning or goes away.
const RENEWAL_FORMAT: u32 = 1;

/// The options of `renewal`. The proxy is INTERLINGUA_BIN, or `interlingua` beside this program.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "The proxy is the program that INTERLINGUA_BIN names, or `interlingua` beside this one. The exit code is 1 if a \
    session ended, a message was lost, or a new connection was shown another certificate than the last good one."
)]
pub(crate) struct Options {
    /// Sessions; every second one is over QUIC, the others over TLS
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=5000))]
    sessions: u32,
    /// How long each of them waits from one message to the next, or for the answer if that takes longer
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pause: Duration,
    /// How often the files are replaced; every second time by what is no good
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    replacements: u32,
    /// From one replacement to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    every: Duration,
    /// Write everything as JSON; `-` is standard output, without the table
    #[arg(long, value_name = "FILE|-")]
    json: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    renewal_format: u32,
    version: String,
    /// Sessions that were there when the first certificate was replaced.
    sessions: u32,
    /// Why sessions ended before they were told to; none did if it is empty.
    ended: Vec<String>,
    sent: u64,
    acknowledged: u64,
    /// What the sink has counted.
    arrived: u64,
    replaced_by_good: u32,
    replaced_by_bad: u32,
    /// New connections after replacements, which have to be shown the last good certificate and to be let in.
    probes: u32,
    /// What was wrong with them.
    faults: Vec<String>,
    /// From SIGHUP until the proxy has said what came of it, the longest.
    taken_over_max_ms: u64,
    /// From a message to its PUBACK, over the whole time.
    latency: Option<Latency>,
}

impl Report {
    fn holds(&self) -> bool {
        let whole = self.sent == self.acknowledged && self.sent == self.arrived;
        whole && self.ended.is_empty() && self.faults.is_empty()
    }
}

/// Replaces certificates under load, prints, and says by its exit code what came of it.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Err(error) = possible(options) {
        eprintln!("{error:#}");
        return Ok(ExitCode::from(NOT_STARTED));
    }
    let report = course::conduct(options)?;
    let json = || serde_json::to_string_pretty(&report);
    match options.json.as_deref() {
        Some("-") => println!("{}", json()?),
        Some(path) => {
            fs::write(path, json()? + "\n").with_context(|| format!("--json {path}"))?;
            print!("{}", table(&report));
        }
        None => print!("{}", table(&report)),
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What can be refused before something is started.
fn possible(options: &Options) -> anyhow::Result<()> {
    let allowed = limits::raise_open_files()?;
    let needed = u64::from(options.sessions) * FILES_PER_SESSION + OTHER_FILES;
    if needed > allowed {
        bail!(
            "{} sessions need {needed} open files, and this process may have {allowed}; raise the hard limit (`ulimit -Hn {needed}` as \
             root), or use fewer",
            options.sessions
        );
    }
    Ok(())
}

fn table(report: &Report) -> String {
    let mut rows = vec![
        (
            "sessions",
            format!("{} over TLS and QUIC, {} ended early", report.sessions, report.ended.len()),
        ),
        (
            "messages",
            format!(
                "{} sent, {} acknowledged, {} arrived",
                report.sent, report.acknowledged, report.arrived
            ),
        ),
        (
            "certificates",
            format!(
                "replaced {} times by good ones and {} times by bad ones, taken over or refused within {} ms",
                report.replaced_by_good, report.replaced_by_bad, report.taken_over_max_ms
            ),
        ),
        ("new ones", format!("{} connections, {} faults", report.probes, report.faults.len())),
    ];
    if let Some(latency) = &report.latency {
        let [p50, p99, max] = [latency.p50_us, latency.p99_us, latency.max_us].map(duration);
        rows.push(("latency", format!("p50 {p50}, p99 {p99}, max {max}")));
    }
    rows.extend(report.ended.iter().take(10).map(|text| ("ended", text.clone())));
    rows.extend(report.faults.iter().take(10).map(|text| ("fault", text.clone())));
    rows.push(("", if report.holds() { "holds" } else { "does not hold" }.to_owned()));
    rows.iter().map(|(name, text)| format!("{name:14}{text}\n")).collect()
}

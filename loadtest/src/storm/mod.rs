//! `storm`: what honest devices have of attacks on the proxy beside them.
//!
//! ```text
//! honest devices (engine, 127.0.1.x) ──▶ proxy ──▶ sink        one process measures, devices and sink
//! attackers (127.0.0.2) ────────────────▶   ╰────▶ broker      two others, to which the system prefers all others
//! ```
//!
//! Calm and storm alternate, with the same load, on the same proxy: what changes slowly on a machine falls on both. Invariant:
//! latency is measured from the intended time, so what a storm holds up shows.

mod attack;
pub(crate) mod attacker;
pub(crate) mod broker;
mod henchman;
mod kind;
mod moment;
mod newcomers;
mod report;
mod rounds;
mod table;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::limits;
use crate::run::NOT_STARTED;
use crate::scenario::time_above_zero as time;
use henchman::Priority;
use kind::Kind;

/// Files of a process beside its connections.
const OTHER_FILES: u64 = 64;

/// The options of `storm`. The proxy is INTERLINGUA_BIN, or `interlingua` beside this program.
#[derive(Debug, Clone, Args)]
#[command(
    args_override_self = true,
    after_help = "The proxy is the program that INTERLINGUA_BIN names, or `interlingua` beside this one. The exit code is 1 if a \
    message was lost, an honest connection ended, or a p99 grew by more than --ratio-max."
)]
pub(crate) struct Options {
    /// Which storms; by default all but connects-unlimited
    #[arg(value_name = "KIND", value_enum)]
    kinds: Vec<Kind>,
    /// How often calm and storm alternate
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// What is measured of each calm and each storm
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    duration: Duration,
    /// What isn't, before it: the time for a storm to grow
    #[arg(long, value_name = "TIME", default_value = "7s", value_parser = time)]
    settle: Duration,
    /// Honest devices
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    devices: u32,
    /// Their messages per second, all together
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Slow connections at once
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    slow: u32,
    /// Connections or datagrams with garbage per second
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    garbage: u32,
    /// What the attackers get of the cores that they share with the honest devices
    #[arg(long, value_enum, default_value = "idle")]
    priority: Priority,
    /// The p99 in a storm may be so many times that of the calm before it, as a median over rounds
    #[arg(long, value_name = "RATIO", default_value_t = 2.0)]
    ratio_max: f64,
    /// Where all that is random comes from, what TLS draws left out [default: chosen, and said]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write everything as JSON; `-` is standard output, without the table
    #[arg(long, value_name = "FILE|-")]
    json: Option<String>,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

/// Makes storms, prints, and says by its exit code what came of it.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Err(error) = possible(options) {
        eprintln!("{error:#}");
        return Ok(ExitCode::from(NOT_STARTED));
    }
    let report = rounds::conduct(options)?;
    let json = || serde_json::to_string_pretty(&report);
    match options.json.as_deref() {
        Some("-") => println!("{}", json()?),
        Some(path) => {
            fs::write(path, json()? + "\n").with_context(|| format!("--json {path}"))?;
            print!("{}", table::table(&report));
        }
        None => print!("{}", table::table(&report)),
    }
    let holds = report.storms.iter().all(|storm| storm.holds);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What can be refused before something is started.
fn possible(options: &Options) -> anyhow::Result<()> {
    let allowed = limits::raise_open_files()?;
    let kinds = options.kinds();
    let attackers = kinds.iter().map(|kind| kind.extent(options).0).max().unwrap_or(0);
    // The proxy's: an honest device has two connections, and so may an attacker.
    let needed = (u64::from(options.devices) + u64::from(attackers)) * 2 + OTHER_FILES;
    if needed > allowed {
        bail!(
            "{} devices and {attackers} attackers need {needed} open files, and this process may have {allowed}; raise the hard limit \
             (`ulimit -Hn {needed}` as root), or use fewer",
            options.devices
        );
    }
    if let Some(path) = options.json.as_deref().filter(|path| *path != "-") {
        fs::File::create(path).with_context(|| format!("writing {path}"))?;
    }
    Ok(())
}

impl Options {
    fn kinds(&self) -> Vec<Kind> {
        match self.kinds.is_empty() {
            true => {
                let all = Kind::value_variants().iter().copied();
                all.filter(|kind| *kind != Kind::ConnectsUnlimited).collect()
            }
            false => self.kinds.clone(),
        }
    }
}

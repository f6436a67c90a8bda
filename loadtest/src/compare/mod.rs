//! `compare`: two targets side by side, in alternating rounds, with their CPU time, memory and latency, and the ratios.
//!
//! ```text
//! options ──▶ spec (what the targets are), cores (who runs where)
//!                │
//!             rounds ──▶ target (starts it) ──▶ engine (a run) ──▶ figures ──▶ results::Comparison ──▶ table, JSON, page
//! ```
//!
//! Invariant: both targets of a round get the same scenario with the same seed, on the same cores, from the same generator.

pub(crate) mod cores;
mod figures;
mod remarks;
mod rounds;
mod spec;
mod table;
mod target;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::report;
use crate::results::{Comparison, End};
use crate::run::NOT_STARTED;
use crate::scenario::{self, Flags, Pacing};

use cores::Wanted;
pub(crate) use figures::latency;
pub(crate) use rounds::again;
use rounds::{Bout, Without};
use spec::Spec;
pub(crate) use table::table;
pub(crate) use target::end;

/// The options of `compare`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// A and B: HOST:PORT of something that runs, haproxy, interlingua=ARGUMENTS, 'command=PROGRAM {listen} {upstream}', direct
    #[arg(value_name = "TARGET", num_args = 0..=2)]
    targets: Vec<String>,
    /// A, if it isn't the first of the targets
    #[arg(long, value_name = "TARGET")]
    a: Option<String>,
    /// B, likewise
    #[arg(long, value_name = "TARGET")]
    b: Option<String>,
    /// A is what this starts; {listen} and {upstream} in it become HOST:PORT
    #[arg(long, value_name = "COMMAND", conflicts_with = "a")]
    a_command: Option<String>,
    /// B is what this starts
    #[arg(long, value_name = "COMMAND", conflicts_with = "b")]
    b_command: Option<String>,
    /// The process of A, if it runs already
    #[arg(long, value_name = "PID")]
    a_pid: Option<i32>,
    /// The process of B
    #[arg(long, value_name = "PID")]
    b_pid: Option<i32>,
    /// How often both are measured
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Measure a round again in which something else had a target's core for more than PERCENT of the time; at most as often again
    /// as there are rounds
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    undisturbed: Option<u8>,
    /// How long the sink itself is measured in each round, to know what a target adds; `off`, or by default a third of the load
    #[arg(long, value_name = "TIME|off")]
    direct: Option<String>,
    /// A scenario: a file, or the name of one that is built in (see `scenarios`)
    #[arg(long, value_name = "FILE|NAME", default_value = "side-by-side")]
    scenario: String,
    /// Where the sink behind the targets listens; what runs already has to know it
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0", conflicts_with = "echo")]
    sink: Option<String>,
    /// An echo instead of the sink
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    echo: Option<String>,
    /// Threads that send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Keep the targets on these cores; one that is free by default
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    target_cores: Vec<usize>,
    /// Keep the sending threads on these cores; others than the targets' by default
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    cores: Vec<usize>,
    /// Keep the sink or echo on this core
    #[arg(long, value_name = "N")]
    end_core: Option<usize>,
    /// Write everything as JSON; `-` is standard output, without the table
    #[arg(long, value_name = "FILE|-")]
    json: Option<String>,
    /// Write a page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<String>,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    flags: Flags,
}

/// Compares, prints, and says by its exit code what came of it.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let bout = match prepare(options) {
        Ok(bout) => bout,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(NOT_STARTED));
        }
    };
    let comparison = rounds::conduct(&bout)?;
    print(&comparison, options)?;
    let failed = comparison.runs().any(|results| results.failed());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Everything that can be refused before something is started.
fn prepare(options: &Options) -> anyhow::Result<Bout> {
    let mut scenario = scenario::load(Some(&options.scenario), &options.flags)?;
    let (a, b) = specs(options)?;
    let (end, address) = match (&options.sink, &options.echo) {
        (_, Some(address)) => (End::Echo, address.as_str()),
        (sink, None) => (End::Sink, sink.as_deref().unwrap_or("127.0.0.1:0")),
    };
    let seed = scenario.seed.unwrap_or_else(|| fastrand::u64(..1 << 53));
    scenario.seed = Some(seed);
    let wanted = Wanted {
        target: options.target_cores.clone(),
        generator: options.cores.clone(),
        end: options.end_core,
    };
    let (pinning, core_remark) = cores::choose(&wanted)?;
    for path in [&options.html, &options.json].into_iter().flatten().filter(|path| *path != "-") {
        fs::File::create(path).with_context(|| format!("writing {path}"))?;
    }
    Ok(Bout {
        a,
        b,
        rounds: usize::from(options.rounds),
        waited_at_most: options.undisturbed.map(|percent| f64::from(percent) / 100.0),
        without: without(options, &scenario.load)?,
        end,
        end_is_named: options.sink.is_some() || options.echo.is_some(),
        end_address: crate::engine::plan::resolve(address)?,
        scenario,
        seed,
        threads: usize::from(options.threads),
        pinning,
        core_remark,
        shows: if options.quiet { rounds::Shows::Nothing } else { rounds::Shows::Progress },
    })
}

/// What no flag names comes from the arguments, in their order.
fn specs(options: &Options) -> anyhow::Result<(Spec, Spec)> {
    let mut rest = options.targets.iter();
    let mut spec = |side: &str, flag: &Option<String>, command: &Option<String>, pid| {
        let text = match (flag, command) {
            (Some(text), _) => text.clone(),
            (None, Some(command)) => format!("command={command}"),
            (None, None) => rest.next().cloned().with_context(|| {
                format!(
                    "{side} is missing; write `compare A B`, such as `compare haproxy interlingua`"
                )
            })?,
        };
        Spec::parse(&text, pid).with_context(|| side.to_owned())
    };
    let a = spec("A", &options.a, &options.a_command, options.a_pid)?;
    let b = spec("B", &options.b, &options.b_command, options.b_pid)?;
    if let Some(more) = rest.next() {
        bail!("`{more}` is one target too many: flags name A or B already");
    }
    Ok((a, b))
}

/// Whether and for how long the sink itself is measured.
fn without(options: &Options, load: &scenario::Load) -> anyhow::Result<Without> {
    let third = (load.duration / 3).max(Duration::from_secs(1));
    match options.direct.as_deref() {
        Some("off") => Ok(Without::Off),
        Some(text) => match scenario::time(text) {
            Some(time) if !time.is_zero() => Ok(Without::For(time)),
            _ => bail!("--direct {text}: write a time such as `3s`, or `off`"),
        },
        None if load.pacing == Pacing::Full => Ok(Without::Off),
        None => Ok(Without::For(third)),
    }
}

fn print(comparison: &Comparison, options: &Options) -> anyhow::Result<()> {
    if let Some(path) = &options.html {
        fs::write(path, report::comparison(comparison)?)
            .with_context(|| format!("--html {path}"))?;
    }
    let json = || serde_json::to_string_pretty(comparison);
    match options.json.as_deref() {
        Some("-") => println!("{}", json()?),
        Some(path) => {
            fs::write(path, json()? + "\n").with_context(|| format!("--json {path}"))?;
            print!("{}", table(comparison));
        }
        None => print!("{}", table(comparison)),
    }
    Ok(())
}

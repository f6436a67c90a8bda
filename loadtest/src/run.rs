//! `run`: a scenario against a target, its table, and its JSON.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use clap::Args;
use mio::net::TcpListener;

use crate::engine::clock::Clock;
use crate::engine::plan::{Plan, resolve};
use crate::engine::{Setup, conduct};
use crate::progress::Progress;
use crate::report;
use crate::results::{End, Machine, Results, table};
use crate::scenario::{self, Flags};
use crate::{command_line, limits, sink};

/// The end of a run that never started.
pub(crate) const NOT_STARTED: u8 = 2;

/// The options of `run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where the devices connect: HOST:PORT or mqtt://HOST:PORT; without it the sink or echo of this process
    target: Option<String>,
    /// A scenario: a file, or the name of one that is built in (see `scenarios`)
    #[arg(long, value_name = "FILE|NAME")]
    scenario: Option<String>,
    /// Listen here as an upstream that counts, checks and acknowledges; without an address on a free port
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0", conflicts_with = "echo")]
    sink: Option<String>,
    /// The same, and send each message back as a command
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    echo: Option<String>,
    /// Threads that send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Keep the sending threads on these cores
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    cores: Vec<usize>,
    /// Keep the sink or echo on this core
    #[arg(long, value_name = "N")]
    end_core: Option<usize>,
    /// Also say what this process needs: the target's
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
    /// Write the results as JSON; `-` is standard output, without the table
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

/// Runs, prints, and says by its exit code what came of it.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let (plan, setup) = match prepare(options) {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(NOT_STARTED));
        }
    };
    let machine = Machine::here();
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second one ends the process at once.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut progress = if options.quiet { Progress::Silent } else { Progress::new() };
    let outcome = conduct(plan, setup, &stop, &mut |live| progress.show(live));
    progress.finish();
    let mut results = outcome?;
    results.command = Some(command_line::own());
    results.machine = Some(machine);
    print(&results, options)?;
    Ok(if results.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Everything that can be refused before the first connection.
fn prepare(options: &Options) -> anyhow::Result<(Plan, Setup)> {
    let scenario = scenario::load(options.scenario.as_deref(), &options.flags)?;
    let (end, listener) = listen(options)?;
    let target = match (&options.target, &listener) {
        (Some(target), _) => resolve(target)?,
        (None, Some(listener)) => listener.local_addr()?,
        (None, None) => {
            bail!("there is no target; write HOST:PORT, or --sink to try the generator alone")
        }
    };
    // A plan takes memory itself, so it comes after the limits.
    let sources = limits::check(&scenario, target, end)?;
    let plan = Plan::new(scenario, target, end, sources, Clock::start())?;
    // Better now than after the run.
    for path in [&options.json, &options.html].into_iter().flatten().filter(|path| *path != "-") {
        fs::File::create(path).with_context(|| format!("writing {path}"))?;
    }
    let setup = Setup {
        listener,
        threads: usize::from(options.threads),
        cores: options.cores.clone(),
        end_core: options.end_core,
        pid: options.pid,
    };
    Ok((plan, setup))
}

/// The sink or echo of this process; its address is said at once, for whoever starts a proxy in front of it.
fn listen(options: &Options) -> anyhow::Result<(End, Option<TcpListener>)> {
    let (end, name, address) = match (&options.sink, &options.echo) {
        (Some(address), _) => (End::Sink, "sink", address),
        (None, Some(address)) => (End::Echo, "echo", address),
        (None, None) => return Ok((End::Foreign, None)),
    };
    let address = resolve(address)?;
    let listener =
        sink::listen(address).with_context(|| format!("--{name}: listening on {address}"))?;
    eprintln!("{name} listening on {}", listener.local_addr()?);
    Ok((end, Some(listener)))
}

fn print(results: &Results, options: &Options) -> anyhow::Result<()> {
    if let Some(path) = &options.html {
        fs::write(path, report::single_run(results)?).with_context(|| format!("--html {path}"))?;
    }
    let json = || serde_json::to_string_pretty(results);
    match options.json.as_deref() {
        Some("-") => println!("{}", json()?),
        Some(path) => {
            fs::write(path, json()? + "\n").with_context(|| format!("--json {path}"))?;
            print!("{}", table(results));
        }
        None => print!("{}", table(results)),
    }
    Ok(())
}

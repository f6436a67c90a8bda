//! `interlingua-loadtest`: devices that put a proxy or a broker under load.
//!
//! `run` measures, `compare` measures two targets side by side, `report` makes a page of it, `sink` and `echo` stand behind
//! what is measured, `soak` proves that nothing is lost, doubled or out of order while connections are cut and the proxy is
//! killed, `renewal` that nobody notices when the proxy's certificates are replaced; `storm` attacks the proxy and measures what
//! honest devices have of it.

mod caller;
mod check;
mod command_line;
mod compare;
mod engine;
mod limits;
mod platform;
mod process;
mod programs;
mod progress;
mod renewal;
mod report;
mod results;
mod run;
mod scenario;
mod sink;
mod soak;
mod stage;
mod storm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Put an MQTT proxy or broker under load.
#[derive(Debug, Parser)]
#[command(name = "interlingua-loadtest", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put a target under the load of a scenario, measure and check
    Run(Box<run::Options>),
    /// Measure two targets side by side, in alternating rounds
    Compare(Box<compare::Options>),
    /// Make a page with plots from saved JSON
    Report(report::Options),
    /// List the scenarios that are built in, or print one
    Scenarios(scenario::Options),
    /// An upstream that counts, checks and acknowledges, much cheaper than a broker
    Sink(sink::Options),
    /// A sink that sends each message back as a command
    Echo(sink::Options),
    /// Stand in for an IoT platform that enforces its documented rules
    Platform(platform::Options),
    /// Cut connections and kill the proxy while devices publish, and prove that nothing is lost, doubled or out of order
    Soak(soak::Options),
    /// Attack the proxy, and measure what honest devices have of it
    Storm(storm::Options),
    /// Replace the proxy's certificates while devices send, and prove that nobody notices but who comes anew
    Renewal(renewal::Options),
    /// What `storm` starts to attack with
    #[command(hide = true)]
    Attacker(storm::attacker::Options),
    /// What `storm` starts to be flooded
    #[command(hide = true)]
    Flooded,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Report(options) => report::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Scenarios(options) => scenario::show(&options).map(|()| ExitCode::SUCCESS),
        Command::Sink(options) => sink::run_sink(&options).map(|()| ExitCode::SUCCESS),
        Command::Echo(options) => sink::run_echo(&options).map(|()| ExitCode::SUCCESS),
        Command::Platform(options) => platform::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Soak(options) => soak::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Storm(options) => storm::run(&options),
        Command::Renewal(options) => renewal::run(&options),
        Command::Attacker(options) => storm::attacker::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Flooded => storm::broker::run().map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! `interlingua-loadtest`: devices that put a proxy or a broker under load.
//!
//! `publish` says whether it holds, `soak` whether anything is lost, doubled or out of order.

mod device;
mod engine;
mod publish;
mod results;
mod scenario;
mod soak;

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
    /// Publish from many devices at QoS 1 and count what is acknowledged
    Publish(publish::Options),
    /// List the scenarios that are built in, or print one
    Scenarios(scenario::Options),
    /// Cut connections and kill the proxy while devices publish, and prove that nothing is lost, doubled or out of order
    Soak(soak::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Publish(options) => publish::run(&options),
        Command::Scenarios(options) => scenario::show(&options),
        Command::Soak(options) => soak::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! The command line. Output for people; `--json` where a program may read it. Errors go to standard error
//! with exit code 1, mistakes in the command line itself with 2.

mod arguments;
mod check;
mod dialects;
mod explain;
mod explain_json;
mod files;
mod password;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::document::Fault;
use crate::server::StartError;

/// An MQTT proxy that translates between the conventions of IoT platforms, live and in both directions.
#[derive(Debug, Parser)]
#[command(name = "interlingua", version, max_term_width = 100)]
#[command(after_help = "Start with `interlingua demo`, then `interlingua serve --help`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy, from a configuration file or from these options alone
    Serve(serve::Serve),
    /// Check a configuration file: all errors with their lines, exit code 1 if there are any
    Check(check::Check),
    /// Show step by step what becomes of a message or a subscription
    Explain(explain::Explain),
    /// Run an embedded broker, the proxy and a simulated device of each dialect
    #[cfg(feature = "demo")]
    Demo(crate::demo::Demo),
    /// Read a password and print the line of its user for the file of `[listener.access] passwords`
    Password(password::PasswordLine),
    /// List the built-in dialects, or print one's table
    Dialects(dialects::Dialects),
}

/// Runs what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Explain(command) => command.run(),
        #[cfg(feature = "demo")]
        Command::Demo(command) => command.run(),
        Command::Password(command) => command.run(),
        Command::Dialects(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// All faults, each on a line of its own.
fn all_faults(faults: &[Fault]) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let count = match lines.len() {
        1 => "1 error".to_owned(),
        more => format!("{more} errors"),
    };
    anyhow::anyhow!("{count}\n{}", lines.join("\n"))
}

/// Why nothing was started, each reason on a line of its own.
fn all_errors(errors: &[StartError]) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("{}", lines.join("\n"))
}

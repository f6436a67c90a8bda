//! `platform`: a stand-in of an IoT platform, to test devices and proxies against.
//!
//! It enforces what the platform's documents say and tells what it finds. It isn't the platform: there is no TLS, no
//! HTTP side, nothing is stored, and what the documents leave open is accepted.
//!
//! ```text
//! socket ⇄ connection ⇄ broker → hub → sessions of the subscribers
//!          (bytes)      (packets, asks the platform's rules)
//! ```

mod broker;
mod client;
mod connection;
mod filters;
mod finding;
mod hub;
mod ledger;
mod message;
mod orders;
mod pace;
mod rules;
mod server;
mod session;
mod settings;
mod subscribing;
mod users;

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use broker::Broker;
use ledger::{Detail, Ledger};
use orders::Repeating;
use rules::{Name, Platform};
use server::Server;
use users::Users;

/// The options of `platform`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The platform
    #[arg(value_name = "NAME")]
    name: Name,
    /// Where it listens, as HOST:PORT; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1883")]
    listen: String,
    /// A setting of the platform; loadtest/platforms.md has them all
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Devices that the platform knows, as TOML
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// A command to every device that listens for one, every so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    command_every: Option<Duration>,
    /// What such a command says; {number} counts
    #[arg(long, value_name = "TEXT", default_value = "ping {number}")]
    command_text: String,
    /// What is said on standard error while it runs
    #[arg(long, value_enum, value_name = "DETAIL", default_value_t = Detail::Violations)]
    log: Detail,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Runs a stand-in until SIGINT or SIGTERM, and prints what it counted.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let users = options.users.as_deref().map(Users::load).transpose()?.unwrap_or_default();
    let platform = Platform::new(options.name, &options.set, users)?;
    // Where it can't be raised, accepting says so when it comes to it.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let listener = TcpListener::bind(&*options.listen)
        .with_context(|| format!("listening on {}", options.listen))?;
    let address = listener.local_addr()?;
    let repeating = options
        .command_every
        .map(|every| Repeating::new(every, options.command_text.clone(), Instant::now()));
    let broker = Broker::new(platform, Ledger::new(options.log));
    let server = Server::new(listener, broker, repeating)?;
    let name = options.name.word();
    eprintln!("listening address={address} platform={name}");
    let ledger = server.run()?.ledger;
    match options.json {
        true => println!("{}", ledger.json(name)),
        false => print!("{}", ledger.text()),
    }
    Ok(())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    match duration.is_zero() {
        true => Err("0 seconds would be a command without end".to_owned()),
        false => Ok(duration),
    }
}

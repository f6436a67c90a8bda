//! `interlingua demo`: a broker, the proxy in front of it, and a device of each dialect.
//!
//! Everything is real but the devices: they connect through the proxy's listeners over TCP, and an
//! application reads along at the broker. It isn't a test of the translations and needs no
//! configuration. Invariant: what is printed as seen was seen on a socket.

pub mod broker;
mod client;
mod picture;
mod round;
mod script;
mod stay;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config, Lookup, Shards};
use crate::server::{self, Server};

use broker::Broker;
use picture::Picture;
use script::{PAIRS, Pair};

/// How long the proxy waits, at the end, for those who have joined.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// The options of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the round instead of waiting for you to join
    #[arg(long)]
    once: bool,
}

impl Demo {
    /// Plays the round, and stays until Ctrl-C.
    ///
    /// # Errors
    /// When something can't be started, or a translation doesn't show up in time.
    pub fn run(&self) -> anyhow::Result<()> {
        start_logging();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let broker = Broker::start().context("the demo's broker")?;
        let proxy = start_proxy(broker.address())?;
        let listening: Vec<SocketAddr> =
            proxy.listening.iter().map(|(_, address)| *address).collect();
        // The clients are gone when this returns, so that the proxy has nobody left to wait for.
        let outcome = runtime.block_on(self.play(broker.address(), &listening));
        proxy.stop();
        outcome
    }

    async fn play(&self, broker: SocketAddr, listening: &[SocketAddr]) -> anyhow::Result<()> {
        let mut picture = Picture::new();
        picture.line(&format!(
            "An MQTT broker at {broker}, the proxy in front of it, one listener per dialect."
        ))?;
        picture.line(
            "Left: what the device sends or hears. Right: what the broker's subscribers see.",
        )?;
        let cast = round::play(broker, listening, &mut picture).await?;
        let count: usize = PAIRS.iter().map(|pair| pair.steps.len()).sum();
        picture.line("")?;
        picture.line(&format!("{count} translations, each seen on both sides."))?;
        if self.once {
            return Ok(());
        }
        // Before the invitation: who reads it may press Ctrl-C at once.
        let interrupt = signal(SignalKind::interrupt())?;
        stay::invite(broker, listening, &picture)?;
        stay::watch(cast, &picture, interrupt).await
    }
}

/// Log lines would stand in the middle of the picture, so there are none unless they are asked for.
fn start_logging() {
    if std::env::var_os("RUST_LOG").is_some() {
        // Somebody else's subscriber is as good.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .try_init();
    }
}

/// One proxy with a listener for each pair. A configuration has one rule of identity; the pairs need
/// several, so each is configured by itself and their listeners are put together.
fn start_proxy(broker: SocketAddr) -> anyhow::Result<Server> {
    let mut listeners = Vec::new();
    let mut proxy = config::Proxy::default();
    for pair in &PAIRS {
        let configured = configure(pair, broker).with_context(|| format!("`{}`", pair.from))?;
        proxy = configured.proxy;
        for mut listener in configured.listeners {
            listener.name = pair.from.to_owned();
            listeners.push(listener);
        }
    }
    proxy.shards = Shards::Exactly(1);
    proxy.drain_timeout = DRAIN_TIMEOUT;
    let config = Config { proxy, admin: None, listeners, folder: PathBuf::new() };
    server::start(&config).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("{}", lines.join("\n"))
    })
}

fn configure(pair: &Pair, broker: SocketAddr) -> anyhow::Result<Config> {
    let mut read = |lookup: Lookup<'_>| match lookup {
        Lookup::File(_) => pair.identity_table(),
        Lookup::Environment(_) => Err("the demo reads no environment".to_owned()),
    };
    config::from_arguments(&pair.arguments(format!("mqtt://{broker}")), &mut read).map_err(
        |faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            anyhow!("{}", lines.join("\n"))
        },
    )
}

//! `serve`: run the proxy until it is told to stop.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::{self, Config, LogFormat, Proxy};
use crate::server::{self, Server};

use super::arguments::PairArguments;
use super::{all_errors, all_faults, files};

/// The options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where devices connect, as tcp://HOST:PORT, tls://HOST:PORT, quic://HOST:PORT, ws://HOST:PORT/PATH or wss://HOST:PORT/PATH; port 0
    /// is any free one
    #[arg(long, value_name = "URL", required_unless_present = "config", conflicts_with = "config")]
    listen: Option<String>,
    /// The certificate that devices are shown over TLS, with those that lead to its authority: a PEM file
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    listen_certificate: Option<String>,
    /// The certificate's key: a PEM file
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    listen_key: Option<String>,
    /// The broker behind, as mqtt://HOST:PORT, mqtts://HOST:PORT (TLS), quic://HOST:PORT, ws://HOST:PORT/PATH or wss://HOST:PORT/PATH
    #[arg(long, value_name = "URL", required_unless_present = "config", conflicts_with = "config")]
    upstream: Option<String>,
    /// Who vouches for the broker's certificate: a PEM file [default: whom the system trusts]
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    upstream_ca: Option<String>,
    /// A version of MQTT that the broker speaks, 3.1, 3.1.1 or 5 (repeat as needed) [default: what its dialect says]
    #[arg(long, value_name = "VERSION", conflicts_with = "config")]
    upstream_mqtt: Vec<String>,
    /// Where metrics and health are served, as HOST:PORT
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    admin: Option<String>,
    #[command(flatten)]
    pair: PairArguments,
}

impl Serve {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let config = self.config()?;
        start_logging(&config.proxy);
        let server = start(&config)?;
        wait_for_signal(&|| server.read_again())?;
        tracing::info!("stopping: new connections are refused, sessions are ended");
        server.stop();
        tracing::info!("stopped");
        Ok(())
    }

    fn config(&self) -> anyhow::Result<Config> {
        if let Some(path) = &self.config {
            return files::load(path);
        }
        let mut arguments = self.pair.to_arguments();
        arguments.listen = self.listen.clone().unwrap_or_default();
        arguments.upstream = self.upstream.clone().unwrap_or_default();
        arguments.upstream_mqtt.clone_from(&self.upstream_mqtt);
        arguments.admin.clone_from(&self.admin);
        arguments.listen_certificate.clone_from(&self.listen_certificate);
        arguments.listen_key.clone_from(&self.listen_key);
        arguments.upstream_ca.clone_from(&self.upstream_ca);
        config::from_arguments(&arguments, &mut |lookup| files::look_up(Path::new(""), lookup))
            .map_err(|faults| all_faults(&faults))
    }
}

/// Log lines go to standard error. `RUST_LOG` overrides the configured level.
pub(crate) fn start_logging(proxy: &Proxy) {
    let configured = || EnvFilter::new(proxy.log_level.word());
    let filter = match std::env::var("RUST_LOG") {
        Ok(given) if !given.is_empty() => EnvFilter::try_new(&given).unwrap_or_else(|error| {
            eprintln!("warning: RUST_LOG is ignored: {error}");
            configured()
        }),
        _ => configured(),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    // Somebody else's subscriber, in a test for example, is as good.
    let _ = match proxy.log {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

/// Starts the proxy and says where it listens.
pub(crate) fn start(config: &Config) -> anyhow::Result<Server> {
    let server = server::start(config).map_err(|errors| all_errors(&errors))?;
    for (listener, (name, address)) in config.listeners.iter().zip(&server.listening) {
        let upstream = &listener.upstream;
        tracing::info!(
            listener = %name, %address, from = %listener.dialect, upstream = %upstream.url, to = %upstream.dialect,
            "listening"
        );
        for route in &listener.routes {
            let upstream = &route.upstream;
            tracing::info!(
                listener = %name, certificate = %route.certificate, upstream = %upstream.url, to = %upstream.dialect,
                "route"
            );
        }
    }
    if let Some(address) = server.admin {
        tracing::info!(%address, "admin interface: /metrics, /healthz, /readyz");
    }
    Ok(server)
}

/// Waits for SIGTERM or SIGINT. A second one ends the process at once. SIGHUP calls `hung_up`.
pub(crate) fn wait_for_signal(hung_up: &dyn Fn()) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {
                    tracing::info!("SIGHUP: files of users, keys and certificates are read again; the configuration itself is read at the start only");
                    hung_up();
                }
            }
        }
        anyhow::Ok(())
    })?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let again = runtime.block_on(async {
            let (mut terminate, mut interrupt) =
                (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            io::Result::Ok(())
        });
        if again.is_ok() {
            tracing::warn!("stopped at once");
            std::process::exit(1);
        }
    })?;
    Ok(())
}

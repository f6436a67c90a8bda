//! Putting it together: bind everything, start the shards, stop them.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::admin;
use crate::config::{Config, Shards};
use crate::gate::{Gate, Keeper, Kept};
use crate::registry::Registry;
use crate::shard::{self, Balance, Post, Running, ShardLimits, Shared};
use crate::telemetry::Telemetry;
use crate::transport;
use crate::upstream::Reach;

/// A running proxy.
pub struct Server {
    /// Each listener's name and real address.
    pub listening: Vec<(String, SocketAddr)>,
    /// The admin interface's real address.
    pub admin: Option<SocketAddr>,
    running: watch::Sender<Running>,
    keeper: Keeper,
    shards: Vec<JoinHandle<()>>,
}

/// Why a proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be bound.
    #[error("{what} can't listen on {address}: {}", explain_bind(.error))]
    Bind {
        /// Which listener.
        what: String,
        /// The address as configured.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// A thread or its runtime can't be made.
    #[error("a thread could not be started: {0}; raise the limit of processes")]
    Thread(#[from] io::Error),
}

fn explain_bind(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the program that has it, or choose another".to_owned()
        }
        io::ErrorKind::PermissionDenied => format!("{error}; ports below 1024 need a privilege"),
        io::ErrorKind::AddrNotAvailable => {
            format!("{error}; this machine doesn't have the address")
        }
        _ => error.to_string(),
    }
}

/// Starts a proxy. All addresses are bound before the first connection is accepted.
///
/// # Errors
/// One for each address that can't be bound; nothing is left open then.
pub fn start(config: &Config) -> Result<Server, Vec<StartError>> {
    let shards = shard_count(config.proxy.shards);
    let (gates, kept) = open_gates(config).map_err(|error| vec![error.into()])?;
    let (posts, listening, admin_socket) = bind(config, &gates, shards)?;
    let keeper = Keeper::start(kept, config.folder.clone()).map_err(|error| vec![error.into()])?;
    let telemetry = Arc::new(Telemetry::new(shards));
    let (running, watched) = watch::channel(Running::Yes);
    let mut server =
        Server { listening, admin: None, running, keeper, shards: Vec::with_capacity(shards) };
    if let Some(socket) = admin_socket {
        server.admin = socket.local_addr().ok();
        admin::start(socket, telemetry.clone(), watched.clone())
            .map_err(|error| vec![error.into()])?;
    }
    let limits = ShardLimits {
        buffered_bytes_max: config.proxy.buffered_bytes_max,
        drain_timeout: config.proxy.drain_timeout,
        pinning: if config.proxy.pin { shard::Pinning::OneCore } else { shard::Pinning::Anywhere },
    };
    let registry = Arc::new(Registry::default());
    let (balance, visitors) = Balance::new(shards, config.proxy.sessions_max);
    for (number, (posts, visitors)) in posts.into_iter().zip(visitors).enumerate() {
        let (registry, balance, running) = (registry.clone(), balance.clone(), watched.clone());
        let tally = telemetry.tally(number);
        let shared = Shared { tally, registry, balance, visitors, running };
        let started = shard::start(number, posts, limits.clone(), shared);
        server.shards.push(started.map_err(|error| vec![error.into()])?);
    }
    Ok(server)
}

fn shard_count(shards: Shards) -> usize {
    match shards {
        Shards::Exactly(count) => count,
        Shards::Auto => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// The gate of each listener that has one.
type Gates = Vec<Option<Arc<Gate>>>;

/// Opens the gates; also gives what a keeper needs.
fn open_gates(config: &Config) -> io::Result<(Gates, Vec<Kept>)> {
    let (mut gates, mut all_kept) = (Vec::new(), Vec::new());
    for listener in &config.listeners {
        let Some(access) = &listener.access else {
            gates.push(None);
            continue;
        };
        let (gate, kept) = Gate::open(&listener.name, access)?;
        gates.push(Some(gate));
        all_kept.push(kept);
    }
    Ok((gates, all_kept))
}

/// The posts of each shard, the listeners' real addresses, and the admin socket.
type Bound = (Vec<Vec<Post>>, Vec<(String, SocketAddr)>, Option<TcpListener>);

fn bind(
    config: &Config,
    gates: &[Option<Arc<Gate>>],
    shards: usize,
) -> Result<Bound, Vec<StartError>> {
    let mut errors = Vec::new();
    let mut posts: Vec<Vec<Post>> = (0..shards).map(|_| Vec::new()).collect();
    let mut listening = Vec::new();
    let mut upstreams: HashMap<&str, Arc<Reach>> = HashMap::new();
    for (listener, gate) in config.listeners.iter().zip(gates) {
        let upstream = upstreams.entry(&listener.upstream.name).or_insert_with(|| {
            Arc::new(Reach::new(listener.upstream.clone(), config.proxy.openings_max))
        });
        match transport::bind(&listener.bind, shards) {
            Ok(bound) => {
                listening.push((listener.name.clone(), bound.address));
                for (posts, socket) in posts.iter_mut().zip(bound.listeners) {
                    posts.push(Post::new(listener, upstream.clone(), gate.clone(), socket));
                }
            }
            Err(error) => {
                let what = format!("listener `{}`", listener.name);
                errors.push(StartError::Bind { what, address: listener.bind.to_string(), error });
            }
        }
    }
    let mut admin_socket = None;
    if let Some(admin) = &config.admin {
        match TcpListener::bind((admin.bind.host.as_str(), admin.bind.port)) {
            Ok(socket) => admin_socket = Some(socket),
            Err(error) => {
                let address = admin.bind.to_string();
                errors.push(StartError::Bind { what: "[admin]".to_owned(), address, error });
            }
        }
    }
    if errors.is_empty() { Ok((posts, listening, admin_socket)) } else { Err(errors) }
}

impl Server {
    /// Reads the files of users and keys again. The rest of the configuration stays as it is.
    pub fn read_again(&self) {
        self.keeper.read_again();
    }

    /// Stops taking sessions, ends those that are there, and waits for the shards.
    pub fn stop(self) {
        // No receiver: the shards have ended already.
        let _ = self.running.send(Running::Draining);
        for shard in self.shards {
            if shard.join().is_err() {
                tracing::error!("a shard ended with a panic; please report it");
            }
        }
    }
}

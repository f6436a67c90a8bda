//! Putting it together: bind everything, start the shards, stop them.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::admin;
use crate::config::{Config, Proof, Shards};
use crate::gate::{Gate, Keeper, Kept};
use crate::overload;
use crate::registry::Registry;
use crate::shard::{self, Balance, Crowd, Doorkeeper, Post, Running, ShardLimits, Shared};
use crate::telemetry::Telemetry;
use crate::transport::{Reception, Renewal, TlsFault, Trigger};
use crate::upstream::Reach;

/// A running proxy.
pub struct Server {
    /// Each listener's name and real address.
    pub listening: Vec<(String, SocketAddr)>,
    /// The admin interface's real address.
    pub admin: Option<SocketAddr>,
    running: watch::Sender<Running>,
    keeper: Keeper,
    watch: overload::Watch,
    shards: Vec<JoinHandle<()>>,
    /// Asks for the files to be read again; `None`: there are none.
    rereading: Option<mpsc::Sender<()>>,
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
    /// Certificates, keys or authorities are no good.
    #[error("{what} can't use its certificates: {fault}")]
    Tls {
        /// Which listener or upstream.
        what: String,
        /// What is wrong.
        fault: TlsFault,
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

/// What listeners and upstreams are made of, before anything listens. Both in the order of the listeners.
struct Parts {
    receptions: Vec<Arc<Reception>>,
    /// Those of each listener, as [`Listener::upstreams`] has them. Listeners with one upstream share it.
    upstreams: Vec<Vec<Arc<Reach>>>,
    renewal: Renewal,
}

impl Parts {
    fn new(config: &Config) -> Result<Self, Vec<StartError>> {
        let (mut errors, mut renewal) = (Vec::new(), Renewal::default());
        let mut known: HashMap<&str, Option<Arc<Reach>>> = HashMap::new();
        let (mut receptions, mut upstreams) = (Vec::new(), Vec::new());
        let (folder, openings_max) = (&config.folder, config.proxy.openings_max);
        for listener in &config.listeners {
            match Reception::new(listener, folder, &mut renewal) {
                Ok(reception) => receptions.push(Arc::new(reception)),
                Err(fault) => {
                    let what = format!("listener `{}`", listener.name);
                    errors.push(StartError::Tls { what, fault });
                }
            }
            let mut reaches = Vec::new();
            for upstream in listener.upstreams() {
                let reach = known.entry(&upstream.name).or_insert_with(|| {
                    let tell = |fault| {
                        let what = format!("upstream `{}`", upstream.name);
                        errors.push(StartError::Tls { what, fault });
                    };
                    let reach = Reach::new(upstream, openings_max, folder, &mut renewal);
                    reach.map_err(tell).ok().map(Arc::new)
                });
                reaches.extend(reach.clone());
            }
            upstreams.push(reaches);
        }
        if errors.is_empty() { Ok(Self { receptions, upstreams, renewal }) } else { Err(errors) }
    }
}

/// Whether certificates, keys and authorities are good, without starting anything.
///
/// # Errors
/// One for each listener and upstream whose files are no good.
pub fn check(config: &Config) -> Result<(), Vec<StartError>> {
    Parts::new(config).map(drop)
}

/// Starts a proxy. All addresses are bound before the first connection is accepted.
///
/// # Errors
/// One for each address that can't be bound, or for each file that is no good; nothing is left open then.
pub fn start(config: &Config) -> Result<Server, Vec<StartError>> {
    let shards = shard_count(config.proxy.shards);
    let parts = Parts::new(config)?;
    let (doorkeepers, kept) = open_gates(config).map_err(|error| vec![error.into()])?;
    let (posts, listening, admin_socket) = bind(config, &parts, &doorkeepers, shards)?;
    let keeper = Keeper::start(kept, config.folder.clone()).map_err(|error| vec![error.into()])?;
    let (overload, watch) =
        overload::start(&config.proxy, shards).map_err(|error| vec![error.into()])?;
    let telemetry = Arc::new(Telemetry::new(shards, parts.upstreams.concat(), overload.clone()));
    let (running, watched) = watch::channel(Running::Yes);
    let rereading = start_renewal(parts.renewal, config.proxy.certificate_check)
        .map_err(|error| vec![error.into()])?;
    let threads = Vec::with_capacity(shards);
    let mut server =
        Server { listening, admin: None, running, keeper, watch, shards: threads, rereading };
    if let Some(socket) = admin_socket {
        server.admin = socket.local_addr().ok();
        admin::start(socket, telemetry.clone(), overload.clone(), watched.clone())
            .map_err(|error| vec![error.into()])?;
    }
    let handshakes_max = config.proxy.handshakes_max.min(Semaphore::MAX_PERMITS);
    let limits = ShardLimits {
        shards,
        handshakes_max,
        buffered_bytes_max: config.proxy.buffered_bytes_max,
        drain_timeout: config.proxy.drain_timeout,
        pinning: if config.proxy.pin { shard::Pinning::OneCore } else { shard::Pinning::Anywhere },
    };
    let registry = Arc::new(Registry::default());
    let handshakes = Arc::new(Semaphore::new(handshakes_max));
    let sessions_max = overload::sessions_max(config, shards);
    let (balance, visitors) = Balance::new(shards, sessions_max, overload.clone());
    for (number, (posts, visitors)) in posts.into_iter().zip(visitors).enumerate() {
        let (registry, balance, running) = (registry.clone(), balance.clone(), watched.clone());
        let (tally, handshakes) = (telemetry.tally(number), handshakes.clone());
        let overload = overload.clone();
        let shared = Shared { tally, registry, balance, handshakes, overload, visitors, running };
        let started = shard::start(number, posts, limits.clone(), shared);
        server.shards.push(started.map_err(|error| vec![error.into()])?);
    }
    Ok(server)
}

/// Looks at files again and again, in a thread that ends with the server.
fn start_renewal(renewal: Renewal, every: Duration) -> io::Result<Option<mpsc::Sender<()>>> {
    if renewal.is_empty() {
        return Ok(None);
    }
    let (sender, asked) = mpsc::channel();
    let work = move || {
        loop {
            match asked.recv_timeout(every) {
                Ok(()) => renewal.look(Trigger::Request),
                Err(RecvTimeoutError::Timeout) => renewal.look(Trigger::Clock),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    std::thread::Builder::new().name("certificates".to_owned()).spawn(work)?;
    Ok(Some(sender))
}

fn shard_count(shards: Shards) -> usize {
    match shards {
        Shards::Exactly(count) => count,
        Shards::Auto => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// The doorkeeper of each listener, for which gates are opened; also what a keeper of their files needs.
fn open_gates(config: &Config) -> io::Result<(Vec<Doorkeeper>, Vec<Kept>)> {
    let (mut doorkeepers, mut all_kept) = (Vec::new(), Vec::new());
    for listener in &config.listeners {
        let doorkeeper = match &listener.access {
            None => Doorkeeper::Absent,
            Some(access) => match &access.proof {
                Proof::Certificate => Doorkeeper::Certificate(access.rules.clone()),
                Proof::Credentials(checks) => {
                    let (gate, kept) = Gate::open(&listener.name, &access.rules, checks)?;
                    all_kept.push(kept);
                    Doorkeeper::Gate(gate)
                }
            },
        };
        doorkeepers.push(doorkeeper);
    }
    Ok((doorkeepers, all_kept))
}

/// The posts of each shard, the listeners' real addresses, and the admin socket.
type Bound = (Vec<Vec<Post>>, Vec<(String, SocketAddr)>, Option<TcpListener>);

fn bind(
    config: &Config,
    parts: &Parts,
    doorkeepers: &[Doorkeeper],
    shards: usize,
) -> Result<Bound, Vec<StartError>> {
    let mut errors = Vec::new();
    let mut posts: Vec<Vec<Post>> = (0..shards).map(|_| Vec::new()).collect();
    let mut listening = Vec::new();
    let made = parts.receptions.iter().zip(&parts.upstreams).zip(doorkeepers);
    for (listener, ((reception, upstreams), doorkeeper)) in config.listeners.iter().zip(made) {
        let crowd = Crowd::new(&listener.connections);
        match reception.bind(&listener.bind, shards) {
            Ok(bound) => {
                listening.push((listener.name.clone(), bound.address));
                for (posts, socket) in posts.iter_mut().zip(bound.sockets) {
                    let (reception, doorkeeper) = (reception.clone(), doorkeeper.clone());
                    let crowd = crowd.clone();
                    posts.extend(Post::new(
                        listener, reception, upstreams, doorkeeper, crowd, socket,
                    ));
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
    /// Reads the files of users, keys, certificates and authorities again. What is no good is told in the log, and the old
    /// one stays; the rest of the configuration stays as it is.
    pub fn read_again(&self) {
        self.keeper.read_again();
        if let Some(rereading) = &self.rereading {
            // The thread ends with this server.
            let _ = rereading.send(());
        }
    }

    /// Stops taking sessions, ends those that are there, and waits for the shards.
    pub fn stop(self) {
        // No receiver: the shards have ended already.
        let _ = self.running.send(Running::Draining);
        drop(self.watch);
        for shard in self.shards {
            if shard.join().is_err() {
                tracing::error!("a shard ended with a panic; please report it");
            }
        }
    }
}

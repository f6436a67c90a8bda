//! A shard: one thread with one runtime, its listeners and its sessions. A session and both of its sockets
//! live and die here; nothing on the way of a message is shared with another thread.

mod accept;
mod balance;
mod buffers;
mod channel;
mod closing;
mod connection;
mod crowd;
mod door;
mod entering;
mod handshake;
mod moving;
mod opening;
mod peer;
mod reading;
mod shedding;
mod state;
mod streams;
mod timing;
mod turns;
mod wheel;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::access::Rules;
use crate::config::{Listener, NamePattern, Route};
use crate::gate::Gate;
use crate::overload::Overload;
use crate::registry::Registry;
use crate::session::{SessionPlan, Tally};
use crate::transport::{ListenSocket, Reception};
use crate::upstream::Reach;

use self::state::ShardState;

pub use self::balance::{Balance, Visitor};
pub use self::crowd::Crowd;

/// Tasks that run before the shard looks at its sockets again: a crowd of new connections must not keep those waiting that
/// have something to say.
const TASKS_PER_LOOK: u32 = 16;

/// A listener's part in one shard.
#[derive(Debug)]
pub struct Post {
    /// The listener's name in the configuration.
    pub name: Arc<str>,
    /// The socket, bound and not blocking.
    pub socket: ListenSocket,
    /// What its sessions do.
    pub plan: Arc<SessionPlan>,
    /// What comes before MQTT.
    pub reception: Arc<Reception>,
    /// Where they go.
    pub upstream: Arc<Reach>,
    /// Those that go elsewhere; the first that fits.
    pub branches: Vec<Branch>,
    /// Who asks devices that come in.
    pub doorkeeper: Doorkeeper,
    /// Who stands there, for all shards.
    pub crowd: Arc<Crowd>,
}

/// Where sessions go whose device has a certificate of a certain name.
#[derive(Debug)]
pub struct Branch {
    /// The common names that it is for.
    pub certificate: NamePattern,
    /// What its sessions do.
    pub plan: Arc<SessionPlan>,
    /// Where they go.
    pub upstream: Arc<Reach>,
}

/// Who asks devices that come in who they are.
#[derive(Debug, Clone)]
pub enum Doorkeeper {
    /// Nobody.
    Absent,
    /// The threads that check what CONNECT shows.
    Gate(Arc<Gate>),
    /// Nobody but TLS: the certificate says it.
    Certificate(Arc<Rules>),
}

impl Post {
    /// The part of a listener in the shard that gets this socket. Its upstreams are in the order of [`Listener::upstreams`];
    /// `None`: there is none.
    #[must_use]
    pub fn new(
        listener: &Listener,
        reception: Arc<Reception>,
        upstreams: &[Arc<Reach>],
        doorkeeper: Doorkeeper,
        crowd: Arc<Crowd>,
        socket: ListenSocket,
    ) -> Option<Self> {
        let (name, plan) = (listener.name.as_str().into(), listener.plan.clone());
        let (upstream, others) = upstreams.split_first()?;
        let branch = |(route, upstream): (&Route, &Arc<Reach>)| Branch {
            certificate: route.certificate.clone(),
            plan: route.plan.clone(),
            upstream: upstream.clone(),
        };
        let branches = listener.routes.iter().zip(others).map(branch).collect();
        let upstream = upstream.clone();
        Some(Self { name, socket, plan, reception, upstream, branches, doorkeeper, crowd })
    }
}

/// What a shard has to keep to.
#[derive(Debug, Clone)]
pub struct ShardLimits {
    /// How many shards there are.
    pub shards: usize,
    /// Handshakes of the process at once.
    pub handshakes_max: usize,
    /// Bytes that wait for one peer of one session before its other peer is no longer read.
    pub buffered_bytes_max: usize,
    /// How long sessions may take to end once the shard stops.
    pub drain_timeout: Duration,
    /// Where the shard's thread runs.
    pub pinning: Pinning,
}

/// Where a shard's thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinning {
    /// On the core of its number, among those that the process may use.
    OneCore,
    /// Wherever the system puts it.
    Anywhere,
}

/// Whether the process goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// It does.
    Yes,
    /// No new sessions; the others are ended.
    Draining,
}

/// What a shard shares with the rest of the process.
#[derive(Debug)]
pub struct Shared {
    /// Its counters, which others read.
    pub tally: Arc<Tally>,
    /// Who speaks for which client identifier.
    pub registry: Arc<Registry>,
    /// How many sessions each shard has.
    pub balance: Arc<Balance>,
    /// One permit for each connection that may shake hands.
    pub handshakes: Arc<Semaphore>,
    /// What is known of the process as a whole.
    pub overload: Arc<Overload>,
    /// Connections that other shards have accepted for this one.
    pub visitors: mpsc::Receiver<Visitor>,
    /// Whether the process goes on.
    pub running: watch::Receiver<Running>,
}

/// Starts a shard's thread.
///
/// # Errors
/// When the thread or its runtime can't be made.
pub fn start(
    number: usize,
    posts: Vec<Post>,
    limits: ShardLimits,
    shared: Shared,
) -> io::Result<JoinHandle<()>> {
    let (told, started) = std::sync::mpsc::sync_channel(1);
    let work = move || {
        if limits.pinning == Pinning::OneCore {
            pin(number);
        }
        // A runtime of this kind can't be moved to another thread, so its thread makes it.
        let mut builder = Builder::new_current_thread();
        builder.enable_all().event_interval(TASKS_PER_LOOK);
        let runtime = builder.build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                // The receiver waits below.
                let _ = told.send(Ok(()));
                runtime.block_on(run(number, posts, limits, shared));
                // A look-up of a host's name can't be called off; nobody waits for its answer any more.
                runtime.shutdown_background();
            }
            Err(error) => {
                let _ = told.send(Err(error));
            }
        }
    };
    let thread = thread::Builder::new().name(format!("shard-{number}")).spawn(work)?;
    started.recv().unwrap_or_else(|_| Err(io::Error::other("the shard's thread ended at once")))?;
    Ok(thread)
}

fn pin(number: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let core = cores.get(number % cores.len().max(1));
    if !core.is_some_and(|core| core_affinity::set_for_current(*core)) {
        tracing::warn!(shard = number, "the shard could not be pinned to a core; it runs anywhere");
    }
}

async fn run(number: usize, posts: Vec<Post>, limits: ShardLimits, shared: Shared) {
    let Shared { tally, registry, balance, handshakes, overload, visitors, mut running } = shared;
    let timeout = limits.drain_timeout;
    let orders = overload.orders();
    let state = ShardState::new(number, limits, tally, registry, balance, handshakes, overload);
    let state = Rc::new(state);
    let keeping_time = tokio::task::spawn_local(timing::keep(state.clone()));
    let giving = tokio::task::spawn_local({
        let state = state.clone();
        async move { state.turns.give().await }
    });
    let obeying = tokio::task::spawn_local(shedding::obey(orders, state.clone()));
    let accepting = accept::start(posts, visitors, &state);
    // An error means that the server is gone, which is a reason to stop as well.
    let _ = running.wait_for(|running| *running == Running::Draining).await;
    for task in accepting {
        task.abort();
    }
    state.endpoints.refuse_new();
    state.drain();
    if tokio::time::timeout(timeout, state.emptied()).await.is_err() {
        tracing::warn!(sessions = state.sessions(), "sessions did not end in time");
    }
    state.endpoints.settle().await;
    keeping_time.abort();
    obeying.abort();
    giving.abort();
}

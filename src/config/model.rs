//! What a configuration means, after every check. Nothing here is text that still has to be understood.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Guard, Rules, Source};
use crate::session::SessionPlan;

use super::address::{Address, Url};
use super::breaker::Breaker;
use super::connection_limits::ConnectionLimits;
use super::quic::ListenerQuic;
use super::route::Route;
use super::tls::{ListenerTls, UpstreamTls};
use super::transport::{ProxyHeader, ProxyProtocol, Transport};

/// A configuration that can be started.
#[derive(Debug)]
pub struct Config {
    /// The process.
    pub proxy: Proxy,
    /// The HTTP interface for metrics and health; `None`: it isn't opened.
    pub admin: Option<Admin>,
    /// Where devices connect, each with its upstream and its compiled plan. At least one.
    pub listeners: Vec<Listener>,
    /// Where relative paths start, for files that are read again; empty: the working directory.
    pub folder: PathBuf,
}

/// Settings of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Threads that carry sessions.
    pub shards: Shards,
    /// Whether each shard stays on one core.
    pub pin: bool,
    /// Bytes that one session may hold per direction before its sender has to wait.
    pub buffered_bytes_max: usize,
    /// Sessions of the process at most.
    pub sessions_max: usize,
    /// Connections to one upstream that are being opened at once; the others wait.
    pub openings_max: usize,
    /// Handshakes (TLS) of the process at once.
    pub handshakes_max: usize,
    /// How often the files of certificates and keys are looked at, whether they have changed.
    pub certificate_check: Duration,
    /// How long open sessions may go on after the process was asked to end.
    pub drain_timeout: Duration,
    /// Bytes of memory that the process may have.
    pub memory_max: MemoryMax,
    /// From this part of it on new sessions are refused.
    pub memory_refuse_percent: u8,
    /// From this part of it on sessions are ended, those that hold the most first.
    pub memory_end_percent: u8,
    /// How long a shard may not have run before that is told; `None`: nobody looks.
    pub watchdog: Option<Duration>,
    /// How log lines look.
    pub log: LogFormat,
    /// Which log lines are written.
    pub log_level: LogLevel,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            shards: Shards::Auto,
            pin: false,
            buffered_bytes_max: 1024 * 1024,
            sessions_max: 100_000,
            openings_max: 1000,
            handshakes_max: 1000,
            certificate_check: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            memory_max: MemoryMax::Auto,
            memory_refuse_percent: 85,
            memory_end_percent: 95,
            watchdog: Some(Duration::from_secs(5)),
            log: LogFormat::Text,
            log_level: LogLevel::Info,
        }
    }
}

/// The number of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shards {
    /// One per core.
    Auto,
    /// 1 to 256.
    Exactly(usize),
}

/// Bytes of memory that the process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryMax {
    /// What its group of processes may have, or the machine has.
    Auto,
    /// So many.
    Exactly(u64),
    /// It isn't watched.
    Off,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    pub(super) const WORDS: [(&'static str, Self); 2] =
        [("text", Self::Text), ("json", Self::Json)];
}

/// The least important log line that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need one soon.
    Warn,
    /// What happened.
    Info,
    /// What happened to each session.
    Debug,
    /// What happened to each packet.
    Trace,
}

impl LogLevel {
    pub(super) const WORDS: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The word that configurations write.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The HTTP interface for metrics and health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub bind: Address,
}

/// One place where devices connect.
#[derive(Clone)]
pub struct Listener {
    /// Unique; a label of logs and metrics.
    pub name: String,
    /// Where it listens; port 0 means any free port.
    pub bind: Address,
    /// What carries MQTT to it.
    pub transport: Transport,
    /// Whether a balancer says whose connection it is.
    pub proxy_protocol: ProxyHeader,
    /// Certificates and what is asked of devices; there exactly if the transport has TLS.
    pub tls: Option<ListenerTls>,
    /// How QUIC is spoken; there exactly if that is the transport.
    pub quic: Option<ListenerQuic>,
    /// Where devices ask for WebSocket; there exactly if that is the transport.
    pub path: Option<String>,
    /// The name of the devices' dialect.
    pub dialect: Box<str>,
    /// Where its sessions go.
    pub upstream: Upstream,
    /// What its sessions share: translator, limits.
    pub plan: Arc<SessionPlan>,
    /// Which devices go elsewhere; the first that fits.
    pub routes: Vec<Route>,
    /// Who may come in; `None`: that is left to the upstream.
    pub access: Option<Access>,
    /// How many connections it takes, and how fast.
    pub connections: ConnectionLimits,
}

impl Listener {
    /// Every upstream that a session may go to: its own, then that of each route.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        [&self.upstream].into_iter().chain(self.routes.iter().map(|route| &route.upstream))
    }

    /// The route of a device whose certificate has this common name, if it has one.
    #[must_use]
    pub fn route(&self, common_name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.certificate.fits(common_name))
    }
}

/// Without the translator, which is long and holds the values of both sides.
impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.name)
            .field("bind", &self.bind)
            .field("transport", &self.transport)
            .field("proxy_protocol", &self.proxy_protocol)
            .field("tls", &self.tls)
            .field("quic", &self.quic)
            .field("path", &self.path)
            .field("dialect", &self.dialect)
            .field("upstream", &self.upstream)
            .field("routes", &self.routes)
            .field("limits", &self.plan.limits)
            .field("on_refusal", &self.plan.on_refusal)
            .field("access", &self.access)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// Who may come in at a listener.
#[derive(Debug, Clone)]
pub struct Access {
    /// What its sessions keep to.
    pub rules: Arc<Rules>,
    /// How devices prove who they are.
    pub proof: Proof,
}

/// How devices prove who they are.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By what CONNECT shows.
    Credentials(Checks),
    /// By the certificate that the listener's TLS has verified; each device has one.
    Certificate,
}

/// How the credentials of CONNECT are checked.
#[derive(Debug, Clone)]
pub struct Checks {
    /// Which file the guard is made of.
    pub source: Source,
    /// What credentials are checked against, as the file was at the start.
    pub guard: Arc<Guard>,
    /// Threads that check credentials.
    pub threads: usize,
    /// Connections whose credentials wait to be checked; more are refused.
    pub waiting_max: usize,
}

impl Checks {
    /// The threads where none are configured.
    pub const THREADS: usize = 1;
    /// The connections that may wait where nothing else is configured: about ten seconds of a thread that checks
    /// passwords.
    pub const WAITING_MAX: usize = 256;
}

/// The broker behind listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Unique; a label of logs and metrics.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// How the broker, or the balancer in front of it, is told whose connection it is.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whom to trust there, and what to show; there exactly if the URL's scheme has TLS.
    pub tls: Option<UpstreamTls>,
    /// The name of its dialect.
    pub dialect: Box<str>,
    /// How devices share connections to it.
    pub mode: Mode,
    /// When it is left alone.
    pub breaker: Breaker,
}

/// How devices share upstream connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One upstream connection per device.
    Session,
}

//! `attacker`: the process that makes a storm, apart from the one that measures, so that it can be given less of the machine.
//!
//! It says what it has done each tenth of a second, as a line of JSON, and ends when its standard input does: so it ends with
//! whoever started it. Invariant: it never has more connections open than it was told.

mod connects;
mod garbage;
mod open;
mod slow;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsConnector;

use crate::{limits, stage};

/// How often what was done is said.
const SAYING: Duration = Duration::from_millis(100);
/// How often the rate is kept.
const TICK: Duration = Duration::from_millis(10);

/// What is done to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manner {
    /// A TLS handshake, one byte per second
    SlowHello,
    /// A whole TLS handshake, and then a CONNECT, one byte per second
    SlowConnect,
    /// Random bytes over TCP
    Garbage,
    /// Random bytes over UDP, half of them with the head of a QUIC Initial packet
    Datagrams,
    /// CONNECT, await the answer, end, and again
    Connects,
}

/// The options of `attacker`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// What to do
    pub(crate) manner: Manner,
    /// To whom
    pub(crate) target: SocketAddr,
    /// From which address
    #[arg(long, default_value = "127.0.0.2")]
    pub(crate) source: IpAddr,
    /// Connections at once at most
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(crate) connections: u32,
    /// Connections (or datagrams) begun per second; `connects` goes by the answers
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: u32,
    /// Who vouches for the target's certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) authority: Option<PathBuf>,
    /// Where all that is random comes from, what TLS draws for itself left out
    #[arg(long)]
    pub(crate) seed: u64,
}

/// What was done since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// When this was said, in milliseconds since the start.
    pub(crate) at_ms: u64,
    /// Connections that are open now.
    pub(crate) open: u64,
    /// Connections that were opened (as far as the kernel is concerned), or datagrams sent.
    pub(crate) opened: u64,
    /// Connections that couldn't be opened, or whose TLS handshake failed.
    pub(crate) failed: u64,
    /// Connections that the target ended.
    pub(crate) ended_by_target: u64,
    /// TLS handshakes that were completed.
    pub(crate) shaken: u64,
    /// CONNACKs.
    pub(crate) answered: u64,
    /// Bytes sent, those of TLS handshakes left out.
    pub(crate) bytes: u64,
}

/// What all connections share.
struct Assault {
    options: Options,
    counts: Cell<Counts>,
    rng: RefCell<Rng>,
    /// Where there is TLS.
    connector: Option<TlsConnector>,
    hello: Vec<u8>,
}

impl Assault {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    /// So many random bytes.
    fn random(&self, bytes: usize) -> Vec<u8> {
        let mut rng = self.rng.borrow_mut();
        (0..bytes).map(|_| rng.u8(..)).collect()
    }
}

/// Makes a storm until standard input ends.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    limits::raise_open_files()?;
    let (connector, hello) = match &options.authority {
        Some(file) => {
            let file = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
            let config = Arc::new(stage::client(&file)?);
            let hello = slow::hello(&config)?;
            (Some(TlsConnector::from(config)), hello)
        }
        None => (None, Vec::new()),
    };
    let assault = Rc::new(Assault {
        counts: Cell::default(),
        rng: RefCell::new(Rng::with_seed(options.seed)),
        options: options.clone(),
        connector,
        hello,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        tokio::select! {
            outcome = storm(&assault) => outcome,
            () = say(&assault) => Ok(()),
            () = until_input_ends() => Ok(()),
        }
    })?;
    // A thread of the runtime may still wait for standard input.
    runtime.shutdown_background();
    Ok(())
}

async fn storm(assault: &Rc<Assault>) -> anyhow::Result<()> {
    match assault.options.manner {
        Manner::SlowHello | Manner::SlowConnect => paced(assault, slow::one).await,
        Manner::Garbage => paced(assault, garbage::one).await,
        Manner::Datagrams => garbage::datagrams(assault).await?,
        Manner::Connects => connects::all(assault).await,
    }
    Ok(())
}

/// Begins connections at the rate, as long as there aren't too many. What could not be begun isn't made up for.
async fn paced<F: Future<Output = ()> + 'static>(
    assault: &Rc<Assault>,
    one: impl Fn(Rc<Assault>) -> F,
) {
    let mut due = Due::new(assault.options.rate);
    loop {
        due.wait().await;
        while assault.counts.get().open < u64::from(assault.options.connections) && due.take() {
            assault.count(|counts| counts.open += 1);
            let (assault, one) = (Rc::clone(assault), one(Rc::clone(assault)));
            tokio::task::spawn_local(async move {
                one.await;
                assault.count(|counts| counts.open -= 1);
            });
        }
    }
}

/// How many may be begun by now. At most a tenth of a second's worth is kept.
struct Due {
    interval: tokio::time::Interval,
    last: Instant,
    rate: f64,
    due: f64,
}

impl Due {
    fn new(rate: u32) -> Self {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { interval, last: Instant::now(), rate: f64::from(rate), due: 0.0 }
    }

    async fn wait(&mut self) {
        self.interval.tick().await;
        let now = Instant::now();
        let more = self.rate * (now - self.last).as_secs_f64();
        self.due = (self.due + more).min((self.rate / 10.0).max(1.0));
        self.last = now;
    }

    fn take(&mut self) -> bool {
        let is_due = self.due >= 1.0;
        if is_due {
            self.due -= 1.0;
        }
        is_due
    }
}

/// Says what was done, until nobody listens.
async fn say(assault: &Rc<Assault>) {
    let (start, mut interval) = (Instant::now(), tokio::time::interval(SAYING));
    loop {
        interval.tick().await;
        let mut counts = assault.counts.get();
        counts.at_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Ok(line) = serde_json::to_string(&counts) else { return };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

async fn until_input_ends() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while let Ok(1..) = input.read(&mut buffer).await {}
}

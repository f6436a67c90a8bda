//! The course of a renewal: the sink, the proxy, its sessions, the replacements, and what is left at the end.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use super::replace::Replaced;
use super::session::{CARRIERS, Devices};
use super::{Options, RENEWAL_FORMAT, Report};
use crate::caller::Carrier;
use crate::engine::clock::Clock;
use crate::engine::control::{Control, Phase};
use crate::results::Latency;
use crate::sink::{self, Expected, Manner, Received, Receiver, Sink};
use crate::stage::{Stage, Watchman};

/// Handshakes at once, so that none of them is late because of the others.
const HANDSHAKES: usize = 16;
/// Until all sessions are there, and until all have gone.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// Replaces certificates under load.
///
/// # Errors
/// The proxy doesn't start or ends early, or the sessions don't come in.
pub(super) fn conduct(options: &Options) -> anyhow::Result<Report> {
    let watchman = Watchman::new()?;
    let end = End::start()?;
    let stage = Stage::start(&configuration(end.address), &[], &watchman)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = LocalSet::new().block_on(&runtime, under_load(options, &stage, &watchman));
    // Its connections go with it, whatever came of the sessions.
    drop(stage);
    let arrived = end.finish()?.arrived;
    let (devices, ended, replaced) = outcome?;
    let latency = Latency::of(&devices.latency.borrow());
    Ok(Report {
        renewal_format: RENEWAL_FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sessions: devices.connected.get(),
        ended,
        sent: devices.sent.get(),
        acknowledged: devices.acknowledged.get(),
        arrived,
        replaced_by_good: replaced.good,
        replaced_by_bad: replaced.bad,
        probes: replaced.probes,
        faults: replaced.faults,
        taken_over_max_ms: u64::try_from(replaced.taken_over_max.as_millis())?,
        latency,
    })
}

async fn under_load(
    options: &Options,
    stage: &Stage,
    watchman: &Watchman,
) -> anyhow::Result<(Rc<Devices>, Vec<String>, Replaced)> {
    let addresses = CARRIERS.map(|carrier| stage.address(carrier.name()));
    let [tls, quic] = addresses;
    let config = stage.authority().client()?;
    let devices = Devices::new([tls?, quic?], config, options.pause)?;
    let mut sessions = begin(&devices, options.sessions);
    let mut ended = Vec::new();
    let since = Instant::now();
    while devices.connected.get() < options.sessions {
        reap(&mut sessions, &mut ended);
        if !ended.is_empty() || since.elapsed() > DEADLINE || watchman.is_stopped() {
            bail!(
                "{} of {} sessions are there; {}",
                devices.connected.get(),
                options.sessions,
                ended.join("; ")
            );
        }
        tokio::time::sleep(LOOK).await;
    }
    let mut replaced = Replaced::default();
    let mut interval = tokio::time::interval(options.every);
    for number in 0..options.replacements {
        interval.tick().await;
        if watchman.is_stopped() {
            bail!("interrupted");
        }
        replaced.replace(number, stage, &devices).await?;
    }
    // Whoever has been ended by the last one finds it out with its next message.
    let last = devices.sent.get() + u64::from(options.sessions);
    let since = Instant::now();
    while devices.sent.get() < last && since.elapsed() < options.pause * 2 {
        tokio::time::sleep(LOOK).await;
    }
    devices.over.set(true);
    let all = async {
        while let Some(outcome) = sessions.join_next().await {
            ended.extend(fault(outcome));
        }
    };
    if tokio::time::timeout(DEADLINE, all).await.is_err() {
        bail!("sessions don't end");
    }
    Ok((devices, ended, replaced))
}

type Sessions = JoinSet<(u32, anyhow::Result<()>)>;

/// Begins all sessions; every second one is over QUIC.
fn begin(devices: &Rc<Devices>, count: u32) -> Sessions {
    let (mut sessions, turns) = (Sessions::new(), Rc::new(Semaphore::new(HANDSHAKES)));
    for number in 0..count {
        let (devices, turns) = (Rc::clone(devices), Rc::clone(&turns));
        let carrier = if number.is_multiple_of(2) { Carrier::Tls } else { Carrier::Quic };
        sessions
            .spawn_local(async move { (number, devices.session(number, carrier, &turns).await) });
    }
    sessions
}

/// Takes those that have ended already.
fn reap(sessions: &mut Sessions, ended: &mut Vec<String>) {
    while let Some(outcome) = sessions.try_join_next() {
        ended.extend(fault(outcome));
    }
}

fn fault(outcome: Result<(u32, anyhow::Result<()>), tokio::task::JoinError>) -> Option<String> {
    match outcome {
        Ok((_, Ok(()))) => None,
        Ok((number, Err(error))) => Some(format!("session {number}: {error:#}")),
        Err(error) => Some(error.to_string()),
    }
}

/// The sink in a thread of its own.
struct End {
    address: SocketAddr,
    control: Arc<Control>,
    thread: JoinHandle<std::io::Result<Received>>,
}

impl End {
    fn start() -> anyhow::Result<Self> {
        let listener = sink::listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let receiver = Receiver::new(Expected::Anybody);
        let sink = Sink::new(listener, Manner::Sink, Clock::start(), receiver)?;
        let control = Arc::new(Control::new(0, 0, 0));
        let inner = Arc::clone(&control);
        let thread = thread::Builder::new().name("end".to_owned());
        let thread = thread.spawn(move || sink.run(&inner))?;
        Ok(Self { address, control, thread })
    }

    /// What it has counted, once nothing is on its way any more: nobody is connected.
    fn finish(self) -> anyhow::Result<Received> {
        let since = Instant::now();
        while self.control.end.connected.load(Ordering::Relaxed) > 0 && since.elapsed() < DEADLINE {
            thread::sleep(LOOK);
        }
        self.control.enter(Phase::Over);
        let received = self.thread.join().map_err(|_| anyhow!("the sink panicked"))?;
        received.context("the sink")
    }
}

/// Only SIGHUP makes the proxy look at its files, so that each replacement is looked at once.
fn configuration(upstream: SocketAddr) -> String {
    let listener = |name: &str| {
        format!(
            "[[listener]]\nname = '{name}'\nbind = '127.0.0.1:0'\ntransport = '{name}'\ndialect = 'plain'\nupstream = 'sink'\n\
             [listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n"
        )
    };
    [
        "[proxy]\ndrain_timeout_ms = 1000\ncertificate_check_ms = 3600000\n".to_owned(),
        format!("[[upstream]]\nname = 'sink'\nurl = 'mqtt://{upstream}'\ndialect = 'plain'\n"),
        listener(Carrier::Tls.name()),
        listener(Carrier::Quic.name()),
    ]
    .concat()
}

//! The rounds: calm, storm, calm, storm, of each kind on a proxy of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use mio::net::TcpListener;

use super::Options;
use super::attack::Attack;
use super::attacker;
use super::broker::Broker;
use super::henchman::Priority;
use super::kind::{FIELD, FLOODED, Kind, QUICK, SECURE};
use super::moment::Moment;
use super::newcomers::Newcomers;
use super::report::{Attackers, Report, Round, STORM_FORMAT, Storm, Weather};
use crate::compare::{again, cores};
use crate::engine::clock::{Clock, nanoseconds};
use crate::engine::plan::Plan;
use crate::engine::{Live, Setup, conduct as conduct_run};
use crate::results::{End, Machine, Pinning, Results, duration};
use crate::scenario::{Rate, Scenario};
use crate::stage::{Stage, Watchman};
use crate::{command_line, limits, sink};

/// Attackers come from here.
const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Honest devices that share an address.
const DEVICES_PER_ADDRESS: u32 = 5;

/// Microseconds at p99, and a part of the time, from which on a reader is warned.
const LATE_US: f64 = 1000.0;
const WAITED: f64 = 0.05;
const NOT_THE_PROXY: &str = "then the machine, not the proxy, is what was measured";

/// What all rounds share.
struct Course<'o> {
    options: &'o Options,
    listener: TcpListener,
    upstream: SocketAddr,
    broker: Broker,
    pinning: Pinning,
    watchman: Watchman,
    seed: u64,
}

/// Whether attackers are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weathers {
    Calm,
    Storm,
}

/// All rounds of all kinds.
///
/// # Errors
/// The proxy doesn't start or ends early, attackers can't be started, or a signal came.
pub(super) fn conduct(options: &Options) -> anyhow::Result<Report> {
    let machine = Machine::here();
    let (pinning, core_remark) = cores::choose(&cores::Wanted::default())?;
    let listener = sink::listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let upstream = listener.local_addr()?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 53));
    let watchman = Watchman::new()?;
    limits::pin(pinning.generator.first().copied());
    let broker = Broker::start(&pinning.generator, options.priority)?;
    let course = Course { options, listener, upstream, broker, pinning, watchman, seed };
    let mut storms = Vec::new();
    for kind in options.kinds() {
        storms.push(course.storm(kind)?);
    }
    let mut remarks: Vec<String> = core_remark.into_iter().collect();
    remarks.extend(disturbances(&storms));
    remarks.push(
        match options.priority {
            Priority::Idle => {
                "attackers share cores with devices and sink, which are always preferred; \"connects\" is what was left for them"
            }
            Priority::Same => {
                "attackers share cores with devices and sink, as equals: what they take from who measures counts, too"
            }
        }
        .to_owned(),
    );
    Ok(Report {
        storm_format: STORM_FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command_line::own(),
        seed,
        machine,
        pinning: course.pinning,
        devices: options.devices,
        messages_per_s: f64::from(options.rate),
        measured_s: options.duration.as_secs_f64(),
        ratio_max: options.ratio_max,
        storms,
        remarks,
    })
}

/// Where the generator was late, or the proxy didn't get its core, latencies are the machine's.
fn disturbances(storms: &[Storm]) -> Vec<String> {
    let all = || {
        let rounds = storms.iter().flat_map(|storm| &storm.rounds);
        rounds.flat_map(|round| [&round.calm, &round.storm])
    };
    let late = all().filter_map(|weather| weather.late_p99_us).fold(0.0, f64::max);
    let waited = all().filter_map(|weather| weather.proxy_waited).fold(0.0, f64::max);
    let mut remarks = Vec::new();
    if late > LATE_US {
        let late = duration(late);
        remarks.push(format!("the generator itself was up to {late} late at p99: {NOT_THE_PROXY}"));
    }
    if waited > WAITED {
        let waited = waited * 100.0;
        remarks.push(format!(
            "something else had the proxy's core for {waited:.0} % of the time: {NOT_THE_PROXY}"
        ));
    }
    remarks
}

impl Course<'_> {
    /// All rounds of a kind, on one proxy: what a storm leaves behind is there in the next calm.
    fn storm(&self, kind: Kind) -> anyhow::Result<Storm> {
        let text = self.configuration(kind);
        let stage = Stage::start(&text, &self.pinning.target, &self.watchman)?;
        let mut rounds = Vec::new();
        for number in 0..self.options.rounds {
            let (calm, _) = self.run(&stage, kind, number, Weathers::Calm)?;
            let (storm, attackers) = self.run(&stage, kind, number, Weathers::Storm)?;
            let attackers = attackers.context("the attackers have said nothing")?;
            if !self.options.quiet {
                eprintln!(
                    "{} {} of {}: p99 {} and {}",
                    kind.name(),
                    number + 1,
                    self.options.rounds,
                    duration(calm.p99_us),
                    duration(storm.p99_us)
                );
            }
            rounds.push(Round { calm, storm, attackers });
        }
        Ok(Storm::of(kind, rounds, self.options.ratio_max))
    }

    fn run(
        &self,
        stage: &Stage,
        kind: Kind,
        number: u16,
        weather: Weathers,
    ) -> anyhow::Result<(Weather, Option<Attackers>)> {
        let seed = self.seed.wrapping_add(u64::from(number));
        let scenario = honest(self.options, seed);
        let warm_up_ns = nanoseconds(scenario.load.warm_up);
        let mut attack = match weather {
            Weathers::Calm => None,
            Weathers::Storm => {
                let options = self.attacker(stage, kind, seed)?;
                let cores = self.pinning.generator.clone();
                Some(Attack::new(options, cores, self.options.priority))
            }
        };
        let newcomers = self.newcomers(stage, kind)?;
        let results = self.measure(stage, scenario, &mut |live| {
            let moment = Moment::of(live, warm_up_ns);
            attack.iter_mut().for_each(|attack| attack.follow(moment));
            newcomers.follow(moment);
        });
        let arrivals = newcomers.finish();
        if self.watchman.is_stopped() {
            bail!("interrupted");
        }
        if !stage.is_running() {
            bail!("the proxy ended while it was measured; it said: {}", last_words(&stage.log()));
        }
        if stage.log().contains("panicked at") {
            bail!("the proxy panicked; it said: {}", last_words(&stage.log()));
        }
        let results = results.with_context(|| format!("measuring {}", kind.name()))?;
        let weather = Weather::of(&results, &arrivals?).context("no message was answered")?;
        let attackers = attack.map(Attack::finish).transpose()?;
        Ok((weather, attackers.and_then(|said| Attackers::of(&said))))
    }

    fn measure(
        &self,
        stage: &Stage,
        scenario: Scenario,
        show: &mut dyn FnMut(&Live),
    ) -> anyhow::Result<Results> {
        let target = stage.address(FIELD)?;
        limits::check(&scenario, target, End::Sink)?;
        let sources = sources(scenario.devices.count);
        let plan = Plan::new(scenario, target, End::Sink, sources, Clock::start())?;
        let setup = Setup {
            listener: Some(again(&self.listener)?),
            threads: 1,
            cores: self.pinning.generator.clone(),
            end_core: self.pinning.end,
            pid: Some(stage.pid()),
        };
        conduct_run(plan, setup, &self.watchman.stop, show)
    }

    /// Who comes anew where the attackers are.
    fn newcomers(&self, stage: &Stage, kind: Kind) -> anyhow::Result<Newcomers> {
        let target = stage.address(kind.listener())?;
        Newcomers::start(target, kind.carrier(), stage.authority().client()?)
    }

    /// The proxy's. All slow handshakes are let in at once: with the default they would wait in the kernel, where they cost less.
    fn configuration(&self, kind: Kind) -> String {
        let limits = kind.limits();
        let handshakes = (self.options.slow + 100).max(1000);
        let listener = |name: &str, upstream: &str, rest: &str| {
            format!(
                "[[listener]]\nname = '{name}'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = '{upstream}'\n{rest}\n{limits}"
            )
        };
        let upstream = |name: &str, address: SocketAddr| {
            format!("[[upstream]]\nname = '{name}'\nurl = 'mqtt://{address}'\ndialect = 'plain'\n")
        };
        let tls = "[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";
        [
            "[proxy]\ndrain_timeout_ms = 1000\n".to_owned(),
            format!("[limits]\nhandshakes_max = {handshakes}\n"),
            upstream("sink", self.upstream),
            upstream("flooded", self.broker.address),
            listener(FIELD, "sink", ""),
            listener(FLOODED, "flooded", ""),
            listener(SECURE, "sink", &format!("transport = 'tls'\n{tls}")),
            listener(QUICK, "sink", &format!("transport = 'quic'\n{tls}")),
        ]
        .concat()
    }

    fn attacker(&self, stage: &Stage, kind: Kind, seed: u64) -> anyhow::Result<attacker::Options> {
        let (connections, rate) = kind.extent(self.options);
        Ok(attacker::Options {
            manner: kind.manner(),
            target: stage.address(kind.listener())?,
            source: ATTACKER,
            connections,
            rate,
            authority: Some(stage.authority_file()),
            seed,
        })
    }
}

/// The same in calm and storm.
fn honest(options: &Options, seed: u64) -> Scenario {
    let mut scenario = Scenario { name: "honest".to_owned(), ..Scenario::default() };
    scenario.devices.count = options.devices;
    scenario.load.rate = Rate::Total(f64::from(options.rate));
    scenario.load.warm_up = options.settle;
    scenario.load.duration = options.duration;
    scenario.load.drain = Duration::from_secs(10);
    scenario.seed = Some(seed);
    scenario
}

/// Where honest devices come from: none of them is where attackers are.
fn sources(devices: u32) -> Vec<IpAddr> {
    let first = u32::from(Ipv4Addr::new(127, 0, 1, 1));
    let addresses = devices.div_ceil(DEVICES_PER_ADDRESS);
    (0..addresses).map(|number| IpAddr::V4(Ipv4Addr::from(first + number))).collect()
}

/// The end of what was said.
fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

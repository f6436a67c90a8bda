//! Conducts a run: starts the threads, says when the load begins and ends, waits for what is on its way, and gathers.
//!
//! It runs on the main thread, which sends and receives nothing itself. Invariant: every thread that was started is
//! joined, whatever happens.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver as Channel, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use mio::net::TcpListener;

use super::clock::{SECOND, nanoseconds};
use super::control::{Control, Gauges, Phase};
use super::gather::{Gathered, Series, gather};
use super::measure::{Interval, Measure};
use super::plan::Plan;
use super::shard::{Outcome, Shard};
use crate::limits;
use crate::process::Watched;
use crate::results::{End, Results, Second};
use crate::scenario::Stamping;
use crate::sink::{Demand, Expected, Manner, Received, Receiver, Sink};

/// How often the main thread looks.
const LOOK: Duration = Duration::from_millis(10);
/// The load starts so much after the word is given, so that all threads start it together.
const LEAD_NS: u64 = SECOND / 50;
/// When nothing has moved for this part of the time for draining, nothing will.
const QUIET_PART: u64 = 4;

/// What a run needs beside its plan.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    /// Where the sink or echo listens, if there is one.
    pub(crate) listener: Option<TcpListener>,
    /// Sending threads.
    pub(crate) threads: usize,
    /// Their cores; empty: wherever the system puts them.
    pub(crate) cores: Vec<usize>,
    /// The core of the sink or echo.
    pub(crate) end_core: Option<usize>,
    /// A process to watch.
    pub(crate) pid: Option<i32>,
}

/// What can be shown while a run goes on.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) phase: Phase,
    /// Nanoseconds of the load, of which so many are over.
    pub(crate) load_ns: u64,
    pub(crate) over_ns: u64,
    pub(crate) connected: u64,
    pub(crate) devices: u64,
    /// The last second that is complete.
    pub(crate) second: Option<Second>,
    pub(crate) errors: u64,
}

/// The threads of a run.
struct Threads {
    control: Arc<Control>,
    shards: Vec<JoinHandle<io::Result<Outcome>>>,
    end: Option<JoinHandle<io::Result<Received>>>,
}

/// Runs a plan. `stop` ends the load early; `show` is called a few times a second.
///
/// # Errors
/// When nobody could connect, or a thread failed.
pub(crate) fn conduct(
    plan: Plan,
    setup: Setup,
    stop: &AtomicBool,
    show: &mut dyn FnMut(&Live),
) -> anyhow::Result<Results> {
    let load = &plan.scenario.load;
    let (warm_up, length) = (nanoseconds(load.warm_up), nanoseconds(load.warm_up + load.duration));
    let threads = setup.threads.clamp(1, plan.devices.len());
    let control = Arc::new(Control::new(threads, warm_up, length));
    let plan = Arc::new(plan);
    let watched = setup.pid.map(Watched::begin).transpose()?;
    let (to_main, intervals) = channel();
    let measure = || Measure::new(Arc::clone(&control), plan.primary, to_main.clone());
    let mut started = Threads { control: Arc::clone(&control), shards: Vec::new(), end: None };
    if let Some(listener) = setup.listener {
        started.end = Some(start_end(listener, &plan, measure(), &control, setup.end_core)?);
    }
    for index in 0..threads {
        let shard = Shard::new(index, Arc::clone(&plan), Arc::clone(&control), measure())?;
        let core = (!setup.cores.is_empty()).then(|| setup.cores[index % setup.cores.len()]);
        let thread = thread::Builder::new().name(format!("shard-{index}"));
        started.shards.push(thread.spawn(move || {
            limits::pin(core);
            shard.run()
        })?);
    }
    drop(to_main);
    let mut conductor = Conductor {
        plan: &plan,
        control: &control,
        intervals,
        series: Series::new(length),
        watched,
        stop,
        show,
    };
    let timeline = conductor.phases(&started);
    let (outcomes, end) = started.join()?;
    let timeline = timeline.map_err(|error| with_errors(error, &outcomes))?;
    conductor.take_intervals();
    let Conductor { series, watched, .. } = conductor;
    let gathered = Gathered { outcomes, end, series, watched, timeline, cores: setup.cores };
    Ok(gather(&plan, gathered))
}

/// Says with which errors it didn't work.
fn with_errors(error: anyhow::Error, outcomes: &[Outcome]) -> anyhow::Error {
    let mut kinds = std::collections::BTreeMap::<&str, u64>::new();
    for (kind, count) in outcomes.iter().flat_map(|outcome| &outcome.totals.errors) {
        *kinds.entry(kind).or_default() += count;
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, count)| format!("{kind} {count} times")).collect();
    if kinds.is_empty() { error } else { anyhow!("{error}: {}", kinds.join(", ")) }
}

fn start_end(
    listener: TcpListener,
    plan: &Plan,
    measure: Measure,
    control: &Arc<Control>,
    core: Option<usize>,
) -> anyhow::Result<JoinHandle<io::Result<Received>>> {
    let scenario = &plan.scenario;
    let demand = match scenario.message.stamp {
        Stamping::Bare => Demand::Nothing,
        Stamping::Stamped if scenario.message.keeps_bytes(&scenario.devices.dialect) => {
            Demand::Bytes
        }
        Stamping::Stamped => Demand::Stamp,
    };
    let expected = Expected::Run { run: plan.run, measure: Box::new(measure), demand };
    let manner = if plan.end == End::Echo { Manner::Echo } else { Manner::Sink };
    let sink = Sink::new(listener, manner, plan.clock, Receiver::new(expected))?;
    let control = Arc::clone(control);
    let thread = thread::Builder::new().name("end".to_owned());
    Ok(thread.spawn(move || {
        limits::pin(core);
        sink.run(&control)
    })?)
}

impl Threads {
    fn any_finished(&self) -> bool {
        self.shards.iter().any(JoinHandle::is_finished)
            || self.end.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Ends all threads and takes what they found out: the shards first, so that the end hears their last words.
    fn join(self) -> anyhow::Result<(Vec<Outcome>, Option<Received>)> {
        self.control.enter(Phase::Closing);
        let shards: Vec<_> = self.shards.into_iter().map(|shard| ("shard", shard.join())).collect();
        let gauges = &self.control.end;
        let mut quiet = 0;
        let mut last = u64::MAX;
        // Bytes that are still in the system's buffers are read before the end stops.
        for _ in 0..200 {
            let arrived = gauges.received.load(Ordering::Relaxed);
            quiet = if arrived == last { quiet + 1 } else { 0 };
            last = arrived;
            let all_gone = gauges.connected.load(Ordering::Relaxed) == 0;
            if self.end.is_none() || quiet >= 20 || (all_gone && quiet >= 4) {
                break;
            }
            thread::sleep(LOOK);
        }
        self.control.enter(Phase::Over);
        let end = self.end.map(JoinHandle::join);
        let mut outcomes = Vec::new();
        for (name, outcome) in shards {
            outcomes.push(joined(name, outcome)?);
        }
        let end = end.map(|end| joined("end", end)).transpose()?;
        Ok((outcomes, end))
    }
}

fn joined<T>(name: &str, outcome: thread::Result<io::Result<T>>) -> anyhow::Result<T> {
    outcome
        .map_err(|_| anyhow!("thread {name} panicked"))?
        .with_context(|| format!("thread {name}"))
}

/// When the parts of a run were, in nanoseconds of its clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timeline {
    pub(super) first_connect: u64,
    pub(super) start: u64,
    pub(super) stop: u64,
    pub(super) drained: u64,
    pub(super) interrupted: bool,
    /// Devices that weren't connected when the load began.
    pub(super) never_connected: u64,
}

struct Conductor<'c> {
    plan: &'c Plan,
    control: &'c Control,
    intervals: Channel<Interval>,
    series: Series,
    watched: Option<Watched>,
    stop: &'c AtomicBool,
    show: &'c mut dyn FnMut(&Live),
}

impl Conductor<'_> {
    fn phases(&mut self, threads: &Threads) -> anyhow::Result<Timeline> {
        let mut timeline = Timeline { first_connect: self.now(), ..Timeline::default() };
        timeline.never_connected = self.connect(threads, timeline.first_connect)?;
        if let Some(watched) = &mut self.watched {
            watched.connected();
        }
        timeline.start = self.now() + LEAD_NS;
        self.control.start_at(timeline.start);
        self.load(threads, &mut timeline);
        self.drain(threads);
        timeline.drained = self.now();
        Ok(timeline)
    }

    fn now(&self) -> u64 {
        self.plan.clock.now()
    }

    /// Until every device is connected, or has failed for long enough. How many aren't.
    fn connect(&mut self, threads: &Threads, from: u64) -> anyhow::Result<u64> {
        let scenario = &self.plan.scenario;
        let ramp_up = from + nanoseconds(scenario.load.ramp_up);
        let give_up = ramp_up + nanoseconds(scenario.connections.connect_timeout) + SECOND;
        let clients = self.plan.devices.len() as u64 + u64::from(self.plan.controller.is_some());
        loop {
            self.look(Phase::Connecting, from);
            let connected = self.control.sum(|gauges| &gauges.connected);
            let failed = self.control.sum(|gauges| &gauges.failed);
            let now = self.now();
            if connected >= clients {
                return Ok(0);
            }
            if self.stop.load(Ordering::Relaxed) {
                bail!(
                    "interrupted while connecting; {connected} of {clients} connections were there"
                );
            }
            if threads.any_finished() {
                bail!("a thread ended early");
            }
            if connected == 0 && failed >= clients && now > ramp_up {
                bail!("no device could connect to {}", self.plan.target);
            }
            if now > give_up {
                if connected == 0 {
                    bail!("no device could connect to {}", self.plan.target);
                }
                return Ok(clients - connected);
            }
        }
    }

    fn load(&mut self, threads: &Threads, timeline: &mut Timeline) {
        let (warm_up, length) = self.control.lengths();
        let end = timeline.start + length;
        let mut measuring = false;
        while self.now() < end && !threads.any_finished() {
            if self.stop.load(Ordering::Relaxed) {
                timeline.interrupted = true;
                break;
            }
            if !measuring && self.now() >= timeline.start + warm_up {
                measuring = true;
                if let Some(watched) = &mut self.watched {
                    watched.measured_begins();
                }
            }
            self.look(Phase::Load, timeline.start);
        }
        timeline.stop = self.now().min(end);
        if let Some(watched) = &mut self.watched {
            watched.measured_ends();
        }
        self.control.stop_at(timeline.stop);
    }

    /// Until everything that was sent is where it belongs, or nothing moves any more, or the time is over.
    fn drain(&mut self, threads: &Threads) {
        let from = self.now();
        let most = nanoseconds(self.plan.scenario.load.drain);
        let (mut moved, mut last) = (from, u64::MAX);
        // The gauges of the last turn have to be there.
        while !threads.any_finished() {
            self.look(Phase::Draining, from);
            let now = self.now();
            let sum = |gauge: fn(&Gauges) -> &AtomicU64| self.control.sum(gauge);
            let (sent, commands) = (sum(|all| &all.sent), sum(|all| &all.commands_sent));
            let (received, answered) = (sum(|all| &all.received), sum(|all| &all.answered));
            let arrived = self.control.end.received.load(Ordering::Relaxed);
            let echoed = self.control.end.sent.load(Ordering::Relaxed);
            let state = sent + commands + received + answered + arrived + echoed;
            if state != last {
                (moved, last) = (now, state);
            }
            let outstanding = sum(|all| &all.outstanding);
            let up = self.plan.end == End::Foreign || arrived >= sent;
            let complete = outstanding == 0 && up && received >= echoed + commands;
            let settled = now - from > SECOND / 20;
            if (complete && settled) || now - from > most || now - moved > most / QUIET_PART {
                return;
            }
        }
    }

    /// Waits a moment, takes what came in, and shows it.
    fn look(&mut self, phase: Phase, from: u64) {
        thread::sleep(LOOK);
        self.take_intervals();
        let (_, load_ns) = self.control.lengths();
        let over_ns = self.now().saturating_sub(from).min(load_ns);
        if let Some(watched) = &mut self.watched {
            watched.look();
        }
        (self.show)(&Live {
            phase,
            load_ns,
            over_ns: if phase == Phase::Connecting { 0 } else { over_ns },
            connected: self.control.sum(|gauges| &gauges.connected),
            devices: self.plan.devices.len() as u64,
            second: self.series.last_complete(over_ns / SECOND),
            errors: self.series.errors(),
        });
    }

    fn take_intervals(&mut self) {
        while let Ok(interval) = self.intervals.try_recv() {
            self.series.add(interval);
        }
    }
}

//! One run, from the first process to the last message.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use fastrand::Rng;
use interlingua::mqtt::Version;

use super::line::{Cuts, Introduction};
use super::listener::Listener;
use super::message::{Channel, Course, Message, Side, Way};
use super::processes::{Processes, Proxy, ProxyPlan};
use super::publisher::{Keeping, Pace, Publisher};
use super::state::{Gate, State};
use super::verdict::{Arrival, Promise, Sent, judge};
use super::{Options, Outcome, forwarder};

/// The first stream's number; those of listeners are lower. ThingScale's devices have numbers for names.
const FIRST: u32 = 1000;
/// A recorder takes so many messages at most that its packet identifiers never begin anew. With one recorder for 200,000
/// messages they did, and from then on Mosquitto 2.0.11 delivered late and out of order, without the proxy too.
pub(super) const RECORDED: u32 = 40_000;
/// And so many devices.
const RECORDED_DEVICES: u32 = 10;
/// Each thread has one connection, and not much else.
const STACK: usize = 256 * 1024;

/// Where things are.
#[derive(Debug, Clone, Copy)]
struct Place {
    course: Course,
    /// What devices speak. Who stands at the broker itself speaks 3.1.1.
    version: Version,
    /// Where devices connect.
    front: SocketAddr,
    broker: SocketAddr,
}

/// Starts everything, waits for the end and judges.
pub(super) fn run(options: &Options, seed: u64) -> anyhow::Result<Outcome> {
    let since = Instant::now();
    let mut rng = Rng::with_seed(seed);
    let course = options.course();
    let longest = Duration::from_secs(options.minutes * 60);
    let state = Arc::new(State::new(u64::from(options.messages), FIRST + options.devices, longest));
    let processes = Processes::new()?;
    let broker = processes.start_mosquitto()?;
    let upstream = forwarder::start(broker, rng.fork(), Arc::clone(&state))?;
    let version = options.upstream_version;
    let plan = ProxyPlan { course, listen: ([127, 0, 0, 1], 0).into(), upstream, version };
    let (proxy, front) = match course {
        Course::Direct => (None, upstream),
        Course::Plain | Course::Translated => {
            let proxy = processes.start_proxy(&plan)?;
            let front = proxy.address;
            (Some(proxy), front)
        }
    };
    let place = Place { course, version: options.version, front, broker };
    let plan = ProxyPlan { listen: front, ..plan };

    let up = start_up(options, place, &state, &mut rng)?;
    let down = match course {
        Course::Translated => Traffic::default(),
        Course::Direct | Course::Plain => start_down(options, place, &state, &mut rng)?,
    };
    if let Some(proxy) = proxy {
        kill_and_restart(options, &processes, proxy, &plan, &state)?;
    }
    let (up_sent, up_arrivals) = up.finish(Some(|| end_of_up(place, options, &state)))?;
    let (down_sent, down_arrivals) = down.finish(None::<fn() -> Publisher>)?;

    let promise = match course {
        Course::Translated => Promise::Clamped,
        Course::Direct | Course::Plain => Promise::ExactlyOnce,
    };
    Ok(Outcome {
        up: judge(&up_sent, &up_arrivals, promise),
        down: judge(&down_sent, &down_arrivals, Promise::ExactlyOnce),
        seen: state.take_violations(),
        events: events(&state, since.elapsed()),
    })
}

fn events(state: &State, took: Duration) -> String {
    format!(
        "{} connections; cut by devices {}, cut upstream {}, closed on devices {}, kills {}, sent again {}; {:.1} s",
        state.connections.get(),
        state.device_cuts.get(),
        state.upstream_cuts.get(),
        state.closed.get(),
        state.kills.get(),
        state.resent.get(),
        took.as_secs_f64()
    )
}

/// The threads of one way.
#[derive(Debug, Default)]
struct Traffic {
    publishers: Vec<JoinHandle<Vec<Sent>>>,
    listeners: Vec<JoinHandle<Vec<Arrival>>>,
}

impl Traffic {
    /// Waits for all of them. `last` sends what ends the listeners, if the publishers don't do it themselves.
    fn finish(
        self,
        last: Option<impl FnOnce() -> Publisher>,
    ) -> anyhow::Result<(Vec<Sent>, Vec<Arrival>)> {
        let mut sent = gather(self.publishers)?;
        if let Some(last) = last {
            sent.extend(last().run());
        }
        Ok((sent, gather(self.listeners)?))
    }
}

fn gather<T>(threads: Vec<JoinHandle<Vec<T>>>) -> anyhow::Result<Vec<T>> {
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| anyhow!("a thread of the soak panicked"))?);
    }
    Ok(all)
}

/// Starts the recorders and, once they listen, the devices.
fn start_up(
    options: &Options,
    place: Place,
    state: &Arc<State>,
    rng: &mut Rng,
) -> anyhow::Result<Traffic> {
    let (sender, subscribed) = mpsc::channel();
    let mut listeners = Vec::new();
    for streams in recorded_streams(options) {
        let pattern = match place.course {
            Course::Translated => "/plant/d{}/#",
            Course::Direct | Course::Plain => "soak/up/{}/#",
        };
        let filter = |stream: &u32| pattern.replace("{}", &stream.to_string());
        let name = format!("soak-recorder-{}", listeners.len());
        let recorder = Listener {
            state: Arc::clone(state),
            introduction: nobody_special(place.broker, name),
            cuts: Cuts::Never,
            course: place.course,
            side: Side::Broker,
            topic_filters: streams.iter().map(filter).collect(),
            subscribed: Some(sender.clone()),
        };
        listeners.push(spawn(move || recorder.run())?);
    }
    await_subscribed(&subscribed, listeners.len(), state)?;
    let keeping = match place.course {
        Course::Translated => Keeping::Lost,
        Course::Direct | Course::Plain => Keeping::Kept,
    };
    let mut publishers = Vec::new();
    for device in 0..options.devices {
        // The first devices take what doesn't divide.
        let share = options.messages / options.devices
            + u32::from(device < options.messages % options.devices);
        let stream = FIRST + device;
        let messages = plan_messages(Way::Up, stream, share, 0..=2, rng);
        let introduction = device_introduction(place, stream);
        let publisher = Publisher::new(state, introduction, place.course, Side::Device, messages)
            .with_cuts(Cuts::Random(rng.fork()), keeping);
        publishers.push(spawn(move || publisher.run())?);
    }
    Ok(Traffic { publishers, listeners })
}

/// The streams of each recorder.
fn recorded_streams(options: &Options) -> Vec<Vec<u32>> {
    let share = options.messages.div_ceil(options.devices);
    let devices = (RECORDED / share).clamp(1, RECORDED_DEVICES);
    let streams: Vec<u32> = (FIRST..FIRST + options.devices).collect();
    streams.chunks(devices as usize).map(<[u32]>::to_vec).collect()
}

/// The messages that end the recorders, sent on the broker when the devices are done.
fn end_of_up(place: Place, options: &Options, state: &Arc<State>) -> Publisher {
    let last = |streams: Vec<u32>| Message {
        way: Way::Up,
        stream: streams[0],
        number: u32::MAX,
        channel: Channel::End,
        level: 1,
    };
    let messages = recorded_streams(options).into_iter().map(last).collect();
    let introduction = nobody_special(place.broker, "soak-end".to_owned());
    Publisher::new(state, introduction, place.course, Side::Broker, messages)
}

/// Starts the listening devices and, once all of them are subscribed, the publisher on the broker.
fn start_down(
    options: &Options,
    place: Place,
    state: &Arc<State>,
    rng: &mut Rng,
) -> anyhow::Result<Traffic> {
    let devices = (options.devices / 10).max(1);
    let (sender, subscribed) = mpsc::channel();
    let (mut listeners, mut streams) = (Vec::new(), Vec::new());
    for stream in 0..devices {
        let listener = Listener {
            state: Arc::clone(state),
            introduction: device(place, format!("soak-listener-{stream}")),
            cuts: Cuts::Random(rng.fork()),
            course: place.course,
            side: Side::Device,
            topic_filters: vec![format!("soak/down/{stream}/#")],
            subscribed: Some(sender.clone()),
        };
        listeners.push(spawn(move || listener.run())?);
        let share = options.messages / 5 / devices;
        let mut messages = plan_messages(Way::Down, stream, share, 1..=2, rng);
        let last =
            Message { way: Way::Down, stream, number: share, channel: Channel::End, level: 2 };
        messages.push(last);
        streams.push(messages);
    }
    await_subscribed(&subscribed, listeners.len(), state)?;
    let introduction = nobody_special(place.broker, "soak-publisher".to_owned());
    let publisher =
        Publisher::new(state, introduction, place.course, Side::Broker, in_turn(&streams))
            .with_pace(Pace::WithUp);
    Ok(Traffic { publishers: vec![spawn(move || publisher.run())?], listeners })
}

/// One message of each stream after the other.
fn in_turn(streams: &[Vec<Message>]) -> Vec<Message> {
    let mut all: Vec<Message> = streams.concat();
    all.sort_by_key(|message| (message.number, message.stream));
    all
}

fn plan_messages(
    way: Way,
    stream: u32,
    share: u32,
    levels: std::ops::RangeInclusive<u8>,
    rng: &mut Rng,
) -> Vec<Message> {
    let mut plan = |number| {
        let channel = if rng.bool() { Channel::A } else { Channel::B };
        Message { way, stream, number, channel, level: rng.u8(levels.clone()) }
    };
    (0..share).map(&mut plan).collect()
}

fn device_introduction(place: Place, stream: u32) -> Introduction {
    match place.course {
        Course::Translated => Introduction {
            address: place.front,
            version: place.version,
            client_identifier: format!("{stream}_soak"),
            user_name: Some("U000001"),
            password: Some("TOK"),
        },
        Course::Direct | Course::Plain => device(place, format!("soak-device-{stream}")),
    }
}

fn nobody_special(address: SocketAddr, client_identifier: String) -> Introduction {
    let version = Version::V311;
    Introduction { address, version, client_identifier, user_name: None, password: None }
}

fn device(place: Place, client_identifier: String) -> Introduction {
    Introduction { version: place.version, ..nobody_special(place.front, client_identifier) }
}

fn await_subscribed(
    subscribed: &mpsc::Receiver<()>,
    many: usize,
    state: &State,
) -> anyhow::Result<()> {
    for _ in 0..many {
        let left = state.left().unwrap_or_default();
        subscribed.recv_timeout(left).context("waiting for SUBACK")?;
    }
    Ok(())
}

fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<JoinHandle<T>> {
    thread::Builder::new().stack_size(STACK).spawn(work).context("starting a thread")
}

/// Kills the proxy at even distances of the messages up, and starts it again on its port.
fn kill_and_restart(
    options: &Options,
    processes: &Processes,
    mut proxy: Proxy,
    plan: &ProxyPlan,
    state: &State,
) -> anyhow::Result<()> {
    for kill in 1..=options.kills {
        let share = u64::from(kill) * state.messages_up / u64::from(options.kills + 1);
        state.await_that(|| state.done_up.get() >= share);
        if state.left().is_none() {
            break;
        }
        state.set_gate(Gate::Shut);
        processes.kill_proxy(&proxy);
        state.kills.add(1);
        proxy = processes.start_proxy(plan)?;
        state.set_gate(Gate::Open);
    }
    Ok(())
}

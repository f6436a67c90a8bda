//! One sending thread: its devices, and the loop that connects, sends what is due, waits and reads.
//!
//! Everything that happens to a client happens here, one after the other. Invariant: a client is in the list of those
//! that may send at most once, and whoever may send is in it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mio::event::Event;
use mio::{Events, Token};

use super::client::{Client, Ending, Role, State};
use super::clock::SECOND;
use super::control::{Control, Phase};
use super::conversation::Appetite;
use super::desk::{Desk, Timing};
use super::happenings::Happenings;
use super::measure::{Measure, Totals};
use super::plan::Plan;
use super::schedule::Schedule;
use super::wait::{TIMER, Waited, Waiter};
use crate::check::{Books, Seen};

/// How often clients are looked at for what has no event of its own: keep alive, overdue answers, slow reading.
const LOOK_EVERY_NS: u64 = SECOND / 10;
/// How often clients are counted while nothing is measured.
const GAUGE_EVERY_NS: u64 = SECOND / 200;
/// How long a device waits before it comes back after a connection that the target ended.
const COME_BACK_NS: u64 = SECOND;

/// One thread's part of a run.
pub(crate) struct Shard {
    index: usize,
    pub(super) clients: Vec<Client>,
    pub(super) desk: Desk,
    pub(super) control: Arc<Control>,
    waiter: Waiter,
    pub(super) happenings: Happenings,
    /// Clients that may send.
    pub(super) ready: Vec<usize>,
    /// The next message of the schedules.
    pub(super) next_message: u64,
    pub(super) next_command: u64,
    next_look: u64,
    next_gauge: u64,
}

/// What a thread has found out.
pub(crate) struct Outcome {
    pub(crate) totals: Totals,
    /// What was sent by which device.
    pub(crate) books: Vec<(u32, Books)>,
    /// What the controller sent, if it was on this thread.
    pub(crate) commands: Option<Books>,
    pub(crate) echoes: Seen,
    pub(crate) received_commands: Seen,
}

impl Shard {
    /// The part of thread `index`: each device whose number is that modulo the threads.
    pub(crate) fn new(
        index: usize,
        plan: Arc<Plan>,
        control: Arc<Control>,
        measure: Measure,
    ) -> io::Result<Self> {
        let shards = control.shards.len();
        let scenario = &plan.scenario;
        let slow = scenario.connections.slow_readers;
        let numbers = (0..scenario.devices.count).skip(index).step_by(shards);
        let mut clients: Vec<Client> = numbers
            .enumerate()
            .map(|(place, number)| {
                let timing = if number < slow { Timing::LeftOut } else { Timing::Counted };
                Client::new(Role::Device(number), place as u64, timing)
            })
            .collect();
        let devices = clients.len() as u64;
        let share = clients.len() as f64 / f64::from(scenario.devices.count);
        let schedule = Schedule::new(&scenario.load, scenario.devices.count, share);
        let length = scenario.load.warm_up + scenario.load.duration;
        let commands = Schedule::constant(scenario.commands.rate, length);
        if index == 0 && plan.controller.is_some() {
            clients.push(Client::new(Role::Controller, 0, Timing::Counted));
        }
        let happenings = Happenings::new(&plan, &clients);
        let desk = Desk::new(plan, measure, schedule, commands, devices);
        Ok(Self {
            index,
            clients,
            desk,
            control,
            waiter: Waiter::new()?,
            happenings,
            ready: Vec::new(),
            next_message: 0,
            next_command: 0,
            next_look: 0,
            next_gauge: 0,
        })
    }

    /// Runs until the control says that it's over.
    pub(crate) fn run(mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        loop {
            let now = self.now();
            self.desk.phase = self.control.phase();
            if self.desk.phase >= Phase::Closing {
                return Ok(self.finish(now));
            }
            self.desk.measure.roll(now);
            self.connections(now);
            self.due(now);
            let sent = self.send(now);
            self.gauge(now);
            let wait = self.next_wait();
            let waited = self.waiter.wait(&mut events, wait)?;
            if waited == Waited::Looked && events.is_empty() && sent == 0 {
                self.desk.measure.spun(now);
            } else {
                self.desk.measure.worked();
            }
            for event in &events {
                if event.token() != TIMER {
                    self.on_event(event);
                }
            }
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.desk.plan.clock.now()
    }

    /// What the scenario wants with connections at this time, and what has no event of its own.
    fn connections(&mut self, now: u64) {
        let start = self.desk.measure.start();
        while let Some(index) = self.happenings.next_open(now) {
            self.open(index, now);
        }
        if self.desk.phase == Phase::Load {
            if self.happenings.storm(start, now) {
                for index in 0..self.clients.len() {
                    if matches!(self.clients[index].role, Role::Device(_)) {
                        self.end(index, Ending::Wanted, now);
                    }
                }
            }
            while let Some(index) = self.happenings.next_leaver(start, now) {
                self.leave(index, now);
            }
        }
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY_NS;
            self.look(now);
        }
    }

    fn open(&mut self, index: usize, now: u64) {
        if self.clients[index].state != State::Idle {
            return;
        }
        let registry = self.waiter.registry();
        if let Err(label) = self.clients[index].open(Token(index), registry, &mut self.desk, now) {
            self.end(index, Ending::Unwanted(label), now);
        }
    }

    /// Ends a connection; its device comes back.
    fn end(&mut self, index: usize, ending: Ending, now: u64) {
        if self.clients[index].state == State::Idle && ending == Ending::Wanted {
            return;
        }
        self.clients[index].close(ending, self.waiter.registry(), &mut self.desk);
        let again = match ending {
            Ending::Wanted => now,
            Ending::Unwanted(_) => now + COME_BACK_NS,
        };
        self.happenings.open_at(index, again);
    }

    fn leave(&mut self, index: usize, now: u64) {
        let client = &mut self.clients[index];
        if client.state == State::Up {
            client.state = State::Leaving;
            client.since = now;
            self.go_if_done(index, now);
        }
    }

    /// A leaving client goes when everything is acknowledged.
    fn go_if_done(&mut self, index: usize, now: u64) {
        let client = &mut self.clients[index];
        if client.state == State::Leaving && client.outstanding() == 0 {
            client.say_goodbye(&mut self.desk, now);
            self.end(index, Ending::Wanted, now);
        }
    }

    fn look(&mut self, now: u64) {
        let connections = &self.desk.plan.scenario.connections;
        let timeout = connections.connect_timeout;
        let bite = (f64::from(connections.slow_reader_bytes) / 10.0).ceil() as usize;
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            if client.is_overdue(timeout, now) {
                let label = match client.state {
                    State::Opening => "connect_timeout",
                    State::Leaving => "leave_timeout",
                    _ => "no_answer",
                };
                self.end(index, Ending::Unwanted(label), now);
                continue;
            }
            let mut outcome = client.keep_alive(&mut self.desk, now);
            if outcome.is_ok() && client.timing == Timing::LeftOut && client.state != State::Idle {
                outcome = client.on_readable(Appetite::Bytes(bite), &mut self.desk, now);
            }
            self.after(index, outcome, now);
        }
    }

    /// Lets each client that may send do so once. How many did.
    fn send(&mut self, now: u64) -> usize {
        let turn = std::mem::take(&mut self.ready);
        let count = turn.len();
        for index in turn {
            let client = &mut self.clients[index];
            client.listed = false;
            client.fill(&mut self.desk, now);
            let outcome = client.write(&mut self.desk, now);
            self.after(index, outcome, now);
        }
        count
    }

    fn on_event(&mut self, event: &Event) {
        let index = event.token().0;
        let now = self.now();
        self.desk.measure.roll(now);
        let client = &mut self.clients[index];
        if client.state == State::Idle {
            return;
        }
        let mut outcome = Ok(());
        if event.is_writable() {
            outcome = client.on_writable(&mut self.desk, now);
        }
        if outcome.is_ok() && event.is_readable() && client.reads_at_once() {
            outcome = client.on_readable(Appetite::All, &mut self.desk, now);
        }
        self.after(index, outcome, now);
    }

    /// What follows from what a client did: its end, or its next turn.
    fn after(&mut self, index: usize, outcome: Result<(), &'static str>, now: u64) {
        match outcome {
            Err(label) => self.end(index, Ending::Unwanted(label), now),
            Ok(()) => {
                self.go_if_done(index, now);
                self.list(index);
            }
        }
    }

    fn gauge(&mut self, now: u64) {
        let gauges = &self.control.shards[self.index];
        let counts = self.desk.measure.counts();
        gauges.sent.store(counts.publish_sent, Ordering::Relaxed);
        gauges.commands_sent.store(counts.commands_sent, Ordering::Relaxed);
        gauges.received.store(counts.publish_received, Ordering::Relaxed);
        gauges.answered.store(counts.publish_acknowledged, Ordering::Relaxed);
        // The rest needs all clients, and nobody needs it with every turn.
        if now < self.next_gauge {
            return;
        }
        self.next_gauge =
            now + if self.desk.phase == Phase::Load { LOOK_EVERY_NS } else { GAUGE_EVERY_NS };
        let is_connected = |client: &&Client| matches!(client.state, State::Up | State::Leaving);
        let connected = self.clients.iter().filter(is_connected).count() as u64;
        let failed =
            self.clients.iter().filter(|client| client.failed && client.state != State::Up);
        let unsent = |client: &Client| client.due.saturating_sub(client.next);
        let outstanding: u64 =
            self.clients.iter().map(|client| client.outstanding() + unsent(client)).sum();
        gauges.connected.store(connected, Ordering::Relaxed);
        gauges.failed.store(failed.count() as u64, Ordering::Relaxed);
        gauges.outstanding.store(outstanding, Ordering::Relaxed);
        self.desk.measure.second().connected = connected;
    }

    /// Everybody says good-bye.
    fn finish(mut self, now: u64) -> Outcome {
        self.desk.measure.roll(now);
        let mut books = Vec::with_capacity(self.clients.len());
        let mut commands = None;
        for mut client in self.clients {
            let unsent = client.due.saturating_sub(client.next);
            self.desk.measure.counts().publish_unsent += unsent;
            if matches!(client.state, State::Up | State::Leaving) {
                client.say_goodbye(&mut self.desk, now);
                client.close(Ending::Wanted, self.waiter.registry(), &mut self.desk);
            }
            match client.role {
                Role::Device(number) => books.push((number, client.books)),
                Role::Controller => commands = Some(client.books),
            }
        }
        Outcome {
            books,
            commands,
            echoes: self.desk.echoes,
            received_commands: self.desk.received_commands,
            totals: self.desk.measure.finish(),
        }
    }
}

//! One connection: a device, or the controller. What it sends and when it may; reading is in `conversation`.
//!
//! A client holds bytes only while the socket doesn't take them, or while a packet is incomplete.
//! Invariant: while something is pending nothing more is encoded, so a slow target slows its devices and no buffer grows.

use std::io::{self, Write};
use std::time::Duration;

use interlingua::mqtt::{
    Connect, Disconnect, PINGREQ, PacketIdentifier, Properties, Qos, ReasonCode, RetainHandling,
    Subscription, Version, encode_subscribe,
};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::clock::SECOND;
use super::control::Phase;
use super::desk::{Desk, Timing};
use super::flight::{Flight, Stage, Waiting};
use super::plan::Plan;
use super::socket;
use crate::check::Books;
use crate::scenario::Pacing;

/// Bytes of one turn of one client: then others get theirs.
const TURN_BYTES: usize = 16 * 1024;
/// The identifier of the one SUBSCRIBE; messages don't get that far.
const SUBSCRIBE_IDENTIFIER: PacketIdentifier = PacketIdentifier::new(u16::MAX).expect("not 0");

/// What a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The device of this number.
    Device(u32),
    /// The one that sends commands.
    Controller,
}

/// ```text
/// Idle ──▶ Opening ──▶ Greeting ──▶ Subscribing ──▶ Up ──▶ Leaving ──▶ Idle
///              socket      CONNACK      SUBACK         churn
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Without a connection.
    Idle,
    /// TCP is being connected.
    Opening,
    /// CONNECT is sent.
    Greeting,
    /// SUBSCRIBE is sent.
    Subscribing,
    /// It publishes.
    Up,
    /// It publishes no more, and disconnects when everything is acknowledged.
    Leaving,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As the scenario wants.
    Wanted,
    /// By the target or the network: the label of the error.
    Unwanted(&'static str),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) timing: Timing,
    pub(super) socket: Option<TcpStream>,
    /// Encoded, and not taken by the socket.
    pending: Vec<u8>,
    /// The beginning of a packet.
    pub(super) tail: Vec<u8>,
    pub(super) flight: Flight,
    /// Unacknowledged messages at most.
    pub(super) window: u16,
    /// The next message, and how many are due: those below.
    pub(crate) next: u64,
    pub(crate) due: u64,
    /// Whether the thread's list of those that may send has it.
    pub(crate) listed: bool,
    /// Whether a connection of it has failed before the first one worked.
    pub(crate) failed: bool,
    /// Whether it was connected once.
    pub(super) was_up: bool,
    /// Among the thread's devices, for the schedule.
    place: u64,
    /// The first message of this connection.
    connection_start: u64,
    pub(crate) since: u64,
    pub(super) last_sent: u64,
    pub(crate) books: Books,
}

impl Client {
    /// Not connected yet. `place` is its number among the thread's devices.
    pub(crate) fn new(role: Role, place: u64, timing: Timing) -> Self {
        Self {
            role,
            state: State::Idle,
            timing,
            socket: None,
            pending: Vec::new(),
            tail: Vec::new(),
            flight: Flight::default(),
            window: 1,
            next: 0,
            due: 0,
            listed: false,
            failed: false,
            was_up: false,
            place,
            connection_start: 0,
            since: 0,
            last_sent: 0,
            books: Books::default(),
        }
    }

    /// Version of MQTT.
    pub(super) fn version(&self, plan: &Plan) -> Version {
        match (self.role, &plan.controller) {
            (Role::Controller, Some(controller)) => controller.version,
            _ => plan.version,
        }
    }

    /// Begins a connection.
    pub(crate) fn open(
        &mut self,
        token: Token,
        registry: &Registry,
        desk: &mut Desk,
        now: u64,
    ) -> Result<(), &'static str> {
        let plan = &desk.plan;
        let target = match (self.role, &plan.controller) {
            (Role::Controller, Some(controller)) => controller.address,
            _ => plan.target,
        };
        let source = match self.role {
            Role::Device(number) if !plan.sources.is_empty() => {
                Some(plan.sources[number as usize % plan.sources.len()])
            }
            _ => None,
        };
        let buffer = match self.timing {
            Timing::Counted => socket::Buffer::Usual,
            Timing::LeftOut => socket::Buffer::Smallest,
        };
        desk.measure.counts().connects += 1;
        self.since = now;
        let mut stream =
            socket::open(target, source, buffer).map_err(|error| socket::label(&error))?;
        registry
            .register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
            .map_err(|error| socket::label(&error))?;
        self.socket = Some(stream);
        self.state = State::Opening;
        self.connection_start = self.next;
        self.window = plan.scenario.load.in_flight;
        if self.role == Role::Controller {
            self.window = self.window.max(1000);
        }
        Ok(())
    }

    /// The socket says that it can be written: connected, perhaps, or free again.
    pub(crate) fn on_writable(&mut self, desk: &mut Desk, now: u64) -> Result<(), &'static str> {
        if self.state == State::Opening {
            let socket = self.socket.as_ref().ok_or("no_socket")?;
            if let Some(error) = socket.take_error().map_err(|error| socket::label(&error))? {
                return Err(socket::label(&error));
            }
            match socket.peer_addr() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(socket::label(&error)),
            }
            self.greet(desk)?;
            self.state = State::Greeting;
            return self.write(desk, now);
        }
        self.flush_pending()
    }

    fn greet(&self, desk: &mut Desk) -> Result<(), &'static str> {
        let plan = &desk.plan;
        let identity = match (self.role, &plan.controller) {
            (Role::Controller, Some(controller)) => &controller.identity,
            (Role::Controller, None) => return Err("no_commands"),
            (Role::Device(number), _) => &plan.devices[number as usize].identity,
        };
        let connect = Connect {
            version: self.version(plan),
            clean_start: true,
            keep_alive_seconds: plan.scenario.devices.keep_alive_seconds,
            client_identifier: &identity.client_identifier,
            properties: Properties::EMPTY,
            will: None,
            user_name: identity.user_name.as_deref(),
            password: identity.password.as_deref().map(str::as_bytes),
        };
        connect.encode(&mut desk.out).map_err(|fault| fault.label())
    }

    /// After CONNACK: a device that wants commands subscribes.
    pub(super) fn welcome(&mut self, desk: &mut Desk) -> Result<(), &'static str> {
        let version = self.version(&desk.plan);
        let filter = match self.role {
            Role::Device(number) => desk.plan.devices[number as usize].filter.as_deref(),
            Role::Controller => None,
        };
        let Some(topic_filter) = filter else {
            self.rise();
            return Ok(());
        };
        let subscription = Subscription {
            topic_filter,
            qos: desk.plan.scenario.commands.qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let properties = Properties::EMPTY;
        encode_subscribe(version, SUBSCRIBE_IDENTIFIER, properties, &[subscription], &mut desk.out)
            .map_err(|fault| fault.label())?;
        desk.measure.counts().subscribe_sent += 1;
        self.state = State::Subscribing;
        Ok(())
    }

    /// Connected, and subscribed if it wants to be.
    pub(super) fn rise(&mut self) {
        self.state = State::Up;
        self.was_up = true;
    }

    /// Whether it has something to send and may.
    pub(crate) fn may_send(&self, desk: &Desk) -> bool {
        if self.state != State::Up || !self.pending.is_empty() {
            return false;
        }
        let full = desk.phase == Phase::Load
            && desk.plan.scenario.load.pacing == Pacing::Full
            && self.role != Role::Controller;
        (full || self.next < self.due)
            && (desk.qos(self.role) == Qos::AtMostOnce
                || self.flight.len() < usize::from(self.window))
    }

    /// Encodes what is due, as far as window and turn allow.
    pub(crate) fn fill(&mut self, desk: &mut Desk, now: u64) {
        let qos = desk.qos(self.role);
        while desk.out.len() < TURN_BYTES && self.may_send(desk) {
            let Some(intended) = desk.intended(self.role, self.place, self.next, now) else {
                self.due = self.next;
                return;
            };
            let stage = match qos {
                Qos::AtMostOnce => None,
                Qos::AtLeastOnce => Some(Stage::Puback),
                Qos::ExactlyOnce => Some(Stage::Pubrec),
            };
            let waiting = |stage| Waiting { ordinal: self.next, intended, stage };
            let identifier = stage.and_then(|stage| self.flight.add(waiting(stage), self.window));
            if let Err(fault) = desk.publish(self.role, self.next, intended, identifier) {
                desk.measure.error(fault);
                if let Some(identifier) = identifier {
                    self.flight.remove(identifier);
                }
                self.books.undecided.push((self.next, self.next + 1));
            } else {
                self.count_sent(desk, now);
            }
            self.next += 1;
            self.due = self.due.max(self.next);
        }
        self.books.sent = self.next;
    }

    fn count_sent(&self, desk: &mut Desk, now: u64) {
        let measured = u64::from(desk.measure.is_measured(now));
        let counts = desk.measure.counts();
        match self.role {
            Role::Controller => counts.commands_sent += 1,
            Role::Device(_) => {
                counts.publish_sent += 1;
                counts.measured_sent += measured;
                desk.measure.second().sent += 1;
            }
        }
    }

    /// Writes what the desk has for this client; what the socket doesn't take stays here.
    pub(crate) fn write(&mut self, desk: &mut Desk, now: u64) -> Result<(), &'static str> {
        if desk.out.is_empty() {
            return Ok(());
        }
        self.last_sent = now;
        let mut taken = 0;
        if self.pending.is_empty()
            && let Some(socket) = &mut self.socket
        {
            taken = match socket.write(&desk.out) {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => {
                    desk.out.clear();
                    return Err(socket::label(&error));
                }
            };
        }
        self.pending.extend_from_slice(&desk.out[taken..]);
        desk.out.clear();
        Ok(())
    }

    fn flush_pending(&mut self) -> Result<(), &'static str> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while !self.pending.is_empty() {
            match socket.write(&self.pending) {
                Ok(taken) => drop(self.pending.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(socket::label(&error)),
            }
        }
        self.pending = Vec::new();
        Ok(())
    }

    /// Whether a message waits for its acknowledgement.
    pub(crate) fn flight_is_open(&self) -> bool {
        self.flight.len() > 0
    }

    /// Whether it reads as soon as something is there. A slow reader does only until it is connected.
    pub(crate) fn reads_at_once(&self) -> bool {
        self.timing == Timing::Counted || self.state != State::Up
    }

    /// Messages that wait for something: for the socket, or for their acknowledgement.
    pub(crate) fn outstanding(&self) -> u64 {
        (self.flight.len() + usize::from(!self.pending.is_empty())) as u64
    }

    /// Says so if nothing was said for most of the keep alive.
    pub(crate) fn keep_alive(&mut self, desk: &mut Desk, now: u64) -> Result<(), &'static str> {
        let seconds = u64::from(desk.plan.scenario.devices.keep_alive_seconds);
        if self.state != State::Up
            || seconds == 0
            || now - self.last_sent < seconds * SECOND * 3 / 4
        {
            return Ok(());
        }
        desk.out.extend_from_slice(&PINGREQ);
        self.write(desk, now)
    }

    /// Whether it has waited too long for its CONNACK, or for leaving.
    pub(crate) fn is_overdue(&self, timeout: Duration, now: u64) -> bool {
        let waits = !matches!(self.state, State::Idle | State::Up);
        waits && now - self.since > super::clock::nanoseconds(timeout)
    }

    /// Sends DISCONNECT. The connection is to be closed then.
    pub(crate) fn say_goodbye(&mut self, desk: &mut Desk, now: u64) {
        let version = self.version(&desk.plan);
        let reason_code = ReasonCode::Success;
        let disconnect = Disconnect { reason_code, properties: Properties::EMPTY };
        if disconnect.encode(version, &mut desk.out).is_ok() {
            // If it fails the connection is gone, which is what was wanted.
            let _ = self.write(desk, now);
        }
        desk.out.clear();
    }

    /// Closes. What is on its way is nobody's fault if `books` says so.
    pub(crate) fn close(&mut self, ending: Ending, registry: &Registry, desk: &mut Desk) {
        if let Some(mut socket) = self.socket.take() {
            // An error means that it wasn't registered, which is what is wanted.
            let _ = registry.deregister(&mut socket);
        }
        let orderly = ending == Ending::Wanted && self.flight.len() == 0 && self.pending.is_empty();
        let was_connected = !matches!(self.state, State::Idle | State::Opening);
        let counts = desk.measure.counts();
        match ending {
            Ending::Wanted => counts.disconnects_wanted += u64::from(was_connected),
            Ending::Unwanted(label) => {
                counts.disconnects_unwanted += u64::from(was_connected);
                desk.measure.error(label);
            }
        }
        if desk.qos(self.role) == Qos::AtMostOnce {
            if !orderly && self.connection_start < self.next {
                self.books.undecided.push((self.connection_start, self.next));
            }
        } else {
            let waiting = self.flight.clear();
            let count = waiting
                .map(|waiting| self.books.undecided.push((waiting.ordinal, waiting.ordinal + 1)));
            let count = count.count() as u64;
            let counts = desk.measure.counts();
            if desk.phase >= Phase::Closing {
                counts.publish_unanswered += count;
            } else {
                counts.publish_cut_off += count;
            }
        }
        desk.out.clear();
        self.failed |= !self.was_up;
        self.pending = Vec::new();
        self.tail = Vec::new();
        self.state = State::Idle;
    }
}

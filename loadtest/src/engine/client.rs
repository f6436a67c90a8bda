//! One connection, a device's or the controller's: how it begins and ends. What it sends is in `sending`, what it hears in
//! `conversation`.
//!
//! Invariant: a client holds bytes only while the socket doesn't take them, or while a packet is incomplete.

use std::io;
use std::time::Duration;

use interlingua::mqtt::{
    Connect, PacketIdentifier, Properties, Qos, RetainHandling, Subscription, Version,
    encode_subscribe,
};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::control::Phase;
use super::desk::{Desk, Timing};
use super::flight::Flight;
use super::plan::Plan;
use super::socket;
use crate::check::Books;

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
    pub(super) pending: Vec<u8>,
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
    pub(super) place: u64,
    /// The first message of this connection.
    pub(super) connection_start: u64,
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

    /// Whether it has waited too long for its CONNACK, or for leaving.
    pub(crate) fn is_overdue(&self, timeout: Duration, now: u64) -> bool {
        let waits = !matches!(self.state, State::Idle | State::Up);
        waits && now - self.since > super::clock::nanoseconds(timeout)
    }

    /// Closes. What is on its way is nobody's fault if `books` says so.
    pub(crate) fn close(&mut self, ending: Ending, registry: &Registry, desk: &mut Desk) {
        if let Some(mut socket) = self.socket.take() {
            // An error means that it wasn't registered, which is what is wanted.
            let _ = registry.deregister(&mut socket);
        }
        let orderly = ending == Ending::Wanted && self.flight.len() == 0 && self.pending.is_empty();
        let was_connected = !matches!(self.state, State::Idle | State::Opening);
        if was_connected && desk.phase < Phase::Closing {
            desk.measure.ended_early();
        }
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

//! What a client sends: messages that are due, and the bytes that the socket didn't take at once.
//!
//! Invariant: while something is pending nothing more is encoded, so a slow target slows its devices and no buffer grows.

use std::io::{self, Write};

use interlingua::mqtt::{Disconnect, PINGREQ, Properties, Qos, ReasonCode};

use super::client::{Client, Role, State};
use super::clock::SECOND;
use super::control::Phase;
use super::desk::{Desk, Timing};
use super::flight::{Stage, Waiting};
use super::socket;
use crate::scenario::Pacing;

/// Bytes of one turn of one client: then others get theirs.
const TURN_BYTES: usize = 16 * 1024;

impl Client {
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

    pub(super) fn flush_pending(&mut self) -> Result<(), &'static str> {
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
}

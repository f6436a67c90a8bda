//! What a client hears: CONNACK, SUBACK, acknowledgements, messages.
//!
//! Invariant: every packet that wants an answer gets it in the same write as what is due then.

use std::io::{self, Read};

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connack, PacketType, Property, PropertyIdentifier,
    Publish, Qos, RawPacket, ReasonCode, Suback, WireError, next_packet,
};

use super::client::{Client, Role, State};
use super::desk::{Desk, Timing};
use super::flight::{Stage, Waiting};
use super::socket;
use crate::results::LatencyKind;

/// How much may be read in one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appetite {
    /// All that is there.
    All,
    /// So many bytes.
    Bytes(usize),
}

impl Client {
    /// Reads and answers. An error is the label of why the connection has to end.
    pub(crate) fn on_readable(
        &mut self,
        appetite: Appetite,
        desk: &mut Desk,
        now: u64,
    ) -> Result<(), &'static str> {
        loop {
            let kept = self.tail.len();
            let mut buffer = std::mem::take(&mut desk.read);
            let limit = match appetite {
                Appetite::All => buffer.len(),
                Appetite::Bytes(bytes) => buffer.len().min(kept + bytes.max(1)),
            };
            buffer[..kept].copy_from_slice(&self.tail);
            let outcome = self.read_once(&mut buffer[..limit], kept, desk, now);
            desk.read = buffer;
            let read = outcome?;
            // What is due goes with the answers.
            self.fill(desk, now);
            self.write(desk, now)?;
            if read < limit - kept || appetite != Appetite::All {
                return Ok(());
            }
        }
    }

    /// How many bytes came.
    fn read_once(
        &mut self,
        buffer: &mut [u8],
        kept: usize,
        desk: &mut Desk,
        now: u64,
    ) -> Result<usize, &'static str> {
        let Some(socket) = &mut self.socket else { return Ok(0) };
        let read = match socket.read(&mut buffer[kept..]) {
            Ok(0) => return Err("closed_by_target"),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(0),
            Err(error) => return Err(socket::label(&error)),
        };
        let buffer = &buffer[..kept + read];
        let version = self.version(&desk.plan);
        let mut taken = 0;
        while let Some(raw) = next_packet(&buffer[taken..], version, desk.packet_size_max)
            .map_err(|fault| fault.label())?
        {
            taken += raw.bytes.len();
            self.take(raw, desk, now)?;
        }
        self.tail.clear();
        self.tail.extend_from_slice(&buffer[taken..]);
        Ok(read)
    }

    fn take(&mut self, raw: RawPacket<'_>, desk: &mut Desk, now: u64) -> Result<(), &'static str> {
        let version = self.version(&desk.plan);
        let malformed = |fault: WireError| fault.label();
        match raw.packet_type {
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
                let found = Acknowledgement::decode(raw, version).map_err(malformed)?;
                self.acknowledged(&found, desk, now)
            }
            PacketType::Publish => {
                let publish = Publish::decode(raw, version).map_err(malformed)?;
                self.message(&publish, desk, now)
            }
            PacketType::Connack => {
                let connack = Connack::decode(raw, version).map_err(malformed)?;
                self.let_in(&connack, desk, now)
            }
            PacketType::Suback => {
                let suback = Suback::decode(raw, version).map_err(malformed)?;
                self.subscribed(&suback, desk)
            }
            PacketType::Pingresp => Ok(()),
            PacketType::Disconnect => Err("disconnect_received"),
            _ => Err("unexpected_packet"),
        }
    }

    fn let_in(
        &mut self,
        connack: &Connack<'_>,
        desk: &mut Desk,
        now: u64,
    ) -> Result<(), &'static str> {
        if self.state != State::Greeting {
            return Err("unexpected_packet");
        }
        if connack.reason_code != ReasonCode::Success {
            desk.measure.counts().refused += 1;
            return Err("connect_refused");
        }
        if let Some(Property::ReceiveMaximum(most)) =
            connack.properties.find(PropertyIdentifier::ReceiveMaximum)
        {
            self.window = self.window.min(most);
        }
        desk.measure.counts().accepted += 1;
        desk.measure.connected(now - self.since);
        self.welcome(desk)
    }

    fn subscribed(&mut self, suback: &Suback<'_>, desk: &mut Desk) -> Result<(), &'static str> {
        if self.state != State::Subscribing {
            return Err("unexpected_packet");
        }
        let counts = desk.measure.counts();
        if suback.reason_codes.iter().all(|code| *code <= 2) {
            counts.subscribe_granted += 1;
        } else {
            counts.subscribe_refused += 1;
            desk.measure.error("subscribe_refused");
        }
        self.rise();
        Ok(())
    }

    fn acknowledged(
        &mut self,
        found: &Acknowledgement<'_>,
        desk: &mut Desk,
        now: u64,
    ) -> Result<(), &'static str> {
        use AcknowledgementKind::{Puback, Pubcomp, Pubrec, Pubrel};
        let (kind, identifier) = (found.kind, found.packet_identifier);
        if kind == Pubrel {
            return self.answer(Pubcomp, found, desk);
        }
        let Some(waiting) = self.flight.get(identifier) else { return unexpected(desk) };
        let awaited = match waiting.stage {
            Stage::Puback => Puback,
            Stage::Pubrec => Pubrec,
            Stage::Pubcomp => Pubcomp,
        };
        if kind != awaited {
            return unexpected(desk);
        }
        let rejected = found.reason_code.is_error();
        if kind == Pubrec && !rejected {
            waiting.stage = Stage::Pubcomp;
            return self.answer(Pubrel, found, desk);
        }
        if let Some(waiting) = self.flight.remove(identifier) {
            self.done(waiting, rejected, desk, now);
        }
        Ok(())
    }

    fn done(&mut self, waiting: Waiting, rejected: bool, desk: &mut Desk, now: u64) {
        if rejected {
            desk.measure.counts().publish_rejected += 1;
            self.books.undecided.push((waiting.ordinal, waiting.ordinal + 1));
            return;
        }
        if self.role == Role::Controller {
            return;
        }
        let measured = u64::from(desk.measure.is_measured(now));
        let counts = desk.measure.counts();
        counts.publish_acknowledged += 1;
        counts.measured_acknowledged += measured;
        desk.measure.second().acknowledged += 1;
        if self.timing == Timing::Counted {
            desk.measure.latency(LatencyKind::Acknowledged, waiting.intended, now);
        }
    }

    fn message(
        &mut self,
        publish: &Publish<'_>,
        desk: &mut Desk,
        now: u64,
    ) -> Result<(), &'static str> {
        let measured = u64::from(desk.measure.is_measured(now));
        let counts = desk.measure.counts();
        counts.publish_received += 1;
        counts.measured_received += measured;
        desk.measure.second().received += 1;
        if let Role::Device(number) = self.role {
            desk.received(number, publish.payload, self.timing, now);
        }
        let kind = match publish.qos {
            Qos::AtMostOnce => return Ok(()),
            Qos::AtLeastOnce => AcknowledgementKind::Puback,
            Qos::ExactlyOnce => AcknowledgementKind::Pubrec,
        };
        let identifier = publish.packet_identifier.ok_or("unexpected_packet")?;
        let version = self.version(&desk.plan);
        Acknowledgement::success(kind, identifier)
            .encode(version, &mut desk.out)
            .map_err(|fault| fault.label())
    }

    fn answer(
        &self,
        kind: AcknowledgementKind,
        found: &Acknowledgement<'_>,
        desk: &mut Desk,
    ) -> Result<(), &'static str> {
        let version = self.version(&desk.plan);
        Acknowledgement::success(kind, found.packet_identifier)
            .encode(version, &mut desk.out)
            .map_err(|fault| fault.label())
    }
}

/// Strange, but no reason to end the connection.
fn unexpected(desk: &mut Desk) -> Result<(), &'static str> {
    desk.measure.error("unexpected_acknowledgement");
    Ok(())
}

//! One connection to the sink or echo: reads packets, answers, and sends back.
//!
//! Invariant: while more than [`PENDING_MAX`] waits to be written nothing more is read, so memory is bounded and whoever
//! sends is slowed.

use std::io::{self, Read, Write};

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connack, Connect, EncodeError, PINGRESP,
    PacketIdentifier, PacketType, Properties, Property, PropertyIdentifier, Publish, Qos,
    RawPacket, ReasonCode, Suback, Subscribe, Unsuback, Unsubscribe, Version, WireError,
    next_packet,
};
use mio::Registry;
use mio::net::TcpStream;

use super::{Desk, Manner};

/// Bytes that may wait for a connection before it isn't read any more.
const PENDING_MAX: usize = 256 * 1024;
/// The largest packet that is taken.
const PACKET_SIZE_MAX: usize = 1024 * 1024;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By DISCONNECT or by the other side.
    Usual,
    /// The label of what was wrong.
    Fault(&'static str),
}

impl From<WireError> for End {
    fn from(fault: WireError) -> Self {
        End::Fault(fault.label())
    }
}

impl From<EncodeError> for End {
    fn from(fault: EncodeError) -> Self {
        End::Fault(fault.label())
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// From its CONNECT; before it any will do.
    version: Version,
    tail: Vec<u8>,
    pending: Vec<u8>,
    /// Where echoes go, and how.
    back: Option<(Box<str>, Qos)>,
    last_identifier: u16,
    /// Echoes without their acknowledgement, and how many there may be.
    open: u32,
    receive_maximum: u16,
}

impl Connection {
    /// Accepted, and nothing heard yet.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            version: Version::V311,
            tail: Vec::new(),
            pending: Vec::new(),
            back: None,
            last_identifier: 0,
            open: 0,
            receive_maximum: u16::MAX,
        }
    }

    /// Reads all that is there, answers it, and writes once for each read.
    pub(crate) fn serve(
        &mut self,
        manner: Manner,
        buffer: &mut Vec<u8>,
        desk: &mut Desk,
    ) -> Result<(), End> {
        while self.pending.len() < PENDING_MAX {
            let kept = self.tail.len();
            if kept + 4096 > buffer.len() {
                // A packet that is larger than usual.
                buffer.resize(buffer.len() * 2, 0);
            }
            buffer[..kept].copy_from_slice(&self.tail);
            let read = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err(End::Usual),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(End::Usual),
            };
            let now = desk.clock.now();
            let bytes = &buffer[..kept + read];
            let mut taken = 0;
            while let Some(raw) = next_packet(&bytes[taken..], self.version, PACKET_SIZE_MAX)? {
                taken += raw.bytes.len();
                self.take(raw, manner, desk, now)?;
            }
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[taken..]);
            self.write(desk)?;
            if kept + read < buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        raw: RawPacket<'_>,
        manner: Manner,
        desk: &mut Desk,
        now: u64,
    ) -> Result<(), End> {
        match raw.packet_type {
            PacketType::Publish => {
                let publish = Publish::decode(raw, self.version)?;
                desk.receiver.publish(&publish, now);
                self.acknowledge(&publish, desk)?;
                if manner == Manner::Echo {
                    self.send_back(&publish, desk)?;
                }
                Ok(())
            }
            PacketType::Pubrel | PacketType::Puback | PacketType::Pubrec | PacketType::Pubcomp => {
                let found = Acknowledgement::decode(raw, self.version)?;
                self.acknowledged(&found, desk)
            }
            PacketType::Connect => self.connect(&Connect::decode(raw)?, desk),
            PacketType::Subscribe => self.subscribe(&Subscribe::decode(raw, self.version)?, desk),
            PacketType::Unsubscribe => {
                self.unsubscribe(&Unsubscribe::decode(raw, self.version)?, desk)
            }
            PacketType::Pingreq => {
                desk.out.extend_from_slice(&PINGRESP);
                Ok(())
            }
            PacketType::Disconnect => Err(End::Usual),
            _ => Err(End::Fault("unexpected_packet")),
        }
    }

    fn connect(&mut self, connect: &Connect<'_>, desk: &mut Desk) -> Result<(), End> {
        self.version = connect.version;
        if let Some(Property::ReceiveMaximum(most)) =
            connect.properties.find(PropertyIdentifier::ReceiveMaximum)
        {
            self.receive_maximum = most;
        }
        desk.receiver.connected();
        let (reason_code, properties) = (ReasonCode::Success, Properties::EMPTY);
        let connack = Connack { session_present: false, reason_code, properties };
        Ok(connack.encode(self.version, &mut desk.out)?)
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>, desk: &mut Desk) -> Result<(), End> {
        let mut reason_codes = Vec::new();
        for subscription in subscribe.subscriptions() {
            reason_codes.push(subscription.qos.level());
            self.back = Some((topic_of(subscription.topic_filter).into(), subscription.qos));
        }
        desk.receiver.subscribed();
        let packet_identifier = subscribe.packet_identifier;
        let properties = Properties::EMPTY;
        let suback = Suback { packet_identifier, properties, reason_codes: &reason_codes };
        Ok(suback.encode(self.version, &mut desk.out)?)
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>, desk: &mut Desk) -> Result<(), End> {
        self.back = None;
        let packet_identifier = unsubscribe.packet_identifier;
        let success = vec![0; unsubscribe.topic_filters().count()];
        let reason_codes: &[u8] = if self.version == Version::V5 { &success } else { &[] };
        let unsuback = Unsuback { packet_identifier, properties: Properties::EMPTY, reason_codes };
        Ok(unsuback.encode(self.version, &mut desk.out)?)
    }

    fn acknowledge(&self, publish: &Publish<'_>, desk: &mut Desk) -> Result<(), End> {
        let kind = match publish.qos {
            Qos::AtMostOnce => return Ok(()),
            Qos::AtLeastOnce => AcknowledgementKind::Puback,
            Qos::ExactlyOnce => AcknowledgementKind::Pubrec,
        };
        let identifier = publish.packet_identifier.ok_or(End::Fault("unexpected_packet"))?;
        Ok(Acknowledgement::success(kind, identifier).encode(self.version, &mut desk.out)?)
    }

    /// Answers PUBREC and PUBREL; PUBACK and PUBCOMP end an echo.
    fn acknowledged(&mut self, found: &Acknowledgement<'_>, desk: &mut Desk) -> Result<(), End> {
        let kind = match found.kind {
            AcknowledgementKind::Pubrel => AcknowledgementKind::Pubcomp,
            AcknowledgementKind::Pubrec if !found.reason_code.is_error() => {
                AcknowledgementKind::Pubrel
            }
            _ => {
                self.open = self.open.saturating_sub(1);
                return Ok(());
            }
        };
        let answer = Acknowledgement::success(kind, found.packet_identifier);
        Ok(answer.encode(self.version, &mut desk.out)?)
    }

    fn send_back(&mut self, publish: &Publish<'_>, desk: &mut Desk) -> Result<(), End> {
        let Some((topic_name, granted)) = &self.back else { return Ok(()) };
        let qos = publish.qos.min(*granted);
        let mut packet_identifier = None;
        if qos > Qos::AtMostOnce {
            if self.open >= u32::from(self.receive_maximum) {
                desk.receiver.error("echo_over_receive_maximum");
                return Ok(());
            }
            self.open += 1;
            self.last_identifier = self.last_identifier.checked_add(1).unwrap_or(1);
            packet_identifier = PacketIdentifier::new(self.last_identifier);
        }
        let back = Publish {
            dup: false,
            qos,
            retain: false,
            topic_name,
            packet_identifier,
            properties: Properties::EMPTY,
            payload: publish.payload,
        };
        back.encode(self.version, &mut desk.out)?;
        desk.receiver.sent_back();
        Ok(())
    }

    fn write(&mut self, desk: &mut Desk) -> Result<(), End> {
        let mut taken = 0;
        if self.pending.is_empty() && !desk.out.is_empty() {
            taken = match self.stream.write(&desk.out) {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => return Err(End::Usual),
            };
        }
        self.pending.extend_from_slice(&desk.out[taken..]);
        desk.out.clear();
        Ok(())
    }

    /// Writes what had to wait.
    pub(crate) fn flush(&mut self) -> Result<(), End> {
        let mut written = 0;
        while written < self.pending.len() {
            match self.stream.write(&self.pending[written..]) {
                Ok(taken) => written += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(End::Usual),
            }
        }
        self.pending.drain(..written);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        Ok(())
    }

    /// Gives the stream back.
    pub(crate) fn close(&mut self, registry: &Registry) {
        // An error means that it isn't registered, which is what is wanted.
        let _ = registry.deregister(&mut self.stream);
    }
}

/// A topic name that the filter takes.
fn topic_of(filter: &str) -> String {
    let base = filter.strip_suffix("/#").unwrap_or(filter);
    let levels: Vec<&str> = base
        .split('/')
        .map(|level| if level == "+" || level == "#" { "echo" } else { level })
        .collect();
    levels.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use interlingua::mqtt::topic;

    #[test]
    fn an_echo_goes_where_its_filter_points() {
        for filter in ["a/b", "/plant/d1/commands/#", "spaces/S/things/u/actions/+", "#", "+/+/in"]
        {
            assert!(topic::matches(&topic_of(filter), filter), "{filter}");
        }
        assert_eq!(topic_of("/plant/d1/commands/#"), "/plant/d1/commands");
    }
}

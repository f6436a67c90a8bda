//! A client's session: what is owed to it, what it still owes an answer to, and its subscriptions. It may outlive
//! the connection.
//!
//! It knows no sockets and no platform. Invariant: at most [`DELIVERIES_MAX`] deliveries and [`BYTES_MAX`] bytes wait.
//!
//! ```text
//! QoS 2 from the client            QoS 2 to the client
//!   PUBLISH ─▶ published, received   PUBLISH ─▶ Pubrec awaited
//!   ◀─ PUBREC                        ◀─ PUBREC
//!   PUBREL ─▶ forgotten              PUBREL ─▶ Pubcomp awaited
//!   ◀─ PUBCOMP                       ◀─ PUBCOMP: forgotten
//! ```

use std::collections::{BTreeSet, VecDeque};

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, EncodeError, PacketIdentifier, Properties, Property,
    Publish, Qos, ReasonCode, Version,
};

use super::message::Delivery;

/// Deliveries that may wait for one client.
const DELIVERIES_MAX: usize = 10_000;
/// Bytes of messages that may wait for one client.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// What holds for the connection that a session is on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grants {
    pub(super) version: Version,
    /// PUBLISH packets that may wait for an acknowledgement, 1 to 65,535.
    pub(super) unfinished_max: u16,
    /// Bytes of a packet that the client takes.
    pub(super) packet_size_max: usize,
}

/// Something that was sent and isn't finished.
#[derive(Debug)]
enum Exchange {
    /// PUBACK or PUBREC is awaited.
    Sent(Delivery),
    /// PUBCOMP is awaited.
    Released,
}

/// What an acknowledgement of the client means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// A delivery has arrived.
    Arrived,
    /// Nothing has ended with it.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Session {
    waiting: VecDeque<Delivery>,
    bytes: usize,
    /// In the order in which they were sent.
    unfinished: Vec<(PacketIdentifier, Exchange)>,
    /// QoS 2 from the client: published, PUBREL not yet there.
    received: BTreeSet<PacketIdentifier>,
    last_identifier: u16,
}

impl Session {
    /// Adds a delivery. `false`: there is no room, and it isn't added.
    pub(super) fn push(&mut self, delivery: Delivery) -> bool {
        let bytes = self.bytes + delivery.message.size();
        let fits = self.waiting.len() < DELIVERIES_MAX && bytes <= BYTES_MAX;
        if fits {
            self.bytes = bytes;
            self.waiting.push_back(delivery);
        }
        fits
    }

    /// Takes a QoS 2 PUBLISH of the client; `false`: it was taken before.
    pub(super) fn receive(&mut self, identifier: PacketIdentifier) -> bool {
        self.received.insert(identifier)
    }

    /// A QoS 2 exchange that ends with its PUBREC.
    pub(super) fn forget(&mut self, identifier: PacketIdentifier) {
        self.received.remove(&identifier);
    }

    /// Sends again what was unfinished when the last connection ended (3.1.1 [MQTT-4.4.0-1]).
    pub(super) fn resume(&mut self, grants: Grants, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        for (identifier, exchange) in &self.unfinished {
            match exchange {
                Exchange::Sent(delivery) => write(delivery, Some(*identifier), true, grants, out)?,
                Exchange::Released => {
                    let kind = AcknowledgementKind::Pubrel;
                    Acknowledgement::success(kind, *identifier).encode(grants.version, out)?;
                }
            }
        }
        Ok(())
    }

    /// Appends deliveries while the client may get more and `out` is shorter than `out_max`. Says how many.
    pub(super) fn give(
        &mut self,
        grants: Grants,
        out: &mut Vec<u8>,
        out_max: usize,
    ) -> Result<u64, EncodeError> {
        let mut given = 0;
        while out.len() < out_max && self.unfinished.len() < usize::from(grants.unfinished_max) {
            let Some(delivery) = self.waiting.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(delivery.message.size());
            let identifier = match delivery.qos {
                Qos::AtMostOnce => None,
                Qos::AtLeastOnce | Qos::ExactlyOnce => self.free_identifier(),
            };
            let before = out.len();
            write(&delivery, identifier, false, grants, out)?;
            if out.len() - before > grants.packet_size_max {
                // Left out without a word (v5 [MQTT-3.1.2-25]).
                out.truncate(before);
                continue;
            }
            given += 1;
            self.unfinished.extend(identifier.map(|number| (number, Exchange::Sent(delivery))));
        }
        Ok(given)
    }

    /// Takes PUBACK, PUBREC, PUBREL or PUBCOMP, and appends the answer.
    ///
    /// # Errors
    /// The reason code with which the connection ends.
    pub(super) fn take_acknowledgement(
        &mut self,
        taken: &Acknowledgement<'_>,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<Settled, ReasonCode> {
        use AcknowledgementKind::{Puback, Pubcomp, Pubrec, Pubrel};
        let number = taken.packet_identifier;
        let at = self.unfinished.iter().position(|(own, _)| *own == number);
        let qos = at.and_then(|at| self.unfinished.get(at)).map(|(_, exchange)| match exchange {
            Exchange::Sent(delivery) => Some(delivery.qos),
            Exchange::Released => None,
        });
        let mut answer = |kind, reason_code| {
            let answer = Acknowledgement { reason_code, ..Acknowledgement::success(kind, number) };
            answer.encode(version, out).map_err(|_| ReasonCode::UnspecifiedError)
        };
        match (taken.kind, at.zip(qos)) {
            (Puback, Some((at, Some(Qos::AtLeastOnce)))) | (Pubcomp, Some((at, None))) => {
                self.unfinished.remove(at);
                return Ok(Settled::Arrived);
            }
            (Pubrec, Some((at, Some(Qos::ExactlyOnce)))) if taken.reason_code.is_error() => {
                self.unfinished.remove(at);
            }
            (Pubrec, Some((at, Some(Qos::ExactlyOnce) | None))) => {
                if let Some((_, exchange)) = self.unfinished.get_mut(at) {
                    *exchange = Exchange::Released;
                }
                answer(Pubrel, ReasonCode::Success)?;
            }
            (Pubrec, None) => answer(Pubrel, ReasonCode::PacketIdentifierNotFound)?,
            (Pubrel, _) if self.received.remove(&number) => answer(Pubcomp, ReasonCode::Success)?,
            (Pubrel, _) => answer(Pubcomp, ReasonCode::PacketIdentifierNotFound)?,
            // An answer to nothing, which 3.x has no word for.
            (Puback | Pubcomp, None) => {}
            _ => return Err(ReasonCode::ProtocolError),
        }
        Ok(Settled::Nothing)
    }

    /// The next number that isn't in use. There always is one: fewer are in use than there are.
    fn free_identifier(&mut self) -> Option<PacketIdentifier> {
        for _ in 0..=u16::MAX {
            self.last_identifier = self.last_identifier.wrapping_add(1);
            let number = PacketIdentifier::new(self.last_identifier);
            if number.is_some_and(|number| self.unfinished.iter().all(|(own, _)| *own != number)) {
                return number;
            }
        }
        None
    }
}

/// Appends the PUBLISH of a delivery.
fn write(
    delivery: &Delivery,
    packet_identifier: Option<PacketIdentifier>,
    dup: bool,
    grants: Grants,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let message = &*delivery.message;
    let mut properties = message.properties.clone();
    for identifier in &delivery.subscription_identifiers {
        properties.push(Property::SubscriptionIdentifier(*identifier))?;
    }
    let publish = Publish {
        dup,
        qos: delivery.qos,
        retain: delivery.retain,
        topic_name: &message.topic_name,
        packet_identifier,
        properties: match grants.version {
            Version::V5 => properties.properties(),
            Version::V31 | Version::V311 => Properties::EMPTY,
        },
        payload: &message.payload,
    };
    publish.encode(grants.version, out)
}

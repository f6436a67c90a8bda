//! One client's conversation after CONNECT: packets in, packets out.
//!
//! No sockets and no time: whoever owns them calls in here and sends what is in `out`. Invariant: each
//! packet that asks for an answer is answered before the next one is looked at.
//!
//! ```text
//! QoS 2 from the client            QoS 2 to the client
//!   PUBLISH ─▶ published, received   PUBLISH ─▶ Received
//!   ◀─ PUBREC                        ◀─ PUBREC
//!   PUBREL ─▶ forgotten              PUBREL ─▶ Completed
//!   ◀─ PUBCOMP                       ◀─ PUBCOMP: forgotten
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::hub::{Hub, Place, Reach};
use super::message::Message;
use super::outbox::{Delivery, Outbox};
use crate::mqtt::{
    Acknowledgement, AcknowledgementKind, Disconnect, EncodeError, PINGRESP, Packet,
    PacketIdentifier, Properties, Property, PropertyIdentifier, Publish, Qos, RawPacket,
    ReasonCode, Suback, Subscribe, Unsuback, Unsubscribe, Version, topic,
};

/// What holds for this connection.
#[derive(Debug)]
pub(super) struct Grants {
    pub(super) version: Version,
    /// After this the client is gone; `None`: never.
    pub(super) silence_max: Option<Duration>,
    /// PUBLISH packets that may wait for an acknowledgement, 1 to 65,535.
    pub(super) unfinished_max: u16,
    /// Bytes of a packet that the client takes.
    pub(super) packet_size_max: usize,
}

/// What the client's answer will be to a PUBLISH or PUBREL that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Puback,
    Pubrec,
    Pubcomp,
}

/// How a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By the client, with DISCONNECT: no will.
    Goodbye,
    /// By the client, with or without a word: the will is published.
    Gone,
    /// By the broker, for this reason: the will is published.
    Fault(ReasonCode),
}

#[derive(Debug)]
pub(super) struct Conversation {
    hub: Rc<RefCell<Hub>>,
    place: Place,
    pub(super) outbox: Rc<Outbox>,
    pub(super) grants: Grants,
    will: Option<Message>,
    /// QoS 2 from the client: published, PUBREL not yet there.
    received: BTreeSet<PacketIdentifier>,
    unfinished: BTreeMap<PacketIdentifier, Awaited>,
    last_identifier: u16,
}

impl Conversation {
    pub(super) fn new(
        hub: Rc<RefCell<Hub>>,
        place: Place,
        outbox: Rc<Outbox>,
        grants: Grants,
        will: Option<Message>,
    ) -> Self {
        let (received, unfinished) = (BTreeSet::new(), BTreeMap::new());
        Self { hub, place, outbox, grants, will, received, unfinished, last_identifier: 0 }
    }

    /// Takes one packet and appends the answer.
    ///
    /// # Errors
    /// The end of the conversation.
    pub(super) fn take(&mut self, raw: RawPacket<'_>, out: &mut Vec<u8>) -> Result<(), End> {
        let packet = Packet::decode(raw, self.grants.version)
            .map_err(|fault| End::Fault(fault.reason_code()))?;
        let written = match packet {
            Packet::Publish(publish) => self.take_publish(&publish, out)?,
            Packet::Acknowledgement(acknowledgement) => {
                self.take_acknowledgement(&acknowledgement, out)?
            }
            Packet::Subscribe(subscribe) => self.take_subscribe(&subscribe, out)?,
            Packet::Unsubscribe(unsubscribe) => self.take_unsubscribe(&unsubscribe, out),
            Packet::Pingreq => {
                out.extend_from_slice(&PINGRESP);
                Ok(())
            }
            Packet::Disconnect(disconnect) => {
                return Err(match disconnect.reason_code {
                    ReasonCode::Success => End::Goodbye,
                    _ => End::Gone,
                });
            }
            // A second CONNECT (v5 [MQTT-3.1.0-2]), and what only a server sends.
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingresp
            | Packet::Auth(_) => return Err(End::Fault(ReasonCode::ProtocolError)),
        };
        written.map_err(unwritable)
    }

    fn take_publish(&mut self, publish: &Publish<'_>, out: &mut Vec<u8>) -> Result<Written, End> {
        // None were offered (v5 [MQTT-3.3.2-9]).
        if publish.properties.find(PropertyIdentifier::TopicAlias).is_some() {
            return Err(End::Fault(ReasonCode::TopicAliasInvalid));
        }
        let is_repeated = publish.qos == Qos::ExactlyOnce
            && publish.packet_identifier.is_some_and(|number| !self.received.insert(number));
        let reach = if is_repeated {
            Reach::Somebody
        } else {
            self.hub.borrow_mut().publish(Message::of_publish(publish), self.place)
        };
        let kind = match publish.qos {
            Qos::AtLeastOnce => AcknowledgementKind::Puback,
            _ => AcknowledgementKind::Pubrec,
        };
        let Some(packet_identifier) = publish.packet_identifier else { return Ok(Ok(())) };
        let reason_code = match reach {
            Reach::Somebody => ReasonCode::Success,
            Reach::Nobody => ReasonCode::NoMatchingSubscribers,
        };
        let answer =
            Acknowledgement { reason_code, ..Acknowledgement::success(kind, packet_identifier) };
        Ok(answer.encode(self.grants.version, out))
    }

    fn take_acknowledgement(
        &mut self,
        taken: &Acknowledgement<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Written, End> {
        let number = taken.packet_identifier;
        let awaited = self.unfinished.get(&number).copied();
        match (taken.kind, awaited) {
            (AcknowledgementKind::Puback, Some(Awaited::Puback))
            | (AcknowledgementKind::Pubcomp, Some(Awaited::Pubcomp)) => {
                self.unfinished.remove(&number);
                Ok(Ok(()))
            }
            (AcknowledgementKind::Pubrec, Some(Awaited::Pubrec))
                if taken.reason_code.is_error() =>
            {
                self.unfinished.remove(&number);
                Ok(Ok(()))
            }
            (AcknowledgementKind::Pubrec, Some(Awaited::Pubrec | Awaited::Pubcomp)) => {
                self.unfinished.insert(number, Awaited::Pubcomp);
                Ok(self.acknowledge(AcknowledgementKind::Pubrel, number, ReasonCode::Success, out))
            }
            (AcknowledgementKind::Pubrec, None) => {
                let unknown = ReasonCode::PacketIdentifierNotFound;
                Ok(self.acknowledge(AcknowledgementKind::Pubrel, number, unknown, out))
            }
            (AcknowledgementKind::Pubrel, _) => {
                let reason_code = match self.received.remove(&number) {
                    true => ReasonCode::Success,
                    false => ReasonCode::PacketIdentifierNotFound,
                };
                Ok(self.acknowledge(AcknowledgementKind::Pubcomp, number, reason_code, out))
            }
            // An answer to nothing, which 3.x has no word for.
            (AcknowledgementKind::Puback | AcknowledgementKind::Pubcomp, None) => Ok(Ok(())),
            _ => Err(End::Fault(ReasonCode::ProtocolError)),
        }
    }

    fn acknowledge(
        &self,
        kind: AcknowledgementKind,
        number: PacketIdentifier,
        reason_code: ReasonCode,
        out: &mut Vec<u8>,
    ) -> Written {
        let answer = Acknowledgement { reason_code, ..Acknowledgement::success(kind, number) };
        answer.encode(self.grants.version, out)
    }

    fn take_subscribe(
        &mut self,
        subscribe: &Subscribe<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Written, End> {
        let version = self.grants.version;
        let identifier = subscribe.properties.iter().find_map(|property| match property {
            Property::SubscriptionIdentifier(identifier) => Some(identifier),
            _ => None,
        });
        let mut reason_codes = Vec::new();
        for wish in subscribe.subscriptions() {
            let granted = if version == Version::V5 && topic::shared(wish.topic_filter).is_some() {
                Err(ReasonCode::SharedSubscriptionsNotSupported)
            } else {
                self.hub.borrow_mut().subscribe(self.place, &wish, identifier)
            };
            reason_codes.push(match granted {
                Ok(qos) => qos.level(),
                Err(reason) if version == Version::V5 => reason.value(),
                Err(_) if version == Version::V311 => ReasonCode::UnspecifiedError.value(),
                // 3.1 has no word for it.
                Err(reason) => return Err(End::Fault(reason)),
            });
        }
        let packet_identifier = subscribe.packet_identifier;
        let properties = Properties::EMPTY;
        let suback = Suback { packet_identifier, properties, reason_codes: &reason_codes };
        Ok(suback.encode(version, out))
    }

    fn take_unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>, out: &mut Vec<u8>) -> Written {
        let mut hub = self.hub.borrow_mut();
        let mut end = |filter| match hub.unsubscribe(self.place, filter) {
            true => ReasonCode::Success.value(),
            false => ReasonCode::NoSubscriptionExisted.value(),
        };
        let reason_codes: Vec<u8> = unsubscribe.topic_filters().map(&mut end).collect();
        let packet_identifier = unsubscribe.packet_identifier;
        let properties = Properties::EMPTY;
        Unsuback { packet_identifier, properties, reason_codes: &reason_codes }
            .encode(self.grants.version, out)
    }

    /// Appends deliveries while the client may get more and `out` is shorter than `out_max`.
    ///
    /// # Errors
    /// The end of the conversation, if the hub wants it.
    pub(super) fn give(&mut self, out: &mut Vec<u8>, out_max: usize) -> Result<(), End> {
        while self.unfinished.len() < usize::from(self.grants.unfinished_max) && out.len() < out_max
        {
            let Some(delivery) = self.outbox.pop() else { break };
            self.deliver(&delivery, out).map_err(unwritable)?;
        }
        self.outbox.ended().map_or(Ok(()), |reason| Err(End::Fault(reason)))
    }

    fn deliver(&mut self, delivery: &Delivery, out: &mut Vec<u8>) -> Written {
        let message = &*delivery.message;
        let mut properties = message.properties.clone();
        for identifier in &delivery.subscription_identifiers {
            properties.push(Property::SubscriptionIdentifier(*identifier))?;
        }
        let version = self.grants.version;
        let awaited = match delivery.qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce => Some(Awaited::Puback),
            Qos::ExactlyOnce => Some(Awaited::Pubrec),
        };
        let packet_identifier = awaited.and_then(|_| self.free_identifier());
        let publish = Publish {
            dup: false,
            qos: delivery.qos,
            retain: delivery.retain,
            topic_name: &message.topic_name,
            packet_identifier,
            properties: match version {
                Version::V5 => properties.properties(),
                Version::V31 | Version::V311 => Properties::EMPTY,
            },
            payload: &message.payload,
        };
        let before = out.len();
        publish.encode(version, out)?;
        if out.len() - before > self.grants.packet_size_max {
            // Left out without a word (v5 [MQTT-3.1.2-25]).
            out.truncate(before);
        } else if let Some((number, awaited)) = packet_identifier.zip(awaited) {
            self.unfinished.insert(number, awaited);
        }
        Ok(())
    }

    /// The next number that isn't in use. There always is one: fewer are in use than there are.
    fn free_identifier(&mut self) -> Option<PacketIdentifier> {
        for _ in 0..=u16::MAX {
            self.last_identifier = self.last_identifier.wrapping_add(1);
            let number = PacketIdentifier::new(self.last_identifier);
            if number.is_some_and(|number| !self.unfinished.contains_key(&number)) {
                return number;
            }
        }
        None
    }

    /// The last words: DISCONNECT in 5, if the broker ends it, and the will.
    pub(super) fn close(mut self, end: End, out: &mut Vec<u8>) {
        let mut hub = self.hub.borrow_mut();
        hub.leave(self.place);
        if let Some(will) = self.will.take()
            && end != End::Goodbye
        {
            hub.publish(will, self.place);
        }
        if let End::Fault(reason_code) = end
            && self.grants.version == Version::V5
        {
            let disconnect = Disconnect { reason_code, properties: Properties::EMPTY };
            // Some codes are for other packets only; then the closed connection says it.
            let _ = disconnect.encode(Version::V5, out);
        }
    }
}

type Written = Result<(), EncodeError>;

fn unwritable(error: EncodeError) -> End {
    tracing::error!(%error, "the demo broker can't write a packet; please report it");
    End::Fault(ReasonCode::UnspecifiedError)
}

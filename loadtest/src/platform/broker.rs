//! The small broker inside a stand-in: packets in, packets out, and the platform's rules asked about each of them.
//!
//! No sockets and no clock: whoever owns them calls in here and sends what is in `out`. Invariant: each packet that
//! asks for an answer is answered, or refused by a rule, before the next one is looked at.

use std::collections::HashMap;

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, EncodeError, PINGRESP, Packet, PacketIdentifier,
    PropertyIdentifier, Publish, Qos, RawPacket, ReasonCode, Version,
};

use super::client::Client;
use super::finding::{Fate, Fault, Outcome, Rule, Verdict};
use super::hub::{Hub, Place};
use super::ledger::Ledger;
use super::message::Message;
use super::rules::{Moment, Platform};
use super::session::Settled;

/// Bytes of a packet from a client: more than any platform's message.
pub(super) const PACKET_SIZE_MAX: usize = 1024 * 1024;

/// How a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// By the client, with DISCONNECT: no will.
    Goodbye,
    /// By the client, with or without a word: the will is published.
    Gone,
    /// By a rule: the will is published.
    Fault(Fault),
}

#[derive(Debug)]
pub(super) struct Broker {
    pub(super) platform: Platform,
    pub(super) hub: Hub,
    pub(super) clients: HashMap<Place, Client>,
    pub(super) ledger: Ledger,
    /// Connections that have to go, with the reason.
    pub(super) doomed: Vec<(Place, End)>,
}

pub(super) type Written = Result<(), EncodeError>;

impl Broker {
    pub(super) fn new(platform: Platform, ledger: Ledger) -> Self {
        let (hub, clients) = (Hub::default(), HashMap::new());
        Self { platform, hub, clients, ledger, doomed: Vec::new() }
    }

    /// Takes one packet of a client and appends the answer.
    ///
    /// # Errors
    /// The end of the connection.
    pub(super) fn take(
        &mut self,
        place: Place,
        raw: RawPacket<'_>,
        now: Moment,
        out: &mut Vec<u8>,
    ) -> Result<(), End> {
        let taken = self.take_packet(place, raw, now, out);
        match taken {
            // Every other rule's fault has been told when it was found.
            Err(End::Fault(fault)) if fault.rule == Rule::Malformed => {
                Err(self.broken(place, fault))
            }
            taken => taken,
        }
    }

    fn take_packet(
        &mut self,
        place: Place,
        raw: RawPacket<'_>,
        now: Moment,
        out: &mut Vec<u8>,
    ) -> Result<(), End> {
        let version = self.clients.get(&place).map_or(Version::V311, |own| own.grants.version);
        let packet = Packet::decode(raw, version)
            .map_err(|fault| malformed(fault.reason_code(), &fault.to_string()))?;
        let written = match packet {
            Packet::Publish(publish) => self.take_publish(place, &publish, now, out)?,
            Packet::Acknowledgement(given) => {
                self.take_acknowledgement(place, &given, version, out)?;
                Ok(())
            }
            Packet::Subscribe(subscribe) => self.take_subscribe(place, &subscribe, version, out)?,
            Packet::Unsubscribe(unsubscribe) => {
                self.take_unsubscribe(place, &unsubscribe, version, out)
            }
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
            other => {
                let detail = format!("{} by a client", other.packet_type());
                return Err(malformed(ReasonCode::ProtocolError, &detail));
            }
        };
        written.map_err(|error| malformed(ReasonCode::UnspecifiedError, &error.to_string()))
    }

    fn take_publish(
        &mut self,
        place: Place,
        publish: &Publish<'_>,
        now: Moment,
        out: &mut Vec<u8>,
    ) -> Result<Written, End> {
        // None were offered (v5 [MQTT-3.3.2-9]).
        if publish.properties.find(PropertyIdentifier::TopicAlias).is_some() {
            return Err(malformed(ReasonCode::TopicAliasInvalid, "there are no topic aliases"));
        }
        let repeated = match (publish.qos, publish.packet_identifier) {
            (Qos::ExactlyOnce, Some(number)) => {
                self.hub.session(place).is_some_and(|session| !session.receive(number))
            }
            _ => false,
        };
        let code = match repeated {
            true => Some(ReasonCode::Success),
            false => self.judge(place, publish, now)?,
        };
        // What the platform says because of it comes first: an error about an attachment isn't news after its PUBACK.
        self.give(place, out, usize::MAX);
        match (code, publish.packet_identifier) {
            (Some(code), Some(number)) => Ok(self.answer(place, publish.qos, number, code, out)),
            _ => Ok(Ok(())),
        }
    }

    /// Acknowledges a PUBLISH.
    fn answer(
        &mut self,
        place: Place,
        qos: Qos,
        number: PacketIdentifier,
        code: ReasonCode,
        out: &mut Vec<u8>,
    ) -> Written {
        let kind = match qos {
            Qos::AtLeastOnce => AcknowledgementKind::Puback,
            Qos::AtMostOnce | Qos::ExactlyOnce => AcknowledgementKind::Pubrec,
        };
        let version = self.clients.get(&place).map_or(Version::V311, |own| own.grants.version);
        if code.is_error()
            && version == Version::V5
            && let Some(session) = self.hub.session(place)
        {
            session.forget(number);
        }
        let answer =
            Acknowledgement { reason_code: code, ..Acknowledgement::success(kind, number) };
        answer.encode(version, out)
    }

    /// Asks the rules about a PUBLISH and does what they say. `None`: no acknowledgement.
    fn judge(
        &mut self,
        place: Place,
        publish: &Publish<'_>,
        now: Moment,
    ) -> Result<Option<ReasonCode>, End> {
        let Some(client) = self.clients.get_mut(&place) else { return Err(End::Gone) };
        let Verdict { form, fate, notes, messages } =
            self.platform.publish(&mut client.member, publish, now);
        let name = client.name.clone();
        let shown = self.platform.masked(publish.topic_name);
        self.ledger.received(form, &name, &shown, publish.payload);
        self.ledger.counts.commands.confirmed += self.platform.take_confirmed();
        self.note_all(&name, Some(&shown), &notes);
        for message in messages {
            self.hub.publish(message, None);
        }
        let (outcome, fault, code) = match fate {
            Fate::Pass => {
                self.hub.publish(Message::of_publish(publish), Some(place));
                return Ok(Some(ReasonCode::Success));
            }
            Fate::Take => return Ok(Some(ReasonCode::Success)),
            Fate::Close(fault) => return Err(self.closed(&name, Some(&shown), fault)),
            Fate::Drop(fault) => (Outcome::Dropped, fault.clone(), Some(fault.code)),
            Fate::Withhold(fault) => (Outcome::Unacknowledged, fault, None),
        };
        self.ledger.violation(fault.rule, outcome, &name, Some(&shown), &fault.detail);
        Ok(code)
    }

    pub(super) fn closed(&mut self, client: &str, topic: Option<&str>, fault: Fault) -> End {
        self.ledger.violation(fault.rule, Outcome::Closed, client, topic, &fault.detail);
        End::Fault(fault)
    }

    fn take_acknowledgement(
        &mut self,
        place: Place,
        given: &Acknowledgement<'_>,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), End> {
        let Some(session) = self.hub.session(place) else { return Err(End::Gone) };
        let settled = session
            .take_acknowledgement(given, version, out)
            .map_err(|code| malformed(code, "an acknowledgement of something else"))?;
        self.ledger.counts.messages.arrived += u64::from(settled == Settled::Arrived);
        Ok(())
    }

    /// Appends what the client is owed, while `out` is shorter than `out_max`.
    pub(super) fn give(&mut self, place: Place, out: &mut Vec<u8>, out_max: usize) {
        let Some(client) = self.clients.get(&place) else { return };
        let Some(session) = self.hub.session(place) else { return };
        match session.give(client.grants, out, out_max) {
            Ok(given) => self.ledger.counts.messages.delivered += given,
            Err(error) => {
                let end = malformed(ReasonCode::UnspecifiedError, &error.to_string());
                self.doomed.push((place, end));
            }
        }
    }

    /// A packet that isn't MQTT, or a silence that was too long.
    pub(super) fn broken(&mut self, place: Place, fault: Fault) -> End {
        let name = self.clients.get(&place).map_or("", |client| &client.name).to_owned();
        self.closed(&name, None, fault)
    }
}

/// A connection that doesn't speak MQTT.
fn malformed(code: ReasonCode, detail: &str) -> End {
    End::Fault(Fault::new(Rule::Malformed, code, detail))
}

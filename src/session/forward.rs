//! A message on its way to the other side: translated, bounded by what the receiver takes, and written with packet
//! identifiers, properties and aliases of its own.

use crate::mqtt::{PacketIdentifier, Properties, Publish, Qos, Version};
use crate::translate::{Incoming, Note, Notes, Outgoing, Reason, Refusal, Way, version};

use super::aliases::{Alias, Assigned};
use super::bounds::{Availability, Granted, Room};
use super::conversation::Session;
use super::joins::Joins;
use super::parts::Parts;
use super::properties::{self, Delivered};
use super::publish::Outcome;
use super::subscriptions::Arrival;
use super::wake::{Scratch, Wake};

const TOO_LARGE: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the receiver's Maximum Packet Size is smaller");
const NOT_ENCODED: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the translated message doesn't fit a packet");
const TOO_MANY: Refusal =
    Refusal::new(Reason::QueueOverflow, "more parts than the receiver's Receive Maximum");
const JOINS_FULL: Refusal =
    Refusal::new(Reason::QueueOverflow, "more messages in parts are on their way than the limit");

/// What the receiver of a message is.
#[derive(Debug, Clone, Copy)]
struct Receiver {
    version: Version,
    granted: Granted,
    /// Bytes of a packet at most.
    takes: usize,
    past: Past,
}

/// Where a message's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// Behind its packet's other fields.
    Here,
    /// So many bytes of it go to the receiver without coming here.
    Follows(usize),
}

/// Whether a receiver may have been sent a message before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    Possible,
    /// Its session has just begun, and nobody sends a message twice in one connection.
    None,
}

impl Receiver {
    fn speaks_5(&self) -> bool {
        self.version == Version::V5
    }

    fn strips_retain(&self) -> bool {
        self.granted.retain == Availability::Missing
    }
}

impl Session {
    /// Translates a message and appends what it became to the other side's output.
    pub(super) fn translate(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        payload: Payload,
        wake: &mut Wake<'_>,
    ) -> Result<Outcome, Refusal> {
        let arrival = self.arrival(way, publish, wake.scratch);
        let receiver = self.receiver(way);
        let Self { plan, subscriptions, joins, memory, bounds, held, aliases, .. } = self;
        let wanted = if way == Way::Up { &*self.message_properties } else { &[] };
        let Scratch { names, parts, properties: buffer, guarded } = &mut *wake.scratch;
        let now_ms = names.received_ms;
        let translator = &plan.translator;
        let translated = match payload {
            Payload::Here => translator.publish(way, &incoming(publish), memory, names)?,
            Payload::Follows(bytes) => {
                match translator.publish_start(way, &incoming(publish), bytes, memory, names)? {
                    Some(translated) => translated,
                    None => return Ok(Outcome::Later),
                }
            }
        };
        let asked = subscriptions.as_deref().filter(|_| way == Way::Down);
        let deliveries = asked.map(|own| (own, arrival));
        let parts = Parts::of(translated, deliveries, receiver.granted.qos_max, parts);
        if parts.count() == 0 {
            return Ok(parts.outcome());
        }
        // What the proxy has to answer itself is answered when all of it is here.
        if payload != Payload::Here && !parts.is_one_of(publish.qos) {
            return Ok(Outcome::Later);
        }
        match bounds.room_for(way, parts.acknowledged(), held.aside(way)) {
            Room::Enough => {}
            Room::Later => return Ok(Outcome::Later),
            Room::Never => return Err(TOO_MANY),
        }
        // Before 5 a message has no properties.
        let given = if receiver.speaks_5() { publish.properties } else { Properties::EMPTY };
        let properties = properties::translate(given, way, translator, memory, buffer)?;
        let identified = asked.filter(|own| receiver.speaks_5() && own.identifies());
        let delivered = Delivered { properties, wanted, identified, arrival, buffer: guarded };
        let aliases = aliases.as_deref_mut().filter(|_| receiver.speaks_5());
        let aliases = aliases.map(|aliases| aliases.assigned(way));
        let mut joins = joins.as_deref_mut().map(|joins| joins.on(way));
        // The device's SUBSCRIBE and UNSUBSCRIBE take their identifiers from the same ones as its messages.
        let owes = subscriptions.as_deref().filter(|_| way == Way::Up);
        let is_owed = |identifier| owes.is_some_and(|own| own.owed.has(identifier));
        let most = plan.limits.exchanges_max;
        let identifiers = identifiers(publish, &parts, joins.as_deref_mut(), most, &is_owed)?;
        let out = match way {
            Way::Up => &mut *wake.to_upstream,
            Way::Down => &mut *wake.to_device,
        };
        let mut writing = Writing { publish, payload, receiver, delivered, aliases };
        if let Err(refusal) = writing.all(&parts, identifiers.clone(), out) {
            if let (Some(joins), Some(own)) = (joins, publish.packet_identifier) {
                joins.give_up(own);
            }
            return Err(refusal);
        }
        let sent = identifiers.take(parts.acknowledged());
        sent.for_each(|identifier| bounds.sent(way, identifier));
        wake.tally.message(way, notes(publish, &parts, &receiver));
        if way == Way::Up && subscriptions.as_deref().is_some_and(|own| own.has_no_local()) {
            let sent = translated.messages();
            sent.for_each(|sent| memory.sends(sent.topic_name, sent.payload, now_ms));
        }
        memory.settle();
        Ok(parts.outcome())
    }

    fn receiver(&self, way: Way) -> Receiver {
        let version = self.version_toward(way);
        // 3.1 lets a device send a message again whenever it thinks fit.
        let begins = way == Way::Up && self.upstream_begins && self.version > Version::V31;
        let past = if begins { Past::None } else { Past::Possible };
        let (granted, takes) = match way {
            Way::Up => (self.bounds.upstream, self.upstream_takes),
            Way::Down => (Granted::default(), self.device_takes),
        };
        Receiver { version, granted, takes, past }
    }

    /// What an upstream that knows no subscription options can't have looked at.
    fn arrival(&mut self, way: Way, publish: &Publish<'_>, scratch: &Scratch) -> Arrival {
        let own = self.subscriptions.as_deref().filter(|_| way == Way::Down);
        let Some(own) = own.filter(|own| own.sees_to_options()) else {
            return Arrival::default();
        };
        let is_echo = own.has_no_local()
            && self.memory.is_echo(&incoming(publish), scratch.names.received_ms);
        Arrival { is_retained: publish.retain, is_echo }
    }
}

fn incoming<'a>(publish: &Publish<'a>) -> Incoming<'a> {
    let Publish { topic_name, payload, qos, retain, .. } = *publish;
    Incoming { topic_name, payload, qos, retain }
}

/// What a message lost or had clamped.
fn notes(publish: &Publish<'_>, parts: &Parts<'_>, receiver: &Receiver) -> Notes {
    let mut notes = parts.notes();
    if receiver.strips_retain() && parts.iter().any(|(_, message)| message.retain) {
        notes.add(Note::RetainStripped);
    }
    if !receiver.speaks_5() && version::loses(publish.properties) {
        notes.add(Note::MetaLost);
    }
    notes
}

/// How a message's parts are written for its receiver.
struct Writing<'w> {
    publish: &'w Publish<'w>,
    payload: Payload,
    receiver: Receiver,
    delivered: Delivered<'w>,
    aliases: Option<&'w mut Assigned>,
}

impl Writing<'_> {
    /// Appends all parts, or nothing.
    fn all(
        &mut self,
        parts: &Parts<'_>,
        mut identifiers: impl Iterator<Item = PacketIdentifier>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let start = out.len();
        let given = self.aliases.as_deref().map_or(0, Assigned::given);
        for (qos, message) in parts.iter() {
            let identifier = if qos == Qos::AtMostOnce { None } else { identifiers.next() };
            if let Err(refusal) = self.part(qos, identifier, &message, out) {
                out.truncate(start);
                if let Some(aliases) = self.aliases.as_deref_mut() {
                    aliases.take_back(given);
                }
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn part(
        &mut self,
        qos: Qos,
        packet_identifier: Option<PacketIdentifier>,
        message: &Outgoing<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let from = out.len();
        let aliases = self.aliases.as_deref_mut();
        let alias = aliases.map_or(Alias::None, |aliases| aliases.of(message.topic_name));
        let properties = self.delivered.properties_of(message.topic_name, alias)?;
        let topic_name = match alias {
            Alias::Known(_) => "",
            Alias::New(_) | Alias::None => message.topic_name,
        };
        let written = Publish {
            // MQTT has no DUP at QoS 0 [MQTT-3.3.1-2], and whether it is set is this receiver's matter alone
            // (3.1.1 [MQTT-3.3.1-3]).
            dup: self.publish.dup && qos != Qos::AtMostOnce && self.receiver.past == Past::Possible,
            qos,
            retain: message.retain && !self.receiver.strips_retain(),
            topic_name,
            packet_identifier,
            properties,
            payload: message.payload,
        };
        let follows = match self.payload {
            Payload::Here => written.encode(self.receiver.version, out).map(|()| 0),
            Payload::Follows(bytes) => {
                written.encode_head(self.receiver.version, bytes, out).map(|()| bytes)
            }
        };
        let length = out.len() - from + follows.map_err(|_| NOT_ENCODED)?;
        if length > self.receiver.takes { Err(TOO_LARGE) } else { Ok(()) }
    }
}

/// The packet identifiers of what a message became: its own first, then those that the join adds.
fn identifiers(
    publish: &Publish<'_>,
    parts: &Parts<'_>,
    joins: Option<&mut Joins>,
    most: usize,
    is_owed: &dyn Fn(PacketIdentifier) -> bool,
) -> Result<impl Iterator<Item = PacketIdentifier> + Clone + use<>, Refusal> {
    let mut added = Vec::new();
    let awaited = parts.acknowledged();
    if let (Some(own), Some(joins)) = (publish.packet_identifier.filter(|_| awaited > 0), joins) {
        if parts.count() > 1 {
            added = joins.start(own, awaited, most, is_owed).map_err(|_| JOINS_FULL)?;
        } else {
            joins.uses(own);
        }
    }
    Ok(publish.packet_identifier.into_iter().chain(added))
}

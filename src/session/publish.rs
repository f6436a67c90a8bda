//! PUBLISH in both directions.

use crate::mqtt::{
    PacketIdentifier, Properties, PropertyIdentifier, Publish, Qos, RawPacket, ReasonCode, Version,
    WireError,
};
use crate::translate::{Incoming, Note, Notes, Outgoing, Reason, Refusal, Way};

use super::attaching::NOT_ATTACHED;
use super::bounds::{Granted, Retained};
use super::conversation::{Session, Wake};
use super::end::End;
use super::exchanges::{Exchange, Exchanges};
use super::joins::Joins;
use super::properties;

const TOO_LARGE: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the receiver's Maximum Packet Size is smaller");
const NOT_ENCODED: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the translated message doesn't fit a packet");

const JOINS_FULL: Refusal =
    Refusal::new(Reason::QueueOverflow, "more messages in parts are on their way than the limit");
const SENT_TWICE: Refusal =
    Refusal::new(Reason::QueueOverflow, "the message is still on its way in parts");
const NOT_FROM_DEVICES: End =
    End::DeviceProtocol("a subscription identifier in a message to a server");

/// What became of a message's translation.
enum Outcome {
    /// One message went out, with this QoS.
    Sent(Qos),
    /// Several went out; with QoS above 0 their acknowledgements are joined.
    Split(Qos),
    /// There is nothing to send.
    Nothing,
    /// The device didn't ask for it; a widened filter brought it.
    NotAskedFor,
}

impl Session {
    /// A message from the device.
    pub(super) fn publish_up(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let publish = Publish::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        if publish.properties.find(PropertyIdentifier::SubscriptionIdentifier).is_some() {
            return Err(NOT_FROM_DEVICES);
        }
        if self.plan.translator.is_plain() {
            wake.to_upstream.extend_from_slice(raw.bytes);
            wake.tally.message(Way::Up, Notes::default());
            return Ok(());
        }
        if publish.properties.find(PropertyIdentifier::TopicAlias).is_some() {
            return Err(End::DeviceMalformed(WireError::TopicAliasInvalid));
        }
        if let Some((identifier, exchange)) = sent_before(&publish, &self.up) {
            return self.answer_again(Way::Up, identifier, exchange, wake);
        }
        if self.is_unattached(publish.topic_name) {
            return self.refuse_message(Way::Up, &publish, NOT_ATTACHED, wake);
        }
        match self.translate(Way::Up, &publish, wake) {
            Ok(Outcome::Sent(qos)) => self.answer_clamped(Way::Up, &publish, qos, wake),
            Ok(Outcome::Split(qos)) => self.answer_split(Way::Up, &publish, qos, wake),
            Ok(Outcome::Nothing | Outcome::NotAskedFor) => {
                self.answer_locally(Way::Up, &publish, ReasonCode::Success, wake)
            }
            Err(refusal) => self.refuse_message(Way::Up, &publish, refusal, wake),
        }
    }

    /// A message from the upstream.
    pub(super) fn publish_down(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let publish =
            Publish::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        if self.plan.translator.is_plain() {
            wake.to_device.extend_from_slice(raw.bytes);
            wake.tally.message(Way::Down, Notes::default());
            return Ok(());
        }
        if publish.properties.find(PropertyIdentifier::TopicAlias).is_some() {
            return Err(End::UpstreamMalformed(WireError::TopicAliasInvalid));
        }
        if let Some((identifier, exchange)) = sent_before(&publish, &self.down) {
            return self.answer_again(Way::Down, identifier, exchange, wake);
        }
        let heard = self.hears_gateway_error(&publish);
        match self.translate(Way::Down, &publish, wake) {
            Ok(Outcome::Sent(qos)) => self.answer_clamped(Way::Down, &publish, qos, wake),
            Ok(Outcome::Split(qos)) => self.answer_split(Way::Down, &publish, qos, wake),
            Ok(Outcome::Nothing) => {
                self.answer_locally(Way::Down, &publish, ReasonCode::Success, wake)
            }
            Ok(Outcome::NotAskedFor) | Err(_) if heard => {
                self.answer_locally(Way::Down, &publish, ReasonCode::Success, wake)
            }
            Ok(Outcome::NotAskedFor) => {
                wake.tally.filter();
                self.answer_locally(Way::Down, &publish, ReasonCode::Success, wake)
            }
            Err(refusal) => self.refuse_message(Way::Down, &publish, refusal, wake),
        }
    }

    /// Translates a message and appends what it became to the other side's output.
    fn translate(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<Outcome, Refusal> {
        let Publish { topic_name, payload, qos, retain, .. } = *publish;
        let version = self.version_toward(way);
        let bounds = if way == Way::Up { self.bounds.upstream } else { Granted::default() };
        let Self { plan, subscriptions, joins, memory, .. } = self;
        let scratch = &mut *wake.scratch;
        let incoming = Incoming { topic_name, payload, qos, retain };
        let translated = plan.translator.publish(way, &incoming, memory, &mut scratch.names)?;
        let asked = subscriptions.as_deref().filter(|_| way == Way::Down);
        let granted =
            |topic_name: &str| asked.map_or(Some(Qos::ExactlyOnce), |own| own.asks_for(topic_name));
        let wanted = translated
            .messages()
            .filter_map(|message| Some((granted(message.topic_name)?, message)));
        let parts = wanted.clone().count();
        let split = parts > 1;
        // Several messages can't share one QoS 2 exchange; each is delivered at least once.
        let most = if split { Qos::AtLeastOnce } else { Qos::ExactlyOnce }.min(bounds.qos_max);
        let qos_of = |granted: Qos, message: &Outgoing<'_>| message.qos.min(granted).min(most);
        let awaited = wanted
            .clone()
            .filter(|(granted, message)| qos_of(*granted, message) > Qos::AtMostOnce)
            .count();
        let joins = joins.as_deref_mut().map(|joins| joins.on(way));
        let mut identifiers =
            identifiers(publish, parts, awaited, joins, plan.limits.exchanges_max)?;
        let all = identifiers.clone();
        // Before 5 a message has no properties.
        let given = if version == Version::V5 { publish.properties } else { Properties::EMPTY };
        let lost = given != publish.properties;
        let properties =
            properties::translate(given, way, &plan.translator, &mut scratch.properties)?;
        let (out, takes) = match way {
            Way::Up => (&mut *wake.to_upstream, self.upstream_takes),
            Way::Down => (&mut *wake.to_device, self.device_takes),
        };
        let start = out.len();
        let mut highest = Qos::AtMostOnce;
        for (granted, message) in wanted {
            let qos = qos_of(granted, &message);
            highest = highest.max(qos);
            let from = out.len();
            let written = Publish {
                // MQTT has no DUP at QoS 0 [MQTT-3.3.1-2].
                dup: publish.dup && qos != Qos::AtMostOnce,
                qos,
                retain: message.retain && bounds.retain == Retained::Taken,
                topic_name: message.topic_name,
                packet_identifier: if qos == Qos::AtMostOnce { None } else { identifiers.next() },
                properties,
                payload: message.payload,
            };
            let identifier = written.packet_identifier;
            let written = written.encode(version, out).map_err(|_| NOT_ENCODED);
            let fits = if out.len() - from > takes { Err(TOO_LARGE) } else { Ok(()) };
            if let Err(refusal) = written.and(fits) {
                out.truncate(start);
                if let (Some(joins), Some(own)) = (&mut self.joins, publish.packet_identifier) {
                    joins.on(way).give_up(own);
                }
                all.for_each(|identifier| self.bounds.taken_back(way, identifier));
                return Err(refusal);
            }
            self.bounds.sent(way, identifier);
        }
        if parts == 0 {
            return Ok(if translated.is_empty() { Outcome::Nothing } else { Outcome::NotAskedFor });
        }
        memory.settle();
        let mut notes = translated.notes();
        if lost {
            notes.add(Note::MetaLost);
        }
        wake.tally.message(way, notes);
        Ok(if split { Outcome::Split(highest) } else { Outcome::Sent(highest) })
    }
}

/// The packet identifiers of what a message became: its own first, then those that the join adds.
fn identifiers(
    publish: &Publish<'_>,
    parts: usize,
    awaited: usize,
    joins: Option<&mut Joins>,
    most: usize,
) -> Result<impl Iterator<Item = PacketIdentifier> + Clone + use<>, Refusal> {
    let mut added = Vec::new();
    if let (Some(own), Some(joins)) = (publish.packet_identifier.filter(|_| awaited > 0), joins) {
        if joins.is_open(own) {
            return Err(SENT_TWICE);
        }
        if parts > 1 {
            added = joins.start(own, awaited, most).map_err(|_| JOINS_FULL)?;
        } else {
            joins.uses(own);
        }
    }
    Ok(publish.packet_identifier.into_iter().chain(added))
}

/// The exchange of a QoS 2 message that was sent before and ends here.
fn sent_before(
    publish: &Publish<'_>,
    exchanges: &Exchanges,
) -> Option<(PacketIdentifier, Exchange)> {
    let identifier = publish.packet_identifier.filter(|_| publish.qos == Qos::ExactlyOnce)?;
    exchanges.at(identifier).map(|exchange| (identifier, exchange))
}

//! PUBLISH in both directions.

use crate::mqtt::{
    Acknowledgement, AcknowledgementKind, PacketIdentifier, Properties, PropertyIdentifier,
    Publish, Qos, RawPacket, ReasonCode, Version, WireError,
};
use crate::translate::{Incoming, Notes, Reason, Refusal, Way};

use super::conversation::{Session, Wake};
use super::end::End;
use super::exchanges::{Exchange, Exchanges};
use super::plan::OnRefusal;
use super::properties;

const TOO_LARGE: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the receiver's Maximum Packet Size is smaller");
const NOT_ENCODED: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the translated message doesn't fit a packet");

const NOT_FROM_DEVICES: End =
    End::DeviceProtocol("a subscription identifier in a message to a server");

/// What became of a message's translation.
enum Outcome {
    Sent(Qos),
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
        match self.translate(Way::Up, &publish, wake) {
            Ok(Outcome::Sent(qos)) => self.answer_clamped(Way::Up, &publish, qos, wake),
            Ok(Outcome::NotAskedFor) => Ok(()),
            Err(refusal) => self.refuse_message(Way::Up, &publish, refusal, wake),
        }
    }

    /// A message from the upstream.
    pub(super) fn publish_down(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let publish = Publish::decode(raw, self.version).map_err(End::UpstreamMalformed)?;
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
        match self.translate(Way::Down, &publish, wake) {
            Ok(Outcome::Sent(qos)) => self.answer_clamped(Way::Down, &publish, qos, wake),
            Ok(Outcome::NotAskedFor) => {
                wake.tally.filter();
                self.answer_locally(Way::Down, &publish, ReasonCode::Success, wake)
            }
            Err(refusal) => self.refuse_message(Way::Down, &publish, refusal, wake),
        }
    }

    /// A QoS 2 message comes again before its PUBREL: it is the same one (v5 [MQTT-4.3.3-10]). Its PUBREC is
    /// repeated, or still waits for the receiver's PUBACK.
    fn answer_again(
        &self,
        way: Way,
        identifier: PacketIdentifier,
        exchange: Exchange,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        match exchange {
            Exchange::Forwarded => Ok(()),
            Exchange::Released => {
                let kind = AcknowledgementKind::Pubrec;
                self.acknowledge(way, kind, identifier, ReasonCode::Success, wake)
            }
        }
    }

    /// Translates a message and appends it to the other side's output.
    fn translate(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<Outcome, Refusal> {
        let Publish { topic_name, payload, qos, retain, .. } = *publish;
        let scratch = &mut *wake.scratch;
        let translator = &self.plan.translator;
        let sent = translator.publish(
            way,
            &Incoming { topic_name, payload, qos, retain },
            &mut scratch.names,
        )?;
        let granted = match (way, &self.subscriptions) {
            (Way::Down, Some(own)) => own.asks_for(sent.topic_name),
            _ => Some(Qos::ExactlyOnce),
        };
        let Some(granted) = granted else { return Ok(Outcome::NotAskedFor) };
        let qos = sent.qos.min(granted);
        let properties =
            properties::translate(publish.properties, way, translator, &mut scratch.properties)?;
        let translated = Publish {
            // MQTT has no DUP at QoS 0 [MQTT-3.3.1-2].
            dup: publish.dup && qos != Qos::AtMostOnce,
            qos,
            retain: sent.retain,
            topic_name: sent.topic_name,
            packet_identifier: publish.packet_identifier.filter(|_| qos != Qos::AtMostOnce),
            properties,
            payload: sent.payload,
        };
        let (out, takes) = match way {
            Way::Up => (&mut *wake.to_upstream, self.upstream_takes),
            Way::Down => (&mut *wake.to_device, self.device_takes),
        };
        let start = out.len();
        translated.encode(self.version, out).map_err(|_| NOT_ENCODED)?;
        if out.len() - start > takes {
            out.truncate(start);
            return Err(TOO_LARGE);
        }
        wake.tally.message(way, sent.notes);
        Ok(Outcome::Sent(qos))
    }

    /// A message that went on with less QoS than it came with: the sender's handshake ends here.
    fn answer_clamped(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        sent: Qos,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let Some(identifier) = publish.packet_identifier.filter(|_| sent != publish.qos) else {
            return Ok(());
        };
        match sent {
            Qos::AtMostOnce => self.answer_locally(way, publish, ReasonCode::Success, wake),
            _ => self.set_exchange(way, identifier, Exchange::Forwarded),
        }
    }

    fn refuse_message(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        refusal: Refusal,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        self.note_refusal(way, refusal, wake.tally);
        if self.plan.on_refusal == OnRefusal::Disconnect && way == Way::Up {
            return Err(End::MessageRefused(refusal));
        }
        self.answer_locally(way, publish, reason_code(refusal), wake)
    }

    /// Acknowledges a message that goes no further.
    fn answer_locally(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        reason_code: ReasonCode,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let Some(identifier) = publish.packet_identifier else { return Ok(()) };
        if publish.qos == Qos::AtLeastOnce {
            return self.acknowledge(
                way,
                AcknowledgementKind::Puback,
                identifier,
                reason_code,
                wake,
            );
        }
        // A PUBREC of version 5 that reports an error ends the exchange (v5 section 4.3.3).
        if self.version != Version::V5 || !reason_code.is_error() {
            self.set_exchange(way, identifier, Exchange::Released)?;
        }
        self.acknowledge(way, AcknowledgementKind::Pubrec, identifier, reason_code, wake)
    }

    pub(super) fn set_exchange(
        &mut self,
        way: Way,
        identifier: PacketIdentifier,
        exchange: Exchange,
    ) -> Result<(), End> {
        let most = self.plan.limits.exchanges_max;
        let exchanges = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        exchanges.set(identifier, exchange, most).map_err(|_| End::ExchangesExceeded)
    }

    /// Appends an acknowledgement to the sender of a message that travels this way.
    pub(super) fn acknowledge(
        &self,
        way: Way,
        kind: AcknowledgementKind,
        packet_identifier: PacketIdentifier,
        reason_code: ReasonCode,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let acknowledgement =
            Acknowledgement { kind, packet_identifier, reason_code, properties: Properties::EMPTY };
        let out = match way {
            Way::Up => &mut *wake.to_device,
            Way::Down => &mut *wake.to_upstream,
        };
        // Four bytes, or five, always fit.
        let _ = acknowledgement.encode(self.version, out);
        Ok(())
    }
}

/// The exchange of a QoS 2 message that was sent before and ends here.
fn sent_before(
    publish: &Publish<'_>,
    exchanges: &Exchanges,
) -> Option<(PacketIdentifier, Exchange)> {
    let identifier = publish.packet_identifier.filter(|_| publish.qos == Qos::ExactlyOnce)?;
    exchanges.at(identifier).map(|exchange| (identifier, exchange))
}

/// The reason code that says a refusal best (v5 sections 3.4.2.1 and 3.5.2.1).
pub(super) fn reason_code(refusal: Refusal) -> ReasonCode {
    match refusal.reason {
        Reason::BadTopic
        | Reason::NoChannel
        | Reason::KindUnsupported
        | Reason::IdIllegalForTarget => ReasonCode::TopicNameInvalid,
        Reason::UnknownDevice
        | Reason::CredentialTopic
        | Reason::AdminTopic
        | Reason::NotAttached => ReasonCode::NotAuthorized,
        Reason::PayloadNotJson
        | Reason::PayloadShape
        | Reason::MsgpackInvalid
        | Reason::MsgpackTrailing
        | Reason::NumberNotFinite
        | Reason::DepthExceeded
        | Reason::TsInvalid => ReasonCode::PayloadFormatInvalid,
        Reason::PayloadTooLarge | Reason::RateLimited | Reason::QueueOverflow => {
            ReasonCode::QuotaExceeded
        }
        Reason::LoopSuppressed => ReasonCode::ImplementationSpecificError,
        Reason::FilterNotMappable => ReasonCode::TopicFilterInvalid,
    }
}

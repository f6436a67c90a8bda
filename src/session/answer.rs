//! What the sender of a message hears: acknowledgements of messages that end in the proxy, and of those that went on in
//! another way than they came.

use crate::mqtt::{
    Acknowledgement, AcknowledgementKind, PacketIdentifier, Properties, Publish, Qos, ReasonCode,
    Version,
};
use crate::translate::{Reason, Refusal, Way};

use super::conversation::Session;
use super::end::End;
use super::exchanges::Exchange;
use super::order::Due;
use super::plan::OnRefusal;
use super::wake::Wake;

impl Session {
    /// A QoS 2 message comes again before its PUBREL: it is the same one (v5 [MQTT-4.3.3-10]). Its PUBREC is
    /// repeated, or still waits for the receiver's PUBACK.
    pub(super) fn answer_again(
        &mut self,
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

    /// A message that became several: its sender hears when all of them have arrived.
    pub(super) fn answer_split(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        highest: Qos,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let Some(identifier) = publish.packet_identifier else { return Ok(()) };
        match (highest, publish.qos) {
            (Qos::AtMostOnce, _) => self.answer_locally(way, publish, ReasonCode::Success, wake),
            (_, Qos::ExactlyOnce) => self.set_exchange(way, identifier, Exchange::Forwarded),
            _ => Ok(()),
        }
    }

    /// A message that went on with less QoS than it came with: the sender's handshake ends here.
    pub(super) fn answer_clamped(
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

    pub(super) fn refuse_message(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        refusal: Refusal,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        self.note_refusal(way, refusal, wake.tally);
        if self.plan.on_refusal == OnRefusal::Disconnect {
            return Err(End::MessageRefused(refusal));
        }
        self.answer_locally(way, publish, reason_code(refusal), wake)
    }

    /// Acknowledges a message that goes no further.
    pub(super) fn answer_locally(
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
        if self.version_of(way) != Version::V5 || !reason_code.is_error() {
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

    /// Acknowledges to the sender of a message that travels this way, when it is the message's turn.
    pub(super) fn acknowledge(
        &mut self,
        way: Way,
        kind: AcknowledgementKind,
        identifier: PacketIdentifier,
        reason_code: ReasonCode,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let due = Due { identifier, reason_code };
        let order = self.order.as_deref_mut().filter(|_| way == Way::Down);
        if order.is_some_and(|order| order.is_ready(kind, due)) {
            self.answer_in_turn(kind, wake);
        } else {
            self.write_acknowledgement(way, kind, due, wake);
        }
        Ok(())
    }

    /// Appends those answers to the upstream whose turn has come.
    pub(super) fn answer_in_turn(&mut self, kind: AcknowledgementKind, wake: &mut Wake<'_>) {
        while let Some(due) = self.order.as_deref_mut().and_then(|order| order.next(kind)) {
            self.write_acknowledgement(Way::Down, kind, due, wake);
        }
    }

    fn write_acknowledgement(
        &self,
        way: Way,
        kind: AcknowledgementKind,
        Due { identifier: packet_identifier, reason_code }: Due,
        wake: &mut Wake<'_>,
    ) {
        let acknowledgement =
            Acknowledgement { kind, packet_identifier, reason_code, properties: Properties::EMPTY };
        let out = match way {
            Way::Up => &mut *wake.to_device,
            Way::Down => &mut *wake.to_upstream,
        };
        // Four bytes, or five, always fit.
        let _ = acknowledgement.encode(self.version_of(way), out);
    }
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
        | Reason::NotAttached
        | Reason::AccessDenied => ReasonCode::NotAuthorized,
        Reason::PayloadNotJson
        | Reason::PayloadShape
        | Reason::MsgpackInvalid
        | Reason::MsgpackTrailing
        | Reason::NumberNotFinite
        | Reason::DepthExceeded
        | Reason::TsInvalid => ReasonCode::PayloadFormatInvalid,
        Reason::PayloadTooLarge
        | Reason::RateLimited
        | Reason::QueueOverflow
        | Reason::MemoryShort => ReasonCode::QuotaExceeded,
        Reason::LoopSuppressed => ReasonCode::ImplementationSpecificError,
        Reason::FilterNotMappable => ReasonCode::TopicFilterInvalid,
    }
}

//! PUBACK, PUBREC, PUBREL and PUBCOMP. Those of exchanges that pass untouched go on as they are; those of
//! exchanges that end in the proxy are answered here.

use crate::mqtt::{Acknowledgement, AcknowledgementKind, Qos, RawPacket, ReasonCode, Version};
use crate::translate::Way;

use super::conversation::Session;
use super::end::End;
use super::exchanges::Exchange;
use super::joins::Joined;
use super::properties;
use super::wake::Wake;

const EARLY: &str = "a PUBREL before its PUBREC";

/// What became of a PUBREL.
enum Release {
    Answered,
    /// The message isn't with its receiver yet.
    Early,
    /// The exchange is between the two sides.
    Foreign,
}

impl Session {
    /// PUBACK, PUBREC or PUBCOMP from the upstream, for a message of the device.
    pub(super) fn acknowledge_up(
        &mut self,
        kind: AcknowledgementKind,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given =
            Acknowledgement::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        self.bounds.acknowledged(Way::Up, &given);
        if kind == AcknowledgementKind::Puback && self.is_of_attachment(&given) {
            return Ok(());
        }
        if self.is_joined(Way::Up, &given, wake)? {
            return Ok(());
        }
        match self.up.at(given.packet_identifier) {
            Some(Exchange::Forwarded) if kind == AcknowledgementKind::Puback => {
                self.finish_clamped(Way::Up, &given, wake)
            }
            // The sender's exchange is with the proxy; it would take these for its own.
            Some(_) => Ok(()),
            None => {
                self.end_refused_exchange(Way::Up, &given)?;
                self.pass_acknowledgement(Way::Down, &given, raw, wake);
                Ok(())
            }
        }
    }

    /// PUBACK, PUBREC or PUBCOMP from the device, for a message of the upstream.
    pub(super) fn acknowledge_down(
        &mut self,
        kind: AcknowledgementKind,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given = Acknowledgement::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        self.bounds.acknowledged(Way::Down, &given);
        if self.is_joined(Way::Down, &given, wake)? {
            return Ok(());
        }
        match self.down.at(given.packet_identifier) {
            Some(Exchange::Forwarded) if kind == AcknowledgementKind::Puback => {
                self.finish_clamped(Way::Down, &given, wake)
            }
            // The sender's exchange is with the proxy; it would take these for its own.
            Some(_) => Ok(()),
            None => {
                self.end_refused_exchange(Way::Down, &given)?;
                if let Some(order) = &mut self.order {
                    order.passes(kind, given.packet_identifier);
                }
                self.pass_acknowledgement(Way::Up, &given, raw, wake);
                self.answer_in_turn(kind, wake);
                Ok(())
            }
        }
    }

    /// Takes an acknowledgement of a message that became several: its sender hears when all of them are there.
    fn is_joined(
        &mut self,
        way: Way,
        given: &Acknowledgement<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<bool, End> {
        let Some(joins) = self.joins.as_deref_mut().map(|joins| joins.on(way)) else {
            return Ok(false);
        };
        let identifier = given.packet_identifier;
        if given.kind != AcknowledgementKind::Pubrec {
            joins.done(identifier);
        }
        if given.kind != AcknowledgementKind::Puback {
            return Ok(false);
        }
        let (own, reason_code) = match joins.acknowledged(identifier, given.reason_code) {
            Joined::Foreign => return Ok(false),
            Joined::Waiting => return Ok(true),
            Joined::Complete(own, reason_code) => (own, reason_code),
        };
        let whole = Acknowledgement { packet_identifier: own, reason_code, ..*given };
        let exchanges = if way == Way::Up { &self.up } else { &self.down };
        if exchanges.at(own) == Some(Exchange::Forwarded) {
            self.finish_clamped(way, &whole, wake)?;
        } else {
            self.acknowledge(way, AcknowledgementKind::Puback, own, reason_code, wake)?;
        }
        Ok(true)
    }

    /// A PUBREC that reports an error ends the exchange in version 5 (v5 section 4.3.3). A sender of 3.x knows no
    /// errors and goes on with PUBREL, which the receiver doesn't expect any more.
    fn end_refused_exchange(&mut self, way: Way, given: &Acknowledgement<'_>) -> Result<(), End> {
        let refused = given.kind == AcknowledgementKind::Pubrec && given.reason_code.is_error();
        if refused && self.version_of(way) != Version::V5 {
            self.set_exchange(way, given.packet_identifier, Exchange::Released)?;
        }
        Ok(())
    }

    /// Passes an acknowledgement on: the same bytes, but for properties that have to stay behind.
    fn pass_acknowledgement(
        &self,
        way: Way,
        given: &Acknowledgement<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) {
        let translator = &self.plan.translator;
        let kept =
            properties::guard(given.properties, way, translator, &mut wake.scratch.properties);
        let out = match way {
            Way::Up => &mut *wake.to_upstream,
            Way::Down => &mut *wake.to_device,
        };
        if kept == given.properties && self.version == self.upstream_version {
            out.extend_from_slice(raw.bytes);
        } else {
            // It is not longer than what was decoded.
            let kept = Acknowledgement { properties: kept, ..*given };
            let _ = kept.encode(self.version_toward(way), out);
        }
    }

    /// The receiver has a clamped message: only now is its sender told PUBREC.
    fn finish_clamped(
        &mut self,
        way: Way,
        given: &Acknowledgement<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        if given.reason_code.is_error() && self.version_of(way) == Version::V5 {
            let exchanges = if way == Way::Up { &mut self.up } else { &mut self.down };
            exchanges.finish(given.packet_identifier);
        } else {
            self.set_exchange(way, given.packet_identifier, Exchange::Released)?;
        }
        self.acknowledge(
            way,
            AcknowledgementKind::Pubrec,
            given.packet_identifier,
            given.reason_code,
            wake,
        )
    }

    /// PUBREL from the device.
    pub(super) fn release_up(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given = Acknowledgement::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        let known = self.plan.translator.upstream_limits().qos_max;
        match self.release(Way::Up, &given, known, wake) {
            Release::Answered => Ok(()),
            Release::Early => Err(End::DeviceProtocol(EARLY)),
            Release::Foreign => {
                self.bounds.released(Way::Up, given.packet_identifier);
                self.pass_acknowledgement(Way::Up, &given, raw, wake);
                Ok(())
            }
        }
    }

    /// PUBREL from the upstream.
    pub(super) fn release_down(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given =
            Acknowledgement::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        let known = self.plan.translator.device_limits().qos_max;
        match self.release(Way::Down, &given, known, wake) {
            Release::Answered => Ok(()),
            Release::Early => Err(End::UpstreamProtocol(EARLY)),
            Release::Foreign => {
                self.bounds.released(Way::Down, given.packet_identifier);
                self.pass_acknowledgement(Way::Down, &given, raw, wake);
                Ok(())
            }
        }
    }

    /// Answers the PUBREL of an exchange that ends here. `known` is the highest QoS that the receiver's
    /// platform knows: one without QoS 2 may never see a PUBREL (OmniCore disconnects), not even that of an
    /// exchange which began in an older connection.
    fn release(
        &mut self,
        way: Way,
        given: &Acknowledgement<'_>,
        known: Qos,
        wake: &mut Wake<'_>,
    ) -> Release {
        let identifier = given.packet_identifier;
        let exchanges = if way == Way::Up { &mut self.up } else { &mut self.down };
        let reason_code = match exchanges.at(identifier) {
            Some(Exchange::Forwarded) => return Release::Early,
            Some(Exchange::Released) => ReasonCode::Success,
            None if known < Qos::ExactlyOnce => ReasonCode::PacketIdentifierNotFound,
            None => return Release::Foreign,
        };
        exchanges.finish(identifier);
        let kind = AcknowledgementKind::Pubcomp;
        // It has five bytes at most, and always fits.
        let _ = self.acknowledge(way, kind, identifier, reason_code, wake);
        Release::Answered
    }
}

//! PUBACK, PUBREC, PUBREL and PUBCOMP. Those of exchanges that pass untouched go on as they are; those of
//! exchanges that end in the proxy are answered here.

use crate::mqtt::{Acknowledgement, AcknowledgementKind, RawPacket, ReasonCode, Version};
use crate::translate::Way;

use super::conversation::{Session, Wake};
use super::end::End;
use super::exchanges::Exchange;

impl Session {
    /// PUBACK, PUBREC or PUBCOMP from the upstream, for a message of the device.
    pub(super) fn acknowledge_up(
        &mut self,
        kind: AcknowledgementKind,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given = Acknowledgement::decode(raw, self.version).map_err(End::UpstreamMalformed)?;
        let forwarded = self.up.at(given.packet_identifier) == Some(Exchange::Forwarded);
        if forwarded && kind == AcknowledgementKind::Puback {
            return self.finish_clamped(Way::Up, &given, wake);
        }
        wake.to_device.extend_from_slice(raw.bytes);
        Ok(())
    }

    /// PUBACK, PUBREC or PUBCOMP from the device, for a message of the upstream.
    pub(super) fn acknowledge_down(
        &mut self,
        kind: AcknowledgementKind,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given = Acknowledgement::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        let forwarded = self.down.at(given.packet_identifier) == Some(Exchange::Forwarded);
        if forwarded && kind == AcknowledgementKind::Puback {
            return self.finish_clamped(Way::Down, &given, wake);
        }
        wake.to_upstream.extend_from_slice(raw.bytes);
        Ok(())
    }

    /// The receiver has a clamped message: only now is its sender told PUBREC.
    fn finish_clamped(
        &mut self,
        way: Way,
        given: &Acknowledgement<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        if given.reason_code.is_error() && self.version == Version::V5 {
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
        if self.up.at(given.packet_identifier) == Some(Exchange::Released) {
            self.up.finish(given.packet_identifier);
            let kind = AcknowledgementKind::Pubcomp;
            return self.acknowledge(
                Way::Up,
                kind,
                given.packet_identifier,
                ReasonCode::Success,
                wake,
            );
        }
        wake.to_upstream.extend_from_slice(raw.bytes);
        Ok(())
    }

    /// PUBREL from the upstream.
    pub(super) fn release_down(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given = Acknowledgement::decode(raw, self.version).map_err(End::UpstreamMalformed)?;
        if self.down.at(given.packet_identifier) == Some(Exchange::Released) {
            self.down.finish(given.packet_identifier);
            let kind = AcknowledgementKind::Pubcomp;
            return self.acknowledge(
                Way::Down,
                kind,
                given.packet_identifier,
                ReasonCode::Success,
                wake,
            );
        }
        wake.to_device.extend_from_slice(raw.bytes);
        Ok(())
    }
}

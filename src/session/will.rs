//! Wills for platforms that have none: the proxy keeps the will and publishes it when the device vanishes.
//!
//! The promise ends with the proxy itself: one that is killed can't publish.

use crate::mqtt::{
    Acknowledgement, Disconnect, EncodeError, PacketIdentifier, PacketType, Properties, Publish,
    Qos, RawPacket, ReasonCode, Version,
};

use super::conversation::{Phase, Session, Wake};
use super::end::End;

/// A will, already under the upstream's names.
#[derive(Debug)]
pub(super) struct EmulatedWill {
    pub(super) topic_name: Box<str>,
    pub(super) payload: Box<[u8]>,
    pub(super) qos: Qos,
    pub(super) retain: bool,
}

/// The packet identifier of an emulated will. The device is gone, so none of its own exchanges goes on.
const WILL_IDENTIFIER: Option<PacketIdentifier> = PacketIdentifier::new(u16::MAX);

impl EmulatedWill {
    /// Appends the will as the PUBLISH that it becomes.
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let publish = Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic_name: &self.topic_name,
            packet_identifier: WILL_IDENTIFIER.filter(|_| self.qos != Qos::AtMostOnce),
            properties: Properties::EMPTY,
            payload: &self.payload,
        };
        publish.encode(version, out)
    }
}

impl Session {
    /// The device is gone without a good-bye: its will is published, then the session ends.
    pub(super) fn leave(&mut self, end: End, wake: &mut Wake<'_>) {
        let Some(will) = self.will.take() else {
            self.phase = Phase::Ended(end);
            return;
        };
        // It was encoded once already, when CONNECT was checked.
        let _ = will.encode(self.upstream_version, wake.to_upstream);
        if will.qos != Qos::AtMostOnce {
            self.phase = Phase::Leaving(end);
            self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
        } else {
            self.say_good_bye(end, wake);
        }
    }

    /// A packet for a device that is gone. Only the answer to the will matters: nothing else may be
    /// acknowledged, for nobody has it.
    pub(super) fn upstream_packet_to_nobody(
        &mut self,
        end: End,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        if raw.packet_type == PacketType::Puback {
            let given = Acknowledgement::decode(raw, self.upstream_version)
                .map_err(End::UpstreamMalformed)?;
            if WILL_IDENTIFIER == Some(given.packet_identifier) {
                self.say_good_bye(end, wake);
            }
        }
        Ok(())
    }

    /// The will has arrived: nothing is left to do on a platform that would not publish it again.
    pub(super) fn say_good_bye(&mut self, end: End, wake: &mut Wake<'_>) {
        let disconnect =
            Disconnect { reason_code: ReasonCode::Success, properties: Properties::EMPTY };
        // Two bytes always fit.
        let _ = disconnect.encode(self.upstream_version, wake.to_upstream);
        self.phase = Phase::Ended(end);
    }
}

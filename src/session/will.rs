//! Wills for platforms that have none: the proxy keeps the will and publishes it when the device vanishes.
//!
//! The promise ends with the proxy itself: one that is killed can't publish.

use crate::mqtt::{Disconnect, PacketIdentifier, Properties, Publish, Qos, ReasonCode};

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
pub(super) const WILL_IDENTIFIER: Option<PacketIdentifier> = PacketIdentifier::new(u16::MAX);

impl Session {
    /// The device is gone without a good-bye: its will is published, then the session ends.
    pub(super) fn leave(&mut self, end: End, wake: &mut Wake<'_>) {
        let Some(will) = self.will.take() else {
            self.phase = Phase::Ended(end);
            return;
        };
        let awaited = will.qos != Qos::AtMostOnce;
        let publish = Publish {
            dup: false,
            qos: will.qos,
            retain: will.retain,
            topic_name: &will.topic_name,
            packet_identifier: WILL_IDENTIFIER.filter(|_| awaited),
            properties: Properties::EMPTY,
            payload: &will.payload,
        };
        // It was encoded once already, when CONNECT was checked.
        let _ = publish.encode(self.version, wake.to_upstream);
        if awaited {
            self.phase = Phase::Leaving(end);
            self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
        } else {
            self.say_good_bye(end, wake);
        }
    }

    /// The will has arrived: nothing is left to do on a platform that would not publish it again.
    pub(super) fn say_good_bye(&mut self, end: End, wake: &mut Wake<'_>) {
        let disconnect =
            Disconnect { reason_code: ReasonCode::Success, properties: Properties::EMPTY };
        // Two bytes always fit.
        let _ = disconnect.encode(self.version, wake.to_upstream);
        self.phase = Phase::Ended(end);
    }
}

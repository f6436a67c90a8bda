//! Wills for platforms that have none: the proxy keeps the will and publishes it when the device vanishes.
//!
//! The promise ends with the proxy itself: one that is killed can't publish.

use std::time::Duration;

use crate::mqtt::{
    Acknowledgement, Disconnect, EncodeError, PacketIdentifier, PacketType, Properties, Publish,
    Qos, RawPacket, ReasonCode, Version, Will,
};
use crate::translate::{Incoming, Outgoing, Reason, Refusal, Way};

use super::attaching::NOT_ATTACHED;
use super::conversation::{Phase, Session, Wake};
use super::end::End;
use super::held::is_lost;

const NOTHING: Refusal =
    Refusal::new(Reason::PayloadShape, "the will has become something that can't be sent");

/// A will under the device's names. It is translated when it is published: only then is its time known, and what the
/// session remembers.
#[derive(Debug)]
pub(super) struct EmulatedWill {
    topic_name: Box<str>,
    payload: Box<[u8]>,
    qos: Qos,
    retain: bool,
}

/// The packet identifier of an emulated will. The device is gone, so none of its own exchanges goes on.
const WILL_IDENTIFIER: Option<PacketIdentifier> = PacketIdentifier::new(u16::MAX);

impl EmulatedWill {
    /// The will of a CONNECT.
    pub(super) fn of(given: &Will<'_>) -> Self {
        let Will { topic_name, payload, qos, retain, .. } = *given;
        Self { topic_name: topic_name.into(), payload: payload.into(), qos, retain }
    }
}

/// Appends a translated will as the PUBLISH that it becomes, and says its QoS: 2 would need a second step after the
/// device is gone.
pub(super) fn encode_will(
    will: &Outgoing<'_>,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<Qos, EncodeError> {
    let qos = will.qos.min(Qos::AtLeastOnce);
    let publish = Publish {
        dup: false,
        qos,
        retain: will.retain,
        topic_name: will.topic_name,
        packet_identifier: WILL_IDENTIFIER.filter(|_| qos != Qos::AtMostOnce),
        properties: Properties::EMPTY,
        payload: will.payload,
    };
    publish.encode(version, out).map(|()| qos)
}

impl Session {
    /// The device is gone without a good-bye: its will is published, then the session ends. Where the proxy keeps the
    /// will's delay, the upstream's connection stays until then, unless the session ends first [MQTT-3.1.3-9]. A device
    /// that comes back takes that connection over.
    pub(super) fn leave(&mut self, end: End, wake: &mut Wake<'_>) {
        let session = Duration::from_secs(u64::from(self.session_expiry));
        let delay = std::mem::take(&mut self.will_delay).min(session);
        if delay.is_zero() {
            return self.publish_or_end(end, wake);
        }
        self.lingers = true;
        self.phase = Phase::Leaving(end);
        self.phase_deadline = Some(wake.now + delay);
        self.keep_alive.speak_for_device();
    }

    /// The deadline of a session whose device is gone has come.
    pub(super) fn leave_at_last(&mut self, end: End, wake: &mut Wake<'_>) {
        match std::mem::take(&mut self.lingers) {
            true => self.publish_or_end(end, wake),
            // The will's acknowledgement didn't come in time.
            false => self.phase = Phase::Ended(end),
        }
    }

    /// Publishes an emulated will; one that the upstream keeps is published when the connection breaks.
    fn publish_or_end(&mut self, end: End, wake: &mut Wake<'_>) {
        let sent = self.will.take().map(|will| self.publish_will(&will, wake));
        match sent {
            None => self.phase = Phase::Ended(end),
            Some(Ok(Qos::AtMostOnce)) => self.say_good_bye(end, wake),
            Some(Ok(_)) => {
                self.phase = Phase::Leaving(end);
                self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
            }
            Some(Err(refusal)) => {
                self.note_refusal(Way::Up, refusal, wake.tally);
                self.say_good_bye(end, wake);
            }
        }
    }

    /// Appends the will, as it was found to be possible when CONNECT was checked.
    fn publish_will(&mut self, will: &EmulatedWill, wake: &mut Wake<'_>) -> Result<Qos, Refusal> {
        let EmulatedWill { topic_name, payload, qos, retain } = will;
        if self.is_unattached(topic_name) {
            return Err(NOT_ATTACHED);
        }
        let message = Incoming { topic_name, payload, qos: *qos, retain: *retain };
        let Self { plan, memory, upstream_version, .. } = self;
        let names = &mut wake.scratch.names;
        let translated = plan.translator.publish(Way::Up, &message, memory, names)?;
        let first = translated.messages().next().ok_or(NOTHING)?;
        encode_will(&first, *upstream_version, wake.to_upstream).map_err(|_| NOTHING)
    }

    /// A packet for a device that is gone. Only the answer to the will matters: nothing else may be
    /// acknowledged, for nobody has it.
    pub(super) fn upstream_packet_to_nobody(
        &mut self,
        end: End,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        if is_lost(raw, self.upstream_version) {
            wake.tally.lose(Way::Down);
        }
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

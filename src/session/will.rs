//! Wills for platforms that have none: the proxy keeps the will and publishes it when the device vanishes.
//!
//! The promise ends with the proxy itself: one that is killed can't publish.

use std::time::Duration;

use crate::mqtt::{
    Acknowledgement, Disconnect, PacketType, Properties, PropertyBuffer, Publish, Qos, RawPacket,
    ReasonCode, Will,
};
use crate::translate::{Incoming, Note, Reason, Refusal, Way};

use super::attaching::NOT_ATTACHED;
use super::bounds::Availability;
use super::conversation::Session;
use super::end::End;
use super::held::is_lost;
use super::phase::Phase;
use super::wake::Wake;

const LARGE: Refusal = Refusal::new(
    Reason::PayloadTooLarge,
    "the will is larger than the upstream's Maximum Packet Size",
);
const NO_ROOM: Refusal =
    Refusal::new(Reason::QueueOverflow, "the upstream takes no more messages, not even the will");
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
    /// Under the upstream's names; empty before 5.
    properties: PropertyBuffer,
}

impl EmulatedWill {
    /// The will of a CONNECT, with the properties that it is published with.
    pub(super) fn of(given: &Will<'_>, properties: PropertyBuffer) -> Self {
        let Will { topic_name, payload, qos, retain, .. } = *given;
        Self { topic_name: topic_name.into(), payload: payload.into(), qos, retain, properties }
    }
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
            false => {
                if self.will.take().is_some() {
                    self.note_refusal(Way::Up, NO_ROOM, wake.tally);
                }
                // Or its acknowledgement didn't come in time.
                self.phase = Phase::Ended(end);
            }
        }
    }

    /// Publishes an emulated will, once the upstream takes one more message; one that the upstream keeps is published when
    /// the connection breaks.
    fn publish_or_end(&mut self, end: End, wake: &mut Wake<'_>) {
        if self.will.is_some() && !self.bounds.takes_more(Way::Up) {
            self.phase = Phase::Leaving(end);
            self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
            return;
        }
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

    /// Appends the will, as far as the upstream takes it. QoS 2 would need a second step after the device is gone.
    fn publish_will(&mut self, will: &EmulatedWill, wake: &mut Wake<'_>) -> Result<Qos, Refusal> {
        let EmulatedWill { topic_name, payload, qos, retain, properties } = will;
        if self.is_unattached(topic_name) {
            return Err(NOT_ATTACHED);
        }
        let granted = self.bounds.upstream;
        let lent = self.lend();
        let message = Incoming { topic_name, payload, qos: *qos, retain: *retain };
        let Self { plan, memory, upstream_version, upstream_takes, .. } = self;
        let names = &mut wake.scratch.names;
        let translated = plan.translator.publish(Way::Up, &message, memory, names)?;
        let first = translated.messages().next().ok_or(NOTHING)?;
        let qos = first.qos.min(Qos::AtLeastOnce).min(granted.qos_max);
        let publish = Publish {
            dup: false,
            qos,
            retain: first.retain && granted.retain == Availability::Available,
            topic_name: first.topic_name,
            packet_identifier: lent.filter(|_| qos != Qos::AtMostOnce),
            properties: properties.properties(),
            payload: first.payload,
        };
        let start = wake.to_upstream.len();
        let written = publish.encode(*upstream_version, wake.to_upstream).map_err(|_| NOTHING);
        let fits = wake.to_upstream.len() - start <= *upstream_takes;
        if let Err(refusal) = written.and(if fits { Ok(()) } else { Err(LARGE) }) {
            wake.to_upstream.truncate(start);
            return Err(refusal);
        }
        let mut notes = translated.notes();
        if qos < will.qos {
            notes.add(Note::QosClamped);
        }
        wake.tally.message(Way::Up, notes);
        self.will_identifier = publish.packet_identifier;
        Ok(qos)
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
        if matches!(raw.packet_type, PacketType::Puback | PacketType::Pubrec | PacketType::Pubcomp)
        {
            let given = Acknowledgement::decode(raw, self.upstream_version)
                .map_err(End::UpstreamMalformed)?;
            self.bounds.acknowledged(Way::Up, &given);
            if self.will_identifier == Some(given.packet_identifier) {
                self.say_good_bye(end, wake);
            } else if self.will.is_some() && !self.lingers {
                // There may be room for it now.
                self.publish_or_end(end, wake);
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

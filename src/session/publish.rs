//! PUBLISH in both directions: what becomes of a message, and who is told.

use crate::mqtt::{PacketIdentifier, PropertyIdentifier, Publish, Qos, RawPacket, ReasonCode};
use crate::translate::{Notes, Refusal, Way};

use super::attaching::NOT_ATTACHED;
use super::conversation::Session;
use super::dispatch::Step;
use super::end::End;
use super::exchanges::{Exchange, Exchanges};
use super::forward::Payload;
use super::order::Sent;
use super::wake::Wake;

const NOT_FROM_DEVICES: End =
    End::DeviceProtocol("a subscription identifier in a message to a server");

/// What became of a message's translation.
pub(super) enum Outcome {
    /// One message went out, with this QoS.
    Sent(Qos),
    /// Several went out; with QoS above 0 their acknowledgements are joined.
    Split(Qos),
    /// There is nothing to send.
    Nothing,
    /// The device didn't ask for it; a widened filter brought it, or an option says that it is unwanted.
    NotAskedFor,
    /// The receiver takes no more at the moment.
    Later,
}

impl Session {
    /// A message from the device.
    pub(super) fn publish_up(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<Step, End> {
        let publish = Publish::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        if publish.properties.find(PropertyIdentifier::SubscriptionIdentifier).is_some() {
            return Err(NOT_FROM_DEVICES);
        }
        if self.is_verbatim() {
            return self.pass_message(Way::Up, &publish, raw, wake);
        }
        let named = self.resolve_alias(Way::Up, &publish)?;
        let topic_name = named.as_deref().unwrap_or(publish.topic_name);
        let publish = Publish { topic_name, ..publish };
        if let Err(refusal) = self.plan.limits.check_message(topic_name, publish.properties) {
            return self.refuse_unread(Way::Up, &publish, raw, refusal, wake);
        }
        if raw.payload_follows > 0 {
            return Ok(self.publish_start(Way::Up, &publish, raw.payload_follows, wake));
        }
        if let Some((identifier, exchange)) = sent_before(&publish, &self.up) {
            return taken(self.answer_again(Way::Up, identifier, exchange, wake));
        }
        if self.is_in_parts(Way::Up, &publish) {
            return Ok(Step::Taken);
        }
        if self.is_unattached(publish.topic_name) {
            return taken(self.refuse_message(Way::Up, &publish, NOT_ATTACHED, wake));
        }
        let outcome = self.translate(Way::Up, &publish, Payload::Here, wake);
        self.has_begun(&publish);
        taken(match outcome {
            Ok(Outcome::Later) => return Ok(Step::Later),
            Ok(Outcome::Sent(qos)) => self.answer_clamped(Way::Up, &publish, qos, wake),
            Ok(Outcome::Split(qos)) => self.answer_split(Way::Up, &publish, qos, wake),
            Ok(Outcome::Nothing | Outcome::NotAskedFor) => {
                self.answer_locally(Way::Up, &publish, ReasonCode::Success, wake)
            }
            Err(refusal) => self.refuse_message(Way::Up, &publish, refusal, wake),
        })
    }

    /// A message from the upstream.
    pub(super) fn publish_down(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<Step, End> {
        let publish =
            Publish::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        if self.is_verbatim() {
            return self.pass_message(Way::Down, &publish, raw, wake);
        }
        let named = self.resolve_alias(Way::Down, &publish)?;
        let topic_name = named.as_deref().unwrap_or(publish.topic_name);
        let publish = Publish { topic_name, ..publish };
        if let Err(refusal) = self.plan.limits.check_message(topic_name, publish.properties) {
            return self.refuse_unread(Way::Down, &publish, raw, refusal, wake);
        }
        if raw.payload_follows > 0 {
            return Ok(self.publish_start(Way::Down, &publish, raw.payload_follows, wake));
        }
        if let Some((identifier, exchange)) = sent_before(&publish, &self.down) {
            return taken(self.answer_again(Way::Down, identifier, exchange, wake));
        }
        if self.is_in_parts(Way::Down, &publish) {
            return Ok(Step::Taken);
        }
        let heard = self.hears_gateway_error(&publish);
        let answered = |session: &mut Self, wake: &mut Wake<'_>| {
            session.answer_locally(Way::Down, &publish, ReasonCode::Success, wake)
        };
        taken(match self.translate(Way::Down, &publish, Payload::Here, wake) {
            Ok(Outcome::Later) => return Ok(Step::Later),
            Ok(Outcome::Sent(qos)) => {
                self.owe_answer(&publish, qos);
                self.answer_clamped(Way::Down, &publish, qos, wake)
            }
            Ok(Outcome::Split(qos)) => {
                self.owe_answer(&publish, qos);
                self.answer_split(Way::Down, &publish, qos, wake)
            }
            Ok(Outcome::Nothing) => answered(self, wake),
            Ok(Outcome::NotAskedFor) | Err(_) if heard => answered(self, wake),
            Ok(Outcome::NotAskedFor) => {
                wake.tally.filter();
                answered(self, wake)
            }
            Err(refusal) => self.refuse_message(Way::Down, &publish, refusal, wake),
        })
    }

    /// The start of a message whose payload need not be here. Whatever the proxy would answer itself is taken whole, once
    /// its payload is there.
    fn publish_start(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        payload_follows: usize,
        wake: &mut Wake<'_>,
    ) -> Step {
        let exchanges = if way == Way::Up { &self.up } else { &self.down };
        if sent_before(publish, exchanges).is_some() {
            return Step::Later;
        }
        let Ok(Outcome::Sent(qos)) =
            self.translate(way, publish, Payload::Follows(payload_follows), wake)
        else {
            return Step::Later;
        };
        match way {
            Way::Up => self.has_begun(publish),
            Way::Down => self.owe_answer(publish, qos),
        }
        self.through.set(way, payload_follows);
        Step::Taken
    }

    /// What an older connection has left comes first [MQTT-4.4.0-1]; whatever has DUP from here on was sent in this one.
    fn has_begun(&mut self, publish: &Publish<'_>) {
        self.upstream_begins &= publish.dup || publish.qos == Qos::AtMostOnce;
    }

    /// The device is going to answer a message of the upstream.
    fn owe_answer(&mut self, publish: &Publish<'_>, sent: Qos) {
        if let Some(identifier) = publish.packet_identifier.filter(|_| sent > Qos::AtMostOnce) {
            let again = if publish.dup { Sent::Again } else { Sent::First };
            self.order.get_or_insert_default().expects(publish.qos, identifier, again);
        }
    }

    /// Whether a message is still on its way in parts: it has come again, and nobody is acknowledged before all parts are.
    fn is_in_parts(&self, way: Way, publish: &Publish<'_>) -> bool {
        let joins = self.joins.as_deref();
        publish
            .packet_identifier
            .is_some_and(|own| joins.is_some_and(|joins| joins.is_open(way, own)))
    }

    /// Refuses a message whose topic or properties are beyond the limits, once all of it is here.
    fn refuse_unread(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        raw: RawPacket<'_>,
        refusal: Refusal,
        wake: &mut Wake<'_>,
    ) -> Result<Step, End> {
        if raw.payload_follows > 0 {
            return Ok(Step::Later);
        }
        taken(self.refuse_message(way, publish, refusal, wake))
    }

    /// A message that goes on as it came.
    fn pass_message(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<Step, End> {
        let limits = &self.plan.limits;
        let checked = limits.check_message(publish.topic_name, publish.properties);
        // Before 5, and without properties, there is no alias that would have to be known.
        let has_alias = !publish.properties.is_empty();
        if (checked.is_err() || has_alias)
            && let Err(refusal) = self.check_alias(way, publish, checked)?
        {
            return self.refuse_unread(way, publish, raw, refusal, wake);
        }
        let out = match way {
            Way::Up => &mut *wake.to_upstream,
            Way::Down => &mut *wake.to_device,
        };
        out.extend_from_slice(raw.bytes);
        self.through.set(way, raw.payload_follows);
        wake.tally.message(way, Notes::default());
        Ok(Step::Taken)
    }
}

fn taken(done: Result<(), End>) -> Result<Step, End> {
    done.map(|()| Step::Taken)
}

/// The exchange of a QoS 2 message that was sent before and ends here.
fn sent_before(
    publish: &Publish<'_>,
    exchanges: &Exchanges,
) -> Option<(PacketIdentifier, Exchange)> {
    let identifier = publish.packet_identifier.filter(|_| publish.qos == Qos::ExactlyOnce)?;
    exchanges.at(identifier).map(|exchange| (identifier, exchange))
}

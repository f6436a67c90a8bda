//! SUBSCRIBE with its answer. One filter of the device may become several of the
//! upstream, or none; the answer has one code for each of the device's, in its order.

use crate::mqtt::{
    PacketIdentifier, Properties, Property, PropertyIdentifier, Qos, RawPacket, ReasonCode,
    RetainHandling, Suback, Subscribe, Subscription, Version, encode_subscribe, topic,
};
use crate::translate::{Reason, Refusal, Way};

use super::attaching::NOT_ATTACHED;
use super::conversation::Session;
use super::end::End;
use super::owed::{Answer, Owed, OwedKind};
use super::properties;
use super::subscriptions::{Asked, Removed, Subscriptions};
use super::wake::Wake;

const FULL: Refusal = Refusal::new(
    Reason::QueueOverflow,
    "the session has as many topic filters as the limit allows",
);
const UNKNOWN_THERE: Refusal = Refusal::new(
    Reason::FilterNotMappable,
    "the upstream's version of MQTT knows no such topic filter",
);
const OVERSIZED: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the upstream's Maximum Packet Size is smaller");
pub(super) const LARGE: End =
    End::DeviceProtocol("the translated topic filters don't fit a packet");
pub(super) const MISCOUNTED: End =
    End::UpstreamProtocol("an answer with more or fewer codes than were asked for");
pub(super) const UNSENT: End =
    End::UpstreamProtocol("an answer that doesn't fit the device's version");

/// The upstream's packet while it grows: each filter once, with the options of its first use.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) filters: Vec<String>,
    options: Vec<(Qos, usize)>,
}

impl Wanted {
    /// The place of a filter in the packet.
    pub(super) fn place(&mut self, filter: &str, qos: Qos, of: usize) -> usize {
        if let Some(place) = self.filters.iter().position(|known| known == filter) {
            if let Some(known) = self.options.get_mut(place) {
                known.0 = known.0.max(qos);
            }
            return place;
        }
        self.filters.push(filter.to_owned());
        self.options.push((qos, of));
        self.filters.len() - 1
    }
}

impl Session {
    /// SUBSCRIBE from the device.
    pub(super) fn on_subscribe(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let subscribe = Subscribe::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        let Some(mut own) = self.subscriptions.take() else {
            return self.pass_subscribe(&subscribe, raw, wake);
        };
        let outcome = if own.owed.has(subscribe.packet_identifier) {
            in_use(raw)
        } else {
            self.subscribe(&subscribe, &mut own, wake)
        };
        self.subscriptions = Some(own);
        outcome
    }

    /// A SUBSCRIBE that goes on as it came. The answer has to have a code for each of its filters, and the upstream gives
    /// them: so all of them are refused where one is.
    fn pass_subscribe(
        &mut self,
        subscribe: &Subscribe<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let filters = subscribe.subscriptions().map(|subscription| subscription.topic_filter);
        let Some(refusal) = self.refused_among(filters) else {
            wake.to_upstream.extend_from_slice(raw.bytes);
            return Ok(());
        };
        self.note_refusal(Way::Up, refusal, wake.tally);
        let code = self.subscribe_failure(refusal);
        let codes = vec![code; subscribe.subscriptions().count()];
        self.write_suback(subscribe.packet_identifier, &codes, wake)
    }

    /// The refusal of the first topic filter that is beyond the limits.
    pub(super) fn refused_among<'f>(
        &self,
        mut filters: impl Iterator<Item = &'f str>,
    ) -> Option<Refusal> {
        filters.find_map(|filter| self.plan.limits.check_topic(filter).err())
    }

    fn subscribe(
        &mut self,
        subscribe: &Subscribe<'_>,
        own: &mut Subscriptions,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let mut wanted = Wanted::default();
        let identifier = subscription_identifier(subscribe.properties);
        let (mut answers, mut removed) = (Vec::new(), Vec::new());
        for (at, subscription) in subscribe.subscriptions().enumerate() {
            let qos = self.clamped(subscription.qos);
            let packet_identifier = subscribe.packet_identifier;
            let subscription = Subscription { qos, ..subscription };
            let asked = Asked { subscription, packet_identifier, identifier };
            let mapped = match at < self.plan.limits.subscriptions_max {
                true => self.map_subscription(&asked, own),
                false => Err(FULL),
            };
            answers.push(match mapped {
                Ok((upstream, replaced)) => {
                    removed.extend(replaced.map(|replaced| (at, replaced)));
                    answer(&upstream, qos, at, &mut wanted)
                }
                Err(refusal) => {
                    self.note_refusal(Way::Up, refusal, wake.tally);
                    Answer::Local(self.subscribe_failure(refusal))
                }
            });
        }
        let filters = subscribe
            .subscriptions()
            .map(|subscription| subscription.topic_filter.into())
            .collect();
        let asked = wanted.filters.len();
        let mut owed = Owed { kind: OwedKind::Suback, answers, filters, asked, removed };
        if wanted.filters.is_empty() {
            return self.answer_subscribe(subscribe, &owed, wake);
        }
        if !own.owed.has_room(&self.plan.limits) {
            return Err(End::ExchangesExceeded);
        }
        let from = wake.to_upstream.len();
        self.write_subscribe(subscribe, &wanted, own, wake)?;
        if wake.to_upstream.len() - from > self.upstream_takes {
            wake.to_upstream.truncate(from);
            self.note_refusal(Way::Up, OVERSIZED, wake.tally);
            let failure = self.subscribe_failure(OVERSIZED);
            owed.answers.fill(Answer::Local(failure));
            owed.filters.iter().for_each(|filter| drop(own.remove(filter)));
            owed.removed.drain(..).for_each(|(_, replaced)| own.restore(replaced));
            return self.answer_subscribe(subscribe, &owed, wake);
        }
        own.owed.add(subscribe.packet_identifier, owed);
        Ok(())
    }

    /// Appends the upstream's SUBSCRIBE.
    fn write_subscribe(
        &self,
        subscribe: &Subscribe<'_>,
        wanted: &Wanted,
        own: &Subscriptions,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let given: Vec<Subscription<'_>> = subscribe.subscriptions().collect();
        let mut upstream = Vec::with_capacity(wanted.filters.len());
        for (filter, (qos, of)) in wanted.filters.iter().zip(&wanted.options) {
            if let Some(options) = given.get(*of) {
                // Another filter may have asked for more before.
                let qos = own.highest_qos(filter).map_or(*qos, |known| known.max(*qos));
                let asked = Subscription { topic_filter: filter, qos, ..*options };
                upstream.push(self.options_upstream(asked));
            }
        }
        let translator = &self.plan.translator;
        let buffer = &mut wake.scratch.properties;
        let properties = match self.upstream_version == Version::V5 {
            true => properties::guard(subscribe.properties, Way::Up, translator, buffer),
            false => Properties::EMPTY,
        };
        let identifier = subscribe.packet_identifier;
        let version = self.upstream_version;
        encode_subscribe(version, identifier, properties, &upstream, wake.to_upstream)
            .map_err(|_| LARGE)
    }

    /// The options as the upstream gets them: before 5 there are none but the QoS.
    fn options_upstream<'f>(&self, asked: Subscription<'f>) -> Subscription<'f> {
        let asked = self.plan.translator.options(asked);
        if self.upstream_version == Version::V5 {
            return asked;
        }
        let Subscription { topic_filter, qos, .. } = asked;
        Subscription {
            topic_filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    /// The upstream's filters for one of the device's, remembered.
    fn map_subscription(
        &self,
        asked: &Asked<'_>,
        own: &mut Subscriptions,
    ) -> Result<(Vec<String>, Option<Removed>), Refusal> {
        let filter = asked.subscription.topic_filter;
        self.plan.limits.check_topic(filter)?;
        let plan = self.plan.translator.filter_within(filter, &self.names, &self.memory)?;
        if self.asks_about_unattached(&plan.upstream) {
            return Err(NOT_ATTACHED);
        }
        let legal = |filter: &String| topic::is_valid_filter_in(filter, self.upstream_version);
        if !plan.upstream.iter().all(legal) {
            return Err(UNKNOWN_THERE);
        }
        let granted = self.bounds.upstream;
        if let Some(refusal) = plan.upstream.iter().find_map(|filter| granted.refuses(filter)) {
            return Err(refusal);
        }
        let limits = &self.plan.limits;
        let full = own.len() >= limits.subscriptions_max || own.bytes() >= limits.packet_size_max;
        if full && !own.has(filter) {
            return Err(FULL);
        }
        let replaced = own.add(asked, &plan.upstream);
        Ok((plan.upstream, replaced))
    }

    /// The highest QoS that both platforms know.
    fn clamped(&self, qos: Qos) -> Qos {
        let translator = &self.plan.translator;
        qos.min(translator.upstream_limits().qos_max).min(translator.device_limits().qos_max)
    }

    fn subscribe_failure(&self, refusal: Refusal) -> u8 {
        match self.version {
            Version::V5 => match super::answer::reason_code(refusal) {
                // Codes of PUBACK that SUBACK hasn't.
                ReasonCode::TopicNameInvalid | ReasonCode::PayloadFormatInvalid => {
                    ReasonCode::TopicFilterInvalid.value()
                }
                code => code.value(),
            },
            // 3.1 has no word for a refusal; it grants what will never come.
            Version::V31 => 0,
            Version::V311 => 0x80,
        }
    }

    fn answer_subscribe(
        &self,
        subscribe: &Subscribe<'_>,
        owed: &Owed,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let codes: Vec<u8> = owed.answers.iter().map(|answer| answer.code(&[])).collect();
        self.write_suback(subscribe.packet_identifier, &codes, wake)
    }

    fn write_suback(
        &self,
        packet_identifier: PacketIdentifier,
        reason_codes: &[u8],
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let suback = Suback { packet_identifier, properties: Properties::EMPTY, reason_codes };
        suback.encode(self.version, wake.to_device).map_err(|_| UNSENT)
    }

    /// SUBACK from the upstream.
    pub(super) fn on_suback(&mut self, raw: RawPacket<'_>, wake: &mut Wake<'_>) -> Result<(), End> {
        let suback = Suback::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        if self.is_own_suback(suback.packet_identifier) {
            return Ok(());
        }
        let Some(own) = &mut self.subscriptions else {
            wake.to_device.extend_from_slice(raw.bytes);
            return Ok(());
        };
        let Some(owed) = own.owed.settle(suback.packet_identifier, OwedKind::Suback) else {
            return Err(End::UpstreamProtocol("a SUBACK that nobody asked for"));
        };
        if suback.reason_codes.len() != owed.asked {
            return Err(MISCOUNTED);
        }
        let version = self.version;
        let codes: Vec<u8> =
            owed.answers.iter().map(|answer| answer.code(suback.reason_codes)).collect();
        for (filter, code) in owed.filters.iter().zip(&codes) {
            match Qos::from_level(*code) {
                Some(granted) => own.grant(filter, suback.packet_identifier, granted),
                None => drop(own.remove(filter)),
            }
        }
        // What was there before stays, whatever became of the new options.
        for (at, replaced) in owed.removed {
            if codes.get(at).is_some_and(|code| *code >= 0x80) {
                own.restore(replaced);
            }
        }
        let translator = &self.plan.translator;
        let buffer = &mut wake.scratch.properties;
        let properties = properties::guard(suback.properties, Way::Down, translator, buffer);
        let told: Vec<u8> = codes.iter().map(|code| suback_code(*code, version)).collect();
        let answer = Suback { reason_codes: &told, properties, ..suback };
        answer.encode(self.version, wake.to_device).map_err(|_| UNSENT)
    }
}

fn subscription_identifier(properties: Properties<'_>) -> u32 {
    match properties.find(PropertyIdentifier::SubscriptionIdentifier) {
        Some(Property::SubscriptionIdentifier(identifier)) => identifier,
        _ => 0,
    }
}

/// A reason code as the device's version has it. 3.1 has no word for a refusal; it grants what will never come.
fn suback_code(code: u8, version: Version) -> u8 {
    match version {
        Version::V5 => code,
        Version::V311 => code.min(0x80),
        Version::V31 if code >= 0x80 => 0,
        Version::V31 => code,
    }
}

/// A packet identifier that waits for its answer: only MQTT 3.1 sends such a packet again (with DUP), and the
/// answer to the first one is on its way.
pub(super) fn in_use(raw: RawPacket<'_>) -> Result<(), End> {
    let again = raw.flags & 0b1000 != 0;
    if again { Ok(()) } else { Err(End::DeviceProtocol("a packet identifier that is in use")) }
}

fn answer(upstream: &[String], qos: Qos, of: usize, wanted: &mut Wanted) -> Answer {
    if upstream.is_empty() {
        return Answer::Local(qos.level());
    }
    let places = upstream.iter().map(|filter| wanted.place(filter, qos, of)).collect();
    Answer::Upstream { places, most: qos.level() }
}

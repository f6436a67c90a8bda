//! UNSUBSCRIBE with its answer. An upstream filter goes when no filter of the device needs it any more.

use crate::mqtt::{
    PacketIdentifier, Properties, Qos, RawPacket, ReasonCode, Unsuback, Unsubscribe, Version,
    encode_unsubscribe,
};
use crate::translate::Way;

use super::conversation::Session;
use super::end::End;
use super::owed::{Answer, Owed, OwedKind};
use super::properties;
use super::subscribe::{LARGE, MISCOUNTED, UNSENT, Wanted, in_use};
use super::subscriptions::Subscriptions;
use super::wake::Wake;

const NOT_THERE: Answer = Answer::Local(ReasonCode::NoSubscriptionExisted as u8);

impl Session {
    /// UNSUBSCRIBE from the device.
    pub(super) fn on_unsubscribe(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let unsubscribe = Unsubscribe::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        let Some(mut own) = self.subscriptions.take() else {
            return self.pass_unsubscribe(&unsubscribe, raw, wake);
        };
        let outcome = if own.owed.has(unsubscribe.packet_identifier) {
            in_use(raw)
        } else {
            self.unsubscribe(&unsubscribe, &mut own, wake)
        };
        self.subscriptions = Some(own);
        outcome
    }

    /// An UNSUBSCRIBE that goes on as it came, unless one of its filters is beyond the limits.
    fn pass_unsubscribe(
        &mut self,
        unsubscribe: &Unsubscribe<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let Some(refusal) = self.refused_among(unsubscribe.topic_filters()) else {
            wake.to_upstream.extend_from_slice(raw.bytes);
            return Ok(());
        };
        self.note_refusal(Way::Up, refusal, wake.tally);
        if self.version != Version::V5 {
            // Its UNSUBACK can only say that all of them are gone, and others may stand beside it.
            return Err(End::MessageRefused(refusal));
        }
        let codes =
            vec![ReasonCode::TopicFilterInvalid.value(); unsubscribe.topic_filters().count()];
        self.answer_unsubscribe(unsubscribe.packet_identifier, &codes, wake)
    }

    fn unsubscribe(
        &mut self,
        unsubscribe: &Unsubscribe<'_>,
        own: &mut Subscriptions,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let mut wanted = Wanted::default();
        let most = self.plan.limits.subscriptions_max;
        let mut removed = Vec::new();
        let mut answers = Vec::new();
        // There may be a million of them, and only so many can be there.
        let known = own.known();
        for (at, filter) in unsubscribe.topic_filters().enumerate() {
            let found = if known.contains(filter) { own.remove(filter) } else { None };
            answers.push(match found {
                Some(found) => {
                    let answer = answer_to_unsubscribe(&found.free, at, &mut wanted);
                    removed.push((at, found));
                    answer
                }
                None if at < most => self.remove_unknown(filter, at, own, &mut wanted),
                None => NOT_THERE,
            });
        }
        let identifier = unsubscribe.packet_identifier;
        if wanted.filters.is_empty() {
            let codes: Vec<u8> = answers.iter().map(|answer| answer.code(&[])).collect();
            return self.answer_unsubscribe(identifier, &codes, wake);
        }
        if !own.owed.has_room(&self.plan.limits) {
            return Err(End::ExchangesExceeded);
        }
        let from = wake.to_upstream.len();
        self.write_unsubscribe(unsubscribe, &wanted, wake)?;
        if wake.to_upstream.len() - from > self.upstream_takes {
            wake.to_upstream.truncate(from);
            removed.into_iter().for_each(|(_, found)| own.is_gone(found, most));
            return self.answer_unsubscribe(
                identifier,
                &vec![NOT_THERE.code(&[]); answers.len()],
                wake,
            );
        }
        let asked = wanted.filters.len();
        let owed = Owed { kind: OwedKind::Unsuback, answers, filters: Vec::new(), asked, removed };
        own.owed.add(identifier, owed);
        Ok(())
    }

    /// Appends the upstream's UNSUBSCRIBE.
    fn write_unsubscribe(
        &self,
        unsubscribe: &Unsubscribe<'_>,
        wanted: &Wanted,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let filters: Vec<&str> = wanted.filters.iter().map(String::as_str).collect();
        let (translator, version) = (&self.plan.translator, self.upstream_version);
        let buffer = &mut wake.scratch.properties;
        let properties = match version == Version::V5 {
            true => properties::guard(unsubscribe.properties, Way::Up, translator, buffer),
            false => Properties::EMPTY,
        };
        let identifier = unsubscribe.packet_identifier;
        encode_unsubscribe(version, identifier, properties, &filters, wake.to_upstream)
            .map_err(|_| LARGE)
    }

    /// A filter that the session doesn't know.
    fn remove_unknown(
        &self,
        filter: &str,
        at: usize,
        own: &Subscriptions,
        wanted: &mut Wanted,
    ) -> Answer {
        if own.began_clean() && self.upstream_version != Version::V5 {
            // The upstream would have no word for it.
            return NOT_THERE;
        }
        if self.plan.limits.check_topic(filter).is_err() {
            return NOT_THERE;
        }
        // A filter of an older session, perhaps: the upstream knows.
        let Ok(plan) = self.plan.translator.filter_within(filter, &self.names, &self.memory) else {
            return NOT_THERE;
        };
        let free: Vec<String> =
            plan.upstream.into_iter().filter(|filter| !own.needs(filter)).collect();
        match free.is_empty() && !own.has_unknown() {
            true => NOT_THERE,
            false => answer_to_unsubscribe(&free, at, wanted),
        }
    }

    fn answer_unsubscribe(
        &self,
        packet_identifier: PacketIdentifier,
        codes: &[u8],
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let reason_codes = if self.version == Version::V5 { codes } else { &[] };
        let unsuback = Unsuback { packet_identifier, properties: Properties::EMPTY, reason_codes };
        unsuback.encode(self.version, wake.to_device).map_err(|_| UNSENT)
    }

    /// UNSUBACK from the upstream.
    pub(super) fn on_unsuback(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let unsuback =
            Unsuback::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        let Some(own) = &mut self.subscriptions else {
            wake.to_device.extend_from_slice(raw.bytes);
            return Ok(());
        };
        let Some(owed) = own.owed.settle(unsuback.packet_identifier, OwedKind::Unsuback) else {
            return Err(End::UpstreamProtocol("an UNSUBACK that nobody asked for"));
        };
        if self.upstream_version == Version::V5 && unsuback.reason_codes.len() != owed.asked {
            return Err(MISCOUNTED);
        }
        // Before 5 an UNSUBACK says nothing but that it is done.
        let done = vec![ReasonCode::Success.value(); owed.asked];
        let given =
            if self.upstream_version == Version::V5 { unsuback.reason_codes } else { &done };
        let codes: Vec<u8> = owed.answers.iter().map(|answer| answer.code(given)).collect();
        // What the upstream refuses to delete goes on being delivered.
        for (at, known) in owed.removed {
            if codes.get(at).is_some_and(|code| *code >= 0x80) {
                own.put_back(known);
            }
        }
        self.answer_unsubscribe(unsuback.packet_identifier, &codes, wake)
    }
}

fn answer_to_unsubscribe(upstream: &[String], of: usize, wanted: &mut Wanted) -> Answer {
    if upstream.is_empty() {
        return Answer::Local(ReasonCode::Success.value());
    }
    let place = |filter: &String| wanted.place(filter, Qos::AtMostOnce, of);
    Answer::Upstream { places: upstream.iter().map(place).collect(), most: 0x7F }
}

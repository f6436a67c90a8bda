//! What a translated session remembers of its subscriptions: the device's filters with the upstream's, and
//! the answers that are still owed.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mqtt::{PacketIdentifier, Qos, topic};

use super::plan::SessionLimits;

/// The subscriptions of one translated session.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    entries: Vec<Entry>,
    /// Bytes of all filters in `entries`.
    bytes: usize,
    owed: HashMap<PacketIdentifier, Owed, RandomState>,
    /// The upstream kept an older session: its filters are not known here.
    resumed: bool,
    began_clean: bool,
}

#[derive(Debug)]
struct Entry {
    filter: Box<str>,
    upstream: Vec<Box<str>>,
    /// The QoS asked for, then the one granted.
    qos: Qos,
}

impl Entry {
    fn needs(&self, upstream: &str) -> bool {
        self.upstream.iter().any(|needed| **needed == *upstream)
    }

    fn bytes(&self) -> usize {
        self.filter.len() + self.upstream.iter().map(|filter| filter.len()).sum::<usize>()
    }
}

/// An answer that waits for the upstream's.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) kind: OwedKind,
    /// One for each topic filter of the device's packet, in its order.
    pub(super) answers: Vec<Answer>,
    /// The device's filters, for what the upstream grants and refuses.
    pub(super) filters: Vec<Box<str>>,
    /// How many filters the upstream was asked for, so many codes has its answer.
    pub(super) asked: usize,
}

impl Owed {
    fn bytes(&self) -> usize {
        self.filters.iter().map(|filter| filter.len()).sum()
    }
}

/// Which packet is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwedKind {
    Suback,
    Unsuback,
}

/// The answer to one topic filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Known already.
    Local(u8),
    /// Made of the upstream's codes at these places; a success is this number at most.
    Upstream { places: Vec<usize>, most: u8 },
}

impl Answer {
    /// The reason code, given those of the upstream: the first failure, or the lowest grant.
    pub(super) fn code(&self, upstream: &[u8]) -> u8 {
        let (places, most) = match self {
            Answer::Local(code) => return *code,
            Answer::Upstream { places, most } => (places, *most),
        };
        let mut codes = places.iter().filter_map(|place| upstream.get(*place).copied());
        let failed = codes.clone().find(|code| *code >= 0x80);
        failed.or_else(|| codes.by_ref().min().map(|code| code.min(most))).unwrap_or(0x80)
    }
}

impl Subscriptions {
    /// Of a session that was asked to begin clean: it can't have older filters.
    pub(super) fn of_new_session() -> Self {
        Self { began_clean: true, ..Self::default() }
    }

    /// The upstream says that it kept the session: there may be filters that nobody told the proxy. `false`
    /// when it can't have ([MQTT-3.2.2-2]).
    #[must_use]
    pub(super) fn resume(&mut self) -> bool {
        self.resumed = !self.began_clean;
        self.resumed
    }

    /// The highest QoS with which the device asked for a topic, if it did ([MQTT-3.8.4-8]). Unknown filters of
    /// a resumed session may ask for anything.
    pub(super) fn asks_for(&self, topic_name: &str) -> Option<Qos> {
        if self.resumed {
            return Some(Qos::ExactlyOnce);
        }
        let asking = |entry: &&Entry| topic::matches(topic_name, &entry.filter);
        self.entries.iter().filter(asking).map(|entry| entry.qos).max()
    }

    /// The highest QoS that any filter of the device needs of an upstream filter.
    pub(super) fn highest_qos(&self, upstream: &str) -> Option<Qos> {
        let users = self.entries.iter().filter(|entry| entry.needs(upstream));
        users.map(|entry| entry.qos).max()
    }

    /// Whether there may be filters that nobody told the proxy.
    pub(super) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Number of filters.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all filters, the device's and the upstream's.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the filter is there already.
    pub(super) fn has(&self, filter: &str) -> bool {
        self.entries.iter().any(|entry| *entry.filter == *filter)
    }

    /// Adds a filter, or replaces it [MQTT-3.8.4-3].
    pub(super) fn add(&mut self, filter: &str, upstream: &[String], qos: Qos) {
        let upstream = upstream.iter().map(|filter| filter.as_str().into()).collect();
        let entry = Entry { filter: filter.into(), upstream, qos };
        self.bytes += entry.bytes();
        match self.entries.iter_mut().find(|entry| *entry.filter == *filter) {
            Some(known) => {
                self.bytes = self.bytes.saturating_sub(known.bytes());
                *known = entry;
            }
            None => self.entries.push(entry),
        }
    }

    /// The upstream has granted a filter with this QoS.
    pub(super) fn grant(&mut self, filter: &str, granted: Qos) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| *entry.filter == *filter) {
            entry.qos = granted;
        }
    }

    /// Removes a filter. Returns the upstream filters that no other filter needs; `None` when it isn't there.
    pub(super) fn remove(&mut self, filter: &str) -> Option<Vec<Box<str>>> {
        let place = self.entries.iter().position(|entry| *entry.filter == *filter)?;
        let removed = self.entries.swap_remove(place);
        self.bytes = self.bytes.saturating_sub(removed.bytes());
        Some(removed.upstream.into_iter().filter(|upstream| !self.needs(upstream)).collect())
    }

    /// Whether some filter of the device needs this upstream filter.
    pub(super) fn needs(&self, upstream: &str) -> bool {
        self.entries.iter().any(|entry| entry.needs(upstream))
    }

    /// Whether an answer is owed under this packet identifier.
    pub(super) fn owes(&self, identifier: PacketIdentifier) -> bool {
        self.owed.contains_key(&identifier)
    }

    /// Whether one more answer may be owed. What is owed already is less than any of the limits, so that all
    /// of it is at most these and one packet more.
    pub(super) fn may_owe(&self, limits: &SessionLimits) -> bool {
        let filters: usize = self.owed.values().map(|owed| owed.answers.len()).sum();
        let bytes: usize = self.owed.values().map(Owed::bytes).sum();
        self.owed.len() < limits.exchanges_max
            && filters < limits.subscriptions_max
            && bytes < limits.packet_size_max
    }

    /// Remembers an answer.
    pub(super) fn owe(&mut self, identifier: PacketIdentifier, owed: Owed) {
        self.owed.insert(identifier, owed);
    }

    /// The answer that is owed under this packet identifier.
    pub(super) fn settle(&mut self, identifier: PacketIdentifier, kind: OwedKind) -> Option<Owed> {
        let owed = self.owed.get(&identifier).is_some_and(|owed| owed.kind == kind);
        if owed { self.owed.remove(&identifier) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_filter_stays_while_somebody_needs_it() {
        let mut subscriptions = Subscriptions::default();
        let wide = ["c/#".to_owned()];
        subscriptions.add("a/in", &wide, Qos::AtMostOnce);
        subscriptions.add("b/in", &wide, Qos::ExactlyOnce);
        subscriptions.add("b/in", &wide, Qos::AtLeastOnce);
        assert_eq!((subscriptions.len(), subscriptions.bytes()), (2, 14));
        assert_eq!(subscriptions.highest_qos("c/#"), Some(Qos::AtLeastOnce));
        assert_eq!(subscriptions.remove("a/in"), Some(vec![]));
        assert_eq!(subscriptions.remove("a/in"), None);
        assert_eq!(subscriptions.remove("b/in"), Some(vec!["c/#".into()]));
        assert_eq!((subscriptions.len(), subscriptions.bytes()), (0, 0));
    }

    #[test]
    fn only_what_was_asked_for_is_delivered() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add("h/+/in", &[], Qos::AtMostOnce);
        subscriptions.add("h/a/+", &[], Qos::ExactlyOnce);
        assert_eq!(subscriptions.asks_for("h/b/in"), Some(Qos::AtMostOnce));
        assert_eq!(subscriptions.asks_for("h/a/in"), Some(Qos::ExactlyOnce));
        subscriptions.grant("h/a/+", Qos::AtLeastOnce);
        assert_eq!(subscriptions.asks_for("h/a/in"), Some(Qos::AtLeastOnce));
        assert_eq!(subscriptions.asks_for("h/b/out"), None);
        assert!(subscriptions.resume());
        let any = subscriptions.asks_for("h/b/out");
        assert_eq!(any, Some(Qos::ExactlyOnce), "an older session may have asked for it");
        assert!(!Subscriptions::of_new_session().resume());
    }

    #[test]
    fn codes_are_merged_to_the_first_failure_or_the_lowest_grant() {
        assert_eq!(Answer::Local(0x8F).code(&[0, 1]), 0x8F);
        let both = |most| Answer::Upstream { places: vec![0, 1], most };
        assert_eq!(both(2).code(&[2, 1]), 1);
        assert_eq!(both(0).code(&[2, 1]), 0, "nobody is granted more than was asked for");
        assert_eq!(both(0).code(&[2, 0x87]), 0x87);
        assert_eq!(both(2).code(&[]), 0x80, "no answer is a failure");
    }
}

//! What a translated session remembers of its subscriptions: the device's filters with the upstream's, and
//! the answers that are still owed.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mqtt::{PacketIdentifier, topic};

/// The subscriptions of one translated session.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    entries: Vec<Entry>,
    owed: HashMap<PacketIdentifier, Owed, RandomState>,
    /// The upstream kept an older session: its filters are not known here.
    resumed: bool,
    began_clean: bool,
}

#[derive(Debug)]
struct Entry {
    filter: Box<str>,
    upstream: Vec<Box<str>>,
}

/// An answer that waits for the upstream's.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) kind: OwedKind,
    /// One for each topic filter of the device's packet, in its order.
    pub(super) answers: Vec<Answer>,
    /// The device's filters, for those that the upstream refuses.
    pub(super) filters: Vec<Box<str>>,
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
    /// Made of the upstream's codes at these places.
    Upstream(Vec<usize>),
}

impl Answer {
    /// The reason code, given those of the upstream: the first failure, or the lowest grant.
    pub(super) fn code(&self, upstream: &[u8]) -> u8 {
        let places = match self {
            Answer::Local(code) => return *code,
            Answer::Upstream(places) => places,
        };
        let mut codes = places.iter().filter_map(|place| upstream.get(*place).copied());
        let failed = codes.clone().find(|code| *code >= 0x80);
        failed.or_else(|| codes.by_ref().min()).unwrap_or(0x80)
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

    /// Whether the device asked for a topic. Unknown filters of a resumed session may ask for anything.
    pub(super) fn asks_for(&self, topic_name: &str) -> bool {
        self.resumed || self.entries.iter().any(|entry| topic::matches(topic_name, &entry.filter))
    }

    /// Number of filters.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the filter is there already.
    pub(super) fn has(&self, filter: &str) -> bool {
        self.entries.iter().any(|entry| *entry.filter == *filter)
    }

    /// Adds a filter, or replaces it [MQTT-3.8.4-3].
    pub(super) fn add(&mut self, filter: &str, upstream: &[String]) {
        self.entries.retain(|entry| *entry.filter != *filter);
        let upstream = upstream.iter().map(|filter| filter.as_str().into()).collect();
        self.entries.push(Entry { filter: filter.into(), upstream });
    }

    /// Removes a filter. Returns the upstream filters that no other filter needs; `None` when it isn't there.
    pub(super) fn remove(&mut self, filter: &str) -> Option<Vec<Box<str>>> {
        let place = self.entries.iter().position(|entry| *entry.filter == *filter)?;
        let removed = self.entries.swap_remove(place);
        Some(removed.upstream.into_iter().filter(|upstream| !self.needs(upstream)).collect())
    }

    /// Whether some filter of the device needs this upstream filter.
    pub(super) fn needs(&self, upstream: &str) -> bool {
        self.entries.iter().any(|entry| entry.upstream.iter().any(|needed| **needed == *upstream))
    }

    /// Remembers an answer; `false` when there are `most` already.
    pub(super) fn owe(&mut self, identifier: PacketIdentifier, owed: Owed, most: usize) -> bool {
        if self.owed.len() >= most {
            return false;
        }
        self.owed.insert(identifier, owed);
        true
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
        subscriptions.add("a/in", &wide);
        subscriptions.add("b/in", &wide);
        subscriptions.add("b/in", &wide);
        assert_eq!(subscriptions.len(), 2);
        assert_eq!(subscriptions.remove("a/in"), Some(vec![]));
        assert_eq!(subscriptions.remove("a/in"), None);
        assert_eq!(subscriptions.remove("b/in"), Some(vec!["c/#".into()]));
    }

    #[test]
    fn only_what_was_asked_for_is_delivered() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add("h/+/in", &[]);
        assert!(subscriptions.asks_for("h/a/in"));
        assert!(!subscriptions.asks_for("h/a/out"));
        assert!(subscriptions.resume());
        assert!(subscriptions.asks_for("h/a/out"), "an older session may have asked for it");
        assert!(!Subscriptions::of_new_session().resume());
    }

    #[test]
    fn codes_are_merged_to_the_first_failure_or_the_lowest_grant() {
        assert_eq!(Answer::Local(0x8F).code(&[0, 1]), 0x8F);
        assert_eq!(Answer::Upstream(vec![0, 1]).code(&[2, 1]), 1);
        assert_eq!(Answer::Upstream(vec![0, 1]).code(&[2, 0x87]), 0x87);
        assert_eq!(
            Answer::Upstream(vec![5]).code(&[2]),
            0x80,
            "an upstream that answers too little has failed"
        );
    }
}

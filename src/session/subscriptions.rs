//! What a session whose packets are written anew remembers of its subscriptions: the device's filters with the upstream's.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::mqtt::{PacketIdentifier, Qos, RetainHandling, Subscription, topic};

use super::owed::OwedAnswers;

/// The subscriptions of one session whose packets are written anew.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    entries: Vec<Entry>,
    /// Bytes of all filters in `entries`.
    bytes: usize,
    /// What the device has asked and isn't told yet.
    pub(super) owed: OwedAnswers,
    /// There may be filters that are not known here: the upstream kept an older session, or sends what nobody asked for.
    unknown: bool,
    began_clean: bool,
    /// Removed, and still delivered.
    gone: Vec<Box<str>>,
    /// Some filter had a Subscription Identifier.
    has_identifiers: bool,
    /// Some upstream filter was there for several of the device's.
    shares_filters: bool,
    /// Options that nobody but the proxy can see to: the device has said them, and the upstream's version has no word
    /// for them.
    options: Options,
}

/// Who sees to the options of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Options {
    /// The upstream, or there are none.
    #[default]
    Upstream,
    /// The proxy.
    Proxy,
}

#[derive(Debug)]
struct Entry {
    filter: Box<str>,
    /// Where the filter that topics are compared with begins: behind `$share/{name}/`.
    compared: usize,
    upstream: Vec<Box<str>>,
    /// The QoS asked for, then the one granted.
    qos: Qos,
    /// Subscription Identifier; 0 is none.
    identifier: u32,
    no_local: bool,
    /// The device doesn't want what was retained before it subscribed.
    refuses_retained: bool,
    refuses_when_granted: bool,
    /// The SUBSCRIBE that it is of.
    packet_identifier: PacketIdentifier,
}

/// What the device asks for with one filter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) subscription: Subscription<'a>,
    /// Of its SUBSCRIBE.
    pub(super) packet_identifier: PacketIdentifier,
    /// Subscription Identifier; 0 is none.
    pub(super) identifier: u32,
}

/// What a delivery is to an upstream that knows no subscription options.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrival {
    /// It was there before the subscription.
    pub(super) is_retained: bool,
    /// The device itself has sent it.
    pub(super) is_echo: bool,
}

impl Entry {
    fn needs(&self, upstream: &str) -> bool {
        self.upstream.iter().any(|needed| **needed == *upstream)
    }

    fn bytes(&self) -> usize {
        self.filter.len() + self.upstream.iter().map(|filter| filter.len()).sum::<usize>()
    }

    fn matches(&self, topic_name: &str) -> bool {
        let compared = self.filter.get(self.compared..).unwrap_or_default();
        topic::matches(topic_name, compared)
    }

    fn wants(&self, arrival: Arrival) -> bool {
        !(arrival.is_retained && self.refuses_retained || arrival.is_echo && self.no_local)
    }
}

/// A filter of the device that was removed.
#[derive(Debug)]
pub(super) struct Removed {
    entry: Entry,
    /// The upstream filters that no other filter needs.
    pub(super) free: Vec<String>,
}

impl Subscriptions {
    /// Of a session that was asked to begin clean: it can't have older filters.
    pub(super) fn of_new_session() -> Self {
        Self { began_clean: true, ..Self::default() }
    }

    /// Of a session in which anything may be delivered, whoever asked for it.
    pub(super) fn with_unknown(mut self, unknown: bool) -> Self {
        self.unknown |= unknown;
        self
    }

    /// Says who sees to the options.
    pub(super) fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The upstream says that it kept the session: there may be filters that nobody told the proxy. `false`
    /// when it can't have ([MQTT-3.2.2-2]).
    #[must_use]
    pub(super) fn resume(&mut self) -> bool {
        self.unknown = true;
        !self.began_clean
    }

    /// The highest QoS with which the device asked for a topic, if it did ([MQTT-3.8.4-8]) and doesn't refuse how it
    /// arrives. Filters that nobody knows may ask for anything.
    pub(super) fn asks_for(&self, topic_name: &str, arrival: Arrival) -> Option<Qos> {
        let mut matching = self.entries.iter().filter(|entry| entry.matches(topic_name)).peekable();
        let known = matching.peek().is_some();
        let highest = matching.filter(|entry| entry.wants(arrival)).map(|entry| entry.qos).max();
        let unknown = || !self.gone.iter().any(|filter| topic::matches(topic_name, filter));
        match self.unknown && (highest.is_some() || !known && unknown()) {
            true => Some(Qos::ExactlyOnce),
            false => highest,
        }
    }

    /// Whether options are the proxy's to see to.
    pub(super) fn sees_to_options(&self) -> bool {
        self.options == Options::Proxy
    }

    /// Whether the device's own messages may have to be left out.
    pub(super) fn has_no_local(&self) -> bool {
        self.sees_to_options() && self.entries.iter().any(|entry| entry.no_local)
    }

    /// Whether Subscription Identifiers are the proxy's to add: the upstream knows none, or one of its filters is there for
    /// several of the device's, of which it knows only the last one's.
    pub(super) fn identifies(&self) -> bool {
        self.has_identifiers && (self.sees_to_options() || self.shares_filters)
    }

    /// Whether a filter is known that asks for a topic.
    pub(super) fn knows(&self, topic_name: &str) -> bool {
        self.entries.iter().any(|entry| entry.matches(topic_name))
    }

    /// The Subscription Identifiers of a delivery, each once [MQTT-3.3.4-3] [MQTT-3.3.4-4].
    pub(super) fn identifiers(&self, topic_name: &str, arrival: Arrival) -> Vec<u32> {
        let asking = |entry: &&Entry| entry.matches(topic_name) && entry.wants(arrival);
        let mut identifiers: Vec<u32> =
            self.entries.iter().filter(asking).map(|entry| entry.identifier).collect();
        identifiers.retain(|identifier| *identifier != 0);
        identifiers.sort_unstable();
        identifiers.dedup();
        identifiers
    }

    /// The highest QoS that any filter of the device needs of an upstream filter.
    pub(super) fn highest_qos(&self, upstream: &str) -> Option<Qos> {
        let users = self.entries.iter().filter(|entry| entry.needs(upstream));
        users.map(|entry| entry.qos).max()
    }

    /// Whether there may be filters that nobody told the proxy.
    pub(super) fn has_unknown(&self) -> bool {
        self.unknown
    }

    /// Whether the device asked for a session without a past.
    pub(super) fn began_clean(&self) -> bool {
        self.began_clean
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

    /// Adds a filter, or replaces it [MQTT-3.8.4-3]. Returns what it replaces.
    pub(super) fn add(&mut self, asked: &Asked<'_>, upstream: &[String]) -> Option<Removed> {
        let Subscription { topic_filter: filter, qos, no_local, retain_handling, .. } =
            asked.subscription;
        let known = self.entries.iter().position(|entry| *entry.filter == *filter);
        let sees = self.sees_to_options();
        let (refuses_retained, refuses_when_granted) = match retain_handling {
            _ if !sees => (false, false),
            RetainHandling::Send => (false, false),
            // What the first SUBSCRIBE has brought may still be on its way.
            RetainHandling::SendIfNew => (false, known.is_some()),
            RetainHandling::DoNotSend => (known.is_none(), true),
        };
        let shared = topic::shared(filter).and_then(Result::ok);
        let entry = Entry {
            filter: filter.into(),
            compared: shared.map_or(0, |(_, inner)| filter.len() - inner.len()),
            upstream: upstream.iter().map(|filter| filter.as_str().into()).collect(),
            qos,
            identifier: asked.identifier,
            no_local,
            refuses_retained,
            refuses_when_granted,
            packet_identifier: asked.packet_identifier,
        };
        self.gone.retain(|gone| **gone != *filter);
        self.has_identifiers |= asked.identifier != 0;
        let others = || self.entries.iter().filter(|other| *other.filter != *filter);
        self.shares_filters |=
            upstream.iter().any(|needed| others().any(|other| other.needs(needed)));
        self.bytes += entry.bytes();
        let Some(place) = known.and_then(|at| self.entries.get_mut(at)) else {
            self.entries.push(entry);
            return None;
        };
        let replaced = std::mem::replace(place, entry);
        self.bytes = self.bytes.saturating_sub(replaced.bytes());
        Some(Removed { entry: replaced, free: Vec::new() })
    }

    /// The upstream keeps delivering what the device doesn't want any more.
    pub(super) fn is_gone(&mut self, removed: Removed, most: usize) {
        if self.gone.len() < most {
            self.gone.push(removed.entry.filter);
        }
    }

    /// The upstream has granted a filter of this SUBSCRIBE with this QoS.
    pub(super) fn grant(&mut self, filter: &str, of: PacketIdentifier, granted: Qos) {
        let own = |entry: &&mut Entry| *entry.filter == *filter && entry.packet_identifier == of;
        if let Some(entry) = self.entries.iter_mut().find(own) {
            entry.qos = granted;
            entry.refuses_retained = entry.refuses_when_granted;
        }
    }

    /// Removes a filter; `None` when it isn't there.
    pub(super) fn remove(&mut self, filter: &str) -> Option<Removed> {
        let place = self.entries.iter().position(|entry| *entry.filter == *filter)?;
        let entry = self.entries.swap_remove(place);
        self.bytes = self.bytes.saturating_sub(entry.bytes());
        let free = entry.upstream.iter().filter(|upstream| !self.needs(upstream));
        let free = free.map(|upstream| String::from(&**upstream)).collect();
        Some(Removed { entry, free })
    }

    /// A filter is as it was before it was replaced.
    pub(super) fn restore(&mut self, replaced: Removed) {
        drop(self.remove(&replaced.entry.filter));
        self.put_back(replaced);
    }

    /// The filters, to look many up.
    pub(super) fn known(&self) -> HashSet<Box<str>, RandomState> {
        self.entries.iter().map(|entry| entry.filter.clone()).collect()
    }

    /// A filter stays after all, unless the device has asked for it again.
    pub(super) fn put_back(&mut self, removed: Removed) {
        if !self.has(&removed.entry.filter) {
            self.bytes += removed.entry.bytes();
            self.entries.push(removed.entry);
        }
    }

    /// Whether some filter of the device needs this upstream filter.
    pub(super) fn needs(&self, upstream: &str) -> bool {
        self.entries.iter().any(|entry| entry.needs(upstream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: PacketIdentifier = PacketIdentifier::new(1).unwrap();

    fn asked(filter: &str, qos: Qos) -> Asked<'_> {
        let subscription = Subscription {
            topic_filter: filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        Asked { subscription, identifier: 0, packet_identifier: FIRST }
    }

    fn numbered(filter: &str, identifier: u32) -> Asked<'_> {
        Asked { identifier, ..asked(filter, Qos::AtLeastOnce) }
    }

    const SENT: Arrival = Arrival { is_retained: false, is_echo: false };

    #[test]
    fn an_upstream_filter_stays_while_somebody_needs_it() {
        let mut subscriptions = Subscriptions::default();
        let wide = ["c/#".to_owned()];
        subscriptions.add(&asked("a/in", Qos::AtMostOnce), &wide);
        subscriptions.add(&asked("b/in", Qos::ExactlyOnce), &wide);
        subscriptions.add(&asked("b/in", Qos::AtLeastOnce), &wide);
        assert_eq!((subscriptions.len(), subscriptions.bytes()), (2, 14));
        assert_eq!(subscriptions.highest_qos("c/#"), Some(Qos::AtLeastOnce));
        let mut free = |filter| subscriptions.remove(filter).map(|removed| removed.free);
        assert_eq!(free("a/in"), Some(vec![]));
        assert_eq!(free("a/in"), None);
        assert_eq!(free("b/in"), Some(vec!["c/#".into()]));
        assert_eq!((subscriptions.len(), subscriptions.bytes()), (0, 0));
    }

    #[test]
    fn only_what_was_asked_for_is_delivered() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(&asked("h/+/in", Qos::AtMostOnce), &[]);
        subscriptions.add(&asked("h/a/+", Qos::ExactlyOnce), &[]);
        assert_eq!(subscriptions.asks_for("h/b/in", SENT), Some(Qos::AtMostOnce));
        assert_eq!(subscriptions.asks_for("h/a/in", SENT), Some(Qos::ExactlyOnce));
        subscriptions.grant("h/a/+", FIRST, Qos::AtLeastOnce);
        assert_eq!(subscriptions.asks_for("h/a/in", SENT), Some(Qos::AtLeastOnce));
        assert_eq!(subscriptions.asks_for("h/b/out", SENT), None);
        assert!(subscriptions.resume());
        let any = subscriptions.asks_for("h/b/out", SENT);
        assert_eq!(any, Some(Qos::ExactlyOnce), "an older session may have asked for it");
        assert!(!Subscriptions::of_new_session().resume());
    }

    #[test]
    fn a_delivery_has_the_identifiers_of_all_filters_that_ask_for_it() {
        let mut subscriptions = Subscriptions::default().with_options(Options::Proxy);
        subscriptions.add(&numbered("h/+/in", 7), &[]);
        subscriptions.add(&numbered("$share/g/h/#", 3), &[]);
        subscriptions.add(&numbered("h/a/in", 7), &[]);
        assert_eq!(subscriptions.identifiers("h/a/in", SENT), [3, 7]);
        assert_eq!(subscriptions.identifiers("h/b", SENT), [3]);
        assert!(subscriptions.identifies() && !subscriptions.knows("i"));
    }

    #[test]
    fn an_upstream_of_5_identifies_its_filters_unless_one_is_there_for_several() {
        let mut subscriptions = Subscriptions::default();
        let wide = ["c/#".to_owned()];
        subscriptions.add(&numbered("a/in", 1), &wide);
        assert!(!subscriptions.identifies());
        subscriptions.add(&numbered("b/in", 2), &wide);
        assert!(subscriptions.identifies());
        assert_eq!(subscriptions.identifiers("b/in", SENT), [2]);
    }

    #[test]
    fn options_are_seen_to_where_the_upstream_knows_none() {
        let mut subscriptions = Subscriptions::of_new_session().with_options(Options::Proxy);
        let option = |filter, retain_handling, no_local| {
            let Asked { subscription, identifier, .. } = asked(filter, Qos::AtLeastOnce);
            let subscription = Subscription { retain_handling, no_local, ..subscription };
            Asked { subscription, identifier, packet_identifier: FIRST }
        };
        subscriptions.add(&option("a", RetainHandling::SendIfNew, true), &[]);
        let (retained, echo) =
            (Arrival { is_retained: true, ..SENT }, Arrival { is_echo: true, ..SENT });
        let granted = Some(Qos::AtLeastOnce);
        let all = |own: &Subscriptions| [SENT, retained, echo].map(|how| own.asks_for("a", how));
        assert_eq!(all(&subscriptions), [granted, granted, None]);
        subscriptions.add(&option("a", RetainHandling::SendIfNew, false), &[]);
        assert_eq!(all(&subscriptions), [granted; 3], "the first one's may be on their way");
        subscriptions.grant("a", FIRST, Qos::AtLeastOnce);
        assert_eq!(all(&subscriptions), [granted, None, granted], "it is there already");
        subscriptions.add(&option("+", RetainHandling::DoNotSend, false), &[]);
        assert_eq!(all(&subscriptions), [granted, None, granted]);
        subscriptions.add(&option("#", RetainHandling::Send, false), &[]);
        assert_eq!(all(&subscriptions), [granted; 3]);
    }
}

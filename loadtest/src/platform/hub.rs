//! Who is there, who wants what, and the retained messages: where messages meet their subscribers.
//!
//! It knows no sockets, packets or rules. Invariant: one session per client identifier, one connection per session;
//! each subscription of each session is in the tree of filters, and no other.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Instant;

use interlingua::mqtt::{Qos, ReasonCode, RetainHandling, Subscription, topic};

use super::filters::Filters;
use super::message::{Delivery, Message};
use super::session::Session;

/// Topics that have a retained message.
const RETAINED_MAX: usize = 10_000;
/// Bytes of all retained messages.
const RETAINED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Topic filters of one client.
const SUBSCRIPTIONS_MAX: usize = 1000;
/// Sessions that wait for their client.
const ABSENT_MAX: usize = 10_000;

/// A connection's place. Never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place(pub(super) usize);

/// How long a session outlives its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Not at all.
    No,
    /// Until a connection without clean session.
    Forever,
    /// For so many seconds.
    Seconds(u32),
}

/// A subscription that is in force.
#[derive(Debug)]
struct Interest {
    topic_filter: String,
    qos: Qos,
    no_local: bool,
    retain_as_published: bool,
    identifier: Option<u32>,
}

#[derive(Debug)]
struct Slot {
    session: Session,
    interests: Vec<Interest>,
    place: Option<Place>,
    keep: Keep,
    /// When a session without connection ends.
    expires: Option<Instant>,
}

/// What a client finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entered {
    /// Its session was there.
    pub(super) is_present: bool,
    /// An older connection, which has to go (v5 [MQTT-3.1.4-3]).
    pub(super) older: Option<Place>,
}

#[derive(Debug, Default)]
pub(super) struct Hub {
    slots: HashMap<Rc<str>, Slot>,
    places: HashMap<Place, Rc<str>>,
    filters: Filters,
    retained: BTreeMap<String, Rc<Message>>,
    retained_bytes: usize,
    woken: Vec<Place>,
    slow: Vec<Place>,
}

/// Which session is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// A new one.
    Clean,
    /// The one that is there, if any.
    Resume,
}

impl Hub {
    /// Takes a client in.
    pub(super) fn enter(
        &mut self,
        identifier: &str,
        place: Place,
        start: Start,
        keep: Keep,
    ) -> Entered {
        let name: Rc<str> = identifier.into();
        let older = self.slots.get(&name).and_then(|slot| slot.place);
        if let Some(older) = older {
            self.places.remove(&older);
        }
        if start == Start::Clean {
            self.forget(&name);
        }
        let is_present = self.slots.contains_key(&name);
        let slot = self.slots.entry(name.clone()).or_insert_with(|| Slot {
            session: Session::default(),
            interests: Vec::new(),
            place: None,
            keep,
            expires: None,
        });
        (slot.place, slot.keep, slot.expires) = (Some(place), keep, None);
        self.places.insert(place, name);
        Entered { is_present, older }
    }

    /// Ends a connection, and with it the session unless that is kept.
    pub(super) fn leave(&mut self, place: Place, now: Instant) {
        let Some(name) = self.places.remove(&place) else { return };
        let absent = self.slots.len().saturating_sub(self.places.len());
        let Some(slot) = self.slots.get_mut(&name) else { return };
        slot.place = None;
        slot.expires = match slot.keep {
            Keep::Seconds(seconds) => {
                Some(now + std::time::Duration::from_secs(u64::from(seconds)))
            }
            Keep::No | Keep::Forever => None,
        };
        if slot.keep == Keep::No || absent > ABSENT_MAX {
            self.forget(&name);
        }
    }

    /// Ends a session.
    fn forget(&mut self, name: &str) {
        let Some(slot) = self.slots.remove(name) else { return };
        for interest in &slot.interests {
            self.filters.remove(&interest.topic_filter, name);
        }
    }

    /// Ends the sessions whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        let over = |slot: &Slot| slot.expires.is_some_and(|expires| expires <= now);
        let ended = self.slots.iter().filter(|(_, slot)| over(slot));
        let ended: Vec<Rc<str>> = ended.map(|(name, _)| name.clone()).collect();
        for name in ended {
            self.forget(&name);
        }
    }

    /// The session of a connection.
    pub(super) fn session(&mut self, place: Place) -> Option<&mut Session> {
        self.slots.get_mut(self.places.get(&place)?).map(|slot| &mut slot.session)
    }

    /// Passes a message on, and keeps it if it is to be retained. Says how many get it.
    pub(super) fn publish(&mut self, message: Message, from: Option<Place>) -> u64 {
        let message = Rc::new(message);
        if message.retain {
            self.keep(&message);
        }
        let mut reached = 0;
        for name in self.filters.find(&message.topic_name) {
            let Some(slot) = self.slots.get_mut(&name) else { continue };
            let is_own = from.is_some() && slot.place == from;
            let Some(delivery) = delivery(&slot.interests, &message, is_own) else { continue };
            // Nobody waits for QoS 0 (v5 section 4.1).
            if slot.place.is_none() && delivery.qos == Qos::AtMostOnce {
                continue;
            }
            reached += 1;
            let is_added = slot.session.push(delivery);
            if let Some(place) = slot.place {
                let list = if is_added { &mut self.woken } else { &mut self.slow };
                list.push(place);
            }
        }
        reached
    }

    /// Sends a message to one client, whatever its subscriptions.
    pub(super) fn send(&mut self, place: Place, message: Message, qos: Qos) {
        let qos = message.qos.min(qos);
        let retain = message.retain;
        let message = Rc::new(message);
        let delivery = Delivery { message, qos, retain, subscription_identifiers: Vec::new() };
        if let Some(session) = self.session(place) {
            session.push(delivery);
            self.woken.push(place);
        }
    }

    /// Adds or replaces a subscription and sends the retained messages for it.
    ///
    /// # Errors
    /// The reason code for SUBACK.
    pub(super) fn subscribe(
        &mut self,
        place: Place,
        wish: &Subscription<'_>,
        qos: Qos,
        identifier: Option<u32>,
    ) -> Result<(), ReasonCode> {
        let name = self.places.get(&place).ok_or(ReasonCode::UnspecifiedError)?;
        let slot = self.slots.get_mut(name).ok_or(ReasonCode::UnspecifiedError)?;
        let interest = Interest {
            topic_filter: wish.topic_filter.to_owned(),
            qos,
            no_local: wish.no_local,
            retain_as_published: wish.retain_as_published,
            identifier,
        };
        let older = slot.interests.iter().position(|own| own.topic_filter == wish.topic_filter);
        let is_full = slot.interests.len() >= SUBSCRIPTIONS_MAX;
        match older.and_then(|at| slot.interests.get_mut(at)) {
            Some(older) => *older = interest,
            None if is_full => return Err(ReasonCode::QuotaExceeded),
            None => {
                self.filters.insert(wish.topic_filter, name);
                slot.interests.push(interest);
            }
        }
        let wants_retained = match wish.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => older.is_none(),
            RetainHandling::DoNotSend => false,
        };
        if wants_retained {
            let matching =
                |message: &&Rc<Message>| topic::matches(&message.topic_name, wish.topic_filter);
            for message in self.retained.values().filter(matching) {
                slot.session.push(retained(message, qos, identifier));
            }
        }
        self.woken.push(place);
        Ok(())
    }

    /// Ends a subscription; says whether there was one.
    pub(super) fn unsubscribe(&mut self, place: Place, topic_filter: &str) -> bool {
        let Some(name) = self.places.get(&place) else { return false };
        let Some(slot) = self.slots.get_mut(name) else { return false };
        let before = slot.interests.len();
        slot.interests.retain(|interest| interest.topic_filter != topic_filter);
        self.filters.remove(topic_filter, name);
        slot.interests.len() < before
    }

    /// The connections that have something to send since this was asked last.
    pub(super) fn take_woken(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.woken)
    }

    /// The connections that read too slowly, since this was asked last.
    pub(super) fn take_slow(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.slow)
    }

    /// Keeps the last message of a topic; an empty one clears it (3.1.1 [MQTT-3.3.1-10]). What finds no room isn't
    /// kept: a server may do so (v5 section 3.3.1.3).
    fn keep(&mut self, message: &Rc<Message>) {
        if let Some(older) = self.retained.remove(&message.topic_name) {
            self.retained_bytes = self.retained_bytes.saturating_sub(older.size());
        }
        let bytes = self.retained_bytes + message.size();
        let has_room = self.retained.len() < RETAINED_MAX && bytes <= RETAINED_BYTES_MAX;
        if !message.payload.is_empty() && has_room {
            self.retained_bytes = bytes;
            self.retained.insert(message.topic_name.clone(), message.clone());
        }
    }
}

/// A retained message for a new subscription.
fn retained(message: &Rc<Message>, qos: Qos, identifier: Option<u32>) -> Delivery {
    Delivery {
        message: message.clone(),
        qos: message.qos.min(qos),
        retain: true,
        subscription_identifiers: identifier.into_iter().collect(),
    }
}

/// The one copy of a message that a client gets, however many of its subscriptions match: with the highest QoS among
/// them (3.1.1 [MQTT-3.3.5-1]) and the identifiers of all.
fn delivery(interests: &[Interest], message: &Rc<Message>, is_own: bool) -> Option<Delivery> {
    let mut matching = interests.iter().filter(|interest| {
        !(is_own && interest.no_local)
            && topic::matches(&message.topic_name, &interest.topic_filter)
    });
    let first = matching.next()?;
    let mut delivery = Delivery {
        message: message.clone(),
        qos: first.qos,
        retain: message.retain && first.retain_as_published,
        subscription_identifiers: first.identifier.into_iter().collect(),
    };
    for more in matching {
        delivery.qos = delivery.qos.max(more.qos);
        delivery.retain |= message.retain && more.retain_as_published;
        delivery.subscription_identifiers.extend(more.identifier);
    }
    delivery.qos = delivery.qos.min(message.qos);
    Some(delivery)
}

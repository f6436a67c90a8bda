//! Who is there, who wants what, and the retained messages: where messages meet their subscribers.
//!
//! It knows no sockets and no packets. Every message is held against every subscription, which is right
//! for a handful of clients and wrong for a real broker. Invariant: one client per client identifier.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::message::Message;
use super::outbox::{Delivery, Outbox};
use crate::mqtt::{Qos, ReasonCode, RetainHandling, Subscription, topic};

/// Topics that have a retained message.
const RETAINED_MAX: usize = 1000;
/// Bytes of all retained messages.
const RETAINED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Topic filters of one client.
const SUBSCRIPTIONS_MAX: usize = 256;

/// A client's place in the hub. Never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place(u64);

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Somebody gets it.
    Somebody,
    /// There is no subscription for it.
    Nobody,
}

#[derive(Debug, Default)]
pub(super) struct Hub {
    clients: HashMap<Place, Client>,
    places: HashMap<String, Place>,
    retained: BTreeMap<String, Rc<Message>>,
    retained_bytes: usize,
    given: u64,
}

#[derive(Debug)]
struct Client {
    identifier: String,
    outbox: Rc<Outbox>,
    interests: Vec<Interest>,
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

impl Hub {
    /// Takes a client in. An older connection with its identifier has to go (v5 [MQTT-3.1.4-3]). An empty
    /// identifier is given a new one; which, is the second half of the answer.
    pub(super) fn enter(&mut self, identifier: &str, outbox: Rc<Outbox>) -> (Place, String) {
        self.given += 1;
        let place = Place(self.given);
        let identifier = match identifier {
            "" => format!("demo-{}", self.given),
            given => given.to_owned(),
        };
        let older = self.places.insert(identifier.clone(), place);
        if let Some(older) = older.and_then(|older| self.clients.remove(&older)) {
            older.outbox.end(ReasonCode::SessionTakenOver);
        }
        let client = Client { identifier: identifier.clone(), outbox, interests: Vec::new() };
        self.clients.insert(place, client);
        (place, identifier)
    }

    /// Forgets a client, unless another connection has its identifier by now.
    pub(super) fn leave(&mut self, place: Place) {
        if let Some(client) = self.clients.remove(&place) {
            self.places.remove(&client.identifier);
        }
    }

    /// Passes a message on, and keeps it if it is to be retained.
    pub(super) fn publish(&mut self, message: Message, from: Place) -> Reach {
        let message = Rc::new(message);
        if message.retain {
            self.keep(&message);
        }
        let mut reach = Reach::Nobody;
        for (place, client) in &self.clients {
            if let Some(delivery) = client.delivery(&message, from == *place) {
                client.outbox.push(delivery);
                reach = Reach::Somebody;
            }
        }
        reach
    }

    /// Keeps the last message of a topic; an empty one clears it (3.1.1 [MQTT-3.3.1-10]). What finds no
    /// room isn't kept: a server may do so (v5 section 3.3.1.3).
    fn keep(&mut self, message: &Rc<Message>) {
        if let Some(older) = self.retained.remove(&message.topic_name) {
            self.retained_bytes -= older.size();
        }
        let bytes = self.retained_bytes + message.size();
        let has_room = self.retained.len() < RETAINED_MAX && bytes <= RETAINED_BYTES_MAX;
        if !message.payload.is_empty() && has_room {
            self.retained_bytes = bytes;
            self.retained.insert(message.topic_name.clone(), message.clone());
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
        identifier: Option<u32>,
    ) -> Result<Qos, ReasonCode> {
        let client = self.clients.get_mut(&place).ok_or(ReasonCode::UnspecifiedError)?;
        let interest = Interest {
            topic_filter: wish.topic_filter.to_owned(),
            qos: wish.qos,
            no_local: wish.no_local,
            retain_as_published: wish.retain_as_published,
            identifier,
        };
        let is_full = client.interests.len() == SUBSCRIPTIONS_MAX;
        let older =
            client.interests.iter_mut().find(|older| older.topic_filter == wish.topic_filter);
        let is_new = older.is_none();
        match older {
            Some(older) => *older = interest,
            None if is_full => return Err(ReasonCode::QuotaExceeded),
            None => client.interests.push(interest),
        }
        let wants_retained = match wish.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if wants_retained {
            for message in self.retained.values() {
                if topic::matches(&message.topic_name, wish.topic_filter) {
                    client.outbox.push(Delivery {
                        message: message.clone(),
                        qos: message.qos.min(wish.qos),
                        retain: true,
                        subscription_identifiers: identifier.into_iter().collect(),
                    });
                }
            }
        }
        Ok(wish.qos)
    }

    /// Ends a subscription; says whether there was one.
    pub(super) fn unsubscribe(&mut self, place: Place, topic_filter: &str) -> bool {
        let Some(client) = self.clients.get_mut(&place) else { return false };
        let before = client.interests.len();
        client.interests.retain(|interest| interest.topic_filter != topic_filter);
        client.interests.len() < before
    }
}

impl Client {
    /// The one copy of a message that this client gets, however many of its subscriptions match: with the
    /// highest QoS among them (3.1.1 [MQTT-3.3.5-1]) and the identifiers of all.
    fn delivery(&self, message: &Rc<Message>, is_own: bool) -> Option<Delivery> {
        let mut matching = self.interests.iter().filter(|interest| {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::PropertyBuffer;

    const WISH: Subscription<'_> = Subscription {
        topic_filter: "a/#",
        qos: Qos::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    };

    fn message(topic_name: &str, payload: &[u8], retain: bool) -> Message {
        Message {
            topic_name: topic_name.to_owned(),
            payload: payload.to_vec(),
            qos: Qos::ExactlyOnce,
            retain,
            properties: PropertyBuffer::new(),
        }
    }

    fn enter(hub: &mut Hub, identifier: &str) -> (Place, Rc<Outbox>) {
        let outbox = Rc::new(Outbox::default());
        (hub.enter(identifier, outbox.clone()).0, outbox)
    }

    #[test]
    fn one_copy_carries_the_identifiers_of_all_subscriptions() {
        let mut hub = Hub::default();
        let (place, outbox) = enter(&mut hub, "c");
        hub.subscribe(place, &WISH, Some(1)).unwrap();
        let other = Subscription { topic_filter: "a/+", retain_as_published: true, ..WISH };
        hub.subscribe(place, &other, Some(2)).unwrap();
        assert_eq!(hub.publish(message("a/b", b"x", true), place), Reach::Somebody);
        let delivery = outbox.pop().unwrap();
        assert_eq!(delivery.subscription_identifiers, [1, 2]);
        assert_eq!((delivery.qos, delivery.retain), (Qos::AtLeastOnce, true));
        assert!(outbox.pop().is_none());
        assert!(hub.unsubscribe(place, "a/+") && !hub.unsubscribe(place, "a/+"));
        hub.publish(message("a/b", b"x", true), place);
        assert!(!outbox.pop().unwrap().retain, "only what asks for it keeps the flag");
    }

    #[test]
    fn no_local_leaves_out_the_own_messages_only() {
        let mut hub = Hub::default();
        let (own, outbox) = enter(&mut hub, "own");
        let (other, _) = enter(&mut hub, "other");
        hub.subscribe(own, &Subscription { no_local: true, ..WISH }, None).unwrap();
        assert_eq!(hub.publish(message("a", b"x", false), own), Reach::Nobody);
        assert_eq!(hub.publish(message("a", b"x", false), other), Reach::Somebody);
        assert!(outbox.pop().is_some() && outbox.pop().is_none());
    }

    #[test]
    fn retained_messages_come_as_the_subscription_says() {
        let mut hub = Hub::default();
        let (place, outbox) = enter(&mut hub, "c");
        hub.publish(message("a/b", b"x", true), place);
        let mut comes = |retain_handling| {
            hub.subscribe(place, &Subscription { retain_handling, ..WISH }, None).unwrap();
            outbox.pop().is_some_and(|delivery| delivery.retain)
        };
        assert!(!comes(RetainHandling::DoNotSend));
        assert!(!comes(RetainHandling::SendIfNew), "it isn't new");
        assert!(comes(RetainHandling::Send));
        hub.unsubscribe(place, WISH.topic_filter);
        let if_new = Subscription { retain_handling: RetainHandling::SendIfNew, ..WISH };
        hub.subscribe(place, &if_new, None).unwrap();
        assert!(outbox.pop().is_some());
    }

    #[test]
    fn everything_has_a_bound() {
        let mut hub = Hub::default();
        let (place, outbox) = enter(&mut hub, "c");
        for number in 0..RETAINED_MAX + 10 {
            hub.publish(message(&format!("r/{number}"), b"x", true), place);
        }
        assert_eq!(hub.retained.len(), RETAINED_MAX);
        let large = vec![0; RETAINED_BYTES_MAX];
        hub.publish(message("r/0", &large, true), place);
        assert_eq!(hub.retained.len(), RETAINED_MAX - 1, "the older one doesn't stay either");
        for number in 1..RETAINED_MAX {
            hub.publish(message(&format!("r/{number}"), b"", true), place);
        }
        assert_eq!((hub.retained.len(), hub.retained_bytes), (0, 0));

        for number in 0..SUBSCRIPTIONS_MAX {
            let topic_filter = &*format!("s/{number}");
            hub.subscribe(place, &Subscription { topic_filter, ..WISH }, None).unwrap();
        }
        assert_eq!(hub.subscribe(place, &WISH, None), Err(ReasonCode::QuotaExceeded));
        assert_eq!(outbox.ended(), None);
        let (lazy, outbox) = enter(&mut hub, "lazy");
        hub.subscribe(lazy, &Subscription { topic_filter: "t", ..WISH }, None).unwrap();
        for _ in 0..20_000 {
            hub.publish(message("t", b"x", false), place);
        }
        assert_eq!(outbox.ended(), Some(ReasonCode::QuotaExceeded));
        assert!(std::iter::from_fn(|| outbox.pop()).count() < 20_000);
    }

    #[test]
    fn who_was_taken_over_does_not_take_the_successor_along() {
        let mut hub = Hub::default();
        let (first, outbox) = enter(&mut hub, "c");
        let (second, _) = enter(&mut hub, "c");
        assert_eq!(outbox.ended(), Some(ReasonCode::SessionTakenOver));
        hub.leave(first);
        assert_eq!(hub.places.get("c"), Some(&second));
        hub.leave(second);
        assert!(hub.places.is_empty() && hub.clients.is_empty());
    }
}

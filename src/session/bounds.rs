//! What one side grants and the other side's version has no word for: the highest QoS, RETAIN and the kinds of
//! subscriptions of an upstream of version 5, and how many messages either side takes at once.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mqtt::{
    Acknowledgement, AcknowledgementKind, PacketIdentifier, PacketType, Properties, Property,
    PropertyIdentifier, Publish, Qos, RawPacket, topic,
};
use crate::translate::{Reason, Refusal, Way};

use super::conversation::Session;

/// The bounds of one session.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// What the upstream takes.
    pub(super) upstream: Granted,
    up: Option<Box<Window>>,
    down: Option<Box<Window>>,
}

/// What a server's CONNACK grants (v5 sections 3.2.2.3.4, 3.2.2.3.5, 3.2.2.3.11 and 3.2.2.3.13).
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    pub(super) qos_max: Qos,
    pub(super) retain: Availability,
    pub(super) wildcards: Availability,
    pub(super) shared: Availability,
}

/// Whether a server has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Available,
    Missing,
}

impl Default for Granted {
    fn default() -> Self {
        let all = Availability::Available;
        Self { qos_max: Qos::ExactlyOnce, retain: all, wildcards: all, shared: all }
    }
}

impl Granted {
    /// What a CONNACK says; its silence grants everything.
    pub(super) fn by(properties: Properties<'_>) -> Self {
        let mut granted = Self::default();
        let missing = Availability::Missing;
        for property in properties.iter() {
            match property {
                Property::MaximumQos(level) => {
                    granted.qos_max = Qos::from_level(level).unwrap_or(Qos::ExactlyOnce);
                }
                Property::RetainAvailable(0) => granted.retain = missing,
                Property::WildcardSubscriptionAvailable(0) => granted.wildcards = missing,
                Property::SharedSubscriptionAvailable(0) => granted.shared = missing,
                _ => {}
            }
        }
        granted
    }

    /// Why the server would not take a topic filter. It would end the connection rather than answer
    /// (v5 sections 3.2.2.3.11 and 3.2.2.3.13).
    pub(super) fn refuses(self, filter: &str) -> Option<Refusal> {
        let refused = |detail| Some(Refusal::new(Reason::FilterNotMappable, detail));
        if self.shared == Availability::Missing && topic::shared(filter).is_some() {
            return refused("the upstream has no shared subscriptions");
        }
        if self.wildcards == Availability::Missing && filter.contains(['+', '#']) {
            return refused("the upstream has no subscriptions with wildcards");
        }
        None
    }
}

/// The messages that a receiver hasn't acknowledged, where it takes only so many at once (v5 Receive Maximum,
/// [MQTT-3.3.4-9]) and their sender doesn't know.
#[derive(Debug)]
struct Window {
    most: usize,
    open: HashMap<PacketIdentifier, Owed, RandomState>,
}

/// Whose turn it is in an open exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// An acknowledgement of the receiver.
    Acknowledgement,
    /// PUBREL of the sender, which may stand behind the very message that would wait.
    Pubrel,
}

/// Whether packets can be put aside while one waits, so that those behind it are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    Open,
    Full,
}

impl Window {
    /// Whether so many new messages have to wait. Where nothing behind them is heard any more, the sender's own
    /// PUBREL may stand there: then the receiver decides what it makes of more, since nobody could make room.
    fn holds(&self, new: usize, aside: Aside) -> bool {
        let full = self.open.len() + new > self.most;
        let movable = || self.open.values().any(|owed| *owed == Owed::Acknowledgement);
        full && (aside == Aside::Open || movable())
    }
}

impl Bounds {
    fn window(&mut self, way: Way) -> Option<&mut Window> {
        match way {
            Way::Up => self.up.as_deref_mut(),
            Way::Down => self.down.as_deref_mut(),
        }
    }

    /// The receiver of this way's messages takes as many at once as its properties say.
    pub(super) fn bound(&mut self, way: Way, announced: Properties<'_>) {
        let Some(Property::ReceiveMaximum(most)) =
            announced.find(PropertyIdentifier::ReceiveMaximum)
        else {
            return;
        };
        let window = Box::new(Window { most: usize::from(most), open: HashMap::default() });
        match way {
            Way::Up => self.up = Some(window),
            Way::Down => self.down = Some(window),
        }
    }

    /// Whether the receiver takes one more message that has to be acknowledged.
    pub(super) fn takes_more(&mut self, way: Way) -> bool {
        self.window(way).is_none_or(|window| window.open.len() < window.most)
    }

    /// A message goes to its receiver.
    pub(super) fn sent(&mut self, way: Way, identifier: PacketIdentifier) {
        if let Some(window) = self.window(way) {
            window.open.insert(identifier, Owed::Acknowledgement);
        }
    }

    /// Whether the messages that one has become may go out, which is all of them or none.
    pub(super) fn room_for(&mut self, way: Way, messages: usize, aside: Aside) -> Room {
        match self.window(way) {
            Some(window) if messages > window.most => Room::Never,
            Some(window) if messages > 1 && window.holds(messages, aside) => Room::Later,
            _ => Room::Enough,
        }
    }

    /// The sender of a message on this way has released it.
    pub(super) fn released(&mut self, way: Way, identifier: PacketIdentifier) {
        let owed = self.window(way).and_then(|window| window.open.get_mut(&identifier));
        if let Some(owed) = owed {
            *owed = Owed::Acknowledgement;
        }
    }

    /// The receiver of a message on this way has acknowledged something.
    pub(super) fn acknowledged(&mut self, way: Way, given: &Acknowledgement<'_>) {
        let last = match given.kind {
            AcknowledgementKind::Puback | AcknowledgementKind::Pubcomp => true,
            AcknowledgementKind::Pubrec => given.reason_code.is_error(),
            AcknowledgementKind::Pubrel => false,
        };
        let Some(window) = self.window(way) else { return };
        if last {
            window.open.remove(&given.packet_identifier);
        } else if let Some(owed) = window.open.get_mut(&given.packet_identifier) {
            *owed = Owed::Pubrel;
        }
    }
}

/// What the window says to new messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// Not now.
    Later,
    /// The receiver never takes so many at once.
    Never,
}

impl Session {
    /// Whether a message has to wait because its receiver takes no more at the moment.
    pub(super) fn waits_for_window(&mut self, way: Way, raw: RawPacket<'_>) -> bool {
        let version = self.version_of(way);
        let aside = self.held.aside(way);
        let Some(window) =
            self.bounds.window(way).filter(|_| raw.packet_type == PacketType::Publish)
        else {
            return false;
        };
        let publish = Publish::decode(raw, version).ok();
        let own = publish.and_then(|publish| publish.packet_identifier);
        own.is_some_and(|own| !window.open.contains_key(&own) && window.holds(1, aside))
    }
}

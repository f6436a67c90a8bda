//! What one side grants and the other side's version has no word for: the highest QoS and RETAIN of an upstream of
//! version 5, and how many messages either side takes at once.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mqtt::{
    Acknowledgement, AcknowledgementKind, PacketIdentifier, PacketType, Properties, Property,
    PropertyIdentifier, Publish, Qos, RawPacket,
};
use crate::translate::Way;

use super::conversation::Session;

/// The bounds of one session.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// What the upstream takes.
    pub(super) upstream: Granted,
    up: Option<Box<Window>>,
    down: Option<Box<Window>>,
}

/// What a server's CONNACK grants (v5 sections 3.2.2.3.4 and 3.2.2.3.5).
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    pub(super) qos_max: Qos,
    pub(super) retain: Retained,
}

/// Whether a server takes retained messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retained {
    Taken,
    NotTaken,
}

impl Default for Granted {
    fn default() -> Self {
        Self { qos_max: Qos::ExactlyOnce, retain: Retained::Taken }
    }
}

impl Granted {
    /// What a CONNACK says; its silence grants everything.
    pub(super) fn by(properties: Properties<'_>) -> Self {
        let qos_max = match properties.find(PropertyIdentifier::MaximumQos) {
            Some(Property::MaximumQos(level)) => Qos::from_level(level),
            _ => None,
        };
        let retain = match properties.find(PropertyIdentifier::RetainAvailable) {
            Some(Property::RetainAvailable(0)) => Retained::NotTaken,
            _ => Retained::Taken,
        };
        Self { qos_max: qos_max.unwrap_or(Qos::ExactlyOnce), retain }
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

impl Window {
    fn holds(&self, identifier: PacketIdentifier) -> bool {
        let full = self.open.len() >= self.most && !self.open.contains_key(&identifier);
        full && self.open.values().any(|owed| *owed == Owed::Acknowledgement)
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

    /// A message goes to its receiver.
    pub(super) fn sent(&mut self, way: Way, identifier: Option<PacketIdentifier>) {
        if let (Some(window), Some(identifier)) = (self.window(way), identifier) {
            window.open.insert(identifier, Owed::Acknowledgement);
        }
    }

    /// A message was taken back before it went anywhere.
    pub(super) fn taken_back(&mut self, way: Way, identifier: PacketIdentifier) {
        if let Some(window) = self.window(way) {
            window.open.remove(&identifier);
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

impl Session {
    /// Whether a message has to wait because its receiver takes no more at the moment. Not where only the sender could
    /// make room: both would wait for ever. Then the receiver decides what it makes of one more.
    pub(super) fn waits_for_window(&mut self, way: Way, raw: RawPacket<'_>) -> bool {
        let version = self.version_of(way);
        let Some(window) =
            self.bounds.window(way).filter(|_| raw.packet_type == PacketType::Publish)
        else {
            return false;
        };
        let publish = Publish::decode(raw, version).ok();
        publish.and_then(|publish| publish.packet_identifier).is_some_and(|own| window.holds(own))
    }
}

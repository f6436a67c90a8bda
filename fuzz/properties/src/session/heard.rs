//! What a side has been sent, packet by packet.

use std::collections::HashSet;

use interlingua::mqtt::{Packet, PacketType, Property, Publish, RawPacket, Version, next_packet};

use super::setting::{LITTLE_ALIASES, LITTLE_BYTES, Setting};
use crate::pairs::{OTHER, OWN, SECRETS};
use crate::translate::holds;

/// All that the device (0) or the upstream (1) was sent.
pub(super) struct Heard<'h> {
    pub(super) setting: &'h Setting,
    pub(super) side: usize,
    pub(super) version: Version,
    pub(super) bytes: &'h [u8],
}

impl Heard<'_> {
    fn packets(&self) -> Vec<RawPacket<'_>> {
        let (mut packets, mut rest) = (Vec::new(), self.bytes);
        while !rest.is_empty() {
            let raw = next_packet(rest, self.version, usize::MAX).expect("legal").expect("whole");
            rest = &rest[raw.bytes.len()..];
            packets.push(raw);
        }
        packets
    }

    /// A protocol level that nobody knows is answered in the form of 3.1.1.
    fn decoded<'p>(&self, raw: RawPacket<'p>) -> Packet<'p> {
        let own = Packet::decode(raw, self.version);
        own.or_else(|_| Packet::decode(raw, Version::V311)).unwrap_or_else(|error| {
            panic!("side {} was sent {error}: {raw:?}", self.side);
        })
    }

    /// Whole packets, in the version of the side, of types that it may be sent, and CONNECT or CONNACK once and first.
    pub(super) fn is_legal(&self) {
        for (at, raw) in self.packets().into_iter().enumerate() {
            let packet = self.decoded(raw);
            let (opens, follows) = match packet.packet_type() {
                PacketType::Connect => (self.side == 1, false),
                PacketType::Connack => (self.side == 0, false),
                PacketType::Auth => (self.side == 0, true),
                PacketType::Subscribe | PacketType::Unsubscribe | PacketType::Pingreq => {
                    (false, self.side == 1)
                }
                PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp => {
                    (false, self.side == 0)
                }
                PacketType::Disconnect => (self.version == Version::V5, true),
                _ => (false, true),
            };
            let legal = if at == 0 { opens } else { follows || opens && self.has_auth_before(at) };
            assert!(legal, "side {} was sent {packet:?} as packet {at}", self.side);
        }
    }

    /// Only an exchange of AUTH stands before CONNACK.
    fn has_auth_before(&self, at: usize) -> bool {
        self.packets().iter().take(at).all(|raw| raw.packet_type == PacketType::Auth)
    }

    /// The other side's secret isn't here, unless it said so itself in bytes of the input.
    pub(super) fn has_no_secret(&self, said: &[u8]) {
        let secret = SECRETS[1 - self.side];
        assert!(holds(said, secret) || !holds(self.bytes, secret), "side {}", self.side);
    }

    /// What a side announces is kept, if that is all that it announced.
    pub(super) fn fits(&self, said: &[u8]) {
        if !self.setting.is_tight() || self.version < Version::V5 || !said.is_empty() {
            return;
        }
        for raw in self.packets().into_iter().filter(|raw| raw.packet_type != PacketType::Connect) {
            assert!(raw.bytes.len() <= LITTLE_BYTES, "side {} was sent {raw:?}", self.side);
            if let Packet::Publish(publish) = self.decoded(raw) {
                let alias = publish.properties.iter().find_map(|property| match property {
                    Property::TopicAlias(alias) => Some(alias),
                    _ => None,
                });
                assert!(alias.is_none_or(|alias| alias <= LITTLE_ALIASES), "{publish:?}");
            }
        }
    }

    /// No topic that the side is sent, and no filter, names another device.
    pub(super) fn is_about_its_own(&self) {
        let names = |topic: &str| {
            topic.split('/').any(|level| level == OTHER[self.side])
                && !topic.contains(OWN[self.side])
        };
        for raw in self.packets() {
            match self.decoded(raw) {
                Packet::Publish(Publish { topic_name, .. }) => {
                    assert!(!names(topic_name), "{topic_name}")
                }
                Packet::Subscribe(subscribe) => {
                    subscribe.subscriptions().for_each(|it| assert!(!names(it.topic_filter)));
                }
                _ => {}
            }
        }
    }
}

/// With `plain` in one version, messages and acknowledgements of the device are the upstream's own, byte for byte.
pub(super) fn came_from(sent: &[u8], said: &[u8], version: Version) {
    let mut own = HashSet::new();
    let mut rest = said;
    while let Ok(Some(raw)) = next_packet(rest, version, usize::MAX) {
        own.insert(raw.bytes);
        rest = &rest[raw.bytes.len()..];
    }
    let mut rest = sent;
    while let Ok(Some(raw)) = next_packet(rest, version, usize::MAX) {
        rest = &rest[raw.bytes.len()..];
        let passes = !matches!(
            raw.packet_type,
            PacketType::Connack | PacketType::Disconnect | PacketType::Pingresp | PacketType::Auth
        );
        assert!(!passes || own.contains(raw.bytes), "the upstream never said {raw:?}");
    }
}

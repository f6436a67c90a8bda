//! SUBSCRIBE: a list of topic filters with options.
//!
//! What a subscription then does is the server's. Invariant: there is at least one, and each can be
//! read again without fault.

use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_identifier::PacketIdentifier;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property_table::Place;
use super::qos::Qos;
use super::read::Reader;
use super::topic;
use super::version::Version;
use super::write;

/// One wish of a SUBSCRIBE.
///
/// ```text
///                                 7 6         5 4               3            2       1 0
/// +--------------+--------------+-----+-----------------+----------------+----------+-----+
/// | filter length| topic filter |  0  | retain handling | as published   | no local | QoS |
/// +--------------+--------------+-----+-----------------+----------------+----------+-----+
///                                      (all but QoS only in 5)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// What to subscribe to.
    pub topic_filter: &'a str,
    /// The highest QoS wanted.
    pub qos: Qos,
    /// Don't send back what this client publishes. False before 5.
    pub no_local: bool,
    /// Keep the retain flag as it was published. False before 5.
    pub retain_as_published: bool,
    /// What to do with retained messages. [`RetainHandling::Send`] before 5.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetainHandling {
    /// 0: with each SUBSCRIBE.
    Send,
    /// 1: only if the subscription didn't exist.
    SendIfNew,
    /// 2: never.
    DoNotSend,
}

/// A client's request for subscriptions.
///
/// ```text
/// +------+----+-------------------+----------------+--------------+--------------+----
/// | 0x82 | .. | packet identifier | properties, v5 | subscription | subscription | ...
/// +------+----+-------------------+----------------+--------------+--------------+----
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// SUBACK will have the same.
    pub packet_identifier: PacketIdentifier,
    /// Empty before 5.
    pub properties: Properties<'a>,
    /// Validated subscriptions, one behind the other.
    subscriptions: &'a [u8],
}

impl<'a> Subscribe<'a> {
    /// Reads a SUBSCRIBE.
    ///
    /// # Errors
    /// Packet identifier 0; no subscription [MQTT-3.8.3-3]; a malformed filter; QoS 3 or reserved
    /// option bits; retain handling 3; no local with a shared subscription [MQTT-3.8.3-4]; illegal
    /// properties.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Subscribe)?;
        let mut reader = Reader::new(packet.body);
        let packet_identifier = reader.packet_identifier()?;
        let properties = match version {
            Version::V5 => Properties::read(&mut reader, Place::Subscribe)?,
            Version::V31 | Version::V311 => Properties::EMPTY,
        };
        let subscriptions = reader.rest();
        if reader.is_empty() {
            return Err(WireError::TopicFiltersMissing);
        }
        while !reader.is_empty() {
            let subscription = read_subscription(&mut reader)?;
            subscription.check(version)?;
        }
        Ok(Self { packet_identifier, properties, subscriptions })
    }

    /// The subscriptions, in order.
    pub fn subscriptions(&self) -> impl Iterator<Item = Subscription<'a>> + Clone + use<'a> {
        let mut reader = Reader::new(self.subscriptions);
        std::iter::from_fn(move || read_subscription(&mut reader).ok())
    }

    /// Appends the packet. Before 5, properties and all options but QoS are left out.
    ///
    /// # Errors
    /// Whatever [`Subscribe::decode`] would refuse in this version.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let subscriptions = self.subscriptions();
        encode(version, self.packet_identifier, self.properties, subscriptions, out)
    }
}

/// Appends a SUBSCRIBE with these subscriptions. Before 5, properties and all options but QoS are left
/// out.
///
/// # Errors
/// No subscription; a malformed filter; no local with a shared subscription; lengths that don't fit.
pub fn encode_subscribe(
    version: Version,
    packet_identifier: PacketIdentifier,
    properties: Properties<'_>,
    subscriptions: &[Subscription<'_>],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    encode(version, packet_identifier, properties, subscriptions.iter().copied(), out)
}

fn encode<'a>(
    version: Version,
    packet_identifier: PacketIdentifier,
    properties: Properties<'_>,
    subscriptions: impl Iterator<Item = Subscription<'a>> + Clone,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut length = 0;
    for subscription in subscriptions.clone() {
        length += 1 + write::topic_filter_length(subscription.topic_filter, version)?;
        if subscription.no_local && is_shared(subscription.topic_filter, version) {
            return Err(EncodeError::NoLocalOnSharedSubscription);
        }
    }
    if length == 0 {
        return Err(EncodeError::TopicFiltersMissing);
    }
    length += 2 + write::properties_length(properties, Place::Subscribe, version)?;
    write::begin(PacketType::Subscribe, 0b0010, length, length, out)?;
    write::put_packet_identifier(packet_identifier, out);
    write::put_properties(properties, version, out);
    for subscription in subscriptions {
        write::put_string(subscription.topic_filter, out);
        out.push(subscription.options(version));
    }
    Ok(())
}

impl Subscription<'_> {
    fn check(&self, version: Version) -> Result<(), WireError> {
        if !topic::is_valid_filter_in(self.topic_filter, version) {
            return Err(WireError::TopicFilterInvalid);
        }
        if version < Version::V5 && self.options(Version::V5) > 2 {
            return Err(WireError::SubscriptionOptionsInvalid);
        }
        if self.no_local && is_shared(self.topic_filter, version) {
            return Err(WireError::NoLocalOnSharedSubscription);
        }
        Ok(())
    }

    /// The byte behind the filter.
    fn options(&self, version: Version) -> u8 {
        let retain_handling = match self.retain_handling {
            RetainHandling::Send => 0,
            RetainHandling::SendIfNew => 1,
            RetainHandling::DoNotSend => 2,
        };
        match version {
            Version::V31 | Version::V311 => self.qos.level(),
            Version::V5 => {
                retain_handling << 4
                    | u8::from(self.retain_as_published) << 3
                    | u8::from(self.no_local) << 2
                    | self.qos.level()
            }
        }
    }
}

fn is_shared(filter: &str, version: Version) -> bool {
    version == Version::V5 && topic::shared(filter).is_some()
}

/// Reads a filter and its options as MQTT 5 has them; 3.x only reserves more bits.
fn read_subscription<'a>(reader: &mut Reader<'a>) -> Result<Subscription<'a>, WireError> {
    let topic_filter = reader.string()?;
    let options = reader.byte()?;
    if options & 0b1100_0000 != 0 {
        return Err(WireError::SubscriptionOptionsInvalid);
    }
    let retain_handling = match options >> 4 {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return Err(WireError::RetainHandlingInvalid),
    };
    Ok(Subscription {
        topic_filter,
        qos: Qos::from_level(options & 3).ok_or(WireError::QosInvalid)?,
        no_local: options & 0b0100 != 0,
        retain_as_published: options & 0b1000 != 0,
        retain_handling,
    })
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8], version: Version) -> Result<Subscribe<'_>, WireError> {
        Subscribe::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn subscriptions_come_back() {
        let bytes = b"\x82\x0F\0\x01\x02\x0B\x07\0\x01a\x2D\0\x03b/#\x00";
        let subscribe = decode(bytes, Version::V5).unwrap();
        let expected = [
            Subscription {
                topic_filter: "a",
                qos: Qos::AtLeastOnce,
                no_local: true,
                retain_as_published: true,
                retain_handling: RetainHandling::DoNotSend,
            },
            Subscription {
                topic_filter: "b/#",
                qos: Qos::AtMostOnce,
                no_local: false,
                retain_as_published: false,
                retain_handling: RetainHandling::Send,
            },
        ];
        assert_eq!(subscribe.subscriptions().collect::<Vec<_>>(), expected);
        let mut out = Vec::new();
        subscribe.encode(Version::V5, &mut out).unwrap();
        assert_eq!(out, bytes);
        out.clear();
        let identifier = subscribe.packet_identifier;
        encode_subscribe(Version::V5, identifier, subscribe.properties, &expected, &mut out)
            .unwrap();
        assert_eq!(out, bytes);
        out.clear();
        subscribe.encode(Version::V311, &mut out).unwrap();
        assert_eq!(out, b"\x82\x0C\0\x01\0\x01a\x01\0\x03b/#\x00");
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], Version, WireError)] = &[
            (b"\x82\x06\0\0\0\x01a\0", Version::V311, WireError::PacketIdentifierZero),
            (b"\x82\x02\0\x01", Version::V311, WireError::TopicFiltersMissing),
            (b"\x82\x03\0\x01\0", Version::V5, WireError::TopicFiltersMissing),
            (b"\x82\x05\0\x01\0\x01a", Version::V311, WireError::Truncated),
            (b"\x82\x06\0\x01\0\x01a\x03", Version::V31, WireError::QosInvalid),
            (b"\x82\x06\0\x01\0\x01a\x04", Version::V311, WireError::SubscriptionOptionsInvalid),
            (b"\x82\x06\0\x01\0\x01a\x08", Version::V311, WireError::SubscriptionOptionsInvalid),
            (b"\x82\x06\0\x01\0\x01a\x10", Version::V31, WireError::SubscriptionOptionsInvalid),
            (b"\x82\x06\0\x01\0\x01a\x80", Version::V311, WireError::SubscriptionOptionsInvalid),
            (b"\x82\x07\0\x01\0\0\x01a\x40", Version::V5, WireError::SubscriptionOptionsInvalid),
            (b"\x82\x07\0\x01\0\0\x01a\x80", Version::V5, WireError::SubscriptionOptionsInvalid),
            (b"\x82\x07\0\x01\0\0\x01a\x30", Version::V5, WireError::RetainHandlingInvalid),
            (b"\x82\x05\0\x01\0\0\0", Version::V311, WireError::TopicFilterInvalid),
            (b"\x82\x07\0\x01\0\x02a+\0", Version::V311, WireError::TopicFilterInvalid),
            (b"\x82\x06\0\x01\0\x01\0\0", Version::V311, WireError::StringHasNull),
            (b"\x82\x0E\0\x01\0\0\x08$share/g\0", Version::V5, WireError::TopicFilterInvalid),
            (
                b"\x82\x10\0\x01\0\0\x0A$share/g/x\x04",
                Version::V5,
                WireError::NoLocalOnSharedSubscription,
            ),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }

    #[test]
    fn wrong_subscriptions_are_not_written() {
        let good = Subscription {
            topic_filter: "a",
            qos: Qos::AtMostOnce,
            no_local: true,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let long = "x".repeat(65_536);
        let shared = Subscription { topic_filter: "$share/g/x", ..good };
        let cases: &[(&[Subscription<'_>], EncodeError)] = &[
            (&[], EncodeError::TopicFiltersMissing),
            (&[good, Subscription { topic_filter: "a#", ..good }], EncodeError::TopicFilterInvalid),
            (&[Subscription { topic_filter: &long, ..good }], EncodeError::StringTooLong),
            (&[shared], EncodeError::NoLocalOnSharedSubscription),
        ];
        let identifier = PacketIdentifier::new(1).unwrap();
        let mut out = b"before".to_vec();
        for (subscriptions, fault) in cases {
            let refused = encode_subscribe(
                Version::V5,
                identifier,
                Properties::EMPTY,
                subscriptions,
                &mut out,
            );
            assert_eq!(refused, Err(*fault));
            assert_eq!(out, b"before");
        }
    }
}

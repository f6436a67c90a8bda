//! UNSUBSCRIBE: a list of topic filters.
//!
//! Invariant: there is at least one filter, and each can be read again without fault.

use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_identifier::PacketIdentifier;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property_table::Place;
use super::read::Reader;
use super::topic;
use super::version::Version;
use super::write;

/// A client gives subscriptions up.
///
/// ```text
/// +------+----+-------------------+----------------+--------------+--------------+----
/// | 0xA2 | .. | packet identifier | properties, v5 | topic filter | topic filter | ...
/// +------+----+-------------------+----------------+--------------+--------------+----
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// UNSUBACK will have the same.
    pub packet_identifier: PacketIdentifier,
    /// Empty before 5.
    pub properties: Properties<'a>,
    /// Validated topic filters, one behind the other.
    topic_filters: &'a [u8],
}

impl<'a> Unsubscribe<'a> {
    /// Reads an UNSUBSCRIBE.
    ///
    /// # Errors
    /// Packet identifier 0; no filter ([MQTT-3.10.3-2]); a malformed filter; illegal properties.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Unsubscribe)?;
        let mut reader = Reader::new(packet.body);
        let packet_identifier = reader.packet_identifier()?;
        let properties = match version {
            Version::V5 => Properties::read(&mut reader, Place::Unsubscribe)?,
            Version::V31 | Version::V311 => Properties::EMPTY,
        };
        let topic_filters = reader.rest();
        if reader.is_empty() {
            return Err(WireError::TopicFiltersMissing);
        }
        while !reader.is_empty() {
            if !topic::is_valid_filter_in(reader.string()?, version) {
                return Err(WireError::TopicFilterInvalid);
            }
        }
        Ok(Self { packet_identifier, properties, topic_filters })
    }

    /// The topic filters, in order.
    pub fn topic_filters(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let mut reader = Reader::new(self.topic_filters);
        std::iter::from_fn(move || reader.string().ok())
    }

    /// Appends the packet. Before 5, properties are left out.
    ///
    /// # Errors
    /// Whatever [`Unsubscribe::decode`] would refuse in this version.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let topic_filters = self.topic_filters();
        encode(version, self.packet_identifier, self.properties, topic_filters, out)
    }
}

/// Appends an UNSUBSCRIBE with these topic filters. Before 5, properties are left out.
///
/// # Errors
/// No filter; a malformed one; lengths that don't fit.
pub fn encode_unsubscribe(
    version: Version,
    packet_identifier: PacketIdentifier,
    properties: Properties<'_>,
    topic_filters: &[&str],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    encode(version, packet_identifier, properties, topic_filters.iter().copied(), out)
}

fn encode<'a>(
    version: Version,
    packet_identifier: PacketIdentifier,
    properties: Properties<'_>,
    topic_filters: impl Iterator<Item = &'a str> + Clone,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut length = 0;
    for topic_filter in topic_filters.clone() {
        length += write::topic_filter_length(topic_filter, version)?;
    }
    if length == 0 {
        return Err(EncodeError::TopicFiltersMissing);
    }
    length += 2 + write::properties_length(properties, Place::Unsubscribe, version)?;
    write::begin(PacketType::Unsubscribe, 0b0010, length, length, out)?;
    write::put_packet_identifier(packet_identifier, out);
    write::put_properties(properties, version, out);
    for topic_filter in topic_filters {
        write::put_string(topic_filter, out);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8], version: Version) -> Result<Unsubscribe<'_>, WireError> {
        Unsubscribe::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn topic_filters_come_back() {
        let bytes = b"\xA2\x0E\0\x01\x05\x26\0\0\0\0\0\x01a\0\x01#";
        let unsubscribe = decode(bytes, Version::V5).unwrap();
        assert_eq!(unsubscribe.topic_filters().collect::<Vec<_>>(), ["a", "#"]);
        let mut out = Vec::new();
        unsubscribe.encode(Version::V5, &mut out).unwrap();
        assert_eq!(out, bytes[..]);
        out.clear();
        let identifier = unsubscribe.packet_identifier;
        encode_unsubscribe(Version::V31, identifier, Properties::EMPTY, &["a", "#"], &mut out)
            .unwrap();
        assert_eq!(out, b"\xA2\x08\0\x01\0\x01a\0\x01#");
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], Version, WireError)] = &[
            (b"\xA2\x05\0\0\0\x01a", Version::V311, WireError::PacketIdentifierZero),
            (b"\xA2\x02\0\x01", Version::V31, WireError::TopicFiltersMissing),
            (b"\xA2\x03\0\x01\0", Version::V5, WireError::TopicFiltersMissing),
            (b"\xA2\x04\0\x01\0\0", Version::V311, WireError::TopicFilterInvalid),
            (b"\xA2\x07\0\x01\0\x03#/a", Version::V311, WireError::TopicFilterInvalid),
            (b"\xA2\x0C\0\x01\0\0\x07$share/", Version::V5, WireError::TopicFilterInvalid),
            (b"\xA2\x05\0\x01\0\x02a", Version::V311, WireError::Truncated),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }

    #[test]
    fn wrong_filters_are_not_written() {
        let identifier = PacketIdentifier::new(1).unwrap();
        let mut out = b"before".to_vec();
        for filters in [&[][..], &["a", "a#"]] {
            let refused =
                encode_unsubscribe(Version::V5, identifier, Properties::EMPTY, filters, &mut out);
            assert!(refused.is_err());
            assert_eq!(out, b"before");
        }
    }
}

//! PUBLISH, the packet that everything else is for.
//!
//! The payload is bytes here, whatever is in it. Invariant: a packet identifier is there exactly when
//! the QoS is above 0.

use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_identifier::PacketIdentifier;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property::PropertyIdentifier;
use super::property_table::Place;
use super::qos::Qos;
use super::read::Reader;
use super::version::Version;
use super::write;

const DUP: u8 = 0b1000;
const RETAIN: u8 = 0b0001;

/// An application message on its way.
///
/// ```text
/// +--------+--------------+----+-------------------+----------------+---------+
/// | 0011   | DUP  QoS RET | .. | topic name length | topic name     |         |
/// +--------+--------------+----+-------------------+----------------+         |
/// | packet identifier, QoS > 0 | properties, v5    | payload: all the rest    |
/// +----------------------------+-------------------+--------------------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Sent once before, perhaps. Never with QoS 0.
    pub dup: bool,
    /// The quality of service.
    pub qos: Qos,
    /// To be stored as the topic's last message; or: it was.
    pub retain: bool,
    /// Without wildcards. Empty only in 5, with a topic alias.
    pub topic_name: &'a str,
    /// With QoS 1 and 2.
    pub packet_identifier: Option<PacketIdentifier>,
    /// Empty before 5.
    pub properties: Properties<'a>,
    /// Any bytes, any number. Empty where it follows ([`RawPacket::payload_follows`]).
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// Reads a PUBLISH. No allocation; tens of nanoseconds, independent of the payload.
    ///
    /// # Errors
    /// QoS 3 [MQTT-3.3.1-4]; DUP with QoS 0 [MQTT-3.3.1-2]; wildcards in the topic name
    /// [MQTT-3.3.2-2]; an empty one ([MQTT-4.7.3-1]; in 5 unless there is a topic alias); packet
    /// identifier 0; illegal properties.
    #[inline]
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Publish)?;
        let qos = Qos::from_level((packet.flags >> 1) & 3).ok_or(WireError::QosInvalid)?;
        let dup = packet.flags & DUP != 0;
        if dup && qos == Qos::AtMostOnce {
            return Err(WireError::DupWithoutQos);
        }
        let mut reader = Reader::new(packet.body);
        let topic_name = reader.topic_name()?;
        let packet_identifier = match qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce | Qos::ExactlyOnce => Some(reader.packet_identifier()?),
        };
        let properties = match version {
            Version::V5 => Properties::read(&mut reader, Place::Publish)?,
            Version::V31 | Version::V311 => Properties::EMPTY,
        };
        if topic_name.is_empty() {
            topic_alias_instead(properties, version)?;
        }
        let retain = packet.flags & RETAIN != 0;
        let payload = reader.rest();
        Ok(Self { dup, qos, retain, topic_name, packet_identifier, properties, payload })
    }

    /// Appends the packet. One allocation at most, if the buffer has to grow.
    ///
    /// # Errors
    /// Whatever [`Publish::decode`] would refuse, and lengths that don't fit.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write_head(version, self.payload.len(), self.payload.len(), out)?;
        out.extend_from_slice(self.payload);
        Ok(())
    }

    /// Appends everything but the payload, which must follow and have `payload_length` bytes: so a
    /// large payload can be written by reference. [`Publish::payload`] isn't looked at.
    ///
    /// # Errors
    /// Those of [`Publish::encode`].
    pub fn encode_head(
        &self,
        version: Version,
        payload_length: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.write_head(version, payload_length, 0, out)
    }

    #[inline]
    fn write_head(
        &self,
        version: Version,
        payload_length: usize,
        payload_here: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.check(version)?;
        let head_length = write::topic_name_length(self.topic_name)?
            + self.packet_identifier.map_or(0, |_| 2)
            + write::properties_length(self.properties, Place::Publish, version)?;
        let remaining_length = head_length.saturating_add(payload_length);
        let here = head_length + payload_here;
        write::begin(PacketType::Publish, self.flags(), remaining_length, here, out)?;
        write::put_string(self.topic_name, out);
        if let Some(packet_identifier) = self.packet_identifier {
            write::put_packet_identifier(packet_identifier, out);
        }
        write::put_properties(self.properties, version, out);
        Ok(())
    }

    fn flags(&self) -> u8 {
        u8::from(self.dup) << 3 | self.qos.level() << 1 | u8::from(self.retain)
    }

    fn check(&self, version: Version) -> Result<(), EncodeError> {
        let acknowledged = self.qos != Qos::AtMostOnce;
        if acknowledged != self.packet_identifier.is_some() {
            return Err(EncodeError::PacketIdentifierMismatch);
        }
        if self.dup && !acknowledged {
            return Err(EncodeError::DupWithoutQos);
        }
        if self.topic_name.is_empty() && topic_alias_instead(self.properties, version).is_err() {
            return Err(EncodeError::TopicNameInvalid);
        }
        Ok(())
    }
}

/// An empty topic name needs a topic alias in its place (v5 section 3.3.2.1), which 3.x hasn't.
#[cold]
fn topic_alias_instead(properties: Properties<'_>, version: Version) -> Result<(), WireError> {
    if version < Version::V5 {
        Err(WireError::TopicNameInvalid)
    } else if properties.find(PropertyIdentifier::TopicAlias).is_none() {
        Err(WireError::TopicNameMissing)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8], version: Version) -> Result<Publish<'_>, WireError> {
        Publish::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn fields_come_back() {
        let bytes = [0x3D, 9, 0, 3, b'a', b'/', b'b', 0x12, 0x34, 1, 2];
        let publish = decode(&bytes, Version::V311).unwrap();
        let expected = Publish {
            dup: true,
            qos: Qos::ExactlyOnce,
            retain: true,
            topic_name: "a/b",
            packet_identifier: PacketIdentifier::new(0x1234),
            properties: Properties::EMPTY,
            payload: &[1, 2],
        };
        assert_eq!(publish, expected);
        let mut out = vec![0xAA];
        publish.encode(Version::V311, &mut out).unwrap();
        assert_eq!(out[1..], bytes);
        out.clear();
        publish.encode_head(Version::V311, 2, &mut out).unwrap();
        assert_eq!(out, bytes[..9]);
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], Version, WireError)] = &[
            (&[0x30, 0], Version::V311, WireError::Truncated),
            (&[0x30, 2, 0, 1], Version::V311, WireError::Truncated),
            (&[0x30, 2, 0, 0], Version::V31, WireError::TopicNameInvalid),
            (&[0x30, 2, 0, 0], Version::V311, WireError::TopicNameInvalid),
            (&[0x30, 3, 0, 0, 0], Version::V5, WireError::TopicNameMissing),
            (&[0x30, 6, 0, 0, 3, 35, 0, 0], Version::V5, WireError::TopicAliasInvalid),
            (&[0x30, 3, 0, 1, b'+'], Version::V311, WireError::TopicNameInvalid),
            (&[0x30, 3, 0, 1, b'#'], Version::V5, WireError::TopicNameInvalid),
            (&[0x30, 3, 0, 1, 0], Version::V311, WireError::StringHasNull),
            (&[0x30, 3, 0, 1, 0xFF], Version::V311, WireError::StringNotUtf8),
            (&[0x36, 5, 0, 1, b'a', 0, 1], Version::V311, WireError::QosInvalid),
            (&[0x38, 3, 0, 1, b'a'], Version::V311, WireError::DupWithoutQos),
            (&[0x32, 5, 0, 1, b'a', 0, 0], Version::V311, WireError::PacketIdentifierZero),
            (&[0x32, 4, 0, 1, b'a', 0], Version::V311, WireError::Truncated),
            (&[0x30, 3, 0, 1, b'a'], Version::V5, WireError::Truncated),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }

    #[test]
    fn a_topic_alias_stands_for_the_topic_name() {
        let bytes = [0x30, 7, 0, 0, 3, 35, 0, 1, b'x'];
        let publish = decode(&bytes, Version::V5).unwrap();
        assert_eq!((publish.topic_name, publish.payload), ("", &b"x"[..]));
        let mut out = Vec::new();
        publish.encode(Version::V5, &mut out).unwrap();
        assert_eq!(out, bytes);
        // 3.x has no alias, so there is no name.
        let refused = publish.encode(Version::V311, &mut out);
        assert_eq!(refused, Err(EncodeError::TopicNameInvalid));
    }

    #[test]
    fn a_failed_encode_leaves_the_buffer_as_it_was() {
        let good = decode(&[0x30, 3, 0, 1, b'a'], Version::V311).unwrap();
        let long = "x".repeat(65_536);
        let one = PacketIdentifier::new(1);
        let cases = [
            (Publish { topic_name: &long, ..good }, EncodeError::StringTooLong),
            (Publish { topic_name: "a/+", ..good }, EncodeError::TopicNameInvalid),
            (Publish { topic_name: "", ..good }, EncodeError::TopicNameInvalid),
            (Publish { dup: true, ..good }, EncodeError::DupWithoutQos),
            (Publish { packet_identifier: one, ..good }, EncodeError::PacketIdentifierMismatch),
            (Publish { qos: Qos::AtLeastOnce, ..good }, EncodeError::PacketIdentifierMismatch),
        ];
        let mut out = b"before".to_vec();
        for (publish, fault) in cases {
            for version in [Version::V31, Version::V311, Version::V5] {
                assert_eq!(publish.encode(version, &mut out), Err(fault));
                assert_eq!(out, b"before");
            }
        }
        for length in [268_435_453, usize::MAX] {
            let refused = good.encode_head(Version::V311, length, &mut out);
            assert_eq!(refused, Err(EncodeError::PacketTooLong));
            assert_eq!(out, b"before");
        }
        assert_eq!(good.encode_head(Version::V311, 268_435_452, &mut out), Ok(()));
    }
}

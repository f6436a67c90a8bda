//! UNSUBACK: one code per topic filter in 5, nothing but a packet identifier before.
//!
//! Invariant: in 5 there is at least one code, and each is known; before, there are none.

use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_identifier::PacketIdentifier;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property_table::Place;
use super::read::Reader;
use super::reason_code_table::is_code_in;
use super::version::Version;
use super::write;

/// The answer to UNSUBSCRIBE.
///
/// ```text
/// +------+----+-------------------+----------------+----------+----------+----
/// | 0xB0 | .. | packet identifier | properties, v5 | code, v5 | code, v5 | ...
/// +------+----+-------------------+----------------+----------+----------+----
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// That of UNSUBSCRIBE.
    pub packet_identifier: PacketIdentifier,
    /// Empty before 5.
    pub properties: Properties<'a>,
    /// In the order of the topic filters; empty before 5.
    pub reason_codes: &'a [u8],
}

impl<'a> Unsuback<'a> {
    /// Reads an UNSUBACK.
    ///
    /// # Errors
    /// Packet identifier 0; before 5, trailing bytes; in 5, no code or an unknown one
    /// (v5 [MQTT-3.11.3-2]), illegal properties.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Unsuback)?;
        let mut reader = Reader::new(packet.body);
        let packet_identifier = reader.packet_identifier()?;
        if version < Version::V5 {
            reader.finish()?;
            let (properties, reason_codes) = (Properties::EMPTY, &[][..]);
            return Ok(Self { packet_identifier, properties, reason_codes });
        }
        let properties = Properties::read(&mut reader, Place::Acknowledgement)?;
        let reason_codes = reader.rest();
        if reason_codes.is_empty() {
            return Err(WireError::ReasonCodesMissing);
        }
        match unknown_code(reason_codes) {
            Some(code) => Err(WireError::ReasonCodeInvalid(code)),
            None => Ok(Self { packet_identifier, properties, reason_codes }),
        }
    }

    /// Appends the packet. Before 5, properties and codes are left out.
    ///
    /// # Errors
    /// In 5: no code, or an unknown one.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let reason_codes = if version == Version::V5 { self.reason_codes } else { &[] };
        if reason_codes.is_empty() && version == Version::V5 {
            return Err(EncodeError::ReasonCodesMissing);
        }
        if let Some(code) = unknown_code(reason_codes) {
            return Err(EncodeError::ReasonCodeInvalid(code));
        }
        let length = 2
            + write::properties_length(self.properties, Place::Acknowledgement, version)?
            + reason_codes.len();
        write::begin(PacketType::Unsuback, 0, length, length, out)?;
        write::put_packet_identifier(self.packet_identifier, out);
        write::put_properties(self.properties, version, out);
        out.extend_from_slice(reason_codes);
        Ok(())
    }
}

fn unknown_code(codes: &[u8]) -> Option<u8> {
    codes.iter().copied().find(|code| !is_code_in(*code, PacketType::Unsuback, Version::V5))
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8], version: Version) -> Result<Unsuback<'_>, WireError> {
        Unsuback::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn packets_come_back() {
        let cases: &[(&[u8], Version)] = &[
            (&[0xB0, 2, 0, 1], Version::V31),
            (&[0xB0, 2, 0, 1], Version::V311),
            (&[0xB0, 5, 0, 1, 0, 0, 0x11], Version::V5),
        ];
        for (bytes, version) in cases {
            let mut out = Vec::new();
            decode(bytes, *version).unwrap().encode(*version, &mut out).unwrap();
            assert_eq!(out, *bytes);
        }
        let mut out = Vec::new();
        let five = decode(&[0xB0, 4, 0, 1, 0, 0x87], Version::V5).unwrap();
        five.encode(Version::V311, &mut out).unwrap();
        assert_eq!(out, [0xB0, 2, 0, 1]);
        // Nothing says how many codes 5 should have.
        let three = decode(&[0xB0, 2, 0, 1], Version::V311).unwrap();
        assert_eq!(three.encode(Version::V5, &mut out), Err(EncodeError::ReasonCodesMissing));
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], Version, WireError)] = &[
            (&[0xB0, 2, 0, 0], Version::V311, WireError::PacketIdentifierZero),
            (&[0xB0, 3, 0, 1, 0], Version::V311, WireError::TrailingBytes),
            (&[0xB0, 2, 0, 1], Version::V5, WireError::Truncated),
            (&[0xB0, 3, 0, 1, 0], Version::V5, WireError::ReasonCodesMissing),
            (&[0xB0, 4, 0, 1, 0, 1], Version::V5, WireError::ReasonCodeInvalid(1)),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }
}

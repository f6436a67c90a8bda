//! SUBACK: one code per subscription.
//!
//! The codes stay bytes, because their number is the subscription's place in the list. Invariant:
//! there is at least one, and each is known in the packet's version.

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

/// The answer to SUBSCRIBE.
///
/// ```text
/// +------+----+-------------------+----------------+------+------+----
/// | 0x90 | .. | packet identifier | properties, v5 | code | code | ...
/// +------+----+-------------------+----------------+------+------+----
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suback<'a> {
    /// That of SUBSCRIBE.
    pub packet_identifier: PacketIdentifier,
    /// Empty before 5.
    pub properties: Properties<'a>,
    /// In the order of the subscriptions: the QoS granted, 0 to 2, or failure: none in 3.1, 0x80 in
    /// 3.1.1, 0x80 and above in 5.
    pub reason_codes: &'a [u8],
}

impl<'a> Suback<'a> {
    /// Reads a SUBACK.
    ///
    /// # Errors
    /// Packet identifier 0; no code; a code unknown in this version [MQTT-3.9.3-2]; illegal
    /// properties.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Suback)?;
        let mut reader = Reader::new(packet.body);
        let packet_identifier = reader.packet_identifier()?;
        let properties = match version {
            Version::V5 => Properties::read(&mut reader, Place::Acknowledgement)?,
            Version::V31 | Version::V311 => Properties::EMPTY,
        };
        let reason_codes = reader.rest();
        if reason_codes.is_empty() {
            return Err(WireError::ReasonCodesMissing);
        }
        match unknown_code(reason_codes, version) {
            Some(code) => Err(WireError::ReasonCodeInvalid(code)),
            None => Ok(Self { packet_identifier, properties, reason_codes }),
        }
    }

    /// Appends the packet. Before 5, properties are left out.
    ///
    /// # Errors
    /// No code, or one unknown in this version: the caller says what becomes of it.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.reason_codes.is_empty() {
            return Err(EncodeError::ReasonCodesMissing);
        }
        if let Some(code) = unknown_code(self.reason_codes, version) {
            return Err(EncodeError::ReasonCodeInvalid(code));
        }
        let length = 2
            + write::properties_length(self.properties, Place::Acknowledgement, version)?
            + self.reason_codes.len();
        write::begin(PacketType::Suback, 0, length, length, out)?;
        write::put_packet_identifier(self.packet_identifier, out);
        write::put_properties(self.properties, version, out);
        out.extend_from_slice(self.reason_codes);
        Ok(())
    }
}

fn unknown_code(codes: &[u8], version: Version) -> Option<u8> {
    codes.iter().copied().find(|code| !is_code_in(*code, PacketType::Suback, version))
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8], version: Version) -> Result<Suback<'_>, WireError> {
        Suback::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn codes_come_back() {
        let cases: &[(&[u8], Version)] = &[
            (&[0x90, 5, 0, 1, 0, 1, 2], Version::V31),
            (&[0x90, 4, 0, 1, 0x80, 0], Version::V311),
            (&[0x90, 4, 0, 1, 0, 0x87], Version::V5),
            (&[0x90, 8, 0, 1, 4, 31, 0, 1, b'x', 0xA2], Version::V5),
        ];
        for (bytes, version) in cases {
            let mut out = Vec::new();
            decode(bytes, *version).unwrap().encode(*version, &mut out).unwrap();
            assert_eq!(out, *bytes);
        }
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], Version, WireError)] = &[
            (&[0x90, 3, 0, 0, 0], Version::V311, WireError::PacketIdentifierZero),
            (&[0x90, 2, 0, 1], Version::V311, WireError::ReasonCodesMissing),
            (&[0x90, 3, 0, 1, 0], Version::V5, WireError::ReasonCodesMissing),
            (&[0x90, 3, 0, 1, 3], Version::V311, WireError::ReasonCodeInvalid(3)),
            (&[0x90, 3, 0, 1, 0x87], Version::V311, WireError::ReasonCodeInvalid(0x87)),
            (&[0x90, 3, 0, 1, 0x80], Version::V31, WireError::ReasonCodeInvalid(0x80)),
            (&[0x90, 4, 0, 1, 0, 0x11], Version::V5, WireError::ReasonCodeInvalid(0x11)),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }

    #[test]
    fn a_code_of_another_version_is_not_written() {
        let suback = decode(&[0x90, 4, 0, 1, 0, 0x87], Version::V5).unwrap();
        let mut out = Vec::new();
        let refused = Err(EncodeError::ReasonCodeInvalid(0x87));
        assert_eq!(suback.encode(Version::V311, &mut out), refused);
        assert!(out.is_empty());
    }
}

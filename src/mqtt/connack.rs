//! CONNACK, the answer to CONNECT.
//!
//! The reason code is MQTT 5's in every version; 3.x has the nearest return code on the wire.
//! Invariant: a refusal never announces a session.

use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property_table::Place;
use super::read::Reader;
use super::reason_code::ReasonCode;
use super::reason_code_table::code_of;
use super::version::Version;
use super::write;

/// The server's answer to CONNECT.
///
/// ```text
/// +------+----+-------------------------+------------------+----------------+
/// | 0x20 | .. | 0 … 0 | session present | code             | properties, v5 |
/// +------+----+-------------------------+------------------+----------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connack<'a> {
    /// Whether the server has a session of this client. Always false in 3.1, which can't say it.
    pub session_present: bool,
    /// Success, or why not.
    pub reason_code: ReasonCode,
    /// Empty before 5.
    pub properties: Properties<'a>,
}

impl<'a> Connack<'a> {
    /// Reads a CONNACK. In 3.1 the first byte isn't used and may be anything.
    ///
    /// # Errors
    /// Reserved flags; an unknown code; a session present with a refusal ([MQTT-3.2.2-4] in 3.1.1,
    /// [MQTT-3.2.2-6] in 5); illegal properties; trailing bytes.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Connack)?;
        let mut reader = Reader::new(packet.body);
        let flags = reader.byte()?;
        if flags > 1 && version > Version::V31 {
            return Err(WireError::ConnackFlagsInvalid);
        }
        let session_present = flags == 1 && version > Version::V31;
        let byte = reader.byte()?;
        let reason_code = match version {
            Version::V5 => code_of(byte, PacketType::Connack),
            Version::V31 | Version::V311 => ReasonCode::from_connect_return_code(byte),
        }
        .ok_or(WireError::ReasonCodeInvalid(byte))?;
        if session_present && reason_code != ReasonCode::Success {
            return Err(WireError::SessionPresentWithRefusal);
        }
        let properties = match version {
            Version::V5 => Properties::read(&mut reader, Place::Connack)?,
            Version::V31 | Version::V311 => Properties::EMPTY,
        };
        reader.finish()?;
        Ok(Self { session_present, reason_code, properties })
    }

    /// Appends the packet. Before 5 the properties are left out and the reason code becomes
    /// [`ReasonCode::connect_return_code`]; in 3.1 the session isn't mentioned.
    ///
    /// # Errors
    /// A session present with a refusal; a reason code or properties that CONNACK can't have.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let code = self.reason_code.value();
        if code_of(code, PacketType::Connack).is_none() && version == Version::V5 {
            return Err(EncodeError::ReasonCodeInvalid(code));
        }
        if self.session_present && self.reason_code.is_error() {
            return Err(EncodeError::SessionPresentWithRefusal);
        }
        let length = 2 + write::properties_length(self.properties, Place::Connack, version)?;
        write::begin(PacketType::Connack, 0, length, length, out)?;
        out.push(u8::from(self.session_present && version > Version::V31));
        out.push(match version {
            Version::V5 => code,
            Version::V31 | Version::V311 => self.reason_code.connect_return_code(),
        });
        write::put_properties(self.properties, version, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8], version: Version) -> Result<Connack<'_>, WireError> {
        Connack::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn answers_come_back() {
        let cases: &[(&[u8], Version)] = &[
            (&[0x20, 2, 0, 0], Version::V31),
            (&[0x20, 2, 1, 0], Version::V311),
            (&[0x20, 2, 0, 5], Version::V311),
            (&[0x20, 3, 1, 0, 0], Version::V5),
            (&[0x20, 3, 0, 0x9F, 0], Version::V5),
            (&[0x20, 6, 0, 0, 3, 33, 0, 9], Version::V5),
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
            (&[0x20, 1, 0], Version::V311, WireError::Truncated),
            (&[0x20, 2, 0, 0], Version::V5, WireError::Truncated),
            (&[0x20, 3, 0, 0, 0], Version::V311, WireError::TrailingBytes),
            (&[0x20, 4, 0, 0, 0, 9], Version::V5, WireError::TrailingBytes),
            (&[0x20, 2, 0xFE, 0], Version::V311, WireError::ConnackFlagsInvalid),
            (&[0x20, 3, 2, 0, 0], Version::V5, WireError::ConnackFlagsInvalid),
            (&[0x20, 2, 1, 5], Version::V311, WireError::SessionPresentWithRefusal),
            (&[0x20, 3, 1, 0x87, 0], Version::V5, WireError::SessionPresentWithRefusal),
            (&[0x20, 2, 0, 6], Version::V311, WireError::ReasonCodeInvalid(6)),
            (&[0x20, 3, 0, 1, 0], Version::V5, WireError::ReasonCodeInvalid(1)),
            (&[0x20, 3, 0, 0x8D, 0], Version::V5, WireError::ReasonCodeInvalid(0x8D)),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }

    #[test]
    fn between_versions_the_nearest_code_is_taken() {
        let mut out = Vec::new();
        let busy = decode(&[0x20, 3, 0, 0x89, 0], Version::V5).unwrap();
        busy.encode(Version::V311, &mut out).unwrap();
        assert_eq!(out, [0x20, 2, 0, 3]);
        let refused = decode(&[0x20, 2, 0, 4], Version::V31).unwrap();
        out.clear();
        refused.encode(Version::V5, &mut out).unwrap();
        assert_eq!(out, [0x20, 3, 0, 0x86, 0]);
        let resumed = decode(&[0x20, 2, 1, 0], Version::V311).unwrap();
        out.clear();
        resumed.encode(Version::V31, &mut out).unwrap();
        assert_eq!(out, [0x20, 2, 0, 0]);
    }

    #[test]
    fn a_refusal_with_a_session_is_not_written() {
        let connack = Connack {
            session_present: true,
            reason_code: ReasonCode::Banned,
            properties: Properties::EMPTY,
        };
        let mut out = Vec::new();
        let refused = Err(EncodeError::SessionPresentWithRefusal);
        assert_eq!(connack.encode(Version::V5, &mut out), refused);
        assert!(out.is_empty());
    }
}

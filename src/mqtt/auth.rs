//! AUTH: a step of MQTT 5's enhanced authentication.
//!
//! Not the method's exchange. Invariant: what says anything names its authentication method.

use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property::PropertyIdentifier;
use super::property_table::Place;
use super::read::Reader;
use super::reason_code::ReasonCode;
use super::reason_code_table::code_of;
use super::version::Version;
use super::write;

/// A step of authentication.
///
/// ```text
/// +------+----+-------------+------------+
/// | 0xF0 | .. | reason code | properties |     both may be left out: success, no properties
/// +------+----+-------------+------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, continue or re-authenticate.
    pub reason_code: ReasonCode,
    /// With the authentication method.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    /// Reads an AUTH.
    ///
    /// An AUTH of success without properties needs no method: section 3.15.2.1 gives it a form of its
    /// own, `F0 00`.
    ///
    /// # Errors
    /// Before 5: always. An unknown reason code [MQTT-3.15.2-1]; no authentication method (section
    /// 3.15.2.2.2); illegal properties; trailing bytes.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Auth)?;
        if version < Version::V5 {
            return Err(WireError::PacketTypeInvalid(PacketType::Auth.number()));
        }
        if packet.body.is_empty() {
            return Ok(Self { reason_code: ReasonCode::Success, properties: Properties::EMPTY });
        }
        let mut reader = Reader::new(packet.body);
        let byte = reader.byte()?;
        let reason_code =
            code_of(byte, PacketType::Auth).ok_or(WireError::ReasonCodeInvalid(byte))?;
        let properties = Properties::read(&mut reader, Place::Auth)?;
        reader.finish()?;
        let found = Self { reason_code, properties };
        if found.lacks_method() {
            return Err(WireError::AuthenticationMethodMissing);
        }
        Ok(found)
    }

    /// Appends the packet, in the shortest form.
    ///
    /// # Errors
    /// Before 5: always. A reason code or properties that AUTH can't have; no authentication method.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if version < Version::V5 {
            return Err(EncodeError::NotInVersion(PacketType::Auth));
        }
        let code = self.reason_code.value();
        if code_of(code, PacketType::Auth).is_none() {
            return Err(EncodeError::ReasonCodeInvalid(code));
        }
        if self.lacks_method() {
            return Err(EncodeError::AuthenticationMethodMissing);
        }
        if self.properties.is_empty() {
            return write::begin(PacketType::Auth, 0, 0, 0, out);
        }
        let length = 1 + write::properties_length(self.properties, Place::Auth, version)?;
        write::begin(PacketType::Auth, 0, length, length, out)?;
        out.push(code);
        write::put_properties(self.properties, version, out);
        Ok(())
    }

    fn lacks_method(&self) -> bool {
        let says_nothing = self.reason_code == ReasonCode::Success && self.properties.is_empty();
        !says_nothing && self.properties.find(PropertyIdentifier::AuthenticationMethod).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Auth<'_>, WireError> {
        Auth::decode(next_packet(bytes, Version::V5, 1000)?.unwrap(), Version::V5)
    }

    #[test]
    fn steps_come_back_in_the_shortest_form() {
        let cases: &[(&[u8], &[u8])] = &[
            (&[0xF0, 0], &[0xF0, 0]),
            (&[0xF0, 2, 0, 0], &[0xF0, 0]),
            (
                &[0xF0, 9, 0x18, 7, 21, 0, 1, b'm', 22, 0, 0],
                &[0xF0, 9, 0x18, 7, 21, 0, 1, b'm', 22, 0, 0],
            ),
        ];
        for (bytes, shortest) in cases {
            let mut out = Vec::new();
            decode(bytes).unwrap().encode(Version::V5, &mut out).unwrap();
            assert_eq!(out, *shortest);
        }
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], WireError)] = &[
            (&[0xF0, 1, 0], WireError::Truncated),
            (&[0xF0, 2, 0x18, 0], WireError::AuthenticationMethodMissing),
            (&[0xF0, 5, 0x18, 3, 22, 0, 0], WireError::AuthenticationMethodMissing),
            (&[0xF0, 6, 0x00, 4, 31, 0, 1, b'r'], WireError::AuthenticationMethodMissing),
            (&[0xF0, 6, 0x80, 4, 21, 0, 1, b'm'], WireError::ReasonCodeInvalid(0x80)),
            (&[0xF0, 7, 0x18, 4, 21, 0, 1, b'm', 0], WireError::TrailingBytes),
        ];
        for (bytes, fault) in cases {
            assert_eq!(decode(bytes), Err(*fault), "{bytes:02X?}");
        }
    }

    #[test]
    fn it_does_not_exist_before_5() {
        let auth = decode(&[0xF0, 0]).unwrap();
        let mut out = Vec::new();
        let refused = Err(EncodeError::NotInVersion(PacketType::Auth));
        assert_eq!(auth.encode(Version::V311, &mut out), refused);
        let raw = next_packet(&[0xF0, 0], Version::V5, 10).unwrap().unwrap();
        assert_eq!(Auth::decode(raw, Version::V31), Err(WireError::PacketTypeInvalid(15)));
    }
}

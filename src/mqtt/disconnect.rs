//! DISCONNECT: the end, announced.
//!
//! Who may send it in which version is the session's question. Invariant: before 5 it says nothing,
//! which means normal disconnection.

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

/// The end of a connection.
///
/// ```text
/// +------+----+-------------------+------------------+
/// | 0xE0 | .. | reason code, v5 * | properties, v5 * |
/// +------+----+-------------------+------------------+
///   * properties may be left out if empty, the code with them if success
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// [`ReasonCode::Success`] is normal disconnection.
    pub reason_code: ReasonCode,
    /// Empty before 5.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// Reads a DISCONNECT.
    ///
    /// # Errors
    /// Before 5: a body. In 5: an unknown reason code [MQTT-3.14.2-1], illegal properties, trailing
    /// bytes.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        packet.expect(PacketType::Disconnect)?;
        let mut reader = Reader::new(packet.body);
        let mut found = Self { reason_code: ReasonCode::Success, properties: Properties::EMPTY };
        if version == Version::V5 && !reader.is_empty() {
            let byte = reader.byte()?;
            found.reason_code =
                code_of(byte, PacketType::Disconnect).ok_or(WireError::ReasonCodeInvalid(byte))?;
            if !reader.is_empty() {
                found.properties = Properties::read(&mut reader, Place::Disconnect)?;
            }
        }
        reader.finish()?;
        Ok(found)
    }

    /// Appends the packet, in the shortest form. Before 5 it says nothing.
    ///
    /// # Errors
    /// In 5: a reason code or properties that this packet can't have.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let code = self.reason_code.value();
        let with_properties = version == Version::V5 && !self.properties.is_empty();
        let with_code =
            with_properties || (version == Version::V5 && self.reason_code != ReasonCode::Success);
        if with_code && code_of(code, PacketType::Disconnect).is_none() {
            return Err(EncodeError::ReasonCodeInvalid(code));
        }
        let mut length = usize::from(with_code);
        if with_properties {
            length += write::properties_length(self.properties, Place::Disconnect, version)?;
        }
        write::begin(PacketType::Disconnect, 0, length, length, out)?;
        if with_code {
            out.push(code);
        }
        if with_properties {
            write::put_properties(self.properties, version, out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    fn decode(bytes: &[u8], version: Version) -> Result<Disconnect<'_>, WireError> {
        Disconnect::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn all_lengths_come_back_in_the_shortest_form() {
        let cases: &[(&[u8], &[u8], Version, ReasonCode)] = &[
            (&[0xE0, 0], &[0xE0, 0], Version::V31, ReasonCode::Success),
            (&[0xE0, 0], &[0xE0, 0], Version::V311, ReasonCode::Success),
            (&[0xE0, 0], &[0xE0, 0], Version::V5, ReasonCode::Success),
            (&[0xE0, 1, 0], &[0xE0, 0], Version::V5, ReasonCode::Success),
            (&[0xE0, 2, 0, 0], &[0xE0, 0], Version::V5, ReasonCode::Success),
            (&[0xE0, 1, 4], &[0xE0, 1, 4], Version::V5, ReasonCode::DisconnectWithWillMessage),
            (&[0xE0, 2, 0x89, 0], &[0xE0, 1, 0x89], Version::V5, ReasonCode::ServerBusy),
            (
                &[0xE0, 6, 0x9D, 4, 28, 0, 1, b's'],
                &[0xE0, 6, 0x9D, 4, 28, 0, 1, b's'],
                Version::V5,
                ReasonCode::ServerMoved,
            ),
            (
                &[0xE0, 7, 0, 5, 17, 0, 0, 0, 9],
                &[0xE0, 7, 0, 5, 17, 0, 0, 0, 9],
                Version::V5,
                ReasonCode::Success,
            ),
        ];
        for (bytes, shortest, version, reason_code) in cases {
            let found = decode(bytes, *version).unwrap();
            assert_eq!(found.reason_code, *reason_code);
            let mut out = Vec::new();
            found.encode(*version, &mut out).unwrap();
            assert_eq!(out, *shortest);
            out.clear();
            found.encode(Version::V311, &mut out).unwrap();
            assert_eq!(out, [0xE0, 0]);
        }
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], Version, WireError)] = &[
            (&[0xE0, 1, 0], Version::V311, WireError::TrailingBytes),
            (&[0xE0, 1, 0], Version::V31, WireError::TrailingBytes),
            (&[0xE0, 1, 0x01], Version::V5, WireError::ReasonCodeInvalid(1)),
            (&[0xE0, 1, 0x84], Version::V5, WireError::ReasonCodeInvalid(0x84)),
            (&[0xE0, 2, 0, 1], Version::V5, WireError::Truncated),
            (&[0xE0, 3, 0, 0, 0], Version::V5, WireError::TrailingBytes),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }
}

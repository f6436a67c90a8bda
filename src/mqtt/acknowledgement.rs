//! PUBACK, PUBREC, PUBREL and PUBCOMP: one form, four types.
//!
//! Not SUBACK and UNSUBACK, which carry lists. Invariant: before 5 an acknowledgement says "success".

use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_identifier::PacketIdentifier;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property_table::Place;
use super::read::Reader;
use super::reason_code::ReasonCode;
use super::reason_code_table::code_of;
use super::version::Version;
use super::write;

/// Which of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcknowledgementKind {
    /// For a PUBLISH of QoS 1.
    Puback,
    /// For a PUBLISH of QoS 2, first.
    Pubrec,
    /// For PUBREC.
    Pubrel,
    /// For PUBREL.
    Pubcomp,
}

impl AcknowledgementKind {
    /// The packet type.
    pub fn packet_type(self) -> PacketType {
        match self {
            Self::Puback => PacketType::Puback,
            Self::Pubrec => PacketType::Pubrec,
            Self::Pubrel => PacketType::Pubrel,
            Self::Pubcomp => PacketType::Pubcomp,
        }
    }

    fn of(packet_type: PacketType) -> Option<Self> {
        match packet_type {
            PacketType::Puback => Some(Self::Puback),
            PacketType::Pubrec => Some(Self::Pubrec),
            PacketType::Pubrel => Some(Self::Pubrel),
            PacketType::Pubcomp => Some(Self::Pubcomp),
            _ => None,
        }
    }

    fn flags(self) -> u8 {
        match self {
            Self::Pubrel => 0b0010,
            Self::Puback | Self::Pubrec | Self::Pubcomp => 0,
        }
    }
}

/// An acknowledgement of a PUBLISH or of another acknowledgement.
///
/// ```text
/// +------+-------+----+-------------------+-------------------+----------------+
/// | type | flags | .. | packet identifier | reason code, v5 * | properties, v5 *
/// +------+-------+----+-------------------+-------------------+----------------+
///                       * properties may be left out if empty, the code with them if success
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement<'a> {
    /// Which of the four.
    pub kind: AcknowledgementKind,
    /// The packet that it belongs to.
    pub packet_identifier: PacketIdentifier,
    /// [`ReasonCode::Success`] before 5.
    pub reason_code: ReasonCode,
    /// Empty before 5.
    pub properties: Properties<'a>,
}

impl Acknowledgement<'static> {
    /// The plain one.
    pub fn success(kind: AcknowledgementKind, packet_identifier: PacketIdentifier) -> Self {
        let (reason_code, properties) = (ReasonCode::Success, Properties::EMPTY);
        Self { kind, packet_identifier, reason_code, properties }
    }
}

impl<'a> Acknowledgement<'a> {
    /// Reads any of the four. Costs nanoseconds.
    ///
    /// # Errors
    /// Packet identifier 0; a reason code that this packet can't have; illegal properties; trailing
    /// bytes.
    pub fn decode(packet: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        let kind = AcknowledgementKind::of(packet.packet_type)
            .ok_or(WireError::PacketTypeUnexpected(packet.packet_type))?;
        let mut reader = Reader::new(packet.body);
        let mut found = Acknowledgement {
            kind,
            packet_identifier: reader.packet_identifier()?,
            reason_code: ReasonCode::Success,
            properties: Properties::EMPTY,
        };
        if version == Version::V5 && !reader.is_empty() {
            let byte = reader.byte()?;
            found.reason_code =
                code_of(byte, packet.packet_type).ok_or(WireError::ReasonCodeInvalid(byte))?;
            if !reader.is_empty() {
                found.properties = Properties::read(&mut reader, Place::Acknowledgement)?;
            }
        }
        reader.finish()?;
        Ok(found)
    }

    /// Appends the packet, in the shortest form. Before 5 the reason code and the properties can't be
    /// written and are left out.
    ///
    /// # Errors
    /// In 5: a reason code or properties that this packet can't have.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let packet_type = self.kind.packet_type();
        let flags = self.kind.flags();
        let code = self.reason_code.value();
        let with_properties = version == Version::V5 && !self.properties.is_empty();
        let with_code =
            with_properties || (version == Version::V5 && self.reason_code != ReasonCode::Success);
        if with_code && code_of(code, packet_type).is_none() {
            return Err(EncodeError::ReasonCodeInvalid(code));
        }
        let mut length = 2 + usize::from(with_code);
        if with_properties {
            length += write::properties_length(self.properties, Place::Acknowledgement, version)?;
        }
        write::begin(packet_type, flags, length, length, out)?;
        write::put_packet_identifier(self.packet_identifier, out);
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

    fn decode(bytes: &[u8], version: Version) -> Result<Acknowledgement<'_>, WireError> {
        Acknowledgement::decode(next_packet(bytes, version, 1000)?.unwrap(), version)
    }

    #[test]
    fn all_lengths_of_5_come_back_in_the_shortest_form() {
        let cases: &[(&[u8], &[u8], ReasonCode)] = &[
            (&[0x40, 2, 0, 1], &[0x40, 2, 0, 1], ReasonCode::Success),
            (&[0x40, 3, 0, 1, 0], &[0x40, 2, 0, 1], ReasonCode::Success),
            (&[0x40, 4, 0, 1, 0, 0], &[0x40, 2, 0, 1], ReasonCode::Success),
            (&[0x50, 3, 0, 1, 0x10], &[0x50, 3, 0, 1, 0x10], ReasonCode::NoMatchingSubscribers),
            (
                &[0x62, 4, 0, 1, 0x92, 0],
                &[0x62, 3, 0, 1, 0x92],
                ReasonCode::PacketIdentifierNotFound,
            ),
            (
                &[0x70, 8, 0, 1, 0, 4, 31, 0, 1, b'x'],
                &[0x70, 8, 0, 1, 0, 4, 31, 0, 1, b'x'],
                ReasonCode::Success,
            ),
        ];
        for (bytes, shortest, reason_code) in cases {
            let found = decode(bytes, Version::V5).unwrap();
            assert_eq!(found.reason_code, *reason_code);
            let mut out = Vec::new();
            found.encode(Version::V5, &mut out).unwrap();
            assert_eq!(out, *shortest);
            out.clear();
            found.encode(Version::V311, &mut out).unwrap();
            assert_eq!(out, [bytes[0], 2, 0, 1]);
        }
    }

    #[test]
    fn wrong_packets_are_refused() {
        let cases: &[(&[u8], Version, WireError)] = &[
            (&[0x40, 0], Version::V311, WireError::Truncated),
            (&[0x40, 1, 0], Version::V5, WireError::Truncated),
            (&[0x40, 2, 0, 0], Version::V31, WireError::PacketIdentifierZero),
            (&[0x50, 2, 0, 0], Version::V5, WireError::PacketIdentifierZero),
            (&[0x40, 3, 0, 1, 0], Version::V311, WireError::TrailingBytes),
            (&[0x70, 3, 0, 1, 0], Version::V31, WireError::TrailingBytes),
            (&[0x40, 5, 0, 1, 0, 0, 9], Version::V5, WireError::TrailingBytes),
            (&[0x40, 4, 0, 1, 0, 1], Version::V5, WireError::Truncated),
            (&[0x40, 3, 0, 1, 0x92], Version::V5, WireError::ReasonCodeInvalid(0x92)),
            (&[0x62, 3, 0, 1, 0x80], Version::V5, WireError::ReasonCodeInvalid(0x80)),
            (&[0x40, 3, 0, 1, 0x01], Version::V5, WireError::ReasonCodeInvalid(1)),
        ];
        for (bytes, version, fault) in cases {
            assert_eq!(decode(bytes, *version), Err(*fault), "{bytes:02X?} in {version}");
        }
    }

    #[test]
    fn a_code_of_another_packet_is_not_written() {
        let identifier = PacketIdentifier::new(7).unwrap();
        let pubrel = Acknowledgement {
            reason_code: ReasonCode::QuotaExceeded,
            ..Acknowledgement::success(AcknowledgementKind::Pubrel, identifier)
        };
        let mut out = Vec::new();
        assert_eq!(pubrel.encode(Version::V5, &mut out), Err(EncodeError::ReasonCodeInvalid(0x97)));
        assert!(out.is_empty());
    }
}

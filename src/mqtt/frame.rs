//! Cuts packets off a stream: fixed header, flags, remaining length, size limit.
//!
//! It doesn't look into a body. Invariant: a [`RawPacket`] from here is complete, its flags are legal
//! for its type and version, and its length is written in the fewest bytes possible.

use super::error::WireError;
use super::packet_type::PacketType;
use super::read::variable_byte_integer;
use super::version::Version;

/// The flags that PUBLISH may carry, one bit per value: not QoS 3, not DUP with QoS 0.
const PUBLISH_FLAGS: u16 = 0b0011_1100_0011_1111;

/// The first two to five bytes of each packet.
///
/// ```text
///  7 6 5 4   3 2 1 0
/// +--------+---------+--------------------------+
/// |  type  |  flags  | remaining length, 1 to 4 |
/// +--------+---------+--------------------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedHeader {
    /// The packet type.
    pub packet_type: PacketType,
    /// The lower four bits of the first byte, legal for this type and version.
    pub flags: u8,
    /// Bytes of the fixed header itself, 2 to 5.
    pub header_length: usize,
    /// Bytes behind the fixed header, 0 to 268,435,455.
    pub remaining_length: usize,
}

impl FixedHeader {
    /// Bytes of the whole packet.
    pub fn packet_length(&self) -> usize {
        self.header_length + self.remaining_length
    }
}

/// One packet, not yet read: complete, or a PUBLISH up to its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// The packet type.
    pub packet_type: PacketType,
    /// The lower four bits of the first byte.
    pub flags: u8,
    /// What stands behind the fixed header.
    pub body: &'a [u8],
    /// The whole packet, but for a payload that follows.
    pub bytes: &'a [u8],
    /// Bytes of a payload that isn't in `body`: see [`super::publish_start`]. 0 from [`next_packet`].
    pub payload_follows: usize,
}

/// Reads a fixed header; `Ok(None)` means that it isn't complete yet.
///
/// Faults show as early as they can: a wrong first byte needs no second one.
///
/// # Errors
/// Type 0, or AUTH before 5; reserved flags (3.1.1 [MQTT-2.2.2-2], v5 [MQTT-2.1.3-1]); QoS 3; DUP
/// with QoS 0 ([MQTT-3.3.1-2]); a remaining length of more than four bytes or more than it needs
/// (v5 [MQTT-1.5.5-1]; held in every version).
#[inline]
pub fn fixed_header(buffer: &[u8], version: Version) -> Result<Option<FixedHeader>, WireError> {
    let [first, rest @ ..] = buffer else { return Ok(None) };
    let number = first >> 4;
    let flags = first & 0x0F;
    let packet_type = match PacketType::from_number(number) {
        Some(PacketType::Auth) if version < Version::V5 => None,
        packet_type => packet_type,
    }
    .ok_or(WireError::PacketTypeInvalid(number))?;
    if !flags_are_legal(packet_type, flags, version) {
        return Err(flags_fault(packet_type, flags));
    }
    Ok(variable_byte_integer(rest)?.map(|(remaining_length, length)| FixedHeader {
        packet_type,
        flags,
        header_length: 1 + length,
        remaining_length: remaining_length as usize,
    }))
}

/// Cuts the first packet off a stream; `Ok(None)` means that it isn't complete yet.
///
/// Before CONNECT the version is unknown; any will do, for CONNECT's fixed header is the same in all.
/// `packet_size_max` counts the whole packet, in bytes, and is applied as soon as the fixed header is
/// there: nobody needs to store the start of a packet that won't be taken.
///
/// Costs a few nanoseconds; copies and allocates nothing.
///
/// # Errors
/// Those of [`fixed_header`], and [`WireError::PacketTooLarge`].
#[inline]
pub fn next_packet<'a>(
    buffer: &'a [u8],
    version: Version,
    packet_size_max: usize,
) -> Result<Option<RawPacket<'a>>, WireError> {
    let Some(header) = fixed_header(buffer, version)? else { return Ok(None) };
    let packet_length = header.packet_length();
    if packet_length > packet_size_max {
        return Err(WireError::PacketTooLarge { packet_length, packet_size_max });
    }
    let packet = buffer.get(..packet_length).and_then(|bytes| {
        let body = bytes.get(header.header_length..)?;
        let FixedHeader { packet_type, flags, .. } = header;
        Some(RawPacket { packet_type, flags, body, bytes, payload_follows: 0 })
    });
    Ok(packet)
}

impl RawPacket<'_> {
    /// Bytes of the whole packet.
    #[inline]
    pub fn length(&self) -> usize {
        self.bytes.len() + self.payload_follows
    }

    /// Refuses a packet of another type than a decoder is for.
    #[inline]
    pub(super) fn expect(&self, packet_type: PacketType) -> Result<(), WireError> {
        if self.packet_type == packet_type {
            Ok(())
        } else {
            Err(WireError::PacketTypeUnexpected(self.packet_type))
        }
    }
}

/// The table of flags, v5 section 2.1.3 and MQTT 3.1 sections 2.1 and 3: three types carry a fixed QoS 1, to which 3.1
/// may add DUP when it sends them again. The other flags are unused in 3.1, and disregarded. Those of CONNECT wait for
/// its version.
#[inline]
fn flags_are_legal(packet_type: PacketType, flags: u8, version: Version) -> bool {
    match packet_type {
        PacketType::Publish => PUBLISH_FLAGS & (1 << flags) != 0,
        PacketType::Connect => true,
        PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => match version {
            Version::V31 => flags & 0b0110 == 0b0010,
            Version::V311 | Version::V5 => flags == 0b0010,
        },
        _ => flags == 0 || version == Version::V31,
    }
}

#[cold]
fn flags_fault(packet_type: PacketType, flags: u8) -> WireError {
    match (packet_type, flags & 0b0110) {
        (PacketType::Publish, 0b0110) => WireError::QosInvalid,
        (PacketType::Publish, _) => WireError::DupWithoutQos,
        _ => WireError::FlagsInvalid { packet_type, flags },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

    #[test]
    fn each_first_byte_has_one_verdict_per_version() {
        for version in VERSIONS {
            for first in 0..=255_u8 {
                let flags = first & 0x0F;
                let legal = match first >> 4 {
                    0 => false,
                    3 => (flags >> 1) & 3 != 3 && (flags & 8 == 0 || flags & 6 != 0),
                    1 => true,
                    6 | 8 | 10 => match version {
                        Version::V31 => [2, 3, 10, 11].contains(&flags),
                        _ => flags == 2,
                    },
                    15 => flags == 0 && version == Version::V5,
                    _ => flags == 0 || version == Version::V31,
                };
                let verdict = fixed_header(&[first, 0], version);
                assert_eq!(verdict.is_ok(), legal, "{first:#04X} in {version}: {verdict:?}");
                // The verdict doesn't wait for the second byte.
                assert_eq!(fixed_header(&[first], version).is_ok(), legal);
            }
        }
    }

    #[test]
    fn remaining_length_is_minimal_and_at_most_four_bytes() {
        use WireError::{VariableByteIntegerNotMinimal, VariableByteIntegerTooLong};
        type Length = Result<Option<usize>, WireError>;
        let cases: &[(&[u8], Length)] = &[
            (&[0x30], Ok(None)),
            (&[0x30, 0x80], Ok(None)),
            (&[0x30, 0x7F], Ok(Some(127))),
            (&[0x30, 0x80, 0x01], Ok(Some(128))),
            (&[0x30, 0xFF, 0x7F], Ok(Some(16_383))),
            (&[0x30, 0x80, 0x80, 0x01], Ok(Some(16_384))),
            (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], Ok(Some(268_435_455))),
            (&[0x30, 0x80, 0x00], Err(VariableByteIntegerNotMinimal)),
            (&[0x30, 0x80, 0x80, 0x80, 0x00], Err(VariableByteIntegerNotMinimal)),
            (&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], Err(VariableByteIntegerTooLong)),
            (&[0x30, 0x80, 0x80, 0x80, 0x80, 0x01], Err(VariableByteIntegerTooLong)),
        ];
        for version in VERSIONS {
            for (bytes, expected) in cases {
                let verdict = fixed_header(bytes, version);
                let found = verdict.map(|header| header.map(|header| header.remaining_length));
                assert_eq!(found, *expected, "{bytes:02X?}");
            }
        }
    }

    #[test]
    fn the_size_limit_counts_the_whole_packet_and_needs_only_the_header() {
        let bytes = [0x30, 0x03, 0, 1, b't'];
        assert!(next_packet(&bytes, Version::V311, 5).unwrap().is_some());
        let refused = Err(WireError::PacketTooLarge { packet_length: 5, packet_size_max: 4 });
        assert_eq!(next_packet(&bytes, Version::V311, 4), refused);
        assert_eq!(next_packet(&bytes[..2], Version::V311, 4), refused);
        assert_eq!(next_packet(&bytes[..1], Version::V311, 4), Ok(None));
    }

    #[test]
    fn a_packet_ends_where_it_ends() {
        let stream = [0x40, 0x02, 0, 1, 0xD0, 0x00];
        let first = next_packet(&stream, Version::V5, 100).unwrap().unwrap();
        assert_eq!((first.body, first.bytes), (&stream[2..4], &stream[..4]));
        for cut in 0..4 {
            assert_eq!(next_packet(&stream[..cut], Version::V5, 100), Ok(None));
        }
        let second = next_packet(&stream[4..], Version::V5, 100).unwrap().unwrap();
        assert_eq!((second.packet_type, second.body.len()), (PacketType::Pingresp, 0));
    }
}

//! Which packet may carry which reason code: the table of v5 section 2.4.
//!
//! Not what the codes mean. Invariant: every code is allowed somewhere.

use super::packet_type::PacketType;
use super::reason_code::ReasonCode;
use super::version::Version;

/// The code of a byte, if this packet of MQTT 5 may carry it.
pub(super) fn code_of(byte: u8, packet_type: PacketType) -> Option<ReasonCode> {
    allowed(packet_type).contains(&byte).then(|| ReasonCode::from_byte(byte)).flatten()
}

/// Whether SUBACK or UNSUBACK of this version may carry the byte. SUBACK knows failure (0x80) since
/// 3.1.1; UNSUBACK has codes since 5.
pub(super) fn is_code_in(byte: u8, packet_type: PacketType, version: Version) -> bool {
    match (version, packet_type) {
        (Version::V5, _) => allowed(packet_type).contains(&byte),
        (Version::V311, PacketType::Suback) => matches!(byte, 0..=2 | 0x80),
        (Version::V31, PacketType::Suback) => matches!(byte, 0..=2),
        _ => false,
    }
}

fn allowed(packet_type: PacketType) -> &'static [u8] {
    match packet_type {
        PacketType::Connack => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
        PacketType::Puback | PacketType::Pubrec => {
            &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        }
        PacketType::Pubrel | PacketType::Pubcomp => &[0x00, 0x92],
        PacketType::Suback => {
            &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
        }
        PacketType::Unsuback => &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
        // 0x8C is in the table of section 2.4, though section 3.14.2.1 leaves it out.
        PacketType::Disconnect => &[
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0,
            0xA1, 0xA2,
        ],
        PacketType::Auth => &[0x00, 0x18, 0x19],
        PacketType::Connect
        | PacketType::Publish
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::Pingreq
        | PacketType::Pingresp => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_byte_is_a_code_and_every_code_is_allowed_somewhere() {
        for byte in 0..=255 {
            let places = PacketType::ALL.iter().filter(|place| allowed(**place).contains(&byte));
            assert_eq!(places.count() > 0, ReasonCode::from_byte(byte).is_some(), "{byte:#04x}");
        }
    }

    #[test]
    fn codes_depend_on_packet_and_version() {
        assert_eq!(code_of(0x92, PacketType::Pubrel), Some(ReasonCode::PacketIdentifierNotFound));
        assert_eq!(code_of(0x92, PacketType::Puback), None);
        assert_eq!(code_of(0x8D, PacketType::Connack), None);
        let codes =
            |version| (0..=255).filter(|c| is_code_in(*c, PacketType::Suback, version)).count();
        assert_eq!((codes(Version::V31), codes(Version::V311), codes(Version::V5)), (3, 4, 12));
        assert!(!is_code_in(0, PacketType::Unsuback, Version::V311));
    }
}

//! How many properties a packet has, before anything else of it is read.

use super::frame::RawPacket;
use super::packet_type::PacketType;
use super::property::Property;
use super::read::Reader;
use super::version::Version;

/// Whether a packet of version 5 has more properties than so many. It reads one more at most, whatever the packet's length
/// is. `false` also for a packet that isn't well-formed, which its decoder tells.
///
/// CONNECT, whose version is not known before it is decoded, and PUBLISH, whose sender is answered, are decoded first: for them
/// it is always `false`.
#[must_use]
pub fn has_more_properties(raw: RawPacket<'_>, version: Version, most: usize) -> bool {
    let Some(before) = bytes_before(raw.packet_type).filter(|_| version == Version::V5) else {
        return false;
    };
    let mut reader = Reader::new(raw.body.get(before..).unwrap_or_default());
    let Ok(length) = reader.variable_byte_integer() else { return false };
    let Ok(bytes) = reader.take(length as usize) else { return false };
    let mut reader = Reader::new(bytes);
    let properties = std::iter::from_fn(|| Property::read(&mut reader).ok());
    properties.take(most.saturating_add(1)).count() > most
}

/// The bytes of the variable header in front of the properties (v5 sections 3.2 to 3.15).
fn bytes_before(packet_type: PacketType) -> Option<usize> {
    match packet_type {
        PacketType::Connect | PacketType::Publish | PacketType::Pingreq | PacketType::Pingresp => {
            None
        }
        PacketType::Disconnect | PacketType::Auth => Some(1),
        PacketType::Connack
        | PacketType::Subscribe
        | PacketType::Suback
        | PacketType::Unsubscribe
        | PacketType::Unsuback => Some(2),
        PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
            Some(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two user properties, behind their length.
    const TWO: &[u8] = b"\x0e\x26\0\x01a\0\x01b\x26\0\x01a\0\x01b";

    #[test]
    fn they_are_counted_where_each_packet_has_them() {
        let cases: [(PacketType, &[u8], bool); 14] = [
            (PacketType::Connect, b"", false),
            (PacketType::Connack, b"\0\0", true),
            (PacketType::Publish, b"", false),
            (PacketType::Puback, b"\0\x01\0", true),
            (PacketType::Pubrec, b"\0\x01\0", true),
            (PacketType::Pubrel, b"\0\x01\0", true),
            (PacketType::Pubcomp, b"\0\x01\0", true),
            (PacketType::Subscribe, b"\0\x01", true),
            (PacketType::Suback, b"\0\x01", true),
            (PacketType::Unsubscribe, b"\0\x01", true),
            (PacketType::Unsuback, b"\0\x01", true),
            (PacketType::Pingreq, b"", false),
            (PacketType::Disconnect, b"\0", true),
            (PacketType::Auth, b"\0", true),
        ];
        for (packet_type, before, counted) in cases {
            let body = [before, TWO].concat();
            let raw =
                |body| RawPacket { packet_type, flags: 0, body, bytes: body, payload_follows: 0 };
            assert_eq!(has_more_properties(raw(&body), Version::V5, 1), counted, "{packet_type:?}");
            assert!(!has_more_properties(raw(&body), Version::V5, 2), "{packet_type:?}");
            assert!(!has_more_properties(raw(&body), Version::V311, 0), "{packet_type:?}");
            assert!(!has_more_properties(raw(&body[..body.len() - 1]), Version::V5, 1));
        }
    }
}

//! The start of a PUBLISH: all of it but the payload, which may still be on its way. A large payload that nobody has to
//! look at is never held.

use super::error::WireError;
use super::frame::{RawPacket, fixed_header};
use super::packet_type::PacketType;
use super::qos::Qos;
use super::read::Reader;
use super::version::Version;

/// Cuts the start of a PUBLISH off a stream, up to where its payload begins; how long that is stands in
/// [`RawPacket::payload_follows`]. `Ok(None)`: another packet, or the start isn't complete yet.
///
/// The size of the whole packet isn't bounded here: [`super::next_packet`], which is asked first, does that.
///
/// # Errors
/// Those of [`fixed_header`], and a start that doesn't fit the packet.
pub fn publish_start(buffer: &[u8], version: Version) -> Result<Option<RawPacket<'_>>, WireError> {
    let header = match fixed_header(buffer, version)? {
        Some(header) if header.packet_type == PacketType::Publish => header,
        _ => return Ok(None),
    };
    let here = buffer.len().min(header.packet_length());
    let Some(body) = buffer.get(header.header_length..here) else { return Ok(None) };
    let qos = Qos::from_level((header.flags >> 1) & 3).ok_or(WireError::QosInvalid)?;
    let length = match start_length(body, qos, version) {
        Ok(length) => length,
        Err(WireError::Truncated) if body.len() < header.remaining_length => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = buffer.get(..header.header_length + length);
    Ok(bytes.zip(body.get(..length)).map(|(bytes, body)| RawPacket {
        packet_type: header.packet_type,
        flags: header.flags,
        body,
        bytes,
        payload_follows: header.remaining_length - length,
    }))
}

/// Bytes of the variable header: topic name, packet identifier, properties.
fn start_length(body: &[u8], qos: Qos, version: Version) -> Result<usize, WireError> {
    let mut reader = Reader::new(body);
    reader.binary()?;
    if qos != Qos::AtMostOnce {
        reader.two_bytes()?;
    }
    if version == Version::V5 {
        let length = reader.variable_byte_integer()?;
        reader.take(length as usize)?;
    }
    Ok(body.len() - reader.rest().len())
}

#[cfg(test)]
mod tests {
    use super::super::properties::Properties;
    use super::super::property::Property;
    use super::super::property_buffer::PropertyBuffer;
    use super::super::{PacketIdentifier, Publish, next_packet};
    use super::*;

    const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

    fn message(version: Version, qos: Qos, payload: &[u8]) -> Vec<u8> {
        let mut buffer = PropertyBuffer::default();
        buffer.push(Property::UserProperty("name", "value")).unwrap();
        let properties = match version {
            Version::V5 => buffer.properties(),
            Version::V31 | Version::V311 => Properties::EMPTY,
        };
        let mut bytes = Vec::new();
        let publish = Publish {
            dup: false,
            qos,
            retain: true,
            topic_name: "a/b",
            packet_identifier: PacketIdentifier::new(7).filter(|_| qos != Qos::AtMostOnce),
            properties,
            payload,
        };
        publish.encode(version, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_start_is_the_packet_without_its_payload() {
        for version in VERSIONS {
            for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
                let bytes = message(version, qos, &[b'x'; 300]);
                let whole = next_packet(&bytes, version, 1000).unwrap().unwrap();
                let whole = Publish::decode(whole, version).unwrap();
                for length in 0..=bytes.len() {
                    let start = publish_start(&bytes[..length], version).unwrap();
                    assert_eq!(start.is_some(), length >= bytes.len() - 300, "{length}");
                    let Some(start) = start else { continue };
                    assert_eq!(start.payload_follows, 300);
                    assert_eq!(start.length(), bytes.len());
                    let read = Publish::decode(start, version).unwrap();
                    assert_eq!(read, Publish { payload: &[], ..whole });
                }
            }
        }
    }

    #[test]
    fn a_start_that_is_longer_than_its_packet_is_refused() {
        for bytes in [&b"\x30\x01\x00"[..], b"\x30\x04\x00\x09ab", b"\x32\x05\x00\x01a\x00\x01"] {
            let version = Version::V5;
            assert_eq!(publish_start(bytes, version), Err(WireError::Truncated), "{bytes:?}");
        }
        assert_eq!(publish_start(b"\xC0\x00", Version::V311), Ok(None), "another packet");
        assert_eq!(publish_start(b"\x36\x00", Version::V311), Err(WireError::QosInvalid));
    }
}

//! Lengths and bytes of the protocol's data types, for the encoders.
//!
//! It knows no packet. Invariant: every `*_length` function also checks what it measures, so that an
//! encoder which has added up its lengths can't fail any more: first measure, then write.

use super::error::EncodeError;
use super::packet_identifier::PacketIdentifier;
use super::packet_type::PacketType;
use super::properties::Properties;
use super::property_table::Place;
use super::topic;
use super::version::Version;

/// The largest remaining length and the largest variable byte integer.
pub(super) const VARIABLE_BYTE_INTEGER_MAX: usize = 268_435_455;

/// The longest string and the longest binary data, in bytes.
pub(super) const STRING_LENGTH_MAX: usize = 65_535;

/// Bytes of a string with its length.
pub(super) fn string_length(text: &str) -> Result<usize, EncodeError> {
    if topic::has_null(text.as_bytes()) {
        return Err(EncodeError::StringHasNull);
    }
    if text.len() > STRING_LENGTH_MAX {
        return Err(EncodeError::StringTooLong);
    }
    Ok(2 + text.len())
}

/// Bytes of binary data with its length.
pub(super) fn binary_length(bytes: &[u8]) -> Result<usize, EncodeError> {
    if bytes.len() > STRING_LENGTH_MAX {
        Err(EncodeError::BinaryTooLong)
    } else {
        Ok(2 + bytes.len())
    }
}

/// Bytes of a topic name with its length. Empty is fine here; PUBLISH has its own rule.
#[inline]
pub(super) fn topic_name_length(topic_name: &str) -> Result<usize, EncodeError> {
    if topic_name.len() > STRING_LENGTH_MAX {
        return Err(EncodeError::StringTooLong);
    }
    if topic::has_wildcard_or_null(topic_name.as_bytes()) {
        return Err(EncodeError::TopicNameInvalid);
    }
    Ok(2 + topic_name.len())
}

/// Bytes of a topic filter with its length.
pub(super) fn topic_filter_length(filter: &str, version: Version) -> Result<usize, EncodeError> {
    if filter.len() > STRING_LENGTH_MAX {
        return Err(EncodeError::StringTooLong);
    }
    if !topic::is_valid_filter_in(filter, version) {
        return Err(EncodeError::TopicFilterInvalid);
    }
    Ok(2 + filter.len())
}

/// Bytes of the properties with their length. None before 5: what they say is lost there, and
/// counting that is the caller's business.
#[inline]
pub(super) fn properties_length(
    properties: Properties<'_>,
    place: Place,
    version: Version,
) -> Result<usize, EncodeError> {
    if version < Version::V5 {
        return Ok(0);
    }
    properties.check(place)?;
    let length = properties.as_bytes().len();
    Ok(variable_byte_integer_length(length)? + length)
}

/// Bytes of a variable byte integer, 1 to 4.
#[inline]
pub(super) fn variable_byte_integer_length(value: usize) -> Result<usize, EncodeError> {
    match value {
        0..=127 => Ok(1),
        128..=16_383 => Ok(2),
        16_384..=2_097_151 => Ok(3),
        2_097_152..=VARIABLE_BYTE_INTEGER_MAX => Ok(4),
        _ => Err(EncodeError::PacketTooLong),
    }
}

/// Writes the fixed header and makes room for `body_length` of the `remaining_length` bytes. The last
/// check: once this has succeeded, nothing can fail.
#[inline]
pub(super) fn begin(
    packet_type: PacketType,
    flags: u8,
    remaining_length: usize,
    body_length: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let length = variable_byte_integer_length(remaining_length)?;
    out.reserve(1 + length + body_length);
    out.push(packet_type.number() << 4 | flags);
    put_variable_byte_integer(remaining_length, out);
    Ok(())
}

#[inline]
pub(super) fn put_variable_byte_integer(value: usize, out: &mut Vec<u8>) {
    let mut left = value;
    while left > 0x7F {
        let [low, ..] = left.to_le_bytes();
        out.push(low | 0x80);
        left >>= 7;
    }
    let [low, ..] = left.to_le_bytes();
    out.push(low);
}

#[inline]
pub(super) fn put_two_bytes(value: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[inline]
pub(super) fn put_binary(bytes: &[u8], out: &mut Vec<u8>) {
    let [low, high, ..] = bytes.len().to_le_bytes();
    out.extend_from_slice(&[high, low]);
    out.extend_from_slice(bytes);
}

#[inline]
pub(super) fn put_string(text: &str, out: &mut Vec<u8>) {
    put_binary(text.as_bytes(), out);
}

#[inline]
pub(super) fn put_packet_identifier(packet_identifier: PacketIdentifier, out: &mut Vec<u8>) {
    put_two_bytes(packet_identifier.value(), out);
}

#[inline]
pub(super) fn put_properties(properties: Properties<'_>, version: Version, out: &mut Vec<u8>) {
    if version == Version::V5 {
        put_variable_byte_integer(properties.as_bytes().len(), out);
        out.extend_from_slice(properties.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::variable_byte_integer;
    use super::*;

    #[test]
    fn variable_byte_integers_come_back() {
        let values = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];
        for value in values {
            let mut out = Vec::new();
            put_variable_byte_integer(value, &mut out);
            assert_eq!(variable_byte_integer_length(value), Ok(out.len()));
            let expected = Ok(Some((u32::try_from(value).unwrap(), out.len())));
            assert_eq!(variable_byte_integer(&out), expected);
        }
        assert_eq!(variable_byte_integer_length(268_435_456), Err(EncodeError::PacketTooLong));
    }

    #[test]
    fn lengths_refuse_what_cannot_be_written() {
        let long = "x".repeat(65_536);
        assert_eq!(string_length(&long), Err(EncodeError::StringTooLong));
        assert_eq!(string_length(&long[1..]), Ok(65_537));
        assert_eq!(string_length("a\0"), Err(EncodeError::StringHasNull));
        assert_eq!(binary_length(long.as_bytes()), Err(EncodeError::BinaryTooLong));
        assert_eq!(topic_name_length(&long), Err(EncodeError::StringTooLong));
        assert_eq!(topic_name_length("a/+"), Err(EncodeError::TopicNameInvalid));
        assert_eq!(topic_filter_length(&long, Version::V311), Err(EncodeError::StringTooLong));
        assert_eq!(topic_filter_length("a+", Version::V5), Err(EncodeError::TopicFilterInvalid));
    }
}

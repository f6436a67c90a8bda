//! Reads the protocol's data types (v5 section 1.5) from the front of a slice.
//!
//! It knows no packet. Invariant: it never reads past its slice, and a string that it returns is
//! well-formed UTF-8 without U+0000.

use super::error::WireError;
use super::packet_identifier::PacketIdentifier;
use super::topic;

/// Above this many bytes the vectorised check of UTF-8 is the faster one (measured).
const SHORT_STRING_LENGTH: usize = 48;

/// A slice that is eaten from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Refuses bytes behind the last field.
    pub(super) fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::TrailingBytes) }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn two_bytes(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn four_bytes(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn variable_byte_integer(&mut self) -> Result<u32, WireError> {
        let (value, length) = variable_byte_integer(self.rest)?.ok_or(WireError::Truncated)?;
        self.take(length)?;
        Ok(value)
    }

    /// Two bytes of length, then as many bytes.
    #[inline]
    pub(super) fn binary(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.two_bytes()?;
        self.take(usize::from(length))
    }

    /// A UTF-8 string without U+0000 ([MQTT-1.5.3-1], -2; v5 [MQTT-1.5.4-1], -2).
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a str, WireError> {
        let bytes = self.binary()?;
        if topic::has_null(bytes) {
            return Err(WireError::StringHasNull);
        }
        utf8(bytes)
    }

    /// A topic name without wildcards, or nothing at all ([MQTT-3.3.2-2]).
    #[inline]
    pub(super) fn topic_name(&mut self) -> Result<&'a str, WireError> {
        let bytes = self.binary()?;
        if topic::has_wildcard_or_null(bytes) {
            return Err(topic_name_fault(bytes));
        }
        utf8(bytes)
    }

    /// A packet identifier, never 0.
    #[inline]
    pub(super) fn packet_identifier(&mut self) -> Result<PacketIdentifier, WireError> {
        PacketIdentifier::new(self.two_bytes()?).ok_or(WireError::PacketIdentifierZero)
    }
}

#[cold]
fn topic_name_fault(bytes: &[u8]) -> WireError {
    if bytes.contains(&0) { WireError::StringHasNull } else { WireError::TopicNameInvalid }
}

#[inline]
fn utf8(bytes: &[u8]) -> Result<&str, WireError> {
    if bytes.len() <= SHORT_STRING_LENGTH {
        std::str::from_utf8(bytes).map_err(|_| WireError::StringNotUtf8)
    } else {
        simdutf8::basic::from_utf8(bytes).map_err(|_| WireError::StringNotUtf8)
    }
}

/// A variable byte integer at the front of `bytes`, with its length; `Ok(None)` if it isn't complete.
///
/// At most four bytes, and the fewest that hold the value (v5 section 1.5.5).
#[inline]
pub(super) fn variable_byte_integer(bytes: &[u8]) -> Result<Option<(u32, usize)>, WireError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            if *byte == 0 && at > 0 {
                return Err(WireError::VariableByteIntegerNotMinimal);
            }
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(WireError::VariableByteIntegerTooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_utf8_without_null() {
        let cases: &[(&[u8], Result<&str, WireError>)] = &[
            (&[0, 0], Ok("")),
            (&[0, 1, b'a'], Ok("a")),
            (&[0, 3, 0xE2, 0x82, 0xAC], Ok("€")),
            // A byte order mark is kept (v5 [MQTT-1.5.4-3]), control characters too.
            (&[0, 3, 0xEF, 0xBB, 0xBF], Ok("\u{FEFF}")),
            (&[0, 1, 0x07], Ok("\u{7}")),
            (&[0, 1, 0], Err(WireError::StringHasNull)),
            (&[0, 2, 0xC0, 0x80], Err(WireError::StringNotUtf8)),
            (&[0, 3, 0xED, 0xA0, 0x80], Err(WireError::StringNotUtf8)),
            (&[0, 2, 0xE2, 0x82], Err(WireError::StringNotUtf8)),
            (&[0, 2, b'a'], Err(WireError::Truncated)),
            (&[0], Err(WireError::Truncated)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Reader::new(bytes).string(), *expected, "{bytes:02X?}");
        }
    }

    #[test]
    fn long_strings_meet_the_same_rules() {
        for length in [2, 15, 16, SHORT_STRING_LENGTH, SHORT_STRING_LENGTH + 1, 300, 65_535] {
            let mut bytes = u16::try_from(length).unwrap().to_be_bytes().to_vec();
            bytes.resize(2 + length, b'x');
            assert_eq!(Reader::new(&bytes).string().map(str::len), Ok(length));
            for at in [2, 1 + length / 2, 1 + length] {
                for (wrong, fault) in
                    [(0, WireError::StringHasNull), (0xFF, WireError::StringNotUtf8)]
                {
                    let mut spoilt = bytes.clone();
                    spoilt[at] = wrong;
                    assert_eq!(Reader::new(&spoilt).string(), Err(fault), "{length} at {at}");
                    assert_eq!(Reader::new(&spoilt).topic_name(), Err(fault), "{length} at {at}");
                }
                for wildcard in *b"+#" {
                    let mut spoilt = bytes.clone();
                    spoilt[at] = wildcard;
                    let found = Reader::new(&spoilt).topic_name();
                    assert_eq!(found, Err(WireError::TopicNameInvalid), "{length} at {at}");
                }
            }
        }
    }

    #[test]
    fn the_reader_eats_what_it_returns() {
        let mut reader = Reader::new(&[1, 0, 2, 0, 0, 0, 3, 0x80, 1, 9]);
        assert_eq!(reader.byte(), Ok(1));
        assert_eq!(reader.two_bytes(), Ok(2));
        assert_eq!(reader.four_bytes(), Ok(3));
        assert_eq!(reader.variable_byte_integer(), Ok(128));
        assert_eq!(reader.finish(), Err(WireError::TrailingBytes));
        assert_eq!(reader.rest(), [9]);
        assert_eq!(reader.packet_identifier(), Err(WireError::Truncated));
        assert_eq!(Reader::new(&[0, 0]).packet_identifier(), Err(WireError::PacketIdentifierZero));
    }
}

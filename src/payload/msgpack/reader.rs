//! MessagePack bytes, one token at a time.
//!
//! ```text
//! 00..7f fixint   c0 nil        c7 c8 c9 ext 8 16 32     d4..d8 fixext 1 2 4 8 16
//! 80..8f fixmap   c1 (never)    ca cb    float 32 64     d9 da db str   8 16 32
//! 90..9f fixarray c2 c3 bool    cc..cf   uint 8..64      dc dd    array 16 32
//! a0..bf fixstr   c4 c5 c6 bin  d0..d3   int  8..64      de df    map   16 32
//!                                                        e0..ff   negative fixint
//! ```
//!
//! What it's not: a tree, or a judgement about what JSON can express.
//! Invariant: a token never promises more than there is: lengths and counts are checked against
//! the bytes that are left (an element is at least one byte) before anybody can allocate for them.

use crate::payload::{MsgpackFault, PayloadError};

/// One token. Containers are followed by that many values (maps: pairs of values).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float32(f32),
    Float64(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Ext(i8, &'a [u8]),
    Array(usize),
    Map(usize),
}

/// What is left of the input.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn over(input: &'a [u8]) -> Self {
        Self { rest: input, total: input.len() }
    }

    /// Offset of the next byte.
    pub(super) fn at(&self) -> usize {
        self.total - self.rest.len()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether the next value is a map or an array.
    pub(super) fn sees_container(&self) -> bool {
        matches!(self.rest.first(), Some(0x80..=0x9f | 0xdc..=0xdf))
    }

    #[cold]
    pub(super) fn invalid(&self, fault: MsgpackFault) -> PayloadError {
        PayloadError::MsgpackInvalid { fault, at: self.at() }
    }

    /// Reads one token. The shortest form isn't required: encoders of other platforms don't care.
    #[inline(always)]
    pub(super) fn token(&mut self) -> Result<Token<'a>, PayloadError> {
        let [marker] = self.chunk()?;
        match marker {
            0x00..=0x7f => Ok(Token::Unsigned(u64::from(marker))),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f)),
            0x90..=0x9f => self.array(usize::from(marker & 0x0f)),
            0xa0..=0xbf => Ok(Token::Str(self.take(usize::from(marker & 0x1f))?)),
            0xe0..=0xff => Ok(Token::Signed(i64::from(i8::from_be_bytes([marker])))),
            _ => self.marked(marker),
        }
    }

    #[inline(always)]
    fn marked(&mut self, marker: u8) -> Result<Token<'a>, PayloadError> {
        Ok(match marker {
            0xc0 => Token::Nil,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xca => Token::Float32(f32::from_be_bytes(self.chunk()?)),
            0xcb => Token::Float64(f64::from_be_bytes(self.chunk()?)),
            0xcc => Token::Unsigned(u64::from(u8::from_be_bytes(self.chunk()?))),
            0xcd => Token::Unsigned(u64::from(u16::from_be_bytes(self.chunk()?))),
            0xce => Token::Unsigned(u64::from(u32::from_be_bytes(self.chunk()?))),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.chunk()?)),
            0xd0 => Token::Signed(i64::from(i8::from_be_bytes(self.chunk()?))),
            0xd1 => Token::Signed(i64::from(i16::from_be_bytes(self.chunk()?))),
            0xd2 => Token::Signed(i64::from(i32::from_be_bytes(self.chunk()?))),
            0xd3 => Token::Signed(i64::from_be_bytes(self.chunk()?)),
            _ => return self.sized(marker),
        })
    }

    #[inline(never)]
    fn sized(&mut self, marker: u8) -> Result<Token<'a>, PayloadError> {
        let length = match marker {
            0xc4 | 0xc7 | 0xd9 => usize::from(u8::from_be_bytes(self.chunk()?)),
            0xc5 | 0xc8 | 0xda | 0xdc | 0xde => usize::from(u16::from_be_bytes(self.chunk()?)),
            0xc6 | 0xc9 | 0xdb | 0xdd | 0xdf => u32::from_be_bytes(self.chunk()?) as usize,
            0xd4..=0xd8 => 1 << (marker - 0xd4),
            _ => return Err(self.invalid(MsgpackFault::Reserved)),
        };
        match marker {
            0xd9..=0xdb => Ok(Token::Str(self.take(length)?)),
            0xc4..=0xc6 => Ok(Token::Bin(self.take(length)?)),
            0xdc | 0xdd => self.array(length),
            0xde | 0xdf => self.map(length),
            _ => {
                let kind = i8::from_be_bytes(self.chunk()?);
                Ok(Token::Ext(kind, self.take(length)?))
            }
        }
    }

    fn array(&self, count: usize) -> Result<Token<'a>, PayloadError> {
        if count > self.rest.len() {
            return Err(self.invalid(MsgpackFault::Truncated));
        }
        Ok(Token::Array(count))
    }

    fn map(&self, count: usize) -> Result<Token<'a>, PayloadError> {
        if count > self.rest.len() / 2 {
            return Err(self.invalid(MsgpackFault::Truncated));
        }
        Ok(Token::Map(count))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], PayloadError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.invalid(MsgpackFault::Truncated)),
        }
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], PayloadError> {
        match self.rest.split_first_chunk() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(*chunk)
            }
            None => Err(self.invalid(MsgpackFault::Truncated)),
        }
    }
}

/// Whether `input` is exactly one MessagePack map or array from its first to its last byte. It may
/// still be refused by the options (a NaN, say), but it's no text and no raw bytes by accident.
///
/// Iterative, no allocation, linear; depth doesn't matter here. `platforms.md 10.3` rule 1.
pub fn looks_like(input: &[u8]) -> bool {
    let mut reader = Reader::over(input);
    if !reader.sees_container() {
        return false;
    }
    let mut pending = 1_usize;
    while pending > 0 {
        let children = match reader.token() {
            Ok(Token::Array(count)) => count,
            Ok(Token::Map(count)) => count * 2,
            Ok(_) => 0,
            Err(_) => return false,
        };
        pending = pending - 1 + children;
        if pending > reader.rest.len() {
            return false;
        }
    }
    reader.is_at_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(input: &[u8]) -> Token<'_> {
        let mut reader = Reader::over(input);
        let token = reader.token().unwrap();
        assert!(reader.is_at_end(), "{input:x?}");
        token
    }

    #[test]
    fn reads_every_marker() {
        let mut known = 0;
        for marker in 0..=0xff {
            let mut bytes = vec![0; 80_000];
            bytes[0] = marker;
            let token = Reader::over(&bytes).token();
            assert_eq!(token.is_err(), marker == 0xc1, "{marker:#x}");
            known += usize::from(token.is_ok());
        }
        assert_eq!(known, 255);
        assert_eq!(only(&[0x7f]), Token::Unsigned(127));
        assert_eq!(only(&[0xe0]), Token::Signed(-32));
        assert_eq!(only(&[0xd1, 0x80, 0]), Token::Signed(-32_768));
        assert_eq!(
            only(&[0xd8, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]).clone(),
            { Token::Ext(1, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) }
        );
        assert_eq!(only(&[0xc7, 0, 0xff]), Token::Ext(-1, &[]));
        assert_eq!(only(&[0xc4, 1, 9]), Token::Bin(&[9]));
        assert_eq!(only(&[0xda, 0, 1, b'a']), Token::Str(b"a"));
    }

    #[test]
    fn refuses_what_promises_more_than_there_is() {
        for input in [
            &[][..],
            &[0x91],
            &[0x81, 0xc0],
            &[0xa1],
            &[0xcb, 0, 0, 0],
            &[0xc4, 2, 0],
            &[0xd4, 1],
            &[0xc7, 1, 0],
            &[0xdc, 0],
            &[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0],
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0],
            &[0xdb, 0xff, 0xff, 0xff, 0xff, b'x'],
            &[0xc6, 0xff, 0xff, 0xff, 0xff, b'x'],
            &[0xc9, 0xff, 0xff, 0xff, 0xff, 1, b'x'],
        ] {
            let error = Reader::over(input).token().unwrap_err();
            assert_eq!(error.reason(), "msgpack_invalid", "{input:x?}");
        }
    }

    #[test]
    fn recognises_messagepack_by_its_whole() {
        for input in [&[0x80][..], &[0x90], &[0x81, 0xa1, b'a', 1], &[0xdc, 0, 1, 0x91, 0xc0]] {
            assert!(looks_like(input), "{input:x?}");
        }
        let deep: Vec<u8> = std::iter::repeat_n(0x91, 1 << 16).chain([0xc0]).collect();
        assert!(looks_like(&deep));
        for input in [
            &b""[..],
            b"20",
            b"7",
            b"{\"temp\":20}",
            b"[1,2]",
            &[0xc0],
            &[0xc1],
            &[0x80, 0x80],
            &[0x91],
            &[0x91, 0xc1],
            &[0x92, 0x91, 0xc0],
            &[0x82, 0xa1, b'a', 1],
            &deep[..1 << 16],
        ] {
            assert!(!looks_like(input), "{input:x?}");
        }
    }
}

//! JSON to MessagePack. `platforms.md 10.3` rule 17.
//!
//! What it's not: the inverse of `to_json`; strings stay strings, also those that look like base64
//! or a time. Duplicate keys pass, in order, as they do in every MessagePack encoder.
//! Invariant: every integer, string and container takes its shortest form; a container's header is
//! written when its count is known, by moving what it holds at most four bytes.

use super::Limits;
use crate::payload::json::{self, Cursor, DEPTH_LIMIT, JsonFault, Number, RawString};
use crate::payload::{Excess, PayloadError};

/// Appends the one JSON value in `input` as MessagePack to `out`.
///
/// Integers of up to 64 bits keep every digit; all other numbers become the nearest double.
///
/// # Errors
/// `payload_not_json`, `depth_exceeded`, `payload_too_large`, and `number_not_finite` for a number
/// beyond the doubles. `out` is then as it was before.
pub fn from_json(input: &[u8], limits: &Limits, out: &mut Vec<u8>) -> Result<(), PayloadError> {
    let base = out.len();
    let mut transcoder = Transcoder {
        cursor: Cursor::over(input)?,
        end: base.saturating_add(limits.output_max),
        elements_left: limits.elements_max,
        out,
    };
    let written = transcoder.message(limits.depth_max.min(DEPTH_LIMIT));
    if written.is_err() {
        out.truncate(base);
    }
    written
}

struct Transcoder<'a> {
    cursor: Cursor<'a>,
    out: &'a mut Vec<u8>,
    /// Where our part of `out` has to end at the latest.
    end: usize,
    elements_left: usize,
}

/// The first bytes of a container's three forms.
#[derive(Clone, Copy)]
struct Markers {
    fix: u8,
    wide16: u8,
    wide32: u8,
}

const ARRAY: Markers = Markers { fix: 0x90, wide16: 0xdc, wide32: 0xdd };
const MAP: Markers = Markers { fix: 0x80, wide16: 0xde, wide32: 0xdf };

impl Transcoder<'_> {
    fn message(&mut self, depth_left: usize) -> Result<(), PayloadError> {
        self.value(depth_left)?;
        self.fits()?;
        Ok(self.cursor.finish()?)
    }

    fn value(&mut self, depth_left: usize) -> Result<(), PayloadError> {
        self.cursor.skip_whitespace();
        match self.cursor.peek() {
            Some(b'"') => {
                let string = self.cursor.string()?;
                self.string(string)?;
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'{') => self.map(depth_left)?,
            Some(b'[') => self.array(depth_left)?,
            Some(b't') => self.literal("true", 0xc3)?,
            Some(b'f') => self.literal("false", 0xc2)?,
            Some(b'n') => self.literal("null", 0xc0)?,
            _ => return Err(self.cursor.unexpected().into()),
        }
        self.fits()
    }

    fn array(&mut self, depth_left: usize) -> Result<(), PayloadError> {
        let depth_left = self.descend(depth_left)?;
        let start = self.open();
        let mut count = 0;
        while self.arrive(b']', count)? {
            count += 1;
            self.count(1)?;
            self.value(depth_left)?;
        }
        self.close(start, count, ARRAY);
        Ok(())
    }

    fn map(&mut self, depth_left: usize) -> Result<(), PayloadError> {
        let depth_left = self.descend(depth_left)?;
        let start = self.open();
        let mut count = 0;
        while self.arrive(b'}', count)? {
            count += 1;
            self.count(2)?;
            let key = self.cursor.key()?;
            self.string(key)?;
            self.value(depth_left)?;
        }
        self.close(start, count, MAP);
        Ok(())
    }

    /// Steps to the next element, over the comma; or over the closing bracket, then false.
    #[inline]
    fn arrive(&mut self, closing: u8, count: u32) -> Result<bool, PayloadError> {
        self.cursor.skip_whitespace();
        match self.cursor.peek() {
            Some(byte) if byte == closing => {
                self.cursor.advance();
                Ok(false)
            }
            Some(b',') if count > 0 => {
                self.cursor.advance();
                Ok(true)
            }
            Some(_) if count == 0 => Ok(true),
            _ => Err(self.cursor.unexpected().into()),
        }
    }

    /// Steps over the opening bracket and leaves one byte for the header.
    fn open(&mut self) -> usize {
        self.cursor.advance();
        self.out.push(0);
        self.out.len() - 1
    }

    /// Writes the header of what begins at `start`, with as many bytes as the count needs.
    fn close(&mut self, start: usize, count: u32, markers: Markers) {
        match (u8::try_from(count), u16::try_from(count)) {
            (Ok(count @ 0..=15), _) => self.put(start, [markers.fix | count]),
            (_, Ok(count)) => {
                let [high, low] = count.to_be_bytes();
                self.put(start, [markers.wide16, high, low]);
            }
            _ => {
                let [a, b, c, d] = count.to_be_bytes();
                self.put(start, [markers.wide32, a, b, c, d]);
            }
        }
    }

    /// Replaces the one byte at `start` by `header`, moving what follows if that is longer.
    fn put<const N: usize>(&mut self, start: usize, header: [u8; N]) {
        let length = self.out.len();
        if N > 1 {
            self.out.resize(length + N - 1, 0);
            self.out.copy_within(start + 1..length, start + N);
        }
        if let Some(place) = self.out.get_mut(start..start + N) {
            place.copy_from_slice(&header);
        }
    }

    #[inline]
    fn string(&mut self, string: RawString<'_>) -> Result<(), PayloadError> {
        let Some(plain) = string.plain() else { return self.escaped(string) };
        self.string_header(plain.len())?;
        self.out.extend_from_slice(plain.as_bytes());
        Ok(())
    }

    #[inline(never)]
    fn escaped(&mut self, string: RawString<'_>) -> Result<(), PayloadError> {
        self.string_header(string.unescaped_length())?;
        string.unescape(self.out);
        Ok(())
    }

    /// Writes the header, if there is room for the string behind it.
    #[inline]
    fn string_header(&mut self, length: usize) -> Result<(), PayloadError> {
        if length > self.end.saturating_sub(self.out.len()) {
            return Err(PayloadError::TooLarge(Excess::Output));
        }
        match (u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
            (Ok(length @ 0..=31), ..) => self.out.push(0xa0 | length),
            (Ok(length), ..) => self.tagged(0xd9, [length]),
            (_, Ok(length), _) => self.tagged(0xda, length.to_be_bytes()),
            (.., Ok(length)) => self.tagged(0xdb, length.to_be_bytes()),
            _ => return Err(PayloadError::TooLarge(Excess::Output)),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), PayloadError> {
        match json::value(self.cursor.number()?) {
            Number::Unsigned(value) => self.unsigned(value),
            Number::Negative(value) => self.negative(value),
            Number::Double(value) if value.is_finite() => self.tagged(0xcb, value.to_be_bytes()),
            Number::Double(_) => {
                return Err(PayloadError::NumberNotFinite { at: self.cursor.at() });
            }
        }
        Ok(())
    }

    fn unsigned(&mut self, value: u64) {
        match (u8::try_from(value), u16::try_from(value), u32::try_from(value)) {
            (Ok(value @ 0..=127), ..) => self.out.push(value),
            (Ok(value), ..) => self.tagged(0xcc, [value]),
            (_, Ok(value), _) => self.tagged(0xcd, value.to_be_bytes()),
            (.., Ok(value)) => self.tagged(0xce, value.to_be_bytes()),
            _ => self.tagged(0xcf, value.to_be_bytes()),
        }
    }

    fn negative(&mut self, value: i64) {
        match (i8::try_from(value), i16::try_from(value), i32::try_from(value)) {
            (Ok(value @ -32..), ..) => self.out.extend_from_slice(&value.to_be_bytes()),
            (Ok(value), ..) => self.tagged(0xd0, value.to_be_bytes()),
            (_, Ok(value), _) => self.tagged(0xd1, value.to_be_bytes()),
            (.., Ok(value)) => self.tagged(0xd2, value.to_be_bytes()),
            _ => self.tagged(0xd3, value.to_be_bytes()),
        }
    }

    fn tagged<const N: usize>(&mut self, marker: u8, bytes: [u8; N]) {
        self.out.push(marker);
        self.out.extend_from_slice(&bytes);
    }

    fn literal(&mut self, literal: &str, marker: u8) -> Result<(), PayloadError> {
        self.cursor.literal(literal)?;
        self.out.push(marker);
        Ok(())
    }

    fn descend(&self, depth_left: usize) -> Result<usize, PayloadError> {
        depth_left.checked_sub(1).ok_or_else(|| self.cursor.error(JsonFault::Depth).into())
    }

    fn count(&mut self, elements: usize) -> Result<(), PayloadError> {
        self.elements_left = self
            .elements_left
            .checked_sub(elements)
            .ok_or(PayloadError::TooLarge(Excess::Elements))?;
        Ok(())
    }

    #[inline]
    fn fits(&self) -> Result<(), PayloadError> {
        if self.out.len() > self.end { Err(PayloadError::TooLarge(Excess::Output)) } else { Ok(()) }
    }
}

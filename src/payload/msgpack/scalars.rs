//! What isn't a container, written as JSON: strings, bytes, extensions and numbers.
//!
//! What it's not: where values stand; `to_json` has the containers, their keys and the limits.
//! Invariant: whatever can be long is measured against the room that is left before it's written.

use super::timestamp::{self, Parsed};
use super::to_json::Transcoder;
use super::{BinEncoding, ExtensionRule, InvalidUtf8, LargeIntegers, NonFinite, binary};
use crate::payload::json::{escape_into, escaped_length, is_plain};
use crate::payload::{MsgpackFault, PayloadError};

/// The largest integer below which every integer is a double.
const EXACT_MAX: u64 = 9_007_199_254_740_991;

/// Whether a str could be written as a string.
pub(super) enum Written {
    Whole,
    /// It isn't UTF-8, and [`InvalidUtf8::AsBinary`] is on.
    Nothing,
}

/// What a string is, and so what its end looks like.
#[derive(Clone, Copy)]
pub(super) enum Closing {
    Value,
    Key,
}

impl Transcoder<'_> {
    /// Rule 9: a str that isn't UTF-8 is refused, or left to the caller. `closing` is the quote at
    /// the end with what comes after it anyway.
    #[inline]
    pub(super) fn string(
        &mut self,
        bytes: &[u8],
        closing: Closing,
    ) -> Result<Written, PayloadError> {
        if is_plain(bytes) {
            self.needs(bytes.len().saturating_add(2))?;
            self.out.push(b'"');
            self.out.extend_from_slice(bytes);
            self.close(closing);
            return Ok(Written::Whole);
        }
        match (simdutf8::basic::from_utf8(bytes), self.options.invalid_utf8) {
            (Ok(text), _) => self.escaped(text, closing).map(|()| Written::Whole),
            (Err(_), InvalidUtf8::AsBinary) => Ok(Written::Nothing),
            (Err(_), InvalidUtf8::Refuse) => Err(self.reader.invalid(MsgpackFault::Utf8)),
        }
    }

    #[inline]
    pub(super) fn close(&mut self, closing: Closing) {
        match closing {
            Closing::Value => self.out.push(b'"'),
            Closing::Key => self.out.extend_from_slice(b"\":"),
        }
    }

    /// Rule 10.
    #[inline(never)]
    fn escaped(&mut self, text: &str, closing: Closing) -> Result<(), PayloadError> {
        // Rule 14: growth is at most sixfold, so most strings needn't be measured.
        if text.len().saturating_mul(6) > self.room() {
            self.needs(escaped_length(text).saturating_add(2))?;
        }
        self.out.push(b'"');
        escape_into(text, &mut self.out);
        self.close(closing);
        Ok(())
    }

    /// Rule 2.
    #[inline(never)]
    pub(super) fn bytes(
        &mut self,
        bytes: &[u8],
        encoding: BinEncoding,
    ) -> Result<(), PayloadError> {
        self.needs(binary::encoded_length(bytes, encoding).saturating_add(2))?;
        self.out.push(b'"');
        binary::write(bytes, encoding, &mut self.out);
        self.out.push(b'"');
        Ok(())
    }

    /// Rules 3 and 4.
    #[inline(never)]
    pub(super) fn extension(
        &mut self,
        kind: i8,
        data: &[u8],
        depth_left: usize,
    ) -> Result<(), PayloadError> {
        if kind == -1 {
            match timestamp::parse(data) {
                Parsed::Time(time) => {
                    self.out.push(b'"');
                    time.write(&mut self.out);
                    self.out.push(b'"');
                    return Ok(());
                }
                Parsed::OutOfRange => return Err(self.reader.invalid(MsgpackFault::Timestamp)),
                Parsed::Unknown => {}
            }
        }
        if self.options.extension == ExtensionRule::Refuse {
            return Err(self.reader.invalid(MsgpackFault::Extension));
        }
        self.descend(depth_left)?;
        self.out.extend_from_slice(b"{\"$ext\":");
        self.digits(kind);
        self.out.extend_from_slice(b",\"data\":");
        self.bytes(data, BinEncoding::Base64)?;
        self.out.push(b'}');
        Ok(())
    }

    /// Rules 6 and 8: `value` in its own width, `widened` to look at.
    pub(super) fn float<F: zmij::Float>(
        &mut self,
        value: F,
        widened: f64,
    ) -> Result<(), PayloadError> {
        if widened.is_finite() {
            self.out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
            return Ok(());
        }
        match self.options.non_finite {
            NonFinite::Refuse => Err(PayloadError::NumberNotFinite { at: self.reader.at() }),
            NonFinite::Null => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        let quoted = self.quotes(value);
        self.out.extend_from_slice(quoted);
        self.digits(value);
        self.out.extend_from_slice(quoted);
    }

    pub(super) fn signed(&mut self, value: i64) {
        let quoted = self.quotes(value.unsigned_abs());
        self.out.extend_from_slice(quoted);
        self.digits(value);
        self.out.extend_from_slice(quoted);
    }

    /// Rule 7: what goes around an integer of this magnitude.
    fn quotes(&self, magnitude: u64) -> &'static [u8] {
        match self.options.large_integers {
            LargeIntegers::StringAbove2Pow53 if magnitude > EXACT_MAX => b"\"",
            _ => b"",
        }
    }

    pub(super) fn digits<I: itoa::Integer>(&mut self, value: I) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

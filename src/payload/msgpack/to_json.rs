//! MessagePack to JSON. `platforms.md 10.3` has the rules; their numbers stand at the code.
//!
//! What it's not: tolerant. What JSON can't say is refused unless an option says how to say it.
//! Invariant: recursion is bounded by `depth_max` (at most 127 short frames); nothing is written
//! past `output_max` but a few bytes that are taken back with the refusal.

use std::ops::Range;

use super::keys::KeySet;
use super::reader::{Reader, Token};
use super::timestamp::{self, Parsed};
use super::{
    BinEncoding, Duplicates, ExtensionRule, IntegerKeys, InvalidUtf8, LargeIntegers,
    MsgpackOptions, NonFinite, Scalars, Stream, binary,
};
use crate::payload::json::{DEPTH_LIMIT, escape_into, escaped_length};
use crate::payload::{Excess, MsgpackFault, PayloadError, ShapeFault};

/// The largest integer below which every integer is a double.
const EXACT_MAX: u64 = 9_007_199_254_740_991;

/// What became of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// JSON was appended.
    Json,
    /// The top level is a scalar and [`Scalars::Refuse`] is on, so these are other bytes (a text,
    /// say) to be sent on as they are. Nothing was appended.
    NotMessagePack,
}

/// Appends `input` as JSON to `out`. Ask [`looks_like`](super::looks_like) first where it isn't
/// certain that the bytes are MessagePack.
///
/// Cost: one pass over the input, one write of the output; one table if there are maps.
///
/// # Errors
/// The first rule that is broken, in reading order. `out` is then as it was before.
pub fn to_json(
    input: &[u8],
    options: &MsgpackOptions,
    out: &mut Vec<u8>,
) -> Result<Outcome, PayloadError> {
    let base = out.len();
    // The places of keys are 32-bit numbers.
    let output_max = options.limits.output_max.min(u32::MAX as usize / 2);
    let mut transcoder = Transcoder {
        reader: Reader::over(input),
        options,
        base,
        end: base.saturating_add(output_max),
        elements_left: options.limits.elements_max,
        keys: KeySet::default(),
        pairs: Vec::new(),
        dropped: Vec::new(),
        out,
    };
    let outcome = transcoder.message();
    if outcome != Ok(Outcome::Json) {
        out.truncate(base);
    }
    outcome
}

struct Transcoder<'a> {
    reader: Reader<'a>,
    options: &'a MsgpackOptions,
    out: &'a mut Vec<u8>,
    /// Where our part of `out` begins.
    base: usize,
    /// Where it has to end at the latest.
    end: usize,
    elements_left: usize,
    keys: KeySet,
    /// All pairs in order of their start; only for [`Duplicates::LastWins`].
    pairs: Vec<Range<usize>>,
    /// The pairs that a later one has replaced, with their commas.
    dropped: Vec<Range<usize>>,
}

impl<'a> Transcoder<'a> {
    fn message(&mut self) -> Result<Outcome, PayloadError> {
        if self.options.scalars == Scalars::Refuse && !self.reader.sees_container() {
            // Rule 1. What isn't even a scalar is a fault, though.
            return self.reader.token().map(|_| Outcome::NotMessagePack);
        }
        let depth_left = self.options.limits.depth_max.min(DEPTH_LIMIT);
        match self.options.stream {
            Stream::Array => self.stream(depth_left)?,
            Stream::Refuse => {
                self.value(depth_left)?;
                self.finish()?;
            }
        }
        self.fits()?;
        self.drop_replaced();
        Ok(Outcome::Json)
    }

    /// Rule 12: nothing may follow.
    fn finish(&self) -> Result<(), PayloadError> {
        if self.reader.is_at_end() {
            return Ok(());
        }
        Err(PayloadError::MsgpackTrailing { at: self.reader.at() })
    }

    /// Rule 12, the option: value after value as one array.
    fn stream(&mut self, depth_left: usize) -> Result<(), PayloadError> {
        let depth_left = self.descend(depth_left)?;
        let mut separator = b'[';
        while !self.reader.is_at_end() {
            if self.options.scalars == Scalars::Refuse && !self.reader.sees_container() {
                return self.finish();
            }
            self.count(1)?;
            self.out.push(separator);
            separator = b',';
            self.value(depth_left)?;
        }
        if separator == b'[' {
            return Err(self.reader.invalid(MsgpackFault::Truncated));
        }
        self.out.push(b']');
        Ok(())
    }

    fn value(&mut self, depth_left: usize) -> Result<(), PayloadError> {
        match self.reader.token()? {
            Token::Nil => self.out.extend_from_slice(b"null"),
            Token::Bool(true) => self.out.extend_from_slice(b"true"),
            Token::Bool(false) => self.out.extend_from_slice(b"false"),
            Token::Unsigned(value) => self.unsigned(value),
            Token::Signed(value) => self.signed(value),
            Token::Float32(value) => self.float(value, f64::from(value))?,
            Token::Float64(value) => self.float(value, value)?,
            Token::Str(bytes) => self.str_value(bytes)?,
            Token::Bin(bytes) => self.bytes(bytes, self.options.binary)?,
            Token::Ext(kind, data) => self.extension(kind, data, depth_left)?,
            Token::Array(count) => self.array(count, depth_left)?,
            Token::Map(count) => self.map(count, depth_left)?,
        }
        self.fits()
    }

    fn array(&mut self, count: usize, depth_left: usize) -> Result<(), PayloadError> {
        let depth_left = self.descend(depth_left)?;
        self.count(count)?;
        self.out.push(b'[');
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(depth_left)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, count: usize, depth_left: usize) -> Result<(), PayloadError> {
        let depth_left = self.descend(depth_left)?;
        self.count(count.saturating_mul(2))?;
        self.keys.expect(count);
        let map = self.place();
        self.out.push(b'{');
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
            }
            let start = self.place();
            self.key()?;
            let written = self.out.get(self.base..).unwrap_or_default();
            if let Some(earlier) = self.keys.insert(written, map, start) {
                self.duplicate(earlier)?;
            }
            self.out.push(b':');
            let pair = self.begin_pair(start);
            self.value(depth_left)?;
            self.end_pair(pair);
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Rule 5: strings, or integers where they are allowed.
    fn key(&mut self) -> Result<(), PayloadError> {
        let token = self.reader.token()?;
        match token {
            Token::Str(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.string(text),
                Err(_) if self.options.invalid_utf8 == InvalidUtf8::AsBinary => {
                    Err(self.shape(ShapeFault::Key))
                }
                Err(_) => Err(self.reader.invalid(MsgpackFault::Utf8)),
            },
            Token::Unsigned(_) | Token::Signed(_)
                if self.options.integer_keys == IntegerKeys::Stringify =>
            {
                self.out.push(b'"');
                match token {
                    Token::Signed(value) => self.digits(value),
                    Token::Unsigned(value) => self.digits(value),
                    _ => {}
                }
                self.out.push(b'"');
                self.fits()
            }
            _ => Err(self.shape(ShapeFault::Key)),
        }
    }

    /// Rule 11.
    fn duplicate(&mut self, earlier: u32) -> Result<(), PayloadError> {
        if self.options.duplicates == Duplicates::Refuse {
            return Err(self.shape(ShapeFault::Duplicate));
        }
        let start = self.base + earlier as usize;
        if let Ok(index) = self.pairs.binary_search_by_key(&start, |pair| pair.start) {
            self.dropped.extend(self.pairs.get(index).cloned());
        }
        Ok(())
    }

    /// Remembers where a pair begins, if it may have to be dropped later.
    fn begin_pair(&mut self, start: u32) -> usize {
        if self.options.duplicates == Duplicates::LastWins {
            let start = self.base + start as usize;
            self.pairs.push(start..start);
        }
        self.pairs.len().wrapping_sub(1)
    }

    fn end_pair(&mut self, pair: usize) {
        if let Some(pair) = self.pairs.get_mut(pair) {
            // With the comma: whoever replaces this pair comes after it.
            pair.end = self.out.len() + 1;
        }
    }

    /// Closes the gaps that replaced pairs leave, in one pass.
    fn drop_replaced(&mut self) {
        if self.dropped.is_empty() {
            return;
        }
        self.dropped.sort_unstable_by_key(|gap| gap.start);
        let (mut read, mut write) = (self.base, self.base);
        let end = self.out.len();
        for gap in self.dropped.iter().chain([&(end..end)]) {
            if gap.start < read {
                continue; // inside a gap that is closed already
            }
            self.out.copy_within(read..gap.start, write);
            write += gap.start - read;
            read = gap.end;
        }
        self.out.truncate(write);
    }

    /// Rules 9 and 10.
    fn str_value(&mut self, bytes: &[u8]) -> Result<(), PayloadError> {
        match (std::str::from_utf8(bytes), self.options.invalid_utf8) {
            (Ok(text), _) => self.string(text),
            (Err(_), InvalidUtf8::AsBinary) => self.bytes(bytes, self.options.binary),
            (Err(_), InvalidUtf8::Refuse) => Err(self.reader.invalid(MsgpackFault::Utf8)),
        }
    }

    #[inline]
    fn string(&mut self, text: &str) -> Result<(), PayloadError> {
        // Rule 14: growth is at most sixfold, so most strings needn't be measured.
        if text.len().saturating_mul(6) > self.room() {
            self.needs(escaped_length(text).saturating_add(2))?;
        }
        self.out.push(b'"');
        escape_into(text, self.out);
        self.out.push(b'"');
        Ok(())
    }

    /// Rule 2.
    fn bytes(&mut self, bytes: &[u8], encoding: BinEncoding) -> Result<(), PayloadError> {
        self.needs(binary::encoded_length(bytes, encoding).saturating_add(2))?;
        self.out.push(b'"');
        binary::write(bytes, encoding, self.out);
        self.out.push(b'"');
        Ok(())
    }

    /// Rules 3 and 4.
    fn extension(&mut self, kind: i8, data: &[u8], depth_left: usize) -> Result<(), PayloadError> {
        if kind == -1 {
            match timestamp::parse(data) {
                Parsed::Time(time) => {
                    self.out.push(b'"');
                    time.write(self.out);
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
    fn float<F: zmij::Float>(&mut self, value: F, widened: f64) -> Result<(), PayloadError> {
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

    fn unsigned(&mut self, value: u64) {
        let quoted = self.quotes(value);
        self.out.extend_from_slice(quoted);
        self.digits(value);
        self.out.extend_from_slice(quoted);
    }

    fn signed(&mut self, value: i64) {
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

    fn digits<I: itoa::Integer>(&mut self, value: I) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Rule 13: one level less, before anything of it is read.
    fn descend(&self, depth_left: usize) -> Result<usize, PayloadError> {
        depth_left
            .checked_sub(1)
            .ok_or(PayloadError::DepthExceeded { at: self.reader.at().saturating_sub(1) })
    }

    fn count(&mut self, elements: usize) -> Result<(), PayloadError> {
        self.elements_left = self
            .elements_left
            .checked_sub(elements)
            .ok_or(PayloadError::TooLarge(Excess::Elements))?;
        Ok(())
    }

    fn room(&self) -> usize {
        self.end.saturating_sub(self.out.len())
    }

    /// Rule 14, before writing.
    fn needs(&self, length: usize) -> Result<(), PayloadError> {
        if length > self.room() { Err(PayloadError::TooLarge(Excess::Output)) } else { Ok(()) }
    }

    /// Rule 14, after a few bytes whose number wasn't worth predicting.
    #[inline]
    fn fits(&self) -> Result<(), PayloadError> {
        if self.out.len() > self.end { Err(PayloadError::TooLarge(Excess::Output)) } else { Ok(()) }
    }

    fn shape(&self, fault: ShapeFault) -> PayloadError {
        PayloadError::Shape { fault, at: self.reader.at() }
    }

    /// The next place in our part of the output.
    fn place(&self) -> u32 {
        u32::try_from(self.out.len() - self.base).unwrap_or(u32::MAX)
    }
}

//! MessagePack to JSON. `platforms.md 10.3` has the rules; their numbers stand at the code.
//!
//! What it is: the containers and the order of things; `scalars` writes what stands in them.
//! What it's not: tolerant. What JSON can't say is refused unless an option says how to say it.
//! Invariant: recursion is bounded by `depth_max` (at most 127 short frames); nothing is written
//! past `output_max` but a few bytes that are taken back with the refusal.

use super::keys::KeySet;
use super::pairs::Pairs;
use super::reader::{Reader, Token};
use super::scalars::{Closing, Written};
use super::{Duplicates, IntegerKeys, MsgpackOptions, Scalars, Stream};
use crate::payload::json::DEPTH_LIMIT;
use crate::payload::{Excess, MsgpackFault, PayloadError, ShapeFault};

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
        pairs: Pairs::default(),
        // Owned, each byte costs one look less.
        out: std::mem::take(out),
    };
    let outcome = transcoder.message();
    *out = transcoder.out;
    if outcome != Ok(Outcome::Json) {
        out.truncate(base);
    }
    outcome
}

/// One message on its way; `scalars.rs` has the part that writes what isn't a container.
pub(super) struct Transcoder<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) options: &'a MsgpackOptions,
    pub(super) out: Vec<u8>,
    /// Where our part of `out` begins.
    base: usize,
    /// Where it has to end at the latest.
    end: usize,
    elements_left: usize,
    /// Only for [`Duplicates::LastWins`].
    pairs: Pairs,
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
        self.pairs.close_gaps(&mut self.out);
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
    #[cold]
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

    #[inline(never)]
    fn map(&mut self, count: usize, depth_left: usize) -> Result<(), PayloadError> {
        let depth_left = self.descend(depth_left)?;
        self.count(count.saturating_mul(2))?;
        let mut keys = KeySet::of(count);
        self.out.push(b'{');
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
            }
            self.pair(&mut keys, depth_left)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    #[inline]
    fn pair(&mut self, keys: &mut KeySet, depth_left: usize) -> Result<(), PayloadError> {
        let start = self.out.len();
        let key = self.key()?;
        let place = u32::try_from(start - self.base).unwrap_or(u32::MAX);
        let written = self.out.get(self.base..).unwrap_or_default();
        let text = key.unwrap_or_else(|| between_quotes(written, place));
        let earlier = keys.insert(text, written, place);
        match self.options.duplicates {
            Duplicates::Refuse if earlier.is_some() => Err(self.shape(ShapeFault::Duplicate)),
            Duplicates::Refuse => self.value(depth_left),
            Duplicates::LastWins => {
                if let Some(earlier) = earlier {
                    self.pairs.replace(self.base + earlier as usize);
                }
                let pair = self.pairs.begin(start);
                self.value(depth_left)?;
                self.pairs.end(pair, self.out.len());
                Ok(())
            }
        }
    }

    /// Rule 5: strings, or integers where they are allowed. Gives the key's text
    /// as it was sent; `None` for an integer, whose text is what has been written.
    #[inline]
    fn key(&mut self) -> Result<Option<&'a [u8]>, PayloadError> {
        let is_integer_allowed = self.options.integer_keys == IntegerKeys::Stringify;
        match self.reader.token()? {
            Token::Str(bytes) => self.str_key(bytes),
            Token::Unsigned(value) if is_integer_allowed => self.integer_key(value),
            Token::Signed(value) if is_integer_allowed => self.integer_key(value),
            _ => Err(self.shape(ShapeFault::Key)),
        }
    }

    #[inline]
    fn str_key(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, PayloadError> {
        match self.string(bytes, Closing::Key)? {
            Written::Whole => Ok(Some(bytes)),
            Written::Nothing => Err(self.shape(ShapeFault::Key)),
        }
    }

    #[cold]
    #[inline(never)]
    fn integer_key<I: itoa::Integer>(
        &mut self,
        value: I,
    ) -> Result<Option<&'a [u8]>, PayloadError> {
        self.out.push(b'"');
        self.digits(value);
        self.close(Closing::Key);
        self.fits().map(|()| None)
    }

    #[inline]
    fn str_value(&mut self, bytes: &[u8]) -> Result<(), PayloadError> {
        match self.string(bytes, Closing::Value)? {
            Written::Whole => Ok(()),
            Written::Nothing => self.bytes(bytes, self.options.binary),
        }
    }

    /// Rule 13: one level less, before anything of it is read.
    pub(super) fn descend(&self, depth_left: usize) -> Result<usize, PayloadError> {
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

    pub(super) fn room(&self) -> usize {
        self.end.saturating_sub(self.out.len())
    }

    /// Rule 14, before writing.
    pub(super) fn needs(&self, length: usize) -> Result<(), PayloadError> {
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
}

/// The inside of the key that ends `written` with `":`.
fn between_quotes(written: &[u8], place: u32) -> &[u8] {
    let inside = (place as usize + 1)..written.len().saturating_sub(2);
    written.get(inside).unwrap_or_default()
}

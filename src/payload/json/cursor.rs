//! A position in a JSON text, and the one loop that steps over a value.
//!
//! What it's not: a reader of meaning; it knows where a value ends, not what it is worth.
//! Invariant: the text is UTF-8 before the first byte is looked at, and `at` never leaves it.

use super::string::Escapes;
use super::{DEPTH_LIMIT, JsonError, JsonFault, RawString, number, string};

/// What a value can be nested in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

/// The containers that are open, innermost in the lowest bit (1 is an object): no allocation, and
/// no recursion that a hostile text could drive.
struct Nest {
    kinds: u128,
    depth: usize,
    depth_max: usize,
}

impl Nest {
    fn within(depth_max: usize) -> Self {
        Self { kinds: 0, depth: 0, depth_max: depth_max.min(DEPTH_LIMIT) }
    }

    /// False if the limit is reached.
    fn open(&mut self, container: Container) -> bool {
        if self.depth >= self.depth_max {
            return false;
        }
        self.depth += 1;
        self.kinds = self.kinds << 1 | u128::from(container == Container::Object);
        true
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.kinds >>= 1;
    }

    fn innermost(&self) -> Option<Container> {
        match (self.depth, self.kinds & 1) {
            (0, _) => None,
            (_, 1) => Some(Container::Object),
            _ => Some(Container::Array),
        }
    }
}

/// What the first byte of a value turned out to be.
enum Step {
    /// The value has been read to its end.
    Complete,
    /// A container was opened and its first value comes next.
    Inside,
}

/// A position in a JSON text.
#[derive(Debug, Clone)]
pub(in crate::payload) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte. One pass over `bytes` for UTF-8.
    pub(in crate::payload) fn over(bytes: &'a [u8]) -> Result<Self, JsonError> {
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(_) => Err(JsonError { fault: JsonFault::Utf8, at: utf8_fault(bytes) }),
        }
    }

    /// Offset of the next byte.
    pub(in crate::payload) fn at(&self) -> usize {
        self.at
    }

    /// The next byte, if there is one.
    pub(in crate::payload) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over one byte that has been seen with [`Self::peek`].
    pub(in crate::payload) fn advance(&mut self) {
        self.at += 1;
    }

    /// The bytes from `start` up to here.
    pub(in crate::payload) fn since(&self, start: usize) -> &'a [u8] {
        self.text.as_bytes().get(start..self.at).unwrap_or_default()
    }

    pub(in crate::payload) fn error(&self, fault: JsonFault) -> JsonError {
        JsonError { fault, at: self.at }
    }

    /// "Unexpected byte", or "unexpected end" if there is none.
    #[cold]
    pub(in crate::payload) fn unexpected(&self) -> JsonError {
        let fault = if self.peek().is_some() { JsonFault::Unexpected } else { JsonFault::End };
        self.error(fault)
    }

    #[inline]
    pub(in crate::payload) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Only whitespace may follow.
    pub(in crate::payload) fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_whitespace();
        if self.peek().is_some() { Err(self.error(JsonFault::Trailing)) } else { Ok(()) }
    }

    /// Steps over `"key" :` and gives what is between the quotes.
    #[inline]
    pub(in crate::payload) fn key(&mut self) -> Result<RawString<'a>, JsonError> {
        self.skip_whitespace();
        let key = self.string()?;
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(key)
    }

    /// Steps over a string and gives what is between the quotes, escapes proved but not resolved.
    pub(in crate::payload) fn string(&mut self) -> Result<RawString<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        self.at += 1;
        let start = self.at;
        let mut escapes = Escapes::Absent;
        loop {
            self.at += string::clean_prefix(self.rest().as_bytes());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => match string::escape(self.rest()) {
                    Some((_, length)) => {
                        self.at += length;
                        escapes = Escapes::Present;
                    }
                    None => return Err(self.error(JsonFault::Escape)),
                },
                Some(_) => return Err(self.error(JsonFault::Control)),
                None => return Err(self.error(JsonFault::End)),
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(RawString::proved(raw, escapes))
    }

    /// Steps over a number and gives its text.
    #[inline]
    pub(in crate::payload) fn number(&mut self) -> Result<&'a str, JsonError> {
        let Some(length) = number::length(self.rest().as_bytes()) else {
            return Err(self.error(JsonFault::Number));
        };
        let start = self.at;
        self.at += length;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// Steps over `true`, `false` or `null`.
    pub(in crate::payload) fn literal(&mut self, literal: &str) -> Result<(), JsonError> {
        if !self.rest().starts_with(literal) {
            return Err(self.unexpected());
        }
        self.at += literal.len();
        Ok(())
    }

    /// Steps over whitespace and one whole value.
    pub(super) fn skip_value(&mut self, depth_max: usize) -> Result<(), JsonError> {
        let mut nest = Nest::within(depth_max);
        loop {
            match self.begin(&mut nest)? {
                Step::Inside => {}
                Step::Complete if self.climb(&mut nest)? => return Ok(()),
                Step::Complete => {}
            }
        }
    }

    /// Reads a scalar or an empty container whole, or the opening of a container that isn't empty.
    #[inline]
    fn begin(&mut self, nest: &mut Nest) -> Result<Step, JsonError> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'"') => self.string().map(|_| ())?,
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ())?,
            Some(b'{') => return self.open(nest, Container::Object),
            Some(b'[') => return self.open(nest, Container::Array),
            Some(b't') => self.literal("true")?,
            Some(b'f') => self.literal("false")?,
            Some(b'n') => self.literal("null")?,
            _ => return Err(self.unexpected()),
        }
        Ok(Step::Complete)
    }

    fn open(&mut self, nest: &mut Nest, container: Container) -> Result<Step, JsonError> {
        if !nest.open(container) {
            return Err(self.error(JsonFault::Depth));
        }
        self.at += 1;
        self.skip_whitespace();
        match (container, self.peek()) {
            (Container::Object, Some(b'}')) | (Container::Array, Some(b']')) => {
                nest.close();
                self.at += 1;
                Ok(Step::Complete)
            }
            (Container::Object, _) => self.key().map(|_| Step::Inside),
            (Container::Array, _) => Ok(Step::Inside),
        }
    }

    /// After a value: closes what ends here. True if nothing is open any more, false if another
    /// value comes.
    #[inline]
    fn climb(&mut self, nest: &mut Nest) -> Result<bool, JsonError> {
        while let Some(container) = nest.innermost() {
            self.skip_whitespace();
            match (container, self.peek()) {
                (Container::Object, Some(b'}')) | (Container::Array, Some(b']')) => {
                    nest.close();
                    self.at += 1;
                }
                (Container::Object, Some(b',')) => {
                    self.at += 1;
                    self.key()?;
                    return Ok(false);
                }
                (Container::Array, Some(b',')) => {
                    self.at += 1;
                    return Ok(false);
                }
                _ => return Err(self.unexpected()),
            }
        }
        Ok(true)
    }

    #[inline]
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// Where the first invalid sequence starts; only for the error.
fn utf8_fault(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |_| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_the_fault_is() {
        for (text, at) in
            [(&b"[1,]"[..], 3), (b"{\"a\":tru}", 5), (b"{}x", 2), (b"[1", 2), (b"\"a\xff\"", 2)]
        {
            let fault = Cursor::over(text)
                .and_then(|mut cursor| cursor.skip_value(8).and_then(|()| cursor.finish()));
            assert_eq!(fault.unwrap_err().at, at, "{text:?}");
        }
    }

    #[test]
    fn remembers_the_kind_of_every_open_container() {
        let mut nest = Nest::within(usize::MAX);
        let kind = |depth: usize| match depth % 3 {
            0 => Container::Object,
            _ => Container::Array,
        };
        for depth in 0..DEPTH_LIMIT {
            assert!(nest.open(kind(depth)));
        }
        assert!(!nest.open(Container::Array));
        for depth in (0..DEPTH_LIMIT).rev() {
            assert_eq!(nest.innermost(), Some(kind(depth)));
            nest.close();
        }
        assert_eq!(nest.innermost(), None);
    }
}

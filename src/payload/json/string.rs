//! JSON strings: finding their special bytes, resolving and writing escapes.
//!
//! What it's not: a validator of whole strings; `Cursor::string` is. Both use [`escape`], so they
//! can't disagree about what an escape means.
//! Invariant: a [`RawString`] has passed that proof, so resolving it can't fail.

use super::cursor::Cursor;

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many bytes from the start are none of `"`, `\` and U+0000..U+001F. Eight at a time.
#[inline]
pub(super) fn clean_prefix(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut clean = 0;
    for word in words {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return clean + special.trailing_zeros() as usize / 8;
        }
        clean += 8;
    }
    clean + tail.iter().take_while(|byte| !is_special(**byte)).count()
}

/// Whether `bytes` are ASCII that needs no escape, so that they can stand in a JSON string as they
/// are. Nearly every key is, and sixteen bytes take two steps.
#[inline]
pub fn is_plain(bytes: &[u8]) -> bool {
    let unfit = |word: [u8; 8]| {
        let word = u64::from_le_bytes(word);
        special_bytes(word) | word & HIGH_BITS
    };
    let (words, tail) = bytes.as_chunks::<8>();
    let found = words.iter().fold(0, |found, word| found | unfit(*word));
    // The last eight bytes, again as far as they overlap; or all of fewer.
    match (tail, bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        ([], ..) => found == 0,
        (_, Some(last), ..) => found | unfit(*last) == 0,
        (_, None, Some([a, b, c, d]), Some([e, f, g, h])) => {
            unfit([*a, *b, *c, *d, *e, *f, *g, *h]) == 0
        }
        _ => tail.iter().all(|byte| byte.is_ascii() && !is_special(*byte)),
    }
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of each special byte. Bytes above the first special one may be wrong (the
/// subtractions borrow), so only the lowest bit counts.
#[inline]
fn special_bytes(word: u64) -> u64 {
    let quote = word ^ (LOW_BITS * 0x22);
    let backslash = word ^ (LOW_BITS * 0x5c);
    let below_space = word.wrapping_sub(LOW_BITS * 0x20) & !word;
    let is_quote = quote.wrapping_sub(LOW_BITS) & !quote;
    let is_backslash = backslash.wrapping_sub(LOW_BITS) & !backslash;
    (below_space | is_quote | is_backslash) & HIGH_BITS
}

/// The character that the escape at the start of `text` stands for, and the escape's length in
/// bytes. `None` if it's no escape, incomplete, or half a surrogate pair.
pub(super) fn escape(text: &str) -> Option<(char, usize)> {
    let character = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(text),
        _ => return None,
    };
    Some((character, 2))
}

fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let first = code_unit(text)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = code_unit(text.get(6..)?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let scalar = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Some((char::from_u32(scalar)?, 12))
}

/// The four hexadecimal digits of `\uXXXX`.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.as_bytes().get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// What stands between the quotes of a JSON string, escapes and all. Borrowed, three words.
#[derive(Debug, Clone, Copy)]
pub struct RawString<'a> {
    raw: &'a str,
    escapes: Escapes,
}

/// Whether a raw string has something to resolve; the scanner has seen it anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    Absent,
    Present,
}

impl<'a> RawString<'a> {
    /// Only `Cursor::string` may say this.
    pub(super) fn proved(raw: &'a str, escapes: Escapes) -> Self {
        Self { raw, escapes }
    }

    /// The string that a value holds, quotes included; `None` if the value isn't a valid string.
    pub fn of(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::over(value).ok()?;
        let raw = cursor.string().ok()?;
        if cursor.at() == value.len() { Some(raw) } else { None }
    }

    /// The text as it was sent, escapes unresolved.
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// What stands after the last `/`: all of it if there is none.
    #[must_use]
    pub fn last_segment(self) -> Self {
        // Within an escape a slash is the last character (`\\/`), so a cut after it is clean.
        let raw = self.raw.rsplit('/').next().unwrap_or(self.raw);
        Self { raw, escapes: self.escapes }
    }

    /// The text itself if it needs no resolving.
    pub fn plain(self) -> Option<&'a str> {
        if self.escapes == Escapes::Absent { Some(self.raw) } else { None }
    }

    /// Whether this spells `text`, escapes resolved. No allocation.
    pub fn is(self, text: &str) -> bool {
        if let Some(plain) = self.plain() {
            return plain == text;
        }
        let mut left = text;
        for piece in (Pieces { rest: self.raw }) {
            let stripped = match piece {
                Piece::Run(run) => left.strip_prefix(run),
                Piece::Escape(character) => left.strip_prefix(character),
            };
            match stripped {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        left.is_empty()
    }

    /// Whether both spell the same, with whatever escapes.
    #[must_use]
    pub fn same(self, other: RawString<'_>) -> bool {
        match (self.plain(), other.plain()) {
            (Some(own), Some(other)) => own == other,
            (_, Some(other)) => self.is(other),
            (Some(own), None) => other.is(own),
            (None, None) => {
                let mut spelled = Vec::with_capacity(other.unescaped_length());
                other.unescape(&mut spelled);
                str::from_utf8(&spelled).is_ok_and(|spelled| self.is(spelled))
            }
        }
    }

    /// How many bytes [`Self::unescape`] will append.
    pub fn unescaped_length(self) -> usize {
        let length = |piece| match piece {
            Piece::Run(run) => run.len(),
            Piece::Escape(character) => character.len_utf8(),
        };
        Pieces { rest: self.raw }.map(length).sum()
    }

    /// Appends the text with its escapes resolved.
    pub fn unescape(self, out: &mut Vec<u8>) {
        for piece in (Pieces { rest: self.raw }) {
            match piece {
                Piece::Run(run) => out.extend_from_slice(run.as_bytes()),
                Piece::Escape(character) => {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }
}

enum Piece<'a> {
    Run(&'a str),
    Escape(char),
}

/// A raw string, taken apart at its escapes.
struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some((character, length)) = escape(self.rest).filter(|_| self.rest.starts_with('\\'))
        {
            self.rest = self.rest.get(length..).unwrap_or_default();
            return Some(Piece::Escape(character));
        }
        let end = memchr::memchr(b'\\', self.rest.as_bytes()).filter(|end| *end > 0);
        let (run, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        self.rest = rest;
        Some(Piece::Run(run))
    }
}

/// Appends `text` as the inside of a JSON string: `"`, `\` and U+0000..U+001F are escaped, all else
/// stays as it is. Grows to six times the length at worst ([`escaped_length`] says beforehand).
#[inline]
pub fn escape_into(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let Some((run, after)) = rest.split_at_checked(clean_prefix(rest)) else { return };
        out.extend_from_slice(run);
        let Some((special, after)) = after.split_first() else { return };
        write_escape(*special, out);
        rest = after;
    }
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let hex = |digit: u8| if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// How many bytes [`escape_into`] will append.
pub fn escaped_length(text: &str) -> usize {
    let length = |byte: u8| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0x00..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(value: &str) -> Option<String> {
        let mut out = Vec::new();
        RawString::of(value.as_bytes())?.unescape(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn finds_the_first_special_byte_at_every_place() {
        for special in (0..0x20).chain([b'"', b'\\']) {
            for at in 0..20 {
                for filler in [b'a', 0x21, 0x7f, 0x80, 0xff, b'#', b'!', b'[', b']'] {
                    let mut bytes = vec![filler; 20];
                    bytes[at] = special;
                    assert_eq!(clean_prefix(&bytes), at, "{special} in {filler}");
                }
            }
        }
        for length in 0..40 {
            assert!(is_plain(&vec![b'a'; length]) && is_plain(&vec![0x7f; length]));
            for (at, byte) in
                (0..length).flat_map(|at| [0, 0x1f, b'"', b'\\', 0x80, 0xff].map(|byte| (at, byte)))
            {
                let mut bytes = vec![b' '; length];
                bytes[at] = byte;
                assert!(!is_plain(&bytes), "{byte} at {at} of {length}");
            }
        }
        assert_eq!(clean_prefix("é\u{7f} plain".as_bytes()), "é\u{7f} plain".len());
        assert_eq!(clean_prefix(b""), 0);
    }

    #[test]
    fn resolves_escapes() {
        for (value, expected) in [
            (r#""""#, ""),
            (r#""abc""#, "abc"),
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""a\u00e9b\u20ACc""#, "aéb€c"),
            (r#""\ud83d\uDE00!""#, "😀!"),
            (r#""\u0000""#, "\0"),
        ] {
            assert_eq!(unescaped(value).as_deref(), Some(expected));
        }
        for value in ["", "\"", "\"a", "a", "1", "\"a\"b", "\"a\" ", r#""\ud800""#] {
            assert_eq!(unescaped(value), None, "{value}");
        }
    }

    #[test]
    fn compares_without_resolving() {
        let is = |value: &str, text: &str| RawString::of(value.as_bytes()).unwrap().is(text);
        assert!(is(r#""temp""#, "temp"));
        assert!(is(r#""t\u0065mp""#, "temp"));
        assert!(is(r#""\ud83d\ude00""#, "😀"));
        assert!(is(r#""""#, ""));
        assert!(!is(r#""temp""#, "temperature"));
        assert!(!is(r#""temperature""#, "temp"));
        assert!(!is(r#""t\u0065mp""#, "temper"));
        assert!(!is(r#""\n""#, "\\n"));
    }

    #[test]
    fn writes_escapes_that_resolve_to_the_same_text() {
        let mut text: String = (0..0x80).filter_map(char::from_u32).collect();
        text.push_str("é😀\u{2028}");
        let mut out = vec![b'"'];
        escape_into(&text, &mut out);
        assert_eq!(out.len() - 1, escaped_length(&text));
        out.push(b'"');
        let written = String::from_utf8(out).unwrap();
        assert!(written.contains(r"\u0000") && written.contains(r"\n\u000b\f\r"));
        assert!(written.contains(r##" !\"#"##) && written.contains(r"[\\]"));
        assert_eq!(unescaped(&written), Some(text));
    }
}

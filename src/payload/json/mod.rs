//! Strict JSON (RFC 8259) read in place: no tree, no copy, no allocation.
//!
//! What it is: a scanner that proves a text to be exactly one JSON value and hands out byte ranges
//! of it (members, elements, raw strings, number texts), and the escaping for what we write.
//! What it's not: a parser into values, a printer, or lenient. Nothing beyond the RFC is accepted
//! (comments, `NaN`, byte order mark, trailing comma), and less in two points: escapes that name
//! half a surrogate pair, and nesting beyond [`DEPTH_LIMIT`].
//! Invariant: one pass, time linear in the input, constant memory; recursion nowhere.

mod cursor;
mod members;
mod number;
mod put;
mod string;

pub(in crate::payload) use cursor::Cursor;
pub use members::{Element, Elements, Member, Members, elements, members};
pub(in crate::payload) use number::{Number, value};
pub use number::{as_f64, as_i64, as_u64, numeric};
pub use put::{only_member, put_member};
pub use string::{RawString, escape_into, escaped_length, is_plain};

/// The deepest nesting that is ever accepted, whatever the caller allows. It's what the widespread
/// reader `serde_json` takes, so a text that passes here can be read there.
pub const DEPTH_LIMIT: usize = 127;

/// Why a text isn't acceptable JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Offset in bytes from the start of the text.
    pub at: usize,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// The text isn't UTF-8 throughout.
    #[error("invalid UTF-8")]
    Utf8,
    /// The text ends inside a value, or is empty.
    #[error("unexpected end")]
    End,
    /// A byte that the grammar doesn't allow at this place.
    #[error("unexpected byte")]
    Unexpected,
    /// A number that breaks the grammar (`01`, `1.`, `.5`, `+1`).
    #[error("malformed number")]
    Number,
    /// U+0000..U+001F inside a string without escape.
    #[error("control character in a string")]
    Control,
    /// An escape that doesn't exist, or half a surrogate pair.
    #[error("invalid escape")]
    Escape,
    /// More nested arrays and objects than the limit.
    #[error("nested too deeply")]
    Depth,
    /// Bytes after the value.
    #[error("bytes after the value")]
    Trailing,
    /// The value is valid so far, but isn't an object.
    #[error("not an object")]
    NotObject,
    /// The value is valid so far, but isn't an array.
    #[error("not an array")]
    NotArray,
    /// The member that was asked for is there twice.
    #[error("duplicate member")]
    Duplicate,
}

/// The six kinds of JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `-1.5e3`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// Proves that `bytes` are exactly one JSON value with at most `depth_max` nested arrays and
/// objects ([`DEPTH_LIMIT`] if that is less). Whitespace around the value is allowed.
///
/// # Errors
/// The first fault in reading order; invalid UTF-8 before any other.
pub fn validate(bytes: &[u8], depth_max: usize) -> Result<(), JsonError> {
    let mut cursor = Cursor::over(bytes)?;
    cursor.skip_value(depth_max)?;
    cursor.finish()
}

/// The kind of the one value that `bytes` hold, after the same proof as [`validate`] with
/// [`DEPTH_LIMIT`].
///
/// # Errors
/// As [`validate`].
pub fn kind(bytes: &[u8]) -> Result<JsonKind, JsonError> {
    let mut cursor = Cursor::over(bytes)?;
    cursor.skip_whitespace();
    let first = cursor.peek();
    cursor.skip_value(DEPTH_LIMIT)?;
    cursor.finish()?;
    Ok(match first {
        Some(b'{') => JsonKind::Object,
        Some(b'[') => JsonKind::Array,
        Some(b'"') => JsonKind::String,
        Some(b't' | b'f') => JsonKind::Bool,
        Some(b'n') => JsonKind::Null,
        _ => JsonKind::Number,
    })
}

/// The exact bytes of the value of member `name` of the top-level object; `None` if it has no such
/// member. Reads to the end, so the whole text has been proved when this returns `Ok`.
///
/// # Errors
/// As [`validate`] with [`DEPTH_LIMIT`]; [`JsonFault::NotObject`]; [`JsonFault::Duplicate`] if
/// `name` is there twice, because two readers would disagree about which one counts.
pub fn member<'a>(bytes: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, JsonError> {
    let mut found = None;
    for member in members(bytes)? {
        let member = member?;
        if member.key.is(name) {
            if found.is_some() {
                return Err(JsonError { fault: JsonFault::Duplicate, at: member.at });
            }
            found = Some(member.value);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<JsonFault> {
        validate(text.as_bytes(), 8).err().map(|error| error.fault)
    }

    #[test]
    fn accepts_what_the_rfc_allows() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "10",
            "1e5",
            "1E+5",
            "1.25e-7",
            "1e400",
            "true",
            "false",
            "null",
            r#""""#,
            r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#,
            "[]",
            "[ ]",
            "{}",
            "{ }",
            "[1,2]",
            " [ 1 , 2 ]\r\n\t",
            r#"{"a":{"b":[{},[],null]}}"#,
            r#"{"a":1,"a":2}"#,
            "\"\u{7f}é😀\u{fffe}\"",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_what_it_does_not() {
        use JsonFault::*;
        for (text, expected) in [
            ("", End),
            (" ", End),
            ("[", End),
            ("[1", End),
            ("[1,", End),
            ("{", End),
            (r#"{"a""#, End),
            (r#"{"a":"#, End),
            (r#"{"a":1"#, End),
            (r#"{"a":1,"#, End),
            ("\"a", End),
            ("\"a\\", Escape),
            ("]", Unexpected),
            ("[1,]", Unexpected),
            ("[,1]", Unexpected),
            ("[1 2]", Unexpected),
            ("[1}", Unexpected),
            ("{1:2}", Unexpected),
            (r#"{"a":1,}"#, Unexpected),
            (r#"{"a" 1}"#, Unexpected),
            (r#"{"a":1]"#, Unexpected),
            ("tru", Unexpected),
            ("nul", Unexpected),
            ("True", Unexpected),
            ("NaN", Unexpected),
            ("Infinity", Unexpected),
            ("-Infinity", Number),
            ("'a'", Unexpected),
            ("//", Unexpected),
            ("\u{feff}1", Unexpected),
            ("\u{a0}1", Unexpected),
            ("01", Trailing),
            ("truee", Trailing),
            ("1 2", Trailing),
            ("{}{}", Trailing),
            ("{}\0", Trailing),
            ("-", Number),
            ("1.", Number),
            ("1e", Number),
            ("1e+", Number),
            (".5", Unexpected),
            ("+1", Unexpected),
            ("\"\n\"", Control),
            ("\"\0\"", Control),
            (r#""\x""#, Escape),
            (r#""\u12""#, Escape),
            (r#""\u00g0""#, Escape),
            (r#""\u+123""#, Escape),
            (r#""\ud800""#, Escape),
            (r#""\udc00""#, Escape),
            (r#""\ud800\ud800""#, Escape),
            (r#""\ud800x""#, Escape),
            ("[[[[[[[[[1]]]]]]]]]", Depth),
        ] {
            assert_eq!(fault(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_invalid_utf8_everywhere() {
        for bytes in [&b"\"\xff\""[..], b"\xff", b"1\xff", b"\"\xed\xa0\x80\"", b"\"\xc0\x80\""] {
            assert_eq!(validate(bytes, 8).map_err(|error| error.fault), Err(JsonFault::Utf8));
        }
    }

    #[test]
    fn counts_nested_containers_against_the_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for depth in [1, 8, 32, DEPTH_LIMIT] {
            assert_eq!(validate(nested(depth).as_bytes(), depth), Ok(()));
            let error = validate(nested(depth + 1).as_bytes(), depth).unwrap_err();
            assert_eq!((error.fault, error.at), (JsonFault::Depth, depth));
        }
        let error = validate(nested(DEPTH_LIMIT + 1).as_bytes(), usize::MAX).unwrap_err();
        assert_eq!(error.fault, JsonFault::Depth);
        assert_eq!(validate(b"1", 0), Ok(()));
        assert_eq!(
            validate("[".repeat(1 << 20).as_bytes(), 8).unwrap_err().fault,
            JsonFault::Depth
        );
    }

    #[test]
    fn tells_the_kind() {
        for (text, expected) in [
            (" {}", JsonKind::Object),
            ("[1] ", JsonKind::Array),
            ("\"1\"", JsonKind::String),
            ("-1", JsonKind::Number),
            ("true", JsonKind::Bool),
            ("false", JsonKind::Bool),
            ("null", JsonKind::Null),
        ] {
            assert_eq!(kind(text.as_bytes()), Ok(expected), "{text}");
        }
        assert!(kind(b"{} 1").is_err());
        assert!(kind(b"").is_err());
    }

    #[test]
    fn finds_a_member_whatever_its_spelling() {
        let text = br#" { "a" : [1, 2] , "\u0062c":{"a":3}, "d":"x" } "#;
        assert_eq!(member(text, "a"), Ok(Some(&b"[1, 2]"[..])));
        assert_eq!(member(text, "bc"), Ok(Some(&br#"{"a":3}"#[..])));
        assert_eq!(member(text, "d"), Ok(Some(&br#""x""#[..])));
        assert_eq!(member(text, "b"), Ok(None));
        assert_eq!(member(b"{}", "b"), Ok(None));
    }

    #[test]
    fn refuses_a_member_that_two_readers_would_read_differently() {
        let fault = |text: &str| member(text.as_bytes(), "a").unwrap_err().fault;
        assert_eq!(fault(r#"{"a":1,"\u0061":2}"#), JsonFault::Duplicate);
        assert_eq!(fault(r#"{"a":1,"b":}"#), JsonFault::Unexpected);
        assert_eq!(fault(r#"{"a":1} x"#), JsonFault::Trailing);
        assert_eq!(fault("[1]"), JsonFault::NotObject);
        assert_eq!(member(br#"{"a":1,"b":2,"b":3}"#, "a"), Ok(Some(&b"1"[..])));
    }
}

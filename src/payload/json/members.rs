//! The members of a JSON object and the elements of an array, one after the other.
//!
//! What it's not: a map. Order is kept, duplicates come twice, nothing is looked up.
//! Invariant: an iterator that has ended without an error has proved the whole text.

use super::cursor::Cursor;
use super::{DEPTH_LIMIT, JsonError, JsonFault, RawString};

/// One member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The name as it was sent; compare it with [`RawString::is`].
    pub key: RawString<'a>,
    /// The exact bytes of the value, without whitespace around it.
    pub value: &'a [u8],
    /// Offset in bytes of the value in the text.
    pub at: usize,
}

/// One element of an array.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The exact bytes of the value, without whitespace around it.
    pub value: &'a [u8],
    /// Offset in bytes of the value in the text.
    pub at: usize,
}

/// The members of the object that `bytes` hold, in order, proved as they pass.
///
/// # Errors
/// [`JsonFault::Utf8`], [`JsonFault::NotObject`] or [`JsonFault::End`] at once; all else as an item, after which the iterator
/// ends.
pub fn members(bytes: &[u8]) -> Result<Members<'_>, JsonError> {
    let cursor = opened(bytes, b'{', JsonFault::NotObject)?;
    Ok(Members { cursor, place: Place::First })
}

/// The elements of the array that `bytes` hold, in order, proved as they pass.
///
/// # Errors
/// As [`members`], with [`JsonFault::NotArray`].
pub fn elements(bytes: &[u8]) -> Result<Elements<'_>, JsonError> {
    let cursor = opened(bytes, b'[', JsonFault::NotArray)?;
    Ok(Elements { cursor, place: Place::First })
}

fn opened(bytes: &[u8], bracket: u8, otherwise: JsonFault) -> Result<Cursor<'_>, JsonError> {
    let mut cursor = Cursor::over(bytes)?;
    cursor.skip_whitespace();
    match cursor.peek() {
        Some(byte) if byte == bracket => cursor.advance(),
        Some(_) => return Err(cursor.error(otherwise)),
        None => return Err(cursor.error(JsonFault::End)),
    }
    Ok(cursor)
}

/// Where an iterator stands in its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Later,
    Ended,
}

/// Iterator over the members of an object; made by [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    cursor: Cursor<'a>,
    place: Place,
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match arrive(&mut self.cursor, &mut self.place, b'}') {
            Ok(true) => member(&mut self.cursor),
            Ok(false) => return None,
            Err(error) => Err(error),
        };
        if item.is_err() {
            self.place = Place::Ended;
        }
        Some(item)
    }
}

/// Iterator over the elements of an array; made by [`elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    cursor: Cursor<'a>,
    place: Place,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match arrive(&mut self.cursor, &mut self.place, b']') {
            Ok(true) => value(&mut self.cursor),
            Ok(false) => return None,
            Err(error) => Err(error),
        };
        if item.is_err() {
            self.place = Place::Ended;
        }
        Some(item)
    }
}

/// Steps to the next item. False if there is none and the text ends properly.
fn arrive(cursor: &mut Cursor<'_>, place: &mut Place, closing: u8) -> Result<bool, JsonError> {
    if *place == Place::Ended {
        return Ok(false);
    }
    cursor.skip_whitespace();
    match cursor.peek() {
        Some(byte) if byte == closing => {
            *place = Place::Ended;
            cursor.advance();
            cursor.finish().map(|()| false)
        }
        Some(b',') if *place == Place::Later => {
            cursor.advance();
            Ok(true)
        }
        Some(_) if *place == Place::First => {
            *place = Place::Later;
            Ok(true)
        }
        _ => Err(cursor.unexpected()),
    }
}

fn member<'a>(cursor: &mut Cursor<'a>) -> Result<Member<'a>, JsonError> {
    let key = cursor.key()?;
    let Element { value, at } = value(cursor)?;
    Ok(Member { key, value, at })
}

fn value<'a>(cursor: &mut Cursor<'a>) -> Result<Element<'a>, JsonError> {
    cursor.skip_whitespace();
    let at = cursor.at();
    cursor.skip_value(DEPTH_LIMIT - 1)?;
    Ok(Element { value: cursor.since(at), at })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = Vec<(&'a str, &'a str)>;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    fn pairs(json: &str) -> Result<Pairs<'_>, JsonFault> {
        members(json.as_bytes())
            .map_err(|error| error.fault)?
            .map(|member| member.map(|member| (member.key.raw(), text(member.value))))
            .collect::<Result<_, _>>()
            .map_err(|error| error.fault)
    }

    fn values(json: &str) -> Result<Vec<&str>, JsonFault> {
        elements(json.as_bytes())
            .map_err(|error| error.fault)?
            .map(|element| element.map(|element| text(element.value)))
            .collect::<Result<_, _>>()
            .map_err(|error| error.fault)
    }

    #[test]
    fn gives_members_in_order_with_their_exact_bytes() {
        assert_eq!(pairs("{}"), Ok(vec![]));
        assert_eq!(pairs(" { } "), Ok(vec![]));
        let json = r#" { "a" : 1 , "b":[ 1, 2 ],"c": {"x" : ","} , "a":"}" } "#;
        let expected =
            vec![("a", "1"), ("b", "[ 1, 2 ]"), ("c", r#"{"x" : ","}"#), ("a", r#""}""#)];
        assert_eq!(pairs(json), Ok(expected));
    }

    #[test]
    fn gives_elements_likewise() {
        assert_eq!(values("[ ]"), Ok(vec![]));
        let expected = vec!["1", r#"{"a":[]}"#, "[ [] ]", r#""]""#];
        assert_eq!(values(r#"[1, {"a":[]} ,[ [] ],"]" ]"#), Ok(expected));
    }

    #[test]
    fn ends_with_the_fault() {
        use JsonFault::*;
        for (json, fault) in [
            ("", End),
            ("1", NotObject),
            ("[]", NotObject),
            ("{", End),
            ("{,}", Unexpected),
            (r#"{"a":1,}"#, Unexpected),
            (r#"{"a":1 "b":2}"#, Unexpected),
            (r#"{"a":1]"#, Unexpected),
            (r#"{"a":1}}"#, Trailing),
            (r#"{"a"}"#, Unexpected),
            (r#"{"a":}"#, Unexpected),
        ] {
            assert_eq!(pairs(json), Err(fault), "{json}");
        }
        for (json, fault) in [
            ("{}", NotArray),
            ("[1", End),
            ("[1,]", Unexpected),
            ("[]1", Trailing),
            ("[,]", Unexpected),
        ] {
            assert_eq!(values(json), Err(fault), "{json}");
        }
        let mut broken = members(b"{\"a\":1,").unwrap();
        assert!(broken.next().is_some_and(|item| item.is_ok()));
        assert!(broken.next().is_some_and(|item| item.is_err()));
        assert!(broken.next().is_none());
    }

    #[test]
    fn nests_as_deep_as_the_limit_counted_from_the_top() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(values(&nested(DEPTH_LIMIT)).map(|values| values.len()), Ok(1));
        assert_eq!(values(&nested(DEPTH_LIMIT + 1)), Err(JsonFault::Depth));
    }
}

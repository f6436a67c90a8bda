//! Shapes of JSON payloads that several platforms' documents prescribe.
//!
//! They say what is wrong, in words; what becomes of it is the platform's. Invariant: members that the documents
//! don't name are never looked at.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, Rfc3339};

/// The members of a JSON object.
///
/// # Errors
/// What it is instead.
pub(super) fn object(payload: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(payload) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("it isn't a JSON object".to_owned()),
        Err(error) => Err(format!("it isn't JSON: {error}")),
    }
}

/// A member that is one of some words, if it is there.
pub(super) fn word(members: &Map<String, Value>, name: &str, words: &[&str]) -> Result<(), String> {
    match members.get(name) {
        None => Ok(()),
        Some(Value::String(text)) if words.contains(&&**text) => Ok(()),
        Some(other) => Err(format!("{name} is {other}; {} are known", words.join(", "))),
    }
}

/// A member that is a text, and there.
pub(super) fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, String> {
    match members.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(format!("{name} has to be a text")),
    }
}

/// A member that is an ISO 8601 text, if it is there.
pub(super) fn iso_time(members: &Map<String, Value>, name: &str) -> Result<(), String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text))
            if OffsetDateTime::parse(text, &Rfc3339).is_ok()
                || OffsetDateTime::parse(text, &Iso8601::PARSING).is_ok() =>
        {
            Ok(())
        }
        Some(other) => Err(format!("{name} is {other}; ISO 8601 is expected")),
    }
}

/// A JSON text as the value that it is, or as a string.
pub(super) fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Seconds since 1970 as `2017-01-25T15:01:35+00:00`.
pub(super) fn offset_time(unix: u64) -> String {
    let seconds = i64::try_from(unix).unwrap_or(0);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).map_or_else(|_| String::new(), |text| text.replace('Z', "+00:00"))
}

/// A random UUID, version 4.
pub(super) fn uuid() -> String {
    let random = fastrand::u128(..);
    let marked = random & !(0xF << 76) & !(0x3 << 62) | 4 << 76 | 0x2 << 62;
    let text = format!("{marked:032x}");
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    parts.join("-")
}

/// Whether a text is written as a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_uuid_is_one_of_version_4() {
        for _ in 0..100 {
            let text = uuid();
            assert!(is_uuid(&text), "{text}");
            assert_eq!(text.as_bytes()[14], b'4', "{text}");
            assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
        }
        for text in
            ["", "123", "0123456789abcdef0123456789abcdef", "g1234567-0123-0123-0123-0123456789ab"]
        {
            assert!(!is_uuid(text), "{text}");
        }
    }

    #[test]
    fn times_are_iso_8601() {
        let times = |text: &str| {
            let members = object(format!("{{\"t\":{text}}}").as_bytes()).unwrap();
            iso_time(&members, "t").is_ok()
        };
        for text in ["\"2021-08-04T07:45:44.122Z\"", "\"2016-11-18T19:07:02+0900\"", "null"] {
            assert!(times(text), "{text}");
        }
        for text in ["\"yesterday\"", "1628063144", "\"2021-13-04T07:45:44Z\""] {
            assert!(!times(text), "{text}");
        }
        assert_eq!(offset_time(1_485_356_495), "2017-01-25T15:01:35+00:00");
    }
}

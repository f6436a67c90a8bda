//! The time among the values: a member that an operator knows to be the timestamp.
//!
//! What it's not: a guess. Without the operator's word every member is a value.
//! Invariant: the other members keep their order and their bytes.

use super::read::{fields, is_object, members, value_or_bytes};
use super::write::Object;
use super::{Body, BodyError, Name, time};
use crate::payload::json::numeric;

/// Reads the member `key` of an object as a time in milliseconds since 1970: a number of seconds or
/// milliseconds, or ISO 8601. The object without it is appended to `out`. Nothing is appended where
/// there is no time: no object, no such member, or `null`.
///
/// # Errors
/// The member is no time, or stands there twice. `out` is then as it was.
pub fn take_time(key: &str, payload: &[u8], out: &mut Vec<u8>) -> Result<Option<u64>, BodyError> {
    let Body::Json(object) = value_or_bytes(payload)? else { return Ok(None) };
    if !is_object(object) {
        return Ok(None);
    }
    let [value] = fields(object, [key])?.known;
    let is_number = value.and_then(numeric).is_some();
    let Some(time) = (if is_number { time::unix(value) } else { time::iso(value) })? else {
        return Ok(None);
    };
    let mut rest = Object::open(out);
    for member in members(object)? {
        let member = member?;
        if !member.key.is(key) {
            rest.key(&Name::Raw(member.key)).extend_from_slice(member.value);
        }
    }
    rest.close();
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(payload: &str) -> Result<Option<(u64, String)>, &'static str> {
        let mut out = b"kept".to_vec();
        let time = take_time("at", payload.as_bytes(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let rest = text.strip_prefix("kept").unwrap().to_owned();
        match time {
            Ok(Some(time)) => Ok(Some((time, rest))),
            Ok(None) => Ok(None).inspect(|_: &Option<_>| assert_eq!(rest, "")),
            Err(error) => Err(error.reason()).inspect_err(|_| assert_eq!(rest, "")),
        }
    }

    #[test]
    fn only_a_time_is_taken_out() {
        for (payload, time, rest) in [
            (r#"{"t":2.50,"at":1567677926,"u":[1]}"#, 1_567_677_926_000, r#"{"t":2.50,"u":[1]}"#),
            (r#"{"at":1567677926.25}"#, 1_567_677_926_250, "{}"),
            (r#" {"at" : "1567677926123" , "b":1} "#, 1_567_677_926_123, r#"{"b":1}"#),
            (r#"{"b":1,"\u0061t":"2019-09-05T10:05:26Z"}"#, 1_567_677_926_000, r#"{"b":1}"#),
        ] {
            assert_eq!(taken(payload), Ok(Some((time, rest.to_owned()))), "{payload}");
        }
        for payload in [r#"{"t":1}"#, r#"{"at":null}"#, r#"{"a":{"at":1}}"#, "[1]", "7", "{x", ""] {
            assert_eq!(taken(payload), Ok(None), "{payload}");
        }
        for (payload, reason) in [
            (r#"{"at":"noon"}"#, "ts_invalid"),
            (r#"{"at":{}}"#, "ts_invalid"),
            (r#"{"at":-1}"#, "ts_invalid"),
            (r#"{"at":1,"at":2}"#, "payload_shape"),
        ] {
            assert_eq!(taken(payload), Err(reason), "{payload}");
        }
    }
}

//! JSON in place: the verdict of `serde_json`, and its strings and numbers.

use interlingua::payload::json::{
    DEPTH_LIMIT, JsonFault, RawString, as_i64, as_u64, elements, escape_into, escaped_length, kind,
    members, only_member, validate,
};
use serde_json::Value;
use serde_json::value::RawValue;

/// Any bytes as JSON.
pub(crate) fn json(bytes: &[u8]) {
    let ours = validate(bytes, DEPTH_LIMIT);
    // As text, which is all that both agree to look at: the value's number may be too large for a double.
    let theirs = serde_json::from_slice::<&RawValue>(bytes);
    match ours {
        Ok(()) => assert!(theirs.is_ok(), "what we take is JSON"),
        // `serde_json` takes half a surrogate pair while it only looks; and what lies deep.
        Err(error) if matches!(error.fault, JsonFault::Escape | JsonFault::Depth) => {}
        Err(error) => assert!(theirs.is_err(), "{error}"),
    }
    assert_eq!(kind(bytes).map(|_| ()), ours);
    let listed = members(bytes).and_then(|all| {
        all.map(|member| member.map(|member| (member.key, member.value)))
            .collect::<Result<Vec<_>, _>>()
    });
    if let Ok(listed) = listed {
        assert_eq!(ours, Ok(()), "a list that ends has proved all of it");
        listed.iter().for_each(|(key, value)| member(*key, value));
        assert_eq!(only_member(bytes).is_ok(), listed.len() == 1);
    }
    let listed = elements(bytes).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    if let Ok(listed) = listed {
        assert_eq!(ours, Ok(()), "a list that ends has proved all of it");
        listed.iter().for_each(|element| number(element.value));
    }
    number(bytes.trim_ascii());
}

/// The name's spelling, and the value as JSON of its own.
fn member(key: RawString<'_>, value: &[u8]) {
    let quoted = format!("\"{}\"", key.raw());
    let theirs: String = serde_json::from_str(&quoted).expect("a string");
    assert!(key.is(&theirs));
    let mut ours = Vec::new();
    key.unescape(&mut ours);
    assert_eq!(ours, theirs.as_bytes());
    assert_eq!(key.unescaped_length(), ours.len());
    let mut again = vec![b'"'];
    escape_into(&theirs, &mut again);
    assert_eq!(again.len() - 1, escaped_length(&theirs));
    again.push(b'"');
    assert_eq!(serde_json::from_slice::<String>(&again).expect("a string"), theirs);
    assert_eq!(validate(value, DEPTH_LIMIT), Ok(()));
    assert_eq!(value, value.trim_ascii());
    number(value);
}

/// Whole numbers are what they are, or nothing.
fn number(bytes: &[u8]) {
    let Ok(theirs) = serde_json::from_slice::<Value>(bytes) else { return };
    if theirs.is_u64() || theirs.is_i64() {
        assert_eq!(as_u64(bytes), theirs.as_u64());
        assert_eq!(as_i64(bytes), theirs.as_i64());
    }
}

//! Putting a member into an object, without a tree.

use super::{JsonError, JsonFault, Member, RawString, members};

/// The only member of an object.
///
/// # Errors
/// As [`members`]; [`JsonFault::Duplicate`] where there are more, [`JsonFault::End`] where there is none.
pub fn only_member(object: &[u8]) -> Result<Member<'_>, JsonError> {
    let mut members = members(object)?;
    let first = members.next().ok_or(JsonError { fault: JsonFault::End, at: 0 })??;
    match members.next() {
        None => Ok(first),
        Some(second) => Err(JsonError { fault: JsonFault::Duplicate, at: second?.at }),
    }
}

/// Appends `object` with this member: in the place of the one with the same name, or else at the end. Cost: one
/// pass over the object.
///
/// # Errors
/// As [`members`]; `out` is then as it was.
pub fn put_member(object: &[u8], member: &Member<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let start = out.len();
    let put = written(object, member, out);
    if put.is_err() {
        out.truncate(start);
    }
    put
}

fn written(object: &[u8], member: &Member<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let mut separator = b'{';
    let mut is_put = false;
    for known in members(object)? {
        let known = known?;
        let same = known.key.same(member.key);
        is_put |= same;
        push(&mut separator, known.key, if same { member.value } else { known.value }, out);
    }
    if !is_put {
        push(&mut separator, member.key, member.value, out);
    }
    out.push(b'}');
    Ok(())
}

fn push(separator: &mut u8, key: RawString<'_>, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[*separator, b'"']);
    out.extend_from_slice(key.raw().as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value);
    *separator = b',';
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(object: &str, member: &str) -> Result<String, JsonError> {
        let mut out = b"before".to_vec();
        let put = put_member(object.as_bytes(), &only_member(member.as_bytes())?, &mut out);
        assert!(out.starts_with(b"before"));
        put.map(|()| String::from_utf8(out[6..].to_vec()).unwrap())
    }

    #[test]
    fn a_member_is_replaced_or_added() {
        for (object, member, expected) in [
            ("{}", r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"b":{"c":[]}}"#, r#"{"a":1,"b":{"c":[]}}"#),
            (r#" {"a" : 1 , "b" : "x" } "#, r#"{"\u0061":2}"#, r#"{"a":2,"b":"x"}"#),
            (r#"{"\u00e9":1}"#, r#"{"é":2}"#, r#"{"\u00e9":2}"#),
            (r#"{"a\"":1.50}"#, r#"{"a":2}"#, r#"{"a\"":1.50,"a":2}"#),
        ] {
            assert_eq!(put(object, member).as_deref(), Ok(expected), "{object} {member}");
        }
    }

    #[test]
    fn what_is_no_object_with_one_member_is_refused() {
        let fault = |object, member| put(object, member).map_err(|error| error.fault);
        assert_eq!(fault("[1]", r#"{"a":1}"#), Err(JsonFault::NotObject));
        assert_eq!(fault("{}", "{}"), Err(JsonFault::End));
        assert_eq!(fault("{}", r#"{"a":1,"b":2}"#), Err(JsonFault::Duplicate));
        assert!(fault(r#"{"a":1,"#, r#"{"a":1}"#).is_err());
    }
}

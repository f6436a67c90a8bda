//! Reading members by name, in one pass and without a tree.
//!
//! What it's not: a schema. Which members are needed is said where they are used.
//! Invariant: what comes back has been proved, and no member was there twice.

use super::{Body, BodyError};
use crate::payload::json::{self, JsonFault, JsonKind, RawString};

/// The members that were asked for, and how many others there are.
pub(super) struct Fields<'p, const N: usize> {
    /// In the order of the names.
    pub(super) known: [Option<&'p [u8]>; N],
    /// How many members have other names.
    pub(super) others: usize,
}

/// The members of an object that have these names. `null` is kept.
pub(super) fn fields<'p, const N: usize>(
    object: &'p [u8],
    names: [&str; N],
) -> Result<Fields<'p, N>, BodyError> {
    let mut fields = Fields { known: [None; N], others: 0 };
    for member in members(object)? {
        let member = member?;
        let slot = fields.known.iter_mut().zip(names).find(|(_, name)| member.key.is(name));
        match slot {
            Some((slot, _)) if slot.is_none() => *slot = Some(member.value),
            Some(_) => return Err(BodyError::Shape("a member stands there twice")),
            None => fields.others += 1,
        }
    }
    Ok(fields)
}

/// The members of an object; another JSON value is a matter of shape.
pub(super) fn members(object: &[u8]) -> Result<json::Members<'_>, BodyError> {
    json::members(object).map_err(|error| {
        if error.fault != JsonFault::NotObject {
            return error.into();
        }
        match json::kind(object) {
            Ok(_) => BodyError::Shape("not an object"),
            Err(error) => error.into(),
        }
    })
}

/// The only member of an object.
pub(super) fn only(object: &[u8]) -> Result<Option<json::Member<'_>>, BodyError> {
    let mut found = None;
    let mut count = 0_usize;
    for member in members(object)? {
        found = Some(member?);
        count += 1;
    }
    Ok(if count == 1 { found } else { None })
}

/// The JSON value that the bytes are, or else the bytes.
pub(super) fn value_or_bytes(payload: &[u8]) -> Result<Body<'_>, BodyError> {
    if payload.trim_ascii().is_empty() {
        return Ok(if payload.is_empty() { Body::Nothing } else { Body::Bytes(payload) });
    }
    match json::kind(payload) {
        Ok(_) => Ok(Body::Json(payload.trim_ascii())),
        Err(error) if error.fault == JsonFault::Depth => Err(error.into()),
        Err(_) => Ok(Body::Bytes(payload)),
    }
}

/// The kind of a value that has been proved.
pub(super) fn kind_of(value: &[u8]) -> JsonKind {
    match value.trim_ascii_start().first() {
        Some(b'{') => JsonKind::Object,
        Some(b'[') => JsonKind::Array,
        Some(b'"') => JsonKind::String,
        Some(b't' | b'f') => JsonKind::Bool,
        Some(b'n') => JsonKind::Null,
        _ => JsonKind::Number,
    }
}

/// Whether a proved value is an object.
pub(super) fn is_object(value: &[u8]) -> bool {
    kind_of(value) == JsonKind::Object
}

/// Whether a proved value is `{}`.
pub(super) fn is_empty_object(value: &[u8]) -> bool {
    let inside = value.trim_ascii().strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// A member that has to be a string if it's there; `null` is as good as absent.
pub(super) fn text<'p>(
    value: Option<&'p [u8]>,
    otherwise: &'static str,
) -> Result<Option<RawString<'p>>, BodyError> {
    match value {
        None | Some(b"null") => Ok(None),
        Some(value) => RawString::of(value).map(Some).ok_or(BodyError::Shape(otherwise)),
    }
}

/// The value of a member; absent is nothing.
pub(super) fn body(value: Option<&[u8]>) -> Body<'_> {
    value.map_or(Body::Nothing, Body::Json)
}

/// Any command's input: `{}` says nothing.
pub(super) fn input(value: Option<&[u8]>) -> Body<'_> {
    body(value.filter(|value| !is_empty_object(value)))
}

/// The inside of `{"value":v}`, `{"value:":v}` and of the same with `unit`.
pub(super) struct Measured<'p> {
    /// The value.
    pub(super) value: &'p [u8],
    /// Its unit.
    pub(super) unit: Option<&'p [u8]>,
}

/// Takes a value out of the object that has only it and its unit; another value is itself.
pub(super) fn measured(value: &[u8]) -> Result<Measured<'_>, BodyError> {
    if is_object(value) {
        let Fields { known: [inner, typo, unit], others } =
            fields(value, ["value", "value:", "unit"])?;
        if let (Some(inner), None, 0) | (None, Some(inner), 0) = (inner, typo, others) {
            return Ok(Measured { value: inner, unit });
        }
    }
    Ok(Measured { value, unit: None })
}

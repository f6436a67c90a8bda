//! Writing members one after the other, without a tree.
//!
//! What it's not: a serializer; the values are slices that were proved before.
//! Invariant: an object that was opened and closed here is valid JSON.

use super::read::is_object;
use super::{Body, BodyError, BodyOptions, Name, Purpose, RawBytes};
use crate::payload::json::{RawString, escape_into};

/// An object that is being written.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    /// Opens an object.
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    /// Writes the name of a member, whose value the caller appends.
    pub(super) fn key(&mut self, name: &Name<'_>) -> &mut Vec<u8> {
        self.comma();
        name.write_json(self.out);
        self.out.push(b':');
        self.out
    }

    /// As [`Self::key`], for a name that needs no escape.
    pub(super) fn named(&mut self, name: &str) -> &mut Vec<u8> {
        self.key(&Name::Text(name))
    }

    /// A member with a proved value.
    pub(super) fn json(&mut self, name: &str, value: &[u8]) {
        self.named(name).extend_from_slice(value);
    }

    /// A member with a proved value, if there is one.
    pub(super) fn maybe(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.json(name, value);
        }
    }

    /// A member with a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        Name::Text(text).write_json(self.named(name));
    }

    /// A member with a string from a payload.
    pub(super) fn raw(&mut self, name: &str, text: RawString<'_>) {
        Name::Raw(text).write_json(self.named(name));
    }

    /// A member with a text of ours if there is one, else with the payload's.
    pub(super) fn text_or(&mut self, name: &str, own: Option<&str>, otherwise: RawString<'_>) {
        match own {
            Some(own) => self.text(name, own),
            None => self.raw(name, otherwise),
        }
    }

    /// A member with a whole number.
    pub(super) fn number(&mut self, name: &str, number: u64) {
        let mut buffer = itoa::Buffer::new();
        self.json(name, buffer.format(number).as_bytes());
    }

    /// A member with the identifier of the source or one of our own.
    pub(super) fn identifier(&mut self, name: &str, own: Option<RawString<'_>>, serial: u64) {
        write_identifier(own, serial, self.named(name));
    }

    /// Closes the object.
    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}

/// Appends the identifier of the source or one of the proxy's own, as a JSON string.
pub fn write_identifier(own: Option<RawString<'_>>, serial: u64, out: &mut Vec<u8>) {
    out.push(b'"');
    identifier(own, serial, out);
    out.push(b'"');
}

/// The inside of a JSON string with the identifier of the source or one of our own.
pub(super) fn identifier(own: Option<RawString<'_>>, serial: u64, out: &mut Vec<u8>) {
    match own {
        Some(own) => out.extend_from_slice(own.raw().as_bytes()),
        None => {
            out.extend_from_slice(b"c-");
            out.extend_from_slice(itoa::Buffer::new().format(serial).as_bytes());
        }
    }
}

/// Appends a body where JSON is needed. Towards devices a text is a string.
pub(super) fn value(
    body: Body<'_>,
    purpose: Purpose,
    options: &BodyOptions,
    out: &mut Vec<u8>,
) -> Result<(), BodyError> {
    match body {
        Body::Nothing => return Err(BodyError::Shape("a value is missing")),
        Body::Json(json) => out.extend_from_slice(json),
        Body::Bytes(bytes) => match str::from_utf8(bytes) {
            Ok(text) if purpose.is_down() => Name::Text(text).write_json(out),
            _ if options.raw_as_hex == RawBytes::Hex => hex(bytes, out),
            _ => return Err(BodyError::NotJson),
        },
    }
    Ok(())
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) };
    out.push(b'"');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    out.push(b'"');
}

/// Appends `{channel: value}`, or the object that a body without channel has to be.
pub(super) fn keyed(
    channel: Option<Name<'_>>,
    body: Body<'_>,
    purpose: Purpose,
    options: &BodyOptions,
    out: &mut Vec<u8>,
) -> Result<(), BodyError> {
    match (channel, body) {
        (Some(channel), body) => {
            let mut object = Object::open(out);
            value(body, purpose, options, object.key(&channel))?;
            object.close();
            Ok(())
        }
        (None, Body::Json(json)) if is_object(json) => {
            out.extend_from_slice(json);
            Ok(())
        }
        (None, Body::Nothing) => Err(BodyError::Shape("a value is missing")),
        (None, _) => Err(BodyError::NoChannel),
    }
}

/// Appends an object with one more member at its end.
pub(super) fn with_member(object: &[u8], name: &str, text: RawString<'_>, out: &mut Vec<u8>) {
    let inside = object.trim_ascii();
    let inside = inside.strip_suffix(b"}").unwrap_or(inside).trim_ascii_end();
    out.extend_from_slice(inside);
    if inside != b"{" {
        out.push(b',');
    }
    Name::Text(name).write_json(out);
    out.push(b':');
    Name::Raw(text).write_json(out);
    out.push(b'}');
}

/// Appends a JSON value as a text: a string without quotes and escapes, all else spelled out.
pub(super) fn as_plain_text(value: &[u8], out: &mut Vec<u8>) {
    match RawString::of(value) {
        Some(text) => text.unescape(out),
        None => out.extend_from_slice(value),
    }
}

/// Appends a JSON value as the text of a string: strings as they are, all else spelled out.
pub(super) fn as_text(value: &[u8], out: &mut Vec<u8>) {
    match (RawString::of(value), str::from_utf8(value)) {
        (Some(text), _) => Name::Raw(text).write_json(out),
        (None, spelled) => {
            out.push(b'"');
            escape_into(spelled.unwrap_or_default(), out);
            out.push(b'"');
        }
    }
}

//! Payload to content: the shapes without a frame of their own, and the way to those with one.
//!
//! What it's not: proof that the target can say it; `pieces` and `encode` see to that.
//! Invariant: a body that is JSON has been proved to its last byte.

use super::read::{Fields, body, fields, input, is_object, members, value_or_bytes};
use super::{Body, BodyError, Content, Frame, Layout, Name, Purpose, Shape, frames, layout, time};
use crate::payload::json::{JsonKind, RawString, kind};
use crate::payload::msgpack::{MsgpackOptions, Outcome, looks_like, to_json};

/// What became of a binary payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transcoded {
    /// JSON was appended.
    Json,
    /// It isn't MessagePack; nothing was appended and the bytes stay what they are.
    Raw,
}

/// Appends the JSON of a MessagePack map or array to `out`; other bytes stay what they are.
///
/// # Errors
/// MessagePack that the options refuse. `out` is then as it was before.
pub fn transcode(
    payload: &[u8],
    options: &MsgpackOptions,
    out: &mut Vec<u8>,
) -> Result<Transcoded, BodyError> {
    if !looks_like(payload) {
        return Ok(Transcoded::Raw);
    }
    match to_json(payload, options, out).map_err(BodyError::Payload)? {
        Outcome::Json => Ok(Transcoded::Json),
        Outcome::NotMessagePack => Ok(Transcoded::Raw),
    }
}

/// Reads a payload of a source shape. A binary one goes through [`transcode`] first, a declared one through
/// [`decode_layout`] instead.
///
/// # Errors
/// The payload isn't JSON where its shape says so, or not what the shape asks for.
pub fn decode(shape: Shape, purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    match shape {
        Shape::Opaque => plain(purpose, payload, value_or_bytes(payload)?),
        Shape::Binary => plain(purpose, payload, binary(payload)?),
        Shape::Json => strict(purpose, payload),
        Shape::JsonOrNumber => json_or_number(purpose, payload),
        Shape::Empty => Ok(Content::of(purpose, payload, Body::Nothing)),
        Shape::Keyed | Shape::Members => keyed(purpose, payload),
        Shape::SmartworksAction => frames::smartworks_action(purpose, payload),
        Shape::SmartworksEvent => frames::smartworks_event(purpose, payload),
        Shape::SmartworksData => frames::smartworks_data(purpose, payload),
        Shape::Mqtt2goCommand => frames::mqtt2go_command(purpose, payload),
        Shape::Mqtt2goReport => frames::mqtt2go_report(purpose, payload),
        Shape::Mqtt2goEvent => frames::mqtt2go_event(purpose, payload),
        Shape::XyteTelemetry => frames::xyte_telemetry(purpose, payload),
        Shape::XyteCommand => frames::xyte_command(purpose, payload),
        Shape::XyteUpdate => frames::xyte_update(purpose, payload),
        Shape::XyteConfig => frames::xyte_config(purpose, payload),
        Shape::Declared => Err(layout::UNKNOWN),
    }
}

/// Reads a payload of a declared shape by its layout.
///
/// # Errors
/// The payload isn't JSON, or something isn't where and what the layout says.
pub fn decode_layout<'p>(
    layout: &Layout,
    purpose: Purpose,
    payload: &'p [u8],
) -> Result<Content<'p>, BodyError> {
    layout::read(layout, purpose, payload)
}

fn strict(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    // An empty configuration says nothing, on every platform.
    if payload.is_empty() && purpose == Purpose::Config {
        return Ok(Content::of(purpose, payload, Body::Nothing));
    }
    kind(payload)?;
    plain(purpose, payload, Body::Json(payload.trim_ascii()))
}

fn json_or_number(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    if purpose.is_down() {
        return plain(purpose, payload, value_or_bytes(payload)?);
    }
    match kind(payload)? {
        JsonKind::Array => Err(BodyError::Shape("an array, not an object or a number")),
        _ => plain(purpose, payload, Body::Json(payload.trim_ascii())),
    }
}

/// Of bytes that were no MessagePack only objects and arrays are certain to be JSON: `7` may be a
/// raw byte.
fn binary(payload: &[u8]) -> Result<Body<'_>, BodyError> {
    match payload.trim_ascii_start().first() {
        Some(b'{' | b'[') => value_or_bytes(payload),
        None if payload.is_empty() => Ok(Body::Nothing),
        _ => Ok(Body::Bytes(payload)),
    }
}

/// A payload without frame, in which a frame may be recognised.
fn plain<'p>(
    purpose: Purpose,
    payload: &'p [u8],
    body: Body<'p>,
) -> Result<Content<'p>, BodyError> {
    let content = Content::of(purpose, payload, body);
    let Body::Json(object) = body else { return Ok(content) };
    if !is_object(object) {
        return Ok(content);
    }
    match purpose {
        Purpose::Command | Purpose::Query => command(content, object),
        Purpose::Config => config(content, object),
        Purpose::Response => response(content, object),
        Purpose::Telemetry | Purpose::State | Purpose::Event | Purpose::Error => Ok(content),
    }
}

/// Which of the known frames an object's members make up, and all of them.
fn command<'p>(content: Content<'p>, object: &'p [u8]) -> Result<Content<'p>, BodyError> {
    let names = [
        "entity",
        "type",
        "value",
        "timestamp",
        "ts",
        "unit",
        "action",
        "input",
        "name",
        "parameters",
        "id",
    ];
    let found = match fields(object, names) {
        Ok(found) => found,
        // Twice the same member is the sender's own affair where it isn't a frame.
        Err(BodyError::Shape(_)) => return Ok(content),
        Err(error) => return Err(error),
    };
    match found {
        Fields {
            known: [entity, word, value, stamp, ts, unit, None, None, None, None, None],
            others: 0,
        } if entity.is_some() || word.is_some() || value.is_some() => {
            entity_frame(content, [entity, word, value, stamp.or(ts), unit])
        }
        Fields {
            known: [None, None, None, None, None, None, Some(action), given, None, None, id],
            others: 0,
        } => Ok(named_frame(content, action, given, id)),
        Fields {
            known: [None, None, None, None, None, None, None, None, Some(name), given, id],
            others: 0,
        } => Ok(named_frame(content, name, given, id)),
        _ => Ok(content),
    }
}

fn entity_frame<'p>(
    content: Content<'p>,
    [entity, word, value, stamp, unit]: [Option<&'p [u8]>; 5],
) -> Result<Content<'p>, BodyError> {
    let channel = entity.and_then(RawString::of);
    let kind = word.and_then(RawString::of);
    if channel.is_some() != entity.is_some() || kind.is_some() != word.is_some() {
        return Ok(content);
    }
    Ok(Content {
        channel: channel.map(Name::Raw),
        word: kind,
        body: body(value),
        unit,
        timestamp_ms: time::unix(stamp)?,
        frame: if channel.is_some() && (value.is_some() || word.is_some()) {
            Frame::Firm
        } else {
            Frame::Loose
        },
        ..content
    })
}

fn named_frame<'p>(
    content: Content<'p>,
    name: &'p [u8],
    given: Option<&'p [u8]>,
    id: Option<&'p [u8]>,
) -> Content<'p> {
    let identifier = id.and_then(RawString::of);
    let (Some(name), true) = (RawString::of(name), identifier.is_some() == id.is_some()) else {
        return content;
    };
    let frame = if given.is_some() || id.is_some() { Frame::Firm } else { Frame::Loose };
    Content { channel: Some(Name::Raw(name)), body: input(given), identifier, frame, ..content }
}

/// `{"config":{…},"version":…}` is what a Xyte configuration becomes.
fn config<'p>(content: Content<'p>, object: &'p [u8]) -> Result<Content<'p>, BodyError> {
    let found = fields(object, ["config", "version", "last_updated", "name"]);
    let Fields { known: [inner, version, updated, _], others } = match found {
        Ok(found) => found,
        Err(BodyError::Shape(_)) => return Ok(content),
        Err(error) => return Err(error),
    };
    match (inner, version, others) {
        (Some(inner), Some(_), 0) if is_object(inner) => {
            Ok(Content { body: Body::Json(inner), version, updated, ..content })
        }
        _ => Ok(content),
    }
}

/// `{"id":…,"status":…,"message":…}`, as far as it's there.
fn response<'p>(content: Content<'p>, object: &'p [u8]) -> Result<Content<'p>, BodyError> {
    let Fields { known: [id, status, message], others } =
        fields(object, ["id", "status", "message"])?;
    let (identifier, word) = (id.and_then(RawString::of), status.and_then(RawString::of));
    if identifier.is_none() || word.is_none() || others > 0 {
        return Ok(content);
    }
    Ok(Content { identifier, word, message, ..content })
}

/// `{"channel": value, …}`.
fn keyed(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let mut content = Content::of(purpose, payload, Body::Json(payload.trim_ascii()));
    content.channels_inside = true;
    if payload.is_empty() && purpose == Purpose::Config {
        return Ok(Content::of(purpose, payload, Body::Nothing));
    }
    let mut count = 0_usize;
    for member in members(payload)? {
        let member = member?;
        count += 1;
        content.channel = Some(Name::Raw(member.key));
        content.inner = Some(member.value);
    }
    match (count, content.inner) {
        (1, Some(value)) => content.body = Body::Json(value),
        _ => content.channel = None,
    }
    content.inner = None;
    Ok(content)
}

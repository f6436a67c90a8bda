//! Content to messages: how many there are, what each is about, and what it carries.
//!
//! What it's not: bytes or topics. Nothing is written here, and nothing copied.
//! Invariant: pieces keep the order of the members, and every one has a channel where the target
//! needs one.

use super::read::{fields, is_empty_object, is_object, kind_of, measured, members, only};
use super::{
    Body, BodyError, BodyOptions, ChannelNeed, Content, Frame, Name, Piece, Purpose, RawBytes,
    Shape,
};
use crate::payload::json::JsonKind;

/// How many messages a content becomes for a target, in order: one, or one per member where the
/// target has a topic or a frame for each channel. `topic_channel` is what the source's topic says;
/// the payload's own channel is used where that has none. Clears `out` first; empty afterwards
/// means that there is nothing to send.
///
/// # Errors
/// There is no channel where the target needs one, or the body can't be taken apart.
pub fn pieces<'p>(
    content: &Content<'p>,
    topic_channel: Option<Name<'p>>,
    target: Shape,
    needs_channel: ChannelNeed,
    options: &'p BodyOptions,
    out: &mut Vec<Piece<'p>>,
) -> Result<(), BodyError> {
    out.clear();
    // An empty configuration, or a record that has only a status (which is another message).
    let may_be_empty = content.purpose == Purpose::Config || content.beside.is_some();
    if may_be_empty && matches!(content.body, Body::Nothing) {
        return Ok(());
    }
    let result = cut(content, topic_channel, (target, needs_channel), options, out);
    if result.is_err() {
        out.clear();
    }
    result
}

fn cut<'p>(
    content: &Content<'p>,
    topic_channel: Option<Name<'p>>,
    (target, need): (Shape, ChannelNeed),
    options: &'p BodyOptions,
    out: &mut Vec<Piece<'p>>,
) -> Result<(), BodyError> {
    let whole = Piece {
        channel: topic_channel.or(content.channel),
        body: chosen(content, topic_channel, target),
    };
    match target {
        Shape::SmartworksAction => out.push(action(whole, options)?),
        Shape::XyteCommand => out.push(defaulted(whole, options.default_action.as_deref())?),
        Shape::SmartworksEvent => out.push(defaulted(whole, options.default_channel.as_deref())?),
        Shape::Keyed | Shape::Mqtt2goReport | Shape::Mqtt2goCommand => {
            return per_channel(content, topic_channel, whole, options, out);
        }
        Shape::Members | Shape::Declared if need == ChannelNeed::Topic => {
            return per_channel(content, topic_channel, whole, options, out);
        }
        Shape::Members | Shape::XyteTelemetry | Shape::SmartworksData => {
            out.push(gathered(content, whole, options)?);
        }
        Shape::XyteConfig => out.push(configured(content, whole)?),
        Shape::Opaque
        | Shape::Json
        | Shape::JsonOrNumber
        | Shape::Binary
        | Shape::Empty
        | Shape::Mqtt2goEvent
        | Shape::XyteUpdate
        | Shape::Declared => out.push(whole),
    }
    if need == ChannelNeed::Topic && out.iter().any(|piece| piece.channel.is_none()) {
        return Err(BodyError::NoChannel);
    }
    Ok(())
}

/// The body inside a frame, or the whole payload where the frame may have been none.
fn chosen<'p>(content: &Content<'p>, topic_channel: Option<Name<'p>>, target: Shape) -> Body<'p> {
    let whole = Body::Json(content.payload.trim_ascii());
    match (content.frame, content.channel, topic_channel) {
        (Frame::Loose, None, _) if target != Shape::Mqtt2goCommand => whole,
        (Frame::Loose, Some(own), Some(topic)) if !own.same(&topic) => whole,
        _ => content.body,
    }
}

fn defaulted<'p>(piece: Piece<'p>, default: Option<&'p str>) -> Result<Piece<'p>, BodyError> {
    let channel = piece.channel.or(default.map(Name::Text)).ok_or(BodyError::NoChannel)?;
    Ok(Piece { channel: Some(channel), ..piece })
}

/// A command without channel is the action that its only member names.
fn action<'p>(piece: Piece<'p>, options: &'p BodyOptions) -> Result<Piece<'p>, BodyError> {
    if let (None, Body::Json(json)) = (piece.channel, piece.body)
        && is_object(json)
        && let Some(member) = only(json)?
    {
        let empty = is_empty_object(member.value);
        let body = if empty { Body::Nothing } else { Body::Json(member.value) };
        return Ok(Piece { channel: Some(Name::Raw(member.key)), body });
    }
    defaulted(piece, options.default_action.as_deref())
}

/// One message per channel.
fn per_channel<'p>(
    content: &Content<'p>,
    topic_channel: Option<Name<'p>>,
    whole: Piece<'p>,
    options: &'p BodyOptions,
    out: &mut Vec<Piece<'p>>,
) -> Result<(), BodyError> {
    let channel = if content.channels_inside { content.channel } else { whole.channel };
    if let Some(channel) = channel {
        out.push(Piece { channel: Some(channel), body: whole.body });
        return Ok(());
    }
    let splits = matches!(content.purpose, Purpose::Telemetry | Purpose::State | Purpose::Config);
    match whole.body {
        Body::Json(json) if splits && is_object(json) => split(content, json, out),
        Body::Nothing if content.word.is_some() && content.channels_inside => {
            status(content, out);
            Ok(())
        }
        _ if content.purpose == Purpose::Config => {
            Err(BodyError::Shape("the configuration isn't an object"))
        }
        Body::Json(json) if splits && kind_of(json) == JsonKind::Array => {
            Err(BodyError::Shape("an array has no channels"))
        }
        Body::Bytes(_) if splits && options.raw_as_hex == RawBytes::Refuse => {
            Err(BodyError::NotJson)
        }
        _ => {
            let channel = topic_channel.or(content.channel);
            let default = options.default_channel.as_deref().map(Name::Text);
            let channel = channel.or(default).ok_or(BodyError::NoChannel)?;
            out.push(Piece { channel: Some(channel), body: whole.body });
            Ok(())
        }
    }
}

fn split<'p>(
    content: &Content<'p>,
    json: &'p [u8],
    out: &mut Vec<Piece<'p>>,
) -> Result<(), BodyError> {
    // The version of an older Xyte configuration stands among its fields.
    let versioned = content.version.is_some() && std::ptr::eq(json, content.payload.trim_ascii());
    let mut has_status = false;
    for member in members(json)? {
        let member = member?;
        if versioned && ["version", "last_updated"].iter().any(|name| member.key.is(name)) {
            continue;
        }
        has_status |= member.key.is("status");
        out.push(Piece { channel: Some(Name::Raw(member.key)), body: Body::Json(member.value) });
    }
    if !has_status && content.channels_inside {
        status(content, out);
    }
    Ok(())
}

/// The status of a Xyte device is one of its values.
fn status<'p>(content: &Content<'p>, out: &mut Vec<Piece<'p>>) {
    if let Some(value) = status_value(content) {
        out.push(Piece { channel: Some(Name::Text("status")), body: Body::Json(value) });
    }
}

/// The status with its quotes, which stand around it in the payload.
fn status_value<'p>(content: &Content<'p>) -> Option<&'p [u8]> {
    content.word?;
    fields(content.payload, ["status"]).ok()?.known.into_iter().next().flatten()
}

/// All values in one object.
fn gathered<'p>(
    content: &Content<'p>,
    whole: Piece<'p>,
    options: &'p BodyOptions,
) -> Result<Piece<'p>, BodyError> {
    if content.channels_inside {
        return Ok(Piece { channel: content.channel, ..whole });
    }
    if whole.channel.is_some() {
        return Ok(whole);
    }
    match whole.body {
        Body::Json(json) if is_object(json) => Ok(whole),
        // A text about an error is no value; Xyte has a message for it.
        Body::Json(json)
            if content.purpose == Purpose::Error && kind_of(json) == JsonKind::String =>
        {
            Ok(whole)
        }
        Body::Json(json) if kind_of(json) == JsonKind::Array => {
            Err(BodyError::Shape("an array has no channels"))
        }
        Body::Bytes(_) if options.raw_as_hex == RawBytes::Refuse => Err(BodyError::NotJson),
        _ => defaulted(whole, options.default_channel.as_deref()),
    }
}

/// A configuration is an object, or one value of it.
fn configured<'p>(content: &Content<'p>, whole: Piece<'p>) -> Result<Piece<'p>, BodyError> {
    if content.channels_inside {
        return Ok(Piece { channel: content.channel, ..whole });
    }
    match whole.body {
        Body::Json(json) if whole.channel.is_some() || is_object(json) => Ok(whole),
        _ if whole.channel.is_some() => Ok(whole),
        _ => Err(BodyError::Shape("the configuration isn't an object")),
    }
}

/// What an action or a command gets as its input: `{"value":v}` alone is `v`.
pub(super) fn unwrapped(body: Body<'_>) -> Result<Body<'_>, BodyError> {
    match body {
        Body::Json(json) if is_object(json) => {
            let inner = measured(json)?;
            Ok(if inner.unit.is_none() { Body::Json(inner.value) } else { body })
        }
        _ => Ok(body),
    }
}

//! Payload to content for the shapes that have a frame of their own.
//!
//! What it's not: proof of members that nobody reads; they are JSON, and that is all.
//! Invariant: the body of a frame is what the platform means by it, without the frame.

use super::read::{
    Fields, Measured, body, fields, input, is_object, measured, members, only, text,
};
use super::{Body, BodyError, Content, Name, Purpose, time};
use crate::payload::json::RawString;

/// `{"{action}": {"input": …, "href": …, "status": …}}`
pub(super) fn smartworks_action(
    purpose: Purpose,
    payload: &[u8],
) -> Result<Content<'_>, BodyError> {
    let action = only(payload)?.ok_or(BodyError::Shape("not one action"))?;
    let Fields { known: [given, href, status, output], .. } =
        fields(action.value, ["input", "href", "status", "output"])?;
    let word = text(status, "the status isn't a string")?;
    let href = text(href, "the address isn't a string")?;
    let mut content = Content::of(purpose, payload, Body::Nothing);
    content.channel = Some(Name::Raw(action.key));
    content.inner = Some(action.value);
    content.identifier = href.map(RawString::last_segment).filter(|id| !id.raw().is_empty());
    content.word = word;
    if purpose == Purpose::Response {
        content.body = body(output);
        return Ok(content);
    }
    if word.is_some_and(|word| !word.is("pending")) {
        return Err(BodyError::UnsupportedStatus);
    }
    content.body = input(given);
    Ok(content)
}

/// `{"{event}": {"data": …}}`
pub(super) fn smartworks_event(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let event = only(payload)?.ok_or(BodyError::Shape("not one event"))?;
    let Fields { known: [data], .. } = fields(event.value, ["data"])?;
    let mut content = Content::of(purpose, payload, body(data));
    content.channel = Some(Name::Raw(event.key));
    content.inner = Some(event.value);
    Ok(content)
}

/// `{"data": {…}, "status": {…}}`
pub(super) fn smartworks_data(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let Fields { known: [data, status], .. } = fields(payload, ["data", "status"])?;
    if data.is_none() && status.is_none() {
        return Err(BodyError::Shape("neither data nor status"));
    }
    let mut content = Content::of(purpose, payload, body(data));
    content.beside = status;
    content.channels_inside = data.is_some_and(is_object);
    Ok(content)
}

/// `{"type": …, "timestamp": …, "value": …}`
pub(super) fn mqtt2go_command(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let Fields { known: [kind, stamp, value], .. } =
        fields(payload, ["type", "timestamp", "value"])?;
    let mut content = Content::of(purpose, payload, body(value));
    content.word = text(kind, "the type isn't a string")?;
    content.timestamp_ms = time::unix(stamp)?;
    Ok(content)
}

/// `{"type": …, "priority_level": …, "timestamp": …, "value" | "report": …}`
pub(super) fn mqtt2go_report(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let Fields { known: [kind, priority, stamp, value, report], .. } =
        fields(payload, ["type", "priority_level", "timestamp", "value", "report"])?;
    let value = value.or(report).ok_or(BodyError::Shape("neither value nor report"))?;
    let Measured { value, unit } = measured(value)?;
    let mut content = Content::of(purpose, payload, Body::Json(value));
    content.unit = unit;
    content.priority = priority;
    content.word = text(kind, "the type isn't a string")?;
    content.timestamp_ms = time::unix(stamp)?;
    Ok(content)
}

/// `{"priority_level": …, "timestamp": …, "value": {"event_name": …, "message": …}}`
pub(super) fn mqtt2go_event(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let Fields { known: [priority, stamp, value], .. } =
        fields(payload, ["priority_level", "timestamp", "value"])?;
    let value = value.ok_or(BodyError::Shape("a value is missing"))?;
    let mut content = Content::of(purpose, payload, Body::Json(value));
    content.priority = priority;
    content.timestamp_ms = time::unix(stamp)?;
    if is_object(value) {
        let Fields { known: [name], .. } = fields(value, ["event_name"])?;
        content.channel = name.and_then(RawString::of).map(Name::Raw);
    }
    Ok(content)
}

/// `{"status": …, "timestamp": …, "telemetries": {…}}`
pub(super) fn xyte_telemetry(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let Fields { known: [status, stamp, telemetries, message], .. } =
        fields(payload, ["status", "timestamp", "telemetries", "message"])?;
    if telemetries.is_some_and(|telemetries| !is_object(telemetries)) {
        return Err(BodyError::Shape("the telemetries aren't an object"));
    }
    let mut content = Content::of(purpose, payload, body(telemetries));
    content.word = text(status, "the status isn't a string")?;
    content.timestamp_ms = time::iso(stamp)?;
    content.message = message;
    content.channels_inside = true;
    Ok(content)
}

/// `{"id": …, "status": …, "name": …, "parameters": {…}}`
pub(super) fn xyte_command(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let Fields { known: [id, status, name, parameters], .. } =
        fields(payload, ["id", "status", "name", "parameters"])?;
    let word = text(status, "the status isn't a string")?;
    if word.is_some_and(|word| !word.is("pending") && !word.is("in_progress")) {
        return Err(BodyError::UnsupportedStatus);
    }
    let name = text(name, "the name isn't a string")?.ok_or(BodyError::Shape("no name"))?;
    let mut content =
        Content::of(purpose, payload, body(parameters.filter(|given| *given != b"null")));
    content.channel = Some(Name::Raw(name));
    content.identifier = text(id, "the id isn't a string")?;
    content.word = word;
    Ok(content)
}

/// `{"id": …, "status": …, "message": …}`
pub(super) fn xyte_update(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    let Fields { known: [id, status, message], .. } = fields(payload, ["id", "status", "message"])?;
    let mut content = Content::of(purpose, payload, Body::Json(payload.trim_ascii()));
    content.identifier = text(id, "the id isn't a string")?;
    content.word = text(status, "the status isn't a string")?;
    content.message = message;
    if content.identifier.is_none() || content.word.is_none() {
        return Err(BodyError::Shape("an update without id or status"));
    }
    Ok(content)
}

/// `{"version": …, "last_updated": …, "config": {…}}`. Older ones have the fields beside the
/// version, and stay whole.
pub(super) fn xyte_config(purpose: Purpose, payload: &[u8]) -> Result<Content<'_>, BodyError> {
    if payload.is_empty() && purpose == Purpose::Config {
        return Ok(Content::of(purpose, payload, Body::Nothing));
    }
    let Fields { known: [version, updated, config], .. } =
        fields(payload, ["version", "last_updated", "config"])?;
    if config.is_some_and(|config| !is_object(config)) {
        return Err(BodyError::Shape("the configuration isn't an object"));
    }
    let mut content = Content::of(purpose, payload, Body::Json(payload.trim_ascii()));
    if let Some(config) = config {
        members(config)?;
        content.body = Body::Json(config);
    }
    content.version = version;
    content.updated = updated;
    content.channels_inside = true;
    Ok(content)
}

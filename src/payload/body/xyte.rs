//! Xyte: telemetries, commands, updates and configurations, and what they are elsewhere.
//!
//! What it's not: the life of a command, or the counter of configuration versions.
//! Invariant: telemetries are flat, and no two of them have the same name.

use super::encode::{Job, stamp};
use super::read::{is_object, kind_of, members};
use super::write::{Object, as_text, keyed};
use super::{Body, BodyError, Name, Purpose, Shape, Written};
use crate::payload::PayloadError;
use crate::payload::json::{JsonKind, RawString, escape_into};

/// How many objects within one another become one name.
const FLATTEN_DEPTH: usize = 16;

/// `{"status": …, "timestamp": …, "telemetries": {…}, "message": …}`
pub(super) fn telemetry(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let failed = job.context.purpose == Purpose::Error;
    let mut object = Object::open(out);
    object.text("status", if failed { "error" } else { "online" });
    if let Some(time) = job.content.timestamp_ms {
        stamp(time, object.named("timestamp"))?;
    }
    match job.piece.body {
        Body::Json(json) if failed && kind_of(json) == JsonKind::String => {
            object.json("message", json);
        }
        body => telemetries(job, body, object.named("telemetries"))?,
    }
    object.close();
    Ok(Written { seconds_rounded: false, meta_lost: job.content.unit.is_some() })
}

fn telemetries(job: &Job<'_, '_>, body: Body<'_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let mut flat = Flat { out, prefix: String::new(), names: Vec::new() };
    flat.out.push(b'{');
    match (job.piece.channel, body) {
        (None, Body::Json(json)) if is_object(json) => flat.object(json, FLATTEN_DEPTH)?,
        (None, Body::Json(json)) if kind_of(json) == JsonKind::Array => {
            return Err(BodyError::Shape("an array has no channels"));
        }
        (None, Body::Nothing) => return Err(BodyError::Shape("a value is missing")),
        (None, _) => return Err(BodyError::NoChannel),
        (Some(channel), Body::Json(json)) => {
            channel.push_to(&mut flat.prefix);
            flat.value(json, FLATTEN_DEPTH)?;
        }
        (Some(channel), body) => {
            let start = flat.out.len() - 1;
            flat.out.truncate(start);
            let (purpose, options) = (job.context.purpose, job.context.options);
            return keyed(Some(channel), body, purpose, options, flat.out);
        }
    }
    flat.out.push(b'}');
    flat.distinct()
}

/// Members on their way into one flat object.
struct Flat<'o> {
    out: &'o mut Vec<u8>,
    /// The name so far, escapes resolved.
    prefix: String,
    /// Where in `out` the names are that were written, all spelled the same way.
    names: Vec<std::ops::Range<usize>>,
}

impl Flat<'_> {
    fn object(&mut self, json: &[u8], depth_left: usize) -> Result<(), BodyError> {
        let own = self.prefix.len();
        for member in members(json)? {
            let member = member?;
            if own > 0 || depth_left < FLATTEN_DEPTH {
                self.prefix.push('.');
            }
            Name::Raw(member.key).push_to(&mut self.prefix);
            self.value(member.value, depth_left)?;
            self.prefix.truncate(own);
        }
        Ok(())
    }

    fn value(&mut self, value: &[u8], depth_left: usize) -> Result<(), BodyError> {
        match (kind_of(value), depth_left.checked_sub(1)) {
            (JsonKind::Array, _) => Err(BodyError::Shape("an array among the telemetries")),
            (JsonKind::Object, None) => {
                Err(BodyError::Payload(PayloadError::DepthExceeded { at: 0 }))
            }
            (JsonKind::Object, Some(depth_left)) => self.object(value, depth_left),
            _ => {
                if !self.names.is_empty() {
                    self.out.push(b',');
                }
                self.out.push(b'"');
                let start = self.out.len();
                escape_into(&self.prefix, self.out);
                self.names.push(start..self.out.len());
                self.out.extend_from_slice(b"\":");
                self.out.extend_from_slice(value);
                Ok(())
            }
        }
    }

    /// Refuses two values of the same name.
    fn distinct(self) -> Result<(), BodyError> {
        let out = &*self.out;
        let mut names: Vec<&[u8]> = self.names.into_iter().filter_map(|at| out.get(at)).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(BodyError::Shape("two telemetries of the same name"));
        }
        Ok(())
    }
}

/// `{"id": …, "status": "pending", "name": …, "parameters": {…}}`
pub(super) fn command(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    if job.context.purpose == Purpose::Query {
        return Err(BodyError::UnsupportedStatus);
    }
    let channel = job.piece.channel.ok_or(BodyError::NoChannel)?;
    let mut object = Object::open(out);
    object.identifier("id", job.content.identifier, job.context.serial);
    object.text("status", "pending");
    channel.write_json(object.named("name"));
    parameters(job, object.named("parameters"))?;
    object.close();
    Ok(())
}

fn parameters(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    match job.piece.body {
        Body::Nothing => out.extend_from_slice(b"{}"),
        Body::Json(json) if is_object(json) => out.extend_from_slice(json),
        body => {
            let mut object = Object::open(out);
            job.value(body, object.named("value"))?;
            object.close();
        }
    }
    Ok(())
}

/// A command where Xyte isn't known: `{"id": …, "name": …, "parameters": …}`.
pub(super) fn free_command(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let channel = job.content.channel.or(job.piece.channel).ok_or(BodyError::NoChannel)?;
    let mut object = Object::open(out);
    if let Some(id) = job.content.identifier {
        object.raw("id", id);
    }
    channel.write_json(object.named("name"));
    if let Body::Json(parameters) = job.piece.body {
        object.json("parameters", parameters);
    }
    object.close();
    Ok(())
}

/// `{"id": …, "status": …, "message": …}`
pub(super) fn update(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let missing = BodyError::Shape("an update without id or status");
    if job.context.purpose != Purpose::Response {
        return Err(missing);
    }
    let (Some(id), Some(word)) = (job.content.identifier, job.content.word) else {
        return Err(missing);
    };
    let mut object = Object::open(out);
    object.raw("id", id);
    object.text_or("status", translated(word, job.source), word);
    match (job.source, job.piece.body) {
        (Shape::SmartworksAction | Shape::Mqtt2goReport, Body::Json(output)) => {
            as_text(output, object.named("message"));
        }
        _ => object.maybe("message", job.content.message),
    }
    object.close();
    Ok(())
}

/// Xyte's word for a status of another platform, where it isn't the same. What MQTT2GO confirms
/// is done.
fn translated(word: RawString<'_>, source: Shape) -> Option<&'static str> {
    match source {
        Shape::SmartworksAction if word.is("completed") => Some("done"),
        Shape::SmartworksAction if word.is("pending") => Some("in_progress"),
        Shape::Mqtt2goReport => Some("done"),
        _ => None,
    }
}

/// `{"version": …, "last_updated": …, "config": {…}}`
pub(super) fn config(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let mut object = Object::open(out);
    match job.content.version {
        Some(version) => object.json("version", version),
        None => object.number("version", job.context.serial),
    }
    object.maybe("last_updated", job.content.updated);
    let (purpose, options) = (job.context.purpose, job.context.options);
    keyed(job.piece.channel, job.piece.body, purpose, options, object.named("config"))?;
    object.close();
    Ok(())
}

/// A configuration where Xyte isn't known: `{"config": …, "version": …}`; an older one stays.
pub(super) fn free_config(job: &Job<'_, '_>, out: &mut Vec<u8>) {
    let whole = job.content.payload.trim_ascii();
    match job.piece.body {
        Body::Json(json) if !std::ptr::eq(json, whole) => {
            let mut object = Object::open(out);
            object.json("config", json);
            object.maybe("version", job.content.version);
            object.close();
        }
        _ => out.extend_from_slice(job.content.payload),
    }
}

//! Content to payload: the shapes without a frame of their own, and the way to those with one.
//!
//! What it's not: topics, and how many messages there are; `pieces` said that before.
//! Invariant: what was written is complete and valid for its shape, or `out` is as it was.

use super::read::{fields, is_object, kind_of};
use super::time::write_iso;
use super::write::{Object, keyed, value, with_member};
use super::{
    Body, BodyError, Carried, Content, Context, Piece, Purpose, Shape, Written, layout, mqtt2go,
    smartworks, time, xyte,
};
use crate::payload::json::JsonKind;

/// All that a writer of one shape needs.
pub(super) struct Job<'j, 'p> {
    /// The shape of the source.
    pub(super) source: Shape,
    /// What the payload says.
    pub(super) content: &'j Content<'p>,
    /// The part of it that goes out.
    pub(super) piece: &'j Piece<'p>,
    /// Whether the topic says the channel.
    pub(super) carried: Carried,
    /// What else is known.
    pub(super) context: &'j Context<'j>,
}

impl<'p> Job<'_, 'p> {
    /// Appends the body where JSON is needed.
    pub(super) fn value(&self, body: Body<'p>, out: &mut Vec<u8>) -> Result<(), BodyError> {
        value(body, self.context.purpose, self.context.options, out)
    }

    /// Appends the body where the target isn't Xyte: its telemetries with the status among them.
    pub(super) fn gathered(&self, out: &mut Vec<u8>) -> Result<(), BodyError> {
        if let (Shape::XyteTelemetry, Some(word)) = (self.source, self.content.word) {
            match self.piece.body {
                Body::Json(json) if self.piece.channel.is_none() && is_object(json) => {
                    let named = fields(json, ["status"])?.known;
                    match named {
                        [None] => with_member(json, "status", word, out),
                        [Some(_)] => out.extend_from_slice(json),
                    }
                    return Ok(());
                }
                Body::Nothing => {
                    with_member(b"{}", "status", word, out);
                    return Ok(());
                }
                _ => {}
            }
        }
        let Piece { channel, body } = *self.piece;
        keyed(channel, body, self.context.purpose, self.context.options, out)
    }

    /// The time of the source, or else when the message came.
    pub(super) fn time_ms(&self) -> u64 {
        self.content.timestamp_ms.unwrap_or(self.context.received_ms)
    }

    /// Whether the source's time loses its milliseconds.
    pub(super) fn rounds(&self) -> bool {
        self.content.timestamp_ms.is_some_and(|time| time % 1000 != 0)
    }

    /// Whether nobody will see the channel.
    pub(super) fn channel_lost(&self) -> bool {
        self.carried == Carried::Nowhere && self.piece.channel.is_some()
    }
}

/// Appends the payload of one piece.
///
/// # Errors
/// The target can't say it. `out` is then as it was.
pub fn encode(
    source: Shape,
    target: Shape,
    content: &Content<'_>,
    piece: &Piece<'_>,
    carried: Carried,
    context: &Context<'_>,
    out: &mut Vec<u8>,
) -> Result<Written, BodyError> {
    let base = out.len();
    let job = Job { source, content, piece, carried, context };
    let written = write(target, &job, out);
    if written.is_err() {
        out.truncate(base);
    }
    written
}

fn write(target: Shape, job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let timeless = Written {
        seconds_rounded: false,
        meta_lost: job.content.timestamp_ms.is_some() || job.content.unit.is_some(),
    };
    match target {
        Shape::Empty => Ok(timeless),
        Shape::Opaque | Shape::Json | Shape::Binary => free(job, target, out),
        Shape::JsonOrNumber => json_or_number(job, out),
        Shape::Keyed if job.piece.channel.is_none() => Err(BodyError::NoChannel),
        Shape::Keyed | Shape::Members => job.gathered(out).map(|()| timeless),
        Shape::SmartworksAction => smartworks::action(job, out).map(|()| timeless),
        Shape::SmartworksEvent => smartworks::event(job, out).map(|()| timeless),
        Shape::SmartworksData => {
            let object = Object::open(out);
            data(job, object)?;
            Ok(timeless)
        }
        Shape::Mqtt2goCommand => mqtt2go::command(job, out),
        Shape::Mqtt2goReport => mqtt2go::report(job, out),
        Shape::Mqtt2goEvent => mqtt2go::event(job, out),
        Shape::XyteTelemetry => xyte::telemetry(job, out),
        Shape::XyteCommand => xyte::command(job, out).map(|()| timeless),
        Shape::XyteUpdate => xyte::update(job, out).map(|()| timeless),
        Shape::XyteConfig => xyte::config(job, out).map(|()| timeless),
        Shape::Declared => layout::write(job, out),
    }
}

fn data(job: &Job<'_, '_>, mut object: Object<'_>) -> Result<(), BodyError> {
    job.gathered(object.named("data"))?;
    object.close();
    Ok(())
}

/// Where any bytes may stand: what the source's platform adds is taken away or spelled out.
fn free(job: &Job<'_, '_>, target: Shape, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    match (job.source, job.context.purpose) {
        (Shape::SmartworksAction, Purpose::Response) => smartworks::response(job, out)?,
        (Shape::SmartworksAction, _) => return free_action(job, out),
        (Shape::SmartworksEvent, _) if job.carried == Carried::InTopic => {
            out.extend_from_slice(job.content.inner.unwrap_or(job.content.payload));
        }
        (Shape::SmartworksData, _) => job.value(job.piece.body, out)?,
        (Shape::Keyed | Shape::Members, _) => return either(job, out),
        (Shape::XyteTelemetry, _) => {
            job.gathered(out)?;
            let meta_lost = job.content.timestamp_ms.is_some();
            return Ok(Written { meta_lost, ..Written::default() });
        }
        (Shape::XyteCommand, _) => xyte::free_command(job, out)?,
        (Shape::XyteConfig, _) => xyte::free_config(job, out),
        (Shape::Declared, _) => return layout::free(job, target, out),
        (Shape::Mqtt2goReport, Purpose::State) => return either(job, out),
        (Shape::Mqtt2goReport, Purpose::Telemetry) => {
            normalized(job, out)?;
            return Ok(Written { meta_lost: job.channel_lost(), ..Written::default() });
        }
        (Shape::Mqtt2goCommand, Purpose::Command | Purpose::Config | Purpose::Query) => {
            return mqtt2go::free_command(job, out);
        }
        (Shape::Empty, _) if target == Shape::Json => {
            return Err(BodyError::Shape("a value is missing"));
        }
        // It has at most credentials, which never cross.
        (Shape::Empty, _) => {}
        _ => return as_it_is(job, target, out),
    }
    Ok(Written::default())
}

/// Payloads that say all they have to say.
fn as_it_is(job: &Job<'_, '_>, target: Shape, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    match job.piece.body {
        Body::Bytes(_) if target == Shape::Json => job.value(job.piece.body, out)?,
        Body::Nothing if target == Shape::Json && job.content.payload.is_empty() => {
            return Err(BodyError::NotJson);
        }
        _ => out.extend_from_slice(job.content.payload),
    }
    Ok(Written { meta_lost: job.channel_lost(), ..Written::default() })
}

/// The value where the topic has the channel, else `{channel: value}`.
fn either(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let whole = job.content.channels_inside && job.content.channel.is_none();
    if job.carried == Carried::InTopic || job.piece.channel.is_none() || whole {
        job.value(job.piece.body, out)?;
    } else {
        job.gathered(out)?;
    }
    let meta_lost = job.content.timestamp_ms.is_some() || job.content.unit.is_some();
    Ok(Written { meta_lost, ..Written::default() })
}

fn free_action(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    if job.carried == Carried::Nowhere {
        smartworks::spelled_out(job, out)?;
        return Ok(Written::default());
    }
    match job.piece.body {
        Body::Nothing => out.extend_from_slice(b"{}"),
        body => job.value(body, out)?,
    }
    let meta_lost = job.content.identifier.is_some();
    Ok(Written { meta_lost, ..Written::default() })
}

/// `{"value":…,"unit":…,"ts":…}`, the time in milliseconds.
pub(super) fn normalized(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let mut object = Object::open(out);
    job.value(job.piece.body, object.named("value"))?;
    object.maybe("unit", job.content.unit);
    if let Some(time) = job.content.timestamp_ms {
        object.number("ts", time);
    }
    object.close();
    Ok(())
}

/// An object, a number or a string; a channel that the topic hasn't goes into an object.
fn json_or_number(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let base = out.len();
    let written = match job.source {
        Shape::Opaque | Shape::Json | Shape::JsonOrNumber | Shape::Binary => {
            let plain = job.piece.channel.is_none() || job.carried == Carried::InTopic;
            match job.piece.body {
                Body::Json(_) if plain => out.extend_from_slice(job.content.payload.trim_ascii()),
                body if plain => job.value(body, out)?,
                _ => job.gathered(out)?,
            }
            Written::default()
        }
        Shape::SmartworksEvent if job.carried == Carried::InTopic => {
            job.value(job.piece.body, out)?;
            Written::default()
        }
        Shape::Mqtt2goReport | Shape::Mqtt2goEvent => either(job, out)?,
        _ => free(job, Shape::Json, out)?,
    };
    match out.get(base..).map(kind_of) {
        Some(JsonKind::Array) => Err(BodyError::Shape("an array, not an object or a number")),
        _ => Ok(written),
    }
}

/// Appends a time as ISO 8601 with milliseconds.
pub(super) fn stamp(time_ms: u64, out: &mut Vec<u8>) -> Result<(), BodyError> {
    write_iso(time_ms, time::Spelling::Milliseconds, out)
}

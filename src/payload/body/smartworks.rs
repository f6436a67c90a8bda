//! SmartWorks: actions and events, and what an action is where SmartWorks isn't known.
//!
//! What it's not: the life of an action. Which one a response belongs to is the caller's memory.
//! Invariant: an action has exactly one name, and its address ends with its identifier.

use super::encode::Job;
use super::pieces::unwrapped;
use super::time::{Spelling, write_iso};
use super::write::{Object, identifier};
use super::{Body, BodyError, Name, Purpose, Shape};
use crate::payload::json::escape_into;

/// `{"{action}": {"input": …, "href": …, "timeRequested": …, "status": "pending"}}`, or what became
/// of it.
pub(super) fn action(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let channel = job.piece.channel.ok_or(BodyError::NoChannel)?;
    if job.context.purpose == Purpose::Query {
        return Err(BodyError::UnsupportedStatus);
    }
    let mut outer = Object::open(out);
    let inner = Object::open(outer.key(&channel));
    if matches!(job.context.purpose, Purpose::Command | Purpose::Config) {
        request(job, &channel, inner)?;
    } else {
        outcome(job, inner)?;
    }
    outer.close();
    Ok(())
}

fn request(job: &Job<'_, '_>, channel: &Name<'_>, mut object: Object<'_>) -> Result<(), BodyError> {
    match job.source {
        // Their parameters may be a single value in an object.
        Shape::XyteCommand => input(job, unwrapped(job.piece.body)?, &mut object)?,
        _ => input(job, job.piece.body, &mut object)?,
    }
    href(job, channel, object.named("href"));
    // When the message came: no source says when it was asked for.
    write_iso(job.context.received_ms, Spelling::Seconds, object.named("timeRequested"))?;
    object.text("status", "pending");
    object.close();
    Ok(())
}

fn input<'p>(job: &Job<'_, 'p>, body: Body<'p>, object: &mut Object<'_>) -> Result<(), BodyError> {
    match body {
        Body::Nothing => Ok(()),
        body => job.value(body, object.named("input")),
    }
}

fn href(job: &Job<'_, '_>, channel: &Name<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"/things/");
    escape_into(job.context.device, out);
    out.extend_from_slice(b"/actions/");
    match channel {
        Name::Text(text) => escape_into(text, out),
        Name::Raw(raw) => out.extend_from_slice(raw.raw().as_bytes()),
    }
    out.push(b'/');
    identifier(job.content.identifier, job.context.serial, out);
    out.push(b'"');
}

/// `{"status": …, "output": …}`
fn outcome(job: &Job<'_, '_>, mut object: Object<'_>) -> Result<(), BodyError> {
    let word = job.content.word.filter(|_| job.source != Shape::Mqtt2goReport);
    match word {
        Some(word) if word.is("done") => object.text("status", "completed"),
        Some(word) => object.raw("status", word),
        None => object.text("status", "completed"),
    }
    if !matches!(job.source, Shape::XyteUpdate) && word.is_none() {
        if let Body::Json(json) = job.piece.body {
            object.json("output", json);
        }
    } else {
        object.maybe("output", job.content.message);
    }
    object.close();
    Ok(())
}

/// `{"{event}": {"data": …}}`
pub(super) fn event(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let channel = job.piece.channel.ok_or(BodyError::NoChannel)?;
    let mut outer = Object::open(out);
    let mut inner = Object::open(outer.key(&channel));
    if !matches!(job.piece.body, Body::Nothing) {
        job.value(job.piece.body, inner.named("data"))?;
    }
    inner.close();
    outer.close();
    Ok(())
}

/// What became of an action: `{"status": …, "output": …, "id": …}`.
pub(super) fn response(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let word = job.content.word.ok_or(BodyError::Shape("a response without status"))?;
    let mut object = Object::open(out);
    object.raw("status", word);
    if let Body::Json(output) = job.piece.body {
        object.json("output", output);
    }
    if let Some(id) = job.content.identifier {
        object.raw("id", id);
    }
    object.close();
    Ok(())
}

/// An action where no topic says its name: `{"action": …, "input": …, "id": …}`.
pub(super) fn spelled_out(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let channel = job.piece.channel.ok_or(BodyError::NoChannel)?;
    let mut object = Object::open(out);
    channel.write_json(object.named("action"));
    input(job, job.piece.body, &mut object)?;
    if let Some(id) = job.content.identifier {
        object.raw("id", id);
    }
    object.close();
    Ok(())
}

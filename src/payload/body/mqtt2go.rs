//! MQTT2GO: reports, commands and events, and what a command is where MQTT2GO isn't known.
//!
//! What it's not: the meaning of priorities, on which the platform contradicts itself; what is
//! written follows its classes (1 alarms, 2 replies and events, 3 periodic).
//! Invariant: every message has a time in seconds: the source's, or when it came.

use super::encode::Job;
use super::pieces::unwrapped;
use super::read::{fields, is_object};
use super::write::{Object, as_text};
use super::{Body, BodyError, Carried, Name, Purpose, ReportKey, Shape, Written};

/// Entities whose reports are alarms.
const ALARMS: [&str; 12] = [
    "alarm",
    "anti_theft",
    "flood",
    "gas",
    "intrusion",
    "leak",
    "panic",
    "siren",
    "smoke",
    "smoke_alarm",
    "tamper",
    "tamper_detected",
];

/// Entities whose commands have a type of their own.
const TYPES: [&str; 3] = ["brightness", "color", "color_temp"];

fn seconds(job: &Job<'_, '_>, object: &mut Object<'_>) -> Written {
    object.number("timestamp", job.time_ms() / 1000);
    Written { seconds_rounded: job.rounds(), meta_lost: false }
}

/// `{"type": …, "priority_level": …, "timestamp": …, "value": …}`
pub(super) fn report(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let channel = job.piece.channel.ok_or(BodyError::NoChannel)?;
    let alarm = ALARMS.iter().any(|entity| channel.is(entity));
    let (kind, priority) = match job.context.purpose {
        Purpose::State => ("status", Some(3)),
        Purpose::Response => ("command_response", None),
        Purpose::Error => ("error", Some(1)),
        // The two spellings of a periodic report come with two priorities.
        _ if own_spelling(job) => ("periodic_report", Some(2)),
        _ => ("periodic_report", Some(3)),
    };
    let priority = priority.map(|priority| if alarm { 1 } else { priority });
    let mut object = Object::open(out);
    object.text("type", kind);
    match (job.content.priority, priority) {
        (Some(own), _) => object.json("priority_level", own),
        (None, Some(priority)) => object.number("priority_level", priority),
        (None, None) => {}
    }
    let written = seconds(job, &mut object);
    if own_spelling(job) {
        measured_report(job, &channel, &mut object)?;
    } else {
        reported(job, &mut object)?;
    }
    object.close();
    Ok(written)
}

/// Whether the report is periodic and to be spelled as the platform's own devices do.
fn own_spelling(job: &Job<'_, '_>) -> bool {
    let other = matches!(job.context.purpose, Purpose::State | Purpose::Response | Purpose::Error);
    job.context.options.report_key == ReportKey::Report && !other
}

/// `"report": {"value": …, "unit": …}`
fn measured_report(
    job: &Job<'_, '_>,
    channel: &Name<'_>,
    object: &mut Object<'_>,
) -> Result<(), BodyError> {
    let mut measured = Object::open(object.named("report"));
    job.value(job.piece.body, measured.named("value"))?;
    let mut units = job.context.options.units.iter();
    match (job.content.unit, units.find(|(name, _)| channel.is(name))) {
        (Some(own), _) => measured.json("unit", own),
        (None, Some((_, unit))) => measured.text("unit", unit),
        (None, None) => {}
    }
    measured.close();
    Ok(())
}

fn reported(job: &Job<'_, '_>, object: &mut Object<'_>) -> Result<(), BodyError> {
    let response = job.context.purpose == Purpose::Response;
    match (job.content.word, job.piece.body) {
        // What became of an action or a command is its status, whatever else it says.
        (Some(word), Body::Nothing) if response => object.raw("value", word),
        (Some(word), _) if response && job.source == Shape::XyteUpdate => {
            object.raw("value", word);
        }
        (_, body) => match job.content.unit {
            None => job.value(body, object.named("value"))?,
            Some(unit) => {
                let mut measured = Object::open(object.named("value"));
                job.value(body, measured.named("value"))?;
                measured.json("unit", unit);
                measured.close();
            }
        },
    }
    Ok(())
}

/// `{"type": …, "timestamp": …, "value": …}`
pub(super) fn command(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let channel = job.piece.channel.ok_or(BodyError::NoChannel)?;
    let purpose = job.context.purpose;
    // The status of a command of another platform isn't a type.
    let framed = matches!(job.source, Shape::SmartworksAction | Shape::XyteCommand);
    let word = job.content.word.filter(|_| !framed && purpose != Purpose::Config);
    let query = word.is_some_and(|word| word.raw().starts_with("query"));
    let query = query || (word.is_none() && purpose == Purpose::Query);
    let mut object = Object::open(out);
    let own = TYPES.iter().find(|own| channel.is(own) && purpose == Purpose::Command);
    match (word, own) {
        (Some(word), _) => object.raw("type", word),
        (None, _) if query => object.text("type", "query"),
        (None, Some(own)) => object.text("type", own),
        (None, None) => object.text("type", "set"),
    }
    let written = seconds(job, &mut object);
    let body = if framed { unwrapped(job.piece.body)? } else { job.piece.body };
    match body {
        _ if query => {}
        Body::Nothing if word.is_some() => {}
        body => job.value(body, object.named("value"))?,
    }
    object.close();
    Ok(written)
}

/// `{"priority_level": 2, "timestamp": …, "value": {"event_name": …, "message": …}}`
pub(super) fn event(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let mut object = Object::open(out);
    match job.content.priority {
        Some(own) => object.json("priority_level", own),
        None => object.number("priority_level", 2),
    }
    let written = seconds(job, &mut object);
    happened(job, object.named("value"))?;
    object.close();
    Ok(written)
}

/// The value as it is if it names its event or nothing else does, else with the channel as name.
fn happened(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let (channel, body) = (job.piece.channel, job.piece.body);
    let named = match body {
        Body::Json(json) if is_object(json) => {
            !matches!(fields(json, ["event_name"])?.known, [None])
        }
        _ => false,
    };
    let Some(channel) = channel.filter(|_| !named) else {
        return job.value(body, out);
    };
    let mut object = Object::open(out);
    channel.write_json(object.named("event_name"));
    match body {
        Body::Nothing => {}
        Body::Json(json) => as_text(json, object.named("message")),
        body => job.value(body, object.named("message"))?,
    }
    object.close();
    Ok(())
}

/// A command where MQTT2GO isn't known: its value where the topic has the entity, else
/// `{"entity": …, "type": …, "value": …, "ts": …}`.
pub(super) fn free_command(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let Some(channel) = job.piece.channel.filter(|_| job.carried == Carried::Nowhere) else {
        // A question isn't its value.
        let query = job.content.word.is_some_and(|word| word.raw().starts_with("query"));
        if query || matches!(job.piece.body, Body::Nothing) {
            out.extend_from_slice(job.content.payload);
            return Ok(Written::default());
        }
        job.value(job.piece.body, out)?;
        return Ok(Written { seconds_rounded: false, meta_lost: true });
    };
    spelled_out(job, &channel, out)?;
    Ok(Written::default())
}

fn spelled_out(job: &Job<'_, '_>, channel: &Name<'_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let mut object = Object::open(out);
    channel.write_json(object.named("entity"));
    if let Some(word) = job.content.word {
        object.raw("type", word);
    }
    if !matches!(job.piece.body, Body::Nothing) {
        job.value(job.piece.body, object.named("value"))?;
    }
    if let Some(time) = job.content.timestamp_ms {
        object.number("ts", time);
    }
    object.close();
    Ok(())
}

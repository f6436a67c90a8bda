//! Frames that a table declares: read and written by their layout, and what they are where nobody knows them.
//!
//! What it's not: the layout itself, or a check of its constants, which nobody looks at.
//! Invariant: a payload that was read is one JSON object, proved to its end, with each place there at most once.

use super::encode::{Job, stamp};
use super::read::{members, text};
use super::write::{Object, keyed};
use super::{Body, BodyError, Content, Layout, Name, Purpose, Shape, Written, smartworks, time};
use crate::payload::json::RawString;
use crate::payload::layout::{Constant, Member, Place, Slot, TimeSpelling};

/// A declared shape without its layout says nothing.
pub(super) const UNKNOWN: BodyError = BodyError::Shape("a frame that nobody declared");

const NO_VALUE: BodyError = BodyError::Shape("a value is missing");

/// The slots that are read, each of which is there once: no more members of one object can lead to one.
const READ_MAX: usize = 4;

/// What stands at the slots of a payload.
#[derive(Default)]
struct Found<'p> {
    body: Option<&'p [u8]>,
    timestamp_ms: Option<u64>,
    identifier: Option<RawString<'p>>,
    channel: Option<RawString<'p>>,
}

/// Reads a payload of a declared shape.
pub(super) fn read<'p>(
    layout: &Layout,
    purpose: Purpose,
    payload: &'p [u8],
) -> Result<Content<'p>, BodyError> {
    // An empty configuration says nothing, on every platform.
    if payload.is_empty() && purpose == Purpose::Config {
        return Ok(Content::of(purpose, payload, Body::Nothing));
    }
    let mut found = Found::default();
    walk(layout.members(), payload, &mut found)?;
    let body = match found.body {
        Some(value) => Body::Json(value),
        None if is_request(purpose) => Body::Nothing,
        None => return Err(NO_VALUE),
    };
    Ok(Content {
        channel: found.channel.map(Name::Raw),
        timestamp_ms: found.timestamp_ms,
        identifier: found.identifier,
        ..Content::of(purpose, payload, body)
    })
}

/// What asks for something has an identifier, and may have no value.
fn is_request(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Command | Purpose::Query)
}

fn walk<'p>(places: &[Member], object: &'p [u8], found: &mut Found<'p>) -> Result<(), BodyError> {
    let read = || places.iter().filter(|place| place.place.is_read());
    let mut values: [Option<&[u8]>; READ_MAX] = [None; READ_MAX];
    for member in members(object)? {
        let member = member?;
        let mut wanted = read().zip(&mut values);
        match wanted.find(|(place, _)| member.key.is(&place.name)) {
            Some((_, value)) if value.is_none() => *value = Some(member.value),
            Some(_) => return Err(BodyError::Shape("a member stands there twice")),
            None => {}
        }
    }
    for (Member { place, .. }, value) in read().zip(values) {
        match (place, value) {
            (_, None) => {}
            (Place::Slot(slot), Some(value)) => found.take(slot, value)?,
            (Place::Object(inner), Some(value)) => walk(inner, value, found)?,
        }
    }
    Ok(())
}

impl<'p> Found<'p> {
    fn take(&mut self, slot: &Slot, value: &'p [u8]) -> Result<(), BodyError> {
        match slot {
            Slot::Body => self.body = Some(value),
            Slot::Timestamp(TimeSpelling::Iso) => self.timestamp_ms = time::iso(Some(value))?,
            Slot::Timestamp(TimeSpelling::Seconds) => {
                self.timestamp_ms = time::seconds(Some(value))?;
            }
            Slot::Timestamp(TimeSpelling::Milliseconds) => {
                self.timestamp_ms = time::milliseconds(Some(value))?;
            }
            Slot::Identifier => {
                self.identifier = text(Some(value), "the identifier isn't a string")?;
            }
            Slot::Channel => self.channel = text(Some(value), "the channel isn't a string")?,
            Slot::Constant(_) => {}
        }
        Ok(())
    }
}

/// Appends a payload of a declared shape.
pub(super) fn write(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let layout = job.context.layout.ok_or(UNKNOWN)?;
    let frame = Framing { job, layout };
    if !frame.has_body() && !is_request(job.context.purpose) {
        return Err(NO_VALUE);
    }
    let mut object = Object::open(out);
    frame.fill(layout.members(), &mut object)?;
    object.close();
    let seconds = layout.timestamp() == Some(TimeSpelling::Seconds);
    Ok(Written { seconds_rounded: seconds && job.rounds(), meta_lost: frame.loses() })
}

/// A job with the layout that it's written in.
struct Framing<'f, 'j, 'p> {
    job: &'f Job<'j, 'p>,
    layout: &'f Layout,
}

impl<'p> Framing<'_, '_, 'p> {
    fn fill(&self, places: &[Member], object: &mut Object<'_>) -> Result<(), BodyError> {
        for Member { name, place } in places.iter().filter(|member| self.says(&member.place)) {
            match place {
                Place::Slot(slot) => self.put(name, slot, object)?,
                Place::Object(places) => {
                    let mut inner = Object::open(object.named(name));
                    self.fill(places, &mut inner)?;
                    inner.close();
                }
            }
        }
        Ok(())
    }

    /// Whether there is something to write at a place; empty objects stay out.
    fn says(&self, place: &Place) -> bool {
        match place {
            Place::Object(places) => places.iter().any(|member| self.says(&member.place)),
            Place::Slot(Slot::Body) => self.has_body(),
            Place::Slot(Slot::Identifier) => {
                self.job.content.identifier.is_some() || is_request(self.job.context.purpose)
            }
            Place::Slot(Slot::Channel) => self.job.piece.channel.is_some(),
            Place::Slot(Slot::Timestamp(_) | Slot::Constant(_)) => true,
        }
    }

    fn put(&self, name: &str, slot: &Slot, object: &mut Object<'_>) -> Result<(), BodyError> {
        let Job { content, piece, context, .. } = self.job;
        let time_ms = self.job.time_ms();
        match slot {
            Slot::Body => self.body(object.named(name))?,
            Slot::Timestamp(TimeSpelling::Seconds) => object.number(name, time_ms / 1000),
            Slot::Timestamp(TimeSpelling::Milliseconds) => object.number(name, time_ms),
            Slot::Timestamp(TimeSpelling::Iso) => stamp(time_ms, object.named(name))?,
            Slot::Identifier => object.identifier(name, content.identifier, context.serial),
            Slot::Channel => {
                if let Some(channel) = &piece.channel {
                    channel.write_json(object.named(name));
                }
            }
            Slot::Constant(Constant::Text(text)) => object.text(name, text),
            Slot::Constant(Constant::Integer(number)) => {
                object.json(name, itoa::Buffer::new().format(*number).as_bytes());
            }
            Slot::Constant(Constant::Flag(flag)) => {
                object.json(name, if *flag { b"true" } else { b"false" });
            }
        }
        Ok(())
    }

    fn has_body(&self) -> bool {
        let Job { source, content, piece, .. } = self.job;
        match source {
            // What became of an action is its status, whatever else it says.
            Shape::SmartworksAction if content.purpose == Purpose::Response => true,
            Shape::XyteTelemetry if content.word.is_some() => true,
            _ => !matches!(piece.body, Body::Nothing),
        }
    }

    fn body(&self, out: &mut Vec<u8>) -> Result<(), BodyError> {
        let Job { source, content, piece, context, .. } = self.job;
        if let Some(name) = self.kept_name() {
            return keyed(Some(name), piece.body, context.purpose, context.options, out);
        }
        match source {
            Shape::SmartworksAction if content.purpose == Purpose::Response => {
                smartworks::response(self.job, out)
            }
            Shape::XyteTelemetry if piece.channel.is_none() => self.job.gathered(out),
            _ => self.job.value(piece.body, out),
        }
    }

    /// The name of a value that was the only member of an object, where no other place says it.
    fn kept_name(&self) -> Option<Name<'p>> {
        let Job { content, piece, .. } = self.job;
        let own = content.channel.filter(|_| content.channels_inside)?;
        let told = piece.channel.is_some_and(|channel| own.same(&channel));
        (!told || self.loses_channel()).then_some(own)
    }

    fn loses_channel(&self) -> bool {
        self.job.channel_lost() && !self.layout.has_channel()
    }

    /// Whether something that the source says has no place.
    fn loses(&self) -> bool {
        let Job { source, content, piece, context, .. } = self.job;
        let kept = self.kept_name().zip(piece.channel).is_some_and(|(own, name)| own.same(&name));
        // The bodies of other answers have the identifier in them.
        let named = context.purpose.is_down() || *source == Shape::Declared;
        (self.loses_channel() && !kept)
            || content.unit.is_some()
            || (content.timestamp_ms.is_some() && self.layout.timestamp().is_none())
            || (named && content.identifier.is_some() && !self.layout.has_identifier())
    }
}

/// The value of a declared frame where nobody knows the frame. A name that only the frame said stays with it.
pub(super) fn free(
    job: &Job<'_, '_>,
    target: Shape,
    out: &mut Vec<u8>,
) -> Result<Written, BodyError> {
    let Job { content, piece, context, .. } = job;
    let named = content.channel.is_some() && job.channel_lost();
    if named && is_request(context.purpose) {
        smartworks::spelled_out(job, out)?;
        let meta_lost = content.timestamp_ms.is_some();
        return Ok(Written { meta_lost, ..Written::default() });
    }
    match piece.body {
        Body::Nothing if target == Shape::Json => return Err(NO_VALUE),
        Body::Nothing => {}
        _ if named => job.gathered(out)?,
        body => job.value(body, out)?,
    }
    let told = content.timestamp_ms.is_some() || content.identifier.is_some();
    let meta_lost = told || (job.channel_lost() && !named);
    Ok(Written { meta_lost, ..Written::default() })
}

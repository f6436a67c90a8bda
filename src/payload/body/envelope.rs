//! The envelope: a whole payload with all that was said about it, for targets that take any object.
//!
//! What it's not: a translation. The payload stands in it as the source's platform wrote it, so that nothing is
//! lost; whoever reads it has to know that platform.
//! Invariant: JSON stands there as JSON, all other bytes as base64.

use super::encode::Job;
use super::read::value_or_bytes;
use super::write::Object;
use super::{Body, BodyError, Shape, Written};
use crate::payload::msgpack::{BinEncoding, write_binary};

/// Where a message comes from, in the words of its own platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'c> {
    /// The dialect.
    pub platform: &'c str,
    /// The kind of message.
    pub kind: &'c str,
    /// Part and name, without the channel.
    pub address: &'c [(&'c str, &'c str)],
}

/// `{"v":1,"src":…,"kind":…,"addr":{…},"ts":…,"enc":"json","body":…}`, within `data` where that is the frame.
pub(super) fn envelope(
    job: &Job<'_, '_>,
    target: Shape,
    out: &mut Vec<u8>,
) -> Result<Written, BodyError> {
    if target == Shape::SmartworksData {
        let mut record = Object::open(out);
        fill(job, Object::open(record.named("data")))?;
        record.close();
    } else {
        fill(job, Object::open(out))?;
    }
    Ok(Written::default())
}

fn fill(job: &Job<'_, '_>, mut object: Object<'_>) -> Result<(), BodyError> {
    let origin = &job.context.origin;
    object.number("v", 1);
    object.text("src", origin.platform);
    object.text("kind", origin.kind);
    let mut address = Object::open(object.named("addr"));
    for (part, name) in origin.address {
        address.text(part, name);
    }
    if let Some(channel) = &job.piece.channel {
        channel.write_json(address.named("channel"));
    }
    address.close();
    if let Some(time) = job.content.timestamp_ms {
        object.number("ts", time);
    }
    match whole(job)? {
        Body::Json(json) => {
            object.text("enc", "json");
            object.json("body", json);
        }
        Body::Nothing => raw(&[], &mut object),
        Body::Bytes(bytes) => raw(bytes, &mut object),
    }
    object.close();
    Ok(())
}

/// The payload, whatever was read out of it. A binary one is JSON only where it can't be taken for anything else.
fn whole<'p>(job: &Job<'_, 'p>) -> Result<Body<'p>, BodyError> {
    match (job.source, job.content.body) {
        (Shape::Binary, body) => Ok(body),
        _ => value_or_bytes(job.content.payload),
    }
}

fn raw(bytes: &[u8], object: &mut Object<'_>) {
    object.text("enc", "raw");
    let out = object.named("body_b64");
    out.push(b'"');
    write_binary(bytes, BinEncoding::Base64, out);
    out.push(b'"');
}

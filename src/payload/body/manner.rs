//! Payloads as the operator wants them rather than as the shapes say: bare values, texts, and reports
//! without their frame.
//!
//! What it's not: the choice of a manner, which hangs on the pair of forms and not on the payload.
//! Invariant: what a manner can't say is refused; it never falls back to another one.

use std::sync::Arc;

use super::encode::{Job, normalized};
use super::envelope::envelope;
use super::write::as_plain_text;
use super::{Body, BodyError, Carried, CommandTemplate, Content, Context, Piece, Shape, Written};

/// How a payload is written towards a target that takes any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As the shapes of source and target say.
    #[default]
    Shape,
    /// `{"temp": 21.7}` on the topic of `temp` becomes `21.7`.
    KeyedValue,
    /// A report becomes `{"value": …, "unit": …, "ts": …}`, the time in milliseconds.
    Normalized,
    /// A command becomes its value, as JSON.
    CommandValue,
    /// A command becomes its value, a string without its quotes.
    CommandText,
    /// A command becomes a text with its name and values filled in.
    Template(Arc<CommandTemplate>),
    /// The whole payload goes into an envelope.
    Envelope,
}

/// Appends the payload of one piece in a manner; [`Manner::Shape`] is [`super::encode`].
///
/// # Errors
/// The manner can't say it. `out` is then as it was.
pub fn encode_in(
    manner: &Manner,
    (source, target): (Shape, Shape),
    content: &Content<'_>,
    piece: &Piece<'_>,
    carried: Carried,
    context: &Context<'_>,
    out: &mut Vec<u8>,
) -> Result<Written, BodyError> {
    let base = out.len();
    let job = Job { source, content, piece, carried, context };
    let written = match manner {
        Manner::Shape => super::encode(source, target, content, piece, carried, context, out),
        Manner::KeyedValue => keyed_value(&job, out),
        Manner::Normalized => normalized(&job, out).map(|()| lost(&job)),
        Manner::CommandValue => command_value(&job, out),
        Manner::CommandText => command_text(&job, out),
        Manner::Template(template) => template.write(&job, out),
        Manner::Envelope => envelope(&job, target, out),
    };
    if written.is_err() {
        out.truncate(base);
    }
    written
}

/// Only the channel can be lost: what else goes was given up by the choice of the manner.
fn lost(job: &Job<'_, '_>) -> Written {
    Written { meta_lost: job.channel_lost(), ..Written::default() }
}

fn keyed_value(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    let own = job.content.channel.ok_or(BodyError::Shape("not an object with one member"))?;
    match job.piece.channel {
        Some(topic) if own.same(&topic) => job.value(job.content.body, out)?,
        _ => return Err(BodyError::Shape("the member isn't the one that the topic names")),
    }
    Ok(Written::default())
}

fn command_value(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    match job.piece.body {
        Body::Nothing => return Err(BodyError::Shape("the command has no value")),
        body => job.value(body, out)?,
    }
    Ok(lost(job))
}

fn command_text(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
    match job.piece.body {
        Body::Nothing => return Err(BodyError::Shape("the command has no value")),
        Body::Json(json) => as_plain_text(json, out),
        Body::Bytes(bytes) => out.extend_from_slice(bytes),
    }
    Ok(lost(job))
}

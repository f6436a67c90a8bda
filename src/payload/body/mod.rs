//! What a payload says, whatever its platform's frame: read from one shape, written as another.
//!
//! What it's not: topics. The caller says what the topic knows and makes the topic of each piece.
//! Invariant: slices and splices, never a tree; members keep their order and numbers every digit;
//! an error leaves the caller's buffer as it was.

mod command_template;
mod decode;
mod encode;
mod envelope;
mod frames;
mod layout;
mod manner;
mod mqtt2go;
mod pieces;
mod read;
mod smartworks;
mod time;
mod time_key;
mod write;
mod xyte;

pub use command_template::{CommandTemplate, CommandTemplateError};
pub use decode::{Transcoded, decode, decode_layout, transcode};
pub use encode::encode;
pub use envelope::Origin;
pub use manner::{Manner, encode_in};
pub use pieces::pieces;
pub use time_key::take_time;
pub use write::write_identifier;

use super::json::{JsonError, JsonFault, RawString, escape_into};
use super::{Layout, PayloadError, Shape};

/// What a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Values measured.
    Telemetry,
    /// Values that hold until they are replaced.
    State,
    /// Something that happened.
    Event,
    /// What became of a command.
    Response,
    /// Something that went wrong.
    Error,
    /// Something to be done now.
    Command,
    /// Values that are wanted.
    Config,
    /// A question for values.
    Query,
}

impl Purpose {
    /// Whether the message goes towards a device, where a text is as good as JSON.
    fn is_down(self) -> bool {
        matches!(self, Self::Command | Self::Config | Self::Query)
    }
}

/// A name as the payload or the topic has it.
#[derive(Clone, Copy, Debug)]
pub enum Name<'p> {
    /// From a payload, escapes and all.
    Raw(RawString<'p>),
    /// From a topic or an option.
    Text(&'p str),
}

impl Name<'_> {
    /// Appends the name, escapes resolved.
    pub fn push_to(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Raw(raw) => match raw.plain() {
                Some(plain) => out.push_str(plain),
                None => {
                    let mut bytes = Vec::with_capacity(raw.unescaped_length());
                    raw.unescape(&mut bytes);
                    out.push_str(str::from_utf8(&bytes).unwrap_or_default());
                }
            },
        }
    }

    /// Whether the name spells `text`.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::Text(own) => *own == text,
            Self::Raw(raw) => raw.is(text),
        }
    }

    /// Appends the name as a JSON string.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        match self {
            Self::Text(text) => escape_into(text, out),
            Self::Raw(raw) => out.extend_from_slice(raw.raw().as_bytes()),
        }
        out.push(b'"');
    }

    /// Whether both spell the same.
    fn same(&self, other: &Name<'_>) -> bool {
        match other {
            Name::Text(text) => self.is(text),
            Name::Raw(raw) => match raw.plain() {
                Some(plain) => self.is(plain),
                None => {
                    let mut text = String::new();
                    other.push_to(&mut text);
                    self.is(&text)
                }
            },
        }
    }
}

/// What a message carries.
#[derive(Clone, Copy, Debug)]
pub enum Body<'p> {
    /// Nothing at all.
    Nothing,
    /// One JSON value, proved.
    Json(&'p [u8]),
    /// Bytes that aren't JSON.
    Bytes(&'p [u8]),
}

/// How far a plain payload was taken for a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Frame {
    /// The body is what the shape says.
    #[default]
    Firm,
    /// The members look like a frame, but could be the body itself: a topic or a target that
    /// knows better has the whole payload as body.
    Loose,
}

/// What a payload says, whatever its platform's frame.
#[derive(Clone, Copy, Debug)]
pub struct Content<'p> {
    /// What it was read for.
    pub purpose: Purpose,
    /// The payload that it was read from.
    pub payload: &'p [u8],
    /// What the payload is about, if it says so.
    pub channel: Option<Name<'p>>,
    /// The value.
    pub body: Body<'p>,
    /// Milliseconds since 1970, if the payload has a time.
    pub timestamp_ms: Option<u64>,
    /// Which command it is, or belongs to.
    pub identifier: Option<RawString<'p>>,
    /// MQTT2GO type, or status of Xyte or of a SmartWorks action.
    pub word: Option<RawString<'p>>,
    /// The unit of the value, a JSON value.
    pub unit: Option<&'p [u8]>,
    /// MQTT2GO priority, a JSON value.
    pub priority: Option<&'p [u8]>,
    /// What stands under the name of a SmartWorks event.
    pub inner: Option<&'p [u8]>,
    /// Version of a Xyte configuration, a JSON value.
    pub version: Option<&'p [u8]>,
    /// When a Xyte configuration was changed, a JSON value.
    pub updated: Option<&'p [u8]>,
    /// Message of a Xyte status or update, a JSON value.
    pub message: Option<&'p [u8]>,
    /// `status` of a SmartWorks record: a second message, routed as state.
    pub beside: Option<&'p [u8]>,
    /// The members of the body are the channels, whatever the topic says.
    pub channels_inside: bool,
    /// How certain the frame is.
    pub frame: Frame,
}

impl<'p> Content<'p> {
    fn of(purpose: Purpose, payload: &'p [u8], body: Body<'p>) -> Self {
        Self {
            purpose,
            payload,
            channel: None,
            body,
            timestamp_ms: None,
            identifier: None,
            word: None,
            unit: None,
            priority: None,
            inner: None,
            version: None,
            updated: None,
            message: None,
            beside: None,
            channels_inside: false,
            frame: Frame::Firm,
        }
    }
}

/// What becomes of bytes that aren't JSON where the target needs JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RawBytes {
    /// They are refused.
    #[default]
    Refuse,
    /// They become a string of hexadecimal digits.
    Hex,
}

/// Under which name a report to MQTT2GO has its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReportKey {
    /// `"value": 21.8`
    #[default]
    Value,
    /// `"report": {"value": 21.8, "unit": "C"}`, as the platform's own devices write periodic reports.
    Report,
}

/// What the operator decided.
#[derive(Clone, Debug, Default)]
pub struct BodyOptions {
    /// The channel of values that come without one.
    pub default_channel: Option<Box<str>>,
    /// The action of commands that come without one.
    pub default_action: Option<Box<str>>,
    /// What becomes of bytes that aren't JSON.
    pub raw_as_hex: RawBytes,
    /// Under which name a periodic report to MQTT2GO has its value.
    pub report_key: ReportKey,
    /// The units of channels whose values come without one.
    pub units: Vec<(Box<str>, Box<str>)>,
}

/// What an encoder knows besides the content.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// What the message is for.
    pub purpose: Purpose,
    /// When it came, in milliseconds since 1970.
    pub received_ms: u64,
    /// The target's name of the device.
    pub device: &'c str,
    /// The number that makes identifiers (`c-{serial}`) and configuration versions.
    pub serial: u64,
    /// Where it comes from; only an envelope says it.
    pub origin: Origin<'c>,
    /// What the operator decided.
    pub options: &'c BodyOptions,
    /// The frame of a declared target.
    pub layout: Option<&'c Layout>,
}

/// One outgoing message: its channel and the part of the body that it carries.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'p> {
    /// What it's about.
    pub channel: Option<Name<'p>>,
    /// What it carries.
    pub body: Body<'p>,
}

/// Whether the target's topic has the channel in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelNeed {
    /// It has, so there is no message without one.
    Topic,
    /// It hasn't.
    No,
}

/// Whether the target's topic carries the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    /// It does.
    InTopic,
    /// It doesn't.
    Nowhere,
}

/// What was lost in writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// The source's time had milliseconds and the target's hasn't.
    pub seconds_rounded: bool,
    /// The channel, the time or the unit has no place in the target.
    pub meta_lost: bool,
}

/// Why a payload can't be translated to another shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BodyError {
    /// Not JSON where the source or the target needs it.
    #[error("payload isn't JSON")]
    NotJson,
    /// JSON, but not what the shape asks for.
    #[error("{0}")]
    Shape(&'static str),
    /// Neither topic nor payload nor options say what the value is about.
    #[error("nothing says what channel it is")]
    NoChannel,
    /// A message that the target has no kind for.
    #[error("not a message that the target knows")]
    UnsupportedStatus,
    /// A time that can't be read or written.
    #[error("invalid timestamp")]
    Timestamp,
    /// What a reader of the payload room refused.
    #[error(transparent)]
    Payload(PayloadError),
}

impl BodyError {
    /// The label for logs and metrics; a closed list, stable across versions.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotJson => "payload_not_json",
            Self::Shape(_) => "payload_shape",
            Self::NoChannel => "no_channel",
            Self::UnsupportedStatus => "kind_unsupported",
            Self::Timestamp => "ts_invalid",
            Self::Payload(error) => error.reason(),
        }
    }
}

impl From<JsonError> for BodyError {
    fn from(error: JsonError) -> Self {
        match error.fault {
            JsonFault::Depth => Self::Payload(PayloadError::DepthExceeded { at: error.at }),
            JsonFault::Duplicate => Self::Shape("a member stands there twice"),
            _ => Self::NotJson,
        }
    }
}

#[cfg(test)]
mod tests;

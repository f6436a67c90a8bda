//! What an operator can choose where two platforms' payloads differ. It belongs to a listener.

use std::sync::Arc;

use crate::payload::body::{BodyOptions, CommandTemplate};
use crate::payload::msgpack::MsgpackOptions;

/// How payloads are rewritten.
#[derive(Debug, Clone, Default)]
pub struct PayloadOptions {
    /// Bytes on a binary topic towards a platform that takes any bytes.
    pub binary: BinaryRule,
    /// MessagePack.
    pub msgpack: MsgpackOptions,
    /// Names and raw bytes.
    pub body: BodyOptions,
    /// What becomes of `{"temp": 21.7}` where the topic says `temp` and takes any bytes.
    pub keyed: KeyedRule,
    /// As what the states of devices go up.
    pub state: StateRule,
    /// What becomes of MQTT2GO reports on their way up to a platform that takes any bytes.
    pub mqtt2go_up: ReportRule,
    /// What becomes of MQTT2GO commands on their way to a device that takes any bytes.
    pub command: CommandRule,
    /// The text that commands become on their way to a device that takes any bytes.
    pub command_template: Option<Arc<CommandTemplate>>,
    /// Whole payloads go into an envelope where the target takes any object.
    pub envelope: bool,
    /// Messages that one may become at most.
    pub messages_max: MessagesMax,
    /// The member of an object of values that is their time, where the other platform has a place for it.
    pub time_key: Option<Box<str>>,
}

/// Messages that one may become at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagesMax(pub usize);

impl Default for MessagesMax {
    fn default() -> Self {
        Self(256)
    }
}

/// What becomes of an object whose only member is the channel that the topic names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyedRule {
    /// It passes as it is.
    #[default]
    Document,
    /// Its value goes on alone.
    Value,
}

/// As what the states of devices go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateRule {
    /// As states.
    #[default]
    State,
    /// As telemetry, where the platform has a topic for it.
    Telemetry,
}

/// What becomes of an MQTT2GO report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReportRule {
    /// It passes as it is.
    #[default]
    Document,
    /// It becomes `{"value": …, "unit": …, "ts": …}`.
    Normalize,
}

/// What becomes of an MQTT2GO command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandRule {
    /// It passes as it is.
    #[default]
    Document,
    /// Its value goes on alone, as JSON.
    Value,
    /// Its value goes on alone, a string without its quotes.
    Text,
}

/// What becomes of bytes on a binary topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinaryRule {
    /// They pass as they are where the platform takes any bytes; elsewhere MessagePack is decoded.
    #[default]
    Raw,
    /// MessagePack is decoded; what isn't MessagePack passes as it is.
    Decode,
    /// MessagePack is decoded; what isn't is refused.
    DecodeStrict,
}

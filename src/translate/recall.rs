//! What a rewriting takes from the session's memory, and what it leaves there.

use crate::payload::body::{self, Content, Name};
use crate::payload::json::RawString;

use super::memory::{Memory, Stage};
use super::message::Scratch;
use super::reason::Refusal;
use super::rewrite::{refusal, spelled};

/// The identifier of the command that an outcome is of, where the device doesn't say it. A JSON string.
pub(super) fn identifier(
    content: &Content<'_>,
    device: &str,
    channel: Option<Name<'_>>,
    memory: &mut Memory,
) -> Option<Box<[u8]>> {
    let stage = Stage::of(content.word.and_then(RawString::plain));
    if content.identifier.is_some() {
        memory.answered(device, &spelled_identifier(content, None), stage);
        return None;
    }
    let mut buffer = String::new();
    let name = content.channel.or(channel);
    let name = name.as_ref().map(|name| spelled(Some(name), &mut buffer));
    memory.command_of(device, name, stage)
}

/// The identifier of the source, or the proxy's own, as a JSON string.
fn spelled_identifier(content: &Content<'_>, own: Option<u64>) -> Vec<u8> {
    let mut identifier = Vec::new();
    body::write_identifier(content.identifier, own.unwrap_or_default(), &mut identifier);
    identifier
}

/// Remembers a command with the identifier that its outcome has to have: the sender's, or the proxy's own.
pub(super) fn remember(
    content: &Content<'_>,
    device: &str,
    name: &str,
    own: Option<u64>,
    memory: &mut Memory,
) {
    if content.identifier.is_none() && own.is_none() {
        return;
    }
    memory.commanded(device, name, &spelled_identifier(content, own));
}

/// Makes the value that was written, from `start` on, the document that it belongs to.
pub(super) fn gather(
    start: usize,
    topic: usize,
    memory: &mut Memory,
    scratch: &mut Scratch,
) -> Result<(), Refusal> {
    let topic = scratch.topics.get(topic..).unwrap_or("");
    let value = scratch.payloads.split_off(start);
    let gathered = memory.gather(topic, &value, &mut scratch.payloads);
    gathered.map_err(|error| refusal(error.into()))
}

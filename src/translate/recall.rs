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
    let commands = memory.commands()?;
    let stage = Stage::of(content.word.and_then(RawString::plain));
    if let Some(identifier) = content.identifier {
        if stage == Stage::Over {
            commands.over(device, identifier.raw());
        }
        return None;
    }
    let mut buffer = String::new();
    let name = content.channel.or(channel);
    let name = name.as_ref().map(|name| spelled(Some(name), &mut buffer));
    commands.outcome(device, name, stage)
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
    let mut identifier = Vec::new();
    body::write_identifier(content.identifier, own.unwrap_or_default(), &mut identifier);
    memory.others_mut().commands.sent(device, name, &identifier);
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
    let documents = &mut memory.others_mut().documents;
    let gathered = documents.gather(topic, &value, &mut scratch.payloads);
    gathered.map_err(|error| refusal(error.into()))
}

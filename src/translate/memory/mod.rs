//! What one session remembers of what it had translated. Nothing here is needed to translate a message alone;
//! it is lost with the session.
//!
//! Everything is bounded by constants: a device can make a session remember a few hundred bytes of topics, and
//! at most 64 KiB of documents where its dialect's tables gather any.

mod commands;
mod deliveries;
mod documents;
mod topics;

pub(super) use commands::{Commands, Stage};
pub(super) use deliveries::{Deliveries, Echoes};
pub(super) use documents::Documents;
pub(super) use topics::Known;

use super::message::Incoming;
use topics::Topics;

/// The memory of one session and one translator. Empty until the first message.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) topics: Topics,
    others: Option<Box<Others>>,
}

/// What most sessions never need.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) commands: Commands,
    pub(super) documents: Documents,
    pub(super) deliveries: Deliveries,
    pub(super) echoes: Echoes,
}

impl Memory {
    /// The commands, if there are any.
    pub(super) fn commands(&mut self) -> Option<&mut Commands> {
        self.others.as_deref_mut().map(|others| &mut others.commands)
    }

    /// Whether the device got exactly this message last on its topic.
    pub(super) fn is_repeated(&self, message: &Incoming<'_>) -> bool {
        let others = self.others.as_deref();
        others.is_some_and(|others| {
            others.deliveries.is_repeated(message.topic_name, message.payload)
        })
    }

    /// Remembers a message that the device got and that may come again ([`super::Translated::may_come_again`]).
    pub fn delivered(&mut self, message: &Incoming<'_>) {
        self.others_mut().deliveries.delivered(message.topic_name, message.payload);
    }

    /// The place for more.
    pub(super) fn others_mut(&mut self) -> &mut Others {
        self.others.get_or_insert_default()
    }
}

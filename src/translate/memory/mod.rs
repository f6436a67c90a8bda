//! What one session remembers of what it had translated. Nothing here is needed to translate a message alone;
//! it is lost with the session.
//!
//! What a translation would remember is staged first, and settled by the caller once it has sent the messages:
//! one that is refused, or that nobody asked for, leaves nothing behind.
//!
//! Everything is bounded by constants: 3 KiB of topics, 18 KiB of commands, 2 KiB of fingerprints, and 64 KiB of
//! documents where a dialect's tables gather any.

mod commands;
mod deliveries;
mod documents;
mod topics;

pub(super) use commands::Stage;
pub(super) use topics::Known;

use crate::payload::json::JsonError;

use super::connect::ConnectPlan;
use super::message::Incoming;
use super::own::Own;
use commands::Commands;
use deliveries::{Deliveries, Echoes, Sent};
use documents::{Document, Documents};
use topics::Topics;

/// The memory of one session and one translator. Empty until the first message.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) topics: Topics,
    others: Option<Box<Others>>,
    staged: Vec<Staged>,
}

/// What is remembered once the message was sent.
#[derive(Debug)]
enum Staged {
    Command { device: Box<str>, name: Box<str>, identifier: Box<[u8]> },
    Outcome { device: Box<str>, identifier: Box<[u8]> },
    Document(Document),
    Delivered { topic: u64, whole: u64 },
    Sent(Sent),
}

/// What most sessions never need.
#[derive(Debug, Default)]
struct Others {
    commands: Commands,
    documents: Documents,
    deliveries: Deliveries,
    echoes: Echoes,
    /// Only where the session may speak of no other device.
    own: Option<Own>,
}

impl Memory {
    /// Keeps the session to its own device, and to the places that its CONNECT or certificate says: messages about others are
    /// refused. Before the first message.
    pub fn keep_to(&mut self, plan: &ConnectPlan) {
        self.others.get_or_insert_default().own = Own::of(&plan.names, &plan.places);
    }

    /// A memory for the will of this session, which is translated before there is a session: it is kept to the same device.
    #[must_use]
    pub fn of_will(&self) -> Self {
        let mut memory = Self::default();
        if let Some(own) = self.own() {
            memory.others.get_or_insert_default().own = Some(own.clone());
        }
        memory
    }

    /// The device that the session is kept to.
    #[inline]
    pub(super) fn own(&self) -> Option<&Own> {
        self.others.as_deref()?.own.as_ref()
    }

    /// Another message is being translated: what the one before would have left is forgotten.
    pub(super) fn begin(&mut self) {
        self.staged.clear();
    }

    /// What was translated last has been sent.
    pub fn settle(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        let others = self.others.get_or_insert_default();
        for staged in self.staged.drain(..) {
            match staged {
                Staged::Command { device, name, identifier } => {
                    others.commands.sent(&device, &name, &identifier);
                }
                Staged::Outcome { device, identifier } => {
                    others.commands.over(&device, &identifier)
                }
                Staged::Document(document) => others.documents.keep(document),
                Staged::Delivered { topic, whole } => others.deliveries.delivered(topic, whole),
                Staged::Sent(sent) => others.echoes.sent(sent),
            }
        }
    }

    /// A command goes to a device. `identifier` is a JSON string.
    pub(super) fn commanded(&mut self, device: &str, name: &str, identifier: &[u8]) {
        let (device, name, identifier) = (device.into(), name.into(), identifier.into());
        self.staged.push(Staged::Command { device, name, identifier });
    }

    /// The identifier of the command that an outcome is of: see [`Commands::of`].
    pub(super) fn command_of(
        &mut self,
        device: &str,
        name: Option<&str>,
        stage: Stage,
    ) -> Option<Box<[u8]>> {
        let identifier = self.others.as_deref()?.commands.of(device, name)?;
        self.answered(device, &identifier, stage);
        Some(identifier)
    }

    /// A command has an outcome. `identifier` is a JSON string.
    pub(super) fn answered(&mut self, device: &str, identifier: &[u8], stage: Stage) {
        if stage == Stage::Over && self.others.is_some() {
            let (device, identifier) = (device.into(), identifier.into());
            self.staged.push(Staged::Outcome { device, identifier });
        }
    }

    /// Puts the only member of `object` into the document of a topic, and appends all of it to `out`.
    ///
    /// # Errors
    /// `object` isn't a JSON object with one member.
    pub(super) fn gather(
        &mut self,
        topic: &str,
        object: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        let staged = self.staged.iter().rev().find_map(|staged| match staged {
            Staged::Document(document) if document.is_of(topic) => Some(document),
            _ => None,
        });
        let settled = || self.others.as_deref().and_then(|others| others.documents.of(topic));
        let document = Document::gathered(staged.or_else(settled), topic, object, out)?;
        self.staged.push(Staged::Document(document));
        Ok(())
    }

    /// Whether the device got exactly this message last on its topic.
    pub(super) fn is_repeated(&self, message: &Incoming<'_>) -> bool {
        let others = self.others.as_deref();
        others.is_some_and(|others| {
            others.deliveries.is_repeated(message.topic_name, message.payload)
        })
    }

    /// A message goes to the device that may come again without having been sent again.
    pub(super) fn delivers(&mut self, message: &Incoming<'_>) {
        let others = self.others.get_or_insert_default();
        let [topic, whole] = others.deliveries.prints(message.topic_name, message.payload);
        self.staged.push(Staged::Delivered { topic, whole });
    }

    /// A message goes up that may come back. Takes effect with [`Memory::settle`].
    pub fn sends(&mut self, topic: &str, payload: &[u8], now_ms: u64) {
        let others = self.others.get_or_insert_default();
        self.staged.push(Staged::Sent(others.echoes.print(topic, payload, now_ms)));
    }

    /// Whether a message is the echo of one that went up a moment ago. Each has one echo.
    pub fn is_echo(&mut self, message: &Incoming<'_>, now_ms: u64) -> bool {
        let Some(others) = self.others.as_deref_mut() else { return false };
        others.echoes.is_echo(message.topic_name, message.payload, now_ms)
    }
}

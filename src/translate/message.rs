//! Messages on their way through a translation: what comes in, and the one, several or no messages that go out.

use std::ops::Range;

use crate::mqtt::Qos;

use super::reason::Notes;

/// A message as it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Topic name, in the sender's dialect.
    pub topic_name: &'a str,
    /// Payload.
    pub payload: &'a [u8],
    /// QoS.
    pub qos: Qos,
    /// RETAIN flag.
    pub retain: bool,
}

/// A message as it goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Topic name, in the receiver's dialect.
    pub topic_name: &'a str,
    /// Payload.
    pub payload: &'a [u8],
    /// QoS, at most the incoming one.
    pub qos: Qos,
    /// RETAIN flag.
    pub retain: bool,
}

/// Buffers that one shard uses for all its messages, so that none is allocated per message.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) topics: String,
    pub(super) payloads: Vec<u8>,
    /// JSON that MessagePack became.
    pub(super) json: Vec<u8>,
    /// When the message was received, in milliseconds since 1970. The caller sets it.
    pub received_ms: u64,
    /// Makes identifiers of what the proxy itself has to name; counts up with each use.
    pub serial: u64,
    placed: Vec<Placed>,
    notes: Notes,
}

/// Where a message's parts are.
#[derive(Debug, Clone)]
struct Placed {
    /// In `topics`; `None`: the incoming one.
    topic: Option<Range<usize>>,
    /// In `payloads`; `None`: the incoming one.
    payload: Option<Range<usize>>,
    qos: Qos,
    retain: bool,
}

/// What a message became. Usually one message; several where the other side has a topic per member; none where
/// nothing has to be said.
#[derive(Debug, Clone, Copy)]
pub struct Translated<'a> {
    incoming: Incoming<'a>,
    scratch: &'a Scratch,
}

impl<'a> Translated<'a> {
    /// The messages, in the order in which they go out.
    pub fn messages(self) -> impl Iterator<Item = Outgoing<'a>> + Clone {
        let Self { incoming, scratch } = self;
        scratch.placed.iter().map(move |placed| Outgoing {
            topic_name: match &placed.topic {
                Some(place) => scratch.topics.get(place.clone()).unwrap_or(""),
                None => incoming.topic_name,
            },
            payload: match &placed.payload {
                Some(place) => scratch.payloads.get(place.clone()).unwrap_or(&[]),
                None => incoming.payload,
            },
            qos: placed.qos,
            retain: placed.retain,
        })
    }

    /// How many messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scratch.placed.len()
    }

    /// Whether nothing has to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scratch.placed.is_empty()
    }

    /// What was changed or lost.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.scratch.notes
    }
}

impl Scratch {
    /// Buffers with a time and a first serial.
    #[must_use]
    pub fn at(received_ms: u64, serial: u64) -> Self {
        Self { received_ms, serial, ..Self::default() }
    }

    pub(super) fn clear(&mut self) {
        self.topics.clear();
        self.payloads.clear();
        self.placed.clear();
        self.notes = Notes::default();
    }

    /// The message as it came.
    pub(super) fn pass(&mut self, message: &Incoming<'_>) {
        self.placed.push(Placed {
            topic: None,
            payload: None,
            qos: message.qos,
            retain: message.retain,
        });
    }

    /// A message whose topic was rendered from `topic` on, and its payload from `payload` on, if it isn't the one
    /// that came in.
    pub(super) fn push(
        &mut self,
        topic: usize,
        payload: Option<usize>,
        qos: Qos,
        retain: bool,
        notes: Notes,
    ) {
        self.notes.merge(notes);
        let topic = Some(topic..self.topics.len());
        let payload = payload.map(|start| start..self.payloads.len());
        self.placed.push(Placed { topic, payload, qos, retain });
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        let serial = self.serial;
        self.serial = self.serial.wrapping_add(1);
        serial
    }

    pub(super) fn translated<'a>(&'a self, incoming: &Incoming<'a>) -> Translated<'a> {
        Translated { incoming: *incoming, scratch: self }
    }
}

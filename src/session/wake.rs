//! What a session is handed with each call: the time, the buffers, the counters.

use std::time::Instant;

use crate::mqtt::{PropertyBuffer, Qos};
use crate::translate;

use super::tally::Tally;

/// Buffers that all sessions of a shard share while one of them is awake.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) names: translate::Scratch,
    pub(super) properties: PropertyBuffer,
    /// For what is guarded first and changed then.
    pub(super) guarded: PropertyBuffer,
    /// The QoS of what one message has become.
    pub(super) parts: Vec<Option<Qos>>,
}

impl Scratch {
    /// Buffers whose generated identifiers start at `serial`; each shard starts somewhere else.
    #[must_use]
    pub fn starting_at(serial: u64) -> Self {
        let mut scratch = Self::default();
        scratch.names.serial = serial;
        scratch
    }

    /// Says what time it is, in milliseconds since 1970, for payloads that carry one.
    pub fn set_time(&mut self, unix_ms: u64) {
        self.names.received_ms = unix_ms;
    }
}

/// What a session gets with each call: the time, where to write, what to count with.
#[derive(Debug)]
pub struct Wake<'a> {
    /// Now. Read once by the shell.
    pub now: Instant,
    /// What the device is to be sent; the session only appends.
    pub to_device: &'a mut Vec<u8>,
    /// What the upstream is to be sent; the session only appends.
    pub to_upstream: &'a mut Vec<u8>,
    /// The shard's buffers.
    pub scratch: &'a mut Scratch,
    /// The shard's counters.
    pub tally: &'a Tally,
}

//! What sessions count. One tally belongs to one shard: only that shard's thread writes, so counting is a
//! plain load and store; anyone may read.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::translate::{Note, Notes, Reason, Way};

use super::end::End;
use super::throttle::Paced;

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Its address has as many connections as it may.
    Connections,
    /// Its address opens them faster than it may.
    Rate,
}

impl Excess {
    /// Every word, in the order of [`Excess::index`].
    pub const LABELS: [&'static str; 2] = ["address_connections", "address_rate"];

    /// Place in [`Excess::LABELS`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Connections => 0,
            Self::Rate => 1,
        }
    }

    /// The stable word: metric label, log field.
    #[must_use]
    pub fn label(self) -> &'static str {
        Self::LABELS.get(self.index()).copied().unwrap_or("")
    }
}

/// The counters of one shard.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connections accepted.
    pub opened: Counter,
    /// Sessions that reached their upstream's CONNACK 0.
    pub established: Counter,
    /// How often a listener has paused because connections came too fast.
    pub accepting_paused: Counter,
    turned_away: [Counter; Excess::LABELS.len()],
    ended: [Counter; End::LABELS.len()],
    packets: [Counter; 2],
    bytes: [Counter; 2],
    messages: [Counter; 2],
    filtered: Counter,
    paused: [Counter; Paced::ALL.len()],
    undelivered: [Counter; 2],
    refused: [[Counter; Reason::ALL.len()]; 2],
    notes: [[Counter; Note::ALL.len()]; 2],
}

/// A counter with a single writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; only the owning shard's thread may.
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn place(way: Way) -> usize {
    match way {
        Way::Up => 0,
        Way::Down => 1,
    }
}

fn add_at(counters: &[Counter], index: usize, more: u64) {
    if let Some(counter) = counters.get(index) {
        counter.add(more);
    }
}

fn value_at(counters: &[Counter], index: usize) -> u64 {
    counters.get(index).map_or(0, Counter::value)
}

impl Tally {
    pub(super) fn packet(&self, way: Way, bytes: usize) {
        add_at(&self.packets, place(way), 1);
        add_at(&self.bytes, place(way), bytes as u64);
    }

    pub(super) fn message(&self, way: Way, notes: Notes) {
        add_at(&self.messages, place(way), 1);
        if !notes.is_empty() {
            let counters = self.notes.get(place(way)).map_or(&[][..], |counters| counters);
            notes.iter().for_each(|note| add_at(counters, note.index(), 1));
        }
    }

    pub(super) fn refuse(&self, way: Way, reason: Reason) {
        let counters = self.refused.get(place(way)).map_or(&[][..], |counters| counters);
        add_at(counters, reason.index(), 1);
    }

    pub(super) fn filter(&self) {
        self.filtered.add(1);
    }

    /// Counts a message that nobody will send again.
    pub(super) fn lose(&self, way: Way) {
        add_at(&self.undelivered, place(way), 1);
    }

    pub(super) fn pause(&self, paced: Paced) {
        add_at(&self.paused, paced as usize, 1);
    }

    /// Counts the end of a session.
    pub fn end(&self, end: End) {
        add_at(&self.ended, end.index(), 1);
    }

    /// Counts a connection that was closed before anything of it was read.
    pub fn turn_away(&self, excess: Excess) {
        add_at(&self.turned_away, excess.index(), 1);
    }

    /// Connections turned away, by the index of [`Excess::LABELS`].
    #[must_use]
    pub fn turned_away(&self, index: usize) -> u64 {
        value_at(&self.turned_away, index)
    }

    /// Packets received: on the way up those of devices, on the way down those of upstreams.
    #[must_use]
    pub fn packets(&self, way: Way) -> u64 {
        value_at(&self.packets, place(way))
    }

    /// Bytes of those packets.
    #[must_use]
    pub fn bytes(&self, way: Way) -> u64 {
        value_at(&self.bytes, place(way))
    }

    /// Messages (PUBLISH) passed on.
    #[must_use]
    pub fn messages(&self, way: Way) -> u64 {
        value_at(&self.messages, place(way))
    }

    /// Deliveries that a widened subscription brought and no filter of the device asked for.
    #[must_use]
    pub fn filtered(&self) -> u64 {
        self.filtered.value()
    }

    /// Messages at QoS 0 that were dropped because their receiver, or their session, had gone.
    #[must_use]
    pub fn undelivered(&self, way: Way) -> u64 {
        value_at(&self.undelivered, place(way))
    }

    /// Messages, subscriptions and connections refused for a reason.
    #[must_use]
    pub fn refused(&self, way: Way, reason: Reason) -> u64 {
        self.refused.get(place(way)).map_or(0, |counters| value_at(counters, reason.index()))
    }

    /// Messages changed or poorer by a note.
    #[must_use]
    pub fn noted(&self, way: Way, note: Note) -> u64 {
        self.notes.get(place(way)).map_or(0, |counters| value_at(counters, note.index()))
    }

    /// How often a device wasn't heard for a while because it had sent too much.
    #[must_use]
    pub fn paused(&self, paced: Paced) -> u64 {
        value_at(&self.paused, paced as usize)
    }

    /// Sessions ended, by the index of [`End::LABELS`].
    #[must_use]
    pub fn ended(&self, index: usize) -> u64 {
        value_at(&self.ended, index)
    }
}

//! What the sink counts and checks. In a process with the devices it knows their run and measures latency; alone it
//! takes each run that it sees for itself.

use std::collections::BTreeMap;

use interlingua::mqtt::Publish;

use crate::check::Seen;
use crate::engine::measure::{Measure, Totals};
use crate::engine::stamp::{self, Unreadable, Way};
use crate::results::LatencyKind;

/// Whom the messages are expected from.
#[derive(Debug)]
pub(crate) enum Expected {
    /// The devices of this process: their run, and where latencies go.
    Run {
        /// The run's number in stamps.
        run: u16,
        /// Latency and seconds.
        measure: Box<Measure>,
        /// What payloads have to be.
        demand: Demand,
    },
    /// Anybody.
    Anybody,
}

/// What payloads have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// As they were sent, byte for byte.
    Bytes,
    /// Stamped.
    Stamp,
    /// Anything.
    Nothing,
}

/// Counts and checks.
#[derive(Debug)]
pub(crate) struct Receiver {
    expected: Expected,
    received: Received,
    /// The run whose messages are checked, when anybody's are.
    current: Option<u16>,
    arrived_before: u64,
}

/// What was received.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// PUBLISH packets.
    pub(crate) arrived: u64,
    /// In the measured time.
    pub(crate) measured: u64,
    /// Bytes of their payloads.
    pub(crate) payload_bytes: u64,
    /// PUBLISH packets that an echo sent back.
    pub(crate) echoed: u64,
    /// CONNECT packets.
    pub(crate) connects: u64,
    /// SUBSCRIBE packets.
    pub(crate) subscribes: u64,
    /// Payloads that were rewritten around their stamp.
    pub(crate) rewritten: u64,
    /// What was seen of the devices' messages.
    pub(crate) seen: Seen,
    /// Errors by kind.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Latencies, if they were measured.
    pub(crate) totals: Option<Box<Totals>>,
}

impl Receiver {
    /// Nothing received yet.
    pub(crate) fn new(expected: Expected) -> Self {
        Self { expected, received: Received::default(), current: None, arrived_before: 0 }
    }

    /// With each new `now`.
    pub(crate) fn roll(&mut self, now: u64) {
        if let Expected::Run { measure, .. } = &mut self.expected {
            measure.roll(now);
            let new = self.received.arrived - self.arrived_before;
            self.arrived_before = self.received.arrived;
            *measure.second().arrived.get_or_insert(0) += new;
        }
    }

    /// Takes in a message.
    pub(crate) fn publish(&mut self, publish: &Publish<'_>, now: u64) {
        self.received.arrived += 1;
        self.received.payload_bytes += publish.payload.len() as u64;
        if let Expected::Run { measure, .. } = &self.expected {
            self.received.measured += u64::from(measure.is_measured(now));
        }
        let found = match stamp::read(publish.payload) {
            Ok(found) => found,
            Err(unreadable) => return self.unreadable(unreadable, publish.topic_name),
        };
        let received = &mut self.received;
        let mut keeps = false;
        match &mut self.expected {
            Expected::Run { run, .. } if found.stamp.run != *run || found.stamp.way != Way::Up => {
                received.seen.wrong.strangers += 1;
                return;
            }
            Expected::Run { measure, demand, .. } => {
                keeps = *demand == Demand::Bytes;
                measure.latency(LatencyKind::Arrival, found.stamp.time_ns, now);
            }
            Expected::Anybody => {
                if self.current != Some(found.stamp.run) {
                    self.current = Some(found.stamp.run);
                    received.seen = Seen::default();
                }
            }
        }
        received.seen.take(&found.stamp);
        if !found.rest_is_same {
            received.rewritten += 1;
            if keeps {
                received.seen.wrong.corrupted += 1;
                let topic = publish.topic_name;
                received
                    .seen
                    .wrong
                    .note(|| format!("a payload on {topic} was changed around its stamp"));
            }
        }
    }

    /// Devices that don't stamp can't be checked; a missing stamp among stamped ones is damage.
    fn unreadable(&mut self, unreadable: Unreadable, topic_name: &str) {
        let wrong = &mut self.received.seen.wrong;
        let stamped = match self.expected {
            Expected::Run { demand: Demand::Nothing, .. } => return,
            Expected::Run { .. } => true,
            Expected::Anybody => self.current.is_some(),
        };
        if unreadable == Unreadable::Damaged || stamped {
            wrong.corrupted += 1;
            wrong.note(|| match unreadable {
                Unreadable::Missing => format!("a payload on {topic_name} has no stamp"),
                Unreadable::Damaged => format!("a payload on {topic_name} has a damaged stamp"),
            });
        }
    }

    /// A CONNECT.
    pub(crate) fn connected(&mut self) {
        self.received.connects += 1;
    }

    /// A SUBSCRIBE.
    pub(crate) fn subscribed(&mut self) {
        self.received.subscribes += 1;
    }

    /// An echo.
    pub(crate) fn sent_back(&mut self) {
        self.received.echoed += 1;
    }

    /// An error by kind.
    pub(crate) fn error(&mut self, kind: &'static str) {
        *self.received.errors.entry(kind).or_default() += 1;
    }

    /// PUBLISH packets so far.
    pub(crate) fn arrived(&self) -> u64 {
        self.received.arrived
    }

    /// Echoes so far.
    pub(crate) fn echoed(&self) -> u64 {
        self.received.echoed
    }

    /// The end.
    pub(crate) fn finish(mut self) -> Received {
        if let Expected::Run { mut measure, .. } = self.expected {
            *measure.second().arrived.get_or_insert(0) +=
                self.received.arrived - self.arrived_before;
            self.received.totals = Some(Box::new(measure.finish()));
        }
        self.received
    }
}

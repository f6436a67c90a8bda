//! The receiver of a session: it subscribes at QoS 2 and records every message, until that which ends its stream.
//!
//! Invariant: a message is recorded before it is acknowledged, and one of QoS 2 only once until its PUBREL.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use interlingua::mqtt::{AcknowledgementKind, PacketIdentifier, Qos};

use super::line::{Broken, Cuts, Heard, Introduction, Line};
use super::message::{Channel, Course, Message, Side};
use super::publisher::note;
use super::state::State;
use super::verdict::Arrival;

/// Between two attempts to connect: whoever was refused would be again.
const PAUSE: Duration = Duration::from_millis(5);

/// A subscriber with its session.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) state: Arc<State>,
    pub(crate) introduction: Introduction,
    pub(crate) cuts: Cuts,
    pub(crate) course: Course,
    pub(crate) side: Side,
    pub(crate) topic_filters: Vec<String>,
    /// Hears when the subscription is there.
    pub(crate) subscribed: Option<Sender<()>>,
}

/// What the session remembers from one connection to the next.
#[derive(Debug, Default)]
struct Memory {
    arrivals: Vec<Arrival>,
    /// Messages of QoS 2 before their PUBREL.
    open: BTreeSet<PacketIdentifier>,
    has_ended: bool,
    is_known: bool,
}

impl Listener {
    /// Records until the stream's last message is here, or the time is over.
    pub(crate) fn run(mut self) -> Vec<Arrival> {
        let mut memory = Memory::default();
        loop {
            self.state.await_gate();
            match self.connect(&mut memory).and_then(|line| self.converse(line, &mut memory)) {
                Ok(()) | Err(Broken::Over) => return memory.arrivals,
                Err(broken) => {
                    note(&self.state, &self.introduction, &broken);
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    fn connect(&mut self, memory: &mut Memory) -> Result<Line, Broken> {
        self.state.left().ok_or(Broken::Over)?;
        let (line, session_present) =
            Line::connect(&self.state, &self.introduction, &mut self.cuts)?;
        self.state.connections.add(1);
        if memory.is_known && !session_present {
            let who = &self.introduction.client_identifier;
            self.state.violation(format!("the session of {who} was lost"));
            memory.open.clear();
        }
        memory.is_known = true;
        Ok(line)
    }

    fn converse(&mut self, mut line: Line, memory: &mut Memory) -> Result<(), Broken> {
        if self.subscribed.is_some() {
            line.subscribe(&self.topic_filters)?;
        }
        while !memory.has_ended || !memory.open.is_empty() {
            match line.receive(&self.state)? {
                Heard::Suback(codes) if codes.iter().all(|code| *code == 2) => {
                    if let Some(sender) = self.subscribed.take() {
                        let _ = sender.send(());
                    }
                }
                Heard::Message { topic, payload, qos, identifier } => {
                    let again = identifier.is_some_and(|own| memory.open.contains(&own));
                    if qos != Qos::ExactlyOnce || !again {
                        self.record(&topic, &payload, qos, memory);
                    }
                    answer(qos, identifier, &mut line, memory)?;
                }
                Heard::Acknowledgement(AcknowledgementKind::Pubrel, identifier) => {
                    memory.open.remove(&identifier);
                    line.acknowledge(AcknowledgementKind::Pubcomp, identifier)?;
                }
                other => return Err(Broken::Malformed(format!("{other:?} for a subscriber"))),
            }
        }
        line.disconnect();
        Ok(())
    }

    /// Records a message. One that nobody writes is acknowledged like any other, or it would come again for ever.
    fn record(&self, topic: &str, payload: &[u8], qos: Qos, memory: &mut Memory) {
        let Some(message) = Message::read(payload) else {
            let length = payload.len();
            return self
                .state
                .violation(format!("{topic}: a payload of {length} bytes that nobody writes"));
        };
        let expected = message.topic(self.course, self.side);
        if topic != expected {
            return self
                .state
                .violation(format!("{topic}: {message}, which belongs to {expected}"));
        }
        self.state.note_received(message.stream, message.number);
        memory.arrivals.push(Arrival { message, level: qos.level() });
        memory.has_ended |= message.channel == Channel::End;
    }
}

fn answer(
    qos: Qos,
    identifier: Option<PacketIdentifier>,
    line: &mut Line,
    memory: &mut Memory,
) -> Result<(), Broken> {
    match (qos, identifier) {
        (Qos::AtLeastOnce, Some(identifier)) => {
            line.acknowledge(AcknowledgementKind::Puback, identifier)
        }
        (Qos::ExactlyOnce, Some(identifier)) => {
            memory.open.insert(identifier);
            line.acknowledge(AcknowledgementKind::Pubrec, identifier)
        }
        _ => Ok(()),
    }
}

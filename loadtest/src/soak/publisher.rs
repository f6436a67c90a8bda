//! The sender of a session: it publishes, loses its connection, comes back and sends again what isn't acknowledged.
//!
//! As the specification says (3.1.1, 4.3 and 4.4): under the same packet identifier, in the original order, PUBLISH with
//! DUP, and PUBREL once PUBREC was seen. Invariant: a message counts as acknowledged only by its own PUBACK or PUBCOMP.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use interlingua::mqtt::{AcknowledgementKind, PacketIdentifier, Properties, Publish, Qos};

use super::line::{Broken, Cuts, Heard, Introduction, Line};
use super::message::{Channel, Course, Message, Side, Way};
use super::state::State;
use super::verdict::{Sent, Stage};

/// How many messages above QoS 0 may wait for their acknowledgement.
const WINDOW: usize = 10;
/// Packet identifiers are taken from a small circle, so that they come again soon.
const IDENTIFIERS: u16 = 40;
/// How far a stream may be ahead of its receiver. Mosquitto sends all that isn't acknowledged with each connection, and
/// walks along it for each acknowledgement.
const AHEAD: u32 = 50;
/// Between two attempts to connect: whoever was refused would be again.
const PAUSE: Duration = Duration::from_millis(5);

/// What becomes of the session while its client is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// The broker keeps it, and has to say so.
    Kept,
    /// The platform has no sessions. What isn't acknowledged is sent again all the same.
    Lost,
}

/// When a publisher sends, apart from not being far ahead of its receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Free,
    /// Not before as large a share of the messages up is done, so that both last equally long.
    WithUp,
}

/// A message on its way.
#[derive(Debug)]
struct Flight {
    identifier: PacketIdentifier,
    place: usize,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// PUBLISH was sent.
    Published,
    /// PUBREC was seen, PUBREL was sent.
    Released,
}

/// Whether a message is sent for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Again,
}

/// A publisher with its session.
#[derive(Debug)]
pub(crate) struct Publisher {
    state: Arc<State>,
    introduction: Introduction,
    cuts: Cuts,
    keeping: Keeping,
    pace: Pace,
    course: Course,
    side: Side,
    messages: Vec<Sent>,
    next: usize,
    window: VecDeque<Flight>,
    last_identifier: u16,
    is_known: bool,
}

impl Publisher {
    pub(crate) fn new(
        state: &Arc<State>,
        introduction: Introduction,
        course: Course,
        side: Side,
        messages: Vec<Message>,
    ) -> Self {
        let messages =
            messages.into_iter().map(|message| Sent { message, stage: Stage::Unsent }).collect();
        Self {
            state: Arc::clone(state),
            introduction,
            cuts: Cuts::Never,
            keeping: Keeping::Kept,
            pace: Pace::Free,
            course,
            side,
            messages,
            next: 0,
            window: VecDeque::new(),
            last_identifier: 0,
            is_known: false,
        }
    }

    pub(crate) fn with_cuts(self, cuts: Cuts, keeping: Keeping) -> Self {
        Self { cuts, keeping, ..self }
    }

    pub(crate) fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Publishes until everything is acknowledged or the time is over.
    pub(crate) fn run(mut self) -> Vec<Sent> {
        while self.next < self.messages.len() || !self.window.is_empty() {
            self.state.await_gate();
            match self.connect().and_then(|line| self.converse(line)) {
                Ok(()) => {}
                Err(Broken::Over) => break,
                Err(broken) => {
                    note(&self.state, &self.introduction, &broken);
                    thread::sleep(PAUSE);
                }
            }
        }
        self.messages
    }

    fn connect(&mut self) -> Result<Line, Broken> {
        self.state.left().ok_or(Broken::Over)?;
        let (line, session_present) =
            Line::connect(&self.state, &self.introduction, &mut self.cuts)?;
        self.state.connections.add(1);
        if self.is_known && self.keeping == Keeping::Kept && !session_present {
            let who = &self.introduction.client_identifier;
            self.state.violation(format!("the session of {who} was lost"));
        }
        self.is_known = true;
        Ok(line)
    }

    /// Until everything is acknowledged.
    fn converse(&mut self, mut line: Line) -> Result<(), Broken> {
        self.resend(&mut line)?;
        loop {
            self.fill(&mut line)?;
            if !self.window.is_empty() {
                let heard = line.receive(&self.state)?;
                self.take(heard, &mut line)?;
            } else if self.next == self.messages.len() {
                line.disconnect();
                return Ok(());
            } else {
                line.flush()?;
                self.state.left().ok_or(Broken::Over)?;
                self.state.await_that(|| self.may_send());
            }
        }
    }

    /// Sends again what isn't acknowledged.
    fn resend(&mut self, line: &mut Line) -> Result<(), Broken> {
        for flight in &self.window {
            match flight.step {
                Step::Published => {
                    self.state.resent.add(1);
                    let message = self.messages[flight.place].message;
                    self.publish(line, &message, Some(flight.identifier), Attempt::Again)?;
                }
                Step::Released => {
                    line.acknowledge(AcknowledgementKind::Pubrel, flight.identifier)?;
                }
            }
        }
        Ok(())
    }

    /// Sends new messages until the window is full.
    fn fill(&mut self, line: &mut Line) -> Result<(), Broken> {
        while self.window.len() < WINDOW && self.next < self.messages.len() && self.may_send() {
            let place = self.next;
            self.next += 1;
            let message = self.messages[place].message;
            if message.qos() == Qos::AtMostOnce {
                self.messages[place].stage = Stage::Sent;
                self.finish(&message);
                self.publish(line, &message, None, Attempt::First)?;
            } else {
                let identifier = self.free_identifier();
                self.window.push_back(Flight { identifier, place, step: Step::Published });
                self.messages[place].stage = Stage::Sent;
                self.publish(line, &message, Some(identifier), Attempt::First)?;
            }
        }
        Ok(())
    }

    fn publish(
        &self,
        line: &mut Line,
        message: &Message,
        packet_identifier: Option<PacketIdentifier>,
        attempt: Attempt,
    ) -> Result<(), Broken> {
        line.publish(&Publish {
            dup: attempt == Attempt::Again,
            qos: message.qos(),
            retain: false,
            topic_name: &message.topic(self.course, self.side),
            packet_identifier,
            properties: Properties::EMPTY,
            payload: &message.payload(),
        })
    }

    fn take(&mut self, heard: Heard, line: &mut Line) -> Result<(), Broken> {
        let Heard::Acknowledgement(kind, identifier) = heard else {
            return Err(Broken::Malformed(format!("{heard:?} for a publisher")));
        };
        let at = self.window.iter().position(|flight| flight.identifier == identifier);
        let Some(at) = at else {
            return Err(Broken::Malformed(format!("{kind:?} for nothing that was sent")));
        };
        let Flight { place, step, .. } = self.window[at];
        let message = self.messages[place].message;
        match (kind, message.qos(), step) {
            (AcknowledgementKind::Puback, Qos::AtLeastOnce, _)
            | (AcknowledgementKind::Pubcomp, Qos::ExactlyOnce, Step::Released) => {
                self.window.remove(at);
                self.messages[place].stage = Stage::Acknowledged;
                self.finish(&message);
                Ok(())
            }
            (AcknowledgementKind::Pubrec, Qos::ExactlyOnce, Step::Released) => Ok(()),
            (AcknowledgementKind::Pubrec, Qos::ExactlyOnce, Step::Published) => {
                self.window[at].step = Step::Released;
                line.acknowledge(AcknowledgementKind::Pubrel, identifier)
            }
            _ => Err(Broken::Malformed(format!("{kind:?} for {message}, {step:?}"))),
        }
    }

    fn finish(&self, message: &Message) {
        if message.way == Way::Up {
            self.state.done_up.add(1);
        }
    }

    /// Whether the next message's time has come.
    fn may_send(&self) -> bool {
        let Message { stream, number, channel, .. } = self.messages[self.next].message;
        let is_near = channel == Channel::End
            || number <= self.state.latest_received(stream).saturating_add(AHEAD);
        let share = self.next as u64 * self.state.messages_up / self.messages.len() as u64;
        is_near && (self.pace == Pace::Free || self.state.done_up.get() >= share)
    }

    fn free_identifier(&mut self) -> PacketIdentifier {
        loop {
            self.last_identifier = self.last_identifier % IDENTIFIERS + 1;
            let identifier = PacketIdentifier::new(self.last_identifier).expect("it isn't 0");
            if self.window.iter().all(|flight| flight.identifier != identifier) {
                return identifier;
            }
        }
    }
}

/// Counts a connection's end, or says what was wrong with it.
pub(crate) fn note(state: &State, introduction: &Introduction, broken: &Broken) {
    let who = &introduction.client_identifier;
    match broken {
        Broken::Cut => state.device_cuts.add(1),
        Broken::Closed => state.closed.add(1),
        Broken::Over => {}
        Broken::Silent => state.violation(format!("{who} waited in vain on a living connection")),
        Broken::Malformed(what) => state.violation(format!("{who} received {what}")),
    }
}

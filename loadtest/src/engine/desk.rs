//! What all clients of one thread share: the buffers, the schedules, the books of what was received, the measures.
//!
//! Clients borrow it one after the other; nothing here belongs to one of them.

use std::sync::Arc;

use interlingua::mqtt::{Properties, Publish, Qos};

use super::client::Role;
use super::control::Phase;
use super::measure::Measure;
use super::payload::PayloadMaker;
use super::plan::Plan;
use super::schedule::Schedule;
use super::stamp::{self, Stamp, Unreadable, Way};
use super::template::Moment;
use crate::check::Seen;
use crate::results::LatencyKind;
use crate::scenario::{Pacing, Retain, Stamping};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// What the clients of a thread share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) plan: Arc<Plan>,
    pub(crate) measure: Measure,
    /// Where the run is, as of this turn.
    pub(crate) phase: Phase,
    /// When what is due; of this thread's devices.
    pub(crate) schedule: Schedule,
    /// When which command is due, if this thread has the controller.
    pub(crate) commands: Schedule,
    /// Devices of this thread.
    pub(crate) devices: u64,
    /// What is read goes here first.
    pub(crate) read: Vec<u8>,
    /// What will be written next.
    pub(crate) out: Vec<u8>,
    /// What devices received from other devices' side: echoes.
    pub(crate) echoes: Seen,
    /// What devices received from the controller.
    pub(crate) received_commands: Seen,
    /// The largest packet that is taken.
    pub(crate) packet_size_max: usize,
    messages: PayloadMaker,
    command: Option<PayloadMaker>,
}

/// Why a message couldn't be made: the label of the error.
pub(crate) type Unmade = &'static str;

impl Desk {
    /// For `devices` of the plan's devices.
    pub(crate) fn new(
        plan: Arc<Plan>,
        measure: Measure,
        schedule: Schedule,
        commands: Schedule,
        devices: u64,
    ) -> Self {
        let packet_size_max = plan.messages.length().max(1024) * 2 + 64 * 1024;
        Self {
            messages: plan.messages.clone(),
            command: plan.controller.as_ref().map(|controller| controller.payload.clone()),
            read: vec![0; READ_BYTES.max(packet_size_max)],
            out: Vec::with_capacity(READ_BYTES),
            echoes: Seen::default(),
            received_commands: Seen::default(),
            plan,
            measure,
            phase: Phase::Connecting,
            schedule,
            commands,
            devices,
            packet_size_max,
        }
    }

    /// When a client's message is meant to be sent: time of the clock. `None` past its last one.
    pub(crate) fn intended(
        &mut self,
        role: Role,
        place: u64,
        ordinal: u64,
        now: u64,
    ) -> Option<u64> {
        let start = self.measure.start()?;
        let since = match (role, self.plan.scenario.load.pacing) {
            (Role::Controller, _) => self.commands.time(ordinal)?,
            (Role::Device(_), Pacing::Open) => {
                self.schedule.time(ordinal * self.devices + place)?
            }
            (Role::Device(_), Pacing::Closed | Pacing::Full) => return Some(now),
        };
        Some(start + since)
    }

    /// Appends a PUBLISH to `out`.
    pub(crate) fn publish(
        &mut self,
        role: Role,
        ordinal: u64,
        intended: u64,
        packet_identifier: Option<interlingua::mqtt::PacketIdentifier>,
    ) -> Result<(), Unmade> {
        let plan = &self.plan;
        let message = &plan.scenario.message;
        let streams = match role {
            Role::Device(_) => u64::from(message.topics),
            Role::Controller => plan.devices.len() as u64,
        };
        let (stream, sequence) = (ordinal % streams, ordinal / streams);
        let index = usize::try_from(stream).unwrap_or(0);
        let stream_number = u32::try_from(stream).unwrap_or(0);
        let (way, device, topic, topic_name, qos, version, maker) = match (role, &plan.controller) {
            (Role::Device(number), _) => {
                let topic_name = &*plan.devices[number as usize].topics[index];
                let topic = stream_number as u16;
                (Way::Up, number, topic, topic_name, message.qos, plan.version, &mut self.messages)
            }
            (Role::Controller, Some(controller)) => {
                let maker = self.command.as_mut().ok_or("no_commands")?;
                let (topic_name, qos) = (&*controller.topics[index], plan.scenario.commands.qos);
                (Way::Down, stream_number, 0, topic_name, qos, controller.version, maker)
            }
            (Role::Controller, None) => return Err("no_commands"),
        };
        let time_ns = intended;
        let stamp =
            Stamp { way, run: plan.run, device, topic, sequence, time_ns, filler: 0, rest: 0 };
        let unix_ms = plan.clock.unix_ms(intended);
        let moment = Moment { seed: plan.seed, device, ordinal, unix_ms };
        let payload = maker.make(stamp, &moment).map_err(|_| "payload_not_made")?;
        let retain = way == Way::Up && message.retain == Retain::Set;
        let properties = Properties::EMPTY;
        let publish =
            Publish { dup: false, qos, retain, topic_name, packet_identifier, properties, payload };
        publish.encode(version, &mut self.out).map_err(|fault| fault.label())
    }

    /// The QoS that a client publishes with.
    pub(crate) fn qos(&self, role: Role) -> Qos {
        match role {
            Role::Device(_) => self.plan.scenario.message.qos,
            Role::Controller => self.plan.scenario.commands.qos,
        }
    }

    /// Takes in a payload that a device received.
    pub(crate) fn received(&mut self, device: u32, payload: &[u8], timing: Timing, now: u64) {
        let plan = &self.plan;
        if plan.scenario.message.stamp == Stamping::Bare {
            return;
        }
        let wrong = &mut self.echoes.wrong;
        let found = match stamp::read(payload) {
            Ok(found) => found,
            Err(unreadable) => {
                wrong.corrupted += 1;
                wrong.note(|| unreadable_at(device, unreadable));
                return;
            }
        };
        let stamp = found.stamp;
        if stamp.run != plan.run {
            wrong.strangers += 1;
            return;
        }
        if stamp.device != device {
            wrong.misdelivered += 1;
            wrong.note(|| format!("device {device} received a message of device {}", stamp.device));
            return;
        }
        let (seen, kind) = match stamp.way {
            Way::Up => (&mut self.echoes, LatencyKind::RoundTrip),
            Way::Down => (&mut self.received_commands, LatencyKind::Command),
        };
        seen.take(&stamp);
        if !found.rest_is_same && plan.scenario.message.keeps_bytes(&plan.scenario.devices.dialect)
        {
            seen.wrong.corrupted += 1;
            seen.wrong.note(|| format!("device {device} received a payload that was changed"));
        }
        if timing == Timing::Counted {
            self.measure.latency(kind, stamp.time_ns, now);
        }
    }
}

/// Whether a client's latencies count; those of slow readers don't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// They do.
    Counted,
    /// They don't.
    LeftOut,
}

fn unreadable_at(device: u32, unreadable: Unreadable) -> String {
    match unreadable {
        Unreadable::Missing => format!("device {device} received a payload without a stamp"),
        Unreadable::Damaged => format!("device {device} received a payload with a damaged stamp"),
    }
}

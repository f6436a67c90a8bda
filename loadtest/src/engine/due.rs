//! What is due on a sending thread, who may send it, and how long there is nothing to do.

use super::client::{Role, State};
use super::clock::SECOND;
use super::shard::Shard;
use crate::scenario::Pacing;

/// Waits are no longer than this, so that a change of phase is seen.
const WAIT_MAX_NS: u64 = SECOND / 100;

impl Shard {
    /// Marks what the schedules want by now.
    pub(super) fn due(&mut self, now: u64) {
        let now = now.min(self.control.stop());
        let Some(start) = self.desk.measure.start() else { return };
        if self.desk.plan.scenario.load.pacing == Pacing::Full {
            // There is no schedule; whoever came up is in the list.
            self.controller_due(start, now);
            return;
        }
        while let Some(time) = self.desk.schedule.time(self.next_message) {
            let intended = start + time;
            if intended > now {
                break;
            }
            let index = (self.next_message % self.desk.devices) as usize;
            self.next_message += 1;
            self.desk.measure.lateness(intended, now);
            self.want(index);
        }
        self.controller_due(start, now);
    }

    fn controller_due(&mut self, start: u64, now: u64) {
        let Some(index) = self.clients.len().checked_sub(1) else { return };
        if self.clients[index].role != Role::Controller {
            return;
        }
        while let Some(time) = self.desk.commands.time(self.next_command) {
            if start + time > now {
                break;
            }
            self.next_command += 1;
            self.clients[index].due += 1;
            self.list(index);
        }
    }

    /// One more message of a device is due. In a closed loop only if the one before was answered.
    fn want(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if self.desk.plan.scenario.load.pacing == Pacing::Closed {
            if client.state != State::Up || client.flight_is_open() {
                return;
            }
            client.due = client.next + 1;
        } else {
            client.due += 1;
        }
        self.desk.measure.second().intended += 1;
        self.list(index);
    }

    /// Puts a client into the list of those that may send, if it may.
    pub(super) fn list(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if !client.listed && client.may_send(&self.desk) {
            client.listed = true;
            self.ready.push(index);
        }
    }

    /// Nanoseconds until something is due.
    pub(super) fn next_wait(&mut self) -> u64 {
        if !self.ready.is_empty() {
            return 0;
        }
        let now = self.now();
        let mut next = now + WAIT_MAX_NS;
        let start = self.desk.measure.start();
        if let Some(start) = start {
            let pacing = self.desk.plan.scenario.load.pacing;
            let message = if pacing == Pacing::Full {
                None
            } else {
                self.desk.schedule.time(self.next_message)
            };
            let has_controller =
                self.clients.last().is_some_and(|last| last.role == Role::Controller);
            let command =
                if has_controller { self.desk.commands.time(self.next_command) } else { None };
            for time in message.into_iter().chain(command) {
                next = next.min(start + time);
            }
        } else if let Some(start) = self.control.start() {
            next = next.min(start);
        }
        if let Some(time) = self.happenings.next_time(start) {
            next = next.min(time);
        }
        next.saturating_sub(now)
    }
}

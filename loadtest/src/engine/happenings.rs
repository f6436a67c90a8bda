//! When connections begin and end because the scenario wants it: ramp-up, coming back, churn, storms.
//!
//! It only says when; the shard does it. Invariant: each storm and each leaving is said once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::client::{Client, Role};
use super::clock::nanoseconds;
use super::plan::Plan;
use super::schedule::Schedule;

/// What will happen to the connections of a thread.
#[derive(Debug)]
pub(crate) struct Happenings {
    /// When which client connects.
    openings: BinaryHeap<Reverse<(u64, usize)>>,
    /// Times of storms after the start of the load, the last first.
    storms: Vec<u64>,
    leavings: Schedule,
    next_leaving: u64,
    devices: usize,
}

impl Happenings {
    /// Devices connect over the ramp-up in the order of their numbers; a controller at once.
    pub(crate) fn new(plan: &Plan, clients: &[Client]) -> Self {
        let load = &plan.scenario.load;
        let count = f64::from(plan.scenario.devices.count);
        let ramp_up = nanoseconds(load.ramp_up) as f64;
        let now = plan.clock.now();
        let time = |client: &Client| match client.role {
            Role::Device(number) => now + (ramp_up * f64::from(number) / count) as u64,
            Role::Controller => now,
        };
        let openings = clients
            .iter()
            .enumerate()
            .map(|(index, client)| Reverse((time(client), index)))
            .collect();
        let mut storms: Vec<u64> =
            plan.scenario.connections.storms.iter().map(|storm| nanoseconds(*storm)).collect();
        storms.sort_unstable_by_key(|storm| Reverse(*storm));
        let devices = clients.iter().filter(|client| client.role != Role::Controller).count();
        let share = devices as f64 / count;
        let leavings = Schedule::constant(
            plan.scenario.connections.churn * share,
            load.warm_up + load.duration,
        );
        Self { openings, storms, leavings, next_leaving: 0, devices }
    }

    /// A client that has to connect by now.
    pub(crate) fn next_open(&mut self, now: u64) -> Option<usize> {
        let Reverse((time, _)) = self.openings.peek()?;
        if *time > now {
            return None;
        }
        self.openings.pop().map(|Reverse((_, index))| index)
    }

    /// A client connects then.
    pub(crate) fn open_at(&mut self, index: usize, time: u64) {
        self.openings.push(Reverse((time, index)));
    }

    /// Whether a storm breaks loose.
    pub(crate) fn storm(&mut self, start: Option<u64>, now: u64) -> bool {
        let (Some(start), Some(storm)) = (start, self.storms.last()) else { return false };
        if start + storm > now {
            return false;
        }
        self.storms.pop();
        true
    }

    /// A device that has to leave by now.
    pub(crate) fn next_leaver(&mut self, start: Option<u64>, now: u64) -> Option<usize> {
        let time = self.leavings.time(self.next_leaving)?;
        if start? + time > now {
            return None;
        }
        let index = (self.next_leaving % self.devices as u64) as usize;
        self.next_leaving += 1;
        Some(index)
    }

    /// When something happens next.
    pub(crate) fn next_time(&mut self, start: Option<u64>) -> Option<u64> {
        let opening = self.openings.peek().map(|Reverse((time, _))| *time);
        let leaving = self.leavings.time(self.next_leaving);
        let later = start.and_then(|start| {
            let storm = self.storms.last().copied();
            [storm, leaving].into_iter().flatten().min().map(|time| start + time)
        });
        [opening, later].into_iter().flatten().min()
    }
}

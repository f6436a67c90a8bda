//! What is due, and when: each wait of a session ends by a deadline of its own, and the shell asks for the earliest.

use std::time::Instant;

use crate::access::Denied;
use crate::mqtt::{PINGREQ, ReasonCode};
use crate::translate::Way;

use super::attachments::Attachments;
use super::bounds::Aside;
use super::conversation::Session;
use super::end::End;
use super::phase::Phase;
use super::wake::Wake;

impl Session {
    /// Something is due: call it when [`Session::deadline`] has passed.
    pub fn on_deadline(&mut self, wake: &mut Wake<'_>) {
        let now = wake.now;
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.phase_deadline) {
            self.phase_deadline = None;
            match self.phase {
                Phase::AwaitConnect => self.phase = Phase::Ended(End::ConnectTimeout),
                Phase::AwaitAccess => self.on_access(Err(Denied::Busy), wake),
                Phase::AwaitUpstream | Phase::AwaitConnack => {
                    self.refuse_connect(End::UpstreamTimeout, ReasonCode::ServerUnavailable, wake);
                }
                Phase::Leaving(end) => self.leave_at_last(end, wake),
                // What the device said before it closed could not go on in time.
                Phase::Running => self.end_for_device(End::DeviceClosed, wake),
                Phase::Ended(_) => {}
            }
        }
        if self.lingers && due(self.keep_alive.upstream_deadline()) {
            wake.to_upstream.extend_from_slice(&PINGREQ);
            self.keep_alive.proxy_pinged(now);
        }
        if self.phase != Phase::Running {
            return;
        }
        if due(self.pause_deadline()) {
            self.end_pause();
        }
        if due(self.access_deadline()) {
            self.end_for_device(End::AccessExpired, wake);
            return;
        }
        if let Some(attachments) = &mut self.attachments
            && due(attachments.deadline())
        {
            attachments.give_up();
            self.offer_held(wake);
        }
        if due(self.device_deadline()) {
            self.end_for_device(End::KeepAliveTimeout, wake);
        } else if due(self.keep_alive.upstream_deadline()) {
            wake.to_upstream.extend_from_slice(&PINGREQ);
            self.keep_alive.proxy_pinged(wake.now);
        }
    }

    /// When [`Session::on_deadline`] has to be called next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let running = self.phase == Phase::Running;
        let attachment = self.attachments.as_deref().and_then(Attachments::deadline);
        let own =
            [self.device_deadline(), attachment, self.access_deadline(), self.pause_deadline()];
        let own = own.into_iter().flatten();
        let upstream = self.keep_alive.upstream_deadline().filter(|_| running || self.lingers);
        own.filter(|_| running).chain(upstream).chain(self.phase_deadline).min()
    }

    /// When the device has been silent for too long. Not while it isn't heard, since too much of it waits.
    fn device_deadline(&self) -> Option<Instant> {
        let heard = self.held.aside(Way::Up) == Aside::Open;
        self.keep_alive.device_deadline().filter(|_| heard)
    }
}

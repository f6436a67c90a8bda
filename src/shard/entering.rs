//! The check of a device's credentials, where the listener wants one: asked for, waited for, handed to the session.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::access::Denied;

use super::connection::Connection;

impl Connection {
    /// Where the gate's file was read again, looks whether the device is still let in.
    pub(super) fn review_access(&mut self, now: Instant) {
        let door = &self.about.door;
        let (Some(gate), Some(admitted)) = (&door.gate, self.session.admitted()) else { return };
        if admitted.reading != door.reading.get() {
            let (reading, standing) = gate.review(admitted);
            self.with_session(now, |session, wake| {
                session.on_access_reviewed(reading, standing, wake);
            });
        }
    }

    /// Sees to the check that the session asks for. Whether a verdict came.
    pub(super) fn poll_checking(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        if let Some(gate) = &self.about.door.gate
            && let Some(credentials) = self.session.take_asked()
        {
            let deadline = self.session.deadline().unwrap_or(now);
            let checking = gate.ask(credentials, deadline);
            self.opening.get_or_insert_default().checking = Some(checking);
        }
        let Some(opening) = &mut self.opening else { return false };
        let Some(checking) = &mut opening.checking else { return false };
        let Poll::Ready(answer) = Pin::new(checking).poll(context) else { return false };
        opening.checking = None;
        // Without an answer the queue was full, or it was too late.
        let verdict = answer.unwrap_or(Err(Denied::Busy));
        self.with_session(now, |session, wake| session.on_access(verdict, wake));
        self.offer_waiting(now, context);
        true
    }
}

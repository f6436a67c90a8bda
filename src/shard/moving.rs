//! Large payloads: from the buffer that they were read into they go straight to the other side, behind the start of their
//! PUBLISH. What the session has to say to that side meanwhile waits until the payload is through.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::session::Way;

use super::connection::Connection;

/// What comes behind the payload that is being moved, by its way.
#[derive(Default)]
pub(super) struct Behind {
    pub(super) up: Vec<u8>,
    pub(super) down: Vec<u8>,
}

impl Behind {
    /// Bytes that its buffers take.
    pub(super) fn held_bytes(&self) -> usize {
        self.up.capacity() + self.down.capacity()
    }
}

impl Connection {
    /// Hands bytes of one side to the session, and moves payloads that it doesn't want to see. Returns how many were
    /// used.
    pub(super) fn offer(
        &mut self,
        way: Way,
        bytes: &[u8],
        now: Instant,
        context: &mut Context<'_>,
    ) -> usize {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            used += self.move_payload(way, rest, now, context);
            if self.session.payload_left(way) > 0 {
                return used;
            }
            let rest = bytes.get(used..).unwrap_or_default();
            used += self.with_session(now, |session, wake| match way {
                Way::Up => session.on_device_bytes(rest, wake),
                Way::Down => session.on_upstream_bytes(rest, wake),
            });
            if self.session.payload_left(way) == 0 {
                return used;
            }
            self.behind.get_or_insert_default();
        }
    }

    /// Moves what is here of a payload. Returns how many bytes that is.
    fn move_payload(
        &mut self,
        way: Way,
        bytes: &[u8],
        now: Instant,
        context: &mut Context<'_>,
    ) -> usize {
        let left = self.session.payload_left(way);
        let Some(payload) = bytes.get(..left.min(bytes.len())).filter(|bytes| !bytes.is_empty())
        else {
            return 0;
        };
        let receiver = match way {
            Way::Up => self.upstream.as_mut(),
            Way::Down => Some(&mut self.device).filter(|_| !self.session.device_is_done()),
        };
        if let Some(receiver) = receiver.filter(|receiver| !receiver.closed)
            && let Poll::Ready(Err(_)) =
                receiver.poll_send_with(context, &self.state.buffers, payload)
        {
            // The next write finds that out, too, and ends the session.
            receiver.out(&self.state.buffers).extend_from_slice(payload);
        }
        self.session.payload_moved(way, payload.len(), now);
        if payload.len() == left {
            self.say_what_waited(way);
        }
        payload.len()
    }

    /// The payload is through.
    fn say_what_waited(&mut self, way: Way) {
        let Some(behind) = &mut self.behind else { return };
        let (waited, receiver) = match way {
            Way::Up => (&mut behind.up, self.upstream.as_mut()),
            Way::Down => (&mut behind.down, Some(&mut self.device)),
        };
        let waited = std::mem::take(waited);
        if let Some(receiver) = receiver.filter(|_| !waited.is_empty()) {
            receiver.out(&self.state.buffers).extend_from_slice(&waited);
        }
        if behind.up.is_empty() && behind.down.is_empty() && !self.moves() {
            self.behind = None;
        }
    }

    fn moves(&self) -> bool {
        [Way::Up, Way::Down].iter().any(|way| self.session.payload_left(*way) > 0)
    }

    /// Bytes that wait for the device, and for the upstream, behind a payload that is being moved there.
    pub(super) fn waiting_behind(&self) -> [usize; 2] {
        let behind = self.behind.as_deref();
        behind.map_or([0; 2], |behind| [behind.down.len(), behind.up.len()])
    }
}

//! Large payloads that stay as they are. The session reads the start of such a PUBLISH and writes the start of what it
//! becomes; the payload goes from one connection to the other without coming here, as it arrives.
//!
//! ```text
//!  sender ── start ──▶ session ── start ──▶ receiver       payload_left = bytes of the payload
//!         ── payload ─────────── payload ─▶                payload_moved, until nothing is left
//! ```
//!
//! Meanwhile the receiver can be sent nothing else: the shell keeps what a session writes to it until the payload is
//! through. Nothing is answered before that, so whatever has an answer of the proxy's own is taken whole.

use std::time::Instant;

use crate::mqtt::publish_start;
use crate::translate::Way;

use super::conversation::Session;
use super::dispatch::Step;
use super::phase::Phase;
use super::wake::Wake;

/// A payload that is here is moved from so many bytes on. A shorter one is copied with its packet, which is less work
/// than a second piece of memory in the system call.
pub(super) const MOVED_MIN: usize = 8 * 1024;

/// Bytes of a payload that is waited for. Of a longer one nothing is held, so that one packet costs no more memory than
/// what one read brings.
const AWAITED_MAX: usize = 64 * 1024;

/// What is left of the payloads of both ways.
#[derive(Debug, Default)]
pub(super) struct Through {
    up: usize,
    down: usize,
}

impl Through {
    fn left(&self, way: Way) -> usize {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }

    pub(super) fn set(&mut self, way: Way, bytes: usize) {
        match way {
            Way::Up => self.up = bytes,
            Way::Down => self.down = bytes,
        }
    }
}

impl Session {
    /// Bytes of a payload that come next on this way and go to the other side as they are, behind what was written
    /// last. Until they have, nothing else may be sent there, and the session takes no bytes on this way.
    #[must_use]
    #[inline]
    pub fn payload_left(&self, way: Way) -> usize {
        self.through.left(way)
    }

    /// So many bytes of the payload went to the other side.
    pub fn payload_moved(&mut self, way: Way, bytes: usize, now: Instant) {
        self.through.set(way, self.through.left(way).saturating_sub(bytes));
        if way == Way::Up {
            self.keep_alive.device_spoke(now);
            self.keep_alive.upstream_told(now);
        }
    }

    /// Takes the start of a PUBLISH whose payload can be moved. Returns how many bytes that is; `None`: the packet is
    /// taken whole.
    pub(super) fn start_through(
        &mut self,
        way: Way,
        bytes: &[u8],
        wake: &mut Wake<'_>,
    ) -> Option<usize> {
        if !self.may_move(way) {
            return None;
        }
        let start = publish_start(bytes, self.version_of(way)).ok()??;
        let is_here = bytes.len() >= start.length();
        let least = if is_here { MOVED_MIN } else { AWAITED_MAX };
        if start.payload_follows < least || self.take_packet(way, start, wake) == Step::Later {
            return None;
        }
        Some(start.bytes.len())
    }

    /// Whether the session might answer a message itself, or says something of its own to the other side once the sender is
    /// gone.
    fn may_move(&self, way: Way) -> bool {
        let own = self.subscriptions.as_deref().is_some_and(|own| own.has_no_local());
        self.phase == Phase::Running
            && self.held.is_empty(way)
            && !own
            // PINGREQ while a will's delay is waited out, and DISCONNECT if the device comes back.
            && (way == Way::Down || self.will_delay.is_zero())
            // Messages in parts, gateways, and wills that the proxy publishes.
            && self.joins.is_none()
    }
}

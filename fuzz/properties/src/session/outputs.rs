//! What both sides are sent, as the shell does it: what is said while a payload is being moved waits behind it.

use std::time::Instant;

use interlingua::session::{Scratch, Session, Tally, Wake, Way};

#[derive(Default)]
pub(super) struct Outputs {
    /// The device, and the upstream.
    pub(super) sent: [Vec<u8>; 2],
    /// Behind a payload that is being moved.
    behind: [Vec<u8>; 2],
}

impl Outputs {
    pub(super) fn wake<'w>(
        &'w mut self,
        session: &Session,
        now: Instant,
        scratch: &'w mut Scratch,
        tally: &'w Tally,
    ) -> Wake<'w> {
        let Self { sent: [device, upstream], behind: [behind_device, behind_upstream] } = self;
        let moves = |way| session.payload_left(way) > 0;
        let to_device = if moves(Way::Down) { behind_device } else { device };
        let to_upstream = if moves(Way::Up) { behind_upstream } else { upstream };
        Wake { now, to_device, to_upstream, scratch, tally }
    }

    pub(super) fn move_payload(
        &mut self,
        session: &mut Session,
        way: Way,
        tail: &mut Vec<u8>,
        now: Instant,
    ) {
        let to = usize::from(way == Way::Up);
        let moved = session.payload_left(way).min(tail.len());
        if moved > 0 {
            self.sent[to].extend(tail.drain(..moved));
            session.payload_moved(way, moved, now);
        }
        if session.payload_left(way) == 0 {
            let behind = std::mem::take(&mut self.behind[to]);
            self.sent[to].extend(behind);
        }
    }

    pub(super) fn length(&self) -> usize {
        self.sent.iter().chain(&self.behind).map(Vec::len).sum()
    }
}

//! What a connection reads: as much as the other side has room for, and nothing twice.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::session::{Session, Way};

use super::connection::Connection;
use super::peer::{Peer, Read};

/// Bytes of a payload that is moved that may wait for its receiver.
const MOVING_BYTES_MAX: usize = 128 * 1024;

/// Bytes that may wait from a device while its upstream is being connected.
const WAITING_BYTES_MAX: usize = 64 * 1024;

impl Connection {
    /// Whether the device, and the upstream, is not read for now, because what its words lead to has no room.
    ///
    /// Mostly that is the other side's output. A sender may also be owed so many answers that it doesn't
    /// read; they get twice the room, so that it may go on sending while the other side fills its output.
    pub(super) fn held(&self) -> [bool; 2] {
        // What the session doesn't take yet waits in the tail: no more is read for it.
        let packet = self.session.packet_size_max();
        let tails = [Some(&self.device), self.upstream.as_ref()];
        let [own, other] = tails.map(|peer| peer.is_some_and(|peer| peer.tail.len() > packet));
        let [device, upstream] = self.full();
        [device || own, upstream || other]
    }

    /// Whether what the device's words, and the upstream's, lead to has no room.
    fn full(&self) -> [bool; 2] {
        let most = self.state.limits.buffered_bytes_max;
        // What a device hasn't read when it is gone keeps nobody.
        let device = if self.session.device_is_done() { 0 } else { self.device.backlog() };
        let upstream = self.upstream.as_ref().map_or(0, Peer::backlog);
        // It becomes less when the payload is through: what the payload comes from has to be read all the same.
        let [behind_down, behind_up] = self.waiting_behind();
        let full = |way: Way, forward: usize, back: usize| {
            let most_forward = match self.session.payload_left(way) {
                0 => most,
                _ => most.min(MOVING_BYTES_MAX),
            };
            forward >= most_forward || back / 2 >= most
        };
        let up = full(Way::Up, upstream, device + behind_down);
        [up, full(Way::Down, device, upstream + behind_up)]
    }

    /// Whether the device isn't heard at the moment, whatever it says.
    pub(super) fn is_deaf(&self) -> bool {
        let [held, _] = self.held();
        held || !self.session.is_open() && !self.device.tail.is_empty()
    }

    /// Reads from the device once, if there is room. Whether something came.
    pub(super) fn read_device(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let waits = !self.session.is_open() && self.device.tail.len() >= WAITING_BYTES_MAX;
        let [held, _] = self.held();
        if self.device.closed || waits || held || self.session.device_is_done() {
            return false;
        }
        let state = self.state.clone();
        let mut buffer = state.read.borrow_mut();
        match self.device.poll_read(context, &mut buffer) {
            Poll::Pending => false,
            Poll::Ready(Read::Bytes(length)) => {
                let mut tail = std::mem::take(&mut self.device.tail);
                let new = buffer.get(..length).unwrap_or_default();
                feed(&mut tail, new, |bytes| self.offer(Way::Up, bytes, now, context));
                self.device.tail = tail;
                self.offer_upstream(now, context);
                true
            }
            Poll::Ready(Read::Closed) => {
                // What the device said before it left still counts: it waits for the CONNACK as any packet does.
                match self.session.is_open() || self.device.tail.is_empty() {
                    true => self.with_session(now, Session::on_device_closed),
                    false => {
                        self.with_session(now, Session::on_device_closing);
                        self.offer_waiting(now, context);
                    }
                }
                true
            }
        }
    }

    /// Reads from the upstream once, if there is room. Whether something came.
    pub(super) fn read_upstream(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        if self.device.poll_confirmed(context).is_pending() {
            // Without a CONNACK nothing behind the device's CONNECT counts.
            return false;
        }
        let [_, held] = self.held();
        let Some(upstream) = self.upstream.as_mut().filter(|upstream| !upstream.closed && !held)
        else {
            return false;
        };
        let state = self.state.clone();
        let mut buffer = state.read.borrow_mut();
        match upstream.poll_read(context, &mut buffer) {
            Poll::Pending => false,
            Poll::Ready(Read::Bytes(length)) => {
                let mut tail = std::mem::take(&mut upstream.tail);
                let new = buffer.get(..length).unwrap_or_default();
                feed(&mut tail, new, |bytes| self.offer(Way::Down, bytes, now, context));
                if let Some(upstream) = &mut self.upstream {
                    upstream.tail = tail;
                }
                self.offer_waiting(now, context);
                true
            }
            Poll::Ready(Read::Closed) => {
                self.upstream_has_closed(now);
                true
            }
        }
    }

    /// Packets of the upstream that had to wait for the device go on once it has spoken.
    fn offer_upstream(&mut self, now: Instant, context: &mut Context<'_>) {
        let Some(upstream) = self.upstream.as_mut().filter(|upstream| !upstream.tail.is_empty())
        else {
            return;
        };
        let mut tail = std::mem::take(&mut upstream.tail);
        feed(&mut tail, &[], |bytes| self.offer(Way::Down, bytes, now, context));
        if let Some(upstream) = &mut self.upstream {
            upstream.tail = tail;
        }
    }

    /// Whether what the session left has room now.
    pub(super) fn may_resume(&self) -> bool {
        self.session.is_behind() && self.full() == [false; 2]
    }

    /// Offers what the session left because it had written so much. Whether it did.
    pub(super) fn resume(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        if !self.may_resume() {
            return false;
        }
        self.with_session(now, Session::resume);
        self.offer_upstream(now, context);
        self.offer_waiting(now, context);
        true
    }

    /// Packets that the device sent before its CONNACK, or before a device was attached, go on once that is done.
    pub(super) fn offer_waiting(&mut self, now: Instant, context: &mut Context<'_>) {
        if self.device.tail.is_empty() {
            return;
        }
        let mut tail = std::mem::take(&mut self.device.tail);
        feed(&mut tail, &[], |bytes| self.offer(Way::Up, bytes, now, context));
        self.device.tail = tail;
        let waits = !self.session.is_open() && !self.device.tail.is_empty();
        if self.device.closed && self.session.end().is_none() && !waits {
            self.with_session(now, |session, wake| session.on_device_closed(wake));
        }
    }
}

/// Hands new bytes, behind those that waited, to `take`, and keeps what it doesn't use.
fn feed(tail: &mut Vec<u8>, new: &[u8], mut take: impl FnMut(&[u8]) -> usize) {
    if tail.is_empty() {
        let used = take(new);
        tail.extend_from_slice(new.get(used..).unwrap_or_default());
        return;
    }
    tail.extend_from_slice(new);
    let used = take(tail);
    if used == tail.len() {
        *tail = Vec::new();
    } else {
        tail.drain(..used);
        // A few bytes behind a large packet don't keep its memory.
        if tail.capacity() / 4 > tail.len() {
            tail.shrink_to_fit();
        }
    }
}

//! Packets put aside: one that has to wait (for its receiver's window, for a packet identifier, for an attachment) may not
//! keep those behind it from being heard, or both sides would wait for each other. Messages and a device's good-bye keep
//! their places behind it, and so do SUBSCRIBE and UNSUBSCRIBE behind one of their own.
//!
//! Nothing here has been acknowledged. What is aside when a session ends goes the way of all unacknowledged messages.

use crate::mqtt::{PacketType, Publish, Qos, RawPacket, Version, fixed_header, next_packet};
use crate::translate::Way;

use super::bounds::Aside;
use super::conversation::Session;
use super::dispatch::Step;
use super::end::End;
use super::feed::OUTPUT_STEP;
use super::wake::Wake;

/// Bytes from which on no more packets are put aside. One that is put aside may be as long as a packet can be.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// The packets of both ways that were put aside.
#[derive(Debug, Default)]
pub(super) struct Held(Option<Box<[Queue; 2]>>);

/// Whole packets, one behind the other.
#[derive(Debug, Default)]
struct Queue {
    packets: Vec<u8>,
    /// Bytes that wait, also while the packets are being offered.
    waiting: usize,
}

fn place(way: Way) -> usize {
    match way {
        Way::Up => 0,
        Way::Down => 1,
    }
}

impl Held {
    fn waiting(&self, way: Way) -> usize {
        let queue = self.0.as_deref().and_then(|queues| queues.get(place(way)));
        queue.map_or(0, |queue| queue.waiting)
    }

    /// Whether nothing of this way is aside.
    pub(super) fn is_empty(&self, way: Way) -> bool {
        self.waiting(way) == 0
    }

    /// Bytes that wait, of both ways.
    pub(super) fn bytes(&self) -> usize {
        self.waiting(Way::Up) + self.waiting(Way::Down)
    }

    /// Whether more can be put aside.
    pub(super) fn aside(&self, way: Way) -> Aside {
        if self.waiting(way) >= HELD_BYTES_MAX { Aside::Full } else { Aside::Open }
    }

    /// Puts a packet behind the others.
    pub(super) fn put(&mut self, way: Way, raw: RawPacket<'_>) {
        if let Some(queue) = self.0.get_or_insert_default().get_mut(place(way)) {
            queue.packets.extend_from_slice(raw.bytes);
            queue.waiting = queue.packets.len();
        }
    }

    /// Whether a SUBSCRIBE or UNSUBSCRIBE is aside: another one would undo it too early.
    pub(super) fn has_subscription(&self, way: Way) -> bool {
        let queue = self.0.as_deref().and_then(|queues| queues.get(place(way)));
        let mut rest = queue.map_or(&[][..], |queue| &queue.packets);
        while let Ok(Some(header)) = fixed_header(rest, Version::V31) {
            if matches!(header.packet_type, PacketType::Subscribe | PacketType::Unsubscribe) {
                return true;
            }
            rest = rest.get(header.packet_length()..).unwrap_or_default();
        }
        false
    }

    fn take(&mut self, way: Way) -> Vec<u8> {
        let queue = self.0.as_deref_mut().and_then(|queues| queues.get_mut(place(way)));
        queue.map(|queue| std::mem::take(&mut queue.packets)).unwrap_or_default()
    }

    /// So many bytes still wait of those that were taken.
    fn leave(&mut self, way: Way, waiting: usize) {
        if let Some(queue) = self.0.as_deref_mut().and_then(|queues| queues.get_mut(place(way))) {
            queue.waiting = waiting;
        }
    }

    fn put_back(&mut self, way: Way, mut packets: Vec<u8>, used: usize) {
        packets.drain(..used.min(packets.len()));
        let waiting = packets.len();
        if let Some(queue) = self.0.as_deref_mut().and_then(|queues| queues.get_mut(place(way))) {
            *queue = Queue { packets, waiting };
        }
        if self.is_empty(Way::Up) && self.is_empty(Way::Down) {
            self.0 = None;
        }
    }
}

/// Whether a packet may pass those that wait. Messages don't, nor does a device's good-bye, which would leave them unsaid.
/// Everything else does: a sender is never kept from saying it because a receiver takes no more messages
/// ([MQTT-3.3.4-8], [MQTT-4.9.0-3]).
pub(super) fn may_pass(way: Way, raw: RawPacket<'_>) -> bool {
    match raw.packet_type {
        PacketType::Publish => false,
        PacketType::Disconnect => way == Way::Down,
        _ => true,
    }
}

impl Session {
    /// Lets packets that were put aside go on, as far as they may now.
    pub(super) fn offer_held(&mut self, wake: &mut Wake<'_>) {
        for way in [Way::Up, Way::Down] {
            if !self.held.is_empty(way) {
                self.offer_held_on(way, wake);
            }
        }
    }

    fn offer_held_on(&mut self, way: Way, wake: &mut Wake<'_>) {
        let queue = self.held.take(way);
        let written = wake.written();
        let mut used = 0;
        // They were whole packets when they were put here, so reading them again can't fail.
        while let Some(rest) = queue.get(used..).filter(|rest| !rest.is_empty() && self.goes_on())
            && let Ok(Some(raw)) = next_packet(rest, self.version_of(way), rest.len())
        {
            if wake.written() - written >= OUTPUT_STEP {
                self.behind.set(way);
                break;
            }
            match self.take_packet(way, raw, wake) {
                Step::Taken => {
                    used += raw.bytes.len();
                    self.held.leave(way, rest.len() - raw.bytes.len());
                }
                Step::Later => break,
            }
        }
        self.held.put_back(way, queue, used);
        self.leave_if_done(wake);
    }

    /// The session has ended: what is still aside is counted where nobody sends it again.
    pub fn on_ended(&mut self, wake: &mut Wake<'_>) {
        for way in [Way::Up, Way::Down] {
            let left = self.held.take(way);
            self.count_lost(way, &left, wake);
        }
        self.held = Held::default();
    }

    fn count_lost(&self, way: Way, mut packets: &[u8], wake: &Wake<'_>) {
        while let Ok(Some(raw)) = next_packet(packets, self.version_of(way), packets.len()) {
            if is_lost(raw, self.version_of(way)) {
                wake.tally.lose(way);
            }
            packets = packets.get(raw.bytes.len()..).unwrap_or_default();
        }
    }

    /// A device that has closed is gone once all that it said has gone on.
    fn leave_if_done(&mut self, wake: &mut Wake<'_>) {
        if self.device_has_closed && self.held.is_empty(Way::Up) {
            self.end_for_device(End::DeviceClosed, wake);
        }
    }
}

/// Whether nobody sends a packet again that isn't acknowledged.
pub(super) fn is_lost(raw: RawPacket<'_>, version: Version) -> bool {
    raw.packet_type == PacketType::Publish
        && Publish::decode(raw, version).is_ok_and(|publish| publish.qos == Qos::AtMostOnce)
}

//! Bytes in: packet by packet, as far as they may be taken now.

use crate::mqtt::{PacketType, RawPacket, next_packet};
use crate::translate::Way;

use super::bounds::Aside;
use super::conversation::Session;
use super::dispatch::Step;
use super::end::End;
use super::held::may_pass;
use super::phase::Phase;
use super::through::MOVED_MIN;
use super::wake::Wake;

/// Bytes that a call may append before the next packet has to wait: a short message may become a long one (a
/// document that is gathered), and what one read brings has to stay bounded.
pub(super) const OUTPUT_STEP: usize = 256 * 1024;

impl Wake<'_> {
    pub(super) fn written(&self) -> usize {
        self.to_device.len() + self.to_upstream.len()
    }
}

/// Which side's packets were left because those before them have become so much.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub(super) device: bool,
    pub(super) upstream: bool,
}

impl Behind {
    /// Packets on this way were left.
    pub(super) fn set(&mut self, way: Way) {
        match way {
            Way::Up => self.device = true,
            Way::Down => self.upstream = true,
        }
    }
}

impl Session {
    /// Takes bytes from the device: whole packets from their start on. Returns how many were used; the rest
    /// is handed in again with what follows, unless it is a payload (see [`Session::payload_left`]).
    pub fn on_device_bytes(&mut self, bytes: &[u8], wake: &mut Wake<'_>) -> usize {
        self.behind.device = false;
        self.feed(Way::Up, bytes, wake)
    }

    /// Takes bytes from the upstream, as [`Session::on_device_bytes`] does from the device.
    pub fn on_upstream_bytes(&mut self, bytes: &[u8], wake: &mut Wake<'_>) -> usize {
        self.behind.upstream = false;
        self.feed(Way::Down, bytes, wake)
    }

    /// Goes on with what was left or put aside, once what it waited for may be there.
    pub fn resume(&mut self, wake: &mut Wake<'_>) {
        self.behind = Behind::default();
        self.offer_held(wake);
    }

    fn feed(&mut self, way: Way, bytes: &[u8], wake: &mut Wake<'_>) -> usize {
        let mut used = 0;
        let written = wake.written();
        if self.payload_left(way) > 0 {
            return used;
        }
        let throttled = self.is_throttled(way);
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty() && self.hears(way))
        {
            if throttled && self.pauses(rest.first().copied().unwrap_or_default(), wake) {
                break;
            }
            match self.next_packet_on(way, rest) {
                Ok(Some(_)) if wake.written() - written >= OUTPUT_STEP => {
                    self.behind.set(way);
                    break;
                }
                Ok(raw) => {
                    let is_large = raw.is_none_or(|raw| raw.bytes.len() >= MOVED_MIN);
                    if is_large && let Some(length) = self.start_through(way, rest, wake) {
                        // What follows is its payload: nothing may come between.
                        return used + length;
                    }
                    let Some(raw) = raw else { break };
                    match self.take_or_put_aside(way, raw, wake) {
                        Step::Taken => used += raw.bytes.len(),
                        Step::Later => break,
                    }
                }
                Err(end) => self.end_for(way, end, wake),
            }
        }
        // An answer of one side may be what the other side's packets wait for.
        self.offer_held(wake);
        used
    }

    fn hears(&self, way: Way) -> bool {
        match way {
            Way::Up => self.hears_device(),
            Way::Down => self.hears_upstream(),
        }
    }

    fn next_packet_on<'b>(&self, way: Way, bytes: &'b [u8]) -> Result<Option<RawPacket<'b>>, End> {
        match way {
            Way::Up => self.next_device_packet(bytes),
            Way::Down => next_packet(bytes, self.upstream_version, self.read_from_upstream)
                .map_err(End::UpstreamMalformed),
        }
    }

    fn end_for(&mut self, way: Way, end: End, wake: &mut Wake<'_>) {
        match way {
            Way::Up => self.end_for_device(end, wake),
            Way::Down => self.end_for_upstream(end, wake),
        }
    }

    /// Takes a packet, or puts it aside where it may not go on now and those behind it should be heard.
    fn take_or_put_aside(&mut self, way: Way, raw: RawPacket<'_>, wake: &mut Wake<'_>) -> Step {
        if way == Way::Up && self.asks_for_access(raw) {
            // It stays in the shell's buffer, and is taken once the credentials are proven.
            return Step::Later;
        }
        let early = way == Way::Up && self.phase == Phase::AwaitConnack;
        if early && raw.packet_type != PacketType::Auth {
            // It stays in the shell's buffer: nobody knows yet what the upstream takes.
            return Step::Later;
        }
        let subscribes = matches!(raw.packet_type, PacketType::Subscribe | PacketType::Unsubscribe);
        let in_line = !self.held.is_empty(way)
            && (!may_pass(way, raw) || subscribes && self.held.has_subscription(way));
        if !in_line && self.take_packet(way, raw, wake) == Step::Taken {
            return Step::Taken;
        }
        if self.held.aside(way) == Aside::Full {
            return Step::Later;
        }
        self.held.put(way, raw);
        if way == Way::Up {
            self.keep_alive.device_spoke(wake.now);
        }
        Step::Taken
    }

    /// Takes a packet if it may go on now.
    pub(super) fn take_packet(
        &mut self,
        way: Way,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Step {
        if way == Way::Up && self.needs_overdue(raw) {
            self.end_for_device(End::UpstreamTimeout, wake);
            return Step::Taken;
        }
        let waits = self.waits_for_identifier(way, raw)
            || self.waits_for_window(way, raw)
            || (way == Way::Up && self.waits_for_attachment(raw, wake));
        if waits {
            return Step::Later;
        }
        let before = wake.to_upstream.len();
        let outcome = match way {
            Way::Up => self.device_packet(raw, wake),
            Way::Down => self.upstream_packet(raw, wake),
        };
        if outcome == Ok(Step::Later) {
            return Step::Later;
        }
        wake.tally.packet(way, raw.length());
        if way == Way::Up {
            self.keep_alive.device_spoke(wake.now);
            if let Some(throttle) = self.entrance.as_mut().and_then(|own| own.throttle.as_mut()) {
                throttle.took(raw, wake.now);
            }
            if wake.to_upstream.len() > before {
                self.keep_alive.upstream_told(wake.now);
            }
        }
        if let Err(end) = outcome {
            self.end_for(way, end, wake);
        }
        Step::Taken
    }

    /// Whether packets were left because those before them have become so much: they go on when that is sent.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind.device || self.behind.upstream
    }
}

//! Messages and bytes per second that a device may send. Beyond them it isn't heard until its turn comes: what it sends waits, in
//! the shell's buffer and then in its own socket, and nothing is lost.

use std::time::{Duration, Instant};

use crate::mqtt::{PacketType, RawPacket};
use crate::translate::Way;

use super::conversation::Session;
use super::pace::{Bucket, Rate, nanoseconds};
use super::phase::Phase;
use super::plan::SessionLimits;
use super::wake::Wake;

/// What a device sends too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paced {
    /// PUBLISH packets.
    Messages,
    /// Bytes of all packets.
    Bytes,
}

impl Paced {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Messages, Self::Bytes];

    /// The stable word: a metric's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Bytes => "bytes",
        }
    }
}

/// What a device has sent, against what it may.
#[derive(Debug)]
pub(super) struct Throttle {
    began: Instant,
    messages: Option<Meter>,
    bytes: Option<Meter>,
    /// The device isn't heard before.
    until: Option<Instant>,
}

#[derive(Debug)]
struct Meter {
    rate: Rate,
    bucket: Bucket,
}

impl Meter {
    fn of(rate: Rate) -> Self {
        Self { rate, bucket: Bucket::default() }
    }
}

impl Throttle {
    /// `None`: nothing is limited.
    pub(super) fn of(limits: &SessionLimits, now: Instant) -> Option<Self> {
        let (messages, bytes) =
            (limits.message_rate.map(Meter::of), limits.byte_rate.map(Meter::of));
        let is_limited = messages.is_some() || bytes.is_some();
        is_limited.then_some(Self { began: now, messages, bytes, until: None })
    }

    fn at(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.began))
    }

    /// A packet was taken.
    pub(super) fn took(&mut self, raw: RawPacket<'_>, now: Instant) {
        let at = self.at(now);
        let messages = self.messages.as_mut().filter(|_| raw.packet_type == PacketType::Publish);
        if let Some(Meter { rate, bucket }) = messages {
            bucket.take(*rate, 1, at);
        }
        if let Some(Meter { rate, bucket }) = &mut self.bytes {
            bucket.take(*rate, raw.length() as u64, at);
        }
    }

    /// Whether the next packet has to wait: until when, and for what.
    fn pause(&mut self, next: PacketType, now: Instant) -> Option<(Instant, Paced)> {
        let at = self.at(now);
        let wait = |meter: Option<&Meter>| {
            meter.map_or(Duration::ZERO, |own| own.bucket.wait(own.rate, at))
        };
        let messages = wait(self.messages.as_ref().filter(|_| next == PacketType::Publish));
        let bytes = wait(self.bytes.as_ref());
        let longest = messages.max(bytes);
        if longest.is_zero() {
            return None;
        }
        let until = now + longest;
        self.until = Some(until);
        Some((until, if messages >= bytes { Paced::Messages } else { Paced::Bytes }))
    }
}

impl Session {
    fn throttle(&self) -> Option<&Throttle> {
        self.entrance.as_deref()?.throttle.as_ref()
    }

    fn throttle_mut(&mut self) -> Option<&mut Throttle> {
        self.entrance.as_deref_mut()?.throttle.as_mut()
    }

    /// Whether a packet of this way may have to wait for its turn. It stays so for as long as bytes are taken.
    pub(super) fn is_throttled(&self, way: Way) -> bool {
        way == Way::Up && self.throttle().is_some()
    }

    /// Whether the device isn't heard because it has sent too much.
    pub(super) fn is_paused(&self) -> bool {
        self.throttle().is_some_and(|throttle| throttle.until.is_some())
    }

    /// When it is heard again.
    pub(super) fn pause_deadline(&self) -> Option<Instant> {
        self.throttle()?.until
    }

    /// Whether the device's next packet, which starts with this byte, has to wait.
    pub(super) fn pauses(&mut self, first: u8, wake: &Wake<'_>) -> bool {
        if self.is_paused() {
            return true;
        }
        // Before that there are the limits of CONNECT.
        if self.phase != Phase::Running {
            return false;
        }
        let Some(next) = PacketType::from_number(first >> 4) else { return false };
        let pause = self.throttle_mut().and_then(|throttle| throttle.pause(next, wake.now));
        let Some((until, paced)) = pause else { return false };
        // Its silence means nothing until then, and the upstream has to hear from somebody.
        self.keep_alive.device_spoke(until);
        wake.tally.pause(paced);
        true
    }

    /// The device's turn has come.
    pub(super) fn end_pause(&mut self) {
        if let Some(throttle) = self.throttle_mut() {
            throttle.until = None;
        }
    }

    /// The device is gone: of what it has said little can be left, and nobody could say more.
    pub(super) fn end_throttle(&mut self) {
        if let Some(entrance) = self.entrance.as_deref_mut() {
            entrance.throttle = None;
        }
    }
}

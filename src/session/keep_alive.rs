//! Keep alive on both sides: the device may be silent for one and a half times its keep alive; the upstream
//! hears from the proxy when the device's packets end in the proxy.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

/// Whose PINGRESP it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Device,
    Proxy,
    Nobody,
}

/// The keep alive of one session.
#[derive(Debug)]
pub(super) struct KeepAlive {
    /// Seconds as agreed with the device; 0 is none.
    seconds: u16,
    /// Seconds that the device asked for.
    asked: u16,
    /// Seconds that a device may be given at most.
    most: Option<NonZeroU16>,
    /// Seconds that the upstream asked for and the device wasn't told.
    upstream_seconds: u16,
    device_heard: Instant,
    upstream_told: Instant,
    device_pings: u32,
    own_pings: u32,
}

impl KeepAlive {
    pub(super) fn new(seconds: u16, now: Instant) -> Self {
        Self {
            seconds,
            asked: seconds,
            most: None,
            upstream_seconds: 0,
            device_heard: now,
            upstream_told: now,
            device_pings: 0,
            own_pings: 0,
        }
    }

    /// The same for a listener that gives so many seconds at most. Who asks for none, or for more, is given those.
    pub(super) fn bounded(self, most: Option<NonZeroU16>) -> Self {
        let bounded = Self { most, ..self };
        Self { seconds: bounded.given(self.asked), ..bounded }
    }

    fn given(&self, seconds: u16) -> u16 {
        self.most.map_or(seconds, |most| match seconds {
            0 => most.get(),
            _ => seconds.min(most.get()),
        })
    }

    /// What a device of version 5 has to be told as Server Keep Alive [MQTT-3.2.2-21], given what the upstream says.
    pub(super) fn told(&self, upstream: Option<u16>) -> Option<u16> {
        let agreed = upstream.unwrap_or(self.asked);
        Some(self.given(agreed)).filter(|given| *given != agreed)
    }

    /// The upstream chose another keep alive (v5 Server Keep Alive [MQTT-3.1.2-21]).
    pub(super) fn set(&mut self, seconds: u16) {
        self.seconds = self.given(seconds);
    }

    /// The upstream chose another keep alive, and the device's version has no word for it: the proxy keeps it.
    pub(super) fn set_for_upstream(&mut self, seconds: u16) {
        self.upstream_seconds = seconds;
    }

    /// The device is gone, and the upstream doesn't know yet.
    pub(super) fn speak_for_device(&mut self) {
        if self.upstream_seconds == 0 {
            self.upstream_seconds = self.seconds;
        }
    }

    /// The conversation begins: both sides count from here.
    pub(super) fn established(&mut self, now: Instant) {
        (self.device_heard, self.upstream_told) = (now, now);
    }

    pub(super) fn device_spoke(&mut self, now: Instant) {
        self.device_heard = now;
    }

    pub(super) fn upstream_told(&mut self, now: Instant) {
        self.upstream_told = now;
    }

    pub(super) fn device_pinged(&mut self) {
        self.device_pings = self.device_pings.saturating_add(1);
    }

    pub(super) fn proxy_pinged(&mut self, now: Instant) {
        self.own_pings = self.own_pings.saturating_add(1);
        self.upstream_told = now;
    }

    /// Who is owed a PINGRESP. One that nobody asked for is the upstream's mistake.
    pub(super) fn answered(&mut self) -> Asker {
        if self.device_pings > 0 {
            self.device_pings -= 1;
            Asker::Device
        } else if self.own_pings > 0 {
            self.own_pings -= 1;
            Asker::Proxy
        } else {
            Asker::Nobody
        }
    }

    /// When the device has been silent for too long (v5 [MQTT-3.1.2-22], 3.1.1 [MQTT-3.1.2-24]).
    pub(super) fn device_deadline(&self) -> Option<Instant> {
        let allowed = Duration::from_millis(u64::from(self.seconds) * 1500);
        (self.seconds > 0).then(|| self.device_heard + allowed)
    }

    /// When the upstream has to hear something [MQTT-3.1.2-20]: only where the device has spoken since and
    /// nothing of it went on. A silent device is nobody to speak for, unless the upstream's keep alive is its own.
    pub(super) fn upstream_deadline(&self) -> Option<Instant> {
        if self.upstream_seconds > 0 {
            let allowed = Duration::from_millis(u64::from(self.upstream_seconds) * 900);
            return Some(self.upstream_told + allowed);
        }
        let allowed = Duration::from_millis(u64::from(self.seconds) * 900);
        let owed = self.seconds > 0 && self.device_heard > self.upstream_told;
        owed.then(|| self.upstream_told + allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_may_be_silent_for_one_and_a_half_times_its_keep_alive() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(10, start);
        assert_eq!(keep_alive.device_deadline(), Some(start + Duration::from_secs(15)));
        assert_eq!(keep_alive.upstream_deadline(), None, "the device is as silent as the proxy");
        keep_alive.device_spoke(start + Duration::from_secs(5));
        assert_eq!(keep_alive.upstream_deadline(), Some(start + Duration::from_secs(9)));
        assert_eq!(keep_alive.device_deadline(), Some(start + Duration::from_secs(20)));
        keep_alive.set(0);
        assert_eq!((keep_alive.device_deadline(), keep_alive.upstream_deadline()), (None, None));
    }

    #[test]
    fn nobody_is_given_more_than_the_bound() {
        let start = Instant::now();
        let of = |seconds| KeepAlive::new(seconds, start).bounded(NonZeroU16::new(60));
        for (asked, seconds, told) in [(0, 60, Some(60)), (61, 60, Some(60)), (60, 60, None)] {
            assert_eq!((of(asked).seconds, of(asked).told(None)), (seconds, told), "{asked}");
        }
        for (said, told) in [(0, Some(60)), (30, None), (90, Some(60))] {
            assert_eq!(of(60).told(Some(said)), told, "{said}");
        }
        assert_eq!(KeepAlive::new(0, start).bounded(None).told(None), None);
    }

    #[test]
    fn a_pingresp_goes_to_who_asked() {
        let now = Instant::now();
        let mut keep_alive = KeepAlive::new(10, now);
        keep_alive.proxy_pinged(now);
        keep_alive.device_pinged();
        assert_eq!(keep_alive.answered(), Asker::Device, "the device is never kept waiting");
        assert_eq!(keep_alive.answered(), Asker::Proxy);
        assert_eq!(keep_alive.answered(), Asker::Nobody);
    }
}

//! One wheel for all deadlines of a shard. It holds places and no deadlines: a session whose place comes up looks for
//! itself whether anything is due, and asks again. So a deadline that only moves into the future, as keep alive does
//! with every packet, costs nothing.
//!
//! Time is counted in ticks since the shard began. Nothing here reads a clock.

/// Slots of each ring.
const SLOTS: usize = 256;

/// What `SLOTS` ticks of the near ring are one slot of the far one.
const SPAN: u64 = SLOTS as u64;

/// Places by the tick at which they come up.
pub(super) struct Wheel {
    /// The ticks up to `SPAN` from now, one slot each.
    near: Vec<Vec<u32>>,
    /// Everything later, `SPAN` ticks per slot, which come up together with the first of them. What is later still waits in
    /// the last slot.
    far: Vec<Vec<u32>>,
    /// Everything before has come up.
    now: u64,
    /// No slot before this one has anything in it.
    next: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { near: vec![Vec::new(); SLOTS], far: vec![Vec::new(); SLOTS], now: 0, next: u64::MAX }
    }

    /// Lets a place come up at a tick, or before it, if that is far away; with the next one, if it is over. Returns
    /// when it really comes up.
    pub(super) fn insert(&mut self, tick: u64, place: u32) -> u64 {
        let tick = tick.max(self.now + 1);
        let comes_up = if tick - self.now < SPAN {
            slot(&mut self.near, tick).push(place);
            tick
        } else {
            let ahead = (tick / SPAN).min(self.now / SPAN + SPAN - 1);
            slot(&mut self.far, ahead).push(place);
            ahead * SPAN
        };
        self.next = self.next.min(comes_up);
        comes_up
    }

    /// When [`Wheel::expire`] has something to do, at the earliest. `None`: nothing is in it.
    pub(super) fn next(&self) -> Option<u64> {
        Some(self.next).filter(|tick| *tick < u64::MAX)
    }

    /// Hands out every place up to a tick.
    pub(super) fn expire(&mut self, until: u64, mut due: impl FnMut(u32)) {
        if self.next > until {
            self.now = self.now.max(until);
            return;
        }
        while self.now < until {
            self.now += 1;
            if self.now.is_multiple_of(SPAN) {
                // Places of a far slot look again: some are due now, others soon.
                slot(&mut self.far, self.now / SPAN).drain(..).for_each(&mut due);
                shrink(slot(&mut self.far, self.now / SPAN));
            }
            slot(&mut self.near, self.now).drain(..).for_each(&mut due);
            shrink(slot(&mut self.near, self.now));
        }
        self.next = self.first();
    }

    /// The first tick whose slot has anything in it.
    fn first(&self) -> u64 {
        let mut near = (self.now + 1..self.now + SPAN)
            .filter(|tick| !self.near[(tick % SPAN) as usize].is_empty());
        let begun = self.now / SPAN;
        let mut far =
            (begun + 1..begun + SPAN).filter(|ahead| !self.far[(ahead % SPAN) as usize].is_empty());
        let far = far.next().map_or(u64::MAX, |ahead| ahead * SPAN);
        near.next().unwrap_or(u64::MAX).min(far)
    }
}

fn slot(ring: &mut [Vec<u32>], number: u64) -> &mut Vec<u32> {
    &mut ring[(number % SPAN) as usize]
}

/// A burst doesn't stay.
fn shrink(slot: &mut Vec<u32>) {
    if slot.capacity() > 64 {
        *slot = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expired(wheel: &mut Wheel, until: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.expire(until, |place| due.push(place));
        due
    }

    #[test]
    fn a_near_place_comes_up_at_its_tick() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.next(), None);
        assert_eq!([wheel.insert(20, 1), wheel.insert(30, 2), wheel.insert(10, 3)], [20, 30, 10]);
        assert_eq!(wheel.next(), Some(10));
        assert!(expired(&mut wheel, 9).is_empty());
        assert_eq!(expired(&mut wheel, 20), [3, 1]);
        assert_eq!(wheel.next(), Some(30));
        assert_eq!(expired(&mut wheel, 1000), [2]);
        assert_eq!(wheel.next(), None);
        assert_eq!(wheel.insert(5, 4), 1001, "what is over comes with the next tick");
        assert_eq!(wheel.next(), Some(1001));
        assert_eq!(expired(&mut wheel, 1001), [4]);
    }

    proptest! {
        /// Every place comes up when `insert` said, and never after its tick.
        #[test]
        fn no_place_comes_late(
            ticks in prop::collection::vec(1_u64..200_000, 1..60),
            steps in prop::collection::vec(1_u64..5_000, 1..80),
        ) {
            let mut wheel = Wheel::new();
            let mut ticks = ticks.into_iter().enumerate();
            let mut waiting: Vec<(u32, u64, u64)> = Vec::new();
            let mut now = 0;
            for step in steps {
                if let Some((place, ahead)) = ticks.next() {
                    let comes_up = wheel.insert(now + ahead, place as u32);
                    waiting.push((place as u32, now + ahead, comes_up));
                }
                now += step;
                let first = waiting.iter().map(|(.., comes_up)| *comes_up).min();
                prop_assert_eq!(wheel.next(), first);
                for place in expired(&mut wheel, now) {
                    let at = waiting.iter().position(|(waiting, ..)| *waiting == place);
                    let (_, tick, comes_up) = waiting.swap_remove(at.expect("it was there once"));
                    prop_assert!(comes_up <= now && comes_up <= tick);
                    if tick > now {
                        // It was far away, and asks again.
                        waiting.push((place, tick, wheel.insert(tick, place)));
                    }
                }
                let late = waiting.iter().filter(|(_, tick, comes_up)| tick.min(comes_up) <= &now);
                prop_assert_eq!(late.count(), 0, "{:?} at {}", waiting, now);
            }
        }
    }
}

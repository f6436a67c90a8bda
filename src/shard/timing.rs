//! The one clock of a shard: wakes sessions when their deadlines come.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::state::{Place, ShardState};
use super::wheel::Wheel;

/// How exact deadlines are: none is early, and none later than this by the shard's doing.
const TICK: Duration = Duration::from_millis(10);

/// How often the shard shows that it runs, also where nothing is due.
const BEAT: Duration = Duration::from_millis(250);

/// The deadlines of a shard's sessions.
pub(crate) struct Timing {
    began: Instant,
    wheel: RefCell<Wheel>,
    /// A deadline before all others has come.
    earlier: Notify,
}

/// When a session is woken next.
#[derive(Default)]
pub(crate) struct Alarm(Option<Instant>);

impl Timing {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, wheel: RefCell::new(Wheel::new()), earlier: Notify::new() }
    }

    /// Sees to it that a session is woken at its deadline, or before.
    pub(crate) fn wake_at(
        &self,
        deadline: Instant,
        now: Instant,
        place: &Place,
        alarm: &mut Alarm,
    ) {
        // Deadlines mostly move into the future, packet by packet: then the alarm rings too early, and is set again.
        if alarm.0.is_some_and(|rings| rings > now && rings <= deadline + TICK) {
            return;
        }
        let mut wheel = self.wheel.borrow_mut();
        let before = wheel.next();
        let rings = wheel.insert(self.tick(deadline) + 1, place.number());
        alarm.0 = self.at(rings);
        if before.is_none_or(|before| rings < before) {
            self.earlier.notify_one();
        }
    }

    /// Whole ticks until then.
    fn tick(&self, at: Instant) -> u64 {
        let ticks = at.saturating_duration_since(self.began).as_millis() / TICK.as_millis();
        u64::try_from(ticks).unwrap_or(u64::MAX / 2)
    }

    /// `None`: not in the life of a machine.
    fn at(&self, tick: u64) -> Option<Instant> {
        let since = tick.checked_mul(TICK.as_millis() as u64)?;
        self.began.checked_add(Duration::from_millis(since))
    }

    /// Waits until something may be due, or it is time for the next beat.
    async fn due(&self) {
        let beat = Instant::now() + BEAT;
        let next = self.wheel.borrow().next().and_then(|tick| self.at(tick));
        let until = next.map_or(beat, |next| next.min(beat));
        // Where a deadline has come before all others, the next round waits for that one.
        let _ = tokio::time::timeout_at(until.into(), self.earlier.notified()).await;
    }
}

/// Wakes the sessions of a shard, and shows that it runs, for as long as it does.
pub(crate) async fn keep(state: Rc<ShardState>) {
    loop {
        let timing = &state.timing;
        state.overload.beat(state.number);
        timing.due().await;
        let now = timing.tick(Instant::now());
        timing.wheel.borrow_mut().expire(now, |place| state.wake(place));
    }
}

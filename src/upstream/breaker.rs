//! The breaker of an upstream: after so many failures in a row nobody is sent there for a while, and then few at first.
//!
//! ```text
//!            failures in a row                  time is up, a device comes
//!  Closed ─────────────────────▶ Open ──────────────────────────────────▶ HalfOpen
//!    ▲                            ▲                                          │  │
//!    │                            └──────────────── a trial fails ───────────┘  │
//!    └────────────────────────────────── a trial is answered ───────────────────┘
//! ```
//!
//! No clock and no I/O: `now` is an argument, and chance has a seed. Invariant: what becomes of an opening counts once, and
//! only in the state in which it began. Those that were on the way when the breaker opened change nothing.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::config::Breaker as Settings;

/// Doublings of the back-off that are counted; its maximum is reached long before.
const STEPS_MAX: u32 = 32;

/// The breaker of one upstream.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: Settings,
    state: State,
    /// Which state it is, counted from the start on.
    epoch: u64,
    /// How often the back-off is doubled when it opens next.
    steps: u32,
    chance: Rng,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32, last: Option<u64> },
    Open { until: Instant },
    HalfOpen { under_way: u32 },
}

/// What an upstream's breaker lets through at the moment: a value of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Everybody.
    Closed,
    /// Few, to see whether it is well again.
    HalfOpen,
    /// Nobody.
    Open,
}

/// The right to open one connection. It has to be given back with [`Breaker::settle`].
#[derive(Debug)]
pub(super) struct Ticket {
    epoch: u64,
}

/// Nobody is sent to the upstream at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// What became of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The upstream has answered CONNECT, though perhaps with a refusal of this device.
    Answered,
    /// It can't be reached, or says that it takes nobody.
    Failed,
    /// It was reached and didn't answer this device (a fingerprint). The device may be to blame: one that comes again and again
    /// counts once.
    Silent(u64),
    /// Nothing can be said of it: the device has gone, or the proxy itself lacks something.
    Unknown,
}

/// What a verdict has changed, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// It has opened, for so long.
    Opened(Duration),
    Closed,
}

impl Breaker {
    pub(super) fn new(settings: Settings, seed: u64) -> Self {
        let state = State::Closed { failures: 0, last: None };
        Self { settings, state, epoch: 0, steps: 0, chance: Rng::with_seed(seed) }
    }

    /// Whether a new opening would be refused. It takes nothing.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => false,
            State::Open { until } => now < until,
            State::HalfOpen { under_way } => under_way >= self.settings.trials,
        }
    }

    /// Takes the right to open a connection.
    pub(super) fn ask(&mut self, now: Instant) -> Result<Ticket, Refused> {
        if self.refuses(now) {
            return Err(Refused);
        }
        if let State::Open { .. } = self.state {
            self.enter(State::HalfOpen { under_way: 0 });
        }
        if let State::HalfOpen { under_way } = &mut self.state {
            *under_way += 1;
        }
        Ok(Ticket { epoch: self.epoch })
    }

    /// Says what became of an opening.
    pub(super) fn settle(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) -> Change {
        if ticket.epoch != self.epoch || self.settings.failures == 0 {
            return Change::None;
        }
        match (&mut self.state, outcome) {
            (State::Closed { failures, last }, Outcome::Answered) => {
                (*failures, *last) = (0, None);
                // One that opens again and again backs off for longer and longer, until it was well for as long.
                self.steps = self.steps.saturating_sub(1);
                Change::None
            }
            (State::HalfOpen { .. }, Outcome::Answered) => {
                self.enter(State::Closed { failures: 0, last: None });
                Change::Closed
            }
            (State::HalfOpen { under_way }, Outcome::Unknown) => {
                // The next one tries instead.
                *under_way -= 1;
                Change::None
            }
            (State::HalfOpen { .. }, Outcome::Failed | Outcome::Silent(_)) => self.open(now),
            (State::Closed { last, .. }, Outcome::Silent(device)) if *last == Some(device) => {
                Change::None
            }
            (State::Closed { failures, last }, Outcome::Failed | Outcome::Silent(_)) => {
                *failures += 1;
                if let Outcome::Silent(device) = outcome {
                    *last = Some(device);
                }
                if *failures < self.settings.failures { Change::None } else { self.open(now) }
            }
            // Of an open one there are no tickets.
            (State::Closed { .. } | State::Open { .. }, _) => Change::None,
        }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Closed { .. } => Standing::Closed,
            State::Open { until } if now < until => Standing::Open,
            State::Open { .. } | State::HalfOpen { .. } => Standing::HalfOpen,
        }
    }

    fn open(&mut self, now: Instant) -> Change {
        let backoff = self.backoff();
        self.steps = (self.steps + 1).min(STEPS_MAX);
        self.enter(State::Open { until: now + backoff });
        Change::Opened(backoff)
    }

    /// Between half and all of the minimum, doubled with each step, up to the maximum. The chance in it keeps several proxies
    /// from asking at the same time.
    fn backoff(&mut self) -> Duration {
        let Settings { backoff_min, backoff_max, .. } = self.settings;
        let doubled = backoff_min.saturating_mul(1_u32.checked_shl(self.steps).unwrap_or(u32::MAX));
        let most = doubled.min(backoff_max);
        most.mul_f64(0.5 + self.chance.f64() / 2.0)
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: Settings = Settings {
        failures: 3,
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(8),
        trials: 1,
    };

    struct Play {
        breaker: Breaker,
        now: Instant,
    }

    impl Play {
        fn new(settings: Settings) -> Self {
            Self { breaker: Breaker::new(settings, 7), now: Instant::now() }
        }

        fn after(&mut self, time: Duration) {
            self.now += time;
        }

        /// One opening, begun and ended now.
        fn one(&mut self, outcome: Outcome) -> Result<Change, Refused> {
            let ticket = self.breaker.ask(self.now)?;
            Ok(self.breaker.settle(ticket, outcome, self.now))
        }

        fn standing(&self) -> Standing {
            self.breaker.standing(self.now)
        }

        /// Lets it open, and gives how long that is for.
        fn trip(&mut self) -> Duration {
            loop {
                if let Change::Opened(backoff) = self.one(Outcome::Failed).expect("it is asked") {
                    return backoff;
                }
            }
        }
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_closes_after_one_answer() {
        let mut play = Play::new(SETTINGS);
        for _ in 0..2 {
            assert_eq!(play.one(Outcome::Failed), Ok(Change::None));
            assert_eq!(play.one(Outcome::Failed), Ok(Change::None));
            assert_eq!(play.one(Outcome::Answered), Ok(Change::None));
        }
        let backoff = play.trip();
        assert_eq!(play.standing(), Standing::Open);
        assert_eq!(play.one(Outcome::Answered), Err(Refused));
        play.after(backoff - Duration::from_nanos(1));
        assert_eq!(play.one(Outcome::Answered), Err(Refused));
        play.after(Duration::from_nanos(1));
        assert_eq!(play.standing(), Standing::HalfOpen);
        assert_eq!(play.one(Outcome::Answered), Ok(Change::Closed));
        assert_eq!(play.standing(), Standing::Closed);
    }

    #[test]
    fn so_many_try_at_once() {
        for trials in [1, 3] {
            let mut play = Play::new(Settings { trials, ..SETTINGS });
            let backoff = play.trip();
            play.after(backoff);
            let mut tickets: Vec<_> =
                (0..trials).map(|_| play.breaker.ask(play.now).expect("a trial")).collect();
            assert!(play.breaker.refuses(play.now) && play.breaker.ask(play.now).is_err());
            // One that says nothing makes room for another.
            let gone = tickets.pop().expect("a trial");
            assert_eq!(play.breaker.settle(gone, Outcome::Unknown, play.now), Change::None);
            assert!(play.breaker.ask(play.now).is_ok());
        }
    }

    #[test]
    fn the_backoff_doubles_with_chance_up_to_its_maximum() {
        let mut play = Play::new(SETTINGS);
        let mut backoff = play.trip();
        for most in [1, 2, 4, 8, 8, 8] {
            let most = Duration::from_secs(most);
            assert!(backoff >= most / 2 && backoff <= most, "{backoff:?} of {most:?}");
            play.after(backoff);
            let Ok(Change::Opened(next)) = play.one(Outcome::Silent(1)) else { panic!("a trial") };
            backoff = next;
        }
        let others = (0..20).map(|seed| Breaker::new(SETTINGS, seed).backoff());
        let mut others: Vec<_> = others.collect();
        others.dedup();
        assert!(others.len() > 10, "{others:?}");
    }

    /// An upstream that answers the trial and then nobody is asked less and less often.
    #[test]
    fn one_that_flaps_is_not_forgiven_with_its_first_answer() {
        let mut play = Play::new(SETTINGS);
        let mut last = Duration::ZERO;
        for _ in 0..10 {
            last = play.trip();
            play.after(last);
            assert_eq!(play.one(Outcome::Answered), Ok(Change::Closed));
        }
        assert!(last >= SETTINGS.backoff_max / 2, "{last:?}");
        for _ in 0..10 {
            assert_eq!(play.one(Outcome::Answered), Ok(Change::None));
        }
        assert!(play.trip() <= SETTINGS.backoff_min, "it was well for a while");
    }

    #[test]
    fn what_was_on_the_way_when_it_opened_changes_nothing() {
        let mut play = Play::new(SETTINGS);
        let [late, later] = [(); 2].map(|()| play.breaker.ask(play.now).expect("it is closed"));
        let backoff = play.trip();
        assert_eq!(play.breaker.settle(late, Outcome::Answered, play.now), Change::None);
        assert_eq!(play.standing(), Standing::Open);
        play.after(backoff);
        let trial = play.breaker.ask(play.now).expect("a trial");
        assert_eq!(play.breaker.settle(later, Outcome::Failed, play.now), Change::None);
        assert_eq!(play.breaker.settle(trial, Outcome::Answered, play.now), Change::Closed);
    }

    #[test]
    fn one_device_alone_does_not_open_it_by_what_may_be_its_own_fault() {
        let mut play = Play::new(SETTINGS);
        for _ in 0..100 {
            assert_eq!(play.one(Outcome::Silent(1)), Ok(Change::None));
        }
        assert_eq!(play.one(Outcome::Silent(2)), Ok(Change::None));
        assert!(matches!(play.one(Outcome::Silent(3)), Ok(Change::Opened(_))));
    }

    #[test]
    fn without_a_number_of_failures_it_never_opens() {
        let mut play = Play::new(Settings { failures: 0, ..SETTINGS });
        for _ in 0..1000 {
            assert_eq!(play.one(Outcome::Failed), Ok(Change::None));
        }
    }

    proptest! {
        /// However openings begin and end: there are never more trials than allowed, and an upstream that answers again is
        /// used again.
        #[test]
        fn it_always_comes_back(
            trials in 1_u32..4,
            steps in prop::collection::vec((0_u8..5, 0_usize..8, 0_u64..3000), 1..200),
        ) {
            let mut play = Play::new(Settings { trials, ..SETTINGS });
            let mut tickets: Vec<Ticket> = Vec::new();
            for (what, which, wait) in steps {
                play.after(Duration::from_millis(wait));
                let outcome = match what {
                    0 => {
                        tickets.extend(play.breaker.ask(play.now));
                        continue;
                    }
                    1 => Outcome::Answered,
                    2 => Outcome::Failed,
                    3 => Outcome::Silent(which as u64),
                    _ => Outcome::Unknown,
                };
                if !tickets.is_empty() {
                    let ticket = tickets.swap_remove(which % tickets.len());
                    play.breaker.settle(ticket, outcome, play.now);
                }
                if let State::HalfOpen { under_way } = play.breaker.state {
                    let own = tickets.iter().filter(|one| one.epoch == play.breaker.epoch).count();
                    prop_assert!(under_way as usize == own && under_way <= trials);
                }
            }
            for ticket in tickets {
                play.breaker.settle(ticket, Outcome::Unknown, play.now);
            }
            play.after(SETTINGS.backoff_max);
            prop_assert!(play.one(Outcome::Answered).is_ok());
            prop_assert_eq!(play.standing(), Standing::Closed);
        }
    }
}

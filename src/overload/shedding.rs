//! Which sessions are ended when memory is nearly gone: those that hold the most, few at a time, and only as many as it
//! takes.
//!
//! Sessions don't keep count of what they hold: that would cost each message something. They are asked when it matters, all of
//! them, and once a second at most.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sessions that are ended at once, at most.
const ENDED_MAX: usize = 64;

/// Bytes from which on a session's end is worth it. With less the memory is elsewhere.
const WORTH_MIN: u64 = 32 * 1024;

/// Sessions of which it is remembered what they hold, until half of them are forgotten.
const KNOWN_MAX: usize = 2048;

/// How long sessions have to say what they hold.
const ANSWERING: Duration = Duration::from_millis(200);

/// How long it takes until an end shows in the memory of the process.
const SETTLING: Duration = Duration::from_secs(1);

/// The pause where nobody holds anything worth it.
const RESTING: Duration = Duration::from_secs(5);

/// What a session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its shard.
    pub shard: usize,
    /// Its place there.
    pub place: u32,
    /// Bytes of its buffers.
    pub bytes: u64,
}

/// What shards are told to do.
#[derive(Debug, Clone)]
pub enum Order {
    /// Go on.
    Nothing,
    /// Each session says what it holds.
    Report,
    /// These sessions are ended, unless they hold much less by now.
    End(Arc<[Holder]>),
}

/// What sessions have said that they hold.
#[derive(Debug, Default)]
pub(super) struct Survey(HashMap<(usize, u32), u64>);

impl Survey {
    pub(super) fn add(&mut self, holder: Holder) {
        if holder.bytes < WORTH_MIN {
            return;
        }
        self.0.insert((holder.shard, holder.place), holder.bytes);
        if self.0.len() > KNOWN_MAX {
            let mut known: Vec<_> = self.0.drain().collect();
            known.select_nth_unstable_by_key(KNOWN_MAX / 2, |(_, bytes)| Reverse(*bytes));
            known.truncate(KNOWN_MAX / 2);
            self.0.extend(known);
        }
    }

    /// Those that hold the most, up to this many bytes in all; afterwards nothing is known.
    fn choose(&mut self, excess: u64) -> Vec<Holder> {
        let mut holders: Vec<Holder> =
            self.0.drain().map(|((shard, place), bytes)| Holder { shard, place, bytes }).collect();
        holders.sort_unstable_by_key(|holder| (Reverse(holder.bytes), holder.shard, holder.place));
        let mut left = excess;
        let enough = holders.iter().take(ENDED_MAX).take_while(|holder| {
            let wanted = left > 0;
            left = left.saturating_sub(holder.bytes);
            wanted
        });
        let enough = enough.count();
        holders.truncate(enough);
        holders
    }
}

/// Where the ending of sessions is.
#[derive(Debug)]
pub(super) struct Shedding {
    step: Step,
    due: Instant,
}

#[derive(Debug)]
enum Step {
    Ask,
    Choose,
}

impl Shedding {
    pub(super) fn new(now: Instant) -> Self {
        Self { step: Step::Ask, due: now }
    }

    /// What shards are told now, if anything. `excess`: the bytes that are too many.
    pub(super) fn next(
        &mut self,
        now: Instant,
        excess: u64,
        survey: &Mutex<Survey>,
    ) -> Option<Order> {
        if now < self.due {
            return None;
        }
        let mut survey = survey.lock().unwrap_or_else(PoisonError::into_inner);
        if let Step::Ask = self.step {
            *survey = Survey::default();
            (self.step, self.due) = (Step::Choose, now + ANSWERING);
            return Some(Order::Report);
        }
        let chosen = survey.choose(excess);
        drop(survey);
        self.step = Step::Ask;
        if chosen.is_empty() {
            self.due = now + RESTING;
            tracing::warn!(
                "no session holds much: ending them would free nothing; new ones are still refused"
            );
            return Some(Order::Nothing);
        }
        self.due = now + SETTLING;
        let bytes: u64 = chosen.iter().map(|holder| holder.bytes).sum();
        tracing::warn!(sessions = chosen.len(), bytes, "the sessions that hold the most are ended");
        Some(Order::End(chosen.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(place: u32, kib: u64) -> Holder {
        Holder { shard: place as usize % 2, place, bytes: kib * 1024 }
    }

    fn survey(holders: impl IntoIterator<Item = Holder>) -> Survey {
        let mut survey = Survey::default();
        holders.into_iter().for_each(|holder| survey.add(holder));
        survey
    }

    fn places(holders: &[Holder]) -> Vec<u32> {
        holders.iter().map(|holder| holder.place).collect()
    }

    #[test]
    fn those_that_hold_the_most_are_ended_and_no_more_than_it_takes() {
        let all = || survey([holder(1, 100), holder(2, 900), holder(3, 31), holder(4, 500)]);
        assert_eq!(places(&all().choose(1)), [2]);
        assert_eq!(places(&all().choose(900 * 1024)), [2]);
        assert_eq!(places(&all().choose(900 * 1024 + 1)), [2, 4]);
        assert_eq!(places(&all().choose(u64::MAX)), [2, 4, 1], "little isn't worth it");
        assert!(all().choose(0).is_empty());
        let said_again = &mut survey([holder(1, 100), holder(1, 100)]);
        assert_eq!(places(&said_again.choose(u64::MAX)), [1]);
    }

    #[test]
    fn few_are_ended_at_a_time_and_few_are_remembered() {
        for kib in [|place: u32| u64::from(place) + 32, |_| 64] {
            let mut all = survey((0..100_000).map(|place| holder(place, kib(place))));
            assert!(all.0.len() <= KNOWN_MAX);
            let chosen = all.choose(u64::MAX);
            assert_eq!(chosen.len(), ENDED_MAX);
            assert!(chosen.windows(2).all(|pair| pair[0].bytes >= pair[1].bytes));
            let expected = if kib(0) == 64 { 64 } else { 100_031 };
            assert_eq!(chosen[0].bytes, expected * 1024, "the largest is still known");
        }
    }

    #[test]
    fn sessions_are_asked_ended_and_given_time() {
        let (start, held) = (Instant::now(), Mutex::default());
        let mut shedding = Shedding::new(start);
        let mut next = |after: Duration| shedding.next(start + after, 1, &held);
        assert!(matches!(next(Duration::ZERO), Some(Order::Report)));
        held.lock().unwrap().add(holder(7, 99));
        assert!(next(ANSWERING / 2).is_none());
        let Some(Order::End(ended)) = next(ANSWERING) else { panic!("somebody holds enough") };
        assert_eq!(places(&ended), [7]);
        assert!(next(SETTLING).is_none());
        assert!(matches!(next(ANSWERING + SETTLING), Some(Order::Report)));
        let empty = ANSWERING + SETTLING + ANSWERING;
        assert!(matches!(next(empty), Some(Order::Nothing)));
        assert!(next(empty + RESTING / 2).is_none());
        assert!(matches!(next(empty + RESTING), Some(Order::Report)));
    }
}

//! Whether shards still run. Each of them counts, whatever else it does; one that hasn't counted for too long hangs, or is dead.

use std::time::{Duration, Instant};

/// Who looks at the shards' counts.
#[derive(Debug)]
pub(super) struct Judge {
    patience: Duration,
    shards: Vec<Seen>,
    looked: Instant,
}

#[derive(Debug)]
struct Seen {
    count: u64,
    changed: Instant,
    stalled: bool,
}

/// What has become of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) shard: usize,
    pub(super) stalled: bool,
}

impl Judge {
    /// For so many shards, which may be silent for so long.
    pub(super) fn new(shards: usize, patience: Duration, now: Instant) -> Self {
        let seen = || Seen { count: 0, changed: now, stalled: false };
        Self { patience, shards: std::iter::repeat_with(seen).take(shards).collect(), looked: now }
    }

    /// Looks at the counts, in the shards' order, and says what has changed.
    pub(super) fn look(&mut self, now: Instant, counts: impl Iterator<Item = u64>) -> Vec<Change> {
        let away = now.saturating_duration_since(self.looked) > self.patience / 2;
        self.looked = now;
        let mut changes = Vec::new();
        for (shard, (seen, count)) in self.shards.iter_mut().zip(counts).enumerate() {
            // Who wasn't there to look can't say that the others weren't: the process may have been stopped.
            if count != seen.count || away && !seen.stalled {
                (seen.count, seen.changed) = (count, now);
            }
            let stalled = now.saturating_duration_since(seen.changed) >= self.patience;
            if stalled != seen.stalled {
                seen.stalled = stalled;
                changes.push(Change { shard, stalled });
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn change(shard: usize, stalled: bool) -> Vec<Change> {
        vec![Change { shard, stalled }]
    }

    #[test]
    fn a_shard_that_counts_no_more_has_stalled_and_one_that_counts_again_has_not() {
        let start = Instant::now();
        let mut judge = Judge::new(2, PATIENCE, start);
        let mut look = |ms: u64, counts: [u64; 2]| {
            judge.look(start + Duration::from_millis(ms), counts.into_iter())
        };
        // In steps, as the thread looks.
        assert!((0..50).all(|step| look(step * 100, [step, 1]).is_empty()));
        assert_eq!(look(5000, [50, 1]), change(1, true));
        assert!((51..=90).all(|step| look(step * 100, [step, 1]).is_empty()), "told once");
        assert_eq!(look(9100, [91, 2]), change(1, false));
        assert!(look(9200, [92, 2]).is_empty());
    }

    #[test]
    fn a_shard_that_never_began_has_stalled() {
        let start = Instant::now();
        let mut judge = Judge::new(1, PATIENCE, start);
        let looks = (0..=50).map(|step| judge.look(start + step * PATIENCE / 50, [0].into_iter()));
        let told: Vec<Change> = looks.flatten().collect();
        assert_eq!(told, change(0, true));
    }

    /// A process that was stopped for an hour, or a machine that slept, has not hung.
    #[test]
    fn nobody_has_stalled_while_nobody_looked() {
        let start = Instant::now();
        let mut judge = Judge::new(1, PATIENCE, start);
        let hour = Duration::from_secs(3600);
        assert!(judge.look(start + hour, [0].into_iter()).is_empty());
        let looks =
            (1..=50).map(|step| judge.look(start + hour + step * PATIENCE / 50, [0].into_iter()));
        let told: Vec<Change> = looks.flatten().collect();
        assert_eq!(told, change(0, true), "it is looked at again");
        // One that has stalled before has to prove the contrary.
        assert!(judge.look(start + 3 * hour, [0].into_iter()).is_empty());
        assert_eq!(judge.look(start + 4 * hour, [1].into_iter()), change(0, false));
    }
}

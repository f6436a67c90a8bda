//! So much per second: a bucket that is full at first and is filled evenly.
//!
//! It reads no clock: times are nanoseconds since some beginning that is the same for all calls. What it knows fits two numbers (the
//! generic cell rate algorithm): how much there is in the bucket follows from when it will be full again.

use std::num::NonZeroU64;
use std::time::Duration;

const SECOND_NS: u128 = 1_000_000_000;

/// How fast a bucket is filled, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: NonZeroU64,
    holds_ns: u64,
}

impl Rate {
    /// So much per second, and as much at once as comes in `burst`.
    #[must_use]
    pub fn new(per_second: NonZeroU64, burst: Duration) -> Self {
        Self { per_second, holds_ns: nanoseconds(burst) }
    }

    /// How long so much takes to come.
    fn cost(self, amount: u64) -> u64 {
        let cost = u128::from(amount) * SECOND_NS / u128::from(self.per_second.get());
        u64::try_from(cost).unwrap_or(u64::MAX)
    }
}

/// What was taken at some rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at_ns: u64,
}

impl Bucket {
    /// How long it takes until there is one in the bucket; zero: there is.
    #[must_use]
    pub fn wait(self, rate: Rate, now_ns: u64) -> Duration {
        let with_one = self.full_at_ns.saturating_add(rate.cost(1));
        let empty_at = now_ns.saturating_add(rate.holds_ns);
        Duration::from_nanos(with_one.saturating_sub(empty_at))
    }

    /// Takes so much, also if there is less: then what comes next waits for it.
    pub fn take(&mut self, rate: Rate, amount: u64, now_ns: u64) {
        self.full_at_ns = self.full_at_ns.max(now_ns).saturating_add(rate.cost(amount));
    }

    /// Whether nothing is missing, as if nothing had ever been taken.
    #[must_use]
    pub fn is_full(self, now_ns: u64) -> bool {
        self.full_at_ns <= now_ns
    }
}

/// As many as a `u64` holds, which are 584 years.
#[must_use]
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn rate(per_second: u64, burst: u64) -> Rate {
        Rate::new(NonZeroU64::new(per_second).unwrap(), Duration::from_secs(burst))
    }

    #[test]
    fn a_burst_is_taken_at_once_and_then_so_much_per_second() {
        for (rate, burst) in [(rate(10, 1), 10), (rate(10, 3), 30), (rate(1, 1), 1)] {
            let mut bucket = Bucket::default();
            let begun = 5_000 * MS;
            let mut taken = 0;
            while bucket.wait(rate, begun).is_zero() {
                bucket.take(rate, 1, begun);
                taken += 1;
            }
            assert_eq!(taken, burst);
            // From then on each has to wait for its own share.
            let mut now = begun;
            for _ in 0..100 {
                now += u64::try_from(bucket.wait(rate, now).as_nanos()).unwrap();
                assert!(bucket.wait(rate, now).is_zero());
                bucket.take(rate, 1, now);
            }
            assert_eq!((now - begun) * rate.per_second.get(), 100 * 1_000 * MS);
        }
    }

    #[test]
    fn what_is_more_than_the_bucket_is_paid_afterwards() {
        let rate = rate(1000, 1);
        let mut bucket = Bucket::default();
        bucket.take(rate, 5000, 0);
        let waits = bucket.wait(rate, 0).as_millis();
        assert_eq!(waits, 4001);
        assert!(!bucket.wait(rate, 4000 * MS).is_zero());
        assert!(bucket.wait(rate, 4001 * MS).is_zero());
    }

    #[test]
    fn an_idle_bucket_holds_no_more_than_a_burst() {
        let rate = rate(2, 1);
        let mut bucket = Bucket::default();
        bucket.take(rate, 1, 0);
        assert!(!bucket.is_full(499 * MS));
        assert!(bucket.is_full(500 * MS));
        let later = 3_600_000 * MS;
        bucket.take(rate, 2, later);
        assert!(!bucket.wait(rate, later).is_zero(), "an hour of silence saves nothing up");
        assert_eq!(Bucket::default().wait(rate, 0), Duration::ZERO);
        assert_eq!(bucket.wait(rate, u64::MAX), Duration::ZERO);
    }
}

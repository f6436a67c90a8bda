//! `[upstream.breaker]`: when an upstream that fails is left alone, and for how long.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::Table;

use super::proxy::set_time;

const FAILURES: RangeInclusive<u64> = 0..=1_000_000;
const TRIALS: RangeInclusive<u64> = 1..=1000;
const BACKOFF_MS: RangeInclusive<u64> = 1..=3_600_000;

/// When an upstream that fails is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Openings that fail one after the other before it is left alone; 0: it never is.
    pub failures: u32,
    /// How long it is left alone the first time, at most; each time without success between doubles it.
    pub backoff_min: Duration,
    /// How long it is left alone, whatever happens.
    pub backoff_max: Duration,
    /// Connections that try at once whether it is well again.
    pub trials: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 5,
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            trials: 1,
        }
    }
}

pub(super) fn read_breaker(mut table: Table<'_>) -> Breaker {
    let mut breaker = Breaker::default();
    set_count(&mut table, "failures", FAILURES, &mut breaker.failures);
    set_count(&mut table, "trials", TRIALS, &mut breaker.trials);
    set_time(&mut table, "backoff_min_ms", BACKOFF_MS, &mut breaker.backoff_min);
    let most = table.integer("backoff_max_ms", BACKOFF_MS);
    if let Some(most) = &most {
        breaker.backoff_max = Duration::from_millis(most.value);
    }
    if breaker.backoff_min > breaker.backoff_max {
        match most {
            Some(most) => table.fault(
                most.line,
                "backoff_max_ms",
                format!(
                    "is less than `backoff_min_ms`, which is {}",
                    breaker.backoff_min.as_millis()
                ),
                "write a larger number here or a smaller one there",
            ),
            // Only the minimum is written, and it means what it says.
            None => breaker.backoff_max = breaker.backoff_min,
        }
    }
    table.finish();
    breaker
}

fn set_count(
    table: &mut Table<'_>,
    key: &'static str,
    range: RangeInclusive<u64>,
    target: &mut u32,
) {
    if let Some(written) = table.integer(key, range) {
        *target = u32::try_from(written.value).unwrap_or(u32::MAX);
    }
}

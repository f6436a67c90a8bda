//! A latency's summary: percentiles and a distribution that is small enough for a plot.
//!
//! The histogram itself stays in the engine; this is what remains of it. Recording is cheap (tens of
//! nanoseconds, no allocation); summing up is not meant for the hot path.

use serde::{Deserialize, Serialize};

/// Nanoseconds, to three digits, from 1 ns to 20 minutes.
pub(crate) type Histogram = hdrhistogram::Histogram<u64>;

/// 20 minutes: longer than any run waits for an answer.
const HIGHEST_NS: u64 = 1_200_000_000_000;
const DIGITS: u8 = 3;
/// How finely the distribution is cut: steps per halving of what remains above a percentile.
const STEPS_PER_HALVING: u32 = 5;

/// An empty histogram.
pub(crate) fn new_histogram() -> Histogram {
    Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS).expect("the bounds are legal constants")
}

/// The summary of a latency.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// How many were measured.
    pub(crate) count: u64,
    /// The mean.
    pub(crate) mean_us: f64,
    /// Half took at most this.
    pub(crate) p50_us: f64,
    /// 90 % took at most this.
    pub(crate) p90_us: f64,
    /// 99 % took at most this.
    pub(crate) p99_us: f64,
    /// 99.9 % took at most this.
    pub(crate) p999_us: f64,
    /// 99.99 % took at most this.
    pub(crate) p9999_us: f64,
    /// The longest.
    pub(crate) max_us: f64,
    /// Percentile by percentile, finer towards the end.
    pub(crate) distribution: Vec<Distribution>,
}

/// One point of a distribution.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Distribution {
    /// 0 to 100.
    pub(crate) percentile: f64,
    /// This share of the messages took at most this.
    pub(crate) us: f64,
    /// So many messages took at most this.
    pub(crate) count: u64,
}

impl Latency {
    /// The summary; `None` for an empty histogram.
    pub(crate) fn of(histogram: &Histogram) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile: f64| microseconds(histogram.value_at_quantile(quantile));
        Some(Self {
            count: histogram.len(),
            mean_us: histogram.mean() / 1000.0,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: at(0.9999),
            max_us: microseconds(histogram.max()),
            distribution: distribution(histogram),
        })
    }
}

/// Nanoseconds as microseconds.
pub(crate) fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

fn distribution(histogram: &Histogram) -> Vec<Distribution> {
    histogram
        .iter_quantiles(STEPS_PER_HALVING)
        .map(|point| Distribution {
            percentile: point.quantile_iterated_to() * 100.0,
            us: microseconds(point.value_iterated_to().min(histogram.max())),
            count: histogram.count_between(0, point.value_iterated_to()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_was_recorded() {
        let mut histogram = new_histogram();
        assert!(Latency::of(&histogram).is_none());
        for microseconds in 1..=10_000 {
            histogram.record(microseconds * 1000).expect("within the bounds");
        }
        let latency = Latency::of(&histogram).expect("it isn't empty");
        assert_eq!(latency.count, 10_000);
        for (found, expected) in [
            (latency.mean_us, 5000.5),
            (latency.p50_us, 5000.0),
            (latency.p90_us, 9000.0),
            (latency.p99_us, 9900.0),
            (latency.p999_us, 9990.0),
            (latency.p9999_us, 9999.0),
            (latency.max_us, 10_000.0),
        ] {
            assert!((found - expected).abs() <= expected / 500.0, "{found} for {expected}");
        }
        let last = latency.distribution.last().expect("points");
        assert_eq!((last.percentile, last.count), (100.0, 10_000));
        assert!(latency.distribution.len() < 200, "{}", latency.distribution.len());
        assert!(latency.distribution.windows(2).all(|pair| pair[0].us <= pair[1].us));
    }
}

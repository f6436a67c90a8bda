//! Axes: which part of the numbers is shown, and where the ticks are. All drawing is linear; what is shown by its logarithm is
//! put on an axis by [`Scale::place`].
//!
//! Invariant: an axis has a length, whatever the values are.

use crate::results::{duration, grouped};

/// About so many ticks.
const TICKS: f64 = 5.0;
/// Beyond this percentile a plot says more about chance than about the target.
const HIGHEST_NINES: f64 = 5.0;

/// How a value becomes a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// As it is.
    Linear,
    /// By its decimal logarithm; for latencies in microseconds.
    Logarithm,
    /// By the number of nines; for percentiles from 0 to 100.
    Nines,
}

impl Scale {
    /// Where a value belongs.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            // A nanosecond is the least that is measured.
            Scale::Logarithm => value.max(0.001).log10(),
            Scale::Nines => -(1.0 - value / 100.0).max(1e-12).log10(),
        }
    }
}

/// An axis.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// What it shows, with its unit.
    pub(super) title: String,
    pub(super) scale: Scale,
    /// The ends, as places.
    pub(super) low: f64,
    pub(super) high: f64,
    /// Places and their labels.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Whether a place lies on it; a hair beyond its end is its end.
    pub(super) fn holds(&self, place: f64) -> bool {
        (self.low - 1e-9..=self.high + 1e-9).contains(&place)
    }

    /// From 0 to the largest value, or a bit more.
    pub(super) fn from_zero(
        title: &str,
        values: impl Iterator<Item = f64>,
        label: fn(f64, f64) -> String,
    ) -> Self {
        let highest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let high = if highest > 0.0 { highest * 1.05 } else { 1.0 };
        Self::linear(title, 0.0, high, label)
    }

    /// Around 1, for ratios.
    pub(super) fn around_one(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let furthest = values.map(|value| (value - 1.0).abs()).fold(0.02, f64::max) * 1.15;
        // Below 0 there is no ratio.
        Self::linear(title, (1.0 - furthest).max(0.0), 1.0 + furthest, plain)
    }

    fn linear(title: &str, low: f64, high: f64, label: fn(f64, f64) -> String) -> Self {
        let step = step((high - low) / TICKS);
        let mut ticks = Vec::new();
        let mut number = (low / step).ceil();
        while number * step <= high {
            ticks.push((number * step, label(number * step, step)));
            number += 1.0;
        }
        Self { title: title.to_owned(), scale: Scale::Linear, low, high, ticks }
    }

    /// Seconds from 0.
    pub(super) fn seconds(title: &str, end: f64) -> Self {
        Self::linear(title, 0.0, end.max(1.0), plain)
    }

    /// Rounds from 1.
    pub(super) fn rounds(count: usize) -> Self {
        // So many labels have room.
        let every = count.div_ceil(12).max(1);
        let ticks = (1..=count).step_by(every).map(|round| (round as f64, round.to_string()));
        let ticks = ticks.collect();
        let (low, high) = (0.5, count.max(1) as f64 + 0.5);
        Self { title: "Round".to_owned(), scale: Scale::Linear, low, high, ticks }
    }

    /// Latencies by their logarithm, in whole thirds of a decade.
    pub(super) fn latency(title: &str, microseconds: impl Iterator<Item = f64>) -> Self {
        let scale = Scale::Logarithm;
        let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
        for place in microseconds.map(|value| scale.place(value)) {
            ends = (ends.0.min(place), ends.1.max(place));
        }
        if ends.0 > ends.1 {
            ends = (2.0, 3.0);
        }
        let third = |place: f64, round: fn(f64) -> f64| round(place * 3.0) / 3.0;
        let low = third(ends.0, f64::floor);
        let high = third(ends.1, f64::ceil).max(low + 1.0);
        let mantissas: &[f64] = if high - low <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for decade in low.floor() as i32..=high.ceil() as i32 {
            for value in mantissas.iter().map(|mantissa| mantissa * 10f64.powi(decade)) {
                let place = scale.place(value);
                if (low - 1e-9..=high + 1e-9).contains(&place) {
                    ticks.push((place.clamp(low, high), short_duration(value)));
                }
            }
        }
        Self { title: title.to_owned(), scale, low, high, ticks }
    }

    /// Percentiles up to the one that so many values know.
    pub(super) fn percentiles(title: &str, count: u64) -> Self {
        let high = (count.max(10) as f64).log10().min(HIGHEST_NINES);
        let all = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
        let ticks = all
            .into_iter()
            .map(|percentile| (Scale::Nines.place(percentile), format!("{percentile} %")))
            .filter(|(place, _)| *place <= high + 1e-9)
            .collect();
        Self { title: title.to_owned(), scale: Scale::Nines, low: 0.0, high, ticks }
    }
}

/// The next of 1, 2, 5, 10, … .
fn step(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    let mantissas = [1.0, 2.0, 5.0, 10.0];
    let fits = mantissas.into_iter().find(|mantissa| mantissa * decade >= least * 0.999);
    fits.unwrap_or(10.0) * decade
}

/// With as many digits as the step needs.
pub(super) fn plain(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    if digits == 0 { grouped(value) } else { format!("{value:.digits$}") }
}

/// Bytes as KiB.
pub(super) fn kibibytes(value: f64, step: f64) -> String {
    plain(value, step)
}

/// `200 µs`, `1 ms`: without the zeros.
fn short_duration(us: f64) -> String {
    let text = duration(us);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ if us < 1.0 => format!("{:.0} ns", us * 1000.0),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let axis = Axis::from_zero("t", [3.0, 4021.0].into_iter(), plain);
        assert_eq!(labels(&axis), ["0", "1,000", "2,000", "3,000", "4,000"]);
        let axis = Axis::around_one("t", [0.97, 1.04].into_iter());
        assert_eq!(labels(&axis), ["0.96", "0.98", "1.00", "1.02", "1.04"]);
        assert!(axis.low < 0.97 && axis.high > 1.04);
        assert_eq!(labels(&Axis::seconds("t", 10.0)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&Axis::rounds(3)), ["1", "2", "3"]);
    }

    #[test]
    fn latencies_are_shown_by_their_logarithm() {
        let axis = Axis::latency("t", [120.0, 900.0].into_iter());
        assert_eq!(labels(&axis), ["100 µs", "200 µs", "500 µs", "1 ms"]);
        let axis = Axis::latency("t", [0.5, 2_500_000.0].into_iter());
        assert_eq!(labels(&axis), ["1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
        assert!(axis.low <= Scale::Logarithm.place(0.5));
    }

    #[test]
    fn percentiles_end_where_the_values_do() {
        let axis = Axis::percentiles("t", 20_000);
        assert_eq!(labels(&axis), ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert_eq!(labels(&Axis::percentiles("t", 100)).last(), Some(&"99 %"));
        assert!((Scale::Nines.place(99.9) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn an_axis_has_a_length_without_values_too() {
        for axis in [
            Axis::from_zero("t", std::iter::empty(), plain),
            Axis::around_one("t", std::iter::empty()),
            Axis::latency("t", std::iter::empty()),
            Axis::latency("t", [7.0].into_iter()),
            Axis::percentiles("t", 0),
            Axis::seconds("t", 0.0),
            Axis::rounds(0),
        ] {
            assert!(axis.high > axis.low, "{axis:?}");
        }
    }
}

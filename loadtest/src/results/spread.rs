//! One value per round, and how such values lie: median, quartiles, and the ends.
//!
//! It knows nothing of what the values mean.

use serde::{Deserialize, Serialize};

/// One value per round, and their spread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Round by round.
    pub(crate) rounds: Vec<Option<f64>>,
    /// `None` if no round has a value.
    pub(crate) spread: Option<Spread>,
}

/// How values lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The least.
    pub(crate) min: f64,
    /// A quarter lies below.
    pub(crate) lower_quartile: f64,
    /// Half lies below.
    pub(crate) median: f64,
    /// A quarter lies above.
    pub(crate) upper_quartile: f64,
    /// The largest.
    pub(crate) max: f64,
    /// The interquartile range: the upper quartile without the lower one.
    pub(crate) interquartile_range: f64,
}

impl Series {
    /// A value per round.
    pub(crate) fn of(rounds: Vec<Option<f64>>) -> Self {
        let spread = Spread::of(rounds.iter().flatten().copied());
        Self { rounds, spread }
    }
}

impl Spread {
    /// Of so many values; `None` for none.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let at = |quantile: f64| {
            let place = quantile * (values.len() - 1) as f64;
            let below = values[place.floor() as usize];
            let above = values[place.ceil() as usize];
            below + (above - below) * place.fract()
        };
        let (lower_quartile, upper_quartile) = (at(0.25), at(0.75));
        let interquartile_range = upper_quartile - lower_quartile;
        Some(Self {
            min,
            lower_quartile,
            median: at(0.5),
            upper_quartile,
            max,
            interquartile_range,
        })
    }
}

/// A whole number with its thousands apart.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).expect("values")
    }

    #[test]
    fn a_spread_says_how_values_lie() {
        let found = spread(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!((found.min, found.median, found.max), (1.0, 2.5, 4.0));
        assert_eq!((found.lower_quartile, found.upper_quartile), (1.75, 3.25));
        assert_eq!(found.interquartile_range, 1.5);
        let one = spread(&[7.0]);
        assert_eq!((one.min, one.median, one.max, one.interquartile_range), (7.0, 7.0, 7.0, 0.0));
        assert_eq!(spread(&[5.0, 1.0, 9.0]).median, 5.0);
        assert_eq!(Spread::of([f64::NAN, f64::INFINITY].into_iter()), None);
    }

    #[test]
    fn a_round_without_a_value_is_left_out_and_not_zero() {
        let series = Series::of(vec![Some(2.0), None, Some(4.0)]);
        assert_eq!(series.spread.expect("values").median, 3.0);
        assert_eq!(series.rounds.len(), 3);
        assert_eq!(Series::of(vec![None]).spread, None);
    }

    #[test]
    fn thousands_are_apart() {
        for (value, text) in [
            (0.0, "0"),
            (999.4, "999"),
            (1000.0, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "−1,234"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }
}

//! What a person writes for times and rates: `10s`, `1000/s`, `2/s per device`, `100/s for 10s`.
//!
//! Reading returns `None` for anything else; the caller knows the key and says what to write. Whatever is written by
//! [`time_text`] and the like is read back as the same value.

use std::time::Duration;

use super::model::{Burst, Rate, Step};

/// What to write for a time.
pub(crate) const TIME_REMEDY: &str = "write a time such as `30s`, `500ms` or `2m`";
/// What to write for a rate.
pub(crate) const RATE_REMEDY: &str = "write a rate such as `1000/s`, `6/min` or `2/s per device`";
/// What to write for a rate of all devices together.
pub(crate) const TOTAL_REMEDY: &str = "write a rate such as `10/s` or `6/min`";
/// What to write for steps.
pub(crate) const STEP_REMEDY: &str = "write steps such as `1000/s for 30s`";
/// What to write for a burst.
pub(crate) const BURST_REMEDY: &str = "write a burst such as `5000/s for 1s every 10s`";

const TIME_UNITS: [(&str, f64); 5] =
    [("ms", 0.001), ("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3600.0)];
/// A week; nothing here is meant for longer.
const TIME_MAX_S: f64 = 7.0 * 86_400.0;
/// A thousand million; no machine gets there.
const RATE_MAX: f64 = 1e9;

/// `30s`, `500ms`, `2m`, `1h`; a bare number is seconds.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit {
        "" => 1.0,
        unit => TIME_UNITS.iter().find(|(known, _)| *known == unit)?.1,
    };
    let seconds = decimal(number.trim())? * factor;
    (seconds <= TIME_MAX_S).then(|| Duration::from_nanos((seconds * 1e9).round() as u64))
}

/// The same, but not zero; for options.
pub(crate) fn time_above_zero(text: &str) -> Result<Duration, String> {
    match time(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("write a time such as `10s`".to_owned()),
    }
}

/// `1000/s`, `6/min`, `2/s per device`; a bare number is messages per second of all devices.
pub(crate) fn rate(text: &str) -> Option<Rate> {
    match text.strip_suffix("per device") {
        Some(rate) => total(rate.trim_end()).map(Rate::PerDevice),
        None => total(text).map(Rate::Total),
    }
}

/// `10/s` or `6/min`; a bare number is per second.
pub(crate) fn total(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let per = match unit.trim() {
        "ms" => return None,
        unit => TIME_UNITS.iter().find(|(known, _)| *known == unit)?.1,
    };
    let rate = decimal(number.trim())? / per;
    (rate <= RATE_MAX).then_some(rate)
}

/// `1000/s for 30s`
pub(crate) fn step(text: &str) -> Option<Step> {
    let (how_much, length) = text.split_once(" for ")?;
    let length = time(length.trim())?;
    (!length.is_zero()).then_some(Step { rate: rate(how_much.trim())?, length })
}

/// `5000/s for 1s every 10s`
pub(crate) fn burst(text: &str) -> Option<Burst> {
    let (during, every) = text.split_once(" every ")?;
    let Step { rate, length } = step(during)?;
    let every = time(every.trim())?;
    (every > length).then_some(Burst { every, length, rate })
}

/// A number of digits with at most one point; no sign, no exponent.
fn decimal(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok() } else { None }
}

/// A time as [`time()`] reads it.
pub(crate) fn time_text(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else {
        format!("{}ms", time.as_nanos() as f64 / 1e6)
    }
}

/// A rate as [`rate`] reads it.
pub(crate) fn rate_text(rate: Rate) -> String {
    match rate {
        Rate::Total(rate) => format!("{rate}/s"),
        Rate::PerDevice(rate) => format!("{rate}/s per device"),
    }
}

/// A step as [`step`] reads it.
pub(crate) fn step_text(step: Step) -> String {
    format!("{} for {}", rate_text(step.rate), time_text(step.length))
}

/// A burst as [`burst`] reads it.
pub(crate) fn burst_text(burst: Burst) -> String {
    let during = Step { rate: burst.rate, length: burst.length };
    format!("{} every {}", step_text(during), time_text(burst.every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1.5s", 1500),
            ("7", 7000),
            ("0", 0),
        ] {
            let found = time(text).expect(text);
            assert_eq!(found, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(time(&time_text(found)), Some(found), "{text}");
        }
        for text in ["", "s", "-1s", "1e3s", "10 years", "1.2.3s", "9999h", "inf"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn rates_are_read_and_written() {
        for (text, expected) in [
            ("1000/s", Rate::Total(1000.0)),
            ("250", Rate::Total(250.0)),
            ("6/min", Rate::Total(0.1)),
            ("0.5/s per device", Rate::PerDevice(0.5)),
            ("2 per device", Rate::PerDevice(2.0)),
        ] {
            assert_eq!(rate(text), Some(expected), "{text}");
            assert_eq!(rate(&rate_text(expected)), Some(expected), "{text}");
        }
        for text in ["", "fast", "10/ms", "10/fortnight", "1e9999/s", "-3/s", "5000000000/s"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn steps_and_bursts_are_read_and_written() {
        let found = step("1000/s for 30s").expect("a step");
        assert_eq!(found, Step { rate: Rate::Total(1000.0), length: Duration::from_secs(30) });
        assert_eq!(step(&step_text(found)), Some(found));
        let found = burst("2/s per device for 1s every 10s").expect("a burst");
        assert_eq!((found.rate, found.every), (Rate::PerDevice(2.0), Duration::from_secs(10)));
        assert_eq!(burst(&burst_text(found)), Some(found));
        for text in ["1000/s", "1000/s for 0s", "for 3s", "1/s for 3s every 2s"] {
            assert_eq!(burst(text), None, "{text}");
        }
    }
}

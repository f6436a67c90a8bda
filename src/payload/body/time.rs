//! Times as the platforms write them: seconds or milliseconds since 1970, and ISO 8601.
//!
//! What it's not: a clock or a calendar; leap seconds and time zones by name don't exist.
//! Invariant: times are whole milliseconds since 1970, so nothing before that is read.

use super::BodyError;
use crate::payload::json::{RawString, numeric};
use crate::payload::msgpack::timestamp::{civil_from_days, padded};

const DAY_MS: u64 = 86_400_000;

/// From this number on a time counts milliseconds, below it seconds.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// Reads a number or a numeric string, seconds or milliseconds by its size; `null` is no time.
pub(super) fn unix(value: Option<&[u8]>) -> Result<Option<u64>, BodyError> {
    let Some((whole, fraction)) = parts(value)? else { return Ok(None) };
    Ok(Some(if whole >= MILLISECONDS_FROM { whole } else { whole * 1000 + thousandths(fraction) }))
}

/// Reads seconds, whatever their size.
pub(super) fn seconds(value: Option<&[u8]>) -> Result<Option<u64>, BodyError> {
    let Some((whole, fraction)) = parts(value)? else { return Ok(None) };
    let whole = whole.checked_mul(1000).ok_or(BodyError::Timestamp)?;
    whole.checked_add(thousandths(fraction)).map(Some).ok_or(BodyError::Timestamp)
}

/// Reads milliseconds, whatever their size.
pub(super) fn milliseconds(value: Option<&[u8]>) -> Result<Option<u64>, BodyError> {
    Ok(parts(value)?.map(|(whole, _)| whole))
}

/// The digits before the point as a number, and those behind it.
fn parts(value: Option<&[u8]>) -> Result<Option<(u64, &str)>, BodyError> {
    let Some(value) = value.filter(|value| *value != b"null") else { return Ok(None) };
    let number = numeric(value).and_then(|number| str::from_utf8(number).ok());
    let number = number.ok_or(BodyError::Timestamp)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| BodyError::Timestamp)?;
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(BodyError::Timestamp);
    }
    Ok(Some((whole, fraction)))
}

/// The first three digits behind a point.
fn thousandths(fraction: &str) -> u64 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    digits.fold(0, |sum, digit| sum * 10 + u64::from(digit.saturating_sub(b'0')))
}

/// Reads `2021-08-04T07:45:44.122Z` and its relatives; `null` is no time.
pub(super) fn iso(value: Option<&[u8]>) -> Result<Option<u64>, BodyError> {
    let Some(value) = value.filter(|value| *value != b"null") else { return Ok(None) };
    let text = RawString::of(value).and_then(RawString::plain).and_then(parse);
    text.map(Some).ok_or(BodyError::Timestamp)
}

fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (digits(date.next()?, 4)?, digits(date.next()?, 2)?, date.next()?);
    let days = days(year, month, digits(day, 2)?)?;
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut clock = clock.splitn(3, ':');
    let (hour, minute) = (digits(clock.next()?, 2)?, digits(clock.next()?, 2)?);
    let second = clock.next().map_or(Some(0), |second| digits(second, 2))?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = days * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000 + thousandths(fraction);
    shifted(local, zone)
}

/// To UTC: `Z`, nothing, `+01:00`, `+0100` or `+01`.
fn shifted(local: u64, zone: &str) -> Option<u64> {
    let Some((sign, offset)) = zone.split_at_checked(1).filter(|(sign, _)| !sign.is_empty()) else {
        return Some(local);
    };
    if matches!(sign, "Z" | "z") {
        return offset.is_empty().then_some(local);
    }
    let (hours, minutes) = offset.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let minutes = if minutes.is_empty() { 0 } else { digits(minutes, 2)? };
    let offset = (digits(hours, 2)? * 60 + minutes) * 60_000;
    if sign == "+" { local.checked_sub(offset) } else { local.checked_add(offset) }
}

fn digits(text: &str, width: usize) -> Option<u64> {
    let whole = text.len() == width && text.bytes().all(|digit| digit.is_ascii_digit());
    whole.then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01; the inverse of `civil_from_days`, which proves the answer.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let years_from_march = if month <= 2 { year.checked_sub(1)? } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let (era, of_era) = (years_from_march / 400, years_from_march % 400);
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let back = civil_from_days(i64::try_from(days).ok()?);
    let asked = (year.cast_signed(), month.cast_signed(), day.cast_signed());
    (back == asked).then_some(days)
}

/// How a time is spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `2019-09-05T10:05:26.000Z`
    Milliseconds,
    /// `2019-09-05T10:05:26+00:00`
    Seconds,
}

/// Appends a time as a JSON string.
pub(super) fn write_iso(
    time_ms: u64,
    spelling: Spelling,
    out: &mut Vec<u8>,
) -> Result<(), BodyError> {
    let days = i64::try_from(time_ms / DAY_MS).map_err(|_| BodyError::Timestamp)?;
    let (year, month, day) = civil_from_days(days);
    if year > 9999 {
        return Err(BodyError::Timestamp);
    }
    let second = time_ms % DAY_MS / 1000;
    out.push(b'"');
    for (value, width, after) in [
        (year.unsigned_abs(), 4, b'-'),
        (month.unsigned_abs(), 2, b'-'),
        (day.unsigned_abs(), 2, b'T'),
        (second / 3600, 2, b':'),
        (second / 60 % 60, 2, b':'),
    ] {
        padded(value, width, out);
        out.push(after);
    }
    padded(second % 60, 2, out);
    if spelling == Spelling::Milliseconds {
        out.push(b'.');
        padded(time_ms % 1000, 3, out);
        out.extend_from_slice(b"Z\"");
    } else {
        out.extend_from_slice(b"+00:00\"");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u64> {
        iso(Some(format!("\"{text}\"").as_bytes())).ok().flatten()
    }

    #[test]
    fn reads_and_writes_iso() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2019-09-05T10:05:26Z", Some(1_567_677_926_000)),
            ("2019-09-05T12:05:26.25+02:00", Some(1_567_677_926_250)),
            ("2019-09-05 10:05:26+0000", Some(1_567_677_926_000)),
            ("2019-09-05T05:05:26.1239999-05", Some(1_567_677_926_123)),
            ("2000-02-29T00:00Z", Some(951_782_400_000)),
            ("1969-12-31T23:59:59Z", None),
            ("2019-02-29T00:00:00Z", None),
            ("2019-13-01T00:00:00Z", None),
            ("2019-00-01T00:00:00Z", None),
            ("2019-01-01T24:00:00Z", None),
            ("2019-01-01", None),
            ("2019-01-01Té", None),
            ("0000-00-00T00:00:00Z", None),
            ("2019-01-01T00:00:00Zx", None),
            ("2019-01-01T00:00:00+é1", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let mut out = Vec::new();
        write_iso(1_567_677_926_007, Spelling::Milliseconds, &mut out).unwrap();
        write_iso(1_567_677_926_007, Spelling::Seconds, &mut out).unwrap();
        let both = r#""2019-09-05T10:05:26.007Z""2019-09-05T10:05:26+00:00""#;
        assert_eq!(String::from_utf8(out).unwrap(), both);
        assert!(write_iso(u64::MAX, Spelling::Seconds, &mut Vec::new()).is_err());
    }

    #[test]
    fn reads_seconds_and_milliseconds() {
        for (text, expected) in [
            ("1567677926", Ok(Some(1_567_677_926_000))),
            ("\"1567677926\"", Ok(Some(1_567_677_926_000))),
            ("1567677926123", Ok(Some(1_567_677_926_123))),
            ("1567677926.5", Ok(Some(1_567_677_926_500))),
            ("99999999999", Ok(Some(99_999_999_999_000))),
            ("100000000000", Ok(Some(100_000_000_000))),
            ("null", Ok(None)),
            ("-1", Err(BodyError::Timestamp)),
            ("1e9", Err(BodyError::Timestamp)),
            ("\"now\"", Err(BodyError::Timestamp)),
            ("1.5e3", Err(BodyError::Timestamp)),
            ("99999999999999999999999", Err(BodyError::Timestamp)),
        ] {
            assert_eq!(unix(Some(text.as_bytes())), expected, "{text}");
        }
        // A clock that was never set says few milliseconds.
        assert_eq!(milliseconds(Some(b"86400000")), Ok(Some(86_400_000)));
        assert_eq!(seconds(Some(b"100000000000.25")), Ok(Some(100_000_000_000_250)));
        assert_eq!(seconds(Some(b"18446744073709551615")), Err(BodyError::Timestamp));
        assert_eq!((seconds(None), milliseconds(Some(b"null"))), (Ok(None), Ok(None)));
    }
}

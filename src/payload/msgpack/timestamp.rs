//! The MessagePack timestamp (extension −1) as RFC 3339 text in UTC.
//!
//! ```text
//! 4 bytes   u32 seconds
//! 8 bytes   u30 nanoseconds | u34 seconds
//! 12 bytes  u32 nanoseconds, i64 seconds
//! ```
//!
//! What it's not: a calendar; there are no leap seconds and no zones in either format.
//! Invariant: only the years 1 to 9999, the ones that RFC 3339 can write.

const NANOSECONDS: u64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

/// A point in time, seconds since 1970 and nanoseconds since that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp {
    seconds: i64,
    nanoseconds: u64,
}

/// What the data of extension −1 turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A time that can be written.
    Time(Timestamp),
    /// A length that the specification doesn't define; an extension like any other.
    Unknown,
    /// A second with more than 999,999,999 ns, or a year outside 1 to 9999.
    OutOfRange,
}

/// Reads the data of extension −1.
pub(super) fn parse(data: &[u8]) -> Parsed {
    let time = if let Ok(data) = <[u8; 4]>::try_from(data) {
        Timestamp { seconds: i64::from(u32::from_be_bytes(data)), nanoseconds: 0 }
    } else if let Ok(data) = <[u8; 8]>::try_from(data) {
        let both = u64::from_be_bytes(data);
        let seconds = (both & 0x3_ffff_ffff).cast_signed();
        Timestamp { seconds, nanoseconds: both >> 34 }
    } else if let (12, Some((nanoseconds, seconds))) = (data.len(), data.split_first_chunk()) {
        let seconds = seconds.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
        Timestamp { seconds, nanoseconds: u64::from(u32::from_be_bytes(*nanoseconds)) }
    } else {
        return Parsed::Unknown;
    };
    let (year, ..) = civil_from_days(time.seconds.div_euclid(DAY_SECONDS));
    if time.nanoseconds >= NANOSECONDS || !(1..=9999).contains(&year) {
        return Parsed::OutOfRange;
    }
    Parsed::Time(time)
}

impl Timestamp {
    /// Appends `2019-09-05T10:05:26.250Z`: 20, 24, 27 or 30 bytes, as many fraction digits as it
    /// needs (none, 3, 6 or 9).
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(DAY_SECONDS));
        let second = self.seconds.rem_euclid(DAY_SECONDS);
        for (value, width, after) in [
            (year, 4, b'-'),
            (month, 2, b'-'),
            (day, 2, b'T'),
            (second / 3600, 2, b':'),
            (second / 60 % 60, 2, b':'),
        ] {
            padded(value.unsigned_abs(), width, out);
            out.push(after);
        }
        padded((second % 60).unsigned_abs(), 2, out);
        self.write_fraction(out);
        out.push(b'Z');
    }

    fn write_fraction(self, out: &mut Vec<u8>) {
        let (value, width) = match self.nanoseconds {
            0 => return,
            nanoseconds if nanoseconds.is_multiple_of(1_000_000) => (nanoseconds / 1_000_000, 3),
            nanoseconds if nanoseconds.is_multiple_of(1_000) => (nanoseconds / 1_000, 6),
            nanoseconds => (nanoseconds, 9),
        };
        out.push(b'.');
        padded(value, width, out);
    }
}

/// `value` in decimal with leading zeros up to `width` digits.
pub(in crate::payload) fn padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits.as_bytes());
}

/// Year, month and day of the proleptic Gregorian calendar for a count of days since 1970-01-01.
/// Howard Hinnant's algorithm: eras of 400 years (146,097 days) whose years begin in March.
pub(in crate::payload) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: i64, nanoseconds: u32) -> Option<String> {
        let mut data = nanoseconds.to_be_bytes().to_vec();
        data.extend(seconds.to_be_bytes());
        match parse(&data) {
            Parsed::Time(time) => {
                let mut out = Vec::new();
                time.write(&mut out);
                Some(String::from_utf8(out).unwrap())
            }
            _ => None,
        }
    }

    #[test]
    fn writes_known_times() {
        for (seconds, nanoseconds, expected) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (951_868_800, 0, "2000-03-01T00:00:00Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59Z"),
            (1_567_677_926, 250_000_000, "2019-09-05T10:05:26.250Z"),
            (1_567_677_926, 250_001_000, "2019-09-05T10:05:26.250001Z"),
            (1_567_677_926, 1, "2019-09-05T10:05:26.000000001Z"),
            (2_147_483_648, 0, "2038-01-19T03:14:08Z"),
            (-2_208_988_800, 0, "1900-01-01T00:00:00Z"),
            (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
            (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(text(seconds, nanoseconds).as_deref(), Some(expected));
        }
    }

    #[test]
    fn refuses_what_the_text_cannot_say() {
        for (seconds, nanoseconds) in [
            (-62_135_596_801, 0),
            (253_402_300_800, 0),
            (i64::MIN, 0),
            (i64::MAX, 0),
            (0, 1_000_000_000),
            (0, u32::MAX),
        ] {
            assert_eq!(text(seconds, nanoseconds), None, "{seconds}");
        }
        assert_eq!(parse(&[0xff; 8]), Parsed::OutOfRange);
        for length in [0, 1, 5, 11, 13, 16] {
            assert_eq!(parse(&vec![0; length]), Parsed::Unknown);
        }
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let mut expected = (1, 1, 1);
        for days in -719_162..=2_932_896 {
            assert_eq!(civil_from_days(days), expected);
            let (year, month, day) = expected;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!(expected, (10_000, 1, 1));
    }
}

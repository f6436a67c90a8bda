//! JSON numbers: their grammar, and their value when somebody needs it.
//!
//! What it's not: rounding. A text is an integer only if it's written as one (`2e1` and `20.0` are
//! not), and `as_f64` gives the double nearest to the text or nothing.
//! Invariant: every accepted text matches RFC 8259 section 6 from its first to its last byte.

/// Length of the number at the start of `bytes`; `None` if there is none or it breaks off.
#[inline]
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at = match bytes.get(at)? {
        b'0' => at + 1,
        b'1'..=b'9' => digits(bytes, at + 1),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = some_digits(bytes, at + 1 + usize::from(signed))?;
    }
    Some(at)
}

/// The first offset from `at` on that isn't a digit.
#[inline]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

#[inline]
fn some_digits(bytes: &[u8], at: usize) -> Option<usize> {
    let end = digits(bytes, at);
    if end > at { Some(end) } else { None }
}

/// The number text in a value: the value itself if it's a JSON number, or the inside of a string
/// that holds nothing but a JSON number (`"21.5"`). For platforms that send numbers as strings.
pub fn numeric(value: &[u8]) -> Option<&[u8]> {
    let text = match value {
        [b'"', inside @ .., b'"'] => inside,
        other => other,
    };
    number_text(text).map(str::as_bytes)
}

/// The signed integer that a number text spells; `None` if it isn't an integer text or doesn't fit.
pub fn as_i64(number: &[u8]) -> Option<i64> {
    number_text(number)?.parse().ok()
}

/// The unsigned integer that a number text spells; `None` if it isn't an integer text or doesn't
/// fit.
pub fn as_u64(number: &[u8]) -> Option<u64> {
    number_text(number)?.parse().ok()
}

/// The double nearest to a number text; `None` if it isn't one or lies beyond the finite doubles.
pub fn as_f64(number: &[u8]) -> Option<f64> {
    let value = match value(number_text(number)?) {
        Number::Unsigned(value) => value as f64,
        Number::Negative(value) => value as f64,
        Number::Double(value) => value,
    };
    Some(value).filter(|value| value.is_finite())
}

/// What a number text is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::payload) enum Number {
    /// An integer text from 0 to 2^64 − 1.
    Unsigned(u64),
    /// An integer text from −2^63 to −1.
    Negative(i64),
    /// All else, `-0` included: the nearest double, infinite if the text lies beyond them.
    Double(f64),
}

/// Longer texts have more digits than a double has, and more than are worth two passes.
const SHORT_MAX: usize = 17;

/// Every integer up to this one is a double.
const EXACT_MAX: u64 = 1 << 53;

/// The powers of ten that are doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The worth of a text that has been measured with [`length`]. One pass for what sensors send; the
/// standard library for exponents, and for more digits than fit.
#[inline]
pub(in crate::payload) fn value(text: &str) -> Number {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > SHORT_MAX {
        return long_value(text);
    }
    let (mut mantissa, mut count, mut point) = (0_u64, 0, None);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                count += 1;
            }
            b'.' => point = Some(count),
            _ => return long_value(text),
        }
    }
    let is_negative = digits.len() < text.len();
    match (point, is_negative) {
        (None, false) => Number::Unsigned(mantissa),
        (None, true) if mantissa == 0 => Number::Double(-0.0),
        (None, true) => {
            0_i64.checked_sub_unsigned(mantissa).map_or_else(|| long_value(text), Number::Negative)
        }
        // Both operands are exact, so the quotient is rounded once and correctly (Clinger 1990).
        (Some(point), _) if mantissa <= EXACT_MAX => match POWERS.get(count - point) {
            Some(power) if is_negative => Number::Double(-(mantissa as f64 / power)),
            Some(power) => Number::Double(mantissa as f64 / power),
            None => long_value(text),
        },
        _ => long_value(text),
    }
}

#[inline(never)]
fn long_value(text: &str) -> Number {
    // The integer parsers stop at the first byte that isn't a digit.
    match (text.parse(), text.parse()) {
        (Ok(value), _) => Number::Unsigned(value),
        (_, Ok(value)) if value < 0 => Number::Negative(value),
        _ => Number::Double(text.parse().unwrap_or(f64::NAN)),
    }
}

fn number_text(number: &[u8]) -> Option<&str> {
    if length(number)? != number.len() {
        return None;
    }
    std::str::from_utf8(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_numbers() {
        for (text, expected) in [
            ("0", Some(1)),
            ("-0", Some(2)),
            ("01", Some(1)),
            ("12,", Some(2)),
            ("1.50e-07]", Some(8)),
            ("1E5", Some(3)),
            ("", None),
            ("-", None),
            ("-a", None),
            ("1.", None),
            ("1.e5", None),
            ("1e", None),
            ("1e-", None),
            ("+1", None),
        ] {
            assert_eq!(length(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn reads_integers_to_the_last_digit() {
        assert_eq!(as_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(as_i64(b"9223372036854775808"), None);
        assert_eq!(as_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(as_u64(b"18446744073709551616"), None);
        for text in ["-1", "1.0", "1e2", "007", "+1", "", " 1", "1 ", "\"1\"", "NaN"] {
            assert_eq!(as_u64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn reads_doubles_exactly() {
        for (text, expected) in [
            ("0.1", 0.1_f64),
            ("20", 20.0),
            ("-0.0", -0.0),
            ("-0", -0.0),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("5e-324", f64::from_bits(1)),
            ("1.7976931348623157e308", f64::MAX),
            ("1e-400", 0.0),
        ] {
            let value = as_f64(text.as_bytes()).unwrap();
            assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["1e400", "-1e400", "nan", "inf", "Infinity", "1.", ".5", "+1", ""] {
            assert_eq!(as_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn agrees_with_the_standard_library() {
        for digits in
            ["0", "1", "12345", "9007199254740992", "9007199254740993", "999999999999999999"]
        {
            for fraction in ["", ".0", ".5", ".1", ".25", ".123456789", ".00000000000000000001"] {
                for sign in ["", "-"] {
                    let text = format!("{sign}{digits}{fraction}");
                    let expected: f64 = text.parse().unwrap();
                    assert_eq!(as_f64(text.as_bytes()).map(f64::to_bits), Some(expected.to_bits()));
                }
            }
        }
        assert_eq!(value("-9223372036854775808"), Number::Negative(i64::MIN));
        assert_eq!(value("-9223372036854775809"), Number::Double(-9_223_372_036_854_775_808.0));
        assert_eq!(value("18446744073709551615"), Number::Unsigned(u64::MAX));
        assert_eq!(value("18446744073709551616"), Number::Double(18_446_744_073_709_551_616.0));
        assert_eq!(value("1e400"), Number::Double(f64::INFINITY));
        assert_eq!(value("-0"), Number::Double(-0.0));
    }

    #[test]
    fn takes_numbers_out_of_strings() {
        assert_eq!(numeric(b"\"21.5\"").and_then(as_f64), Some(21.5));
        assert_eq!(numeric(b"21.5").and_then(as_f64), Some(21.5));
        assert_eq!(numeric(b"\"1559347200\"").and_then(as_u64), Some(1_559_347_200));
        for text in ["\"\"", "\"a\"", "\" 1\"", "\"1 \"", "\"", "true", "\"1", "1\"", "\"\"1\"\""] {
            assert_eq!(numeric(text.as_bytes()), None, "{text}");
        }
    }
}

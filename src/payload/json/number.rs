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
    number_text(number)?.parse().ok().filter(|value: &f64| value.is_finite())
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
    fn takes_numbers_out_of_strings() {
        assert_eq!(numeric(b"\"21.5\"").and_then(as_f64), Some(21.5));
        assert_eq!(numeric(b"21.5").and_then(as_f64), Some(21.5));
        assert_eq!(numeric(b"\"1559347200\"").and_then(as_u64), Some(1_559_347_200));
        for text in ["\"\"", "\"a\"", "\" 1\"", "\"1 \"", "\"", "true", "\"1", "1\"", "\"\"1\"\""] {
            assert_eq!(numeric(text.as_bytes()), None, "{text}");
        }
    }
}

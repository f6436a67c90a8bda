//! Topic names and topic filters, v5 section 4.7 (the same in 3.x) and shared subscriptions,
//! section 4.8.2.
//!
//! No tree and no routing: only what one string means. Invariant: linear time, no recursion, any
//! Unicode.

use super::version::Version;

/// Below this many bytes a plain loop is faster than a call of a vectorised search (measured).
const SHORT_LENGTH: usize = 16;

/// Up to so many bytes blocks of that length are faster (counted: 25 instructions instead of 80 for a topic name).
const MEDIUM_LENGTH: usize = 64;

/// Whether a string can be published to: not empty, at most 65,535 bytes, no `+`, `#` or U+0000.
pub fn is_valid_name(name: &str) -> bool {
    has_valid_length(name) && !has_wildcard_or_null(name.as_bytes())
}

/// Whether a string can be subscribed to: not empty, at most 65,535 bytes, no U+0000, `+` only as a
/// whole level, `#` only as the whole last level. `$share/…` is a filter like any other here; MQTT 5
/// adds the rules of [`shared`], see [`is_valid_filter_in`].
pub fn is_valid_filter(filter: &str) -> bool {
    if !has_valid_length(filter) || has_null(filter.as_bytes()) {
        return false;
    }
    let mut levels = filter.as_bytes().split(|byte| *byte == b'/').peekable();
    while let Some(level) = levels.next() {
        let legal = match level {
            b"+" => true,
            b"#" => levels.peek().is_none(),
            _ => memchr::memchr2(b'+', b'#', level).is_none(),
        };
        if !legal {
            return false;
        }
    }
    true
}

/// [`is_valid_filter`], and in MQTT 5 the rules of shared subscriptions.
pub fn is_valid_filter_in(filter: &str, version: Version) -> bool {
    is_valid_filter(filter)
        && (version < Version::V5 || shared(filter).is_none_or(|shared| shared.is_ok()))
}

/// Why `$share/…` isn't a shared subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a shared subscription needs a group without wildcards and a topic filter behind it")]
pub struct SharedFilterInvalid;

/// Takes `$share/{group}/{filter}` apart (v5 [MQTT-4.8.2-1], [MQTT-4.8.2-2]); `None` if the filter
/// isn't shared at all.
///
/// ```
/// use interlingua::mqtt::topic::shared;
///
/// assert_eq!(shared("$share/workers/jobs/+"), Some(Ok(("workers", "jobs/+"))));
/// assert!(shared("$share/workers").unwrap().is_err());
/// assert_eq!(shared("jobs/+"), None);
/// ```
///
/// # Errors
/// An empty group, wildcards in it, or no valid filter behind it.
pub fn shared(filter: &str) -> Option<Result<(&str, &str), SharedFilterInvalid>> {
    let rest = match filter.strip_prefix("$share") {
        Some("") => return Some(Err(SharedFilterInvalid)),
        Some(rest) => rest.strip_prefix('/')?,
        None => return None,
    };
    let parts = rest.split_once('/').filter(|(group, filter)| {
        !group.is_empty() && !group.contains(['+', '#', '\0']) && is_valid_filter(filter)
    });
    Some(parts.ok_or(SharedFilterInvalid))
}

/// Whether a topic name matches a topic filter (v5 section 4.7.1, 4.7.2).
///
/// `+` is one level, `#` the rest and also its parent: `a/#` matches `a`. A filter that begins with a
/// wildcard doesn't match a name that begins with `$` ([MQTT-4.7.2-1]). For a shared subscription
/// pass the filter that [`shared`] returns. Both arguments should be valid; if not, the answer is
/// `false` or meaningless, but there is one.
pub fn matches(name: &str, filter: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    let mut filters = filter.split('/');
    loop {
        match (names.next(), filters.next()) {
            (_, Some("#")) | (None, None) => return true,
            (Some(_), Some("+")) => {}
            (Some(name), Some(filter)) if name == filter => {}
            _ => return false,
        }
    }
}

/// The number of levels: one more than there are slashes.
pub fn level_count(topic: &str) -> usize {
    1 + memchr::memchr_iter(b'/', topic.as_bytes()).count()
}

fn has_valid_length(topic: &str) -> bool {
    (1..=65_535).contains(&topic.len())
}

/// Whether there is U+0000.
#[inline]
pub(super) fn has_null(bytes: &[u8]) -> bool {
    if bytes.len() < SHORT_LENGTH {
        bytes.iter().fold(false, |found, byte| found | (*byte == 0))
    } else {
        memchr::memchr(0, bytes).is_some()
    }
}

/// Whether there is `+`, `#` or U+0000.
#[inline]
pub(super) fn has_wildcard_or_null(bytes: &[u8]) -> bool {
    match bytes.last_chunk::<SHORT_LENGTH>() {
        // The last block may overlap the one before; that saves a loop over single bytes.
        Some(last) if bytes.len() <= MEDIUM_LENGTH => {
            let blocks = bytes.as_chunks::<SHORT_LENGTH>().0;
            is_wrong(last) || blocks.iter().any(|block| is_wrong(block))
        }
        Some(_) => memchr::memchr3(b'+', b'#', 0, bytes).is_some(),
        None => is_wrong(bytes),
    }
}

/// Without a branch, so that it becomes vector instructions where the length is known.
#[inline]
fn is_wrong(bytes: &[u8]) -> bool {
    let wrong = |found, byte: &u8| found | (*byte == b'+') | (*byte == b'#') | (*byte == 0);
    bytes.iter().fold(false, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "/", "//", " ", "a/b c/ü", "$SYS/x", "$share/g", "日本"] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", "+", "#", "a/+", "a/#", "a+", "a\0", "a/b#c"] {
            assert!(!is_valid_name(name), "{name}");
        }
        assert!(is_valid_name(&"x".repeat(65_535)));
        assert!(!is_valid_name(&"x".repeat(65_536)));
        for at in [0, 15, 16, 31, 32, 99] {
            let mut name = "x".repeat(100);
            name.replace_range(at..=at, "#");
            assert!(!is_valid_name(&name), "{at}");
        }
    }

    #[test]
    fn filters() {
        for filter in [
            "a", "/", "+", "#", "+/+", "/+", "+/", "a/+/b", "a/#", "+/#", "$SYS/#", "$share/g", "é",
        ] {
            assert!(is_valid_filter(filter), "{filter}");
        }
        for filter in ["", "a+/b", "a/+b", "a/#/b", "a#", "#/a", "##", "++", "a/##", "+#", "a\0b"] {
            assert!(!is_valid_filter(filter), "{filter}");
        }
        assert!(!is_valid_filter(&"x".repeat(65_536)));
    }

    #[test]
    fn shared_filters() {
        let wrong = [
            "$share",
            "$share/",
            "$share/g",
            "$share/g/",
            "$share//x",
            "$share/g+/x",
            "$share/#/x",
            "$share/+/x",
            "$share/g/a/#/b",
        ];
        for filter in wrong {
            assert_eq!(shared(filter), Some(Err(SharedFilterInvalid)), "{filter}");
            assert!(!is_valid_filter_in(filter, Version::V5), "{filter}");
        }
        assert_eq!(shared("$share/g/x"), Some(Ok(("g", "x"))));
        assert_eq!(shared("$share/g//x"), Some(Ok(("g", "/x"))));
        assert_eq!(shared("$share/g/#"), Some(Ok(("g", "#"))));
        assert_eq!(shared("$shared/g/x"), None);
        assert_eq!(shared("$SYS/#"), None);
        // Before 5 there is nothing special about the name.
        assert!(is_valid_filter_in("$share/g", Version::V311));
    }

    #[test]
    fn matching() {
        let cases = [
            ("a/b", "a/b", true),
            ("a/b", "a/c", false),
            ("a/b", "a", false),
            ("a", "a/b", false),
            ("a/b", "a/+", true),
            ("a/b/c", "a/+", false),
            ("a", "a/#", true),
            ("a/", "a/#", true),
            ("a/b/c", "a/#", true),
            ("ab", "a/#", false),
            ("a/b/c", "#", true),
            ("/a", "+/+", true),
            ("/a", "/+", true),
            ("/a", "+", false),
            ("a//b", "a/+/b", true),
            ("a", "+/#", true),
            ("a/", "a/+", true),
            ("a", "a/+", false),
            ("a", "A", false),
            ("/", "/", true),
            ("$SYS/x", "$SYS/#", true),
            ("$SYS/x", "$SYS/x", true),
            ("$SYS/x", "$SYS/+", true),
            ("$SYS/x", "#", false),
            ("$SYS/x", "+/x", false),
            ("$SYS", "+", false),
            ("a/$SYS", "a/+", true),
            ("é/x", "é/+", true),
            ("日本", "#", true),
            ("日本", "+", true),
        ];
        for (name, filter, expected) in cases {
            assert_eq!(matches(name, filter), expected, "{name} {filter}");
        }
    }

    #[test]
    fn levels() {
        for (topic, count) in [("", 1), ("a", 1), ("a/b", 2), ("/", 2), ("/a/", 3)] {
            assert_eq!(level_count(topic), count, "{topic}");
        }
    }
}

//! How two topic forms relate: whether some topic has both, and whether each topic of one has the other.

use super::form::When;
use super::table::Dialect;
use super::template::Level;

/// Whether payload conditions keep two forms apart: the earlier one looks for what the later doesn't.
pub(crate) fn told_apart(earlier: Option<&When>, later: Option<&When>) -> bool {
    match (earlier, later) {
        (Some(earlier), Some(later)) => {
            earlier.member == later.member
                && !earlier.values.iter().any(|value| later.values.contains(value))
        }
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Whether some topic matches both.
pub(crate) fn overlap(dialect: &Dialect, one: &[Level], other: &[Level]) -> bool {
    let mut pairs = one.iter().zip(other);
    for (first, second) in pairs.by_ref() {
        if matches!(first, Level::Rest { .. }) || matches!(second, Level::Rest { .. }) {
            return true;
        }
        if !levels_meet(dialect, first, second) {
            return false;
        }
    }
    one.len() == other.len()
}

fn levels_meet(dialect: &Dialect, one: &Level, other: &Level) -> bool {
    match (one, other) {
        (Level::Literal(first), Level::Literal(second)) => first == second,
        (Level::Literal(literal), capture) | (capture, Level::Literal(literal)) => {
            takes(dialect, capture, literal)
        }
        (
            Level::Capture { prefix: first, suffix: first_end, .. },
            Level::Capture { prefix: second, suffix: second_end, .. },
        ) => {
            (first.starts_with(&**second) || second.starts_with(&**first))
                && (first_end.ends_with(&**second_end) || second_end.ends_with(&**first_end))
        }
        (Level::Rest { .. }, _) | (_, Level::Rest { .. }) => true,
    }
}

/// Whether a capture takes a literal level.
fn takes(dialect: &Dialect, capture: &Level, literal: &str) -> bool {
    let Level::Capture { variable, prefix, suffix } = capture else { return true };
    let inside = literal.strip_prefix(&**prefix).and_then(|rest| rest.strip_suffix(&**suffix));
    let reserved = dialect
        .variable(variable)
        .is_some_and(|variable| variable.rule.is_reserved(inside.unwrap_or("")));
    inside.is_some_and(|inside| !inside.is_empty()) && !reserved
}

/// Whether each topic of `narrow` matches `wide`.
pub(crate) fn covers(dialect: &Dialect, wide: &[Level], narrow: &[Level]) -> bool {
    for (at, level) in wide.iter().enumerate() {
        if matches!(level, Level::Rest { .. }) {
            return narrow.len() > at;
        }
        let Some(inner) = narrow.get(at) else { return false };
        let covered = match (level, inner) {
            (Level::Literal(first), Level::Literal(second)) => first == second,
            (Level::Literal(_), _) | (_, Level::Rest { .. }) => false,
            (capture, Level::Literal(literal)) => takes(dialect, capture, literal),
            (
                Level::Capture { prefix, suffix, variable },
                Level::Capture { prefix: inner_prefix, suffix: inner_suffix, .. },
            ) => {
                let known = dialect.variable(variable);
                let reserved = known.map_or(&[][..], |variable| &variable.rule.reserved);
                // A word that the wide level leaves out is no gap where the narrow one can't have it either.
                let gap = |word: &str| takes(dialect, inner, &format!("{prefix}{word}{suffix}"));
                inner_prefix.starts_with(&**prefix)
                    && inner_suffix.ends_with(&**suffix)
                    && !reserved.iter().any(|word| gap(word))
            }
            (Level::Rest { .. }, _) => true,
        };
        if !covered {
            return false;
        }
    }
    wide.len() == narrow.len()
}

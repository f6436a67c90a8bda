//! Whether a name may stand in a topic of the target: its rule, compiled so that a byte costs one look.

use crate::dialect::{NameFault, NameRule};

/// What no level of a topic name may hold.
const NEVER: [u8; 4] = [b'/', b'+', b'#', 0];

/// A compiled [`NameRule`].
#[derive(Debug, Clone)]
pub(crate) struct NameCheck {
    /// The rule without its punctuation.
    rule: NameRule,
    /// Which bytes are legal; `None`: all of them.
    legal: Option<Box<[bool; 256]>>,
    /// What joins several levels into one.
    pub(super) join: Option<char>,
}

impl NameCheck {
    /// For names that are topic levels already; one may be several levels.
    pub(crate) fn of_levels(rule: &NameRule) -> Self {
        let legal = rule.punctuation.as_deref().map(|_| legal_bytes(|byte| may_stand(rule, byte)));
        Self { rule: NameRule { punctuation: None, ..rule.clone() }, legal, join: rule.join }
    }

    /// For names that may come from anywhere, and have to be one level.
    pub(crate) fn of_one_level(rule: &NameRule) -> Self {
        let legal = legal_bytes(|byte| may_stand(rule, byte) && !NEVER.contains(&byte));
        Self {
            rule: NameRule { punctuation: None, ..rule.clone() },
            legal: Some(legal),
            join: None,
        }
    }

    /// Whether the target takes the name.
    #[inline]
    pub(crate) fn takes(&self, name: &str) -> bool {
        let legal = self.legal.as_deref().is_none_or(|legal| {
            // Without a way out in the loop, which names hardly ever take.
            name.bytes().fold(true, |all, byte| {
                all & legal.get(usize::from(byte)).is_some_and(|legal| *legal)
            })
        });
        legal && self.rule.check(name).is_ok()
    }

    /// What is wrong with a name that isn't taken.
    #[cold]
    pub(crate) fn fault(&self, name: &str) -> NameFault {
        self.rule.check(name).err().unwrap_or(NameFault::Character)
    }
}

/// As [`NameRule::check`] has it: beside ASCII letters and digits only the listed punctuation, if any is listed.
fn may_stand(rule: &NameRule, byte: u8) -> bool {
    let listed =
        |punctuation: &str| byte.is_ascii_alphanumeric() || punctuation.as_bytes().contains(&byte);
    rule.punctuation.as_deref().is_none_or(listed)
}

fn legal_bytes(may: impl Fn(u8) -> bool) -> Box<[bool; 256]> {
    Box::new(std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(&may)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiled_rule_says_what_the_rule_says() {
        let rules = [
            NameRule::default(),
            NameRule { punctuation: Some("-._~%".into()), ..NameRule::default() },
            NameRule { bytes_min: 3, letter_first: true, ..NameRule::default() },
            NameRule {
                reserved: vec!["json".into()],
                forbidden_prefix: Some("goog".into()),
                ..NameRule::default()
            },
        ];
        for rule in &rules {
            for name in ["a", "abc", "1abc", "json", "google", "a b", "a%b", "é", "a-b"] {
                let expected = rule.check(name).is_ok();
                let check = NameCheck::of_levels(rule);
                assert_eq!(check.takes(name), expected, "{name} by {rule:?}");
                if let Err(fault) = rule.check(name) {
                    assert_eq!(check.fault(name), fault, "{name} by {rule:?}");
                }
                assert_eq!(
                    NameCheck::of_one_level(rule).takes(name),
                    expected,
                    "{name} by {rule:?}"
                );
            }
        }
        for name in ["a/b", "abc+", "abc#", "abc\0"] {
            assert!(NameCheck::of_levels(&rules[0]).takes(name), "{name}");
            assert!(!NameCheck::of_one_level(&rules[0]).takes(name), "{name}");
        }
    }
}

//! Variables of a dialect: which part of the address each one is, and which texts may stand for it.

use super::Part;

/// A variable of a dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name between the braces.
    pub name: Box<str>,
    /// What it stands for.
    pub role: Role,
    /// Which texts are legal.
    pub rule: NameRule,
    /// What a person should know about it.
    pub about: String,
}

/// What a variable stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A part of the neutral address; passes to the other side under that side's name.
    Part(Part),
    /// A setting of this side only.
    Setting,
    /// A credential of this side only; never rendered anywhere else, never shown.
    Secret,
}

/// Which texts may stand for a variable when it is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRule {
    /// Bytes at least.
    pub bytes_min: usize,
    /// Bytes at most.
    pub bytes_max: usize,
    /// The first character has to be an ASCII letter.
    pub letter_first: bool,
    /// If not empty: the characters allowed beside ASCII letters and digits.
    pub punctuation: Option<Box<str>>,
    /// Texts that mean something else on this platform.
    pub reserved: Vec<Box<str>>,
    /// Texts may not start with this.
    pub forbidden_prefix: Option<Box<str>>,
    /// What joins several levels into one, where the platform has only one; `None` refuses them.
    pub join: Option<char>,
}

impl Default for NameRule {
    fn default() -> Self {
        Self {
            bytes_min: 1,
            bytes_max: 65_535,
            letter_first: false,
            punctuation: None,
            reserved: Vec::new(),
            forbidden_prefix: None,
            join: None,
        }
    }
}

/// Why a text may not stand for a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Shorter or longer than the platform takes.
    #[error("its length is not one the platform takes")]
    Length,
    /// A character that the platform doesn't take, in that place.
    #[error("it holds a character that the platform doesn't take there")]
    Character,
    /// A text with a meaning of its own.
    #[error("the platform reserves it")]
    Reserved,
}

impl NameRule {
    /// Whether `text` may stand for the variable.
    ///
    /// # Errors
    /// With what is wrong; the text itself is not repeated, since it comes from the network.
    pub fn check(&self, text: &str) -> Result<(), NameFault> {
        if text.len() < self.bytes_min || text.len() > self.bytes_max {
            return Err(NameFault::Length);
        }
        if self.letter_first && !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(NameFault::Character);
        }
        if let Some(punctuation) = &self.punctuation
            && !text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || punctuation.as_bytes().contains(&byte))
        {
            return Err(NameFault::Character);
        }
        let prefixed =
            self.forbidden_prefix.as_deref().is_some_and(|prefix| text.starts_with(prefix));
        if prefixed || self.is_reserved(text) {
            return Err(NameFault::Reserved);
        }
        Ok(())
    }

    /// Whether a legal name may hold this character.
    #[must_use]
    pub fn may_hold(&self, letter: char) -> bool {
        let listed =
            |punctuation: &str| letter.is_ascii_alphanumeric() || punctuation.contains(letter);
        letter != '/' && self.punctuation.as_deref().is_none_or(listed)
    }

    /// Whether the text has a meaning of its own on this platform.
    #[must_use]
    pub fn is_reserved(&self, text: &str) -> bool {
        self.reserved.iter().any(|word| **word == *text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_refuses_what_the_platform_would() {
        let rule = NameRule {
            bytes_min: 3,
            bytes_max: 8,
            letter_first: true,
            punctuation: Some("-._~%".into()),
            reserved: vec!["json".into()],
            forbidden_prefix: Some("goog".into()),
            join: None,
        };
        for (text, verdict) in [
            ("d10", Ok(())),
            ("d-1.%_~", Ok(())),
            ("d1", Err(NameFault::Length)),
            ("d12345678", Err(NameFault::Length)),
            ("10d", Err(NameFault::Character)),
            ("d/1", Err(NameFault::Character)),
            ("dé1", Err(NameFault::Character)),
            ("google", Err(NameFault::Reserved)),
            ("json", Err(NameFault::Reserved)),
        ] {
            assert_eq!(rule.check(text), verdict, "{text}");
        }
    }
}

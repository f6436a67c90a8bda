//! A secret that can't be printed: tokens, passwords, keys.

use std::fmt;

use subtle::ConstantTimeEq;

/// A credential. It has no `Display`, its `Debug` shows nothing of it, and comparing takes the same time
/// wherever the texts differ.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself. Only for writing it to the side that the secret belongs to.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this secret; the time taken depends on the lengths only.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        let own = self.0.as_bytes();
        if own.len() != given.len() {
            return false;
        }
        // By words, since a token stands in every topic of some platforms.
        let ((words, rest), (given_words, given_rest)) = (own.as_chunks(), given.as_chunks());
        let mut same = rest.ct_eq(given_rest);
        for (word, given) in words.iter().zip(given_words) {
            same &= u64::from_ne_bytes(*word).ct_eq(&u64::from_ne_bytes(*given));
        }
        same.into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_but_never_shown() {
        let secret = Secret::new("hunter2");
        assert!(secret.is(b"hunter2"));
        assert!(!secret.is(b"hunter3"));
        assert!(!secret.is(b"hunter"));
        let long = Secret::new("a token of more than one word");
        assert!(long.is(b"a token of more than one word"));
        for at in 0..long.reveal().len() {
            let mut other = long.reveal().as_bytes().to_vec();
            other[at] ^= 1;
            assert!(!long.is(&other), "{at}");
        }
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("hunter"));
    }
}

//! A fault of a text that a person wrote: where it stands, what is wrong, what to write instead.

use std::fmt;

/// One thing that is wrong in a text. Displays as `file:line: key: message; remedy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The text's name, as given to [`super::Document::new`].
    pub file: String,
    /// Line from 1; 0 when the fault is of the whole text.
    pub line: usize,
    /// Dotted path of the key, such as `listener[0].bind`; may be empty.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// The word of `known` that someone who typed `written` most likely meant: at most two letters away.
#[must_use]
pub fn closest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|word| (distance(written, word), word))
        .filter(|(steps, word)| *steps <= 2 && *steps < word.len())
        .min()
        .map(|(_, word)| word)
}

/// `a, b or c`, each in back quotes.
#[must_use]
pub fn list_words<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Levenshtein distance in characters; words here are short, so the plain quadratic table does.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(at + 1);
        for ((replaced, deleted), second) in row.iter().zip(row.iter().skip(1)).zip(&other) {
            let inserted = next.last().copied().unwrap_or(0) + 1;
            next.push(inserted.min(deleted + 1).min(replaced + usize::from(letter != *second)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour() {
        let known = ["bind", "dialect", "upstream", "vars"];
        assert_eq!(closest("dialct", known), Some("dialect"));
        assert_eq!(closest("upstraem", known), Some("upstream"));
        assert_eq!(closest("colour", known), None);
        assert_eq!(
            closest("x", ["ab"]),
            None,
            "two letters away from a word of two letters is no neighbour"
        );
    }

    #[test]
    fn words_are_listed_as_a_person_would() {
        assert_eq!(list_words(["a"]), "`a`");
        assert_eq!(list_words(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(list_words([]), "none");
    }
}

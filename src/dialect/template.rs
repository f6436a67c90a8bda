//! Topic templates: `{token}/json/{device}[/{channel}]`.
//!
//! ```text
//! template := level ("/" level)* [ "[" ("/" level)+ "]" ]
//! level    := literal | [literal] "{" name "}" [literal] | "{" name "…" "}"
//! ```
//!
//! `{name}` stands for one non-empty level or a part of one, `{name…}` (or `{name...}`) for the rest of
//! the topic, one level or more, `[…]` for levels at the end that may be missing. A template can always be
//! inverted: what it matched it renders again, byte for byte. Templates know nothing of what the names mean.

use std::fmt;

/// A parsed topic template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    levels: Vec<Level>,
    optional: Vec<Level>,
}

/// One level of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// This text and no other. Empty where the topic has an empty level.
    Literal(Box<str>),
    /// A variable within one level, between two literal texts (mostly empty).
    Capture {
        /// The variable's name.
        variable: Box<str>,
        /// What stands before it in the level.
        prefix: Box<str>,
        /// What stands behind it in the level.
        suffix: Box<str>,
    },
    /// A variable over this and all further levels.
    Rest {
        /// The variable's name.
        variable: Box<str>,
    },
}

impl Level {
    /// The variable of the level, if it has one.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Level::Literal(_) => None,
            Level::Capture { variable, .. } | Level::Rest { variable } => Some(variable),
        }
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// A bracket or brace without its partner, or in a place where it can't stand.
    #[error("has an unbalanced `{0}`")]
    Unbalanced(char),
    /// `[…]` somewhere else than at the end, or not starting with `/`.
    #[error(
        "has an optional part that isn't whole levels at the end; write it last, as in `a/{{b}}[/{{c}}]`"
    )]
    OptionalPlace,
    /// Something that isn't a name between braces.
    #[error("`{{{0}}}` is no variable; names are lower-case letters, digits and `_`")]
    Name(String),
    /// Two variables in one level: nobody could say where the first ends.
    #[error("level `{0}` has two variables and can't be inverted; put a `/` between them")]
    TwoInLevel(String),
    /// `{name…}` with something behind it.
    #[error("`{{{0}…}}` takes all that follows and has to stand last")]
    RestPlace(String),
    /// The same variable twice.
    #[error("`{{{0}}}` stands twice; a topic that differs in the two places could not be inverted")]
    Twice(String),
    /// A wildcard or NUL in a literal.
    #[error("a topic can't hold `+`, `#` or a NUL character")]
    Forbidden,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When the text isn't a template, or one that could not be inverted.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.contains(['+', '#', '\0']) {
            return Err(TemplateError::Forbidden);
        }
        let (base, optional) = split_optional(text)?;
        let levels = parse_levels(base)?;
        let optional = match optional {
            Some(text) => parse_levels(text)?,
            None => Vec::new(),
        };
        let template = Self { text: text.into(), levels, optional };
        template.check_order()?;
        Ok(template)
    }

    /// The levels with and without the optional part: one list, or two with the longer one last.
    #[must_use]
    pub fn variants(&self) -> Vec<Vec<Level>> {
        let mut variants = vec![self.levels.clone()];
        if !self.optional.is_empty() {
            variants.push(self.all().cloned().collect());
        }
        variants
    }

    /// Each variable's name, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.all().filter_map(Level::variable)
    }

    fn all(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().chain(&self.optional)
    }

    fn check_order(&self) -> Result<(), TemplateError> {
        let mut seen: Vec<&str> = Vec::new();
        let mut rest: Option<&str> = None;
        for level in self.all() {
            if let Some(name) = rest {
                return Err(TemplateError::RestPlace(name.to_owned()));
            }
            if let Some(name) = level.variable() {
                if seen.contains(&name) {
                    return Err(TemplateError::Twice(name.to_owned()));
                }
                seen.push(name);
            }
            if let Level::Rest { variable } = level {
                rest = Some(variable);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `a/b[/c]` is `a/b` and `c`.
fn split_optional(text: &str) -> Result<(&str, Option<&str>), TemplateError> {
    let Some((base, tail)) = text.split_once('[') else {
        return if text.contains(']') {
            Err(TemplateError::Unbalanced(']'))
        } else {
            Ok((text, None))
        };
    };
    let Some((inside, behind)) = tail.split_once(']') else {
        return Err(TemplateError::Unbalanced('['));
    };
    if base.contains(']') {
        return Err(TemplateError::Unbalanced(']'));
    }
    match inside.strip_prefix('/') {
        Some(levels) if behind.is_empty() && !levels.is_empty() && !inside.contains('[') => {
            Ok((base, Some(levels)))
        }
        _ => Err(TemplateError::OptionalPlace),
    }
}

fn parse_levels(text: &str) -> Result<Vec<Level>, TemplateError> {
    text.split('/').map(parse_level).collect()
}

fn parse_level(text: &str) -> Result<Level, TemplateError> {
    let Some((prefix, tail)) = text.split_once('{') else {
        return if text.contains('}') {
            Err(TemplateError::Unbalanced('}'))
        } else {
            Ok(Level::Literal(text.into()))
        };
    };
    let Some((inside, suffix)) = tail.split_once('}') else {
        return Err(TemplateError::Unbalanced('{'));
    };
    if suffix.contains('{') {
        return Err(TemplateError::TwoInLevel(text.to_owned()));
    }
    if prefix.contains('}') || suffix.contains('}') {
        return Err(TemplateError::Unbalanced('}'));
    }
    if let Some(name) = inside.strip_suffix('…').or_else(|| inside.strip_suffix("...")) {
        check_name(name, inside)?;
        if !prefix.is_empty() || !suffix.is_empty() {
            return Err(TemplateError::RestPlace(name.to_owned()));
        }
        return Ok(Level::Rest { variable: name.into() });
    }
    check_name(inside, inside)?;
    Ok(Level::Capture { variable: inside.into(), prefix: prefix.into(), suffix: suffix.into() })
}

pub(super) fn check_name(name: &str, shown: &str) -> Result<(), TemplateError> {
    let starts = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    let goes_on = name
        .chars()
        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if starts && goes_on { Ok(()) } else { Err(TemplateError::Name(shown.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(name: &str) -> Level {
        Level::Capture { variable: name.into(), prefix: "".into(), suffix: "".into() }
    }

    #[test]
    fn templates_parse_to_levels() {
        let template = Template::parse("{token}/json/{device}[/{channel}]").unwrap();
        let base = vec![capture("token"), Level::Literal("json".into()), capture("device")];
        let mut long = base.clone();
        long.push(capture("channel"));
        assert_eq!(template.variants(), [base, long]);

        let template = Template::parse("/{registry}/x-{device}-y/commands[/{channel…}]").unwrap();
        let [_, long] = &template.variants()[..] else { panic!("two variants") };
        assert_eq!(long[0], Level::Literal("".into()));
        assert_eq!(
            long[2],
            Level::Capture { variable: "device".into(), prefix: "x-".into(), suffix: "-y".into() }
        );
        assert_eq!(long[4], Level::Rest { variable: "channel".into() });
        assert_eq!(
            Template::parse("a/{b...}").unwrap().variants(),
            Template::parse("a/{b…}").unwrap().variants()
        );
    }

    #[test]
    fn what_can_not_be_inverted_is_refused() {
        for (text, error) in [
            ("", TemplateError::Empty),
            ("a/{b", TemplateError::Unbalanced('{')),
            ("a/b}", TemplateError::Unbalanced('}')),
            ("a[/b", TemplateError::Unbalanced('[')),
            ("a]/b", TemplateError::Unbalanced(']')),
            ("a][/b]", TemplateError::Unbalanced(']')),
            ("a[/b]/c", TemplateError::OptionalPlace),
            ("a[b]", TemplateError::OptionalPlace),
            ("a[/]", TemplateError::OptionalPlace),
            ("{A}/b", TemplateError::Name("A".into())),
            ("{}/b", TemplateError::Name(String::new())),
            ("{a}{b}/c", TemplateError::TwoInLevel("{a}{b}".into())),
            ("{a}-{b}/c", TemplateError::TwoInLevel("{a}-{b}".into())),
            ("{a…}/b", TemplateError::RestPlace("a".into())),
            ("{a…}[/{b}]", TemplateError::RestPlace("a".into())),
            ("x{a…}", TemplateError::RestPlace("a".into())),
            ("{a}/{a}", TemplateError::Twice("a".into())),
            ("a/+/b", TemplateError::Forbidden),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
    }
}

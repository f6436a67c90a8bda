//! Compiled topic forms of one side: which form a topic has, and the texts that its variables took.
//!
//! Nothing is allocated: captures are slices of the topic.

use crate::dialect::{Level, Secret};

use super::levels::{Captures, Levels};
use super::side::{Side, Value};

/// A form's levels with the configured values put in.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// How many levels the form has.
    count: usize,
    literals: Box<[(usize, Box<str>)]>,
    others: Box<[(usize, LevelPattern)]>,
    /// Variables by slot.
    pub(crate) variables: Vec<Box<str>>,
    /// The last level takes all that follows.
    open: bool,
}

#[derive(Debug, Clone)]
enum LevelPattern {
    Secret(Secret),
    Capture { slot: usize, prefix: Box<str>, suffix: Box<str>, reserved: Box<[Box<str>]> },
    Rest { slot: usize },
}

/// A secret of the topic has no value in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingSecret(pub(crate) Box<str>);

impl Pattern {
    /// Compiles one variant of a form for a side.
    pub(crate) fn compile(levels: &[Level], side: &Side) -> Result<Self, MissingSecret> {
        let mut variables: Vec<Box<str>> = Vec::new();
        let (mut literals, mut others) = (Vec::new(), Vec::new());
        for (at, level) in levels.iter().enumerate() {
            match compile_level(level, side, &mut variables)? {
                Compiled::Literal(literal) => literals.push((at, literal)),
                Compiled::Other(other) => others.push((at, other)),
            }
        }
        let open = matches!(others.last(), Some((_, LevelPattern::Rest { .. })));
        let (literals, others) = (literals.into(), others.into());
        Ok(Self { count: levels.len(), literals, others, variables, open })
    }

    /// Whether topics of this many levels can match.
    pub(crate) fn takes(&self, count: usize) -> bool {
        if self.open { count >= self.count } else { count == self.count }
    }

    /// Whether topics of `count` or more levels can match.
    pub(crate) fn takes_at_least(&self, count: usize) -> bool {
        self.open || self.count >= count
    }

    /// How many levels the form has.
    pub(super) fn levels(&self) -> usize {
        self.count
    }

    /// The word that stands in a level, if it is always the same.
    pub(super) fn literal(&self, level: usize) -> Option<&str> {
        self.literals.iter().find(|(at, _)| *at == level).map(|(_, literal)| &**literal)
    }

    /// The slot of a variable.
    pub(crate) fn slot(&self, variable: &str) -> Option<usize> {
        self.variables.iter().position(|known| **known == *variable)
    }

    /// The captures, if the topic has this form. The caller has checked [`Pattern::takes`].
    #[inline]
    pub(crate) fn captures<'t>(&self, topic: &Levels<'t>) -> Option<Captures<'t>> {
        // Literals tell most forms apart, and comparing them is cheap.
        for (at, literal) in &self.literals {
            if topic.level(*at) != literal.as_bytes() {
                return None;
            }
        }
        let mut captures = topic.captures();
        for (at, level) in &self.others {
            match level {
                LevelPattern::Capture { slot, prefix, suffix, reserved } => {
                    let inside = within(topic.level(*at), prefix, suffix)?;
                    if inside.is_empty() || reserved.iter().any(|word| word.as_bytes() == inside) {
                        return None;
                    }
                    captures.set(*slot, topic.span(*at, prefix.len(), suffix.len()));
                }
                LevelPattern::Secret(secret) => {
                    if !secret.is(topic.level(*at)) {
                        return None;
                    }
                }
                LevelPattern::Rest { slot } => {
                    let rest = topic.rest(*at);
                    // An empty level inside would render differently on a platform that joins levels.
                    if topic.bytes(rest).split(|byte| *byte == b'/').any(<[u8]>::is_empty) {
                        return None;
                    }
                    captures.set(*slot, rest);
                }
            }
        }
        Some(captures)
    }
}

/// What stands between a prefix and a suffix, which mostly are empty.
#[inline]
fn within<'t>(level: &'t [u8], prefix: &str, suffix: &str) -> Option<&'t [u8]> {
    if prefix.is_empty() && suffix.is_empty() {
        return Some(level);
    }
    level.strip_prefix(prefix.as_bytes())?.strip_suffix(suffix.as_bytes())
}

/// A compiled level, sorted by what it costs to compare.
enum Compiled {
    Literal(Box<str>),
    Other(LevelPattern),
}

fn compile_level(
    level: &Level,
    side: &Side,
    variables: &mut Vec<Box<str>>,
) -> Result<Compiled, MissingSecret> {
    let slot = variables.len();
    let (variable, prefix, suffix) = match level {
        Level::Literal(literal) => return Ok(Compiled::Literal(literal.clone())),
        Level::Rest { variable } => {
            variables.push(variable.clone());
            return Ok(Compiled::Other(LevelPattern::Rest { slot }));
        }
        Level::Capture { variable, prefix, suffix } => (variable, prefix, suffix),
    };
    if let Some(value) = side.value(variable) {
        let text = format!("{prefix}{}{suffix}", value.reveal());
        return Ok(match value {
            Value::Text(_) => Compiled::Literal(text.into()),
            Value::Secret(_) => Compiled::Other(LevelPattern::Secret(Secret::new(text))),
        });
    }
    let known = side.dialect.variable(variable);
    if known.is_some_and(|known| known.role == crate::dialect::Role::Secret) {
        return Err(MissingSecret(variable.clone()));
    }
    variables.push(variable.clone());
    let reserved = known.map_or_else(Box::default, |known| known.rule.reserved.clone().into());
    let (prefix, suffix) = (prefix.clone(), suffix.clone());
    Ok(Compiled::Other(LevelPattern::Capture { slot, prefix, suffix, reserved }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialect::{Template, builtin};

    fn side() -> Side {
        Side::new(Arc::new(builtin("thingscale").unwrap().unwrap())).with("token", "TOK")
    }

    fn captured(template: &str, topic: &str) -> Option<Vec<String>> {
        let side = side();
        let variants = Template::parse(template).unwrap().variants();
        let levels = Levels::split(topic);
        variants.iter().find_map(|variant| {
            let pattern = Pattern::compile(variant, &side).unwrap();
            if !pattern.takes(levels.count) {
                return None;
            }
            let captures = pattern.captures(&levels)?;
            Some((0..pattern.variables.len()).map(|slot| captures.text(slot).to_owned()).collect())
        })
    }

    #[test]
    fn a_topic_has_a_form_or_not() {
        let form = "{token}/json/{device}[/{channel}]";
        for (topic, found) in [
            ("TOK/json/7", Some(vec!["7"])),
            ("TOK/json/7/room1", Some(vec!["7", "room1"])),
            ("TOK/json/7/a/b", None),
            ("TOK/json/7/", None),
            ("TOK/json/", None),
            ("TOK/json", None),
            ("TOL/json/7", None),
            ("TOK/JSON/7", None),
            ("/TOK/json/7", None),
            ("TOK/json/json", None),
            ("TOK/json/é", Some(vec!["é"])),
        ] {
            let found = found.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!(captured(form, topic), found, "{topic}");
        }
        assert_eq!(
            captured("/x/{device}/c[/{channel…}]", "/x/d/c/a/b"),
            Some(vec!["d".into(), "a/b".into()])
        );
        assert_eq!(captured("/x/{device}/c[/{channel…}]", "/x/d/c"), Some(vec!["d".into()]));
        assert_eq!(
            captured("/x/{device}/c[/{channel…}]", "/x/d/c/a//b"),
            None,
            "an empty level isn't a name"
        );
        assert_eq!(captured("x-{device}.y/z", "x-7.y/z"), Some(vec!["7".into()]));
        assert_eq!(captured("x-{device}.y/z", "x-.y/z"), None);
    }

    #[test]
    fn a_topic_of_many_levels_matches_only_an_open_form() {
        let topic = format!("/x/d/c{}", "/a".repeat(100));
        assert_eq!(captured("/x/{device}/c[/{channel…}]", &topic).unwrap()[1].len(), 199);
        assert_eq!(captured("/x/{device}/c/{channel}", &topic), None);
    }

    #[test]
    fn a_topic_secret_without_a_value_does_not_compile() {
        let side = Side::new(Arc::new(builtin("thingscale").unwrap().unwrap()));
        let variants = Template::parse("{token}/json/{device}").unwrap().variants();
        assert_eq!(
            Pattern::compile(&variants[0], &side).err(),
            Some(MissingSecret("token".into()))
        );
    }
}

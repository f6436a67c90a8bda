//! Templates of the texts in a CONNECT: client identifier, user name, password.
//!
//! `{device}[_{nonce}]`: variables, literals and one optional part at the end. Unlike a topic there are no
//! levels: a variable takes as much as it can while the rest still matches. The optional part is tried
//! first, so `dev_7_x` is device `dev_7` with nonce `x`.

use super::template::{TemplateError, check_name};

/// A parsed text template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTemplate {
    text: Box<str>,
    tokens: Vec<Token>,
    optional: Vec<Token>,
}

/// A piece of a text template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// This text.
    Literal(Box<str>),
    /// One or more characters.
    Variable(Box<str>),
}

/// Texts longer than this match nothing: matching tries splits, and a client identifier, user name or
/// password has no reason to be longer.
pub(super) const TEXT_LENGTH_MAX: usize = 1024;

/// Ways to split a text that are tried at most; with more variables than a table sensibly has, a text of
/// nothing but separators would have millions.
const STEPS_MAX: usize = 20_000;

impl TextTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// When braces or brackets don't match, a name isn't one, or two variables touch.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (base, optional) = match text.split_once('[') {
            None => (text, None),
            Some((base, tail)) => match tail.strip_suffix(']') {
                Some(inside) if !inside.is_empty() => (base, Some(inside)),
                _ => return Err(TemplateError::OptionalPlace),
            },
        };
        let mut tokens = parse_tokens(base)?;
        let optional = parse_tokens(optional.unwrap_or(""))?;
        let base_length = tokens.len();
        tokens.extend(optional);
        let touching =
            tokens.windows(2).any(|pair| matches!(pair, [Token::Variable(_), Token::Variable(_)]));
        if touching {
            return Err(TemplateError::TwoInLevel(text.to_owned()));
        }
        let optional = tokens.split_off(base_length);
        Ok(Self { text: text.into(), tokens, optional })
    }

    /// The template as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces without, then with the optional part.
    #[must_use]
    pub fn variants(&self) -> [Vec<Token>; 2] {
        let long = self.tokens.iter().chain(&self.optional).cloned().collect();
        [self.tokens.clone(), long]
    }

    /// Each variable's name.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().chain(&self.optional).filter_map(|token| match token {
            Token::Variable(name) => Some(&**name),
            Token::Literal(_) => None,
        })
    }

    /// The variables' values in `given`, or `None` when it doesn't match. `fixed` says what a variable has
    /// to be, where that is known.
    #[must_use]
    pub fn match_text<'a>(
        &'a self,
        given: &'a str,
        fixed: &dyn Fn(&str) -> Option<&'a str>,
    ) -> Option<Vec<(&'a str, &'a str)>> {
        self.match_names(given, &Wanted { fixed, legal: &|_, _| true })
    }

    /// The same, where a variable takes no value that isn't a legal name of its own.
    #[must_use]
    pub fn match_names<'a>(
        &'a self,
        given: &'a str,
        wanted: &Wanted<'_, 'a>,
    ) -> Option<Vec<(&'a str, &'a str)>> {
        if given.len() > TEXT_LENGTH_MAX {
            return None;
        }
        let [short, long]: [Vec<&Token>; 2] =
            [self.tokens.iter().collect(), self.tokens.iter().chain(&self.optional).collect()];
        let mut steps = STEPS_MAX;
        let found = match_tokens(&long, given, wanted, &mut steps);
        found.or_else(|| match_tokens(&short, given, wanted, &mut steps))
    }
}

/// What variables have to be: the value of a name, where that is known, and whether a value is legal for a name.
pub struct Wanted<'w, 'a> {
    /// The value of a variable that has one.
    pub fixed: &'w dyn Fn(&str) -> Option<&'a str>,
    /// Whether a variable may have this value.
    pub legal: &'w dyn Fn(&str, &str) -> bool,
}

/// Depth of the recursion: the number of tokens. Its breadth is bounded by `steps`, since the text comes from the
/// network.
fn match_tokens<'a>(
    tokens: &[&'a Token],
    given: &'a str,
    wanted: &Wanted<'_, 'a>,
    steps: &mut usize,
) -> Option<Vec<(&'a str, &'a str)>> {
    *steps = steps.checked_sub(1)?;
    let Some((first, others)) = tokens.split_first() else {
        return given.is_empty().then(Vec::new);
    };
    let name = match first {
        Token::Literal(literal) => {
            return match_tokens(others, given.strip_prefix(&**literal)?, wanted, steps);
        }
        Token::Variable(name) => name,
    };
    if let Some(value) = (wanted.fixed)(name) {
        let mut found = match_tokens(others, given.strip_prefix(value)?, wanted, steps)?;
        found.push((name, value));
        return Some(found);
    }
    for end in (1..=given.len()).rev().filter(|end| given.is_char_boundary(*end)) {
        let (value, behind) = given.split_at(end);
        if !(wanted.legal)(name, value) {
            continue;
        }
        if let Some(mut found) = match_tokens(others, behind, wanted, steps) {
            found.push((name, value));
            return Some(found);
        }
    }
    None
}

fn parse_tokens(text: &str) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((literal, tail)) = rest.split_once('{') {
        let (name, behind) = tail.split_once('}').ok_or(TemplateError::Unbalanced('{'))?;
        check_name(name, name)?;
        push_literal(&mut tokens, literal)?;
        tokens.push(Token::Variable(name.into()));
        rest = behind;
    }
    push_literal(&mut tokens, rest)?;
    Ok(tokens)
}

fn push_literal(tokens: &mut Vec<Token>, literal: &str) -> Result<(), TemplateError> {
    if let Some(stray) = literal.chars().find(|letter| matches!(letter, '}' | ']' | '[')) {
        return Err(TemplateError::Unbalanced(stray));
    }
    if !literal.is_empty() {
        tokens.push(Token::Literal(literal.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(template: &str, given: &str) -> Option<Vec<(String, String)>> {
        let template = TextTemplate::parse(template).unwrap();
        let mut found = template.match_text(given, &|_| None)?;
        found.reverse();
        Some(found.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn pairs(list: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn client_identifiers_are_taken_apart() {
        let thingscale = "{device}[_{nonce}]";
        assert_eq!(matched(thingscale, "dev1_a"), pairs(&[("device", "dev1"), ("nonce", "a")]));
        assert_eq!(matched(thingscale, "my_dev_7"), pairs(&[("device", "my_dev"), ("nonce", "7")]));
        assert_eq!(matched(thingscale, "dev1"), pairs(&[("device", "dev1")]));
        assert_eq!(matched(thingscale, "dev1_"), pairs(&[("device", "dev1_")]));
        assert_eq!(matched(thingscale, ""), None);
        let omnicore = "subscriptions/{subscription}/registries/{registry}/devices/{device}";
        assert_eq!(
            matched(omnicore, "subscriptions/s/registries/r/devices/d"),
            pairs(&[("subscription", "s"), ("registry", "r"), ("device", "d")])
        );
        assert_eq!(matched(omnicore, "subscriptions/s/registries/r/devices/"), None);
        assert_eq!(matched("unused", "unused"), pairs(&[]));
        assert_eq!(matched("unused", "used"), None);
    }

    #[test]
    fn a_fixed_variable_takes_its_value_and_no_other() {
        let template = TextTemplate::parse("{account}:{device}").unwrap();
        let fixed = |name: &str| (name == "account").then_some("a:b");
        assert_eq!(
            template.match_text("a:b:c", &fixed),
            Some(vec![("device", "c"), ("account", "a:b")])
        );
        assert_eq!(template.match_text("a:c", &fixed), None);
    }

    #[test]
    fn a_variable_takes_legal_names_only() {
        let template = TextTemplate::parse("{tenant}.{device}").unwrap();
        let legal = |name: &str, value: &str| name != "tenant" || !value.contains('.');
        let wanted = Wanted { fixed: &|_| None, legal: &legal };
        assert_eq!(
            template.match_names("acme.m.77", &wanted),
            Some(vec![("device", "m.77"), ("tenant", "acme")])
        );
        assert_eq!(template.match_names(".m.77", &wanted), None);
    }

    #[test]
    fn a_long_text_matches_nothing() {
        let template = TextTemplate::parse("{device}").unwrap();
        assert!(template.match_text(&"x".repeat(TEXT_LENGTH_MAX), &|_| None).is_some());
        assert!(template.match_text(&"x".repeat(TEXT_LENGTH_MAX + 1), &|_| None).is_none());
    }

    #[test]
    fn a_text_of_separators_ends_soon_whatever_the_template() {
        let template = TextTemplate::parse("{aa}_{bb}_{cc}_{dd}_{device}x").unwrap();
        assert_eq!(template.match_text(&"_".repeat(TEXT_LENGTH_MAX), &|_| None), None);
    }

    #[test]
    fn ill_formed_templates_are_refused() {
        for text in ["{a}{b}", "{a}[{b}]", "{a", "a}", "[x]y", "{A}", "a]"] {
            assert!(TextTemplate::parse(text).is_err(), "{text}");
        }
    }
}

//! Commands as a line of text for devices that read no JSON: `{action}={input.speed}`.
//!
//! What it's not: a language, or a writer of JSON: what is put in stands there as it is, unescaped.
//! Invariant: either every name has a scalar to stand for it, or nothing is written.

use super::encode::Job;
use super::read::{fields, is_object, kind_of, only};
use super::write::as_plain_text;
use super::{Body, BodyError, Carried, Name, Written};
use crate::payload::json::JsonKind;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTemplate(Box<[Token]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(Box<str>),
    /// `{action}`, or the same by the name that another platform has for it.
    Action,
    /// `{value}`: the input itself, or its only member.
    Value,
    /// `{input.speed}`: a member of the input, by its path.
    Member(Box<[Box<str>]>),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandTemplateError {
    /// A brace without its partner.
    #[error("has a brace without its partner")]
    Brace,
    /// A name that no command has.
    #[error("has `{{{0}}}`, which no command has")]
    UnknownName(String),
    /// Nothing of the command comes through.
    #[error("says nothing of the command")]
    NoName,
}

impl CommandTemplate {
    /// Parses a template. `{{` and `}}` stand for the braces themselves.
    ///
    /// # Errors
    /// When braces don't match, a name is none of a command's, or there is none.
    pub fn parse(text: &str) -> Result<Self, CommandTemplateError> {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at_checked(at).ok_or(CommandTemplateError::Brace)?;
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let inside = from.strip_prefix('{').and_then(|inside| inside.split_once('}'));
                let (name, after) = inside.ok_or(CommandTemplateError::Brace)?;
                push_literal(&mut literal, &mut tokens);
                tokens.push(Token::of(name)?);
                rest = after;
            }
        }
        literal.push_str(rest);
        push_literal(&mut literal, &mut tokens);
        if tokens.iter().all(|token| matches!(token, Token::Literal(_))) {
            return Err(CommandTemplateError::NoName);
        }
        Ok(Self(tokens.into()))
    }

    /// Appends the text of a command.
    pub(super) fn write(&self, job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<Written, BodyError> {
        for token in &self.0 {
            match token {
                Token::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Token::Action => action(job, out)?,
                Token::Value => whole_value(job.piece.body, out)?,
                Token::Member(path) => scalar(member(job.piece.body, path)?, out)?,
            }
        }
        let told = job.carried == Carried::InTopic || self.0.contains(&Token::Action);
        Ok(Written { meta_lost: !told && job.piece.channel.is_some(), ..Written::default() })
    }
}

impl Token {
    fn of(name: &str) -> Result<Self, CommandTemplateError> {
        let unknown = || CommandTemplateError::UnknownName(name.to_owned());
        match name {
            "action" | "name" | "channel" | "entity" => return Ok(Self::Action),
            "value" => return Ok(Self::Value),
            _ => {}
        }
        let path = name.strip_prefix("input.").or_else(|| name.strip_prefix("parameters."));
        let path: Box<[Box<str>]> = path.ok_or_else(unknown)?.split('.').map(Box::from).collect();
        if path.iter().any(|part| part.is_empty() || part.contains('{')) {
            return Err(unknown());
        }
        Ok(Self::Member(path))
    }
}

fn push_literal(literal: &mut String, tokens: &mut Vec<Token>) {
    if !literal.is_empty() {
        tokens.push(Token::Literal(std::mem::take(literal).into()));
    }
}

const NO_NAME: BodyError = BodyError::Shape("the template needs the name of the command");
const NO_VALUE: BodyError = BodyError::Shape("the template needs a value that the command hasn't");

fn action(job: &Job<'_, '_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let default = job.context.options.default_action.as_deref().map(Name::Text);
    let mut name = String::new();
    job.piece.channel.or(default).ok_or(NO_NAME)?.push_to(&mut name);
    out.extend_from_slice(name.as_bytes());
    Ok(())
}

fn whole_value(body: Body<'_>, out: &mut Vec<u8>) -> Result<(), BodyError> {
    match body {
        Body::Nothing => Err(NO_VALUE),
        Body::Bytes(bytes) => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        Body::Json(json) if is_object(json) => scalar(only(json)?.ok_or(NO_VALUE)?.value, out),
        Body::Json(json) => scalar(json, out),
    }
}

fn member<'p>(body: Body<'p>, path: &[Box<str>]) -> Result<&'p [u8], BodyError> {
    let Body::Json(mut value) = body else { return Err(NO_VALUE) };
    for name in path {
        if !is_object(value) {
            return Err(NO_VALUE);
        }
        let [found] = fields(value, [name])?.known;
        value = found.ok_or(NO_VALUE)?;
    }
    Ok(value)
}

fn scalar(value: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
    match kind_of(value) {
        JsonKind::Object | JsonKind::Array | JsonKind::Null => Err(NO_VALUE),
        _ => {
            as_plain_text(value, out);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_commands_are_templates() {
        for text in ["{action}={value}", "{{{name}}}", "x{input.a.b}", "{parameters.a}{entity}"] {
            assert!(CommandTemplate::parse(text).is_ok(), "{text}");
        }
        for (text, told) in [
            ("", "says nothing of the command"),
            ("on {{value}}", "says nothing of the command"),
            ("{action", "has a brace without its partner"),
            ("action}", "has a brace without its partner"),
            ("{action}}", "has a brace without its partner"),
            ("{}", "has `{}`, which no command has"),
            ("{input}", "has `{input}`, which no command has"),
            ("{input.}", "has `{input.}`, which no command has"),
            ("{input.a..b}", "has `{input.a..b}`, which no command has"),
            ("{Action}", "has `{Action}`, which no command has"),
        ] {
            let error = CommandTemplate::parse(text).unwrap_err();
            assert_eq!(error.to_string(), told, "{text}");
        }
        let braces = CommandTemplate::parse("{{\"a\":{value}}}").unwrap();
        let [open, value, close] = &*braces.0 else { panic!("{braces:?}") };
        assert_eq!((open, value), (&Token::Literal("{\"a\":".into()), &Token::Value));
        assert_eq!(close, &Token::Literal("}".into()));
    }
}

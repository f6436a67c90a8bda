//! One side of a translation: a dialect with the values that the configuration gives its variables.

use std::sync::Arc;

use crate::dialect::{Dialect, Form, Part, Role, Secret};

use crate::mqtt::Version;

use super::options::PayloadOptions;

/// A dialect with its configured values.
#[derive(Debug, Clone)]
pub struct Side {
    /// The dialect.
    pub dialect: Arc<Dialect>,
    /// Values by variable name.
    pub values: Vec<(Box<str>, Value)>,
    /// The dialect's options that are switched on.
    pub options: Vec<Box<str>>,
    /// How payloads are rewritten; only the listener's side is asked.
    pub payload: PayloadOptions,
    /// The versions of MQTT that are spoken there, best first; only the upstream's side is asked.
    pub versions: Vec<Version>,
}

/// A configured value.
#[derive(Debug, Clone)]
pub enum Value {
    /// An ordinary text.
    Text(Box<str>),
    /// A credential.
    Secret(Secret),
}

impl Value {
    /// The text, for rendering to the side that the value belongs to.
    #[must_use]
    pub fn reveal(&self) -> &str {
        match self {
            Value::Text(text) => text,
            Value::Secret(secret) => secret.reveal(),
        }
    }
}

impl Side {
    /// A side without values or options, which speaks its dialect's versions.
    #[must_use]
    pub fn new(dialect: Arc<Dialect>) -> Self {
        Self {
            versions: dialect.versions.clone(),
            dialect,
            values: Vec::new(),
            options: Vec::new(),
            payload: PayloadOptions::default(),
        }
    }

    /// Gives a variable its value: a [`Secret`] where the dialect says that the variable is one.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        let secret =
            self.dialect.variable(name).is_some_and(|variable| variable.role == Role::Secret);
        let value =
            if secret { Value::Secret(Secret::new(text)) } else { Value::Text(text.into()) };
        self.values.retain(|(known, _)| **known != *name);
        self.values.push((name.into(), value));
        self
    }

    /// Switches an option of the dialect on.
    #[must_use]
    pub fn with_option(mut self, name: &str) -> Self {
        self.options.push(name.into());
        self
    }

    /// The configured value of a variable.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    /// The configured value of the part's own variable.
    pub(crate) fn part_value(&self, part: Part) -> Option<&Value> {
        let variables =
            self.dialect.variables.iter().filter(|variable| variable.role == Role::Part(part));
        variables.into_iter().find_map(|variable| self.value(&variable.name))
    }

    /// Whether a form counts: it has no option, or its option is on.
    pub(crate) fn has_form(&self, form: &Form) -> bool {
        form.option.as_ref().is_none_or(|option| self.options.contains(option))
    }
}

//! Reading a dialect's table from its TOML text. Every fault is collected; a dialect comes out only when
//! there is none.

use crate::document::{Document, Fault, Located, Scalar, Table, Written, closest};
use crate::mqtt::{Qos, Version};

use super::connect::{ConnectRules, Limits, SessionRule, WillRule};
use super::form::{Binding, Form, RetainRule};
use super::form_table::read_form;
use super::layout_table::Layouts;
use super::neutral::Part;
use super::text_template::TextTemplate;
use super::variable::{NameRule, Role, Variable};
use super::verify;

/// One platform's conventions, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The name that configurations write.
    pub name: Box<str>,
    /// What it is, for a person.
    pub title: String,
    /// The MQTT versions that the platform speaks, best first.
    pub versions: Vec<Version>,
    /// Every variable of the templates, and those that are only declared.
    pub variables: Vec<Variable>,
    /// The texts of a CONNECT.
    pub connect: ConnectRules,
    /// What the platform grants.
    pub limits: Limits,
    /// The topic forms, in the order of the table: the first that matches reads a topic.
    pub forms: Vec<Form>,
}

impl Dialect {
    /// The variable of this name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| *variable.name == *name)
    }

    /// The part that a variable stands for in a form: the form's own binding first.
    #[must_use]
    pub fn part_of(&self, form: &Form, name: &str) -> Option<Part> {
        let binds =
            |binding: &Binding| matches!(binding, Binding::Variable(bound) if **bound == *name);
        if let Some((part, _)) = form.address.iter().find(|(_, binding)| binds(binding)) {
            return Some(*part);
        }
        match self.variable(name)?.role {
            Role::Part(part) => Some(part),
            Role::Setting | Role::Secret => None,
        }
    }

    /// Whether the dialect changes nothing (`plain`).
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.forms.is_empty()
    }

    /// The options that its forms name.
    #[must_use]
    pub fn options(&self) -> Vec<&str> {
        let mut options: Vec<&str> =
            self.forms.iter().filter_map(|form| form.option.as_deref()).collect();
        options.sort_unstable();
        options.dedup();
        options
    }
}

const VERSIONS: [(&str, Version); 3] =
    [("3.1", Version::V31), ("3.1.1", Version::V311), ("5", Version::V5)];
const QOS: std::ops::RangeInclusive<u64> = 0..=2;

/// Reads and verifies a table. `file` is the name that faults carry.
///
/// # Errors
/// Every fault of the table, in the order of their lines.
pub fn parse(file: &str, text: &str) -> Result<Dialect, Vec<Fault>> {
    let document = Document::new(file, text);
    let tree = document.parse();
    let dialect = read(document.root(&tree));
    if let Some(dialect) = &dialect {
        verify::verify(dialect, &document);
    }
    let faults = document.into_faults();
    match dialect {
        Some(dialect) if faults.is_empty() => Ok(dialect),
        _ => Err(faults),
    }
}

fn read(mut root: Table<'_>) -> Option<Dialect> {
    let name = root
        .required_text("name", "write the name that configurations use, as in `name = \"acme\"`");
    let title = root.text("title");
    let versions = read_versions(&mut root);
    let secrets = root.texts("secrets");
    let mut variables = root.table("variables").map(read_variables).unwrap_or_default();
    for secret in &secrets {
        set_role(&mut variables, &secret.value, Role::Secret);
    }
    let connect = root.table("connect").map(read_connect).unwrap_or_default();
    let limits = root.table("limits").map(read_limits).unwrap_or_default();
    let mut layouts = root.table("layouts").map(Layouts::read).unwrap_or_default();
    let topics = root.tables("topic").into_iter();
    let forms: Vec<Form> = topics.filter_map(|topic| read_form(topic, &mut layouts)).collect();
    layouts.check_use(&root);
    declare_implied(&mut variables, &connect, &forms, &root);
    root.finish();
    Some(Dialect {
        title: title.map_or_else(String::new, |title| title.value),
        name: name?.value.into(),
        versions,
        variables,
        connect,
        limits,
        forms,
    })
}

fn read_versions(root: &mut Table<'_>) -> Vec<Version> {
    let written = root.texts("mqtt");
    if written.is_empty() {
        root.fault(
            root.line(),
            "mqtt",
            "is missing",
            "list the versions the platform speaks: mqtt = [\"3.1.1\", \"5\"]",
        );
    }
    let mut versions = Vec::new();
    for Located { value, line } in written {
        match version_of(&value) {
            Some(version) => versions.push(version),
            None => root.fault(line, "mqtt", no_version(&value), VERSIONS_REMEDY),
        }
    }
    best_first(versions)
}

/// What to write instead of something that is no version.
pub const VERSIONS_REMEDY: &str = "write \"3.1\", \"3.1.1\" or \"5\"";

/// The version of MQTT that a configuration's word means.
#[must_use]
pub fn version_of(word: &str) -> Option<Version> {
    VERSIONS.iter().find(|(known, _)| *known == word).map(|(_, version)| *version)
}

/// Says that a word is no version.
#[must_use]
pub fn no_version(word: &str) -> String {
    format!("`{word}` is no MQTT version")
}

/// Versions as [`Dialect::versions`] has them: each once, the best first.
#[must_use]
pub fn best_first(mut versions: Vec<Version>) -> Vec<Version> {
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.dedup();
    versions
}

fn read_variables(mut table: Table<'_>) -> Vec<Variable> {
    let mut variables = Vec::new();
    for (name, entry) in table.every() {
        match entry {
            Written::Table(inner) => variables.push(read_variable(&name.value, inner)),
            Written::Scalar(scalar) => {
                let remedy = format!(
                    "write `{} = {{ part = \"device\" }}` or `{{ about = \"…\" }}`",
                    name.value
                );
                table.fault(scalar.line, &name.value, "is not a table", remedy);
            }
        }
    }
    variables
}

fn read_variable(name: &str, mut table: Table<'_>) -> Variable {
    let part = table.word("part", &Part::WORDS);
    let default = NameRule::default();
    let bytes_min = table.integer("bytes_min", 1..=65_535);
    let bytes_max = table.integer("bytes_max", 1..=65_535);
    let rule = NameRule {
        bytes_min: bytes_min.map_or(default.bytes_min, |bytes| to_usize(bytes.value)),
        bytes_max: bytes_max.map_or(default.bytes_max, |bytes| to_usize(bytes.value)),
        letter_first: table.flag("letter_first").is_some_and(|flag| flag.value),
        punctuation: table.text("punctuation").map(|text| text.value.into()),
        reserved: table.texts("reserved").into_iter().map(|text| text.value.into()).collect(),
        forbidden_prefix: table.text("forbidden_prefix").map(|text| text.value.into()),
        join: table.text("join").and_then(|text| text.value.chars().next()),
    };
    let about = table.text("about").map_or_else(String::new, |text| text.value);
    table.finish();
    let role = part.map_or(default_role(name), |part| Role::Part(part.value));
    Variable { name: name.into(), role, rule, about }
}

fn default_role(name: &str) -> Role {
    Part::from_word(name).map_or(Role::Setting, Role::Part)
}

fn set_role(variables: &mut Vec<Variable>, name: &str, role: Role) {
    match variables.iter_mut().find(|variable| *variable.name == *name) {
        Some(variable) => variable.role = role,
        None => variables.push(Variable {
            name: name.into(),
            role,
            rule: NameRule::default(),
            about: String::new(),
        }),
    }
}

/// A variable that a template names without a declaration: a part by its own word, or a text of CONNECT.
/// In a topic any other name is a mistake, and so is a name of CONNECT that almost is a known one.
fn declare_implied(
    variables: &mut Vec<Variable>,
    connect: &ConnectRules,
    forms: &[Form],
    root: &Table<'_>,
) {
    let known = |variables: &[Variable], name: &str| {
        variables.iter().any(|variable| *variable.name == *name)
    };
    for form in forms {
        for name in form.template.variables() {
            if known(variables, name) {
                continue;
            }
            if Part::from_word(name).is_some() {
                set_role(variables, name, default_role(name));
            } else {
                unknown_variable(variables, name, form.line, "topic.template", root);
            }
        }
    }
    for name in connect_names(connect) {
        if known(variables, name) {
            continue;
        }
        let near = closest(name, known_names(variables));
        if near.is_some() && Part::from_word(name).is_none() {
            unknown_variable(variables, name, root.line(), "connect", root);
        } else {
            set_role(variables, name, default_role(name));
        }
    }
}

fn connect_names(connect: &ConnectRules) -> impl Iterator<Item = &str> {
    let ConnectRules { client_identifier, user_name, password, certificate, .. } = connect;
    let templates = [client_identifier, user_name, password, certificate];
    let properties = connect.message_properties.iter().map(|(_, template)| template);
    templates.into_iter().flatten().chain(properties).flat_map(TextTemplate::variables)
}

fn known_names(variables: &[Variable]) -> impl Iterator<Item = &str> {
    let declared = variables.iter().map(|variable| &*variable.name);
    declared.chain(Part::WORDS.iter().map(|(word, _)| *word))
}

fn unknown_variable(variables: &[Variable], name: &str, line: usize, key: &str, root: &Table<'_>) {
    let remedy = match closest(name, known_names(variables)) {
        Some(word) => format!("did you mean `{{{word}}}`?"),
        None => format!(
            "declare it under [variables], as in `{name} = {{ part = \"site\" }}`, or in `secrets`"
        ),
    };
    root.fault(line, key, format!("`{{{name}}}` is not known"), remedy);
}

fn read_connect(mut table: Table<'_>) -> ConnectRules {
    let rules = ConnectRules {
        line: table.line(),
        client_identifier: read_text_template(&mut table, "client_id"),
        client_identifier_bytes_max: table
            .integer("client_id_bytes_max", 1..=65_535)
            .map(|max| to_usize(max.value)),
        user_name: read_text_template(&mut table, "username"),
        password: read_text_template(&mut table, "password"),
        certificate: read_text_template(&mut table, "certificate"),
        message_properties: table
            .table("message_properties")
            .map(read_message_properties)
            .unwrap_or_default(),
    };
    table.finish();
    rules
}

/// `message_properties = { device_id = "{device}" }`: every key is a property's name.
fn read_message_properties(mut table: Table<'_>) -> Vec<(Box<str>, TextTemplate)> {
    let mut properties = Vec::new();
    for (name, entry) in table.every() {
        let Written::Scalar(Located { value: Scalar::Text(text), line }) = entry else {
            table.fault(table.line(), &name.value, "is no text", "write a template in quotes");
            continue;
        };
        match TextTemplate::parse(&text) {
            Ok(template) => properties.push((name.value.as_str().into(), template)),
            Err(error) => {
                table.fault(line, &name.value, error.to_string(), "correct the template");
            }
        }
    }
    properties
}

fn read_text_template(table: &mut Table<'_>, key: &'static str) -> Option<TextTemplate> {
    let text = table.text(key)?;
    match TextTemplate::parse(&text.value) {
        Ok(template) => Some(template),
        Err(error) => {
            table.fault(text.line, key, error.to_string(), "correct the template");
            None
        }
    }
}

fn read_limits(mut table: Table<'_>) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        qos_max: read_qos(&mut table).unwrap_or(default.qos_max),
        retain: table.word("retain", &RetainRule::WORDS).map_or(default.retain, |rule| rule.value),
        will: table
            .word("will", &[("carry", WillRule::Carry), ("emulate", WillRule::Emulate)])
            .map_or(default.will, |rule| rule.value),
        session: table
            .word("session", &[("keep", SessionRule::Keep), ("clean", SessionRule::Clean)])
            .map_or(default.session, |rule| rule.value),
    };
    table.finish();
    limits
}

pub(super) fn read_qos(table: &mut Table<'_>) -> Option<Qos> {
    let level = table.integer("qos_max", QOS)?.value;
    u8::try_from(level).ok().and_then(Qos::from_level)
}

pub(super) fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

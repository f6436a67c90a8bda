//! A topic form: one row of a dialect's table.

use crate::mqtt::Qos;
use crate::payload::Shape;

use super::{Kind, Part, Sender, Template};

/// One topic form of a dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What its messages are for.
    pub kind: Kind,
    /// Who sends them.
    pub from: Sender,
    /// The topic.
    pub template: Template,
    /// How the payload is built.
    pub shape: Shape,
    /// Whether topics are read by it, written by it, or both.
    pub usage: Usage,
    /// Parts of the address that this form binds in its own way, before the variables' own parts.
    pub address: Vec<(Part, Binding)>,
    /// The only topic filter that the platform takes for this form, where it takes just one.
    pub filter: Option<Template>,
    /// The form counts only where the configuration names this option.
    pub option: Option<Box<str>>,
    /// The form is written only for messages of these source shapes; empty: for all.
    pub of: Vec<Shape>,
    /// The form reads only payloads with this member.
    pub when: Option<When>,
    /// Highest QoS of this form, below the platform's own.
    pub qos_max: Option<Qos>,
    /// RETAIN of this form, where it differs from the platform's rule.
    pub retain: Option<RetainRule>,
    /// Payload bytes at most, where the platform says so.
    pub payload_bytes_max: Option<usize>,
    /// The platform keeps one document for the whole device: values that come one by one are gathered.
    pub gathers: bool,
    /// What a subscriber gets when the other side has nothing like it.
    pub unserved: Unserved,
    /// Line of the table on which the form starts.
    pub line: usize,
}

/// What a form is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Topics are matched and rendered.
    Both,
    /// Topics are only matched: another spelling of a form that is rendered elsewhere.
    Read,
    /// Topics are only rendered: they are read as another form.
    Write,
}

impl Usage {
    /// Every usage with the word that tables write.
    pub const WORDS: [(&'static str, Usage); 3] =
        [("both", Usage::Both), ("read", Usage::Read), ("write", Usage::Write)];
}

/// How a form binds a part of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// The part is this variable, whatever part the variable is elsewhere.
    Variable(Box<str>),
    /// The part is always this text, and is not in the topic.
    Constant(Box<str>),
}

/// A condition on a payload: a top-level JSON member with one of these texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The member's name.
    pub member: Box<str>,
    /// The texts; the form is read when the member is one of them.
    pub values: Vec<Box<str>>,
}

/// What becomes of the RETAIN flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainRule {
    /// As it came.
    Keep,
    /// Always 0.
    Strip,
    /// Always 1.
    Set,
}

impl RetainRule {
    /// Every rule with the word that tables write.
    pub const WORDS: [(&'static str, RetainRule); 3] =
        [("keep", RetainRule::Keep), ("strip", RetainRule::Strip), ("set", RetainRule::Set)];
}

/// What a subscriber to a form gets when the other side has nothing like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unserved {
    /// The subscription is refused.
    Refuse,
    /// The subscription is granted and nothing ever comes, as on a platform where there is nothing yet.
    Grant,
}

impl Unserved {
    /// Both answers with the word that tables write.
    pub const WORDS: [(&'static str, Unserved); 2] =
        [("refuse", Unserved::Refuse), ("grant", Unserved::Grant)];
}

impl Form {
    /// Whether topics of this form are matched.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.usage != Usage::Write
    }

    /// Whether topics of this form are rendered.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.usage != Usage::Read
    }

    /// The constant that the form binds a part to.
    #[must_use]
    pub fn constant(&self, part: Part) -> Option<&str> {
        self.address.iter().find_map(|(bound, binding)| match binding {
            Binding::Constant(text) if *bound == part => Some(&**text),
            _ => None,
        })
    }
}

//! A topic form: one row of a dialect's table.

use std::sync::Arc;

use crate::mqtt::Qos;
use crate::payload::{Layout, Passage, Shape};

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
    /// Where everything stands in a payload of a declared shape; none of any other.
    pub layout: Option<Arc<Layout>>,
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

    /// The word of the shape, or the name of the layout.
    #[must_use]
    pub fn shape_word(&self) -> &str {
        self.layout.as_ref().map_or(self.shape.word(), |layout| layout.name())
    }

    /// Whether the payload itself says what the channel is, so that a topic without one loses nothing.
    #[must_use]
    pub fn carries_channel(&self) -> bool {
        self.shape.carries_channel() || self.layout.as_ref().is_some_and(|own| own.has_channel())
    }

    /// Whether the frame names the one channel.
    #[must_use]
    pub fn names_channel(&self) -> bool {
        self.shape.names_channel() || self.layout.as_ref().is_some_and(|own| own.has_channel())
    }

    /// Whether the payloads of both are built in the same way.
    #[must_use]
    pub fn has_shape_of(&self, other: &Form) -> bool {
        let same_frame = match (&self.layout, &other.layout) {
            (Some(own), Some(other)) => own.is_same_frame(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        self.shape == other.shape && same_frame
    }

    /// Whether payloads of this form may go out where those of `written` are expected.
    #[must_use]
    pub fn passage(&self, written: &Form) -> Passage {
        if self.shape == written.shape && !self.has_shape_of(written) {
            return Passage::Rewrite;
        }
        self.shape.passage(written.shape)
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

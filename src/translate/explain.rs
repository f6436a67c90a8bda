//! Explaining a translation step by step: the same routes and the same rendering as the live path, with what
//! they saw written down.

use crate::dialect::{Binding, Form, Kind, Part, Sender};

use super::filter::FilterPlan;
use super::lane::{Found, Route};
use super::memory::Memory;
use super::message::{Incoming, Outgoing, Scratch};
use super::reason::{Note, Refusal};
use super::side::Side;
use super::translator::{Inner, Pair, Translator, Way};

/// What happened to a message, step by step. A step that was not reached is `None` or empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The way.
    pub way: Way,
    /// The sender's dialect.
    pub from: String,
    /// The receiver's dialect.
    pub to: String,
    /// The form that the topic matched.
    pub form: Option<FormView>,
    /// What the form's variables took.
    pub captures: Vec<(String, String)>,
    /// The neutral address.
    pub address: Vec<(Part, String)>,
    /// The form that the other side says it with.
    pub target: Option<FormView>,
    /// The messages that go out (none where nothing has to be sent), or why none may.
    pub outcome: Result<Vec<Sent>, Refusal>,
    /// What was changed or lost.
    pub notes: Vec<Note>,
}

/// A message that goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Topic name.
    pub topic_name: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Whether the payload is the one that came in.
    pub payload_untouched: bool,
    /// QoS.
    pub qos: crate::mqtt::Qos,
    /// RETAIN flag.
    pub retain: bool,
}

/// A topic form as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormView {
    /// The template.
    pub template: String,
    /// What its messages are for.
    pub kind: Kind,
    /// Who sends them.
    pub from: Sender,
    /// The payload's shape, or the name of its layout.
    pub shape: String,
    /// Line in the table.
    pub line: usize,
}

impl FormView {
    fn of(form: &Form) -> Self {
        let Form { kind, from, line, .. } = *form;
        let shape = form.shape_word().to_owned();
        Self { template: form.template.to_string(), kind, from, shape, line }
    }
}

/// Explains what becomes of a message. `memory` says what the session is kept to, `scratch` when the message was received.
#[must_use]
pub fn explain(
    translator: &Translator,
    way: Way,
    message: &Incoming<'_>,
    memory: &mut Memory,
    scratch: &mut Scratch,
) -> Explanation {
    let translated = translator.publish(way, message, memory, scratch);
    let notes = translated
        .as_ref()
        .map(|translated| translated.notes().iter().collect())
        .unwrap_or_default();
    let outcome = translated.map(|translated| {
        let sent = |out: Outgoing<'_>| Sent {
            topic_name: out.topic_name.to_owned(),
            payload: out.payload.to_vec(),
            payload_untouched: out.payload == message.payload,
            qos: out.qos,
            retain: out.retain,
        };
        translated.messages().map(sent).collect()
    });
    let mut explanation = Explanation {
        way,
        from: "plain".to_owned(),
        to: "plain".to_owned(),
        form: None,
        captures: Vec::new(),
        address: Vec::new(),
        target: None,
        outcome,
        notes,
    };
    if let Inner::Pair(pair) = &translator.0 {
        trace(pair, way, message, &mut explanation);
    }
    explanation
}

fn trace(pair: &Pair, way: Way, message: &Incoming<'_>, explanation: &mut Explanation) {
    let (source, target) = match way {
        Way::Up => (&pair.device, &pair.upstream),
        Way::Down => (&pair.upstream, &pair.device),
    };
    explanation.from = source.dialect.name.to_string();
    explanation.to = target.dialect.name.to_string();
    let (lane, _) = pair.lane(way);
    let Ok(found) = lane.find(message.topic_name, message.payload) else { return };
    let Some(form) = source.dialect.forms.get(found.route.form) else { return };
    explanation.form = Some(FormView::of(form));
    explanation.captures = captures(&found);
    explanation.address = address(source, form, found.route, &explanation.captures);
    if let Ok(chosen) = &found.route.target {
        explanation.target = target.dialect.forms.get(chosen.form).map(FormView::of);
    }
}

fn captures(found: &Found<'_, '_>) -> Vec<(String, String)> {
    let names = found.route.pattern.variables.iter().enumerate();
    names.map(|(slot, name)| (name.to_string(), found.captures.text(slot).to_owned())).collect()
}

/// The neutral address: bindings of the form, captures, then configured values.
fn address(
    source: &Side,
    form: &Form,
    route: &Route,
    captures: &[(String, String)],
) -> Vec<(Part, String)> {
    let captured =
        |name: &str| captures.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    let mut address = Vec::new();
    for (_, part) in Part::WORDS {
        let bound =
            form.address.iter().find(|(bound, _)| *bound == part).and_then(|(_, binding)| {
                match binding {
                    Binding::Constant(text) => Some(text.to_string()),
                    Binding::Variable(name) => {
                        captured(name).or_else(|| Some(source.value(name)?.reveal().to_owned()))
                    }
                }
            });
        let named = || {
            let name = route
                .pattern
                .variables
                .iter()
                .find(|name| source.dialect.part_of(form, name) == Some(part))?;
            captured(name)
        };
        let configured = || Some(source.part_value(part)?.reveal().to_owned());
        address.extend(bound.or_else(named).or_else(configured).map(|text| (part, text)));
    }
    address
}

/// What a filter becomes, in one line.
impl std::fmt::Display for FilterPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.upstream.is_empty() {
            return f.write_str("granted; nothing can come");
        }
        f.write_str(&self.upstream.join(", "))
    }
}

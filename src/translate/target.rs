//! The form of the other side that says what a form says: chosen once per pair, rendered per message.

use std::sync::Arc;

use crate::dialect::{Dialect, Form, Kind, Part, RetainRule};
use crate::mqtt::Qos;
use crate::payload::body::Manner;
use crate::payload::{Layout, Passage, Shape};

use super::identity::Identity;
use super::levels::Captures;
use super::manner;
use super::options::PayloadOptions;
use super::pattern::Pattern;
use super::reason::{Reason, Refusal};
use super::render::{self, Missing, Op, Program, Source, Supply, Toward, supplied_parts};
use super::rivals::{Given, Rivals};
use super::side::Side;

/// Why a form has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoTarget {
    pub(crate) refusal: Refusal,
    /// A variable of the target whose value nobody gives, if that is why.
    pub(crate) missing: Option<Box<str>>,
    /// The other side needs no such message: one whose device it has is taken as done.
    pub(crate) is_local: bool,
}

/// A form of the target's side, ready to be rendered.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Index of the form in the target's dialect.
    pub(crate) form: usize,
    /// Which variant of the form's template.
    pub(crate) variant: usize,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// The frame of a declared shape.
    pub(crate) layout: Option<Arc<Layout>>,
    pub(crate) ops: Box<[Op]>,
    /// Forms that are read before this one.
    pub(crate) rivals: Rivals,
    /// The topic needs a channel, and only the payload names it.
    pub(crate) needs_channel: bool,
    /// The topic has the channel in it.
    pub(crate) carries_channel: bool,
    pub(crate) passage: Passage,
    /// How the payload is written.
    pub(crate) manner: Manner,
    /// The payload has to be JSON even where it passes untouched.
    pub(crate) reading: Reading,
    pub(crate) qos_max: Qos,
    pub(crate) retain: RetainRule,
    pub(crate) payload_bytes_max: usize,
    /// Values that come one by one are gathered to a document of the whole device.
    pub(crate) gathers: bool,
    /// The channel has no place in the target.
    pub(crate) loses_channel: bool,
}

impl Target {
    /// The target with the forms of its side that are read before it.
    fn guarded(self, side: &Side, parts: &[(Part, Source)]) -> Self {
        let rivals = side.dialect.forms.get(self.form).and_then(|written| {
            let levels = written.template.variants().into_iter().nth(self.variant)?;
            Some(Rivals::find(written, &levels, side, parts))
        });
        Self { rivals: rivals.unwrap_or_default(), ..self }
    }

    /// Whether a command has an identifier there, one of the proxy's own where its source gives none.
    pub(crate) fn identifies_commands(&self) -> bool {
        let declared = self.layout.as_ref().is_some_and(|layout| layout.has_identifier());
        declared || self.shape.identifies_commands()
    }

    /// Appends the topic, which the platform reads as nothing else. On an error `out` holds a part of it.
    pub(crate) fn render(
        &self,
        captures: &Captures<'_>,
        identity: &Identity,
        toward: Toward,
        channel: Option<&str>,
        out: &mut String,
    ) -> Result<(), Refusal> {
        let start = out.len();
        render::render(&self.ops, captures, identity, toward, channel, out)?;
        self.rivals.check(out.get(start..).unwrap_or(""), Given { captures, channel })
    }
}

/// What a payload has to be before it may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Any bytes; nobody looks.
    AnyBytes,
    /// One JSON value.
    Json,
}

/// What all routes of a lane have in common.
pub(super) struct Towards<'s> {
    pub(super) source: &'s Side,
    pub(super) target: &'s Side,
    pub(super) options: &'s PayloadOptions,
}

/// A target with what decides between several.
struct Candidate {
    target: Target,
    /// Smaller is better.
    rank: (bool, bool, bool, bool),
}

/// The best target of the form as the operator wants it to travel, else of the form as it is.
pub(super) fn wanted_target(
    form: &Form,
    pattern: &Pattern,
    pair: &Towards<'_>,
) -> Result<Target, NoTarget> {
    let retold = manner::retold(form, pair.options);
    let retold = retold.and_then(|retold| best_target(&retold, pattern, pair).ok());
    retold.map_or_else(|| best_target(form, pattern, pair), Ok)
}

fn best_target(form: &Form, pattern: &Pattern, pair: &Towards<'_>) -> Result<Target, NoTarget> {
    let Towards { source, target, options } = *pair;
    let parts = supplied_parts(source, form, pattern);
    let has_channel = parts.iter().any(|(part, _)| *part == Part::Channel);
    let mut best: Option<Candidate> = None;
    let mut missing: Option<Box<str>> = None;
    for (index, written) in target.dialect.forms.iter().enumerate() {
        if !speaks_of(written, form, target) {
            continue;
        }
        let part_of = |name: &str| target.dialect.part_of(written, name);
        let supply = Supply { parts: parts.clone(), target, part_of: &part_of };
        for (variant, levels) in written.template.variants().iter().enumerate() {
            let program = match render::compile(levels, &supply) {
                Ok(program) => program,
                Err(Missing(variable)) => {
                    missing.get_or_insert(variable);
                    continue;
                }
            };
            let carries = program.carried.contains(&Part::Channel) || written.carries_channel();
            let told = has_channel || form.names_channel();
            let stays = form.carries_channel() && form.passage(written) == Passage::Untouched;
            let bound = written.constant(Part::Channel);
            let same = bound.is_some() && bound == form.constant(Part::Channel);
            let loses_channel = told && !carries && !stays && !same;
            let rank = (
                written.of.is_empty(),
                !written.has_shape_of(form),
                loses_channel,
                program.needs_channel,
            );
            if best.as_ref().is_none_or(|best| rank < best.rank) {
                let place = (index, variant);
                let in_topic = program.carried.contains(&Part::Channel);
                let manner = manner::manner(form, written, in_topic, options);
                let target =
                    into_target(place, written, form, program, loses_channel, &target.dialect);
                best = Some(Candidate { target: in_manner(target, manner), rank });
            }
        }
    }
    best.map(|best| best.target.guarded(target, &parts))
        .ok_or_else(|| no_target(form.kind, missing))
}

/// Whether `written` can say what `form` says: the same kind and sender, and no other constant channel.
fn speaks_of(written: &Form, form: &Form, target: &Side) -> bool {
    let channels = (written.constant(Part::Channel), form.constant(Part::Channel));
    written.kind == form.kind
        && written.from == form.from
        && written.is_written()
        && target.has_form(written)
        && (written.of.is_empty() || written.of.contains(&form.shape))
        && !matches!(channels, (Some(one), Some(other)) if one != other)
        && !matches!(form.kind, Kind::Admin | Kind::Provision)
}

fn into_target(
    (index, variant): (usize, usize),
    written: &Form,
    form: &Form,
    program: Program,
    loses_channel: bool,
    dialect: &Dialect,
) -> Target {
    let Program { ops, carried, needs_channel } = program;
    Target {
        form: index,
        variant,
        kind: written.kind,
        shape: written.shape,
        layout: written.layout.clone(),
        needs_channel,
        carries_channel: carried.contains(&Part::Channel),
        passage: if needs_channel || written.gathers {
            Passage::Rewrite
        } else {
            form.passage(written)
        },
        manner: Manner::Shape,
        ops,
        rivals: Rivals::default(),
        reading: if form.shape.is_json() { Reading::Json } else { Reading::AnyBytes },
        qos_max: written.qos_max.unwrap_or(dialect.limits.qos_max).min(dialect.limits.qos_max),
        retain: written.retain.unwrap_or(dialect.limits.retain),
        payload_bytes_max: written.payload_bytes_max.unwrap_or(usize::MAX),
        gathers: written.gathers,
        loses_channel,
    }
}

fn in_manner(target: Target, manner: Manner) -> Target {
    let passage = if manner == Manner::Shape { target.passage } else { Passage::Rewrite };
    Target { passage, manner, ..target }
}

fn no_target(kind: Kind, missing: Option<Box<str>>) -> NoTarget {
    let refusal = match (kind, &missing) {
        (Kind::Admin, _) => Refusal::new(Reason::AdminTopic, "administration never passes"),
        (Kind::Provision, _) => {
            Refusal::new(Reason::CredentialTopic, "onboarding and credentials never pass")
        }
        (_, Some(_)) => {
            Refusal::new(Reason::KindUnsupported, "a variable of the other side has no value")
        }
        (_, None) => {
            Refusal::new(Reason::KindUnsupported, "the other side has no topic for this kind")
        }
    };
    // A platform without gateways has nothing to attach to.
    let is_local = matches!(kind, Kind::Attach | Kind::Detach);
    NoTarget { refusal, missing, is_local }
}

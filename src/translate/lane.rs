//! A lane: all forms that one side reads in one direction, each with the form of the other side that says the
//! same. Compiled once per pair; finding a topic's route costs the forms of its own number of levels.

use crate::dialect::{Dialect, Form, Kind, Part, RetainRule, Sender, When};
use crate::mqtt::Qos;
use crate::payload::body::Manner;
use crate::payload::{Passage, Shape, json};

use super::identity::Identity;
use super::levels::{Captures, LEVELS_MAX, Levels, SLOTS};
use super::manner;
use super::options::PayloadOptions;
use super::pattern::{MissingSecret, Pattern};
use super::reason::{Reason, Refusal};
use super::render::{self, Missing, Op, Program, Source, Supply, Toward, supplied_parts};
use super::rivals::{Given, Rivals};
use super::side::Side;

/// Level counts with a list of their own; longer topics share the last one.
const COUNTED: usize = 16;

/// The routes of one direction.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) routes: Vec<Route>,
    by_count: Vec<Vec<usize>>,
}

/// One form of the source and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Index of the form in the source's dialect.
    pub(crate) form: usize,
    /// Which variant of the form's template.
    pub(crate) variant: usize,
    pub(crate) pattern: Pattern,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// The parts of the address that the form gives.
    pub(crate) parts: Vec<(Part, Source)>,
    /// The channel among them.
    pub(crate) channel: Option<Source>,
    /// Where the part of a record goes that is a state rather than a measurement.
    pub(crate) companion: Option<Target>,
    when: Option<When>,
    /// The best target, or why there is none.
    pub(crate) target: Result<Target, NoTarget>,
}

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

/// A topic's route with what its variables took.
pub(crate) struct Found<'l, 't> {
    pub(crate) route: &'l Route,
    pub(crate) captures: Captures<'t>,
}

/// What is wrong with a pair, found while compiling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LaneFault {
    /// A secret of the source's topics has no value.
    MissingSecret(MissingSecret),
    /// A form has more variables or levels than a pattern takes.
    TooLong(String),
}

const BAD_TOPIC: Refusal =
    Refusal::new(Reason::BadTopic, "no topic form of the sender's dialect matches");
const NEEDS_TYPE: Refusal =
    Refusal::new(Reason::PayloadNotJson, "the form needs JSON to tell what kind of message it is");

impl Lane {
    /// Compiles the forms that `source` reads from `sender` towards `target`. The options are those of the
    /// listener, or none for a lane on which only topics are looked up.
    pub(crate) fn compile(
        source: &Side,
        target: &Side,
        sender: Sender,
        options: &PayloadOptions,
    ) -> Result<Self, LaneFault> {
        let pair = Towards { source, target, options };
        let mut routes = Vec::new();
        for (index, form) in source.dialect.forms.iter().enumerate() {
            if form.from != sender || !form.is_read() || !source.has_form(form) {
                continue;
            }
            for (variant, levels) in form.template.variants().iter().enumerate() {
                let pattern = Pattern::compile(levels, source).map_err(LaneFault::MissingSecret)?;
                if pattern.variables.len() > SLOTS || levels.len() > LEVELS_MAX {
                    return Err(LaneFault::TooLong(form.template.to_string()));
                }
                routes.push(route((index, variant), form, pattern, &pair));
            }
        }
        let by_count = (0..=COUNTED).map(|count| routes_for(&routes, count)).collect();
        Ok(Self { routes, by_count })
    }

    /// Whether one message may become several: some route needs a channel that only the payload names, or has a
    /// second target.
    pub(crate) fn may_split(&self) -> bool {
        self.routes.iter().any(|route| {
            let needs_channel = route.target.as_ref().is_ok_and(|target| target.needs_channel);
            needs_channel || route.companion.is_some()
        })
    }

    /// The route of a topic.
    pub(crate) fn find<'l, 't>(
        &'l self,
        topic: &'t str,
        payload: &[u8],
    ) -> Result<Found<'l, 't>, Refusal> {
        let levels = Levels::split(topic);
        let candidates =
            self.by_count.get(levels.count.min(COUNTED)).map_or(&[][..], Vec::as_slice);
        let mut undecided = false;
        for index in candidates {
            let Some(route) = self.routes.get(*index) else { continue };
            if !route.pattern.takes(levels.count) {
                continue;
            }
            let Some(captures) = route.pattern.captures(&levels) else { continue };
            match &route.when {
                None if undecided => return Err(NEEDS_TYPE),
                None => return Ok(Found { route, captures }),
                Some(when) => match holds(when, payload) {
                    Some(true) => return Ok(Found { route, captures }),
                    Some(false) => {}
                    None => undecided = true,
                },
            }
        }
        Err(if undecided { NEEDS_TYPE } else { BAD_TOPIC })
    }
}

impl Lane {
    /// The route of a topic when there is no payload yet: the first form without a payload condition.
    pub(crate) fn find_first<'l, 't>(&'l self, topic: &'t str) -> Result<Found<'l, 't>, Refusal> {
        let levels = Levels::split(topic);
        let found = self
            .routes
            .iter()
            .filter(|route| route.when.is_none() && route.pattern.takes(levels.count));
        let mut found = found
            .filter_map(|route| Some(Found { route, captures: route.pattern.captures(&levels)? }));
        found.next().ok_or(BAD_TOPIC)
    }
}

/// Whether a payload condition holds. `None`: the payload isn't a JSON object.
fn holds(when: &When, payload: &[u8]) -> Option<bool> {
    let value = json::member(payload, &when.member).ok()?;
    let text = value.and_then(json::RawString::of);
    Some(text.is_some_and(|text| when.values.iter().any(|word| text.is(word))))
}

/// The last list is for every count that has none of its own.
fn routes_for(routes: &[Route], count: usize) -> Vec<usize> {
    let takes = |route: &Route| {
        if count < COUNTED {
            route.pattern.takes(count)
        } else {
            route.pattern.takes_at_least(COUNTED)
        }
    };
    routes.iter().enumerate().filter(|(_, route)| takes(route)).map(|(index, _)| index).collect()
}

/// What all routes of a lane have in common.
struct Towards<'s> {
    source: &'s Side,
    target: &'s Side,
    options: &'s PayloadOptions,
}

fn route(
    (index, variant): (usize, usize),
    form: &Form,
    pattern: Pattern,
    pair: &Towards<'_>,
) -> Route {
    let source = pair.source;
    let parts = supplied_parts(source, form, &pattern);
    let channel =
        parts.iter().find(|(part, _)| *part == Part::Channel).map(|(_, source)| source.clone());
    let companion = (form.shape == Shape::SmartworksData).then(|| {
        // The record's `status` is an object of the device's state.
        let beside = Form { kind: Kind::State, shape: Shape::Members, ..form.clone() };
        wanted_target(&beside, &pattern, pair).ok()
    });
    Route {
        form: index,
        variant,
        kind: form.kind,
        shape: form.shape,
        channel,
        parts,
        companion: companion.flatten(),
        when: form.when.clone(),
        target: wanted_target(form, &pattern, pair),
        pattern,
    }
}

/// A target with what decides between several.
struct Candidate {
    target: Target,
    /// Smaller is better.
    rank: (bool, bool, bool, bool),
}

/// The best target of the form as the operator wants it to travel, else of the form as it is.
fn wanted_target(form: &Form, pattern: &Pattern, pair: &Towards<'_>) -> Result<Target, NoTarget> {
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
            let carries =
                program.carried.contains(&Part::Channel) || written.shape.carries_channel();
            let told = has_channel || form.shape.names_channel();
            let stays = form.shape.carries_channel()
                && form.shape.passage(written.shape) == Passage::Untouched;
            let bound = written.constant(Part::Channel);
            let same = bound.is_some() && bound == form.constant(Part::Channel);
            let loses_channel = told && !carries && !stays && !same;
            let rank = (
                written.of.is_empty(),
                written.shape != form.shape,
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
        needs_channel,
        carries_channel: carried.contains(&Part::Channel),
        passage: if needs_channel { Passage::Rewrite } else { form.shape.passage(written.shape) },
        manner: Manner::Shape,
        ops,
        rivals: Rivals::default(),
        reading: if form.shape.is_json() { Reading::Json } else { Reading::AnyBytes },
        qos_max: written.qos_max.unwrap_or(dialect.limits.qos_max).min(dialect.limits.qos_max),
        retain: written.retain.unwrap_or(dialect.limits.retain),
        payload_bytes_max: written.payload_bytes_max.unwrap_or(usize::MAX),
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

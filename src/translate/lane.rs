//! A lane: all forms that one side reads in one direction, each with the form of the other side that says the
//! same. Compiled once per pair; only the routes that a topic can have are asked for it (`candidates`).

use std::sync::Arc;

use crate::dialect::{Form, Kind, Part, RetainRule, Sender, When};
use crate::payload::json::{self, RawString};
use crate::payload::{Layout, Shape};

use super::candidates::Candidates;
use super::levels::{Captures, LEVELS_MAX, Levels, SLOTS};
use super::options::PayloadOptions;
use super::pattern::{MissingSecret, Pattern};
use super::reason::{Reason, Refusal};
use super::render::{Source, supplied_parts};
use super::side::Side;
use super::target::{NoTarget, Target, Towards, wanted_target};

/// Level counts with a list of their own; longer topics share the last one.
const COUNTED: usize = 16;

/// The routes of one direction.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) routes: Vec<Route>,
    by_count: Vec<Candidates>,
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
    /// The frame of a declared shape.
    pub(crate) layout: Option<Arc<Layout>>,
    /// The parts of the address that the form gives.
    pub(crate) parts: Vec<(Part, Source)>,
    /// The channel among them.
    pub(crate) channel: Option<Source>,
    /// Where the part of a record goes that is a state rather than a measurement.
    pub(crate) companion: Option<Target>,
    /// It is a command that the platform may retain.
    pub(crate) may_come_again: bool,
    when: Option<When>,
    /// The best target, or why there is none.
    pub(crate) target: Result<Target, NoTarget>,
}

/// A topic's route with what its variables took.
pub(crate) struct Found<'l, 't> {
    pub(crate) route: &'l Route,
    /// Index of the route.
    pub(crate) index: usize,
    pub(crate) by: FoundBy,
    pub(crate) captures: Captures<'t>,
}

/// What a route was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundBy {
    /// Every message on this topic has it.
    Topic,
    /// Another payload may have another one.
    Payload,
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
        let by_count = self.by_count.get(levels.count.min(COUNTED));
        let candidates = by_count.map_or(&[][..], |routes| routes.for_topic(&levels));
        let mut undecided = false;
        let mut by = FoundBy::Topic;
        let mut looked = Looked::default();
        for &index in candidates {
            let Some(route) = self.routes.get(index) else { continue };
            if !route.pattern.takes(levels.count) {
                continue;
            }
            let Some(captures) = route.pattern.captures(&levels) else { continue };
            let found = Found { route, index, by, captures };
            match &route.when {
                None if undecided => return Err(NEEDS_TYPE),
                None => return Ok(found),
                Some(when) => match looked.holds(when, payload) {
                    Some(true) => return Ok(Found { by: FoundBy::Payload, ..found }),
                    Some(false) => by = FoundBy::Payload,
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
        let routes = self.routes.iter().enumerate();
        let mut found = routes.filter_map(|(index, route)| {
            if route.when.is_some() || !route.pattern.takes(levels.count) {
                return None;
            }
            let captures = route.pattern.captures(&levels)?;
            Some(Found { route, index, by: FoundBy::Payload, captures })
        });
        found.next().ok_or(BAD_TOPIC)
    }
}

/// What payload conditions looked at last: those of one topic mostly ask for the same member.
#[derive(Default)]
struct Looked<'l, 'p> {
    member: Option<&'l str>,
    /// Its text, if it is one. `None`: the payload isn't a JSON object.
    text: Option<Option<RawString<'p>>>,
}

impl<'l, 'p> Looked<'l, 'p> {
    /// Whether a condition holds. `None`: the payload isn't a JSON object.
    fn holds(&mut self, when: &'l When, payload: &'p [u8]) -> Option<bool> {
        if self.member != Some(&*when.member) {
            self.member = Some(&*when.member);
            let value = json::member(payload, &when.member);
            self.text = value.ok().map(|value| value.and_then(RawString::of));
        }
        let text = self.text?;
        Some(text.is_some_and(|text| when.values.iter().any(|word| text.is(word))))
    }
}

/// The last list is for every count that has none of its own.
fn routes_for(routes: &[Route], count: usize) -> Candidates {
    let takes = |route: &Route| {
        if count < COUNTED {
            route.pattern.takes(count)
        } else {
            route.pattern.takes_at_least(COUNTED)
        }
    };
    let taken = routes.iter().enumerate().filter(|(_, route)| takes(route));
    let taken: Vec<_> = taken.map(|(index, route)| (index, &route.pattern)).collect();
    Candidates::of(&taken)
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
        layout: form.layout.clone(),
        channel,
        parts,
        companion: companion.flatten(),
        // What a table says of the form is how the proxy writes it; others may retain it all the same.
        may_come_again: form.kind == Kind::Command
            && source.dialect.limits.retain != RetainRule::Strip,
        when: form.when.clone(),
        target: wanted_target(form, &pattern, pair),
        pattern,
    }
}

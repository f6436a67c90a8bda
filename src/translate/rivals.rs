//! Whether a rendered topic says on its own platform what it was meant to say. A form that is read first may
//! take some topics of a wider one for something else: OmniCore reads `…/events/error` as an error, so a
//! measurement with the name `error` has no topic there.
//!
//! A table where *every* topic of a form has an earlier reading doesn't load; a form that is only written is
//! read as another one on purpose. What is left depends on the names of a message, and is looked at here.

use crate::dialect::{Form, Kind, Level, Part, covers, overlap, told_apart};

use super::pattern::{Captures, Levels, Pattern};
use super::reason::{Reason, Refusal};
use super::render::{Source, supplied_parts};
use super::side::Side;

/// The readings that come before the right one for some topics of a target. Most targets have none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rivals(Option<Box<Readings>>);

#[derive(Debug, Clone)]
struct Readings {
    meant: Reading,
    rivals: Vec<Reading>,
}

/// What a topic of one form says.
#[derive(Debug, Clone)]
struct Reading {
    pattern: Pattern,
    kind: Kind,
    parts: Vec<(Part, Source)>,
}

const MISREAD: Refusal = Refusal::new(
    Reason::IdIllegalForTarget,
    "with this name the other platform would read the topic as another kind of message",
);

impl Rivals {
    /// Finds what is read before the right form for some topics of `written`, one variant of a form of `side`.
    pub(crate) fn find(written: &Form, levels: &[Level], side: &Side) -> Self {
        let mut rivals = Vec::new();
        let read = side.dialect.forms.iter().filter(|form| {
            form.from == written.from
                && form.is_read()
                && side.has_form(form)
                && !told_apart(form.when.as_ref(), written.when.as_ref())
        });
        let mut read = read.flat_map(|form| {
            form.template.variants().into_iter().map(move |levels| (form, levels))
        });
        let is_rival = |(form, earlier): (&Form, Vec<Level>)| {
            if overlap(&side.dialect, &earlier, levels) {
                rivals.extend(Reading::compile(form, &earlier, side));
            }
        };
        read.by_ref()
            .take_while(|(_, earlier)| !covers(&side.dialect, earlier, levels))
            .for_each(is_rival);
        if rivals.is_empty() {
            return Self::default();
        }
        let readings = Reading::compile(written, levels, side)
            .map(|meant| Box::new(Readings { meant, rivals }));
        Self(readings)
    }

    /// Refuses a topic that would be read as something else.
    #[inline]
    pub(crate) fn check(&self, topic: &str) -> Result<(), Refusal> {
        match &self.0 {
            None => Ok(()),
            Some(readings) => readings.check(topic),
        }
    }
}

impl Readings {
    fn check(&self, topic: &str) -> Result<(), Refusal> {
        let levels = Levels::split(topic);
        let mut taken = self.rivals.iter().filter_map(|rival| Some((rival, rival.read(&levels)?)));
        let Some((rival, captures)) = taken.next() else { return Ok(()) };
        let meant = self.meant.read(&levels).ok_or(MISREAD)?;
        // A constant of the table may say the same as the name: `…/events/log` is the channel `log`.
        let same =
            rival.kind == self.meant.kind && rival.said(&captures).eq(self.meant.said(&meant));
        if same { Ok(()) } else { Err(MISREAD) }
    }
}

impl Reading {
    /// `None`: a secret has no value; the lane that reads this side reports it.
    fn compile(form: &Form, levels: &[Level], side: &Side) -> Option<Self> {
        let pattern = Pattern::compile(levels, side).ok()?;
        let parts = supplied_parts(side, form, &pattern);
        Some(Self { pattern, kind: form.kind, parts })
    }

    fn read<'t>(&self, levels: &Levels<'t>) -> Option<Captures<'t>> {
        if !self.pattern.takes(levels.count) {
            return None;
        }
        self.pattern.captures(levels)
    }

    /// The address, in the order of the parts.
    fn said<'r>(&'r self, captures: &'r Captures<'r>) -> impl Iterator<Item = (Part, &'r str)> {
        Part::WORDS.into_iter().filter_map(move |(_, part)| {
            let (_, source) = self.parts.iter().find(|(known, _)| *known == part)?;
            Some((part, source.text(captures)))
        })
    }
}

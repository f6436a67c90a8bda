//! Whether a rendered topic says on its own platform what it was meant to say. A form that is read first may
//! take some topics of a wider one for something else: OmniCore reads `…/events/error` as an error, so a
//! measurement with the name `error` has no topic there.
//!
//! A table where *every* topic of a form has an earlier reading doesn't load; a form that is only written is
//! read as another one on purpose. What is left depends on the names of a message, and is looked at here.

use crate::dialect::{Form, Kind, Level, Part, covers, overlap, told_apart};

use super::levels::{Captures, Levels};
use super::pattern::Pattern;
use super::reason::{Reason, Refusal};
use super::render::{Source, supplied_parts};
use super::side::Side;

/// The readings that come before the right one for some topics of a target. Most targets have none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rivals(Option<Box<Readings>>);

#[derive(Debug, Clone)]
struct Readings {
    cue: Option<Cue>,
    meant: Reading,
    rivals: Vec<Reading>,
}

/// A name without which no rival takes the topic: each of them has a word of its own in its place.
#[derive(Debug, Clone)]
struct Cue {
    name: CueName,
    words: Vec<Box<str>>,
}

#[derive(Debug, Clone)]
enum CueName {
    /// It comes with the topic or from the configuration.
    Given(Source),
    /// The payload gives it.
    Payload,
}

/// What a topic of one form says.
#[derive(Debug, Clone)]
struct Reading {
    pattern: Pattern,
    kind: Kind,
    parts: Vec<(Part, Source)>,
}

/// What a message gives besides the topic that was rendered of it.
#[derive(Clone, Copy)]
pub(crate) struct Given<'g> {
    pub(crate) captures: &'g Captures<'g>,
    /// The channel that the payload names.
    pub(crate) channel: Option<&'g str>,
}

const MISREAD: Refusal = Refusal::new(
    Reason::IdIllegalForTarget,
    "with this name the other platform would read the topic as another kind of message",
);

impl Rivals {
    /// Finds what is read before the right form for some topics of `written`, one variant of a form of `side`.
    /// `parts` says where the names in its topics come from.
    pub(crate) fn find(
        written: &Form,
        levels: &[Level],
        side: &Side,
        parts: &[(Part, Source)],
    ) -> Self {
        let read = side.dialect.forms.iter().filter(|form| {
            form.from == written.from
                && form.is_read()
                && side.has_form(form)
                && !told_apart(form.when.as_ref(), written.when.as_ref())
        });
        let read = read.flat_map(|form| {
            form.template.variants().into_iter().map(move |earlier| (form, earlier))
        });
        let earlier = read.take_while(|(_, earlier)| !covers(&side.dialect, earlier, levels));
        let rivals: Vec<(&Form, Vec<Level>)> =
            earlier.filter(|(_, earlier)| overlap(&side.dialect, earlier, levels)).collect();
        if rivals.is_empty() {
            return Self::default();
        }
        let cue = Cue::find(written, levels, side, parts, &rivals);
        let rivals =
            rivals.iter().filter_map(|(form, levels)| Reading::compile(form, levels, side));
        let rivals = rivals.collect();
        let meant = Reading::compile(written, levels, side);
        Self(meant.map(|meant| Box::new(Readings { cue, meant, rivals })))
    }

    /// Refuses a topic that would be read as something else.
    #[inline]
    pub(crate) fn check(&self, topic: &str, given: Given<'_>) -> Result<(), Refusal> {
        match &self.0 {
            None => Ok(()),
            Some(readings) if readings.cue.as_ref().is_some_and(|cue| !cue.shows(given)) => Ok(()),
            Some(readings) => readings.check(topic),
        }
    }
}

impl Cue {
    /// A variable of the target in whose place every rival has a literal, if there is one.
    fn find(
        written: &Form,
        levels: &[Level],
        side: &Side,
        parts: &[(Part, Source)],
        rivals: &[(&Form, Vec<Level>)],
    ) -> Option<Self> {
        let literal = |at: usize, rival: &[Level]| match rival.get(at) {
            Some(Level::Literal(literal)) => Some(literal.clone()),
            _ => None,
        };
        levels.iter().enumerate().find_map(|(at, level)| {
            let (Level::Capture { variable, .. } | Level::Rest { variable }) = level else {
                return None;
            };
            let part = side.dialect.part_of(written, variable)?;
            let words: Option<Vec<_>> =
                rivals.iter().map(|(_, rival)| literal(at, rival)).collect();
            let plain = match level {
                Level::Capture { prefix, suffix, .. } => prefix.is_empty() && suffix.is_empty(),
                _ => true,
            };
            // A device's name is another one on this side.
            if !plain || part == Part::Device || side.value(variable).is_some() {
                return None;
            }
            let known = parts.iter().find(|(known, _)| *known == part);
            let name = match known {
                Some((_, source)) => CueName::Given(source.clone()),
                None if part == Part::Channel => CueName::Payload,
                None => return None,
            };
            Some(Self { name, words: words? })
        })
    }

    /// Whether the name is one of the words, or begins with one as its first level. One that is joined from several
    /// levels may become a word only then.
    #[inline]
    fn shows(&self, given: Given<'_>) -> bool {
        let name = match &self.name {
            CueName::Given(source) => source.text(given.captures),
            CueName::Payload => given.channel.unwrap_or(""),
        };
        let name = name.as_bytes();
        self.words.iter().any(|word| {
            let word = word.as_bytes();
            word.first() == name.first() && name.starts_with(word)
        }) || name.contains(&b'/')
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

//! A listener's or upstream's dialect with its values and options, each checked against the dialect.

use std::sync::Arc;

use crate::dialect::{Dialect, VERSIONS_REMEDY, best_first, no_version, version_of};
use crate::document::{closest, list_words};
use crate::translate::Side;

use super::faults::{Faults, Place, Wrong};
use super::outside::Outside;
use super::pair::check_values;
use super::written::{Origin, WrittenSide, WrittenValue};

/// A side that can be compiled, with the places of what was written.
pub(super) struct MeantSide {
    pub(super) side: Side,
    pub(super) origin: Origin,
    /// The listener or upstream itself.
    pub(super) place: Place,
    pub(super) dialect_place: Place,
    /// Every variable that is written, found or not.
    pub(super) places: Vec<(Box<str>, Place)>,
    /// Variables whose values are missing for a reason that is told already.
    pub(super) broken: Vec<Box<str>>,
}

impl MeantSide {
    /// Where a variable is written.
    pub(super) fn place_of(&self, variable: &str) -> Option<&Place> {
        self.places.iter().find(|(name, _)| **name == *variable).map(|(_, place)| place)
    }
}

/// Resolves a side. `None`: it has no dialect, which is told.
pub(super) fn mean_side(
    written: &WrittenSide,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<MeantSide> {
    let dialect = written.dialect.as_ref().and_then(|name| {
        let dialect = outside.dialect(name, faults)?;
        Some((dialect, name.place.clone()))
    });
    let Some((dialect, dialect_place)) = dialect else {
        resolve_anyway(written, outside, faults);
        return None;
    };
    let mut meant = MeantSide {
        side: Side { payload: written.payload.clone(), ..Side::new(Arc::clone(&dialect)) },
        origin: written.origin,
        place: written.place.clone(),
        dialect_place,
        places: Vec::new(),
        broken: Vec::new(),
    };
    for value in &written.values {
        let text = mean_value(value, &mut meant, outside, faults);
        meant.places.push((value.name.value.as_str().into(), value.name.place.clone()));
        match text {
            Some(text) => meant.side = meant.side.with(&value.name.value, &text),
            None => {
                // A misspelt name stands for the one that is meant.
                let known = dialect.variables.iter().map(|variable| &*variable.name);
                meant.broken.extend(closest(&value.name.value, known).map(Into::into));
            }
        }
    }
    switch_options(written, &mut meant, faults);
    speak(written, &mut meant, faults);
    check_values(&meant, faults);
    Some(meant)
}

fn switch_options(written: &WrittenSide, meant: &mut MeantSide, faults: &Faults<'_>) {
    let dialect = Arc::clone(&meant.side.dialect);
    for option in &written.options {
        let known = dialect.options();
        if known.contains(&option.value.as_str()) {
            meant.side = meant.side.clone().with_option(&option.value);
        } else {
            faults.at(&option.place, no_option(&dialect, &option.value));
        }
    }
}

/// What an upstream's broker speaks may be less than its platform, or more.
fn speak(written: &WrittenSide, meant: &mut MeantSide, faults: &Faults<'_>) {
    let mut versions = Vec::new();
    for word in &written.versions {
        let wrong = || Wrong::new(no_version(&word.value), VERSIONS_REMEDY);
        versions.extend(faults.check(&word.place, version_of(&word.value).ok_or_else(wrong)));
    }
    if !versions.is_empty() {
        meant.side.versions = best_first(versions);
    }
}

/// Without a dialect the values can still be missing.
fn resolve_anyway(written: &WrittenSide, outside: &mut Outside<'_>, faults: &Faults<'_>) {
    for value in &written.values {
        if let Some(source) = &value.source {
            outside.value(source, &value.name.place, faults);
        }
    }
}

fn mean_value(
    value: &WrittenValue,
    meant: &mut MeantSide,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<String> {
    let name = &value.name;
    if meant.side.dialect.variable(&name.value).is_none() {
        faults.at(&name.place, no_variable(&meant.side.dialect, &name.value));
        return None;
    }
    if meant.place_of(&name.value).is_some() {
        faults.at(&name.place, Wrong::new("is given twice", "keep one of the two"));
        return None;
    }
    outside.value(value.source.as_ref()?, &name.place, faults)
}

fn no_variable(dialect: &Dialect, name: &str) -> Wrong {
    let known = || dialect.variables.iter().map(|variable| &*variable.name);
    Wrong::new(
        format!("the dialect {} has no variable `{name}`", dialect.name),
        near_or_list(name, known().collect()),
    )
}

/// A fault of an option that the dialect doesn't have.
fn no_option(dialect: &Dialect, name: &str) -> Wrong {
    Wrong::new(
        format!("the dialect {} has no option `{name}`", dialect.name),
        near_or_list(name, dialect.options()),
    )
}

/// `did you mean …`, or all the words that there are.
pub(super) fn near_or_list(name: &str, known: Vec<&str>) -> String {
    match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "remove it; there is none".to_owned(),
        None => format!("write {}", list_words(known)),
    }
}

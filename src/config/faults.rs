//! Where something was written, and the faults that are told of that place.

use std::cell::RefCell;

use crate::document::{Document, Fault, Located, Table};

/// A place in a file, or a word of the command line (line 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    /// Dotted key path, or the flag with the name that it sets.
    pub(super) key: String,
}

impl Place {
    /// The place of a table itself.
    pub(super) fn of_table(table: &Table<'_>) -> Self {
        let key = table.path("");
        Self { line: table.line(), key: key.trim_end_matches('.').to_owned() }
    }

    /// A word of the command line.
    pub(super) fn flag(key: impl Into<String>) -> Self {
        Self { line: 0, key: key.into() }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T> Said<T> {
    /// A value of a table's key.
    pub(super) fn of(table: &Table<'_>, key: &str, located: Located<T>) -> Self {
        Self { value: located.value, place: Place { line: located.line, key: table.path(key) } }
    }

    /// A value of the command line.
    pub(super) fn flag(key: &str, value: T) -> Self {
        Self { value, place: Place::flag(key) }
    }
}

/// What is wrong with a value, and what to write; the caller knows the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

/// Takes the faults of one configuration and of the files that it names.
pub(super) struct Faults<'d> {
    document: &'d Document<'d>,
    elsewhere: RefCell<Vec<Fault>>,
}

impl<'d> Faults<'d> {
    pub(super) fn new(document: &'d Document<'d>) -> Self {
        Self { document, elsewhere: RefCell::new(Vec::new()) }
    }

    /// A fault of the configuration itself.
    pub(super) fn at(&self, place: &Place, wrong: Wrong) {
        self.document.fault(place.line, &place.key, wrong.message, wrong.remedy);
    }

    /// Faults of a file that the configuration names.
    pub(super) fn elsewhere(&self, faults: impl IntoIterator<Item = Fault>) {
        self.elsewhere.borrow_mut().extend(faults);
    }

    /// The value, or the fault at its place.
    pub(super) fn check<T>(&self, place: &Place, outcome: Result<T, Wrong>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.at(place, wrong);
                None
            }
        }
    }

    pub(super) fn into_elsewhere(self) -> Vec<Fault> {
        self.elsewhere.into_inner()
    }
}

/// The meaning when there is no fault; otherwise every fault once.
pub(super) fn outcome<T>(
    meant: Option<T>,
    document: Document<'_>,
    elsewhere: Vec<Fault>,
) -> Result<T, Vec<Fault>> {
    let mut told: Vec<Fault> = Vec::new();
    for fault in document.into_faults().into_iter().chain(elsewhere) {
        if !told.contains(&fault) {
            told.push(fault);
        }
    }
    match meant {
        Some(meant) if told.is_empty() => Ok(meant),
        _ => Err(told),
    }
}

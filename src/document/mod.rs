//! TOML text read with its positions: every fault of a text is collected, each with its line, its key
//! and what to write instead.
//!
//! Configuration files and dialect tables are both read through here. This room knows TOML and how to
//! tell a person what is wrong; it doesn't know what any key means.
//!
//! Invariant: reading never stops at the first fault, and a key that nobody asked for is a fault.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

mod fault;
mod table;

pub use fault::{Fault, closest, list_words};
pub use table::{Located, Scalar, Table, Written};

use std::cell::RefCell;

use toml::Spanned;
use toml::de::DeTable;

/// One TOML text while it is read.
#[derive(Debug)]
pub struct Document<'t> {
    name: &'t str,
    text: &'t str,
    faults: RefCell<Vec<Fault>>,
}

impl<'t> Document<'t> {
    /// A text with the name that its faults carry: a file's path, or a word such as `command line`.
    #[must_use]
    pub fn new(name: &'t str, text: &'t str) -> Self {
        Self { name, text, faults: RefCell::new(Vec::new()) }
    }

    /// Parses the text; every syntax fault is kept, and what could be read is returned all the same.
    #[must_use]
    pub fn parse(&self) -> Spanned<DeTable<'t>> {
        let (tree, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = error.span().map_or(0, |span| self.line(span.start));
            self.fault(line, "", error.message().to_owned(), "correct the TOML syntax here");
        }
        tree
    }

    /// The top-level table of what [`Document::parse`] gave.
    #[must_use]
    pub fn root<'d>(&'d self, tree: &'d Spanned<DeTable<'t>>) -> Table<'d> {
        Table::new(self, tree.get_ref(), String::new(), 1)
    }

    /// Adds a fault. `line` 0 means the whole text; `key` is a dotted path, empty where none fits.
    pub fn fault(
        &self,
        line: usize,
        key: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.faults.borrow_mut().push(Fault {
            file: self.name.to_owned(),
            line,
            key: key.to_owned(),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// Every fault so far, in the order of their lines.
    #[must_use]
    pub fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        faults
    }

    /// The line (from 1) of a byte offset.
    pub(crate) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + memchr::memchr_iter(b'\n', before).count()
    }
}

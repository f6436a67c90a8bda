//! What a configuration takes from outside its text: dialect tables, files, environment variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dialect::{self, Dialect};
use crate::document::{Fault, closest, list_words};
use crate::translate::IdentityTable;

use super::faults::{Faults, Place, Said, Wrong};
use super::written::Source;

/// Something outside that a configuration refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The environment variable of this name.
    Environment(&'a str),
    /// The text of this file; a relative path starts where the configuration file is.
    File(&'a str),
}

/// The caller's files and environment, and the dialects that were read already.
pub(super) struct Outside<'r> {
    read: &'r mut dyn FnMut(Lookup<'_>) -> Result<String, String>,
    /// By the text that configurations write; `None`: read, and its faults are told.
    dialects: BTreeMap<String, Option<Arc<Dialect>>>,
}

impl<'r> Outside<'r> {
    pub(super) fn new(read: &'r mut dyn FnMut(Lookup<'_>) -> Result<String, String>) -> Self {
        Self { read, dialects: BTreeMap::new() }
    }

    /// The dialect of a name or of a file.
    pub(super) fn dialect(
        &mut self,
        written: &Said<String>,
        faults: &Faults<'_>,
    ) -> Option<Arc<Dialect>> {
        if let Some(read) = self.dialects.get(&written.value) {
            return read.clone();
        }
        let name = &written.value;
        let parsed = if name.contains('/') || name.ends_with(".toml") {
            let text = self.file(name, &written.place, faults)?;
            dialect::parse(name, &text)
        } else {
            faults.check(&written.place, dialect::builtin(name).ok_or_else(|| unknown(name)))?
        };
        let read = parsed.map_err(|told| faults.elsewhere(told)).ok().map(Arc::new);
        self.dialects.insert(name.clone(), read.clone());
        read
    }

    /// The text of a value; never empty.
    pub(super) fn value(
        &mut self,
        source: &Source,
        place: &Place,
        faults: &Faults<'_>,
    ) -> Option<String> {
        let (text, empty) = match source {
            Source::Text(text) => (text.clone(), Wrong::new("is empty", "write its value")),
            Source::Environment(name) => (
                self.environment(name, place, faults)?,
                Wrong::new(
                    format!("the environment variable `{name}` is empty"),
                    format!("set `{name}` to the value before the start"),
                ),
            ),
            Source::File(path) => {
                let mut text = self.file(path, place, faults)?;
                trim_newline(&mut text);
                let message = format!("the file `{path}` is empty");
                (text, Wrong::new(message, "write the value into it"))
            }
        };
        if text.is_empty() {
            faults.at(place, empty);
            return None;
        }
        Some(text)
    }

    /// The pairs of names of a CSV file.
    pub(super) fn identity_table(
        &mut self,
        path: &str,
        place: &Place,
        faults: &Faults<'_>,
    ) -> Option<IdentityTable> {
        let text = self.file(path, place, faults)?;
        match IdentityTable::parse(&text) {
            Ok(table) => Some(table),
            Err(rows) => {
                faults.elsewhere(rows.into_iter().map(|row| Fault {
                    file: path.to_owned(),
                    line: row.line,
                    key: String::new(),
                    message: row.message,
                    remedy: String::new(),
                }));
                None
            }
        }
    }

    /// The text of a file that has a form of its own.
    pub(super) fn text(
        &mut self,
        path: &str,
        place: &Place,
        faults: &Faults<'_>,
    ) -> Option<String> {
        self.file(path, place, faults)
    }

    /// The path of a PEM file that has something under this label, such as `CERTIFICATE`. What it has is read by
    /// whoever uses it, again and again; here nothing is kept of it.
    pub(super) fn pem(
        &mut self,
        path: &Said<String>,
        label: &str,
        faults: &Faults<'_>,
    ) -> Option<String> {
        let text = self.file(&path.value, &path.place, faults)?;
        let file = &path.value;
        let wrong = if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            let remedy = "decrypt it, and let only the proxy read the file";
            Wrong::new(format!("the key in `{file}` is encrypted"), remedy)
        } else if !text.contains(&format!("{label}-----")) {
            let what = label.to_ascii_lowercase();
            let remedy = format!("write it as PEM, with `-----BEGIN {label}-----`");
            Wrong::new(format!("the file `{file}` has no {what}"), remedy)
        } else {
            return Some(file.clone());
        };
        faults.at(&path.place, wrong);
        None
    }

    fn environment(&mut self, name: &str, place: &Place, faults: &Faults<'_>) -> Option<String> {
        let answer = (self.read)(Lookup::Environment(name));
        let wrong = |why: String| {
            Wrong::new(
                format!("the environment variable `{name}` can't be used: {why}"),
                format!("set `{name}` before the start, or write `{{ file = \"path\" }}`"),
            )
        };
        faults.check(place, answer.map_err(wrong))
    }

    fn file(&mut self, path: &str, place: &Place, faults: &Faults<'_>) -> Option<String> {
        let answer = (self.read)(Lookup::File(path));
        let wrong = |why: String| {
            Wrong::new(
                format!("the file `{path}` can't be read: {why}"),
                "correct the path, or let the proxy read the file",
            )
        };
        faults.check(place, answer.map_err(wrong))
    }
}

/// Editors and `echo` end a file with a newline that isn't part of the secret.
fn trim_newline(text: &mut String) {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
}

fn unknown(name: &str) -> Wrong {
    let remedy = match closest(name, dialect::builtin_names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "write {}, or the path of a table as in `./acme.toml`",
            list_words(dialect::builtin_names())
        ),
    };
    Wrong::new(format!("there is no dialect `{name}`"), remedy)
}

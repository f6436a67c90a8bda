//! Reading a TOML table key by key. What has the wrong type, is missing or was never asked for becomes a
//! fault of the document; the reader gets `None` and goes on.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Document, closest, list_words};

/// A value with the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its line, from 1.
    pub line: usize,
}

/// A value that is written without structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// An integer that fits 64 bits.
    Integer(i64),
    /// `true` or `false`.
    Flag(bool),
}

/// What stands behind a key: a table, or a value without structure.
#[derive(Debug)]
pub enum Written<'d> {
    /// `[key]` or `key = { … }`.
    Table(Table<'d>),
    /// Anything else.
    Scalar(Located<Scalar>),
}

/// One table of a document. Each key may be asked for once; [`Table::finish`] reports the keys that
/// nobody asked for.
#[derive(Debug)]
pub struct Table<'d> {
    document: &'d Document<'d>,
    entries: &'d DeTable<'d>,
    path: String,
    line: usize,
    asked: BTreeSet<&'static str>,
    open: bool,
}

impl<'d> Table<'d> {
    pub(super) fn new(
        document: &'d Document<'d>,
        entries: &'d DeTable<'d>,
        path: String,
        line: usize,
    ) -> Self {
        Self { document, entries, path, line, asked: BTreeSet::new(), open: false }
    }

    /// The line on which the table starts.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Dotted path of a key of this table.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Adds a fault about `key` at `line`.
    pub fn fault(
        &self,
        line: usize,
        key: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let path = if key.is_empty() { self.path.clone() } else { self.path(key) };
        self.document.fault(line, &path, message, remedy);
    }

    /// Whether the key is written at all.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A string, if the key is there.
    pub fn text(&mut self, key: &'static str) -> Option<Located<String>> {
        let value = self.ask(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(self.located(value, text.clone().into_owned())),
            other => self.wrong_type(value, key, "a string", other),
        }
    }

    /// A string that has to be there; `remedy` says what to write when it isn't.
    pub fn required_text(&mut self, key: &'static str, remedy: &str) -> Option<Located<String>> {
        if !self.has(key) {
            self.asked.insert(key);
            self.fault(self.line, key, "is missing", remedy);
            return None;
        }
        self.text(key)
    }

    /// One word of a closed set.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<Located<T>> {
        let written = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == written.value);
        if found.is_none() {
            let meant = closest(&written.value, words.iter().map(|(word, _)| *word));
            let remedy = match meant {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write {}", list_words(words.iter().map(|(word, _)| *word))),
            };
            self.fault(written.line, key, format!("`{}` is not known", written.value), remedy);
        }
        found.map(|(_, value)| Located { value: *value, line: written.line })
    }

    /// An integer within `range`.
    pub fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Located<u64>> {
        let value = self.ask(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            return self.wrong_type(value, key, "an integer", value.get_ref());
        };
        let parsed = u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|number| range.contains(number));
        if parsed.is_none() {
            let line = self.line_of(value);
            let remedy = format!("write a number from {} to {}", range.start(), range.end());
            self.fault(line, key, format!("{} is out of range", number.as_str()), remedy);
        }
        parsed.map(|number| self.located(value, number))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<Located<bool>> {
        let value = self.ask(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(self.located(value, *flag)),
            other => self.wrong_type(value, key, "`true` or `false`", other),
        }
    }

    /// A list of strings; empty when the key is absent.
    pub fn texts(&mut self, key: &'static str) -> Vec<Located<String>> {
        let Some(value) = self.ask(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type::<()>(value, key, "a list of strings", value.get_ref());
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(self.located(item, text.clone().into_owned())),
                other => {
                    self.wrong_type::<()>(item, key, "a list of strings", other);
                }
            }
        }
        texts
    }

    /// A table below this one, `[key]` or `key = { … }`.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'d>> {
        let value = self.ask(key)?;
        match value.get_ref() {
            DeValue::Table(entries) => {
                Some(Table::new(self.document, entries, self.path(key), self.line_of(value)))
            }
            other => self.wrong_type(value, key, "a table", other),
        }
    }

    /// The tables of `[[key]]`; empty when there are none.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'d>> {
        let Some(value) = self.ask(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.not_a_list_of_tables(value, key, value.get_ref());
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            match item.get_ref() {
                DeValue::Table(entries) => {
                    let path = format!("{}[{number}]", self.path(key));
                    tables.push(Table::new(self.document, entries, path, self.line_of(item)));
                }
                other => self.not_a_list_of_tables(item, key, other),
            }
        }
        tables
    }

    /// The key's value as a table if it is one, else as a scalar. For keys that may be written both ways.
    pub fn table_or_scalar(&mut self, key: &'static str) -> Option<Written<'d>> {
        if matches!(self.entries.get(key).map(Spanned::get_ref), Some(DeValue::Table(_))) {
            return self.table(key).map(Written::Table);
        }
        let value = self.ask(key)?;
        self.scalar(value, key).map(Written::Scalar)
    }

    /// All keys of a table whose keys the writer chooses, in the order of their lines. Such a table has
    /// no unknown keys.
    pub fn every(&mut self) -> Vec<(Located<String>, Written<'d>)> {
        self.open = true;
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut found = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = Located {
                value: key.get_ref().clone().into_owned(),
                line: self.document.line(key.span().start),
            };
            match value.get_ref() {
                DeValue::Table(inner) => {
                    let table = Table::new(
                        self.document,
                        inner,
                        self.path(&name.value),
                        self.line_of(value),
                    );
                    found.push((name, Written::Table(table)));
                }
                _ => {
                    if let Some(scalar) = self.scalar(value, &name.value) {
                        found.push((name, Written::Scalar(scalar)));
                    }
                }
            }
        }
        found
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        if self.open {
            return;
        }
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(name) {
                continue;
            }
            let remedy = match closest(name, self.asked.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("this table has {}", list_words(self.asked.iter().copied())),
            };
            self.fault(self.document.line(key.span().start), name, "unknown key", remedy);
        }
    }

    fn ask(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.insert(key);
        self.entries.get(key)
    }

    fn scalar(&self, value: &'d Spanned<DeValue<'d>>, key: &str) -> Option<Located<Scalar>> {
        let scalar = match value.get_ref() {
            DeValue::String(text) => Scalar::Text(text.clone().into_owned()),
            DeValue::Boolean(flag) => Scalar::Flag(*flag),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Scalar::Integer(number),
                    Err(_) => {
                        self.fault(
                            self.line_of(value),
                            key,
                            "the number is too large",
                            "write a smaller number",
                        );
                        return None;
                    }
                }
            }
            other => {
                return self.wrong_type(value, key, "a string, a number or `true`/`false`", other);
            }
        };
        Some(self.located(value, scalar))
    }

    fn located<T>(&self, value: &Spanned<DeValue<'_>>, inner: T) -> Located<T> {
        Located { value: inner, line: self.line_of(value) }
    }

    fn line_of(&self, value: &Spanned<DeValue<'_>>) -> usize {
        self.document.line(value.span().start)
    }

    fn wrong_type<T>(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        wanted: &str,
        found: &DeValue<'_>,
    ) -> Option<T> {
        let message = format!("is {}, not {wanted}", with_article(found.type_str()));
        self.fault(self.line_of(value), key, message, format!("write {wanted}"));
        None
    }

    fn not_a_list_of_tables(&self, value: &Spanned<DeValue<'_>>, key: &str, found: &DeValue<'_>) {
        let message = format!("is {}, not a list of tables", with_article(found.type_str()));
        let remedy = format!("double the brackets, as in `[[{}]]`", self.path(key));
        self.fault(self.line_of(value), key, message, remedy);
    }
}

fn with_article(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(text: &str, read: impl Fn(&mut Table<'_>)) -> Vec<String> {
        let document = Document::new("t.toml", text);
        let tree = document.parse();
        let mut table = document.root(&tree);
        read(&mut table);
        table.finish();
        document.into_faults().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_fault_is_reported_with_its_line_and_remedy() {
        let text = "bind = 3\nshards = \"many\"\ncount = 99\n\nupstraem = \"x\"\n";
        let faults = faults_of(text, |table| {
            assert_eq!(table.text("bind"), None);
            assert_eq!(table.word("shards", &[("auto", 1), ("one", 2)]), None);
            assert_eq!(table.integer("count", 1..=10), None);
            assert_eq!(table.text("upstream"), None);
            assert_eq!(table.required_text("name", "name = \"field\""), None);
        });
        assert_eq!(
            faults,
            [
                "t.toml:1: bind: is an integer, not a string; write a string",
                "t.toml:1: name: is missing; name = \"field\"",
                "t.toml:2: shards: `many` is not known; write `auto` or `one`",
                "t.toml:3: count: 99 is out of range; write a number from 1 to 10",
                "t.toml:5: upstraem: unknown key; did you mean `upstream`?",
            ]
        );
    }

    #[test]
    fn syntax_faults_do_not_hide_the_others() {
        let faults = faults_of("a = = 1\nb = 2\n", |table| {
            assert_eq!(table.text("b"), None);
        });
        assert!(faults.iter().any(|fault| fault.starts_with("t.toml:1:")), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("b: is an integer")), "{faults:?}");
    }

    #[test]
    fn a_single_table_where_several_are_read_is_told_how_to_become_a_list() {
        let faults = faults_of("[listener]\nbind = \"x\"\n", |table| {
            assert_eq!(table.tables("listener").len(), 0);
        });
        assert_eq!(
            faults,
            [
                "t.toml:1: listener: is a table, not a list of tables; double the brackets, as in `[[listener]]`"
            ]
        );
    }

    #[test]
    fn nested_tables_carry_their_path() {
        let text = "[[listener]]\nname = \"a\"\n[listener.vars]\ntoken = { env = \"T\" }\nsize = 4\n[[listener]]\nname = 1\n";
        let faults = faults_of(text, |table| {
            for mut listener in table.tables("listener") {
                listener.text("name");
                if let Some(mut vars) = listener.table("vars") {
                    let every = vars.every();
                    assert_eq!(every.len(), 2);
                    assert!(matches!(every[0].1, Written::Table(_)), "token is written as a table");
                    let Written::Scalar(size) = &every[1].1 else { panic!("size is a number") };
                    assert_eq!(*size, Located { value: Scalar::Integer(4), line: 5 });
                }
                listener.finish();
            }
        });
        assert_eq!(
            faults,
            ["t.toml:7: listener[1].name: is an integer, not a string; write a string"]
        );
    }
}

//! Reading `[layouts]` of a dialect's table, and the `shape` of its topics, which may name one of them.

use std::sync::Arc;

use crate::document::{Located, Scalar, Table, Written, closest, list_words};
use crate::payload::{
    Constant, LAYOUT_DEPTH_MAX, Layout, LayoutError, LayoutFault, Shape, Slot, TimeSpelling,
};

/// The layouts of a table.
#[derive(Debug, Default)]
pub(super) struct Layouts(Vec<Declared>);

#[derive(Debug)]
struct Declared {
    name: String,
    line: usize,
    /// `None`: it has a fault, which has been reported.
    layout: Option<Arc<Layout>>,
    usage: Usage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Unused,
    Used,
}

/// A slot as it was written.
struct Entry {
    /// The key, for faults.
    key: String,
    path: Located<String>,
    slot: Slot,
}

impl Layouts {
    /// Reads `[layouts]`. Faults are in the document.
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let mut layouts = Vec::new();
        for (Located { value: name, line }, entry) in table.every() {
            let layout = match entry {
                Written::Table(inner) => read_layout(&name, inner).map(Arc::new),
                Written::Scalar(_) => {
                    let remedy = format!("write `[layouts.{name}]` with `body = \"…\"` below it");
                    table.fault(line, &name, "is not a table", remedy);
                    None
                }
            };
            let mut usage = Usage::Unused;
            if Shape::WORDS.iter().any(|(word, _)| *word == name) {
                let message = "is the name of a built-in shape";
                table.fault(line, &name, message, "give the layout a name of its own");
                // No topic could name it.
                usage = Usage::Used;
            }
            layouts.push(Declared { name, line, layout, usage });
        }
        Self(layouts)
    }

    /// Reads the `shape` of a topic: a built-in word, or the name of a layout.
    pub(super) fn read_shape(&mut self, table: &mut Table<'_>) -> (Shape, Option<Arc<Layout>>) {
        let Some(written) = table.text("shape") else { return (Shape::Opaque, None) };
        if let Some((_, shape)) = Shape::WORDS.iter().find(|(word, _)| *word == written.value) {
            return (*shape, None);
        }
        let Some(declared) = self.0.iter_mut().find(|declared| declared.name == written.value)
        else {
            self.unknown(&written, table);
            return (Shape::Opaque, None);
        };
        declared.usage = Usage::Used;
        match &declared.layout {
            Some(layout) => (Shape::Declared, Some(Arc::clone(layout))),
            None => (Shape::Opaque, None),
        }
    }

    fn unknown(&self, written: &Located<String>, table: &Table<'_>) {
        let declared = self.0.iter().map(|declared| &*declared.name);
        let known = || Shape::WORDS.iter().map(|(word, _)| *word).chain(declared.clone());
        let remedy = match closest(&written.value, known()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write {}, or declare it under [layouts]", list_words(known())),
        };
        table.fault(written.line, "shape", format!("`{}` is not known", written.value), remedy);
    }

    /// Reports the layouts that no topic named.
    pub(super) fn check_use(&self, root: &Table<'_>) {
        for Declared { name, line, .. } in
            self.0.iter().filter(|declared| declared.usage == Usage::Unused)
        {
            let remedy = format!("write `shape = \"{name}\"` in a [[topic]], or remove it");
            root.fault(*line, &format!("layouts.{name}"), "no topic has this shape", remedy);
        }
    }
}

fn read_layout(name: &str, mut table: Table<'_>) -> Option<Layout> {
    let body = table
        .required_text("body", "say where the value stands, as in `body = \"data.value\"`")
        .map(|path| Entry { key: "body".to_owned(), path, slot: Slot::Body });
    let mut entries = Vec::from_iter(body);
    let spelling = read_spelling(&mut table);
    for (key, slot) in [
        ("timestamp", Slot::Timestamp(spelling)),
        ("identifier", Slot::Identifier),
        ("channel", Slot::Channel),
    ] {
        let path = table.text(key);
        entries.extend(path.map(|path| Entry { key: key.to_owned(), path, slot }));
    }
    entries.extend(table.table("constants").map(read_constants).unwrap_or_default());
    let slots: Vec<(&str, Slot)> =
        entries.iter().map(|entry| (&*entry.path.value, entry.slot.clone())).collect();
    let layout = Layout::new(name, &slots);
    for LayoutFault { at, error } in layout.as_ref().err().into_iter().flatten() {
        // A body that isn't there has been told.
        let Some(Entry { key, path, .. }) = entries.get(*at) else { continue };
        let message = format!("`{}` {error}", path.value);
        table.fault(path.line, key, message, remedy_of(*error));
    }
    table.finish();
    layout.ok()
}

fn read_spelling(table: &mut Table<'_>) -> TimeSpelling {
    let Some(time) = table.word("time", &TimeSpelling::WORDS) else {
        return TimeSpelling::default();
    };
    if !table.has("timestamp") {
        let message = "says how the time is written, and no place has it";
        let remedy = "add its path, as in `timestamp = \"meta.ts\"`, or remove this";
        table.fault(time.line, "time", message, remedy);
    }
    time.value
}

fn read_constants(mut table: Table<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (path, entry) in table.every() {
        let constant = match entry {
            Written::Scalar(Located { value: Scalar::Text(text), .. }) => {
                Constant::Text(text.into())
            }
            Written::Scalar(Located { value: Scalar::Integer(number), .. }) => {
                Constant::Integer(number)
            }
            Written::Scalar(Located { value: Scalar::Flag(flag), .. }) => Constant::Flag(flag),
            Written::Table(_) => {
                let message = "is a table, not a text, a whole number or `true`/`false`";
                let remedy =
                    format!("write the whole path in quotes, as in \"{}.kind\"", path.value);
                table.fault(path.line, &path.value, message, remedy);
                continue;
            }
        };
        let key = format!("constants.{}", path.value);
        entries.push(Entry { key, path, slot: Slot::Constant(constant) });
    }
    entries
}

fn remedy_of(error: LayoutError) -> String {
    match error {
        LayoutError::NoName => {
            "write the names of members with single dots between, as in `data.value`".to_owned()
        }
        LayoutError::TooDeep => format!("write {LAYOUT_DEPTH_MAX} members at most"),
        LayoutError::Taken | LayoutError::Crossing | LayoutError::Twice | LayoutError::NoBody => {
            "give each value a place of its own".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    /// The faults of a table whose text begins on line 3.
    fn faults(text: &str) -> Vec<String> {
        match parse("t.toml", &format!("name = \"t\"\nmqtt = [\"5\"]\n{text}")) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    fn topic(shape: &str) -> String {
        format!(
            "[[topic]]\nkind = \"telemetry\"\nfrom = \"device\"\ntemplate = \"{{device}}/up\"\nshape = \"{shape}\"\n"
        )
    }

    #[test]
    fn a_sound_layout_has_no_faults() {
        let layout = r#"[layouts.report]
body = "data.value"
timestamp = "meta.ts"
time = "milliseconds"
identifier = "meta.id"
channel = "meta.name"
constants = { "meta.version" = 1, "kind" = "report", sure = true }
"#;
        assert_eq!(faults(&(layout.to_owned() + &topic("report"))), Vec::<String>::new());
        let inline = format!("layouts = {{ a = {{ body = \"v\" }} }}\n{}", topic("a"));
        assert_eq!(faults(&inline), Vec::<String>::new());
    }

    #[test]
    fn each_fault_of_a_layout_is_told_with_its_line() {
        let text = r#"layouts.flat = "v"
[layouts.report]
body = "data..value"
timestamp = "meta"
time = "millis"
identifier = "meta.id"
channel = "a.b.c.d.e.f.g.h.i"
colour = 1
[layouts.report.constants]
"meta" = 1
"meta.x" = "x"
part = 1.5
nested.inner = 1
[layouts.bodiless]
time = "iso"
identifier = 3
[layouts.json]
body = "v"
"#;
        let text = text.to_owned() + &topic("report") + &topic("flat").replace("up", "flat");
        assert_eq!(
            faults(&text),
            [
                "t.toml:3: layouts.flat: is not a table; write `[layouts.flat]` with `body = \"…\"` below it",
                "t.toml:5: layouts.report.body: `data..value` has a member without a name; write the names of members with single dots between, as in `data.value`",
                "t.toml:7: layouts.report.time: `millis` is not known; write `seconds`, `milliseconds` or `iso`",
                "t.toml:8: layouts.report.identifier: `meta.id` is inside another value, or has one inside; give each value a place of its own",
                "t.toml:9: layouts.report.channel: `a.b.c.d.e.f.g.h.i` is more than 8 members deep; write 8 members at most",
                "t.toml:10: layouts.report.colour: unknown key; this table has `body`, `channel`, `constants`, `identifier`, `time` or `timestamp`",
                "t.toml:12: layouts.report.constants.meta: `meta` is taken already; give each value a place of its own",
                "t.toml:13: layouts.report.constants.meta.x: `meta.x` is inside another value, or has one inside; give each value a place of its own",
                "t.toml:14: layouts.report.constants.part: is a float, not a string, a number or `true`/`false`; write a string, a number or `true`/`false`",
                "t.toml:15: layouts.report.constants.nested: is a table, not a text, a whole number or `true`/`false`; write the whole path in quotes, as in \"nested.kind\"",
                "t.toml:16: layouts.bodiless.body: is missing; say where the value stands, as in `body = \"data.value\"`",
                "t.toml:16: layouts.bodiless: no topic has this shape; write `shape = \"bodiless\"` in a [[topic]], or remove it",
                "t.toml:17: layouts.bodiless.time: says how the time is written, and no place has it; add its path, as in `timestamp = \"meta.ts\"`, or remove this",
                "t.toml:18: layouts.bodiless.identifier: is an integer, not a string; write a string",
                "t.toml:19: layouts.json: is the name of a built-in shape; give the layout a name of its own",
            ]
        );
    }

    #[test]
    fn a_shape_that_nobody_knows_is_told_with_what_was_meant() {
        let layout = "[layouts.report]\nbody = \"v\"\n".to_owned() + &topic("report");
        let meant = |shape: &str| {
            let topic = topic(shape).replace("up", "down");
            faults(&(layout.clone() + &topic))
        };
        let unknown = |shape: &str, rest: &str| {
            format!("t.toml:14: topic[1].shape: `{shape}` is not known; {rest}")
        };
        for (shape, near) in [("reprot", "report"), ("jsn", "json")] {
            let told = meant(shape);
            assert!(
                told[0].ends_with(&format!("`{shape}` is not known; did you mean `{near}`?")),
                "{told:?}"
            );
            assert!(told[0].starts_with("t.toml:14: "), "{told:?}");
        }
        let told = meant("protobuf");
        assert!(told[0].starts_with(&unknown("protobuf", "write `opaque`, `json`")), "{told:?}");
        assert!(
            told[0].ends_with("`xyte-config` or `report`, or declare it under [layouts]"),
            "{told:?}"
        );
        assert_eq!(meant("report"), Vec::<String>::new());
        let of = format!("{layout}of = [\"report\"]\n");
        assert!(faults(&of)[0].contains("`report` is no shape"), "{:?}", faults(&of));
    }
}

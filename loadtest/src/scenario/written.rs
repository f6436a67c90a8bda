//! Reads scenario text over a scenario that is there: defaults, a preset or file, the command line, one over the
//! other. Every fault is collected, with line, key and what to write instead.
//!
//! It doesn't look at what the values mean together; that is `fits`. Invariant: a key that isn't read here is unknown.

use std::collections::BTreeMap;

use interlingua::document::{Document, Fault, Located, Scalar, Table, Written};
use interlingua::mqtt::{Qos, Version};

use super::model::{
    Bytes, Commands, Connections, Devices, Encoding, Load, Message, Pacing, Payload, Retain,
    Scenario, Stamping, Subscribing,
};
use super::values::{self, RATE_REMEDY, TIME_REMEDY, TOTAL_REMEDY};

/// Where each key was written last: the text's name and the line.
pub(crate) type Places = BTreeMap<String, (String, usize)>;

/// A scenario while its layers are read.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    /// What came out so far.
    pub(crate) scenario: Scenario,
    /// Where it was written.
    pub(crate) places: Places,
}

impl Layers {
    /// Reads one more text over the others. `name` is what its faults carry.
    pub(crate) fn read(&mut self, name: &str, text: &str) -> Vec<Fault> {
        let document = Document::new(name, text);
        let tree = document.parse();
        let mut root =
            Section { table: document.root(&tree), path: "", name, places: &mut self.places };
        let scenario = &mut self.scenario;
        root.text("name", &mut scenario.name);
        root.text("about", &mut scenario.about);
        if let Some(seed) = root.number("seed", 0, i64::MAX as u64) {
            scenario.seed = Some(seed);
        }
        root.below("devices", |section| devices(section, &mut scenario.devices));
        root.below("message", |section| message(section, &mut scenario.message));
        root.below("load", |section| load(section, &mut scenario.load));
        root.below("connections", |section| connections(section, &mut scenario.connections));
        root.below("commands", |section| commands(section, &mut scenario.commands));
        root.table.finish();
        document.into_faults()
    }
}

fn devices(section: &mut Section<'_, '_>, devices: &mut Devices) {
    section.integer("count", 1, 1_000_000, &mut devices.count);
    section.text("dialect", &mut devices.dialect);
    section.pairs("vars", &mut devices.vars);
    section.text("name", &mut devices.name);
    let versions = [("3.1", Version::V31), ("3.1.1", Version::V311), ("5", Version::V5)];
    if let Some(version) = section.word("version", &versions) {
        devices.version = Some(version);
    }
    if let Some(time) = section.parsed("keep_alive", values::time, TIME_REMEDY) {
        match u16::try_from(time.as_secs()) {
            Ok(seconds) => devices.keep_alive_seconds = seconds,
            Err(_) => section.fault("keep_alive", "is too long", "MQTT has at most `65535s`"),
        }
    }
    section.maybe_text("client_id", &mut devices.client_identifier);
    section.maybe_text("username", &mut devices.user_name);
    section.maybe_text("password", &mut devices.password);
}

fn message(section: &mut Section<'_, '_>, message: &mut Message) {
    if let Some(found) = section.scalar("payload") {
        match found {
            Scalar::Text(text) => message.payload = Payload::Template(text),
            Scalar::Integer(size @ 0..=268_000_000) => {
                message.payload = Payload::Size(usize::try_from(size).unwrap_or(0));
            }
            Scalar::Integer(_) | Scalar::Flag(_) => section.fault(
                "payload",
                "is neither a size nor a template",
                "write a number of bytes from 0 to 268000000, or a text",
            ),
        }
    }
    let encodings =
        [("json", Encoding::Json), ("messagepack", Encoding::MessagePack), ("raw", Encoding::Raw)];
    section.choice("encoding", &encodings, &mut message.encoding);
    section.qos("qos", &mut message.qos);
    section.flag("retain", [Retain::Clear, Retain::Set], &mut message.retain);
    section.integer("topics", 1, 65_536, &mut message.topics);
    section.maybe_text("topic", &mut message.topic);
    section.flag("stamp", [Stamping::Bare, Stamping::Stamped], &mut message.stamp);
    let words = [("auto", Bytes::Auto), ("same", Bytes::Same), ("any", Bytes::Any)];
    section.choice("bytes", &words, &mut message.bytes);
}

fn load(section: &mut Section<'_, '_>, load: &mut Load) {
    let words = [("open", Pacing::Open), ("closed", Pacing::Closed), ("full", Pacing::Full)];
    section.choice("pacing", &words, &mut load.pacing);
    let (rate, length) = (section.table.has("rate"), section.table.has("duration"));
    if section.table.has("steps") {
        if rate || length {
            let key = if rate { "rate" } else { "duration" };
            section.fault(key, "stands beside `steps`", "leave one of them out: steps have both");
        }
        load.burst = None;
    } else if rate || length {
        // A later layer's rate or duration takes the place of an earlier one's steps.
        load.steps.clear();
    }
    section.value("rate", values::rate, RATE_REMEDY, &mut load.rate);
    section.value("duration", values::time, TIME_REMEDY, &mut load.duration);
    if let Some(steps) = section.list("steps", values::step, values::STEP_REMEDY) {
        load.duration = steps.iter().map(|step| step.length).sum();
        load.steps = steps;
    }
    if let Some(burst) = section.parsed("burst", values::burst, values::BURST_REMEDY) {
        load.burst = Some(burst);
    }
    section.value("ramp_up", values::time, TIME_REMEDY, &mut load.ramp_up);
    section.value("warm_up", values::time, TIME_REMEDY, &mut load.warm_up);
    section.value("drain", values::time, TIME_REMEDY, &mut load.drain);
    section.integer("in_flight", 1, 65_535, &mut load.in_flight);
}

fn connections(section: &mut Section<'_, '_>, connections: &mut Connections) {
    section.value("churn", values::total, TOTAL_REMEDY, &mut connections.churn);
    if let Some(storms) = section.list("storms", values::time, TIME_REMEDY) {
        connections.storms = storms;
    }
    section.integer("slow_readers", 0, 1_000_000, &mut connections.slow_readers);
    section.integer("slow_reader_bytes", 1, 1_000_000_000, &mut connections.slow_reader_bytes);
    section.value("connect_timeout", values::time, TIME_REMEDY, &mut connections.connect_timeout);
}

fn commands(section: &mut Section<'_, '_>, commands: &mut Commands) {
    section.value("rate", values::total, TOTAL_REMEDY, &mut commands.rate);
    section.maybe_text("address", &mut commands.address);
    section.maybe_text("dialect", &mut commands.dialect);
    section.pairs("vars", &mut commands.vars);
    section.maybe_text("topic", &mut commands.topic);
    section.qos("qos", &mut commands.qos);
    let words = [
        ("auto", Subscribing::Auto),
        ("always", Subscribing::Always),
        ("never", Subscribing::Never),
    ];
    section.choice("subscribe", &words, &mut commands.subscribe);
    section.maybe_text("payload", &mut commands.payload);
    section.maybe_text("device_name", &mut commands.device_name);
}

/// A table of the text, with what is needed to read a key in one line.
struct Section<'d, 'p> {
    table: Table<'d>,
    path: &'static str,
    name: &'p str,
    places: &'p mut Places,
}

impl<'d> Section<'d, '_> {
    fn below(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'d, '_>)) {
        let Some(table) = self.table.table(key) else { return };
        let mut section = Section { table, path: key, name: self.name, places: self.places };
        read(&mut section);
        section.table.finish();
    }

    fn fault(&self, key: &str, message: &str, remedy: &str) {
        let line = self.places.get(&self.full(key)).map_or(self.table.line(), |(_, line)| *line);
        self.table.fault(line, key, message, remedy);
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn place(&mut self, key: &str, line: usize) {
        self.places.insert(self.full(key), (self.name.to_owned(), line));
    }

    fn take<T>(&mut self, key: &str, found: Option<Located<T>>) -> Option<T> {
        let found = found?;
        self.place(key, found.line);
        Some(found.value)
    }

    fn text(&mut self, key: &'static str, target: &mut String) {
        let found = self.table.text(key);
        if let Some(text) = self.take(key, found) {
            *target = text;
        }
    }

    fn maybe_text(&mut self, key: &'static str, target: &mut Option<String>) {
        let found = self.table.text(key);
        if let Some(text) = self.take(key, found) {
            *target = Some(text);
        }
    }

    fn number(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let found = self.table.integer(key, least..=most);
        self.take(key, found)
    }

    fn integer<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        least: u64,
        most: u64,
        target: &mut T,
    ) {
        if let Some(number) =
            self.number(key, least, most).and_then(|found| T::try_from(found).ok())
        {
            *target = number;
        }
    }

    fn qos(&mut self, key: &'static str, target: &mut Qos) {
        let level = self.number(key, 0, 2).and_then(|level| u8::try_from(level).ok());
        if let Some(qos) = level.and_then(Qos::from_level) {
            *target = qos;
        }
    }

    fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let found = self.table.word(key, words);
        self.take(key, found)
    }

    fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], target: &mut T) {
        if let Some(choice) = self.word(key, words) {
            *target = choice;
        }
    }

    /// `false` and `true` mean the first and the second.
    fn flag<T: Copy>(&mut self, key: &'static str, meanings: [T; 2], target: &mut T) {
        let found = self.table.flag(key);
        if let Some(flag) = self.take(key, found) {
            *target = meanings[usize::from(flag)];
        }
    }

    fn scalar(&mut self, key: &'static str) -> Option<Scalar> {
        match self.table.table_or_scalar(key)? {
            Written::Scalar(found) => self.take(key, Some(found)),
            Written::Table(table) => {
                self.table.fault(table.line(), key, "is a table", "write a text or a number");
                None
            }
        }
    }

    /// A text or a number that `parse` understands.
    fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: fn(&str) -> Option<T>,
        remedy: &str,
    ) -> Option<T> {
        let text = match self.scalar(key)? {
            Scalar::Text(text) => text,
            Scalar::Integer(number) => number.to_string(),
            Scalar::Flag(flag) => flag.to_string(),
        };
        let found = parse(&text);
        if found.is_none() {
            self.fault(key, &format!("`{text}` is not understood"), remedy);
        }
        found
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        parse: fn(&str) -> Option<T>,
        remedy: &str,
        target: &mut T,
    ) {
        if let Some(value) = self.parsed(key, parse, remedy) {
            *target = value;
        }
    }

    /// A list of texts that `parse` understands; `None` if the key isn't there or one of them is wrong.
    fn list<T>(
        &mut self,
        key: &'static str,
        parse: fn(&str) -> Option<T>,
        remedy: &str,
    ) -> Option<Vec<T>> {
        let texts = self.table.texts(key);
        if !self.table.has(key) {
            return None;
        }
        let mut found = Vec::new();
        let mut whole = true;
        for text in texts {
            self.place(key, text.line);
            match parse(&text.value) {
                Some(item) => found.push(item),
                None => {
                    whole = false;
                    self.fault(key, &format!("`{}` is not understood", text.value), remedy);
                }
            }
        }
        whole.then_some(found)
    }

    fn pairs(&mut self, key: &'static str, target: &mut BTreeMap<String, String>) {
        let Some(mut table) = self.table.table(key) else { return };
        for (name, value) in table.every() {
            let text = match value {
                Written::Scalar(Located { value: Scalar::Text(text), .. }) => text,
                Written::Scalar(Located { value: Scalar::Integer(number), .. }) => {
                    number.to_string()
                }
                Written::Scalar(Located { value: Scalar::Flag(flag), .. }) => flag.to_string(),
                Written::Table(inner) => {
                    table.fault(inner.line(), &name.value, "is a table", "write a text");
                    continue;
                }
            };
            self.place(&format!("{key}.{}", name.value), name.line);
            target.insert(name.value, text);
        }
    }
}

//! The golden table: worked examples between platforms, as data under `tests/golden`.
//!
//! Each example states the complete result. `differs` says that the result is not the wanted one and why; then
//! `actual_…` holds what it is instead, so that a change is noticed. `route_options` name options of the payload.
//! `beyond` says why something is no translation of a single message. `open` lists the payload's members that the
//! conventions leave open, `given` what the proxy's state or configuration supplies, `before` the messages that the
//! session had before this one. `rewrite` marks those whose payload changes. The proxy receives everything at 1567677926 s.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use interlingua::dialect::builtin;
use interlingua::mqtt::{
    Connack, Connect, Packet, PacketIdentifier, Properties, Publish, Qos, ReasonCode,
    RetainHandling, Suback, Subscription, Version, encode_subscribe, next_packet,
};
use interlingua::payload::body::{CommandTemplate, RawBytes, ReportKey};
use interlingua::session::{self, OnRefusal, Session, SessionLimits, SessionPlan, Tally, Wake};
use interlingua::translate::{
    BinaryRule, CommandRule, Explanation, Identity, IdentityTable, Incoming, KeyedRule, Memory,
    PayloadOptions, PrefixRule, ReportRule, Scratch, Sent, SessionNames, Shown, Side, StateRule,
    Translator, Way, compile, explain,
};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

/// Sections with the number of their examples.
const SECTIONS: &[(&str, usize)] =
    &[("9.1", 14), ("9.2", 13), ("9.3", 12), ("9.4", 16), ("9.5", 18), ("9.6", 13)];

/// What stands beside the numbered examples.
const UNNUMBERED: &[&str] = &["9.1/connect", "9.1/subscribe"];

/// Options of the payload that the examples name. One that no example names any more has to go.
const ROUTE_OPTIONS: &[&str] = &[
    "decode",
    "decode-strict",
    "default-action",
    "default-channel",
    "hex",
    "normalize",
    "report",
    "telemetry",
    "text",
    "text-template",
    "ts-key",
    "unwrap",
    "value",
];

// ---- what the files say ----

struct Pair {
    from: String,
    to: String,
    from_vars: Vec<(String, String)>,
    to_vars: Vec<(String, String)>,
    identity: Value,
}

#[derive(Clone)]
struct Example {
    file: String,
    id: String,
    variant: String,
    input: Input,
    expected: Outcome,
    /// What happens instead of the expectation.
    actual: Option<Outcome>,
    beyond: bool,
    differs: bool,
    rewrite: bool,
    open: Vec<String>,
    from_options: Vec<String>,
    to_options: Vec<String>,
    route_options: Vec<String>,
    given: Vec<(String, String)>,
    before: Vec<(Way, Message)>,
}

#[derive(Clone)]
enum Input {
    Message { way: Way, message: Message },
    Filter { filter: String, names: SessionNames },
    Connect { client_id: String, user_name: String, password: String },
    Nothing,
}

#[derive(Clone, PartialEq)]
struct Message {
    topic: String,
    payload: Vec<u8>,
    qos: Qos,
    retain: bool,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let payload = self.payload.escape_ascii();
        write!(f, "{} <- `{payload}` {:?}, RETAIN {}", self.topic, self.qos, self.retain)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Sent { messages: Vec<Message>, notes: Vec<String> },
    Filters(Vec<String>),
    Connect { client_id: String, user_name: Option<String>, names: SessionNames },
    Refused { reason: String },
}

fn refused(reason: impl Into<String>) -> Outcome {
    Outcome::Refused { reason: reason.into() }
}

// ---- reading ----

/// Keys are taken; what is left over at the end is a fault.
struct Reader {
    place: String,
    keys: Map<String, Value>,
}

impl Reader {
    fn new(place: String, value: Value) -> Self {
        let Value::Object(keys) = value else { panic!("{place}: is no table") };
        Self { place, keys }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.keys.remove(key)? {
            Value::String(text) => Some(text),
            other => panic!("{}: `{key}` is {other}, not a text", self.place),
        }
    }

    fn required(&mut self, key: &str) -> String {
        self.text(key).unwrap_or_else(|| panic!("{}: has no `{key}`", self.place))
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        self.keys.remove(key).map(|value| {
            value.as_bool().unwrap_or_else(|| panic!("{}: `{key}` is no flag", self.place))
        })
    }

    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let list = self.list(key)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(list.iter().map(|value| text(value).expect("a list of texts")).collect())
    }

    fn list(&mut self, key: &str) -> Option<Vec<Value>> {
        match self.keys.remove(key)? {
            Value::Array(list) => Some(list),
            other => panic!("{}: `{key}` is {other}, not a list", self.place),
        }
    }

    fn pairs(&mut self, key: &str) -> Vec<(String, String)> {
        let value = self.keys.remove(key).unwrap_or_else(|| Value::Object(Map::new()));
        let Value::Object(pairs) = value else { panic!("{}: `{key}` is no table", self.place) };
        pairs
            .into_iter()
            .map(|(name, text)| (name, text.as_str().expect("a text").to_owned()))
            .collect()
    }

    fn payload(&mut self) -> Vec<u8> {
        match (self.text("payload"), self.text("payload_hex")) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(hex)) => (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits"))
                .collect(),
            _ => panic!("{}: has to have either `payload` or `payload_hex`", self.place),
        }
    }

    fn message(&mut self) -> Message {
        let qos = self.keys.remove("qos").and_then(|qos| qos.as_u64());
        let qos = match qos {
            Some(0) => Qos::AtMostOnce,
            Some(1) => Qos::AtLeastOnce,
            Some(2) => Qos::ExactlyOnce,
            other => panic!("{}: `qos` is {other:?}", self.place),
        };
        let retain = self.flag("retain").unwrap_or_else(|| panic!("{}: `retain`", self.place));
        Message { topic: self.required("topic"), payload: self.payload(), qos, retain }
    }

    fn messages(&mut self, key: &str) -> Option<Vec<Message>> {
        let list = self.list(key)?;
        let read = |value: Value| {
            let mut inner = Reader::new(format!("{} {key}", self.place), value);
            let message = inner.message();
            inner.finish();
            message
        };
        Some(list.into_iter().map(read).collect())
    }

    fn way(&mut self) -> Option<Way> {
        match self.required("way").as_str() {
            "up" => Some(Way::Up),
            "down" => Some(Way::Down),
            _ => None,
        }
    }

    fn before(&mut self) -> Vec<(Way, Message)> {
        let list = self.list("before").unwrap_or_default();
        let read = |value: Value| {
            let mut inner = Reader::new(format!("{} before", self.place), value);
            let before = (inner.way().expect("up or down"), inner.message());
            inner.finish();
            before
        };
        list.into_iter().map(read).collect()
    }

    fn names(&mut self, key: &str) -> SessionNames {
        let names: BTreeMap<String, String> = self.pairs(key).into_iter().collect();
        let name = |key: &str| names.get(key).map(|name| name.as_str().into());
        SessionNames { device: name("device"), upstream_device: name("upstream") }
    }

    fn finish(self) {
        let left: Vec<&String> = self.keys.keys().collect();
        assert!(left.is_empty(), "{}: unknown or out of place: {left:?}", self.place);
    }
}

fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(number) => {
            Value::from(number.as_str().parse::<i64>().expect("a decimal integer"))
        }
        DeValue::Array(list) => list.iter().map(|value| to_json(value.get_ref())).collect(),
        DeValue::Table(table) => table_to_json(table),
        other => panic!("{other:?} has no place here"),
    }
}

fn table_to_json(table: &DeTable<'_>) -> Value {
    let entries = table.iter();
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        (key.to_string(), to_json(value.get_ref()))
    };
    Value::Object(entries.map(entry).collect())
}

fn read_file(path: &Path) -> (Pair, Vec<Example>) {
    let file = path.file_name().expect("a name").to_string_lossy().into_owned();
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let tree = DeTable::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut root = Reader::new(file.clone(), table_to_json(tree.get_ref()));
    let pair = Pair {
        from: root.required("from"),
        to: root.required("to"),
        from_vars: root.pairs("from_vars"),
        to_vars: root.pairs("to_vars"),
        identity: root.keys.remove("identity").expect("an identity"),
    };
    assert_eq!(file, format!("{}-to-{}.toml", pair.from, pair.to), "files are named by their pair");
    let examples = root.list("example").expect("examples");
    root.finish();
    (pair, examples.into_iter().map(|example| read_example(&file, example)).collect())
}

fn read_example(file: &str, value: Value) -> Example {
    let mut keys = Reader::new(file.to_owned(), value);
    let id = keys.required("id");
    let variant = keys.text("variant").unwrap_or_default();
    keys.place = format!("{file} {id} {variant}");
    let input = read_input(&mut keys);
    let beyond = keys.text("beyond").is_some();
    let expected =
        if beyond { refused("") } else { read_outcome(&mut keys).expect("an expectation") };
    let actual = read_actual(&mut keys);
    // For readers only, and for the options once they exist.
    let _ = keys.text("note");
    let given = keys.pairs("given");
    let before = keys.before();
    let example = Example {
        file: file.to_owned(),
        id,
        variant,
        input,
        expected,
        beyond,
        differs: keys.text("differs").is_some(),
        rewrite: keys.flag("rewrite").unwrap_or(false),
        open: keys.texts("open").unwrap_or_default(),
        from_options: keys.texts("from_options").unwrap_or_default(),
        to_options: keys.texts("to_options").unwrap_or_default(),
        route_options: keys.texts("route_options").unwrap_or_default(),
        given,
        before,
        actual,
    };
    keys.finish();
    check_example(&example);
    example
}

fn read_input(keys: &mut Reader) -> Input {
    let way = match keys.text("way").as_deref() {
        None => return Input::Nothing,
        Some("subscribe") => {
            return Input::Filter { filter: keys.required("filter"), names: keys.names("names") };
        }
        Some("connect") => {
            return Input::Connect {
                client_id: keys.required("client_id"),
                user_name: keys.required("user_name"),
                password: keys.required("password"),
            };
        }
        Some("up") => Way::Up,
        Some("down") => Way::Down,
        Some(other) => panic!("{}: `way` is {other}", keys.place),
    };
    Input::Message { way, message: keys.message() }
}

fn read_outcome(keys: &mut Reader) -> Option<Outcome> {
    let notes = keys.texts("notes");
    let sent = keys.messages("out");
    let refusal = keys.text("refused");
    let filters = keys.texts("filters");
    let connect = keys.keys.remove("connect");
    assert!(notes.is_none() || sent.is_some(), "{}: notes without a message", keys.place);
    let given = [sent.is_some(), refusal.is_some(), filters.is_some(), connect.is_some()];
    assert_eq!(given.iter().filter(|given| **given).count(), 1, "{}: one expectation", keys.place);
    let outcome = sent.map(|messages| Outcome::Sent { messages, notes: notes.unwrap_or_default() });
    outcome.or(refusal.map(refused)).or(filters.map(Outcome::Filters)).or_else(|| {
        let mut inner = Reader::new(keys.place.clone(), connect?);
        let outcome = Outcome::Connect {
            client_id: inner.required("client_id"),
            user_name: inner.text("user_name"),
            names: SessionNames {
                device: inner.text("device").map(Into::into),
                upstream_device: inner.text("upstream_device").map(Into::into),
            },
        };
        inner.finish();
        Some(outcome)
    })
}

fn read_actual(keys: &mut Reader) -> Option<Outcome> {
    let notes = keys.texts("actual_notes").unwrap_or_default();
    let sent = keys.messages("actual_out");
    let refusal = keys.text("actual_refused");
    sent.map(|messages| Outcome::Sent { messages, notes }).or(refusal.map(refused))
}

/// What an example may say, whatever comes out.
fn check_example(example: &Example) {
    let place = place(example);
    assert_eq!(
        example.differs,
        example.actual.is_some(),
        "{place}: `differs` and `actual_…` go together"
    );
    assert_eq!(example.beyond, matches!(example.input, Input::Nothing), "{place}: beyond or not");
    for option in &example.route_options {
        assert!(ROUTE_OPTIONS.contains(&option.as_str()), "{place}: no option `{option}`");
    }
    if let (Input::Message { message, .. }, Outcome::Sent { messages, .. }) =
        (&example.input, &example.expected)
        && !example.rewrite
    {
        assert_eq!(messages.len(), 1, "{place}: a message becomes several only by `rewrite`");
        assert_eq!(messages[0].payload, message.payload, "{place}: `rewrite` is missing");
    }
}

fn place(example: &Example) -> String {
    format!("{} {} {}", example.file, example.id, example.variant).trim_end().to_owned()
}

// ---- translating ----

fn side(dialect: &str, values: &[(String, String)], options: &[String]) -> Side {
    let dialect = builtin(dialect).expect("a built-in dialect").expect("a sound table");
    let side = values
        .iter()
        .fold(Side::new(Arc::new(dialect)), |side, (name, text)| side.with(name, text));
    options.iter().fold(side, |side, option| side.with_option(option))
}

fn identity(value: &Value) -> Identity {
    if let Some(csv) = value.get("csv").and_then(Value::as_str) {
        return Identity::Table(IdentityTable::parse(csv).expect("a sound identity table"));
    }
    match value.get("prefix").and_then(Value::as_str) {
        Some(prefix) => Identity::Prefix(PrefixRule::new(prefix)),
        None => {
            assert_eq!(value.get("same"), Some(&Value::Bool(true)), "csv, prefix or same");
            Identity::Same
        }
    }
}

fn payload_options(example: &Example) -> PayloadOptions {
    let given = |name: &str| example.given.iter().find(|(known, _)| known == name);
    let text = |name: &str| given(name).map(|(_, text)| text.as_str().into());
    let mut options = PayloadOptions::default();
    for option in &example.route_options {
        match option.as_str() {
            "decode" => options.binary = BinaryRule::Decode,
            "decode-strict" => options.binary = BinaryRule::DecodeStrict,
            "default-channel" => options.body.default_channel = text("channel"),
            "default-action" => options.body.default_action = text("action"),
            "normalize" => options.mqtt2go_up = ReportRule::Normalize,
            "telemetry" => options.state = StateRule::Telemetry,
            "report" => {
                options.body.report_key = ReportKey::Report;
                options.body.units = vec![("temperature".into(), text("unit").unwrap())];
            }
            "text-template" => {
                let (_, template) = given("template").expect("a template");
                let template = CommandTemplate::parse(template).unwrap();
                options.command_template = Some(Arc::new(template));
            }
            "ts-key" => options.time_key = text("ts_key"),
            "text" => options.command = CommandRule::Text,
            "unwrap" => options.keyed = KeyedRule::Value,
            "value" => options.command = CommandRule::Value,
            "hex" => options.body.raw_as_hex = RawBytes::Hex,
            missing => panic!("{missing} is no option"),
        }
    }
    options
}

fn translator(pair: &Pair, example: &Example) -> Translator {
    let mut device = side(&pair.from, &pair.from_vars, &example.from_options);
    device.payload = payload_options(example);
    compile(device, side(&pair.to, &pair.to_vars, &example.to_options), identity(&pair.identity))
        .unwrap_or_else(|faults| panic!("{}: {faults:#?}", place(example)))
}

/// What becomes of a message on the live path: the one place that knows how many messages come out.
/// When the proxy receives everything; the identifier that it gives is `c-17`.
fn then() -> Scratch {
    Scratch::at(1_567_677_926_000, 17)
}

fn publish(translator: &Translator, way: Way, message: &Message, memory: &mut Memory) -> Outcome {
    let (message, mut scratch) = (incoming(message), then());
    let out = translator.publish(way, &message, memory, &mut scratch);
    if out.is_ok() {
        memory.settle();
    }
    match out {
        Ok(out) => Outcome::Sent {
            messages: out
                .messages()
                .map(|out| Message {
                    topic: out.topic_name.to_owned(),
                    payload: out.payload.to_vec(),
                    qos: out.qos,
                    retain: out.retain,
                })
                .collect(),
            notes: out.notes().iter().map(|note| note.label().to_owned()).collect(),
        },
        Err(refusal) => Outcome::Refused { reason: refusal.reason.label().to_owned() },
    }
}

/// The same as the explanation has it.
fn explained(explanation: &Explanation, message: &Message) -> Outcome {
    match &explanation.outcome {
        Ok(messages) => {
            for sent in messages {
                assert_eq!(sent.payload_untouched, sent.payload == message.payload);
            }
            Outcome::Sent {
                messages: messages.iter().map(explained_message).collect(),
                notes: explanation.notes.iter().map(|note| note.label().to_owned()).collect(),
            }
        }
        Err(refusal) => Outcome::Refused { reason: refusal.reason.label().to_owned() },
    }
}

fn explained_message(sent: &Sent) -> Message {
    Message {
        topic: sent.topic_name.clone(),
        payload: sent.payload.clone(),
        qos: sent.qos,
        retain: sent.retain,
    }
}

fn incoming(message: &Message) -> Incoming<'_> {
    let Message { topic, payload, qos, retain } = message;
    Incoming { topic_name: topic, payload, qos: *qos, retain: *retain }
}

// ---- judging ----

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Full,
    Differs,
    Beyond,
}

/// The verdict on an example, or what is wrong with it.
fn judge(pair: &Pair, example: &Example) -> Result<Verdict, String> {
    let translator = translator(pair, example);
    let outcome = match &example.input {
        Input::Nothing => return Ok(Verdict::Beyond),
        Input::Filter { filter, names } => filtered(&translator, filter, names),
        Input::Connect { client_id, user_name, password } => {
            connected(&translator, client_id, user_name, password)
        }
        Input::Message { way, message } => {
            let mut memory = Memory::default();
            for (way, message) in &example.before {
                publish(&translator, *way, message, &mut memory);
            }
            let outcome = publish(&translator, *way, message, &mut memory);
            if !example.before.is_empty() {
                // An explanation is of one message alone.
                return verdict(&outcome, example);
            }
            let explanation =
                explain(&translator, *way, &incoming(message), &mut Memory::default(), &mut then());
            let told = explained(&explanation, message);
            if told != outcome {
                return Err(format!("the live path gives {outcome:?}, the explanation {told:?}"));
            }
            check_names(pair, *way, &explanation)?;
            outcome
        }
    };
    verdict(&outcome, example)
}

fn verdict(outcome: &Outcome, example: &Example) -> Result<Verdict, String> {
    if same(outcome, &example.expected, example) {
        return if example.differs {
            Err("is as wanted now: take `differs` and `actual_…` out".to_owned())
        } else {
            Ok(Verdict::Full)
        };
    }
    if let Some(actual) = &example.actual {
        return if same(outcome, actual, example) {
            Ok(Verdict::Differs)
        } else {
            Err(format!("gives {outcome:?}, which is neither the wanted nor the known result"))
        };
    }
    Err(format!("gives {outcome:?}"))
}

fn filtered(translator: &Translator, filter: &str, names: &SessionNames) -> Outcome {
    match translator.filter(filter, names) {
        Ok(plan) => Outcome::Filters(plan.upstream),
        Err(refusal) => refused(refusal.reason.label()),
    }
}

fn connected(translator: &Translator, client_id: &str, user_name: &str, password: &str) -> Outcome {
    let plan = translator
        .connect(&Shown {
            client_identifier: client_id,
            user_name: Some(user_name),
            password: Some(password.as_bytes()),
            certificate: None,
        })
        .expect("a CONNECT that passes")
        .expect("a pair of dialects");
    let leaks = plan.password.is_some_and(|upstream| upstream.is(password.as_bytes()));
    assert!(!leaks, "the device's password went upstream");
    Outcome::Connect {
        client_id: plan.client_identifier,
        user_name: plan.user_name,
        names: plan.names,
    }
}

/// The explanation names the dialects in the message's direction.
fn check_names(pair: &Pair, way: Way, explanation: &Explanation) -> Result<(), String> {
    let (from, to) = direction(pair, way);
    if (explanation.from.as_str(), explanation.to.as_str()) == (from, to) {
        return Ok(());
    }
    Err(format!("the explanation goes from {} to {}", explanation.from, explanation.to))
}

fn direction(pair: &Pair, way: Way) -> (&str, &str) {
    match way {
        Way::Up => (&pair.from, &pair.to),
        Way::Down => (&pair.to, &pair.from),
    }
}

/// Whether an outcome is the wanted one. A refusal that only waits is none.
fn same(outcome: &Outcome, wanted: &Outcome, example: &Example) -> bool {
    let (
        Outcome::Sent { messages, notes },
        Outcome::Sent { messages: wanted_messages, notes: wanted_notes },
    ) = (outcome, wanted)
    else {
        return outcome == wanted;
    };
    let alike = |(one, other): (&Message, &Message)| {
        let rest = |message: &Message| (message.topic.clone(), message.qos, message.retain);
        rest(one) == rest(other) && same_payload(&one.payload, &other.payload, example)
    };
    notes == wanted_notes
        && messages.len() == wanted_messages.len()
        && messages.iter().zip(wanted_messages).all(alike)
}

/// Payloads that pass untouched are compared by their bytes, rebuilt ones as JSON where both are JSON.
fn same_payload(payload: &[u8], wanted: &[u8], example: &Example) -> bool {
    let json = |bytes: &[u8]| {
        let mut value: Value = serde_json::from_slice(bytes).ok()?;
        for path in &example.open {
            remove(&mut value, path);
        }
        Some(value)
    };
    if !example.rewrite {
        return payload == wanted;
    }
    match (json(payload), json(wanted)) {
        (Some(payload), Some(wanted)) => payload == wanted,
        _ => payload == wanted,
    }
}

/// Takes a member out; the path's names are separated by dots.
fn remove(value: &mut Value, path: &str) {
    match path.split_once('.') {
        Some((first, rest)) => {
            if let Some(inner) = value.get_mut(first) {
                remove(inner, rest);
            }
        }
        None => {
            value.as_object_mut().and_then(|members| members.remove(path));
        }
    }
}

// ---- the tests ----

fn table() -> Vec<(Pair, Vec<Example>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder of examples")
        .map(|entry| entry.expect("a folder entry").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| read_file(path)).collect()
}

#[test]
fn every_example_gives_its_result() {
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for (pair, examples) in &table() {
        for example in examples {
            match judge(pair, example) {
                Ok(verdict) => {
                    *counts.entry(verdict).or_default() += 1;
                    if verdict == Verdict::Differs {
                        println!("differs: {}", place(example));
                    }
                }
                Err(fault) => faults.push(format!("{}: {fault}", place(example))),
            }
        }
    }
    let count = |verdict| counts.get(&verdict).copied().unwrap_or(0);
    println!(
        "golden table: {} pass fully, {} differ as noted, {} are beyond a single translation",
        count(Verdict::Full),
        count(Verdict::Differs),
        count(Verdict::Beyond),
    );
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn no_example_is_missing() {
    let table = table();
    let examples = || table.iter().flat_map(|(_, examples)| examples);
    let found: BTreeSet<String> = examples().map(|example| example.id.clone()).collect();
    let mut wanted: BTreeSet<String> = UNNUMBERED.iter().map(|&id| id.to_owned()).collect();
    for (section, count) in SECTIONS {
        wanted.extend((1..=*count).map(|number| format!("{section}/{number}")));
    }
    let differ: Vec<&String> = found.symmetric_difference(&wanted).collect();
    assert!(differ.is_empty(), "missing, or not of the list: {differ:?}");
    let mut places = BTreeSet::new();
    for example in examples() {
        assert!(places.insert(place(example)), "twice: {}", place(example));
    }
    let named: BTreeSet<&str> =
        examples().flat_map(|example| &example.route_options).map(String::as_str).collect();
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ROUTE_OPTIONS);
}

/// The judge is worth as much as what it notices: each expectation, altered, has to be one.
#[test]
fn an_altered_expectation_is_noticed() {
    let mut noticed = 0;
    for (pair, examples) in &table() {
        for example in examples {
            let verdict = judge(pair, example);
            if !matches!(verdict, Ok(Verdict::Full)) {
                continue;
            }
            for (what, altered) in alterations(example, verdict == Ok(Verdict::Full)) {
                let altered_verdict = judge(pair, &altered);
                let unnoticed = matches!(altered_verdict, Ok(Verdict::Full));
                assert!(!unnoticed, "{}: {what}", place(example));
                noticed += 1;
            }
        }
    }
    assert!(noticed > 100, "only {noticed} alterations");
}

/// An example with each part of its expectation altered. Of one that waits neither payload nor notes show.
fn alterations(example: &Example, full: bool) -> Vec<(&'static str, Example)> {
    let mut list = Vec::new();
    let mut alter = |what: &'static str, change: &dyn Fn(&mut Outcome)| {
        let mut altered = example.clone();
        change(&mut altered.expected);
        list.push((what, altered));
    };
    match &example.expected {
        Outcome::Sent { messages, .. } if !messages.is_empty() => {
            let each = |change: &dyn Fn(&mut Message), outcome: &mut Outcome| {
                let Outcome::Sent { messages, .. } = outcome else { return };
                messages.iter_mut().for_each(change);
            };
            alter("topic", &|outcome| each(&|out| out.topic.insert(0, 'x'), outcome));
            alter("retain", &|outcome| each(&|out| out.retain = !out.retain, outcome));
            let other =
                |qos| if qos == Qos::AtMostOnce { Qos::AtLeastOnce } else { Qos::AtMostOnce };
            alter("qos", &|outcome| each(&|out| out.qos = other(out.qos), outcome));
            if full {
                alter("payload", &|outcome| each(&|out| out.payload.push(b'x'), outcome));
                alter("notes", &|outcome| {
                    let Outcome::Sent { notes, .. } = outcome else { return };
                    notes.push("seconds_rounded".to_owned());
                });
                alter("refused", &|outcome| *outcome = refused("bad_topic"));
            }
        }
        Outcome::Sent { .. } => {}
        Outcome::Refused { .. } if !full => {}
        Outcome::Refused { .. } => {
            alter("reason", &|outcome| *outcome = refused("ts_invalid"));
        }
        Outcome::Filters(_) => {
            alter("filter", &|outcome| *outcome = Outcome::Filters(vec!["x/#".to_owned()]));
            alter("no filter", &|outcome| *outcome = Outcome::Filters(Vec::new()));
        }
        Outcome::Connect { .. } => alter("client", &|outcome| {
            let Outcome::Connect { client_id, .. } = outcome else { return };
            client_id.push('x');
        }),
    }
    list
}

/// What a live session does with a message is what `explain` says: the same bytes reach the other side, or
/// none do.
#[test]
fn a_live_session_agrees_with_explain() {
    let mut compared = 0;
    for (pair, examples) in &table() {
        for example in examples {
            let Input::Message { way, message } = &example.input else { continue };
            if !example.before.is_empty() {
                continue;
            }
            let explanation = explain(
                &translator(pair, example),
                *way,
                &incoming(message),
                &mut Memory::default(),
                &mut then(),
            );
            let wanted = explanation
                .outcome
                .map(|messages| messages.iter().map(explained_message).collect::<Vec<Message>>());
            let wanted = wanted.unwrap_or_default();
            let asked: Vec<&str> = match way {
                Way::Up => Vec::new(),
                Way::Down => wanted.iter().map(|wanted| wanted.topic.as_str()).collect(),
            };
            let live = live(translator(pair, example), *way, message, &asked);
            assert_eq!(live, wanted, "{}", place(example));
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} examples");
}

/// The device asks for a topic and the upstream grants it.
fn subscribe(session: &mut Session, version: Version, topic_filter: &str, wake: &mut Wake<'_>) {
    let identifier = PacketIdentifier::new(9).unwrap();
    let subscription = Subscription {
        topic_filter,
        qos: Qos::ExactlyOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    };
    let mut bytes = Vec::new();
    encode_subscribe(version, identifier, Properties::EMPTY, &[subscription], &mut bytes).unwrap();
    wake.to_upstream.clear();
    session.on_device_bytes(&bytes, wake);
    let raw = next_packet(wake.to_upstream, version, usize::MAX).unwrap().expect("a SUBSCRIBE");
    let Ok(Packet::Subscribe(sent)) = Packet::decode(raw, version) else { panic!("no SUBSCRIBE") };
    let reason_codes: Vec<u8> = sent.subscriptions().map(|_| 1).collect();
    let suback = Suback {
        packet_identifier: identifier,
        properties: Properties::EMPTY,
        reason_codes: &reason_codes,
    };
    bytes.clear();
    suback.encode(version, &mut bytes).unwrap();
    session.on_upstream_bytes(&bytes, wake);
}

/// A session of the version that the upstream speaks, up to its CONNACK, then the message.
fn live(translator: Translator, way: Way, message: &Message, subscribed: &[&str]) -> Vec<Message> {
    let versions = [Version::V311, Version::V5];
    let version =
        *versions.iter().find(|version| translator.version_for(**version) == **version).unwrap();
    let plan = SessionPlan {
        translator,
        limits: SessionLimits::default(),
        on_refusal: OnRefusal::AckAndDrop,
    };
    let now = Instant::now();
    let mut session = Session::new(Arc::new(plan), now);
    let (mut to_device, mut to_upstream) = (Vec::new(), Vec::new());
    let (mut scratch, tally) = (session::Scratch::starting_at(17), Tally::default());
    scratch.set_time(1_567_677_926_000);
    let mut wake = Wake {
        now,
        to_device: &mut to_device,
        to_upstream: &mut to_upstream,
        scratch: &mut scratch,
        tally: &tally,
    };
    let connect = Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 0,
        client_identifier: "",
        properties: Properties::EMPTY,
        will: None,
        user_name: None,
        password: None,
    };
    let mut bytes = Vec::new();
    connect.encode(&mut bytes).unwrap();
    session.on_device_bytes(&bytes, &mut wake);
    assert!(session.wants_upstream(), "{:?}", session.end());
    session.on_upstream_open(now);
    bytes.clear();
    let connack = Connack {
        session_present: false,
        reason_code: ReasonCode::Success,
        properties: Properties::EMPTY,
    };
    connack.encode(version, &mut bytes).unwrap();
    session.on_upstream_bytes(&bytes, &mut wake);
    for topic in subscribed {
        subscribe(&mut session, version, topic, &mut wake);
    }
    wake.to_device.clear();
    wake.to_upstream.clear();
    bytes.clear();
    let publish = Publish {
        dup: false,
        qos: message.qos,
        retain: message.retain,
        topic_name: &message.topic,
        packet_identifier: PacketIdentifier::new(7).filter(|_| message.qos != Qos::AtMostOnce),
        properties: Properties::EMPTY,
        payload: &message.payload,
    };
    publish.encode(version, &mut bytes).unwrap();
    let out = match way {
        Way::Up => {
            session.on_device_bytes(&bytes, &mut wake);
            wake.to_upstream
        }
        Way::Down => {
            session.on_upstream_bytes(&bytes, &mut wake);
            wake.to_device
        }
    };
    assert_eq!(session.end(), None);
    let mut messages = Vec::new();
    let mut rest = &out[..];
    while let Some(raw) = next_packet(rest, version, usize::MAX).unwrap() {
        rest = &rest[raw.bytes.len()..];
        if let Ok(Packet::Publish(publish)) = Packet::decode(raw, version) {
            messages.push(Message {
                topic: publish.topic_name.to_owned(),
                payload: publish.payload.to_vec(),
                qos: publish.qos,
                retain: publish.retain,
            });
        }
    }
    messages
}

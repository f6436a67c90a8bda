//! What is written says on its own platform what it was meant to say: each topic that a pair renders is read
//! again with the table of the platform that it goes to.

use std::sync::Arc;

use interlingua::dialect::{
    Dialect, Form, Level, Part, Sender, Usage, builtin, builtin_names, parse,
};
use interlingua::mqtt::Qos;
use interlingua::translate::{
    Explanation, Identity, Incoming, Memory, Reason, Scratch, Side, Translator, Way, compile,
    explain,
};

/// Values for whatever variables a dialect has; those that it doesn't have are left out.
const VALUES: &[(&str, &str)] = &[
    ("token", "TOK"),
    ("account", "U000001"),
    ("subscription", "acme-sub"),
    ("space", "acme"),
    ("registry", "plant"),
    ("home", "h1"),
    ("gateway", "gw1"),
    ("collection", "plant"),
    ("group", "all"),
];

fn side(dialect: Dialect) -> Side {
    let dialect = Arc::new(dialect);
    let known = VALUES.iter().filter(|(name, _)| dialect.variable(name).is_some());
    known.fold(Side::new(dialect.clone()), |side, (name, text)| side.with(name, text))
}

fn built(name: &str) -> Dialect {
    builtin(name).expect("a built-in dialect").expect("a sound table")
}

fn pair(from: Side, to: Side) -> Translator {
    compile(from, to, Identity::Same).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn told(translator: &Translator, way: Way, topic_name: &str, payload: &[u8]) -> Explanation {
    let message = Incoming { topic_name, payload, qos: Qos::AtLeastOnce, retain: false };
    explain(translator, way, &message, &mut Memory::default(), &mut Scratch::default())
}

fn sent(translator: &Translator, topic_name: &str) -> Result<String, Reason> {
    let outcome = told(translator, Way::Up, topic_name, b"5").outcome;
    outcome.map(|sent| sent[0].topic_name.clone()).map_err(|refusal| refusal.reason)
}

#[test]
fn a_tag_that_means_something_else_on_the_other_platform_is_refused() {
    let translator = pair(side(built("thingscale")), side(built("omnicore")));
    for (tag, expected) in [
        ("room1", Ok("/plant/dev77/events/room1")),
        ("errors", Ok("/plant/dev77/events/errors")),
        ("error", Err(Reason::IdIllegalForTarget)),
        ("log", Err(Reason::IdIllegalForTarget)),
        ("data", Ok("/plant/dev77/events/data")),
    ] {
        let topic = format!("TOK/json/dev77/{tag}");
        assert_eq!(sent(&translator, &topic), expected.map(str::to_owned), "{tag}");
    }
    // `response` is a response on both platforms; as a binary tag it is a name like any other.
    assert_eq!(
        sent(&translator, "TOK/json/dev77/response"),
        Ok("/plant/dev77/events/response".to_owned())
    );
    assert_eq!(
        sent(&translator, "TOK/binary/dev77/response"),
        Err(Reason::IdIllegalForTarget),
        "OmniCore would take a measurement for an answer"
    );
}

#[test]
fn a_subfolder_that_is_a_tag_with_a_meaning_is_refused() {
    let translator = pair(side(built("omnicore")), side(built("thingscale")));
    assert_eq!(
        sent(&translator, "/plant/dev77/events/room1"),
        Ok("TOK/json/dev77/room1".to_owned())
    );
    // An answer with a subfolder has no tag of its own on ThingScale.
    assert_eq!(
        sent(&translator, "/plant/dev77/events/response"),
        Ok("TOK/json/dev77/response".to_owned())
    );
    let tags = side(built("thingscale")).with_option("event-tags");
    let translator = pair(side(built("omnicore")), tags);
    assert_eq!(
        sent(&translator, "/plant/dev77/events/event.door"),
        Err(Reason::IdIllegalForTarget),
        "with the option on, the tag is an event's"
    );
    assert_eq!(
        sent(&translator, "/plant/dev77/events/event"),
        Ok("TOK/json/dev77/event".to_owned())
    );
}

#[test]
fn a_name_that_the_payload_gives_is_looked_at_too() {
    let translator = pair(side(built("smartworks")), side(built("omnicore")));
    let topic = "spaces/acme/things/dev77/events";
    let outcome = |payload: &[u8]| told(&translator, Way::Up, topic, payload).outcome;
    let sent = outcome(br#"{"door":{"data":"open"}}"#).expect("an event with a name of its own");
    assert_eq!(sent[0].topic_name, "/plant/dev77/events/door");
    let refused = outcome(br#"{"response":{"data":"open"}}"#).expect_err("OmniCore's own word");
    assert_eq!(refused.reason, Reason::IdIllegalForTarget);
    let sent = outcome(br#"{"log":{"data":"open"}}"#).expect("a log entry is an event there, too");
    assert_eq!(sent[0].topic_name, "/plant/dev77/events/log");
}

#[test]
fn a_user_table_with_a_special_case_keeps_it_for_itself() {
    let table = r#"
name = "house"
mqtt = ["3.1.1"]

[[topic]]
kind = "error"
from = "device"
template = "{device}/up/fault"

[[topic]]
kind = "telemetry"
from = "device"
template = "{device}/up/weight"
address = { channel = "weight" }

[[topic]]
kind = "telemetry"
from = "device"
template = "{device}/up/mass"
address = { channel = "kilogrammes" }

[[topic]]
kind = "telemetry"
from = "device"
template = "{device}/up/{channel}"

[[topic]]
kind = "command"
from = "cloud"
template = "{device}/down"
"#;
    let house = parse("house.toml", table).expect("a sound table");
    let translator = pair(side(built("thingscale")), side(house));
    for (tag, expected) in [
        ("room1", Ok("dev77/up/room1")),
        ("weight", Ok("dev77/up/weight")),
        ("fault", Err(Reason::IdIllegalForTarget)),
        ("mass", Err(Reason::IdIllegalForTarget)),
    ] {
        let topic = format!("TOK/json/dev77/{tag}");
        assert_eq!(sent(&translator, &topic), expected.map(str::to_owned), "{tag}");
    }
}

/// What stands in a table's topics as it is, and could stand where another form has a name.
fn words(dialect: &Dialect) -> Vec<String> {
    let mut words = vec!["room1".to_owned()];
    for form in &dialect.forms {
        let text = form.template.to_string();
        let levels = text.split(['/', '[', ']']).filter(|level| !level.contains(['{', '}']));
        words.extend(levels.filter(|level| !level.is_empty()).map(str::to_owned));
    }
    words.sort();
    words.dedup();
    words
}

#[test]
fn whatever_a_built_in_pair_writes_is_read_as_it_was_meant() {
    let (mut readings, mut refusals, mut apart) = (0, 0, Vec::new());
    for from in builtin_names().filter(|name| *name != "plain") {
        for to in builtin_names().filter(|name| *name != "plain" && *name != from) {
            let forward = compile(side(built(from)), side(built(to)), Identity::Same);
            let back = compile(side(built(to)), side(built(from)), Identity::Same);
            let (Ok(forward), Ok(back)) = (forward, back) else {
                apart.push((from, to));
                continue;
            };
            let written = built(to);
            for (way, topic) in topics(&built(from), &words(&written)) {
                let (writer, reader) =
                    if way == Way::Up { (&forward, &back) } else { (&back, &forward) };
                let counted = check(writer, reader, &written, way, &topic);
                readings += counted[0];
                refusals += counted[1];
            }
        }
    }
    assert_eq!(apart, [], "dialects with nothing in common");
    assert!(readings > 1_000 && refusals > 10, "{readings} readings, {refusals} refusals");
}

/// Every form of a dialect with every word as its channel, and as its device.
fn topics(dialect: &Dialect, words: &[String]) -> Vec<(Way, String)> {
    let mut topics = Vec::new();
    for form in &dialect.forms {
        let way = if form.from == Sender::Device { Way::Up } else { Way::Down };
        for word in words {
            for variant in form.template.variants() {
                for (device, name) in [("dev77", &**word), (word, "room1")] {
                    let levels =
                        variant.iter().map(|level| filled(dialect, form, level, [device, name]));
                    topics.push((way, levels.collect::<Vec<_>>().join("/")));
                }
            }
        }
    }
    topics.sort_by(|one, other| one.1.cmp(&other.1));
    topics.dedup();
    topics
}

fn filled(dialect: &Dialect, form: &Form, level: &Level, [device, name]: [&str; 2]) -> String {
    let (variable, prefix, suffix) = match level {
        Level::Literal(literal) => return literal.to_string(),
        Level::Capture { variable, prefix, suffix } => (variable, &**prefix, &**suffix),
        Level::Rest { variable } => (variable, "", ""),
    };
    let configured = VALUES.iter().find(|(name, _)| **name == **variable);
    let text = match (configured, dialect.part_of(form, variable)) {
        (Some((_, text)), _) => text,
        (None, Some(Part::Device)) => device,
        (None, _) => name,
    };
    format!("{prefix}{text}{suffix}")
}

/// Payloads that one form or another takes.
const PAYLOADS: &[&[u8]] = &[
    b"5",
    br#"{"a":5}"#,
    br#"{"a":{"data":5}}"#,
    br#"{"id":"1","name":"a","status":"done","message":"m"}"#,
    br#"{"type":"periodic_report","timestamp":1567677956,"report":{"value":5}}"#,
    br#"{"type":"command_response","timestamp":1567677956,"value":5}"#,
    br#"{"type":"error","timestamp":1567677956,"value":5}"#,
];

/// Translates a topic with every payload and reads what comes out; how many readings and refusals that were.
fn check(
    writer: &Translator,
    reader: &Translator,
    to: &Dialect,
    way: Way,
    topic: &str,
) -> [usize; 2] {
    let (mut readings, mut refusals) = (0, 0);
    for payload in PAYLOADS {
        let meant = told(writer, way, topic, payload);
        let sent = match &meant.outcome {
            Ok(sent) => sent,
            Err(refusal) => {
                refusals += usize::from(refusal.reason == Reason::IdIllegalForTarget);
                continue;
            }
        };
        for message in sent {
            let target = meant.target.as_ref().expect("what is sent has a form");
            let mut forms = to.forms.iter();
            let form = forms.find(|form| form.line == target.line).expect("a form of the table");
            let read = told(reader, way, &message.topic_name, &message.payload);
            let refused = read.outcome.as_ref().err().map(|refusal| refusal.reason);
            assert_ne!(refused, Some(Reason::BadTopic), "{topic} became {}", message.topic_name);
            // A payload that is none of MQTT2GO's passes between its two versions as it is, and says no type.
            let Some(seen) = &read.form else { continue };
            let seen_form = to.forms.iter().find(|form| form.line == seen.line);
            // Where the payload tells the kind, it does so on its own.
            let by_topic = seen_form.is_some_and(|form| form.when.is_none());
            if form.usage == Usage::Both && by_topic {
                assert_eq!(
                    seen.kind, target.kind,
                    "{topic} became {} in {}",
                    message.topic_name, to.name
                );
            }
            // MQTT2GO has one log for a whole gateway, which is said to be a device there.
            if !form.address.iter().any(|(bound, _)| *bound == Part::Device) {
                assert_eq!(device(&read), device(&meant), "{topic} became {}", message.topic_name);
            }
            readings += 1;
        }
    }
    [readings, refusals]
}

fn device(told: &Explanation) -> Option<&str> {
    let mut address = told.address.iter();
    address.find(|(part, _)| *part == Part::Device).map(|(_, text)| &**text)
}

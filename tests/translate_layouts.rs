//! Frames that a user's table declares, both ways: values put into them and taken out of them, one frame to
//! another, and payloads that aren't what their table says.

use std::sync::Arc;

use interlingua::dialect::{builtin, parse};
use interlingua::mqtt::Qos;
use interlingua::translate::{
    Explanation, Identity, Incoming, Memory, Scratch, Side, Translator, Way, compile, explain,
};

/// 2019-09-05T10:05:26.007Z
const RECEIVED: u64 = 1_567_677_926_007;

/// Everything stands in the frame.
const HOUSE: &str = r#"
name = "house"
mqtt = ["3.1.1", "5"]

[layouts.report]
body       = "data.value"
timestamp  = "meta.ts"
time       = "milliseconds"
channel    = "meta.name"
constants  = { "meta.version" = 1, "kind" = "report" }

[layouts.order]
body       = "do.with"
identifier = "id"
channel    = "do.what"

[layouts.answer]
body       = "result"
identifier = "id"
timestamp  = "at"

[[topic]]
kind = "telemetry"
from = "device"
template = "{device}/up"
shape = "report"

[[topic]]
kind = "response"
from = "device"
template = "{device}/answer"
shape = "answer"

[[topic]]
kind = "command"
from = "cloud"
template = "{device}/down"
shape = "order"
"#;

/// The channel stands in the topic.
const ROOMS: &str = r#"
name = "rooms"
mqtt = ["3.1.1", "5"]
layouts = { value = { body = "v", timestamp = "at", time = "iso" }, ask = { body = "args", identifier = "no" } }

[[topic]]
kind = "telemetry"
from = "device"
template = "rooms/{device}/{channel}"
shape = "value"

[[topic]]
kind = "command"
from = "cloud"
template = "rooms/{device}/{channel}/set"
shape = "ask"
"#;

/// The frame of `house` under another name, and a topic that says the channel, too.
const SHED: &str = r#"
name = "shed"
mqtt = ["3.1.1", "5"]

[layouts.same]
body       = "data.value"
timestamp  = "meta.ts"
time       = "milliseconds"
channel    = "meta.name"
constants  = { "meta.version" = 1, "kind" = "report" }

[[topic]]
kind = "telemetry"
from = "device"
template = "shed/{device}"
shape = "same"

[[topic]]
kind = "command"
from = "cloud"
template = "shed/{device}/in"
shape = "json"
"#;

fn own(table: &str) -> Side {
    let dialect = parse("own.toml", table).unwrap_or_else(|faults| panic!("{faults:#?}"));
    Side::new(Arc::new(dialect))
}

fn built(name: &str) -> Side {
    let dialect = builtin(name).expect("a built-in dialect").expect("a sound table");
    let values =
        [("token", "TOK"), ("account", "U1"), ("registry", "plant"), ("subscription", "acme-sub")];
    let values = values.iter().filter(|(name, _)| dialect.variable(name).is_some());
    let side = Side::new(Arc::new(dialect.clone()));
    values.fold(side, |side, (name, text)| side.with(name, text))
}

fn pair(device: Side, upstream: Side) -> Translator {
    compile(device, upstream, Identity::Same).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn told(translator: &Translator, way: Way, topic_name: &str, payload: &str) -> Explanation {
    let payload = payload.as_bytes();
    let message = Incoming { topic_name, payload, qos: Qos::AtLeastOnce, retain: false };
    explain(translator, way, &message, &mut Memory::default(), &mut Scratch::at(RECEIVED, 17))
}

/// What goes out: topics, payloads and notes, or the reason why nothing does.
fn sent(translator: &Translator, way: Way, topic_name: &str, payload: &str) -> String {
    let explanation = told(translator, way, topic_name, payload);
    let messages = match explanation.outcome {
        Ok(messages) => messages,
        Err(refusal) => return format!("refused {}", refusal.reason),
    };
    let shown = messages.iter().map(|message| {
        let payload = String::from_utf8_lossy(&message.payload);
        let untouched = if message.payload_untouched { " untouched" } else { "" };
        format!("{} {payload}{untouched}", message.topic_name)
    });
    let notes = explanation.notes.iter().map(|note| format!("note {}", note.label()));
    shown.chain(notes).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(translator: &Translator, way: Way, rows: &[(&str, &str, &str)]) {
    for (topic, payload, expected) in rows {
        assert_eq!(sent(translator, way, topic, payload), *expected, "{topic}: {payload}");
    }
}

#[test]
fn values_are_put_into_the_frame() {
    let translator = pair(built("thingscale"), own(HOUSE));
    check(
        &translator,
        Way::Up,
        &[
            (
                "TOK/json/dev77/room1",
                "23.50",
                r#"dev77/up {"data":{"value":23.50},"meta":{"ts":1567677926007,"name":"room1","version":1},"kind":"report"}"#,
            ),
            (
                "TOK/json/dev77",
                r#"{"t": 1, "h": 2}"#,
                r#"dev77/up {"data":{"value":{"t": 1, "h": 2}},"meta":{"ts":1567677926007,"version":1},"kind":"report"}"#,
            ),
            (
                "TOK/json/dev77/response",
                r#"{"id":"c-9","status":"done"}"#,
                r#"dev77/answer {"result":{"id":"c-9","status":"done"},"at":1567677926,"id":"c-9"}"#,
            ),
            ("TOK/binary/dev77/img", "\u{1}", "refused payload_not_json"),
        ],
    );
    let mut timed = built("thingscale");
    timed.payload.time_key = Some("ts".into());
    let rows: &[(&str, &str, &str)] = &[(
        "TOK/json/dev77/t",
        r#"{"v":1,"ts":1567677900.25}"#,
        r#"dev77/up {"data":{"value":{"v":1}},"meta":{"ts":1567677900250,"name":"t","version":1},"kind":"report"}"#,
    )];
    check(&pair(timed, own(HOUSE)), Way::Up, rows);
}

#[test]
fn a_topic_that_needs_the_channel_gets_one_message_per_member() {
    let translator = pair(built("thingscale"), own(ROOMS));
    assert!(translator.may_split(Way::Up));
    check(
        &translator,
        Way::Up,
        &[
            ("TOK/json/dev77/room1", "[1]", "refused payload_shape"),
            (
                "TOK/json/dev77/room1",
                "1",
                r#"rooms/dev77/room1 {"v":1,"at":"2019-09-05T10:05:26.007Z"}"#,
            ),
            (
                "TOK/json/dev77",
                r#"{"t":1,"h":{"x":2}}"#,
                "rooms/dev77/t {\"v\":1,\"at\":\"2019-09-05T10:05:26.007Z\"}\n\
                 rooms/dev77/h {\"v\":{\"x\":2},\"at\":\"2019-09-05T10:05:26.007Z\"}",
            ),
            ("TOK/json/dev77", "5", "refused no_channel"),
        ],
    );
}

#[test]
fn values_come_out_of_the_frame() {
    let report = r#"{"data":{"value":{"t":2.50}},"meta":{"name":"room1","ts":1}}"#;
    let nameless = r#"{"data":{"value":"open"},"kind":"another"}"#;
    let answer = r#"{"id":"c-9","result":{"ok":true}}"#;
    for (upstream, rows) in [
        (
            "thingscale",
            [
                ("dev77/up", report, "TOK/json/dev77/room1 {\"t\":2.50}\nnote meta_lost"),
                ("dev77/up", nameless, "refused no_channel"),
                ("dev77/answer", answer, "TOK/json/dev77/response {\"ok\":true}\nnote meta_lost"),
            ],
        ),
        (
            "omnicore",
            [
                ("dev77/up", report, "/plant/dev77/events/room1 {\"t\":2.50}\nnote meta_lost"),
                ("dev77/up", nameless, "refused no_channel"),
                (
                    "dev77/answer",
                    answer,
                    "/plant/dev77/events/response {\"ok\":true}\nnote meta_lost",
                ),
            ],
        ),
    ] {
        check(&pair(own(HOUSE), built(upstream)), Way::Up, &rows);
    }
    let bare: &[(&str, &str, &str)] = &[
        ("rooms/dev77/door", r#"{"v":"open"}"#, r#"TOK/json/dev77/door "open""#),
        ("rooms/dev77/door", r#"{"v":[1]}"#, "refused payload_shape"),
    ];
    check(&pair(own(ROOMS), built("thingscale")), Way::Up, bare);
    let rows: &[(&str, &str, &str)] = &[(
        "dev77/up",
        report,
        r#"v1/device/dev77/telemetry {"status":"online","timestamp":"1970-01-01T00:00:00.001Z","telemetries":{"room1.t":2.50}}"#,
    )];
    check(&pair(own(HOUSE), built("xyte")), Way::Up, rows);
}

#[test]
fn commands_keep_their_identifier_or_get_one() {
    check(
        &pair(own(HOUSE), built("omnicore")),
        Way::Down,
        &[
            (
                "/plant/dev77/commands/open",
                "now",
                r#"dev77/down {"do":{"with":"now","what":"open"},"id":"c-17"}"#,
            ),
            ("/plant/dev77/commands/open", "", r#"dev77/down {"do":{"what":"open"},"id":"c-17"}"#),
            (
                "/plant/dev77/commands",
                r#"{"action":"dim","input":{"to":3},"id":"c-\u0039"}"#,
                r#"dev77/down {"do":{"with":{"to":3},"what":"dim"},"id":"c-\u0039"}"#,
            ),
        ],
    );
    check(
        &pair(own(HOUSE), built("xyte")),
        Way::Down,
        &[(
            "v1/device/dev77/command",
            r#"{"id":"77","status":"pending","name":"dim","parameters":{"to":3}}"#,
            r#"dev77/down {"do":{"with":{"to":3},"what":"dim"},"id":"77"}"#,
        )],
    );
    check(
        &pair(built("xyte"), own(HOUSE)),
        Way::Down,
        &[
            (
                "dev77/down",
                r#"{"id":"77","do":{"what":"dim","with":{"to":3}}}"#,
                r#"v1/device/dev77/command {"id":"77","status":"pending","name":"dim","parameters":{"to":3}}"#,
            ),
            (
                "dev77/down",
                r#"{"do":{"what":"open"}}"#,
                r#"v1/device/dev77/command {"id":"c-17","status":"pending","name":"open","parameters":{}}"#,
            ),
            ("dev77/down", "{}", "refused no_channel"),
        ],
    );
    check(
        &pair(built("thingscale"), own(HOUSE)),
        Way::Down,
        &[
            (
                "dev77/down",
                r#"{"id":"77","do":{"what":"dim","with":3}}"#,
                r#"TOK/dev77/subscribe {"action":"dim","input":3,"id":"77"}"#,
            ),
            (
                "dev77/down",
                r#"{"id":"77","do":{"with":"on"}}"#,
                "TOK/dev77/subscribe \"on\"\nnote meta_lost",
            ),
        ],
    );
}

#[test]
fn an_answer_gets_the_identifier_that_its_command_had() {
    let desk = r#"
name = "desk"
mqtt = ["5"]
layouts = { outcome = { body = "r", identifier = "of" } }
[[topic]]
kind = "command"
from = "cloud"
template = "desk/{device}/in"
shape = "json"
[[topic]]
kind = "response"
from = "device"
template = "desk/{device}/out"
shape = "outcome"
"#;
    let translator = pair(own(HOUSE), own(desk));
    let (mut memory, mut scratch) = (Memory::default(), Scratch::at(RECEIVED, 17));
    let mut payload_of = |way, topic_name: &str, payload: &str| {
        let payload = payload.as_bytes();
        let message = Incoming { topic_name, payload, qos: Qos::AtLeastOnce, retain: false };
        let translated = translator.publish(way, &message, &mut memory, &mut scratch);
        let sent = translated.ok().and_then(|sent| sent.messages().next());
        let sent = sent.map(|sent| String::from_utf8_lossy(sent.payload).into_owned());
        memory.settle();
        sent.unwrap_or_default()
    };
    for (command, order, outcome) in [
        (
            r#"{"action":"dim","input":3,"id":"x-1"}"#,
            r#"{"do":{"with":3,"what":"dim"},"id":"x-1"}"#,
            r#"{"r":true,"of":"x-1"}"#,
        ),
        (
            r#"{"action":"dim","input":3}"#,
            r#"{"do":{"with":3,"what":"dim"},"id":"c-19"}"#,
            r#"{"r":true,"of":"c-19"}"#,
        ),
    ] {
        assert_eq!(payload_of(Way::Down, "desk/dev77/in", command), order);
        assert_eq!(payload_of(Way::Up, "dev77/answer", r#"{"result":true}"#), outcome);
    }
    assert_eq!(payload_of(Way::Up, "dev77/answer", r#"{"result":true}"#), r#"{"r":true}"#);
}

#[test]
fn one_frame_becomes_another() {
    let translator = pair(own(HOUSE), own(ROOMS));
    let value = r#"{"kind":7,"data":{"value":1.0},"meta":{"ts":1567677926123,"name":"t"}}"#;
    check(
        &translator,
        Way::Up,
        &[
            ("dev77/up", value, r#"rooms/dev77/t {"v":1.0,"at":"2019-09-05T10:05:26.123Z"}"#),
            ("dev77/up", r#"{"data":{"value":1}}"#, "refused no_channel"),
        ],
    );
    let asked = r#"{"args":[1],"no":"5"}"#;
    let down: &[(&str, &str, &str)] = &[
        ("rooms/dev77/dim/set", asked, r#"dev77/down {"do":{"with":[1],"what":"dim"},"id":"5"}"#),
        ("rooms/dev77/dim/set", "{}", r#"dev77/down {"do":{"what":"dim"},"id":"c-17"}"#),
    ];
    check(&translator, Way::Down, down);
    let translator = pair(own(ROOMS), own(HOUSE));
    let timed = r#"{"v":1,"at":"2019-09-05T12:05:26+02:00"}"#;
    let up: &[(&str, &str, &str)] = &[(
        "rooms/dev77/t",
        timed,
        r#"dev77/up {"data":{"value":1},"meta":{"ts":1567677926000,"name":"t","version":1},"kind":"report"}"#,
    )];
    check(&translator, Way::Up, up);
    let order = r#"{"do":{"what":"dim","with":2},"id":"8"}"#;
    let down: &[(&str, &str, &str)] =
        &[("dev77/down", order, r#"rooms/dev77/dim/set {"args":2,"no":"8"}"#)];
    check(&translator, Way::Down, down);
}

#[test]
fn the_same_frame_passes_untouched() {
    let translator = pair(own(HOUSE), own(SHED));
    let odd = r#" {"more":[1], "data":{"value":1},"meta":{"name":"t"}} "#;
    let rows: &[(&str, &str, &str)] = &[
        ("dev77/up", odd, &format!("shed/dev77 {odd} untouched")),
        ("dev77/up", "{", "refused payload_not_json"),
    ];
    check(&translator, Way::Up, rows);
    let other = SHED.replace("\"kind\" = \"report\"", "\"kind\" = \"other\"");
    let rewritten = r#"shed/dev77 {"data":{"value":1},"meta":{"ts":1567677926007,"name":"t","version":1},"kind":"other"}"#;
    check(&pair(own(HOUSE), own(&other)), Way::Up, &[("dev77/up", odd, rewritten)]);
}

#[test]
fn a_payload_that_is_not_what_its_table_says_is_refused() {
    let translator = pair(own(HOUSE), built("omnicore"));
    let deep = format!(
        r#"{{"meta":{{"name":"n"}},"data":{{"value":{}1{}}}}}"#,
        "[".repeat(126),
        "]".repeat(126)
    );
    for (payload, reason) in [
        (r#"{"data":{"value":1},"data":{"value":2}}"#, "payload_shape"),
        (r#"{"data":{"value":1,"v\u0061lue":2}}"#, "payload_shape"),
        (r#"{"data":{"value":1},"meta":{"name":"a"},"meta":{"name":"b"}}"#, "payload_shape"),
        (r#"{"data":7}"#, "payload_shape"),
        (r#"{"data":[{"value":1}]}"#, "payload_shape"),
        (r#"{"data":{"value":1},"meta":"x"}"#, "payload_shape"),
        (r#"{"data":{}}"#, "payload_shape"),
        ("{}", "payload_shape"),
        ("5", "payload_shape"),
        ("", "payload_not_json"),
        ("value=1", "payload_not_json"),
        (r#"{"data":{"value":1}"#, "payload_not_json"),
        (r#"{"data":{"value":01}}"#, "payload_not_json"),
        (r#"{"data":{"value":1},"meta":{"ts":"soon"}}"#, "ts_invalid"),
        (r#"{"data":{"value":1},"meta":{"ts":1e9}}"#, "ts_invalid"),
        (r#"{"data":{"value":1},"meta":{"name":3}}"#, "payload_shape"),
        (&deep, "depth_exceeded"),
    ] {
        let told = sent(&translator, Way::Up, "dev77/up", payload);
        assert_eq!(told, format!("refused {reason}"), "{payload}");
        let message = Incoming {
            topic_name: "dev77/up",
            payload: payload.as_bytes(),
            qos: Qos::AtLeastOnce,
            retain: false,
        };
        let (mut memory, mut scratch) = (Memory::default(), Scratch::default());
        assert!(translator.publish(Way::Up, &message, &mut memory, &mut scratch).is_err());
    }
    let just = format!(
        r#"{{"meta":{{"name":"n"}},"data":{{"value":{}1{}}}}}"#,
        "[".repeat(125),
        "]".repeat(125)
    );
    let told = sent(&translator, Way::Up, "dev77/up", &just);
    assert!(told.starts_with("/plant/dev77/events/n [[["), "{told}");
}

#[test]
fn a_form_is_shown_with_the_name_of_its_layout() {
    let translator = pair(own(HOUSE), own(ROOMS));
    let report = r#"{"data":{"value":1},"meta":{"name":"t"}}"#;
    let explanation = told(&translator, Way::Up, "dev77/up", report);
    assert_eq!(explanation.form.map(|form| form.shape).as_deref(), Some("report"));
    assert_eq!(explanation.target.map(|form| form.shape).as_deref(), Some("value"));
}

//! The keys of `[listener.payload]` change what comes out, and what is wrong with them is told.

use interlingua::config::{Arguments, pair_from_arguments};
use interlingua::mqtt::Qos;
use interlingua::translate::{Incoming, Memory, Scratch, Way};

/// A device and an upstream, by the words of the command line, with their variables.
const PAIRS: [(&str, &str, &[&str]); 8] = [
    ("smartworks-g1", "omnicore", &["space=acme", "registry=plant"]),
    ("mqtt2go", "omnicore", &["home=plant", "gateway=gw1"]),
    ("omnicore", "mqtt2go", &["registry=plant", "home=h1", "gateway=gw1"]),
    ("thingscale", "mqtt2go", &["token=TOK", "home=h1", "gateway=gw1"]),
    (
        "thingscale",
        "smartworks-g1",
        &["token=TOK", "tenant=acme", "space=acme", "collection=plant"],
    ),
    ("thingscale", "omnicore", &["token=TOK", "tenant=acme", "subscription=s1", "registry=plant"]),
    ("mqtt2go", "thingscale", &["home=h1", "gateway=gw1", "token=TOK", "account=acme"]),
    (
        "thingscale",
        "smartworks-g1+data",
        &["token=TOK", "tenant=acme", "space=acme", "collection=plant"],
    ),
];

/// What the pair sends with these options, or the reason why it doesn't.
fn sent(pair: usize, options: &[&str], way: Way, topic: &str, payload: &str) -> String {
    sent_bytes(pair, options, way, topic, payload.as_bytes())
}

fn sent_bytes(pair: usize, options: &[&str], way: Way, topic: &str, payload: &[u8]) -> String {
    let (from, to, set) = PAIRS[pair];
    // An option of the upstream's dialect stands behind its name.
    let (to, option) = to.split_once('+').map_or((to, None), |(to, option)| (to, Some(option)));
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let arguments = Arguments {
        listen: "tcp://127.0.0.1:1883".to_owned(),
        upstream: "mqtt://127.0.0.1:1884".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        set: texts(set),
        to_options: option.into_iter().map(str::to_owned).collect(),
        payload: texts(options),
        ..Arguments::default()
    };
    let mut nothing = |_: interlingua::config::Lookup<'_>| Err("no such file".to_owned());
    let pair = match pair_from_arguments(&arguments, &mut nothing) {
        Ok(pair) => pair,
        Err(faults) => return faults.iter().map(|fault| format!("{fault}\n")).collect(),
    };
    let message = Incoming { topic_name: topic, payload, qos: Qos::AtMostOnce, retain: false };
    let mut scratch = Scratch::at(1_567_677_926_000, 17);
    match pair.publish(way, &message, &mut Memory::default(), &mut scratch) {
        Err(refusal) => refusal.reason.label().to_owned(),
        Ok(sent) => sent
            .messages()
            .map(|sent| format!("{} {}", sent.topic_name, String::from_utf8_lossy(sent.payload)))
            .collect::<Vec<_>>()
            .join(" | "),
    }
}

/// Pair, options, way, topic, payload, and what comes out.
type Row<'r> = (usize, &'r [&'r str], Way, &'r str, &'r str, &'r str);

#[track_caller]
fn check(rows: &[Row<'_>]) {
    for (pair, options, way, topic, payload, expected) in rows {
        assert_eq!(sent(*pair, options, *way, topic, payload), *expected, "{options:?} {payload}");
    }
}

const PROPERTY: &str = "set/acme/collections/plant/things/thing1/properties/temp";

#[test]
fn a_property_may_go_up_as_its_value_and_as_telemetry() {
    check(&[
        (
            0,
            &[],
            Way::Up,
            PROPERTY,
            r#"{"temp":21.70}"#,
            r#"/plant/thing1/events/temp {"temp":21.70}"#,
        ),
        (0, &["keyed=document"], Way::Up, PROPERTY, "{ }", "/plant/thing1/events/temp { }"),
        (
            0,
            &["keyed=value"],
            Way::Up,
            PROPERTY,
            r#"{"temp":21.70}"#,
            "/plant/thing1/events/temp 21.70",
        ),
        (
            0,
            &["keyed=value"],
            Way::Up,
            PROPERTY,
            r#"{"temp":{"a":1}}"#,
            r#"/plant/thing1/events/temp {"a":1}"#,
        ),
        (0, &["keyed=value"], Way::Up, PROPERTY, r#"{"other":1}"#, "payload_shape"),
        (0, &["keyed=value"], Way::Up, PROPERTY, r#"{"temp":1,"other":1}"#, "payload_shape"),
        (0, &["keyed=value"], Way::Up, PROPERTY, "21.7", "payload_shape"),
        (0, &["keyed=value"], Way::Up, PROPERTY, "off", "payload_not_json"),
        (
            0,
            &["state=telemetry"],
            Way::Up,
            PROPERTY,
            r#"{"temp":1}"#,
            r#"/plant/thing1/events/temp {"temp":1}"#,
        ),
    ]);
}

const ENTITY_OUT: &str = "plant/gw1/lamp1/switch/out";

#[test]
fn reports_may_be_normalized_and_states_be_telemetry() {
    let report =
        r#"{"type":"periodic_report","timestamp":1567677956,"report":{"value:":[1],"unit":"C"}}"#;
    let status = r#"{"type":"status","timestamp":1567677956,"value":"on"}"#;
    let reply = r#"{"type":"command_response","timestamp":1567677956,"value":"on"}"#;
    let normalized = r#"/plant/lamp1/events/switch {"value":[1],"unit":"C","ts":1567677956000}"#;
    let answered = format!("/plant/lamp1/events/response/switch {reply}");
    let up: &[&str] = &["mqtt2go_up=normalize"];
    let both: &[&str] = &["mqtt2go_up=normalize", "state=telemetry"];
    check(&[
        (1, &[], Way::Up, ENTITY_OUT, report, &format!("/plant/lamp1/events/switch {report}")),
        (1, up, Way::Up, ENTITY_OUT, report, normalized),
        (1, up, Way::Up, ENTITY_OUT, status, r#"/plant/lamp1/state {"switch":"on"}"#),
        (1, up, Way::Up, ENTITY_OUT, reply, &answered),
        (
            1,
            &["state=telemetry"],
            Way::Up,
            ENTITY_OUT,
            status,
            &format!("/plant/lamp1/events/switch {status}"),
        ),
        (
            1,
            both,
            Way::Up,
            ENTITY_OUT,
            status,
            r#"/plant/lamp1/events/switch {"value":"on","ts":1567677956000}"#,
        ),
        (
            1,
            up,
            Way::Up,
            ENTITY_OUT,
            r#"{"type":"periodic_report","timestamp":"x","value":1}"#,
            "ts_invalid",
        ),
    ]);
}

const ENTITY_IN: &str = "h1/gw1/lamp1/switch/in";

#[test]
fn a_command_may_reach_the_device_as_its_value_or_its_text() {
    let on = r#"{"type":"set","timestamp":1567677926,"value":"\u006fn \"x\""}"#;
    let object = r#"{"type":"color","timestamp":1,"value":{"r":1.0}}"#;
    let bare = r#"{"type":"set","timestamp":1567677926}"#;
    let query = r#"{"type":"query","timestamp":1567677926}"#;
    let to = "/plant/lamp1/commands/switch";
    let (value, text): (&[&str], &[&str]) = (&["command=value"], &["command=text"]);
    check(&[
        (2, &[], Way::Down, ENTITY_IN, on, &format!("{to} {on}")),
        (2, value, Way::Down, ENTITY_IN, on, &format!("{to} \"\\u006fn \\\"x\\\"\"")),
        (2, text, Way::Down, ENTITY_IN, on, &format!("{to} on \"x\"")),
        (2, value, Way::Down, ENTITY_IN, object, &format!("{to} {{\"r\":1.0}}")),
        (2, text, Way::Down, ENTITY_IN, object, &format!("{to} {{\"r\":1.0}}")),
        (2, value, Way::Down, ENTITY_IN, bare, "payload_shape"),
        (2, text, Way::Down, ENTITY_IN, bare, "payload_shape"),
        (2, text, Way::Down, ENTITY_IN, query, &format!("{to} {query}")),
        (3, text, Way::Down, ENTITY_IN, object, "TOK/lamp1/subscribe {\"r\":1.0}"),
    ]);
}

#[test]
fn reports_towards_mqtt2go_may_have_units_and_the_time_of_the_values() {
    let report: &[&str] = &["mqtt2go_value=report", "units.t=C", "ts_key=at"];
    let values = r#"{"t":21.80,"at":1567677956123,"h":40}"#;
    let topic = "/plant/ms1/events";
    let in_report = |entity: &str, inside: &str| {
        let frame =
            r#"{"type":"periodic_report","priority_level":2,"timestamp":1567677956,"report":"#;
        format!("h1/gw1/ms1/{entity}/out {frame}{{{inside}}}}}")
    };
    let state =
        r#"h1/gw1/ms1/t/out {"type":"status","priority_level":3,"timestamp":1567677926,"value":1}"#;
    let both = [in_report("t", r#""value":21.80,"unit":"C""#), in_report("h", r#""value":40"#)];
    check(&[
        (2, report, Way::Up, topic, values, &both.join(" | ")),
        (2, report, Way::Up, "/plant/ms1/state", r#"{"t":1}"#, state),
        (2, report, Way::Up, topic, r#"{"at":"noon"}"#, "ts_invalid"),
        (
            3,
            &["ts_key=at"],
            Way::Down,
            "h1/gw1/lamp1/switch/in",
            r#"{"type":"set","value":{"at":"noon"}}"#,
            r#"TOK/lamp1/subscribe {"type":"set","value":{"at":"noon"}}"#,
        ),
    ]);
    let told = sent(2, &["units.t=C"], Way::Up, topic, values);
    assert_eq!(
        told,
        "command line: --payload-option: `units` has no place in a report's `value`; write \
         `mqtt2go_value = \"report\"`, or leave the units out\n"
    );
}

#[test]
fn a_command_may_become_a_text() {
    let named: &[&str] = &["command_template={action}={value}"];
    let nested: &[&str] = &["command_template={{\"{name}\":{input.to.level}}}"];
    let default: &[&str] = &["command_template={action} {value}", "default_action=set"];
    let set = r#"{"type":"set","timestamp":1,"value":"o\u006e"}"#;
    let object = r#"{"type":"set","timestamp":1,"value":{"to":{"level":2.50}}}"#;
    let (to, from) = ("TOK/lamp1/subscribe", "/plant/lamp1/commands");
    let open = &format!("{from}/open/door");
    check(&[
        (3, named, Way::Down, ENTITY_IN, set, &format!("{to} switch=on")),
        (3, nested, Way::Down, ENTITY_IN, object, &format!("{to} {{\"switch\":2.50}}")),
        (3, named, Way::Down, ENTITY_IN, object, "payload_shape"),
        (3, nested, Way::Down, ENTITY_IN, set, "payload_shape"),
        (5, named, Way::Down, open, "", "payload_shape"),
        (5, named, Way::Down, open, "null", "payload_shape"),
        (5, named, Way::Down, open, "[1]", "payload_shape"),
        (5, named, Way::Down, open, "true", &format!("{to} open/door=true")),
        (5, named, Way::Down, open, r#"{"value":5}"#, &format!("{to} open/door=5")),
        (5, named, Way::Down, from, "5", "payload_shape"),
        (5, default, Way::Down, from, "on", &format!("{to} set on")),
        (5, named, Way::Down, from, r#"{"action":"open","input":7}"#, &format!("{to} open=7")),
    ]);
    for (options, told) in [
        (
            &["command_template={acton}"][..],
            "has `{acton}`, which no command has; write a text with \
          `{action}`, `{value}` or `{input.…}`, and `{{` for a brace",
        ),
        (
            &["command_template={value}", "command=text"][..],
            "and `command` both say what becomes of commands; leave one of them out",
        ),
    ] {
        let expected = format!("command line: --payload-option: `command_template` {told}\n");
        assert_eq!(sent(5, options, Way::Down, open, "1"), expected);
    }
}

#[test]
fn whole_payloads_may_go_into_an_envelope() {
    let on: &[&str] = &["envelope=true", "ts_key=at"];
    let off: &[&str] = &["envelope=false"];
    let report =
        r#"{"type":"periodic_report","priority_level":2,"timestamp":1567677956,"value":1.50}"#;
    let of_lamp = r#""addr":{"site":"plant","gateway":"gw1","device":"lamp1","channel":"switch"}"#;
    let reported = format!(
        r#"/plant/lamp1/events/switch {{"v":1,"src":"mqtt2go","kind":"telemetry",{of_lamp},"ts":1567677956000,"enc":"json","body":{report}}}"#
    );
    let from_thingscale = |kind: &str, channel: &str, rest: &str| {
        format!(
            r#"{{"v":1,"src":"thingscale","kind":"{kind}","addr":{{"device":"lamp1"{channel}}},{rest}}}"#
        )
    };
    let events = "/plant/lamp1/events";
    let json = from_thingscale("telemetry", "", r#""enc":"json","body":{"a": 1}"#);
    let timed = from_thingscale("telemetry", "", r#""ts":5000,"enc":"json","body":{"at":5}"#);
    let raw =
        from_thingscale("telemetry", r#","channel":"img""#, r#""enc":"raw","body_b64":"gaF0FA==""#);
    let unpacked =
        from_thingscale("telemetry", r#","channel":"img""#, r#""enc":"json","body":{"t":20}"#);
    let from_omnicore = |rest: &str| {
        let head = r#"{"v":1,"src":"omnicore","kind":"command","addr":{"site":"plant","device":"lamp1","channel":"relay"},"#;
        format!("TOK/lamp1/subscribe {head}{rest}}}")
    };
    let relay = "/plant/lamp1/commands/relay";
    check(&[
        (1, on, Way::Up, ENTITY_OUT, report, &reported),
        (1, off, Way::Up, ENTITY_OUT, report, &format!("/plant/lamp1/events/switch {report}")),
        (5, on, Way::Up, "TOK/json/lamp1", r#" {"a": 1} "#, &format!("{events} {json}")),
        (5, on, Way::Up, "TOK/json/lamp1", r#"{"at":5}"#, &format!("{events} {timed}")),
        (5, on, Way::Down, relay, "on", &from_omnicore(r#""enc":"raw","body_b64":"b24=""#)),
        (5, on, Way::Down, relay, "", &from_omnicore(r#""enc":"raw","body_b64":"""#)),
        (5, on, Way::Down, relay, r#""on""#, &from_omnicore(r#""enc":"json","body":"on""#)),
        (
            5,
            &["envelope=true", "command_template={value}"],
            Way::Down,
            relay,
            "on",
            "TOK/lamp1/subscribe on",
        ),
        (
            4,
            on,
            Way::Up,
            "TOK/json/lamp1",
            r#"{"a":1}"#,
            r#"set/acme/collections/plant/things/lamp1/properties/a {"a":1}"#,
        ),
    ]);
    let record = from_thingscale("telemetry", "", r#""enc":"json","body":{"a":1}"#);
    let of_switch = r#""addr":{"site":"h1","gateway":"gw1","device":"lamp1","channel":"switch"}"#;
    let to_thingscale = format!(
        r#"TOK/json/lamp1/switch {{"v":1,"src":"mqtt2go","kind":"telemetry",{of_switch},"ts":1567677956000,"enc":"json","body":{report}}}"#
    );
    check(&[
        (6, on, Way::Up, "h1/gw1/lamp1/switch/out", report, &to_thingscale),
        (
            7,
            on,
            Way::Up,
            "TOK/json/lamp1",
            r#"{"a":1}"#,
            &format!(r#"set/acme/collections/plant/things/lamp1/data {{"data":{record}}}"#),
        ),
    ]);
    let packed: &[u8] = b"\x81\xa1t\x14";
    for (options, expected) in [(on, raw), (&["envelope=true", "binary=decode"], unpacked)] {
        let sent = sent_bytes(5, options, Way::Up, "TOK/binary/lamp1/img", packed);
        assert_eq!(sent, format!("{events}/img {expected}"));
    }
}

#[test]
fn a_wrong_word_is_told() {
    let told = sent(0, &["command=txt"], Way::Up, PROPERTY, "");
    assert_eq!(
        told,
        "command line: --payload-option: `command` `txt` is not known; did you mean `text`?\n"
    );
}

//! Declared frames: what is read out of them, what becomes of other payloads in them, and the reverse.

use super::*;
use crate::payload::{Constant, Layout, Slot, TimeSpelling};

const SECONDS: Slot = Slot::Timestamp(TimeSpelling::Seconds);
const MILLISECONDS: Slot = Slot::Timestamp(TimeSpelling::Milliseconds);
const ISO: Slot = Slot::Timestamp(TimeSpelling::Iso);

fn layout(slots: &[(&str, Slot)]) -> Layout {
    Layout::new("report", slots).unwrap()
}

fn full() -> Layout {
    layout(&[
        ("data.value", Slot::Body),
        ("meta.ts", MILLISECONDS),
        ("meta.id", Slot::Identifier),
        ("meta.name", Slot::Channel),
        ("meta.version", Slot::Constant(Constant::Integer(-1))),
        ("kind", Slot::Constant(Constant::Text("a \"b\"".into()))),
        ("sure", Slot::Constant(Constant::Flag(true))),
    ])
}

fn bare() -> Layout {
    layout(&[("v", Slot::Body)])
}

/// Channel, body, time and identifier of what was read.
fn read(layout: &Layout, purpose: Purpose, payload: &str) -> Result<String, &'static str> {
    let content = decode_layout(layout, purpose, payload.as_bytes()).map_err(|e| e.reason())?;
    let mut said = String::new();
    if let Some(channel) = content.channel {
        channel.push_to(&mut said);
    }
    let body = match content.body {
        Body::Json(json) => String::from_utf8(json.to_vec()).unwrap(),
        other => format!("{other:?}"),
    };
    let identifier = content.identifier.map_or("", RawString::raw);
    let time = content.timestamp_ms.map_or(String::new(), |time| time.to_string());
    Ok(format!("{said}|{body}|{time}|{identifier}"))
}

/// One payload of a shape in a frame: the text and what was lost (`s`: milliseconds, `m`: something else).
fn framed(
    layout: &Layout,
    (source, purpose): (Shape, Purpose),
    payload: &str,
    (channel, carried): (Option<&str>, Carried),
) -> Result<String, &'static str> {
    let own = options();
    let content = match source {
        Declared => decode_layout(&full(), purpose, payload.as_bytes()),
        _ => decode(source, purpose, payload.as_bytes()),
    };
    let content = content.map_err(|error| error.reason())?;
    written(&content, (source, Declared), Some(layout), (channel, carried), &own)
}

fn written(
    content: &Content<'_>,
    (source, target): (Shape, Shape),
    layout: Option<&Layout>,
    (channel, carried): (Option<&str>, Carried),
    options: &BodyOptions,
) -> Result<String, &'static str> {
    let mut cut = Vec::new();
    let need = if carried == InTopic { Topic } else { No };
    pieces(content, channel.map(Name::Text), target, need, options, &mut cut)
        .map_err(|error| error.reason())?;
    let context = Context {
        purpose: content.purpose,
        received_ms: RECEIVED,
        device: "dev77",
        serial: 17,
        origin: Origin::default(),
        options,
        layout,
    };
    let mut all = Vec::new();
    for piece in &cut {
        let mut out = b"kept".to_vec();
        let outcome = encode(source, target, content, piece, carried, &context, &mut out);
        if let Err(error) = outcome {
            assert_eq!(out, b"kept", "{error}");
            return Err(error.reason());
        }
        let text = String::from_utf8(out.split_off(4)).unwrap();
        let lost = outcome.unwrap();
        let rounded = if lost.seconds_rounded { " s" } else { "" };
        let meta = if lost.meta_lost { " m" } else { "" };
        all.push(format!("{text}{rounded}{meta}"));
    }
    Ok(all.join("; "))
}

#[test]
fn a_frame_says_what_stands_at_its_places() {
    let everything = r#" {"x":[{}],"meta":{"ts":1567677926123,"id":"c-\u0031","name":"te\u006dp","y":1},
        "data" : {"value" : {"a": 2.50} } , "kind":"other"} "#;
    let rows = [
        (Telemetry, everything, Ok(r#"temp|{"a": 2.50}|1567677926123|c-\u0031"#)),
        (Telemetry, r#"{"data":{"value":null}}"#, Ok("|null||")),
        (Telemetry, r#"{"data":{"value":1},"meta":{"ts":null,"id":null,"name":null}}"#, Ok("|1||")),
        (Telemetry, r#"{"data":{"value":1},"meta":{"ts":"1567677926"}}"#, Ok("|1|1567677926|")),
        (Command, r#"{"meta":{"name":"open","id":"7"}}"#, Ok("open|Nothing||7")),
        (Query, "{}", Ok("|Nothing||")),
        (Config, "", Ok("|Nothing||")),
        (Telemetry, r#"{"data":{"value":1},"kind":1,"kind":2,"z":1,"z":2}"#, Ok("|1||")),
        (Telemetry, r#"{"data":{}}"#, Err("payload_shape")),
        (Config, "{}", Err("payload_shape")),
        (Telemetry, "", Err("payload_not_json")),
        (Telemetry, "[1]", Err("payload_shape")),
        (Telemetry, "1", Err("payload_shape")),
        (Telemetry, r#"{"data":7}"#, Err("payload_shape")),
        (Telemetry, r#"{"data":null}"#, Err("payload_shape")),
        (Telemetry, r#"{"data":{"value":1,"value":2}}"#, Err("payload_shape")),
        (Telemetry, r#"{"data":{"value":1},"d\u0061ta":{}}"#, Err("payload_shape")),
        (Telemetry, r#"{"data":{"value":1},"meta":{"id":7}}"#, Err("payload_shape")),
        (Telemetry, r#"{"data":{"value":1},"meta":{"name":{}}}"#, Err("payload_shape")),
        (Telemetry, r#"{"data":{"value":1},"meta":{"ts":"noon"}}"#, Err("ts_invalid")),
        (Telemetry, r#"{"data":{"value":1}}x"#, Err("payload_not_json")),
        (Telemetry, r#"{"data":{"value":1},"late":tru}"#, Err("payload_not_json")),
    ];
    for (purpose, payload, expected) in rows {
        let expected = expected.map(str::to_owned);
        assert_eq!(read(&full(), purpose, payload), expected, "{purpose:?}: {payload}");
    }
    let iso = layout(&[("v", Slot::Body), ("at", ISO)]);
    let payload = r#"{"v":1,"at":"2019-09-05T10:05:26.007Z"}"#;
    assert_eq!(read(&iso, Telemetry, payload), Ok("|1|1567677926007|".to_owned()));
    assert_eq!(read(&iso, Telemetry, r#"{"v":1,"at":1567677926}"#), Err("ts_invalid"));
    let deep = r#"{"v":"#.to_owned() + &"[".repeat(127) + &"]".repeat(127) + "}";
    assert_eq!(read(&bare(), Telemetry, &deep), Err("depth_exceeded"));
    let undeclared = decode(Declared, Telemetry, b"{}").err().map(|error| error.reason());
    assert_eq!(undeclared, Some("payload_shape"));
}

#[test]
fn other_payloads_are_put_in_the_frame() {
    let opaque = (Opaque, Telemetry);
    let nowhere = (None, Nowhere);
    let full = full();
    let constants = r#""version":-1},"kind":"a \"b\"","sure":true}"#;
    let expected = format!(
        r#"{{"data":{{"value":{{"a":1}}}},"meta":{{"ts":1567677926000,"name":"t\"",{constants}"#
    );
    assert_eq!(framed(&full, opaque, r#" {"a":1} "#, (Some("t\""), Nowhere)), Ok(expected));
    let asked = format!(r#"{{"meta":{{"ts":1567677926000,"id":"c-17","name":"open",{constants}"#);
    assert_eq!(framed(&full, (Opaque, Command), "", (Some("open"), Nowhere)), Ok(asked));
    let own = format!(
        r#"{{"data":{{"value":1}},"meta":{{"ts":1567677926000,"id":"c-9","name":"a",{constants}"#
    );
    let command = r#"{"action":"a","input":1,"id":"c-9"}"#;
    assert_eq!(framed(&full, (Json, Command), command, nowhere), Ok(own));
    let told = |slots: &[(&str, Slot)]| {
        let layout = layout(slots);
        let payload = r#"{"data":{"value":"x"},"meta":{"ts":1567677926007,"id":"c-9","name":"n"}}"#;
        framed(&layout, (Declared, Response), payload, nowhere).unwrap()
    };
    let (body, name, id) = (("v", Slot::Body), ("n", Slot::Channel), ("i", Slot::Identifier));
    let seconds = [body.clone(), ("t", SECONDS), name.clone(), id.clone()];
    assert_eq!(told(&seconds), r#"{"v":"x","t":1567677926,"n":"n","i":"c-9"} s"#);
    let iso = [("a.t", ISO), body.clone(), ("a.n", Slot::Channel), id.clone()];
    assert_eq!(told(&iso), r#"{"a":{"t":"2019-09-05T10:05:26.007Z","n":"n"},"v":"x","i":"c-9"}"#);
    for without in [
        [body.clone(), name.clone(), id.clone()],
        [body.clone(), ("t", ISO), name],
        [body, ("t", ISO), id],
    ] {
        assert!(told(&without).ends_with(" m"), "{without:?}");
    }
    let inner = layout(&[("v", Slot::Body), ("a.b.name", Slot::Channel)]);
    assert_eq!(framed(&inner, opaque, "1", nowhere), Ok(r#"{"v":1}"#.to_owned()));
    for (way, payload, reason) in [
        (opaque, "", "payload_shape"),
        (opaque, "{x", "payload_not_json"),
        ((Empty, Telemetry), "", "payload_shape"),
        ((SmartworksEvent, Event), r#"{"a":{}}"#, "payload_shape"),
    ] {
        assert_eq!(framed(&full, way, payload, nowhere), Err(reason), "{payload}");
    }
}

#[test]
fn what_other_frames_say_is_in_the_body() {
    let bare = bare();
    let (nowhere, in_topic) = ((None, Nowhere), (None, InTopic));
    let status = r#"{"status":"completed","output":2}"#;
    let many = r#"{"a":1,"b":2}"#;
    let xyte = r#"{"status":"online","telemetries":{"a":1}}"#;
    for (way, payload, place, expected) in [
        ((Members, Telemetry), many, nowhere, r#"{"v":{"a":1,"b":2}}"#),
        ((Members, Telemetry), many, in_topic, r#"{"v":1}; {"v":2}"#),
        ((Members, Telemetry), r#"{"a":1}"#, nowhere, r#"{"v":{"a":1}}"#),
        ((Members, Telemetry), r#"{"a":1}"#, in_topic, r#"{"v":1}"#),
        ((Keyed, Telemetry), r#"{"a":1}"#, (Some("b"), InTopic), r#"{"v":1}"#),
        ((Opaque, Telemetry), "1", (Some("b"), Nowhere), r#"{"v":1} m"#),
        ((XyteTelemetry, Telemetry), xyte, nowhere, r#"{"v":{"a":1,"status":"online"}}"#),
        (
            (XyteTelemetry, Telemetry),
            r#"{"status":"online"}"#,
            nowhere,
            r#"{"v":{"status":"online"}}"#,
        ),
        (
            (SmartworksAction, Response),
            r#"{"a":{"status":"completed","output":2}}"#,
            (None, InTopic),
            &format!(r#"{{"v":{status}}}"#),
        ),
        (
            (Mqtt2goReport, Telemetry),
            r#"{"value":{"value":1,"unit":"C"}}"#,
            nowhere,
            r#"{"v":1} m"#,
        ),
        ((XyteCommand, Command), r#"{"id":"7","name":"a"}"#, (None, InTopic), "{} m"),
    ] {
        assert_eq!(framed(&bare, way, payload, place), Ok(expected.to_owned()), "{payload}");
    }
}

#[test]
fn elsewhere_the_value_stands_without_its_frame() {
    let own = options();
    let full = full();
    let payload = |name: &str, value: &str| {
        format!(r#"{{"data":{{"value":{value}}},"meta":{{"id":"c-9","name":{name},"ts":null}}}}"#)
    };
    let (plain, named) = (payload("null", "[1]"), payload("\"n\"", "2.50"));
    let (nameless, object) = (r#"{"data":{"value":{"a":1,"b":2}}}"#, payload("\"n\"", "{}"));
    let none = r#"{"meta":{"id":"c-9","name":"open"}}"#;
    for (purpose, payload, target, place, expected) in [
        (Telemetry, nameless, Opaque, (None, Nowhere), Ok(r#"{"a":1,"b":2}"#)),
        (Telemetry, nameless, Keyed, (None, InTopic), Ok(r#"{"a":1}; {"b":2}"#)),
        (Telemetry, nameless, JsonOrNumber, (Some("t"), Nowhere), Ok(r#"{"a":1,"b":2} m"#)),
        (Response, &plain, Opaque, (None, Nowhere), Ok("[1] m")),
        (Response, &plain, JsonOrNumber, (None, Nowhere), Err("payload_shape")),
        (Telemetry, &named, Json, (None, InTopic), Ok("2.50 m")),
        (Telemetry, &named, Opaque, (None, Nowhere), Ok(r#"{"n":2.50} m"#)),
        (Telemetry, &named, JsonOrNumber, (None, Nowhere), Ok(r#"{"n":2.50} m"#)),
        (Config, &named, Opaque, (None, Nowhere), Ok(r#"{"n":2.50} m"#)),
        (Command, &named, Opaque, (None, InTopic), Ok("2.50 m")),
        (Command, &named, Opaque, (None, Nowhere), Ok(r#"{"action":"n","input":2.50,"id":"c-9"}"#)),
        (Command, none, Opaque, (None, InTopic), Ok(" m")),
        (Command, none, Opaque, (None, Nowhere), Ok(r#"{"action":"open","id":"c-9"}"#)),
        (Command, none, Json, (None, InTopic), Err("payload_shape")),
        (
            Command,
            &object,
            XyteCommand,
            (None, Nowhere),
            Ok(r#"{"id":"c-9","status":"pending","name":"n","parameters":{}}"#),
        ),
    ] {
        let content = decode_layout(&full, purpose, payload.as_bytes()).unwrap();
        let told = written(&content, (Declared, target), None, place, &own);
        assert_eq!(told, expected.map(str::to_owned), "{purpose:?} to {target:?}: {payload}");
    }
}

//! Tables of payloads with what becomes of them: the worked examples, every shape, and bad input.

mod layout;
mod mqtt2go;
mod smartworks;
mod xyte;

use super::*;
use crate::payload::json;
use crate::payload::msgpack::MsgpackOptions;
use Carried::{InTopic, Nowhere};
use ChannelNeed::{No, Topic};
use Purpose::*;
use Shape::*;

const RECEIVED: u64 = 1_567_677_926_000;

fn options() -> BodyOptions {
    BodyOptions::default()
}

fn defaults() -> BodyOptions {
    BodyOptions {
        default_channel: Some("value".into()),
        default_action: Some("raw".into()),
        raw_as_hex: RawBytes::Hex,
        ..options()
    }
}

/// A way through all stages.
#[derive(Clone, Copy)]
struct Way(Shape, Purpose, Shape, ChannelNeed, Carried);

fn through(
    Way(source, purpose, target, need, carried): Way,
    payload: &[u8],
    channel: Option<&str>,
    options: &BodyOptions,
) -> Result<Vec<String>, &'static str> {
    let mut json = Vec::new();
    let mut payload = payload;
    if source == Binary
        && transcode(payload, &MsgpackOptions::default(), &mut json).map_err(|e| e.reason())?
            == Transcoded::Json
    {
        payload = &json;
    }
    let content = decode(source, purpose, payload).map_err(|e| e.reason())?;
    let mut cut = Vec::new();
    let topic = channel.map(Name::Text);
    pieces(&content, topic, target, need, options, &mut cut).map_err(|e| e.reason())?;
    let device = "01FDSA7KS76MNR32J8W0RAWEFX";
    let context = Context {
        origin: Origin::default(),
        purpose,
        received_ms: RECEIVED,
        device,
        serial: 17,
        options,
        layout: None,
    };
    let mut written = Vec::new();
    for piece in &cut {
        let mut out = b"kept".to_vec();
        match encode(source, target, &content, piece, carried, &context, &mut out) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(out, b"kept", "{error}");
                return Err(error.reason());
            }
        }
        let payload = String::from_utf8(out.split_off(4)).unwrap();
        if target.is_json() {
            let proved = json::validate(payload.as_bytes(), 127);
            assert_eq!(proved, Ok(()), "{source:?} to {target:?}, {purpose:?}: {payload}");
        }
        let mut name = String::new();
        if let Some(channel) = piece.channel {
            channel.push_to(&mut name);
        }
        written.push(format!("{name} {payload}"));
    }
    Ok(written)
}

type Row<'r> = (Way, &'r str, Option<&'r str>, Result<&'r [&'r str], &'static str>);

fn check(rows: &[Row<'_>], options: &BodyOptions) {
    for (way, payload, channel, expected) in rows {
        let Way(source, purpose, target, ..) = way;
        let expected = expected.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        let got = through(*way, payload.as_bytes(), *channel, options);
        let (source, target) = (source.word(), target.word());
        assert_eq!(got, expected, "{source} to {target}, {purpose:?}: {payload}");
    }
}

const REPORT: Way = Way(Opaque, Telemetry, Mqtt2goReport, Topic, InTopic);
const COMMAND: Way = Way(Opaque, Command, Mqtt2goCommand, Topic, InTopic);
const ACTION: Way = Way(Opaque, Command, SmartworksAction, Topic, InTopic);
const PROPERTY: Way = Way(JsonOrNumber, Telemetry, Keyed, Topic, InTopic);
const MEMBERS: Way = Way(JsonOrNumber, Telemetry, Members, No, Nowhere);
const XYTE: Way = Way(JsonOrNumber, Telemetry, XyteTelemetry, No, Nowhere);

#[test]
fn fills_in_what_the_operator_decided() {
    let rows: &[Row<'_>] = &[
        (PROPERTY, "23.5", None, Ok(&[r#"value {"value":23.5}"#])),
        (MEMBERS, r#""Hello!""#, None, Ok(&[r#"value {"value":"Hello!"}"#])),
        (XYTE, "1", None, Ok(&[r#"value {"status":"online","telemetries":{"value":1}}"#])),
        (
            ACTION,
            "door=open",
            None,
            Ok(&[
                r#"raw {"raw":{"input":"door=open","href":"/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/raw/c-17","timeRequested":"2019-09-05T10:05:26+00:00","status":"pending"}}"#,
            ]),
        ),
    ];
    check(rows, &defaults());
}

#[test]
fn transcodes_messagepack_and_leaves_other_bytes() {
    let pack = b"\x82\xa4temp\x14\xa8humidity2";
    let binary = |target, need| Way(Binary, Telemetry, target, need, InTopic);
    let split = vec![r#"temp {"temp":20}"#.to_owned(), r#"humidity {"humidity":50}"#.to_owned()];
    assert_eq!(through(binary(Keyed, Topic), pack, None, &options()), Ok(split));
    let whole = vec![r#" {"temp":20,"humidity":50}"#.to_owned()];
    assert_eq!(through(binary(Opaque, No), pack, None, &options()), Ok(whole.clone()));
    assert_eq!(through(binary(Members, No), pack, None, &options()), Ok(whole));
    let raw = b"\x01\x02\xff";
    let refused = Err("payload_not_json");
    for target in [Keyed, Members, XyteTelemetry] {
        assert_eq!(through(binary(target, No), raw, Some("frame"), &options()), refused);
    }
    let hex = vec![r#"frame {"frame":"0102ff"}"#.to_owned()];
    assert_eq!(through(binary(Keyed, Topic), raw, Some("frame"), &defaults()), Ok(hex));
    let hex = vec![r#"img {"status":"online","telemetries":{"img":"0102ff"}}"#.to_owned()];
    assert_eq!(through(binary(XyteTelemetry, No), raw, Some("img"), &defaults()), Ok(hex));
    let at = b"\x82\xa2at\xd6\xff\x5d\x70\xdd\xe6\xa1t\x14";
    let telemetry =
        r#" {"status":"online","telemetries":{"at":"2019-09-05T10:05:26Z","t":20}}"#.to_owned();
    assert_eq!(through(binary(XyteTelemetry, No), at, None, &options()), Ok(vec![telemetry]));
}

#[test]
fn says_what_was_lost_and_what_stands_beside() {
    let (own, mut out, mut cut) = (options(), Vec::new(), Vec::new());
    let context = Context {
        origin: Origin::default(),
        purpose: Telemetry,
        received_ms: 0,
        device: "d",
        serial: 1,
        options: &own,
        layout: None,
    };
    let mut content = decode(Opaque, Telemetry, b"1").unwrap();
    content.timestamp_ms = Some(1_567_677_926_123);
    pieces(&content, Some(Name::Text("t")), Mqtt2goReport, Topic, &own, &mut cut).unwrap();
    let written = encode(Opaque, Mqtt2goReport, &content, &cut[0], InTopic, &context, &mut out);
    assert_eq!(written, Ok(Written { seconds_rounded: true, meta_lost: false }));
    let written = encode(Opaque, Opaque, &content, &cut[0], Nowhere, &context, &mut out);
    assert_eq!(written, Ok(Written { seconds_rounded: false, meta_lost: true }));
    let mut over = decode(SmartworksAction, Response, br#"{"a":{"status":"completed"}}"#).unwrap();
    over.identifier = RawString::of(br#""c-17""#);
    let piece = Piece { channel: over.channel, body: over.body };
    let context = Context { origin: Origin::default(), purpose: Response, ..context };
    out.clear();
    encode(SmartworksAction, Opaque, &over, &piece, InTopic, &context, &mut out).unwrap();
    assert_eq!(out, br#"{"status":"completed","id":"c-17"}"#);
    let record = decode(SmartworksData, Telemetry, br#"{"data":{},"status":{"a":1}}"#).unwrap();
    assert_eq!(record.beside, Some(&br#"{"a":1}"#[..]));
}

#[test]
fn bad_input_is_refused_and_never_half_written() {
    let deep = r#"{"a":"#.repeat(100) + "1" + &"}".repeat(100);
    let deeper = "[".repeat(200);
    let inputs = [
        "",
        " ",
        "{",
        "[]",
        "{}",
        "null",
        "1",
        "\"\"",
        "\"x",
        "{\"a\"",
        "nul",
        "[1]",
        "{\"a\":1}x",
        "\u{feff}{}",
        r#"{"":{"":{}}}"#,
        r#"{"a":{"data":1,"data":2}}"#,
        r#"{"a":null}"#,
        r#"{"\ud800":1}"#,
        r#"{"value":1,"value":2}"#,
        r#"{"type":1,"entity":2}"#,
        r#"{"id":1,"status":2}"#,
        r#"{"telemetries":[],"status":1}"#,
        r#"{"config":1,"version":{}}"#,
        r#"{"action":{},"id":[]}"#,
        r#"{"a":{"href":"","status":null}}"#,
        r#"{"timestamp":-1,"value":1}"#,
        r#"{"name":"\"","parameters":3}"#,
        &deep,
        &deeper,
    ];
    let purposes = [Telemetry, State, Event, Response, Error, Command, Config, Query];
    for (_, source) in Shape::WORDS {
        for (_, target) in Shape::WORDS {
            for purpose in purposes {
                for (need, carried) in [(No, Nowhere), (Topic, InTopic)] {
                    for payload in inputs {
                        let way = Way(source, purpose, target, need, carried);
                        // The check is within: whole JSON, or nothing.
                        let _ = through(way, payload.as_bytes(), Some("ch\"an"), &defaults());
                        let _ = through(way, payload.as_bytes(), None, &options());
                    }
                }
            }
        }
    }
    assert_eq!(through(XYTE, deep.as_bytes(), None, &options()), Err("depth_exceeded"));
    assert_eq!(through(XYTE, deeper.as_bytes(), None, &options()), Err("depth_exceeded"));
}

#[test]
fn names_are_compared_and_written_without_their_escapes() {
    let raw = Name::Raw(RawString::of(br#""a\u0062\"""#).unwrap());
    let mut text = String::new();
    raw.push_to(&mut text);
    assert_eq!(text, "ab\"");
    assert!(raw.is("ab\"") && raw.same(&Name::Text("ab\"")) && Name::Text("ab\"").same(&raw));
    assert!(!raw.same(&Name::Text("ab")));
    let mut json = Vec::new();
    Name::Text("ab\"").write_json(&mut json);
    assert_eq!(json, br#""ab\"""#);
    let slash = RawString::of(br#""\/a\/b\u0063""#).unwrap().last_segment();
    assert!(slash.is("bc"));
}

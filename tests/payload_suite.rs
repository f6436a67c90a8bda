//! Every vector of kawanet/msgpack-test-suite: each encoding becomes the JSON of its value, or the
//! refusal that the rules ask for; and JSON becomes the suite's shortest encoding.

use interlingua::payload::msgpack::{
    BinEncoding, ExtensionRule, Limits, MsgpackOptions, Outcome, Scalars, from_json, looks_like,
    to_json,
};
use serde_json::{Map, Value, json};

const SUITE: &str = include_str!("data/msgpack/msgpack-test-suite.json");

/// Seconds, nanoseconds and RFC 3339 of the suite's timestamps, worked out elsewhere (GNU date).
const TIMES: &[(i64, u64, Option<&str>)] = &[
    (1_514_862_245, 0, Some("2018-01-02T03:04:05Z")),
    (1_514_862_245, 678_901_234, Some("2018-01-02T03:04:05.678901234Z")),
    (2_147_483_647, 999_999_999, Some("2038-01-19T03:14:07.999999999Z")),
    (2_147_483_648, 0, Some("2038-01-19T03:14:08Z")),
    (2_147_483_648, 1, Some("2038-01-19T03:14:08.000000001Z")),
    (4_294_967_295, 0, Some("2106-02-07T06:28:15Z")),
    (4_294_967_295, 999_999_999, Some("2106-02-07T06:28:15.999999999Z")),
    (4_294_967_296, 0, Some("2106-02-07T06:28:16Z")),
    (17_179_869_183, 999_999_999, Some("2514-05-30T01:53:03.999999999Z")),
    (17_179_869_184, 0, Some("2514-05-30T01:53:04Z")),
    (-1, 0, Some("1969-12-31T23:59:59Z")),
    (-1, 999_999_999, Some("1969-12-31T23:59:59.999999999Z")),
    (0, 0, Some("1970-01-01T00:00:00Z")),
    (0, 1, Some("1970-01-01T00:00:00.000000001Z")),
    (1, 0, Some("1970-01-01T00:00:01Z")),
    (-2_208_988_801, 999_999_999, Some("1899-12-31T23:59:59.999999999Z")),
    (-2_208_988_800, 0, Some("1900-01-01T00:00:00Z")),
    // The year 0 isn't one that RFC 3339 readers agree about.
    (-62_167_219_200, 0, None),
    (253_402_300_799, 999_999_999, Some("9999-12-31T23:59:59.999999999Z")),
];

/// What a vector's value should become.
enum Expected {
    /// JSON that reads as this.
    Json(Value),
    /// A number with this value; as many digits as the encoding has.
    Number(f64),
    Refused(&'static str),
}

fn bytes(dashed: &str) -> Vec<u8> {
    dashed
        .split('-')
        .filter(|pair| !pair.is_empty())
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn text<'a>(vector: &'a Map<String, Value>, kind: &str) -> Option<&'a str> {
    vector.get(kind)?.as_str()
}

fn hex(dashed: &str) -> String {
    dashed.replace('-', "")
}

fn expected(vector: &Map<String, Value>) -> Expected {
    if let Some(binary) = text(vector, "binary") {
        return Expected::Json(json!(hex(binary)));
    }
    if let (Some(big), None) = (text(vector, "bignum"), vector.get("number")) {
        return Expected::Json(serde_json::from_str(big).unwrap());
    }
    if let Some(number) = vector.get("number") {
        return Expected::Number(number.as_f64().unwrap());
    }
    if let Some(time) = vector.get("timestamp") {
        let (seconds, nanoseconds) = (time[0].as_i64().unwrap(), time[1].as_u64().unwrap());
        let known = TIMES.iter().find(|known| (known.0, known.1) == (seconds, nanoseconds));
        return match known.unwrap().2 {
            Some(text) => Expected::Json(json!(text)),
            None => Expected::Refused("msgpack_invalid"),
        };
    }
    if let Some(ext) = vector.get("ext") {
        return Expected::Json(json!({"$ext": ext[0], "data": "?"}));
    }
    for kind in ["nil", "bool", "string", "array", "map"] {
        if let Some(value) = vector.get(kind) {
            return Expected::Json(value.clone());
        }
    }
    panic!("unknown kind of vector: {vector:?}");
}

/// A vector's value under the name of its kind, and all its encodings.
type Vector = (Map<String, Value>, Vec<Vec<u8>>);

fn vectors() -> Vec<Vector> {
    let suite: Value = serde_json::from_str(SUITE).unwrap();
    let groups = suite.as_object().unwrap().values().flat_map(|group| group.as_array().unwrap());
    groups
        .map(|vector| {
            let vector = vector.as_object().unwrap().clone();
            let encodings = vector["msgpack"].as_array().unwrap();
            let encodings = encodings.iter().map(|text| bytes(text.as_str().unwrap())).collect();
            (vector, encodings)
        })
        .collect()
}

#[test]
fn every_encoding_becomes_the_json_of_its_value() {
    let options = MsgpackOptions {
        binary: BinEncoding::Hex,
        extension: ExtensionRule::Object,
        scalars: Scalars::Accept,
        ..MsgpackOptions::default()
    };
    let mut count = 0;
    for (vector, encodings) in vectors() {
        for encoding in encodings {
            count += 1;
            let mut out = Vec::new();
            let outcome = to_json(&encoding, &options, &mut out);
            let read = serde_json::from_slice::<Value>(&out).ok();
            match expected(&vector) {
                Expected::Refused(reason) => assert_eq!(outcome.unwrap_err().reason(), reason),
                Expected::Number(value) => {
                    assert_eq!(outcome, Ok(Outcome::Json), "{encoding:x?}");
                    assert_eq!(worth(&out, &encoding), value, "{encoding:x?}");
                }
                Expected::Json(value) => {
                    assert_eq!(outcome, Ok(Outcome::Json), "{encoding:x?}");
                    let mut read = read.unwrap();
                    if let Some(data) = read.get_mut("data") {
                        let length = data.as_str().unwrap().len();
                        assert_eq!(length, ext_length(&vector).div_ceil(3) * 4);
                        *data = json!("?");
                    }
                    assert_eq!(read, value, "{encoding:x?}");
                }
            }
        }
    }
    assert_eq!(count, 233, "vectors in the suite");
}

/// The value of a printed number. A float 32 is printed with the digits that tell it from its
/// neighbours among the floats 32 (`2147483600.0`), so it's worth what it's worth in that width.
fn worth(json: &[u8], encoding: &[u8]) -> f64 {
    let text = std::str::from_utf8(json).unwrap();
    assert_eq!(text.contains('.'), matches!(encoding[0], 0xca | 0xcb), "{text}");
    if encoding[0] == 0xca { text.parse::<f32>().unwrap().into() } else { text.parse().unwrap() }
}

fn ext_length(vector: &Map<String, Value>) -> usize {
    bytes(vector["ext"][1].as_str().unwrap()).len()
}

#[test]
fn only_maps_and_arrays_are_recognised_and_extensions_refused() {
    for (vector, encodings) in vectors() {
        let is_container = vector.contains_key("array") || vector.contains_key("map");
        for encoding in encodings {
            assert_eq!(looks_like(&encoding), is_container, "{encoding:x?}");
            let mut out = Vec::new();
            let outcome = to_json(&encoding, &MsgpackOptions::default(), &mut out).unwrap();
            let expected = if is_container { Outcome::Json } else { Outcome::NotMessagePack };
            assert_eq!(outcome, expected, "{encoding:x?}");
            if vector.contains_key("ext") {
                let inside = [&[0x91], &encoding[..]].concat();
                let refused = to_json(&inside, &MsgpackOptions::default(), &mut out);
                assert_eq!(refused.unwrap_err().reason(), "msgpack_invalid");
            }
        }
    }
}

#[test]
fn json_becomes_the_first_encoding_which_is_the_shortest() {
    let mut count = 0;
    for (vector, encodings) in vectors() {
        let json = match text(&vector, "bignum") {
            Some(big) => big.to_owned(),
            None => match ["nil", "bool", "number", "string", "array", "map"]
                .iter()
                .find_map(|kind| vector.get(*kind))
            {
                Some(value) => value.to_string(),
                None => continue,
            },
        };
        let is_float = json.contains('.');
        let shortest = encodings
            .iter()
            .filter(|encoding| encoding.first() != Some(&0xca))
            .filter(|encoding| is_float || encoding.first() != Some(&0xcb))
            .filter(|encoding| !is_signed_form_of_unsigned(&json, encoding))
            .min_by_key(|encoding| encoding.len())
            .unwrap();
        let mut out = Vec::new();
        from_json(json.as_bytes(), &Limits::default(), &mut out).unwrap();
        assert_eq!(&out, shortest, "{json}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

/// Both forms may be equally long; ours is the unsigned one for what isn't negative.
fn is_signed_form_of_unsigned(json: &str, encoding: &[u8]) -> bool {
    !json.starts_with('-') && matches!(encoding.first(), Some(0xd0..=0xd3))
}

//! The vectors of `platforms.md 10.4`, the corner cases of 10.2, and every option both ways.

use super::*;
use crate::payload::PayloadError;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The JSON, or the reason of the refusal, or `raw`. Nothing may be left behind by a refusal.
fn json_with(input: &[u8], options: &MsgpackOptions) -> String {
    let mut out = b"before".to_vec();
    match to_json(input, options, &mut out) {
        Ok(Outcome::Json) => String::from_utf8(out.split_off(6)).unwrap(),
        Ok(Outcome::NotMessagePack) => {
            assert_eq!(out, b"before");
            "raw".to_owned()
        }
        Err(error) => {
            assert_eq!(out, b"before");
            error.reason().to_owned()
        }
    }
}

fn json(bytes: &str) -> String {
    json_with(&hex(bytes), &MsgpackOptions::default())
}

fn scalars() -> MsgpackOptions {
    MsgpackOptions { scalars: Scalars::Accept, ..MsgpackOptions::default() }
}

fn limited(limits: Limits) -> MsgpackOptions {
    MsgpackOptions { limits, ..scalars() }
}

fn msgpack(json: &str) -> Result<Vec<u8>, PayloadError> {
    let mut out = b"before".to_vec();
    let written = from_json(json.as_bytes(), &Limits::default(), &mut out);
    assert!(written.is_ok() || out == b"before");
    written.map(|()| out.split_off(6))
}

#[test]
fn translates_the_vectors_of_the_rules() {
    for (bytes, expected) in [
        ("82a474656d7014a868756d696469747932", r#"{"temp":20,"humidity":50}"#),
        ("81a174cb4035800000000000", r#"{"t":21.5}"#),
        ("81a174ca41ac0000", r#"{"t":21.5}"#),
        ("81a174ca3dcccccd", r#"{"t":0.1}"#),
        ("81a3726177c4030102ff", r#"{"raw":"AQL/"}"#),
        ("82a26174d6ff5d70dde6a17414", r#"{"at":"2019-09-05T10:05:26Z","t":20}"#),
        ("91d7ff3b9aca005d70dde6", r#"["2019-09-05T10:05:26.250Z"]"#),
        ("91c70cff00000000ffffffffffffffff", r#"["1969-12-31T23:59:59Z"]"#),
        ("8101a161", "payload_shape"),
        ("81a174cb7ff8000000000000", "number_not_finite"),
        ("81a175cfffffffffffffffff", r#"{"u":18446744073709551615}"#),
        ("82a16b01a16b02", "payload_shape"),
        ("81a1610181a16202", "msgpack_trailing"),
        ("81a16ba2fffe", "msgpack_invalid"),
        ("c1", "msgpack_invalid"),
        ("", "msgpack_invalid"),
        ("82a16101", "msgpack_invalid"),
        ("ddffffffff", "msgpack_invalid"),
        ("dfffffffff", "msgpack_invalid"),
        ("dbffffffff78", "msgpack_invalid"),
        ("7b2274656d70223a32307d", "raw"),
        (&("91".repeat(33) + "c0"), "depth_exceeded"),
        (&("91".repeat(32) + "c0"), &format!("{}null{}", "[".repeat(32), "]".repeat(32))),
    ] {
        assert_eq!(json(bytes), expected, "{bytes}");
    }
}

#[test]
fn decides_the_corner_cases() {
    for (bytes, expected) in [
        ("80", "{}"),
        ("90", "[]"),
        ("92c2c3", "[false,true]"),
        ("91c0", "[null]"),
        ("91cb8000000000000000", "[-0.0]"),
        ("91ca80000000", "[-0.0]"),
        ("91cb4034000000000000", "[20.0]"),
        ("91ca41a00000", "[20.0]"),
        ("91cb3fb999999999999a", "[0.1]"),
        ("91d38000000000000000", "[-9223372036854775808]"),
        ("91cf0020000000000001", "[9007199254740993]"),
        ("91ca7f800000", "number_not_finite"),
        ("91cbfff0000000000000", "number_not_finite"),
        ("91a3610062", r#"["a\u0000b"]"#),
        ("91a4225c0a1f", r#"["\"\\\n\u001f"]"#),
        ("91a27fc2", "msgpack_invalid"),
        ("91a37fc3a9", "[\"\u{7f}é\"]"),
        ("91a3eda080", "msgpack_invalid"),
        ("81a95f5f70726f746f5f5f01", r#"{"__proto__":1}"#),
        ("91c400", r#"[""]"#),
        ("91d40505", "msgpack_invalid"),
        ("91d700 5d70dde6 0eb3f2c0", "msgpack_invalid"),
        ("91d5ff0000", "msgpack_invalid"),
        ("91d7ffee6b2800 00000000", "msgpack_invalid"),
        ("91c70cff 00000000 ffffff f1868b8400", "msgpack_invalid"),
        ("81c001", "payload_shape"),
        ("81c201", "payload_shape"),
        ("81cb3ff000000000000001", "payload_shape"),
        ("81c4016101", "payload_shape"),
        ("819001", "payload_shape"),
        ("818001", "payload_shape"),
        ("81a1ff01", "msgpack_invalid"),
        ("82a161 81a16101 a162 81a16102", r#"{"a":{"a":1},"b":{"a":2}}"#),
        ("82a161 01 a162", "msgpack_invalid"),
        ("81a1", "msgpack_invalid"),
        ("91c1", "msgpack_invalid"),
        ("3230", "raw"),
        ("37", "raw"),
        ("c0", "raw"),
        ("c441", "msgpack_invalid"),
    ] {
        assert_eq!(json(bytes), expected, "{bytes}");
    }
}

#[test]
fn obeys_every_option() {
    let default = MsgpackOptions::default;
    let hex_bin = MsgpackOptions { binary: BinEncoding::Hex, ..default() };
    let ext = MsgpackOptions { extension: ExtensionRule::Object, ..hex_bin.clone() };
    let keys = MsgpackOptions { integer_keys: IntegerKeys::Stringify, ..default() };
    let null = MsgpackOptions { non_finite: NonFinite::Null, ..default() };
    let large = MsgpackOptions { large_integers: LargeIntegers::StringAbove2Pow53, ..keys.clone() };
    let utf8 = MsgpackOptions { invalid_utf8: InvalidUtf8::AsBinary, ..default() };
    let last = MsgpackOptions { duplicates: Duplicates::LastWins, ..keys.clone() };
    let stream = MsgpackOptions { stream: Stream::Array, ..default() };
    let both = MsgpackOptions { stream: Stream::Array, ..scalars() };
    for (options, bytes, expected) in [
        (&hex_bin, "81a3726177c4030102ff", r#"{"raw":"0102ff"}"#),
        (&ext, "91d405aa", r#"[{"$ext":5,"data":"qg=="}]"#),
        (&ext, "91d700 5d70dde6 0eb3f2c0", r#"[{"$ext":0,"data":"XXDd5g6z8sA="}]"#),
        (&ext, "91c701ff01", r#"[{"$ext":-1,"data":"AQ=="}]"#),
        (&ext, "91d6ff00000000", r#"["1970-01-01T00:00:00Z"]"#),
        (&keys, "8101a161", r#"{"1":"a"}"#),
        (&keys, "82e001d38000000000000000 02", r#"{"-32":1,"-9223372036854775808":2}"#),
        (&keys, "820101a13102", "payload_shape"),
        (&keys, "820101cc0102", "payload_shape"),
        (&keys, "81c001", "payload_shape"),
        (&keys, "81cb3ff000000000000001", "payload_shape"),
        (&null, "93cb7ff8000000000000 ca7f800000 caff800000", "[null,null,null]"),
        (
            &large,
            "92cf001fffffffffffff cf0020000000000000",
            r#"[9007199254740991,"9007199254740992"]"#,
        ),
        (
            &large,
            "92d3ffe0000000000001 d3ffe0000000000000",
            r#"[-9007199254740991,"-9007199254740992"]"#,
        ),
        (&large, "81cf002000000000000001", r#"{"9007199254740992":1}"#),
        (&utf8, "91a2fffe", r#"["//4="]"#),
        (&utf8, "81a1ff01", "payload_shape"),
        (&last, "82a16b01a16b02", r#"{"k":2}"#),
        (&last, "83a16101a16202a16103", r#"{"b":2,"a":3}"#),
        (&last, "83a16101a16102a16103", r#"{"a":3}"#),
        (&last, "820101a13102", r#"{"1":2}"#),
        (&last, "82a16182a16201a16202a16182a16301a16302", r#"{"a":{"c":2}}"#),
        (&last, "82a17882a16101a16102a17992a16101", r#"{"x":{"a":2},"y":["a",1]}"#),
        (&stream, "81a1610181a16202", r#"[{"a":1},{"b":2}]"#),
        (&stream, "90", "[[]]"),
        (&stream, "9001", "msgpack_trailing"),
        (&stream, "", "msgpack_invalid"),
        (&both, "9001c0", "[[],1,null]"),
        (&both, "", "msgpack_invalid"),
        (&scalars(), "37", "55"),
        (&scalars(), "3230", "msgpack_trailing"),
        (&scalars(), "ca3dcccccd", "0.1"),
        (&scalars(), "c1", "msgpack_invalid"),
    ] {
        assert_eq!(json_with(&hex(bytes), options), expected, "{bytes} {options:?}");
    }
}

#[test]
fn keeps_to_the_limits_exactly() {
    let with = |limits: Limits, bytes: &str| json_with(&hex(bytes), &limited(limits));
    let long = "a".repeat(300);
    let mut bytes = vec![0xda, 0x01, 0x2c];
    bytes.extend_from_slice(long.as_bytes());
    let controls = [&[0xd9, 200][..], &[0x01; 200]].concat();
    for (input, length) in [
        (hex("93010203"), 7),
        (hex("81a161c0"), 10),
        (hex("80"), 2),
        (hex("c403010203"), 6),
        (hex("cb3fb999999999999a"), 3),
        (hex("d6ff00000000"), 22),
        (bytes, 302),
        (controls, 1_202),
    ] {
        let limits = |output_max| Limits { output_max, ..Limits::default() };
        assert_eq!(json_with(&input, &limited(limits(length))).len(), length);
        for output_max in [length - 1, length / 2, 0] {
            assert_eq!(json_with(&input, &limited(limits(output_max))), "payload_too_large");
        }
    }
    let elements = |elements_max| Limits { elements_max, ..Limits::default() };
    assert_eq!(with(elements(3), "93010203"), "[1,2,3]");
    assert_eq!(with(elements(2), "93010203"), "payload_too_large");
    assert_eq!(with(elements(2), "81a16101"), r#"{"a":1}"#);
    assert_eq!(with(elements(1), "81a16101"), "payload_too_large");
    let depth = |depth_max| Limits { depth_max, ..Limits::default() };
    assert_eq!(with(depth(0), "01"), "1");
    assert_eq!(with(depth(0), "90"), "depth_exceeded");
    assert_eq!(with(depth(1), "81a1a180"), "msgpack_invalid");
    assert_eq!(with(depth(1), "81a16180"), "depth_exceeded");
    assert_eq!(with(depth(usize::MAX), &"91".repeat(100_000)), "depth_exceeded");
}

#[test]
fn writes_messagepack_in_the_shortest_form() {
    for (json, bytes) in [
        ("{}", "80"),
        ("[ ]", "90"),
        (r#" { "temp" : 20 , "humidity" : 50 } "#, "82a474656d7014a868756d696469747932"),
        ("null", "c0"),
        ("[true,false]", "92c3c2"),
        ("127", "7f"),
        ("128", "cc80"),
        ("256", "cd0100"),
        ("65536", "ce00010000"),
        ("4294967296", "cf0000000100000000"),
        ("18446744073709551615", "cfffffffffffffffff"),
        ("18446744073709551616", "cb43f0000000000000"),
        ("-1", "ff"),
        ("-32", "e0"),
        ("-33", "d0df"),
        ("-128", "d080"),
        ("-129", "d1ff7f"),
        ("-32769", "d2ffff7fff"),
        ("-2147483649", "d3ffffffff7fffffff"),
        ("-9223372036854775808", "d38000000000000000"),
        ("-9223372036854775809", "cbc3e0000000000000"),
        ("0", "00"),
        ("-0", "cb8000000000000000"),
        ("-0.0", "cb8000000000000000"),
        ("20.0", "cb4034000000000000"),
        ("2e1", "cb4034000000000000"),
        ("0.1", "cb3fb999999999999a"),
        (r#""\u00e9\n""#, "a3c3a90a"),
        (r#"{"\u0061":"b"}"#, "81a161a162"),
        (r#"{"a":1,"a":2}"#, "82a16101a16102"),
    ] {
        assert_eq!(msgpack(json), Ok(hex(bytes)), "{json}");
    }
}

#[test]
fn writes_the_header_that_the_length_needs() {
    for (count, header) in [(15, "9f"), (16, "dc0010"), (65_535, "dcffff"), (65_536, "dd00010000")]
    {
        let json = format!("[{}]", vec!["7"; count].join(","));
        assert_eq!(msgpack(&json), Ok([hex(header), vec![7; count]].concat()));
    }
    for (length, header) in
        [(31, "bf"), (32, "d920"), (255, "d9ff"), (256, "da0100"), (65_536, "db00010000")]
    {
        let text = "x".repeat(length);
        let expected = [hex(header), text.clone().into_bytes()].concat();
        assert_eq!(msgpack(&format!("\"{text}\"")), Ok(expected.clone()));
        assert_eq!(msgpack(&format!("\"{}\\u0078\"", &text[1..])), Ok(expected));
    }
}

#[test]
fn refuses_json_that_it_cannot_carry() {
    let reason = |json: &str| msgpack(json).unwrap_err().reason();
    assert_eq!(reason(""), "payload_not_json");
    assert_eq!(reason("{"), "payload_not_json");
    assert_eq!(reason("[1,]"), "payload_not_json");
    assert_eq!(reason("[1 2]"), "payload_not_json");
    assert_eq!(reason("[1}"), "payload_not_json");
    assert_eq!(reason("{\"a\":1,}"), "payload_not_json");
    assert_eq!(reason("1 2"), "payload_not_json");
    assert_eq!(reason("NaN"), "payload_not_json");
    assert_eq!(reason("[1e400]"), "number_not_finite");
    assert_eq!(reason(&"[".repeat(33)), "depth_exceeded");
    assert_eq!(reason(&format!("[{}1]", "1,".repeat(65_536))), "payload_too_large");
    for (json, length) in [("[1,2,3]", 4), ("\"abc\"", 4), ("{\"a\":0.5}", 12), ("\"\\n\\n\"", 3)] {
        for (output_max, fits) in [(length, true), (length - 1, false), (0, false)] {
            let limits = Limits { output_max, ..Limits::default() };
            let mut out = Vec::new();
            assert_eq!(from_json(json.as_bytes(), &limits, &mut out).is_ok(), fits, "{json}");
            assert_eq!(out.len(), if fits { length } else { 0 });
        }
    }
}

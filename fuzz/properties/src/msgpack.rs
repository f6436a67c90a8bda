//! MessagePack and JSON: strict, bounded, and with the meaning that `rmp-serde` and `serde_json` find.

use interlingua::payload::json::{DEPTH_LIMIT, validate};
use interlingua::payload::msgpack::{
    Duplicates, ExtensionRule, IntegerKeys, InvalidUtf8, LargeIntegers, Limits, MsgpackOptions,
    NonFinite, Outcome, Scalars, Stream, from_json, to_json,
};
use serde_json::Value;

fn options(choice: u8) -> MsgpackOptions {
    let strict = MsgpackOptions::default();
    let limits = Limits { output_max: 4096, ..strict.limits };
    let strict = MsgpackOptions { limits, ..strict };
    match choice % 3 {
        0 => strict,
        1 => MsgpackOptions { scalars: Scalars::Accept, ..strict },
        _ => MsgpackOptions {
            scalars: Scalars::Accept,
            extension: ExtensionRule::Object,
            integer_keys: IntegerKeys::Stringify,
            non_finite: NonFinite::Null,
            large_integers: LargeIntegers::StringAbove2Pow53,
            invalid_utf8: InvalidUtf8::AsBinary,
            duplicates: Duplicates::LastWins,
            stream: Stream::Array,
            ..strict
        },
    }
}

fn oracle(msgpack: &[u8]) -> Option<Value> {
    let mut json = Vec::new();
    let mut reader = rmp_serde::Deserializer::from_read_ref(msgpack);
    serde_transcode::transcode(&mut reader, &mut serde_json::Serializer::new(&mut json)).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The first byte chooses the options; the others are MessagePack, and JSON.
pub fn msgpack(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let options = options(*choice);
    let mut json = b"before".to_vec();
    match to_json(bytes, &options, &mut json) {
        Ok(Outcome::Json) => taken(bytes, &json[6..], *choice),
        _ => assert_eq!(json, b"before", "an error leaves nothing"),
    }
    assert!(json.capacity() <= 2 * (4096 + 64) + 64, "{} bytes", json.capacity());
    let mut msgpack = Vec::new();
    match from_json(bytes, &Limits::default(), &mut msgpack) {
        Ok(_) => {
            let theirs: Value = serde_json::from_slice(bytes).expect("what we take is JSON");
            assert_eq!(rmp_serde::from_slice::<Value>(&msgpack).expect("MessagePack"), theirs);
        }
        Err(_) => assert!(msgpack.is_empty(), "an error leaves nothing"),
    }
    super::json::json(bytes);
}

/// What was written is strict JSON, and says what the oracle says where both have one opinion.
fn taken(bytes: &[u8], json: &[u8], choice: u8) {
    assert_eq!(validate(json, DEPTH_LIMIT), Ok(()));
    let ours: Value = serde_json::from_slice(json).expect("what we write is JSON");
    // Bin, extensions and keys that are no strings are told differently on purpose, and so is all that the lenient
    // options take.
    let plain = !bytes.iter().any(|byte| matches!(byte, 0xC4..=0xC9 | 0xD4..=0xD8));
    if choice % 3 != 2
        && plain
        && let Some(theirs) = oracle(bytes)
    {
        assert_eq!(ours, theirs);
    }
}

//! MessagePack to JSON and back against `rmp-serde` and `serde_json`, and against hostile bytes.
//!
//! Where the rules differ from what the oracle does on purpose (bin, extensions, NaN, keys that
//! aren't strings), the values here don't contain it; the unit tables do.

use interlingua::payload::json::{DEPTH_LIMIT, validate};
use interlingua::payload::msgpack::{
    Duplicates, ExtensionRule, IntegerKeys, InvalidUtf8, LargeIntegers, Limits, MsgpackOptions,
    NonFinite, Outcome, Scalars, Stream, from_json, looks_like, to_json,
};
use proptest::prelude::*;
use serde_json::Value;

fn scalars() -> MsgpackOptions {
    MsgpackOptions { scalars: Scalars::Accept, ..MsgpackOptions::default() }
}

/// Accepts all that can be accepted.
fn lenient() -> MsgpackOptions {
    MsgpackOptions {
        extension: ExtensionRule::Object,
        integer_keys: IntegerKeys::Stringify,
        non_finite: NonFinite::Null,
        large_integers: LargeIntegers::StringAbove2Pow53,
        invalid_utf8: InvalidUtf8::AsBinary,
        duplicates: Duplicates::LastWins,
        stream: Stream::Array,
        ..scalars()
    }
}

fn tree() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-200_i64..200).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-10_000_i32..10_000).prop_map(|cents| Value::from(f64::from(cents) / 100.0)),
        ".{0,40}".prop_map(Value::from),
        "[\\x00-\\x24\\\\a]{0,40}".prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 80, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn oracle_json(msgpack: &[u8]) -> String {
    let mut out = Vec::new();
    let mut reader = rmp_serde::Deserializer::from_read_ref(msgpack);
    serde_transcode::transcode(&mut reader, &mut serde_json::Serializer::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

fn our_json(msgpack: &[u8], options: &MsgpackOptions) -> String {
    let mut out = Vec::new();
    assert_eq!(to_json(msgpack, options, &mut out), Ok(Outcome::Json));
    String::from_utf8(out).unwrap()
}

fn our_msgpack(json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    from_json(json.as_bytes(), &Limits::default(), &mut out).unwrap();
    out
}

/// Whatever the bytes: an error leaves nothing, a success is strict JSON within the limits, and
/// the buffer never grows to much more than the limit.
fn survives(bytes: &[u8], options: &MsgpackOptions) {
    let mut out = b"before".to_vec();
    match to_json(bytes, options, &mut out) {
        Ok(Outcome::Json) => {
            let json = &out[6..];
            assert_eq!(validate(json, DEPTH_LIMIT), Ok(()), "{bytes:x?}");
            assert!(json.len() <= options.limits.output_max);
            assert!(serde_json::from_slice::<Value>(json).is_ok());
        }
        _ => assert_eq!(out, b"before"),
    }
    assert!(out.capacity() <= 2 * (options.limits.output_max + 64) + 64, "{}", out.capacity());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn same_json_as_the_oracle(tree in tree()) {
        let msgpack = rmp_serde::to_vec_named(&tree).unwrap();
        prop_assert_eq!(our_json(&msgpack, &scalars()), oracle_json(&msgpack));
        prop_assert_eq!(looks_like(&msgpack), tree.is_array() || tree.is_object());
    }

    #[test]
    fn same_messagepack_as_the_oracle(tree in tree(), pretty in any::<bool>()) {
        let json = if pretty { format!("{tree:#}") } else { tree.to_string() };
        prop_assert_eq!(our_msgpack(&json), rmp_serde::to_vec_named(&tree).unwrap());
    }

    #[test]
    fn round_trips_are_exact(tree in tree()) {
        let json = tree.to_string();
        let back = our_json(&our_msgpack(&json), &scalars());
        prop_assert_eq!(&serde_json::from_str::<Value>(&back).unwrap(), &tree);
        prop_assert_eq!(our_json(&our_msgpack(&back), &scalars()), back);
    }

    #[test]
    fn floats_survive_bit_by_bit(bits in any::<u64>(), narrow in any::<u32>()) {
        let (wide, narrow) = (f64::from_bits(bits), f32::from_bits(narrow));
        prop_assume!(wide.is_finite() && narrow.is_finite());
        let mut msgpack = vec![0x92, 0xcb];
        msgpack.extend(wide.to_be_bytes());
        msgpack.push(0xca);
        msgpack.extend(narrow.to_be_bytes());
        let json = our_json(&msgpack, &MsgpackOptions::default());
        prop_assert_eq!(&json, &oracle_json(&msgpack));
        let (first, second) = json[1..json.len() - 1].split_once(',').unwrap();
        prop_assert_eq!(first.parse::<f64>().unwrap().to_bits(), bits);
        prop_assert_eq!(second.parse::<f32>().unwrap().to_bits(), narrow.to_bits());
        prop_assert_eq!(&our_msgpack(first)[1..], wide.to_be_bytes());
    }

    #[test]
    fn random_bytes_never_hurt(bytes in prop::collection::vec(any::<u8>(), 0..200), output_max in 0_usize..400) {
        for options in [scalars(), lenient(), MsgpackOptions::default()] {
            survives(&bytes, &MsgpackOptions { limits: Limits { output_max, ..options.limits }, ..options });
        }
        looks_like(&bytes);
        let mut out = Vec::new();
        prop_assert!(from_json(&bytes, &Limits::default(), &mut out).is_ok() || out.is_empty());
    }

    #[test]
    fn damaged_messages_never_hurt(
        tree in tree(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = rmp_serde::to_vec_named(&tree).unwrap();
        survives(&bytes[..cut.index(bytes.len())], &scalars());
        for (place, byte) in edits {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        survives(&bytes, &scalars());
        survives(&bytes, &lenient());
        // What we take must be whole by the structural test as well.
        let mut out = Vec::new();
        if to_json(&bytes, &MsgpackOptions::default(), &mut out) == Ok(Outcome::Json) {
            prop_assert!(looks_like(&bytes));
        }
    }

    #[test]
    fn duplicate_keys_are_found_and_the_last_wins(
        keys in prop::collection::vec("[a-c\"\\x01]{0,2}", 0..30),
        nested in any::<bool>(),
    ) {
        let pairs: Vec<String> =
            keys.iter().enumerate().map(|(at, key)| format!("{}:{at}", Value::from(key.as_str()))).collect();
        let flat = format!("{{{}}}", pairs.join(","));
        let json = if nested { format!("{{\"x\":{flat},\"y\":0,\"x\":{flat}}}") } else { flat.clone() };
        let msgpack = our_msgpack(&json);
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        let strict = to_json(&msgpack, &MsgpackOptions::default(), &mut Vec::new());
        prop_assert_eq!(strict.is_ok(), !nested && distinct.len() == keys.len());
        let last = MsgpackOptions { duplicates: Duplicates::LastWins, ..MsgpackOptions::default() };
        let ours = our_json(&msgpack, &last);
        // serde_json's map keeps the last value, too.
        prop_assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), serde_json::from_str::<Value>(&json).unwrap());
        prop_assert!(to_json(&our_msgpack(&ours), &MsgpackOptions::default(), &mut Vec::new()).is_ok());
    }

    #[test]
    fn json_is_refused_where_serde_json_refuses_it(
        tree in tree(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut json = tree.to_string().into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        let mut out = Vec::new();
        let ours = from_json(&json, &Limits::default(), &mut out);
        prop_assert_eq!(ours.is_ok(), serde_json::from_slice::<Value>(&json).is_ok(), "{:?}", ours);
    }
}

fn refusal(bytes: &[u8]) -> &'static str {
    let mut out = Vec::new();
    let refused = to_json(bytes, &scalars(), &mut out).unwrap_err().reason();
    assert!(out.is_empty() && out.capacity() <= 1 << 20, "{}", out.capacity());
    refused
}

#[test]
fn bombs_are_defused() {
    let many = |byte: u8| vec![byte; 16 << 20];
    assert_eq!(refusal(&many(0x91)), "depth_exceeded");
    assert_eq!(refusal(&b"\x81\xa1a".repeat(1 << 20)), "depth_exceeded");
    for marker in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
        assert_eq!(refusal(&[marker, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01]), "msgpack_invalid");
    }
    // 16 Mi of nil in one array would be 80 MiB of `null,`.
    let mut nils = many(0xc0);
    nils[..5].copy_from_slice(&[0xdd, 0x00, 0xff, 0xff, 0xfb]);
    assert_eq!(refusal(&nils), "payload_too_large");
    // Control characters grow sixfold.
    let mut controls = many(0x01);
    controls[..5].copy_from_slice(&[0xdb, 0x00, 0xff, 0xff, 0xfb]);
    assert_eq!(refusal(&controls), "payload_too_large");
    let mut binary = controls;
    binary[0] = 0xc6;
    assert_eq!(refusal(&binary), "payload_too_large");
}

#[test]
fn a_map_of_the_largest_allowed_size_stays_fast() {
    let keys = 32_000_u32;
    let mut map = vec![0xde, 0x7d, 0x00];
    for key in 0..keys {
        map.extend_from_slice(&[0xa4]);
        map.extend(format!("{key:04x}").bytes());
        map.push(1);
    }
    let limits = Limits { elements_max: 1 << 18, output_max: 1 << 20, ..Limits::default() };
    let json = our_json(&map, &MsgpackOptions { limits, ..MsgpackOptions::default() });
    assert_eq!(json.matches(':').count(), keys as usize);
    // All the keys once more: every one replaces an earlier one.
    let once = map.split_off(3);
    let twice = [&[0xde, 0xfa, 0x00][..], &once, &once].concat();
    let last = MsgpackOptions { duplicates: Duplicates::LastWins, limits, ..scalars() };
    assert_eq!(our_json(&twice, &last), json);
}

#[test]
fn stack_use_is_small_at_the_deepest_nesting() {
    let limits = Limits { depth_max: usize::MAX, ..Limits::default() };
    // Maps take more than arrays; the innermost value is an array.
    let deep = [&b"\x81\xa1a".repeat(DEPTH_LIMIT - 1)[..], &[0x91, 0xc0]].concat();
    let options = MsgpackOptions { limits, ..MsgpackOptions::default() };
    // A frame takes about half a KiB, and several without optimisation.
    let stack_size = if cfg!(debug_assertions) { 1024 * 1024 } else { 128 * 1024 };
    std::thread::Builder::new()
        .stack_size(stack_size)
        .spawn(move || {
            let json = our_json(&deep, &options);
            assert!(serde_json::from_str::<Value>(&json).is_ok());
            let mut back = Vec::new();
            from_json(json.as_bytes(), &options.limits, &mut back).unwrap();
            assert_eq!(back, deep);
        })
        .unwrap()
        .join()
        .unwrap();
}

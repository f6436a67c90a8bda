//! The JSON scanner against `serde_json`: both accept the same texts, and cut them at the same
//! bytes. The known differences are spelt out in `agrees`.

use std::collections::BTreeMap;

use interlingua::payload::json::{
    DEPTH_LIMIT, JsonKind, RawString, as_f64, as_i64, as_u64, elements, escape_into, kind, member,
    members, validate,
};
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

/// Pieces that make near-JSON when thrown together.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "\t",
    "\u{b}",
    "\"",
    "\"a\"",
    "\"\\u0061\"",
    "\"b\":",
    "\\",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\\n",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E",
    "12",
    "1.5",
    "-0.0",
    "1e9",
    "1e400",
    "01",
    "true",
    "false",
    "null",
    "nul",
    "NaN",
    "é",
    "😀",
    "\u{feff}",
    "\0",
    "{\"a\":",
    "[1,",
    "{}",
    "[]",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[\\x00-\\x24\\\\a]{0,20}".prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,5}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn printed() -> impl Strategy<Value = String> {
    (tree(), any::<bool>())
        .prop_map(|(tree, pretty)| if pretty { format!(" {tree:#}\r\n") } else { tree.to_string() })
}

/// Same verdict as serde_json, apart from numbers beyond the doubles: they are good JSON, and only
/// somebody who needs their value has to refuse them.
fn agrees(bytes: &[u8]) {
    let ours = validate(bytes, DEPTH_LIMIT);
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => {
            assert_eq!(ours, Ok(()), "serde_json accepts {:?}", String::from_utf8_lossy(bytes));
            assert_eq!(kind(bytes), Ok(kind_of(&value)));
        }
        Err(error) if error.to_string().contains("number out of range") => {}
        Err(error) => {
            assert!(ours.is_err(), "{error}, but: {:?}", String::from_utf8_lossy(bytes));
            assert!(kind(bytes).is_err());
        }
    }
    assert_eq!(ours.is_ok(), kind(bytes).is_ok());
}

fn kind_of(value: &Value) -> JsonKind {
    match value {
        Value::Null => JsonKind::Null,
        Value::Bool(_) => JsonKind::Bool,
        Value::Number(_) => JsonKind::Number,
        Value::String(_) => JsonKind::String,
        Value::Array(_) => JsonKind::Array,
        Value::Object(_) => JsonKind::Object,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn same_verdict_on_printed_values(text in printed()) {
        prop_assert_eq!(validate(text.as_bytes(), DEPTH_LIMIT), Ok(()));
        agrees(text.as_bytes());
    }

    #[test]
    fn same_verdict_on_damaged_values(
        text in printed(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len().max(1)).min(bytes.len());
            match edit {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => { bytes.remove(at); }
                _ => {}
            }
        }
        agrees(&bytes);
    }

    #[test]
    fn same_verdict_on_token_soup(tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..14)) {
        agrees(tokens.concat().as_bytes());
    }

    #[test]
    fn same_verdict_on_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        agrees(&bytes);
    }

    #[test]
    fn members_are_cut_at_the_same_bytes(map in prop::collection::btree_map(".{0,6}", tree(), 0..8), pretty in any::<bool>()) {
        let tree = Value::Object(map.into_iter().collect());
        let text = if pretty { format!("{tree:#}") } else { tree.to_string() };
        let theirs: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap();
        let mut count = 0;
        for item in members(text.as_bytes()).unwrap() {
            let item = item.unwrap();
            let mut key = Vec::new();
            item.key.unescape(&mut key);
            let key = String::from_utf8(key).unwrap();
            prop_assert!(item.key.is(&key));
            prop_assert_eq!(theirs[&key].get().as_bytes(), item.value);
            prop_assert_eq!(member(text.as_bytes(), &key), Ok(Some(item.value)));
            prop_assert_eq!(&text.as_bytes()[item.at..item.at + item.value.len()], item.value);
            count += 1;
        }
        prop_assert_eq!(count, theirs.len());
    }

    #[test]
    fn elements_are_cut_at_the_same_bytes(list in prop::collection::vec(tree(), 0..8)) {
        let text = format!("{:#}", Value::from(list));
        let theirs: Vec<Box<RawValue>> = serde_json::from_str(&text).unwrap();
        let ours: Vec<&[u8]> =
            elements(text.as_bytes()).unwrap().map(|item| item.unwrap().value).collect();
        prop_assert_eq!(ours, theirs.iter().map(|raw| raw.get().as_bytes()).collect::<Vec<_>>());
    }

    #[test]
    fn strings_are_resolved_and_compared_alike(text in ".{0,20}|[\\x00-\\x24\\\\]{0,20}", other in ".{0,20}") {
        let json = serde_json::to_string(&text).unwrap();
        let raw = RawString::of(json.as_bytes()).unwrap();
        let mut plain = Vec::new();
        raw.unescape(&mut plain);
        prop_assert_eq!(plain, text.as_bytes());
        prop_assert!(raw.is(&text));
        prop_assert_eq!(raw.is(&other), text == other);
        let mut ours = Vec::new();
        escape_into(&text, &mut ours);
        prop_assert_eq!(ours, &json.as_bytes()[1..json.len() - 1]);
    }

    #[test]
    fn numbers_are_worth_the_same(float in any::<f64>(), signed in any::<i64>(), unsigned in any::<u64>()) {
        prop_assert_eq!(as_i64(signed.to_string().as_bytes()), Some(signed));
        prop_assert_eq!(as_u64(unsigned.to_string().as_bytes()), Some(unsigned));
        if float.is_finite() {
            let bits = as_f64(format!("{float:e}").as_bytes()).map(f64::to_bits);
            prop_assert_eq!(bits, Some(float.to_bits()));
        }
    }
}

#[test]
fn depth_ends_where_serde_json_ends() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for depth in [DEPTH_LIMIT - 1, DEPTH_LIMIT, DEPTH_LIMIT + 1] {
        agrees(nested(depth).as_bytes());
    }
}

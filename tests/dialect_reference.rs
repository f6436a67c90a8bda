//! The reference of dialect tables has every key that a table takes, and every word that a key does.

use std::collections::BTreeSet;

use interlingua::dialect::{Kind, Part, RetainRule, Sender, Unserved, Usage, parse};
use interlingua::payload::{Shape, TimeSpelling};

/// A table in which each place has an unknown key: the faults list all that are known there.
const UNKNOWN: &str = "xxxxxxxxxxxx = 1\nname = 'a'\nmqtt = ['5']\n\
     [variables]\npump = { part = 'device', xxxxxxxxxxxx = 1 }\n[connect]\nxxxxxxxxxxxx = 1\n[limits]\nxxxxxxxxxxxx = 1\n\
     [layouts.l]\nbody = 'b'\nxxxxxxxxxxxx = 1\n\
     [[topic]]\nkind = 'state'\nfrom = 'device'\ntemplate = '{pump}'\nshape = 'l'\nxxxxxxxxxxxx = 1\n\
     when = { member = 'm', is = ['t'], xxxxxxxxxxxx = 1 }\n";

/// Where the keys of each place stand in the reference.
const SECTIONS: [&str; 6] =
    ["The table", "`[variables]`", "`[connect]`", "`[limits]`", "`[layouts]`", "`[[topic]]`"];

fn reference() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/dialects/README.md");
    std::fs::read_to_string(path).expect("the reference")
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The keys of the first table of a section.
fn told(section: &str) -> BTreeSet<String> {
    let reference = reference();
    let (_, text) = reference.split_once(&format!("\n## {section}\n")).expect(section);
    let (_, table) = text.split_once("| key | value | default | says |\n").expect(section);
    let rows = table.lines().take_while(|line| line.starts_with('|')).skip(1);
    rows.flat_map(|row| quoted(row.split('|').nth(1).expect("a cell")).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_key_of_a_table_is_told() {
    let faults = parse("t.toml", UNKNOWN).expect_err("unknown keys");
    let mut known: Vec<BTreeSet<String>> = faults
        .iter()
        .map(|fault| {
            let fault = fault.to_string();
            let (_, list) = fault.split_once("this table has").unwrap_or_else(|| panic!("{fault}"));
            quoted(list).collect()
        })
        .collect();
    let when = BTreeSet::from(["member".to_owned(), "is".to_owned()]);
    let count = known.len();
    known.retain(|keys| *keys != when);
    assert_eq!((count, known.len()), (7, 6), "{known:?}");
    for section in SECTIONS {
        let told = told(section);
        let place = known.iter().position(|keys| *keys == told);
        let place = place.unwrap_or_else(|| panic!("{section}: {told:?} is none of {known:?}"));
        known.remove(place);
    }
}

#[test]
fn every_word_is_told() {
    let reference = reference();
    let rows = reference.lines().filter(|line| line.starts_with("| `"));
    let words: BTreeSet<String> = rows.flat_map(quoted).collect();
    let told = |word: &str| words.contains(word) || words.contains(&format!("\"{word}\""));
    let all = [
        Kind::WORDS.map(|(word, _)| word).to_vec(),
        Shape::WORDS.map(|(word, _)| word).to_vec(),
        Part::WORDS.map(|(word, _)| word).to_vec(),
        Sender::WORDS.map(|(word, _)| word).to_vec(),
        Usage::WORDS.map(|(word, _)| word).to_vec(),
        RetainRule::WORDS.map(|(word, _)| word).to_vec(),
        Unserved::WORDS.map(|(word, _)| word).to_vec(),
        TimeSpelling::WORDS.map(|(word, _)| word).to_vec(),
    ]
    .concat();
    let missing: Vec<&str> = all.into_iter().filter(|word| !told(word)).collect();
    assert_eq!(missing, [""; 0]);
}

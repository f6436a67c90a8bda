//! Holds tests/attacks.md against the tests: what it cites is there and runs, what is named after an attack is cited, each of
//! the attacks has its line, and each line a test or a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The attacks are numbered from 1 on.
const ATTACKS: usize = 31;

#[test]
fn the_table_and_the_tests_agree() {
    let faults = faults(&table());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The check is no good if it doesn't see what it is for.
#[test]
fn each_kind_of_fault_is_seen() {
    let table = table();
    let cases = [
        ("`payload_oracle::bombs_are_defused`", "`payload_oracle::bombs_are_duds`", "no such test"),
        ("`payload_oracle::bombs_are_defused`", "`payload::bombs_are_defused`", "no such file"),
        (
            "test_hostile_broker::test_in_place_of_connack",
            "test_hostile_broker::test_x",
            "no such test",
        ),
        ("| 30 |", "| 29 |", "29 comes twice"),
        ("| 30 |", "| 32 |", "30 is missing"),
        ("| 30 |", "| x |", "x is no number"),
        (
            "`payload_oracle::bombs_are_defused` `payload_oracle::a_map_of_the_largest_allowed_size_stays_fast` \
             `payload_oracle::stack_use_is_small_at_the_deepest_nesting`",
            "",
            "neither a test nor a reason",
        ),
        ("`session_access::attack_18_a_will_is_held_to_the_same`", "", "isn't cited"),
        ("`session_access::attack_17_", "`session_access::attack_71_", "no such test"),
    ];
    for (found, instead, expected) in cases {
        assert!(table.contains(found), "{found}: not in the table");
        let faults = faults(&table.replacen(found, instead, 1));
        let seen = faults.iter().any(|fault| fault.contains(expected));
        assert!(seen, "{found} as {instead}: {faults:?} instead of {expected}");
    }
}

struct Row {
    number: usize,
    proofs: Vec<String>,
    besides: String,
}

fn faults(table: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let rows = rows(table, &mut faults);
    let mut numbers = BTreeSet::new();
    for row in &rows {
        if !numbers.insert(row.number) {
            faults.push(format!("{} comes twice", row.number));
        }
        let reason = ["can't apply: ", "open: "].iter().any(|word| row.besides.contains(word));
        if row.proofs.is_empty() && !reason {
            faults.push(format!("{}: neither a test nor a reason", row.number));
        }
        faults.extend(row.proofs.iter().filter_map(|proof| missing(proof)));
    }
    let all = 1..=ATTACKS;
    faults.extend(
        all.filter(|number| !numbers.contains(number)).map(|number| format!("{number} is missing")),
    );
    for (file, test) in named() {
        let number: String =
            test.chars().skip("attack_".len()).take_while(char::is_ascii_digit).collect();
        let cited = format!("{file}::{test}");
        let row = rows.iter().find(|row| row.number.to_string() == number);
        if !row.is_some_and(|row| row.proofs.contains(&cited)) {
            faults.push(format!("{cited} isn't cited by {number}"));
        }
    }
    faults
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn table() -> String {
    fs::read_to_string(root().join("attacks.md")).expect("the table")
}

fn rows(table: &str, faults: &mut Vec<String>) -> Vec<Row> {
    let lines = table.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let mut rows = Vec::new();
    for line in lines.skip(2) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [number, attack, proofs, besides] = cells[..] else {
            faults.push(format!("{line}: not four cells"));
            continue;
        };
        if attack.is_empty() {
            faults.push(format!("{number}: says no attack"));
        }
        match number.parse() {
            Ok(number) => rows.push(Row {
                number,
                proofs: proofs.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
                besides: besides.to_owned(),
            }),
            Err(_) => faults.push(format!("{number} is no number")),
        }
    }
    rows
}

/// What is wrong with a citation.
fn missing(proof: &str) -> Option<String> {
    let Some((file, test)) = proof.split_once("::") else {
        return Some(format!("{proof}: not of the form `file::test`"));
    };
    let python = file.starts_with("blackbox/");
    let path = root().join(format!("{file}.{}", if python { "py" } else { "rs" }));
    let Ok(text) = fs::read_to_string(path) else {
        return Some(format!("{proof}: no such file"));
    };
    let there = match python {
        true => text.contains(&format!("def {test}(")),
        false => tests_of(&text).any(|known| known == test),
    };
    (!there).then(|| format!("{proof}: no such test, or it doesn't run"))
}

/// The tests of a file that aren't ignored.
fn tests_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[test]\n").skip(1).filter_map(|rest| {
        let rest = rest.trim_start().strip_prefix("fn ")?;
        Some(rest.split('(').next().unwrap_or(rest))
    })
}

/// The tests that are named after an attack, with their file.
fn named() -> Vec<(String, String)> {
    let mut named = Vec::new();
    for entry in fs::read_dir(root()).expect("the tests") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let file = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a test");
        let own = tests_of(&text).filter(|test| test.starts_with("attack_"));
        named.extend(own.map(|test| (file.clone(), test.to_owned())));
    }
    assert!(named.len() > 5, "the tests were not found");
    named
}

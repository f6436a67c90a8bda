//! Holds tests/conformance.md against the tests: what it cites is there, what is named after a statement is cited,
//! no number is missing or comes twice. It doesn't know whether a test proves what it is cited for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The headings of the two sections, with the beginning of the tests that are named after their statements.
const SECTIONS: [(&str, &str); 2] = [("## MQTT 3.1.1", "v3_"), ("## MQTT 5.0", "v5_")];
/// How far the numbers go in each section of the specifications, from 1 on.
const NUMBERS: [&str; 2] = [
    "1.5.3:3 2.2.2:2 2.3.1:7 3.1.0:2 3.1.2:24 3.1.3:11 3.1.4:5 3.2.0:1 3.2.2:6 3.3.1:12 3.3.2:3 3.3.4:1 \
     3.3.5:2 3.6.1:1 3.8.1:1 3.8.3:4 3.8.4:6 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.12.4:1 3.14.1:1 3.14.4:3 \
     4.1.0:2 4.3.1:1 4.3.2:2 4.3.3:2 4.4.0:1 4.5.0:2 4.6.0:6 4.7.1:3 4.7.2:1 4.7.3:4 4.8.0:2 6.0.0:4 7.0.0:2 \
     7.1.1:1 7.1.2:1",
    "1.5.4:3 1.5.5:1 1.5.7:1 2.1.3:1 2.2.1:6 2.2.2:1 3.1.0:2 3.1.2:30 3.1.3:12 3.1.4:6 3.2.0:2 3.2.2:22 \
     3.3.1:13 3.3.2:20 3.3.4:10 3.4.2:3 3.5.2:3 3.6.1:1 3.6.2:3 3.7.2:3 3.8.1:1 3.8.3:5 3.8.4:8 3.9.2:2 \
     3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.11.2:2 3.11.3:2 3.12.4:1 3.14.0:1 3.14.1:1 3.14.2:4 3.14.4:3 \
     3.15.1:1 3.15.2:3 4.1.0:2 4.2.0:1 4.3.1:1 4.3.2:5 4.3.3:13 4.4.0:2 4.5.0:2 4.6.0:6 4.7.0:1 4.7.1:2 \
     4.7.2:1 4.7.3:4 4.8.2:6 4.9.0:3 4.12.0:7 4.12.1:2 4.13.1:1 4.13.2:1 6.0.0:4",
];
/// The one number that version 5 itself leaves out.
const NOT_THERE: (&str, &str) = ("v5_", "2.2.1-1");

/// One line of the table.
struct Row {
    section: &'static str,
    number: String,
    proofs: Vec<String>,
    open: Vec<String>,
    besides: String,
}

/// What is known of a test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Runs,
    /// Ignored, because it shows a fault that isn't mended.
    Open,
    /// Ignored for another reason.
    Ignored,
}

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
        ("dup_is_0_at_qos_0` |", "dup_is_0_at_qos_1` |", "no such test"),
        (
            "`session_connect::every_pair_connects` |",
            "`session_gone::every_pair_connects` |",
            "no such file",
        ),
        (
            "blackbox/test_hostile_device::test_first_packet",
            "blackbox/test_hostile_device::test_first_packet_2",
            "no such test",
        ),
        ("| 3.1.0-2 |", "| 3.1.0-1 |", "3.1.0-1 of v3_ comes twice"),
        ("| 3.1.0-2 |", "| 3.1.0-2a |", "isn't a statement's number"),
        ("| retained messages are the broker's |", "| |", "neither a test nor a reason"),
        ("`conformance_connect::v3_3_1_2_3_the_reserved_flag_is_0`", "none", "isn't cited"),
        (
            "| retained messages are the broker's |",
            "| open: `session_connect::every_pair_connects` |",
            "isn't open any more",
        ),
        ("| 3.8.1-1 |", "| 3.8.1-2 |", "3.8.1-1 of v3_ is missing"),
        ("| 7.1.2-1 |", "| 7.1.2-2 |", "7.1.2-1 of v3_ is missing"),
        ("## MQTT 5.0", "## MQTT 5", "3.15.2-3 of v5_ is missing"),
    ];
    for (found, instead, expected) in cases {
        assert!(table.contains(found), "{found}: not in the table");
        let faults = faults(&table.replacen(found, instead, 1));
        let seen = faults.iter().any(|fault| fault.contains(expected));
        assert!(seen, "{found} as {instead}: {faults:?} instead of {expected}");
    }
}

fn faults(table: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let rows = rows(table, &mut faults);
    check_numbers(&rows, &mut faults);
    check_citations(&rows, &mut faults);
    check_names(&rows, &mut faults);
    faults
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn table() -> String {
    fs::read_to_string(root().join("conformance.md")).expect("the table")
}

/// The table's rows; one that can't be read is a fault.
fn rows(table: &str, faults: &mut Vec<String>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut section = None;
    for line in table.lines() {
        if line.starts_with('#') {
            section = SECTIONS.iter().find(|(heading, _)| *heading == line).map(|(_, name)| *name);
        }
        let cells = line.strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
        let (Some(section), Some(cells)) = (section, cells) else { continue };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let [number, demand, proofs, besides] = cells[..] else {
            faults.push(format!("{line}: not four cells"));
            continue;
        };
        if number == "statement" || number.starts_with("---") {
            continue;
        }
        if demand.is_empty() || proofs.is_empty() && besides.is_empty() {
            faults.push(format!("{number} of {section}: neither a test nor a reason"));
        }
        let (reason, open) = besides.split_once("open:").unwrap_or((besides, ""));
        rows.push(Row {
            section,
            number: number.to_owned(),
            proofs: [cited(proofs), cited(reason)].concat(),
            open: cited(open),
            besides: besides.to_owned(),
        });
    }
    rows
}

/// Whatever stands between backticks and names a test.
fn cited(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.contains("::")).map(str::to_owned).collect()
}

/// Every number that there is, with its section.
fn all_numbers() -> BTreeSet<(&'static str, String)> {
    let mut all = BTreeSet::new();
    for ((_, section), numbers) in SECTIONS.iter().zip(NUMBERS) {
        for part in numbers.split_whitespace() {
            let (part, last) = part.split_once(':').expect("a section and its last number");
            for place in 1..=last.parse::<u32>().expect("a number") {
                all.insert((*section, format!("{part}-{place}")));
            }
        }
    }
    all.remove(&(NOT_THERE.0, NOT_THERE.1.to_owned()));
    all
}

/// Each number once, none left out, none made up.
fn check_numbers(rows: &[Row], faults: &mut Vec<String>) {
    let mut left = all_numbers();
    let all = left.clone();
    for Row { section, number, .. } in rows {
        let known = (*section, number.clone());
        if !all.contains(&known) {
            faults.push(format!("{number} of {section} isn't a statement's number"));
        } else if !left.remove(&known) {
            faults.push(format!("{number} of {section} comes twice"));
        }
    }
    faults.extend(left.iter().map(|(section, number)| format!("{number} of {section} is missing")));
}

/// What is cited is there; what is cited as a proof runs, and what is cited as open is ignored as open.
fn check_citations(rows: &[Row], faults: &mut Vec<String>) {
    let mut files = BTreeMap::new();
    for row in rows {
        let all = row.proofs.iter().map(|test| (test, false));
        for (test, is_open) in all.chain(row.open.iter().map(|test| (test, true))) {
            let place = format!("{} of {}: {test}", row.number, row.section);
            let (file, name) = test.split_once("::").unwrap_or_default();
            let Some(tests) = files.entry(file.to_owned()).or_insert_with(|| tests_of(file)) else {
                faults.push(format!("{place}: no such file"));
                continue;
            };
            match (tests.get(name), is_open) {
                (None, _) => faults.push(format!("{place}: no such test")),
                (Some(Test::Runs), false) | (Some(Test::Open), true) => {}
                (Some(Test::Runs), true) => faults.push(format!("{place}: isn't open any more")),
                (Some(_), _) => faults.push(format!("{place}: is ignored, and proves nothing")),
            }
        }
        if row.besides.contains("open:") && row.open.is_empty() {
            faults.push(format!("{} of {}: open, but which test?", row.number, row.section));
        }
    }
}

/// A test that is named after a statement is cited there, as a proof or as open.
fn check_names(rows: &[Row], faults: &mut Vec<String>) {
    let mut found = 0;
    for entry in fs::read_dir(root()).expect("the tests") {
        let path = entry.expect("a file").path();
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        for name in tests_of(&file).unwrap_or_default().into_keys() {
            let Some((section, number)) = statement_of(&name) else { continue };
            found += 1;
            let test = format!("{file}::{name}");
            let row = rows.iter().find(|row| row.section == section && row.number == number);
            let cites = |row: &Row| row.proofs.contains(&test) || row.open.contains(&test);
            if !row.is_some_and(cites) {
                faults.push(format!("{test} isn't cited for {number} of {section}"));
            }
        }
    }
    assert!(found > 100, "the tests were not found");
}

/// `v5_3_3_1_2_dup_is_0` as `3.3.1-2` of version 5. Fewer numbers are a section, not a statement.
fn statement_of(name: &str) -> Option<(&'static str, String)> {
    let (_, section) = SECTIONS.iter().find(|(_, section)| name.starts_with(section))?;
    let words = name[section.len()..].split('_');
    let numbers: Vec<&str> = words.take_while(|word| word.parse::<u32>().is_ok()).collect();
    let (place, part) = numbers.split_last().filter(|_| numbers.len() == 4)?;
    Some((section, format!("{}-{place}", part.join("."))))
}

/// The tests of a file, `name` or `blackbox/test_name`.
fn tests_of(file: &str) -> Option<BTreeMap<String, Test>> {
    if let Ok(text) = fs::read_to_string(root().join(format!("{file}.rs"))) {
        return Some(rust_tests(&text));
    }
    let text = fs::read_to_string(root().join(format!("{file}.py"))).ok()?;
    let names = text.lines().filter_map(|line| line.strip_prefix("def test_")?.split_once('('));
    Some(names.map(|(name, _)| (format!("test_{name}"), Test::Runs)).collect())
}

fn rust_tests(text: &str) -> BTreeMap<String, Test> {
    let mut tests = BTreeMap::new();
    let mut next = None;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" {
            next = Some(Test::Runs);
        } else if let (Some(_), Some(reason)) = (next, line.strip_prefix("#[ignore")) {
            let open = reason.starts_with(" = \"open: ");
            next = Some(if open { Test::Open } else { Test::Ignored });
        } else if let Some(rest) = line.strip_prefix("fn ")
            && let Some(test) = next.take()
        {
            let name = rest.split('(').next().unwrap_or(rest);
            tests.insert(name.to_owned(), test);
        }
    }
    tests
}

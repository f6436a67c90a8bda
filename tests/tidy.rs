//! Holds the plan of the house (ARCHITECTURE.md) against the code: who may import whom, what a pure
//! room may not touch, how large a file may grow. The table below *is* the plan.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room with the rooms it may import. Order: from the ground floor upwards.
const ROOMS: &[(&str, Floor, &[&str])] = &[
    ("mqtt", Floor::Pure, &[]),
    ("document", Floor::Pure, &[]),
    ("payload", Floor::Pure, &[]),
    ("dialect", Floor::Pure, &["mqtt", "document", "payload"]),
    ("translate", Floor::Pure, &["mqtt", "payload", "dialect"]),
    ("access", Floor::Pure, &["document"]),
    ("session", Floor::Pure, &["mqtt", "dialect", "translate", "access"]),
    ("config", Floor::Pure, &["document", "payload", "dialect", "translate", "access", "session"]),
    ("overload", Floor::Shell, &["config"]),
    ("transport", Floor::Shell, &["config"]),
    ("upstream", Floor::Shell, &["config", "transport"]),
    ("telemetry", Floor::Shell, &["translate", "session", "overload", "upstream"]),
    ("registry", Floor::Shell, &[]),
    ("gate", Floor::Shell, &["access", "session", "config"]),
    (
        "shard",
        Floor::Shell,
        &["access", "session", "config", "overload", "transport", "upstream", "registry", "gate"],
    ),
    ("admin", Floor::Shell, &["overload", "telemetry", "shard"]),
    (
        "server",
        Floor::Shell,
        &[
            "config",
            "overload",
            "telemetry",
            "transport",
            "upstream",
            "registry",
            "gate",
            "shard",
            "admin",
        ],
    ),
    ("demo", Floor::Shell, &["mqtt", "config", "server"]),
    (
        "cli",
        Floor::Shell,
        &[
            "mqtt",
            "document",
            "dialect",
            "translate",
            "access",
            "session",
            "config",
            "server",
            "demo",
        ],
    ),
];

/// What a pure room may not mention: clocks, sockets, threads, files, async.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "tokio",
    "async fn",
    "async move",
    ".await",
    "tracing::",
    "metrics::",
    "println!",
    "eprintln!",
];

/// Words that say nothing; the rooms have better ones.
const BANNED_WORDS: &[&str] = &["manager", "helper", "pkid", "fn process_", "fn handle_"];

/// A file past this many lines is split before it hurts.
const LINES_MAX: usize = 500;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Floor {
    Pure,
    Shell,
}

#[test]
fn rooms_import_only_what_the_plan_allows() {
    let mut faults = Vec::new();
    for file in sources() {
        let Some((room, _, allowed)) = room_of(&file) else { continue };
        for import in imports(&file) {
            if import != *room && !allowed.contains(&import.as_str()) {
                faults.push(format!("{}: `{room}` imports `{import}`", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "imports outside the plan:\n{}", faults.join("\n"));
}

#[test]
fn the_plan_has_no_cycle() {
    for (at, (room, _, allowed)) in ROOMS.iter().enumerate() {
        for import in *allowed {
            let place = ROOMS.iter().position(|(name, ..)| name == import);
            assert!(
                place.is_some_and(|place| place < at),
                "`{room}` may only import rooms below it, not `{import}`"
            );
        }
    }
}

#[test]
fn every_room_is_in_the_plan_and_every_plan_is_a_room() {
    let planned: BTreeSet<&str> = ROOMS.iter().map(|(name, ..)| *name).collect();
    let mut built = BTreeSet::new();
    for file in sources() {
        let name = room_name(&file);
        if name != "lib" && name != "main" {
            built.insert(name);
        }
    }
    let built: BTreeSet<&str> = built.iter().map(String::as_str).collect();
    assert_eq!(planned, built);
}

#[test]
fn pure_rooms_have_no_clock_socket_thread_or_async() {
    let mut faults = Vec::new();
    for file in sources() {
        if !matches!(room_of(&file), Some((_, Floor::Pure, _))) {
            continue;
        }
        for (number, line) in code_lines(&file) {
            for word in IMPURE {
                if line.contains(word) {
                    faults.push(format!("{}:{number}: `{word}`", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "impure words in pure rooms:\n{}", faults.join("\n"));
}

#[test]
fn pure_rooms_deny_what_can_panic() {
    for (room, floor, _) in ROOMS {
        if *floor == Floor::Pure {
            let root = read(&source_root().join(room).join("mod.rs"));
            for lint in [
                "unwrap_used",
                "expect_used",
                "panic",
                "indexing_slicing",
                "cast_possible_truncation",
            ] {
                assert!(root.contains(&format!("clippy::{lint}")), "`{room}` does not deny {lint}");
            }
        }
    }
}

#[test]
fn files_stay_readable() {
    let mut faults = Vec::new();
    for file in sources() {
        let text = read(&file);
        if text.lines().count() > LINES_MAX {
            faults.push(format!("{}: {} lines", file.display(), text.lines().count()));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{}: does not open with what it is (`//!`)", file.display()));
        }
        for (number, line) in code_lines(&file) {
            for word in BANNED_WORDS {
                if line.to_lowercase().contains(word) {
                    faults.push(format!("{}:{number}: `{word}`", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![source_root()];
    while let Some(folder) = open.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 5, "the sources were not found");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `src/mqtt/publish.rs` and `src/mqtt.rs` both belong to the room `mqtt`.
fn room_name(file: &Path) -> String {
    let inside = file.strip_prefix(source_root()).expect("a source file");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn room_of(file: &Path) -> Option<&'static (&'static str, Floor, &'static [&'static str])> {
    let name = room_name(file);
    ROOMS.iter().find(|(room, ..)| *room == name)
}

/// The rooms that a file names after `crate::`, its tests included.
fn imports(file: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in code_lines(file) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let names =
                rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap_or(list));
            let many = rest.starts_with('{');
            for name in if many { names.split(',').collect::<Vec<_>>() } else { vec![names] } {
                let name: String = name
                    .trim()
                    .chars()
                    .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                    .collect();
                if !name.is_empty() {
                    found.insert(name);
                }
            }
        }
    }
    found
}

/// Lines without comments and without the file's tests (which stand at its bottom).
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = read(file);
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            break;
        }
        let code = line.split("//").next().unwrap_or(line);
        if !code.trim().is_empty() {
            lines.push((number + 1, code.to_owned()));
        }
    }
    lines
}

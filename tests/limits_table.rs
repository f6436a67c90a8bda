//! The README's table of limits has every key that the configuration takes, its default, and words that are counted.

use std::collections::BTreeMap;

use interlingua::config::{ConnectionLimits, Proxy, load};
use interlingua::session::{End, Excess, Paced, SessionLimits};
use interlingua::translate::Reason;

/// A configuration in which both tables have an unknown key: the faults list all that are known.
const UNKNOWN: &str = "[limits]\nx = 1\n\
     [[listener]]\nname = 'a'\nbind = '127.0.0.1:1'\ndialect = 'plain'\nupstream = 'b'\n[listener.limits]\nx = 1\n\
     [[upstream]]\nname = 'b'\nurl = 'mqtt://broker'\ndialect = 'plain'\n";

/// The keys that the configuration takes.
fn keys() -> Vec<String> {
    let faults = load("t.toml", UNKNOWN, &mut |_| Err(String::new())).expect_err("unknown keys");
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let mut keys = Vec::new();
    for fault in &told {
        let (_, list) = fault.split_once("this table has").expect("a list of keys");
        keys.extend(list.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    keys
}

/// The rows of the table: its key, and the other cells.
fn rows() -> BTreeMap<String, Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("the README");
    let (_, section) = readme.split_once("\n## Limits\n").expect("its section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        let key = cells.next().expect("a key").trim_matches('`').to_owned();
        (key, cells.collect())
    };
    lines.map(row).collect()
}

fn default(key: &str) -> Option<u128> {
    let (sessions, proxy) = (SessionLimits::default(), Proxy::default());
    Some(match key {
        "connect_timeout_ms" => sessions.connect_timeout.as_millis(),
        "connect_size_max" => sessions.connect_size_max as u128,
        "packet_size_max" => sessions.packet_size_max as u128,
        "upstream_timeout_ms" => sessions.upstream_timeout.as_millis(),
        "topic_levels_max" => sessions.topic_levels_max as u128,
        "topic_bytes_max" => sessions.topic_bytes_max as u128,
        "properties_max" => sessions.properties_max as u128,
        "exchanges_max" => sessions.exchanges_max as u128,
        "subscriptions_max" => sessions.subscriptions_max as u128,
        "attachments_max" => sessions.attachments_max as u128,
        "topic_aliases_max" => u128::from(sessions.topic_aliases_max),
        "will_delay_max_ms" => sessions.will_delay_max.as_millis(),
        "buffered_bytes_max" => proxy.buffered_bytes_max as u128,
        "sessions_max" => proxy.sessions_max as u128,
        "openings_max" => proxy.openings_max as u128,
        "handshakes_max" => proxy.handshakes_max as u128,
        "keep_alive_max_s" => u128::from(sessions.keep_alive_max?.get()),
        "connect_rate_max" => u128::from(ConnectionLimits::default().rate_max.get()),
        // The others of listeners hold only where they are written: tests/config_examples.rs.
        _ => return None,
    })
}

#[test]
fn the_readme_has_each_limit_with_its_default() {
    let rows = rows();
    let mut keys = keys();
    keys.sort_unstable();
    assert_eq!(
        rows.keys().cloned().collect::<Vec<_>>(),
        keys,
        "the README's table and the configuration"
    );
    for (key, cells) in &rows {
        let [told, unit, reached, counted] = &cells[..] else {
            panic!("{key}: not four cells: {cells:?}");
        };
        let default = default(key).map_or("none".to_owned(), |number| number.to_string());
        assert_eq!(*told, default, "{key}");
        assert!(!unit.is_empty() && !reached.is_empty() && !counted.is_empty(), "{key}: {cells:?}");
    }
}

#[test]
fn what_the_readme_says_is_counted_is_counted() {
    let mut known: Vec<&str> = Vec::new();
    known.extend(End::LABELS);
    known.extend(Reason::ALL.map(Reason::label));
    known.extend(Excess::LABELS);
    known.extend(Paced::ALL.map(Paced::label));
    for (key, cells) in rows() {
        let words: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        for word in words {
            let is_metric = word.starts_with("interlingua_");
            assert!(is_metric || known.contains(&word), "{key}: nothing counts `{word}`");
        }
    }
}

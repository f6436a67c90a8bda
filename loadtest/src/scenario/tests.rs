//! Scenarios as people write them: what is read, what is refused and how.

use super::*;

fn flags(toml: &str) -> Flags {
    Flags { toml: toml.to_owned() }
}

fn read(text: &str) -> Result<Scenario, String> {
    load(None, &flags(text)).map_err(|error| error.to_string())
}

#[test]
fn every_preset_is_sound_and_comes_back_from_its_text() {
    for preset in PRESETS {
        let scenario = load(Some(preset.name), &Flags::default()).expect(preset.name);
        assert_eq!(scenario.name, preset.name);
        let again = load(None, &flags(&text(&scenario))).expect(preset.name);
        assert_eq!(again, scenario);
    }
}

#[test]
fn every_key_has_a_flag_and_every_flag_a_key() {
    // The remedy for an unknown key lists what its table has.
    let listed = |table: &str| {
        let fault = match table {
            "" => read("qqqqqqqqqqqq = 1").unwrap_err(),
            table => read(&format!("{table}.qqqqqqqqqqqq = 1")).unwrap_err(),
        };
        let list = fault.split_once("this table has ").expect("a list").1.to_owned();
        let words = list.split(['`', ',', ' ']).filter(|word| !word.is_empty() && *word != "or");
        let prefix = if table.is_empty() { String::new() } else { format!("{table}.") };
        words.map(|word| format!("{prefix}{word}")).collect::<Vec<String>>()
    };
    let tables = ["devices", "message", "load", "connections", "commands"];
    let mut known: Vec<String> = listed("");
    known.retain(|key| !tables.contains(&key.as_str()));
    known.extend(tables.iter().flat_map(|table| listed(table)));
    known.sort();
    let mut with_flag: Vec<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    with_flag.sort();
    assert_eq!(known, with_flag);
}

#[test]
fn what_is_wrong_is_said_with_line_key_and_remedy() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").expect("a file");
    let text = "[devices]\ncount = 0\nmtqq = 5\n[load]\nrate = \"fast\"\nsteps = [\"1/s\"]\nduration = 3\n";
    std::fs::write(file.path(), text).expect("written");
    let path = file.path().to_str().expect("a path");
    let error = load(Some(path), &Flags::default()).unwrap_err().to_string();
    for expected in [
        ":2: devices.count: 0 is out of range; write a number from 1 to 1000000",
        ":3: devices.mtqq: unknown key; this table has ",
        ":5: load.rate: `fast` is not understood; write a rate such as `1000/s`, `6/min` or `2/s per device`",
        "load.rate: stands beside `steps`; leave one of them out: steps have both",
        ":6: load.steps: `1/s` is not understood; write steps such as `1000/s for 30s`",
    ] {
        assert!(error.contains(expected), "{expected} in\n{error}");
    }
}

#[test]
fn what_does_not_fit_is_said_too() {
    for (text, expected) in [
        (
            "message.payload = 20",
            "command line: --payload: 20 bytes have no room for the stamp; write at least 47, or",
        ),
        ("message.payload = \"{}\"", "command line: --payload: has no `{stamp}`"),
        (
            "message.qos = 0\nload.pacing = \"closed\"",
            "command line: --pacing: `closed` waits for acknowledgements",
        ),
        (
            "load.pacing = \"full\"\nload.burst = \"5/s for 1s every 2s\"",
            "command line: --burst: needs a schedule",
        ),
        (
            "connections.slow_readers = 101",
            "command line: --slow-readers: are more than the 100 devices",
        ),
        (
            "connections.storms = [\"3s\", \"11s\"]",
            "command line: --storms: has a storm after the end",
        ),
        ("load.rat = 1", "command line: load.rat: unknown key; did you mean `rate`?"),
    ] {
        let fault = read(text).unwrap_err();
        assert!(fault.starts_with(expected), "{fault}");
    }
    assert!(read("message.payload = 20\nmessage.stamp = false").is_ok());
}

#[test]
fn a_flag_takes_the_place_of_a_presets_steps() {
    let scenario =
        load(Some("steps"), &flags("load.rate = 5\nload.duration = 2")).expect("it fits");
    assert_eq!((scenario.load.rate, scenario.load.steps.len()), (Rate::Total(5.0), 0));
    let scenario = load(Some("steps"), &flags("devices.count = 3")).expect("it fits");
    assert_eq!(scenario.load.duration.as_secs(), 50);
}

#[test]
fn an_unknown_scenario_is_said_with_the_one_that_was_meant() {
    let error = load(Some("stedy"), &Flags::default()).unwrap_err().to_string();
    assert_eq!(error, "there is no scenario `stedy`; did you mean `steady`?");
}

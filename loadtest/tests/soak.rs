//! Short soaks with a real Mosquitto: nothing lost, nothing doubled, nothing out of order. `tests/run soak` runs long ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const LOADTEST: &str = env!("CARGO_BIN_EXE_interlingua-loadtest");

/// `INTERLINGUA_BIN`, or what `cargo test --workspace` builds beside the load generator.
fn proxy_binary() -> PathBuf {
    let beside = Path::new(LOADTEST).with_file_name("interlingua");
    let path = std::env::var_os("INTERLINGUA_BIN").map_or(beside, PathBuf::from);
    assert!(path.is_file(), "{}: build it with `cargo test --workspace`", path.display());
    path
}

fn soak(arguments: &[&str]) -> Command {
    let mut command = Command::new(LOADTEST);
    command.arg("soak").args(arguments).env("INTERLINGUA_BIN", proxy_binary());
    command
}

/// What a soak prints, which has to end well.
fn clean_soak(arguments: &[&str]) -> String {
    let plan = ["--messages", "4000", "--devices", "40", "--kills", "2", "--minutes", "1"];
    let output = soak(&plan).args(arguments).output().expect("it runs");
    let (text, errors) = texts(&output);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("\n0 violations\n") && text.contains(", kills 2,"), "{text}");
    text
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The number before a word: what it counts.
fn count(text: &str, line: &str, word: &str) -> u64 {
    let line = text.lines().find(|candidate| candidate.starts_with(line)).expect("the line");
    let before = line.split(word).next().expect("the word").trim_end();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn plain_sessions_survive_cuts_and_kills() {
    everything_arrives(&["--seed", "20"]);
    everything_arrives(&["--seed", "24", "--version", "5"]);
}

#[test]
fn sessions_between_two_versions_survive_cuts_and_kills() {
    everything_arrives(&["--seed", "25", "--version", "5", "--upstream-version", "3.1.1"]);
    everything_arrives(&["--seed", "26", "--version", "3.1.1", "--upstream-version", "5"]);
}

fn everything_arrives(arguments: &[&str]) {
    let text = clean_soak(arguments);
    let sent: u64 = ["up   QoS 0", "up   QoS 1", "up   QoS 2"]
        .map(|line| count(&text, line, "sent"))
        .iter()
        .sum();
    // Four more end the recorders.
    assert_eq!(sent, 4004, "{text}");
    for line in ["up   QoS 1", "up   QoS 2", "down QoS 1", "down QoS 2"] {
        let sent = count(&text, line, "sent");
        assert!(sent > 300, "{text}");
        assert_eq!(count(&text, line, "acknowledged"), sent, "{text}");
        assert_eq!(count(&text, line, "received"), sent, "{text}");
    }
    assert_eq!(count(&text, "up   QoS 2", "duplicates"), 0, "{text}");
    assert_eq!(count(&text, "down QoS 2", "duplicates"), 0, "{text}");
}

#[test]
fn clamped_messages_survive_cuts_and_kills() {
    let text = clean_soak(&["--translated", "--seed", "21"]);
    for line in ["up   QoS 1", "up   QoS 2"] {
        assert_eq!(count(&text, line, "received"), count(&text, line, "acknowledged"), "{text}");
    }
}

#[test]
fn a_proxy_that_does_not_start_is_said() {
    let output = soak(&["--minutes", "1", "--seed", "22"])
        .env("INTERLINGUA_BIN", "/nonexistent")
        .output()
        .expect("it runs");
    let (text, errors) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{errors}");
    assert!(text.starts_with("seed 22\n") && errors.contains("starting /nonexistent"), "{errors}");
}

#[test]
fn a_signal_ends_what_was_started() {
    let mut child = soak(&["--messages", "160000", "--devices", "4", "--seed", "23"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let end = Instant::now() + Duration::from_secs(30);
    let mut started = Vec::new();
    while started.len() < 2 {
        assert!(Instant::now() < end, "two processes are awaited, {started:?} are there");
        thread::sleep(Duration::from_millis(10));
        started = children(child.id());
    }
    let asked = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(asked.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(128 + 15));
    for process in started {
        assert!(!Path::new(&format!("/proc/{process}")).exists(), "{process} still runs");
    }
}

/// The processes that this one has started.
fn children(parent: u32) -> Vec<String> {
    let line = format!("PPid:\t{parent}");
    let entries = fs::read_dir("/proc").expect("the processes").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| {
            let status = fs::read_to_string(format!("/proc/{name}/status"));
            status.is_ok_and(|status| status.lines().any(|found| found == line))
        })
        .collect()
}

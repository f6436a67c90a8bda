//! `storm` with few devices and small storms: each kind reaches the proxy and is measured, and what was started ends.
//!
//! Latencies aren't judged here: beside other tests they are the machine's.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const LOADTEST: &str = env!("CARGO_BIN_EXE_interlingua-loadtest");
const DEADLINE: Duration = Duration::from_secs(30);

/// `INTERLINGUA_BIN`, or what `cargo test --workspace` builds beside the load generator.
fn binary() -> PathBuf {
    let beside = Path::new(LOADTEST).with_file_name("interlingua");
    let path = std::env::var_os("INTERLINGUA_BIN").map_or(beside, PathBuf::from);
    assert!(path.is_file(), "{}: build it with `cargo test --workspace`", path.display());
    path
}

fn storm(arguments: &[&str]) -> Command {
    #[rustfmt::skip]
    let small = [
        "--rounds", "1", "--duration", "1s", "--settle", "1s", "--devices", "10", "--rate", "100", "--slow", "20",
        "--garbage", "100", "--seed", "5", "--quiet",
    ];
    // Beside other tests nothing might be left for attackers that run at idle priority.
    let small = [&small[..], &["--priority", "same"]].concat();
    let mut command = Command::new(LOADTEST);
    command.arg("storm").args(small).args(arguments).env("INTERLINGUA_BIN", binary());
    command
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// What the JSON says of each storm, all of which have to end well.
fn storms(kinds: &[&str]) -> Vec<Value> {
    let more = ["--json", "-", "--ratio-max", "1000000"];
    let output = storm(&[kinds, &more].concat()).output().expect("it runs");
    let (out, errors) = said(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{errors}");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    let found = report["storms"].as_array().expect("storms").clone();
    let names: Vec<&str> = found.iter().filter_map(|storm| storm["kind"].as_str()).collect();
    assert_eq!(names, kinds);
    for storm in &found {
        assert_eq!(storm["holds"], true, "{storm}");
        for weather in ["calm", "storm"] {
            let weather = &storm["rounds"][0][weather];
            assert_eq!(weather["wrong"], 0, "{storm}");
            assert!(weather["messages"].as_u64() > Some(50), "{storm}");
            assert!(weather["proxy_memory_max_bytes"].as_u64() > Some(1 << 20), "{storm}");
            // Ten per second, also where attackers are turned away by their address.
            assert_eq!(weather["newcomers"]["kept_out"], 0, "{storm}");
            assert!(weather["newcomers"]["let_in"].as_u64() > Some(5), "{storm}");
            let [half, longest] = ["p50_us", "max_us"].map(|what| &weather["newcomers"][what]);
            assert!(half.as_f64() > Some(0.0) && longest.as_f64() >= half.as_f64(), "{storm}");
        }
    }
    found
}

/// What the attackers of a storm's round have done.
fn attackers(storm: &Value, what: &str) -> f64 {
    storm["rounds"][0]["attackers"][what].as_f64().unwrap_or_else(|| panic!("{what} in {storm}"))
}

#[test]
fn slow_attackers_stay_as_many_as_they_are_to_be() {
    let found = storms(&["slow-hello", "slow-connect"]);
    for storm in &found {
        assert_eq!(attackers(storm, "open_max"), 20.0, "{storm}");
        let drips = attackers(storm, "bytes_per_s");
        assert!(drips > 1.0 && drips < 60.0, "{storm}");
    }
}

#[test]
fn garbage_comes_at_its_rate_and_is_ended_by_the_proxy() {
    for storm in &storms(&["garbage", "garbage-tls", "garbage-quic"]) {
        let rate = attackers(storm, "opened_per_s");
        assert!(rate > 20.0 && rate < 150.0, "{storm}");
        if storm["kind"] != "garbage-quic" {
            assert!(attackers(storm, "ended_by_target_per_s") > 10.0, "{storm}");
        }
    }
}

#[test]
fn a_flood_of_connects_is_answered_and_loses_no_honest_message() {
    for storm in &storms(&["connects", "connects-unlimited"]) {
        assert!(attackers(storm, "answered_per_s") > 10.0, "{storm}");
        assert!(attackers(storm, "open_max") <= 64.0, "{storm}");
    }
}

/// Attackers have one address, honest devices many: with the same limits the former are turned away, the latter aren't.
#[test]
fn limits_per_address_turn_attackers_away_and_nobody_else() {
    let found = storms(&["slow-hello-limited", "connects-limited"]);
    assert!(attackers(&found[1], "ended_by_target_per_s") > 10.0, "{found:?}");
    // A burst of ten seconds' worth, and ten per second.
    assert!(attackers(&found[1], "answered_per_s") < 60.0, "{found:?}");
}

#[test]
fn a_ratio_that_is_not_held_fails() {
    let output = storm(&["garbage", "--ratio-max", "0.001"]).output().expect("it runs");
    let (out, errors) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{errors}");
    assert!(out.contains("does not hold: p99 at most × 0.001"), "{out}");
    let words = ["p99.9", "new max", "1 calm", "storm", "garbage", "ended by the proxy", "targets"];
    assert!(words.iter().all(|word| out.contains(word)), "{out}");
}

#[test]
fn what_is_not_possible_is_refused_before_anything_starts() {
    let line = format!("ulimit -n 300; exec {LOADTEST} storm slow-hello --quiet");
    let output = Command::new("sh").args(["-c", &line]).output().expect("it runs");
    let (_, errors) = said(&output);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("need 11064 open files, and this process may have 300"), "{errors}");
}

#[test]
fn an_attacker_ends_when_its_input_does() {
    let target = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = target.local_addr().expect("an address").to_string();
    let mut child = Command::new(LOADTEST)
        .args(["attacker", "garbage", &address, "--connections", "3", "--rate", "1000"])
        .args(["--seed", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let counts = |line: &str| serde_json::from_str::<Value>(line).expect("counts");
    let busy = lines.by_ref().map_while(Result::ok).find(|line| counts(line)["open"] == 3);
    assert!(busy.is_some(), "it never has as many connections as it may");
    assert!(child.try_wait().expect("a child").is_none());
    child.stdin.take().expect("a pipe").flush().expect("it is closed with this");
    // It goes on saying what it does until it ends.
    assert!(lines.map_while(Result::ok).all(|line| counts(&line)["open"].as_u64() <= Some(3)));
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn the_broker_of_a_flood_ends_when_its_input_does() {
    let mut child = Command::new(LOADTEST)
        .arg("flooded")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    TcpStream::connect(line.trim()).expect("it listens there");
    assert!(child.try_wait().expect("a child").is_none());
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

/// By itself the attack's side runs at idle priority (a policy of Linux: 5). The broker is looked at, which is there from the start; what
/// attackers achieve depends on what else runs.
#[test]
fn attackers_leave_the_cores_to_others() {
    let mut child = storm(&["garbage", "--duration", "10m", "--priority", "idle"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let since = Instant::now();
    let is_idle = |process: &String| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        // The 41st field; the first behind the name is the third.
        fields.split_whitespace().nth(38) == Some("5")
    };
    while !children(child.id()).iter().any(is_idle) {
        assert!(since.elapsed() < DEADLINE, "no process is idle");
        thread::sleep(Duration::from_millis(10));
    }
    let asked = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(asked.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_signal_ends_what_was_started() {
    let mut child = storm(&["garbage", "--duration", "10m"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let since = Instant::now();
    let mut started = Vec::new();
    while started.is_empty() {
        assert!(since.elapsed() < DEADLINE, "no process was started");
        thread::sleep(Duration::from_millis(10));
        started = children(child.id());
    }
    let asked = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(asked.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
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

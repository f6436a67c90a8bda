//! `compare` with real targets: what is started is measured with all its processes, and ended; what runs already is measured
//! where it is, and left as it was.
//!
//! Ratios are compared with much room: what the machine does otherwise mustn't decide.

mod comparing;

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use comparing::{chain, compare, compared, filed, haproxy, median, processes, remarks, row};
use serde_json::Value;
use tempfile::TempDir;

/// A HAProxy that runs already.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .to_string()
}

/// Starts one between two addresses.
fn between(folder: &TempDir, listen: &str, upstream: &str) -> Running {
    let mut command = Command::new(haproxy());
    command.args(["-q", "-db", "-f"]).arg(chain(folder.path(), 1));
    command.env("LISTEN", listen).env("UPSTREAM", upstream);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    while std::net::TcpStream::connect(listen).is_err() {
        thread::sleep(Duration::from_millis(5));
    }
    Running(child)
}

/// The cores that a process may use, as the kernel lists them.
fn cores(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list"));
    line.expect("a line").to_owned()
}

fn order(comparison: &Value) -> Vec<&str> {
    let rounds = comparison["rounds"].as_array().expect("rounds");
    rounds.iter().map(|round| round["first"].as_str().expect("a side")).collect()
}

#[test]
fn haproxy_is_measured_against_itself() {
    haproxy();
    let (code, found) = compared(&["haproxy", "haproxy", "--rounds", "4"]);
    assert_eq!(code, Some(0), "{}", remarks(&found));
    assert_eq!(order(&found), ["a", "b", "a", "b"]);
    for figure in [
        "cpu_per_message",
        "messages_per_cpu_second",
        "added_p50",
        "latency_p999",
        "memory_per_connection",
    ] {
        let rounds = &row(&found, figure).expect(figure)["ratio"]["rounds"];
        assert_eq!(rounds.as_array().map(Vec::len), Some(4), "{figure}");
    }
    let ratio = median(&found, "cpu_per_message", "ratio").expect("a ratio");
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
    let memory = median(&found, "memory_per_connection", "a").expect("memory");
    assert!((500.0..200_000.0).contains(&memory), "{memory}");
    // Each was started anew, was HAProxy, and has ended.
    let mut pids: Vec<i64> = Vec::new();
    for process in [processes(&found, "a"), processes(&found, "b")].concat() {
        assert_eq!(process["command"], "haproxy");
        pids.push(process["pid"].as_i64().expect("a number"));
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 8);
    for pid in pids {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        assert_ne!(name.trim(), "haproxy", "{pid} still runs");
    }
}

#[test]
fn what_needs_more_is_seen_to_need_more_in_a_child_process_too() {
    let folder = TempDir::new().expect("a folder");
    // A shell that only waits: one of its children forwards, the other one computes whenever it gets the core.
    let plain = filed(&chain(folder.path(), 1));
    let wasteful = format!("sh -c '{plain} & (while :; do :; done) & wait'");
    let arguments = ["--a-command", &wasteful, "--b-command", &plain];
    let (code, found) = compared(&[&arguments[..], &["--rounds", "2", "--direct", "off"]].concat());
    assert_eq!(code, Some(0), "{}", remarks(&found));
    let ratio = median(&found, "cpu_per_message", "ratio").expect("a ratio");
    assert!(ratio > 2.0, "only {ratio}");
    let (a, b) = (&processes(&found, "a")[0], &processes(&found, "b")[0]);
    assert_eq!((&a["command"], &b["command"]), (&"sh".into(), &"haproxy".into()));
    assert!(row(&found, "added_p50").is_none(), "nothing was measured to be without it");
    assert!(row(&found, "latency_p50").is_some());
    let inverse = median(&found, "messages_per_cpu_second", "ratio").expect("a ratio");
    assert!(inverse < 0.5, "{inverse}");
}

#[test]
fn what_runs_already_is_measured_by_its_process_and_left_as_it_was() {
    let folder = TempDir::new().expect("a folder");
    let (listen, upstream) = (free_address(), free_address());
    let running = between(&folder, &listen, &upstream);
    let pid = running.0.id();
    let before = cores(pid);
    let sink = format!("--sink={upstream}");
    let (code, found) =
        compared(&[&listen, "--b", "direct", "--a-pid", &pid.to_string(), &sink, "--rounds", "2"]);
    assert_eq!(code, Some(0), "{}", remarks(&found));
    for process in processes(&found, "a") {
        assert_eq!(process["pid"], pid);
    }
    assert!(median(&found, "cpu_per_message", "a") > Some(0.0));
    // The sink's own CPU time isn't a target's.
    assert_eq!(median(&found, "cpu_per_message", "b"), None);
    assert_eq!(median(&found, "cpu_per_message", "ratio"), None);
    assert_eq!(found["rounds"][0]["a"]["results"]["end"], "sink");
    assert_eq!(cores(pid), before);

    let (_, found) = compared(&[&listen, "direct", &sink, "--rounds", "1"]);
    assert_eq!(processes(&found, "a"), [&Value::Null]);
    assert!(remarks(&found).contains("its process wasn't given"), "{}", remarks(&found));
}

#[test]
fn the_proxy_is_measured_with_the_arguments_that_it_is_given() {
    let beside = std::path::Path::new(comparing::LOADTEST).with_file_name("interlingua");
    let binary = std::env::var_os("INTERLINGUA_BIN").map_or(beside, std::path::PathBuf::from);
    assert!(binary.is_file(), "{}: build it with `cargo test --workspace`", binary.display());
    #[rustfmt::skip]
    let devices = ["--dialect", "thingscale", "--set", "token=TOK", "--set", "account=U123456", "--device-name", "77{number:4}"];
    let proxy = "interlingua=--from thingscale --set token=TOK --set tenant=acme --to omnicore --set subscription=sub \
                 --set registry=plant --identity-prefix d";
    let (code, found) = compared(&[&[proxy, "direct", "--rounds", "1"][..], &devices].concat());
    assert_eq!(code, Some(0), "{}", remarks(&found));
    assert_eq!(processes(&found, "a")[0]["command"], "interlingua");
    assert!(median(&found, "cpu_per_message", "a") > Some(0.0));
    // Each of them was translated, and no secret is told.
    let counts = &found["rounds"][0]["a"]["results"]["counts"];
    assert_eq!(
        (&counts["publish_arrived"], &counts["publish_rewritten"]),
        (&1200.into(), &0.into())
    );
    let about = found["a"]["about"].as_str().expect("text");
    assert!(about.contains("--set token=… --set tenant=acme"), "{about}");
}

#[test]
fn what_ends_while_it_is_measured_is_an_error_with_its_name() {
    let folder = TempDir::new().expect("a folder");
    let command = format!("timeout 2 {}", filed(&chain(folder.path(), 1)));
    let output = compare(&[
        "direct",
        "--b-command",
        &command,
        "--quiet",
        "--duration",
        "20s",
        "--direct",
        "off",
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("timeout 2") && errors.contains("ended while it was measured"),
        "{errors}"
    );
}

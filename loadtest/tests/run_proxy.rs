//! `run` through the real proxy, with the sink or echo as its upstream: stamps survive translation, in both directions.

mod fixture;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use fixture::{LOADTEST, check, failed, through_proxy};
use serde_json::Value;

/// A proxy that ends with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `INTERLINGUA_BIN`, or what `cargo test --workspace` builds beside the load generator.
fn binary() -> PathBuf {
    let beside = Path::new(LOADTEST).with_file_name("interlingua");
    let path = std::env::var_os("INTERLINGUA_BIN").map_or(beside, PathBuf::from);
    assert!(path.is_file(), "{}: build it with `cargo test --workspace`", path.display());
    path
}

/// Starts the proxy; where it listens.
fn serve(upstream: SocketAddr, arguments: &[&str]) -> (Proxy, SocketAddr) {
    let mut command = Command::new(binary());
    command.args([
        "serve",
        "--listen",
        "tcp://127.0.0.1:0",
        "--upstream",
        &format!("mqtt://{upstream}"),
    ]);
    let mut child = command.args(arguments).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let proxy = Proxy(child);
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, behind) = line.split_once(" listening ")?;
        let word = behind.split_whitespace().find_map(|word| word.strip_prefix("address="))?;
        word.parse().ok()
    });
    // It would block when nobody reads what it says.
    thread::spawn(move || lines.for_each(drop));
    (proxy, address.expect("it listens"))
}

fn run(proxy: &[&str], arguments: &[&str]) -> (Option<i32>, Value) {
    #[rustfmt::skip]
    let load = [
        "--devices", "10", "--rate", "200/s", "--duration", "1s", "--warm-up", "0", "--ramp-up", "0", "--drain", "8s",
    ];
    through_proxy(|upstream| serve(upstream, proxy), &[&load[..], arguments].concat())
}

#[rustfmt::skip]
const THINGSCALE_TO_OMNICORE: &[&str] = &[
    "--from", "thingscale", "--set", "token=TOK", "--set", "tenant=acme", "--to", "omnicore", "--set",
    "subscription=sub", "--set", "registry=plant", "--identity-prefix", "d",
];
const THINGSCALE: &[&str] = &[
    "--dialect",
    "thingscale",
    "--set",
    "token=TOK",
    "--set",
    "account=U123456",
    "--device-name",
    "77{number:4}",
];

#[test]
fn plain_sessions_keep_every_byte() {
    let (code, results) = run(&["--from", "plain", "--to", "plain"], &["--echo", "--topics", "3"]);
    assert_eq!((code, failed(&results)), (Some(0), vec![]));
    let counts = &results["counts"];
    assert_eq!(
        (&counts["publish_arrived"], &counts["publish_received"]),
        (&Value::from(200), &Value::from(200))
    );
    assert_eq!(counts["publish_rewritten"], 0);
}

#[test]
fn telemetry_and_commands_survive_translation() {
    for encoding in ["json", "messagepack"] {
        let arguments = [THINGSCALE, &["--echo", "--qos", "1", "--encoding", encoding]].concat();
        let (code, results) = run(THINGSCALE_TO_OMNICORE, &arguments);
        assert_eq!((code, failed(&results)), (Some(0), vec![]), "{encoding}");
        let counts = &results["counts"];
        assert_eq!(counts["publish_arrived"], 200, "{encoding}");
        assert_eq!(counts["publish_received"], 200, "{encoding}");
        assert_eq!(results["latencies"]["round_trip"]["count"], 200, "{encoding}");
    }
}

#[test]
fn rewritten_payloads_are_checked_by_their_stamps() {
    let to_xyte =
        ["--from", "thingscale", "--set", "token=TOK", "--set", "tenant=acme", "--to", "xyte"];
    let arguments = [THINGSCALE, &["--sink", "--qos", "1"]].concat();
    let (code, results) = run(&to_xyte, &arguments);
    assert_eq!((code, failed(&results)), (Some(0), vec![]));
    assert_eq!(results["counts"]["publish_rewritten"], 200);
    assert_eq!(check(&results, "loss"), ("passed".to_owned(), 0));
}

#[test]
fn what_the_proxy_refuses_is_lost_and_said() {
    // The proxy knows another token: nothing of what these devices publish has a topic there.
    #[rustfmt::skip]
    let arguments = [
        "--dialect", "thingscale", "--set", "token=OTHER", "--password", "TOK", "--set", "account=U123456", "--device-name",
        "77{number:4}", "--sink", "--qos", "1",
    ];
    let (code, results) = run(THINGSCALE_TO_OMNICORE, &arguments);
    assert_eq!((code, failed(&results)), (Some(1), vec!["loss".to_owned()]));
    assert_eq!(check(&results, "loss"), ("failed".to_owned(), 200));
}

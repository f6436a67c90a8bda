//! `sink` and `echo` as processes of their own: what they count and check of a run of another process.

mod fixture;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use fixture::{LOADTEST, output};
use serde_json::Value;

/// Starts one; where it listens.
fn end(name: &str) -> (Child, String) {
    let mut command = Command::new(LOADTEST);
    command.args([name, "--listen", "127.0.0.1:0", "--json"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    let address = line.trim_end().strip_prefix("listening on ").expect("an address").to_owned();
    (child, address)
}

/// Ends it; what it saw.
fn finish(mut child: Child) -> Value {
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(asked.expect("kill runs").success());
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
    assert!(child.wait().expect("it ends").success(), "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn load(address: &str, arguments: &[&str]) {
    #[rustfmt::skip]
    let plain = [
        address, "--devices", "10", "--rate", "200/s", "--duration", "1s", "--warm-up", "0", "--ramp-up", "0", "--quiet",
    ];
    let output = output(&[&plain[..], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_sink_counts_and_checks_the_runs_of_others() {
    let (sink, address) = end("sink");
    for qos in ["0", "1", "2"] {
        load(&address, &["--qos", qos]);
    }
    let seen = finish(sink);
    assert_eq!(
        (&seen["connects"], &seen["publish_arrived"]),
        (&Value::from(30), &Value::from(600))
    );
    for name in
        ["publish_echoed", "missing", "duplicates", "out_of_order", "corrupted", "rewritten"]
    {
        assert_eq!(seen[name], 0, "{name}");
    }
}

#[test]
fn an_echo_sends_back_what_comes() {
    let (echo, address) = end("echo");
    load(&address, &["--subscribe", "always", "--qos", "1"]);
    let seen = finish(echo);
    assert_eq!(
        (&seen["subscribes"], &seen["publish_echoed"]),
        (&Value::from(10), &Value::from(200))
    );
}

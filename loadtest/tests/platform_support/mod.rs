//! For the tests of the stand-ins: a stand-in as a process, and a device that says exactly what a test wants it to say.
//!
//! The device is no client library: it does what no library would do, and shows every byte of the answer's meaning.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod device;
pub(crate) mod proxy;
pub(crate) mod tokens;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const LOADTEST: &str = env!("CARGO_BIN_EXE_interlingua-loadtest");
/// Nothing in these tests takes so long unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running stand-in. Dropping it ends it.
pub(crate) struct StandIn {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    pub(crate) address: String,
    /// Every line so far, for the message of a test that fails.
    heard: Vec<String>,
}

impl StandIn {
    /// Starts a stand-in on a free port, with a log of everything and a JSON summary.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(LOADTEST)
            .args(["platform", name, "--listen", "127.0.0.1:0", "--json", "--log", "messages"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let stderr = child.stderr.take().expect("its standard error");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let address = String::new();
        let mut standin = Self { child, stdin, lines, address, heard: Vec::new() };
        let line = standin.wait_for(&["listening "]);
        let address = line.split_once("address=").and_then(|(_, rest)| rest.split(' ').next());
        standin.address = address.expect("an address").to_owned();
        standin
    }

    /// The next line with all of these texts.
    pub(crate) fn wait_for(&mut self, texts: &[&str]) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if texts.iter().all(|text| line.contains(text)) => {
                    self.heard.push(line.clone());
                    return line;
                }
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {texts:?} in\n{}", self.heard.join("\n"));
                }
            }
        }
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its standard input");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("it reads");
    }

    /// Ends it with SIGTERM: what it counted.
    pub(crate) fn summary(mut self) -> Value {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(asked.expect("kill runs").success());
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().expect("its standard output");
        stdout.read_to_string(&mut text).expect("a summary");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often a rule was broken, with this outcome.
pub(crate) fn violations(summary: &Value, rule: &str, outcome: &str) -> u64 {
    summary["violations"][rule][outcome].as_u64().unwrap_or(0)
}

/// A stand-in that doesn't start: what it says.
pub(crate) fn refused_to_start(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(LOADTEST)
        .args(["platform", name, "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert!(!output.status.success(), "it started");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for a process, and ends it when it takes too long.
pub(crate) fn finished(mut child: Child) -> (bool, String) {
    let end = Instant::now() + PATIENCE;
    let mut stdout = child.stdout.take().expect("its standard output");
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text).unwrap_or_default()
    });
    while child.try_wait().expect("its status").is_none() {
        if Instant::now() > end {
            let _ = child.kill();
        }
        thread::sleep(Duration::from_millis(5));
    }
    let status = child.wait().expect("its status");
    (status.success(), reader.join().expect("its output"))
}

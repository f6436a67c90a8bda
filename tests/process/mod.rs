//! A proxy of `plain` in a process of its own, with what it has logged.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(30);

pub struct Process {
    /// Of each listener, in the configuration's order.
    pub listening: Vec<SocketAddr>,
    pub admin: SocketAddr,
    pub folder: TempDir,
    pub child: Child,
    log: Receiver<String>,
    seen: String,
}

impl Process {
    /// Starts it with these keys of `[proxy]`, and the tables behind them.
    pub fn start(settings: &str, broker: &TcpListener) -> Self {
        Self::start_with(settings, "", broker, &[], &[])
    }

    /// The same with keys of the listener, files in the configuration's folder, and a command in front (`prlimit --nofile=64`).
    pub fn start_with(
        settings: &str,
        listener: &str,
        broker: &TcpListener,
        files: &[(&str, &str)],
        before: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let text = format!(
            "[proxy]\nshards = 1\n{settings}\n[admin]\nbind = '127.0.0.1:0'\n\
             [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\nupstream = 'b'\ndialect = 'plain'\n{listener}\n\
             [[upstream]]\nname = 'b'\nurl = 'mqtt://{}'\ndialect = 'plain'\n",
            broker.local_addr().expect("an address")
        );
        let config = folder.path().join("proxy.toml");
        std::fs::write(&config, &text).expect("written");
        let words = before.iter().copied().chain([env!("CARGO_BIN_EXE_interlingua")]);
        let words: Vec<_> = words.chain(["serve", "--config"]).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .arg(&config)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let (sender, log) = channel();
        let written = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            // Nobody reads it any more when the test is over.
            written.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut seen = String::new();
        let mut address = |word| address_in(&next_line(&log, &mut seen, word));
        let listening = text.matches("[[listener]]").map(|_| address("listening")).collect();
        let admin = address("admin interface");
        wait_for_signals(child.id());
        Self { listening, admin, folder, child, log, seen }
    }

    /// Reads the log up to a line that has this, and gives it.
    pub fn says(&mut self, word: &str) -> String {
        next_line(&self.log, &mut self.seen, word)
    }

    /// What was read of the log.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    pub fn hang_up(&self) {
        let killed = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn next_line(log: &Receiver<String>, seen: &mut String, word: &str) -> String {
    let late = Instant::now() + DEADLINE;
    loop {
        let left = late.saturating_duration_since(Instant::now());
        let line = log.recv_timeout(left);
        let line = line.unwrap_or_else(|_| panic!("the log didn't say {word} in time:\n{seen}"));
        seen.push_str(&line);
        seen.push('\n');
        if line.contains(word) {
            return line;
        }
    }
}

/// Waits until SIGHUP is listened to, which comes last: before that it ends the process, and not all descriptors are open.
fn wait_for_signals(process: u32) {
    let late = Instant::now() + DEADLINE;
    let hears = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.expect("a mask").trim(), 16).expect("a mask");
        caught & 1 == 1
    };
    while !hears() {
        assert!(Instant::now() < late, "it doesn't listen to signals");
        std::thread::yield_now();
    }
}

fn address_in(line: &str) -> SocketAddr {
    let start = line.find("address=").expect("an address") + "address=".len();
    line[start..].split_whitespace().next().expect("a word").parse().expect("an address")
}

//! A proxy of `plain` in a process of its own, with what it has logged.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, Command, Stdio};

use tempfile::TempDir;

pub struct Process {
    /// Of each listener, in the configuration's order.
    pub listening: Vec<SocketAddr>,
    pub admin: SocketAddr,
    pub folder: TempDir,
    pub child: Child,
    log: BufReader<ChildStderr>,
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
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let mut seen = String::new();
        let mut address = |word| address_in(&next_line(&mut log, &mut seen, word));
        let listening = text.matches("[[listener]]").map(|_| address("listening")).collect();
        let admin = address("admin interface");
        Self { listening, admin, folder, child, log, seen }
    }

    /// Reads the log up to a line that has this, and gives it.
    pub fn says(&mut self, word: &str) -> String {
        next_line(&mut self.log, &mut self.seen, word)
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

fn next_line(log: &mut BufReader<ChildStderr>, seen: &mut String, word: &str) -> String {
    loop {
        let mut line = String::new();
        let read = log.read_line(&mut line).expect("a log");
        assert!(read > 0, "the log ended before it said {word}:\n{seen}");
        seen.push_str(&line);
        if line.contains(word) {
            return line;
        }
    }
}

fn address_in(line: &str) -> SocketAddr {
    let start = line.find("address=").expect("an address") + "address=".len();
    line[start..].split_whitespace().next().expect("a word").parse().expect("an address")
}

//! Access as an operator sees it: the line of a user, SIGHUP, and logs without secrets. Attacks 19 and 21.
#![cfg(all(feature = "server", unix))]

mod access;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use access::{Peer, shows, user};
use interlingua::access::{Credentials, Denied, Password, Users};
use interlingua::mqtt::ReasonCode;

fn password(name: &str, given: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_interlingua"))
        .args(["password", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // It may have said no before it reads.
    let _ = child.stdin.take().expect("piped").write_all(given);
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_line_of_a_user_comes_from_standard_input() {
    let output = password("ann", b"hunter2\n");
    assert!(output.status.success(), "{output:?}");
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.starts_with("ann:$argon2id$v=19$m=19456,t=2,p=1$") && !line.contains("hunter2"));
    let again = String::from_utf8(password("ann", b"hunter2").stdout).unwrap();
    assert_ne!(line, again, "the salt is another one each time");
    let users = Users::parse("users.txt", &line).unwrap();
    let check = |given: &[u8]| {
        let credentials =
            Credentials { user_name: Some("ann".into()), password: Some(Password::new(given)) };
        users.check(&credentials).map(|subject| subject.name)
    };
    assert_eq!(check(b"hunter2"), Ok("ann".into()));
    assert_eq!(check(b"hunter2\n"), Err(Denied::WrongPassword));
    let binary = String::from_utf8(password("ann", b"\xFF\0x\r\n").stdout).unwrap();
    let users = Users::parse("users.txt", &binary).unwrap();
    let given =
        Credentials { user_name: Some("ann".into()), password: Some(Password::new(b"\xFF\0x")) };
    assert!(users.check(&given).is_ok(), "a password is any bytes");
    for (name, given, complaint) in [
        ("a:b", &b"x"[..], "the name"),
        ("", b"x", "the name is empty"),
        ("ann", b"\n", "the password is empty"),
        ("ann", b"", "the password is empty"),
        ("ann", &[b'x'; 65_536], "longer than 65535 bytes"),
    ] {
        let output = password(name, given);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(output.stdout.is_empty());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(complaint), "{told}");
    }
}

/// A proxy in a process of its own, with what it has logged.
struct Process {
    child: Child,
    log: BufReader<ChildStderr>,
    seen: String,
}

impl Process {
    fn start(folder: &Path, broker: SocketAddr) -> Self {
        let listener =
            "dialect = 'plain'\n[listener.access]\nbind = 'nothing'\npasswords = 'users.txt'";
        let text = access::text_of("", listener, "dialect = 'plain'", broker);
        let config = folder.join("proxy.toml");
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interlingua"))
            .args(["serve", "--config"])
            .arg(&config)
            .env("RUST_LOG", "trace")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, log, seen: String::new() }
    }

    /// Reads the log up to a line that has this, and gives it.
    fn says(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("a log");
            assert!(read > 0, "the log ended before it said {word}:\n{}", self.seen);
            self.seen.push_str(&line);
            if line.contains(word) {
                return line;
            }
        }
    }

    fn hang_up(&self) {
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

fn address_in(line: &str) -> SocketAddr {
    let start = line.find("address=").expect("an address") + "address=".len();
    line[start..].split_whitespace().next().unwrap().parse().expect("an address")
}

fn verdict(proxy: SocketAddr, name: &str, password: &str) -> ReasonCode {
    let mut device = Peer::of(TcpStream::connect(proxy).unwrap());
    let mut bytes = Vec::new();
    shows(Some(name), Some(password)).encode(&mut bytes).unwrap();
    device.send(&bytes);
    device.connack()
}

#[test]
fn sighup_reads_the_file_again_and_the_log_has_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.txt");
    std::fs::write(&users, user("ann", "hunter2")).unwrap();
    // Nobody accepts there: who comes in finds no broker.
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = port.local_addr().unwrap();
    drop(port);
    let mut process = Process::start(folder.path(), broker);
    let proxy = address_in(&process.says("listening"));

    assert_eq!(verdict(proxy, "ann", "hunter3"), ReasonCode::BadUserNameOrPassword);
    let ended = process.says("session ended");
    assert!(ended.contains("connect_refused") && ended.contains("access_denied"), "{ended}");
    assert!(ended.contains("there is no such user with this password"), "{ended}");
    // Past the guard there is nobody.
    assert_eq!(verdict(proxy, "ann", "hunter2"), ReasonCode::ServerUnavailable);
    process.says("session ended");

    let fresh = user("ann", "hunter3");
    std::fs::write(&users, &fresh).unwrap();
    process.hang_up();
    process.says("the file is in force as it is now");
    assert_eq!(verdict(proxy, "ann", "hunter3"), ReasonCode::ServerUnavailable);
    assert_eq!(verdict(proxy, "ann", "hunter2"), ReasonCode::BadUserNameOrPassword);

    std::fs::write(&users, "ann:hunter4\n").unwrap();
    process.hang_up();
    let refused = process.says("the one that was read before stays in force");
    assert!(refused.contains("users.txt:1: has no hash"), "{refused}");
    assert_eq!(verdict(proxy, "ann", "hunter3"), ReasonCode::ServerUnavailable);
    process.says("session ended");
    let hash = fresh.trim().rsplit('$').next().unwrap();
    for secret in ["hunter", hash] {
        assert!(!process.seen.contains(secret), "{secret} is in the log:\n{}", process.seen);
    }
}

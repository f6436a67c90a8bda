//! The real proxy between a device and a stand-in.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const LOADTEST: &str = env!("CARGO_BIN_EXE_interlingua-loadtest");

/// A running proxy. Dropping it ends it.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: String,
}

/// `INTERLINGUA_BIN`, or what `cargo test --workspace` builds beside the load generator.
fn proxy_binary() -> PathBuf {
    let beside = Path::new(LOADTEST).with_file_name("interlingua");
    let path = std::env::var_os("INTERLINGUA_BIN").map_or(beside, PathBuf::from);
    assert!(path.is_file(), "{}: build it with `cargo test --workspace`", path.display());
    path
}

impl Proxy {
    /// Starts the proxy in front of a stand-in, and waits for its address.
    pub(crate) fn start(upstream: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(proxy_binary())
            .args(["serve", "--listen", "tcp://127.0.0.1:0"])
            .args(["--upstream", &format!("mqtt://{upstream}")])
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the proxy starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let mut seen = String::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else { panic!("the proxy doesn't listen: {seen}") };
            if let Some((_, rest)) = line.split_once(" listening ") {
                let word = rest.split(' ').find_map(|word| word.strip_prefix("address="));
                break word.expect("an address").to_owned();
            }
            seen.push_str(&line);
            seen.push('\n');
        };
        // What it says later is for a person who looks at a failed test.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("proxy: {line}");
            }
        });
        Self { child, address }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! The processes of a soak: a Mosquitto, and the proxy in front of it, each on a port that was free.
//!
//! Invariant: only processes that were started here are ended, by their own handle, however the run ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use interlingua::mqtt::Version;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use super::message::Course;
use crate::programs;

/// Starting takes moments; on a busy machine, seconds.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often a condition is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(10);

/// What was started and has to be ended.
#[derive(Debug)]
struct Started {
    children: Vec<Child>,
    folder: Option<TempDir>,
}

impl Started {
    fn end(&mut self) {
        for mut child in self.children.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.folder = None;
    }
}

/// The running processes. Dropping it ends them, and so do SIGINT and SIGTERM.
#[derive(Debug)]
pub(crate) struct Processes {
    started: Arc<Mutex<Started>>,
    folder: PathBuf,
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).end();
    }
}

impl Processes {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("interlingua-soak-").context("a temporary folder")?;
        let path = folder.path().to_owned();
        let started = Arc::new(Mutex::new(Started { children: Vec::new(), folder: Some(folder) }));
        let to_end = Arc::clone(&started);
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("waiting for signals")?;
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // The lock is kept until the end, so that nothing is started meanwhile.
                let mut started = to_end.lock().unwrap_or_else(PoisonError::into_inner);
                started.end();
                eprintln!("stopped by a signal");
                std::process::exit(128 + signal);
            }
        });
        Ok(Self { started, folder: path })
    }

    /// Starts a command whose standard error is read by the run or passed on. The number is its process identifier.
    fn start(
        &self,
        command: &mut Command,
    ) -> anyhow::Result<(u32, Option<std::process::ChildStderr>)> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let (identifier, stderr) = (child.id(), child.stderr.take());
        started.children.push(child);
        Ok((identifier, stderr))
    }

    /// Kills a process that was started here, as `kill -9` would, and waits for its end.
    fn kill(&self, identifier: u32) {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = started.children.iter().position(|child| child.id() == identifier) {
            let mut child = started.children.swap_remove(at);
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn is_running(&self, identifier: u32) -> bool {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let child = started.children.iter_mut().find(|child| child.id() == identifier);
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts Mosquitto and waits until it answers.
    pub(crate) fn start_mosquitto(&self) -> anyhow::Result<SocketAddr> {
        let program = programs::find("mosquitto")?;
        let end = Instant::now() + DEADLINE;
        // Another process may take the port between the choice and the bind: then choose again.
        while Instant::now() < end {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let path = self.folder.join("mosquitto.conf");
            fs::write(&path, mosquitto_configuration(address, &self.folder))?;
            // It names each client that comes back too early for it.
            let log = fs::File::create(self.folder.join("mosquitto.log"))?;
            let mut command = Command::new(&program);
            let (identifier, _) = self.start(command.arg("-c").arg(&path).stderr(log))?;
            while self.is_running(identifier) && Instant::now() < end {
                if TcpStream::connect(address).is_ok() && self.is_running(identifier) {
                    return Ok(address);
                }
                thread::sleep(LOOK);
            }
            self.kill(identifier);
        }
        let log = fs::read_to_string(self.folder.join("mosquitto.log")).unwrap_or_default();
        bail!("Mosquitto doesn't answer; it said: {log}")
    }

    /// Starts the proxy and waits for the line with its address.
    pub(crate) fn start_proxy(&self, plan: &ProxyPlan) -> anyhow::Result<Proxy> {
        let end = Instant::now() + DEADLINE;
        // A restarted proxy may find its old port in use, by a connection that happens to go out from it.
        loop {
            let (identifier, stderr) = self.start(&mut plan.command()?)?;
            let stderr = BufReader::new(stderr.context("its standard error")?);
            let (sender, listening) = mpsc::channel();
            thread::spawn(move || {
                for line in stderr.lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
            let mut seen = String::new();
            while let Ok(line) =
                listening.recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                if let Some(address) = listening_address(&line) {
                    return Ok(Proxy { identifier, address });
                }
                seen = line;
            }
            self.kill(identifier);
            if Instant::now() >= end || plan.listen.port() == 0 {
                bail!("the proxy doesn't listen; it said: {seen}");
            }
            thread::sleep(LOOK);
        }
    }

    /// Kills the proxy without warning.
    pub(crate) fn kill_proxy(&self, proxy: &Proxy) {
        self.kill(proxy.identifier);
    }
}

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    identifier: u32,
    pub(crate) address: SocketAddr,
}

/// How the proxy is started.
#[derive(Debug, Clone)]
pub(crate) struct ProxyPlan {
    pub(crate) course: Course,
    /// Port 0 the first time.
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: SocketAddr,
    /// What is spoken there, if that isn't what devices speak.
    pub(crate) version: Option<Version>,
}

impl ProxyPlan {
    fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(programs::interlingua()?);
        command
            .args(["serve", "--listen", &format!("tcp://{}", self.listen)])
            .args(["--upstream", &format!("mqtt://{}", self.upstream)])
            .args(match self.course {
                Course::Direct | Course::Plain => "--from plain --to plain".split(' '),
                Course::Translated => TRANSLATION.split(' '),
            })
            .args(self.version.map(|version| format!("--upstream-mqtt={version}")))
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped());
        Ok(command)
    }
}

const TRANSLATION: &str = "--from thingscale --set token=TOK --set tenant=acme \
     --to omnicore --set subscription=acme-sub --set registry=plant --identity-prefix d";

/// The address in a line such as `… INFO listening listener=field address=127.0.0.1:1883 …`.
fn listening_address(line: &str) -> Option<SocketAddr> {
    let words = line.split_once(" listening ")?.1;
    words.split(' ').find_map(|word| word.strip_prefix("address=")?.parse().ok())
}

/// It drops nothing for want of room, holds nothing back (what 2.0.11 queues behind `max_inflight_messages` comes out of
/// order, without the proxy too), and stays root where it is started as root, to write into the folder.
fn mosquitto_configuration(address: SocketAddr, folder: &Path) -> String {
    format!(
        "listener {} {}\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
         max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\nlog_dest stderr\nlog_type error\n",
        address.port(),
        address.ip(),
        folder.display()
    )
}

//! A target while it is measured: started on its cores on a port that was free, or found running; ended or put back after.
//!
//! Invariant: only processes that were started here are ended, with all that they started, however the comparison ends.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use super::cores::{self, Moved};
use super::spec::{Place, Spec};

/// Starting takes moments; on a busy machine, seconds.
const STARTING: Duration = Duration::from_secs(20);
/// How long a target may take to end before it is killed.
const ENDING: Duration = Duration::from_secs(5);
/// How often a condition is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(10);
/// The end of what a target said that didn't start.
const LAST_WORDS: usize = 2000;

/// Where targets are started.
#[derive(Debug)]
pub(crate) struct Bench {
    folder: TempDir,
    upstream: SocketAddr,
    cores: Vec<usize>,
    devices: u32,
    /// The one that was started last, if it hasn't ended.
    child: Arc<Mutex<Option<Child>>>,
}

/// A target that can be measured. When it goes, what was started has ended.
#[derive(Debug)]
pub(crate) struct Running<'b> {
    bench: &'b Bench,
    /// Where devices connect.
    pub(crate) address: SocketAddr,
    /// Its process, if it is known.
    pub(crate) pid: Option<i32>,
    _moved: Moved,
    /// What couldn't be done.
    pub(crate) remark: Option<String>,
}

impl Bench {
    /// For targets in front of `upstream`.
    pub(crate) fn new(
        upstream: SocketAddr,
        cores: Vec<usize>,
        devices: u32,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("interlingua-compare-").context("a temporary folder")?;
        Ok(Self { folder, upstream, cores, devices, child: Arc::default() })
    }

    /// The first SIGINT or SIGTERM sets `stop`; the second one ends what was started, and this process.
    pub(crate) fn end_by_signals(&self, stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
        let (child, stop) = (Arc::clone(&self.child), Arc::clone(stop));
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("waiting for signals")?;
        thread::spawn(move || {
            for signal in signals.forever() {
                if stop.swap(true, Ordering::Relaxed) {
                    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
                    end(child.take());
                    std::process::exit(128 + signal);
                }
            }
        });
        Ok(())
    }

    /// Starts a target, or takes it as it is.
    ///
    /// # Errors
    /// It doesn't start; what it said is in the error.
    pub(crate) fn start(&self, spec: &Spec) -> anyhow::Result<Running<'_>> {
        match spec {
            Spec::Direct => Ok(self.found(self.upstream, None)),
            Spec::Running { address, pid } => Ok(self.found(*address, *pid)),
            _ => self.started(spec),
        }
    }

    fn found(&self, address: SocketAddr, pid: Option<i32>) -> Running<'_> {
        let mut running =
            Running { bench: self, address, pid, _moved: Moved::default(), remark: None };
        match pid.map(|pid| Moved::to(&self.cores, pid)) {
            Some(Ok(moved)) => running._moved = moved,
            Some(Err(error)) => {
                running.remark = Some(format!("{address} was left where it was: {error:#}"));
            }
            None if address != self.upstream => {
                running.remark = Some(format!(
                    "{address} was left where it was, and its CPU time and memory are unknown: its process wasn't given"
                ));
            }
            None => {}
        }
        running
    }

    fn started(&self, spec: &Spec) -> anyhow::Result<Running<'_>> {
        let until = Instant::now() + STARTING;
        loop {
            // Another process may take the port between the choice and the bind: then choose again.
            let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let pid = self.spawn(spec, listen)?;
            if self.answers(listen, until) {
                let pid = Some(i32::try_from(pid)?);
                let moved = Moved::default();
                return Ok(Running {
                    bench: self,
                    address: listen,
                    pid,
                    _moved: moved,
                    remark: None,
                });
            }
            let ended_itself = !self.is_running();
            self.end();
            if Instant::now() >= until || !self.said().contains("in use") {
                let how = if ended_itself { "has ended" } else { "doesn't listen" };
                bail!("{} {how}; it said: {}", spec.text().about, self.said().trim());
            }
        }
    }

    fn spawn(&self, spec: &Spec, listen: SocketAddr) -> anyhow::Result<u32> {
        let place = Place {
            listen,
            upstream: self.upstream,
            folder: self.folder.path(),
            devices: self.devices,
        };
        let words = spec.command_line(&place)?.unwrap_or_default();
        let (program, arguments) = words.split_first().context("a target without a program")?;
        let log = fs::File::create(self.log())?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A group of its own: the terminal's SIGINT isn't meant for it, and all that it starts ends with it.
            .process_group(0);
        let mut kept = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let child = cores::on(&self.cores, || {
            command.spawn().with_context(|| format!("starting {program}"))
        })?;
        Ok(kept.insert(child).id())
    }

    fn answers(&self, listen: SocketAddr, until: Instant) -> bool {
        while self.is_running() && Instant::now() < until {
            if TcpStream::connect(listen).is_ok() && self.is_running() {
                return true;
            }
            thread::sleep(LOOK);
        }
        false
    }

    /// Whether what was started last still runs.
    fn is_running(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn end(&self) {
        end(self.child.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("target.log")
    }

    /// What the last one said.
    fn said(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(LAST_WORDS)..]).into_owned()
    }
}

impl Running<'_> {
    /// After a measurement.
    ///
    /// # Errors
    /// It was started here and has ended meanwhile.
    pub(crate) fn still_there(&self, spec: &Spec) -> anyhow::Result<()> {
        let was_started = !matches!(spec, Spec::Direct | Spec::Running { .. });
        if was_started && !self.bench.is_running() {
            bail!(
                "{} ended while it was measured; it said: {}",
                spec.text().about,
                self.bench.said().trim()
            );
        }
        Ok(())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.bench.end();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.end();
    }
}

/// Asks a process and its group to end, and kills what doesn't.
pub(crate) fn end(child: Option<Child>) {
    let Some(mut child) = child else { return };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let send = |signal| group.map(|group| kill_process_group(group, signal));
    send(Signal::TERM);
    let until = Instant::now() + ENDING;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
        thread::sleep(LOOK);
    }
    // Also what it had started and left behind.
    send(Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> Bench {
        Bench::new("127.0.0.1:1".parse().expect("an address"), Vec::new(), 1).expect("a folder")
    }

    fn fault(text: &str) -> String {
        let spec = Spec::parse(text, None).expect("a target");
        format!("{:#}", bench().start(&spec).expect_err("it can't start"))
    }

    #[test]
    fn what_does_not_start_says_why() {
        let said = fault("command=sh -c 'echo no licence for {listen} >&2; exit 3'");
        assert!(said.contains("has ended; it said: no licence for 127.0.0.1:"), "{said}");
        assert!(fault("command=/no/such/program {listen}").contains("starting /no/such/program"));
    }

    #[test]
    fn what_was_started_ends_with_all_its_children() {
        let bench = bench();
        let program = "import socket, sys, subprocess; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); \
                       subprocess.Popen(['sleep', '1000']).wait()";
        let text = format!("command=python3 -c \"{program}\" {{listen_port}}");
        let running = bench.start(&Spec::parse(&text, None).expect("a target")).expect("it starts");
        let pid = running.pid.expect("its process");
        let group = Pid::from_raw(pid).expect("not 0");
        assert!(rustix::process::test_kill_process_group(group).is_ok());
        drop(running);
        // The last of the group may be a zombie for a moment, until init has it.
        while rustix::process::test_kill_process_group(group).is_ok() {
            let left = procfs::process::all_processes().expect("/proc").flatten();
            let alive = left
                .filter_map(|process| process.stat().ok())
                .any(|stat| stat.pgrp == pid && stat.state != 'Z');
            if !alive {
                break;
            }
            thread::sleep(LOOK);
        }
    }
}

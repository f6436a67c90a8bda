//! What another process needs, from /proc: CPU time and resident memory, with all its threads and children.
//!
//! It only reads. CPU time is the scheduler's own (nanoseconds, per thread), not the hundredths of a second of `stat`.
//! Invariant: a thread or child that has ended keeps what it had needed when it was last looked at.

use std::collections::HashMap;

use anyhow::{Context, bail};
use procfs::process::Process;

use crate::results::ProcessUse;

/// Each so many calls of [`Watched::look`] it really looks: a tree of processes costs tens of microseconds.
const LOOK_EVERY: u32 = 10;

/// What a thread had, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    running: u64,
    /// It could have run, and others did.
    waiting: u64,
}

/// A process that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    pid: i32,
    command: String,
    /// By process and thread.
    threads: HashMap<(i32, i32), Spent>,
    looks: u32,
    resident_before: u64,
    resident_connected: u64,
    resident_max: u64,
    from: Spent,
    until: Option<Spent>,
}

impl Watched {
    /// Begins before the first connection.
    pub(crate) fn begin(pid: i32) -> anyhow::Result<Self> {
        let process = Process::new(pid).with_context(|| format!("--pid {pid}: no such process"))?;
        let command = process.stat().context("reading its state")?.comm;
        let mut watched = Self {
            pid,
            command,
            threads: HashMap::new(),
            looks: 0,
            resident_before: 0,
            resident_connected: 0,
            resident_max: 0,
            from: Spent::default(),
            until: None,
        };
        watched.spent();
        if watched.threads.is_empty() {
            bail!(
                "--pid {pid}: this system doesn't tell the CPU time of its threads (/proc/{pid}/task/*/schedstat)"
            );
        }
        watched.resident_before = watched.resident(Exactness::Exact);
        watched.resident_max = watched.resident_before;
        Ok(watched)
    }

    /// All devices are connected, and nothing was sent yet.
    pub(crate) fn connected(&mut self) {
        self.resident_connected = self.resident(Exactness::Exact);
        self.resident_max = self.resident_max.max(self.resident_connected);
    }

    /// The measured time begins.
    pub(crate) fn measured_begins(&mut self) {
        self.from = self.spent();
    }

    /// The measured time has ended.
    pub(crate) fn measured_ends(&mut self) {
        self.until = Some(self.spent());
        self.resident_max = self.resident_max.max(self.resident(Exactness::Cheap));
    }

    /// To be called now and then: for the largest memory, and for threads that will have ended.
    pub(crate) fn look(&mut self) {
        self.looks += 1;
        if self.looks.is_multiple_of(LOOK_EVERY) {
            self.spent();
            self.resident_max = self.resident_max.max(self.resident(Exactness::Cheap));
        }
    }

    /// What was seen. `None` if the process has ended before the load did.
    pub(crate) fn finish(
        self,
        seconds: f64,
        messages: u64,
        connections: u64,
    ) -> Option<ProcessUse> {
        Process::new(self.pid).ok()?;
        let until = self.until?;
        let us = |from: u64, until: u64| until.saturating_sub(from) as f64 / 1000.0;
        let cpu_us = us(self.from.running, until.running);
        let added = self.resident_connected.checked_sub(self.resident_before);
        Some(ProcessUse {
            pid: self.pid,
            command: self.command,
            cpu_us,
            waited_us: Some(us(self.from.waiting, until.waiting)),
            cpu_us_per_message: (messages > 0).then(|| cpu_us / messages as f64),
            cores: cpu_us / 1e6 / seconds.max(f64::MIN_POSITIVE),
            resident_before_bytes: self.resident_before,
            resident_connected_bytes: self.resident_connected,
            resident_max_bytes: self.resident_max,
            bytes_per_connection: added
                .filter(|_| connections > 0)
                .map(|added| added as f64 / connections as f64),
        })
    }

    /// What all threads had so far, those that have ended included.
    fn spent(&mut self) -> Spent {
        for process in tree(self.pid) {
            let Ok(tasks) = process.tasks() else { continue };
            for task in tasks.flatten() {
                if let Ok(found) = task.schedstat() {
                    let spent = Spent { running: found.sum_exec_runtime, waiting: found.run_delay };
                    self.threads.insert((task.pid, task.tid), spent);
                }
            }
        }
        self.threads.values().fold(Spent::default(), |sum, spent| Spent {
            running: sum.running + spent.running,
            waiting: sum.waiting + spent.waiting,
        })
    }

    fn resident(&self, exactness: Exactness) -> u64 {
        tree(self.pid).iter().map(|process| resident(process, exactness)).sum()
    }
}

/// How memory is read. The counter in `stat` lags by up to 64 pages per core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exactness {
    Exact,
    Cheap,
}

fn resident(process: &Process, exactness: Exactness) -> u64 {
    if exactness == Exactness::Exact
        && let Ok(rollup) = process.smaps_rollup()
        && let Some(map) = rollup.memory_map_rollup.0.first()
        && let Some(bytes) = map.extension.map.get("Rss")
    {
        return *bytes;
    }
    process.stat().map_or(0, |stat| stat.rss * procfs::page_size())
}

/// The process and all that descend from it. Those that end meanwhile are left out.
fn tree(pid: i32) -> Vec<Process> {
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        let Ok(process) = Process::new(pid) else { continue };
        let tasks = process.tasks().into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| task.children().ok()).flatten();
        open.extend(children.filter_map(|child| i32::try_from(child).ok()));
        found.push(process);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    /// A shell whose child computes; the shell itself only waits.
    const COMPUTING_CHILD: &str =
        "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read line' ; true";

    #[test]
    fn a_childs_cpu_time_is_its_parents() {
        let mut command = Command::new("sh");
        command.args(["-c", COMPUTING_CHILD]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().expect("a shell");
        let pid = i32::try_from(shell.id()).expect("a small number");
        let mut watched = Watched::begin(pid).expect("it runs");
        watched.connected();
        let mut line = String::new();
        let mut out = BufReader::new(shell.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("a line");
        watched.measured_ends();
        let alone = Process::new(pid).expect("it runs").tasks().expect("tasks");
        let alone: u64 =
            alone.flatten().map(|task| task.schedstat().expect("it has").sum_exec_runtime).sum();
        let found = watched.finish(1.0, 100, 10).expect("it still runs");
        drop(shell.stdin.take());
        shell.wait().expect("it ends");
        // A hundred thousand rounds of a shell are milliseconds on any machine; waiting for them is next to nothing.
        assert!(found.cpu_us > 2.0 * alone as f64 / 1000.0, "{found:?}, alone {alone} ns");
        assert_eq!(found.cpu_us_per_message, Some(found.cpu_us / 100.0));
        assert!(found.resident_max_bytes >= found.resident_before_bytes);
        assert!(found.resident_before_bytes > 0);
    }

    #[test]
    fn a_process_that_has_ended_has_no_figures() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep");
        let watched = Watched::begin(i32::try_from(child.id()).expect("a small number"));
        let mut watched = watched.expect("it runs");
        watched.measured_begins();
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        watched.measured_ends();
        assert!(watched.finish(1.0, 1, 1).is_none());
        let gone = Watched::begin(i32::MAX).expect_err("there is none");
        assert!(gone.to_string().contains("no such process"), "{gone}");
    }
}

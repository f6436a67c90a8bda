//! What another process needs, from /proc: CPU time and resident memory.

use anyhow::Context;
use procfs::process::Process;

use crate::results::ProcessUse;

/// A process that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    process: Process,
    command: String,
    resident_before: u64,
    resident_connected: u64,
    resident_max: u64,
    cpu_from: f64,
    cpu_until: Option<f64>,
}

impl Watched {
    /// Begins before the first connection.
    pub(crate) fn begin(pid: i32) -> anyhow::Result<Self> {
        let process = Process::new(pid).with_context(|| format!("--pid {pid}: no such process"))?;
        let command = process.stat().context("reading its state")?.comm;
        let mut watched = Self {
            process,
            command,
            resident_before: 0,
            resident_connected: 0,
            resident_max: 0,
            cpu_from: 0.0,
            cpu_until: None,
        };
        watched.resident_before = watched.resident();
        Ok(watched)
    }

    /// All devices are connected, and nothing was sent yet.
    pub(crate) fn connected(&mut self) {
        self.resident_connected = self.resident();
    }

    /// The measured time begins.
    pub(crate) fn measured_begins(&mut self) {
        self.cpu_from = self.cpu_seconds().unwrap_or(0.0);
    }

    /// The measured time has ended.
    pub(crate) fn measured_ends(&mut self) {
        self.cpu_until = self.cpu_seconds();
    }

    /// To be called now and then, for the largest memory.
    pub(crate) fn look(&mut self) {
        self.resident_max = self.resident_max.max(self.resident());
    }

    /// What was seen. `None` if the process is gone.
    pub(crate) fn finish(
        mut self,
        seconds: f64,
        messages: u64,
        connections: u64,
    ) -> Option<ProcessUse> {
        self.look();
        let cpu_us = (self.cpu_until? - self.cpu_from).max(0.0) * 1e6;
        let added = self.resident_connected.checked_sub(self.resident_before);
        Some(ProcessUse {
            pid: self.process.pid(),
            command: self.command,
            cpu_us,
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

    fn resident(&self) -> u64 {
        self.process.stat().map_or(0, |stat| stat.rss * procfs::page_size())
    }

    fn cpu_seconds(&self) -> Option<f64> {
        let stat = self.process.stat().ok()?;
        Some((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
    }
}

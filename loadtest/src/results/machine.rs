//! The machine that a result was measured on, as far as a reader needs it to judge the figures.
//!
//! It names nobody: no host name, no path.

use std::fs;

use procfs::Current;
use serde::{Deserialize, Serialize};

use crate::limits;

/// The machine, and how busy it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Model of the processor.
    pub(crate) processor: Option<String>,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Main memory.
    pub(crate) memory_bytes: Option<u64>,
    /// Kernel and its version.
    pub(crate) kernel: Option<String>,
    /// Name of the distribution.
    pub(crate) system: Option<String>,
    /// Threads that wanted to run, as a mean over the minute before the start: what else was going on.
    pub(crate) load_average: Option<f64>,
    /// Files that this process may have open.
    pub(crate) open_files: Option<u64>,
    /// Source ports of one address.
    pub(crate) source_ports: u64,
}

impl Machine {
    /// This one, now.
    pub(crate) fn here() -> Self {
        let processor = procfs::CpuInfo::current().ok();
        let version = procfs::sys::kernel::Version::current().ok();
        Self {
            processor: processor.and_then(|found| found.model_name(0).map(str::to_owned)),
            cores: core_affinity::get_core_ids().map_or(0, |cores| cores.len()),
            memory_bytes: procfs::Meminfo::current().ok().map(|found| found.mem_total),
            kernel: version
                .map(|found| format!("Linux {}.{}.{}", found.major, found.minor, found.patch)),
            system: system(),
            load_average: load_average(),
            open_files: limits::raise_open_files().ok(),
            source_ports: limits::source_ports(),
        }
    }

    /// In one line.
    pub(crate) fn text(&self) -> String {
        let mut parts = vec![format!(
            "{} × {}",
            self.cores,
            self.processor.as_deref().unwrap_or("core of unknown make")
        )];
        if let Some(bytes) = self.memory_bytes {
            parts.push(format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)));
        }
        parts.extend(self.kernel.clone());
        parts.extend(self.system.clone());
        if let Some(load) = self.load_average {
            parts.push(format!("load average {load:.2} before"));
        }
        parts.join(", ")
    }
}

/// The mean number of threads that wanted to run in the last minute.
pub(crate) fn load_average() -> Option<f64> {
    procfs::LoadAverage::current().ok().map(|found| f64::from(found.one))
}

fn system() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_what_it_has() {
        let machine = Machine::here();
        assert!(machine.cores > 0 && machine.memory_bytes > Some(1 << 20), "{machine:?}");
        let text = machine.text();
        assert!(text.contains("Linux") && text.contains("GiB"), "{text}");
    }
}

//! How much memory the process has, and how much it may have. Files stay open, so that they can be read also when there are
//! no descriptors left.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::unistd::{SysconfVar, sysconf};

use crate::config::MemoryMax;

/// Where the groups of processes (cgroup v2) are.
const GROUPS: &str = "/sys/fs/cgroup";

/// The longest of the files has some 60 lines.
const READ_BYTES: usize = 16 * 1024;

/// What is held against a limit.
#[derive(Debug)]
pub(super) struct Memory {
    max: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// The pages of the process that are in memory.
    Process { statm: File, page: u64 },
    /// What is charged to its group, the kernel's buffers of its sockets included, without what can be dropped at once.
    Group { current: File, stat: File },
}

impl Memory {
    /// What the process is held against; `None`: nothing.
    pub(super) fn of_process(max: MemoryMax) -> Option<Self> {
        let found = match max {
            MemoryMax::Off => return None,
            MemoryMax::Exactly(max) => Self::of_pages(max),
            MemoryMax::Auto => Self::of_system(),
        };
        found
            .inspect_err(|error| tracing::warn!(%error, "memory can't be watched: no session is refused or ended when it gets short"))
            .ok()
    }

    /// The group's limit, if there is one, or all that the machine has.
    fn of_system() -> io::Result<Self> {
        let total = total(&fs::read_to_string("/proc/meminfo")?)?;
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        match narrowest(Path::new(GROUPS), &own) {
            Some((group, max)) if max < total => Self::of_group(&group, max),
            _ => Self::of_pages(total),
        }
    }

    fn of_pages(max: u64) -> io::Result<Self> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|page| u64::try_from(page).ok());
        let page =
            page.ok_or_else(|| io::Error::other("the system doesn't say how large a page is"))?;
        let source = Source::Process { statm: File::open("/proc/self/statm")?, page };
        Self::checked(max, source)
    }

    pub(super) fn of_group(group: &Path, max: u64) -> io::Result<Self> {
        let current = File::open(group.join("memory.current"))?;
        let stat = File::open(group.join("memory.stat"))?;
        Self::checked(max, Source::Group { current, stat })
    }

    fn checked(max: u64, source: Source) -> io::Result<Self> {
        let memory = Self { max, source };
        match memory.used() {
            Some(_) => Ok(memory),
            None => Err(io::Error::other("the system doesn't say how much the process has")),
        }
    }

    /// Bytes at most.
    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// Bytes now.
    pub(super) fn used(&self) -> Option<u64> {
        match &self.source {
            Source::Process { statm, page } => {
                let text = read(statm)?;
                let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
                Some(pages * page)
            }
            Source::Group { current, stat } => {
                let current: u64 = read(current)?.trim().parse().ok()?;
                let stat = read(stat)?;
                let cache = stat.lines().find_map(|line| line.strip_prefix("inactive_file "))?;
                Some(current.saturating_sub(cache.trim().parse().ok()?))
            }
        }
    }
}

fn read(file: &File) -> Option<String> {
    let mut buffer = vec![0; READ_BYTES];
    let read = file.read_at(&mut buffer, 0).ok()?;
    buffer.truncate(read);
    String::from_utf8(buffer).ok()
}

fn total(meminfo: &str) -> io::Result<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("/proc/meminfo has no MemTotal"))
}

/// The group, of the process's own and those around it, that may have least. `own` is what `/proc/self/cgroup` says.
fn narrowest(groups: &Path, own: &str) -> Option<(PathBuf, u64)> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = groups.join(path.trim());
    let around = folder.ancestors().take_while(|group| group.starts_with(groups));
    let limits = around.filter_map(|group| {
        let max = fs::read_to_string(group.join("memory.max")).ok()?;
        Some((group.to_owned(), max.trim().parse().ok()?))
    });
    limits.min_by_key(|(_, max)| *max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_group_around_the_process_counts() {
        let groups = tempfile::tempdir().unwrap();
        let inner = groups.path().join("pod/proxy");
        fs::create_dir_all(&inner).unwrap();
        let own = "12:memory:/old\n0::/pod/proxy\n";
        assert_eq!(narrowest(groups.path(), own), None, "nobody limits it");
        for (group, max) in [("pod/proxy", "max\n"), ("pod", "5000\n"), (".", "9000\n")] {
            fs::write(groups.path().join(group).join("memory.max"), max).unwrap();
        }
        assert_eq!(narrowest(groups.path(), own), Some((groups.path().join("pod"), 5000)));
        fs::write(inner.join("memory.max"), "400\n").unwrap();
        assert_eq!(narrowest(groups.path(), own), Some((inner, 400)));
        assert_eq!(
            narrowest(groups.path(), "0::/\n").map(|(_, max)| max),
            Some(9000),
            "a container's own root"
        );
        assert_eq!(narrowest(groups.path(), "4:memory:/x\n"), None, "version 1 has none of it");
    }

    #[test]
    fn the_process_sees_its_own_memory_grow() {
        let memory = Memory::of_process(MemoryMax::Auto).expect("Linux");
        assert!(memory.max() > 1 << 20);
        let own = Memory::of_pages(1 << 30).expect("Linux");
        let before = own.used().expect("it was read before");
        let grown = vec![1_u8; 64 << 20];
        let after = own.used().expect("it was read before");
        assert!(after >= before + (32 << 20), "{before} and {after} with {} more", grown.len());
        assert!(Memory::of_process(MemoryMax::Off).is_none());
    }
}

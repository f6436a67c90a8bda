//! Which cores the target and the generator get, so that neither takes the other's time.
//!
//! Invariant: what was moved that isn't ours is put back.

use std::fs;
use std::thread;

use anyhow::{Context, bail};
use procfs::process::Process;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::results::Pinning;

/// What the command line says; empty and `None`: to be chosen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) target: Vec<usize>,
    pub(crate) generator: Vec<usize>,
    pub(crate) end: Option<usize>,
}

/// Cores for everybody, and what is to be said about them.
///
/// # Errors
/// A core that isn't there.
pub(crate) fn choose(wanted: &Wanted) -> anyhow::Result<(Pinning, Option<String>)> {
    let available: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
    let named = wanted.target.iter().chain(&wanted.generator).chain(&wanted.end);
    if let Some(core) = named.into_iter().find(|core| !available.contains(core)) {
        bail!("there is no core {core} for this process; it may use {available:?}");
    }
    let pinning = chosen(wanted, &available, siblings);
    Ok((pinning.clone(), remark(&pinning, siblings)))
}

/// The target gets one core, the sink or echo the last, the generator those between, as far as there are any.
fn chosen(wanted: &Wanted, available: &[usize], siblings: fn(usize) -> Vec<usize>) -> Pinning {
    if available.len() < 2 {
        return Pinning {
            target: wanted.target.clone(),
            generator: wanted.generator.clone(),
            end: wanted.end,
        };
    }
    let taken = |core: &usize| wanted.generator.contains(core) || wanted.end == Some(*core);
    let target = if wanted.target.is_empty() {
        let free = available.iter().find(|core| !taken(core)).or(available.first());
        free.copied().into_iter().collect()
    } else {
        wanted.target.clone()
    };
    let others: Vec<usize> =
        available.iter().copied().filter(|core| !target.contains(core)).collect();
    let near: Vec<usize> = target.iter().flat_map(|core| siblings(*core)).collect();
    let apart: Vec<usize> = others.iter().copied().filter(|core| !near.contains(core)).collect();
    let rest = if apart.is_empty() { others } else { apart };
    let end = wanted.end.or(rest.last().copied());
    let mut generator = wanted.generator.clone();
    if generator.is_empty() {
        generator = rest.iter().copied().filter(|core| Some(*core) != end).collect();
    }
    if generator.is_empty() {
        generator.extend(end);
    }
    Pinning { target, generator, end }
}

fn remark(pinning: &Pinning, siblings: fn(usize) -> Vec<usize>) -> Option<String> {
    let others: Vec<usize> = pinning.generator.iter().copied().chain(pinning.end).collect();
    if pinning.target.is_empty() || others.is_empty() {
        return Some(
            "target and generator share the only core: they take each other's time".to_owned(),
        );
    }
    if let Some(core) = pinning.target.iter().find(|core| others.contains(core)) {
        return Some(format!(
            "target and generator share core {core}: they take each other's time"
        ));
    }
    let near = |core: &usize| siblings(*core).iter().any(|sibling| others.contains(sibling));
    let core = pinning.target.iter().find(|core| near(core))?;
    Some(format!(
        "core {core} is one of two threads of a physical core, and the generator has the other one: the target's CPU time is longer \
         than alone"
    ))
}

/// The other hardware threads of a core's physical one.
fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let text = fs::read_to_string(path).unwrap_or_default();
    list(&text).into_iter().filter(|sibling| *sibling != core).collect()
}

/// The kernel's `0-1,4`.
fn list(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cores.extend(first..=last);
        }
    }
    cores
}

fn set(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    set
}

/// Does something on these cores. What it starts stays there; the calling thread doesn't.
pub(crate) fn on<T: Send>(
    cores: &[usize],
    act: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if !cores.is_empty() {
                sched_setaffinity(None, &set(cores))
                    .with_context(|| format!("keeping a target on cores {cores:?}"))?;
            }
            act()
        });
        thread.join().unwrap_or_else(|_| bail!("the thread that starts targets panicked"))
    })
}

/// Threads of somebody else that were moved; they are put back when this goes.
#[derive(Debug, Default)]
pub(crate) struct Moved(Vec<(Pid, CpuSet)>);

impl Moved {
    /// Moves all threads of a process. Those that it starts later come along.
    pub(crate) fn to(cores: &[usize], pid: i32) -> anyhow::Result<Self> {
        let mut moved = Self::default();
        if cores.is_empty() {
            return Ok(moved);
        }
        let tasks = Process::new(pid).and_then(|process| process.tasks());
        for task in tasks.with_context(|| format!("reading the threads of process {pid}"))? {
            let Some(thread) = task.ok().and_then(|task| Pid::from_raw(task.tid)) else { continue };
            let before = sched_getaffinity(Some(thread))?;
            sched_setaffinity(Some(thread), &set(cores))
                .with_context(|| format!("moving process {pid} to cores {cores:?}"))?;
            moved.0.push((thread, before));
        }
        Ok(moved)
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        for (thread, before) in &self.0 {
            // A thread that has ended needs no core.
            let _ = sched_setaffinity(Some(*thread), before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: usize) -> Vec<usize> {
        Vec::new()
    }

    /// 0 and 4, 1 and 5, …
    fn four_apart(core: usize) -> Vec<usize> {
        vec![if core < 4 { core + 4 } else { core - 4 }]
    }

    fn pinning(target: &[usize], generator: &[usize], end: Option<usize>) -> Pinning {
        Pinning { target: target.to_vec(), generator: generator.to_vec(), end }
    }

    #[test]
    fn target_and_generator_get_different_cores() {
        let free = Wanted::default();
        assert_eq!(chosen(&free, &[0], none), pinning(&[], &[], None));
        assert_eq!(chosen(&free, &[0, 1], none), pinning(&[0], &[1], Some(1)));
        assert_eq!(chosen(&free, &[2, 3, 5], none), pinning(&[2], &[3], Some(5)));
        let eight: Vec<usize> = (0..8).collect();
        let found = chosen(&free, &eight, four_apart);
        assert_eq!(found, pinning(&[0], &[1, 2, 3, 5, 6], Some(7)));
        assert_eq!(remark(&found, four_apart), None);
        let wanted = Wanted { generator: vec![0], ..Wanted::default() };
        assert_eq!(chosen(&wanted, &[0, 1], none).target, [1]);
    }

    #[test]
    fn shared_cores_are_said() {
        let said = |target: &[usize], generator: &[usize], siblings| {
            remark(&pinning(target, generator, None), siblings).unwrap_or_default()
        };
        assert!(said(&[], &[], none).contains("the only core"));
        assert!(said(&[0, 1], &[1], none).contains("share core 1"));
        assert!(said(&[0], &[4], four_apart).contains("physical core"));
        assert_eq!(said(&[0], &[1], four_apart), "");
    }

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(list("3"), [3]);
        assert_eq!(list(""), [0_usize; 0]);
    }

    #[test]
    fn what_is_started_stays_on_its_cores() {
        let core = core_affinity::get_core_ids().expect("cores")[0].id;
        let before = sched_getaffinity(None).expect("affinity");
        let child = on(&[core], || Ok(std::process::Command::new("sleep").arg("60").spawn()?));
        let mut child = child.expect("sleep");
        let pid = i32::try_from(child.id()).expect("a small number");
        let of = |pid| sched_getaffinity(Pid::from_raw(pid)).expect("affinity");
        assert_eq!((of(pid).count(), of(pid).is_set(core)), (1, true));
        assert_eq!(sched_getaffinity(None).expect("affinity"), before);
        let all: Vec<usize> =
            core_affinity::get_core_ids().expect("cores").iter().map(|core| core.id).collect();
        let moved = Moved::to(&all, pid).expect("it may be moved");
        assert_eq!(of(pid).count() as usize, all.len());
        drop(moved);
        assert_eq!(of(pid).count(), 1);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }
}

//! The rounds: who is measured when, and what is gathered.
//!
//! Rounds alternate (A B, B A, A B, …): what changes slowly on a machine then falls on both alike, while in A B A B … B would
//! always be the later one. What is started here is started anew for each measurement: no state and no memory of an earlier
//! one is left, and the other target doesn't run meanwhile.

use std::io::{IsTerminal, stderr};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use mio::net::TcpListener;

use super::figures::{measured, rows, total};
use super::spec::Spec;
use super::target::Bench;
use super::{remarks, table};
use crate::engine::clock::Clock;
use crate::engine::plan::Plan;
use crate::engine::{Setup, conduct as conduct_run};
use crate::progress::Progress;
use crate::results::{
    COMPARISON_FORMAT, Comparison, Direct, End, Machine, Pinning, Results, Round, Side,
    load_average,
};
use crate::scenario::{Scenario, text};
use crate::{command_line, limits, sink};

/// What is to be done.
#[derive(Debug)]
pub(super) struct Bout {
    pub(super) a: Spec,
    pub(super) b: Spec,
    pub(super) rounds: usize,
    /// A round in which a target waited for its core for a larger part of the time is measured again.
    pub(super) waited_at_most: Option<f64>,
    pub(super) without: Without,
    pub(super) end: End,
    /// Whether what runs already can know the end's address.
    pub(super) end_is_named: bool,
    pub(super) end_address: SocketAddr,
    pub(super) scenario: Scenario,
    pub(super) seed: u64,
    pub(super) threads: usize,
    pub(super) pinning: Pinning,
    pub(super) core_remark: Option<String>,
    pub(super) shows: Shows,
}

/// Whether the sink itself is measured in each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    Off,
    For(Duration),
}

/// What is shown meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    Nothing,
    Progress,
}

impl Bout {
    fn is_disturbed(&self, round: &Round) -> bool {
        let mut waited = [&round.a, &round.b].into_iter().filter_map(|measured| measured.waited);
        self.waited_at_most.is_some_and(|most| waited.any(|waited| waited > most))
    }
}

/// What all rounds share.
struct Ring<'b> {
    bout: &'b Bout,
    bench: Bench,
    listener: TcpListener,
    stop: Arc<AtomicBool>,
    said: Vec<String>,
}

/// Which target comes first in a round, counted from 0.
fn first(round: usize) -> Side {
    if round.is_multiple_of(2) { Side::A } else { Side::B }
}

/// Runs all rounds.
///
/// # Errors
/// A target doesn't start or ends early, nobody can connect, or no round was finished before a signal came.
pub(super) fn conduct(bout: &Bout) -> anyhow::Result<Comparison> {
    let machine = Machine::here();
    let clock = Clock::start();
    let listener = sink::listen(bout.end_address)
        .with_context(|| format!("listening on {}", bout.end_address))?;
    let upstream = listener.local_addr()?;
    let devices = bout.scenario.devices.count;
    let bench = Bench::new(upstream, bout.pinning.target.clone(), devices)?;
    let stop = Arc::new(AtomicBool::new(false));
    bench.end_by_signals(&stop)?;
    // The main thread shows and reads /proc: not on the target's core. What it starts is put there apart.
    limits::pin(bout.pinning.generator.first().copied());
    let mut ring = Ring { bout, bench, listener, stop, said: Vec::new() };
    let rounds = ring.rounds()?;
    let mut said = std::mem::take(&mut ring.said);
    said.extend(bout.core_remark.clone());
    let mut comparison = Comparison {
        comparison_format: COMPARISON_FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_unix_ms: clock.unix_ms(0),
        command: command_line::own(),
        name: bout.scenario.name.clone(),
        scenario: text(&bout.scenario),
        seed: bout.seed,
        machine,
        load_average_after: load_average(),
        pinning: bout.pinning.clone(),
        a: bout.a.text(),
        b: bout.b.text(),
        total_a: total(rounds.iter().map(|round| &round.a)),
        total_b: total(rounds.iter().map(|round| &round.b)),
        figures: rows(&rounds),
        rounds,
        remarks: Vec::new(),
    };
    comparison.remarks = remarks::remarks(&comparison, bout.rounds, &said);
    Ok(comparison)
}

impl<'b> Ring<'b> {
    /// All rounds, those that were disturbed once more.
    fn rounds(&mut self) -> anyhow::Result<Vec<Round>> {
        let (mut rounds, mut again) = (Vec::new(), 0);
        while rounds.len() < self.bout.rounds {
            let Some(round) = self.round(rounds.len())? else { break };
            if self.bout.is_disturbed(&round) && again < self.bout.rounds {
                again += 1;
                self.tell("it was disturbed, so it is measured again");
            } else {
                rounds.push(round);
            }
        }
        if rounds.is_empty() {
            bail!("interrupted before the end of the first round");
        }
        if again > 0 {
            let most = self.bout.waited_at_most.unwrap_or_default() * 100.0;
            self.said.push(format!(
                "{again} rounds were left out and measured again, since a target had waited for its core for more than {most:.0} % of the time"
            ));
        }
        Ok(rounds)
    }

    /// One round; `None` if a signal came before its end.
    fn round(&mut self, index: usize) -> anyhow::Result<Option<Round>> {
        let bout = self.bout;
        let first = first(index);
        let mut direct = None;
        if let Without::For(time) = bout.without {
            let scenario = shorter(&bout.scenario, time);
            let Some(results) = self.run(index, &Spec::Direct, scenario)? else { return Ok(None) };
            self.show(index, "direct", &results, None);
            direct = Some(Direct { results });
        }
        let mut results = [None, None];
        let order = if first == Side::A { [Side::A, Side::B] } else { [Side::B, Side::A] };
        for side in order {
            let spec = self.spec(side);
            let Some(found) = self.run(index, spec, bout.scenario.clone())? else {
                return Ok(None);
            };
            self.show(index, if side == Side::A { "A" } else { "B" }, &found, direct.as_ref());
            results[usize::from(side == Side::B)] = Some(found);
        }
        let [Some(a), Some(b)] = results else { bail!("a side was left out") };
        let of = |results| measured(results, direct.as_ref(), &bout.scenario);
        Ok(Some(Round { number: index + 1, first, a: of(a), b: of(b), direct }))
    }

    fn spec(&self, side: Side) -> &'b Spec {
        match side {
            Side::A => &self.bout.a,
            Side::B => &self.bout.b,
        }
    }

    /// One measurement; `None` if a signal came meanwhile.
    fn run(
        &mut self,
        index: usize,
        spec: &Spec,
        mut scenario: Scenario,
    ) -> anyhow::Result<Option<Results>> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        scenario.seed = Some(self.bout.seed.wrapping_add(index as u64));
        let end = self.end(spec);
        let running = self.bench.start(spec)?;
        self.said.extend(running.remark.clone().filter(|remark| !self.said.contains(remark)));
        let sources = limits::check(&scenario, running.address, end)?;
        let plan = Plan::new(scenario, running.address, end, sources, Clock::start())?;
        let setup = Setup {
            listener: if end == End::Foreign { None } else { Some(again(&self.listener)?) },
            threads: self.bout.threads,
            cores: self.bout.pinning.generator.clone(),
            end_core: self.bout.pinning.end,
            pid: running.pid,
        };
        let shown = self.bout.shows == Shows::Progress && stderr().is_terminal();
        let mut progress = if shown { Progress::new() } else { Progress::Silent };
        let outcome = conduct_run(plan, setup, &self.stop, &mut |live| progress.show(live));
        progress.finish();
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let results = outcome.with_context(|| format!("measuring {}", spec.text().name))?;
        running.still_there(spec)?;
        Ok(Some(results))
    }

    /// What stands behind a target. What runs already has our end behind it only if it could know the address.
    fn end(&self, spec: &Spec) -> End {
        match spec {
            Spec::Running { .. } if !self.bout.end_is_named => End::Foreign,
            _ => self.bout.end,
        }
    }

    /// A line per measurement.
    fn show(&self, index: usize, name: &str, results: &Results, direct: Option<&Direct>) {
        let found = measured(results.clone(), direct, &self.bout.scenario);
        let (round, all) = (index + 1, self.bout.rounds);
        self.tell(&format!("round {round:>2} of {all}  {name:7}{}", table::one_line(&found)));
    }

    fn tell(&self, text: &str) {
        if self.bout.shows == Shows::Progress {
            eprintln!("{text}");
        }
    }
}

/// The same listening socket, for one more run: a run closes its own.
pub(crate) fn again(listener: &TcpListener) -> anyhow::Result<TcpListener> {
    let copy = listener.as_fd().try_clone_to_owned().context("copying the listening socket")?;
    Ok(TcpListener::from_std(std::net::TcpListener::from(copy)))
}

/// The same load for a shorter time. One whose rate changes is left as long as it is.
fn shorter(scenario: &Scenario, time: Duration) -> Scenario {
    let mut scenario = scenario.clone();
    let load = &mut scenario.load;
    if load.steps.is_empty() && load.burst.is_none() && scenario.connections.storms.is_empty() {
        load.duration = load.duration.min(time);
    }
    scenario
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_target_is_always_first() {
        let order: Vec<Side> = (0..4).map(first).collect();
        assert_eq!(order, [Side::A, Side::B, Side::A, Side::B]);
    }
}

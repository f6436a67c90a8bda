//! An attacker's process: started when the load begins, ended when it is over, and listened to in between.
//!
//! Invariant: it ends with its owner, since its standard input does.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::attacker::{Counts, Options};
use crate::compare::cores;
use crate::engine::Live;
use crate::engine::control::Phase;

/// All that an attacker has said.
type Said = Arc<Mutex<Vec<Counts>>>;

/// One attack during one run.
pub(super) struct Attack {
    options: Options,
    cores: Vec<usize>,
    /// Nanoseconds of the load after which is measured.
    warm_up_ns: u64,
    running: Option<Running>,
    said: Said,
    /// What had been said when the measured time began.
    before: usize,
    state: State,
    error: Option<anyhow::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    NotYet,
    Growing,
    Measured,
    Over,
}

struct Running {
    child: Child,
    reading: Option<JoinHandle<()>>,
}

impl Attack {
    pub(super) fn new(options: Options, cores: Vec<usize>, warm_up_ns: u64) -> Self {
        let said = Said::default();
        let state = State::NotYet;
        Self { options, cores, warm_up_ns, running: None, said, before: 0, state, error: None }
    }

    /// Goes along with the run.
    pub(super) fn follow(&mut self, live: &Live) {
        match (live.phase, self.state) {
            (Phase::Load, State::NotYet) => {
                self.state = State::Growing;
                match self.start() {
                    Ok(running) => self.running = Some(running),
                    Err(error) => self.error = Some(error),
                }
            }
            (Phase::Load, State::Growing) if live.over_ns >= self.warm_up_ns => {
                self.state = State::Measured;
                self.before = self.said().len();
            }
            (Phase::Draining | Phase::Closing | Phase::Over, State::Measured | State::Growing) => {
                self.state = State::Over;
                if let Some(running) = &mut self.running
                    && !matches!(running.child.try_wait(), Ok(None))
                {
                    self.error = Some(anyhow::anyhow!("the attacker ended early"));
                }
                self.running = None;
            }
            _ => {}
        }
    }

    fn start(&self) -> anyhow::Result<Running> {
        let Options { manner, target, source, connections, rate, authority, seed, nice } =
            &self.options;
        let manner = manner.to_possible_value().context("a manner without a name")?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["attacker", manner.get_name(), &target.to_string()])
            .args(["--source", &source.to_string(), "--seed", &seed.to_string()])
            .args(["--connections", &connections.to_string(), "--rate", &rate.to_string()])
            .args(["--nice", &nice.to_string()]);
        if let Some(file) = authority {
            command.arg("--authority").arg(file);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let spawned = cores::on(&self.cores, || command.spawn().context("starting the attacker"));
        let mut child = spawned?;
        let out = child.stdout.take().context("its standard output")?;
        let said = Arc::clone(&self.said);
        let reading = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Ok(counts) = serde_json::from_str(&line) {
                    said.lock().unwrap_or_else(PoisonError::into_inner).push(counts);
                }
            }
        });
        Ok(Running { child, reading: Some(reading) })
    }

    fn said(&self) -> Vec<Counts> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was said in the measured time, its first as the start.
    ///
    /// # Errors
    /// The attacker couldn't be started, or ended early, or said too little.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<Counts>> {
        self.running = None;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let said = self.said();
        match said.get(self.before.saturating_sub(1)..) {
            Some(measured) if measured.len() > 1 => Ok(measured.to_vec()),
            _ => bail!("the attacker has said nothing in the measured time"),
        }
    }
}

impl Drop for Running {
    /// Closes its standard input, at which it ends. It is killed if that isn't enough.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
    }
}

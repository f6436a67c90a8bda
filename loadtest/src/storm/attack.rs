//! An attacker's process: started when the load begins, ended when it is over, and listened to in between.
//!
//! Invariant: it ends with its owner, since its standard input does.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::attacker::{Counts, Options};
use super::henchman::{Henchman, Priority};
use super::moment::Moment;

/// All that an attacker has said.
type Said = Arc<Mutex<Vec<Counts>>>;

/// One attack during one run.
pub(super) struct Attack {
    options: Options,
    cores: Vec<usize>,
    priority: Priority,
    running: Option<Running>,
    said: Said,
    /// What had been said when the measured time began.
    before: usize,
    /// The latest that it has followed.
    moment: Moment,
    error: Option<anyhow::Error>,
}

struct Running {
    henchman: Henchman,
    reading: JoinHandle<()>,
}

/// Whether an attacker was still there when it was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Early,
    AsTold,
}

impl Running {
    /// Ends it, and waits until all that it has said is read.
    fn end(mut self) -> Ending {
        let ending = if self.henchman.is_running() { Ending::AsTold } else { Ending::Early };
        drop(self.henchman);
        let _ = self.reading.join();
        ending
    }
}

impl Attack {
    pub(super) fn new(options: Options, cores: Vec<usize>, priority: Priority) -> Self {
        Self {
            options,
            cores,
            priority,
            running: None,
            said: Said::default(),
            before: 0,
            moment: Moment::Before,
            error: None,
        }
    }

    /// Goes along with the run.
    pub(super) fn follow(&mut self, moment: Moment) {
        match (self.moment, moment) {
            (Moment::Before, Moment::Growing | Moment::Measured) => {
                self.moment = Moment::Growing;
                match self.start() {
                    Ok(running) => self.running = Some(running),
                    Err(error) => self.error = Some(error),
                }
            }
            (Moment::Growing, Moment::Measured) => {
                self.moment = Moment::Measured;
                self.before = self.said().len();
            }
            (Moment::Growing | Moment::Measured, Moment::Over) => {
                self.moment = Moment::Over;
                if let Some(running) = self.running.take()
                    && running.end() == Ending::Early
                {
                    self.error = Some(anyhow::anyhow!("the attacker ended early"));
                }
            }
            _ => {}
        }
    }

    fn start(&self) -> anyhow::Result<Running> {
        let Options { manner, target, source, connections, rate, authority, seed } = &self.options;
        let manner = manner.to_possible_value().context("a manner without a name")?;
        let mut words =
            vec!["attacker".to_owned(), manner.get_name().to_owned(), target.to_string()];
        let mut give = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        give("source", source.to_string());
        give("connections", connections.to_string());
        give("rate", rate.to_string());
        give("seed", seed.to_string());
        if let Some(file) = authority {
            give("authority", file.to_str().context("a path that is text")?.to_owned());
        }
        let mut henchman = Henchman::start(&words, &self.cores, self.priority)?;
        let out = henchman.0.stdout.take().context("its standard output")?;
        let said = Arc::clone(&self.said);
        let reading = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Ok(counts) = serde_json::from_str(&line) {
                    said.lock().unwrap_or_else(PoisonError::into_inner).push(counts);
                }
            }
        });
        Ok(Running { henchman, reading })
    }

    fn said(&self) -> Vec<Counts> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was said in the measured time, its first as the start.
    ///
    /// # Errors
    /// The attacker couldn't be started, or ended early, or said too little.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<Counts>> {
        if let Some(running) = self.running.take() {
            running.end();
        }
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

//! Processes on the attack's side: the attacker, and the broker of the flood.
//!
//! Invariant: each ends with its owner, since its standard input does.

use std::process::{Child, Command, Stdio};

use anyhow::Context;
use clap::ValueEnum;

use crate::compare::cores;

/// What of their cores they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Priority {
    /// What nobody else wants, and they leave it at once: who measures on the same core hardly notices
    Idle,
    /// As much as everybody: where the generator's cores have enough for both
    Same,
}

/// The lowest `nice` value isn't enough: who wakes up to measure would still wait for the end of the other's time slice.
const IDLE: (&str, [&str; 2]) = ("chrt", ["--idle", "0"]);

/// One of them, running.
pub(super) struct Henchman(pub(super) Child);

impl Henchman {
    /// Starts this program with these arguments on these cores, with pipes for what it hears and for what it says.
    ///
    /// # Errors
    /// The process can't be started.
    pub(super) fn start(
        arguments: &[String],
        on: &[usize],
        priority: Priority,
    ) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let mut command = match priority {
            Priority::Same => Command::new(own),
            Priority::Idle => {
                let mut command = Command::new(IDLE.0);
                command.args(IDLE.1).arg(own);
                command
            }
        };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let what = || match priority {
            Priority::Same => "starting an attacker".to_owned(),
            Priority::Idle => format!("starting an attacker by `{}` (Debian: util-linux)", IDLE.0),
        };
        cores::on(on, || command.spawn().with_context(what)).map(Self)
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Henchman {
    /// Closes its standard input, at which it ends. It is killed if that isn't enough.
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! The broker behind the listener that is flooded: a sink in a process on the attack's side.
//!
//! Each CONNECT of a flood reaches a broker, which has as much work with it as the proxy. That isn't what is measured, so the honest
//! devices' sink, which shares its core with who measures, has no part in it.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use anyhow::Context;

use super::henchman::{Henchman, Priority};
use crate::engine::clock::Clock;
use crate::engine::control::{Control, Phase};
use crate::limits;
use crate::sink::{self, Expected, Manner, Receiver, Sink};

/// The hidden command that is started.
const COMMAND: &str = "flooded";

/// Such a broker, running.
pub(super) struct Broker {
    pub(super) address: SocketAddr,
    _henchman: Henchman,
}

impl Broker {
    /// # Errors
    /// The process can't be started, or doesn't listen.
    pub(super) fn start(on: &[usize], priority: Priority) -> anyhow::Result<Self> {
        let mut henchman = Henchman::start(&[COMMAND.to_owned()], on, priority)?;
        let out = henchman.0.stdout.take().context("its standard output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().context("the flood's broker doesn't listen")?;
        Ok(Self { address, _henchman: henchman })
    }
}

/// Serves until standard input ends; says where.
pub(crate) fn run() -> anyhow::Result<()> {
    limits::raise_open_files()?;
    let listener = sink::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    println!("{}", listener.local_addr()?);
    let sink = Sink::new(listener, Manner::Sink, Clock::start(), Receiver::new(Expected::Anybody))?;
    let control = Arc::new(Control::new(0, 0, 0));
    let ending = Arc::clone(&control);
    thread::spawn(move || {
        // However it ends.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        ending.enter(Phase::Over);
    });
    sink.run(&control)?;
    Ok(())
}

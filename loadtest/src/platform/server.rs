//! The loop around everything: sockets, signals, standard input and time, on one thread.
//!
//! What packets mean is the broker's. Invariant: whatever wakes it, each connection gets a bounded turn.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::Context;
use mio::net::{TcpListener, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::broker::Broker;
use super::connection::{Connection, Next};
use super::hub::Place;
use super::orders::{Repeating, parse, read_lines};
use super::rules::Moment;

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const LINES: Token = Token(2);
/// The first connection's.
const FIRST: usize = 3;

/// How often time is looked at.
const TICK: Duration = Duration::from_millis(50);
/// Connections at the same time.
const CONNECTIONS_MAX: usize = 16_384;
/// What is read at once.
const SCRATCH: usize = 64 * 1024;

/// A stand-in that listens.
pub(super) struct Server {
    poll: Poll,
    listener: TcpListener,
    signals: UnixStream,
    lines: Receiver<String>,
    repeating: Option<Repeating>,
    broker: Broker,
    connections: HashMap<Place, Connection>,
    ready: BTreeSet<Place>,
    next: usize,
    ticked: Instant,
    scratch: Vec<u8>,
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Going {
    On,
    Stop,
}

impl Server {
    /// Takes over a listener, signals and standard input.
    ///
    /// # Errors
    /// When the system refuses one of them.
    pub(super) fn new(
        listener: std::net::TcpListener,
        broker: Broker,
        repeating: Option<Repeating>,
    ) -> anyhow::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        let (read, write) = StdUnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let mut signals = UnixStream::from_std(read);
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::low_level::pipe::register(signal, write.try_clone()?)
                .context("waiting for signals")?;
        }
        let lines = read_lines(Arc::new(Waker::new(registry, LINES)?));
        Ok(Self {
            poll,
            listener,
            signals,
            lines,
            repeating,
            broker,
            connections: HashMap::new(),
            ready: BTreeSet::new(),
            next: FIRST,
            ticked: Instant::now(),
            scratch: vec![0; SCRATCH],
        })
    }

    /// Serves until SIGINT or SIGTERM. What was counted is in the broker that comes back.
    ///
    /// # Errors
    /// When waiting fails.
    pub(super) fn run(mut self) -> anyhow::Result<Broker> {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = if self.ready.is_empty() { TICK } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome.context("waiting for sockets")?,
            }
            let now = Moment::now();
            if self.take_events(&events, now) == Going::Stop {
                // Keeps the pipe open until here: a signal that comes now goes nowhere, which is fine.
                drop(self.signals);
                return Ok(self.broker);
            }
            for place in std::mem::take(&mut self.ready) {
                self.turn(place, now);
            }
            if now.at.duration_since(self.ticked) >= TICK {
                self.tick(now);
            }
            for (place, end) in self.broker.take_doomed() {
                if let Some(connection) = self.connections.get_mut(&place) {
                    connection.end(&end, &mut self.broker, now);
                    self.ready.insert(place);
                }
            }
            let woken = self.broker.hub.take_woken();
            self.ready.extend(woken);
        }
    }

    fn take_events(&mut self, events: &Events, now: Moment) -> Going {
        for event in events {
            match event.token() {
                LISTENER => self.accept(now),
                SIGNALS => return Going::Stop,
                LINES => self.take_lines(now),
                Token(number) => {
                    let place = Place(number);
                    if let Some(connection) = self.connections.get_mut(&place) {
                        if event.is_readable() || event.is_error() {
                            connection.readable();
                        }
                        self.ready.insert(place);
                    }
                }
            }
        }
        Going::On
    }

    fn turn(&mut self, place: Place, now: Moment) {
        let Some(connection) = self.connections.get_mut(&place) else { return };
        match connection.turn(&mut self.broker, &mut self.scratch, now) {
            Next::Wait => {}
            Next::Again => _ = self.ready.insert(place),
            Next::Gone => self.forget(place),
        }
    }

    fn forget(&mut self, place: Place) {
        if let Some(mut connection) = self.connections.remove(&place) {
            // Closing the socket does the same.
            let _ = self.poll.registry().deregister(&mut connection.stream);
        }
    }

    fn accept(&mut self, now: Moment) {
        while self.connections.len() < CONNECTIONS_MAX {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    // No descriptor left, mostly. The next tick tries again.
                    eprintln!("error a connection can't be accepted: {error}");
                    return;
                }
            };
            let token = Token(self.next);
            let both = Interest::READABLE | Interest::WRITABLE;
            // Small packets are sent at once; without it they are only late.
            let _ = stream.set_nodelay(true);
            if let Err(error) = self.poll.registry().register(&mut stream, token, both) {
                eprintln!("error a connection can't be watched: {error}");
                continue;
            }
            self.next += 1;
            self.broker.ledger.counts.connections.opened += 1;
            let place = Place(token.0);
            self.connections.insert(place, Connection::new(place, stream, now));
            self.ready.insert(place);
        }
    }

    fn take_lines(&mut self, now: Moment) {
        while let Ok(line) = self.lines.try_recv() {
            match parse(&line) {
                Ok(order) => self.broker.order(&order, now),
                Err(_) if line.trim().is_empty() => {}
                Err(advice) => eprintln!("error {line:?}: {advice}"),
            }
        }
    }

    fn tick(&mut self, now: Moment) {
        self.ticked = now.at;
        self.broker.tick(now);
        self.accept(now);
        if let Some(repeating) = &mut self.repeating {
            for order in repeating.due(self.broker.targets(), now.at) {
                self.broker.order(&order, now);
            }
        }
        let mut gone = Vec::new();
        for (place, connection) in &mut self.connections {
            if connection.tick(&mut self.broker, now) == Next::Gone {
                gone.push(*place);
            }
        }
        for place in gone {
            self.forget(place);
        }
    }
}

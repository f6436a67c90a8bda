//! One client's socket: bytes in, bytes out, and where packets end. It knows nothing of what they mean.
//!
//! Invariant: while the client doesn't take what it is owed, nothing more is read from it.
//!
//! ```text
//! Opening ──CONNECT──▶ Open ──an end──▶ Closing ──the client closes, or a second──▶ gone
//!    └──────────────refused──────────────▲
//! ```

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use interlingua::mqtt::{PacketType, ReasonCode, Version, next_packet};
use mio::net::TcpStream;

use super::broker::{Broker, End, PACKET_SIZE_MAX};
use super::client::Opened;
use super::finding::{Fault, Rule};
use super::hub::Place;
use super::rules::Moment;

/// Bytes that wait to be written before anything else has to wait.
const OUT_MAX: usize = 64 * 1024;
/// Reads of one turn, before other connections get theirs.
const ROUNDS: usize = 8;
/// From the open connection to the end of its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client to hear why, before its socket is closed under it.
const CLOSING: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
enum State {
    Opening,
    Open(Opened),
    /// What was to be said is written or in `out`; whatever comes is read and forgotten, so that no reset overtakes it.
    Closing,
}

/// What the server has to do with a connection after its turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait until the socket can do something.
    Wait,
    /// Give it another turn soon.
    Again,
    /// Forget it.
    Gone,
}

/// What one round of reading has brought.
enum Reading {
    Some,
    Nothing,
    End,
}

#[derive(Debug)]
pub(super) struct Connection {
    place: Place,
    pub(super) stream: TcpStream,
    state: State,
    /// Since the state began, or the client was heard last.
    heard: Instant,
    readable: bool,
    taken: Vec<u8>,
    out: Vec<u8>,
}

impl Connection {
    pub(super) fn new(place: Place, stream: TcpStream, now: Moment) -> Self {
        let (taken, out) = (Vec::new(), Vec::new());
        Self { place, stream, state: State::Opening, heard: now.at, readable: true, taken, out }
    }

    /// The socket has something to read.
    pub(super) fn readable(&mut self) {
        self.readable = true;
    }

    /// Reads, takes packets, gives what is owed, writes.
    pub(super) fn turn(&mut self, broker: &mut Broker, scratch: &mut [u8], now: Moment) -> Next {
        for _ in 0..ROUNDS {
            if let Err(end) = self.take_all(broker, now) {
                self.end(&end, broker, now);
            }
            if matches!(self.state, State::Open(_)) {
                broker.give(self.place, &mut self.out, OUT_MAX);
            }
            let was_full = self.out.len() >= OUT_MAX;
            if !self.flush() {
                return self.gone(broker, now);
            }
            if !self.out.is_empty() {
                return Next::Wait;
            }
            if was_full {
                continue;
            }
            if !self.readable {
                return Next::Wait;
            }
            match self.read(scratch, now) {
                Reading::Some | Reading::Nothing => {}
                Reading::End => return self.gone(broker, now),
            }
        }
        Next::Again
    }

    /// Ends what has been silent for too long.
    pub(super) fn tick(&mut self, broker: &mut Broker, now: Moment) -> Next {
        let silence = now.at.duration_since(self.heard);
        match self.state {
            State::Opening if silence >= CONNECT_TIMEOUT => {
                let detail = "no CONNECT";
                broker.broken(self.place, Fault::new(Rule::KeepAlive, ReasonCode::Success, detail));
                Next::Gone
            }
            State::Closing if silence >= CLOSING => Next::Gone,
            State::Open(Opened { silence_max: Some((most, rule)), .. }) if silence >= most => {
                let detail = format!("silent for {} s", silence.as_secs());
                let fault = Fault::new(rule, ReasonCode::KeepAliveTimeout, detail);
                let end = broker.broken(self.place, fault);
                self.end(&end, broker, now);
                if self.flush() { Next::Wait } else { Next::Gone }
            }
            _ => Next::Wait,
        }
    }

    /// Says the last words. The socket stays for a moment.
    pub(super) fn end(&mut self, end: &End, broker: &mut Broker, now: Moment) {
        broker.close(self.place, end, now, &mut self.out);
        self.state = State::Closing;
        self.heard = now.at;
    }

    fn gone(&mut self, broker: &mut Broker, now: Moment) -> Next {
        if matches!(self.state, State::Open(_)) {
            broker.close(self.place, &End::Gone, now, &mut self.out);
        }
        Next::Gone
    }

    /// Takes every whole packet, as long as there is room for the answers.
    fn take_all(&mut self, broker: &mut Broker, now: Moment) -> Result<(), End> {
        let mut at = 0;
        let outcome = loop {
            if self.out.len() >= OUT_MAX {
                break Ok(());
            }
            let rest = self.taken.get(at..).unwrap_or_default();
            let version = match self.state {
                // The fixed header of CONNECT is the same in every version.
                State::Opening => Version::V311,
                State::Open(opened) => opened.version,
                State::Closing => {
                    at = self.taken.len();
                    break Ok(());
                }
            };
            let raw = match next_packet(rest, version, PACKET_SIZE_MAX) {
                Ok(Some(raw)) => raw,
                Ok(None) => break Ok(()),
                Err(fault) => {
                    let code = fault.reason_code();
                    let fault = Fault::new(Rule::Malformed, code, fault.to_string());
                    break Err(broker.broken(self.place, fault));
                }
            };
            at += raw.bytes.len();
            if matches!(self.state, State::Open(_)) {
                if let Err(end) = broker.take(self.place, raw, now, &mut self.out) {
                    break Err(end);
                }
            } else if raw.packet_type != PacketType::Connect {
                let fault = Fault::new(Rule::Malformed, ReasonCode::ProtocolError, "no CONNECT");
                break Err(broker.broken(self.place, fault));
            } else {
                let opened = broker.open(self.place, raw, now, &mut self.out);
                self.state = opened.map_or(State::Closing, State::Open);
            }
        };
        self.taken.drain(..at.min(self.taken.len()));
        outcome
    }

    fn read(&mut self, scratch: &mut [u8], now: Moment) -> Reading {
        match self.stream.read(scratch) {
            Ok(0) => Reading::End,
            Ok(length) => {
                if !matches!(self.state, State::Closing) {
                    self.heard = now.at;
                    self.taken.extend_from_slice(scratch.get(..length).unwrap_or_default());
                }
                Reading::Some
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Reading::Nothing
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Reading::Nothing,
            Err(_) => Reading::End,
        }
    }

    /// Writes what can be written. `false`: nobody is there any more.
    fn flush(&mut self) -> bool {
        let mut written = 0;
        let alive = loop {
            let Some(rest) = self.out.get(written..).filter(|rest| !rest.is_empty()) else {
                break true;
            };
            match self.stream.write(rest) {
                Ok(0) => break false,
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        self.out.drain(..written);
        if alive && self.out.is_empty() && matches!(self.state, State::Closing) {
            // The client closes its side when it has read this; until then its bytes are read.
            return self.stream.shutdown(Shutdown::Write).is_ok();
        }
        alive
    }
}

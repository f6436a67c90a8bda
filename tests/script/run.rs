//! One session under a virtual clock, fed as a shell feeds it, with everything that it writes checked.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlingua::mqtt::{Packet, Version, next_packet};
use interlingua::session::{End, Scratch, Session, SessionPlan, Tally, Wake};

/// The two peers of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Device,
    Upstream,
}

/// A session, what its shell would keep for it, and what it has written.
pub struct Run {
    pub session: Session,
    pub tally: Tally,
    scratch: Scratch,
    pub now: Instant,
    /// What was read and not used yet.
    tails: [Vec<u8>; 2],
    to_device: Vec<u8>,
    to_upstream: Vec<u8>,
    /// In which version a CONNACK to a device is to be read that has none yet.
    answers_in: Version,
    end: Option<End>,
}

impl Run {
    pub fn new(plan: Arc<SessionPlan>, answers_in: Version, now: Instant) -> Self {
        Self {
            session: Session::new(plan, now),
            tally: Tally::default(),
            scratch: Scratch::default(),
            now,
            tails: [Vec::new(), Vec::new()],
            to_device: Vec::new(),
            to_upstream: Vec::new(),
            answers_in,
            end: None,
        }
    }

    /// Something happens to the session; what it wrote is then checked, and it is offered what was left.
    pub fn wake(&mut self, act: impl FnOnce(&mut Session, &mut Wake<'_>)) -> Result<(), String> {
        let mut wake = Wake {
            now: self.now,
            to_device: &mut self.to_device,
            to_upstream: &mut self.to_upstream,
            scratch: &mut self.scratch,
            tally: &self.tally,
        };
        act(&mut self.session, &mut wake);
        self.offer()?;
        self.check()
    }

    /// Bytes arrive.
    pub fn feed(&mut self, from: Peer, bytes: &[u8]) -> Result<(), String> {
        self.tails[from as usize].extend_from_slice(bytes);
        self.wake(|_, _| {})
    }

    /// What one side left waiting may go on after the other side has spoken.
    fn offer(&mut self) -> Result<(), String> {
        loop {
            let mut progress = false;
            for from in [Peer::Device, Peer::Upstream] {
                let tail = std::mem::take(&mut self.tails[from as usize]);
                let mut wake = Wake {
                    now: self.now,
                    to_device: &mut self.to_device,
                    to_upstream: &mut self.to_upstream,
                    scratch: &mut self.scratch,
                    tally: &self.tally,
                };
                let used = match from {
                    Peer::Device => self.session.on_device_bytes(&tail, &mut wake),
                    Peer::Upstream => self.session.on_upstream_bytes(&tail, &mut wake),
                };
                if used > tail.len() {
                    return Err(format!("{used} bytes used of {}", tail.len()));
                }
                progress |= used > 0;
                self.tails[from as usize] = tail[used..].to_vec();
            }
            if !progress {
                return Ok(());
            }
        }
    }

    /// Time passes; every deadline on the way is kept.
    pub fn pass(&mut self, time: Duration) -> Result<(), String> {
        let until = self.now + time;
        for _ in 0..10_000 {
            match self.session.deadline().filter(|at| *at <= until && self.end.is_none()) {
                None => {
                    self.now = until;
                    return Ok(());
                }
                Some(at) => {
                    self.now = self.now.max(at);
                    self.wake(|session, wake| session.on_deadline(wake))?;
                }
            }
        }
        Err("the session is due all the time".to_owned())
    }

    /// What a peer is to be sent, taken.
    pub fn take(&mut self, to: Peer) -> Vec<u8> {
        match to {
            Peer::Device => std::mem::take(&mut self.to_device),
            Peer::Upstream => std::mem::take(&mut self.to_upstream),
        }
    }

    /// The version in which the device reads.
    fn version(&self) -> Version {
        if self.session.version() == Version::V5 { self.answers_in } else { self.session.version() }
    }

    fn check(&mut self) -> Result<(), String> {
        read_all(&self.to_device, self.version())?;
        // Until a CONNECT was read, nothing is written that has another version.
        read_all(&self.to_upstream, self.session.upstream_version())?;
        if let Some(end) = self.end
            && self.session.end() != Some(end)
        {
            return Err(format!("an end that changes: {end:?}, {:?}", self.session.end()));
        }
        if self.end.is_none() && self.session.end().is_some() {
            let mut wake = Wake {
                now: self.now,
                to_device: &mut self.to_device,
                to_upstream: &mut self.to_upstream,
                scratch: &mut self.scratch,
                tally: &self.tally,
            };
            self.session.on_ended(&mut wake);
        }
        self.end = self.session.end();
        Ok(())
    }
}

/// Reads whole packets, strictly; a text of what they are.
pub fn read_all(mut stream: &[u8], version: Version) -> Result<String, String> {
    let mut text = String::new();
    let wrong = |stream: &[u8], why: String| Err(format!("malformed output {stream:02X?}: {why}"));
    while !stream.is_empty() {
        let raw = match next_packet(stream, version, usize::MAX) {
            Ok(Some(raw)) => raw,
            Ok(None) => return wrong(stream, "it ends inside a packet".to_owned()),
            Err(error) => return wrong(stream, error.to_string()),
        };
        match Packet::decode(raw, version) {
            Ok(packet) => {
                let _ = write!(text, "{packet:?} ");
            }
            Err(error) => return wrong(raw.bytes, error.to_string()),
        }
        stream = &stream[raw.bytes.len()..];
    }
    Ok(text)
}

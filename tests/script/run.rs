//! One session under a virtual clock, fed as a shell feeds it, with everything that it writes checked.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlingua::mqtt::{Packet, Version, next_packet};
use interlingua::session::{End, Scratch, Session, SessionPlan, Tally, Wake};
use interlingua::translate::Way;

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
    /// What comes behind a payload that is being moved: to the device, and to the upstream.
    behind: [Vec<u8>; 2],
    /// Bytes of a payload whose start was taken already: to the device, and to the upstream.
    inside: [usize; 2],
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
            behind: [Vec::new(), Vec::new()],
            inside: [0; 2],
            answers_in,
            end: None,
        }
    }

    /// Something happens to the session; what it wrote is then checked, and it is offered what was left.
    pub fn wake(&mut self, act: impl FnOnce(&mut Session, &mut Wake<'_>)) -> Result<(), String> {
        self.call(act);
        self.offer()?;
        self.check()
    }

    fn call<T>(&mut self, act: impl FnOnce(&mut Session, &mut Wake<'_>) -> T) -> T {
        let [to_device, to_upstream] = &mut self.behind;
        let moves = |way| self.session.payload_left(way) > 0;
        let mut wake = Wake {
            now: self.now,
            to_device: if moves(Way::Down) { to_device } else { &mut self.to_device },
            to_upstream: if moves(Way::Up) { to_upstream } else { &mut self.to_upstream },
            scratch: &mut self.scratch,
            tally: &self.tally,
        };
        act(&mut self.session, &mut wake)
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
                let moved = self.move_payload(from, &tail);
                let rest = &tail[moved..];
                let used = moved
                    + self.call(|session, wake| match from {
                        Peer::Device => session.on_device_bytes(rest, wake),
                        Peer::Upstream => session.on_upstream_bytes(rest, wake),
                    });
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

    /// Moves what is there of a payload, and behind its end what had to wait for it.
    fn move_payload(&mut self, from: Peer, bytes: &[u8]) -> usize {
        let [to_device, to_upstream] = &mut self.behind;
        let (way, out, behind) = match from {
            Peer::Device => (Way::Up, &mut self.to_upstream, to_upstream),
            Peer::Upstream => (Way::Down, &mut self.to_device, to_device),
        };
        let moved = self.session.payload_left(way).min(bytes.len());
        if moved > 0 {
            out.extend_from_slice(&bytes[..moved]);
            self.session.payload_moved(way, moved, self.now);
        }
        if self.session.payload_left(way) == 0 {
            out.append(behind);
        }
        moved
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
        let (way, out) = match to {
            Peer::Device => (Way::Down, &mut self.to_device),
            Peer::Upstream => (Way::Up, &mut self.to_upstream),
        };
        self.inside[to as usize] = self.session.payload_left(way);
        std::mem::take(out)
    }

    /// The version in which the device reads.
    fn version(&self) -> Version {
        if self.session.version() == Version::V5 { self.answers_in } else { self.session.version() }
    }

    fn check(&mut self) -> Result<(), String> {
        let left = |way| self.session.payload_left(way);
        let [to_device, to_upstream] = [(&self.to_device, 0), (&self.to_upstream, 1)]
            .map(|(out, to)| out.get(self.inside[to]..).unwrap_or_default());
        read_up_to(to_device, left(Way::Down), self.version())?;
        // Until a CONNECT was read, nothing is written that has another version.
        read_up_to(to_upstream, left(Way::Up), self.session.upstream_version())?;
        if let Some(end) = self.end
            && self.session.end() != Some(end)
        {
            return Err(format!("an end that changes: {end:?}, {:?}", self.session.end()));
        }
        if self.end.is_none() && self.session.end().is_some() {
            self.call(Session::on_ended);
        }
        self.end = self.session.end();
        Ok(())
    }
}

/// Reads a stream whose last packet lacks so many bytes of its payload.
fn read_up_to(stream: &[u8], left: usize, version: Version) -> Result<String, String> {
    match left {
        _ if stream.is_empty() => Ok(String::new()),
        0 => read_all(stream, version),
        _ => read_all(&[stream, &vec![0; left]].concat(), version),
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

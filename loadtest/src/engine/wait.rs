//! Waiting for sockets and for the next due time at once, more finely than the milliseconds of epoll.
//!
//! A timer of the kernel wakes the poll. Invariant: it never wakes later than asked, up to the kernel's own delay.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::clock::SECOND;

/// The timer's token; no socket has it.
pub(crate) const TIMER: Token = Token(usize::MAX);

/// Setting a timer and waking by it costs about this much: shorter waits are spent looking.
const SPIN_BELOW_NS: u64 = 50_000;

/// A poll with a fine timer.
#[derive(Debug)]
pub(crate) struct Waiter {
    poll: Poll,
    timer: OwnedFd,
}

/// How a wait was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The thread slept, or would have.
    Slept,
    /// It only looked.
    Looked,
}

impl Waiter {
    /// A poll with its timer registered.
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(Self { poll, timer })
    }

    /// The registry of the poll.
    pub(crate) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// Waits for events, at most `nanoseconds`.
    pub(crate) fn wait(&mut self, events: &mut Events, nanoseconds: u64) -> io::Result<Waited> {
        let (timeout, waited) = if nanoseconds < SPIN_BELOW_NS {
            (Duration::ZERO, Waited::Looked)
        } else {
            self.set(nanoseconds)?;
            // The timer wakes first; this is only the longest that a lost one could cost.
            (Duration::from_nanos(nanoseconds) + Duration::from_millis(5), Waited::Slept)
        };
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
            outcome => outcome?,
        }
        Ok(waited)
    }

    /// Edge-triggered: setting it again makes a new edge, so it needn't be read.
    fn set(&self, nanoseconds: u64) -> io::Result<()> {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec {
            tv_sec: (nanoseconds / SECOND) as i64,
            tv_nsec: (nanoseconds % SECOND) as i64,
        };
        let once = Itimerspec { it_interval: zero, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

//! Where async meets the protocol: one task per session moves bytes between two sockets and the session.
//!
//! Each wake-up reads what is there, lets the session write its answers, and sends them with one write per
//! peer. Reading a side stops while the other side's output is full: a slow reader slows its own sender.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::registry::Entry;
use crate::session::{Session, Wake, Way};
use crate::transport::Arrival;

use super::door::Door;
use super::moving::Behind;
use super::opening::Opening;
use super::peer::Peer;
use super::state::{Place, ShardState};
use super::timing::Alarm;

/// Rounds of reading and sending in one wake-up; then other sessions get their turn.
const ROUNDS: usize = 8;

/// A session with its sockets. As a future it ends when both are closed.
pub(crate) struct Connection {
    pub(super) session: Session,
    pub(super) device: Peer,
    pub(super) upstream: Option<Peer>,
    pub(super) alarm: Alarm,
    /// Until the upstream has answered CONNECT.
    pub(super) opening: Option<Box<Opening>>,
    /// Only while a payload is being moved.
    pub(super) behind: Option<Box<Behind>>,
    /// The session has ended; until then both sides are closed.
    pub(super) closing: Option<Instant>,
    /// From its CONNECT on.
    pub(super) entry: Option<Entry>,
    pub(super) about: About,
    pub(super) state: Rc<ShardState>,
    pub(super) place: Place,
}

/// What only the log and the opening need.
pub(super) struct About {
    pub(super) door: Rc<Door>,
    pub(super) peer: SocketAddr,
    pub(super) since: Instant,
    is_known: bool,
}

impl Connection {
    pub(crate) fn new(
        session: Session,
        arrival: Arrival,
        door: Rc<Door>,
        place: Place,
        state: &Rc<ShardState>,
    ) -> Self {
        let Arrival { stream, peer, .. } = arrival;
        let about = About { door, peer, since: Instant::now(), is_known: false };
        Self {
            session,
            device: Peer::of_device(stream),
            upstream: None,
            alarm: Alarm::default(),
            opening: None,
            behind: None,
            closing: None,
            entry: None,
            about,
            place,
            state: state.clone(),
        }
    }

    /// Reads and sends until nothing moves, or the turn is over.
    fn run(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS {
            let now = Instant::now();
            if self.is_deaf() {
                // It may well have spoken: nobody listens at the moment.
                self.session.on_device_held(now);
            }
            self.watch_time(now, context);
            if let Some(call) = self.state.called() {
                self.heed(call, now);
            }
            self.review_access(now);
            let connected = self.poll_checking(now, context) | self.poll_connecting(now, context);
            let held = self.held();
            let resumed = self.resume(now, context);
            let read = resumed | self.read_device(now, context) | self.read_upstream(now, context);
            self.send(now, context);
            // Who was not read because of a full buffer has no waker: it has to be asked now.
            let freed = held.iter().zip(self.held()).any(|(before, after)| *before && !after)
                || self.may_resume();
            self.log_refusals();
            if self.opening.is_some() && self.session.is_accepted() {
                self.has_opened();
            }
            if let Some(entry) = self.entry.as_ref().filter(|_| self.session.is_accepted()) {
                entry.is_accepted();
            }
            if self.session.device_is_done() {
                self.let_device_go(now, context);
            }
            if let Some(end) = self.session.end() {
                let until = self.start_closing(end);
                return self.poll_closing(until, context);
            }
            if !connected && !read && !freed {
                // A deadline may have moved forward while packets were taken.
                return if self.watch_time(now, context) {
                    continue_soon(context)
                } else {
                    Poll::Pending
                };
            }
        }
        continue_soon(context)
    }

    /// Calls into the session with both outputs and the shard's buffers.
    pub(super) fn with_session<T>(
        &mut self,
        now: Instant,
        call: impl FnOnce(&mut Session, &mut Wake<'_>) -> T,
    ) -> T {
        let state = &self.state;
        let mut scratch = state.scratch.borrow_mut();
        scratch.set_time(state.unix_ms(now));
        let mut to_upstream = match &mut self.upstream {
            Some(upstream) => upstream.out(&state.buffers),
            None => &mut self.opening.get_or_insert_default().early,
        };
        let mut to_device = self.device.out(&state.buffers);
        if let Some(behind) = &mut self.behind {
            let Behind { up, down } = &mut **behind;
            if self.session.payload_left(Way::Up) > 0 {
                to_upstream = up;
            }
            if self.session.payload_left(Way::Down) > 0 {
                to_device = down;
            }
        }
        let mut wake =
            Wake { now, to_device, to_upstream, scratch: &mut scratch, tally: &state.tally };
        call(&mut self.session, &mut wake)
    }

    /// Keeps the alarm at the session's next deadline, and tells the session when it has come. Whether it had.
    fn watch_time(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let Some(deadline) = self.session.deadline() else { return false };
        if deadline <= now {
            self.with_session(now, |session, wake| session.on_deadline(wake));
            self.offer_waiting(now, context);
            return true;
        }
        self.state.timing.wake_at(deadline, now, &self.place, &mut self.alarm);
        false
    }

    /// One write per peer. A peer that can't be written to is gone.
    fn send(&mut self, now: Instant, context: &mut Context<'_>) {
        let state = self.state.clone();
        if let Poll::Ready(Err(_)) = self.device.poll_send(context, &state.buffers) {
            self.device.closed = true;
            self.device.discard(&state.buffers);
            self.with_session(now, |session, wake| session.on_device_closed(wake));
        }
        let Some(upstream) = &mut self.upstream else { return };
        if let Poll::Ready(Err(_)) = upstream.poll_send(context, &state.buffers) {
            upstream.closed = true;
            upstream.discard(&state.buffers);
            self.upstream_has_closed(now);
        }
    }

    fn log_refusals(&mut self) {
        if let Some((way, refusal)) = self.session.take_refusal() {
            let About { door, peer, .. } = &self.about;
            let listener = &door.name;
            let (way, reason, detail) = (way.label(), refusal.reason.label(), refusal.detail);
            tracing::debug!(%listener, %peer, way, reason, detail, "refused");
        }
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let connection = self.get_mut();
        if !connection.about.is_known {
            connection.about.is_known = true;
            connection.state.set_waker(&connection.place, context.waker());
        }
        match connection.closing {
            Some(until) => connection.poll_closing(until, context),
            None => connection.run(context),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.state.leave(&self.place);
    }
}

fn continue_soon(context: &Context<'_>) -> Poll<()> {
    context.waker().wake_by_ref();
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With what the runtime adds it fills seven cache lines of 128 bytes; one byte more per session is 128 more.
    #[test]
    fn a_session_stays_small() {
        assert!(size_of::<Connection>() <= 784, "{}", size_of::<Connection>());
    }

    /// What an idle session over TCP takes must not grow with what other transports need.
    #[test]
    fn the_other_transports_cost_a_session_over_tcp_nothing() {
        let tcp = size_of::<tokio::net::TcpStream>();
        let stream = size_of::<crate::transport::Stream>();
        assert_eq!(stream, tcp, "a transport's state belongs into a box");
    }
}

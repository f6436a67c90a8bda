//! Where async meets the protocol: one task per session moves bytes between two sockets and the session.
//!
//! Each wake-up reads what is there, lets the session write its answers, and sends them with one write per
//! peer. Reading a side stops while the other side's output is full: a slow reader slows its own sender.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use crate::config::Upstream;
use crate::session::{End, Session, Wake};
use crate::transport::Stream;
use crate::upstream;

use super::peer::{Peer, Read};
use super::state::{Place, ShardState};

/// Rounds of reading and sending in one wake-up; then other sessions get their turn.
const ROUNDS: usize = 8;

/// Bytes that may wait from a device while its upstream is being connected.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// How long a peer may take to read the last bytes and close.
const CLOSING: Duration = Duration::from_secs(1);

type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>>>>;

/// A session with its sockets. As a future it ends when both are closed.
pub(crate) struct Connection {
    session: Session,
    device: Peer,
    upstream: Option<Peer>,
    connecting: Option<Connecting>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The upstream's CONNECT, while its connection is being opened.
    early: Vec<u8>,
    closing: Option<End>,
    about: Box<About>,
    state: Rc<ShardState>,
    place: Place,
}

/// What only the log needs.
struct About {
    listener: Arc<str>,
    peer: SocketAddr,
    upstream: Arc<Upstream>,
    since: Instant,
    is_known: bool,
}

impl Connection {
    pub(crate) fn new(
        session: Session,
        stream: Stream,
        peer: SocketAddr,
        listener: Arc<str>,
        upstream: Arc<Upstream>,
        state: &Rc<ShardState>,
    ) -> Self {
        let about = About { listener, peer, upstream, since: Instant::now(), is_known: false };
        Self {
            session,
            device: Peer::new(stream),
            upstream: None,
            connecting: None,
            timer: None,
            early: Vec::new(),
            closing: None,
            about: Box::new(about),
            place: state.enter(),
            state: state.clone(),
        }
    }

    /// Reads and sends until nothing moves, or the turn is over.
    fn run(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS {
            let now = Instant::now();
            self.watch_time(now, context);
            if self.state.is_draining() {
                self.with_session(now, |session, wake| session.on_drain(wake));
            }
            let connected = self.poll_connecting(now, context);
            let held = self.held();
            if held[0] {
                // It may well have spoken: nobody listens at the moment.
                self.session.on_device_held(now);
            }
            let resumed = self.resume(now);
            let read = resumed | self.read_device(now, context) | self.read_upstream(now, context);
            self.send(now, context);
            // Who was not read because of a full buffer has no waker: it has to be asked now.
            let freed = held.iter().zip(self.held()).any(|(before, after)| *before && !after);
            self.log_refusals();
            if self.session.device_is_done() {
                self.let_device_go(context);
            }
            if let Some(end) = self.session.end() {
                self.start_closing(end);
                return self.poll_closing(context);
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
    fn with_session<T>(
        &mut self,
        now: Instant,
        call: impl FnOnce(&mut Session, &mut Wake<'_>) -> T,
    ) -> T {
        let state = &self.state;
        let mut scratch = state.scratch.borrow_mut();
        scratch.set_time(state.unix_ms(now));
        self.device.borrow_out(&state.buffers);
        let to_upstream = match &mut self.upstream {
            Some(upstream) => {
                upstream.borrow_out(&state.buffers);
                &mut upstream.out
            }
            None => &mut self.early,
        };
        let mut wake = Wake {
            now,
            to_device: &mut self.device.out,
            to_upstream,
            scratch: &mut scratch,
            tally: &state.tally,
        };
        call(&mut self.session, &mut wake)
    }

    /// Keeps the timer at the session's next deadline, and tells the session when it has come. Whether it had.
    fn watch_time(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let Some(deadline) = self.session.deadline() else {
            self.timer = None;
            return false;
        };
        let timer =
            self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        // Deadlines mostly move into the future, packet by packet: the timer is set again only when it rings.
        if deadline < timer.deadline().into_std() {
            timer.as_mut().reset(deadline.into());
        }
        while timer.as_mut().poll(context).is_ready() {
            if deadline <= now.max(Instant::now()) {
                self.timer = None;
                self.with_session(now.max(deadline), |session, wake| session.on_deadline(wake));
                self.offer_waiting(now);
                return true;
            }
            timer.as_mut().reset(deadline.into());
        }
        false
    }

    /// Opens the upstream's connection when the session asks for it. Whether something happened.
    fn poll_connecting(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        if self.session.wants_upstream() && self.connecting.is_none() {
            self.connecting = Some(upstream::open(self.about.upstream.clone()));
        }
        let Some(connecting) = &mut self.connecting else { return false };
        let Poll::Ready(outcome) = connecting.as_mut().poll(context) else { return false };
        self.connecting = None;
        match outcome {
            Ok(stream) => {
                let mut upstream = Peer::new(stream);
                upstream.out = std::mem::take(&mut self.early);
                self.upstream = Some(upstream);
                self.session.on_upstream_open(now);
            }
            Err(error) => {
                let About { listener, upstream, .. } = &*self.about;
                tracing::warn!(%listener, upstream = %upstream.name, %error, "the upstream can't be reached");
                self.with_session(now, |session, wake| session.on_upstream_unreachable(wake));
            }
        }
        true
    }

    /// Whether the device, and the upstream, is not read for now, because what its words lead to has no room.
    ///
    /// Mostly that is the other side's output. A sender may also be owed so many answers that it doesn't
    /// read; they get twice the room, so that it may go on sending while the other side fills its output.
    fn held(&self) -> [bool; 2] {
        let most = self.state.limits.buffered_bytes_max;
        let (device, upstream) =
            (self.device.backlog(), self.upstream.as_ref().map_or(0, Peer::backlog));
        let holds = |forward: usize, back: usize| forward >= most || back / 2 >= most;
        // What the session doesn't take yet waits in the tail, which never needs more than one packet.
        let packet = self.session.packet_size_max();
        let tails = [Some(&self.device), self.upstream.as_ref()];
        let [own, other] = tails.map(|peer| peer.is_some_and(|peer| peer.tail.len() > packet));
        [holds(upstream, device) || own, holds(device, upstream) || other]
    }

    /// Reads from the device once, if there is room. Whether something came.
    fn read_device(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let waits = !self.session.is_open() && self.device.tail.len() >= WAITING_BYTES_MAX;
        let [held, _] = self.held();
        if self.device.closed || waits || held || self.session.device_is_done() {
            return false;
        }
        let state = self.state.clone();
        let mut buffer = state.read.borrow_mut();
        match self.device.poll_read(context, &mut buffer) {
            Poll::Pending => false,
            Poll::Ready(Read::Bytes(length)) => {
                let mut tail = std::mem::take(&mut self.device.tail);
                let new = buffer.get(..length).unwrap_or_default();
                feed(&mut tail, new, |bytes| {
                    self.with_session(now, |session, wake| session.on_device_bytes(bytes, wake))
                });
                self.device.tail = tail;
                self.offer_upstream(now);
                true
            }
            Poll::Ready(Read::Closed) => {
                // What the device said before it left still counts: it waits for the CONNACK as any packet does.
                if self.session.is_open() || self.device.tail.is_empty() {
                    self.with_session(now, |session, wake| session.on_device_closed(wake));
                }
                true
            }
        }
    }

    /// Reads from the upstream once, if there is room. Whether something came.
    fn read_upstream(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let [_, held] = self.held();
        let Some(upstream) = self.upstream.as_mut().filter(|upstream| !upstream.closed && !held)
        else {
            return false;
        };
        let state = self.state.clone();
        let mut buffer = state.read.borrow_mut();
        match upstream.poll_read(context, &mut buffer) {
            Poll::Pending => false,
            Poll::Ready(Read::Bytes(length)) => {
                let mut tail = std::mem::take(&mut upstream.tail);
                let new = buffer.get(..length).unwrap_or_default();
                feed(&mut tail, new, |bytes| {
                    self.with_session(now, |session, wake| session.on_upstream_bytes(bytes, wake))
                });
                if let Some(upstream) = &mut self.upstream {
                    upstream.tail = tail;
                }
                self.offer_waiting(now);
                true
            }
            Poll::Ready(Read::Closed) => {
                self.with_session(now, |session, wake| session.on_upstream_closed(wake));
                true
            }
        }
    }

    /// Packets of the upstream that had to wait for the device go on once it has spoken.
    fn offer_upstream(&mut self, now: Instant) {
        let Some(upstream) = self.upstream.as_mut().filter(|upstream| !upstream.tail.is_empty())
        else {
            return;
        };
        let mut tail = std::mem::take(&mut upstream.tail);
        feed(&mut tail, &[], |bytes| {
            self.with_session(now, |session, wake| session.on_upstream_bytes(bytes, wake))
        });
        if let Some(upstream) = &mut self.upstream {
            upstream.tail = tail;
        }
    }

    /// Offers what the session left because it had written so much. Whether it did.
    fn resume(&mut self, now: Instant) -> bool {
        let [device, upstream] = self.held();
        if !self.session.is_behind() || device || upstream {
            return false;
        }
        self.with_session(now, Session::resume);
        self.offer_upstream(now);
        self.offer_waiting(now);
        true
    }

    /// Packets that the device sent before its CONNACK, or before a device was attached, go on once that is done.
    fn offer_waiting(&mut self, now: Instant) {
        if self.device.tail.is_empty() {
            return;
        }
        let mut tail = std::mem::take(&mut self.device.tail);
        feed(&mut tail, &[], |bytes| {
            self.with_session(now, |session, wake| session.on_device_bytes(bytes, wake))
        });
        self.device.tail = tail;
        let waits = !self.session.is_open() && !self.device.tail.is_empty();
        if self.device.closed && self.session.end().is_none() && !waits {
            self.with_session(now, |session, wake| session.on_device_closed(wake));
        }
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
            self.with_session(now, |session, wake| session.on_upstream_closed(wake));
        }
    }

    /// Closes the device's connection while its will is still on the way. How far that is doesn't matter here.
    fn let_device_go(&mut self, context: &mut Context<'_>) {
        let state = self.state.clone();
        let _ = self.device.poll_close(context, &state.buffers, &mut state.read.borrow_mut());
    }

    fn log_refusals(&mut self) {
        if let Some((way, refusal)) = self.session.take_refusal() {
            let About { listener, peer, .. } = &*self.about;
            let (way, reason, detail) = (way.label(), refusal.reason.label(), refusal.detail);
            tracing::debug!(%listener, %peer, way, reason, detail, "refused");
        }
    }

    fn start_closing(&mut self, end: End) {
        self.closing = Some(end);
        self.connecting = None;
        self.timer = Some(Box::pin(tokio::time::sleep(CLOSING)));
        self.state.tally.end(end);
        let About { listener, peer, upstream, since, .. } = &*self.about;
        let seconds = since.elapsed().as_secs_f64();
        let version = self.session.version();
        let client_identifier = self.session.client_identifier();
        tracing::info!(
            %listener, %peer, upstream = %upstream.name, client_identifier, %version,
            seconds = format_args!("{seconds:.3}"), end = end.label(), reason = %end, "session ended"
        );
    }

    /// Sends the last bytes to both sides and waits, for a while, until they have closed.
    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let state = self.state.clone();
        let mut scratch = state.read.borrow_mut();
        let device = self.device.poll_close(context, &state.buffers, &mut scratch);
        let upstream = match &mut self.upstream {
            Some(upstream) => upstream.poll_close(context, &state.buffers, &mut scratch),
            None => Poll::Ready(()),
        };
        let late = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready());
        if (device.is_ready() && upstream.is_ready()) || late {
            Poll::Ready(())
        } else {
            Poll::Pending
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
            Some(_) => connection.poll_closing(context),
            None => connection.run(context),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.state.leave(&self.place);
    }
}

/// Hands new bytes, behind those that waited, to `take`, and keeps what it doesn't use.
fn feed(tail: &mut Vec<u8>, new: &[u8], mut take: impl FnMut(&[u8]) -> usize) {
    if tail.is_empty() {
        let used = take(new);
        tail.extend_from_slice(new.get(used..).unwrap_or_default());
        return;
    }
    tail.extend_from_slice(new);
    let used = take(tail);
    if used == tail.len() {
        *tail = Vec::new();
    } else {
        tail.drain(..used);
        // A few bytes behind a large packet don't keep its memory.
        if tail.capacity() / 4 > tail.len() {
            tail.shrink_to_fit();
        }
    }
}

fn continue_soon(context: &Context<'_>) -> Poll<()> {
    context.waker().wake_by_ref();
    Poll::Pending
}

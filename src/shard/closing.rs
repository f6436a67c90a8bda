//! The end of a connection: who has gone, what is still sent, and the line in the log.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::session::{End, Session};

use super::connection::{About, Connection};
use super::door::Door;

/// How long a peer may take to read the last bytes and close.
const CLOSING: Duration = Duration::from_secs(1);

impl Connection {
    /// The upstream has closed; perhaps because another session has the client identifier now.
    pub(super) fn upstream_has_closed(&mut self, now: Instant) {
        match self.entry.as_ref().is_some_and(crate::registry::Entry::is_superseded) {
            true => self.with_session(now, Session::on_taken_over),
            false => self.with_session(now, Session::on_upstream_closed),
        }
    }

    /// Closes the device's connection while its will is still on the way. How far that is doesn't matter here.
    pub(super) fn let_device_go(&mut self, now: Instant, context: &mut Context<'_>) {
        // The device is back already: its will must not be published.
        if self.entry.as_ref().is_some_and(crate::registry::Entry::lingers) {
            self.with_session(now, Session::on_return);
        }
        let state = self.state.clone();
        let _ = self.device.poll_close(context, &state.buffers, &mut state.read.borrow_mut());
    }

    /// Counts the end and writes it into the log. Returns until when both sides are waited for.
    pub(super) fn start_closing(&mut self, end: End) -> Instant {
        self.has_ended_opening(end);
        let now = Instant::now();
        self.with_session(now, Session::on_ended);
        let until = now + CLOSING;
        self.closing = Some(until);
        self.state.tally.end(end);
        let About { door, peer, since, .. } = &self.about;
        let Door { name: listener, upstream, .. } = &**door;
        let seconds = since.elapsed().as_secs_f64();
        let version = self.session.version();
        let client_identifier = self.session.client_identifier();
        let shown = self.device.certificate();
        let certificate = shown.and_then(|shown| shown.common_name);
        tracing::info!(
            %listener, %peer, upstream = upstream.name(), client_identifier, certificate, %version,
            seconds = format_args!("{seconds:.3}"), end = end.label(), reason = %end, "session ended"
        );
        until
    }

    /// Sends the last bytes to both sides and waits, for a while, until they have closed.
    pub(super) fn poll_closing(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<()> {
        let state = self.state.clone();
        let mut scratch = state.read.borrow_mut();
        let device = self.device.poll_close(context, &state.buffers, &mut scratch);
        let upstream = match &mut self.upstream {
            Some(upstream) => upstream.poll_close(context, &state.buffers, &mut scratch),
            None => Poll::Ready(()),
        };
        let now = Instant::now();
        if (device.is_ready() && upstream.is_ready()) || until <= now {
            return Poll::Ready(());
        }
        state.timing.wake_at(until, now, &self.place, &mut self.alarm);
        Poll::Pending
    }
}

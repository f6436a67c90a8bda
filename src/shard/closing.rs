//! The end of a connection: who has gone, what is still sent, and the line in the log.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::session::{End, Session};

use super::connection::{About, Connection};

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

    pub(super) fn start_closing(&mut self, end: End) {
        self.connecting = None;
        self.with_session(Instant::now(), Session::on_ended);
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
    pub(super) fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<()> {
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

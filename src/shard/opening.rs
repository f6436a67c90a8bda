//! The start of a session's upstream connection.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::gate::Checking;
use crate::session::{End, Session, Sign};
use crate::transport::{Caller, Stream};
use crate::upstream::{Attempt, OpenError, Verdict};

use super::connection::Connection;
use super::door::Door;
use super::peer::Peer;

/// A connection to an upstream that is being opened.
type Connecting = Pin<Box<dyn Future<Output = Result<Stream, OpenError>>>>;

/// The start of an upstream connection, up to the upstream's answer to CONNECT.
#[derive(Default)]
pub(super) struct Opening {
    /// The check of the device's credentials.
    pub(super) checking: Option<Checking>,
    connecting: Option<Connecting>,
    /// What the upstream's breaker is told of it.
    attempt: Option<Attempt>,
    /// The upstream's CONNECT, meanwhile.
    pub(super) early: Vec<u8>,
}

impl Connection {
    /// Opens the upstream's connection when the session asks for it. Whether something happened.
    pub(super) fn poll_connecting(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let Some(opening) = &mut self.opening else { return false };
        if self.session.wants_upstream() && opening.connecting.is_none() {
            if self.is_refused_for_memory(now) {
                return true;
            }
            let attempt = Attempt::new(self.about.door.upstream.clone());
            let connecting = self.open_upstream(attempt.clone(), context);
            let opening = self.opening.get_or_insert_default();
            (opening.connecting, opening.attempt) = (Some(connecting), Some(attempt));
        }
        let Some(opening) = &mut self.opening else { return false };
        let Some(connecting) = &mut opening.connecting else { return false };
        let Poll::Ready(outcome) = connecting.as_mut().poll(context) else { return false };
        opening.connecting = None;
        if outcome.is_err() {
            // A session whose will waits under the client identifier goes on doing so.
            self.entry = None;
        }
        match outcome {
            Ok(stream) => {
                let mut upstream = Peer::new(stream);
                upstream.out(&self.state.buffers).append(&mut opening.early);
                self.upstream = Some(upstream);
                self.session.on_upstream_open(now);
            }
            Err(OpenError::Suspended) => {
                self.with_session(now, Session::on_upstream_suspended);
            }
            Err(OpenError::Unreachable(error)) => {
                let Door { name: listener, upstream, .. } = &*self.about.door;
                tracing::warn!(%listener, upstream = upstream.name(), %error, "the upstream can't be reached");
                self.with_session(now, Session::on_upstream_unreachable);
            }
        }
        true
    }

    /// The upstream has accepted the device: its breaker hears so, and nothing of the opening stays in memory.
    pub(super) fn has_opened(&mut self) {
        if let Some(attempt) = self.opening.take().and_then(|opening| opening.attempt) {
            attempt.settle(Verdict::Answered);
        }
    }

    /// The session has ended, perhaps before it began: the breaker hears what that says of the upstream.
    pub(super) fn has_ended_opening(&mut self, end: End) {
        let Some(attempt) = self.opening.take().and_then(|opening| opening.attempt) else { return };
        attempt.settle(match end.sign() {
            Sign::Answers => Verdict::Answered,
            Sign::TakesNobody => Verdict::TakesNobody,
            // Before there is a connection it can't be about this device.
            Sign::Silent if self.upstream.is_none() => Verdict::TakesNobody,
            // It has spoken, and the device was to go on: whoever doesn't must not be able to shut it out for others.
            Sign::Silent if self.session.device_owes_auth() => Verdict::Unknown,
            // It wasn't read: its answer may be there.
            Sign::Silent if !self.device.is_confirmed() => Verdict::Unknown,
            Sign::Silent => Verdict::Silent(self.session.client_identifier()),
            Sign::Nothing => Verdict::Unknown,
        });
    }

    /// Whose connection the upstream's is, where that is to be told.
    fn caller(&self) -> Option<Caller> {
        if !self.about.door.upstream.names_caller() {
            return None;
        }
        let source = self.about.peer;
        // A device that is gone has no address any more; what it came to hardly matters then.
        let destination = self.device.local_addr().unwrap_or(source);
        Some(Caller { source, destination })
    }

    /// Opens the connection. Before it is used the session that waits under the same client identifier makes way.
    fn open_upstream(&mut self, attempt: Attempt, context: &Context<'_>) -> Connecting {
        let open = attempt.open(self.state.endpoints.clone(), self.caller());
        let client_identifier = self.session.upstream_identifier();
        if client_identifier.is_empty() {
            return Box::pin(open);
        }
        let (name, waker) = (self.about.door.upstream.name(), context.waker().clone());
        let entry = self.state.registry.enter(name, client_identifier, waker);
        let before = entry.claim();
        self.entry = Some(entry);
        match before {
            Some(gone) => Box::pin(async move {
                // For nobody who can't come in: the will would be lost.
                let stream = open.await?;
                gone.await;
                Ok(stream)
            }),
            None => Box::pin(open),
        }
    }
}

//! The start of a session's upstream connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::gate::Checking;
use crate::transport::{Caller, Stream};
use crate::upstream;

use super::accept::Door;
use super::connection::Connection;
use super::peer::Peer;

/// A connection to an upstream that is being opened.
type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>>>>;

/// The start of an upstream connection.
#[derive(Default)]
pub(super) struct Opening {
    /// The check of the device's credentials.
    pub(super) checking: Option<Checking>,
    connecting: Option<Connecting>,
    /// The upstream's CONNECT, meanwhile.
    pub(super) early: Vec<u8>,
}

impl Connection {
    /// Opens the upstream's connection when the session asks for it. Whether something happened.
    pub(super) fn poll_connecting(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let Some(opening) = &mut self.opening else { return false };
        if self.session.wants_upstream() && opening.connecting.is_none() {
            let connecting = self.open_upstream(context);
            self.opening.get_or_insert_default().connecting = Some(connecting);
        }
        let Some(opening) = &mut self.opening else { return false };
        let Some(connecting) = &mut opening.connecting else { return false };
        let Poll::Ready(outcome) = connecting.as_mut().poll(context) else { return false };
        opening.connecting = None;
        match outcome {
            Ok(stream) => {
                let mut upstream = Peer::new(stream);
                upstream.out(&self.state.buffers).append(&mut opening.early);
                self.upstream = Some(upstream);
                self.opening = None;
                self.session.on_upstream_open(now);
            }
            Err(error) => {
                let Door { name: listener, upstream, .. } = &*self.about.door;
                tracing::warn!(%listener, upstream = upstream.name(), %error, "the upstream can't be reached");
                self.with_session(now, |session, wake| session.on_upstream_unreachable(wake));
            }
        }
        true
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

    /// Opens the connection, after the session that waits under the same client identifier has made way.
    fn open_upstream(&mut self, context: &Context<'_>) -> Connecting {
        let open = upstream::open(
            self.about.door.upstream.clone(),
            self.state.endpoints.clone(),
            self.caller(),
        );
        let client_identifier = self.session.upstream_identifier();
        if client_identifier.is_empty() {
            return open;
        }
        let (name, waker) = (self.about.door.upstream.name(), context.waker().clone());
        let entry = self.state.registry.enter(name, client_identifier, waker);
        let before = entry.claim();
        self.entry = Some(entry);
        match before {
            Some(gone) => Box::pin(async move {
                gone.await;
                open.await
            }),
            None => open,
        }
    }
}

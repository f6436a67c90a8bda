//! The start of a session's upstream connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::transport::Stream;
use crate::upstream;

use super::accept::Door;
use super::connection::Connection;
use super::peer::Peer;

/// A connection to an upstream that is being opened.
pub(super) type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>>>>;

impl Connection {
    /// Opens the upstream's connection when the session asks for it. Whether something happened.
    pub(super) fn poll_connecting(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        if self.session.wants_upstream() && self.connecting.is_none() {
            self.connecting = Some(self.open_upstream(context));
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
                let Door { name: listener, upstream, .. } = &*self.about.door;
                tracing::warn!(%listener, upstream = upstream.name(), %error, "the upstream can't be reached");
                self.with_session(now, |session, wake| session.on_upstream_unreachable(wake));
            }
        }
        true
    }

    /// Opens the connection, after the session that waits under the same client identifier has made way.
    fn open_upstream(&mut self, context: &Context<'_>) -> Connecting {
        let open = upstream::open(self.about.door.upstream.clone());
        let client_identifier = self.session.take_upstream_identifier();
        if client_identifier.is_empty() {
            return open;
        }
        let (name, waker) = (self.about.door.upstream.name(), context.waker().clone());
        let entry = self.state.registry.enter(name, &client_identifier, waker);
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

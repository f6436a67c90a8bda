//! One stream of a QUIC connection as a byte stream, with the connection that it keeps open.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::{Connection, RecvStream, SendStream, VarInt, ZeroRttAccepted};
use rustls::pki_types::CertificateDer;

use crate::transport::Chain;

/// The first stream of a connection. The connection is closed when this is dropped.
pub struct QuicStream {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    /// The end of the handshake, while what was read may come from somebody who repeats what he has seen.
    confirmed: Option<ZeroRttAccepted>,
    /// What may be on its way on all streams once the device is accepted, where that is more than now.
    window: Option<VarInt>,
}

impl std::fmt::Debug for QuicStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let peer = self.connection.remote_address();
        f.debug_struct("QuicStream").field("peer", &peer).finish_non_exhaustive()
    }
}

impl QuicStream {
    pub(super) fn new(
        connection: Connection,
        send: SendStream,
        receive: RecvStream,
        confirmed: Option<ZeroRttAccepted>,
    ) -> Self {
        Self { connection, send, receive, confirmed, window: None }
    }

    /// The same of a device that may have so many bytes on their way once it is accepted.
    pub(super) fn widening_to(self, window: VarInt) -> Self {
        Self { window: Some(window), ..self }
    }

    /// The device is accepted.
    pub(super) fn widen(&mut self) {
        if let Some(window) = self.window.take() {
            self.connection.set_receive_window(window);
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Our end's address; without its port, which all connections of a socket share. Where the system doesn't tell, any.
    pub(in crate::transport) fn local_addr(&self) -> SocketAddr {
        let any = match self.connection.remote_address() {
            SocketAddr::V4(_) => IpAddr::from([0; 4]),
            SocketAddr::V6(_) => IpAddr::from([0; 16]),
        };
        SocketAddr::new(self.connection.local_ip().unwrap_or(any), 0)
    }

    /// The peer's certificate, if it has shown one, and those that lead to its authority.
    pub(in crate::transport) fn chain(&self) -> Option<Chain> {
        let shown = self.connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>();
        Some(Chain::new(*shown.ok()?))
    }

    /// Waits until what was read is known not to be a repetition.
    pub(in crate::transport) fn poll_confirmed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(confirmed) = &mut self.confirmed else { return Poll::Ready(()) };
        // Its value says nothing on this side; a connection that was lost shows when it is read.
        if Pin::new(confirmed).poll(context).is_pending() {
            return Poll::Pending;
        }
        self.confirmed = None;
        Poll::Ready(())
    }

    /// Whether that is known, as of when it was waited for last.
    pub(in crate::transport) fn is_confirmed(&self) -> bool {
        self.confirmed.is_none()
    }

    pub(in crate::transport) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.receive.poll_read(context, buffer).map_err(io::Error::from)
    }

    pub(in crate::transport) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write(context, bytes).map_err(io::Error::from)
    }

    /// Says that nothing more will be written. What was taken is sent all the same while the connection is there.
    pub(in crate::transport) fn finish(&mut self) {
        // It fails if the peer wants nothing any more.
        let _ = self.send.finish();
    }
}

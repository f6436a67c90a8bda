//! A byte stream over any transport. One more transport is one more variant.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::{Chain, DeviceCertificate, QuicStream, WebSocket};

/// An open connection.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// Something else.
    Over(Over),
}

/// What carries bytes beside plain TCP. In boxes: the state is up to forty times as large, and a session over TCP doesn't pay for it.
#[derive(Debug)]
pub enum Over {
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// WebSocket, over TCP or TLS.
    WebSocket(Box<WebSocket>),
    /// The first stream of a QUIC connection.
    Quic(Box<QuicStream>),
}

impl Stream {
    /// Our end's address.
    ///
    /// # Errors
    /// When the system doesn't know it any more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Tcp(stream) => stream.local_addr(),
            Stream::Over(over) => over.local_addr(),
        }
    }

    /// What a device has shown. It is taken apart when it is asked for: not for each message.
    #[must_use]
    pub fn certificate(&self) -> Option<DeviceCertificate> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Over(over) => over.certificate(),
        }
    }

    /// The same with what leads to its authority.
    #[must_use]
    pub fn chain(&self) -> Option<Chain> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Over(over) => over.chain(),
        }
    }

    /// Reads into `buffer`. `Ok(0)`: the peer sends no more.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => read(stream, context, buffer),
            Stream::Over(over) => over.poll_read(context, buffer),
        }
    }

    /// Writes from `bytes`; how many were taken. Taken is not yet sent, unless it is TCP: [`Stream::poll_flush`].
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Over(over) => over.poll_write(context, bytes),
        }
    }

    /// Writes from several pieces in one call; how many bytes were taken.
    pub fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Stream::Over(over) => over.poll_write_vectored(context, pieces),
        }
    }

    /// Sends what was taken and waits in the transport. Of TCP nothing does.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(_) => Poll::Ready(Ok(())),
            Stream::Over(over) => over.poll_flush(context),
        }
    }

    /// Says that nothing more will be written.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Over(over) => over.poll_shutdown(context),
        }
    }
}

impl Over {
    /// Our end's address.
    ///
    /// # Errors
    /// When the system doesn't know it any more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Over::Tls(stream) => stream.get_ref().0.local_addr(),
            Over::WebSocket(stream) => stream.inner().local_addr(),
            Over::Quic(stream) => Ok(stream.local_addr()),
        }
    }

    /// See [`Stream::certificate`].
    #[must_use]
    pub fn certificate(&self) -> Option<DeviceCertificate> {
        self.chain()?.certificate()
    }

    /// See [`Stream::chain`].
    #[must_use]
    pub fn chain(&self) -> Option<Chain> {
        match self {
            Over::Tls(stream) => Chain::of(stream),
            Over::WebSocket(stream) => stream.inner().chain(),
            Over::Quic(stream) => stream.chain(),
        }
    }

    /// Reads into `buffer`. `Ok(0)`: the peer sends no more.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Over::Tls(stream) => read(&mut **stream, context, buffer),
            Over::WebSocket(stream) => stream.poll_read(context, buffer),
            Over::Quic(stream) => stream.poll_read(context, buffer),
        }
    }

    /// Writes from `bytes`; how many were taken. Taken is not yet sent: [`Over::poll_flush`].
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Over::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Over::WebSocket(stream) => stream.poll_write(context, bytes),
            Over::Quic(stream) => stream.poll_write(context, bytes),
        }
    }

    /// Writes from several pieces in one call; how many bytes were taken.
    pub fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Over::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Over::WebSocket(stream) => stream.poll_write_vectored(context, pieces),
            Over::Quic(stream) => stream.poll_write(context, first_of(pieces)),
        }
    }

    /// Sends what was taken and waits in the transport.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Over::Tls(stream) => Pin::new(stream).poll_flush(context),
            Over::WebSocket(stream) => stream.poll_flush(context),
            // The library sends as it is given.
            Over::Quic(_) => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more will be written.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Over::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Over::WebSocket(stream) => stream.poll_shutdown(context),
            Over::Quic(stream) => {
                stream.finish();
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// The first piece that isn't empty: what can take one at a time takes that one.
#[must_use]
pub fn first_of<'p>(pieces: &'p [IoSlice<'_>]) -> &'p [u8] {
    pieces.iter().find(|piece| !piece.is_empty()).map_or(&[], |piece| piece)
}

/// One read into a slice.
pub fn read(
    stream: &mut (impl AsyncRead + Unpin),
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut read = ReadBuf::new(buffer);
    Pin::new(stream).poll_read(context, &mut read).map_ok(|()| read.filled().len())
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Stream::Tcp(stream)
    }
}

impl From<TlsStream<TcpStream>> for Stream {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Stream::Over(Over::Tls(Box::new(stream)))
    }
}

impl From<WebSocket> for Stream {
    fn from(stream: WebSocket) -> Self {
        Stream::Over(Over::WebSocket(Box::new(stream)))
    }
}

impl From<QuicStream> for Stream {
    fn from(stream: QuicStream) -> Self {
        Stream::Over(Over::Quic(Box::new(stream)))
    }
}

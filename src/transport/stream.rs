//! A byte stream over any transport. One more transport is one more variant.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::DeviceCertificate;

/// An open connection.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP. In a box: its state is five times as large as all the rest of a session's connection.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// What a device has shown. It is taken apart when it is asked for: not for each message.
    #[must_use]
    pub fn certificate(&self) -> Option<DeviceCertificate> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Tls(stream) => DeviceCertificate::of(stream),
        }
    }

    /// Reads into `buffer`. `Ok(0)`: the peer sends no more. One call is one `recv`: a short read tells
    /// tokio that the socket is empty, so nobody asks it again before the next wake-up.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        let outcome = match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, &mut read),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, &mut read),
        };
        outcome.map_ok(|()| read.filled().len())
    }

    /// Writes from `bytes`; how many were taken. Taken is not yet sent, unless it is TCP: [`Stream::poll_flush`].
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    /// Sends what was taken and waits in the transport. Of TCP nothing does.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    /// Writes from several pieces in one call, where the transport can; how many bytes were taken.
    pub fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    /// Says that nothing more will be written.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

//! One side's byte stream: TCP, what is carried by it, or the streams of a QUIC connection made into one.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::transport::{self, Chain, DeviceCertificate, Over, Stream, first_of};

use super::streams::Several;

/// One side's stream or streams. Of one shape with [`Stream`], so that a session over TCP is no larger for the others.
pub(crate) enum Channel {
    /// Plain TCP.
    Tcp(TcpStream),
    /// Anything else.
    Other(Other),
}

/// What isn't plain TCP.
pub(crate) enum Other {
    /// One stream.
    One(Over),
    /// Of a device over QUIC.
    Several(Box<Several>),
}

impl From<Stream> for Channel {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Tcp(stream) => Self::Tcp(stream),
            Stream::Over(over) => Self::Other(Other::One(over)),
        }
    }
}

impl Channel {
    /// A device's stream. Over QUIC it may open more of them.
    pub(crate) fn of_device(stream: Stream) -> Self {
        match stream {
            Stream::Over(Over::Quic(first)) => {
                Self::Other(Other::Several(Box::new(Several::new(*first))))
            }
            stream => stream.into(),
        }
    }

    /// Bytes that wait in it to be read.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Other(Other::Several(several)) => several.held_bytes(),
            Self::Tcp(_) | Self::Other(Other::One(_)) => 0,
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr(),
            Self::Other(Other::One(over)) => over.local_addr(),
            Self::Other(Other::Several(several)) => Ok(several.streams.local_addr()),
        }
    }

    pub(crate) fn certificate(&self) -> Option<DeviceCertificate> {
        match self {
            Self::Tcp(_) => None,
            Self::Other(Other::One(over)) => over.certificate(),
            Self::Other(Other::Several(several)) => several.streams.certificate(),
        }
    }

    pub(crate) fn chain(&self) -> Option<Chain> {
        match self {
            Self::Tcp(_) => None,
            Self::Other(Other::One(over)) => over.chain(),
            Self::Other(Other::Several(several)) => several.streams.chain(),
        }
    }

    /// Waits until what was read is known not to be a repetition of what somebody else has sent.
    pub(crate) fn poll_confirmed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Other(Other::Several(several)) => several.streams.poll_confirmed(context),
            Self::Tcp(_) | Self::Other(Other::One(_)) => Poll::Ready(()),
        }
    }

    /// Whether that is known, as of when it was waited for last.
    pub(crate) fn is_confirmed(&self) -> bool {
        match self {
            Self::Other(Other::Several(several)) => several.streams.is_confirmed(),
            Self::Tcp(_) | Self::Other(Other::One(_)) => true,
        }
    }

    /// Reads into `buffer`. `Ok(0)`: the peer sends no more. Over TCP one call is one `recv`: a short read tells
    /// tokio that the socket is empty, so nobody asks it again before the next wake-up.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => transport::read(stream, context, buffer),
            Self::Other(Other::One(over)) => over.poll_read(context, buffer),
            Self::Other(Other::Several(several)) => several.poll_read(context, buffer),
        }
    }

    /// Writes from `bytes`; how many were taken. Taken is not yet sent, unless it is TCP: [`Channel::poll_flush`].
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Other(Other::One(over)) => over.poll_write(context, bytes),
            Self::Other(Other::Several(several)) => several.poll_write(context, bytes),
        }
    }

    /// Writes from several pieces in one call; how many bytes were taken.
    pub(crate) fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Other(Other::One(over)) => over.poll_write_vectored(context, pieces),
            Self::Other(Other::Several(several)) => several.poll_write(context, first_of(pieces)),
        }
    }

    /// Sends what was taken and waits in the transport. Of TCP and QUIC nothing does.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Other(Other::One(over)) => over.poll_flush(context),
            Self::Tcp(_) | Self::Other(Other::Several(_)) => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Other(Other::One(over)) => over.poll_shutdown(context),
            Self::Other(Other::Several(several)) => {
                several.streams.finish();
                Poll::Ready(Ok(()))
            }
        }
    }
}

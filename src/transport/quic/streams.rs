//! All streams of a device's connection, each with its number. What goes on which of them is for others to say.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::{ConnectionError, ReadError, RecvStream, SendStream};

use super::stream::QuicStream;
use crate::transport::{Chain, DeviceCertificate};

/// The next stream that the device opens.
type Accepting = Pin<Box<dyn Future<Output = Result<Other, ConnectionError>>>>;

/// The streams of a connection. Number 0 is the first one, and as long open as the connection; the other numbers are given to
/// streams that come, and again when they have gone. There are never more than the listener allows at once.
pub struct QuicStreams {
    first: QuicStream,
    others: Vec<Option<Other>>,
    /// In both directions, and in the device's only.
    accepting: [Option<Accepting>; 2],
}

struct Other {
    /// `None`: only the device speaks on it.
    send: Option<SendStream>,
    /// `None`: the device sends no more on it.
    receive: Option<RecvStream>,
}

impl std::fmt::Debug for QuicStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicStreams").field("first", &self.first).finish_non_exhaustive()
    }
}

impl From<QuicStream> for QuicStreams {
    fn from(first: QuicStream) -> Self {
        Self { first, others: Vec::new(), accepting: [None, None] }
    }
}

impl QuicStreams {
    /// One more than the highest number that is used.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Our end's address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.first.local_addr()
    }

    /// What the device has shown.
    #[must_use]
    pub fn certificate(&self) -> Option<DeviceCertificate> {
        self.chain()?.certificate()
    }

    /// The same with what leads to its authority.
    #[must_use]
    pub fn chain(&self) -> Option<Chain> {
        self.first.chain()
    }

    /// Waits until what was read is known not to be a repetition.
    pub fn poll_confirmed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.first.poll_confirmed(context)
    }

    /// Whether that is known, as of when it was waited for last.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.first.is_confirmed()
    }

    /// The device is accepted: from now on it may have as much on its way as its streams can hold.
    pub fn widen(&mut self) {
        self.first.widen();
    }

    /// Takes one more stream that the device has opened; its number.
    pub fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Poll::Ready(other) = self.poll_other(context)? else { return Poll::Pending };
        let other = Some(other);
        let free = self.others.iter_mut().enumerate().find(|(_, other)| other.is_none());
        Poll::Ready(Ok(match free {
            Some((at, place)) => {
                *place = other;
                1 + at
            }
            None => {
                self.others.push(other);
                self.others.len()
            }
        }))
    }

    fn poll_other(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Other>> {
        let connection = self.first.connection();
        let [both_ways, one_way] = &mut self.accepting;
        let both_ways = both_ways.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move {
                let (send, receive) = connection.accept_bi().await?;
                Ok(Other { send: Some(send), receive: Some(receive) })
            })
        });
        if let Poll::Ready(other) = both_ways.as_mut().poll(context) {
            self.accepting[0] = None;
            return Poll::Ready(other.map_err(Into::into));
        }
        let one_way = one_way.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move {
                let receive = connection.accept_uni().await?;
                Ok(Other { send: None, receive: Some(receive) })
            })
        });
        let Poll::Ready(other) = one_way.as_mut().poll(context) else { return Poll::Pending };
        self.accepting[1] = None;
        Poll::Ready(other.map_err(Into::into))
    }

    /// Whether only the device speaks on a stream.
    #[must_use]
    pub fn is_one_way(&self, number: usize) -> bool {
        let other = number.checked_sub(1).and_then(|at| self.others.get(at)?.as_ref());
        other.is_some_and(|other| other.send.is_none())
    }

    fn other(&mut self, number: usize) -> Option<&mut Other> {
        self.others.get_mut(number.checked_sub(1)?)?.as_mut()
    }

    /// Reads from a stream. `Ok(0)`: the device sends no more on it. [`io::ErrorKind::ConnectionReset`] on another one than the
    /// first: the device has taken back what it had sent, and sends no more. Never ready for a number that isn't used, or that
    /// has said so before.
    pub fn poll_read(
        &mut self,
        number: usize,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if number == 0 {
            return self.first.poll_read(context, buffer);
        }
        let Some(other) = self.other(number) else { return Poll::Pending };
        let Some(receive) = &mut other.receive else { return Poll::Pending };
        let read = match receive.poll_read(context, buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(read)) => read,
            Poll::Ready(Err(ReadError::Reset(_))) => {
                other.receive = None;
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
        };
        if read == 0 {
            other.receive = None;
        }
        Poll::Ready(Ok(read))
    }

    /// Writes to a stream. An error on another one than the first is that stream's alone.
    pub fn poll_write(
        &mut self,
        number: usize,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if number == 0 {
            return self.first.poll_write(context, bytes);
        }
        match self.other(number).and_then(|other| other.send.as_mut()) {
            Some(send) => Pin::new(send).poll_write(context, bytes).map_err(Into::into),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Whether the device sends no more on a stream.
    #[must_use]
    pub fn is_finished(&self, number: usize) -> bool {
        let other = number.checked_sub(1).and_then(|at| self.others.get(at)?.as_ref());
        number > 0 && other.is_none_or(|other| other.receive.is_none())
    }

    /// Nothing more is written to a stream on which the device wants nothing any more. It is still read.
    pub fn stop_writing(&mut self, number: usize) {
        if let Some(other) = self.other(number) {
            other.send = None;
        }
    }

    /// Gives a stream up, after what was written to it. Its number is free again.
    pub fn close(&mut self, number: usize) {
        let place = number.checked_sub(1).and_then(|at| self.others.get_mut(at));
        if let Some(mut send) = place.and_then(Option::take).and_then(|other| other.send) {
            // It fails if the device wants nothing any more.
            let _ = send.finish();
        }
        while let Some(None) = self.others.last() {
            self.others.pop();
        }
    }

    /// Says on all streams that nothing more will be written.
    pub fn finish(&mut self) {
        self.first.finish();
        for send in self.others.iter_mut().flatten().filter_map(|other| other.send.as_mut()) {
            let _ = send.finish();
        }
    }
}

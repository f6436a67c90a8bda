//! One side of a connection: its stream, the bytes that wait to be parsed, the bytes that wait to be sent.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use crate::transport::{Chain, DeviceCertificate, Stream};

use super::buffers::{Buffers, Output};
use super::channel::Channel;

/// One side.
pub(crate) struct Peer {
    stream: Channel,
    /// The start of a packet whose end has not arrived. Empty, and without memory, most of the time.
    pub(crate) tail: Vec<u8>,
    /// Borrowed from the shard while something waits to be sent.
    out: Option<Box<Output>>,
    /// The peer sends no more, or the stream is broken.
    pub(crate) closed: bool,
    shut: bool,
}

/// What a read brought.
pub(crate) enum Read {
    /// So many bytes, at the start of the shard's read buffer.
    Bytes(usize),
    /// The end.
    Closed,
}

impl Peer {
    /// An upstream.
    pub(crate) fn new(stream: Stream) -> Self {
        Self::over(stream.into())
    }

    /// A device.
    pub(crate) fn of_device(stream: Stream) -> Self {
        Self::over(Channel::of_device(stream))
    }

    fn over(stream: Channel) -> Self {
        Self { stream, tail: Vec::new(), out: None, closed: false, shut: false }
    }

    /// Our end's address.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// What a device has shown.
    pub(crate) fn certificate(&self) -> Option<DeviceCertificate> {
        self.stream.certificate()
    }

    /// Waits until what was read is known not to be a repetition of what somebody else has sent.
    pub(crate) fn poll_confirmed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_confirmed(context)
    }

    /// Whether that is known, as of when it was waited for last.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.stream.is_confirmed()
    }

    /// The same with what leads to its authority.
    pub(crate) fn chain(&self) -> Option<Chain> {
        self.stream.chain()
    }

    /// Bytes that wait to be sent.
    pub(crate) fn backlog(&self) -> usize {
        self.out.as_ref().map_or(0, |out| out.bytes.len() - out.sent)
    }

    /// Bytes that its buffers take.
    pub(crate) fn held_bytes(&self) -> usize {
        let out = self.out.as_ref().map_or(0, |out| out.bytes.capacity());
        out + self.tail.capacity() + self.stream.held_bytes()
    }

    /// Drops what waits on both ways, and waits for nothing any more.
    pub(crate) fn give_up(&mut self, buffers: &Buffers) {
        self.discard(buffers);
        self.tail = Vec::new();
        self.closed = true;
    }

    /// Reads once. An error is an end: nothing more will come.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Read> {
        match self.stream.poll_read(context, buffer) {
            Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                self.closed = true;
                Poll::Ready(Read::Closed)
            }
            Poll::Ready(Ok(bytes)) => Poll::Ready(Read::Bytes(bytes)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Where what is to be sent is appended.
    pub(crate) fn out(&mut self, buffers: &Buffers) -> &mut Vec<u8> {
        &mut self.out.get_or_insert_with(|| buffers.take()).bytes
    }

    /// Sends what waits. `Ready(Ok(()))`: nothing waits any more.
    pub(crate) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        buffers: &Buffers,
    ) -> Poll<io::Result<()>> {
        let Some(out) = &mut self.out else { return self.stream.poll_flush(context) };
        while let Some(waiting) = out.bytes.get(out.sent..).filter(|waiting| !waiting.is_empty()) {
            match self.stream.poll_write(context, waiting) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => out.sent += bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    out.forget_sent();
                    return Poll::Pending;
                }
            }
        }
        self.discard(buffers);
        self.stream.poll_flush(context)
    }

    /// Sends what waits, and behind it `bytes` from where they are. Only what isn't taken of them is copied.
    pub(crate) fn poll_send_with(
        &mut self,
        context: &mut Context<'_>,
        buffers: &Buffers,
        bytes: &[u8],
    ) -> Poll<io::Result<()>> {
        let out = self.out.get_or_insert_with(|| buffers.take());
        let waiting = out.bytes.get(out.sent..).unwrap_or_default();
        let pieces = [IoSlice::new(waiting), IoSlice::new(bytes)];
        let taken = match self.stream.poll_write_vectored(context, &pieces) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(taken)) => taken,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => 0,
        };
        let of_bytes = taken.saturating_sub(waiting.len());
        out.sent += taken - of_bytes;
        let left = bytes.get(of_bytes..).unwrap_or_default();
        if !left.is_empty() {
            out.forget_sent();
            out.bytes.extend_from_slice(left);
        }
        self.poll_send(context, buffers)
    }

    /// Gives the buffer back, and drops what waits in it: all is sent, or the peer can't be reached.
    pub(crate) fn discard(&mut self, buffers: &Buffers) {
        if let Some(out) = self.out.take() {
            buffers.give(out);
        }
    }

    /// Sends the rest, says so, and waits for the peer to close: closing a socket that has unread bytes
    /// would throw away what the peer has not read yet.
    pub(crate) fn poll_close(
        &mut self,
        context: &mut Context<'_>,
        buffers: &Buffers,
        scratch: &mut [u8],
    ) -> Poll<()> {
        if !self.shut {
            match self.poll_send(context, buffers) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => self.closed = true,
                Poll::Ready(Ok(())) => {}
            }
            if !self.closed && self.stream.poll_shutdown(context).is_pending() {
                return Poll::Pending;
            }
            self.shut = true;
        }
        while !self.closed {
            match self.poll_read(context, scratch) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(_) => {}
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use tokio::io::{AsyncRead, ReadBuf};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::transport::WebSocket;

    /// Whatever its peer has read stays nowhere, even if there is always more to send.
    #[tokio::test]
    async fn a_reader_that_never_catches_up_does_not_grow_the_buffer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        // The kernel takes less at a time than there is to send.
        socket2::SockRef::from(&stream).set_send_buffer_size(16 * 1024).unwrap();
        let mut peer = Peer::new(Stream::Tcp(stream));
        let buffers = Buffers::default();
        let mut taken = vec![0; 16 * 1024];
        let mut sent_total = 0;
        for _ in 0..1000 {
            std::future::poll_fn(|context| {
                while peer.backlog() < 256 * 1024 {
                    peer.out(&buffers).extend_from_slice(&[7; 16 * 1024]);
                    sent_total += 16 * 1024;
                }
                if let Poll::Ready(outcome) = peer.poll_send(context, &buffers) {
                    outcome.unwrap();
                }
                Pin::new(&mut reader).poll_read(context, &mut ReadBuf::new(&mut taken))
            })
            .await
            .unwrap();
        }
        assert!(sent_total > 4 << 20, "{sent_total} is too little to show anything");
        assert!(
            peer.out(&buffers).capacity() <= 1 << 20,
            "{} bytes for a backlog of {}",
            peer.out(&buffers).capacity(),
            peer.backlog()
        );
    }

    /// A transport takes bytes that the socket has no room for; nobody writes behind them.
    #[tokio::test]
    async fn what_a_transport_has_taken_is_sent_though_nothing_waits_behind_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        socket2::SockRef::from(&stream).set_send_buffer_size(4096).unwrap();
        let mut peer = Peer::new(WebSocket::upgraded(stream.into()).into());
        let buffers = Buffers::default();
        peer.out(&buffers).resize(64 * 1024, 7);
        let mut taken = vec![0; 1024];
        let mut got = 0;
        // The header of a frame of this length takes ten bytes.
        while got < 10 + 64 * 1024 {
            let step = std::future::poll_fn(|context| {
                if let Poll::Ready(outcome) = peer.poll_send(context, &buffers) {
                    outcome.unwrap();
                }
                assert!(peer.backlog() == 0, "the transport has not taken it");
                let mut read = ReadBuf::new(&mut taken);
                Pin::new(&mut reader)
                    .poll_read(context, &mut read)
                    .map_ok(|()| got += read.filled().len())
            });
            let step = tokio::time::timeout(std::time::Duration::from_secs(10), step).await;
            step.expect("the rest is never sent").unwrap();
        }
    }
}

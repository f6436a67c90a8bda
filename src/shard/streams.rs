//! The streams of a device over QUIC, made into one.
//!
//! Reading hands on whole packets, one stream's after another's. A packet that is too long to be waited for is handed on as it
//! comes, and the other streams wait. Writing looks where each packet goes. A stream that the device doesn't read holds up the
//! session, as a device that doesn't read its one stream does.

use std::io;
use std::task::{Context, Poll};

use crate::session::{FIRST_STREAM, Front, Routed, Streams};
use crate::transport::{QuicStream, QuicStreams};

/// Packets up to this length are waited for; it is much less than what is read at a time.
const LARGE_BYTES: usize = 16 * 1024;

/// Several streams as one.
pub(crate) struct Several {
    pub(super) streams: QuicStreams,
    routes: Streams,
    /// By stream: the start of a packet.
    tails: Vec<Vec<u8>>,
    /// The stream of a long packet that is being read, and how much of it is to come.
    reading: Option<(usize, usize)>,
    /// The packet that is being written, and whether nothing of it is yet.
    writing: Option<(Routed, Begun)>,
    /// The stream that is read next.
    next: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

impl Several {
    /// Bytes that its buffers take.
    pub(super) fn held_bytes(&self) -> usize {
        self.tails.iter().map(Vec::capacity).sum()
    }

    pub(crate) fn new(first: QuicStream) -> Self {
        Self {
            streams: first.into(),
            routes: Streams::default(),
            tails: Vec::new(),
            reading: None,
            writing: None,
            next: FIRST_STREAM,
        }
    }

    /// Whole packets of one stream, or what comes of a long one. `Ok(0)`: the first stream has ended, and with it the session.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Some((stream, left)) = self.reading {
            return self.read_on(stream, left, context, buffer);
        }
        // Before the device is accepted nothing but its CONNECT is heard.
        while self.routes.is_open() {
            match self.streams.poll_accept(context) {
                Poll::Ready(accepted) => accepted.map(drop)?,
                Poll::Pending => break,
            }
        }
        let count = self.streams.count();
        self.tails.resize_with(self.tails.len().max(count), Vec::new);
        for step in 0..count {
            let stream = (self.next + step) % count;
            if let Poll::Ready(read) = self.read_stream(stream, context, buffer)? {
                self.next = stream + 1;
                return Poll::Ready(Ok(read));
            }
        }
        Poll::Pending
    }

    /// Goes on with a packet that is too long to be waited for.
    fn read_on(
        &mut self,
        stream: usize,
        left: usize,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buffer.len().min(left);
        let room = buffer.get_mut(..room).unwrap_or_default();
        let Poll::Ready(read) = self.streams.poll_read(stream, context, room)? else {
            return Poll::Pending;
        };
        if read == 0 {
            // Nobody can put another packet behind half of one.
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.reading = Some((stream, left - read)).filter(|(_, left)| *left > 0);
        Poll::Ready(Ok(read))
    }

    /// Reads one stream until there is something to hand on.
    fn read_stream(
        &mut self,
        stream: usize,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let Some(tail) = self.tails.get_mut(stream) else { return Poll::Pending };
            let kept = tail.len();
            let Some((front, room)) = buffer.split_at_mut_checked(kept) else {
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            };
            front.copy_from_slice(tail);
            let read = match self.streams.poll_read(stream, context, room) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(read)) => read,
                Poll::Ready(Err(error)) => return self.is_reset(stream, error),
            };
            *tail = Vec::new();
            if read == 0 {
                return self.has_ended(stream, kept);
            }
            let there = buffer.get(..kept + read).unwrap_or_default();
            let whole = self.sort(stream, there);
            if let Some(tail) = self.tails.get_mut(stream) {
                tail.extend_from_slice(there.get(whole..).unwrap_or_default());
            }
            if whole > 0 {
                return Poll::Ready(Ok(whole));
            }
        }
    }

    /// Of another stream than the first nothing has been handed on but whole packets: the others go on.
    fn is_reset(&mut self, stream: usize, error: io::Error) -> Poll<io::Result<usize>> {
        if stream == FIRST_STREAM || error.kind() != io::ErrorKind::ConnectionReset {
            return Poll::Ready(Err(error));
        }
        if let Some(tail) = self.tails.get_mut(stream) {
            *tail = Vec::new();
        }
        self.close_if_done(stream);
        Poll::Pending
    }

    /// A stream that ends with half a packet takes the session with it, as a connection does.
    fn has_ended(&mut self, stream: usize, kept: usize) -> Poll<io::Result<usize>> {
        if stream == FIRST_STREAM {
            return Poll::Ready(Ok(0));
        }
        if kept > 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.close_if_done(stream);
        Poll::Pending
    }

    /// How many of these bytes can be handed on.
    fn sort(&mut self, stream: usize, bytes: &[u8]) -> usize {
        // Where the device hears nothing, nothing is answered.
        let answers = if self.streams.is_one_way(stream) { FIRST_STREAM } else { stream };
        let mut whole = 0;
        while let Some(rest) = bytes.get(whole..).filter(|rest| !rest.is_empty()) {
            match self.routes.look(answers, rest, LARGE_BYTES) {
                Ok(Front::Packet(length)) => whole += length,
                Ok(Front::Large(length)) => {
                    self.reading = Some((stream, length - rest.len()));
                    return bytes.len();
                }
                Ok(Front::Incomplete) => return whole,
                // The session ends with it.
                Err(_) => return bytes.len(),
            }
        }
        whole
    }

    /// Writes packets, each on its stream.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let was_open = self.routes.is_open();
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let (packet, begun) = match self.writing {
                Some(writing) => writing,
                None => match self.routes.route(rest) {
                    Ok(Some(packet)) => (packet, Begun::No),
                    Ok(None) | Err(_) => {
                        return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                    }
                },
            };
            self.writing = Some((packet, begun));
            let part = rest.get(..packet.length).unwrap_or(rest);
            match self.streams.poll_write(packet.stream, context, part) {
                Poll::Ready(Ok(written)) => {
                    taken += written;
                    self.has_written(packet, written);
                }
                Poll::Ready(Err(error)) if packet.stream == FIRST_STREAM => {
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Err(_)) => taken += self.lose(packet, begun, part.len()),
                Poll::Pending if taken > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        if !was_open && self.routes.is_open() {
            self.streams.widen();
            // The other streams are heard from now on; nobody waits for them yet.
            context.waker().wake_by_ref();
        }
        Poll::Ready(Ok(taken))
    }

    fn has_written(&mut self, packet: Routed, written: usize) {
        let left = packet.length - written;
        self.writing = (left > 0).then_some((Routed { length: left, ..packet }, Begun::Yes));
        if left == 0 {
            self.close_if_done(packet.stream);
        }
    }

    /// The device doesn't want to hear anything on a stream any more, though it may go on speaking there. What has begun there
    /// is lost, the rest goes on the first one. Returns how many bytes are lost.
    fn lose(&mut self, packet: Routed, begun: Begun, part: usize) -> usize {
        self.streams.stop_writing(packet.stream);
        self.routes.forget(packet.stream);
        self.close_if_done(packet.stream);
        if begun == Begun::No {
            self.writing = Some((Routed { stream: FIRST_STREAM, ..packet }, Begun::No));
            return 0;
        }
        let left = packet.length - part;
        // The stream's number may be another one's soon; nothing of this packet is for that.
        self.writing =
            (left > 0).then_some((Routed { stream: usize::MAX, length: left }, Begun::Yes));
        part
    }

    fn close_if_done(&mut self, stream: usize) {
        if self.streams.is_finished(stream) && self.routes.is_idle(stream) {
            self.close(stream);
        }
    }

    fn close(&mut self, stream: usize) {
        if stream != FIRST_STREAM {
            self.streams.close(stream);
            self.routes.forget(stream);
        }
    }
}

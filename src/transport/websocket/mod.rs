//! MQTT over WebSocket: an upgrade of HTTP, then binary frames over whatever carries them.
//!
//! Nothing is kept between two calls but the state of the frame that is being read: what is read is taken apart in the
//! caller's buffer, and what is written and not sent at once is freed when it is.

pub mod frames;
mod upgrade;

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::Stream;
use frames::{Decoder, FrameEnd, Purpose, Sender};

pub(super) use upgrade::{accept, connect};

/// Bytes of MQTT that one frame takes: as many as one call brings at most.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Bytes that may wait unsent before pings are no longer answered: who floods with pings and doesn't read gets nothing.
const UNSENT_BYTES_MAX: usize = 1024;

/// Reads in one call that bring no MQTT, only frames around it. Then others get their turn.
const FRUITLESS_READS_MAX: usize = 16;

/// A connection after its upgrade.
#[derive(Debug)]
pub struct WebSocket {
    inner: Stream,
    role: Role,
    decoder: Decoder,
    /// What came right behind the upgrade.
    early: Vec<u8>,
    /// What is written and not sent. Without memory most of the time.
    unsent: Vec<u8>,
    sent: usize,
    /// Nothing more is read.
    end: Option<FrameEnd>,
    has_said_goodbye: bool,
}

/// Which end we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Of a device's connection.
    Server,
    /// Of a broker's.
    Client,
}

impl WebSocket {
    /// A device's connection behind its upgrade.
    #[cfg(test)]
    pub(crate) fn upgraded(inner: Stream) -> Self {
        Self::new(inner, Role::Server, Vec::new())
    }

    fn new(inner: Stream, role: Role, early: Vec<u8>) -> Self {
        let sender = match role {
            Role::Server => Sender::Client,
            Role::Client => Sender::Server,
        };
        Self {
            inner,
            role,
            decoder: Decoder::new(sender),
            early,
            unsent: Vec::new(),
            sent: 0,
            end: None,
            has_said_goodbye: false,
        }
    }

    /// What carries the frames.
    pub(super) fn inner(&self) -> &Stream {
        &self.inner
    }

    /// As [`Stream::poll_read`].
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        for _ in 0..FRUITLESS_READS_MAX {
            match self.end {
                None => {}
                Some(FrameEnd::Closed) => return Poll::Ready(Ok(0)),
                Some(FrameEnd::Fault(fault)) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, fault);
                    return Poll::Ready(Err(error));
                }
            }
            let length = match self.take_early(buffer) {
                0 => ready!(self.inner.poll_read(context, buffer))?,
                early => early,
            };
            if length == 0 {
                return Poll::Ready(Ok(0));
            }
            let decoded = self.decoder.decode(buffer.get_mut(..length).unwrap_or_default());
            self.end = decoded.end;
            self.answer(decoded.ping)?;
            if decoded.bytes > 0 {
                return Poll::Ready(Ok(decoded.bytes));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn take_early(&mut self, buffer: &mut [u8]) -> usize {
        let length = self.early.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(self.early.drain(..length)) {
            *place = byte;
        }
        if self.early.is_empty() {
            self.early = Vec::new();
        }
        length
    }

    /// Answers pings and goodbyes; they are sent with the next flush.
    fn answer(&mut self, ping: Option<Vec<u8>>) -> io::Result<()> {
        if let Some(payload) = ping
            && self.unsent.len() - self.sent <= UNSENT_BYTES_MAX
        {
            self.append(Purpose::Pong, [payload.as_slice()].into_iter())?;
        }
        match self.end {
            None => Ok(()),
            Some(FrameEnd::Closed) => self.say_goodbye(1000),
            Some(FrameEnd::Fault(fault)) => self.say_goodbye(fault.status()),
        }
    }

    fn say_goodbye(&mut self, status: u16) -> io::Result<()> {
        match std::mem::replace(&mut self.has_said_goodbye, true) {
            true => Ok(()),
            false => self.append(Purpose::Close, [&status.to_be_bytes()[..]].into_iter()),
        }
    }

    fn append<'p>(
        &mut self,
        purpose: Purpose,
        payload: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> io::Result<()> {
        let mask = match self.role {
            Role::Server => None,
            Role::Client => Some(upgrade::mask()?),
        };
        frames::append(&mut self.unsent, purpose, payload, mask);
        Ok(())
    }

    /// As [`Stream::poll_write`].
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    /// As [`Stream::poll_write_vectored`]. What one call takes is one frame.
    pub(super) fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.has_said_goodbye {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // One frame waits at most, so that a slow reader is noticed.
        ready!(self.poll_flush(context))?;
        // The start of the pieces, as far as one frame takes them.
        let taken = pieces.iter().scan(FRAME_BYTES_MAX, |room, piece| {
            let part = piece.get(..*room).unwrap_or(piece);
            *room -= part.len();
            Some(part)
        });
        let length = taken.clone().map(<[u8]>::len).sum();
        self.append(Purpose::Data, taken)?;
        match self.poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What isn't sent yet is sent by the next flush.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(length)),
        }
    }

    /// As [`Stream::poll_flush`].
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(self.inner.poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.sent += bytes,
            }
        }
        self.unsent = Vec::new();
        self.sent = 0;
        self.inner.poll_flush(context)
    }

    /// As [`Stream::poll_shutdown`].
    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.say_goodbye(1000)?;
        ready!(self.poll_flush(context))?;
        self.inner.poll_shutdown(context)
    }
}

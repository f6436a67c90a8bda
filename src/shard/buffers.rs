//! Output buffers of a shard: a session borrows one while it has something to send, so that an idle one has none.

use std::cell::RefCell;

/// Buffers that are kept; more are freed.
const KEPT: usize = 8;

/// Buffers that have grown past this are freed, so that one burst doesn't stay resident.
const CAPACITY_MAX: usize = 64 * 1024;

/// What waits to be sent.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    /// So many of them were sent.
    pub(crate) sent: usize,
}

impl Output {
    /// Frees the room of what was sent. A peer that always reads a little less than there is would otherwise
    /// let the buffer grow for as long as it is there. Moved is at most what was sent, so that each byte
    /// moves about once.
    pub(crate) fn forget_sent(&mut self) {
        if self.sent >= self.bytes.len() - self.sent {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

/// The buffers that nobody needs at the moment.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "a session borrows the box itself")]
pub(crate) struct Buffers {
    idle: RefCell<Vec<Box<Output>>>,
}

impl Buffers {
    /// An empty buffer.
    pub(crate) fn take(&self) -> Box<Output> {
        self.idle.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, mut buffer: Box<Output>) {
        let mut idle = self.idle.borrow_mut();
        if buffer.bytes.capacity() <= CAPACITY_MAX && idle.len() < KEPT {
            buffer.bytes.clear();
            buffer.sent = 0;
            idle.push(buffer);
        }
    }
}

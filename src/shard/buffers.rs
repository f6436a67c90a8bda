//! Output buffers of a shard: a session borrows one while it has something to send.

use std::cell::RefCell;

/// Buffers that are kept; more are freed.
const KEPT: usize = 8;

/// Buffers that have grown past this are freed, so that one burst doesn't stay resident.
const CAPACITY_MAX: usize = 64 * 1024;

/// The buffers that nobody needs at the moment.
#[derive(Default)]
pub(crate) struct Buffers {
    idle: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.idle.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        let mut idle = self.idle.borrow_mut();
        if buffer.capacity() > 0 && buffer.capacity() <= CAPACITY_MAX && idle.len() < KEPT {
            buffer.clear();
            idle.push(buffer);
        }
    }
}

//! The proxy is short of memory: who comes is refused, and who holds much of it goes.

use crate::mqtt::ReasonCode;
use crate::translate::{Reason, Refusal, Way};

use super::conversation::Session;
use super::end::End;
use super::phase::Phase;
use super::wake::Wake;

const SHORT: Refusal = Refusal::new(Reason::MemoryShort, "the proxy is short of memory");

impl Session {
    /// Ends the session for want of memory: with CONNACK 0x89 (3.x: 3) before it was accepted, with DISCONNECT 0x97 later (v5
    /// sections 3.2.2.2 and 3.14.2.1). To the upstream the device is gone, so its will is published.
    pub fn on_memory_short(&mut self, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::AwaitConnect => self.phase = Phase::Ended(End::MemoryShort),
            Phase::AwaitAccess | Phase::AwaitUpstream | Phase::AwaitConnack => {
                self.note_refusal(Way::Up, SHORT, wake.tally);
                self.refuse_connect(End::ConnectRefused(SHORT), ReasonCode::ServerBusy, wake);
            }
            Phase::Running => self.end_for_device(End::MemoryShort, wake),
            Phase::Leaving(_) | Phase::Ended(_) => {}
        }
    }

    /// Bytes of packets that wait in the session itself.
    #[must_use]
    pub fn bytes_aside(&self) -> usize {
        self.held.bytes()
    }
}

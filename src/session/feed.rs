//! Bytes in: packet by packet, as far as they may be taken now.

use crate::mqtt::next_packet;
use crate::translate::Way;

use super::conversation::{Session, Wake};
use super::end::End;

/// Bytes that a call may append before the next packet has to wait: a short message may become a long one (a
/// document that is gathered), and what one read brings has to stay bounded.
const OUTPUT_STEP: usize = 256 * 1024;

impl Wake<'_> {
    fn written(&self) -> usize {
        self.to_device.len() + self.to_upstream.len()
    }
}

/// Which side's packets were left because those before them have become so much.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub(super) device: bool,
    pub(super) upstream: bool,
}

impl Session {
    /// Takes bytes from the device: whole packets from their start on. Returns how many were used; the rest
    /// is handed in again with what follows.
    pub fn on_device_bytes(&mut self, bytes: &[u8], wake: &mut Wake<'_>) -> usize {
        let mut used = 0;
        let written = wake.written();
        self.behind.device = false;
        while let Some(rest) =
            bytes.get(used..).filter(|rest| !rest.is_empty() && self.hears_device())
        {
            match self.next_device_packet(rest) {
                Ok(Some(_)) if wake.written() - written >= OUTPUT_STEP => {
                    self.behind.device = true;
                    break;
                }
                Ok(Some(raw)) if self.needs_overdue(raw) => {
                    self.end_for_device(End::UpstreamTimeout, wake);
                }
                Ok(Some(raw))
                    if self.has_to_wait(raw)
                        || self.waits_for_window(Way::Up, raw)
                        || self.waits_for_attachment(raw, wake) =>
                {
                    break;
                }
                Ok(Some(raw)) => {
                    used += raw.bytes.len();
                    wake.tally.packet(Way::Up, raw.bytes.len());
                    self.keep_alive.device_spoke(wake.now);
                    let before = wake.to_upstream.len();
                    if let Err(end) = self.device_packet(raw, wake) {
                        self.end_for_device(end, wake);
                    }
                    if wake.to_upstream.len() > before {
                        self.keep_alive.upstream_told(wake.now);
                    }
                }
                Ok(None) => break,
                Err(end) => self.end_for_device(end, wake),
            }
        }
        used
    }

    /// Takes bytes from the upstream, as [`Session::on_device_bytes`] does from the device.
    pub fn on_upstream_bytes(&mut self, bytes: &[u8], wake: &mut Wake<'_>) -> usize {
        let mut used = 0;
        let written = wake.written();
        self.behind.upstream = false;
        while let Some(rest) =
            bytes.get(used..).filter(|rest| !rest.is_empty() && self.hears_upstream())
        {
            match next_packet(rest, self.upstream_version, self.device_takes) {
                Ok(Some(_)) if wake.written() - written >= OUTPUT_STEP => {
                    self.behind.upstream = true;
                    break;
                }
                Ok(Some(raw))
                    if self.waits_for_identifier(Way::Down, raw)
                        || self.waits_for_window(Way::Down, raw) =>
                {
                    break;
                }
                Ok(Some(raw)) => {
                    used += raw.bytes.len();
                    wake.tally.packet(Way::Down, raw.bytes.len());
                    if let Err(end) = self.upstream_packet(raw, wake) {
                        self.end_for_upstream(end, wake);
                    }
                }
                Ok(None) => break,
                Err(error) => self.end_for_upstream(End::UpstreamMalformed(error), wake),
            }
        }
        used
    }

    /// Whether packets were left because those before them have become so much: they go on when that is sent.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind.device || self.behind.upstream
    }
}

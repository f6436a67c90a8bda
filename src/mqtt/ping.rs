//! PINGREQ and PINGRESP: nothing but a fixed header.
//!
//! Invariant: two bytes each, in every version.

use super::error::WireError;
use super::frame::RawPacket;

/// A whole PINGREQ.
pub const PINGREQ: [u8; 2] = [0xC0, 0x00];

/// A whole PINGRESP.
pub const PINGRESP: [u8; 2] = [0xD0, 0x00];

/// Refuses a body, for the packets that have none.
pub(super) fn expect_no_body(packet: RawPacket<'_>) -> Result<(), WireError> {
    if packet.body.is_empty() { Ok(()) } else { Err(WireError::TrailingBytes) }
}

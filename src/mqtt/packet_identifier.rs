//! The number that joins a packet with its acknowledgement. Not an allocator of such numbers.
//!
//! Invariant: never 0 (3.1.1 [MQTT-2.3.1-1], v5 [MQTT-2.2.1-3]).

use std::fmt;
use std::num::NonZeroU16;

/// A packet identifier, 1 to 65,535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketIdentifier(NonZeroU16);

impl PacketIdentifier {
    /// The identifier with this value; `None` for 0.
    pub const fn new(value: u16) -> Option<Self> {
        match NonZeroU16::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The value as it goes over the wire, big-endian.
    pub fn value(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for PacketIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_identifier() {
        assert_eq!(PacketIdentifier::new(0), None);
        assert_eq!(PacketIdentifier::new(65_535).map(PacketIdentifier::value), Some(65_535));
    }
}

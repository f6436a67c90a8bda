//! The quality of service of a message or a subscription. Not the flows that each level needs.
//!
//! Invariant: there are three levels; 3 can't be built.

/// A quality of service, ordered from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// Level 0: no acknowledgement, no packet identifier.
    AtMostOnce,
    /// Level 1: acknowledged by PUBACK.
    AtLeastOnce,
    /// Level 2: PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce,
}

impl Qos {
    /// The level, 0 to 2.
    pub fn level(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }

    /// The quality of service of a level; `None` for 3 and above (3.1.1 and 5 [MQTT-3.3.1-4]).
    pub fn from_level(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_levels() {
        for level in 0..=2 {
            assert_eq!(Qos::from_level(level).map(Qos::level), Some(level));
        }
        assert_eq!(Qos::from_level(3), None);
        assert!(Qos::AtMostOnce < Qos::AtLeastOnce && Qos::AtLeastOnce < Qos::ExactlyOnce);
    }
}

//! The versions of the protocol. Not their differences: each packet's file has its own.
//!
//! Invariant: versions are ordered as they were published.

use std::fmt;

/// A version of MQTT, as CONNECT announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1, by IBM and Eurotech: protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1, by OASIS: protocol name `MQTT`, level 4.
    V311,
    /// MQTT 5.0, by OASIS: protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    /// The protocol level (3.x) or protocol version (5) byte of CONNECT.
    pub fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// The protocol name that goes with the level (3.1.1 and 5 [MQTT-3.1.2-1]).
    pub fn protocol_name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 | Self::V5 => "MQTT",
        }
    }

    /// The version with this name and level. `None` for any other pair, such as `MQTT` with 3, or a
    /// bridge's 0x84.
    pub fn from_protocol(name: &[u8], level: u8) -> Option<Self> {
        match (name, level) {
            (b"MQIsdp", 3) => Some(Self::V31),
            (b"MQTT", 4) => Some(Self::V311),
            (b"MQTT", 5) => Some(Self::V5),
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_level_belong_together() {
        for version in [Version::V31, Version::V311, Version::V5] {
            let name = version.protocol_name().as_bytes();
            assert_eq!(Version::from_protocol(name, version.level()), Some(version));
        }
        for (name, level) in
            [("MQTT", 3), ("MQIsdp", 4), ("MQIsdp", 5), ("MQTT", 6), ("MQTT", 0x84), ("mqtt", 4)]
        {
            assert_eq!(Version::from_protocol(name.as_bytes(), level), None, "{name} {level}");
        }
    }

    #[test]
    fn versions_have_their_usual_names_and_order() {
        let names: Vec<String> =
            [Version::V31, Version::V311, Version::V5].iter().map(Version::to_string).collect();
        assert_eq!(names, ["3.1", "3.1.1", "5"]);
        assert!(Version::V31 < Version::V311 && Version::V311 < Version::V5);
    }
}

//! The fifteen packet types. Not their flags: those depend on the version, see `frame`.
//!
//! Invariant: the discriminant is the type number of the fixed header; 0 can't be built.

use std::fmt;

/// A control packet type, v5 section 2.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// A client asks for a connection.
    Connect = 1,
    /// The server's answer to CONNECT.
    Connack,
    /// An application message.
    Publish,
    /// Acknowledges a PUBLISH of QoS 1.
    Puback,
    /// Receives a PUBLISH of QoS 2.
    Pubrec,
    /// Releases a PUBLISH of QoS 2.
    Pubrel,
    /// Completes a PUBLISH of QoS 2.
    Pubcomp,
    /// A client asks for subscriptions.
    Subscribe,
    /// The server's answer to SUBSCRIBE.
    Suback,
    /// A client gives subscriptions up.
    Unsubscribe,
    /// The server's answer to UNSUBSCRIBE.
    Unsuback,
    /// A client asks for a sign of life.
    Pingreq,
    /// The sign of life.
    Pingresp,
    /// The end of the connection, announced.
    Disconnect,
    /// A step of enhanced authentication; only in 5.
    Auth,
}

impl PacketType {
    /// Every type, in the order of the numbers.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Pubrec,
        Self::Pubrel,
        Self::Pubcomp,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Pingreq,
        Self::Pingresp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The type number, 1 to 15: the upper four bits of the first byte.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The type with this number; `None` for 0 and above 15.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Connect,
            2 => Self::Connack,
            3 => Self::Publish,
            4 => Self::Puback,
            5 => Self::Pubrec,
            6 => Self::Pubrel,
            7 => Self::Pubcomp,
            8 => Self::Subscribe,
            9 => Self::Suback,
            10 => Self::Unsubscribe,
            11 => Self::Unsuback,
            12 => Self::Pingreq,
            13 => Self::Pingresp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The specification's name, in capitals: `"PUBLISH"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_specification() {
        for (at, packet_type) in PacketType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(packet_type.number()), at + 1);
            assert_eq!(PacketType::from_number(packet_type.number()), Some(packet_type));
        }
        assert_eq!(PacketType::from_number(0), None);
        assert_eq!(PacketType::from_number(16), None);
        assert_eq!(PacketType::Unsuback.number(), 11);
        assert_eq!(PacketType::Unsuback.to_string(), "UNSUBACK");
    }
}

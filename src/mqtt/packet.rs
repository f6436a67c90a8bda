//! Any packet: for whoever wants all of them behind one door.
//!
//! It adds no rule to those of the single packets. Invariant: one variant per kind of body.

use super::acknowledgement::Acknowledgement;
use super::auth::Auth;
use super::connack::Connack;
use super::connect::Connect;
use super::disconnect::Disconnect;
use super::error::{EncodeError, WireError};
use super::frame::RawPacket;
use super::packet_type::PacketType;
use super::ping::{PINGREQ, PINGRESP, expect_no_body};
use super::publish::Publish;
use super::suback::Suback;
use super::subscribe::Subscribe;
use super::unsuback::Unsuback;
use super::unsubscribe::Unsubscribe;
use super::version::Version;

/// A decoded packet of any type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the packets, each described at its struct")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Connack(Connack<'a>),
    Publish(Publish<'a>),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Acknowledgement(Acknowledgement<'a>),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Unsuback(Unsuback<'a>),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Reads a packet of any type. `version` is that of the connection; CONNECT brings its own.
    ///
    /// # Errors
    /// Those of the packet's own `decode`.
    pub fn decode(raw: RawPacket<'a>, version: Version) -> Result<Self, WireError> {
        Ok(match raw.packet_type {
            PacketType::Connect => Self::Connect(Connect::decode(raw)?),
            PacketType::Connack => Self::Connack(Connack::decode(raw, version)?),
            PacketType::Publish => Self::Publish(Publish::decode(raw, version)?),
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
                Self::Acknowledgement(Acknowledgement::decode(raw, version)?)
            }
            PacketType::Subscribe => Self::Subscribe(Subscribe::decode(raw, version)?),
            PacketType::Suback => Self::Suback(Suback::decode(raw, version)?),
            PacketType::Unsubscribe => Self::Unsubscribe(Unsubscribe::decode(raw, version)?),
            PacketType::Unsuback => Self::Unsuback(Unsuback::decode(raw, version)?),
            PacketType::Pingreq => expect_no_body(raw).map(|()| Self::Pingreq)?,
            PacketType::Pingresp => expect_no_body(raw).map(|()| Self::Pingresp)?,
            PacketType::Disconnect => Self::Disconnect(Disconnect::decode(raw, version)?),
            PacketType::Auth => Self::Auth(Auth::decode(raw, version)?),
        })
    }

    /// Appends the packet. CONNECT goes out in its own version, whatever `version` says.
    ///
    /// # Errors
    /// Those of the packet's own `encode`; the buffer is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode(out)?,
            Self::Connack(packet) => packet.encode(version, out)?,
            Self::Publish(packet) => packet.encode(version, out)?,
            Self::Acknowledgement(packet) => packet.encode(version, out)?,
            Self::Subscribe(packet) => packet.encode(version, out)?,
            Self::Suback(packet) => packet.encode(version, out)?,
            Self::Unsubscribe(packet) => packet.encode(version, out)?,
            Self::Unsuback(packet) => packet.encode(version, out)?,
            Self::Pingreq => out.extend_from_slice(&PINGREQ),
            Self::Pingresp => out.extend_from_slice(&PINGRESP),
            Self::Disconnect(packet) => packet.encode(version, out)?,
            Self::Auth(packet) => packet.encode(version, out)?,
        }
        Ok(())
    }

    /// The packet type.
    pub fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::Connack(_) => PacketType::Connack,
            Self::Publish(_) => PacketType::Publish,
            Self::Acknowledgement(packet) => packet.kind.packet_type(),
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Suback(_) => PacketType::Suback,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::Unsuback(_) => PacketType::Unsuback,
            Self::Pingreq => PacketType::Pingreq,
            Self::Pingresp => PacketType::Pingresp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::next_packet;
    use super::*;

    #[test]
    fn every_type_goes_through_the_one_door() {
        let packets: [&[u8]; 15] = [
            b"\x10\x0D\0\x04MQTT\x05\x02\0\x0A\0\0\0",
            b"\x20\x03\0\0\0",
            b"\x30\x04\0\x01t\0",
            b"\x40\x02\0\x01",
            b"\x50\x02\0\x01",
            b"\x62\x02\0\x01",
            b"\x70\x02\0\x01",
            b"\x82\x07\0\x01\0\0\x01t\0",
            b"\x90\x04\0\x01\0\0",
            b"\xA2\x06\0\x01\0\0\x01t",
            b"\xB0\x04\0\x01\0\0",
            b"\xC0\0",
            b"\xD0\0",
            b"\xE0\0",
            b"\xF0\0",
        ];
        for (bytes, packet_type) in packets.into_iter().zip(PacketType::ALL) {
            let raw = next_packet(bytes, Version::V5, 100).unwrap().unwrap();
            let packet = Packet::decode(raw, Version::V5).unwrap();
            assert_eq!(packet.packet_type(), packet_type);
            let mut out = Vec::new();
            packet.encode(Version::V5, &mut out).unwrap();
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn a_ping_has_no_body() {
        for bytes in [[0xC0, 1, 0], [0xD0, 1, 0]] {
            let raw = next_packet(&bytes, Version::V311, 100).unwrap().unwrap();
            assert_eq!(Packet::decode(raw, Version::V311), Err(WireError::TrailingBytes));
        }
    }

    #[test]
    fn a_decoder_takes_only_its_own_packet() {
        let raw = next_packet(&PINGREQ, Version::V5, 100).unwrap().unwrap();
        let refused = WireError::PacketTypeUnexpected(PacketType::Pingreq);
        assert_eq!(Publish::decode(raw, Version::V5), Err(refused));
        assert_eq!(Connect::decode(raw), Err(refused));
        assert_eq!(Acknowledgement::decode(raw, Version::V5), Err(refused));
        assert_eq!(Subscribe::decode(raw, Version::V5), Err(refused));
    }
}

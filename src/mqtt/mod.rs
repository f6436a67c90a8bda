//! Room `mqtt`: bytes to packets and back, for MQTT 3.1, 3.1.1 and 5, strictly.
//!
//! It isn't a client, a server or a session: it does no I/O, reads no clock and knows nothing of
//! directions, states or proxying. A packet that only a server may send decodes here like any other.
//!
//! Invariants:
//! - Decoding copies nothing and allocates nothing: each packet is a view that borrows from its bytes.
//! - Nothing in here panics, whatever the bytes.
//! - What a decoder accepts, the specification allows; what an encoder writes, our decoder accepts.
//! - An encoder that fails leaves the output buffer as it was.
//!
//! The way of a packet: [`next_packet`] cuts it off the stream, [`Packet::decode`] (or the `decode`
//! of one packet, such as [`Publish::decode`]) reads it, `encode` appends it to an output buffer.
//!
//! ```
//! use interlingua::mqtt::{Packet, Version, next_packet};
//!
//! let stream = [0x30, 0x07, 0, 4, b't', b'e', b'm', b'p', b'7', 0xC0];
//! let raw = next_packet(&stream, Version::V311, 1024).unwrap().unwrap();
//! let Packet::Publish(publish) = Packet::decode(raw, Version::V311).unwrap() else { panic!() };
//! assert_eq!((publish.topic_name, publish.payload), ("temp", &b"7"[..]));
//!
//! // The PINGREQ behind it lacks a byte.
//! assert_eq!(next_packet(&stream[raw.bytes.len()..], Version::V311, 1024), Ok(None));
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

mod acknowledgement;
mod auth;
mod connack;
mod connect;
mod connect_flags;
mod disconnect;
mod error;
mod frame;
mod packet;
mod packet_identifier;
mod packet_type;
mod ping;
mod properties;
mod property;
mod property_buffer;
mod property_count;
mod property_table;
mod publish;
mod publish_start;
mod qos;
mod read;
mod reason_code;
mod reason_code_table;
mod suback;
mod subscribe;
pub mod topic;
mod unsuback;
mod unsubscribe;
mod version;
mod write;

pub use acknowledgement::{Acknowledgement, AcknowledgementKind};
pub use auth::Auth;
pub use connack::Connack;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use error::{EncodeError, WireError};
pub use frame::{FixedHeader, RawPacket, fixed_header, next_packet};
pub use packet::Packet;
pub use packet_identifier::PacketIdentifier;
pub use packet_type::PacketType;
pub use ping::{PINGREQ, PINGRESP};
pub use properties::Properties;
pub use property::{Property, PropertyIdentifier};
pub use property_buffer::PropertyBuffer;
pub use property_count::has_more_properties;
pub use publish::Publish;
pub use publish_start::publish_start;
pub use qos::Qos;
pub use reason_code::ReasonCode;
pub use suback::Suback;
pub use subscribe::{RetainHandling, Subscribe, Subscription, encode_subscribe};
pub use unsuback::Unsuback;
pub use unsubscribe::{Unsubscribe, encode_unsubscribe};
pub use version::Version;

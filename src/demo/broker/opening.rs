//! CONNECT and its answer: what a client asks for, and what this broker has.
//!
//! It doesn't read or write bytes of a socket. Invariant: a client that is refused has left no trace.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::PACKET_SIZE_MAX;
use super::conversation::{Conversation, Grants};
use super::hub::Hub;
use super::message::Message;
use super::outbox::Outbox;
use crate::mqtt::{
    Connack, Connect, EncodeError, Properties, Property, PropertyBuffer, PropertyIdentifier,
    RawPacket, ReasonCode, Version, WireError,
};

/// PUBLISH packets of QoS 1 and 2 that wait for their acknowledgement, whatever the client would take.
const UNFINISHED_MAX: u16 = 1024;

/// Takes the first packet of a connection; the answer is appended to `out`. `None`: refused, close when the
/// answer is sent.
pub(super) fn open(
    raw: RawPacket<'_>,
    hub: &Rc<RefCell<Hub>>,
    out: &mut Vec<u8>,
) -> Option<Conversation> {
    let connect = match Connect::decode(raw) {
        Ok(connect) => connect,
        Err(fault) => {
            refuse_malformed(fault, out);
            return None;
        }
    };
    if connect.properties.find(PropertyIdentifier::AuthenticationMethod).is_some() {
        refuse(ReasonCode::BadAuthenticationMethod, connect.version, out);
        return None;
    }
    let outbox = Rc::new(Outbox::default());
    let (place, identifier) = hub.borrow_mut().enter(connect.client_identifier, Rc::clone(&outbox));
    if accept(&connect, &identifier, out).is_err() {
        hub.borrow_mut().leave(place);
        return None;
    }
    let will = connect.will.as_ref().map(Message::of_will);
    Some(Conversation::new(hub.clone(), place, outbox, grants(&connect), will))
}

/// CONNACK with what the client has to know: its identifier if it has none, the packet size, and that there
/// are no shared subscriptions and no sessions that outlive the connection.
fn accept(connect: &Connect<'_>, identifier: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut properties = PropertyBuffer::new();
    if connect.version == Version::V5 {
        if connect.client_identifier.is_empty() {
            properties.push(Property::AssignedClientIdentifier(identifier))?;
        }
        if connect.properties.find(PropertyIdentifier::SessionExpiryInterval).is_some() {
            properties.push(Property::SessionExpiryInterval(0))?;
        }
        properties.push(Property::MaximumPacketSize(PACKET_SIZE_MAX as u32))?;
        properties.push(Property::SharedSubscriptionAvailable(0))?;
    }
    let connack = Connack {
        session_present: false,
        reason_code: ReasonCode::Success,
        properties: properties.properties(),
    };
    connack.encode(connect.version, out)
}

fn grants(connect: &Connect<'_>) -> Grants {
    let mut grants = Grants {
        version: connect.version,
        // One and a half times the keep alive (v5 [MQTT-3.1.2-22]); 0 is none.
        silence_max: match connect.keep_alive_seconds {
            0 => None,
            seconds => Some(Duration::from_millis(u64::from(seconds) * 1500)),
        },
        unfinished_max: UNFINISHED_MAX,
        packet_size_max: usize::MAX,
    };
    for property in connect.properties.iter() {
        match property {
            Property::ReceiveMaximum(count) => grants.unfinished_max = count.min(UNFINISHED_MAX),
            Property::MaximumPacketSize(bytes) => grants.packet_size_max = bytes as usize,
            _ => {}
        }
    }
    grants
}

/// What can't be read as CONNECT gets an answer only if it says what it expects, in the form that every client
/// since 3.1 reads.
fn refuse_malformed(fault: WireError, out: &mut Vec<u8>) {
    if matches!(
        fault,
        WireError::UnsupportedProtocolVersion { .. } | WireError::ClientIdentifierInvalid
    ) {
        refuse(fault.reason_code(), Version::V311, out);
    }
}

fn refuse(reason_code: ReasonCode, version: Version, out: &mut Vec<u8>) {
    let connack = Connack { session_present: false, reason_code, properties: Properties::EMPTY };
    let written = connack.encode(version, out);
    debug_assert!(written.is_ok(), "a refusal can be written: {written:?}");
}

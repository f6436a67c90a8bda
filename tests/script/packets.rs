//! Packets for scripts, written by the crate's own encoders.

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Auth, Connack, Connect, Disconnect, Packet,
    PacketIdentifier, Properties, Property, PropertyBuffer, Publish, Qos, ReasonCode,
    RetainHandling, Suback, Subscription, Unsuback, Version, Will, encode_subscribe,
    encode_unsubscribe, next_packet,
};

pub const PINGREQ: [u8; 2] = interlingua::mqtt::PINGREQ;
pub const PINGRESP: [u8; 2] = interlingua::mqtt::PINGRESP;

pub fn id(value: u16) -> PacketIdentifier {
    PacketIdentifier::new(value).unwrap()
}

pub fn bytes(version: Version, packet: Packet<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    packet.encode(version, &mut out).unwrap_or_else(|error| panic!("{packet:?}: {error}"));
    out
}

pub fn properties(list: &[Property<'_>]) -> PropertyBuffer {
    let mut buffer = PropertyBuffer::new();
    list.iter().for_each(|property| buffer.push(*property).unwrap());
    buffer
}

/// A CONNECT to build others from: clean, keep alive of sixty seconds.
pub fn connect_of(version: Version, client_identifier: &str) -> Connect<'_> {
    Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 60,
        client_identifier,
        properties: Properties::EMPTY,
        will: None,
        user_name: None,
        password: None,
    }
}

pub fn connect(connect: Connect<'_>) -> Vec<u8> {
    bytes(connect.version, Packet::Connect(connect))
}

pub fn will<'a>(topic_name: &'a str, payload: &'a [u8], qos: Qos) -> Will<'a> {
    Will { topic_name, payload, qos, retain: false, properties: Properties::EMPTY }
}

pub fn connack(version: Version, reason_code: ReasonCode) -> Vec<u8> {
    connack_with(version, false, reason_code, &[])
}

pub fn connack_with(
    version: Version,
    session_present: bool,
    reason_code: ReasonCode,
    list: &[Property<'_>],
) -> Vec<u8> {
    let buffer = properties(list);
    let properties = buffer.properties();
    bytes(version, Packet::Connack(Connack { session_present, reason_code, properties }))
}

/// A PUBLISH to build others from. Identifier 0 is none, for QoS 0.
pub fn publish_of<'a>(qos: Qos, identifier: u16, topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic_name: topic,
        packet_identifier: PacketIdentifier::new(identifier),
        properties: Properties::EMPTY,
        payload,
    }
}

pub fn publish(version: Version, publish: Publish<'_>) -> Vec<u8> {
    bytes(version, Packet::Publish(publish))
}

pub fn acknowledge(version: Version, kind: AcknowledgementKind, identifier: u16) -> Vec<u8> {
    acknowledge_with(version, kind, identifier, ReasonCode::Success)
}

pub fn acknowledge_with(
    version: Version,
    kind: AcknowledgementKind,
    identifier: u16,
    reason_code: ReasonCode,
) -> Vec<u8> {
    let properties = Properties::EMPTY;
    let packet_identifier = id(identifier);
    let packet = Acknowledgement { kind, packet_identifier, reason_code, properties };
    bytes(version, Packet::Acknowledgement(packet))
}

pub fn puback(version: Version, identifier: u16) -> Vec<u8> {
    acknowledge(version, AcknowledgementKind::Puback, identifier)
}

pub fn pubrec(version: Version, identifier: u16) -> Vec<u8> {
    acknowledge(version, AcknowledgementKind::Pubrec, identifier)
}

pub fn pubrel(version: Version, identifier: u16) -> Vec<u8> {
    acknowledge(version, AcknowledgementKind::Pubrel, identifier)
}

pub fn pubcomp(version: Version, identifier: u16) -> Vec<u8> {
    acknowledge(version, AcknowledgementKind::Pubcomp, identifier)
}

pub fn wish(topic_filter: &str, qos: Qos) -> Subscription<'_> {
    Subscription {
        topic_filter,
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}

pub fn subscribe(version: Version, identifier: u16, wishes: &[(&str, Qos)]) -> Vec<u8> {
    subscribe_with(version, identifier, wishes, &[])
}

pub fn subscribe_with(
    version: Version,
    identifier: u16,
    wishes: &[(&str, Qos)],
    list: &[Property<'_>],
) -> Vec<u8> {
    let wishes: Vec<_> = wishes.iter().map(|(filter, qos)| wish(filter, *qos)).collect();
    let buffer = properties(list);
    let mut out = Vec::new();
    encode_subscribe(version, id(identifier), buffer.properties(), &wishes, &mut out).unwrap();
    out
}

pub fn suback(version: Version, identifier: u16, reason_codes: &[u8]) -> Vec<u8> {
    suback_with(version, identifier, reason_codes, &[])
}

pub fn suback_with(
    version: Version,
    identifier: u16,
    reason_codes: &[u8],
    list: &[Property<'_>],
) -> Vec<u8> {
    let buffer = properties(list);
    let properties = buffer.properties();
    let packet_identifier = id(identifier);
    bytes(version, Packet::Suback(Suback { packet_identifier, properties, reason_codes }))
}

pub fn unsubscribe(version: Version, identifier: u16, filters: &[&str]) -> Vec<u8> {
    unsubscribe_with(version, identifier, filters, &[])
}

pub fn unsubscribe_with(
    version: Version,
    identifier: u16,
    filters: &[&str],
    list: &[Property<'_>],
) -> Vec<u8> {
    let buffer = properties(list);
    let mut out = Vec::new();
    encode_unsubscribe(version, id(identifier), buffer.properties(), filters, &mut out).unwrap();
    out
}

pub fn unsuback(version: Version, identifier: u16, codes: &[u8]) -> Vec<u8> {
    let reason_codes = if version == Version::V5 { codes } else { &[] };
    let packet_identifier = id(identifier);
    let properties = Properties::EMPTY;
    bytes(version, Packet::Unsuback(Unsuback { packet_identifier, properties, reason_codes }))
}

pub fn disconnect(version: Version, reason_code: ReasonCode) -> Vec<u8> {
    disconnect_with(version, reason_code, &[])
}

pub fn disconnect_with(
    version: Version,
    reason_code: ReasonCode,
    list: &[Property<'_>],
) -> Vec<u8> {
    let buffer = properties(list);
    let properties = buffer.properties();
    bytes(version, Packet::Disconnect(Disconnect { reason_code, properties }))
}

pub fn auth(reason_code: ReasonCode, data: &[u8]) -> Vec<u8> {
    let list = [Property::AuthenticationMethod("m"), Property::AuthenticationData(data)];
    let buffer = properties(&list);
    bytes(Version::V5, Packet::Auth(Auth { reason_code, properties: buffer.properties() }))
}

/// A CONNECT or CONNACK with more properties, behind the first so many of its own.
pub fn with_more(packet: &[u8], version: Version, at: usize, more: &[Property<'_>]) -> Vec<u8> {
    if version != Version::V5 {
        return packet.to_vec();
    }
    let raw = next_packet(packet, version, usize::MAX).unwrap().unwrap();
    let add = |given: Properties<'_>| {
        let mut given: Vec<_> = given.iter().collect();
        let at = given.len().min(at);
        given.splice(at..at, more.iter().copied());
        properties(&given)
    };
    match Packet::decode(raw, version).unwrap() {
        Packet::Connect(given) => {
            let buffer = add(given.properties);
            connect(Connect { properties: buffer.properties(), ..given })
        }
        Packet::Connack(given) => {
            let buffer = add(given.properties);
            bytes(version, Packet::Connack(Connack { properties: buffer.properties(), ..given }))
        }
        other => panic!("{other:?} has no such properties"),
    }
}

//! Packets: what is decoded is encoded to the same, a stream may be cut anywhere, and `mqttbytes` sees the same fields.

use std::iter::from_fn;

use allocation_counter::measure;
use bytes::BytesMut;
use interlingua::mqtt::{
    Connect, Packet, PacketIdentifier, Property, PropertyIdentifier, Publish, RawPacket, Subscribe,
    Unsubscribe, Version, WireError, next_packet, publish_start,
};
use mqttbytes::{QoS, v4, v5};

/// Bytes of a packet at most.
const SIZE_MAX: usize = 4096;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// A stream of any bytes, in each version.
pub fn packet(bytes: &[u8]) {
    for version in VERSIONS {
        let (packets, end) = cut(bytes, version);
        stays_the_same_in_pieces(bytes, version, (&packets, end));
        for raw in packets {
            stays_itself(raw, version);
        }
    }
}

/// The packets of a stream, up to the first fault. `None`: what is left is no whole packet.
fn cut(bytes: &[u8], version: Version) -> (Vec<RawPacket<'_>>, Option<WireError>) {
    let (mut packets, mut rest) = (Vec::new(), bytes);
    loop {
        match next_packet(rest, version, SIZE_MAX) {
            Ok(Some(raw)) => {
                assert!(raw.bytes.len() <= SIZE_MAX, "larger than its limit");
                assert_eq!(Some(raw.bytes), rest.get(..raw.bytes.len()), "bytes of the stream");
                assert_eq!(Some(raw.body), raw.bytes.get(raw.bytes.len() - raw.body.len()..));
                assert_eq!(raw.payload_follows, 0);
                packets.push(raw);
                rest = &rest[raw.bytes.len()..];
            }
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}

/// A reader that keeps an incomplete tail sees the same packets, and the same fault, wherever the stream is cut. The places
/// are made of the stream's own bytes.
fn stays_the_same_in_pieces(
    bytes: &[u8],
    version: Version,
    whole: (&[RawPacket<'_>], Option<WireError>),
) {
    let (mut seen, mut fault, mut tail, mut rest) = (0, None, Vec::new(), bytes);
    let mut sizes = bytes.iter().cycle().map(|byte| 1 + usize::from(byte >> 3));
    let pieces = from_fn(|| {
        let (piece, more) = rest.split_at(sizes.next()?.min(rest.len()));
        rest = more;
        (!piece.is_empty()).then_some(piece)
    });
    for piece in pieces {
        tail.extend_from_slice(piece);
        let (packets, end) = cut(&tail, version);
        for raw in &packets {
            assert_eq!(Some(raw), whole.0.get(seen), "packet {seen} of {version}");
            seen += 1;
        }
        if end.is_some() {
            fault = end;
            break;
        }
        let used: usize = packets.iter().map(|raw| raw.bytes.len()).sum();
        start_is_the_same(&tail[used..], whole.0.get(seen), version);
        tail.drain(..used);
    }
    assert_eq!((seen, fault), (whole.0.len(), whole.1), "{version}");
}

/// What is said of a PUBLISH before its payload is there is what is said of it afterwards.
fn start_is_the_same(tail: &[u8], whole: Option<&RawPacket<'_>>, version: Version) {
    let (Ok(Some(start)), Some(whole)) = (publish_start(tail, version), whole) else { return };
    assert_eq!(start.length(), whole.bytes.len());
    assert_eq!(Some(start.bytes), whole.bytes.get(..start.bytes.len()));
    let whole = Publish::decode(*whole, version);
    let start = Publish::decode(start, version);
    assert_eq!(start, whole.map(|publish| Publish { payload: &[], ..publish }), "{version}");
}

/// Whatever is taken is written so that it is taken for the same again, and then in the same bytes.
fn stays_itself(raw: RawPacket<'_>, version: Version) {
    let mut decoded = None;
    let taken = measure(|| decoded = Packet::decode(raw, version).ok());
    assert_eq!(taken.count_total, 0, "decoding allocates nothing");
    let Some(packet) = decoded else { return };
    let again = encoded(&packet, version);
    assert!(again.len() <= raw.bytes.len(), "the shortest form");
    let raw_again = next_packet(&again, version, usize::MAX).expect("legal").expect("whole");
    let packet_again = Packet::decode(raw_again, version).expect("legal");
    assert_eq!(packet_again, packet, "{version}");
    assert_eq!(encoded(&packet_again, version), again, "{version}");
    if matches!(packet, Packet::Publish(_)) {
        assert_eq!(again, raw.bytes, "a PUBLISH has one form only");
    }
    compare(&packet, raw.bytes, version);
}

fn encoded(packet: &Packet<'_>, version: Version) -> Vec<u8> {
    let mut out = b"before".to_vec();
    packet.encode(version, &mut out).expect("what was decoded can be encoded");
    out.split_off(b"before".len())
}

/// Fields as either codec sees them.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Connect(String, u16, bool, Option<(String, Vec<u8>, u8, bool)>, String),
    Publish(bool, u8, bool, String, u16, Vec<u8>),
    Subscribe(u16, Vec<(String, u8)>),
    Unsubscribe(u16, Vec<String>),
    Acknowledgement(u16),
    Other,
}

/// `mqttbytes` takes more and less than the specification, so it is asked only about what we took, and its answer counts only
/// where it has one. Its faults are shown one by one in `tests/wire_conformance.rs`.
fn compare(packet: &Packet<'_>, bytes: &[u8], version: Version) {
    if is_beyond_the_oracle(packet, version) {
        return;
    }
    let mut stream = BytesMut::from(bytes);
    let theirs = match version {
        Version::V5 => v5::read(&mut stream, SIZE_MAX).map(seen_in_5),
        Version::V31 | Version::V311 => v4::read(&mut stream, SIZE_MAX).map(seen_in_4),
    };
    if let Ok(theirs) = theirs
        && theirs != Seen::Other
    {
        assert_eq!(theirs, ours(packet), "mqttbytes in {version}");
    }
}

/// What `mqttbytes` 0.6 reads wrong, by the fault's number in `tests/wire_conformance.rs`.
fn is_beyond_the_oracle(packet: &Packet<'_>, version: Version) -> bool {
    let identifiers = |property: &Property<'_>| {
        property.identifier() == PropertyIdentifier::SubscriptionIdentifier
    };
    match packet {
        // 4: it loses its place behind the second subscription identifier.
        Packet::Publish(publish) => publish.properties.iter().filter(identifiers).count() > 1,
        // 14: it writes to standard error.
        Packet::Unsubscribe(_) => version == Version::V5,
        // 8: it reads each CONNECT by the level that it expects.
        Packet::Connect(connect) => connect.version != version,
        _ => false,
    }
}

fn ours(packet: &Packet<'_>) -> Seen {
    match packet {
        Packet::Connect(connect) => our_connect(connect),
        Packet::Publish(publish) => Seen::Publish(
            publish.dup,
            publish.qos.level(),
            publish.retain,
            publish.topic_name.to_owned(),
            publish.packet_identifier.map_or(0, PacketIdentifier::value),
            publish.payload.to_vec(),
        ),
        Packet::Subscribe(subscribe) => our_subscribe(subscribe),
        Packet::Unsubscribe(unsubscribe) => our_unsubscribe(unsubscribe),
        Packet::Acknowledgement(it) => Seen::Acknowledgement(it.packet_identifier.value()),
        _ => Seen::Other,
    }
}

fn our_connect(connect: &Connect<'_>) -> Seen {
    let will = connect.will.map(|will| {
        (will.topic_name.to_owned(), will.payload.to_vec(), will.qos.level(), will.retain)
    });
    Seen::Connect(
        connect.client_identifier.to_owned(),
        connect.keep_alive_seconds,
        connect.clean_start,
        will,
        connect.user_name.unwrap_or_default().to_owned(),
    )
}

fn our_subscribe(subscribe: &Subscribe<'_>) -> Seen {
    let filters =
        subscribe.subscriptions().map(|it| (it.topic_filter.to_owned(), it.qos.level())).collect();
    Seen::Subscribe(subscribe.packet_identifier.value(), filters)
}

fn our_unsubscribe(unsubscribe: &Unsubscribe<'_>) -> Seen {
    let filters = unsubscribe.topic_filters().map(str::to_owned).collect();
    Seen::Unsubscribe(unsubscribe.packet_identifier.value(), filters)
}

fn level(qos: QoS) -> u8 {
    qos as u8
}

fn seen_in_4(packet: v4::Packet) -> Seen {
    match packet {
        v4::Packet::Connect(it) => {
            let will = it
                .last_will
                .map(|will| (will.topic, will.message.to_vec(), level(will.qos), will.retain));
            let user_name = it.login.map(|login| login.username).unwrap_or_default();
            Seen::Connect(it.client_id, it.keep_alive, it.clean_session, will, user_name)
        }
        v4::Packet::Publish(it) => {
            Seen::Publish(it.dup, level(it.qos), it.retain, it.topic, it.pkid, it.payload.to_vec())
        }
        v4::Packet::Subscribe(it) => {
            let filters =
                it.filters.into_iter().map(|filter| (filter.path, level(filter.qos))).collect();
            Seen::Subscribe(it.pkid, filters)
        }
        v4::Packet::Unsubscribe(it) => Seen::Unsubscribe(it.pkid, it.topics),
        v4::Packet::PubAck(it) => Seen::Acknowledgement(it.pkid),
        v4::Packet::PubRec(it) => Seen::Acknowledgement(it.pkid),
        v4::Packet::PubRel(it) => Seen::Acknowledgement(it.pkid),
        v4::Packet::PubComp(it) => Seen::Acknowledgement(it.pkid),
        _ => Seen::Other,
    }
}

fn seen_in_5(packet: v5::Packet) -> Seen {
    match packet {
        v5::Packet::Connect(it) => {
            let will = it
                .last_will
                .map(|will| (will.topic, will.message.to_vec(), level(will.qos), will.retain));
            let user_name = it.login.map(|login| login.username).unwrap_or_default();
            Seen::Connect(it.client_id, it.keep_alive, it.clean_session, will, user_name)
        }
        v5::Packet::Publish(it) => {
            Seen::Publish(it.dup, level(it.qos), it.retain, it.topic, it.pkid, it.payload.to_vec())
        }
        v5::Packet::Subscribe(it) => {
            let filters =
                it.filters.into_iter().map(|filter| (filter.path, level(filter.qos))).collect();
            Seen::Subscribe(it.pkid, filters)
        }
        v5::Packet::PubAck(it) => Seen::Acknowledgement(it.pkid),
        v5::Packet::PubRec(it) => Seen::Acknowledgement(it.pkid),
        v5::Packet::PubRel(it) => Seen::Acknowledgement(it.pkid),
        v5::Packet::PubComp(it) => Seen::Acknowledgement(it.pkid),
        _ => Seen::Other,
    }
}

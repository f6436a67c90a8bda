//! Well-formed packets of either side, each made of a few bytes: so that a fuzzer needn't find out how MQTT is written before
//! it gets anywhere.

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Auth, Connack, Disconnect, Packet, PacketIdentifier,
    Properties, Property, PropertyBuffer, Publish, Qos, ReasonCode, RetainHandling, Suback,
    Subscription, Unsuback, Version, encode_subscribe, encode_unsubscribe,
};

/// What a platform's messages look like, and what they don't.
const PAYLOADS: [&[u8]; 12] = [
    b"23.5",
    b"",
    b"{\"temp\":21.7,\"hum\":40}",
    b"{\"a\":{\"input\":{\"x\":1},\"href\":\"/a/1\",\"status\":\"completed\"}}",
    b"{\"type\":\"command.get\",\"timestamp\":1567677926,\"value\":1}",
    b"{\"type\":\"set\",\"priority_level\":2,\"timestamp\":1567677926,\"value\":\"on\"}",
    b"{\"status\":\"online\",\"timestamp\":\"2019-09-05T10:05:26Z\",\"telemetries\":{\"t\":1}}",
    b"{\"id\":\"c1\",\"status\":\"in_progress\",\"name\":\"reboot\",\"parameters\":{}}",
    b"{\"version\":3,\"last_updated\":\"2019-09-05T10:05:26Z\",\"config\":{\"a\":1}}",
    b"\x82\xa1a\x01\xa1b\xcb\x3f\xf8\0\0\0\0\0\0",
    b"door=open",
    b"{\"a\":{\"data\":1},\"a\":2}",
];

/// Lengths of payloads that say nothing: short of what is moved, and of what is waited for, and beyond.
const LENGTHS: [usize; 4] = [100, 9_000, 70_000, 99_000];

/// Topics of neither platform.
const STRANGE: [&str; 4] = ["a/b", "$SYS/x", "//", "é/日"];

/// Appends a PUBLISH, or nothing where the version has none like that. Bytes: topic, flags, packet identifier, payload.
pub(crate) fn publish(
    version: Version,
    topics: &[String],
    [topic, flags, identifier, payload]: [u8; 4],
    out: &mut Vec<u8>,
) {
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let qos = Qos::from_level(flags & 3).unwrap_or(Qos::AtMostOnce);
    let at = usize::from(topic);
    let named = topics.get(at).map(String::as_str);
    let topic_name = named.unwrap_or_else(|| STRANGE[at % STRANGE.len()]);
    let mut buffer = PropertyBuffer::new();
    if version == Version::V5 {
        let chosen = [
            (flag(4), Property::TopicAlias(u16::from(identifier & 7))),
            (flag(5), Property::ResponseTopic(topics.first().map_or("a/b", String::as_str))),
            (flag(6), Property::MessageExpiryInterval(7)),
            (flag(6), Property::UserProperty("name", "value")),
            (flag(7), Property::SubscriptionIdentifier(9)),
        ];
        for (_, property) in chosen.into_iter().filter(|(is_chosen, _)| *is_chosen) {
            // An alias of 0 is no property.
            let _ = buffer.push(property);
        }
    }
    let is_known = flag(4) && identifier & 8 != 0 && version == Version::V5;
    let filler;
    let payload = match PAYLOADS.get(usize::from(payload)) {
        Some(payload) => *payload,
        None => {
            filler = vec![b'7'; LENGTHS[usize::from(payload) % LENGTHS.len()]];
            &filler
        }
    };
    let publish = Publish {
        dup: flag(2) && qos != Qos::AtMostOnce,
        qos,
        retain: flag(3),
        topic_name: if is_known { "" } else { topic_name },
        packet_identifier: (qos != Qos::AtMostOnce).then(|| self::identifier(identifier)),
        properties: buffer.properties(),
        payload,
    };
    let _ = publish.encode(version, out);
}

fn identifier(byte: u8) -> PacketIdentifier {
    PacketIdentifier::new(u16::from(byte & 7) + 1).expect("not 0")
}

/// Appends a packet of another type. Bytes: the packet identifier, and a choice that depends on the type.
pub(crate) fn other(
    version: Version,
    filters: &[String],
    which: u8,
    [identifier, choice]: [u8; 2],
    out: &mut Vec<u8>,
) {
    let five = version == Version::V5;
    let packet_identifier = self::identifier(identifier);
    let properties = Properties::EMPTY;
    let reason_code = match choice {
        0x80.. if five => ReasonCode::UnspecifiedError,
        _ => ReasonCode::Success,
    };
    let acknowledgement = |kind| {
        let reason_code = match kind {
            AcknowledgementKind::Pubrel | AcknowledgementKind::Pubcomp
                if choice >= 0x80 && five =>
            {
                ReasonCode::PacketIdentifierNotFound
            }
            _ => reason_code,
        };
        Packet::Acknowledgement(Acknowledgement {
            kind,
            packet_identifier,
            reason_code,
            properties,
        })
    };
    let codes: &[u8] = &[choice & 3, 0x80, 0, 1];
    let count = usize::from(choice >> 2 & 3) + 1;
    let packet = match which % 14 {
        0 | 1 => return subscribe(version, filters, packet_identifier, choice, out),
        2 => return unsubscribe(version, filters, packet_identifier, choice, out),
        3 => acknowledgement(AcknowledgementKind::Puback),
        4 => acknowledgement(AcknowledgementKind::Pubrec),
        5 => acknowledgement(AcknowledgementKind::Pubrel),
        6 => acknowledgement(AcknowledgementKind::Pubcomp),
        7 => Packet::Suback(Suback {
            packet_identifier,
            properties,
            reason_codes: codes.get(..count).unwrap_or(codes),
        }),
        8 => Packet::Unsuback(Unsuback {
            packet_identifier,
            properties,
            reason_codes: if five { &[0] } else { &[] },
        }),
        9 => Packet::Pingreq,
        10 => Packet::Pingresp,
        11 => Packet::Disconnect(Disconnect {
            reason_code: if five && choice & 1 == 1 {
                ReasonCode::DisconnectWithWillMessage
            } else {
                reason_code
            },
            properties,
        }),
        12 => Packet::Connack(Connack {
            session_present: choice & 1 == 1,
            reason_code: ReasonCode::Success,
            properties,
        }),
        _ => Packet::Auth(Auth { reason_code: ReasonCode::ContinueAuthentication, properties }),
    };
    // A version that hasn't got it says nothing.
    let _ = packet.encode(version, out);
}

fn filter_of(filters: &[String], choice: u8) -> String {
    let at = usize::from(choice & 31);
    let whole = filters.get(at).map_or(STRANGE[at % STRANGE.len()], String::as_str);
    let (before, _) = whole.rsplit_once('/').unwrap_or(("a", whole));
    match choice >> 5 {
        0..=3 => whole.to_owned(),
        4 => format!("{before}/+"),
        5 => format!("{before}/#"),
        6 => "#".to_owned(),
        _ => format!("$share/g/{whole}"),
    }
}

fn subscribe(
    version: Version,
    filters: &[String],
    packet_identifier: PacketIdentifier,
    choice: u8,
    out: &mut Vec<u8>,
) {
    let five = version == Version::V5;
    let filter = filter_of(filters, choice);
    let subscription = Subscription {
        topic_filter: &filter,
        qos: Qos::from_level(choice % 3).unwrap_or(Qos::AtMostOnce),
        no_local: five && choice & 8 != 0 && !filter.starts_with("$share"),
        retain_as_published: five && choice & 16 != 0,
        retain_handling: RetainHandling::Send,
    };
    let more =
        Subscription { topic_filter: filters.first().map_or("x", String::as_str), ..subscription };
    let all = [subscription, more];
    let all = if choice & 64 == 0 { &all[..1] } else { &all };
    let _ = encode_subscribe(version, packet_identifier, Properties::EMPTY, all, out);
}

fn unsubscribe(
    version: Version,
    filters: &[String],
    packet_identifier: PacketIdentifier,
    choice: u8,
    out: &mut Vec<u8>,
) {
    let filter = filter_of(filters, choice);
    let _ = encode_unsubscribe(version, packet_identifier, Properties::EMPTY, &[&filter], out);
}

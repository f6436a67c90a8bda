//! Our codec against itself and against three others, over generated packets and spoilt bytes.
//!
//! - What we encode, we decode to the same fields, and so do rmqtt-codec, mqtt-protocol-core and
//!   mqttbytes, but for the exceptions listed at [`known_to_refuse`].
//! - Whatever bytes we take, we write again so that they mean the same; nothing panics.
//! - Where we and an oracle take a PUBLISH, its fields are equal.
//! - Cutting a stream anywhere doesn't change its packets.

use std::sync::Arc;

use bytes::BytesMut;
use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Auth, Connack, Connect, Disconnect, Packet,
    PacketIdentifier, PacketType, Properties, Property, PropertyBuffer, PropertyIdentifier,
    Publish, Qos, ReasonCode, RetainHandling, Suback, Subscription, Unsuback, Version, Will,
    encode_subscribe, encode_unsubscribe, next_packet,
};
use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use proptest::prelude::*;
use tokio_util::codec::Decoder;

const SIZE_MAX: usize = 1 << 20;

/// Values from which one packet of each type is made.
#[derive(Debug, Clone)]
struct Ingredients {
    version: Version,
    names: Vec<String>,
    text: String,
    bytes: Vec<u8>,
    number: u16,
    long: u32,
    flags: u16,
    /// Which of the properties that a packet may have it has.
    chosen: u32,
}

fn ingredients() -> impl Strategy<Value = Ingredients> {
    let version = prop_oneof![Just(Version::V31), Just(Version::V311), Just(Version::V5)];
    let names = proptest::collection::vec("[a-z0-9é日/ $]{1,40}|[a-z]{60,90}", 1..5);
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    let rest = (1..=u16::MAX, 1..=u32::MAX, any::<u16>(), any::<u32>());
    (version, names, "[a-zA-Zü]{1,22}", bytes, rest).prop_map(
        |(version, names, text, bytes, (number, long, flags, chosen))| Ingredients {
            version,
            names,
            text,
            bytes,
            number,
            long,
            flags,
            chosen,
        },
    )
}

impl Ingredients {
    fn flag(&self, bit: u8) -> bool {
        self.flags & (1 << bit) != 0
    }

    fn qos(&self) -> Qos {
        Qos::from_level(u8::try_from(self.flags % 3).unwrap()).unwrap()
    }

    fn identifier(&self) -> PacketIdentifier {
        PacketIdentifier::new(self.number).unwrap()
    }

    /// The chosen properties for a packet, by the letters of the table in the specification: C CONNECT,
    /// c CONNACK, P PUBLISH, W will, a acknowledgements, S SUBSCRIBE, U UNSUBSCRIBE, D DISCONNECT,
    /// A AUTH.
    fn properties(&self, place: char) -> PropertyBuffer {
        let (text, bytes, byte) = (self.text.as_str(), &self.bytes, u8::from(self.flag(3)));
        let all = [
            ("PW", Property::PayloadFormatIndicator(byte)),
            ("PW", Property::MessageExpiryInterval(self.long)),
            ("PW", Property::ContentType(text)),
            ("PW", Property::ResponseTopic(&self.names[0])),
            ("PW", Property::CorrelationData(bytes)),
            ("PS", Property::SubscriptionIdentifier(self.long % 268_435_455 + 1)),
            ("CcD", Property::SessionExpiryInterval(self.long)),
            ("c", Property::AssignedClientIdentifier(text)),
            ("c", Property::ServerKeepAlive(self.number)),
            ("CcA", Property::AuthenticationMethod(text)),
            ("CcA", Property::AuthenticationData(bytes)),
            ("C", Property::RequestProblemInformation(byte)),
            ("W", Property::WillDelayInterval(self.long)),
            ("C", Property::RequestResponseInformation(byte)),
            ("c", Property::ResponseInformation(text)),
            ("cD", Property::ServerReference(text)),
            ("caDA", Property::ReasonString(text)),
            ("Cc", Property::ReceiveMaximum(self.number)),
            ("Cc", Property::TopicAliasMaximum(self.number)),
            ("P", Property::TopicAlias(self.number)),
            ("c", Property::MaximumQos(byte)),
            ("c", Property::RetainAvailable(byte)),
            ("CcPWaSUDA", Property::UserProperty(text, &self.names[0])),
            ("Cc", Property::MaximumPacketSize(self.long)),
            ("c", Property::WildcardSubscriptionAvailable(byte)),
            ("c", Property::SubscriptionIdentifierAvailable(byte)),
            ("c", Property::SharedSubscriptionAvailable(byte)),
        ];
        let mut buffer = PropertyBuffer::new();
        if self.version < Version::V5 {
            return buffer;
        }
        for (at, (places, property)) in all.into_iter().enumerate() {
            // The method is always there: its data mustn't stand alone.
            let method = matches!(property, Property::AuthenticationMethod(_));
            if places.contains(place) && (method || self.chosen & (1 << at) != 0) {
                buffer.push(property).unwrap();
            }
        }
        for place_for_more in ["Pb", "PWaSU"] {
            if place_for_more.contains(place) && self.flag(9) {
                buffer.push(Property::UserProperty("", text)).unwrap();
            }
        }
        buffer
    }

    /// One packet of each type that the version has, encoded; each is first decoded and compared.
    fn encoded(&self) -> Vec<Vec<u8>> {
        let mut found = vec![
            self.round(Packet::Pingreq),
            self.round(Packet::Pingresp),
            self.subscribe(),
            self.unsubscribe(),
        ];
        let (connect, will) = (self.properties('C'), self.properties('W'));
        found.push(self.round(Packet::Connect(self.connect(&connect, &will))));
        let properties = self.properties('P');
        found.push(self.round(Packet::Publish(self.publish(properties.properties()))));
        found.extend(self.answers());
        found
    }

    /// Encodes, decodes, compares.
    fn round(&self, packet: Packet<'_>) -> Vec<u8> {
        let mut out = vec![0xAA];
        packet.encode(self.version, &mut out).unwrap();
        out.remove(0);
        assert_eq!(decode(&out, self.version), Some(packet));
        out
    }

    fn connect<'a>(
        &'a self,
        properties: &'a PropertyBuffer,
        will: &'a PropertyBuffer,
    ) -> Connect<'a> {
        let user_name = self.flag(4).then_some(self.text.as_str());
        let password = (self.flag(5) && (user_name.is_some() || self.version == Version::V5))
            .then_some(&self.bytes[..]);
        Connect {
            version: self.version,
            clean_start: self.flag(6),
            keep_alive_seconds: self.number,
            client_identifier: &self.text,
            properties: properties.properties(),
            will: self.flag(7).then(|| Will {
                topic_name: &self.names[0],
                payload: &self.bytes,
                qos: self.qos(),
                retain: self.flag(8),
                properties: will.properties(),
            }),
            user_name,
            password,
        }
    }

    fn publish<'a>(&'a self, properties: Properties<'a>) -> Publish<'a> {
        let qos = self.qos();
        Publish {
            dup: self.flag(4) && qos != Qos::AtMostOnce,
            qos,
            retain: self.flag(5),
            topic_name: &self.names[0],
            packet_identifier: (qos != Qos::AtMostOnce).then(|| self.identifier()),
            properties,
            payload: &self.bytes,
        }
    }

    fn subscribe(&self) -> Vec<u8> {
        let five = self.version == Version::V5;
        let wish = |name| Subscription {
            topic_filter: name,
            qos: self.qos(),
            no_local: five && self.flag(4),
            retain_as_published: five && self.flag(5),
            retain_handling: if five && self.flag(6) {
                RetainHandling::DoNotSend
            } else {
                RetainHandling::Send
            },
        };
        let wishes: Vec<_> =
            self.names.iter().map(String::as_str).chain(["+/#"]).map(wish).collect();
        let buffer = self.properties('S');
        let mut out = Vec::new();
        encode_subscribe(self.version, self.identifier(), buffer.properties(), &wishes, &mut out)
            .unwrap();
        let Some(Packet::Subscribe(found)) = decode(&out, self.version) else { panic!("refused") };
        assert_eq!(found.packet_identifier, self.identifier());
        assert_eq!(found.properties, buffer.properties());
        assert_eq!(found.subscriptions().collect::<Vec<_>>(), wishes);
        out
    }

    fn unsubscribe(&self) -> Vec<u8> {
        let filters: Vec<_> = self.names.iter().map(String::as_str).chain(["+/#"]).collect();
        let buffer = self.properties('U');
        let mut out = Vec::new();
        encode_unsubscribe(
            self.version,
            self.identifier(),
            buffer.properties(),
            &filters,
            &mut out,
        )
        .unwrap();
        let Some(Packet::Unsubscribe(found)) = decode(&out, self.version) else {
            panic!("refused")
        };
        assert_eq!(found.packet_identifier, self.identifier());
        assert_eq!(found.topic_filters().collect::<Vec<_>>(), filters);
        out
    }

    fn answers(&self) -> Vec<Vec<u8>> {
        let five = self.version == Version::V5;
        let code = |code| if five && self.flag(4) { code } else { ReasonCode::Success };
        let (c, a) = (self.properties('c'), self.properties('a'));
        let (d, auth) = (self.properties('D'), self.properties('A'));
        let packet_identifier = self.identifier();
        let acknowledgement = |kind, reason_code| {
            let properties = a.properties();
            Packet::Acknowledgement(Acknowledgement {
                kind,
                packet_identifier,
                reason_code,
                properties,
            })
        };
        use AcknowledgementKind as Kind;
        let unsuback: &[u8] = if five { &[0, 0x11, 0x87] } else { &[] };
        let mut packets = vec![
            Packet::Connack(Connack {
                session_present: false,
                reason_code: code(ReasonCode::NotAuthorized),
                properties: c.properties(),
            }),
            acknowledgement(Kind::Puback, code(ReasonCode::QuotaExceeded)),
            acknowledgement(Kind::Pubrec, code(ReasonCode::NoMatchingSubscribers)),
            acknowledgement(Kind::Pubrel, code(ReasonCode::PacketIdentifierNotFound)),
            acknowledgement(Kind::Pubcomp, code(ReasonCode::PacketIdentifierNotFound)),
            Packet::Suback(Suback {
                packet_identifier,
                properties: a.properties(),
                reason_codes: if five { &[0, 0x80, 0x9E] } else { &[0, 1, 2] },
            }),
            Packet::Unsuback(Unsuback {
                packet_identifier,
                properties: a.properties(),
                reason_codes: unsuback,
            }),
            Packet::Disconnect(Disconnect {
                reason_code: code(ReasonCode::ServerShuttingDown),
                properties: d.properties(),
            }),
        ];
        if five {
            packets.push(Packet::Auth(Auth {
                reason_code: ReasonCode::ContinueAuthentication,
                properties: auth.properties(),
            }));
        }
        packets.into_iter().map(|packet| self.round(packet)).collect()
    }
}

fn decode(bytes: &[u8], version: Version) -> Option<Packet<'_>> {
    let raw = next_packet(bytes, version, SIZE_MAX).ok()??;
    Packet::decode(raw, version).ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oracle {
    Rmqtt,
    ProtocolCore,
    Mqttbytes,
}

const ORACLES: [Oracle; 3] = [Oracle::Rmqtt, Oracle::ProtocolCore, Oracle::Mqttbytes];

/// A PUBLISH as any codec sees it: dup, qos, retain, topic name, packet identifier, payload.
type Seen = (bool, u8, bool, String, Option<u16>, Vec<u8>);

/// What an oracle makes of a packet.
enum Opinion {
    Refuses,
    Takes(Option<Seen>),
}

fn ask(oracle: Oracle, bytes: &[u8], version: Version) -> Opinion {
    match (oracle, version) {
        (Oracle::Rmqtt, Version::V5) => rmqtt_5(bytes),
        (Oracle::Rmqtt, _) => rmqtt_3(bytes),
        (Oracle::ProtocolCore, _) => protocol_core(bytes, version),
        (Oracle::Mqttbytes, Version::V5) => mqttbytes_5(bytes),
        (Oracle::Mqttbytes, _) => mqttbytes_3(bytes),
    }
}

/// Both of rmqtt's versions have the same PUBLISH.
fn rmqtt_publish(publish: &rmqtt_codec::types::Publish) -> Opinion {
    Opinion::Takes(Some((
        publish.dup,
        u8::from(publish.qos),
        publish.retain,
        publish.topic.to_string(),
        publish.packet_id.map(u16::from),
        publish.payload.to_vec(),
    )))
}

fn rmqtt_3(bytes: &[u8]) -> Opinion {
    let mut stream = BytesMut::from(bytes);
    match rmqtt_codec::v3::Codec::new(0).decode(&mut stream) {
        Ok(Some((rmqtt_codec::v3::Packet::Publish(publish), _))) => rmqtt_publish(&publish),
        Ok(Some(_)) => Opinion::Takes(None),
        _ => Opinion::Refuses,
    }
}

fn rmqtt_5(bytes: &[u8]) -> Opinion {
    let mut stream = BytesMut::from(bytes);
    match rmqtt_codec::v5::Codec::new(0, 0).decode(&mut stream) {
        Ok(Some((rmqtt_codec::v5::Packet::Publish(publish), _))) => rmqtt_publish(&publish),
        Ok(Some(_)) => Opinion::Takes(None),
        _ => Opinion::Refuses,
    }
}

fn mqttbytes_seen(
    (dup, qos, retain): (bool, mqttbytes::QoS, bool),
    topic: String,
    identifier: u16,
    payload: &[u8],
) -> Opinion {
    let identifier = (identifier != 0).then_some(identifier);
    Opinion::Takes(Some((dup, qos as u8, retain, topic, identifier, payload.to_vec())))
}

fn mqttbytes_3(bytes: &[u8]) -> Opinion {
    match mqttbytes::v4::read(&mut BytesMut::from(bytes), SIZE_MAX) {
        Ok(mqttbytes::v4::Packet::Publish(it)) => {
            mqttbytes_seen((it.dup, it.qos, it.retain), it.topic, it.pkid, &it.payload)
        }
        Ok(_) => Opinion::Takes(None),
        Err(_) => Opinion::Refuses,
    }
}

fn mqttbytes_5(bytes: &[u8]) -> Opinion {
    match mqttbytes::v5::read(&mut BytesMut::from(bytes), SIZE_MAX) {
        Ok(mqttbytes::v5::Packet::Publish(it)) => {
            mqttbytes_seen((it.dup, it.qos, it.retain), it.topic, it.pkid, &it.payload)
        }
        Ok(_) => Opinion::Takes(None),
        Err(_) => Opinion::Refuses,
    }
}

/// It parses bodies only; the fixed header is ours.
fn protocol_core(bytes: &[u8], version: Version) -> Opinion {
    let raw = next_packet(bytes, version, SIZE_MAX).unwrap().unwrap();
    let body: Arc<[u8]> = Arc::from(raw.body);
    let takes = if version == Version::V5 {
        match raw.packet_type {
            PacketType::Publish => {
                return v5_0::Publish::parse(raw.flags, body).map_or(
                    Opinion::Refuses,
                    |(it, _)| {
                        let (topic, payload) =
                            (it.topic_name().to_owned(), it.payload().as_slice());
                        let flags = (it.dup(), it.qos() as u8, it.retain());
                        let seen =
                            (flags.0, flags.1, flags.2, topic, it.packet_id(), payload.to_vec());
                        Opinion::Takes(Some(seen))
                    },
                );
            }
            PacketType::Connect => v5_0::Connect::parse(&body).is_ok(),
            PacketType::Connack => v5_0::Connack::parse(&body).is_ok(),
            PacketType::Puback => v5_0::Puback::parse(&body).is_ok(),
            PacketType::Pubrec => v5_0::Pubrec::parse(&body).is_ok(),
            PacketType::Pubrel => v5_0::Pubrel::parse(&body).is_ok(),
            PacketType::Pubcomp => v5_0::Pubcomp::parse(&body).is_ok(),
            PacketType::Subscribe => v5_0::Subscribe::parse(&body).is_ok(),
            PacketType::Suback => v5_0::Suback::parse(&body).is_ok(),
            PacketType::Unsubscribe => v5_0::Unsubscribe::parse(&body).is_ok(),
            PacketType::Unsuback => v5_0::Unsuback::parse(&body).is_ok(),
            PacketType::Pingreq => v5_0::Pingreq::parse(&body).is_ok(),
            PacketType::Pingresp => v5_0::Pingresp::parse(&body).is_ok(),
            PacketType::Disconnect => v5_0::Disconnect::parse(&body).is_ok(),
            PacketType::Auth => v5_0::Auth::parse(&body).is_ok(),
        }
    } else {
        match raw.packet_type {
            PacketType::Publish => {
                return v3_1_1::Publish::parse(raw.flags, body).map_or(
                    Opinion::Refuses,
                    |(it, _)| {
                        let (topic, payload) =
                            (it.topic_name().to_owned(), it.payload().as_slice());
                        let flags = (it.dup(), it.qos() as u8, it.retain());
                        let seen =
                            (flags.0, flags.1, flags.2, topic, it.packet_id(), payload.to_vec());
                        Opinion::Takes(Some(seen))
                    },
                );
            }
            PacketType::Connect => v3_1_1::Connect::parse(&body).is_ok(),
            PacketType::Connack => v3_1_1::Connack::parse(&body).is_ok(),
            PacketType::Puback => v3_1_1::Puback::parse(&body).is_ok(),
            PacketType::Pubrec => v3_1_1::Pubrec::parse(&body).is_ok(),
            PacketType::Pubrel => v3_1_1::Pubrel::parse(&body).is_ok(),
            PacketType::Pubcomp => v3_1_1::Pubcomp::parse(&body).is_ok(),
            PacketType::Subscribe => v3_1_1::Subscribe::parse(&body).is_ok(),
            PacketType::Suback => v3_1_1::Suback::parse(&body).is_ok(),
            PacketType::Unsubscribe => v3_1_1::Unsubscribe::parse(&body).is_ok(),
            PacketType::Unsuback => v3_1_1::Unsuback::parse(&body).is_ok(),
            PacketType::Pingreq => v3_1_1::Pingreq::parse(&body).is_ok(),
            PacketType::Pingresp => v3_1_1::Pingresp::parse(&body).is_ok(),
            PacketType::Disconnect => v3_1_1::Disconnect::parse(&body).is_ok(),
            PacketType::Auth => false,
        }
    };
    if takes { Opinion::Takes(None) } else { Opinion::Refuses }
}

/// Legal packets that an oracle doesn't know, with the reason.
fn known_to_refuse(oracle: Oracle, packet: &Packet<'_>, version: Version) -> bool {
    match (oracle, packet, version) {
        // 3.1 has a CONNECT of its own, which only rmqtt knows.
        (Oracle::ProtocolCore | Oracle::Mqttbytes, Packet::Connect(_), Version::V31) => true,
        // 5 allows a password without user name (section 3.1.2.9).
        (Oracle::ProtocolCore, Packet::Connect(connect), Version::V5) => {
            connect.password.is_some() && connect.user_name.is_none()
        }
        // Binary passwords are read as UTF-8.
        (Oracle::Mqttbytes, Packet::Connect(connect), _) => {
            connect.password.is_some_and(|password| std::str::from_utf8(password).is_err())
        }
        // No AUTH; no DISCONNECT without properties; UNSUBSCRIBE writes to stderr.
        (
            Oracle::Mqttbytes,
            Packet::Auth(_) | Packet::Disconnect(_) | Packet::Unsubscribe(_),
            Version::V5,
        ) => true,
        _ => false,
    }
}

fn seen(publish: &Publish<'_>) -> Seen {
    (
        publish.dup,
        publish.qos.level(),
        publish.retain,
        publish.topic_name.to_owned(),
        publish.packet_identifier.map(PacketIdentifier::value),
        publish.payload.to_vec(),
    )
}

/// Compares PUBLISH with every oracle that takes it.
fn compare_publish(publish: &Publish<'_>, bytes: &[u8], version: Version) {
    // mqttbytes loses its place behind the second subscription identifier (its fault 4).
    let repeated = |property: &Property<'_>| {
        property.identifier() == PropertyIdentifier::SubscriptionIdentifier
    };
    let confusing = publish.properties.iter().filter(repeated).count() > 1;
    for oracle in ORACLES {
        if confusing && oracle == Oracle::Mqttbytes {
            continue;
        }
        if let Opinion::Takes(theirs) = ask(oracle, bytes, version) {
            assert_eq!(theirs, Some(seen(publish)), "{oracle:?} in {version}");
        }
    }
}

fn spoil(bytes: &mut Vec<u8>, changes: &[(u16, u8, u8)]) {
    for (place, how, byte) in changes {
        let at = usize::from(*place) % bytes.len().max(1);
        match how % 4 {
            0 if !bytes.is_empty() => bytes[at] = *byte,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << (byte % 8),
            2 => bytes.insert(at, *byte),
            _ if !bytes.is_empty() => _ = bytes.remove(at),
            _ => {}
        }
    }
}

/// Whatever we take means the same when we have written it again. Returns whether we took it.
fn stays_itself(bytes: &[u8], version: Version) -> bool {
    let Ok(Some(raw)) = next_packet(bytes, version, SIZE_MAX) else { return false };
    let Ok(packet) = Packet::decode(raw, version) else { return false };
    let mut out = Vec::new();
    packet.encode(version, &mut out).unwrap();
    assert_eq!(decode(&out, version), Some(packet));
    if let Packet::Publish(publish) = packet {
        compare_publish(&publish, raw.bytes, version);
        assert_eq!(out, raw.bytes, "a PUBLISH has one form only");
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_we_encode_everybody_decodes(ingredients in ingredients()) {
        let version = ingredients.version;
        for bytes in ingredients.encoded() {
            let packet = decode(&bytes, version).unwrap();
            for oracle in ORACLES {
                if known_to_refuse(oracle, &packet, version) {
                    continue;
                }
                match ask(oracle, &bytes, version) {
                    Opinion::Refuses => {
                        prop_assert!(false, "{:?} refuses {:?} {:02X?}", oracle, packet, bytes);
                    }
                    Opinion::Takes(_) => {}
                }
            }
            if let Packet::Publish(publish) = packet {
                compare_publish(&publish, &bytes, version);
            }
        }
    }

    #[test]
    fn spoilt_packets_are_refused_or_mean_something(
        ingredients in ingredients(),
        changes in proptest::collection::vec((any::<u16>(), any::<u8>(), any::<u8>()), 1..4),
    ) {
        for mut bytes in ingredients.encoded() {
            spoil(&mut bytes, &changes);
            for version in [Version::V31, Version::V311, Version::V5] {
                stays_itself(&bytes, version);
            }
        }
    }

    /// The length is right and the type too, so that the body is really read.
    #[test]
    fn spoilt_bodies_are_refused_or_mean_something(
        ingredients in ingredients(),
        changes in proptest::collection::vec((any::<u16>(), 0..2_u8, any::<u8>()), 1..3),
    ) {
        for mut bytes in ingredients.encoded() {
            let raw = next_packet(&bytes, ingredients.version, SIZE_MAX).unwrap().unwrap();
            let head = raw.bytes.len() - raw.body.len();
            let mut body = raw.body.to_vec();
            spoil(&mut body, &changes);
            bytes.truncate(head);
            bytes.extend_from_slice(&body);
            stays_itself(&bytes, ingredients.version);
        }
    }

    #[test]
    fn random_bytes_are_refused_or_mean_something(
        packet_type in 0..16_u8,
        flags in prop_oneof![Just(0_u8), Just(2), 0..16_u8],
        body in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..40),
    ) {
        let mut bytes = vec![packet_type << 4 | flags, u8::try_from(body.len()).unwrap()];
        bytes.extend_from_slice(&body);
        for version in [Version::V31, Version::V311, Version::V5] {
            stays_itself(&bytes, version);
        }
    }

    #[test]
    fn cutting_the_stream_changes_nothing(ingredients in ingredients(), cut in any::<u16>()) {
        let version = ingredients.version;
        let packets = ingredients.encoded();
        let stream = packets.concat();
        let cut = usize::from(cut) % stream.len();
        prop_assert_eq!(&fed(&[&stream[..cut], &stream[cut..]], version), &packets);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&fed(&single, version), &packets);
    }
}

/// The packets of a stream that arrives in these pieces.
fn fed(pieces: &[&[u8]], version: Version) -> Vec<Vec<u8>> {
    let (mut buffer, mut packets) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let mut taken = 0;
        while let Some(raw) = next_packet(&buffer[taken..], version, SIZE_MAX).unwrap() {
            packets.push(raw.bytes.to_vec());
            taken += raw.bytes.len();
        }
        buffer.drain(..taken);
    }
    assert!(buffer.is_empty(), "{} bytes are left", buffer.len());
    packets
}

#[test]
fn cutting_one_stream_at_every_place_changes_nothing() {
    let made = Ingredients {
        version: Version::V5,
        names: vec!["plant/7".into(), "é".into()],
        text: "text".into(),
        bytes: vec![7; 130],
        number: 513,
        long: 70_000,
        flags: 0xFFFF,
        chosen: u32::MAX,
    };
    let packets = made.encoded();
    let stream = packets.concat();
    for cut in 0..=stream.len() {
        assert_eq!(fed(&[&stream[..cut], &stream[cut..]], Version::V5), packets, "cut at {cut}");
    }
}

/// Spoilt bodies are often taken, so that the properties above have something to look at.
#[test]
fn the_generator_is_not_vacuous() {
    let mut taken = 0;
    for byte in 0..=255 {
        let publish = [0x32, 8, 0, 1, b't', 0, byte, b'x', b'y', byte];
        taken += usize::from(stays_itself(&publish, Version::V311));
    }
    assert_eq!(taken, 255, "all but packet identifier 0");
}

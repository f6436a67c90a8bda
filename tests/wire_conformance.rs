//! What mqttbytes 0.6 gets wrong, case by case, with the specification's verdict from our decoder.
//!
//! mqttbytes is the best known MQTT codec in Rust and our baseline; an audit of it found the faults
//! below. Each case asserts what we say and what it says, so that the fault stays documented and the
//! test says so when a new version has mended it.

use std::panic::catch_unwind;

use bytes::BytesMut;
use interlingua::mqtt::{
    Packet, PacketIdentifier, Properties, Property, PropertyBuffer, Publish, Qos, ReasonCode,
    Version, WireError, next_packet, topic,
};
use mqttbytes::{v4, v5};

/// Our verdict on one whole packet.
fn ours(bytes: &[u8], version: Version) -> Result<Packet<'_>, WireError> {
    let raw = next_packet(bytes, version, 100_000)?.expect("a whole packet");
    assert_eq!(raw.bytes, bytes, "one packet");
    Packet::decode(raw, version)
}

/// Whether mqttbytes takes it.
fn theirs(bytes: &[u8], version: Version) -> bool {
    let mut stream = BytesMut::from(bytes);
    match version {
        Version::V31 | Version::V311 => v4::read(&mut stream, 100_000).is_ok(),
        Version::V5 => v5::read(&mut stream, 100_000).is_ok(),
    }
}

const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;

#[test]
fn fault_1_a_normal_disconnect_of_5_is_legal() {
    let Ok(Packet::Disconnect(disconnect)) = ours(&[0xE0, 0], V5) else { panic!("refused") };
    assert_eq!(disconnect.reason_code, ReasonCode::Success);
    assert!(!theirs(&[0xE0, 0], V5));
}

#[test]
fn fault_2_a_disconnect_may_be_only_a_reason_code() {
    let Ok(Packet::Disconnect(disconnect)) = ours(&[0xE0, 1, 4], V5) else { panic!("refused") };
    assert_eq!(disconnect.reason_code, ReasonCode::DisconnectWithWillMessage);
    assert!(!theirs(&[0xE0, 1, 4], V5));
    // A reason with an empty list of properties isn't dropped when it's written.
    let mut out = Vec::new();
    ours(&[0xE0, 2, 0x89, 0], V5).unwrap().encode(V5, &mut out).unwrap();
    assert_eq!(out, [0xE0, 1, 0x89]);
}

#[test]
fn fault_3_a_complete_packet_never_asks_for_more_bytes() {
    // A CONNACK of 5 without property length: complete, and wrong.
    let bytes = [0x20, 2, 0, 0];
    assert_eq!(ours(&bytes, V5), Err(WireError::Truncated));
    let mut stream = BytesMut::from(&bytes[..]);
    let verdict = v5::read(&mut stream, 100);
    assert!(matches!(verdict, Err(mqttbytes::Error::InsufficientBytes(_))));
    assert!(stream.is_empty(), "and the packet is gone");
}

#[test]
fn fault_4_three_subscription_identifiers_stay_out_of_the_payload() {
    let bytes = b"\x30\x0D\0\x01t\x06\x0B\x01\x0B\x02\x0B\x03XYZ";
    let Ok(Packet::Publish(publish)) = ours(bytes, V5) else { panic!("refused") };
    assert_eq!(publish.payload, b"XYZ");
    assert_eq!(publish.properties.iter().count(), 3);
    let Ok(v5::Packet::Publish(publish)) = v5::read(&mut BytesMut::from(&bytes[..]), 100) else {
        panic!("mqttbytes refuses now")
    };
    assert_ne!(&publish.payload[..], b"XYZ");
}

#[test]
fn fault_5_a_connack_of_5_always_has_a_property_length() {
    let mut out = Vec::new();
    let connack = ours(&[0x20, 2, 0, 0], V311).unwrap();
    connack.encode(V5, &mut out).unwrap();
    assert_eq!(out, [0x20, 3, 0, 0, 0]);
    let mut theirs = BytesMut::new();
    let connack = v5::ConnAck {
        session_present: false,
        code: v5::ConnectReturnCode::Success,
        properties: None,
    };
    connack.write(&mut theirs).unwrap();
    assert_eq!(&theirs[..], [0x20, 2, 0, 0]);
}

#[test]
fn fault_6_a_connect_can_follow_other_bytes() {
    let bytes = b"\x10\x11\0\x04MQTT\x04\xC2\0\x0A\0\x01c\0\0\0\0";
    let mut out = vec![0x40, 2, 0, 1];
    ours(bytes, V311).unwrap().encode(V311, &mut out).unwrap();
    assert_eq!((&out[..4], &out[4..]), (&[0x40, 2, 0, 1][..], &bytes[..]));

    let mut theirs = BytesMut::new();
    v4::PubAck::new(1).write(&mut theirs).unwrap();
    let before = theirs.len();
    let mut connect = v4::Connect::new("c");
    connect.set_login("u", "p");
    connect.write(&mut theirs).unwrap();
    assert!(!self::theirs(&theirs[before..], V311) || theirs[before + 9] != 0xC2);
}

#[test]
fn fault_7_passwords_are_binary_and_empty_is_not_absent() {
    let binary = b"\x10\x13\0\x04MQTT\x04\xC2\0\x0A\0\x01c\0\0\0\x02\xFF\xFE";
    let Ok(Packet::Connect(connect)) = ours(binary, V311) else { panic!("refused") };
    assert_eq!((connect.user_name, connect.password), (Some(""), Some(&[0xFF, 0xFE][..])));
    assert!(!theirs(binary, V311));

    let empty = b"\x10\x11\0\x04MQTT\x04\xC2\0\x0A\0\x01c\0\0\0\0";
    let Ok(Packet::Connect(connect)) = ours(empty, V311) else { panic!("refused") };
    assert_eq!((connect.user_name, connect.password), (Some(""), Some(&[][..])));
    let Ok(v4::Packet::Connect(connect)) = v4::read(&mut BytesMut::from(&empty[..]), 100) else {
        panic!("mqttbytes refuses now")
    };
    assert!(connect.login.is_none());
}

#[test]
fn fault_8_the_level_decides_how_connect_is_read() {
    let five = b"\x10\x0E\0\x04MQTT\x05\x02\0\x0A\0\0\x01c";
    let Ok(Packet::Connect(connect)) = ours(five, V311) else { panic!("refused") };
    assert_eq!((connect.version, connect.client_identifier), (V5, "c"));
    let Ok(v4::Packet::Connect(connect)) = v4::read(&mut BytesMut::from(&five[..]), 100) else {
        panic!("mqttbytes refuses now")
    };
    assert_ne!(connect.client_id, "c");
}

#[test]
fn fault_9_auth_exists_in_5_only() {
    let auth = b"\xF0\x06\x18\x04\x15\0\x01m";
    assert!(matches!(ours(auth, V5), Ok(Packet::Auth(_))));
    assert!(!theirs(auth, V5));
    assert_eq!(ours(auth, V311), Err(WireError::PacketTypeInvalid(15)));
    assert_eq!(ours(auth, V31), Err(WireError::PacketTypeInvalid(15)));
}

#[test]
fn fault_10_mqtt_3_1_is_a_version() {
    let bytes = b"\x10\x0F\0\x06MQIsdp\x03\x02\0\x0A\0\x01c";
    assert!(matches!(ours(bytes, V311), Ok(Packet::Connect(connect)) if connect.version == V31));
    assert!(!theirs(bytes, V311));
    let bridge = b"\x10\x0D\0\x04MQTT\x84\x02\0\x0A\0\x01c";
    let refused = WireError::UnsupportedProtocolVersion { level: 0x84 };
    assert_eq!(ours(bridge, V311), Err(refused));
    assert_eq!(refused.reason_code(), ReasonCode::UnsupportedProtocolVersion);
}

fn publish<'a>(topic_name: &'a str) -> Publish<'a> {
    Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic_name,
        packet_identifier: PacketIdentifier::new(1),
        properties: Properties::EMPTY,
        payload: b"p",
    }
}

#[test]
fn fault_11_a_length_that_does_not_fit_is_refused() {
    let long = "x".repeat(70_000);
    let mut out = Vec::new();
    assert!(publish(&long).encode(V311, &mut out).is_err());
    assert!(out.is_empty());
    let mut theirs = BytesMut::new();
    let written = v4::Publish::new(long, mqttbytes::QoS::AtMostOnce, "p").write(&mut theirs);
    assert!(written.is_ok(), "and the topic's length says {:?}", &theirs[4..6]);
}

#[test]
fn fault_12_a_failed_encode_writes_nothing() {
    let mut out = vec![1, 2, 3];
    let nameless = Publish { packet_identifier: None, ..publish("t") };
    assert!(nameless.encode(V311, &mut out).is_err());
    assert_eq!(out, [1, 2, 3]);
    let mut theirs = BytesMut::new();
    let packet = v4::Publish::new("t", mqttbytes::QoS::AtLeastOnce, "p");
    assert!(packet.write(&mut theirs).is_err());
    assert!(!theirs.is_empty());
}

#[test]
fn fault_13_dollar_topics_match_filters_that_name_them() {
    for filter in ["$SYS/#", "$SYS/x", "$SYS/+"] {
        assert!(topic::matches("$SYS/x", filter), "{filter}");
        assert!(!mqttbytes::matches("$SYS/x", filter), "{filter}");
    }
    assert!(!topic::matches("$SYS/x", "#"));
    assert!(!topic::matches("$SYS/x", "+/x"));
}

#[test]
fn fault_14_and_panic_2_unsubscribe_of_5_writes_to_nothing_but_its_buffer() {
    // mqttbytes prints a line to stderr for each one, and panics if that is closed; it isn't run.
    let bytes = b"\xA2\x06\0\x01\0\0\x01t";
    let mut out = Vec::new();
    ours(bytes, V5).unwrap().encode(V5, &mut out).unwrap();
    assert_eq!(out, bytes);
}

/// Cases that the specification refuses and mqttbytes takes.
fn refused(cases: &[(&[u8], Version, &str)]) {
    for (bytes, version, label) in cases {
        match ours(bytes, *version) {
            Ok(packet) => panic!("{bytes:02X?} taken: {packet:?}"),
            Err(fault) => assert_eq!(fault.label(), *label, "{bytes:02X?}"),
        }
        assert!(theirs(bytes, *version), "mqttbytes refuses {bytes:02X?} now");
    }
}

#[test]
fn fault_15_lengths_have_the_fewest_bytes_possible() {
    refused(&[
        (&[0xC0, 0x80, 0], V311, "variable_byte_integer_not_minimal"),
        (&[0xC0, 0x80, 0x80, 0x80, 0], V311, "variable_byte_integer_not_minimal"),
        (&[0x30, 5, 0, 1, b't', 0x80, 0], V5, "variable_byte_integer_not_minimal"),
    ]);
}

#[test]
fn fault_16_reserved_flags_are_what_they_must_be() {
    refused(&[
        (&[0xC1, 0], V311, "flags_invalid"),
        (&[0x60, 2, 0, 1], V311, "flags_invalid"),
        (b"\x80\x06\0\x01\0\x01a\0", V311, "flags_invalid"),
        (b"\x1F\x0D\0\x04MQTT\x04\x02\0\x0A\0\x01c", V311, "flags_invalid"),
        (&[0x6A, 2, 0, 1], V311, "flags_invalid"),
        (&[0x41, 2, 0, 1], V5, "flags_invalid"),
    ]);
    // Only 3.1 sends these again with DUP.
    assert!(ours(&[0x6A, 2, 0, 1], V31).is_ok());
    assert!(ours(b"\x8A\x06\0\x01\0\x01a\0", V31).is_ok());
    assert!(ours(b"\xAA\x05\0\x01\0\x01a", V31).is_ok());
}

#[test]
fn fault_17_connect_does_not_contradict_itself() {
    refused(&[
        (b"\x10\x0D\0\x04MQTT\x04\x03\0\x0A\0\x01c", V311, "connect_flags_invalid"),
        (b"\x10\x10\0\x04MQTT\x04\x42\0\x0A\0\x01c\0\x01p", V311, "password_without_user_name"),
        (b"\x10\x0E\0\x04MQTT\x04\x02\0\x0A\0\x01c!", V311, "trailing_bytes"),
        (b"\x10\x0C\0\x04MQTT\x04\0\0\x0A\0\0", V311, "client_identifier_invalid"),
        (b"\x10\x0D\0\x04MQTT\x04\x02\0\x0A\0\x01\0", V311, "string_has_null"),
        (b"\x10\x12\0\x04MQTT\x04\x06\0\x0A\0\x01c\0\x01#\0\0", V311, "topic_name_invalid"),
    ]);
}

#[test]
fn fault_18_publish_names_a_topic() {
    refused(&[
        (b"\x38\x03\0\x01t", V311, "dup_without_qos"),
        (b"\x30\x02\0\0", V311, "topic_name_invalid"),
        (b"\x30\x03\0\x01+", V311, "topic_name_invalid"),
        (b"\x30\x03\0\x01#", V311, "topic_name_invalid"),
        (b"\x30\x03\0\x01\0", V311, "string_has_null"),
        (b"\x30\x03\0\0\0", V5, "topic_name_missing"),
        (b"\x30\x06\0\0\x03\x23\0\0", V5, "topic_alias_invalid"),
        (b"\x30\x08\0\x01t\x04\x08\0\x01#", V5, "topic_name_invalid"),
    ]);
}

#[test]
fn fault_19_packet_identifiers_are_not_zero_and_bodies_end() {
    refused(&[
        (&[0x40, 2, 0, 0], V311, "packet_identifier_zero"),
        (&[0x50, 2, 0, 0], V311, "packet_identifier_zero"),
        (&[0x62, 2, 0, 0], V311, "packet_identifier_zero"),
        (&[0x70, 2, 0, 0], V311, "packet_identifier_zero"),
        (b"\x82\x06\0\0\0\x01a\0", V311, "packet_identifier_zero"),
        (b"\xA2\x05\0\0\0\x01a", V311, "packet_identifier_zero"),
        (&[0x40, 3, 0, 1, 9], V311, "trailing_bytes"),
        (&[0x50, 3, 0, 1, 9], V311, "trailing_bytes"),
        (&[0x62, 3, 0, 1, 9], V311, "trailing_bytes"),
        (&[0x70, 3, 0, 1, 9], V311, "trailing_bytes"),
        (&[0xC0, 1, 0], V311, "trailing_bytes"),
        (&[0xE0, 1, 0], V311, "trailing_bytes"),
    ]);
    // This one mqttbytes refuses too.
    assert_eq!(ours(&[0xB0, 3, 0, 1, 9], V311), Err(WireError::TrailingBytes));
}

#[test]
fn fault_20_subscriptions_have_filters_and_legal_options() {
    refused(&[
        (b"\x82\x02\0\x01", V311, "topic_filters_missing"),
        (b"\xA2\x02\0\x01", V311, "topic_filters_missing"),
        (b"\x82\x06\0\x01\0\x01a\x40", V311, "subscription_options_invalid"),
        (b"\x82\x05\0\x01\0\0\0", V311, "topic_filter_invalid"),
        (b"\x82\x09\0\x01\0\x04a+/b\0", V311, "topic_filter_invalid"),
        (b"\x82\x0A\0\x01\0\x05a/#/b\0", V311, "topic_filter_invalid"),
        (b"\x82\x07\0\x01\0\0\x01a\xC0", V5, "subscription_options_invalid"),
        (b"\x82\x0E\0\x01\0\0\x08$share/g\0", V5, "topic_filter_invalid"),
        (b"\x82\x10\0\x01\0\0\x0A$share/g/x\x04", V5, "no_local_on_shared_subscription"),
    ]);
    for filter in ["a+/b", "a/+b", "a\0b"] {
        assert!(!topic::is_valid_filter(filter));
        assert!(mqttbytes::valid_filter(filter), "{filter:?}");
    }
}

#[test]
fn fault_21_properties_are_few_legal_and_inside_their_length() {
    refused(&[
        (b"\x30\x08\0\x01t\x04\x01\0\x01\0", V5, "property_duplicate"),
        (b"\x30\x06\0\x01t\x02\x01\x07", V5, "property_value_invalid"),
        (b"\x30\x06\0\x01t\x02\x0B\0", V5, "property_value_invalid"),
        (b"\x10\x11\0\x04MQTT\x05\x02\0\x0A\x03\x21\0\0\0\x01c", V5, "property_value_invalid"),
        (b"\x10\x13\0\x04MQTT\x05\x02\0\x0A\x05\x27\0\0\0\0\0\x01c", V5, "property_value_invalid"),
        (b"\x10\x10\0\x04MQTT\x05\x02\0\x0A\x02\x17\x09\0\x01c", V5, "property_value_invalid"),
        (
            b"\x10\x12\0\x04MQTT\x05\x02\0\x0A\x04\x16\0\x01d\0\x01c",
            V5,
            "authentication_method_missing",
        ),
        // The message expiry interval runs past the property length, into the payload.
        (b"\x30\x09\0\x01t\x02\x02\0\0\0\x01", V5, "truncated"),
    ]);
}

#[test]
fn fault_22_connack_has_no_strange_flags() {
    refused(&[
        (&[0x20, 2, 0xFE, 0], V311, "connack_flags_invalid"),
        (&[0x20, 2, 1, 5], V311, "session_present_with_refusal"),
        (&[0x20, 3, 1, 0x87, 0], V5, "session_present_with_refusal"),
    ]);
}

#[test]
fn faults_23_and_24_encoding_appends_the_packet_and_allocates_nothing_else() {
    let packets: [&[u8]; 3] =
        [b"\x10\x0D\0\x04MQTT\x04\x02\0\x0A\0\x01c", &[0x90, 4, 0, 1, 0, 1], &[0xB0, 2, 0, 1]];
    for bytes in packets {
        let mut out = Vec::with_capacity(bytes.len());
        let room = out.as_ptr();
        ours(bytes, V311).unwrap().encode(V311, &mut out).unwrap();
        assert_eq!(out, bytes);
        assert_eq!(out.as_ptr(), room, "it fits the room of the packet");
    }
    let mut theirs = BytesMut::new();
    let written = v4::Connect::new("c").write(&mut theirs).unwrap();
    assert_ne!(written, theirs.len());
}

#[test]
fn fault_25_nothing_is_no_topic() {
    assert!(!topic::is_valid_name(""));
    assert!(mqttbytes::valid_topic(""));
}

#[test]
fn panic_1_topics_begin_with_any_character() {
    for name in ["é/x", "日本"] {
        assert!(topic::matches(name, "#"));
        assert!(catch_unwind(|| mqttbytes::matches(name, "#")).is_err(), "{name}");
    }
}

#[test]
fn panic_3_a_packet_of_another_type_is_an_error() {
    for first in [0x30, 0x40, 0x82, 0x90, 0xA2, 0xB0, 0x20, 0x10, 0xE0] {
        let bytes = [first, 0];
        let mut raw = next_packet(&bytes, V311, 10).unwrap().unwrap();
        raw.body = b"\0";
        assert!(Publish::decode(raw, V311).is_err());
        assert!(Packet::decode(raw, V311).is_err());
    }
}

/// Legal packets, the other half of the matrix: being strict mustn't mean refusing these.
#[test]
fn what_is_legal_is_taken() {
    let cases: &[(&[u8], Version)] = &[
        (b"\x10\x0C\0\x04MQTT\x04\x02\0\x0A\0\0", V311),
        (b"\x10\x0D\0\x04MQTT\x05\0\0\x0A\0\0\0", V5),
        (b"\x10\x10\0\x04MQTT\x05\x42\0\x0A\0\0\0\0\x01p", V5),
        (b"\x10\x12\0\x04MQTT\x04\x36\0\x0A\0\x01c\0\x01w\0\0", V311),
        (b"\x30\x07\0\0\x03\x23\0\x01p", V5),
        (b"\x30\x09\0\x01t\x05\x02\0\0\0\0", V5),
        (b"\x30\x03\0\x01t", V311),
        (b"\x30\x05\0\x03\xEF\xBB\xBF", V311),
        (b"\x3C\x05\0\x01t\0\x01", V311),
        (b"\x40\x03\0\x01\x10", V5),
        (b"\x90\x03\0\x01\x80", V311),
        (b"\xF0\0", V5),
        (b"\x82\x10\0\x01\0\0\x0A$share/g/#\x02", V5),
        (b"\x82\x08\0\x01\0\x03+/#\x01", V311),
    ];
    for (bytes, version) in cases {
        if let Err(fault) = ours(bytes, *version) {
            panic!("{bytes:02X?} in {version} refused: {fault}");
        }
    }
}

#[test]
fn authentication_data_needs_a_method_when_it_is_written_too() {
    let mut buffer = PropertyBuffer::new();
    buffer.push(Property::AuthenticationData(b"d")).unwrap();
    let Ok(Packet::Connack(connack)) = ours(&[0x20, 3, 0, 0, 0], V5) else { panic!("refused") };
    let connack = interlingua::mqtt::Connack { properties: buffer.properties(), ..connack };
    assert!(connack.encode(V5, &mut Vec::new()).is_err());
}

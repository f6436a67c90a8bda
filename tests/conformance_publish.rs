//! Statements of sections 3.3 to 3.7: PUBLISH, and the packets that answer it.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Packet, Property, Publish, ReasonCode, Version,
};
use script::packets::*;
use script::pairs;

const MALFORMED: ReasonCode = ReasonCode::MalformedPacket;

// ---- flags ----

/// Who sends again says so, and the other side sees it: the same message of the same session.
#[test]
fn v5_3_3_1_1_a_message_sent_again_has_dup() {
    let (up, down) = ((UP, UP_THERE), (DOWN, DOWN_THERE));
    for (script, version, there) in
        [(to_5(V311, &[]), V311, V5), (from_5(&[]), V5, V311), (homes_of(V311), V311, V311)]
    {
        let given = |v, qos, id, topic, payload| publish(v, publish_of(qos, id, topic, payload));
        let again = |v, qos, id, topic, payload| {
            publish(v, Publish { dup: true, ..publish_of(qos, id, topic, payload) })
        };
        let mut script = script
            .connected()
            .device_sends(subscribe(version, 1, &[(down.0, Q2)]))
            .upstream_receives(subscribe(there, 1, &[(down.1, Q2)]))
            .upstream_sends(suback(there, 1, &[2]))
            .device_receives(suback(version, 1, &[2]));
        for (id, qos) in [(7, Q1), (8, Q2)] {
            script = script
                .device_sends(given(version, qos, id, up.0, REPORT))
                .upstream_receives(given(there, qos, id, up.1, REPORT))
                .device_sends(again(version, qos, id, up.0, REPORT))
                .upstream_receives(again(there, qos, id, up.1, REPORT))
                .upstream_sends(given(there, qos, id, down.1, SET))
                .device_receives(given(version, qos, id, down.0, SET))
                .upstream_sends(again(there, qos, id, down.1, SET))
                .device_receives(again(version, qos, id, down.0, SET));
        }
        script.goes_on().play();
    }
}

fn dup_needs_qos(version: Version) {
    let message = raw(0x38, &[&field(b"t"), none(version), b"x"]);
    either_violates(version, &message, MALFORMED);
    either_violates(version, &[&[0x39], &message[1..]].concat(), MALFORMED);
}

#[test]
fn v3_3_3_1_2_dup_is_0_at_qos_0() {
    dup_needs_qos(V311);
}

#[test]
fn v5_3_3_1_2_dup_is_0_at_qos_0() {
    dup_needs_qos(V5);
}

/// The device sends again what an older connection didn't acknowledge; to the upstream, whose session is new, it is new.
#[test]
fn v3_3_3_1_3_dup_says_whether_the_upstream_was_sent_it_before() {
    for (qos, most) in [(Q1, Q1), (Q2, Q1)] {
        let again = Publish { dup: true, ..publish_of(qos, 5, "TOK-4711/json/77", b"23.5") };
        pairs::thingscale_to_omnicore()
            .connected()
            .device_sends(publish(V311, again))
            .upstream_receives(publish(V311, publish_of(most, 5, "/plant/d77/events", b"23.5")))
            .goes_on()
            .play();
    }
}

fn qos_3_is_none(version: Version) {
    for first in [0x36, 0x37, 0x3E, 0x3F] {
        let message = raw(first, &[&field(b"t"), &[0, 1], none(version), b"x"]);
        either_violates(version, &message, MALFORMED);
    }
}

#[test]
fn v3_3_3_1_4_qos_3_closes_the_connection() {
    qos_3_is_none(V311);
}

#[test]
fn v5_3_3_1_4_qos_3_closes_the_connection() {
    qos_3_is_none(V5);
}

/// Whatever version 5 says of a subscription passes in plain, and RETAIN comes back as the upstream sets it.
#[test]
fn v5_3_3_1_9_the_options_of_a_subscription_pass() {
    let options = [0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x28, 0x2E];
    let wishes: Vec<u8> = options.iter().flat_map(|one| [0, 1, b't', *one]).collect();
    let packet = raw(0x82, &[&[0, 1], &[2, 0x0B, 9], &wishes]);
    let retained = Publish { retain: true, ..publish_of(Q0, 0, "t", b"x") };
    pairs::plain(V5)
        .connected()
        .device_sends(packet.clone())
        .upstream_receives(packet)
        .upstream_sends(publish(V5, retained))
        .device_receives(publish(V5, retained))
        .goes_on()
        .play();
}

// ---- topic names ----

fn names_have_no_wildcards(version: Version) {
    for topic in [&b"+"[..], b"#", b"a/+", b"a/#", b"a+b", b"a#", b"+/b"] {
        let message = raw(0x30, &[&field(topic), none(version), b"x"]);
        either_violates(version, &message, ReasonCode::TopicNameInvalid);
    }
}

#[test]
fn v3_3_3_2_2_a_topic_name_has_no_wildcards() {
    names_have_no_wildcards(V311);
}

#[test]
fn v5_3_3_2_2_a_topic_name_has_no_wildcards() {
    names_have_no_wildcards(V5);
}

#[test]
fn v3_4_7_3_1_a_topic_name_is_not_empty() {
    either_violates(V311, &raw(0x30, &[&field(b""), b"x"]), ReasonCode::TopicNameInvalid);
}

#[test]
fn v5_4_7_3_1_a_topic_name_is_not_empty() {
    either_violates(V5, &raw(0x30, &[&field(b""), &[0], b"x"]), ReasonCode::ProtocolError);
}

// ---- properties ----

/// In a session that translates: whatever the message says besides passes both ways, in its order.
#[test]
fn v5_3_3_2_4_what_a_message_says_besides_is_not_altered() {
    let list = [
        Property::UserProperty("b", "2"),
        Property::PayloadFormatIndicator(1),
        Property::UserProperty("a", "1"),
        Property::MessageExpiryInterval(60),
        Property::CorrelationData(b"\x00\xFF"),
        Property::UserProperty("b", "2"),
        Property::ContentType("application/json"),
        Property::UserProperty("", ""),
    ];
    let buffer = properties(&list);
    let with = |qos, id, topic, payload| {
        let properties = buffer.properties();
        publish(V5, Publish { properties, ..publish_of(qos, id, topic, payload) })
    };
    let mut script = pairs::mqtt2go_to_mqtt2go()
        .connected()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q2)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q2)]))
        .upstream_sends(suback(V5, 1, &[2]))
        .device_receives(suback(V5, 1, &[2]));
    for (qos, id) in [(Q0, 0), (Q1, 7), (Q2, 8)] {
        script = script
            .device_sends(with(qos, id, LAMP.0, REPORT))
            .upstream_receives(with(qos, id, LAMP.1, REPORT))
            .upstream_sends(with(qos, id, LIGHT.1, SET))
            .device_receives(with(qos, id, LIGHT.0, SET));
    }
    script.goes_on().play();
}

/// A will is a message, too.
#[test]
fn v5_3_1_3_10_an_emulated_will_keeps_its_user_properties() {
    let buffer = properties(&[
        Property::UserProperty("b", "2"),
        Property::UserProperty("a", "1"),
        Property::ContentType("application/json"),
        Property::CorrelationData(b"c"),
    ]);
    let properties = buffer.properties();
    let last = interlingua::mqtt::Will { properties, ..will(LAMP.0, REPORT, Q0) };
    let given = interlingua::mqtt::Connect { will: Some(last), ..connect_of(V5, "lamp1") };
    let script = pairs::mqtt2go_to_omnicore5();
    let opening = script::Opening { device_connect: connect(given), ..script.opening() };
    let there = publish_of(Q0, 0, "/plant/lamp1/events/light", REPORT);
    script
        .opening_with(opening)
        .connected()
        .device_closes()
        .upstream_receives(publish(V5, Publish { properties, ..there }))
        .upstream_receives(disconnect(V5, ReasonCode::Success))
        .play();
}

/// A message with one property, given as bytes.
fn with_property(property: &[u8]) -> Vec<u8> {
    let length = [u8::try_from(property.len()).unwrap()];
    raw(0x30, &[&field(b"t"), &length, property, b"x"])
}

#[test]
fn v5_3_3_2_13_response_topic_and_content_type_are_utf_8() {
    for identifier in [0x08, 0x03] {
        let property = [&[identifier][..], &field(b"a\xED\xA0\x80")].concat();
        either_violates(V5, &with_property(&property), MALFORMED);
    }
}

#[test]
fn v5_3_3_2_14_a_response_topic_has_no_wildcards() {
    for topic in [&b"+"[..], b"a/#", b"#"] {
        let property = [&[0x08][..], &field(topic)].concat();
        either_violates(V5, &with_property(&property), ReasonCode::TopicNameInvalid);
    }
}

// ---- the answers ----

/// Every answer to a message that ends in the proxy, in front of a platform with QoS 2 and one without.
#[test]
fn v5_3_3_4_1_a_message_that_ends_here_is_answered_by_its_qos() {
    let lost = |v, qos, id| publish(v, publish_of(qos, id, "elsewhere/x", b"x"));
    for script in [pairs::thingscale_to_omnicore(), pairs::mqtt2go_to_omnicore()] {
        script
            .connected()
            .device_sends(lost(V311, Q0, 0))
            .device_sends(lost(V311, Q1, 1))
            .device_receives([0x40, 2, 0, 1])
            .device_sends(lost(V311, Q2, 2))
            .device_receives([0x50, 2, 0, 2])
            .goes_on()
            .play();
    }
    for script in sessions_of(V5).into_iter().skip(1) {
        script
            .connected()
            .device_sends(lost(V5, Q0, 0))
            .device_sends(lost(V5, Q1, 1))
            .device_receives([0x40, 3, 0, 1, 0x90])
            .device_sends(lost(V5, Q2, 2))
            .device_receives([0x50, 3, 0, 2, 0x90])
            .goes_on()
            .play();
    }
}

/// Each code of the packet's table passes both ways; any other one is malformed.
fn codes_are_of_the_table(first: u8, table: &[u8]) {
    for code in codes_around(table) {
        let bytes = [first, 3, 0, 9, code];
        if table.contains(&code) {
            pairs::plain(V5)
                .connected()
                .device_sends(bytes)
                .upstream_receives(bytes)
                .upstream_sends(bytes)
                .device_receives(bytes)
                .goes_on()
                .play();
        } else {
            device_violates(pairs::plain(V5), &bytes, MALFORMED);
            upstream_violates(pairs::plain(V5), &bytes, MALFORMED);
        }
    }
}

const OF_MESSAGES: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];

#[test]
fn v5_3_4_2_1_puback_has_a_code_of_its_table() {
    codes_are_of_the_table(0x40, &OF_MESSAGES);
}

#[test]
fn v5_3_5_2_1_pubrec_has_a_code_of_its_table() {
    codes_are_of_the_table(0x50, &OF_MESSAGES);
}

#[test]
fn v5_3_6_2_1_pubrel_has_a_code_of_its_table() {
    codes_are_of_the_table(0x62, &[0x00, 0x92]);
}

#[test]
fn v5_3_7_2_1_pubcomp_has_a_code_of_its_table() {
    codes_are_of_the_table(0x70, &[0x00, 0x92]);
}

/// What explains an answer passes with it, in a translated session too. What is larger than its receiver takes was not
/// allowed to come: each side was told the other one's limit.
#[test]
fn v5_3_4_2_2_an_explanation_never_exceeds_the_receivers_limit() {
    use AcknowledgementKind::{Puback, Pubcomp, Pubrec, Pubrel};
    let explained = |kind, length: usize| {
        let reason = "r".repeat(length);
        let buffer = properties(&[Property::ReasonString(&reason)]);
        let plain = Acknowledgement::success(kind, id(9));
        bytes(
            V5,
            Packet::Acknowledgement(Acknowledgement { properties: buffer.properties(), ..plain }),
        )
    };
    let limit = [Property::MaximumPacketSize(60)];
    for kind in [Puback, Pubrec, Pubrel, Pubcomp] {
        let (fits, large) = (explained(kind, 51), explained(kind, 52));
        assert_eq!((fits.len(), large.len()), (60, 61));
        two_homes_saying(&limit, &limit)
            .connected()
            .device_sends(fits.clone())
            .upstream_receives(fits.clone())
            .upstream_sends(fits.clone())
            .device_receives(fits)
            .goes_on()
            .play();
        let large_code = ReasonCode::PacketTooLarge;
        device_violates(two_homes_saying(&limit, &limit), &large, large_code);
        upstream_violates(two_homes_saying(&limit, &limit), &large, large_code);
    }
}

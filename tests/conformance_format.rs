//! Statements of chapters 1 and 2, about what every packet is made of: strings, lengths, flags, identifiers.
//!
//! Each is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{Connect, ReasonCode, Version};
use interlingua::session::End;
use script::packets::*;
use script::{Opening, pairs};

/// A lone surrogate, a broken sequence, a byte that UTF-8 hasn't, an overlong slash, beyond the last character.
const ILL_FORMED: [&[u8]; 5] =
    [b"a\xED\xA0\x80", b"a\xC3\x28", b"a\xFF", b"a\xC0\xAF", b"a\xF4\x90\x80\x80"];

/// Packets with such a string that both sides may send, and those of devices.
fn both_with(version: Version, string: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![raw(0x30, &[&field(string), none(version), b"x"])];
    if version == V5 {
        let property = [&[0x03][..], &field(string)].concat();
        let length = [u8::try_from(property.len()).unwrap()];
        all.push(raw(0x30, &[&field(b"t"), &length, &property]));
    }
    all
}

fn devices_with(version: Version, string: &[u8]) -> Vec<Vec<u8>> {
    let subscribe = raw(0x82, &[&[0, 1], none(version), &field(string), &[0]]);
    vec![subscribe, raw(0xA2, &[&[0, 1], none(version), &field(string)])]
}

fn strings_are_refused(version: Version, strings: &[&[u8]]) {
    for string in strings {
        for packet in both_with(version, string) {
            either_violates(version, &packet, ReasonCode::MalformedPacket);
        }
        for packet in devices_with(version, string) {
            every_device_violates(version, &packet, ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn v3_1_5_3_1_ill_formed_utf_8_closes_the_connection() {
    strings_are_refused(V311, &ILL_FORMED);
}

#[test]
fn v5_1_5_4_1_ill_formed_utf_8_closes_the_connection() {
    strings_are_refused(V5, &ILL_FORMED);
}

#[test]
fn v3_1_5_3_2_a_null_character_closes_the_connection() {
    strings_are_refused(V311, &[b"\0", b"a\0b"]);
}

#[test]
fn v5_1_5_4_2_a_null_character_closes_the_connection() {
    strings_are_refused(V5, &[b"\0", b"a\0b"]);
}

/// In every place of a topic, and where a topic is translated.
fn a_no_break_space_is_kept(version: Version) {
    for topic in ["\u{FEFF}", "\u{FEFF}a/b", "a/b\u{FEFF}", "a/\u{FEFF}/b"] {
        let message = publish(version, publish_of(Q0, 0, topic, "\u{FEFF}x".as_bytes()));
        pairs::plain(version)
            .connected()
            .device_sends(message.clone())
            .upstream_receives(message.clone())
            .upstream_sends(message.clone())
            .device_receives(message)
            .goes_on()
            .play();
    }
}

#[test]
fn v3_1_5_3_3_a_zero_width_no_break_space_is_kept() {
    a_no_break_space_is_kept(V311);
}

#[test]
fn v5_1_5_4_3_a_zero_width_no_break_space_is_kept() {
    a_no_break_space_is_kept(V5);
    let named = |home: &str, way: &str| format!("{home}/lamp1/\u{FEFF}light/{way}");
    let there = publish(V5, publish_of(Q0, 0, &named("h9/gw9", "out"), REPORT));
    let brought = publish(V5, publish_of(Q0, 0, &named("h9/gw9", "in"), SET));
    pairs::mqtt2go_to_mqtt2go()
        .connected()
        .device_sends(publish(V5, publish_of(Q0, 0, &named("h1/gw1", "out"), REPORT)))
        .upstream_receives(there)
        .device_sends(subscribe(V5, 1, &[(&named("h1/gw1", "in"), Q0)]))
        .upstream_receives(subscribe(V5, 1, &[(&named("h9/gw9", "in"), Q0)]))
        .upstream_sends(suback(V5, 1, &[0]))
        .device_receives(suback(V5, 1, &[0]))
        .upstream_sends(brought)
        .device_receives(publish(V5, publish_of(Q0, 0, &named("h1/gw1", "in"), SET)))
        .goes_on()
        .play();
}

#[test]
fn v5_1_5_5_1_lengths_and_numbers_have_the_fewest_bytes() {
    let code = ReasonCode::MalformedPacket;
    // The property length of a message.
    either_violates(V5, &raw(0x30, &[&field(b"t"), &[0x80, 0]]), code);
    // A subscription identifier: 1 in two bytes.
    let subscribe = raw(0x82, &[&[0, 1], &[3, 0x0B, 0x81, 0], &field(b"t"), &[0]]);
    every_device_violates(V5, &subscribe, code);
    // The remaining length.
    every_device_violates(V5, &[0xC0, 0x80, 0], code);
    for script in sessions_of(V5) {
        upstream_violates(script, &[0xD0, 0x80, 0], code);
    }
}

#[test]
fn v5_1_5_7_1_both_strings_of_a_user_property_are_well_formed() {
    for (name, value) in [(&b"\xFF"[..], &b"v"[..]), (b"n", b"\xFF"), (b"\0", b"v"), (b"n", b"\0")]
    {
        let property = [&[0x26][..], &field(name), &field(value)].concat();
        let length = [u8::try_from(property.len()).unwrap()];
        let message = raw(0x30, &[&field(b"t"), &length, &property]);
        either_violates(V5, &message, ReasonCode::MalformedPacket);
    }
}

/// In every packet that the proxy makes itself.
#[test]
fn v5_2_2_2_1_no_properties_are_a_length_of_0() {
    // CONNACK has its length always.
    pairs::plain(V5)
        .device_sends(connect(connect_of(V5, "dev")))
        .upstream_unreachable()
        .device_receives([0x20, 3, 0, 0x88, 0])
        .play();
    // SUBACK and UNSUBACK, too.
    let elsewhere = "elsewhere/x";
    pairs::mqtt2go_to_mqtt2go()
        .connected()
        .device_sends(subscribe(V5, 1, &[(elsewhere, Q0)]))
        .device_receives([0x90, 4, 0, 1, 0, 0x8F])
        .device_sends(unsubscribe(V5, 2, &[elsewhere]))
        .device_receives([0xB0, 4, 0, 2, 0, 0x11])
        .play();
    // And a message that comes from a version without them.
    let bytes = [&field(UP_THERE.as_bytes())[..], &[0, 7, 0], REPORT].concat();
    to_5(V311, &[])
        .connected()
        .device_sends(publish(V311, publish_of(Q1, 7, UP, REPORT)))
        .upstream_receives(raw(0x32, &[&bytes]))
        .play();
}

/// Every packet that a side may send, with flags that aren't its own.
fn wrong_flags(version: Version, packets: &[(u8, &[u8])], violates: impl Fn(&[u8])) {
    for (first, body) in packets {
        // One bit more or less, and all of them.
        for flags in [1, 2, 4, 8, 15].map(|other| (first & 15) ^ other) {
            let body = if version == V5 { body } else { &body[..body.len().min(2)] };
            violates(&raw(first & 0xF0 | flags, &[body]));
        }
    }
}

fn reserved_flags_close(version: Version) {
    let code = ReasonCode::MalformedPacket;
    let acknowledgements: [(u8, &[u8]); 4] =
        [(0x40, &[0, 1]), (0x50, &[0, 1]), (0x62, &[0, 1]), (0x70, &[0, 1])];
    wrong_flags(version, &acknowledgements, |bytes| either_violates(version, bytes, code));
    let of_devices: [(u8, &[u8]); 4] =
        [(0x82, b"\0\x01\0\0\x01t\0"), (0xA2, b"\0\x01\0\0\x01t"), (0xC0, b""), (0xE0, b"")];
    wrong_flags(version, &of_devices, |bytes| every_device_violates(version, bytes, code));
    let of_upstreams: [(u8, &[u8]); 3] =
        [(0x90, &[0, 1, 0, 0]), (0xB0, &[0, 1, 0, 0]), (0xD0, &[])];
    wrong_flags(version, &of_upstreams, |bytes| {
        for script in sessions_of(version) {
            upstream_violates(script, bytes, code);
        }
    });
}

#[test]
fn v3_2_2_2_1_reserved_flags_that_are_set_are_refused() {
    reserved_flags_close(V311);
}

#[test]
fn v5_2_1_3_1_reserved_flags_that_are_set_are_refused() {
    reserved_flags_close(V5);
}

/// PUBLISH of QoS 1 and 2, SUBSCRIBE and UNSUBSCRIBE under identifier 0.
fn identifiers_are_not_0(version: Version) {
    let code = ReasonCode::ProtocolError;
    for first in [0x32, 0x34] {
        let message = raw(first, &[&field(b"t"), &[0, 0], none(version), b"x"]);
        either_violates(version, &message, code);
    }
    let subscribe = raw(0x82, &[&[0, 0], none(version), &field(b"t"), &[0]]);
    every_device_violates(version, &subscribe, code);
    let unsubscribe = raw(0xA2, &[&[0, 0], none(version), &field(b"t")]);
    every_device_violates(version, &unsubscribe, code);
}

#[test]
fn v3_2_3_1_1_packet_identifiers_are_not_0() {
    identifiers_are_not_0(V311);
}

#[test]
fn v5_2_2_1_3_packet_identifiers_are_not_0() {
    identifiers_are_not_0(V5);
}

/// A message that is lowered to QoS 0 leaves its identifier behind.
#[test]
fn v5_2_2_1_2_a_message_of_qos_0_has_no_packet_identifier() {
    let command = |qos, id, topic| publish(V5, publish_of(qos, id, topic, SET));
    let delivered = command(Q0, 0, LIGHT.0);
    assert_eq!(delivered.len(), 2 + 2 + LIGHT.0.len() + 1 + SET.len());
    pairs::mqtt2go_to_mqtt2go()
        .connected()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q0)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q0)]))
        .upstream_sends(suback(V5, 1, &[0]))
        .device_receives(suback(V5, 1, &[0]))
        .upstream_sends(command(Q1, 9, LIGHT.1))
        .device_receives(delivered.clone())
        .upstream_receives(puback(V5, 9))
        .upstream_sends(command(Q0, 0, LIGHT.1))
        .device_receives(delivered)
        .goes_on()
        .play();
}

/// PUBLISH and SUBSCRIBE take their identifiers from one store.
#[test]
fn v3_2_3_1_2_an_identifier_that_is_lent_is_unused() {
    let message = |(topic, payload), id| publish(V311, publish_of(Q1, id, topic, payload));
    let there = "status/acme/collections/plant/things/77/actions/+";
    properties_apart(V311)
        .connected()
        .device_sends(subscribe(V311, LENT, &[("TOK-HERE/77/subscribe", Q1)]))
        .upstream_receives(subscribe(V311, LENT, &[(there, Q1)]))
        .device_sends(message(BOTH, 7))
        .upstream_receives([message(TEMP, 7), message(WIND, LENT - 1)].concat())
        .goes_on()
        .play();
}

/// The will's is the proxy's own choice, too.
#[test]
fn v5_2_2_1_3_an_emulated_will_has_an_identifier_that_is_unused() {
    let topic = "h1/gw1/lamp1/light/out";
    let script = pairs::mqtt2go_to_omnicore5();
    let opening = script.opening();
    let given = Connect { will: Some(will(topic, REPORT, Q1)), ..connect_of(V5, "lamp1") };
    let there = |id| publish(V5, publish_of(Q1, id, "/plant/lamp1/events/light", REPORT));
    script
        .opening_with(Opening { device_connect: connect(given), ..opening })
        .connected()
        .device_sends(publish(V5, publish_of(Q1, u16::MAX, topic, REPORT)))
        .upstream_receives(there(u16::MAX))
        .device_closes()
        .upstream_receives(there(LENT))
        // The device's message is acknowledged, its will isn't yet.
        .upstream_sends(puback(V5, u16::MAX))
        .goes_on()
        .upstream_sends(puback(V5, LENT))
        .upstream_receives(disconnect(V5, ReasonCode::Success))
        .ends(End::DeviceClosed)
        .play();
}

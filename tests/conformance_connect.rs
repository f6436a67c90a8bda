//! Statements of section 3.1: what a CONNECT may say, and what becomes of one that says something else.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{Connect, Properties, Property, ReasonCode, Version, Will};
use interlingua::session::{Session, Tally};
use script::packets::*;
use script::{Opening, Script, pairs};

const CLEAN: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// A CONNECT of any flags and fields; in version 5 without properties.
fn connect_raw(version: Version, flags: u8, fields: &[&[u8]]) -> Vec<u8> {
    let level = if version == V5 { 5 } else { 4 };
    let payload: Vec<u8> = fields.iter().flat_map(|bytes| field(bytes)).collect();
    raw(0x10, &[b"\0\x04MQTT", &[level, flags, 0, 60], none(version), &payload])
}

/// Such a CONNECT closes the connection without a word; the upstream is never asked.
fn is_refused(version: Version, flags: u8, fields: &[&[u8]]) {
    first_bytes_are_refused(&connect_raw(version, flags, fields), &[]);
}

/// Fields of a will as this version has them, between client identifier and user name: no properties.
fn with_will<'a>(version: Version, topic: &'a [u8], rest: &[&'a [u8]]) -> Vec<Vec<u8>> {
    let mut fields = vec![field(b"c")];
    if version == V5 {
        fields.push(vec![0]);
    }
    fields.push(field(topic));
    fields.extend(rest.iter().map(|bytes| field(bytes)));
    fields
}

fn will_is_refused(version: Version, flags: u8, topic: &[u8], rest: &[&[u8]]) {
    first_bytes_are_refused(&connect_with_will(version, flags, topic, rest), &[]);
}

fn connect_with_will(version: Version, flags: u8, topic: &[u8], rest: &[&[u8]]) -> Vec<u8> {
    let level = if version == V5 { 5 } else { 4 };
    let payload = with_will(version, topic, rest).concat();
    raw(0x10, &[b"\0\x04MQTT", &[level, flags, 0, 60], none(version), &payload])
}

#[test]
fn v3_3_1_2_1_a_wrong_protocol_name_is_not_processed() {
    for name in [&b"MQTX"[..], b"mqtt", b"MQT", b"MQTTT", b"HTTP"] {
        for level in [3, 4] {
            let bytes = raw(0x10, &[&field(name), &[level, CLEAN, 0, 60], &field(b"c")]);
            first_bytes_are_refused(&bytes, &[0x20, 2, 0, 1]);
        }
    }
}

/// The answer is the one that every client since 3.1 reads.
#[test]
fn v5_3_1_2_2_an_unknown_version_is_refused() {
    for level in [0, 1, 2, 3, 6, 7, 0x84, 255] {
        let bytes = raw(0x10, &[b"\0\x04MQTT", &[level, CLEAN, 0, 60, 0], &field(b"c")]);
        first_bytes_are_refused(&bytes, &[0x20, 2, 0, 1]);
    }
}

#[test]
fn v3_3_1_2_3_the_reserved_flag_is_0() {
    is_refused(V311, CLEAN | 1, &[b"c"]);
}

#[test]
fn v5_3_1_2_3_the_reserved_flag_is_0() {
    is_refused(V5, CLEAN | 1, &[b"c"]);
}

#[test]
fn v3_3_1_2_9_a_will_has_topic_and_message() {
    is_refused(V311, CLEAN | WILL, &[b"c"]);
    is_refused(V311, CLEAN | WILL, &[b"c", b"t"]);
}

#[test]
fn v5_3_1_2_9_a_will_has_properties_topic_and_payload() {
    is_refused(V5, CLEAN | WILL, &[b"c"]);
    will_is_refused(V5, CLEAN | WILL, b"t", &[]);
}

#[test]
fn v3_3_1_2_11_without_a_will_there_are_no_fields_of_one() {
    is_refused(V311, CLEAN, &[b"c", b"t", b"m"]);
    for version in [V311, V5] {
        will_is_refused(version, CLEAN, b"t", &[b"m"]);
    }
}

fn no_qos_without_a_will(version: Version) {
    for qos in 1..4 {
        is_refused(version, CLEAN | qos << 3, &[b"c"]);
    }
}

#[test]
fn v3_3_1_2_13_without_a_will_its_qos_is_0() {
    no_qos_without_a_will(V311);
}

#[test]
fn v5_3_1_2_11_without_a_will_its_qos_is_0() {
    no_qos_without_a_will(V5);
}

#[test]
fn v3_3_1_2_14_the_qos_of_a_will_is_not_3() {
    will_is_refused(V311, CLEAN | WILL | 3 << 3, b"t", &[b"m"]);
}

#[test]
fn v5_3_1_2_12_the_qos_of_a_will_is_not_3() {
    will_is_refused(V5, CLEAN | WILL | 3 << 3, b"t", &[b"m"]);
}

#[test]
fn v3_3_1_2_15_without_a_will_its_retain_is_0() {
    is_refused(V311, CLEAN | WILL_RETAIN, &[b"c"]);
}

#[test]
fn v5_3_1_2_13_without_a_will_its_retain_is_0() {
    is_refused(V5, CLEAN | WILL_RETAIN, &[b"c"]);
}

/// Both flags of a will as they came, in plain, and with a platform that keeps retained messages.
fn a_will_keeps_its_flags(version: Version) {
    for (qos, retain) in [(Q0, false), (Q1, true), (Q2, false), (Q2, true)] {
        let last = |topic| Will { retain, ..will(topic, REPORT, qos) };
        let opened = |script: Script, (here, there)| {
            let own = properties(&[pairs::own_limit()]);
            let sent = if version == V5 { own.properties() } else { Properties::EMPTY };
            let base = connect_of(version, "77");
            let given = Connect { will: Some(last(here)), ..base };
            let sent = Connect { will: Some(last(there)), properties: sent, ..base };
            script
                .device_sends(connect(given))
                .upstream_opens()
                .upstream_receives(connect(sent))
                .play();
        };
        opened(pairs::plain(version), ("w/t", "w/t"));
        let word = if version == V5 { "5" } else { "3.1.1" };
        opened(homes(version, word, pairs::plain(version).opening()), (UP, UP_THERE));
    }
}

#[test]
fn v3_3_1_2_16_a_will_keeps_its_qos_and_retain() {
    a_will_keeps_its_flags(V311);
}

#[test]
fn v5_3_1_2_14_a_will_keeps_its_qos_and_retain() {
    a_will_keeps_its_flags(V5);
}

/// A flag without its field, and a field without its flag.
fn flags_and_fields_agree(version: Version, flag: u8) {
    is_refused(version, CLEAN | flag, &[b"c"]);
    is_refused(version, CLEAN, &[b"c", b"x"]);
}

#[test]
fn v3_3_1_2_18_a_user_name_stands_where_its_flag_says() {
    flags_and_fields_agree(V311, USER_NAME);
}

#[test]
fn v5_3_1_2_16_a_user_name_stands_where_its_flag_says() {
    flags_and_fields_agree(V5, USER_NAME);
}

#[test]
fn v3_3_1_2_20_a_password_stands_where_its_flag_says() {
    is_refused(V311, CLEAN | USER_NAME | PASSWORD, &[b"c", b"u"]);
    is_refused(V311, CLEAN | USER_NAME, &[b"c", b"u", b"p"]);
}

#[test]
fn v5_3_1_2_18_a_password_stands_where_its_flag_says() {
    flags_and_fields_agree(V5, PASSWORD);
    is_refused(V5, CLEAN | USER_NAME | PASSWORD, &[b"c", b"u"]);
    is_refused(V5, CLEAN | USER_NAME, &[b"c", b"u", b"p"]);
}

#[test]
fn v3_3_1_2_22_no_password_without_user_name() {
    is_refused(V311, CLEAN | PASSWORD, &[b"c", b"p"]);
}

/// Whatever the device asks for, what the proxy makes itself has neither reason string nor user property.
#[test]
fn v5_3_1_2_29_without_problem_information_nothing_is_explained() {
    let script = two_homes_saying(&[Property::RequestProblemInformation(0)], &[]);
    let elsewhere = |qos, id| publish(V5, publish_of(qos, id, "elsewhere/x", b"x"));
    script
        .connected()
        .device_sends(elsewhere(Q1, 1))
        .device_receives([0x40, 3, 0, 1, 0x90])
        .device_sends(elsewhere(Q2, 2))
        .device_receives([0x50, 3, 0, 2, 0x90])
        .device_sends(subscribe(V5, 3, &[("elsewhere/x", Q1)]))
        .device_receives([0x90, 4, 0, 3, 0, 0x8F])
        .device_sends(unsubscribe(V5, 4, &["elsewhere/x"]))
        .device_receives([0xB0, 4, 0, 4, 0, 0x11])
        .goes_on()
        .play();
}

#[test]
fn v3_3_1_3_3_a_client_identifier_is_there() {
    is_refused(V311, CLEAN, &[]);
    is_refused(V5, CLEAN, &[]);
}

const ILL_FORMED: [&[u8]; 3] = [b"a\xED\xA0\x80", b"\xFF", b"a\0b"];

fn strings_are_utf_8(version: Version) {
    for string in ILL_FORMED {
        is_refused(version, CLEAN, &[string]);
        is_refused(version, CLEAN | USER_NAME, &[b"c", string]);
        will_is_refused(version, CLEAN | WILL, string, &[b"m"]);
    }
}

#[test]
fn v3_3_1_3_4_client_identifier_user_name_and_will_topic_are_utf_8() {
    strings_are_utf_8(V311);
}

#[test]
fn v5_3_1_3_4_client_identifier_user_name_and_will_topic_are_utf_8() {
    strings_are_utf_8(V5);
}

/// Every character that has to be allowed, in identifiers of 1 and of 23 bytes.
fn client_identifiers_are_allowed(version: Version) {
    let letters: Vec<char> = ('0'..='9').chain('a'..='z').chain('A'..='Z').collect();
    let mut identifiers: Vec<String> = letters.iter().map(char::to_string).collect();
    identifiers.extend(letters.chunks(23).map(|part| part.iter().collect()));
    identifiers.push("Z".repeat(23));
    for identifier in &identifiers {
        let given = connect_of(version, identifier);
        let limit = properties(&[pairs::own_limit()]);
        let sent = if version == V5 { limit.properties() } else { given.properties };
        let script = pairs::plain(version);
        let opening = script.opening();
        script
            .opening_with(Opening {
                device_connect: connect(given),
                upstream_connect: connect(Connect { properties: sent, ..given }),
                ..opening
            })
            .connected()
            .goes_on()
            .play();
    }
}

#[test]
fn v3_3_1_3_5_ordinary_client_identifiers_are_allowed() {
    client_identifiers_are_allowed(V311);
}

#[test]
fn v5_3_1_3_5_ordinary_client_identifiers_are_allowed() {
    client_identifiers_are_allowed(V5);
}

/// In whatever place the packet is cut short or goes on: no CONNACK, no upstream.
fn whole_connects_only(version: Version) {
    let whole = connect_raw(version, CLEAN | USER_NAME, &[b"client", b"user"]);
    // Sound ones, so that what the others lack is what they are refused for.
    let sound = connect_raw(version, CLEAN | USER_NAME | PASSWORD, &[b"c", b"u", b"p"]);
    let last = connect_with_will(version, CLEAN | WILL | WILL_RETAIN | 2 << 3, b"t", &[b"m"]);
    for connect in [&whole, &sound, &last, &connect_raw(version, CLEAN, &[b"c"])] {
        let asks = |session: &Session, _: &Tally| assert!(session.wants_upstream());
        pairs::plain(version).device_sends(connect.clone()).look(asks).play();
    }
    for cut in 2..whole.len() {
        let body = &whole[2..cut];
        first_bytes_are_refused(&raw(0x10, &[body]), &[]);
    }
    first_bytes_are_refused(&raw(0x10, &[&whole[2..], b"\0"]), &[]);
}

#[test]
fn v3_3_1_4_1_a_malformed_connect_closes_without_connack() {
    whole_connects_only(V311);
}

#[test]
fn v5_3_1_4_1_a_malformed_connect_closes_the_connection() {
    whole_connects_only(V5);
}

/// Whoever refused: the upstream, or the proxy itself.
fn nothing_is_heard_after_a_refusal(script: fn() -> Script, wrong: Vec<u8>) {
    let version = script().version();
    let message = publish(version, publish_of(Q1, 7, "t", b"x"));
    let behind = [&message[..], &PINGREQ[..], &wrong[..]].concat();
    let code = ReasonCode::NotAuthorized;
    let opening = script().opening();
    script()
        .device_sends([&opening.device_connect[..], &behind[..]].concat())
        .upstream_opens()
        .upstream_receives(opening.upstream_connect)
        .upstream_sends(connack(version, code))
        .device_receives(connack(version, code))
        .ends_because_of("upstream_refused")
        .play();
    script()
        .device_sends([&wrong[..], &behind[..]].concat())
        .device_receives(connack(version, ReasonCode::ClientIdentifierNotValid))
        .ends_because_of("connect_refused")
        .play();
}

#[test]
fn v3_3_1_4_5_nothing_is_processed_after_a_refusal() {
    let wrong = connect(connect_of(V311, "a+"));
    nothing_is_heard_after_a_refusal(pairs::thingscale_to_omnicore, wrong);
}

#[test]
fn v5_3_1_4_6_nothing_is_processed_after_a_refusal() {
    let wrong = connect(connect_of(V5, "a+"));
    nothing_is_heard_after_a_refusal(pairs::mqtt2go_to_mqtt2go, wrong);
}

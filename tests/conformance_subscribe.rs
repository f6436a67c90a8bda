//! Statements of sections 3.8 to 3.11: SUBSCRIBE and UNSUBSCRIBE, their answers, and what is delivered after them.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{Qos, ReasonCode, Version};
use script::packets::*;
use script::{Script, pairs};

/// A SUBSCRIBE of one filter with any options.
fn subscribe_raw(version: Version, filter: &[u8], options: u8) -> Vec<u8> {
    raw(0x82, &[&[0, 1], none(version), &field(filter), &[options]])
}

fn unsubscribe_raw(version: Version, filter: &[u8]) -> Vec<u8> {
    raw(0xA2, &[&[0, 1], none(version), &field(filter)])
}

// ---- what they are made of ----

fn filters_are_well_formed(version: Version) {
    for filter in [&b"a+/b"[..], b"a/+b", b"a+", b"++", b"a/#/b", b"a#", b"#/a", b"##", b""] {
        let code = ReasonCode::TopicFilterInvalid;
        every_device_violates(version, &subscribe_raw(version, filter, 0), code);
        every_device_violates(version, &unsubscribe_raw(version, filter), code);
    }
    // Sound ones, so that what the others lack is what they are refused for.
    for filter in [&b"#"[..], b"+", b"+/#", b"a/+/b", b"/", b"//#", b"a/#"] {
        for packet in [subscribe_raw(version, filter, 0), unsubscribe_raw(version, filter)] {
            pairs::plain(version)
                .connected()
                .device_sends(packet.clone())
                .upstream_receives(packet)
                .goes_on()
                .play();
        }
    }
}

#[test]
fn v3_4_7_1_2_wildcards_stand_alone_in_a_filter() {
    filters_are_well_formed(V311);
}

#[test]
fn v5_4_7_1_1_wildcards_stand_alone_in_a_filter() {
    filters_are_well_formed(V5);
}

fn there_is_a_filter(version: Version) {
    let code = ReasonCode::ProtocolError;
    every_device_violates(version, &raw(0x82, &[&[0, 1], none(version)]), code);
    every_device_violates(version, &raw(0xA2, &[&[0, 1], none(version)]), code);
}

#[test]
fn v3_3_8_3_3_there_is_a_filter() {
    there_is_a_filter(V311);
}

#[test]
fn v5_3_8_3_2_there_is_a_filter() {
    there_is_a_filter(V5);
}

/// The statement's number has a misprint in the specification: [MQTT-3-8.3-4].
#[test]
fn v3_3_8_3_4_reserved_bits_of_a_subscription_close_the_connection() {
    for options in (3..=255).step_by(7).filter(|options| !(0..3).contains(options)) {
        every_device_violates(
            V311,
            &subscribe_raw(V311, b"t", options),
            ReasonCode::MalformedPacket,
        );
    }
}

#[test]
fn v5_3_8_3_5_reserved_bits_of_a_subscription_close_the_connection() {
    for options in [0x03, 0x07, 0x40, 0x80, 0xC0, 0xC1, 0x43] {
        every_device_violates(V5, &subscribe_raw(V5, b"t", options), ReasonCode::MalformedPacket);
    }
    // Retain handling 3 doesn't exist either.
    every_device_violates(V5, &subscribe_raw(V5, b"t", 0x30), ReasonCode::ProtocolError);
}

#[test]
fn v5_3_8_3_4_no_local_is_not_for_shared_subscriptions() {
    let packet = subscribe_raw(V5, b"$share/g/t", 0x04);
    every_device_violates(V5, &packet, ReasonCode::ProtocolError);
}

#[test]
fn v5_4_8_2_1_a_share_has_a_name_and_a_filter() {
    let wrong =
        ["$share", "$share/", "$share/g", "$share/g/", "$share//t", "$share/+/t", "$share/#/t"];
    for filter in wrong.into_iter().chain(["$share/g+/t", "$share/g#/t"]) {
        let code = ReasonCode::TopicFilterInvalid;
        every_device_violates(V5, &subscribe_raw(V5, filter.as_bytes(), 0), code);
    }
}

// ---- SUBACK ----

/// One answer for each SUBSCRIBE, under its identifier, whoever gives it: the upstream, or the proxy.
fn a_subscribe_is_answered(script: fn() -> Script, filters: (&str, &str), refused: u8) {
    let v = script().version();
    for identifier in [1, 0xABCD, u16::MAX] {
        script()
            .connected()
            .device_sends(subscribe(v, identifier, &[(filters.0, Q1)]))
            .upstream_receives(subscribe(v, identifier, &[(filters.1, Q1)]))
            .upstream_sends(suback(v, identifier, &[1]))
            .device_receives(suback(v, identifier, &[1]))
            .device_sends(subscribe(v, identifier, &[("elsewhere", Q1)]))
            .device_receives(suback(v, identifier, &[refused]))
            .goes_on()
            .play();
    }
}

#[test]
fn v3_3_8_4_2_suback_has_the_identifier_of_its_subscribe() {
    let filters = ("TOK-4711/77/subscribe", "/plant/d77/commands/#");
    a_subscribe_is_answered(pairs::thingscale_to_omnicore, filters, 0x80);
}

#[test]
fn v5_3_8_4_2_suback_has_the_identifier_of_its_subscribe() {
    a_subscribe_is_answered(pairs::mqtt2go_to_mqtt2go, LIGHT, 0x8F);
}

fn homes_running() -> Script {
    pairs::mqtt2go_to_mqtt2go().connected()
}

fn set(topic: &str, qos: Qos, identifier: u16) -> Vec<u8> {
    publish(V5, publish_of(qos, identifier, topic, SET))
}

/// The later subscription is the one that counts, also where it asks for less.
#[test]
fn v5_3_8_4_3_the_same_filter_again_replaces_the_first() {
    homes_running()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q2)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q2)]))
        .upstream_sends(suback(V5, 1, &[2]))
        .device_receives(suback(V5, 1, &[2]))
        .device_sends(subscribe(V5, 2, &[(LIGHT.0, Q0)]))
        .upstream_receives(subscribe(V5, 2, &[(LIGHT.1, Q0)]))
        .upstream_sends(suback(V5, 2, &[0]))
        .device_receives(suback(V5, 2, &[0]))
        // An upstream that doesn't keep to it.
        .upstream_sends(set(LIGHT.1, Q1, 9))
        .device_receives(set(LIGHT.0, Q0, 0))
        .upstream_receives(puback(V5, 9))
        .device_sends(unsubscribe(V5, 3, &[LIGHT.0]))
        .upstream_receives(unsubscribe(V5, 3, &[LIGHT.1]))
        .upstream_sends(unsuback(V5, 3, &[0]))
        .device_receives(unsuback(V5, 3, &[0]))
        .upstream_sends(set(LIGHT.1, Q0, 0))
        .goes_on()
        .play();
}

/// As if one SUBSCRIBE had followed the other: the last one counts.
#[test]
fn v5_3_8_4_5_several_filters_are_several_subscriptions_with_one_answer() {
    homes_running()
        .device_sends(subscribe(
            V5,
            1,
            &[(LIGHT.0, Q2), ("elsewhere", Q2), (LIGHT.0, Q0), (HEAT.0, Q1)],
        ))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q2), (HEAT.1, Q1)]))
        .upstream_sends(suback(V5, 1, &[2, 1]))
        .device_receives(suback(V5, 1, &[2, 0x8F, 0, 1]))
        .upstream_sends(set(LIGHT.1, Q1, 4))
        .device_receives(set(LIGHT.0, Q0, 0))
        .upstream_receives(puback(V5, 4))
        .goes_on()
        .play();
}

/// The upstream's own codes: those of the table, and no others. `asked` is what the answer is to.
fn codes_are_of_the_table(first: u8, version: Version, table: &[u8]) {
    for code in codes_around(table) {
        let answer = raw(first, &[&[0, 1], none(version), &[code]]);
        for (script, there) in [(pairs::plain(version), DOWN), (homes_of(version), DOWN_THERE)] {
            let asked = |filter| match first {
                0x90 => subscribe(version, 1, &[(filter, Q2)]),
                _ => unsubscribe(version, 1, &[filter]),
            };
            let mut script = script
                .connected()
                .device_sends(asked(DOWN))
                .upstream_receives(asked(there))
                .upstream_sends(answer.clone());
            if table.contains(&code) {
                script.device_receives(answer.clone()).goes_on().play();
                continue;
            }
            if version == V5 {
                script = script
                    .device_receives(disconnect(version, ReasonCode::UnspecifiedError))
                    .upstream_receives(disconnect(version, ReasonCode::MalformedPacket));
            }
            script.ends_because_of("upstream_malformed").play();
        }
    }
}

#[test]
fn v3_3_9_3_2_suback_has_a_return_code_of_the_table() {
    codes_are_of_the_table(0x90, V311, &[0, 1, 2, 0x80]);
}

#[test]
fn v5_3_9_3_2_suback_has_a_code_of_its_table() {
    let table = [0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
    codes_are_of_the_table(0x90, V5, &table);
}

#[test]
fn v5_3_11_3_2_unsuback_has_a_code_of_its_table() {
    codes_are_of_the_table(0xB0, V5, &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]);
}

// ---- UNSUBSCRIBE ----

/// Under the identifier of the packet, also where there was nothing to delete, and by the proxy alone.
#[test]
fn v5_3_10_4_5_unsuback_has_the_identifier_of_its_unsubscribe() {
    for identifier in [1, 0xABCD, u16::MAX] {
        homes_running()
            .device_sends(unsubscribe(V5, identifier, &["elsewhere"]))
            .device_receives(unsuback(V5, identifier, &[0x11]))
            .device_sends(unsubscribe(V5, identifier, &[LIGHT.0]))
            .upstream_receives(unsubscribe(V5, identifier, &[LIGHT.1]))
            .upstream_sends(unsuback(V5, identifier, &[0x11]))
            .device_receives(unsuback(V5, identifier, &[0x11]))
            .goes_on()
            .play();
    }
}

#[test]
fn v3_3_10_4_5_unsuback_comes_also_where_nothing_is_deleted() {
    for identifier in [1, 0xABCD, u16::MAX] {
        pairs::thingscale_to_omnicore()
            .connected()
            .device_sends(unsubscribe(V311, identifier, &["elsewhere", "#"]))
            .device_receives(unsuback(V311, identifier, &[]))
            .goes_on()
            .play();
    }
}

/// Filters that bring the same messages are still different ones.
#[test]
fn v5_3_10_4_1_filters_are_compared_by_their_characters() {
    let all = ("h1/gw1/lamp1/+/in", "h9/gw9/lamp1/+/in");
    homes_running()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q0), (all.0, Q0)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q0), (all.1, Q0)]))
        .upstream_sends(suback(V5, 1, &[0, 0]))
        .device_receives(suback(V5, 1, &[0, 0]))
        .device_sends(unsubscribe(V5, 2, &[all.0, "h1/gw1/lamp1/Light/in"]))
        .upstream_receives(unsubscribe(V5, 2, &[all.1, "h9/gw9/lamp1/Light/in"]))
        .upstream_sends(unsuback(V5, 2, &[0, 0x11]))
        .device_receives(unsuback(V5, 2, &[0, 0x11]))
        .upstream_sends(set(LIGHT.1, Q0, 0))
        .device_receives(set(LIGHT.0, Q0, 0))
        .upstream_sends(set(HEAT.1, Q0, 0))
        .goes_on()
        .play();
}

/// One subscription, and a message of QoS 2 that is on its way.
fn delivering() -> Script {
    homes_running()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q2)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q2)]))
        .upstream_sends(suback(V5, 1, &[2]))
        .device_receives(suback(V5, 1, &[2]))
        .upstream_sends(set(LIGHT.1, Q2, 9))
        .device_receives(set(LIGHT.0, Q2, 9))
        .device_sends(unsubscribe(V5, 2, &[LIGHT.0]))
        .upstream_receives(unsubscribe(V5, 2, &[LIGHT.1]))
}

#[test]
fn v5_3_10_4_3_what_was_begun_before_unsubscribe_is_finished() {
    delivering()
        .upstream_sends(unsuback(V5, 2, &[0]))
        .device_receives(unsuback(V5, 2, &[0]))
        .device_sends(pubrec(V5, 9))
        .upstream_receives(pubrec(V5, 9))
        .upstream_sends(pubrel(V5, 9))
        .device_receives(pubrel(V5, 9))
        .device_sends(pubcomp(V5, 9))
        .upstream_receives(pubcomp(V5, 9))
        .goes_on()
        .play();
}

#[test]
fn v5_3_10_4_2_nothing_new_comes_after_unsuback() {
    delivering()
        .upstream_sends(unsuback(V5, 2, &[0]))
        .device_receives(unsuback(V5, 2, &[0]))
        .upstream_sends(set(LIGHT.1, Q1, 3))
        .upstream_receives(puback(V5, 3))
        .goes_on()
        .play();
}

/// The upstream refuses to delete it: the device is told so, and goes on to get what it asked for.
#[test]
fn v5_3_10_4_1_a_subscription_that_is_not_deleted_goes_on() {
    delivering()
        .upstream_sends(unsuback(V5, 2, &[0x87]))
        .device_receives(unsuback(V5, 2, &[0x87]))
        .upstream_sends(set(LIGHT.1, Q1, 3))
        .device_receives(set(LIGHT.0, Q1, 3))
        .goes_on()
        .play();
}

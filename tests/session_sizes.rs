//! Topics that are deep or long, and packets with many properties, in any dialect and in both directions.

mod script;

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connack, Connect, Packet, Properties, Property, Publish,
    Qos, ReasonCode, Version, Will,
};
use interlingua::session::{End, Way};
use interlingua::translate::Reason;
use script::packets::*;
use script::{Script, pairs};

const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;
const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;
const BAD: ReasonCode = ReasonCode::TopicNameInvalid;

/// Three levels and ten bytes are the most.
fn narrow(script: Script) -> Script {
    script.limits(|limits| (limits.topic_levels_max, limits.topic_bytes_max) = (3, 10))
}

const BEYOND: [&str; 4] = ["///", "a/b/c/d", "12345678901", "a/b/5678901"];
const WITHIN: [&str; 4] = ["//", "a/b/c", "1234567890", "a/b/567890"];

fn q(qos: Qos, topic: &str) -> Publish<'_> {
    publish_of(qos, if qos == Q0 { 0 } else { 7 }, topic, b"x")
}

fn refused(script: Script, way: Way, reason: Reason, times: u64) -> Script {
    script.look(move |_, tally| assert_eq!(tally.refused(way, reason), times, "{reason}"))
}

#[test]
fn attack_13_plain_passes_topics_up_to_the_limits_and_refuses_those_beyond() {
    for version in [V31, V311, V5] {
        for topic in WITHIN {
            let sent = publish(version, q(Q1, topic));
            narrow(pairs::plain(version))
                .connected()
                .device_sends(sent.clone())
                .upstream_receives(sent.clone())
                .upstream_sends(sent.clone())
                .device_receives(sent)
                .goes_on()
                .play();
        }
        for topic in BEYOND {
            let answer = match version {
                V5 => acknowledge_with(V5, AcknowledgementKind::Puback, 7, BAD),
                _ => puback(version, 7),
            };
            let script = narrow(pairs::plain(version))
                .connected()
                .device_sends(publish(version, q(Q0, topic)))
                .device_sends(publish(version, q(Q1, topic)))
                .device_receives(answer.clone())
                .upstream_sends(publish(version, q(Q0, topic)))
                .upstream_sends(publish(version, q(Q1, topic)))
                .upstream_receives(answer);
            let script = refused(script, Way::Up, Reason::BadTopic, 2);
            refused(script, Way::Down, Reason::BadTopic, 2).goes_on().play();
        }
    }
}

#[test]
fn a_refused_message_of_qos_2_is_finished_by_the_proxy() {
    let deep = publish(V311, q(Q2, "a/b/c/d"));
    narrow(pairs::plain(V311))
        .connected()
        .device_sends(deep.clone())
        .device_receives(pubrec(V311, 7))
        .device_sends(pubrel(V311, 7))
        .device_receives(pubcomp(V311, 7))
        .upstream_sends(deep)
        .upstream_receives(pubrec(V311, 7))
        .upstream_sends(pubrel(V311, 7))
        .upstream_receives(pubcomp(V311, 7))
        .goes_on()
        .play();
    let rejected = acknowledge_with(V5, AcknowledgementKind::Pubrec, 7, BAD);
    narrow(pairs::plain(V5))
        .connected()
        .device_sends(publish(V5, q(Q2, "a/b/c/d")))
        .device_receives(rejected)
        .goes_on()
        .play();
}

#[test]
fn attack_13_a_topic_beyond_the_limits_can_end_the_session() {
    for (version, told) in [(V311, Vec::new()), (V5, disconnect(V5, BAD))] {
        narrow(pairs::plain(version))
            .disconnecting()
            .connected()
            .device_sends(publish(version, q(Q0, "///")))
            .device_receives(told)
            .ends_as("message_refused")
            .play();
    }
}

/// The default: as deep as MQTT allows is refused, and as deep as the limit passes.
#[test]
fn attack_13_plain_has_a_limit_without_being_told() {
    let passes = publish(V311, q(Q0, &"/".repeat(127)));
    pairs::plain(V311)
        .connected()
        .device_sends(passes.clone())
        .upstream_receives(passes)
        .device_sends(publish(V311, q(Q1, &"/".repeat(128))))
        .device_receives(puback(V311, 7))
        .device_sends(publish(V311, q(Q1, &"/".repeat(65_535))))
        .device_receives(puback(V311, 7))
        .device_sends(subscribe(V311, 8, &[(&"+/".repeat(32_767), Q1)]))
        .device_receives(suback(V311, 8, &[0x80]))
        .goes_on()
        .play();
}

#[test]
fn attack_13_a_large_message_on_a_deep_topic_is_not_passed_through() {
    let payload = vec![b'x'; 200_000];
    let deep = publish(V311, publish_of(Q1, 7, "///", &payload));
    narrow(pairs::plain(V311))
        .connected()
        .device_sends(deep)
        .device_receives(puback(V311, 7))
        .goes_on()
        .play();
}

#[test]
fn attack_13_filters_beyond_the_limits_are_refused() {
    let both = [("a/b/c/d", Q1), ("a/#", Q1)];
    for (version, code) in [(V31, 0), (V311, 0x80), (V5, 0x8F)] {
        let script = narrow(pairs::plain(version))
            .connected()
            .device_sends(subscribe(version, 3, &both))
            .device_receives(suback(version, 3, &[code, code]))
            .device_sends(subscribe(version, 4, &both[1..]))
            .upstream_receives(subscribe(version, 4, &both[1..]));
        refused(script, Way::Up, Reason::BadTopic, 1).goes_on().play();
    }
    narrow(pairs::plain(V5))
        .connected()
        .device_sends(unsubscribe(V5, 3, &["a/b/c/d", "a"]))
        .device_receives(unsuback(V5, 3, &[0x8F, 0x8F]))
        .goes_on()
        .play();
    narrow(pairs::plain(V311))
        .connected()
        .device_sends(unsubscribe(V311, 3, &["a/b/c/d", "a"]))
        .ends_as("message_refused")
        .play();
}

/// Where filters are written anew, each has its own answer.
#[test]
fn a_translated_session_refuses_the_filter_and_takes_the_others() {
    let script = pairs::mqtt2go_to_mqtt2go().limits(|limits| limits.topic_levels_max = 12);
    let deep = "+/".repeat(12) + "+";
    let script = script
        .connected()
        .device_sends(subscribe(V5, 3, &[(&deep, Q1)]))
        .device_receives(suback(V5, 3, &[0x8F]));
    refused(script, Way::Up, Reason::BadTopic, 1).goes_on().play();
}

#[test]
fn attack_13_a_will_on_a_deep_topic_is_refused_before_the_upstream_hears_of_it() {
    for (version, code) in [(V311, ReasonCode::NotAuthorized), (V5, BAD)] {
        let will = Some(Will { ..will("a/b/c/d", b"gone", Q1) });
        narrow(pairs::plain(version))
            .device_sends(connect(Connect { will, ..connect_of(version, "d") }))
            .device_receives(connack(version, code))
            .ends_as("connect_refused")
            .play();
    }
}

#[test]
fn attack_13_a_response_topic_is_a_topic_too() {
    let buffer = properties(&[Property::ResponseTopic("a/b/c/d")]);
    let message = Publish { properties: buffer.properties(), ..q(Q1, "a") };
    let answer = acknowledge_with(V5, AcknowledgementKind::Puback, 7, BAD);
    narrow(pairs::plain(V5))
        .connected()
        .device_sends(publish(V5, message))
        .device_receives(answer)
        .goes_on()
        .play();
}

fn aliased(topic: &str, number: u16) -> Vec<u8> {
    let buffer = properties(&[Property::TopicAlias(number)]);
    publish(V5, Publish { properties: buffer.properties(), ..q(Q0, topic) })
}

/// The receiver has never heard of the alias: a message that uses it would be its end.
#[test]
fn an_alias_that_came_with_a_refused_message_stands_for_nothing() {
    let script = narrow(pairs::plain(V5))
        .taking_aliases(5)
        .connected()
        .device_sends(aliased("a", 1))
        .upstream_receives(aliased("a", 1))
        .device_sends(aliased("a/b/c/d", 1))
        .device_sends(aliased("", 1));
    refused(script, Way::Up, Reason::BadTopic, 2)
        .device_sends(aliased("b", 1))
        .upstream_receives(aliased("b", 1))
        .device_sends(aliased("", 1))
        .upstream_receives(aliased("", 1))
        .upstream_sends(aliased("a/b/c/d", 2))
        .upstream_sends(aliased("", 2))
        .goes_on()
        .play();
}

// ---- properties ----

fn several(count: usize) -> Vec<Property<'static>> {
    vec![Property::UserProperty("a", "b"); count]
}

fn few(script: Script) -> Script {
    script.limits(|limits| limits.properties_max = 3)
}

fn with(count: usize, qos: Qos) -> Vec<u8> {
    let buffer = properties(&several(count));
    publish(V5, Publish { properties: buffer.properties(), ..q(qos, "a") })
}

#[test]
fn attack_14_a_message_with_more_properties_than_the_limit_is_refused() {
    let why = ReasonCode::QuotaExceeded;
    let answer = acknowledge_with(V5, AcknowledgementKind::Puback, 7, why);
    let script = few(pairs::plain(V5))
        .connected()
        .device_sends(with(3, Q1))
        .upstream_receives(with(3, Q1))
        .device_sends(with(4, Q1))
        .device_receives(answer.clone())
        .upstream_sends(with(3, Q0))
        .device_receives(with(3, Q0))
        .upstream_sends(with(4, Q1))
        .upstream_receives(answer);
    let script = refused(script, Way::Up, Reason::PayloadTooLarge, 1);
    refused(script, Way::Down, Reason::PayloadTooLarge, 1).goes_on().play();
}

#[test]
fn attack_14_a_connect_with_more_properties_than_the_limit_is_refused() {
    let (buffer, empty) = (properties(&several(4)), Properties::EMPTY);
    let base = connect_of(V5, "d");
    let will = Some(Will { properties: buffer.properties(), ..will("a", b"gone", Q1) });
    let own = Connect { properties: buffer.properties(), ..base };
    for given in [own, Connect { will, properties: empty, ..base }] {
        few(pairs::plain(V5))
            .device_sends(connect(given))
            .device_receives(connack(V5, ReasonCode::QuotaExceeded))
            .ends_as("connect_refused")
            .play();
    }
}

fn answer(kind: AcknowledgementKind, list: &[Property<'_>]) -> Vec<u8> {
    let buffer = properties(list);
    let reason_code = ReasonCode::Success;
    let properties = buffer.properties();
    let given = Acknowledgement { kind, packet_identifier: id(3), reason_code, properties };
    bytes(V5, Packet::Acknowledgement(given))
}

#[test]
fn attack_14_any_other_packet_with_more_properties_than_the_limit_ends_the_session() {
    let reason = ReasonCode::Success;
    let many = several(4);
    let packets = [
        subscribe_with(V5, 3, &[("a", Q1)], &many),
        unsubscribe_with(V5, 3, &["a"], &many),
        answer(AcknowledgementKind::Puback, &many),
        answer(AcknowledgementKind::Pubrec, &many),
        answer(AcknowledgementKind::Pubrel, &many),
        answer(AcknowledgementKind::Pubcomp, &many),
        disconnect_with(V5, reason, &many),
    ];
    for packet in packets {
        few(pairs::plain(V5))
            .connected()
            .device_sends(packet)
            .device_receives(disconnect(V5, ReasonCode::QuotaExceeded))
            .ends(End::PropertiesExceeded)
            .play();
    }
    for packet in [suback_with(V5, 3, &[0], &many), disconnect_with(V5, reason, &many)] {
        few(pairs::plain(V5))
            .connected()
            .upstream_sends(packet)
            .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
            .upstream_receives(disconnect(V5, ReasonCode::QuotaExceeded))
            .ends(End::PropertiesExceeded)
            .play();
    }
    let buffer = properties(&many);
    let connack_of_many = bytes(
        V5,
        Packet::Connack(Connack {
            session_present: false,
            reason_code: reason,
            properties: buffer.properties(),
        }),
    );
    few(pairs::plain(V5))
        .connecting()
        .upstream_sends(connack_of_many)
        .device_receives(connack(V5, ReasonCode::ServerUnavailable))
        .ends(End::PropertiesExceeded)
        .play();
}

/// A packet of a megabyte is read no further than the limit.
#[test]
fn attack_14_properties_by_the_thousand_cost_as_much_as_the_limit() {
    pairs::plain(V5)
        .connected()
        .device_sends(subscribe_with(V5, 3, &[("a", Q1)], &several(257)))
        .device_receives(disconnect(V5, ReasonCode::QuotaExceeded))
        .ends(End::PropertiesExceeded)
        .play();
    pairs::plain(V5)
        .connected()
        .device_sends(with(100_000, Q0))
        .device_sends(with(256, Q0))
        .upstream_receives(with(256, Q0))
        .goes_on()
        .play();
}

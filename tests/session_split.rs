//! Messages that become several: their acknowledgements are joined, under identifiers that nobody else uses.

mod script;

use interlingua::mqtt::{AcknowledgementKind, Property, Qos, ReasonCode, Version};
use interlingua::session::End;
use interlingua::translate::{Identity, Note, Reason, Way};
use script::packets::*;
use script::{Opening, Script, pairs};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;
const TOPIC: &str = "TOK-HERE/json/77";
const TEMP: &str = "set/acme/collections/plant/things/77/properties/temp";
const WIND: &str = "set/acme/collections/plant/things/77/properties/wind";
const BOTH: &[u8] = br#"{"temp":20,"wind":5}"#;

/// The first identifiers that a session lends.
const LENT: u16 = 65_534;
const LENT_NEXT: u16 = 65_533;

/// ThingScale device 77 in front of SmartWorks, first generation: one topic per property.
fn properties_apart(version: Version) -> Script {
    let here = pairs::side("thingscale", &[("token", "TOK-HERE")]);
    let there = pairs::side("smartworks-g1", &[("space", "acme"), ("collection", "plant")]);
    let told: &[_] = if version == Version::V5 { &pairs::told() } else { &[] };
    let sent = |connect| connect_told(version, connect);
    let opening = Opening {
        device_connect: connect(connect_of(version, "77")),
        upstream_connect: sent("77"),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack_with(version, false, ReasonCode::Success, told),
    };
    Script::new(version, pairs::translator(here, there, Identity::Same), opening)
}

/// What the upstream is sent: version 5 is told the proxy's own limit.
fn connect_told(version: Version, client_identifier: &str) -> Vec<u8> {
    let limit = properties(&[pairs::own_limit()]);
    let mut given = connect_of(version, client_identifier);
    if version == Version::V5 {
        given.properties = limit.properties();
    }
    connect(given)
}

fn two(version: Version, qos: Qos, own: u16, lent: u16) -> Vec<u8> {
    let first = publish(version, publish_of(qos, own, TEMP, br#"{"temp":20}"#));
    let second = publish(version, publish_of(qos, lent, WIND, br#"{"wind":5}"#));
    [first, second].concat()
}

#[test]
fn one_puback_goes_back_when_every_part_has_arrived() {
    for version in [Version::V311, Version::V5] {
        for order in [[7, LENT], [LENT, 7]] {
            properties_apart(version)
                .connected()
                .device_sends(publish(version, publish_of(Q1, 7, TOPIC, BOTH)))
                .upstream_receives(two(version, Q1, 7, LENT))
                .upstream_sends(puback(version, order[0]))
                .upstream_sends(puback(version, order[1]))
                .device_receives(puback(version, 7))
                .goes_on()
                .play();
        }
    }
}

#[test]
fn parts_at_qos_0_need_no_acknowledgement() {
    properties_apart(Version::V311)
        .connected()
        .device_sends(publish(Version::V311, publish_of(Q0, 0, TOPIC, BOTH)))
        .upstream_receives(two(Version::V311, Q0, 0, 0))
        .goes_on()
        .play();
}

#[test]
fn a_split_message_of_qos_2_is_finished_with_its_sender_after_all_parts() {
    let v = Version::V311;
    properties_apart(v)
        .connected()
        .device_sends(publish(v, publish_of(Q2, 7, TOPIC, BOTH)))
        .upstream_receives(two(v, Q1, 7, LENT))
        .upstream_sends(puback(v, LENT))
        .upstream_sends(puback(v, 7))
        .device_receives(pubrec(v, 7))
        .device_sends(pubrel(v, 7))
        .device_receives(pubcomp(v, 7))
        .goes_on()
        .play();
}

#[test]
fn the_first_failure_of_a_part_is_the_senders_answer() {
    let v = Version::V5;
    let refused = |identifier| {
        acknowledge_with(v, AcknowledgementKind::Puback, identifier, ReasonCode::QuotaExceeded)
    };
    properties_apart(v)
        .connected()
        .device_sends(publish(v, publish_of(Q1, 7, TOPIC, BOTH)))
        .upstream_receives(two(v, Q1, 7, LENT))
        .upstream_sends(refused(LENT))
        .upstream_sends(puback(v, 7))
        .device_receives(refused(7))
        .goes_on()
        .play();
}

#[test]
fn a_sender_that_takes_a_lent_identifier_waits_until_it_is_free() {
    let v = Version::V311;
    let single = publish_of(Q1, LENT, "TOK-HERE/json/77/temp", b"21");
    properties_apart(v)
        .connected()
        .device_sends(publish(v, publish_of(Q1, 7, TOPIC, BOTH)))
        .upstream_receives(two(v, Q1, 7, LENT))
        .device_sends(publish(v, single))
        .upstream_sends(puback(v, LENT))
        // The kit, as the shell does, offers again what waited.
        .upstream_receives(publish(v, publish_of(Q1, LENT, TEMP, br#"{"temp":21}"#)))
        .upstream_sends(puback(v, LENT))
        .device_receives(puback(v, LENT))
        .upstream_sends(puback(v, 7))
        .device_receives(puback(v, 7))
        .goes_on()
        .play();
}

#[test]
fn identifiers_of_two_split_messages_differ() {
    let v = Version::V311;
    properties_apart(v)
        .connected()
        .device_sends(publish(v, publish_of(Q1, 7, TOPIC, BOTH)))
        .upstream_receives(two(v, Q1, 7, LENT))
        .device_sends(publish(v, publish_of(Q1, 8, TOPIC, BOTH)))
        .upstream_receives(two(v, Q1, 8, LENT_NEXT))
        .upstream_sends([puback(v, 7), puback(v, LENT_NEXT), puback(v, 8)].concat())
        .device_receives(puback(v, 8))
        .upstream_sends(puback(v, LENT))
        .device_receives(puback(v, 7))
        .goes_on()
        .play();
}

#[test]
fn more_parts_than_the_limit_are_refused_and_nothing_is_sent() {
    let v = Version::V311;
    properties_apart(v)
        .limits(|limits| limits.exchanges_max = 1)
        .connected()
        .device_sends(publish(v, publish_of(Q1, 7, TOPIC, BOTH)))
        .device_receives(puback(v, 7))
        .goes_on()
        .play();
}

#[test]
fn nothing_to_send_is_acknowledged_at_once() {
    let v = Version::V311;
    properties_apart(v)
        .connected()
        .device_sends(publish(v, publish_of(Q1, 7, TOPIC, b"{}")))
        .device_receives(puback(v, 7))
        .device_closes()
        .ends(End::DeviceClosed)
        .play();
}

#[test]
fn a_message_that_is_taken_back_takes_no_room_at_the_upstream() {
    let v5 = Version::V5;
    let granted = [Property::ReceiveMaximum(2), Property::MaximumPacketSize(130), pairs::told()[1]];
    let own = properties_apart(v5);
    let mut opening = own.opening();
    opening.upstream_connack = connack_with(v5, false, ReasonCode::Success, &granted[..2]);
    opening.device_connack = connack_with(v5, false, ReasonCode::Success, &granted);
    // Its second part is too large for the upstream, so the first one isn't sent either.
    let large = format!(r#"{{"temp":20,"wind":"{}"}}"#, "w".repeat(75));
    let mut script = own.opening_with(opening).connected();
    for identifier in 1..=3 {
        script = script
            .device_sends(publish(v5, publish_of(Q1, identifier, TOPIC, large.as_bytes())))
            .device_receives(acknowledge_with(
                v5,
                AcknowledgementKind::Puback,
                identifier,
                ReasonCode::QuotaExceeded,
            ));
    }
    script
        .device_sends(publish(v5, publish_of(Q1, 7, TOPIC, br#"{"temp":20}"#)))
        .upstream_receives(publish(v5, publish_of(Q1, 7, TEMP, br#"{"temp":20}"#)))
        .goes_on()
        .play();
}

/// The pair with an upstream that takes so many messages at once.
fn taking(most: u16) -> Script {
    let v5 = Version::V5;
    let own = properties_apart(v5);
    let granted = [Property::ReceiveMaximum(most), pairs::told()[1]];
    let opening = Opening {
        upstream_connack: connack_with(v5, false, ReasonCode::Success, &granted[..1]),
        device_connack: connack_with(
            v5,
            false,
            ReasonCode::Success,
            &[granted[0], pairs::own_limit(), granted[1]],
        ),
        ..own.opening()
    };
    own.opening_with(opening).connected()
}

#[test]
fn parts_wait_until_there_is_room_for_all_of_them() {
    let v5 = Version::V5;
    let one = |id| publish(v5, publish_of(Q1, id, TOPIC, br#"{"temp":20}"#));
    taking(2)
        .device_sends([one(6), publish(v5, publish_of(Q1, 7, TOPIC, BOTH))].concat())
        .upstream_receives(publish(v5, publish_of(Q1, 6, TEMP, br#"{"temp":20}"#)))
        .upstream_sends(puback(v5, 6))
        .device_receives(puback(v5, 6))
        .upstream_receives(two(v5, Q1, 7, LENT))
        .upstream_sends([puback(v5, 7), puback(v5, LENT)].concat())
        .device_receives(puback(v5, 7))
        .goes_on()
        .play();
}

#[test]
fn more_parts_than_the_upstream_ever_takes_at_once_are_refused() {
    let v5 = Version::V5;
    taking(1)
        .device_sends(publish(v5, publish_of(Q1, 7, TOPIC, BOTH)))
        .device_receives(acknowledge_with(
            v5,
            AcknowledgementKind::Puback,
            7,
            ReasonCode::QuotaExceeded,
        ))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::QueueOverflow), 1))
        .device_sends(publish(v5, publish_of(Q0, 0, TOPIC, BOTH)))
        .upstream_receives(two(v5, Q0, 0, 0))
        .goes_on()
        .play();
}

#[test]
fn what_loses_qos_by_its_parts_is_counted() {
    properties_apart(Version::V311)
        .connected()
        .device_sends(publish(Version::V311, publish_of(Q2, 7, TOPIC, BOTH)))
        .upstream_receives(two(Version::V311, Q1, 7, LENT))
        .look(|_, tally| assert_eq!(tally.noted(Way::Up, Note::QosClamped), 1))
        .goes_on()
        .play();
}

//! Large payloads: those that stay as they are go on as they arrive, and nothing comes between. What the proxy would
//! have to answer itself is taken whole.

mod script;

use std::sync::Arc;
use std::time::Instant;

use interlingua::mqtt::{AcknowledgementKind, Qos, ReasonCode, Version};
use interlingua::session::{End, OnRefusal, SessionPlan};
use interlingua::translate::Way;
use script::packets::*;
use script::run::{Peer, Run};
use script::{Opening, Script, pairs};

const V311: Version = Version::V311;
const PUBACK: AcknowledgementKind = AcknowledgementKind::Puback;
const V5: Version = Version::V5;
/// Longer than what is waited for.
const LONG: &[u8] = &[b'5'; 200 * 1024];
/// Long enough to be moved once it is there, and short enough to be waited for.
const MEDIUM: &[u8] = &[b'5'; 40 * 1024];
const TELEMETRY: &str = "TOK-4711/json/77/room1";
const EVENTS: &str = "/plant/d77/events/room1";

struct Case {
    script: Script,
    version: Version,
    device_topic: &'static str,
    upstream_topic: &'static str,
}

fn cases() -> Vec<Case> {
    let plain = |version| Case {
        script: pairs::plain(version),
        version,
        device_topic: "a/b",
        upstream_topic: "a/b",
    };
    let translated = Case {
        script: pairs::thingscale_to_omnicore(),
        version: V311,
        device_topic: TELEMETRY,
        upstream_topic: EVENTS,
    };
    vec![plain(Version::V31), plain(V311), plain(V5), translated]
}

fn message(version: Version, qos: Qos, topic: &str, payload: &[u8]) -> Vec<u8> {
    let identifier = if qos == Qos::AtMostOnce { 0 } else { 7 };
    publish(version, publish_of(qos, identifier, topic, payload))
}

/// A packet up to its payload, and the payload.
fn start_of(packet: &[u8], payload: &[u8]) -> Vec<u8> {
    packet[..packet.len() - payload.len()].to_vec()
}

#[test]
fn a_long_payload_goes_on_as_it_arrives() {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        for Case { script, version, device_topic, upstream_topic } in cases() {
            let given = message(version, qos, device_topic, LONG);
            let sent = message(version, qos, upstream_topic, LONG);
            let start = start_of(&given, LONG).len();
            script
                .connected()
                .device_sends(&given[..start - 1])
                .device_sends(&given[start - 1..start + 1000])
                .upstream_receives([&start_of(&sent, LONG)[..], &LONG[..1000]].concat())
                .device_sends(&given[start + 1000..start + 90_000])
                .upstream_receives(&LONG[1000..90_000])
                // The end comes with the next packet.
                .device_sends([&given[start + 90_000..], b"\xC0\0"].concat())
                .upstream_receives([&LONG[90_000..], b"\xC0\0"].concat())
                .goes_on()
                .play();
        }
    }
}

#[test]
fn a_long_payload_goes_down_as_it_arrives() {
    for version in [V311, V5] {
        let given = message(version, Qos::ExactlyOnce, "a/b", LONG);
        pairs::plain(version)
            .connected()
            .upstream_sends(&given[..70_000])
            .device_receives(&given[..70_000])
            .upstream_sends(&given[70_000..])
            .device_receives(&given[70_000..])
            .device_sends(pubrec(version, 7))
            .upstream_receives(pubrec(version, 7))
            .goes_on()
            .play();
    }
}

#[test]
fn a_payload_of_medium_length_is_waited_for() {
    for Case { script, version, device_topic, upstream_topic } in cases() {
        let given = message(version, Qos::AtLeastOnce, device_topic, MEDIUM);
        script
            .connected()
            .device_sends(&given[..given.len() - 1])
            .device_sends(&given[given.len() - 1..])
            .upstream_receives(message(version, Qos::AtLeastOnce, upstream_topic, MEDIUM))
            .upstream_sends(puback(version, 7))
            .device_receives(puback(version, 7))
            .goes_on()
            .play();
    }
}

#[test]
fn what_is_answered_meanwhile_comes_behind_the_payload() {
    let given = message(V311, Qos::AtLeastOnce, TELEMETRY, LONG);
    let sent = message(V311, Qos::AtLeastOnce, EVENTS, LONG);
    let start = start_of(&given, LONG).len();
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(&given[..start])
        .upstream_receives(start_of(&sent, LONG))
        // No platform of the device has a topic for it: it is refused, and acknowledged.
        .upstream_sends(publish(V311, publish_of(Qos::AtLeastOnce, 9, "elsewhere", b"x")))
        .device_sends(&given[start..start + 5])
        .upstream_receives(&LONG[..5])
        .device_sends(&given[start + 5..])
        .upstream_receives([&LONG[5..], &puback(V311, 9)].concat())
        .goes_on()
        .play();
}

#[test]
fn a_device_that_goes_in_the_middle_leaves_a_broken_packet_and_nothing_behind_it() {
    for version in [V311, V5] {
        let given = message(version, Qos::AtMostOnce, "a/b", LONG);
        pairs::plain(version)
            .connected()
            .device_sends(&given[..100_000])
            .upstream_receives(&given[..100_000])
            .device_closes()
            .ends(End::DeviceClosed)
            .play();
    }
}

#[test]
fn bytes_of_a_payload_are_a_sign_of_life() {
    let given = message(V311, Qos::AtMostOnce, "a/b", LONG);
    let mut script = pairs::plain(V311).connected();
    // Keep alive is 60 seconds, and the packet takes two minutes.
    for piece in given.chunks(given.len().div_ceil(3)) {
        script = script.device_sends(piece).upstream_receives(piece).after(40.0);
    }
    script.goes_on().play();
}

#[test]
fn what_the_proxy_answers_itself_is_taken_whole() {
    let given = message(V311, Qos::ExactlyOnce, TELEMETRY, LONG);
    // OmniCore has no QoS 2.
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(&given[..given.len() - 1])
        .device_sends(&given[given.len() - 1..])
        .upstream_receives(message(V311, Qos::AtLeastOnce, EVENTS, LONG))
        .upstream_sends(puback(V311, 7))
        .device_receives(pubrec(V311, 7))
        .play();
    // It takes 256 KiB.
    let payload = vec![b'5'; 256 * 1024 + 1];
    let given = message(V311, Qos::AtLeastOnce, TELEMETRY, &payload);
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(&given[..given.len() - 1])
        .device_sends(&given[given.len() - 1..])
        .device_receives(puback(V311, 7))
        .play();
}

#[test]
fn while_a_payload_goes_through_nothing_else_is_taken() {
    let (translator, limits) = pairs::plain(V311).parts();
    let plan = SessionPlan { translator, limits, on_refusal: OnRefusal::AckAndDrop };
    let mut run = Run::new(Arc::new(plan), V311, Instant::now());
    let Opening { device_connect, upstream_connack, .. } = pairs::plain(V311).opening();
    run.feed(Peer::Device, &device_connect).unwrap();
    run.session.on_upstream_open(run.now);
    run.feed(Peer::Upstream, &upstream_connack).unwrap();
    run.feed(Peer::Device, &message(V311, Qos::AtMostOnce, "a/b", LONG)[..100_000]).unwrap();
    assert!(run.session.payload_left(Way::Up) > 0);
    run.wake(|session, wake| assert_eq!(session.on_device_bytes(b"\xC0\0", wake), 0)).unwrap();
}

#[test]
fn a_session_whose_will_the_proxy_publishes_holds_what_it_sends() {
    // A will behind half a packet would be a part of it.
    let given = message(V311, Qos::AtLeastOnce, TELEMETRY, LONG);
    pairs::will_to_omnicore()
        .connected()
        .device_sends(&given[..given.len() - 1])
        .device_sends(&given[given.len() - 1..])
        .upstream_receives(message(V311, Qos::AtLeastOnce, EVENTS, LONG))
        .goes_on()
        .play();
}

#[test]
fn a_payload_that_has_to_be_looked_at_is_taken_whole() {
    // It has to be JSON.
    let version = V5;
    let given = message(version, Qos::AtLeastOnce, "h1/gw1/lamp1/light/out", LONG);
    pairs::mqtt2go_to_mqtt2go()
        .connected()
        .device_sends(&given[..given.len() - 1])
        .device_sends(&given[given.len() - 1..])
        .device_receives(acknowledge_with(version, PUBACK, 7, ReasonCode::PayloadFormatInvalid))
        .play();
}

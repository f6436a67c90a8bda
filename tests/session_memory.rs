//! What a session remembers: its own messages that come back, retained commands that come again, commands that
//! wait for their outcome, and documents that are said value by value.

mod script;

use std::sync::Arc;
use std::time::Instant;

use interlingua::mqtt::{
    AcknowledgementKind, Connect, Properties, Publish, Qos, ReasonCode, Subscription, Version,
    encode_subscribe,
};
use interlingua::session::{End, OnRefusal, Scratch, Session, SessionPlan, Tally, Wake};
use interlingua::translate::{Identity, Reason, Side, Way};
use script::packets::*;
use script::{Opening, Script, pairs};

const Q1: Qos = Qos::AtLeastOnce;
const V311: Version = Version::V311;
const ON: &[u8] = br#"{"type":"set","timestamp":1567677926,"value":"on"}"#;
const OFF: &[u8] = br#"{"type":"set","timestamp":1567677927,"value":"off"}"#;
const SWITCH_IN: &str = "h1/gw1/lamp1/switch/in";
const SWITCH: &str = "/plant/lamp1/commands/switch";

/// Two platforms in MQTT 3.1.1; `upstream` is the client identifier there.
fn between(device: Side, upstream: Side, [device_id, upstream_id]: [&str; 2]) -> Script {
    let opening = Opening {
        device_connect: connect(connect_of(V311, device_id)),
        upstream_connect: connect(connect_of(V311, upstream_id)),
        upstream_connack: connack(V311, ReasonCode::Success),
        device_connack: connack(V311, ReasonCode::Success),
    };
    Script::new(V311, pairs::translator(device, upstream, Identity::Same), opening)
}

fn omnicore() -> Side {
    pairs::side("omnicore", &[("subscription", "acme-sub"), ("registry", "plant")])
}

/// OmniCore's lamp1 in front of a home's broker.
fn omnicore_to_mqtt2go() -> Script {
    let home = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    between(omnicore(), home, [pairs::OMNICORE_LAMP, "lamp1"])
        .connected()
        .device_sends(subscribe(V311, 1, &[("/plant/lamp1/commands/#", Q1)]))
        .upstream_receives(subscribe(V311, 1, &[("h1/gw1/lamp1/+/in", Q1)]))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V311, 1, &[1]))
}

fn message(identifier: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    publish(V311, publish_of(Q1, identifier, topic, payload))
}

fn retained(identifier: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    let publish_of = publish_of(Q1, identifier, topic, payload);
    publish(V311, Publish { retain: true, ..publish_of })
}

#[test]
fn a_retained_command_does_not_come_again_with_a_new_subscription() {
    omnicore_to_mqtt2go()
        .upstream_sends(message(5, SWITCH_IN, ON))
        .device_receives(message(5, SWITCH, ON))
        .device_sends(puback(V311, 5))
        .upstream_receives(puback(V311, 5))
        // The same bytes again, because somebody subscribed again.
        .upstream_sends(retained(6, SWITCH_IN, ON))
        .upstream_receives(puback(V311, 6))
        .look(|_, tally| assert_eq!(tally.refused(Way::Down, Reason::LoopSuppressed), 1))
        // Another value, and the first one after it, are commands of their own.
        .upstream_sends(message(7, SWITCH_IN, OFF))
        .device_receives(message(7, SWITCH, OFF))
        .upstream_sends(retained(8, SWITCH_IN, ON))
        .device_receives(message(8, SWITCH, ON))
        .goes_on()
        .play();
}

#[test]
fn a_command_that_is_sent_twice_is_delivered_twice() {
    omnicore_to_mqtt2go()
        .upstream_sends(message(5, SWITCH_IN, ON))
        .device_receives(message(5, SWITCH, ON))
        .upstream_sends(message(6, SWITCH_IN, ON))
        .device_receives(message(6, SWITCH, ON))
        .goes_on()
        .play();
}

#[test]
fn what_the_device_did_not_ask_for_is_not_taken_as_delivered() {
    let home = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let ask = |identifier, own: &str, theirs: &str| {
        (subscribe(V311, identifier, &[(own, Q1)]), subscribe(V311, identifier, &[(theirs, Q1)]))
    };
    let (own, theirs) = ask(1, "/plant/lamp1/commands/color", "h1/gw1/lamp1/color/in");
    let (own_later, theirs_later) = ask(2, SWITCH, SWITCH_IN);
    between(omnicore(), home, [pairs::OMNICORE_LAMP, "lamp1"])
        .connected()
        .device_sends(own)
        .upstream_receives(theirs)
        .upstream_sends([suback(V311, 1, &[1]), message(5, SWITCH_IN, ON)].concat())
        .device_receives(suback(V311, 1, &[1]))
        .upstream_receives(puback(V311, 5))
        .device_sends(own_later)
        .upstream_receives(theirs_later)
        .upstream_sends([suback(V311, 2, &[1]), retained(6, SWITCH_IN, ON)].concat())
        .device_receives([suback(V311, 2, &[1]), message(6, SWITCH, ON)].concat())
        .goes_on()
        .play();
}

const REPORT_TOPIC: &str = "h1/gw1/all/room1/77";
const REPORT: &[u8] =
    br#"{"type":"periodic_report","priority_level":3,"timestamp":0,"value":21.5}"#;
const COMMAND: &[u8] = br#"{"type":"command","timestamp":5,"value":"on"}"#;

/// ThingScale's device 77 in front of the older MQTT2GO, which has one topic for both directions.
fn thingscale_to_one_topic() -> Script {
    let here = pairs::side("thingscale", &[("token", "TOK-HERE")]);
    let there = [("home", "h1"), ("gateway", "gw1"), ("group", "all")];
    between(here, pairs::side("mqtt2go-1.2", &there), ["77", "77"])
        .connected()
        .device_sends(subscribe(V311, 1, &[("TOK-HERE/77/subscribe", Q1)]))
        .upstream_receives(subscribe(V311, 1, &[("h1/gw1/all/+/77", Q1)]))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V311, 1, &[1]))
        .device_sends(message(7, "TOK-HERE/json/77/room1", b"21.5"))
        .upstream_receives(message(7, REPORT_TOPIC, REPORT))
        .upstream_sends(puback(V311, 7))
        .device_receives(puback(V311, 7))
}

#[test]
fn a_session_does_not_get_its_own_messages_as_commands() {
    thingscale_to_one_topic()
        .upstream_sends(message(5, REPORT_TOPIC, REPORT))
        .upstream_receives(puback(V311, 5))
        .look(|_, tally| assert_eq!(tally.refused(Way::Down, Reason::LoopSuppressed), 1))
        .goes_on()
        .play();
}

#[test]
fn a_command_on_the_topic_of_reports_is_one() {
    thingscale_to_one_topic()
        .upstream_sends(message(5, REPORT_TOPIC, COMMAND))
        .device_receives(message(5, "TOK-HERE/77/subscribe", COMMAND))
        .goes_on()
        .play();
}

const COMMAND_TOPIC: &str = "v1/device/XID/command";

/// An MQTT2GO device in front of Xyte, MQTT 5, that has asked for its commands.
fn mqtt2go_to_xyte() -> Script {
    let v5 = Version::V5;
    let script = pairs::mqtt2go_to_xyte().connected();
    let asked = script.device_sends(subscribe(v5, 1, &[("h1/gw1/XID/+/in", Q1)]));
    asked
        .upstream_receives(subscribe(v5, 1, &[(COMMAND_TOPIC, Q1), ("v1/device/XID/config", Q1)]))
        .upstream_sends(suback(v5, 1, &[1, 1]))
        .device_receives(suback(v5, 1, &[1]))
}

#[test]
fn an_answer_without_identifier_is_of_the_oldest_command_of_its_name() {
    let v5 = Version::V5;
    let asked = |identifier, id: &str, value: &str| {
        let payload = format!(
            r#"{{"id":"{id}","status":"pending","name":"switch","parameters":{{"value":"{value}"}}}}"#
        );
        publish(v5, publish_of(Q1, identifier, COMMAND_TOPIC, payload.as_bytes()))
    };
    let told = |identifier, value: &str| {
        let payload = format!(r#"{{"type":"set","timestamp":0,"value":"{value}"}}"#);
        publish(v5, publish_of(Q1, identifier, "h1/gw1/XID/switch/in", payload.as_bytes()))
    };
    let answer = |identifier| {
        let payload = br#"{"type":"command_response","timestamp":9,"value":"ok"}"#;
        publish(v5, publish_of(Q1, identifier, "h1/gw1/XID/switch/out", payload))
    };
    let outcome = |identifier, id: &str| {
        let payload = format!(r#"{{"id":"{id}","status":"done","message":"ok"}}"#);
        let topic = "v1/device/XID/commands/update";
        publish(v5, publish_of(Q1, identifier, topic, payload.as_bytes()))
    };
    mqtt2go_to_xyte()
        .upstream_sends([asked(5, "c-8", "on"), asked(6, "c-9", "off")].concat())
        .device_receives([told(5, "on"), told(6, "off")].concat())
        .device_sends([answer(3), answer(4)].concat())
        .upstream_receives([outcome(3, "c-8"), outcome(4, "c-9")].concat())
        // Nobody waits for a third one, and Xyte takes none without identifier.
        .device_sends(answer(5))
        .device_receives(acknowledge_with(
            v5,
            AcknowledgementKind::Puback,
            5,
            ReasonCode::PayloadFormatInvalid,
        ))
        .goes_on()
        .play();
}

#[test]
fn properties_that_change_one_by_one_are_one_configuration() {
    let there = pairs::side("smartworks", &[("space", "acme")]);
    let property = |identifier, name: &str, payload: &[u8]| {
        message(identifier, &format!("spaces/acme/things/lamp1/properties/{name}"), payload)
    };
    let config = |identifier, payload: &[u8]| message(identifier, "/plant/lamp1/config", payload);
    between(omnicore(), there, [pairs::OMNICORE_LAMP, "lamp1"])
        .connected()
        .device_sends(subscribe(V311, 1, &[("/plant/lamp1/config", Q1)]))
        .upstream_receives(subscribe(V311, 1, &[("spaces/acme/things/lamp1/properties/+", Q1)]))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V311, 1, &[1]))
        .upstream_sends(property(5, "mode", br#"{"mode":"blue"}"#))
        .device_receives(config(5, br#"{"mode":"blue"}"#))
        .upstream_sends(property(6, "fan", br#"{"fan": true}"#))
        .device_receives(config(6, br#"{"mode":"blue","fan":true}"#))
        .upstream_sends(property(7, "mode", br#"{"mode":"red"}"#))
        .device_receives(config(7, br#"{"mode":"red","fan":true}"#))
        .goes_on()
        .play();
}

/// An MQTT2GO device in front of OmniCore, which keeps one state for the whole device.
fn mqtt2go_to_omnicore() -> Script {
    pairs::mqtt2go_to_omnicore().connected()
}

fn status(identifier: u16, entity: &str, value: &str) -> Vec<u8> {
    let payload = format!(r#"{{"type":"status","timestamp":1567677926,"value":"{value}"}}"#);
    message(identifier, &format!("h1/gw1/lamp1/{entity}/out"), payload.as_bytes())
}

fn state(identifier: u16, json: &str) -> Vec<u8> {
    message(identifier, "/plant/lamp1/state", json.as_bytes())
}

#[test]
fn a_will_is_no_value_until_it_is_published() {
    let offline = br#"{"type":"status","value":"offline"}"#;
    let will = Some(will("h1/gw1/lamp1/connection/out", offline, Q1));
    let script = pairs::mqtt2go_to_omnicore();
    let opening = Opening {
        device_connect: connect(Connect { will, ..connect_of(V311, "lamp1") }),
        ..script.opening()
    };
    let identifier = u16::MAX - 1;
    script
        .opening_with(opening)
        .connected()
        .device_sends(status(1, "switch", "on"))
        .upstream_receives(state(1, r#"{"switch":"on"}"#))
        .device_closes()
        .upstream_receives(state(identifier, r#"{"switch":"on","connection":"offline"}"#))
        .upstream_sends(puback(V311, identifier))
        .upstream_receives([0xE0, 0])
        .ends(End::DeviceClosed)
        .play();
}

#[test]
fn a_value_that_is_refused_is_not_remembered() {
    let huge = "x".repeat(65_530);
    mqtt2go_to_omnicore()
        .device_sends(status(1, "switch", "on"))
        .upstream_receives(state(1, r#"{"switch":"on"}"#))
        .device_sends(status(2, "note", &huge))
        .device_receives(puback(V311, 2))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::PayloadTooLarge), 1))
        .device_sends(status(3, "dim", "4"))
        .upstream_receives(state(3, r#"{"switch":"on","dim":"4"}"#))
        .goes_on()
        .play();
}

#[test]
fn one_read_brings_only_so_much() {
    // Each short message becomes the whole document.
    let wide = "y".repeat(60_000);
    let short: Vec<u8> = (0..500).flat_map(|_| status(9, "s", "1")).collect();
    let (translator, limits) = mqtt2go_to_omnicore().parts();
    let plan = SessionPlan { translator, limits, on_refusal: OnRefusal::AckAndDrop };
    let mut session = Session::new(Arc::new(plan), Instant::now());
    let Opening { device_connect, upstream_connack, .. } = pairs::mqtt2go_to_omnicore().opening();
    let (mut to_device, mut to_upstream) = (Vec::new(), Vec::new());
    let (mut scratch, tally) = (Scratch::default(), Tally::default());
    let mut wake = Wake {
        now: Instant::now(),
        to_device: &mut to_device,
        to_upstream: &mut to_upstream,
        scratch: &mut scratch,
        tally: &tally,
    };
    session.on_device_bytes(&device_connect, &mut wake);
    session.on_upstream_open(wake.now);
    session.on_upstream_bytes(&upstream_connack, &mut wake);
    session.on_device_bytes(&status(1, "wide", &wide), &mut wake);
    wake.to_upstream.clear();
    let mut rest = &short[..];
    while !rest.is_empty() {
        let used = session.on_device_bytes(rest, &mut wake);
        assert!(used > 0 && wake.to_upstream.len() < 400_000, "{}", wake.to_upstream.len());
        rest = &rest[used..];
        assert_eq!(session.is_behind(), !rest.is_empty());
        wake.to_upstream.clear();
    }
}

#[test]
fn a_command_that_nobody_asked_for_has_no_outcome() {
    let v5 = Version::V5;
    let asked = |identifier, id: &str| {
        let payload = format!(
            r#"{{"id":"{id}","status":"pending","name":"switch","parameters":{{"value":1}}}}"#
        );
        publish(v5, publish_of(Q1, identifier, COMMAND_TOPIC, payload.as_bytes()))
    };
    let told = br#"{"type":"set","timestamp":0,"value":1}"#;
    let answer = br#"{"type":"command_response","timestamp":9,"value":"ok"}"#;
    let both = [(COMMAND_TOPIC, Q1), ("v1/device/XID/config", Q1)];
    pairs::mqtt2go_to_xyte()
        .connected()
        .device_sends(subscribe(v5, 1, &[("h1/gw1/XID/color/in", Q1)]))
        .upstream_receives(subscribe(v5, 1, &both))
        .upstream_sends([suback(v5, 1, &[1, 1]), asked(5, "c-1")].concat())
        .device_receives(suback(v5, 1, &[1]))
        .upstream_receives(puback(v5, 5))
        .device_sends(subscribe(v5, 2, &[("h1/gw1/XID/switch/in", Q1)]))
        .upstream_receives(subscribe(v5, 2, &both))
        .upstream_sends([suback(v5, 2, &[1, 1]), asked(6, "c-2")].concat())
        .device_receives(
            [suback(v5, 2, &[1]), publish(v5, publish_of(Q1, 6, "h1/gw1/XID/switch/in", told))]
                .concat(),
        )
        .device_sends(publish(v5, publish_of(Q1, 3, "h1/gw1/XID/switch/out", answer)))
        .upstream_receives(publish(
            v5,
            publish_of(
                Q1,
                3,
                "v1/device/XID/commands/update",
                br#"{"id":"c-2","status":"done","message":"ok"}"#,
            ),
        ))
        .goes_on()
        .play();
}

#[test]
fn the_upstream_is_not_asked_for_what_the_session_tells_apart_itself() {
    let v5 = Version::V5;
    let asked = |filter, no_local, retain_as_published| {
        let asked = Subscription { no_local, retain_as_published, ..wish(filter, Q1) };
        let mut out = Vec::new();
        encode_subscribe(v5, id(1), Properties::EMPTY, &[asked], &mut out).unwrap();
        out
    };
    pairs::mqtt2go_to_mqtt2go()
        .connected()
        .device_sends(asked("h1/gw1/lamp1/switch/in", true, true))
        .upstream_receives(asked("h9/gw9/lamp1/switch/in", true, false))
        .goes_on()
        .play();
}

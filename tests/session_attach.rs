//! Gateways in front of OmniCore with the option `attach`: devices are attached before anything is said about them.

mod script;

use interlingua::mqtt::{Connect, Publish, Qos, ReasonCode, Version};
use interlingua::session::End;
use interlingua::translate::{Identity, Reason, Way};
use script::packets::*;
use script::{Opening, Script, pairs};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const V311: Version = Version::V311;
const ERRORS: &str = "/plant/gw1/errors";
const REPORT: &[u8] = br#"{"type":"periodic_report","timestamp":1567677926,"value":21.8}"#;

/// The first identifiers that a session lends: the subscription's, then one per attachment.
const LENT: [u16; 3] = [65_534, 65_533, 65_532];

/// The home gateway gw1 of MQTT2GO in front of OmniCore, which it speaks to under its own name.
fn opening() -> Opening {
    let gateway = "subscriptions/acme-sub/registries/plant/devices/gw1";
    Opening {
        device_connect: connect(connect_of(V311, "gw1")),
        upstream_connect: connect(pairs::omnicore_connect(V311, gateway)),
        upstream_connack: connack(V311, ReasonCode::Success),
        device_connack: connack(V311, ReasonCode::Success),
    }
}

fn gateway() -> Script {
    let home = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let values = [("subscription", "acme-sub"), ("registry", "plant"), ("password", pairs::JWT)];
    let there = pairs::side("omnicore", &values).with_option("attach");
    Script::new(V311, pairs::translator(home, there, Identity::Same), opening())
}

/// Up to the subscription to what goes wrong.
fn running() -> Script {
    gateway()
        .connected()
        .upstream_receives(subscribe(V311, LENT[0], &[(ERRORS, Q0)]))
        .upstream_sends(suback(V311, LENT[0], &[0]))
}

fn report(identifier: u16, device: &str) -> Vec<u8> {
    let topic = format!("h1/gw1/{device}/temperature/out");
    publish(V311, publish_of(Q1, identifier, &topic, REPORT))
}

fn reported(identifier: u16, device: &str) -> Vec<u8> {
    let topic = format!("/plant/{device}/events/temperature");
    publish(V311, publish_of(Q1, identifier, &topic, REPORT))
}

fn attach(identifier: u16, device: &str) -> Vec<u8> {
    publish(V311, publish_of(Q1, identifier, &format!("/plant/{device}/attach"), b"{}"))
}

fn error(word: &str, device: &str) -> Vec<u8> {
    let payload = format!(r#"{{"error_type":"{word}","device_id":"{device}"}}"#);
    publish(V311, publish_of(Q0, 0, ERRORS, payload.as_bytes()))
}

#[test]
fn a_device_is_attached_before_its_first_message() {
    running()
        .device_sends([report(1, "ms1"), report(2, "ms1")].concat())
        .upstream_receives(attach(LENT[1], "ms1"))
        .upstream_sends(puback(V311, LENT[1]))
        .upstream_receives([reported(1, "ms1"), reported(2, "ms1")].concat())
        .upstream_sends([puback(V311, 1), puback(V311, 2)].concat())
        .device_receives([puback(V311, 1), puback(V311, 2)].concat())
        // It is attached now; another one isn't.
        .device_sends([report(3, "ms1"), report(4, "ms2"), report(5, "ms1")].concat())
        .upstream_receives([reported(3, "ms1"), attach(LENT[2], "ms2")].concat())
        .upstream_sends(puback(V311, LENT[2]))
        .upstream_receives([reported(4, "ms2"), reported(5, "ms1")].concat())
        .goes_on()
        .play();
}

#[test]
fn the_gateway_itself_needs_no_attachment() {
    running().device_sends(report(1, "gw1")).upstream_receives(reported(1, "gw1")).goes_on().play();
}

#[test]
fn a_device_is_attached_before_its_commands_are_asked_for() {
    let filters = |identifier| {
        subscribe(V311, identifier, &[("/plant/lamp1/commands/#", Q1), ("/plant/lamp1/config", Q1)])
    };
    running()
        .device_sends(subscribe(V311, 1, &[("h1/gw1/lamp1/+/in", Q1)]))
        .upstream_receives(attach(LENT[1], "lamp1"))
        .upstream_sends(puback(V311, LENT[1]))
        .upstream_receives(filters(1))
        .upstream_sends(suback(V311, 1, &[1, 1]))
        .device_receives(suback(V311, 1, &[1]))
        .goes_on()
        .play();
}

#[test]
fn what_the_platform_refuses_is_not_attached() {
    running()
        .device_sends(report(1, "ms1"))
        .upstream_receives(attach(LENT[1], "ms1"))
        .upstream_sends(puback(V311, LENT[1]))
        .upstream_receives(reported(1, "ms1"))
        .upstream_sends(error("GATEWAY_ATTACHMENT_ERROR", "ms1"))
        .device_sends(report(2, "ms1"))
        .device_receives(puback(V311, 2))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::NotAttached), 1))
        .goes_on()
        .play();
}

#[test]
fn a_device_that_the_platform_lost_is_attached_again_once() {
    running()
        .device_sends(report(1, "ms1"))
        .upstream_receives(attach(LENT[1], "ms1"))
        .upstream_sends(puback(V311, LENT[1]))
        .upstream_receives(reported(1, "ms1"))
        .upstream_sends(error("GATEWAY_DEVICE_NOT_FOUND", "ms1"))
        .device_sends(report(2, "ms1"))
        .upstream_receives(attach(LENT[2], "ms1"))
        .upstream_sends(puback(V311, LENT[2]))
        .upstream_receives(reported(2, "ms1"))
        .upstream_sends(error("GATEWAY_DEVICE_NOT_FOUND", "ms1"))
        .device_sends(report(3, "ms1"))
        .device_receives(puback(V311, 3))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::NotAttached), 1))
        .goes_on()
        .play();
}

#[test]
fn an_attachment_without_answer_is_given_up() {
    running()
        .limits(|limits| limits.upstream_timeout = std::time::Duration::from_secs(4))
        .device_sends([report(1, "ms1"), report(2, "gw1")].concat())
        .upstream_receives(attach(LENT[1], "ms1"))
        .after(3.9)
        .goes_on()
        .after(0.2)
        .device_receives(puback(V311, 1))
        .upstream_receives(reported(2, "gw1"))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::NotAttached), 1))
        // The answer comes late, but it comes.
        .upstream_sends(puback(V311, LENT[1]))
        .device_sends(report(3, "ms1"))
        .upstream_receives(reported(3, "ms1"))
        .goes_on()
        .play();
}

#[test]
fn an_identifier_that_the_platform_still_owes_ends_the_session_when_it_is_needed() {
    running()
        .limits(|limits| limits.upstream_timeout = std::time::Duration::from_secs(4))
        .device_sends(report(1, "ms1"))
        .upstream_receives(attach(LENT[1], "ms1"))
        .after(4.1)
        .device_receives(puback(V311, 1))
        .device_sends(report(LENT[1], "gw1"))
        .ends(End::UpstreamTimeout)
        .play();
}

#[test]
fn a_device_that_waits_for_an_attachment_is_not_silent() {
    let given = Connect { keep_alive_seconds: 4, ..connect_of(V311, "gw1") };
    let gateway_id = "subscriptions/acme-sub/registries/plant/devices/gw1";
    let upstream = Connect { keep_alive_seconds: 4, ..pairs::omnicore_connect(V311, gateway_id) };
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(upstream),
        ..opening()
    };
    let mut script = gateway()
        .opening_with(opening)
        .connected()
        .upstream_receives(subscribe(V311, LENT[0], &[(ERRORS, Q0)]))
        .upstream_sends(suback(V311, LENT[0], &[0]))
        .device_sends(report(1, "ms1"))
        .upstream_receives(attach(LENT[1], "ms1"));
    for _ in 0..2 {
        // The ping passes what waits.
        script = script
            .after(3.9)
            .device_sends([0xC0, 0])
            .upstream_receives([0xC0, 0])
            .upstream_sends([0xD0, 0])
            .device_receives([0xD0, 0]);
    }
    script.goes_on().play();
}

#[test]
fn nobody_subscribes_for_a_device_that_the_platform_refuses() {
    running()
        .device_sends(report(1, "ms1"))
        .upstream_receives(attach(LENT[1], "ms1"))
        // The error comes before the acknowledgement, which then means little.
        .upstream_sends([error("GATEWAY_ATTACHMENT_ERROR", "ms1"), puback(V311, LENT[1])].concat())
        .device_receives(puback(V311, 1))
        .device_sends(subscribe(V311, 2, &[("h1/gw1/ms1/+/in", Q1)]))
        .device_receives(suback(V311, 2, &[0x80]))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::NotAttached), 2))
        .goes_on()
        .play();
}

#[test]
fn lent_identifiers_are_none_that_a_subscription_waits_under() {
    let own = |identifier| subscribe(V311, identifier, &[("h1/gw1/gw1/+/in", Q1)]);
    let there = |identifier| {
        subscribe(V311, identifier, &[("/plant/gw1/commands/#", Q1), ("/plant/gw1/config", Q1)])
    };
    running()
        .device_sends([own(LENT[1]), report(1, "ms1")].concat())
        .upstream_receives([there(LENT[1]), attach(LENT[2], "ms1")].concat())
        .upstream_sends(suback(V311, LENT[1], &[1, 1]))
        .device_receives(suback(V311, LENT[1], &[1]))
        // The other way round the device waits until its identifier is free.
        .device_sends(own(LENT[2]))
        .upstream_sends(puback(V311, LENT[2]))
        .upstream_receives([reported(1, "ms1"), there(LENT[2])].concat())
        .goes_on()
        .play();
}

#[test]
fn only_so_many_devices_are_attached() {
    running()
        .limits(|limits| limits.attachments_max = 1)
        .device_sends([report(1, "ms1"), report(2, "ms2")].concat())
        .upstream_receives(attach(LENT[1], "ms1"))
        .upstream_sends(puback(V311, LENT[1]))
        .upstream_receives(reported(1, "ms1"))
        .device_receives(puback(V311, 2))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::NotAttached), 1))
        .goes_on()
        .play();
}

#[test]
fn a_message_that_has_no_translation_attaches_nobody() {
    running()
        .device_sends(publish(V311, publish_of(Q1, 1, "h1/gw1/add_device/out", b"{}")))
        .device_receives(puback(V311, 1))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::AdminTopic), 1))
        .goes_on()
        .play();
}

#[test]
fn without_the_option_attaching_is_the_devices_own_affair() {
    let home = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let values = [("subscription", "acme-sub"), ("registry", "plant"), ("password", pairs::JWT)];
    let there = pairs::side("omnicore", &values);
    Script::new(V311, pairs::translator(home, there, Identity::Same), opening())
        .connected()
        .device_sends(report(1, "ms1"))
        .upstream_receives(reported(1, "ms1"))
        .goes_on()
        .play();
}

#[test]
fn others_may_speak_about_errors() {
    // A retained or foreign message on another topic of errors is no message to the session.
    let foreign = publish(V311, publish_of(Q1, 9, "/plant/gw2/errors", b"{}"));
    running()
        .upstream_sends(foreign)
        .upstream_receives(puback(V311, 9))
        .upstream_sends(error("GATEWAY_ATTACHMENT_ERROR", "unknown"))
        .upstream_sends(publish(
            V311,
            Publish { retain: true, ..publish_of(Q0, 0, ERRORS, b"no JSON") },
        ))
        .goes_on()
        .upstream_closes()
        .ends(End::UpstreamClosed)
        .play();
}

/// OmniCore on both sides: the device is a gateway that knows what attaching is.
fn knowing_gateway(device_connect: Vec<u8>) -> Script {
    let values = [("subscription", "acme-sub"), ("registry", "plant")];
    let here = pairs::side("omnicore", &values);
    let there = pairs::side("omnicore", &values).with("password", pairs::JWT);
    let translator = pairs::translator(here, there.with_option("attach"), Identity::Same);
    Script::new(V311, translator, Opening { device_connect, ..opening() })
}

#[test]
fn a_device_that_asks_for_errors_hears_them_too() {
    let gateway = "subscriptions/acme-sub/registries/plant/devices/gw1";
    let heard = error("GATEWAY_ATTACHMENT_ERROR", "ms1");
    knowing_gateway(connect(connect_of(V311, gateway)))
        .connected()
        .upstream_receives(subscribe(V311, LENT[0], &[(ERRORS, Q0)]))
        .upstream_sends(suback(V311, LENT[0], &[0]))
        // Nobody has asked yet.
        .upstream_sends(heard.clone())
        .device_sends(subscribe(V311, 1, &[(ERRORS, Q0)]))
        .upstream_receives(subscribe(V311, 1, &[(ERRORS, Q0)]))
        .upstream_sends(suback(V311, 1, &[0]))
        .device_receives(suback(V311, 1, &[0]))
        .upstream_sends(heard.clone())
        .device_receives(heard)
        .look(|_, tally| assert_eq!(tally.refused(Way::Down, Reason::KindUnsupported), 0))
        .goes_on()
        .play();
}

#[test]
fn a_will_about_a_device_that_is_not_attached_is_refused() {
    let gone = will("h1/gw1/ms1/connection/out", br#"{"type":"periodic_report","value":0}"#, Q0);
    let given = Connect { will: Some(gone), ..connect_of(V311, "gw1") };
    gateway()
        .opening_with(Opening { device_connect: connect(given), ..opening() })
        .connected()
        .upstream_receives(subscribe(V311, LENT[0], &[(ERRORS, Q0)]))
        .upstream_sends(suback(V311, LENT[0], &[0]))
        .device_closes()
        .upstream_receives([0xE0, 0])
        .ends(End::DeviceClosed)
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::NotAttached), 1))
        .play();
}

#[test]
fn a_form_without_counterpart_does_not_hide_the_device() {
    let table = r#"
name = "desk"
mqtt = ["3.1.1"]

[[topic]]
kind = "query"
from = "device"
template = "desk/{device}/out"
shape = "json"
when = { member = "type", is = ["ask"] }

[[topic]]
kind = "telemetry"
from = "device"
template = "desk/{device}/out"
shape = "json"

[[topic]]
kind = "command"
from = "cloud"
template = "desk/{device}/in"
"#;
    let here = interlingua::dialect::parse("desk.toml", table).unwrap();
    let here = interlingua::translate::Side::new(std::sync::Arc::new(here));
    let values = [("subscription", "acme-sub"), ("registry", "plant"), ("password", pairs::JWT)];
    let there = pairs::side("omnicore", &values).with_option("attach");
    let translator = pairs::translator(here, there, Identity::Same);
    let mut scratch = interlingua::translate::Scratch::default();
    let mut memory = interlingua::translate::Memory::default();
    let message = interlingua::translate::Incoming {
        topic_name: "desk/ms1/out",
        payload: b"{\"t\":1}",
        qos: Q1,
        retain: false,
    };
    let sent = translator.publish(Way::Up, &message, &mut memory, &mut scratch).unwrap();
    assert_eq!(sent.messages().next().unwrap().topic_name, "/plant/ms1/events");
    let mut name = String::new();
    assert!(translator.speaks_for("desk/ms1/out", &mut name));
    assert_eq!(name, "ms1");
}

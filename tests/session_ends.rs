//! Wills, keep alive, DISCONNECT: how sessions live and end.

mod script;

use interlingua::mqtt::{Connect, Property, Qos, ReasonCode, Version, Will};
use interlingua::session::End;
use script::packets::*;
use script::{Script, pairs};

const V311: Version = Version::V311;
const V5: Version = Version::V5;
const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;

// ---- DISCONNECT ----

#[test]
fn a_device_that_says_good_bye_is_believed() {
    for script in [
        pairs::plain(Version::V31),
        pairs::plain(V311),
        pairs::plain(V5),
        pairs::thingscale_to_omnicore(),
        pairs::xyte_legacy_to_xyte(),
    ] {
        let v = script.version();
        let good_bye = disconnect(v, ReasonCode::Success);
        script
            .connected()
            .device_sends([&good_bye[..], &PINGREQ[..]].concat())
            .upstream_receives(good_bye)
            .ends(End::DeviceDisconnected)
            .device_closes()
            .upstream_closes()
            .drain()
            .after(3600.0)
            .ends(End::DeviceDisconnected)
            .play();
    }
}

#[test]
fn a_device_that_vanishes_takes_its_upstream_connection_down_without_a_word() {
    for script in [pairs::plain(V311), pairs::plain(V5), pairs::thingscale_to_omnicore()] {
        script.connected().device_closes().ends(End::DeviceClosed).play();
    }
}

#[test]
fn an_upstream_that_vanishes_closes_the_device_with_a_reason() {
    // With `plain` the device sees what the broker did.
    for version in [V311, V5] {
        pairs::plain(version).connected().upstream_closes().ends(End::UpstreamClosed).play();
    }
    pairs::xyte_legacy_to_xyte()
        .connected()
        .upstream_closes()
        .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
        .ends(End::UpstreamClosed)
        .play();
}

#[test]
fn a_disconnect_of_the_upstream_reaches_a_device_of_5() {
    for script in [pairs::plain(V5), pairs::xyte_legacy_to_xyte()] {
        let taken = disconnect(V5, ReasonCode::SessionTakenOver);
        script
            .connected()
            .upstream_sends(taken.clone())
            .device_receives(taken)
            .ends(End::UpstreamDisconnected(ReasonCode::SessionTakenOver))
            .play();
    }
}

#[test]
fn a_will_that_is_carried_is_asked_for_by_the_devices_own_disconnect() {
    let left = disconnect(V5, ReasonCode::DisconnectWithWillMessage);
    pairs::plain(V5)
        .connected()
        .device_sends(left.clone())
        .upstream_receives(left)
        .ends(End::DeviceDisconnected)
        .play();
}

#[test]
fn who_has_to_go_for_want_of_memory_is_told_and_breaks_towards_the_upstream() {
    for script in [pairs::plain(V311), pairs::plain(V5), pairs::xyte_legacy_to_xyte()] {
        let version = script.version();
        let mut script = script.connected().short_of_memory();
        if version == V5 {
            script = script.device_receives(disconnect(V5, ReasonCode::QuotaExceeded));
        }
        script.ends(End::MemoryShort).play();
    }
}

// ---- wills ----

#[test]
fn a_will_is_carried_under_the_upstreams_names() {
    let buffer = properties(&[
        Property::WillDelayInterval(5),
        Property::UserProperty("access_key", pairs::ACCESS_KEY),
        Property::ResponseTopic("v1/device/XID/commands"),
    ]);
    let kept = properties(&[
        Property::WillDelayInterval(5),
        Property::ResponseTopic("v1/device/XID/command"),
    ]);
    let own = properties(&[pairs::own_limit()]);
    let base = connect_of(V5, "XID");
    let topic = "v1/device/XID/commands/update";
    let given = Will { retain: true, properties: buffer.properties(), ..will(topic, b"{}", Q2) };
    let sent = Will { retain: false, properties: kept.properties(), ..will(topic, b"{}", Q2) };
    pairs::xyte_legacy_to_xyte()
        .device_sends(connect(Connect { will: Some(given), ..base }))
        .upstream_opens()
        .upstream_receives(connect(Connect {
            will: Some(sent),
            properties: own.properties(),
            user_name: Some("XID"),
            password: Some(pairs::UPSTREAM_KEY.as_bytes()),
            ..base
        }))
        .play();
}

/// ThingScale's device with a will, in front of OmniCore, which has none.
fn with_will(qos: Qos) -> Script {
    let given = Connect {
        will: Some(Will { retain: true, ..will("TOK-4711/json/77/gone", b"1", qos) }),
        ..connect_of(V311, "77_x1")
    };
    let script = pairs::thingscale_to_omnicore();
    let opening = script.opening();
    script
        .device_sends(connect(given))
        .upstream_opens()
        .upstream_receives(opening.upstream_connect)
        .upstream_sends(opening.upstream_connack)
        .device_receives(opening.device_connack)
}

fn the_will(qos: Qos) -> Vec<u8> {
    let identifier = if qos == Q0 { 0 } else { u16::MAX - 1 };
    publish(V311, publish_of(qos, identifier, "/plant/d77/events/gone", b"1"))
}

#[test]
fn an_emulated_will_is_published_when_the_device_vanishes_in_any_way() {
    type Vanish = fn(Script) -> Script;
    let ways: [(Vanish, &str); 7] = [
        (|script| script.device_closes(), "device_closed"),
        (|script| script.after(90.1), "keep_alive_timeout"),
        (|script| script.device_sends([0x00]), "device_malformed"),
        (|script| script.device_sends(PINGRESP), "device_protocol"),
        (|script| script.device_sends(connect(connect_of(V311, "77"))), "device_protocol"),
        (|script| script.drain(), "drained"),
        (|script| script.short_of_memory(), "memory_short"),
    ];
    for (vanish, label) in ways {
        vanish(with_will(Q1))
            .upstream_receives(the_will(Q1))
            .goes_on()
            .upstream_sends(puback(V311, u16::MAX - 1))
            .upstream_receives(disconnect(V311, ReasonCode::Success))
            .ends_as(label)
            .play();
        vanish(with_will(Q0))
            .upstream_receives(the_will(Q0))
            .upstream_receives(disconnect(V311, ReasonCode::Success))
            .ends_as(label)
            .play();
    }
    // QoS 2 is clamped, as with any message to OmniCore.
    with_will(Q2).device_closes().upstream_receives(the_will(Q1)).play();
}

#[test]
fn an_emulated_will_waits_no_longer_than_the_upstreams_timeout() {
    let left = || with_will(Q1).device_closes().upstream_receives(the_will(Q1));
    left().after(9.9).goes_on().after(0.2).ends(End::DeviceClosed).play();
    left().upstream_closes().ends(End::DeviceClosed).play();
    left().upstream_sends([0x00]).ends(End::DeviceClosed).play();
    left().upstream_sends(puback(V311, 3)).goes_on().play();
    left().drain().device_closes().goes_on().play();
}

#[test]
fn a_device_that_is_gone_receives_nothing_more() {
    let left = || with_will(Q1).device_closes().upstream_receives(the_will(Q1));
    left()
        .upstream_sends(publish(V311, publish_of(Q1, 3, "/plant/d77/commands", b"on")))
        .upstream_sends(publish(V311, publish_of(Q2, 4, "/plant/d77/config", b"on")))
        .upstream_sends(pubrec(V311, 3))
        .upstream_sends(pubrel(V311, 3))
        .upstream_sends(puback(V311, u16::MAX - 1))
        .upstream_receives(disconnect(V311, ReasonCode::Success))
        .ends(End::DeviceClosed)
        .play();
}

#[test]
fn an_emulated_will_is_dropped_by_a_good_bye_and_lost_with_its_upstream() {
    let good_bye = disconnect(V311, ReasonCode::Success);
    with_will(Q1)
        .device_sends(good_bye.clone())
        .upstream_receives(good_bye)
        .ends(End::DeviceDisconnected)
        .device_closes()
        .play();
    with_will(Q1).upstream_closes().ends(End::UpstreamClosed).device_closes().play();
}

/// [MQTT-3.1.2-10]: only reason code 0 deletes the will.
#[test]
fn in_5_any_good_bye_but_the_normal_one_publishes_the_will() {
    let topic = "h1/gw1/lamp1/light/out";
    let body = b"{\"type\":\"periodic_report\",\"value\":0}";
    for code in [ReasonCode::DisconnectWithWillMessage, ReasonCode::UnspecifiedError] {
        let script = pairs::mqtt2go_to_omnicore5();
        let opening = script.opening();
        let given = Connect { will: Some(will(topic, body, Q0)), ..connect_of(V5, "lamp1") };
        script
            .device_sends(connect(given))
            .upstream_opens()
            .upstream_receives(opening.upstream_connect)
            .upstream_sends(opening.upstream_connack)
            .device_receives(opening.device_connack)
            .device_sends(disconnect(V5, code))
            .upstream_receives(publish(V5, publish_of(Q0, 0, "/plant/lamp1/events/light", body)))
            .upstream_receives(disconnect(V5, ReasonCode::Success))
            .ends(End::DeviceDisconnected)
            .play();
    }
}

// ---- keep alive ----

#[test]
fn a_silent_device_is_ended_after_one_and_a_half_times_its_keep_alive() {
    for script in [pairs::plain(V311), pairs::plain(V5), pairs::thingscale_to_omnicore()] {
        let v = script.version();
        // A silent device is answered with silence: no PINGREQ of the proxy's keeps it alive upstream.
        let mut script = script.connected().after(89.9).goes_on().after(0.2);
        if v == V5 {
            script = script.device_receives(disconnect(v, ReasonCode::KeepAliveTimeout));
        }
        script.ends(End::KeepAliveTimeout).play();
    }
}

#[test]
fn any_packet_keeps_a_device_alive_and_a_part_of_one_does_not() {
    pairs::plain(V311)
        .connected()
        .after(80.0)
        .device_sends(PINGREQ)
        .upstream_receives(PINGREQ)
        .upstream_sends(PINGRESP)
        .device_receives(PINGRESP)
        .after(80.0)
        .goes_on()
        .device_sends([0xC0])
        .after(10.1)
        .ends(End::KeepAliveTimeout)
        .play();
}

#[test]
fn no_keep_alive_is_no_timeout_and_the_upstream_may_choose_another() {
    let base = Connect { keep_alive_seconds: 0, ..connect_of(V5, "dev") };
    let own = properties(&[pairs::own_limit()]);
    let opened = |list: &[Property<'_>], told: &[Property<'_>]| {
        pairs::plain(V5)
            .device_sends(connect(base))
            .upstream_opens()
            .upstream_receives(connect(Connect { properties: own.properties(), ..base }))
            .upstream_sends(connack_with(V5, false, ReasonCode::Success, list))
            .device_receives(connack_with(V5, false, ReasonCode::Success, told))
    };
    opened(&[], &[pairs::own_limit()]).after(1_000_000.0).goes_on().play();
    let chosen = Property::ServerKeepAlive(10);
    opened(&[chosen], &[chosen, pairs::own_limit()])
        .after(14.9)
        .goes_on()
        .after(0.2)
        .device_receives(disconnect(V5, ReasonCode::KeepAliveTimeout))
        .ends(End::KeepAliveTimeout)
        .play();
}

/// The proxy's own bound, told where the version has a word for it [MQTT-3.2.2-21].
#[test]
fn attack_26_a_device_is_given_no_longer_keep_alive_than_the_bound() {
    let bounded = |script: Script| {
        script.limits(|limits| limits.keep_alive_max = std::num::NonZeroU16::new(10))
    };
    let told = Property::ServerKeepAlive(10);
    let cases: [(u16, &[Property<'_>], Option<Property<'_>>); 6] = [
        (0, &[], Some(told)),
        (u16::MAX, &[], Some(told)),
        (10, &[], None),
        (10, &[Property::ServerKeepAlive(0)], Some(told)),
        (10, &[Property::ServerKeepAlive(300)], Some(told)),
        (0, &[told], Some(told)),
    ];
    for (asked, said, expected) in cases {
        let base = Connect { keep_alive_seconds: asked, ..connect_of(V5, "dev") };
        let own = properties(&[pairs::own_limit()]);
        // What the upstream says stays where it is; what the proxy says follows its Maximum Packet Size.
        let mut answer = vec![pairs::own_limit()];
        answer.splice(if said == [told] { 0..0 } else { 1..1 }, expected);
        bounded(pairs::plain(V5))
            .device_sends(connect(base))
            .upstream_opens()
            .upstream_receives(connect(Connect { properties: own.properties(), ..base }))
            .upstream_sends(connack_with(V5, false, ReasonCode::Success, said))
            .device_receives(connack_with(V5, false, ReasonCode::Success, &answer))
            .after(14.9)
            .goes_on()
            .after(0.2)
            .device_receives(disconnect(V5, ReasonCode::KeepAliveTimeout))
            .ends(End::KeepAliveTimeout)
            .play();
    }
    // A device of 3.x can't be told; who says something in time stays.
    for asked in [0, u16::MAX] {
        let base = Connect { keep_alive_seconds: asked, ..connect_of(V311, "dev") };
        bounded(pairs::plain(V311))
            .device_sends(connect(base))
            .upstream_opens()
            .upstream_receives(connect(base))
            .upstream_sends(connack(V311, ReasonCode::Success))
            .device_receives(connack(V311, ReasonCode::Success))
            .after(14.9)
            .device_sends(PINGREQ)
            .upstream_receives(PINGREQ)
            .after(14.9)
            .goes_on()
            .after(0.2)
            .ends(End::KeepAliveTimeout)
            .play();
    }
}

/// The same where packets are written anew.
#[test]
fn attack_26_a_translated_session_keeps_the_bound_too() {
    let script = pairs::mqtt2go_to_mqtt2go()
        .limits(|limits| limits.keep_alive_max = std::num::NonZeroU16::new(10));
    let opening = script.opening();
    let mut told = opening.clone();
    told.device_connack =
        with_more(&opening.device_connack, V5, 1, &[Property::ServerKeepAlive(10)]);
    script
        .opening_with(told)
        .connected()
        .after(15.1)
        .device_receives(disconnect(V5, ReasonCode::KeepAliveTimeout))
        .ends(End::KeepAliveTimeout)
        .play();
}

/// The upstream counts from what it hears; packets that end in the proxy are none.
#[test]
fn the_proxy_pings_for_a_device_whose_packets_end_in_the_proxy() {
    let lost = || publish(V311, publish_of(Q0, 0, "nowhere", b"x"));
    pairs::thingscale_to_omnicore()
        .connected()
        .after(50.0)
        .device_sends(lost())
        .after(3.9)
        .goes_on()
        .after(0.2)
        .upstream_receives(PINGREQ)
        .after(40.0)
        .device_sends(lost())
        // The answer to the proxy's own is for nobody else.
        .upstream_sends(PINGRESP)
        .device_sends(PINGREQ)
        .upstream_receives(PINGREQ)
        .upstream_sends(PINGRESP)
        .device_receives(PINGRESP)
        .goes_on()
        .upstream_sends(PINGRESP)
        .ends_as("upstream_protocol")
        .play();
}

#[test]
fn a_pingresp_that_nobody_asked_for_ends_the_session() {
    for script in [pairs::plain(V311), pairs::thingscale_to_omnicore()] {
        script
            .connected()
            .upstream_sends(PINGRESP)
            .ends(End::UpstreamProtocol("a PINGRESP that nobody asked for"))
            .play();
    }
}

#[test]
fn a_flood_of_pings_is_passed_one_for_one() {
    let many = PINGREQ.repeat(50);
    let answers = PINGRESP.repeat(50);
    pairs::plain(V311)
        .connected()
        .device_sends(many.clone())
        .upstream_receives(many)
        .upstream_sends(answers.clone())
        .device_receives(answers)
        .goes_on()
        .play();
}

//! Statements of section 3.2, and of 3.1 about what a CONNACK settles: what the device is told, and what both sides
//! then keep to.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{Connect, Property, ReasonCode, Version};
use interlingua::session::End;
use script::packets::*;
use script::{Opening, Script, pairs};

/// Whatever comes first from the upstream, the device gets CONNACK first, and it refuses.
fn connack_comes_first(version: Version) {
    let early = [
        publish(version, publish_of(Q0, 0, "t", b"x")),
        publish(version, publish_of(Q2, 1, "t", b"x")),
        puback(version, 1),
        pubrel(version, 1),
        suback(version, 1, &[0]),
        unsuback(version, 1, &[0]),
        PINGRESP.to_vec(),
        disconnect(version, ReasonCode::Success),
    ];
    for packet in early {
        for script in sessions_of(version) {
            script
                .connecting()
                .upstream_sends(packet.clone())
                .device_receives(connack(version, ReasonCode::ServerUnavailable))
                .ends_because_of("upstream_")
                .play();
        }
    }
}

#[test]
fn v3_3_2_0_1_connack_comes_first() {
    connack_comes_first(V31);
    connack_comes_first(V311);
}

#[test]
fn v5_3_2_0_1_connack_comes_first() {
    connack_comes_first(V5);
}

/// A CONNACK that may not be passed on: the device is refused, and sees nothing of it.
fn connack_is_not_passed_on(version: Version, bytes: &[u8]) {
    for script in sessions_of(version) {
        script
            .connecting()
            .upstream_sends(bytes)
            .device_receives(connack(version, ReasonCode::ServerUnavailable))
            .ends_because_of("upstream_")
            .play();
    }
}

#[test]
fn v5_3_2_2_1_reserved_acknowledge_flags_are_0() {
    for flags in (2..=255).step_by(23) {
        connack_is_not_passed_on(V5, &[0x20, 3, flags, 0, 0]);
        connack_is_not_passed_on(V311, &[0x20, 2, flags, 0]);
    }
}

/// Only `plain` leaves it to the device, whose affair it is.
#[test]
fn v5_3_2_2_2_a_clean_session_is_not_present() {
    let present = connack_with(V5, true, ReasonCode::Success, &[]);
    for script in sessions_of(V5).into_iter().skip(1) {
        script
            .connecting()
            .upstream_sends(present.clone())
            .device_receives(connack(V5, ReasonCode::ServerUnavailable))
            .ends_because_of("upstream_protocol")
            .play();
    }
}

/// Without clean start the device is told what the upstream says, in its own version.
fn session_present_passes(version: Version) {
    let given = Connect { clean_start: false, ..connect_of(version, "77") };
    for present in [false, true] {
        let told: &[_] = if version == V5 { &pairs::told() } else { &[] };
        let word = if version == V5 { "5" } else { "3.1.1" };
        let limit = properties(&[pairs::own_limit()]);
        let sent = if version == V5 { limit.properties() } else { given.properties };
        let opening = Opening {
            device_connect: connect(given),
            upstream_connect: connect(Connect { properties: sent, ..given }),
            upstream_connack: connack_with(version, present, ReasonCode::Success, &[]),
            device_connack: connack_with(version, present, ReasonCode::Success, told),
        };
        homes(version, word, opening.clone()).connected().goes_on().play();
        let own: &[_] = if version == V5 { &[pairs::own_limit()] } else { &[] };
        let device_connack = connack_with(version, present, ReasonCode::Success, own);
        let opening = Opening { device_connack, ..opening };
        pairs::plain(version).opening_with(opening).connected().goes_on().play();
    }
}

#[test]
fn v3_3_2_2_2_session_present_is_what_the_upstream_says() {
    session_present_passes(V311);
}

#[test]
fn v5_3_2_2_3_session_present_is_what_the_upstream_says() {
    session_present_passes(V5);
}

#[test]
fn v3_3_2_2_4_a_refusal_has_no_session_present() {
    for code in 1..=5 {
        connack_is_not_passed_on(V311, &[0x20, 2, 1, code]);
    }
}

#[test]
fn v5_3_2_2_6_a_refusal_has_no_session_present() {
    for code in [0x80, 0x87, 0x9F] {
        connack_is_not_passed_on(V5, &[0x20, 3, 1, code, 0]);
    }
}

const REFUSALS: [u8; 21] = [
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
    0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
];

/// Each code of the table reaches the device and ends the session; no other one does.
#[test]
fn v5_3_2_2_8_connack_has_a_code_of_the_table() {
    for code in codes_around(&REFUSALS).filter(|code| *code != 0) {
        let bytes = [0x20, 3, 0, code, 0];
        if !REFUSALS.contains(&code) {
            let script = pairs::plain(V5).connecting().upstream_sends(bytes);
            let script = script.device_receives(connack(V5, ReasonCode::ServerUnavailable));
            script.ends_because_of("upstream_malformed").play();
            continue;
        }
        for script in sessions_of(V5) {
            let script = script.connecting().upstream_sends(bytes).device_receives(bytes);
            script.ends_because_of("upstream_refused").play();
        }
    }
}

/// A device of 3.x gets a return code of 3.x, whatever version 5 said. All that they are about have one.
#[test]
fn v3_3_2_2_6_a_refusal_has_a_return_code_of_the_table() {
    for code in [6, 0x7F, 0x80, 0x87, 255] {
        connack_is_not_passed_on(V311, &[0x20, 2, 0, code]);
    }
    for code in REFUSALS {
        let expected = match code {
            0x84 => 1,
            0x85 => 2,
            0x86 | 0x8C => 4,
            0x81 | 0x82 | 0x87 | 0x8A | 0x90 | 0x95 | 0x99..=0x9B => 5,
            _ => 3,
        };
        for version in [V31, V311] {
            to_5(version, &[])
                .connecting()
                .upstream_sends([0x20, 3, 0, code, 0])
                .device_receives([0x20, 2, 0, expected])
                .ends_because_of("upstream_refused")
                .play();
        }
    }
}

#[test]
fn v5_3_2_2_7_the_connection_closes_after_a_refusal() {
    for script in sessions() {
        let version = script.version();
        let refusal = connack(version, ReasonCode::NotAuthorized);
        script
            .connecting()
            .upstream_sends(refusal.clone())
            .device_receives(refusal)
            .ends(End::UpstreamRefused(ReasonCode::NotAuthorized))
            // Nothing goes either way any more.
            .device_sends(PINGREQ)
            .upstream_sends(connack(version, ReasonCode::Success))
            .play();
    }
}

/// It is told what its messages may be, and asks for no more. A platform without QoS 2 is not such a limit: the proxy
/// finishes the handshake.
#[test]
fn v5_3_2_2_9_the_maximum_qos_of_the_upstream_reaches_the_device() {
    let granted = [Property::MaximumQos(1), Property::RetainAvailable(0)];
    two_homes_saying(&[], &granted)
        .connected()
        // Whatever it is, a subscription may ask for more.
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q2)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q2)]))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V5, 1, &[1]))
        .goes_on()
        .play();
}

/// A platform without wills: the proxy is the client that publishes it.
fn emulated_will(granted: Property<'static>) -> Script {
    let body = br#"{"type":"periodic_report","value":1}"#;
    let script = pairs::mqtt2go_to_omnicore5();
    let limited = granted.identifier() == pairs::own_limit().identifier();
    let mut told = vec![granted];
    told.extend(pairs::told().into_iter().skip(usize::from(limited)));
    let last = will("h1/gw1/lamp1/light/out", body, Q1);
    let opening = Opening {
        device_connect: connect(Connect { will: Some(last), ..connect_of(V5, "lamp1") }),
        upstream_connack: connack5(&[granted]),
        device_connack: connack5(&told),
        ..script.opening()
    };
    script.opening_with(opening).connected()
}

#[test]
fn v5_3_2_2_11_an_emulated_will_keeps_to_the_maximum_qos() {
    let body = br#"{"type":"periodic_report","value":1}"#;
    emulated_will(Property::MaximumQos(0))
        .device_closes()
        .upstream_receives(publish(V5, publish_of(Q0, 0, "/plant/lamp1/events/light", body)))
        .upstream_receives(disconnect(V5, ReasonCode::Success))
        .ends(End::DeviceClosed)
        .play();
}

#[test]
fn v5_3_2_2_15_an_emulated_will_keeps_to_the_maximum_packet_size() {
    emulated_will(Property::MaximumPacketSize(60))
        .device_closes()
        .upstream_receives(disconnect(V5, ReasonCode::Success))
        .ends(End::DeviceClosed)
        .play();
}

/// The table says that this kind of message is retained; the upstream says that it takes none.
#[test]
fn v5_3_2_2_14_no_retain_where_the_upstream_takes_none() {
    let status = br#"{"type":"status","value":1}"#;
    two_homes_saying(&[], &[Property::RetainAvailable(0)])
        .connected()
        .device_sends(publish(V5, publish_of(Q1, 5, LAMP.0, status)))
        .upstream_receives(publish(V5, publish_of(Q1, 5, LAMP.1, status)))
        .goes_on()
        .play();
}

/// An upstream of 5 that takes 48 bytes at once.
fn granted_48() -> Script {
    let limit = Property::MaximumPacketSize(48);
    let script = pairs::mqtt2go_to_omnicore5();
    let opening = Opening {
        upstream_connack: connack5(&[limit]),
        device_connack: connack5(&[limit, pairs::told()[1]]),
        ..script.opening()
    };
    script.opening_with(opening).connected()
}

/// One topic filter becomes two that are longer.
#[test]
fn v5_3_2_2_15_a_translated_subscribe_keeps_to_the_maximum_packet_size() {
    granted_48()
        .device_sends(subscribe(V5, 1, &[("h1/gw1/lamp1/light/in", Q1)]))
        .device_receives(suback(V5, 1, &[0x97]))
        .goes_on()
        .play();
}

/// A filter that was never asked for is still looked for at the upstream, under longer names.
#[test]
fn v5_3_2_2_15_a_translated_unsubscribe_keeps_to_the_maximum_packet_size() {
    granted_48()
        .device_sends(unsubscribe(V5, 1, &["h1/gw1/lamp1/light/in"]))
        .device_receives(unsuback(V5, 1, &[0x11]))
        .goes_on()
        .play();
}

/// What the proxy says besides may not make the packet too large.
#[test]
fn v5_3_1_2_24_connack_keeps_to_the_devices_maximum_packet_size() {
    let script = two_homes_saying(&[Property::MaximumPacketSize(8)], &[]);
    let opening = Opening { device_connack: connack5(&[]), ..script.opening() };
    script.opening_with(opening).connected().goes_on().play();
}

/// An upstream of 3.1.1 was not told what the device takes: the message goes no further, and is acknowledged.
#[test]
fn v5_3_1_2_25_a_message_too_large_for_the_device_is_discarded() {
    let big = [b"{\"type\":\"set\",\"value\":\"", &[b'x'; 100][..], b"\"}"].concat();
    let told = [Property::MaximumPacketSize(90)];
    from_5(&told)
        .connected()
        .device_sends(subscribe(V5, 1, &[(DOWN, Q2)]))
        .upstream_receives(subscribe(V311, 1, &[(DOWN_THERE, Q2)]))
        .upstream_sends(suback(V311, 1, &[2]))
        .device_receives(suback(V5, 1, &[2]))
        .upstream_sends(publish(V311, publish_of(Q0, 0, DOWN_THERE, &big)))
        .upstream_sends(publish(V311, publish_of(Q1, 8, DOWN_THERE, &big)))
        .upstream_receives(puback(V311, 8))
        .upstream_sends(publish(V311, publish_of(Q2, 9, DOWN_THERE, &big)))
        .upstream_receives(pubrec(V311, 9))
        .upstream_sends(pubrel(V311, 9))
        .upstream_receives(pubcomp(V311, 9))
        .upstream_sends(publish(V311, publish_of(Q0, 0, DOWN_THERE, SET)))
        .device_receives(publish(V5, publish_of(Q0, 0, DOWN, SET)))
        .goes_on()
        .play();
}

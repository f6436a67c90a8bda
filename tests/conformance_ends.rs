//! Statements of sections 3.12 to 3.15, 4.12 and 4.13: pings, DISCONNECT, AUTH, and how errors end a session.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{Connect, Property, ReasonCode};
use interlingua::session::End;
use script::packets::*;
use script::{Script, pairs};

const MALFORMED: ReasonCode = ReasonCode::MalformedPacket;
const PROTOCOL: ReasonCode = ReasonCode::ProtocolError;

/// One PINGRESP for each PINGREQ, in every session, and only the upstream's.
#[test]
fn v5_3_12_4_1_a_ping_is_answered() {
    for script in sessions() {
        script
            .connected()
            .device_sends(PINGREQ)
            .upstream_receives(PINGREQ)
            .upstream_sends(PINGRESP)
            .device_receives(PINGRESP)
            .device_sends(PINGREQ.repeat(3))
            .upstream_receives(PINGREQ.repeat(3))
            .upstream_sends(PINGRESP.repeat(3))
            .device_receives(PINGRESP.repeat(3))
            .goes_on()
            .play();
    }
}

// ---- DISCONNECT ----

/// Before CONNACK there is no DISCONNECT, whoever is at fault: CONNACK refuses, or the connection just closes.
#[test]
fn v5_3_14_0_1_no_disconnect_before_connack() {
    for script in sessions_of(V5) {
        script
            .connecting()
            .upstream_sends(disconnect(V5, ReasonCode::ServerShuttingDown))
            .device_receives(connack(V5, ReasonCode::ServerUnavailable))
            .ends_because_of("upstream_")
            .play();
    }
    for packet in [&[0xC1, 0][..], &[0x00], &[0xD0, 0], &[0x30, 3, 0, 1, b'+']] {
        for script in sessions_of(V5) {
            let connect = script.opening().device_connect;
            let both = [&connect[..], packet].concat();
            script.device_sends(both).device_closes().ends(End::DeviceClosed).play();
        }
    }
    for script in sessions_of(V5) {
        let connack = connack(V5, ReasonCode::ServerUnavailable);
        script.connecting().drain().device_receives(connack).ends(End::Drained).play();
    }
}

/// Flags are in `v5_2_1_3_1`; in 3.1.1 it has no body, either.
#[test]
fn v3_3_14_1_1_a_disconnect_has_nothing_in_it() {
    for flags in 1..16 {
        every_device_violates(V311, &[0xE0 | flags, 0], MALFORMED);
    }
    every_device_violates(V311, &[0xE0, 1, 0], MALFORMED);
}

#[test]
fn v5_3_14_1_1_a_disconnect_has_no_flags() {
    for flags in 1..16 {
        either_violates(V5, &[0xE0 | flags, 0], MALFORMED);
    }
}

/// What each side may say as it leaves (table 3-13, and 0x8C from section 2.4).
const FROM_BOTH: [u8; 13] =
    [0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
const FROM_SERVERS: [u8; 16] = [
    0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];
const FROM_CLIENTS: [u8; 1] = [0x04];

#[test]
fn v5_3_14_2_1_disconnect_has_a_code_of_its_table() {
    let table = [&FROM_BOTH[..], &FROM_SERVERS, &FROM_CLIENTS].concat();
    for code in codes_around(&table).filter(|code| !table.contains(code)) {
        device_violates(pairs::plain(V5), &[0xE0, 1, code], MALFORMED);
        upstream_violates(pairs::plain(V5), &[0xE0, 1, code], MALFORMED);
    }
    for code in FROM_BOTH.into_iter().chain(FROM_CLIENTS) {
        let bytes = disconnect_bytes(code);
        for script in sessions_of(V5) {
            let script = script.connected().device_sends(bytes.clone());
            script.upstream_receives(bytes.clone()).ends(End::DeviceDisconnected).play();
        }
    }
    for code in FROM_BOTH.into_iter().chain(FROM_SERVERS) {
        let bytes = disconnect_bytes(code);
        for script in sessions_of(V5) {
            let script = script.connected().upstream_sends(bytes.clone());
            script.device_receives(bytes.clone()).ends_because_of("upstream_disconnected").play();
        }
    }
}

fn disconnect_bytes(code: u8) -> Vec<u8> {
    if code == 0 { vec![0xE0, 0] } else { vec![0xE0, 1, code] }
}

/// Session taken over, server busy, keep alive timeout, … are not a client's to say.
#[test]
fn v5_3_14_2_1_a_device_has_the_codes_of_clients() {
    for code in FROM_SERVERS {
        every_device_violates(V5, &disconnect_bytes(code), PROTOCOL);
    }
}

/// Only a client has a will.
#[test]
fn v5_3_14_2_1_an_upstream_has_the_codes_of_servers() {
    for script in sessions_of(V5) {
        upstream_violates(script, &disconnect_bytes(0x04), PROTOCOL);
    }
}

#[test]
fn v5_3_14_2_2_no_session_expiry_from_a_server() {
    for script in sessions_of(V5) {
        let list = [Property::SessionExpiryInterval(9)];
        let bytes = disconnect_with(V5, ReasonCode::ServerShuttingDown, &list);
        upstream_violates(script, &bytes, PROTOCOL);
    }
}

/// Whoever was told DISCONNECT, or has said it, hears nothing more, and nothing more is heard.
#[test]
fn v5_3_14_4_1_nothing_follows_a_disconnect() {
    let message = publish(V5, publish_of(Q1, 7, "t", b"x"));
    for script in sessions_of(V5) {
        script
            .connected()
            .device_sends([0x00, 0x00])
            .device_receives(disconnect(V5, MALFORMED))
            .upstream_sends(message.clone())
            .device_sends(PINGREQ)
            .after(1000.0)
            .ends_because_of("device_malformed")
            .play();
    }
    for script in sessions_of(V5) {
        let good_bye = disconnect(V5, ReasonCode::Success);
        script
            .connected()
            .device_sends([&good_bye[..], &message[..], &PINGREQ[..]].concat())
            .upstream_receives(good_bye)
            .upstream_sends(message.clone())
            .after(1000.0)
            .ends(End::DeviceDisconnected)
            .play();
    }
    for script in sessions_of(V5) {
        let moved = disconnect(V5, ReasonCode::UseAnotherServer);
        script
            .connected()
            .upstream_sends([&moved[..], &message[..]].concat())
            .device_receives(moved)
            .device_sends(message.clone())
            .ends_because_of("upstream_disconnected")
            .play();
    }
}

/// Where the proxy keeps the will: it is gone with the good-bye, and nobody publishes it later.
fn a_good_bye_discards_the_will(script: Script, here: (&str, &str)) {
    let v = script.version();
    let last = will(here.1, REPORT, Q1);
    let given = Connect { will: Some(last), ..connect_of(v, here.0) };
    let opening = script::Opening { device_connect: connect(given), ..script.opening() };
    let good_bye = disconnect(v, ReasonCode::Success);
    script
        .opening_with(opening)
        .connected()
        .device_sends(good_bye.clone())
        .upstream_receives(good_bye)
        .ends(End::DeviceDisconnected)
        .device_closes()
        .after(1000.0)
        .play();
}

#[test]
fn v3_3_14_4_3_a_good_bye_discards_the_will() {
    let here = ("lamp1", "h1/gw1/lamp1/light/out");
    a_good_bye_discards_the_will(pairs::mqtt2go_to_omnicore(), here);
}

#[test]
fn v5_3_14_4_3_a_good_bye_discards_the_will() {
    let here = ("lamp1", "h1/gw1/lamp1/light/out");
    a_good_bye_discards_the_will(pairs::mqtt2go_to_omnicore5(), here);
}

// ---- AUTH ----

#[test]
fn v5_3_15_1_1_auth_has_no_flags() {
    for flags in 1..16 {
        either_violates(V5, &[0xF0 | flags, 0], MALFORMED);
    }
    // And there is none before 5.
    either_violates(V311, &[0xF0, 0], MALFORMED);
}

#[test]
fn v5_3_15_2_1_auth_has_a_code_of_its_table() {
    let method = [&[0x15][..], &field(b"m")].concat();
    let length = [u8::try_from(method.len()).unwrap()];
    for code in [0x01, 0x17, 0x1A, 0x80, 0x87, 0xFF] {
        let bytes = raw(0xF0, &[&[code], &length, &method]);
        either_violates(V5, &bytes, MALFORMED);
    }
}

/// A session that translates has no part in it: it is refused from the start.
#[test]
fn v5_4_12_0_1_a_method_that_is_not_supported_is_refused() {
    for script in sessions_of(V5).into_iter().skip(1) {
        let base = connect_of(V5, "lamp1");
        let base = Connect { client_identifier: "XID", ..base };
        script
            .device_sends(connect5(base, &[Property::AuthenticationMethod("m")]))
            .device_receives(connack(V5, ReasonCode::BadAuthenticationMethod))
            .ends_because_of("connect_refused")
            .play();
    }
}

// ---- errors ----

/// Each kind of error with the code that the specification gives it; the session ends whether it can be said or not.
#[test]
fn v5_4_13_1_1_each_error_has_its_reason_code() {
    let errors: [(&[u8], ReasonCode); 12] = [
        (&[0x00, 0], MALFORMED),
        (&[0x30, 1, 0], MALFORMED),
        (&[0x30, 4, 0, 9, b't', 0], MALFORMED),
        (&[0x30, 4, 0, 1, b't', 5], MALFORMED),
        (&[0x30, 6, 0, 1, b't', 2, 0x77, 0], MALFORMED),
        (&[0x30, 6, 0, 1, b't', 2, 0x24, 0], MALFORMED),
        (&[0x30, 8, 0, 1, b't', 4, 1, 0, 1, 0], PROTOCOL),
        (&[0x30, 6, 0, 1, b't', 2, 1, 2], PROTOCOL),
        (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], ReasonCode::PacketTooLarge),
        (&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1], MALFORMED),
        (&[0x30, 7, 0, 1, b't', 3, 0x23, 0, 0], ReasonCode::TopicAliasInvalid),
        (&[0x30, 5, 0, 2, b'a', b'#', 0], ReasonCode::TopicNameInvalid),
    ];
    for (bytes, code) in errors {
        either_violates(V5, bytes, code);
    }
}

/// The same in 3.1.1, which can't say why.
#[test]
fn v3_4_8_0_1_a_violation_closes_the_connection() {
    let errors: [&[u8]; 8] = [
        &[0x00, 0],
        &[0x30, 1, 0],
        &[0x30, 3, 0, 9, b't'],
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        &[0x40, 1, 0],
        &[0x40, 3, 0, 1, 0],
        &[0x40, 2, 0, 0],
        &[0xF0, 0],
    ];
    for version in [V31, V311] {
        for bytes in errors {
            either_violates(version, bytes, MALFORMED);
        }
    }
}

/// Only the one that the packet came from is told what was wrong with it.
#[test]
fn v5_4_13_2_1_the_connection_closes_with_a_reason() {
    type End = fn(Script) -> Script;
    let ends: [(End, ReasonCode); 3] = [
        (|script| script.after(91.0), ReasonCode::KeepAliveTimeout),
        (|script| script.drain(), ReasonCode::ServerShuttingDown),
        (|script| script.device_sends(PINGRESP), PROTOCOL),
    ];
    for (end, code) in ends {
        for script in sessions_of(V5) {
            let script = end(script.connected()).device_receives(disconnect(V5, code));
            script.look(|session, _| assert!(session.end().is_some())).play();
        }
    }
}

/// A packet in a version that the session isn't in.
#[test]
fn v3_3_1_0_2_a_second_connect_closes_in_any_version() {
    for version in [V31, V311, V5] {
        let again = connect(connect_of(version, "again"));
        for script in sessions() {
            device_violates(script, &again, PROTOCOL);
        }
    }
}

//! Enhanced authentication: it passes where nothing is translated, in the order that the specification has for it.

mod script;

use interlingua::mqtt::{Auth, Connect, Packet, Property, ReasonCode, Version};
use script::packets::*;
use script::{Opening, Script, pairs};

const V5: Version = Version::V5;

#[test]
fn enhanced_authentication_passes_plain_and_nothing_else() {
    let v = Version::V5;
    let method = [Property::AuthenticationMethod("m"), Property::AuthenticationData(b"1")];
    let given = properties(&method);
    let sent = properties(&[method[0], method[1], pairs::own_limit()]);
    let base = connect_of(v, "dev");
    let script = pairs::plain(v)
        .device_sends(connect(Connect { properties: given.properties(), ..base }))
        .upstream_opens()
        .upstream_receives(connect(Connect { properties: sent.properties(), ..base }))
        .upstream_sends(auth(ReasonCode::ContinueAuthentication, b"2"))
        .device_receives(auth(ReasonCode::ContinueAuthentication, b"2"))
        .device_sends(auth(ReasonCode::ContinueAuthentication, b"3"))
        .upstream_receives(auth(ReasonCode::ContinueAuthentication, b"3"))
        .upstream_sends(connack_with(v, false, ReasonCode::Success, &method))
        .device_receives(connack_with(
            v,
            false,
            ReasonCode::Success,
            &[method[0], method[1], pairs::own_limit()],
        ))
        .device_sends(auth(ReasonCode::ReAuthenticate, b"4"))
        .upstream_receives(auth(ReasonCode::ReAuthenticate, b"4"));
    script.goes_on().play();

    let base = connect_of(v, "XID");
    pairs::xyte_legacy_to_xyte()
        .device_sends(connect(Connect { properties: given.properties(), ..base }))
        .device_receives(connack(v, ReasonCode::BadAuthenticationMethod))
        .ends_as("connect_refused")
        .play();
    pairs::xyte_legacy_to_xyte()
        .connected()
        .device_sends(auth(ReasonCode::ReAuthenticate, b"4"))
        .device_receives(disconnect(v, ReasonCode::ProtocolError))
        .ends_as("device_protocol")
        .play();
    // An upstream that starts an authentication nobody asked for.
    pairs::xyte_legacy_to_xyte()
        .connecting()
        .upstream_sends(auth(ReasonCode::ContinueAuthentication, b"2"))
        .device_receives(connack(v, ReasonCode::ServerUnavailable))
        .ends_as("upstream_protocol")
        .play();
    pairs::xyte_legacy_to_xyte()
        .connected()
        .upstream_sends(auth(ReasonCode::ContinueAuthentication, b"2"))
        .device_receives(disconnect(v, ReasonCode::UnspecifiedError))
        .upstream_receives(disconnect(v, ReasonCode::ProtocolError))
        .ends_as("upstream_protocol")
        .play();
}

const METHOD: [Property<'static>; 1] = [Property::AuthenticationMethod("m")];

/// `plain` with a method in CONNECT.
fn with_method() -> Script {
    let script = pairs::plain(V5);
    let [given, sent] = [&METHOD[..], &[METHOD[0], pairs::own_limit()]].map(|list| {
        let buffer = properties(list);
        connect(Connect { properties: buffer.properties(), ..connect_of(V5, "dev") })
    });
    let opening = Opening {
        device_connect: given,
        upstream_connect: sent,
        upstream_connack: connack_with(V5, false, ReasonCode::Success, &METHOD),
        device_connack: connack_with(
            V5,
            false,
            ReasonCode::Success,
            &[METHOD[0], pairs::own_limit()],
        ),
    };
    script.opening_with(opening)
}

fn auth_by(method: &str, reason_code: ReasonCode) -> Vec<u8> {
    let buffer = properties(&[Property::AuthenticationMethod(method)]);
    bytes(V5, Packet::Auth(Auth { reason_code, properties: buffer.properties() }))
}

fn device_breaks_it(script: Script, packet: Vec<u8>) {
    script
        .device_sends(packet)
        .device_receives(disconnect(V5, ReasonCode::ProtocolError))
        .ends_as("device_protocol")
        .play();
}

fn upstream_breaks_it(script: Script, packet: Vec<u8>) {
    script
        .upstream_sends(packet)
        .upstream_receives(disconnect(V5, ReasonCode::ProtocolError))
        .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
        .ends_as("upstream_protocol")
        .play();
}

#[test]
fn v5_4_12_0_6_nobody_authenticates_without_a_method_in_connect() {
    for code in [ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate] {
        device_breaks_it(pairs::plain(V5).connected(), auth_by("m", code));
    }
    let proceed = ReasonCode::ContinueAuthentication;
    upstream_breaks_it(pairs::plain(V5).connected(), auth_by("m", proceed));
    pairs::plain(V5)
        .connecting()
        .upstream_sends(auth_by("m", proceed))
        .device_receives(connack(V5, ReasonCode::ServerUnavailable))
        .ends_as("upstream_protocol")
        .play();
}

#[test]
fn v5_4_12_0_5_all_packets_of_an_authentication_have_its_method() {
    device_breaks_it(with_method().connected(), auth_by("n", ReasonCode::ReAuthenticate));
    let script = with_method()
        .connected()
        .device_sends(auth_by("m", ReasonCode::ReAuthenticate))
        .upstream_receives(auth_by("m", ReasonCode::ReAuthenticate));
    upstream_breaks_it(script, auth_by("n", ReasonCode::ContinueAuthentication));
}

#[test]
fn v5_4_12_0_2_each_side_says_what_is_its_turn() {
    let [proceed, again] = [ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate];
    // Nothing is to be continued, and only the device begins.
    device_breaks_it(with_method().connected(), auth_by("m", proceed));
    device_breaks_it(with_method().connected(), auth_by("m", ReasonCode::Success));
    upstream_breaks_it(with_method().connected(), auth_by("m", proceed));
    upstream_breaks_it(with_method().connected(), auth_by("m", ReasonCode::Success));
    let renewing = || {
        with_method()
            .connected()
            .device_sends(auth_by("m", again))
            .upstream_receives(auth_by("m", again))
    };
    upstream_breaks_it(renewing(), auth_by("m", again));
    device_breaks_it(renewing(), auth_by("m", again));
    renewing()
        .upstream_sends(auth_by("m", proceed))
        .device_receives(auth_by("m", proceed))
        .device_sends(auth_by("m", proceed))
        .upstream_receives(auth_by("m", proceed))
        .upstream_sends(auth_by("m", ReasonCode::Success))
        .device_receives(auth_by("m", ReasonCode::Success))
        .device_sends(auth_by("m", again))
        .upstream_receives(auth_by("m", again))
        .goes_on()
        .play();
}

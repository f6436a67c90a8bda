//! What the tests of single MQTT statements share: the pairs that each is played with, and how a violation ends.
//!
//! The table of all statements is tests/conformance.md. Scripts themselves are in tests/script.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test binary compiles this room for itself and uses a part of it"
)]

use std::sync::Arc;

use interlingua::dialect::{builtin_text, parse};
use interlingua::mqtt::{Connect, Property, Qos, ReasonCode, Version};
use interlingua::translate::{Identity, Side};

use crate::script::packets::*;
use crate::script::{Opening, Script, pairs};

pub const V31: Version = Version::V31;
pub const V311: Version = Version::V311;
pub const V5: Version = Version::V5;
pub const Q0: Qos = Qos::AtMostOnce;
pub const Q1: Qos = Qos::AtLeastOnce;
pub const Q2: Qos = Qos::ExactlyOnce;

/// A message of the device 77 of [`to_5`] and [`from_5`], and one for it: under its own names and the upstream's.
pub const UP: &str = "h1/gw1/77/temperature/out";
pub const UP_THERE: &str = "h9/gw9/77/temperature/out";
pub const DOWN: &str = "h1/gw1/77/switch/in";
pub const DOWN_THERE: &str = "h9/gw9/77/switch/in";
pub const REPORT: &[u8] = br#"{"type":"periodic_report","timestamp":1567677926,"value":21.8}"#;
pub const SET: &[u8] = br#"{"type":"set","value":1}"#;

/// The same of the device lamp1 of `pairs::mqtt2go_to_mqtt2go`.
pub const LIGHT: (&str, &str) = ("h1/gw1/lamp1/light/in", "h9/gw9/lamp1/light/in");
pub const HEAT: (&str, &str) = ("h1/gw1/lamp1/heat/in", "h9/gw9/lamp1/heat/in");
pub const LAMP: (&str, &str) = ("h1/gw1/lamp1/light/out", "h9/gw9/lamp1/light/out");

/// A packet of any bytes: the first one, and what follows the remaining length.
pub fn raw(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let length = u8::try_from(body.len()).unwrap();
    assert!(length < 128, "one byte of remaining length");
    [&[first, length], &body[..]].concat()
}

/// A string or binary field of any bytes.
pub fn field(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Empty properties, where the version has any.
pub fn none(version: Version) -> &'static [u8] {
    if version == V5 { &[0] } else { &[] }
}

/// Sessions of a version on both sides: one that passes everything, and translated ones.
pub fn sessions_of(version: Version) -> Vec<Script> {
    let mut all = vec![pairs::plain(version)];
    match version {
        Version::V31 => all.push(pairs::thingscale_to_thingscale()),
        Version::V311 => {
            all.extend([pairs::thingscale_to_omnicore(), pairs::mqtt2go_to_omnicore()])
        }
        Version::V5 => all.extend([pairs::xyte_legacy_to_xyte(), pairs::mqtt2go_to_mqtt2go()]),
    }
    all
}

/// Sessions of every version.
pub fn sessions() -> Vec<Script> {
    [V31, V311, V5].into_iter().flat_map(sessions_of).collect()
}

/// The device of a session that runs sends what it may not: its connection closes, and version 5 says why. The
/// upstream is told nothing, so that it publishes the will.
#[track_caller]
pub fn device_violates(script: Script, bytes: &[u8], code: ReasonCode) {
    let version = script.version();
    let mut script = script.connected().device_sends(bytes);
    if version == V5 {
        script = script.device_receives(disconnect(version, code));
    }
    script.ends_because_of("device_").play();
}

/// The upstream of a session that runs sends what it may not: both connections close, and version 5 says why.
#[track_caller]
pub fn upstream_violates(script: Script, bytes: &[u8], code: ReasonCode) {
    let version = script.version();
    let mut script = script.connected().upstream_sends(bytes);
    if version == V5 {
        script = script
            .device_receives(disconnect(version, ReasonCode::UnspecifiedError))
            .upstream_receives(disconnect(version, code));
    }
    script.ends_because_of("upstream_").play();
}

/// The same bytes are a violation from either side, in every session of the version.
#[track_caller]
pub fn either_violates(version: Version, bytes: &[u8], code: ReasonCode) {
    for script in sessions_of(version) {
        device_violates(script, bytes, code);
    }
    for script in sessions_of(version) {
        upstream_violates(script, bytes, code);
    }
}

/// The same bytes are a violation of the device, in every session of the version.
#[track_caller]
pub fn every_device_violates(version: Version, bytes: &[u8], code: ReasonCode) {
    for script in sessions_of(version) {
        device_violates(script, bytes, code);
    }
}

/// Bytes that come instead of a CONNECT close the connection: with this answer, or without a word.
#[track_caller]
pub fn first_bytes_are_refused(bytes: &[u8], answer: &[u8]) {
    let mut script = pairs::plain(V311).device_sends(bytes);
    if !answer.is_empty() {
        script = script.device_receives(answer);
    }
    script.ends_because_of("device_").play();
}

pub trait Ending {
    /// The session has ended for a cause on this side.
    fn ends_because_of(self, side: &'static str) -> Self;
}

impl Ending for Script {
    #[track_caller]
    fn ends_because_of(self, side: &'static str) -> Self {
        self.look(move |session, _| match session.end() {
            Some(end) => assert!(end.label().starts_with(side), "it ended because of {end:?}"),
            None => panic!("the session hasn't ended"),
        })
    }
}

/// Codes to try on a packet whose table is this: all of it, what stands next to it, and some others.
pub fn codes_around(table: &[u8]) -> impl Iterator<Item = u8> + use<'_> {
    (0..=255_u8).filter(|code| {
        let near = [*code, code.wrapping_add(1), code.wrapping_sub(1)];
        code % 31 == 3 || near.iter().any(|code| table.contains(code))
    })
}

// ---- two homes that speak different versions ----

/// Two homes, of which the upstream's platform speaks only `there`.
pub fn homes(here: Version, there: &str, opening: Opening) -> Script {
    let table = builtin_text("mqtt2go").unwrap();
    let table = table.replace("[\"3.1.1\", \"5\"]", &format!("[\"{there}\"]"));
    let there = Side::new(Arc::new(parse("home.toml", &table).unwrap()));
    let there = there.with("home", "h9").with("gateway", "gw9");
    let here_side = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let translator = pairs::translator(here_side, there, Identity::Same);
    let upstream = translator.version_for(here);
    Script::new(here, translator, opening).upstream_in(upstream)
}

/// Two homes of one version, 3.1.1 or 5, and the device 77.
pub fn homes_of(version: Version) -> Script {
    let given = connect_of(version, "77");
    let five = version == V5;
    let limit = properties(&[pairs::own_limit()]);
    let sent = if five { limit.properties() } else { given.properties };
    let told: &[_] = if five { &pairs::told() } else { &[] };
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(Connect { properties: sent, ..given }),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack_with(version, false, ReasonCode::Success, told),
    };
    homes(version, if five { "5" } else { "3.1.1" }, opening)
}

/// A CONNECT in version 5 with properties.
pub fn connect5(base: Connect<'_>, list: &[Property<'_>]) -> Vec<u8> {
    let buffer = properties(list);
    connect(Connect { version: V5, properties: buffer.properties(), ..base })
}

pub fn connack5(list: &[Property<'_>]) -> Vec<u8> {
    connack_with(V5, false, ReasonCode::Success, list)
}

/// A device of `here` in front of version 5, which says `granted` in its CONNACK.
pub fn to_5(here: Version, granted: &[Property<'_>]) -> Script {
    let given = connect_of(here, "77");
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect5(given, &[pairs::own_limit()]),
        upstream_connack: connack5(granted),
        device_connack: connack(here, ReasonCode::Success),
    };
    homes(here, "5", opening)
}

/// A device of version 5, which says `given` in its CONNECT, in front of 3.1.1.
pub fn from_5(given: &[Property<'_>]) -> Script {
    let base = connect_of(V311, "77");
    let opening = Opening {
        device_connect: connect5(base, given),
        upstream_connect: connect(base),
        upstream_connack: connack(V311, ReasonCode::Success),
        device_connack: connack_with(V5, false, ReasonCode::Success, &pairs::told()),
    };
    homes(V5, "3.1.1", opening)
}

/// `pairs::mqtt2go_to_mqtt2go` with properties: what the device says in CONNECT, what the upstream says in CONNACK.
/// Both pass as they are, the proxy's own behind them.
pub fn two_homes_saying(given: &[Property<'_>], granted: &[Property<'_>]) -> Script {
    let script = pairs::mqtt2go_to_mqtt2go();
    let base = connect_of(V5, "lamp1");
    // A limit that is smaller than the proxy's own passes in its place.
    let limited = |list: &[Property<'_>]| {
        list.iter().any(|property| matches!(property, Property::MaximumPacketSize(_)))
    };
    let mut sent = given.to_vec();
    sent.extend((!limited(given)).then(pairs::own_limit));
    let mut told = granted.to_vec();
    told.extend(pairs::told().into_iter().skip(usize::from(limited(granted))));
    let upstream = Connect { user_name: Some("user"), password: Some(b"PW-UPSTREAM"), ..base };
    let opening = Opening {
        device_connect: connect5(base, given),
        upstream_connect: connect5(upstream, &sent),
        upstream_connack: connack5(granted),
        device_connack: connack5(&told),
    };
    script.opening_with(opening)
}

// ---- a message that becomes several ----

/// What the device of [`properties_apart`] publishes, and the topics of its two parts.
pub const BOTH: (&str, &[u8]) = ("TOK-HERE/json/77", br#"{"temp":20,"wind":5}"#);
pub const TEMP: (&str, &[u8]) =
    ("set/acme/collections/plant/things/77/properties/temp", br#"{"temp":20}"#);
pub const WIND: (&str, &[u8]) =
    ("set/acme/collections/plant/things/77/properties/wind", br#"{"wind":5}"#);

/// The first identifier that a session lends to a packet of its own.
pub const LENT: u16 = 65_534;

/// A device of ThingScale in front of the first generation of SmartWorks: one topic for each property.
pub fn properties_apart(version: Version) -> Script {
    let here = pairs::side("thingscale", &[("token", "TOK-HERE")]);
    let there = pairs::side("smartworks-g1", &[("space", "acme"), ("collection", "plant")]);
    let given = connect_of(version, "77");
    let limit = properties(&[pairs::own_limit()]);
    let five = version == V5;
    let sent = if five { limit.properties() } else { given.properties };
    let told: &[_] = if five { &pairs::told() } else { &[] };
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(Connect { properties: sent, ..given }),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack_with(version, false, ReasonCode::Success, told),
    };
    Script::new(version, pairs::translator(here, there, Identity::Same), opening)
}

//! Pairs of platforms, each with the opening of its conversations.

use std::sync::Arc;

use interlingua::dialect::{Dialect, builtin, builtin_text, parse};
use interlingua::mqtt::{Connect, Property, Qos, ReasonCode, Version};
use interlingua::session::SessionLimits;
use interlingua::translate::{Identity, PrefixRule, Side, Translator, compile};

use super::packets::{connack, connack_with, connect, connect_of, properties, will};
use super::{Opening, Script};

pub const TOKEN: &str = "TOK-4711";
pub const JWT: &str = "eyJ-0815";
pub const ACCESS_KEY: &str = "KEY-DEVICE";
pub const UPSTREAM_KEY: &str = "KEY-UPSTREAM";

const THINGSCALE: &[(&str, &str)] = &[("token", TOKEN), ("tenant", "acme"), ("account", "U123456")];
const OMNICORE: &[(&str, &str)] =
    &[("subscription", "acme-sub"), ("registry", "plant"), ("password", JWT)];
const MQTT2GO: &[(&str, &str)] = &[("home", "h1"), ("gateway", "gw1"), ("password", "PW-DEVICE")];
const MQTT2GO_THERE: &[(&str, &str)] =
    &[("home", "h9"), ("gateway", "gw9"), ("username", "user"), ("password", "PW-UPSTREAM")];

/// The proxy's own limit, as version 5 peers are told it.
pub fn own_limit() -> Property<'static> {
    let bytes = SessionLimits::default().packet_size_max;
    Property::MaximumPacketSize(u32::try_from(bytes).unwrap())
}

fn with_values(dialect: Dialect, values: &[(&str, &str)]) -> Side {
    values.iter().fold(Side::new(Arc::new(dialect)), |side, (name, text)| side.with(name, text))
}

pub fn side(dialect: &str, values: &[(&str, &str)]) -> Side {
    with_values(builtin(dialect).unwrap().unwrap(), values)
}

pub fn translator(device: Side, upstream: Side, identity: Identity) -> Translator {
    compile(device, upstream, identity).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

pub fn prefix() -> Identity {
    Identity::Prefix(PrefixRule::new("d"))
}

/// `plain` on both sides.
pub fn plain(version: Version) -> Script {
    let given = connect_of(version, "dev");
    let buffer = properties(&[own_limit()]);
    let five = version == Version::V5;
    let upstream =
        Connect { properties: if five { buffer.properties() } else { given.properties }, ..given };
    let own = [own_limit()];
    let told = if five { &own[..] } else { &[] };
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(upstream),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack_with(version, false, ReasonCode::Success, told),
    };
    Script::new(version, Translator::plain(), opening)
}

/// What OmniCore is sent for a device.
pub fn omnicore_connect<'a>(version: Version, client_identifier: &'a str) -> Connect<'a> {
    Connect {
        user_name: Some("unused"),
        password: Some(JWT.as_bytes()),
        ..connect_of(version, client_identifier)
    }
}

/// ThingScale device 77, MQTT 3.1.1, in front of OmniCore.
pub fn thingscale_to_omnicore() -> Script {
    let version = Version::V311;
    let given = Connect {
        user_name: Some("U123456"),
        password: Some(TOKEN.as_bytes()),
        ..connect_of(version, "77_x1")
    };
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(omnicore_connect(version, OMNICORE_77)),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack(version, ReasonCode::Success),
    };
    let there = side("omnicore", OMNICORE);
    let translator = translator(side("thingscale", THINGSCALE), there, prefix());
    Script::new(version, translator, opening).secret_of_device(TOKEN)
}

/// Two ThingScale accounts, MQTT 3.1: only the token differs.
pub fn thingscale_to_thingscale() -> Script {
    let version = Version::V31;
    let values = [("token", "TOK-THERE"), ("tenant", "other"), ("account", "U999999")];
    let (here, there) = (side("thingscale", THINGSCALE), side("thingscale", &values));
    let upstream = Connect {
        user_name: Some("U999999"),
        password: Some(b"TOK-THERE"),
        ..connect_of(version, "77")
    };
    let opening = Opening {
        device_connect: connect(connect_of(version, "77")),
        upstream_connect: connect(upstream),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack(version, ReasonCode::Success),
    };
    let translator = translator(here, there, Identity::Same);
    let script = Script::new(version, translator, opening);
    script.secret_of_device(TOKEN).secret_of_upstream("TOK-THERE")
}

/// OmniCore's name of device 77.
pub const OMNICORE_77: &str = "subscriptions/acme-sub/registries/plant/devices/d77";
pub const OMNICORE_LAMP: &str = "subscriptions/acme-sub/registries/plant/devices/lamp1";

/// MQTT2GO device lamp1, MQTT 3.1.1, in front of OmniCore.
pub fn mqtt2go_to_omnicore() -> Script {
    let version = Version::V311;
    let there = side("omnicore", OMNICORE);
    let translator = translator(side("mqtt2go", MQTT2GO), there, Identity::Same);
    let opening = Opening {
        device_connect: connect(connect_of(version, "lamp1")),
        upstream_connect: connect(omnicore_connect(version, OMNICORE_LAMP)),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack(version, ReasonCode::Success),
    };
    Script::new(version, translator, opening).secret_of_device("PW-DEVICE")
}

/// What a version 5 device of a translated session is told besides the upstream's own properties.
pub fn told() -> [Property<'static>; 2] {
    [own_limit(), Property::SharedSubscriptionAvailable(0)]
}

/// MQTT2GO device lamp1 in front of a platform like OmniCore (no QoS 2, retain, will, session) that speaks 5.
pub fn mqtt2go_to_omnicore5() -> Script {
    let version = Version::V5;
    let text = builtin_text("omnicore").unwrap();
    let text = text.replace("[\"3.1.1\"]", "[\"3.1.1\", \"5\"]");
    let there = with_values(parse("omnicore5.toml", &text).unwrap(), OMNICORE);
    let translator = translator(side("mqtt2go", MQTT2GO), there, Identity::Same);
    let buffer = properties(&[own_limit()]);
    let upstream =
        Connect { properties: buffer.properties(), ..omnicore_connect(version, OMNICORE_LAMP) };
    let opening = Opening {
        device_connect: connect(connect_of(version, "lamp1")),
        upstream_connect: connect(upstream),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack_with(version, false, ReasonCode::Success, &told()),
    };
    Script::new(version, translator, opening).secret_of_device("PW-DEVICE")
}

fn version_5(
    translator: Translator,
    client_identifier: &str,
    user_name: &str,
    password: &str,
) -> Script {
    let version = Version::V5;
    let buffer = properties(&[own_limit()]);
    let upstream = Connect {
        properties: buffer.properties(),
        user_name: Some(user_name),
        password: Some(password.as_bytes()),
        ..connect_of(version, client_identifier)
    };
    let opening = Opening {
        device_connect: connect(connect_of(version, client_identifier)),
        upstream_connect: connect(upstream),
        upstream_connack: connack(version, ReasonCode::Success),
        device_connack: connack_with(version, false, ReasonCode::Success, &told()),
    };
    Script::new(version, translator, opening).secret_of_upstream(password)
}

/// Xyte device XID with the older topics in front of the newer ones, MQTT 5.
pub fn xyte_legacy_to_xyte() -> Script {
    let here = side("xyte-legacy", &[("access_key", ACCESS_KEY)]);
    let there = side("xyte", &[("access_key", UPSTREAM_KEY)]);
    let script = version_5(translator(here, there, Identity::Same), "XID", "XID", UPSTREAM_KEY);
    script.secret_of_device(ACCESS_KEY)
}

/// Two homes, MQTT 5: everything passes but the names differ.
pub fn mqtt2go_to_mqtt2go() -> Script {
    let (here, there) = (side("mqtt2go", MQTT2GO), side("mqtt2go", MQTT2GO_THERE));
    let script = version_5(translator(here, there, Identity::Same), "lamp1", "user", "PW-UPSTREAM");
    script.secret_of_device("PW-DEVICE")
}

/// Xyte devices in front of a home, MQTT 5.
pub fn xyte_to_mqtt2go() -> Script {
    let here = side("xyte-legacy", &[("access_key", ACCESS_KEY)]);
    let there = side("mqtt2go", MQTT2GO_THERE);
    let script = version_5(translator(here, there, Identity::Same), "XID", "user", "PW-UPSTREAM");
    script.secret_of_device(ACCESS_KEY)
}

/// An MQTT2GO device in front of Xyte, MQTT 5.
pub fn mqtt2go_to_xyte() -> Script {
    let (here, there) = (side("mqtt2go", MQTT2GO), side("xyte", &[("access_key", UPSTREAM_KEY)]));
    let script = version_5(translator(here, there, Identity::Same), "XID", "XID", UPSTREAM_KEY);
    script.secret_of_device("PW-DEVICE")
}

/// ThingScale device 77 with a will, in front of OmniCore, which has none.
pub fn will_to_omnicore() -> Script {
    let script = thingscale_to_omnicore();
    let mut opening = script.opening();
    let last = will("TOK-4711/json/77/gone", b"1", Qos::AtLeastOnce);
    let given = connect_of(Version::V311, "77_x1");
    opening.device_connect = connect(Connect { will: Some(last), ..given });
    script.opening_with(opening)
}

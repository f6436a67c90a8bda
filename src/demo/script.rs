//! What the demo plays: the pairs of dialects, their devices, and what each of them says and hears.
//!
//! Only data. It isn't what is printed: that is what came off the sockets, held against this. Invariant:
//! a step's payload is one that both dialects write alike, so that only its topic is translated.

use super::client::Introduction;
use crate::config::Arguments;
use crate::mqtt::Version;

/// One listener with its device.
#[derive(Debug)]
pub(super) struct Pair {
    /// The devices' dialect; the listener's name, too.
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    from_set: &'static [&'static str],
    to_set: &'static [&'static str],
    identity: Identity,
    pub(super) device: Introduction,
    /// Where the device's dialect tells it to subscribe.
    pub(super) topic_filter: &'static str,
    pub(super) steps: &'static [Step],
}

#[derive(Debug)]
enum Identity {
    Same,
    Prefix(&'static str),
    /// The text of a table.
    Table(&'static str),
}

/// One message, by its topic name on each side. The payload is the same on both.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) turn: Turn,
    pub(super) device_topic: &'static str,
    pub(super) broker_topic: &'static str,
    pub(super) payload: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// The device publishes.
    Up,
    /// The application publishes; with a response topic, if it wants an answer.
    Down { response_topic: Option<&'static str> },
    /// The device answers, to the response topic that it was given.
    Answer,
}

const fn up(device_topic: &'static str, broker_topic: &'static str, payload: &'static str) -> Step {
    Step { turn: Turn::Up, device_topic, broker_topic, payload }
}

const fn down(
    device_topic: &'static str,
    broker_topic: &'static str,
    payload: &'static str,
) -> Step {
    Step { turn: Turn::Down { response_topic: None }, device_topic, broker_topic, payload }
}

const fn device(version: Version, client_identifier: &'static str) -> Introduction {
    Introduction { version, client_identifier, user_name: None, password: None }
}

const OMNICORE: &[&str] = &["subscription=acme-sub", "registry=plant"];
const MQTT2GO: &[&str] = &["home=h1", "gateway=gw1"];

/// The one who reads along and sends the commands, straight at the broker.
pub(super) const APPLICATION: Introduction = device(Version::V5, "application");

/// The play.
pub(super) const PAIRS: [Pair; 5] = [
    Pair {
        from: "thingscale",
        to: "omnicore",
        from_set: &["token=TOK"],
        to_set: OMNICORE,
        identity: Identity::Prefix("d"),
        device: Introduction {
            user_name: Some("U000001"),
            password: Some("TOK"),
            ..device(Version::V311, "1085266243_demo")
        },
        topic_filter: "TOK/1085266243/subscribe",
        steps: &[
            up("TOK/json/1085266243/room1", "/plant/d1085266243/events/room1", "23.5"),
            down("TOK/1085266243/subscribe", "/plant/d1085266243/commands", "open"),
        ],
    },
    Pair {
        from: "smartworks",
        to: "omnicore",
        from_set: &["space=acme"],
        to_set: OMNICORE,
        identity: Identity::Table("device,upstream\n01FDSA7KS76MNR32J8W0RAWEFX,boiler-1\n"),
        device: device(Version::V311, "01FDSA7KS76MNR32J8W0RAWEFX"),
        topic_filter: "spaces/acme/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/+",
        steps: &[up(
            "spaces/acme/things/01FDSA7KS76MNR32J8W0RAWEFX/properties",
            "/plant/boiler-1/state",
            r#"{"temperature":71.5}"#,
        )],
    },
    Pair {
        from: "mqtt2go",
        to: "omnicore",
        from_set: MQTT2GO,
        to_set: OMNICORE,
        identity: Identity::Same,
        device: device(Version::V311, "ms1"),
        topic_filter: "h1/gw1/ms1/+/in",
        steps: &[up(
            "h1/gw1/ms1/temperature/out",
            "/plant/ms1/events/temperature",
            r#"{"type":"periodic_report","timestamp":1567677926,"value":21.9}"#,
        )],
    },
    Pair {
        from: "omnicore",
        to: "mqtt2go",
        from_set: OMNICORE,
        to_set: MQTT2GO,
        identity: Identity::Same,
        device: Introduction {
            user_name: Some("unused"),
            ..device(Version::V311, "subscriptions/acme-sub/registries/plant/devices/lamp1")
        },
        topic_filter: "/plant/lamp1/commands/#",
        steps: &[down(
            "/plant/lamp1/commands/switch",
            "h1/gw1/lamp1/switch/in",
            r#"{"type":"set","timestamp":1567677946,"value":"on"}"#,
        )],
    },
    Pair {
        from: "xyte-legacy",
        to: "xyte",
        from_set: &[],
        to_set: &[],
        identity: Identity::Same,
        device: Introduction { user_name: Some("screen-7"), ..device(Version::V5, "screen-7") },
        topic_filter: "v1/device/screen-7/commands",
        steps: &[
            up(
                "v1/device/screen-7/telemetry",
                "v1/device/screen-7/telemetry",
                r#"{"status":"online","telemetries":{"lamp_hours":812}}"#,
            ),
            Step {
                turn: Turn::Down { response_topic: Some("v1/device/screen-7/commands/update") },
                device_topic: "v1/device/screen-7/commands",
                broker_topic: "v1/device/screen-7/command",
                payload: r#"{"id":"c-9","status":"pending","name":"reboot","parameters":{}}"#,
            },
            Step {
                turn: Turn::Answer,
                device_topic: "v1/device/screen-7/commands/update",
                broker_topic: "v1/device/screen-7/commands/update",
                payload: r#"{"id":"c-9","status":"done"}"#,
            },
        ],
    },
];

impl Pair {
    /// The listener, as a command line would say it.
    pub(super) fn arguments(&self, upstream: String) -> Arguments {
        let owned = |set: &[&str]| set.iter().map(|text| (*text).to_owned()).collect();
        let mut arguments = Arguments {
            listen: "tcp://127.0.0.1:0".to_owned(),
            from: self.from.to_owned(),
            upstream,
            to: self.to.to_owned(),
            from_set: owned(self.from_set),
            to_set: owned(self.to_set),
            ..Arguments::default()
        };
        match self.identity {
            Identity::Same => {}
            Identity::Prefix(prefix) => arguments.identity_prefix = Some(prefix.to_owned()),
            Identity::Table(_) => arguments.identity_table = Some("the demo's table".to_owned()),
        }
        arguments
    }

    /// The identity table that the arguments name, if they do.
    pub(super) fn identity_table(&self) -> Result<String, String> {
        match self.identity {
            Identity::Table(text) => Ok(text.to_owned()),
            Identity::Same | Identity::Prefix(_) => Err("the demo has no such file".to_owned()),
        }
    }

    /// What says the same on a command line, in two halves. Without a table.
    pub(super) fn options(&self) -> [String; 2] {
        let mut device = format!("--from {}", self.from);
        for value in self.from_set {
            device.push_str(&format!(" --from-set {value}"));
        }
        device.push_str(&format!(" --to {}", self.to));
        let mut rest: Vec<String> =
            self.to_set.iter().map(|value| format!("--to-set {value}")).collect();
        if let Identity::Prefix(prefix) = self.identity {
            rest.push(format!("--identity-prefix {prefix}"));
        }
        [device, rest.join(" ")]
    }
}

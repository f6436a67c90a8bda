//! A scenario: what the devices are, what they say and when. Plain data; nothing here sends anything.
//!
//! Invariant: a scenario that came out of `written` can be run: its numbers are within bounds and fit each other.
//! What depends on a dialect's table is checked by `engine::names`, before the first connection.

use std::collections::BTreeMap;
use std::time::Duration;

use interlingua::mqtt::{Qos, Version};

/// Everything about the load, target and machine left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: String,
    /// What it is for, for a person.
    pub(crate) about: String,
    /// Who the devices are.
    pub(crate) devices: Devices,
    /// What they publish.
    pub(crate) message: Message,
    /// When they publish.
    pub(crate) load: Load,
    /// What happens to their connections.
    pub(crate) connections: Connections,
    /// What they receive.
    pub(crate) commands: Commands,
    /// Where all that is random comes from. `None`: chosen at the start, and said.
    pub(crate) seed: Option<u64>,
}

/// Who the devices are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Devices {
    /// How many.
    pub(crate) count: u32,
    /// Whose conventions they speak: the name of a built-in table.
    pub(crate) dialect: String,
    /// Values for the table's variables.
    pub(crate) vars: BTreeMap<String, String>,
    /// A device's name; `{number}` counts from 0, `{number:6}` with leading zeros.
    pub(crate) name: String,
    /// Version of MQTT. `None`: the dialect's best.
    pub(crate) version: Option<Version>,
    /// 0: none.
    pub(crate) keep_alive_seconds: u16,
    /// Client identifier, where the dialect's own isn't wanted.
    pub(crate) client_identifier: Option<String>,
    /// User name, likewise.
    pub(crate) user_name: Option<String>,
    /// Password, likewise.
    pub(crate) password: Option<String>,
}

/// What the devices publish.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    /// What it says.
    pub(crate) payload: Payload,
    /// How it is encoded.
    pub(crate) encoding: Encoding,
    /// The quality of service.
    pub(crate) qos: Qos,
    /// The RETAIN flag.
    pub(crate) retain: Retain,
    /// Topics of each device.
    pub(crate) topics: u32,
    /// The topic of dialect `plain`. `None`: `loadtest/{device}`, with several topics `loadtest/{device}/{channel}`.
    pub(crate) topic: Option<String>,
    /// Whether payloads carry a stamp, without which nothing can be checked.
    pub(crate) stamp: Stamping,
    /// Whether the bytes of a payload have to arrive as they were sent.
    pub(crate) bytes: Bytes,
}

/// What a payload says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    /// So many bytes, in the frame that the dialect wants.
    Size(usize),
    /// This text with its placeholders filled.
    Template(String),
}

/// How a payload is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON, in the dialect's frame.
    Json,
    /// MessagePack of the same.
    MessagePack,
    /// Neither: the stamp and letters, or the template's text as it is.
    Raw,
}

/// The RETAIN flag of what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retain {
    /// 0.
    Clear,
    /// 1.
    Set,
}

/// Whether payloads carry a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamping {
    /// Device, topic, sequence number, intended time and checksum.
    Stamped,
    /// Nothing: messages are only counted.
    Bare,
}

/// What may become of a payload's bytes outside of the stamp's own checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// [`Bytes::Same`] for dialect `plain`, else [`Bytes::Any`].
    Auto,
    /// They arrive as they were sent, or the payload is corrupted.
    Same,
    /// They may be rewritten by a translation.
    Any,
}

/// When the devices publish.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    /// What decides about the next message.
    pub(crate) pacing: Pacing,
    /// Messages per second, unless `steps` says so.
    pub(crate) rate: Rate,
    /// Rates one after the other; instead of `rate`.
    pub(crate) steps: Vec<Step>,
    /// More messages now and then.
    pub(crate) burst: Option<Burst>,
    /// Connections are opened evenly over this time.
    pub(crate) ramp_up: Duration,
    /// Load that isn't measured.
    pub(crate) warm_up: Duration,
    /// Load that is measured.
    pub(crate) duration: Duration,
    /// How long to wait at the end for what is on its way.
    pub(crate) drain: Duration,
    /// Unacknowledged messages of a device at most.
    pub(crate) in_flight: u16,
}

/// What decides about the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// The clock: latency counts from the time that the schedule wants.
    Open,
    /// The answer to the one before (and the rate, if it is lower).
    Closed,
    /// Nothing: as fast as it goes.
    Full,
}

/// Messages per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rate {
    /// Of all devices together.
    Total(f64),
    /// Of each device.
    PerDevice(f64),
}

impl Rate {
    /// Messages per second of so many devices.
    pub(crate) fn total(self, devices: u32) -> f64 {
        match self {
            Rate::Total(rate) => rate,
            Rate::PerDevice(rate) => rate * f64::from(devices),
        }
    }
}

/// A rate for a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// How much.
    pub(crate) rate: Rate,
    /// How long.
    pub(crate) length: Duration,
}

/// More messages now and then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Burst {
    /// From the start of one to the start of the next.
    pub(crate) every: Duration,
    /// How long.
    pub(crate) length: Duration,
    /// The rate during it, instead of the usual one.
    pub(crate) rate: Rate,
}

/// What happens to the connections.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Connections {
    /// Devices that disconnect and come back, per second.
    pub(crate) churn: f64,
    /// Times after the start of the load at which all devices lose their connections, and come back at once.
    pub(crate) storms: Vec<Duration>,
    /// How many devices read slowly.
    pub(crate) slow_readers: u32,
    /// Bytes per second that each of them reads.
    pub(crate) slow_reader_bytes: u32,
    /// How long a device waits for its CONNACK.
    pub(crate) connect_timeout: Duration,
}

/// What the devices receive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Commands {
    /// Commands per second toward devices, from a controller of ours.
    pub(crate) rate: f64,
    /// Where the controller connects. `None`: it publishes where the devices connect.
    pub(crate) address: Option<String>,
    /// Whose conventions the controller speaks. `None`: those of the devices.
    pub(crate) dialect: Option<String>,
    /// Values for that table's variables.
    pub(crate) vars: BTreeMap<String, String>,
    /// The command topic of dialect `plain`. `None`: `loadtest/{device}/commands`.
    pub(crate) topic: Option<String>,
    /// The quality of service that devices subscribe with, and commands are published with.
    pub(crate) qos: Qos,
    /// Whether devices subscribe.
    pub(crate) subscribe: Subscribing,
    /// What a command says. `None`: the stamp in the frame that the dialect wants.
    pub(crate) payload: Option<String>,
    /// A device's name on the controller's side. `None`: as on the device's side.
    pub(crate) device_name: Option<String>,
}

/// Whether devices subscribe to their commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subscribing {
    /// If commands are sent, or an echo is there.
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

impl Default for Scenario {
    /// A hundred devices with ten messages per second each, at QoS 1.
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            about: String::new(),
            devices: Devices {
                count: 100,
                dialect: "plain".to_owned(),
                vars: BTreeMap::new(),
                name: "device-{number}".to_owned(),
                version: None,
                keep_alive_seconds: 60,
                client_identifier: None,
                user_name: None,
                password: None,
            },
            message: Message {
                payload: Payload::Size(64),
                encoding: Encoding::Json,
                qos: Qos::AtLeastOnce,
                retain: Retain::Clear,
                topics: 1,
                topic: None,
                stamp: Stamping::Stamped,
                bytes: Bytes::Auto,
            },
            load: Load {
                pacing: Pacing::Open,
                rate: Rate::Total(1000.0),
                steps: Vec::new(),
                burst: None,
                ramp_up: Duration::from_secs(1),
                warm_up: Duration::from_secs(1),
                duration: Duration::from_secs(10),
                drain: Duration::from_secs(5),
                in_flight: 100,
            },
            connections: Connections {
                churn: 0.0,
                storms: Vec::new(),
                slow_readers: 0,
                slow_reader_bytes: 1000,
                connect_timeout: Duration::from_secs(10),
            },
            commands: Commands {
                rate: 0.0,
                address: None,
                dialect: None,
                vars: BTreeMap::new(),
                topic: None,
                qos: Qos::AtLeastOnce,
                subscribe: Subscribing::Auto,
                payload: None,
                device_name: None,
            },
            seed: None,
        }
    }
}

impl Message {
    /// Whether the bytes have to arrive as they were sent.
    pub(crate) fn keeps_bytes(&self, dialect: &str) -> bool {
        match self.bytes {
            Bytes::Auto => dialect == "plain",
            Bytes::Same => true,
            Bytes::Any => false,
        }
    }
}

//! Every key of a scenario with its flag on the command line. The flags' values become a TOML text, so that a
//! file and the command line are read and refused by the same code.

use clap::{Arg, ArgAction, ArgMatches, Command};

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its path in the file, such as `load.rate`.
    pub(crate) path: &'static str,
    /// Its flag, without the dashes.
    pub(crate) flag: &'static str,
    /// What stands for a value in the help.
    value: &'static str,
    kind: ValueKind,
    /// What it says.
    pub(crate) about: &'static str,
}

/// How a flag's text becomes TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    /// A number if it looks like one, else a string.
    Any,
    /// A string, whatever it looks like.
    Text,
    /// Strings, separated by commas.
    List,
    /// `NAME=VALUE`, any number of times: a table.
    Pairs,
}

use ValueKind::{Any, List, Pairs, Text};

const fn key(
    path: &'static str,
    flag: &'static str,
    value: &'static str,
    kind: ValueKind,
    about: &'static str,
) -> Key {
    Key { path, flag, value, kind, about }
}

/// All of them, in the order of the file.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    key("name", "name", "TEXT", Text, "name of the scenario"),
    key("about", "about", "TEXT", Text, "what it is for"),
    key("seed", "seed", "N", Any, "where all that is random comes from; chosen and printed without it"),
    key("devices.count", "devices", "N", Any, "how many devices"),
    key("devices.dialect", "dialect", "NAME", Text, "whose conventions they speak: plain, thingscale, smartworks, omnicore, mqtt2go, xyte, …"),
    key("devices.vars", "set", "NAME=VALUE", Pairs, "a value for a variable of the dialect"),
    key("devices.name", "device-name", "PATTERN", Text, "a device's name; {number} counts from 0, {number:6} with leading zeros"),
    key("devices.version", "mqtt", "3.1|3.1.1|5", Text, "version of MQTT; the dialect's best without it"),
    key("devices.keep_alive", "keep-alive", "TIME", Any, "keep alive; 0 is none"),
    key("devices.client_id", "client-id", "PATTERN", Text, "client identifier, instead of the dialect's; {device} is the name"),
    key("devices.username", "username", "PATTERN", Text, "user name, instead of the dialect's"),
    key("devices.password", "password", "PATTERN", Text, "password, instead of the dialect's"),
    key("message.payload", "payload", "BYTES|TEXT", Any, "size of a payload, or a template such as '{\"t\":{walk 18 25},\"s\":\"{stamp}\"}'"),
    key("message.encoding", "encoding", "json|messagepack|raw", Text, "how payloads are encoded"),
    key("message.qos", "qos", "0|1|2", Any, "quality of service of what devices publish"),
    key("message.retain", "retain", "true|false", Any, "the RETAIN flag"),
    key("message.topics", "topics", "N", Any, "topics of each device"),
    key("message.topic", "topic", "PATTERN", Text, "topic of dialect plain, with {device} and {channel}"),
    key("message.stamp", "stamp", "true|false", Any, "stamp payloads, so that they can be checked"),
    key("message.bytes", "bytes", "auto|same|any", Text, "whether payloads have to arrive byte for byte"),
    key("load.pacing", "pacing", "open|closed|full", Text, "by the clock, by the answers, or as fast as it goes"),
    key("load.rate", "rate", "RATE", Any, "messages per second, such as 1000/s, or '2/s per device'"),
    key("load.steps", "steps", "RATE for TIME,…", List, "rates one after the other, instead of rate and duration"),
    key("load.burst", "burst", "RATE for TIME every TIME", Text, "more messages now and then"),
    key("load.ramp_up", "ramp-up", "TIME", Any, "the connections are opened over this time"),
    key("load.warm_up", "warm-up", "TIME", Any, "load before it is measured"),
    key("load.duration", "duration", "TIME", Any, "load that is measured"),
    key("load.drain", "drain", "TIME", Any, "how long to wait at the end for what is on its way"),
    key("load.in_flight", "in-flight", "N", Any, "unacknowledged messages of a device at most"),
    key("connections.churn", "churn", "RATE", Any, "devices that disconnect and come back, per second"),
    key("connections.storms", "storms", "TIME,…", List, "when all devices lose their connections and come back at once"),
    key("connections.slow_readers", "slow-readers", "N", Any, "how many devices read slowly"),
    key("connections.slow_reader_bytes", "slow-reader-bytes", "N", Any, "bytes per second that each of them reads"),
    key("connections.connect_timeout", "connect-timeout", "TIME", Any, "how long a device waits for its CONNACK"),
    key("commands.rate", "commands", "RATE", Any, "commands per second toward devices"),
    key("commands.address", "command-address", "HOST:PORT", Text, "where commands are published; without it where the devices connect"),
    key("commands.dialect", "command-dialect", "NAME", Text, "whose conventions are spoken there; without it those of the devices"),
    key("commands.vars", "command-set", "NAME=VALUE", Pairs, "a value for a variable of that dialect"),
    key("commands.topic", "command-topic", "PATTERN", Text, "command topic of dialect plain, with {device}"),
    key("commands.qos", "command-qos", "0|1|2", Any, "quality of service of commands and subscriptions"),
    key("commands.subscribe", "subscribe", "auto|always|never", Text, "whether devices subscribe to their commands"),
    key("commands.payload", "command-payload", "TEXT", Text, "what a command says: a template like that of payload"),
    key("commands.device_name", "command-device-name", "PATTERN", Text, "a device's name where commands are published, if it differs"),
];

/// What was given on the command line, as one TOML text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) toml: String,
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut toml = String::new();
        for key in KEYS {
            let Some(values) = matches.get_many::<String>(key.flag) else { continue };
            let values: Vec<&str> = values.map(String::as_str).collect();
            key.write(&values, &mut toml).map_err(|fault| {
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, fault)
            })?;
        }
        Ok(Self { toml })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = <Self as clap::FromArgMatches>::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.next_help_heading("Scenario").args(KEYS.iter().map(Key::argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Key {
    fn argument(&self) -> Arg {
        let action = match self.kind {
            Pairs => ArgAction::Append,
            Any | Text | List => ArgAction::Set,
        };
        let arg = Arg::new(self.flag);
        // Said again, the last one counts, so that a line can be changed at its end.
        let arg = if self.kind == Pairs { arg } else { arg.overrides_with(self.flag) };
        arg.long(self.flag)
            .value_name(self.value)
            .help(self.about)
            .action(action)
            .allow_hyphen_values(true)
    }

    /// Appends `path = value`.
    fn write(&self, values: &[&str], toml: &mut String) -> Result<(), String> {
        for value in values {
            let (path, literal) = match self.kind {
                Any => (self.path.to_owned(), number_or_text(value)),
                Text => (self.path.to_owned(), quoted(value)),
                List => {
                    let items: Vec<String> =
                        value.split(',').map(|item| quoted(item.trim())).collect();
                    (self.path.to_owned(), format!("[{}]", items.join(", ")))
                }
                Pairs => {
                    let (name, value) = value
                        .split_once('=')
                        .ok_or_else(|| format!("--{} {value}: write NAME=VALUE\n", self.flag))?;
                    (format!("{}.{}", self.path, quoted(name)), quoted(value))
                }
            };
            toml.push_str(&format!("{path} = {literal}\n"));
        }
        Ok(())
    }
}

fn number_or_text(value: &str) -> String {
    let plain = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    if plain || value == "true" || value == "false" { value.to_owned() } else { quoted(value) }
}

/// A TOML string; JSON's escapes are a part of TOML's.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

//! A scenario as TOML text with every key: what a result says it was made with, and what `scenarios NAME` could be
//! started from again. Reading the text gives the same scenario.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use interlingua::mqtt::Qos;

use super::keys::quoted;
use super::model::{Bytes, Encoding, Pacing, Payload, Retain, Scenario, Stamping, Subscribing};
use super::values::{burst_text, rate_text, step_text, time_text};

/// The text.
pub(crate) fn text(scenario: &Scenario) -> String {
    let mut text = Text { out: String::new() };
    text.string("name", &scenario.name);
    text.string("about", &scenario.about);
    text.maybe("seed", scenario.seed);
    devices(scenario, &mut text);
    message(scenario, &mut text);
    load(scenario, &mut text);
    connections(scenario, &mut text);
    commands(scenario, &mut text);
    text.out
}

fn devices(scenario: &Scenario, text: &mut Text) {
    let devices = &scenario.devices;
    text.section("devices");
    text.value("count", devices.count);
    text.string("dialect", &devices.dialect);
    text.string("name", &devices.name);
    text.maybe("version", devices.version.map(|version| quoted(&version.to_string())));
    text.string("keep_alive", &format!("{}s", devices.keep_alive_seconds));
    text.maybe_string("client_id", devices.client_identifier.as_deref());
    text.maybe_string("username", devices.user_name.as_deref());
    text.maybe_string("password", devices.password.as_deref());
    text.pairs("vars", &devices.vars);
}

fn message(scenario: &Scenario, text: &mut Text) {
    let message = &scenario.message;
    text.section("message");
    match &message.payload {
        Payload::Size(size) => text.value("payload", size),
        Payload::Template(template) => text.string("payload", template),
    }
    text.string(
        "encoding",
        match message.encoding {
            Encoding::Json => "json",
            Encoding::MessagePack => "messagepack",
            Encoding::Raw => "raw",
        },
    );
    text.value("qos", qos(message.qos));
    text.value("retain", message.retain == Retain::Set);
    text.value("topics", message.topics);
    text.maybe_string("topic", message.topic.as_deref());
    text.value("stamp", message.stamp == Stamping::Stamped);
    text.string(
        "bytes",
        match message.bytes {
            Bytes::Auto => "auto",
            Bytes::Same => "same",
            Bytes::Any => "any",
        },
    );
}

fn load(scenario: &Scenario, text: &mut Text) {
    let load = &scenario.load;
    text.section("load");
    text.string(
        "pacing",
        match load.pacing {
            Pacing::Open => "open",
            Pacing::Closed => "closed",
            Pacing::Full => "full",
        },
    );
    if load.steps.is_empty() {
        text.string("rate", &rate_text(load.rate));
        text.string("duration", &time_text(load.duration));
    } else {
        text.list("steps", load.steps.iter().map(|step| step_text(*step)));
    }
    text.maybe("burst", load.burst.map(|burst| quoted(&burst_text(burst))));
    text.string("ramp_up", &time_text(load.ramp_up));
    text.string("warm_up", &time_text(load.warm_up));
    text.string("drain", &time_text(load.drain));
    text.value("in_flight", load.in_flight);
}

fn connections(scenario: &Scenario, text: &mut Text) {
    let connections = &scenario.connections;
    text.section("connections");
    text.string("churn", &format!("{}/s", connections.churn));
    text.list("storms", connections.storms.iter().map(|storm| time_text(*storm)));
    text.value("slow_readers", connections.slow_readers);
    text.value("slow_reader_bytes", connections.slow_reader_bytes);
    text.string("connect_timeout", &time_text(connections.connect_timeout));
}

fn commands(scenario: &Scenario, text: &mut Text) {
    let commands = &scenario.commands;
    text.section("commands");
    text.string("rate", &format!("{}/s", commands.rate));
    text.maybe_string("address", commands.address.as_deref());
    text.maybe_string("dialect", commands.dialect.as_deref());
    text.maybe_string("topic", commands.topic.as_deref());
    text.value("qos", qos(commands.qos));
    text.string(
        "subscribe",
        match commands.subscribe {
            Subscribing::Auto => "auto",
            Subscribing::Always => "always",
            Subscribing::Never => "never",
        },
    );
    text.maybe_string("payload", commands.payload.as_deref());
    text.maybe_string("device_name", commands.device_name.as_deref());
    text.pairs("vars", &commands.vars);
}

fn qos(qos: Qos) -> u8 {
    qos.level()
}

struct Text {
    out: String,
}

impl Text {
    fn section(&mut self, name: &str) {
        self.line(format_args!("\n[{name}]"));
    }

    fn value(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn string(&mut self, key: &str, value: &str) {
        self.value(key, quoted(value));
    }

    fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(key, value);
        }
    }

    fn maybe_string(&mut self, key: &str, value: Option<&str>) {
        self.maybe(key, value.map(quoted));
    }

    fn list(&mut self, key: &str, items: impl Iterator<Item = String>) {
        let items: Vec<String> = items.map(|item| quoted(&item)).collect();
        self.value(key, format_args!("[{}]", items.join(", ")));
    }

    /// Last in its section, for what follows would be the table's.
    fn pairs(&mut self, key: &str, pairs: &BTreeMap<String, String>) {
        let items: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)))
            .collect();
        if !items.is_empty() {
            self.value(key, format_args!("{{ {} }}", items.join(", ")));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.out, "{line}").expect("a string takes every text");
    }
}

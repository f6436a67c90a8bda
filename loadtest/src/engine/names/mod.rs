//! What a device is called and which topics it has, by the tables of its dialect: client identifier, credentials,
//! the topics that it publishes to, the filters of its commands, and the topics that a controller sends them to.
//!
//! It chooses one form per purpose; which kinds a platform has beside telemetry and commands isn't played.
//! Invariant: every name was checked by the table's own rules.

mod hide;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use interlingua::dialect::{
    Dialect, Form, Kind, Level, Part, Role, Sender, TextTemplate, builtin, builtin_names,
};
use interlingua::document::{closest, list_words};
use interlingua::mqtt::{Version, topic};
use interlingua::payload::Shape;

pub(crate) use hide::without_secrets;

use super::pattern::fill;
use crate::scenario::{Encoding, Scenario};

/// The channel of devices with one topic, where the topic has to have one.
const CHANNEL: &str = "load";

/// One side's conventions with their values.
#[derive(Debug)]
pub(crate) struct Names {
    dialect: Dialect,
    vars: BTreeMap<String, String>,
    /// The topic of dialect `plain` for messages.
    message_topic: String,
    /// The topic of dialect `plain` for commands.
    command_topic: String,
    device_name: String,
}

/// What a device says in its CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) client_identifier: String,
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<String>,
}

impl Names {
    /// The devices' side.
    pub(crate) fn of_devices(scenario: &Scenario) -> anyhow::Result<Self> {
        let devices = &scenario.devices;
        let several = scenario.message.topics > 1;
        let usual = if several { "loadtest/{device}/{channel}" } else { "loadtest/{device}" };
        let command_topic = scenario.commands.topic.as_deref();
        let names = Self {
            dialect: find(&devices.dialect)?,
            vars: devices.vars.clone(),
            message_topic: scenario.message.topic.clone().unwrap_or(usual.to_owned()),
            command_topic: command_topic.unwrap_or("loadtest/{device}/commands").to_owned(),
            device_name: devices.name.clone(),
        };
        if !names.dialect.is_plain() && scenario.message.topic.is_some() {
            bail!("message.topic: dialect {} has topics of its own; leave it out", devices.dialect);
        }
        names.check_vars()?;
        Ok(names)
    }

    /// The controller's side, and that of what stands behind a proxy.
    pub(crate) fn of_controller(scenario: &Scenario) -> anyhow::Result<Self> {
        let mut names = Self::of_devices(scenario)?;
        let commands = &scenario.commands;
        if let Some(dialect) = &commands.dialect {
            names.dialect = find(dialect)?;
            names.vars = commands.vars.clone();
        } else {
            names.vars.extend(commands.vars.clone());
        }
        if let Some(device_name) = &commands.device_name {
            names.device_name = device_name.clone();
        }
        names.check_vars()?;
        Ok(names)
    }

    /// The platform's best version.
    pub(crate) fn version(&self) -> Version {
        if self.dialect.is_plain() {
            return Version::V311;
        }
        self.dialect.versions.first().copied().unwrap_or(Version::V311)
    }

    /// A device's name, checked by the table's rule.
    pub(crate) fn device(&self, number: u32) -> anyhow::Result<String> {
        let name = fill(&self.device_name, number, &|_| None).context("the device's name")?;
        let variables = self.dialect.variables.iter();
        for variable in variables.filter(|variable| variable.role == Role::Part(Part::Device)) {
            variable.rule.check(&name).map_err(|fault| {
                anyhow!("the name `{name}` is none in dialect {}: {fault}", self.dialect.name)
            })?;
        }
        Ok(name)
    }

    /// What device `number` says in its CONNECT.
    pub(crate) fn identity(&self, number: u32, scenario: &Scenario) -> anyhow::Result<Identity> {
        let device = self.device(number)?;
        let devices = &scenario.devices;
        let rules = &self.dialect.connect;
        let own = |pattern: &Option<String>, template: Option<&TextTemplate>| match pattern {
            Some(pattern) => fill(pattern, number, &|name| self.value(name, &device)).map(Some),
            None => template.map(|template| self.text(template, &device)).transpose(),
        };
        let client_identifier = own(&devices.client_identifier, rules.client_identifier.as_ref())?;
        let client_identifier = client_identifier.unwrap_or_else(|| device.clone());
        if let Some(most) = rules.client_identifier_bytes_max
            && client_identifier.len() > most
        {
            bail!(
                "client identifier `{client_identifier}` has more than the {most} bytes of dialect {}; \
                 write a shorter `devices.name`",
                self.dialect.name
            );
        }
        Ok(Identity {
            client_identifier,
            user_name: own(&devices.user_name, rules.user_name.as_ref())?,
            password: own(&devices.password, rules.password.as_ref())?,
        })
    }

    /// The topics that a device publishes to.
    pub(crate) fn topics(&self, number: u32, scenario: &Scenario) -> anyhow::Result<Vec<Box<str>>> {
        let device = self.device(number)?;
        let count = scenario.message.topics;
        (0..count)
            .map(|index| {
                let channel = if count > 1 { format!("c{index}") } else { CHANNEL.to_owned() };
                let topic_name = if self.dialect.is_plain() {
                    fill(&self.message_topic, number, &|name| plain(name, &device, &channel))?
                } else {
                    let form = self.message_form(scenario)?;
                    self.render(form, &device, &channel, count > 1)?
                };
                checked(topic_name)
            })
            .collect()
    }

    /// How the platform wants what devices publish.
    pub(crate) fn message_shape(&self, scenario: &Scenario) -> anyhow::Result<Shape> {
        if self.dialect.is_plain() {
            Ok(Shape::Opaque)
        } else {
            Ok(self.message_form(scenario)?.shape)
        }
    }

    /// How the platform wants commands.
    pub(crate) fn command_shape(&self) -> anyhow::Result<Shape> {
        if self.dialect.is_plain() { Ok(Shape::Opaque) } else { Ok(self.command_form()?.shape) }
    }

    /// The filter that a device gets its commands by.
    pub(crate) fn command_filter(&self, number: u32) -> anyhow::Result<String> {
        let device = self.device(number)?;
        if self.dialect.is_plain() {
            return fill(&self.command_topic, number, &|name| plain(name, &device, "+"));
        }
        let form = self.command_form()?;
        let template = form.filter.as_ref().unwrap_or(&form.template);
        let variants = template.variants();
        let levels = variants.last().context("a template has levels")?;
        let mut filter: Vec<String> = Vec::new();
        for level in levels {
            let part = level.variable().and_then(|name| self.dialect.part_of(form, name));
            filter.push(match (level, part) {
                (Level::Rest { .. }, _) => "#".to_owned(),
                (Level::Capture { .. }, Some(Part::Channel)) => "+".to_owned(),
                (level, _) => self.level(form, level, &device, "")?,
            });
        }
        Ok(filter.join("/"))
    }

    /// The topic that a controller sends a device's commands to.
    pub(crate) fn command_topic(&self, number: u32) -> anyhow::Result<Box<str>> {
        let device = self.device(number)?;
        checked(if self.dialect.is_plain() {
            fill(&self.command_topic, number, &|name| plain(name, &device, CHANNEL))?
        } else {
            self.render(self.command_form()?, &device, CHANNEL, false)?
        })
    }

    fn message_form(&self, scenario: &Scenario) -> anyhow::Result<&Form> {
        let wanted = |form: &&Form| {
            form.kind == Kind::Telemetry
                && form.from == Sender::Device
                && form.is_written()
                && form.option.is_none()
                && form.of.is_empty()
        };
        let packed = scenario.message.encoding == Encoding::MessagePack;
        let binary = |form: &&Form| packed == (form.shape == Shape::Binary);
        let forms = || self.dialect.forms.iter().filter(wanted);
        let found = forms().find(binary).or_else(|| forms().next());
        found.ok_or_else(|| anyhow!("dialect {} has no topic for telemetry", self.dialect.name))
    }

    fn command_form(&self) -> anyhow::Result<&Form> {
        let wanted = |form: &&Form| {
            form.kind == Kind::Command
                && form.from == Sender::Cloud
                && form.option.is_none()
                && form.of.is_empty()
        };
        let found = self.dialect.forms.iter().find(wanted);
        found.ok_or_else(|| anyhow!("dialect {} has no topic for commands", self.dialect.name))
    }

    fn check_vars(&self) -> anyhow::Result<()> {
        for (name, value) in &self.vars {
            let known = || self.dialect.variables.iter().map(|variable| &*variable.name);
            let Some(variable) = self.dialect.variable(name) else {
                let meant = closest(name, known());
                let remedy =
                    meant.map_or_else(|| list_words(known()), |meant| format!("`{meant}`"));
                bail!("dialect {} has no variable `{name}`; it has {remedy}", self.dialect.name)
            };
            variable
                .rule
                .check(value)
                .map_err(|fault| anyhow!("dialect {}, `{name}`: {fault}", self.dialect.name))?;
        }
        Ok(())
    }
}

fn plain(name: &str, device: &str, channel: &str) -> Option<String> {
    match name {
        "device" => Some(device.to_owned()),
        "channel" => Some(channel.to_owned()),
        _ => None,
    }
}

fn checked(topic_name: String) -> anyhow::Result<Box<str>> {
    if !topic::is_valid_name(&topic_name) {
        bail!("`{topic_name}` is no topic name");
    }
    Ok(topic_name.into())
}

fn find(name: &str) -> anyhow::Result<Dialect> {
    match builtin(name) {
        Some(Ok(dialect)) => Ok(dialect),
        Some(Err(faults)) => bail!("the table of dialect {name} has {} faults", faults.len()),
        None => {
            let remedy = closest(name, builtin_names())
                .map_or_else(|| list_words(builtin_names()), |meant| format!("`{meant}`"));
            bail!("there is no dialect `{name}`; write {remedy}")
        }
    }
}

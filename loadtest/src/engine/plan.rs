//! Everything that is known before the first connection: who connects where, as whom, and with which topics.
//!
//! Invariant: whatever could be refused before the start has been refused when a plan is there.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, bail};
use interlingua::mqtt::{Qos, Version};

use super::clock::Clock;
use super::names::{Identity, Names};
use super::payload::PayloadMaker;
use crate::results::{End, LatencyKind};
use crate::scenario::{Encoding, Payload, Scenario, Stamping, Subscribing};

/// One run, before it starts.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    /// The run's own number in its stamps.
    pub(crate) run: u16,
    pub(crate) clock: Clock,
    /// Where devices connect.
    pub(crate) target: SocketAddr,
    /// Addresses to connect from; empty: whichever the system takes.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) version: Version,
    pub(crate) end: End,
    pub(crate) devices: Vec<DevicePlan>,
    pub(crate) messages: PayloadMaker,
    pub(crate) controller: Option<ControllerPlan>,
    /// The latency that stands for the run.
    pub(crate) primary: LatencyKind,
}

/// One device.
#[derive(Debug)]
pub(crate) struct DevicePlan {
    pub(crate) identity: Identity,
    pub(crate) topics: Box<[Box<str>]>,
    /// What it subscribes to, if it does.
    pub(crate) filter: Option<String>,
}

/// The one that sends commands.
#[derive(Debug)]
pub(crate) struct ControllerPlan {
    pub(crate) address: SocketAddr,
    pub(crate) identity: Identity,
    pub(crate) version: Version,
    /// The command topic of each device.
    pub(crate) topics: Vec<Box<str>>,
    pub(crate) payload: PayloadMaker,
}

impl Plan {
    /// Works a scenario out.
    ///
    /// # Errors
    /// What the dialect's table refuses, and payloads that can't be made.
    pub(crate) fn new(
        scenario: Scenario,
        target: SocketAddr,
        end: End,
        sources: Vec<IpAddr>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let seed = scenario.seed.unwrap_or_else(|| fastrand::u64(..1 << 53));
        let names = Names::of_devices(&scenario)?;
        let version = scenario.devices.version.unwrap_or_else(|| names.version());
        let subscribes = match scenario.commands.subscribe {
            Subscribing::Always => true,
            Subscribing::Never => false,
            Subscribing::Auto => scenario.commands.rate > 0.0 || end == End::Echo,
        };
        let devices: anyhow::Result<Vec<DevicePlan>> = (0..scenario.devices.count)
            .map(|number| device(&names, number, &scenario, version, subscribes))
            .collect();
        let message = &scenario.message;
        let shape = names.message_shape(&scenario)?;
        Ok(Self {
            seed,
            // Two runs at the same sink are told apart, even with the same seed.
            run: fastrand::u16(..),
            clock,
            target,
            sources,
            version,
            end,
            devices: devices?,
            messages: PayloadMaker::new(&message.payload, message.encoding, message.stamp, shape)?,
            controller: controller(&scenario, target)?,
            primary: primary(&scenario, end),
            scenario,
        })
    }
}

fn device(
    names: &Names,
    number: u32,
    scenario: &Scenario,
    version: Version,
    subscribes: bool,
) -> anyhow::Result<DevicePlan> {
    let identity = names.identity(number, scenario)?;
    if identity.password.is_some() && identity.user_name.is_none() && version < Version::V5 {
        bail!(
            "devices.password: MQTT {version} has no password without a user name; write `devices.username`"
        );
    }
    let filter = if subscribes { Some(names.command_filter(number)?) } else { None };
    let topics = names.topics(number, scenario)?.into_boxed_slice();
    Ok(DevicePlan { identity, topics, filter })
}

fn controller(scenario: &Scenario, target: SocketAddr) -> anyhow::Result<Option<ControllerPlan>> {
    let commands = &scenario.commands;
    if commands.rate <= 0.0 {
        return Ok(None);
    }
    let names = Names::of_controller(scenario)?;
    let topics: anyhow::Result<Vec<Box<str>>> =
        (0..scenario.devices.count).map(|number| names.command_topic(number)).collect();
    let (stamping, shape) = (scenario.message.stamp, names.command_shape()?);
    let payload = match &commands.payload {
        Some(text) => {
            PayloadMaker::new(&Payload::Template(text.clone()), Encoding::Raw, stamping, shape)?
        }
        None => PayloadMaker::smallest(stamping, shape)?,
    };
    let address = match &commands.address {
        Some(address) => resolve(address).context("commands.address")?,
        None => target,
    };
    let identity = Identity {
        client_identifier: "loadtest-controller".to_owned(),
        user_name: None,
        password: None,
    };
    let version = if commands.dialect.is_some() {
        names.version()
    } else {
        scenario.devices.version.unwrap_or_else(|| names.version())
    };
    Ok(Some(ControllerPlan { address, identity, version, topics: topics?, payload }))
}

/// The first that will be measured at all.
fn primary(scenario: &Scenario, end: End) -> LatencyKind {
    let stamped = scenario.message.stamp == Stamping::Stamped;
    if scenario.message.qos > Qos::AtMostOnce {
        LatencyKind::Acknowledged
    } else if stamped && end != End::Foreign {
        LatencyKind::Arrival
    } else {
        LatencyKind::Command
    }
}

/// `HOST:PORT`, also with `mqtt://` before it.
pub(crate) fn resolve(address: &str) -> anyhow::Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    let bare =
        address.strip_prefix("mqtt://").or(address.strip_prefix("tcp://")).unwrap_or(address);
    let bare = bare.trim_end_matches('/');
    if bare.contains("://") {
        bail!("{address}: only TCP is spoken; write HOST:PORT or mqtt://HOST:PORT");
    }
    let with_port = if bare.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        bare.to_owned()
    } else {
        bail!("{address} has no port; write HOST:PORT, such as {bare}:1883")
    };
    let mut found = with_port.to_socket_addrs().with_context(|| format!("looking up {address}"))?;
    found.next().with_context(|| format!("{address} has no address"))
}

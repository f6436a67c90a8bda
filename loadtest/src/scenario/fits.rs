//! Whether the values of a scenario fit each other. Each misfit is a fault with the line of the key that makes it.

use interlingua::document::Fault;
use interlingua::mqtt::Qos;

use super::model::{Encoding, Pacing, Payload, Rate, Scenario, Stamping};
use super::written::{Layers, Places};
use crate::engine::stamp;

/// Every misfit.
pub(crate) fn faults(layers: &Layers) -> Vec<Fault> {
    let mut found = Faults { places: &layers.places, faults: Vec::new() };
    pacing(&layers.scenario, &mut found);
    payload(&layers.scenario, &mut found);
    connections(&layers.scenario, &mut found);
    commands(&layers.scenario, &mut found);
    found.faults
}

fn pacing(scenario: &Scenario, found: &mut Faults<'_>) {
    let load = &scenario.load;
    if load.pacing == Pacing::Closed && scenario.message.qos == Qos::AtMostOnce {
        found.add(
            "load.pacing",
            "`closed` waits for acknowledgements, which QoS 0 hasn't",
            "write `qos = 1`, or `pacing = \"open\"`",
        );
    }
    let scheduled = load.steps.len() + usize::from(load.burst.is_some());
    if load.pacing != Pacing::Open && scheduled > 0 {
        let key = if load.burst.is_some() { "load.burst" } else { "load.steps" };
        found.add(key, "needs a schedule", "write `pacing = \"open\"`, or leave it out");
    }
    if load.duration.is_zero() {
        found.add("load.duration", "is 0", "write how long the load is measured");
    }
    let rates = load.steps.iter().map(|step| step.rate).chain([load.rate]);
    let none = rates.clone().all(|rate| matches!(rate, Rate::Total(0.0) | Rate::PerDevice(0.0)));
    if load.pacing == Pacing::Closed && none {
        found.add("load.rate", "is 0", "write a rate, or `pacing = \"full\"`");
    }
}

fn payload(scenario: &Scenario, found: &mut Faults<'_>) {
    let message = &scenario.message;
    if message.stamp == Stamping::Bare {
        return;
    }
    match &message.payload {
        Payload::Size(size) => {
            let least = match message.encoding {
                Encoding::Raw => stamp::LENGTH,
                Encoding::Json | Encoding::MessagePack => stamp::FRAMED_LENGTH,
            };
            if *size < least {
                found.add(
                    "message.payload",
                    &format!("{size} bytes have no room for the stamp"),
                    &format!("write at least {least}, or `stamp = false` to check nothing"),
                );
            }
        }
        Payload::Template(text) => {
            if !text.contains("{stamp") {
                found.add(
                    "message.payload",
                    "has no `{stamp}`",
                    "put `{stamp}` where a text may stand, or write `stamp = false` to check nothing",
                );
            }
        }
    }
}

fn connections(scenario: &Scenario, found: &mut Faults<'_>) {
    let connections = &scenario.connections;
    if connections.slow_readers > scenario.devices.count {
        found.add(
            "connections.slow_readers",
            &format!("are more than the {} devices", scenario.devices.count),
            "write a smaller number",
        );
    }
    let end = scenario.load.warm_up + scenario.load.duration;
    if connections.storms.iter().any(|storm| *storm >= end) {
        found.add(
            "connections.storms",
            "has a storm after the end of the load",
            "write times that are shorter than warm-up and duration together",
        );
    }
}

fn commands(scenario: &Scenario, found: &mut Faults<'_>) {
    let commands = &scenario.commands;
    if let Some(payload) = &commands.payload
        && !payload.contains("{stamp")
        && scenario.message.stamp == Stamping::Stamped
    {
        found.add(
            "commands.payload",
            "has no `{stamp}`",
            "put `{stamp}` where a text may stand, or write `stamp = false` to check nothing",
        );
    }
    if commands.rate > 0.0 && commands.subscribe == super::model::Subscribing::Never {
        found.add(
            "commands.subscribe",
            "is `never`, but commands are sent",
            "write `auto`, or leave the rate of commands out",
        );
    }
}

struct Faults<'p> {
    places: &'p Places,
    faults: Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, key: &str, message: &str, remedy: &str) {
        let (file, line) = self.places.get(key).cloned().unwrap_or(("scenario".to_owned(), 0));
        self.faults.push(Fault {
            file,
            line,
            key: key.to_owned(),
            message: message.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
}

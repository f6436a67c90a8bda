//! Which manner of writing the operator's options ask for, given two forms. Asked once per pair, never per
//! message.

use std::sync::Arc;

use crate::dialect::{Form, Kind, Sender};
use crate::payload::Shape;
use crate::payload::body::Manner;

use super::options::{CommandRule, KeyedRule, PayloadOptions, ReportRule, StateRule};

/// The manner in which `written` gets what `form` says. `in_topic`: the written topic has the channel in it.
pub(super) fn manner(
    form: &Form,
    written: &Form,
    in_topic: bool,
    options: &PayloadOptions,
) -> Manner {
    let free = written.shape == Shape::Opaque;
    let chosen = match form.from {
        Sender::Device if free => upward(form, in_topic, options),
        Sender::Cloud if free => downward(form, options),
        _ => None,
    };
    match chosen {
        Some(manner) => manner,
        None if options.envelope && takes_envelope(form, written) => Manner::Envelope,
        None => Manner::Shape,
    }
}

fn takes_envelope(form: &Form, written: &Form) -> bool {
    let free = matches!(written.shape, Shape::Opaque | Shape::JsonOrNumber | Shape::SmartworksData);
    let connection =
        matches!(form.kind, Kind::Attach | Kind::Detach | Kind::Provision | Kind::Admin);
    free && !connection && form.shape != Shape::Empty
}

fn upward(form: &Form, in_topic: bool, options: &PayloadOptions) -> Option<Manner> {
    match form.shape {
        Shape::Keyed if in_topic && options.keyed == KeyedRule::Value => Some(Manner::KeyedValue),
        Shape::Mqtt2goReport
            if form.kind == Kind::Telemetry && options.mqtt2go_up == ReportRule::Normalize =>
        {
            Some(Manner::Normalized)
        }
        _ => None,
    }
}

fn downward(form: &Form, options: &PayloadOptions) -> Option<Manner> {
    if form.kind != Kind::Command {
        return None;
    }
    if let Some(template) = &options.command_template {
        return Some(Manner::Template(Arc::clone(template)));
    }
    match (form.shape, options.command) {
        (Shape::Mqtt2goCommand, CommandRule::Value) => Some(Manner::CommandValue),
        (Shape::Mqtt2goCommand, CommandRule::Text) => Some(Manner::CommandText),
        _ => None,
    }
}

/// The form as it looks for its target: a device's state may travel as telemetry. A property with a topic of
/// its own stays: it isn't the state of the device, and a topic without its name would have to carry it.
pub(super) fn retold(form: &Form, options: &PayloadOptions) -> Option<Form> {
    let moves = form.from == Sender::Device
        && form.kind == Kind::State
        && form.shape != Shape::Keyed
        && options.state == StateRule::Telemetry;
    moves.then(|| Form { kind: Kind::Telemetry, ..form.clone() })
}

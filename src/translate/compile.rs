//! Compiling a pair: the four lanes, and every fault that shows only when two dialects meet.

use crate::dialect::{Form, Kind, Role, Sender, overlap};

use super::identity::Identity;
use super::lane::{Lane, LaneFault};
use super::options::PayloadOptions;
use super::side::Side;
use super::translator::{Inner, Pair, Translator};

/// A fault of a pair: which side's variables, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileFault {
    /// The side whose configuration has to change: `listener` or `upstream`.
    pub side: &'static str,
    /// The variable, if one is meant.
    pub variable: Option<Box<str>>,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub remedy: String,
}

const LISTENER: &str = "listener";
const UPSTREAM: &str = "upstream";

/// Compiles a device side and an upstream side.
///
/// # Errors
/// Every fault of the pair.
pub fn compile(
    device: Side,
    upstream: Side,
    identity: Identity,
) -> Result<Translator, Vec<CompileFault>> {
    let mut faults = Vec::new();
    check_values(&device, LISTENER, &mut faults);
    check_values(&upstream, UPSTREAM, &mut faults);
    match (device.dialect.is_plain(), upstream.dialect.is_plain()) {
        (true, true) if faults.is_empty() => return Ok(Translator::plain_in(&upstream.versions)),
        (true, true) => return Err(faults),
        (false, false) => {}
        (plain_device, _) => {
            faults.push(one_plain(if plain_device { LISTENER } else { UPSTREAM }));
            return Err(faults);
        }
    }
    check_user_name(&upstream, &identity, &mut faults);
    let topics_only = PayloadOptions::default();
    let lanes = [
        lane((&device, &upstream), Sender::Device, &device.payload, LISTENER, &mut faults),
        lane((&upstream, &device), Sender::Cloud, &device.payload, UPSTREAM, &mut faults),
        lane((&device, &upstream), Sender::Cloud, &topics_only, LISTENER, &mut faults),
        lane((&upstream, &device), Sender::Device, &topics_only, UPSTREAM, &mut faults),
    ];
    let [Some(up), Some(down), Some(reply_up), Some(reply_down)] = lanes else {
        return Err(faults);
    };
    check_reach(&up, UPSTREAM, "nothing that the device sends can pass", &mut faults);
    check_reach(&down, LISTENER, "nothing can reach the device", &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let echoes = sends_both_ways(&upstream);
    Ok(Translator(Inner::Pair(Box::new(Pair {
        echoes,
        device,
        upstream,
        identity,
        up,
        down,
        reply_up,
        reply_down,
    }))))
}

/// Whether some topic is one that devices send on and are sent on.
fn sends_both_ways(side: &Side) -> bool {
    let passes =
        |form: &&Form| side.has_form(form) && !matches!(form.kind, Kind::Admin | Kind::Provision);
    let forms = || side.dialect.forms.iter().filter(passes);
    let up = forms().filter(|form| form.from == Sender::Device && form.is_written());
    let down = forms().filter(|form| form.from == Sender::Cloud && form.is_read());
    let down: Vec<_> = down.flat_map(|form| form.template.variants()).collect();
    up.flat_map(|form| form.template.variants())
        .any(|up| down.iter().any(|down| overlap(&side.dialect, &up, down)))
}

/// MQTT 3.x takes no password without a user name [MQTT-3.1.2-22].
fn check_user_name(upstream: &Side, identity: &Identity, faults: &mut Vec<CompileFault>) {
    let rules = &upstream.dialect.connect;
    let (Some(user_name), Some(password)) = (&rules.user_name, &rules.password) else { return };
    let has_password = password.variables().all(|name| upstream.value(name).is_some());
    let unknown = |name: &&str| {
        let setting =
            upstream.dialect.variable(name).is_some_and(|known| known.role == Role::Setting);
        let listed = matches!(identity, Identity::Table(table) if table.variables().any(|column| column == *name));
        setting && !listed && upstream.value(name).is_none()
    };
    if let Some(name) = user_name.variables().find(unknown).filter(|_| has_password) {
        faults.push(CompileFault {
            side: UPSTREAM,
            variable: Some(name.into()),
            message: format!(
                "{} sends a password, and MQTT 3.x takes none without a user name",
                upstream.dialect.name
            ),
            remedy: format!("write `{name} = \"…\"` under [{UPSTREAM}.vars]"),
        });
    }
}

fn one_plain(side: &'static str) -> CompileFault {
    CompileFault {
        side,
        variable: None,
        message: "`plain` translates nothing, so it stands on both sides or on neither".to_owned(),
        remedy: "name the dialect of this side, or use `plain` on both".to_owned(),
    }
}

fn check_values(side: &Side, name: &'static str, faults: &mut Vec<CompileFault>) {
    for (variable, value) in &side.values {
        let fault = |message: String, remedy: String| CompileFault {
            side: name,
            variable: Some(variable.clone()),
            message,
            remedy,
        };
        let text = value.reveal();
        match side.dialect.variable(variable) {
            None => faults.push(fault(
                format!("the dialect {} has no variable `{variable}`", side.dialect.name),
                format!("it has {}", variable_list(side)),
            )),
            Some(_) if text.is_empty() || text.contains(['/', '+', '#', '\0']) => {
                faults.push(fault(
                    format!("the value of `{variable}` is empty or has a `/`, `+` or `#`"),
                    "write a value that can be one level of a topic".to_owned(),
                ))
            }
            Some(known) => {
                if let Err(error) = known.rule.check(text) {
                    faults.push(fault(
                        format!(
                            "the value of `{variable}` is not one that {} takes: {error}",
                            side.dialect.name
                        ),
                        known.about.clone(),
                    ));
                }
            }
        }
    }
    for option in &side.options {
        let known = side.dialect.options();
        if !known.contains(&&**option) {
            faults.push(CompileFault {
                side: name,
                variable: None,
                message: format!("the dialect {} has no option `{option}`", side.dialect.name),
                remedy: if known.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("it has `{}`", known.join("`, `"))
                },
            });
        }
    }
}

fn variable_list(side: &Side) -> String {
    let names: Vec<String> =
        side.dialect.variables.iter().map(|variable| format!("`{}`", variable.name)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn lane(
    (source, target): (&Side, &Side),
    sender: Sender,
    options: &PayloadOptions,
    side: &'static str,
    faults: &mut Vec<CompileFault>,
) -> Option<Lane> {
    match Lane::compile(source, target, sender, options) {
        Ok(lane) => Some(lane),
        Err(LaneFault::MissingSecret(missing)) => {
            let variable = missing.0;
            let fault = CompileFault {
                side,
                message: format!(
                    "{} has `{variable}` in its topics and no value for it",
                    source.dialect.name
                ),
                remedy: format!("write `{variable} = {{ env = \"…\" }}` under [{side}.vars]"),
                variable: Some(variable),
            };
            if !faults.contains(&fault) {
                faults.push(fault);
            }
            None
        }
        Err(LaneFault::TooLong(template)) => {
            faults.push(CompileFault {
                side,
                variable: None,
                message: format!("`{template}` has more variables or levels than a form may have"),
                remedy: "write it with 8 variables and 24 levels at most".to_owned(),
            });
            None
        }
    }
}

/// A lane on which nothing can travel is a configuration that can't be meant.
fn check_reach(lane: &Lane, side: &'static str, message: &str, faults: &mut Vec<CompileFault>) {
    if lane.routes.iter().any(|route| route.target.is_ok()) {
        return;
    }
    let missing = lane.routes.iter().find_map(|route| route.target.as_ref().err()?.missing.clone());
    let remedy = match &missing {
        Some(variable) => format!("write a value for `{variable}` under [{side}.vars]"),
        None => "these two dialects have nothing in common in this direction".to_owned(),
    };
    faults.push(CompileFault { side, variable: missing, message: message.to_owned(), remedy });
}

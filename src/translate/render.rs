//! Rendering: the program that writes a target topic from what a source form captured.

use crate::dialect::{Binding, Form, Level, NameFault, Part, Role, Secret};

use super::identity::Identity;
use super::levels::Captures;
use super::name_check::NameCheck;
use super::pattern::Pattern;
use super::reason::{Reason, Refusal};
use super::side::{Side, Value};

/// Towards which side a name goes: the identity rule has two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    Upstream,
    Device,
}

/// One step of a program.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Append this text.
    Literal(Box<str>),
    /// Append this secret of the target's own side.
    Secret(Secret),
    /// Append a name that both sides share.
    Copy { source: Source, check: Box<NameCheck>, span: Span },
    /// Append the device's name on the target's side.
    Device { source: Source, check: Box<NameCheck> },
    /// Append the channel that the payload names.
    PayloadChannel { check: Box<NameCheck>, span: Span },
}

/// Where a name comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A slot of the source form.
    Slot(usize),
    /// A text of the configuration or the table.
    Fixed(Box<str>),
}

impl Source {
    pub(super) fn text<'t>(&'t self, captures: &Captures<'t>) -> &'t str {
        match self {
            Source::Slot(slot) => captures.text(*slot),
            Source::Fixed(text) => text,
        }
    }
}

/// How many levels a name may take in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// One level.
    One,
    /// Any number of levels.
    Any,
}

/// Whose name it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Device,
    /// A channel's, a gateway's, a tenant's or a site's.
    Other,
}

/// The refusal of a name that the target doesn't take. The name itself is not repeated, since it comes from the network.
#[cold]
fn illegal(whose: Whose, fault: NameFault) -> Refusal {
    let detail = match (whose, fault) {
        (Whose::Device, NameFault::Length) => {
            "the device's name is shorter or longer than the other platform takes"
        }
        (Whose::Device, NameFault::Character) => {
            "the device's name has a character that the other platform doesn't take there"
        }
        (Whose::Device, NameFault::Reserved) => {
            "the device's name means something else on the other platform"
        }
        (Whose::Other, NameFault::Length) => {
            "a name is shorter or longer than the other platform takes"
        }
        (Whose::Other, NameFault::Character) => {
            "a name has a character that the other platform doesn't take there"
        }
        (Whose::Other, NameFault::Reserved) => "a name means something else on the other platform",
    };
    Refusal::new(Reason::IdIllegalForTarget, detail)
}

const NO_CHANNEL: Refusal = Refusal::new(
    Reason::NoChannel,
    "the other side needs a name for the value, and nothing says it",
);
const LEVELS: Refusal =
    Refusal::new(Reason::IdIllegalForTarget, "the other platform has one level for this name");
const LONG: Refusal =
    Refusal::new(Reason::IdIllegalForTarget, "the topic gets longer than 65535 bytes");

/// Appends the topic; `channel` is the one that the payload names. On an error `out` holds a part of it; the caller clears it.
pub(crate) fn render(
    ops: &[Op],
    captures: &Captures<'_>,
    identity: &Identity,
    toward: Toward,
    channel: Option<&str>,
    out: &mut String,
) -> Result<(), Refusal> {
    let start = out.len();
    for op in ops {
        match op {
            Op::Literal(text) => out.push_str(text),
            Op::Secret(secret) => out.push_str(secret.reveal()),
            Op::Copy { source, check, span } => copy(source.text(captures), check, *span, out)?,
            Op::Device { source, check } => {
                device(source.text(captures), check, identity, toward, out)?
            }
            Op::PayloadChannel { check, span } => {
                let channel = channel.filter(|channel| !channel.is_empty()).ok_or(NO_CHANNEL)?;
                if channel.contains(['+', '#', '\0']) || channel.split('/').any(str::is_empty) {
                    return Err(illegal(Whose::Other, NameFault::Character));
                }
                copy(channel, check, *span, out)?;
            }
        }
    }
    if out.len() - start > usize::from(u16::MAX) {
        return Err(LONG);
    }
    Ok(())
}

#[inline]
fn copy(name: &str, check: &NameCheck, span: Span, out: &mut String) -> Result<(), Refusal> {
    if !check.takes(name) {
        return Err(illegal(Whose::Other, check.fault(name)));
    }
    if span == Span::Any || !name.as_bytes().contains(&b'/') {
        out.push_str(name);
        return Ok(());
    }
    let Some(join) = check.join else { return Err(LEVELS) };
    out.extend(name.chars().map(|letter| if letter == '/' { join } else { letter }));
    Ok(())
}

/// Appends the device's name on the other side. `check` is one for a single level.
#[inline]
pub(crate) fn device(
    name: &str,
    check: &NameCheck,
    identity: &Identity,
    toward: Toward,
    out: &mut String,
) -> Result<(), Refusal> {
    let start = out.len();
    match toward {
        Toward::Upstream => identity.to_upstream(name, out)?,
        Toward::Device => identity.to_device(name, out)?,
    }
    let rendered = out.get(start..).unwrap_or("");
    if check.takes(rendered) {
        return Ok(());
    }
    Err(illegal(Whose::Device, check.fault(rendered)))
}

/// What a source form can give a target: its parts by where they come from.
pub(crate) struct Supply<'a> {
    /// Parts that the source form binds, in any way.
    pub(crate) parts: Vec<(Part, Source)>,
    /// The target's side.
    pub(crate) target: &'a Side,
    /// The part that a variable of the target form stands for.
    pub(crate) part_of: &'a dyn Fn(&str) -> Option<Part>,
}

/// The parts of the address that a form gives: its own bindings, its captures, then the configured values.
pub(crate) fn supplied_parts(source: &Side, form: &Form, pattern: &Pattern) -> Vec<(Part, Source)> {
    let mut parts: Vec<(Part, Source)> = Vec::new();
    for (part, binding) in &form.address {
        let bound = match binding {
            Binding::Constant(text) => Some(Source::Fixed(text.clone())),
            Binding::Variable(name) => match source.value(name) {
                Some(value) => Some(Source::Fixed(value.reveal().into())),
                None => pattern.slot(name).map(Source::Slot),
            },
        };
        parts.extend(bound.map(|bound| (*part, bound)));
    }
    for (slot, name) in pattern.variables.iter().enumerate() {
        if let Some(part) = source.dialect.part_of(form, name) {
            parts.push((part, Source::Slot(slot)));
        }
    }
    for (_, part) in Part::WORDS {
        let known = parts.iter().any(|(given, _)| *given == part);
        if let Some(value) = source.part_value(part).filter(|_| !known) {
            parts.push((part, Source::Fixed(value.reveal().into())));
        }
    }
    parts
}

/// A compiled target, before it is known whether it is the best.
pub(crate) struct Program {
    pub(crate) ops: Box<[Op]>,
    /// The parts that the topic carries.
    pub(crate) carried: Vec<Part>,
    /// The channel has to come out of the payload.
    pub(crate) needs_channel: bool,
}

/// A variable of the target that nobody gives a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) Box<str>);

/// Compiles one variant of a target form.
pub(crate) fn compile(levels: &[Level], supply: &Supply<'_>) -> Result<Program, Missing> {
    let mut ops: Vec<Op> = Vec::new();
    let mut carried = Vec::new();
    for (at, level) in levels.iter().enumerate() {
        if at > 0 {
            push_literal(&mut ops, "/");
        }
        match level {
            Level::Literal(literal) => push_literal(&mut ops, literal),
            Level::Capture { variable, prefix, suffix } => {
                push_literal(&mut ops, prefix);
                push_variable(&mut ops, variable, Span::One, supply, &mut carried)?;
                push_literal(&mut ops, suffix);
            }
            Level::Rest { variable } => {
                push_variable(&mut ops, variable, Span::Any, supply, &mut carried)?
            }
        }
    }
    let needs_channel = ops.iter().any(|op| matches!(op, Op::PayloadChannel { .. }));
    Ok(Program { ops: ops.into(), carried, needs_channel })
}

fn push_variable(
    ops: &mut Vec<Op>,
    variable: &str,
    span: Span,
    supply: &Supply<'_>,
    carried: &mut Vec<Part>,
) -> Result<(), Missing> {
    match supply.target.value(variable) {
        Some(Value::Text(text)) => {
            push_literal(ops, text);
            return Ok(());
        }
        Some(Value::Secret(secret)) => {
            ops.push(Op::Secret(secret.clone()));
            return Ok(());
        }
        None => {}
    }
    let missing = || Missing(variable.into());
    let part = (supply.part_of)(variable).ok_or_else(missing)?;
    let rule = match supply.target.dialect.variable(variable) {
        Some(known) if known.role != Role::Secret => &known.rule,
        _ => return Err(missing()),
    };
    let source =
        supply.parts.iter().find(|(given, _)| *given == part).map(|(_, source)| source.clone());
    carried.push(part);
    let levels = || Box::new(NameCheck::of_levels(rule));
    ops.push(match (part, source) {
        (Part::Device, Some(source)) => {
            Op::Device { source, check: Box::new(NameCheck::of_one_level(rule)) }
        }
        (_, Some(source)) => Op::Copy { source, check: levels(), span },
        (Part::Channel, None) => Op::PayloadChannel { check: levels(), span },
        (_, None) => return Err(missing()),
    });
    Ok(())
}

fn push_literal(ops: &mut Vec<Op>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Op::Literal(before)) = ops.last_mut() {
        *before = format!("{before}{text}").into();
    } else {
        ops.push(Op::Literal(text.into()));
    }
}

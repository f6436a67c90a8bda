//! Compiling a pair of sides, and telling its faults where they were written.

use crate::dialect::Role;
use crate::translate::{CompileFault, Identity, Side, Translator, compile};

use super::faults::{Faults, Place, Wrong};
use super::side::MeantSide;
use super::written::Origin;

/// Compiles a pair; its faults are told at the variable or at the dialect of the side that they mean.
///
/// A value that is missing is assumed once it is told, and the pair compiled again, so that one missing
/// value doesn't hide the next.
pub(super) fn compile_pair(
    device: &MeantSide,
    upstream: &MeantSide,
    identity: &Identity,
    faults: &Faults<'_>,
) -> Option<Translator> {
    let mut assumed = [assume(device), assume(upstream)];
    loop {
        let [device_side, upstream_side] = assumed.clone();
        let certain = is_given(device, &device_side) && is_given(upstream, &upstream_side);
        let found = match compile(device_side, upstream_side, identity.clone()) {
            Ok(translator) => return certain.then_some(translator),
            Err(found) => found,
        };
        let mut more = false;
        for fault in found {
            let [device_side, upstream_side] = &mut assumed;
            let (meant, side) = match fault.side {
                "listener" => (device, device_side),
                _ => (upstream, upstream_side),
            };
            let missing = fault.variable.as_deref().filter(|name| side.value(name).is_none());
            // What follows from an assumed value is no news.
            let news = match &fault.variable {
                Some(variable) => missing.is_some() || meant.side.value(variable).is_some(),
                None => {
                    certain || device.side.dialect.is_plain() != upstream.side.dialect.is_plain()
                }
            };
            if let Some(variable) = missing {
                *side = side.clone().with(variable, ASSUMED);
                more = true;
            }
            if news {
                tell(fault, meant, device, upstream, faults);
            }
        }
        if !more {
            return None;
        }
    }
}

/// Stands for a value whose absence is told.
const ASSUMED: &str = "assumed";

fn assume(side: &MeantSide) -> Side {
    let absent = side.broken.iter().filter(|name| side.side.value(name).is_none());
    absent.fold(side.side.clone(), |side, name| side.with(name, ASSUMED))
}

/// Whether nothing of a side is assumed.
fn is_given(meant: &MeantSide, assumed: &Side) -> bool {
    meant.side.values.len() == assumed.values.len()
}

fn tell(
    fault: CompileFault,
    side: &MeantSide,
    device: &MeantSide,
    upstream: &MeantSide,
    faults: &Faults<'_>,
) {
    let Some(variable) = &fault.variable else {
        let pair = format!("{} to {}", device.side.dialect.name, upstream.side.dialect.name);
        let message = format!("{pair}: {}", fault.message);
        faults.at(&side.dialect_place, Wrong::new(message, fault.remedy));
        return;
    };
    if let Some(place) = side.place_of(variable) {
        faults.at(place, Wrong::new(fault.message, fault.remedy));
        return;
    }
    let both = [device, upstream].iter().all(|side| side.side.dialect.variable(variable).is_some());
    let (place, remedy) = absent(side, variable, both);
    faults.at(&place, Wrong::new(format!("is missing: {}", fault.message), remedy));
}

/// Tells which values of a side its own dialect doesn't take: also of a side that nothing is joined with.
pub(super) fn check_values(side: &MeantSide, faults: &Faults<'_>) {
    let alone = compile(side.side.clone(), side.side.clone(), Identity::Same);
    for fault in alone.err().into_iter().flatten() {
        let value = fault.variable.as_deref().and_then(|name| side.side.value(name));
        if value.is_some() {
            tell(fault, side, side, side, faults);
        }
    }
}

/// Where a value would stand, and how it is written there.
fn absent(side: &MeantSide, variable: &str, both: bool) -> (Place, String) {
    let secret =
        side.side.dialect.variable(variable).is_some_and(|known| known.role == Role::Secret);
    match side.origin {
        Origin::File(table) => {
            let value = if secret { "{ env = \"…\" }" } else { "\"…\"" };
            let key = format!("{}.vars.{variable}", side.place.key);
            let remedy = format!("write `{variable} = {value}` under [{table}.vars]");
            (Place { line: side.place.line, key }, remedy)
        }
        Origin::CommandLine(flag) => {
            let flag = if both { flag } else { "--set" };
            (Place::flag(format!("{flag} {variable}")), format!("add `{flag} {variable}=…`"))
        }
    }
}

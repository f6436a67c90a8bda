//! Subscription filters: what the device asks for under its names, as upstream filters.
//!
//! A filter is mapped only where every topic that it can deliver maps back (the deliveries go through the
//! same routes). The upstream filter may be wider; the session then compares each delivery with what the
//! device asked for. A wildcard never reaches past the session's own device.

use crate::dialect::{Form, Level, Part, Sender, Unserved};
use crate::mqtt::topic;

use super::connect::SessionNames;
use super::identity::Identity;
use super::lane::Lane;
use super::name_check::NameCheck;
use super::own::{ELSEWHERE, OTHER, Own};
use super::reason::{Reason, Refusal};
use super::render::{self, Toward};
use super::side::Side;

/// What a device's topic filter becomes upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterPlan {
    /// The upstream filters; none when the subscription is granted and nothing can ever come.
    pub upstream: Vec<String>,
}

/// What a filter leaves of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bound {
    Fixed(String),
    Free,
}

/// The two sides and the lane of deliveries.
pub(crate) struct FilterContext<'a> {
    pub(crate) device: &'a Side,
    pub(crate) upstream: &'a Side,
    pub(crate) identity: &'a Identity,
    pub(crate) down: &'a Lane,
    pub(crate) names: &'a SessionNames,
    /// Only where the session may ask about no other device.
    pub(crate) own: Option<&'a Own>,
}

/// The variable that stands for the `#` of a form's own filter.
const OPEN_END: &str = "any";

const REFUSED: Refusal =
    Refusal::new(Reason::FilterNotMappable, "no topic towards the device matches this filter");
const WIDE: Refusal =
    Refusal::new(Reason::FilterNotMappable, "the filter reaches past the device's own topics");
const SHARED: Refusal =
    Refusal::new(Reason::FilterNotMappable, "shared subscriptions don't pass a translation");
const UNSERVED: Refusal = Refusal::new(
    Reason::FilterNotMappable,
    "the other side has nothing that this filter could deliver",
);
const NO_DEVICE: Refusal = Refusal::new(
    Reason::FilterNotMappable,
    "the wildcard stands for the session's own device, which its client identifier doesn't name",
);

/// Maps a filter of the device's names.
pub(crate) fn map(filter: &str, context: &FilterContext<'_>) -> Result<FilterPlan, Refusal> {
    if filter.starts_with("$share/") {
        return Err(SHARED);
    }
    if filter.starts_with(['#', '+', '$']) {
        return Err(WIDE);
    }
    let mut upstream: Vec<String> = Vec::new();
    let mut first_error: Option<Refusal> = None;
    let mut matched = false;
    let mut granted = false;
    for (index, form) in context.device.dialect.forms.iter().enumerate() {
        if form.from != Sender::Cloud || !form.is_written() || !context.device.has_form(form) {
            continue;
        }
        for (variant, levels) in form.template.variants().iter().enumerate() {
            let Some(bounds) = unify(filter, levels, context.device) else { continue };
            matched = true;
            granted |= form.unserved == Unserved::Grant;
            let device = DeviceForm { form, bounds: &bounds };
            if let Err(refusal) = collect(index, variant, &device, context, &mut upstream) {
                first_error.get_or_insert(refusal);
            }
        }
    }
    keep_widest(&mut upstream);
    match first_error {
        Some(refusal) if upstream.is_empty() => Err(refusal),
        _ if !upstream.is_empty() || granted => Ok(FilterPlan { upstream }),
        _ if matched => Err(UNSERVED),
        _ => Err(REFUSED),
    }
}

struct DeviceForm<'a> {
    form: &'a Form,
    bounds: &'a [(Box<str>, Bound)],
}

/// Appends the upstream filters of every route that delivers as this form of the device.
fn collect(
    form: usize,
    variant: usize,
    device: &DeviceForm<'_>,
    context: &FilterContext<'_>,
    upstream: &mut Vec<String>,
) -> Result<(), Refusal> {
    for route in &context.down.routes {
        let delivers =
            |target: &super::target::Target| target.form == form && target.variant == variant;
        if !route.target.as_ref().is_ok_and(delivers) {
            continue;
        }
        let Some(source) = context.upstream.dialect.forms.get(route.form) else { continue };
        let written = match &source.filter {
            Some(filter) => filter.variants().pop(),
            None => source.template.variants().into_iter().nth(route.variant),
        };
        let rendered = render_filter(&written.unwrap_or_default(), source, device, context)?;
        if !upstream.contains(&rendered) {
            upstream.push(rendered);
        }
    }
    Ok(())
}

fn render_filter(
    levels: &[Level],
    source: &Form,
    device: &DeviceForm<'_>,
    context: &FilterContext<'_>,
) -> Result<String, Refusal> {
    let mut out = String::new();
    for (at, level) in levels.iter().enumerate() {
        if at > 0 {
            out.push('/');
        }
        match level {
            Level::Literal(literal) => out.push_str(literal),
            Level::Capture { variable, prefix, suffix } => {
                let start = out.len();
                out.push_str(prefix);
                if push_level(variable, source, device, context, &mut out)? == Bound::Free {
                    out.truncate(start);
                    out.push('+');
                } else {
                    out.push_str(suffix);
                }
            }
            Level::Rest { variable } => {
                if push_level(variable, source, device, context, &mut out)? == Bound::Free {
                    out.push('#');
                }
            }
        }
    }
    if topic::is_valid_filter(&out) { Ok(out) } else { Err(REFUSED) }
}

/// Appends what stands for an upstream variable; `Free` means that nothing was appended.
fn push_level(
    variable: &str,
    source: &Form,
    device: &DeviceForm<'_>,
    context: &FilterContext<'_>,
    out: &mut String,
) -> Result<Bound, Refusal> {
    if variable == OPEN_END {
        return Ok(Bound::Free);
    }
    if let Some(value) = context.upstream.value(variable) {
        out.push_str(value.reveal());
        return Ok(Bound::Fixed(String::new()));
    }
    let part = context.upstream.dialect.part_of(source, variable);
    let bound = part.and_then(|part| device_bound(part, device, context));
    match (part, bound) {
        (Some(Part::Device), Some(Bound::Fixed(name)))
            if context.own.is_some_and(|own| !own.is(&name)) =>
        {
            return Err(OTHER);
        }
        (Some(Part::Device), Some(Bound::Fixed(name))) => {
            let rule = context
                .upstream
                .dialect
                .variable(variable)
                .map(|known| known.rule.clone())
                .unwrap_or_default();
            render::device(
                &name,
                &NameCheck::of_one_level(&rule),
                context.identity,
                Toward::Upstream,
                out,
            )?;
        }
        (Some(Part::Device), _) => {
            out.push_str(context.names.upstream_device.as_deref().ok_or(NO_DEVICE)?)
        }
        (Some(part), Some(Bound::Fixed(name))) => {
            let own = context.own.and_then(|own| own.place(part));
            if own.is_some_and(|own| own != name) {
                return Err(ELSEWHERE);
            }
            out.push_str(&name);
        }
        (Some(Part::Channel), _) => return Ok(Bound::Free),
        (Some(part), _) => {
            // Else a place of somebody else's.
            out.push_str(context.own.and_then(|own| own.place(part)).ok_or(WIDE)?);
        }
        // A setting that the configuration leaves open.
        (None, _) => return Err(WIDE),
    }
    Ok(Bound::Fixed(String::new()))
}

/// What the device's filter says of a part; a configured value counts as said.
fn device_bound(part: Part, device: &DeviceForm<'_>, context: &FilterContext<'_>) -> Option<Bound> {
    let dialect = &context.device.dialect;
    let said =
        device.bounds.iter().find(|(name, _)| dialect.part_of(device.form, name) == Some(part));
    let configured =
        || context.device.part_value(part).map(|value| Bound::Fixed(value.reveal().to_owned()));
    said.map(|(_, bound)| bound.clone()).or_else(configured)
}

/// What a filter leaves of each variable of a form; `None` when they have no topic in common.
fn unify(filter: &str, levels: &[Level], side: &Side) -> Option<Vec<(Box<str>, Bound)>> {
    let mut bounds = Vec::new();
    let mut wanted = filter.split('/');
    let mut open = false;
    for level in levels {
        let next = if open { Some("+") } else { wanted.next() };
        let next = match next? {
            "#" => {
                open = true;
                "+"
            }
            other => other,
        };
        match level {
            Level::Literal(literal) => (next == "+" || *next == **literal).then_some(())?,
            Level::Capture { variable, prefix, suffix } => {
                let value =
                    side.value(variable).map(|value| format!("{prefix}{}{suffix}", value.reveal()));
                match (value, next) {
                    (Some(_), "+") => {}
                    (Some(value), text) => (value == text).then_some(())?,
                    (None, "+") => bounds.push((variable.clone(), Bound::Free)),
                    (None, text) => {
                        let inside = text.strip_prefix(&**prefix)?.strip_suffix(&**suffix)?;
                        let known = side.dialect.variable(variable);
                        if inside.is_empty()
                            || known.is_some_and(|known| known.rule.is_reserved(inside))
                        {
                            return None;
                        }
                        bounds.push((variable.clone(), Bound::Fixed(inside.to_owned())));
                    }
                }
            }
            Level::Rest { variable } => {
                let rest: Vec<&str> = std::iter::once(next).chain(wanted.by_ref()).collect();
                let fixed = !open && !rest.iter().any(|level| matches!(*level, "+" | "#"));
                bounds.push((
                    variable.clone(),
                    if fixed { Bound::Fixed(rest.join("/")) } else { Bound::Free },
                ));
                return Some(bounds);
            }
        }
    }
    // `a/#` also matches `a` (MQTT 4.7.1.2).
    matches!(wanted.next(), None | Some("#")).then_some(bounds)
}

/// Drops filters that another one of the list covers.
fn keep_widest(filters: &mut Vec<String>) {
    let all = filters.clone();
    filters.retain(|filter| !all.iter().any(|other| other != filter && covers(other, filter)));
}

/// Whether every topic that matches `narrow` matches `wide`.
fn covers(wide: &str, narrow: &str) -> bool {
    let mut inner = narrow.split('/');
    for level in wide.split('/') {
        if level == "#" {
            return true;
        }
        match inner.next() {
            Some("#") | None => return false,
            Some(other) if level != "+" && level != other => return false,
            Some(_) => {}
        }
    }
    inner.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_covers_another_when_nothing_gets_past_it() {
        for (wide, narrow, verdict) in [
            ("a/#", "a/b", true),
            ("a/#", "a", true),
            ("a/#", "a/+/c", true),
            ("a/+", "a/b", true),
            ("a/+", "a/#", false),
            ("a/+", "a/b/c", false),
            ("a/b", "a/+", false),
            ("a/b", "a/b", true),
        ] {
            assert_eq!(covers(wide, narrow), verdict, "{wide} over {narrow}");
        }
    }
}

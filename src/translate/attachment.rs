//! Gateways: platforms on which a connection has to attach each device, other than its own, before it may say or
//! ask anything about it. Only where the upstream's option asks for it (OmniCore's `attach`).

use crate::dialect::{Form, Kind, Level, Part, Sender};
use crate::payload::json::{self, RawString};

use super::lane::Lane;
use super::levels::Levels;
use super::name_check::NameCheck;
use super::render::{self, Toward};
use super::side::Side;
use super::translator::{Inner, Translator};

/// What a gateway hears about one of its devices. The device's name is the upstream's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayError {
    /// The device.
    pub device: String,
    /// What is wrong.
    pub verdict: Verdict,
}

/// What an error of a gateway means for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It isn't attached, though it was.
    Lost,
    /// It can't be attached.
    Refused,
}

/// What is sent to attach a device that the platform trusts the gateway with.
pub const ATTACH_PAYLOAD: &[u8] = b"{}";

impl Translator {
    /// Whether sessions attach the devices that they speak for.
    #[must_use]
    pub fn attaches(&self) -> bool {
        matches!(&self.0, Inner::Pair(pair) if attach_form(&pair.upstream).is_some())
    }

    /// Appends the upstream's name of the device that a topic of the device's side is about. `false`: of none, or
    /// of one that has no name there.
    #[must_use]
    pub fn speaks_for(&self, topic_name: &str, out: &mut String) -> bool {
        let Inner::Pair(pair) = &self.0 else { return false };
        let Some(name) = device_in(&pair.up, topic_name) else { return false };
        let check = device_check(&pair.upstream);
        render::device(name, &check, &pair.identity, Toward::Upstream, out).is_ok()
    }

    /// The device that an upstream filter is about, if it is about one.
    #[must_use]
    pub fn asks_about<'t>(&'t self, upstream_filter: &'t str) -> Option<&'t str> {
        let Inner::Pair(pair) = &self.0 else { return None };
        device_in(&pair.down, upstream_filter).filter(|name| !name.contains(['+', '#']))
    }

    /// The topic on which a device is attached.
    #[must_use]
    pub fn attach_topic(&self, device: &str) -> Option<String> {
        let Inner::Pair(pair) = &self.0 else { return None };
        topic_of(attach_form(&pair.upstream)?, device, &pair.upstream)
    }

    /// The topic on which a gateway hears about its devices.
    #[must_use]
    pub fn errors_topic(&self, gateway: &str) -> Option<String> {
        let Inner::Pair(pair) = &self.0 else { return None };
        let mut forms = pair.upstream.dialect.forms.iter();
        let form = forms.find(|form| form.kind == Kind::Error && form.from == Sender::Cloud)?;
        topic_of(form, gateway, &pair.upstream)
    }
}

/// Reads what came on [`Translator::errors_topic`]. `None`: it is about no device.
#[must_use]
pub fn gateway_error(payload: &[u8]) -> Option<GatewayError> {
    let text = |name| json::member(payload, name).ok().flatten().and_then(RawString::of)?.plain();
    let (device, word) = (text("device_id")?.to_owned(), text("error_type")?);
    let verdict = match word {
        "GATEWAY_DEVICE_NOT_FOUND" => Verdict::Lost,
        _ => Verdict::Refused,
    };
    Some(GatewayError { device, verdict })
}

/// The form that an option switches on: without it, attaching is the device's own affair.
fn attach_form(upstream: &Side) -> Option<&Form> {
    let mut forms = upstream.dialect.forms.iter();
    forms.find(|form| {
        form.kind == Kind::Attach
            && form.from == Sender::Device
            && form.is_written()
            && form.option.is_some()
            && upstream.has_form(form)
    })
}

/// The name of the device in a topic, by the first form that has a counterpart.
fn device_in<'t>(lane: &'t Lane, topic: &'t str) -> Option<&'t str> {
    let levels = Levels::split(topic);
    let translated = lane.routes.iter().filter(|route| route.target.is_ok());
    let mut routes = translated.filter(|route| route.pattern.takes(levels.count));
    let (route, captures) =
        routes.find_map(|route| Some((route, route.pattern.captures(&levels)?)))?;
    let (_, source) = route.parts.iter().find(|(part, _)| *part == Part::Device)?;
    Some(source.text(&captures))
}

fn device_check(upstream: &Side) -> NameCheck {
    let mut variables = upstream.dialect.variables.iter();
    let device =
        variables.find(|variable| variable.role == crate::dialect::Role::Part(Part::Device));
    NameCheck::of_one_level(&device.map(|variable| variable.rule.clone()).unwrap_or_default())
}

/// A topic in which everything but the device is configured.
fn topic_of(form: &Form, device: &str, side: &Side) -> Option<String> {
    let levels = form.template.variants().into_iter().next()?;
    let level = |level: &Level| match level {
        Level::Literal(literal) => Some(literal.to_string()),
        Level::Capture { variable, prefix, suffix } => {
            let is_device = side.dialect.part_of(form, variable) == Some(Part::Device);
            let value = side.value(variable).map(|value| value.reveal());
            let name = if is_device { Some(device) } else { value };
            Some(format!("{prefix}{}{suffix}", name?))
        }
        Level::Rest { .. } => None,
    };
    Some(levels.iter().map(level).collect::<Option<Vec<_>>>()?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_device_and_what_is_wrong() {
        let error = |text: &str| gateway_error(text.as_bytes());
        let of = |device: &str, verdict| Some(GatewayError { device: device.into(), verdict });
        for (payload, expected) in [
            (
                r#"{"error_type":"GATEWAY_ATTACHMENT_ERROR","device_id":"d7"}"#,
                of("d7", Verdict::Refused),
            ),
            (
                r#"{"device_id":"d7","error_type":"GATEWAY_DEVICE_NOT_FOUND","x":{}}"#,
                of("d7", Verdict::Lost),
            ),
            (r#"{"error_type":"GATEWAY_ATTACHMENT_ERROR"}"#, None),
            (r#"{"device_id":"d7"}"#, None),
            (r#"{"device_id":7,"error_type":"X"}"#, None),
            ("not JSON", None),
            ("", None),
        ] {
            assert_eq!(error(payload), expected, "{payload}");
        }
    }
}

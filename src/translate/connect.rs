//! CONNECT: who the device says it is, in its dialect's texts, and what the upstream is told instead.

use crate::dialect::{NameRule, Part, Role, Secret, TextTemplate, Token, Wanted};

use super::identity::Identity;
use super::name_check::NameCheck;
use super::reason::{Reason, Refusal};
use super::render::{Toward, device as render_device};
use super::side::{Side, Value};

/// The names of the session's own device. `None` where its client identifier doesn't say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionNames {
    /// In the device's dialect.
    pub device: Option<Box<str>>,
    /// In the upstream's dialect.
    pub upstream_device: Option<Box<str>>,
}

/// What a device says of itself: with its CONNECT, and with its certificate.
#[derive(Clone, Copy, Default)]
pub struct Shown<'s> {
    /// Client identifier; may be empty.
    pub client_identifier: &'s str,
    /// User name.
    pub user_name: Option<&'s str>,
    /// Password.
    pub password: Option<&'s [u8]>,
    /// The common name of the certificate that TLS has verified, empty where it doesn't have exactly one; `None` where no
    /// certificate was shown.
    pub certificate: Option<&'s str>,
}

/// A part of the address that is the same for the whole session, since the device's own CONNECT or certificate says it.
pub(crate) type Place = (Part, Box<str>);

/// The texts of the upstream's CONNECT.
#[derive(Debug, Clone)]
pub struct ConnectPlan {
    /// Client identifier; empty when the device's was empty.
    pub client_identifier: String,
    /// User name.
    pub user_name: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// User properties of each message towards the upstream, in MQTT 5: names and values.
    pub message_properties: Vec<(Box<str>, Secret)>,
    /// The session's own names.
    pub names: SessionNames,
    /// Which tenant, site and gateway it is of, as far as it says so itself.
    pub(crate) places: Vec<Place>,
}

/// Why a CONNECT is refused: which of its texts, and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// The client identifier.
    ClientIdentifier(Refusal),
    /// User name or password.
    Credentials(Refusal),
    /// The certificate, or what it and the client identifier say together.
    Certificate(Refusal),
}

impl ConnectRefusal {
    /// The reason, whichever text it is.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        match self {
            Self::ClientIdentifier(refusal)
            | Self::Credentials(refusal)
            | Self::Certificate(refusal) => refusal,
        }
    }
}

const FOREIGN_ID: Refusal =
    Refusal::new(Reason::UnknownDevice, "the client identifier doesn't have the dialect's form");
const SECRET_ID: Refusal =
    Refusal::new(Reason::CredentialTopic, "the client identifier holds a secret");
const LONG_ID: Refusal =
    Refusal::new(Reason::IdIllegalForTarget, "the upstream's client identifier gets too long");
const NO_ID: Refusal = Refusal::new(
    Reason::UnknownDevice,
    "the upstream's client identifier needs a name that nobody gives",
);
const CREDENTIALS: Refusal =
    Refusal::new(Reason::BadTopic, "user name or password isn't the configured one");

const FOREIGN_CERTIFICATE: Refusal = Refusal::new(
    Reason::UnknownDevice,
    "the certificate's common name doesn't have the dialect's form",
);
const CONTRADICTION: Refusal = Refusal::new(
    Reason::AccessDenied,
    "the client identifier says something else than the certificate",
);

/// What is known of the device after its CONNECT: variable and value.
type Known<'a> = Vec<(&'a str, &'a str)>;

/// Translates the texts of a CONNECT.
pub(crate) fn connect(
    device: &Side,
    upstream: &Side,
    identity: &Identity,
    shown: &Shown<'_>,
) -> Result<ConnectPlan, ConnectRefusal> {
    let Shown { client_identifier, user_name, password, certificate } = *shown;
    if holds_secret(device, client_identifier) {
        return Err(ConnectRefusal::ClientIdentifier(SECRET_ID));
    }
    let certified = certified_of(device, certificate).map_err(ConnectRefusal::Certificate)?;
    let known = known_of(device, client_identifier, certified)?;
    check_credentials(device, &known, user_name, password).map_err(ConnectRefusal::Credentials)?;
    let names =
        names_of(device, upstream, identity, &known).map_err(ConnectRefusal::ClientIdentifier)?;
    let places = places_of(device, &known);
    let values = Values { device, upstream, identity, known: &known, names: &names };
    let client_identifier = if client_identifier.is_empty() {
        String::new()
    } else {
        values.client_identifier().map_err(ConnectRefusal::ClientIdentifier)?
    };
    let rules = &upstream.dialect.connect;
    let user_name = rules.user_name.as_ref().and_then(|template| values.render(template));
    let password =
        rules.password.as_ref().and_then(|template| values.render(template)).map(Secret::new);
    let properties = rules.message_properties.iter();
    let message_properties = properties
        .filter_map(|(name, template)| Some((name.clone(), Secret::new(values.render(template)?))))
        .collect();
    Ok(ConnectPlan { client_identifier, user_name, password, message_properties, names, places })
}

/// Its parts go to the other side, where no secret of this side may be seen.
fn holds_secret(device: &Side, client_identifier: &str) -> bool {
    let mut secrets = device.values.iter().filter(|(_, value)| matches!(value, Value::Secret(_)));
    secrets.any(|(_, secret)| client_identifier.contains(secret.reveal()))
}

/// Takes the client identifier apart, where what the certificate says stands already. An empty one says nothing.
fn known_of<'a>(
    device: &'a Side,
    client_identifier: &'a str,
    certified: Known<'a>,
) -> Result<Known<'a>, ConnectRefusal> {
    let Some(template) = &device.dialect.connect.client_identifier else { return Ok(certified) };
    if client_identifier.is_empty() {
        return Ok(certified);
    }
    let foreign = ConnectRefusal::ClientIdentifier(FOREIGN_ID);
    let configured = |name: &str| device.value(name).map(Value::reveal);
    let said = template.match_text(client_identifier, &configured).ok_or(foreign)?;
    let fixed = |name: &str| configured(name).or_else(|| stands(device, &certified, name));
    let said = match certified.is_empty() {
        true => said,
        false => template
            .match_text(client_identifier, &fixed)
            .ok_or(ConnectRefusal::Certificate(CONTRADICTION))?,
    };
    if said.iter().any(|(_, value)| value.contains(['+', '#', '\0'])) {
        return Err(foreign);
    }
    let news = said.into_iter().filter(|(name, _)| stands(device, &certified, name).is_none());
    let news: Known<'a> = news.collect();
    Ok(certified.into_iter().chain(news).collect())
}

/// What the certificate says of a variable, or of the part that it stands for, whatever that is called there.
fn stands<'a>(device: &Side, certified: &Known<'a>, name: &str) -> Option<&'a str> {
    let part = |name: &str| match role(device, name)? {
        Role::Part(part) => Some(part),
        Role::Setting | Role::Secret => None,
    };
    let wanted = part(name);
    let same = |other: &str| other == name || wanted.is_some() && part(other) == wanted;
    certified.iter().find(|(other, _)| same(other)).map(|(_, value)| *value)
}

/// Takes the certificate's name apart. What isn't shown says nothing. Each name is one that the dialect takes: where a name
/// ends may hang on it.
fn certified_of<'a>(device: &'a Side, certificate: Option<&'a str>) -> Result<Known<'a>, Refusal> {
    let (Some(template), Some(given)) = (&device.dialect.connect.certificate, certificate) else {
        return Ok(Vec::new());
    };
    let fixed = |name: &str| device.value(name).map(Value::reveal);
    let legal = |name: &str, value: &str| {
        let rule = device.dialect.variable(name).map(|variable| &variable.rule);
        let is_level = !value.contains(['/', '+', '#', '\0']);
        is_level && rule.is_none_or(|rule| rule.check(value).is_ok())
    };
    let wanted = Wanted { fixed: &fixed, legal: &legal };
    template.match_names(given, &wanted).ok_or(FOREIGN_CERTIFICATE)
}

/// The parts that the device itself says, but for its own name and what hangs on the message.
fn places_of(device: &Side, known: &Known<'_>) -> Vec<Place> {
    let place = |(name, value): &(&str, &str)| match role(device, name)? {
        Role::Part(part @ (Part::Tenant | Part::Site | Part::Gateway)) => {
            Some((part, (*value).into()))
        }
        _ => None,
    };
    known.iter().filter(|(name, _)| device.value(name).is_none()).filter_map(place).collect()
}

/// Credentials that the device gives have to be the configured ones. One that gives none is let through:
/// topics carry the secret where a dialect has one, and `[listener]` authentication is a matter of its own.
fn check_credentials(
    device: &Side,
    known: &Known<'_>,
    user_name: Option<&str>,
    password: Option<&[u8]>,
) -> Result<(), Refusal> {
    let rules = &device.dialect.connect;
    if let (Some(template), Some(given)) = (&rules.user_name, user_name) {
        let said = |name: &str| {
            known.iter().find(|(variable, _)| *variable == name).map(|(_, value)| *value)
        };
        let fixed = |name: &str| device.value(name).map(Value::reveal).or_else(|| said(name));
        let constrained = template.variables().any(|name| fixed(name).is_some());
        if constrained && template.match_text(given, &fixed).is_none() {
            return Err(CREDENTIALS);
        }
    }
    if let (Some(template), Some(given)) = (&rules.password, password)
        && let [Token::Variable(name)] = &template.variants()[0][..]
        && let Some(Value::Secret(secret)) = device.value(name)
        && !secret.is(given)
    {
        return Err(CREDENTIALS);
    }
    Ok(())
}

fn names_of(
    device: &Side,
    upstream: &Side,
    identity: &Identity,
    known: &Known<'_>,
) -> Result<SessionNames, Refusal> {
    let said = known.iter().find(|(name, _)| role(device, name) == Some(Role::Part(Part::Device)));
    let configured = || device.part_value(Part::Device).map(Value::reveal);
    let Some(own) = said.map(|(_, value)| *value).or_else(configured) else {
        return Ok(SessionNames::default());
    };
    let mut there = String::new();
    let check = NameCheck::of_one_level(&rule_of(upstream, Part::Device));
    render_device(own, &check, identity, Toward::Upstream, &mut there)?;
    Ok(SessionNames { device: Some(own.into()), upstream_device: Some(there.into()) })
}

fn role(side: &Side, name: &str) -> Option<Role> {
    side.dialect.variable(name).map(|variable| variable.role)
}

fn rule_of(side: &Side, part: Part) -> NameRule {
    let variable = side.dialect.variables.iter().find(|variable| variable.role == Role::Part(part));
    variable.map(|variable| variable.rule.clone()).unwrap_or_default()
}

/// Where the upstream's texts get their values from.
struct Values<'a> {
    device: &'a Side,
    upstream: &'a Side,
    identity: &'a Identity,
    known: &'a Known<'a>,
    names: &'a SessionNames,
}

impl Values<'_> {
    fn client_identifier(&self) -> Result<String, Refusal> {
        let rules = &self.upstream.dialect.connect;
        let Some(template) = &rules.client_identifier else { return Ok(String::new()) };
        let rendered = self.render(template).ok_or(NO_ID)?;
        let most = rules.client_identifier_bytes_max.unwrap_or(usize::from(u16::MAX));
        if rendered.len() > most { Err(LONG_ID) } else { Ok(rendered) }
    }

    /// The template with its optional part where all of it is known, without it otherwise.
    fn render(&self, template: &TextTemplate) -> Option<String> {
        let [short, long] = template.variants();
        self.render_tokens(&long).or_else(|| self.render_tokens(&short))
    }

    fn render_tokens(&self, tokens: &[Token]) -> Option<String> {
        let mut out = String::new();
        for token in tokens {
            match token {
                Token::Literal(text) => out.push_str(text),
                Token::Variable(name) => out.push_str(self.value(name)?),
            }
        }
        Some(out)
    }

    /// The configured value, the identity table's, or the same part of the device's side.
    fn value(&self, name: &str) -> Option<&str> {
        if let Some(value) = self.upstream.value(name) {
            return Some(value.reveal());
        }
        let own = self.names.device.as_deref();
        if let Some(value) = own.and_then(|device| self.identity.device_value(device, name)) {
            return Some(value);
        }
        let Some(Role::Part(part)) = role(self.upstream, name) else { return None };
        if part == Part::Device {
            return self.names.upstream_device.as_deref();
        }
        let said = self
            .known
            .iter()
            .find(|(variable, _)| role(self.device, variable) == Some(Role::Part(part)));
        said.map(|(_, value)| *value).or_else(|| self.device.part_value(part).map(Value::reveal))
    }
}

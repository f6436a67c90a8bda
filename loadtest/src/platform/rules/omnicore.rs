//! OmniCore's rules for connections, subscriptions and what is sent to devices.
//!
//! Sources, all docs.iotcore.omnicore.korewireless.com: (publish) message/publishing-over-mqtt-bridge; (gateways)
//! gateway/using-gateways-with-mqtt-bridge; (requirements) resources/requirements; (quotas)
//! resources/quotas-and-limits; (config) manage/configuring-devices; (commands) manage/sending-commands-to-devices.
//! "Ancestor" is cloud.google.com/iot/docs (retired), of which those pages are a port; its rules are kept where
//! OmniCore's pages say nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use interlingua::mqtt::{Connect, Qos, ReasonCode, Subscription, Version};

use super::bucket::Bucket;
use super::omnicore_token::{Expected, Key, check, read_key};
use super::{Admission, Denial, Grant, Lasting, Member, Moment, Order, Role, Verb, password};
use crate::platform::finding::{Fault, Note, Rule};
use crate::platform::message::Message;
use crate::platform::settings::{Known, Settings, known};
use crate::platform::users::Users;

/// (requirements)
pub(super) const VERSIONS: &[Version] = &[Version::V311];
/// Bytes of telemetry (quotas); of a command (ancestor).
pub(super) const EVENT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of state and of a configuration (quotas).
pub(super) const STATE_BYTES_MAX: usize = 64 * 1024;
/// Public keys of a device (quotas).
const KEYS_MAX: usize = 3;

const SETTINGS: &[Known] = &[
    known("subscription", None),
    known("registry", None),
    known("key", None),
    known("audience", None),
    known("skew", Some("600")),
    known("gateways", Some("")),
    known("gateway-auth", Some("association-only")),
    known("idle", Some("1200")),
];

/// How a gateway's devices prove that they may be attached (gateways).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GatewayAuth {
    AssociationOnly,
    TokenOnly,
    Both,
}

const GATEWAY_AUTH: [(&str, GatewayAuth); 3] = [
    ("association-only", GatewayAuth::AssociationOnly),
    ("device-auth-token-only", GatewayAuth::TokenOnly),
    ("association-and-device-auth-token", GatewayAuth::Both),
];

/// A device of the registry.
#[derive(Debug, Default)]
pub(super) struct Registered {
    keys: Vec<Key>,
    is_gateway: bool,
    /// Gateways that it is bound to.
    pub(super) gateways: Vec<String>,
}

#[derive(Debug)]
pub(in crate::platform) struct Omnicore {
    subscription: String,
    pub(super) registry: String,
    registry_keys: Vec<Key>,
    audience: String,
    skew: u64,
    /// Without a list of devices every device is known.
    pub(super) open: bool,
    pub(super) devices: BTreeMap<String, Registered>,
    pub(super) gateway_auth: GatewayAuth,
    idle: Duration,
    configs: HashMap<String, Vec<u8>>,
    config_sent: HashMap<String, Instant>,
    commands: Bucket,
    pub(super) events: Bucket,
    pub(super) states: HashMap<String, Instant>,
}

impl Omnicore {
    pub(super) fn new(set: &[String], users: &Users) -> anyhow::Result<Self> {
        let settings = Settings::read(set, SETTINGS)?;
        let subscription = settings.required("subscription")?;
        let audience = settings.text("audience").unwrap_or(&subscription).to_owned();
        let mut devices = registered(users)?;
        let is_open = devices.is_empty();
        for gateway in settings.list("gateways") {
            devices.entry(gateway).or_default().is_gateway = true;
        }
        let key = settings.text("key").map(|key| read_key(key.as_ref())).transpose()?;
        let registry_keys: Vec<Key> = key.into_iter().collect();
        if registry_keys.is_empty() && devices.values().all(|device| device.keys.is_empty()) {
            anyhow::bail!(
                "--set key=PUBLIC.pem or --users FILE with keys is needed to check tokens"
            );
        }
        Ok(Self {
            subscription,
            registry: settings.required("registry")?,
            registry_keys,
            audience,
            skew: settings.number("skew")?,
            open: is_open,
            devices,
            gateway_auth: settings.word("gateway-auth", &GATEWAY_AUTH)?,
            idle: Duration::from_secs(settings.number("idle")?),
            configs: HashMap::new(),
            config_sent: HashMap::new(),
            // Towards devices: 100 per second, burst 100 (quotas).
            commands: Bucket::new(100.0, 100.0),
            // From devices: 60,000 per minute and tenant by default (quotas).
            events: Bucket::new(1000.0, 60_000.0),
            states: HashMap::new(),
        })
    }

    /// Version, client identifier, token. The user name is ignored (jwt).
    pub(super) fn admit(&mut self, connect: &Connect<'_>, now: Moment) -> Result<Admission, Fault> {
        let device = self.device(connect.client_identifier).map_err(|detail| {
            Fault::new(Rule::ClientIdentifier, ReasonCode::ClientIdentifierNotValid, detail)
        })?;
        if !self.open && !self.devices.contains_key(device) {
            let code = ReasonCode::BadUserNameOrPassword;
            return Err(Fault::new(Rule::DeviceUnknown, code, "it isn't in the registry"));
        }
        let expires = self.check_token(device, password(connect), now)?;
        let is_gateway = self.devices.get(device).is_some_and(|device| device.is_gateway);
        let role = match is_gateway {
            true => Role::Gateway { attached: BTreeSet::new() },
            false => Role::Device,
        };
        // Neither is supported (requirements); what becomes of a CONNECT that asks for one isn't said.
        let will = connect.will.map(|_| Note::new(Rule::Will, "there are no wills"));
        let session = (!connect.clean_start)
            .then(|| Note::new(Rule::Session, "there are no persistent sessions"));
        Ok(Admission {
            member: Member { device: device.to_owned(), role, expires: Some(expires) },
            notes: will.into_iter().chain(session).collect(),
            lasting: Lasting::Ignored,
            idle_max: Some(self.idle),
        })
    }

    /// A token of a device: its own keys, and the registry's.
    pub(super) fn check_token(
        &self,
        device: &str,
        token: &[u8],
        now: Moment,
    ) -> Result<u64, Fault> {
        let own = self.devices.get(device).map_or(&[][..], |device| &device.keys);
        let expected = Expected { audience: &self.audience, skew: self.skew, now: now.unix };
        check(token, own.iter().chain(&self.registry_keys), expected)
    }

    /// The device in `subscriptions/…/registries/…/devices/…`.
    fn device<'c>(&self, client_identifier: &'c str) -> Result<&'c str, String> {
        let wanted =
            format!("subscriptions/{}/registries/{}/devices/", self.subscription, self.registry);
        let Some(device) = client_identifier.strip_prefix(&wanted) else {
            return Err(format!("it has to be {wanted}DEVICE"));
        };
        match is_identifier(device) {
            true => Ok(device),
            false => Err(format!("{device:?} can't be a device identifier")),
        }
    }

    pub(super) fn subscribe(
        &mut self,
        member: &Member,
        wish: &Subscription<'_>,
    ) -> Result<Grant, Denial> {
        // QoS 2 is granted as 1 (publish).
        let mut grant = Grant { qos: wish.qos.min(Qos::AtLeastOnce), ..Grant::of(wish) };
        let levels: Vec<&str> = wish.topic_filter.split('/').collect();
        let ["", registry, rest @ ..] = &*levels else {
            return Err(denied("a filter begins with /REGISTRY/DEVICE/"));
        };
        // There are broadcasts, but their topic isn't printed whole (commands): left open.
        let is_broadcast = rest.contains(&"broadcast");
        if is_broadcast && *registry == self.registry {
            return Ok(grant);
        }
        match rest {
            [_, ..] if *registry != self.registry => return Err(denied("another registry")),
            ["+" | "#", ..] => return Err(denied("no wildcard can stand for devices")),
            [device, "config"] => {
                self.speaks_for(member, device, "SUBSCRIBE", wish.topic_filter)?;
                // The latest one comes right behind the SUBACK (config).
                let config = self.configs.get(*device);
                let message = |config: &Vec<u8>| {
                    Message::new(wish.topic_filter.to_owned(), config.clone(), Qos::AtLeastOnce)
                };
                grant.messages.extend(config.map(message));
            }
            // Ancestor: the only filter for commands.
            [device, "commands", "#"] => {
                self.speaks_for(member, device, "SUBSCRIBE", wish.topic_filter)?;
                grant.target = Some((*device).to_owned());
            }
            [device, "errors"] => match &member.role {
                Role::Gateway { attached }
                    if *device == member.device || attached.contains(*device) => {}
                _ => return Err(denied("errors are for gateways")),
            },
            _ => return Err(denied("there are …/config, …/commands/# and …/errors")),
        }
        Ok(grant)
    }

    pub(super) fn order(&mut self, order: &Order, now: Moment) -> Result<Message, Fault> {
        let (device, subfolder) = match order.target.split_once('/') {
            Some((device, subfolder)) => (device, Some(subfolder)),
            None => (&*order.target, None),
        };
        let payload = order.text.as_bytes();
        let too_large = |most| {
            let detail = format!("{} bytes, {most} are the most", payload.len());
            Fault::new(Rule::PayloadSize, ReasonCode::PacketTooLarge, detail)
        };
        let too_often = |rule| Fault::new(rule, ReasonCode::MessageRateTooHigh, "too often");
        let topic = match order.verb {
            Verb::Command if payload.len() > EVENT_BYTES_MAX => {
                return Err(too_large(EVENT_BYTES_MAX));
            }
            Verb::Config if payload.len() > STATE_BYTES_MAX => {
                return Err(too_large(STATE_BYTES_MAX));
            }
            Verb::Command if !self.commands.take(now.at) => {
                return Err(too_often(Rule::CommandRate));
            }
            Verb::Command => {
                let subfolder = subfolder.map_or_else(String::new, |name| format!("/{name}"));
                format!("/{}/{device}/commands{subfolder}", self.registry)
            }
            Verb::Config => {
                // One update per second and device (config).
                let last = self.config_sent.get(device);
                if last.is_some_and(|last| now.at.duration_since(*last) < Duration::from_secs(1)) {
                    return Err(too_often(Rule::ConfigRate));
                }
                self.config_sent.insert(device.to_owned(), now.at);
                self.configs.insert(device.to_owned(), payload.to_vec());
                format!("/{}/{device}/config", self.registry)
            }
        };
        Ok(Message::new(topic, payload, Qos::AtLeastOnce))
    }
}

/// The devices of the file, with their keys.
fn registered(users: &Users) -> anyhow::Result<BTreeMap<String, Registered>> {
    let mut devices = BTreeMap::new();
    for user in users.iter() {
        let count = user.keys.len();
        if count > KEYS_MAX {
            anyhow::bail!("{:?} has {count} keys, {KEYS_MAX} are the most", user.name);
        }
        let keys = user.keys.iter().map(|key| read_key(key)).collect::<Result<_, _>>()?;
        let (is_gateway, gateways) = (user.gateway, user.gateways.clone());
        devices.insert(user.name.clone(), Registered { keys, is_gateway, gateways });
    }
    Ok(devices)
}

/// A subscription to something that there isn't.
fn denied(detail: &str) -> Denial {
    Fault::new(Rule::TopicFilter, ReasonCode::TopicFilterInvalid, detail).into()
}

/// Ancestor: a letter, then letters, digits and `-._+~%`; 3 to 255 bytes; not `goog…`. OmniCore says only: up to 256
/// bytes (quotas).
pub(super) fn is_identifier(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+~%".contains(&byte);
    (3..=255).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(legal)
        && !text.starts_with("goog")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_begin_with_a_letter() {
        for text in ["d1085266243", "a-b", "A._+~%"] {
            assert!(is_identifier(text), "{text}");
        }
        let long = "d".repeat(256);
        for text in ["1085266243", "ab", "", "a/b", "a b", "google1", "däb", &*long] {
            assert!(!is_identifier(text), "{text}");
        }
    }
}

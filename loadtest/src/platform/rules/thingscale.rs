//! ThingScale's rules.
//!
//! Sources: (using-mqtt) dev.thingscale.io/device-connector/using-mqtt.html and its older copy on
//! sensinics.atlassian.net/wiki (pages/491639); (publish) dev.thingscale.io/publish-service.html.

use interlingua::mqtt::{Connect, Publish, Qos, ReasonCode, Subscription, Version};
use serde::de::IgnoredAny;

use super::{Admission, Denial, Grant, Lasting, Member, Order, Role, Verb, password};
use crate::platform::finding::{Fate, Fault, Note, Rule, Verdict};
use crate::platform::message::Message;
use crate::platform::settings::{Known, Settings, known};

/// (using-mqtt)
pub(super) const VERSIONS: &[Version] = &[Version::V31, Version::V311];
/// Characters of a client identifier (using-mqtt).
const CLIENT_IDENTIFIER_MAX: usize = 23;
/// `U******` (using-mqtt).
const ACCOUNT_LENGTH: usize = 7;

const SETTINGS: &[Known] = &[known("token", None), known("account", None)];

#[derive(Debug)]
pub(in crate::platform) struct ThingScale {
    token: String,
    account: Option<String>,
}

/// Whether a topic may be published to, and what it is. Any device may stand there: a publish under a new identifier
/// creates it (using-mqtt).
enum Reading {
    Json,
    Binary,
    /// Within the account; the documents say nothing of it.
    Other,
    /// Not the account's.
    Foreign,
}

impl ThingScale {
    pub(super) fn new(set: &[String]) -> anyhow::Result<Self> {
        let settings = Settings::read(set, SETTINGS)?;
        let account = settings.text("account").map(str::to_owned);
        Ok(Self { token: settings.required("token")?, account })
    }

    /// Version, client identifier, user name, token. Wills and durable sessions are there (using-mqtt).
    pub(super) fn admit(&mut self, connect: &Connect<'_>) -> Result<Admission, Fault> {
        let identifier = connect.client_identifier;
        let length = identifier.chars().count();
        if !(1..=CLIENT_IDENTIFIER_MAX).contains(&length) {
            let detail = format!("{length} characters; 1 to {CLIENT_IDENTIFIER_MAX} are allowed");
            let code = ReasonCode::ClientIdentifierNotValid;
            return Err(Fault::new(Rule::ClientIdentifier, code, detail));
        }
        // What a wrong one gets isn't said: MQTT's own answer.
        let code = ReasonCode::BadUserNameOrPassword;
        let user_name = connect.user_name.unwrap_or_default();
        let is_account = match &self.account {
            Some(account) => account == user_name,
            None => user_name.starts_with('U') && user_name.chars().count() == ACCOUNT_LENGTH,
        };
        if !is_account {
            let detail = "the ThingScale ID is expected: U and six characters, or --set account";
            return Err(Fault::new(Rule::UserName, code, detail));
        }
        if password(connect) != self.token.as_bytes() {
            return Err(Fault::new(Rule::Password, code, "the DEVICE_TOKEN is expected"));
        }
        // Only recommended (using-mqtt): two connections with one identifier end each other.
        let nonce = (!identifier.contains('_'))
            .then(|| Note::new(Rule::ClientIdentifierNonce, "DEVICE_ID_RANDOM is recommended"));
        let device = identifier.rsplit_once('_').map_or(identifier, |(device, _)| device);
        Ok(Admission {
            member: Member { device: device.to_owned(), role: Role::Device, expires: None },
            notes: nonce.into_iter().collect(),
            lasting: Lasting::Kept,
            idle_max: None,
        })
    }

    pub(super) fn publish(&mut self, publish: &Publish<'_>) -> Verdict {
        // What is refused is acknowledged: nothing reports it to the publisher (using-mqtt).
        let dropped = |form, rule, code, detail: &str| {
            Verdict::new(form, Fate::Drop(Fault::new(rule, code, detail)))
        };
        match self.read(publish.topic_name) {
            Reading::Foreign => {
                let detail = "the first level has to be the token";
                dropped("foreign", Rule::TopicToken, ReasonCode::NotAuthorized, detail)
            }
            Reading::Json => match is_json_payload(publish.payload) {
                true => Verdict::new("json", Fate::Pass),
                false => {
                    let detail = "it isn't JSON";
                    let code = ReasonCode::PayloadFormatInvalid;
                    dropped("json", Rule::Payload, code, detail)
                }
            },
            Reading::Binary => Verdict::new("binary", Fate::Pass),
            // For example another device's `subscribe`: left open.
            Reading::Other => Verdict::new("other", Fate::Pass)
                .with_note(Some(Note::new(Rule::Topic, "not a topic of the documents"))),
        }
    }

    /// Only inside `{token}/#` (using-mqtt).
    pub(super) fn subscribe(&mut self, wish: &Subscription<'_>) -> Result<Grant, Denial> {
        let mut levels = wish.topic_filter.split('/');
        if levels.next() != Some(&*self.token) || levels.clone().next().is_none() {
            let detail = "a filter has to begin with the token and a slash";
            let code = ReasonCode::NotAuthorized;
            return Err(Fault::new(Rule::TopicToken, code, detail).into());
        }
        let mut grant = Grant::of(wish);
        if let (Some(device), Some("subscribe"), None) =
            (levels.next(), levels.next(), levels.next())
        {
            let is_one = !matches!(device, "+" | "#");
            grant.target = is_one.then(|| device.to_owned());
        }
        Ok(grant)
    }

    /// Exactly the text of the Publish request, QoS 0 or 1 (publish).
    pub(super) fn order(&mut self, order: &Order) -> Result<Message, Fault> {
        if order.verb == Verb::Config {
            let code = ReasonCode::TopicNameInvalid;
            return Err(Fault::new(Rule::Topic, code, "there are no configurations"));
        }
        let topic = format!("{}/{}/subscribe", self.token, order.target);
        Ok(Message::new(topic, order.text.as_bytes(), Qos::AtLeastOnce))
    }

    /// The first level is a password, and a wrong one may be somebody else's.
    pub(super) fn masked(&self, topic: &str) -> String {
        match topic.split_once('/') {
            Some((token, rest)) if token == self.token => format!("{{token}}/{rest}"),
            Some((_, rest)) => format!("{{other}}/{rest}"),
            None => "{other}".to_owned(),
        }
    }

    fn read(&self, topic_name: &str) -> Reading {
        let levels: Vec<&str> = topic_name.split('/').collect();
        match &*levels {
            [token, ..] if *token != self.token => Reading::Foreign,
            [_, "json", device] | [_, "json", device, _] if !device.is_empty() => Reading::Json,
            [_, "binary", device] | [_, "binary", device, _] if !device.is_empty() => {
                Reading::Binary
            }
            _ => Reading::Other,
        }
    }
}

/// Objects, numbers and strings are named. Arrays, `true` and `null` aren't mentioned over MQTT, and pass.
fn is_json_payload(payload: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(payload).is_ok()
}

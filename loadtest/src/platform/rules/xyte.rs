//! Xyte's rules, for both generations of topics.
//!
//! Sources, all dev.xyte.io/reference: (setup) setting-up-mqtt; (basics) mqtt-basics; (events) mqtt-events (older
//! generation); (subscribe) subscribe-topics (newer); (telemetry) send-telemetry; (command) get-command. The page
//! with the newer generation's publish topics wasn't found: those of the older one are taken.

use std::collections::{HashMap, VecDeque};

use interlingua::mqtt::{
    Connect, Property, PropertyBuffer, Publish, Qos, ReasonCode, Subscription, Version,
};
use serde_json::{Value, json};

use super::payload::{is_uuid, iso_time, object, text, uuid, value_of, word};
use super::{Admission, Denial, Grant, Lasting, Member, Order, Role, Verb, password};
use crate::platform::finding::{Fate, Fault, Note, Rule, Verdict};
use crate::platform::message::Message;
use crate::platform::settings::{Known, Settings, known};
use crate::platform::users::Users;

/// Full features of version 5 are required (setup).
pub(super) const VERSIONS: &[Version] = &[Version::V5];

/// Commands that wait for a device. The documents have no limit; memory has.
const PENDING_MAX: usize = 1000;

const SETTINGS: &[Known] = &[known("access-key", None), known("user-properties", Some("required"))];

/// The generation of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topics {
    /// `…/commands` (events).
    Older,
    /// `…/command` (subscribe).
    Newer,
}

/// Whether each PUBLISH carries the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserProperties {
    Required,
    Open,
}

const USER_PROPERTIES: [(&str, UserProperties); 2] =
    [("required", UserProperties::Required), ("open", UserProperties::Open)];

#[derive(Debug)]
pub(in crate::platform) struct Xyte {
    topics: Topics,
    user_properties: UserProperties,
    /// For every device that the file doesn't have.
    access_key: Option<String>,
    users: Users,
    /// Commands that aren't done yet, per device, as identifier and payload. The first one is with the device.
    pending: HashMap<String, VecDeque<(String, String)>>,
    configs: HashMap<String, String>,
    pub(super) confirmed: u64,
}

impl Xyte {
    pub(super) fn new(topics: Topics, set: &[String], users: Users) -> anyhow::Result<Self> {
        let settings = Settings::read(set, SETTINGS)?;
        let access_key = settings.text("access-key").map(str::to_owned);
        if users.is_empty() && access_key.is_none() {
            anyhow::bail!("--set access-key=… or --users FILE is needed");
        }
        // `device_id` and `access_key` on each PUBLISH are the older generation's (events).
        let user_properties = match topics {
            Topics::Older => settings.word("user-properties", &USER_PROPERTIES)?,
            Topics::Newer => UserProperties::Open,
        };
        let (pending, configs) = (HashMap::new(), HashMap::new());
        Ok(Self { topics, user_properties, access_key, users, pending, configs, confirmed: 0 })
    }

    /// Version; client identifier and user name are the device identifier, the password its access key (setup).
    pub(super) fn admit(&mut self, connect: &Connect<'_>) -> Result<Admission, Fault> {
        let device = connect.client_identifier;
        if !is_uuid(device) {
            let code = ReasonCode::ClientIdentifierNotValid;
            return Err(Fault::new(Rule::ClientIdentifier, code, "a UUID is expected"));
        }
        let code = ReasonCode::BadUserNameOrPassword;
        if connect.user_name != Some(device) {
            let detail = "it has to be the device identifier, as the client identifier";
            return Err(Fault::new(Rule::UserName, code, detail));
        }
        let Some(access_key) = self.access_key(device) else {
            return Err(Fault::new(Rule::DeviceUnknown, code, "it isn't registered"));
        };
        if password(connect) != access_key.as_bytes() {
            return Err(Fault::new(Rule::Password, code, "the access key is expected"));
        }
        Ok(Admission {
            member: Member { device: device.to_owned(), role: Role::Device, expires: None },
            notes: Vec::new(),
            // Wills, retained messages and sessions aren't mentioned: left open.
            lasting: Lasting::Kept,
            idle_max: None,
        })
    }

    fn access_key(&self, device: &str) -> Option<&str> {
        match self.users.get(device) {
            Some(user) => user.password.as_deref().or(self.access_key.as_deref()),
            None if self.users.is_empty() => self.access_key.as_deref(),
            None => None,
        }
    }

    /// What a malformed or foreign message gets isn't said: PUBACK with a reason code, and it goes nowhere.
    pub(super) fn publish(&mut self, member: &Member, publish: &Publish<'_>) -> Verdict {
        let dropped = |form, rule, code, detail: &str| {
            Verdict::new(form, Fate::Drop(Fault::new(rule, code, detail)))
        };
        let form = match publish
            .topic_name
            .strip_prefix("v1/device/")
            .and_then(|rest| rest.split_once('/'))
        {
            Some((device, _)) if device != member.device => {
                let detail = "the connection is another device's";
                return dropped("foreign", Rule::ForeignDevice, ReasonCode::NotAuthorized, detail);
            }
            Some((_, "telemetry")) => "telemetry",
            Some((_, "commands/update")) => "commands/update",
            Some((_, "config/update")) => "config/update",
            Some((_, "license/update")) => "license/update",
            _ => {
                let detail =
                    "there are telemetry, commands/update, config/update and license/update";
                return dropped("other", Rule::Topic, ReasonCode::TopicNameInvalid, detail);
            }
        };
        if self.user_properties == UserProperties::Required
            && !self.has_user_properties(member, publish)
        {
            let detail = "device_id and access_key have to be user properties of each PUBLISH";
            return dropped(form, Rule::UserProperties, ReasonCode::NotAuthorized, detail);
        }
        let checked = match form {
            "telemetry" => check_telemetry(publish.payload),
            "config/update" => object(publish.payload).map(|_| ()),
            "license/update" => check_license(publish.payload),
            _ => return self.update_command(member, publish.payload),
        };
        match checked {
            Ok(()) => Verdict::new(form, Fate::Take),
            Err(detail) => dropped(form, Rule::Payload, ReasonCode::PayloadFormatInvalid, &detail),
        }
    }

    fn has_user_properties(&self, member: &Member, publish: &Publish<'_>) -> bool {
        let has = |name: &str, wanted: &str| {
            publish.properties.iter().any(|property| match property {
                Property::UserProperty(own, value) => own == name && value == wanted,
                _ => false,
            })
        };
        let access_key = self.access_key(&member.device).unwrap_or_default();
        has("device_id", &member.device) && has("access_key", access_key)
    }

    /// `id` is needed since API 1.0.1; statuses are those of the command page and first-party agents (command).
    fn update_command(&mut self, member: &Member, payload: &[u8]) -> Verdict {
        const STATUSES: [&str; 4] = ["done", "in_progress", "error", "failed"];
        let form = "commands/update";
        let read = object(payload).and_then(|members| {
            word(&members, "status", &STATUSES)?;
            Ok((text(&members, "id")?.to_owned(), text(&members, "status")? != "in_progress"))
        });
        let (identifier, is_last) = match read {
            Ok(read) => read,
            Err(detail) => {
                let fault = Fault::new(Rule::Payload, ReasonCode::PayloadFormatInvalid, detail);
                return Verdict::new(form, Fate::Drop(fault));
            }
        };
        let pending = self.pending.entry(member.device.clone()).or_default();
        if pending.front().is_none_or(|(own, _)| *own != identifier) {
            // Nothing is said of it.
            let note = Note::new(Rule::CommandIdentifier, "no command with this id is pending");
            return Verdict::new(form, Fate::Take).with_note(Some(note));
        }
        if !is_last {
            return Verdict::new(form, Fate::Take);
        }
        pending.pop_front();
        self.confirmed += 1;
        let next = self.next_command(&member.device);
        Verdict::new(form, Fate::Take).with_messages(next)
    }

    pub(super) fn subscribe(
        &mut self,
        member: &Member,
        wish: &Subscription<'_>,
    ) -> Result<Grant, Denial> {
        let place = format!("v1/device/{}/", member.device);
        let Some(rest) = wish.topic_filter.strip_prefix(&place) else {
            let detail = format!("the device's own topics are in {place}");
            let code = ReasonCode::NotAuthorized;
            return Err(Fault::new(Rule::TopicFilter, code, detail).into());
        };
        let mut grant = Grant::of(wish);
        match rest {
            // What is pending waits for the device (basics); for how long isn't said.
            _ if rest == self.command_topic() => {
                grant.target = Some(member.device.clone());
                grant.messages.extend(self.next_command(&member.device));
            }
            "config" => {
                let config = self.configs.get(&member.device);
                let message = |config: &String| self.message(&member.device, "config", config);
                grant.messages.extend(config.map(message));
            }
            _ if self.is_documented(rest) => {}
            // Wildcards and other topics aren't mentioned: left open, and nothing will come.
            _ => {
                let detail = "not a topic of this generation";
                grant.notes.push(Note::new(Rule::TopicFilter, detail));
            }
        }
        Ok(grant)
    }

    /// `command DEVICE[/NAME] PARAMETERS` or `command DEVICE WHOLE-DOCUMENT`. Commands of a device wait for each other:
    /// the topic has the *next* pending one (subscribe).
    pub(super) fn order(&mut self, order: &Order) -> Result<Option<Message>, Fault> {
        let (device, name) = order.target.split_once('/').unwrap_or((&order.target, "reboot"));
        if order.verb == Verb::Config {
            self.configs.insert(device.to_owned(), order.text.clone());
            return Ok(Some(self.message(device, "config", &order.text)));
        }
        let mut document = match value_of(&order.text) {
            Value::Object(document) if document.contains_key("id") => Value::Object(document),
            Value::Object(parameters) => json!({ "name": name, "parameters": parameters }),
            _ if order.text.is_empty() => json!({ "name": name, "parameters": {} }),
            other => json!({ "name": name, "parameters": { "value": other } }),
        };
        if document.get("id").is_none() {
            document["id"] = Value::String(uuid());
            document["device_id"] = Value::String(device.to_owned());
            document["status"] = Value::String("pending".to_owned());
        }
        let identifier = document["id"].as_str().unwrap_or_default().to_owned();
        let pending = self.pending.entry(device.to_owned()).or_default();
        if pending.len() >= PENDING_MAX {
            let detail = format!("{PENDING_MAX} commands wait for this device");
            return Err(Fault::new(Rule::CommandRate, ReasonCode::QuotaExceeded, detail));
        }
        pending.push_back((identifier, document.to_string()));
        let is_next = pending.len() == 1;
        Ok(if is_next { self.next_command(device) } else { None })
    }

    fn next_command(&self, device: &str) -> Option<Message> {
        let (_, document) = self.pending.get(device)?.front()?;
        Some(self.message(device, self.command_topic(), document))
    }

    fn command_topic(&self) -> &'static str {
        match self.topics {
            Topics::Older => "commands",
            Topics::Newer => "command",
        }
    }

    /// A message to a device; the older generation says where the answer goes (events).
    fn message(&self, device: &str, topic: &str, payload: &str) -> Message {
        let topic_name = format!("v1/device/{device}/{topic}");
        let mut properties = PropertyBuffer::new();
        if self.topics == Topics::Older {
            let pushed = properties.push(Property::ResponseTopic(&format!("{topic_name}/update")));
            debug_assert!(pushed.is_ok(), "a device's name is a topic level: {pushed:?}");
        }
        Message { properties, ..Message::new(topic_name, payload, Qos::AtLeastOnce) }
    }

    fn is_documented(&self, rest: &str) -> bool {
        match self.topics {
            Topics::Older => rest == "license",
            Topics::Newer => ["license", "space_info", "incidents", "firmware", "command/children"]
                .contains(&rest),
        }
    }
}

/// A status of three, a time if it likes, and flat telemetries (telemetry).
fn check_telemetry(payload: &[u8]) -> Result<(), String> {
    let members = object(payload)?;
    word(&members, "status", &["online", "offline", "error"])?;
    iso_time(&members, "timestamp")?;
    match members.get("telemetries") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(values)) => {
            let nested = values.iter().find(|(_, value)| value.is_array() || value.is_object());
            nested.map_or(Ok(()), |(name, _)| Err(format!("telemetries.{name} isn't flat")))
        }
        Some(_) => Err("telemetries isn't an object".to_owned()),
    }
}

fn check_license(payload: &[u8]) -> Result<(), String> {
    let members = object(payload)?;
    text(&members, "id")?;
    word(&members, "state", &["inuse", "removed"])
}

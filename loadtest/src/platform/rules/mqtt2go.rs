//! MQTT2GO's rules, revision 2.x. It is a convention between devices and controllers on an adopter's broker: the
//! broker routes, and what a message breaks is noted.
//!
//! Sources, all mqtt2go.github.io Rev 2.1: (commands) mqtt2go-commands; (objects) mqtt2go-objects; (controllers)
//! mqtt2go-controllers; (management) mqtt2go-management; (onboarding) add-virtual-device, add-wifi, add-wps,
//! mqtt2go-remote-broker; (requirements) mqtt2go-general-req; (changelog) changelogs; (firmware)
//! github.com/mqtt2go/devices and tv-dashboard.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use interlingua::mqtt::{Connect, Publish, Qos, ReasonCode, Subscription, Version};
use serde_json::{Map, Value, json};

use super::payload::{object, value_of};
use super::{Admission, Grant, Lasting, Member, Moment, Order, Role, Verb, password};
use crate::platform::finding::{Fate, Fault, Note, Rule, Verdict};
use crate::platform::message::Message;
use crate::platform::settings::{Known, Settings, known};
use crate::platform::users::Users;

/// 3.1.1 or newer (requirements).
pub(super) const VERSIONS: &[Version] = &[Version::V311, Version::V5];
/// Commands that may wait for their reply.
const PENDING_MAX: usize = 100_000;
/// Topics of gateways (controllers, onboarding, firmware).
const GATEWAY_TOPICS: [&str; 10] = [
    "events",
    "group",
    "room",
    "scene",
    "devices",
    "add_device",
    "add_unsupported",
    "add_virtual_device",
    "security",
    "activities",
];

const SETTINGS: &[Known] =
    &[known("home", Some("h1")), known("gateway", Some("gw1")), known("reply-seconds", Some("10"))];

#[derive(Debug)]
pub(in crate::platform) struct Mqtt2go {
    home: String,
    gateway: String,
    users: Users,
    /// The documents have no time.
    reply: Duration,
    /// When the reply to each command is due, by the entity's place.
    pending: BTreeMap<String, VecDeque<Instant>>,
    waiting: usize,
    pub(super) confirmed: u64,
}

/// What a topic is.
enum Reading<'t> {
    /// Towards an object; its place is the topic without the last level.
    ObjectIn(&'t str),
    /// From it.
    ObjectOut(&'t str),
    /// Gateway, home, users, onboarding.
    Other(&'static str),
    Unknown,
}

impl Mqtt2go {
    pub(super) fn new(set: &[String], users: Users) -> anyhow::Result<Self> {
        let settings = Settings::read(set, SETTINGS)?;
        for user in users.iter() {
            if user.user.is_none() || user.password.is_none() {
                anyhow::bail!("{:?} has no user or no password", user.name);
            }
        }
        Ok(Self {
            home: settings.required("home")?,
            gateway: settings.required("gateway")?,
            users,
            reply: Duration::from_secs(settings.number("reply-seconds")?),
            pending: BTreeMap::new(),
            waiting: 0,
            confirmed: 0,
        })
    }

    /// User name and password are issued when a device is taken in (onboarding). Which text the client identifier is
    /// isn't said.
    pub(super) fn admit(&mut self, connect: &Connect<'_>) -> Result<Admission, Fault> {
        if !self.users.is_empty() {
            let code = ReasonCode::BadUserNameOrPassword;
            let Some(user) =
                self.users.iter().find(|user| user.user.as_deref() == connect.user_name)
            else {
                return Err(Fault::new(Rule::UserName, code, "nobody was given this user name"));
            };
            if user.password.as_deref().unwrap_or_default().as_bytes() != password(connect) {
                return Err(Fault::new(Rule::Password, code, "not the password that was issued"));
            }
        }
        let device = connect.client_identifier.to_owned();
        Ok(Admission {
            member: Member { device, role: Role::Device, expires: None },
            notes: Vec::new(),
            lasting: Lasting::Kept,
            idle_max: None,
        })
    }

    pub(super) fn publish(&mut self, publish: &Publish<'_>, now: Moment) -> Verdict {
        let (form, found) = match read(publish.topic_name) {
            Reading::ObjectIn(place) => {
                self.expect_reply(place, now);
                ("command", check_command(publish.payload))
            }
            Reading::ObjectOut(place) => {
                self.take_reply(place);
                ("report", check_report(publish.payload))
            }
            Reading::Other(form) => (form, Ok(())),
            Reading::Unknown => {
                let note = Note::new(Rule::Topic, "not a topic of the convention");
                return Verdict::new("other", Fate::Pass).with_note(Some(note));
            }
        };
        let note = found.err().map(|detail| Note::new(Rule::Payload, detail));
        Verdict::new(form, Fate::Pass).with_note(note)
    }

    pub(super) fn subscribe(&mut self, wish: &Subscription<'_>) -> Grant {
        let levels: Vec<&str> = wish.topic_filter.split('/').collect();
        let named = |level: &&str| !matches!(*level, "+" | "#" | "");
        let target = match &*levels {
            [home, gateway, device, entity, "in"]
                if [home, gateway, device].iter().all(|level| named(level)) =>
            {
                let entity = if named(entity) { entity } else { "switch" };
                Some(format!("{home}/{gateway}/{device}/{entity}"))
            }
            _ => None,
        };
        Grant { target, ..Grant::of(wish) }
    }

    /// `command [HOME/GATEWAY/]DEVICE/ENTITY VALUE`; a JSON object with a `type` is sent as it is. `config` is a
    /// retained `set`: retained messages tell a device its last state (objects).
    pub(super) fn order(&mut self, order: &Order, now: Moment) -> Result<Message, Fault> {
        let place = match order.target.split('/').count() {
            2 => format!("{}/{}/{}", self.home, self.gateway, order.target),
            4 => order.target.clone(),
            _ => {
                let code = ReasonCode::TopicNameInvalid;
                let detail = "write DEVICE/ENTITY or HOME/GATEWAY/DEVICE/ENTITY";
                return Err(Fault::new(Rule::Topic, code, detail));
            }
        };
        self.expect_reply(&place, now);
        let document = match value_of(&order.text) {
            Value::Object(document) if document.contains_key("type") => Value::Object(document),
            value => json!({ "type": "set", "timestamp": now.unix, "value": value }),
        };
        let topic = format!("{place}/in");
        let retain = order.verb == Verb::Config;
        let message = Message::new(topic, document.to_string(), Qos::AtLeastOnce);
        Ok(Message { retain, ..message })
    }

    /// Each command has to be confirmed by a message on the entity's `out` (changelog).
    fn expect_reply(&mut self, place: &str, now: Moment) {
        if self.waiting < PENDING_MAX {
            self.waiting += 1;
            self.pending.entry(place.to_owned()).or_default().push_back(now.at + self.reply);
        }
    }

    /// Any message of the entity confirms the oldest command.
    fn take_reply(&mut self, place: &str) {
        let Some(commands) = self.pending.get_mut(place) else { return };
        if commands.pop_front().is_some() {
            self.confirmed += 1;
            self.waiting -= 1;
        }
        if commands.is_empty() {
            self.pending.remove(place);
        }
    }

    /// Commands whose time is over.
    pub(super) fn overdue(&mut self, now: Moment) -> Vec<Note> {
        let mut notes = Vec::new();
        self.pending.retain(|place, commands| {
            while commands.front().is_some_and(|due| *due <= now.at) {
                commands.pop_front();
                let seconds = self.reply.as_secs();
                let detail = format!("{place}: nothing on its out topic within {seconds} s");
                notes.push(Note::new(Rule::ReplyMissing, detail));
            }
            !commands.is_empty()
        });
        self.waiting -= notes.len();
        notes
    }
}

fn read(topic: &str) -> Reading<'_> {
    let levels: Vec<&str> = topic.split('/').collect();
    if levels.iter().any(|level| level.is_empty()) {
        // Prose writes a leading slash now and then, code blocks and firmware never.
        return Reading::Unknown;
    }
    let place = topic.rsplit_once('/').map_or(topic, |(place, _)| place);
    match &*levels {
        [_, _, _, _, "in"] => Reading::ObjectIn(place),
        [_, _, _, _, "out"] => Reading::ObjectOut(place),
        [_, "users", "add_usr" | "updt_usr" | "del_usr", "in" | "out"] => Reading::Other("users"),
        [_, _, topic, "in" | "out"] if GATEWAY_TOPICS.contains(topic) => Reading::Other("gateway"),
        ["homes", _, "in" | "out"] | [_, "activation" | "wifi" | "home", "in" | "out"] => {
            Reading::Other("onboarding")
        }
        [_, _, "in" | "out"] => Reading::Other("gateway"),
        [_, "in" | "out"] => Reading::Other("home"),
        _ => Reading::Unknown,
    }
}

/// A type and a time (commands). `value` is left out by queries, which examples write all the same.
fn check_command(payload: &[u8]) -> Result<(), String> {
    let members = object(payload)?;
    check_envelope(&members)
}

/// A type, a priority, a time, and a value: as `value` (commands) or as `report` (objects, firmware). The reply of
/// first-party firmware echoes the command, so it has no priority.
fn check_report(payload: &[u8]) -> Result<(), String> {
    let members = object(payload)?;
    check_envelope(&members)?;
    let is_reply = members.get("type").is_some_and(|kind| kind == "command_response");
    if !is_reply && !members.get("priority_level").is_some_and(Value::is_number) {
        return Err("priority_level has to be a number".to_owned());
    }
    match ["value", "report"].iter().any(|name| members.contains_key(*name)) {
        true => Ok(()),
        false => Err("there is neither value nor report".to_owned()),
    }
}

/// Times are numbers, and texts with a number in onboarding examples.
fn check_envelope(members: &Map<String, Value>) -> Result<(), String> {
    if !members.get("type").is_some_and(Value::is_string) {
        return Err("type has to be a text".to_owned());
    }
    match members.get("timestamp") {
        Some(Value::Number(_)) => Ok(()),
        Some(Value::String(text)) if text.parse::<f64>().is_ok() => Ok(()),
        _ => Err("timestamp has to be a number".to_owned()),
    }
}

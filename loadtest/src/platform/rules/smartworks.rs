//! SmartWorks' rules, for both generations of topics: credentials, and the patterns that go with them.
//!
//! Sources: (mqtt-mgmt) help.altair.com/2021/smartworks/topics/database/mqtt_mgmt.htm; (topic-thing) mqtt_topic_thing.htm
//! there; (openapi) github.com/altairengineering/iots-python openapi/anythingdb_openapi.yaml; (smart-home)
//! github.com/altairengineering/iot-studio-demos. What the broker does with a packet outside the patterns isn't
//! said: it is acknowledged and goes nowhere; a SUBSCRIBE is refused.

use std::rc::Rc;

use interlingua::mqtt::{Connect, Publish, Qos, ReasonCode, Subscription, Version};
use serde_json::{Value, json};

use super::payload::{object, offset_time, uuid, value_of};
use super::smartworks_topics::{Spoken, covers, default_acl, echo, form_of, is_legal};
use super::{Acl, Admission, Denial, Grant, Lasting, Member, Moment, Order, Role, Verb, password};
use crate::platform::finding::{Fate, Fault, Rule, Verdict};
use crate::platform::message::Message;
use crate::platform::settings::{Known, Settings, known};
use crate::platform::users::Users;

/// 3.1.1 by (smart-home); 5 is seen with third-party clients.
pub(super) const VERSIONS: &[Version] = &[Version::V311, Version::V5];

const SETTINGS: &[Known] = &[
    known("space", None),
    known("user", None),
    known("password", None),
    known("collection", Some("things")),
];

/// The generation of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// `set/…` and `status/…`.
    First,
    /// `spaces/…`.
    Second,
}

/// A user name with what belongs to it.
#[derive(Debug)]
struct Credential {
    user: String,
    password: String,
    thing: Option<String>,
    acl: Rc<Acl>,
}

#[derive(Debug)]
pub(in crate::platform) struct SmartWorks {
    generation: Generation,
    space: String,
    collection: String,
    credentials: Vec<Credential>,
}

impl SmartWorks {
    /// Credentials belong to a Thing, or (`--set user`, second generation) to a category: every Thing of the space.
    pub(super) fn new(
        generation: Generation,
        set: &[String],
        users: &Users,
    ) -> anyhow::Result<Self> {
        let settings = Settings::read(set, SETTINGS)?;
        let space = settings.required("space")?;
        let mut credentials = Vec::new();
        if let Some(user) = settings.text("user") {
            credentials.push(Credential {
                user: user.to_owned(),
                password: settings.required("password")?,
                thing: None,
                acl: Rc::new(default_acl(generation, &space, "+")),
            });
        }
        for user in users.iter() {
            let (Some(name), Some(password)) = (&user.user, &user.password) else {
                anyhow::bail!("Thing {:?} has no user or no password", user.name);
            };
            let own = !user.publish.is_empty() || !user.subscribe.is_empty();
            let acl = match own {
                true => Acl { publish: user.publish.clone(), subscribe: user.subscribe.clone() },
                false => default_acl(generation, &space, &user.name),
            };
            credentials.push(Credential {
                user: name.clone(),
                password: password.clone(),
                thing: Some(user.name.clone()),
                acl: Rc::new(acl),
            });
        }
        if credentials.is_empty() {
            anyhow::bail!("--set user=… and --set password=…, or --users FILE is needed");
        }
        let collection = settings.required("collection")?;
        Ok(Self { generation, space, collection, credentials })
    }

    /// The credential. The client identifier is free (smart-home).
    pub(super) fn admit(&mut self, connect: &Connect<'_>) -> Result<Admission, Fault> {
        let code = ReasonCode::BadUserNameOrPassword;
        let user_name = connect.user_name.unwrap_or_default();
        let Some(found) = self.credentials.iter().find(|own| own.user == user_name) else {
            return Err(Fault::new(Rule::UserName, code, "there is no such credential"));
        };
        if password(connect) != found.password.as_bytes() {
            return Err(Fault::new(Rule::Password, code, "not the credential's password"));
        }
        let device = found.thing.clone().unwrap_or_default();
        let role = Role::Credential(found.acl.clone());
        Ok(Admission {
            member: Member { device, role, expires: None },
            notes: Vec::new(),
            // Wills, retained messages and sessions aren't mentioned: left open.
            lasting: Lasting::Kept,
            idle_max: None,
        })
    }

    pub(super) fn publish(
        &mut self,
        member: &Member,
        publish: &Publish<'_>,
        now: Moment,
    ) -> Verdict {
        let topic = publish.topic_name;
        let spoken = form_of(self.generation, topic);
        let form = spoken.word();
        let dropped = |rule, code, detail: &str| {
            Verdict::new(form, Fate::Drop(Fault::new(rule, code, detail)))
        };
        let Role::Credential(acl) = &member.role else {
            return dropped(Rule::Acl, ReasonCode::NotAuthorized, "there is no credential");
        };
        if !acl.publish.iter().any(|pattern| covers(pattern, topic)) {
            let detail = "none of the credential's publish patterns has it";
            return dropped(Rule::Acl, ReasonCode::NotAuthorized, detail);
        }
        if let Err(detail) = check(spoken, publish.payload) {
            return dropped(Rule::Payload, ReasonCode::PayloadFormatInvalid, &detail);
        }
        let messages = echo(self.generation, topic, spoken, publish.payload, now);
        Verdict::new(form, Fate::Pass).with_messages(messages)
    }

    pub(super) fn subscribe(
        &mut self,
        member: &Member,
        wish: &Subscription<'_>,
    ) -> Result<Grant, Denial> {
        let allowed = match &member.role {
            Role::Credential(acl) => {
                acl.subscribe.iter().any(|pattern| covers(pattern, wish.topic_filter))
            }
            Role::Device | Role::Gateway { .. } => false,
        };
        if !allowed {
            let detail = "none of the credential's subscribe patterns has it";
            return Err(Fault::new(Rule::Acl, ReasonCode::NotAuthorized, detail).into());
        }
        Ok(Grant { target: self.target(wish.topic_filter), ..Grant::of(wish) })
    }

    /// The Thing and action that a filter asks for; `ping` stands for any action.
    fn target(&self, topic_filter: &str) -> Option<String> {
        let levels: Vec<&str> = topic_filter.split('/').collect();
        let (thing, action) = match (self.generation, &*levels) {
            (Generation::Second, ["spaces", _, "things", thing, "actions", action]) => {
                (thing, action)
            }
            (
                Generation::First,
                ["status", _, "collections", _, "things", thing, "actions", action],
            ) => (thing, action),
            _ => return None,
        };
        let action = if matches!(*action, "+" | "#") { "ping" } else { action };
        is_legal(thing).then(|| format!("{thing}/{action}"))
    }

    /// `command THING/ACTION INPUT`, `config THING/PROPERTY VALUE`.
    pub(super) fn order(&mut self, order: &Order, now: Moment) -> Result<Message, Fault> {
        let Some((thing, name)) = order.target.split_once('/') else {
            let code = ReasonCode::TopicNameInvalid;
            return Err(Fault::new(Rule::Topic, code, "write THING/ACTION or THING/PROPERTY"));
        };
        let place = match self.generation {
            Generation::First => {
                format!("status/{}/collections/{}/things/{thing}", self.space, self.collection)
            }
            Generation::Second => format!("spaces/{}/things/{thing}", self.space),
        };
        let (kind, body) = match order.verb {
            Verb::Command => ("actions", action_object(thing, name, &order.text, now)),
            Verb::Config => ("properties", value_of(&order.text)),
        };
        let payload = json!({ name: body }).to_string();
        Ok(Message::new(format!("{place}/{kind}/{name}"), payload, Qos::AtLeastOnce))
    }
}

/// A new request (topic-thing). `input` may be absent (openapi).
pub(super) fn action_object(thing: &str, action: &str, input: &str, now: Moment) -> Value {
    let mut object = json!({
        "input": value_of(input),
        "href": format!("/things/{thing}/actions/{action}/{}", uuid()),
        "timeRequested": offset_time(now.unix),
        "status": "pending",
    });
    if let (true, Some(object)) = (input.is_empty(), object.as_object_mut()) {
        object.shift_remove("input");
    }
    object
}

/// Properties are an object; actions and events are objects with an object for each name (topic-thing, openapi). A
/// record's content is free.
fn check(spoken: Spoken, payload: &[u8]) -> Result<(), String> {
    match spoken {
        Spoken::Data | Spoken::Other => Ok(()),
        Spoken::Properties => object(payload).map(|_| ()),
        Spoken::Actions | Spoken::Events => {
            let members = object(payload)?;
            let wrong = members.iter().find(|(_, body)| !body.is_object());
            wrong.map_or(Ok(()), |(name, _)| Err(format!("{name} isn't an object")))
        }
    }
}

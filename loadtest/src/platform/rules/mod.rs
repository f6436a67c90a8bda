//! The platforms' rules. Each platform has a file; here is the one door to them, and what goes in and out of it.
//!
//! Rules read no clock and open no socket: they are asked, and say what becomes of it. They are written from the
//! platforms' documents and not from the proxy's tables, so that the proxy can be held against them. What the
//! documents leave open is accepted. Invariant: a rule that refuses says so in a [`Fault`], with its word.

mod bucket;
mod mqtt2go;
mod omnicore;
mod omnicore_gateway;
mod omnicore_token;
mod payload;
mod smartworks;
mod smartworks_topics;
mod thingscale;
mod xyte;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use clap::ValueEnum;
use interlingua::mqtt::{Connect, Publish, Qos, Subscription, Version};

use super::finding::{Fault, Note, Verdict};
use super::message::Message;
use super::users::Users;

use mqtt2go::Mqtt2go;
use omnicore::Omnicore;
use smartworks::{Generation, SmartWorks};
use thingscale::ThingScale;
use xyte::{Topics, Xyte};

/// The platforms that there are stand-ins for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    /// OmniCore (KORE Wireless)
    Omnicore,
    /// ThingScale (SENSINICS)
    Thingscale,
    /// Xyte, newer topics
    Xyte,
    /// Xyte, older topics
    XyteLegacy,
    /// SmartWorks IoT / IoT Studio (Altair), spaces/… topics
    Smartworks,
    /// SmartWorks IoT AnythingDB (Altair), set/… and status/… topics
    SmartworksG1,
    /// MQTT2GO 2.x
    Mqtt2go,
}

impl Name {
    /// The name on the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Omnicore => "omnicore",
            Self::Thingscale => "thingscale",
            Self::Xyte => "xyte",
            Self::XyteLegacy => "xyte-legacy",
            Self::Smartworks => "smartworks",
            Self::SmartworksG1 => "smartworks-g1",
            Self::Mqtt2go => "mqtt2go",
        }
    }
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Instant,
    /// Seconds since 1970.
    pub(super) unix: u64,
}

impl Moment {
    /// Reads them.
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self { at: Instant::now(), unix: since.map_or(0, |since| since.as_secs()) }
    }
}

/// Who a client is to the platform.
#[derive(Debug)]
pub(super) struct Member {
    /// The device that the connection stands for. Empty where a connection stands for none.
    pub(super) device: String,
    pub(super) role: Role,
    /// When its credential ends, in seconds since 1970.
    pub(super) expires: Option<u64>,
}

/// What a client may do beyond the ordinary, or only.
#[derive(Debug)]
pub(super) enum Role {
    Device,
    Gateway { attached: BTreeSet<String> },
    Credential(Rc<Acl>),
}

/// The patterns of a SmartWorks credential.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Acl {
    pub(super) publish: Vec<String>,
    pub(super) subscribe: Vec<String>,
}

/// A client that is let in.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) member: Member,
    pub(super) notes: Vec<Note>,
    pub(super) lasting: Lasting,
    /// After this without a packet the connection is closed, whatever the keep alive.
    pub(super) idle_max: Option<Duration>,
}

/// Whether wills and sessions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    Kept,
    Ignored,
}

/// A subscription that is granted.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) qos: Qos,
    pub(super) notes: Vec<Note>,
    /// Whom a command reaches through this subscription, as an order names it.
    pub(super) target: Option<String>,
    /// What is sent to this client right behind the SUBACK.
    pub(super) messages: Vec<Message>,
}

impl Grant {
    fn of(wish: &Subscription<'_>) -> Self {
        Self { qos: wish.qos, notes: Vec::new(), target: None, messages: Vec::new() }
    }
}

/// A subscription that is refused.
#[derive(Debug)]
pub(super) struct Denial {
    pub(super) fault: Fault,
    /// What the platform publishes because of it.
    pub(super) messages: Vec<Message>,
}

impl From<Fault> for Denial {
    fn from(fault: Fault) -> Self {
        Self { fault, messages: Vec::new() }
    }
}

/// What the person at the terminal wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) verb: Verb,
    /// Device, and what of it: each platform has its own form.
    pub(super) target: String,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Command,
    Config,
}

/// One platform.
#[derive(Debug)]
pub(super) enum Platform {
    Omnicore(Box<Omnicore>),
    ThingScale(ThingScale),
    Xyte(Xyte),
    SmartWorks(SmartWorks),
    Mqtt2go(Mqtt2go),
}

impl Platform {
    /// Builds a platform from `--set` and `--users`.
    ///
    /// # Errors
    /// Unknown or missing settings, keys that can't be read.
    pub(super) fn new(name: Name, set: &[String], users: Users) -> anyhow::Result<Self> {
        Ok(match name {
            Name::Omnicore => Self::Omnicore(Box::new(Omnicore::new(set, &users)?)),
            Name::Thingscale => Self::ThingScale(ThingScale::new(set)?),
            Name::Xyte => Self::Xyte(Xyte::new(Topics::Newer, set, users)?),
            Name::XyteLegacy => Self::Xyte(Xyte::new(Topics::Older, set, users)?),
            Name::Smartworks => Self::SmartWorks(SmartWorks::new(Generation::Second, set, &users)?),
            Name::SmartworksG1 => {
                Self::SmartWorks(SmartWorks::new(Generation::First, set, &users)?)
            }
            Name::Mqtt2go => Self::Mqtt2go(Mqtt2go::new(set, users)?),
        })
    }

    /// The versions that the platform speaks.
    pub(super) fn versions(&self) -> &'static [Version] {
        match self {
            Self::Omnicore(_) => omnicore::VERSIONS,
            Self::ThingScale(_) => thingscale::VERSIONS,
            Self::Xyte(_) => xyte::VERSIONS,
            Self::SmartWorks(_) => smartworks::VERSIONS,
            Self::Mqtt2go(_) => mqtt2go::VERSIONS,
        }
    }

    /// Whether a client may come in.
    ///
    /// # Errors
    /// Why not; the code is CONNACK's.
    pub(super) fn admit(&mut self, connect: &Connect<'_>, now: Moment) -> Result<Admission, Fault> {
        match self {
            Self::Omnicore(platform) => platform.admit(connect, now),
            Self::ThingScale(platform) => platform.admit(connect),
            Self::Xyte(platform) => platform.admit(connect),
            Self::SmartWorks(platform) => platform.admit(connect),
            Self::Mqtt2go(platform) => platform.admit(connect),
        }
    }

    /// What becomes of a PUBLISH.
    pub(super) fn publish(
        &mut self,
        member: &mut Member,
        publish: &Publish<'_>,
        now: Moment,
    ) -> Verdict {
        match self {
            Self::Omnicore(platform) => platform.publish(member, publish, now),
            Self::ThingScale(platform) => platform.publish(publish),
            Self::Xyte(platform) => platform.publish(member, publish),
            Self::SmartWorks(platform) => platform.publish(member, publish, now),
            Self::Mqtt2go(platform) => platform.publish(publish, now),
        }
    }

    /// Whether a client may subscribe.
    ///
    /// # Errors
    /// Why not; the code is SUBACK's.
    pub(super) fn subscribe(
        &mut self,
        member: &Member,
        wish: &Subscription<'_>,
    ) -> Result<Grant, Denial> {
        match self {
            Self::Omnicore(platform) => platform.subscribe(member, wish),
            Self::ThingScale(platform) => platform.subscribe(wish),
            Self::Xyte(platform) => platform.subscribe(member, wish),
            Self::SmartWorks(platform) => platform.subscribe(member, wish),
            Self::Mqtt2go(platform) => Ok(platform.subscribe(wish)),
        }
    }

    /// The message of an order; `None`: it waits for an earlier one.
    ///
    /// # Errors
    /// Why the platform wouldn't send it.
    pub(super) fn order(&mut self, order: &Order, now: Moment) -> Result<Option<Message>, Fault> {
        match self {
            Self::Omnicore(platform) => platform.order(order, now).map(Some),
            Self::ThingScale(platform) => platform.order(order).map(Some),
            Self::Xyte(platform) => platform.order(order),
            Self::SmartWorks(platform) => platform.order(order, now).map(Some),
            Self::Mqtt2go(platform) => platform.order(order, now).map(Some),
        }
    }

    /// What should have happened by now, and hasn't.
    pub(super) fn overdue(&mut self, now: Moment) -> Vec<Note> {
        match self {
            Self::Mqtt2go(platform) => platform.overdue(now),
            _ => Vec::new(),
        }
    }

    /// How many commands have been answered as the platform wants it, since this was asked last.
    pub(super) fn take_confirmed(&mut self) -> u64 {
        match self {
            Self::Mqtt2go(platform) => std::mem::take(&mut platform.confirmed),
            Self::Xyte(platform) => std::mem::take(&mut platform.confirmed),
            Self::Omnicore(_) | Self::ThingScale(_) | Self::SmartWorks(_) => 0,
        }
    }

    /// A topic without what is secret in it.
    pub(super) fn masked(&self, topic: &str) -> String {
        match self {
            Self::ThingScale(platform) => platform.masked(topic),
            _ => topic.to_owned(),
        }
    }
}

/// The password as text; empty where there is none.
fn password<'a>(connect: &Connect<'a>) -> &'a [u8] {
    connect.password.unwrap_or_default()
}

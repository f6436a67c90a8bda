//! The compiled pair, and the one way that every message takes through it.

use crate::dialect::{Limits, RetainRule};
use crate::mqtt::{Qos, Subscription, Version};
use crate::payload::json;

use super::connect::{self, ConnectPlan, ConnectRefusal, SessionNames, Shown};
use super::filter::{self, FilterContext, FilterPlan};
use super::identity::Identity;
use super::lane::{Found, FoundBy, Lane, Route};
use super::memory::{Known, Memory};
use super::message::{Incoming, Scratch, Translated};
use super::reason::{Note, Notes, Reason, Refusal};
use super::render::Toward;
use super::rewrite::{self, Kept, Rewriting};
use super::side::{Side, Value};
use super::target::{Reading, Target};

/// The way of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the device to the upstream.
    Up,
    /// From the upstream to the device.
    Down,
}

impl Way {
    /// The stable word: metric label, log field.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Way::Up => "up",
            Way::Down => "down",
        }
    }
}

/// A device dialect and an upstream dialect, compiled.
#[derive(Debug)]
pub struct Translator(pub(super) Inner);

#[derive(Debug)]
pub(super) enum Inner {
    /// Both sides are `plain`: nothing changes but the version, where the upstream speaks only others.
    Plain(Box<[Version]>),
    Pair(Box<Pair>),
}

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) device: Side,
    pub(super) upstream: Side,
    pub(super) identity: Identity,
    pub(super) up: Lane,
    pub(super) down: Lane,
    /// Where the upstream answers, for a topic on which the device wants the answer.
    pub(super) reply_up: Lane,
    /// Where the device answers, for a topic on which the upstream wants the answer.
    pub(super) reply_down: Lane,
    /// The upstream has topics on which both sides send, so that the session's own messages come back.
    pub(super) echoes: bool,
}

const TOO_LARGE: Refusal = Refusal::new(Reason::PayloadTooLarge, "the other platform takes less");
const ECHO: Refusal =
    Refusal::new(Reason::LoopSuppressed, "the session itself sent this message a moment ago");
const REPEATED: Refusal = Refusal::new(
    Reason::LoopSuppressed,
    "a retained command that the device has already got came with a new subscription",
);
const REPLY: Refusal =
    Refusal::new(Reason::BadTopic, "an answer to the response topic would not find back");

impl Translator {
    /// The translator that changes nothing.
    #[must_use]
    pub fn plain() -> Self {
        Self::plain_in(&[Version::V5, Version::V311, Version::V31])
    }

    /// The translator that changes nothing but the version, in front of an upstream that speaks these, best first.
    #[must_use]
    pub fn plain_in(versions: &[Version]) -> Self {
        Self(Inner::Plain(versions.into()))
    }

    /// Whether nothing changes but perhaps the version.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.0, Inner::Plain(_))
    }

    /// Translates a message: to one, to several, or to none where nothing has to be sent. Cost of a topic-only
    /// translation: one match and one rendering, or, for a topic that `memory` knows, one comparison and one
    /// copy; no allocation once `scratch` and `memory` have grown.
    ///
    /// `memory` is of one session and never of another translator. A caller that sends the messages says so with
    /// [`Memory::settle`].
    ///
    /// # Errors
    /// The refusal; nothing may be sent then.
    pub fn publish<'a>(
        &self,
        way: Way,
        message: &Incoming<'a>,
        memory: &mut Memory,
        scratch: &'a mut Scratch,
    ) -> Result<Translated<'a>, Refusal> {
        scratch.clear();
        memory.begin();
        match &self.0 {
            Inner::Plain(_) => scratch.pass(message),
            Inner::Pair(pair) => pair.translate(way, message, memory, scratch)?,
        }
        Ok(scratch.translated(message))
    }

    /// Whether a message on this way may become several, so that their acknowledgements have to be joined.
    #[must_use]
    pub fn may_split(&self, way: Way) -> bool {
        match &self.0 {
            Inner::Plain(_) => false,
            Inner::Pair(pair) => pair.lane(way).0.may_split(),
        }
    }

    /// Maps a topic filter of the device's names to upstream filters.
    ///
    /// # Errors
    /// `filter_not_mappable`, `unknown_device`.
    pub fn filter(&self, filter: &str, names: &SessionNames) -> Result<FilterPlan, Refusal> {
        self.filter_within(filter, names, &Memory::default())
    }

    /// The same for the session that has this memory, which may be kept to its own device.
    ///
    /// # Errors
    /// Also `access_denied`.
    pub fn filter_within(
        &self,
        filter: &str,
        names: &SessionNames,
        memory: &Memory,
    ) -> Result<FilterPlan, Refusal> {
        match &self.0 {
            Inner::Plain(_) => Ok(FilterPlan { upstream: vec![filter.to_owned()] }),
            Inner::Pair(pair) => {
                let Pair { device, upstream, identity, down, .. } = &**pair;
                let own = memory.own();
                let context = FilterContext { device, upstream, identity, down, names, own };
                filter::map(filter, &context)
            }
        }
    }

    /// The options of a subscription as the upstream gets them. Where the session tells echoes and repeated messages by
    /// what it remembers, the upstream may not be asked to do it: No Local would leave echoes out that are waited
    /// for, and Retain As Published would make a message of now look like one of old.
    #[must_use]
    pub fn options<'f>(&self, asked: Subscription<'f>) -> Subscription<'f> {
        let Inner::Pair(pair) = &self.0 else { return asked };
        let repeats = pair.down.routes.iter().any(|route| route.may_come_again);
        Subscription {
            no_local: asked.no_local && !pair.echoes,
            retain_as_published: asked.retain_as_published && !repeats,
            ..asked
        }
    }

    /// Translates a topic on which the sender of a message wants the answer (v5 response topic). The answer
    /// travels the other way; it has to find back to exactly this topic, and is about the session's own device where `memory`
    /// is kept to that.
    ///
    /// # Errors
    /// When no topic of the receiver's names leads back, or it names another device.
    pub fn response_topic(
        &self,
        way: Way,
        topic_name: &str,
        memory: &Memory,
    ) -> Result<String, Refusal> {
        let pair = match &self.0 {
            Inner::Plain(_) => return Ok(topic_name.to_owned()),
            Inner::Pair(pair) => pair,
        };
        let (there, toward, back, toward_back) = match way {
            Way::Up => (&pair.reply_up, Toward::Upstream, &pair.down, Toward::Device),
            Way::Down => (&pair.reply_down, Toward::Device, &pair.up, Toward::Upstream),
        };
        if let Some(own) = memory.own() {
            own.check(way, &there.find_first(topic_name)?)?;
        }
        let mut answer = String::new();
        pair.follow(there, toward, topic_name, &mut answer)?;
        let mut again = String::new();
        pair.follow(back, toward_back, &answer, &mut again)?;
        if again == topic_name { Ok(answer) } else { Err(REPLY) }
    }

    /// Translates the texts of a CONNECT.
    ///
    /// # Errors
    /// Which text is refused, and why.
    pub fn connect(&self, shown: &Shown<'_>) -> Result<Option<ConnectPlan>, ConnectRefusal> {
        match &self.0 {
            Inner::Plain(_) => Ok(None),
            Inner::Pair(pair) => {
                let Pair { device, upstream, identity, .. } = &**pair;
                connect::connect(device, upstream, identity, shown).map(Some)
            }
        }
    }

    /// Whether a device's certificate says something in its dialect.
    #[must_use]
    pub fn reads_certificate(&self) -> bool {
        match &self.0 {
            Inner::Plain(_) => false,
            Inner::Pair(pair) => pair.device.dialect.connect.certificate.is_some(),
        }
    }

    /// Whether a name (of a user property) is a secret of the side that a message on this way comes from.
    #[must_use]
    pub fn is_secret(&self, way: Way, name: &str) -> bool {
        let Inner::Pair(pair) = &self.0 else { return false };
        let side = match way {
            Way::Up => &pair.device,
            Way::Down => &pair.upstream,
        };
        side.dialect
            .variable(name)
            .is_some_and(|variable| variable.role == crate::dialect::Role::Secret)
    }

    /// Whether a text holds a configured secret of either side, so that no log may show it.
    #[must_use]
    pub fn has_secret_in(&self, text: &str) -> bool {
        let Inner::Pair(pair) = &self.0 else { return false };
        let values = pair.device.values.iter().chain(&pair.upstream.values);
        values.into_iter().any(
            |(_, value)| matches!(value, Value::Secret(secret) if text.contains(secret.reveal())),
        )
    }

    /// What the upstream's platform grants.
    #[must_use]
    pub fn upstream_limits(&self) -> Limits {
        match &self.0 {
            Inner::Plain(_) => Limits::default(),
            Inner::Pair(pair) => pair.upstream.dialect.limits,
        }
    }

    /// What the device's own platform would grant.
    #[must_use]
    pub fn device_limits(&self) -> Limits {
        match &self.0 {
            Inner::Plain(_) => Limits::default(),
            Inner::Pair(pair) => pair.device.dialect.limits,
        }
    }

    /// The version in which the upstream is spoken to for a device that speaks `device`: the same if its platform
    /// speaks it, else the nearest, without properties where the device knows none.
    #[must_use]
    pub fn version_for(&self, device: Version) -> Version {
        let spoken = match &self.0 {
            Inner::Plain(versions) => versions,
            Inner::Pair(pair) => &pair.upstream.versions[..],
        };
        if spoken.contains(&device) {
            return device;
        }
        let older = spoken.iter().filter(|version| **version < Version::V5).max();
        older.or_else(|| spoken.first()).copied().unwrap_or(device)
    }
}

impl Pair {
    pub(super) fn lane(&self, way: Way) -> (&Lane, Toward) {
        match way {
            Way::Up => (&self.up, Toward::Upstream),
            Way::Down => (&self.down, Toward::Device),
        }
    }

    fn translate(
        &self,
        way: Way,
        message: &Incoming<'_>,
        memory: &mut Memory,
        scratch: &mut Scratch,
    ) -> Result<(), Refusal> {
        if !self.echoes {
            return self.carry(way, message, memory, scratch);
        }
        let now_ms = scratch.received_ms;
        if way == Way::Down && memory.is_echo(message, now_ms) {
            return Err(ECHO);
        }
        self.carry(way, message, memory, scratch)?;
        if way == Way::Up {
            for sent in scratch.translated(message).messages() {
                memory.sends(sent.topic_name, sent.payload, now_ms);
            }
        }
        Ok(())
    }

    fn carry(
        &self,
        way: Way,
        message: &Incoming<'_>,
        memory: &mut Memory,
        scratch: &mut Scratch,
    ) -> Result<(), Refusal> {
        let (lane, toward) = self.lane(way);
        if let Some(known) = memory.topics.find(way, message.topic_name)
            && let Some(route) = lane.routes.get(known.route)
            && let Ok(target) = &route.target
        {
            scratch.topics.push_str(known.rendered);
            check_repeated(route, message, memory)?;
            return hand_on(message, target, scratch);
        }
        let found = lane.find(message.topic_name, message.payload)?;
        if let Some(own) = memory.own() {
            own.check(way, &found)?;
        }
        let target = match &found.route.target {
            Ok(target) => target,
            Err(none) if none.is_local => {
                return rewrite::device_there(self, toward, &found, &mut String::new());
            }
            Err(none) => return Err(none.refusal),
        };
        check_repeated(found.route, message, memory)?;
        if rewrite::is_needed(&found, target, &self.device.payload) {
            let rewriting = Rewriting { pair: self, toward, found: &found, message };
            return rewriting.run(target, &mut Kept { memory, scratch });
        }
        target.render(&found.captures, &self.identity, toward, None, &mut scratch.topics)?;
        if found.by == FoundBy::Topic {
            let known = Known { route: found.index, rendered: &scratch.topics };
            memory.topics.remember(way, message.topic_name, known);
        }
        hand_on(message, target, scratch)
    }

    fn follow(
        &self,
        lane: &Lane,
        toward: Toward,
        topic: &str,
        out: &mut String,
    ) -> Result<(), Refusal> {
        let Found { route, captures, .. } = lane.find_first(topic)?;
        let target = route.target.as_ref().map_err(|none| none.refusal)?;
        target.render(&captures, &self.identity, toward, None, out)
    }
}

/// A retained command is delivered once, not with every subscription.
#[inline]
fn check_repeated(
    route: &Route,
    message: &Incoming<'_>,
    memory: &mut Memory,
) -> Result<(), Refusal> {
    if !route.may_come_again {
        return Ok(());
    }
    if message.retain && memory.is_repeated(message) {
        return Err(REPEATED);
    }
    memory.delivers(message);
    Ok(())
}

/// A message whose payload passes as it is, under the topic that was rendered.
#[inline]
fn hand_on(message: &Incoming<'_>, target: &Target, scratch: &mut Scratch) -> Result<(), Refusal> {
    if target.reading == Reading::Json {
        json::validate(message.payload, json::DEPTH_LIMIT).map_err(not_json)?;
    }
    if message.payload.len() > target.payload_bytes_max {
        return Err(TOO_LARGE);
    }
    push_as_it_came(message, target, scratch);
    Ok(())
}

/// The message under the topic that was rendered, with what the target takes of QoS and RETAIN.
pub(super) fn push_as_it_came(message: &Incoming<'_>, target: &Target, scratch: &mut Scratch) {
    let (qos, retain) = (clamped_qos(message, target), clamped_retain(message, target));
    let mut notes = notes_of(message, target);
    if target.loses_channel {
        notes.add(Note::MetaLost);
    }
    scratch.push(0, None, qos, retain, notes);
}

fn not_json(error: json::JsonError) -> Refusal {
    match crate::payload::PayloadError::from(error).reason() {
        "depth_exceeded" => Refusal::new(Reason::DepthExceeded, "the JSON is nested too deeply"),
        _ => Refusal::new(Reason::PayloadNotJson, "the payload isn't JSON"),
    }
}

pub(super) fn clamped_qos(message: &Incoming<'_>, target: &Target) -> Qos {
    message.qos.min(target.qos_max)
}

pub(super) fn clamped_retain(message: &Incoming<'_>, target: &Target) -> bool {
    match target.retain {
        RetainRule::Keep => message.retain,
        RetainRule::Strip => false,
        RetainRule::Set => true,
    }
}

pub(super) fn notes_of(message: &Incoming<'_>, target: &Target) -> Notes {
    let mut notes = Notes::default();
    if clamped_qos(message, target) != message.qos {
        notes.add(Note::QosClamped);
    }
    if message.retain && !clamped_retain(message, target) {
        notes.add(Note::RetainStripped);
    }
    notes
}

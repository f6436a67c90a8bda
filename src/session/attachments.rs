//! The devices that a gateway's session has attached. A message about a device that isn't waits, and with it all
//! that follows, until the platform has acknowledged its attachment: nothing is held but the shell's own buffer.

use std::collections::HashSet;
use std::time::Instant;

use foldhash::fast::RandomState;

use crate::mqtt::{
    Acknowledgement, PacketIdentifier, PacketType, Properties, Publish, Qos, RawPacket,
    RetainHandling, Subscribe, Subscription, encode_subscribe,
};
use crate::translate::{
    ATTACH_PAYLOAD, Reason, Refusal, SessionNames, Verdict, Way, gateway_error,
};

use super::conversation::{Session, Wake};

type Names = HashSet<Box<str>, RandomState>;

pub(super) const NOT_ATTACHED: Refusal =
    Refusal::new(Reason::NotAttached, "the platform doesn't let this gateway speak for the device");

/// The attachments of one session.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    attached: Names,
    refused: Names,
    /// Attached again once, because the platform had lost them.
    again: Names,
    pending: Option<Pending>,
    /// Where the platform says what is wrong, and the identifier of the subscription to it until its SUBACK.
    errors: Option<Errors>,
    /// For a name that is being looked up.
    name: String,
}

#[derive(Debug)]
struct Pending {
    identifier: PacketIdentifier,
    device: Box<str>,
    deadline: Instant,
}

#[derive(Debug)]
struct Errors {
    topic: Box<str>,
    subscribing: Option<PacketIdentifier>,
}

impl Attachments {
    /// When the pending attachment has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.deadline)
    }

    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The platform has said nothing in time. Its identifier stays lent: the answer may still come.
    pub(super) fn give_up(&mut self) {
        if let Some(Pending { device, .. }) = self.pending.take() {
            self.refused.insert(device);
        }
    }

    fn settle(&mut self, given: &Acknowledgement<'_>) -> bool {
        let own = |pending: &mut Pending| pending.identifier == given.packet_identifier;
        let Some(Pending { device, .. }) = self.pending.take_if(own) else { return false };
        let refused = given.reason_code.is_error();
        if refused {
            self.refused.insert(device)
        } else {
            self.attached.insert(device)
        };
        true
    }

    /// Takes an error that the platform sent. Only devices that it knows of change.
    fn hear(&mut self, payload: &[u8]) {
        let Some(error) = gateway_error(payload) else { return };
        let Some(device) = self.attached.take(&*error.device) else { return };
        match error.verdict {
            Verdict::Lost if self.again.insert(device.clone()) => {}
            Verdict::Lost | Verdict::Refused => drop(self.refused.insert(device)),
        }
    }

    /// How many devices the session has tried to attach.
    fn tried(&self) -> usize {
        self.attached.len() + self.refused.len()
    }

    /// Whether a device has to be attached first, and may be.
    fn needs(&self, device: &str, session: &Session) -> bool {
        !self.may_speak_for(device, &session.names)
            && !self.refused.contains(device)
            && self.tried() < session.plan.limits.attachments_max
    }

    /// Whether a device is the session's own or attached.
    fn may_speak_for(&self, device: &str, names: &SessionNames) -> bool {
        names.upstream_device.as_deref() == Some(device) || self.attached.contains(device)
    }

    /// The first device that a packet is about and that has to be attached first.
    fn missing(&mut self, raw: RawPacket<'_>, session: &Session) -> Option<Box<str>> {
        let translator = &session.plan.translator;
        match raw.packet_type {
            PacketType::Publish => {
                let publish = Publish::decode(raw, session.version).ok()?;
                let mut name = std::mem::take(&mut self.name);
                name.clear();
                let named = translator.speaks_for(publish.topic_name, &mut name);
                let missing = (named && self.needs(&name, session)).then(|| name.as_str().into());
                self.name = name;
                missing
            }
            PacketType::Subscribe => {
                let subscribe = Subscribe::decode(raw, session.version).ok()?;
                let mut filters = subscribe.subscriptions();
                filters.find_map(|asked| self.asked_for(&asked, session))
            }
            _ => None,
        }
    }

    fn asked_for(&self, asked: &Subscription<'_>, session: &Session) -> Option<Box<str>> {
        let translator = &session.plan.translator;
        let plan = translator.filter(asked.topic_filter, &session.names).ok()?;
        let mut devices = plan.upstream.iter().filter_map(|filter| translator.asks_about(filter));
        devices.find(|device| self.needs(device, session)).map(Into::into)
    }
}

impl Session {
    /// Whether a packet of the device has to wait until a device is attached. Asks the platform for it.
    pub(super) fn waits_for_attachment(&mut self, raw: RawPacket<'_>, wake: &mut Wake<'_>) -> bool {
        if !matches!(raw.packet_type, PacketType::Publish | PacketType::Subscribe) {
            return false;
        }
        let Some(mut attachments) = self.attachments.take() else { return false };
        if !attachments.is_pending()
            && let Some(device) = attachments.missing(raw, self)
        {
            self.attach(device, &mut attachments, wake);
        }
        let waits = attachments.is_pending();
        self.attachments = Some(attachments);
        waits
    }

    fn attach(&mut self, device: Box<str>, attachments: &mut Attachments, wake: &mut Wake<'_>) {
        let topic = self.plan.translator.attach_topic(&device);
        let identifier = self.joins.as_deref_mut().and_then(|joins| joins.on(Way::Up).lend());
        let (Some(topic_name), Some(identifier)) = (topic, identifier) else {
            attachments.refused.insert(device);
            return;
        };
        let publish = Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic_name: &topic_name,
            packet_identifier: Some(identifier),
            properties: Properties::EMPTY,
            payload: ATTACH_PAYLOAD,
        };
        if publish.encode(self.upstream_version, wake.to_upstream).is_err() {
            attachments.refused.insert(device);
            return;
        }
        self.keep_alive.upstream_told(wake.now);
        let deadline = wake.now + self.plan.limits.upstream_timeout;
        attachments.pending = Some(Pending { identifier, device, deadline });
    }

    /// Whether an acknowledgement of the upstream is of an attachment.
    pub(super) fn is_of_attachment(&mut self, given: &Acknowledgement<'_>) -> bool {
        let settled =
            self.attachments.as_deref_mut().is_some_and(|attachments| attachments.settle(given));
        if let Some(joins) = self.joins.as_deref_mut().filter(|_| settled) {
            joins.on(Way::Up).give_back(given.packet_identifier);
        }
        settled
    }

    /// Whether a message is about a device that isn't attached, and can't be: otherwise it would have waited.
    pub(super) fn is_unattached(&mut self, topic_name: &str) -> bool {
        let Self { plan, attachments, names, .. } = self;
        let Some(attachments) = attachments.as_deref_mut() else { return false };
        let mut name = std::mem::take(&mut attachments.name);
        name.clear();
        let named = plan.translator.speaks_for(topic_name, &mut name);
        let unattached = named && !attachments.may_speak_for(&name, names);
        attachments.name = name;
        unattached
    }

    /// A gateway asks to hear what goes wrong with its devices.
    pub(super) fn subscribe_to_errors(&mut self, wake: &mut Wake<'_>) {
        let Some(attachments) = self.attachments.as_deref_mut() else { return };
        let own = self.names.upstream_device.as_deref();
        let Some(topic) = own.and_then(|own| self.plan.translator.errors_topic(own)) else {
            return;
        };
        let Some(identifier) = self.joins.as_deref_mut().and_then(|joins| joins.on(Way::Up).lend())
        else {
            return;
        };
        let asked = Subscription {
            topic_filter: &topic,
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let properties = Properties::EMPTY;
        if encode_subscribe(
            self.upstream_version,
            identifier,
            properties,
            &[asked],
            wake.to_upstream,
        )
        .is_ok()
        {
            let subscribing = Some(identifier);
            attachments.errors = Some(Errors { topic: topic.into(), subscribing });
        }
    }

    /// Whether a SUBACK is of the session's own subscription. One that is refused changes nothing: then nobody
    /// says what goes wrong.
    pub(super) fn is_own_suback(&mut self, identifier: PacketIdentifier) -> bool {
        let errors = self.attachments.as_deref_mut().and_then(|own| own.errors.as_mut());
        let Some(errors) = errors.filter(|errors| errors.subscribing == Some(identifier)) else {
            return false;
        };
        errors.subscribing = None;
        if let Some(joins) = self.joins.as_deref_mut() {
            joins.on(Way::Up).give_back(identifier);
        }
        true
    }

    /// Whether a message of the upstream is for the gateway's session itself. Takes it.
    pub(super) fn hears_gateway_error(&mut self, publish: &Publish<'_>) -> bool {
        let Some(attachments) = self.attachments.as_deref_mut() else { return false };
        let own = |errors: &Errors| *errors.topic == *publish.topic_name;
        if !attachments.errors.as_ref().is_some_and(own) {
            return false;
        }
        attachments.hear(publish.payload);
        true
    }
}

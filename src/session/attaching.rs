//! Attaching: a packet about a device that isn't attached is put aside, and with it the messages behind it, until the
//! platform has acknowledged its attachment.

use crate::mqtt::{
    Acknowledgement, PacketIdentifier, PacketType, Properties, Publish, Qos, RawPacket,
    RetainHandling, Subscribe, Subscription, encode_subscribe,
};
use crate::translate::{ATTACH_PAYLOAD, Reason, Refusal, Way};

use super::attachments::{Attachments, Errors};
use super::conversation::Session;
use super::dispatch::packet_identifier;
use super::wake::Wake;

pub(super) const NOT_ATTACHED: Refusal =
    Refusal::new(Reason::NotAttached, "the platform doesn't let this gateway speak for the device");

impl Session {
    /// Whether a packet of the device has to wait until a device is attached. Asks the platform for it.
    pub(super) fn waits_for_attachment(&mut self, raw: RawPacket<'_>, wake: &mut Wake<'_>) -> bool {
        if !matches!(raw.packet_type, PacketType::Publish | PacketType::Subscribe) {
            return false;
        }
        let Some(mut attachments) = self.attachments.take() else { return false };
        if !attachments.is_pending()
            && let Some(device) = self.missing(raw, &mut attachments)
        {
            self.attach(device, &mut attachments, wake);
        }
        let waits = attachments.is_pending();
        if waits {
            // It may well have spoken: nobody listens at the moment.
            self.keep_alive.device_spoke(wake.now);
        } else {
            attachments.searched = 0;
        }
        self.attachments = Some(attachments);
        waits
    }

    /// The first device that a packet is about and that has to be attached first.
    fn missing(&self, raw: RawPacket<'_>, attachments: &mut Attachments) -> Option<Box<str>> {
        let most = self.plan.limits.attachments_max;
        if raw.packet_type == PacketType::Subscribe {
            return self.missing_for_filters(raw, attachments);
        }
        let publish = Publish::decode(raw, self.version).ok()?;
        let mut name = std::mem::take(&mut attachments.name);
        name.clear();
        let topic_name = self.peek_topic(Way::Up, &publish);
        let named = self.plan.translator.speaks_for(topic_name, &mut name);
        let missing = named && attachments.needs(&name, &self.names, most);
        let device = missing.then(|| name.as_str().into());
        attachments.name = name;
        device
    }

    /// Goes on where it stopped when this SUBSCRIBE was looked at before.
    fn missing_for_filters(
        &self,
        raw: RawPacket<'_>,
        attachments: &mut Attachments,
    ) -> Option<Box<str>> {
        let subscribe = Subscribe::decode(raw, self.version).ok()?;
        let limits = &self.plan.limits;
        let filters = subscribe.subscriptions().take(limits.subscriptions_max).enumerate();
        for (at, asked) in filters.skip(attachments.searched) {
            attachments.searched = at;
            let Ok(plan) =
                self.plan.translator.filter_within(asked.topic_filter, &self.names, &self.memory)
            else {
                continue;
            };
            let most = limits.attachments_max;
            let mut devices = self.devices_of(&plan.upstream);
            let missing = devices.find(|device| attachments.needs(device, &self.names, most));
            if let Some(device) = missing {
                return Some(device.into());
            }
        }
        None
    }

    fn devices_of<'f>(&'f self, upstream: &'f [String]) -> impl Iterator<Item = &'f str> {
        upstream.iter().filter_map(|filter| self.plan.translator.asks_about(filter))
    }

    /// Whether filters ask about a device that isn't attached, and can't be.
    pub(super) fn asks_about_unattached(&self, upstream: &[String]) -> bool {
        self.attachments.as_deref().is_some_and(|own| {
            self.devices_of(upstream).any(|device| !own.may_speak_for(device, &self.names))
        })
    }

    fn attach(&mut self, device: Box<str>, attachments: &mut Attachments, wake: &mut Wake<'_>) {
        let topic = self.plan.translator.attach_topic(&device);
        let identifier = self.lend();
        let (Some(topic_name), Some(identifier)) = (topic, identifier) else {
            attachments.refuse(device);
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
            attachments.refuse(device);
            return;
        }
        self.keep_alive.upstream_told(wake.now);
        let deadline = wake.now + self.plan.limits.upstream_timeout;
        attachments.asks(device, identifier, deadline);
    }

    /// An identifier that neither the device nor the proxy is using.
    pub(super) fn lend(&mut self) -> Option<PacketIdentifier> {
        let owes =
            |identifier| self.subscriptions.as_deref().is_some_and(|own| own.owed.has(identifier));
        self.joins.as_deref_mut().and_then(|joins| joins.on(Way::Up).lend(owes))
    }

    /// Whether the device uses an identifier under which the platform still owes an answer. An upstream that is so
    /// late is none.
    pub(super) fn needs_overdue(&self, raw: RawPacket<'_>) -> bool {
        let Some(attachments) = self.attachments.as_deref() else { return false };
        packet_identifier(raw, self.version).is_some_and(|own| attachments.is_overdue(own))
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
        if self.attachments.is_none() {
            return;
        }
        let own = self.names.upstream_device.as_deref();
        let Some(topic) = own.and_then(|own| self.plan.translator.errors_topic(own)) else {
            return;
        };
        let Some(identifier) = self.lend() else { return };
        let asked = Subscription {
            topic_filter: &topic,
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let (version, properties) = (self.upstream_version, Properties::EMPTY);
        let written = encode_subscribe(version, identifier, properties, &[asked], wake.to_upstream);
        if written.is_ok() {
            let errors = Errors { topic: topic.into(), subscribing: Some(identifier) };
            if let Some(attachments) = self.attachments.as_deref_mut() {
                attachments.errors = Some(errors);
            }
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

    /// Whether a message of the upstream is about the gateway's devices. The session takes it for itself, and the
    /// device gets it if it has asked for it.
    pub(super) fn hears_gateway_error(&mut self, publish: &Publish<'_>) -> bool {
        let Some(attachments) = self.attachments.as_deref_mut() else { return false };
        let own = |errors: &Errors| *errors.topic == *publish.topic_name;
        let heard = attachments.errors.as_ref().is_some_and(own);
        if heard {
            attachments.hear(publish.payload);
        }
        heard
    }
}

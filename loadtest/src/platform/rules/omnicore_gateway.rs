//! OmniCore's rules for what devices publish, and for gateways: attach, detach, and the errors topic.
//!
//! Sources as in `omnicore`. The error's `error_type` and `device_id` are confirmed by third-party gateways and
//! Google's sample tests; the other members are recalled from the ancestor's page and not confirmed.

use std::time::Duration;

use interlingua::mqtt::{Publish, Qos, ReasonCode};
use serde::Deserialize;
use serde_json::json;

use super::omnicore::{EVENT_BYTES_MAX, GatewayAuth, Omnicore, STATE_BYTES_MAX};
use super::{Denial, Member, Moment, Role};
use crate::platform::finding::{Fate, Fault, Note, Rule, Verdict};
use crate::platform::message::Message;

/// Attached devices of a gateway (quotas-and-limits).
const ATTACHED_MAX: usize = 10_000;

/// What a device's token stands in.
#[derive(Debug, Default, Deserialize)]
struct AttachPayload {
    authorization: Option<String>,
}

impl Omnicore {
    pub(super) fn publish(
        &mut self,
        member: &mut Member,
        publish: &Publish<'_>,
        now: Moment,
    ) -> Verdict {
        let close = |form, rule, code, detail: &str| {
            Verdict::new(form, Fate::Close(Fault::new(rule, code, detail)))
        };
        let levels: Vec<&str> = publish.topic_name.split('/').collect();
        let (form, device) = match &*levels {
            ["", registry, device, form @ ("state" | "attach" | "detach")]
            | ["", registry, device, form @ "events", ..]
                if *registry == self.registry =>
            {
                (word(form), *device)
            }
            // Ancestor: a topic that there isn't ends the connection.
            _ => {
                let detail = "there are …/events, …/state, …/attach and …/detach";
                return close("other", Rule::Topic, ReasonCode::TopicNameInvalid, detail);
            }
        };
        if publish.qos == Qos::ExactlyOnce {
            // publishing-over-mqtt-bridge: it closes the connection.
            return close(form, Rule::Qos2, ReasonCode::QosNotSupported, "there is no QoS 2");
        }
        if publish.retain {
            // requirements: not supported. That it closes the connection is the ancestor's.
            let code = ReasonCode::RetainNotSupported;
            return close(form, Rule::Retain, code, "there are no retained messages");
        }
        match form {
            "attach" => self.attach(member, device, publish, now),
            "detach" => detach(member, device),
            _ => self.take_data(member, device, form, publish, now),
        }
    }

    /// Events and state.
    fn take_data(
        &mut self,
        member: &Member,
        device: &str,
        form: &'static str,
        publish: &Publish<'_>,
        now: Moment,
    ) -> Verdict {
        if let Err(denial) = self.speaks_for(member, device, "PUBLISH", publish.topic_name) {
            let fate = match member.role {
                // What isn't attached is reported, and the gateway stays connected (using-gateways).
                Role::Gateway { .. } => Fate::Drop(denial.fault),
                _ => Fate::Close(denial.fault),
            };
            return Verdict::new(form, fate).with_messages(denial.messages);
        }
        let most = if form == "state" { STATE_BYTES_MAX } else { EVENT_BYTES_MAX };
        if publish.payload.len() > most {
            // The limit is in quotas-and-limits; that the connection ends is the ancestor's.
            let detail = format!("{} bytes, {most} are the most", publish.payload.len());
            let fault = Fault::new(Rule::PayloadSize, ReasonCode::PacketTooLarge, detail);
            return Verdict::new(form, Fate::Close(fault));
        }
        let rate = (!self.events.take(now.at))
            .then(|| Note::new(Rule::PublishRate, "more than 60,000 per minute"));
        let state = if form == "state" { self.note_state(device, now) } else { None };
        Verdict::new(form, Fate::Take).with_note(rate).with_note(state)
    }

    /// Each state is forwarded, one per second is kept (concepts/devices-configuration-and-state).
    fn note_state(&mut self, device: &str, now: Moment) -> Option<Note> {
        let last = self.states.get(device);
        if last.is_some_and(|last| now.at.duration_since(*last) < Duration::from_secs(1)) {
            return Some(Note::new(Rule::StateRate, "forwarded, but not kept: one per second is"));
        }
        self.states.insert(device.to_owned(), now.at);
        None
    }

    /// Whether a connection may say or ask something about a device.
    pub(super) fn speaks_for(
        &self,
        member: &Member,
        device: &str,
        packet: &str,
        topic: &str,
    ) -> Result<(), Denial> {
        match &member.role {
            _ if device == member.device => Ok(()),
            Role::Gateway { attached } if attached.contains(device) => Ok(()),
            Role::Gateway { .. } => {
                let detail = "attach it first";
                let fault = Fault::new(Rule::NotAttached, ReasonCode::NotAuthorized, detail);
                let kind = "GATEWAY_DEVICE_NOT_FOUND";
                let error = self.error(member, kind, device, detail, packet, topic);
                Err(Denial { fault, messages: vec![error] })
            }
            _ => {
                let detail = "the connection is another device's";
                Err(Fault::new(Rule::ForeignDevice, ReasonCode::NotAuthorized, detail).into())
            }
        }
    }

    fn attach(
        &self,
        member: &mut Member,
        device: &str,
        publish: &Publish<'_>,
        now: Moment,
    ) -> Verdict {
        let refused = self.may_attach(member, device, publish, now);
        match (&mut member.role, refused) {
            (Role::Gateway { attached }, Ok(())) => {
                attached.insert(device.to_owned());
                Verdict::new("attach", Fate::Take)
            }
            (Role::Gateway { .. }, Err(fault)) => {
                // PUBACK follows the authorization (ancestor): without that there is none.
                let (kind, topic) = ("GATEWAY_ATTACHMENT_ERROR", publish.topic_name);
                let error = self.error(member, kind, device, &fault.detail, "ATTACH", topic);
                Verdict::new("attach", Fate::Withhold(fault)).with_messages([error])
            }
            _ => Verdict::new("attach", Fate::Close(not_a_gateway())),
        }
    }

    fn may_attach(
        &self,
        member: &Member,
        device: &str,
        publish: &Publish<'_>,
        now: Moment,
    ) -> Result<(), Fault> {
        let fault = |rule, detail: String| Err(Fault::new(rule, ReasonCode::NotAuthorized, detail));
        let Role::Gateway { attached } = &member.role else { return Ok(()) };
        if publish.qos != Qos::AtLeastOnce {
            return fault(Rule::AttachQos, "attach has QoS 1".to_owned());
        }
        if attached.len() >= ATTACHED_MAX {
            return fault(Rule::AttachLimit, format!("{ATTACHED_MAX} devices are the most"));
        }
        let registered = self.devices.get(device);
        if !self.open && registered.is_none() {
            return fault(Rule::AttachRefused, "it isn't in the registry".to_owned());
        }
        let needs_binding = !self.open && self.gateway_auth != GatewayAuth::TokenOnly;
        if needs_binding
            && !registered.is_some_and(|device| device.gateways.contains(&member.device))
        {
            return fault(Rule::AttachRefused, "it isn't bound to this gateway".to_owned());
        }
        let Some(payload) = attach_payload(publish.payload) else {
            return fault(Rule::AttachRefused, "the payload is neither empty nor JSON".to_owned());
        };
        if self.gateway_auth != GatewayAuth::AssociationOnly {
            let token = payload.authorization.unwrap_or_default();
            if let Err(found) = self.check_token(device, token.as_bytes(), now) {
                let word = found.rule.word();
                let detail = format!("the device's authorization: {word}, {}", found.detail);
                return fault(Rule::AttachRefused, detail);
            }
        }
        Ok(())
    }

    /// A message on the gateway's errors topic, QoS 0 (using-gateways).
    fn error(
        &self,
        member: &Member,
        kind: &str,
        device: &str,
        description: &str,
        packet: &str,
        topic: &str,
    ) -> Message {
        let payload = json!({
            "error_type": kind,
            "device_id": device,
            "description": description,
            "mqtt_message_info": { "message_type": packet, "topic": topic },
        });
        let topic = format!("/{}/{}/errors", self.registry, member.device);
        Message::new(topic, payload.to_string(), Qos::AtMostOnce)
    }
}

/// A device that isn't attached is detached already: PUBACK is sent (using-gateways).
fn detach(member: &mut Member, device: &str) -> Verdict {
    let fate = match &mut member.role {
        Role::Gateway { attached } => {
            attached.remove(device);
            Fate::Take
        }
        _ => Fate::Close(not_a_gateway()),
    };
    Verdict::new("detach", fate)
}

/// Attach and detach by a device that is no gateway close the connection (using-gateways).
fn not_a_gateway() -> Fault {
    Fault::new(Rule::AttachNotGateway, ReasonCode::NotAuthorized, "only gateways attach and detach")
}

fn attach_payload(payload: &[u8]) -> Option<AttachPayload> {
    if payload.is_empty() {
        return Some(AttachPayload::default());
    }
    serde_json::from_slice(payload).ok()
}

fn word(form: &str) -> &'static str {
    match form {
        "state" => "state",
        "attach" => "attach",
        "detach" => "detach",
        _ => "events",
    }
}

//! SUBSCRIBE and UNSUBSCRIBE: the rules are asked, the hub does it.
//!
//! Invariant: one code per topic filter, and what the platform sends because of a subscription comes behind the SUBACK.

use interlingua::mqtt::{
    Properties, Property, Qos, ReasonCode, Suback, Subscribe, Subscription, Unsuback, Unsubscribe,
    Version, topic,
};

use super::broker::{Broker, End, Written};
use super::finding::{Fault, Outcome, Rule};
use super::hub::Place;
use super::message::Message;
use super::rules::Denial;

impl Broker {
    pub(super) fn take_subscribe(
        &mut self,
        place: Place,
        subscribe: &Subscribe<'_>,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<Written, End> {
        let identifier = subscribe.properties.iter().find_map(|property| match property {
            Property::SubscriptionIdentifier(identifier) => Some(identifier),
            _ => None,
        });
        let (mut reason_codes, mut messages) = (Vec::new(), Vec::new());
        for wish in subscribe.subscriptions() {
            let code = match self.grant(place, &wish, identifier, &mut messages) {
                Ok(qos) => qos.level(),
                Err(fault) => match version {
                    Version::V5 => fault.code.value(),
                    Version::V311 => ReasonCode::UnspecifiedError.value(),
                    // 3.1 has no word for it, so it hears it in another way.
                    Version::V31 => return Err(End::Fault(fault)),
                },
            };
            reason_codes.push(code);
        }
        let (packet_identifier, properties) = (subscribe.packet_identifier, Properties::EMPTY);
        let suback = Suback { packet_identifier, properties, reason_codes: &reason_codes };
        let written = suback.encode(version, out);
        for (message, qos) in messages {
            self.hub.send(place, message, qos);
        }
        Ok(written)
    }

    /// Asks the rules about a subscription, and makes it.
    fn grant(
        &mut self,
        place: Place,
        wish: &Subscription<'_>,
        identifier: Option<u32>,
        messages: &mut Vec<(Message, Qos)>,
    ) -> Result<Qos, Fault> {
        let code = ReasonCode::SharedSubscriptionsNotSupported;
        let Some(client) = self.clients.get_mut(&place) else {
            return Err(Fault::new(Rule::TopicFilter, ReasonCode::UnspecifiedError, "no client"));
        };
        let shown = self.platform.masked(wish.topic_filter);
        let asked = match client.grants.version {
            Version::V5 if topic::shared(wish.topic_filter).is_some() => {
                Err(Fault::new(Rule::TopicFilter, code, "no shared subscriptions").into())
            }
            _ => self.platform.subscribe(&client.member, wish),
        };
        let grant = match asked {
            Ok(grant) => grant,
            Err(denial) => {
                let name = client.name.clone();
                return Err(self.deny(&name, &shown, denial));
            }
        };
        let name = client.name.clone();
        self.note_all(&name, Some(&shown), &grant.notes);
        self.hub
            .subscribe(place, wish, grant.qos, identifier)
            .map_err(|code| Fault::new(Rule::TopicFilter, code, "too many subscriptions"))?;
        self.ledger.connection("subscribed", &name, &shown);
        let filter = wish.topic_filter.to_owned();
        if let Some((target, client)) = grant.target.zip(self.clients.get_mut(&place)) {
            client.targets.insert(filter, target);
        }
        messages.extend(grant.messages.into_iter().map(|message| (message, grant.qos)));
        Ok(grant.qos)
    }

    fn deny(&mut self, client: &str, shown: &str, denial: Denial) -> Fault {
        let Denial { fault, messages } = denial;
        let outcome = Outcome::Refused;
        self.ledger.violation(fault.rule, outcome, client, Some(shown), &fault.detail);
        for message in messages {
            self.hub.publish(message, None);
        }
        fault
    }

    pub(super) fn take_unsubscribe(
        &mut self,
        place: Place,
        unsubscribe: &Unsubscribe<'_>,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Written {
        let mut reason_codes = Vec::new();
        for filter in unsubscribe.topic_filters() {
            if let Some(client) = self.clients.get_mut(&place) {
                client.targets.remove(filter);
            }
            reason_codes.push(match self.hub.unsubscribe(place, filter) {
                true => ReasonCode::Success.value(),
                false => ReasonCode::NoSubscriptionExisted.value(),
            });
        }
        let (packet_identifier, properties) = (unsubscribe.packet_identifier, Properties::EMPTY);
        Unsuback { packet_identifier, properties, reason_codes: &reason_codes }.encode(version, out)
    }
}

//! Properties of a packet that passes a translation: names are translated, secrets and aliases stay behind.

use crate::dialect::Secret;
use crate::mqtt::{Properties, Property, PropertyBuffer, PropertyIdentifier};
use crate::translate::{Memory, Reason, Refusal, Translator, Way};

use super::aliases::Alias;
use super::subscriptions::{Arrival, Subscriptions};

const TOO_MANY: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "the properties don't fit a packet");

/// The properties as the other side may see them. Mostly the same bytes; only where a name has to be
/// translated, or something has to stay behind, are they written again, into `buffer`.
///
/// # Errors
/// When the response topic leads nowhere on the other side: the answer would never come.
pub(super) fn translate<'p>(
    properties: Properties<'p>,
    way: Way,
    translator: &Translator,
    memory: &Memory,
    buffer: &'p mut PropertyBuffer,
) -> Result<Properties<'p>, Refusal> {
    let changes = |property: &Property<'_>| match property {
        Property::ResponseTopic(_) | Property::TopicAlias(_) => true,
        Property::UserProperty(name, _) => translator.is_secret(way, name),
        _ => false,
    };
    if properties.is_empty() || !properties.iter().any(|property| changes(&property)) {
        return Ok(properties);
    }
    buffer.clear();
    for property in properties.iter() {
        match property {
            Property::ResponseTopic(topic_name) => {
                let translated = translator.response_topic(way, topic_name, memory)?;
                buffer.push(Property::ResponseTopic(&translated)).map_err(|_| TOO_MANY)?;
            }
            property if changes(&property) => {}
            property => buffer.push(property).map_err(|_| TOO_MANY)?,
        }
    }
    Ok(buffer.properties())
}

/// The properties of a message's parts: what they have in common, and what each topic name adds.
pub(super) struct Delivered<'d> {
    /// What the parts have in common.
    pub(super) properties: Properties<'d>,
    /// What the upstream's platform wants in each of them.
    pub(super) wanted: &'d [(Box<str>, Secret)],
    /// The subscriptions that say which Subscription Identifiers a part has, where the upstream doesn't or can't.
    pub(super) identified: Option<&'d Subscriptions>,
    pub(super) arrival: Arrival,
    pub(super) buffer: &'d mut PropertyBuffer,
}

impl Delivered<'_> {
    /// The properties of one part. Written again only where something is added or replaced.
    pub(super) fn properties_of(
        &mut self,
        topic_name: &str,
        alias: Alias,
    ) -> Result<Properties<'_>, Refusal> {
        if alias == Alias::None && self.identified.is_none() && self.wanted.is_empty() {
            return Ok(self.properties);
        }
        self.buffer.clear();
        let replaced = self.identified.is_some_and(|own| own.knows(topic_name));
        for property in self.properties.iter() {
            let stays = property.identifier() != PropertyIdentifier::SubscriptionIdentifier;
            if stays || !replaced {
                self.buffer.push(property).map_err(|_| TOO_MANY)?;
            }
        }
        for (name, value) in self.wanted {
            let property = Property::UserProperty(name, value.reveal());
            self.buffer.push(property).map_err(|_| TOO_MANY)?;
        }
        if let Some(own) = self.identified {
            for identifier in own.identifiers(topic_name, self.arrival) {
                let identifier = Property::SubscriptionIdentifier(identifier);
                self.buffer.push(identifier).map_err(|_| TOO_MANY)?;
            }
        }
        if let Alias::Known(number) | Alias::New(number) = alias {
            self.buffer.push(Property::TopicAlias(number)).map_err(|_| TOO_MANY)?;
        }
        Ok(self.buffer.properties())
    }
}

/// The properties of a packet that is no message, without what has to stay on its side: secrets, and the
/// addresses of other servers, which don't speak the device's dialect.
pub(super) fn guard<'p>(
    properties: Properties<'p>,
    way: Way,
    translator: &Translator,
    buffer: &'p mut PropertyBuffer,
) -> Properties<'p> {
    let stays = |property: &Property<'_>| match property {
        Property::UserProperty(name, _) => translator.is_secret(way, name),
        Property::ServerReference(_) => true,
        _ => false,
    };
    if translator.is_plain() || !properties.iter().any(|property| stays(&property)) {
        return properties;
    }
    buffer.clear();
    for property in properties.iter().filter(|property| !stays(property)) {
        // They were in a packet, so they fit one. If not, none is better than a wrong one.
        if buffer.push(property).is_err() {
            return Properties::EMPTY;
        }
    }
    buffer.properties()
}

/// Copies properties without those of `dropped`, then appends `added`.
pub(super) fn without<'p>(
    properties: Properties<'_>,
    dropped: &[PropertyIdentifier],
    added: &[Property<'_>],
    buffer: &'p mut PropertyBuffer,
) -> Result<Properties<'p>, Refusal> {
    buffer.clear();
    let kept = properties.iter().filter(|property| !dropped.contains(&property.identifier()));
    for property in kept.chain(added.iter().copied()) {
        buffer.push(property).map_err(|_| TOO_MANY)?;
    }
    Ok(buffer.properties())
}

/// The Maximum Packet Size that a CONNECT or CONNACK announces.
pub(super) fn maximum_packet_size(properties: Properties<'_>) -> Option<u32> {
    match properties.find(PropertyIdentifier::MaximumPacketSize) {
        Some(Property::MaximumPacketSize(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The Receive Maximum that a CONNECT or CONNACK announces; its silence is the greatest (v5 section 3.1.2.11.3).
pub(super) fn receive_maximum(properties: Properties<'_>) -> u16 {
    match properties.find(PropertyIdentifier::ReceiveMaximum) {
        Some(Property::ReceiveMaximum(most)) => most,
        _ => u16::MAX,
    }
}

/// The Server Keep Alive of a CONNACK, in seconds.
pub(super) fn server_keep_alive(properties: Properties<'_>) -> Option<u16> {
    match properties.find(PropertyIdentifier::ServerKeepAlive) {
        Some(Property::ServerKeepAlive(seconds)) => Some(seconds),
        _ => None,
    }
}

/// The Session Expiry Interval of a CONNECT or DISCONNECT, in seconds.
pub(super) fn session_expiry(properties: Properties<'_>) -> Option<u32> {
    match properties.find(PropertyIdentifier::SessionExpiryInterval) {
        Some(Property::SessionExpiryInterval(seconds)) => Some(seconds),
        _ => None,
    }
}

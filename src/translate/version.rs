//! What becomes of the properties of MQTT 5 where the other side speaks 3.1 or 3.1.1: the one table. The README shows it;
//! a test compares the two.

use crate::mqtt::{Properties, PropertyIdentifier};

/// What becomes of a property towards an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The proxy itself does what the property asks for, on behalf of the side that has no word for it.
    Emulated,
    /// It belongs to one connection, and says nothing to the other side.
    Local,
    /// The other side never hears of it. In a message that is counted as `meta_lost`.
    Lost,
}

impl Fate {
    /// The word of the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Fate::Emulated => "emulated",
            Fate::Local => "stays on its side",
            Fate::Lost => "lost",
        }
    }
}

/// A property, its name, what becomes of it, and how.
pub type Row = (PropertyIdentifier, &'static str, Fate, &'static str);

/// Every property of MQTT 5, by its number.
pub const TABLE: [Row; 27] = {
    use Fate::{Emulated, Local, Lost};
    use PropertyIdentifier as Property;
    [
        (Property::PayloadFormatIndicator, "Payload Format Indicator", Lost, ""),
        (
            Property::MessageExpiryInterval,
            "Message Expiry Interval",
            Lost,
            "a broker of 3.x knows no expiry; what the proxy puts aside waits seconds, and isn't counted",
        ),
        (Property::ContentType, "Content Type", Lost, ""),
        (Property::ResponseTopic, "Response Topic", Lost, ""),
        (Property::CorrelationData, "Correlation Data", Lost, ""),
        (
            Property::SubscriptionIdentifier,
            "Subscription Identifier",
            Emulated,
            "added to what matches the device's filters",
        ),
        (
            Property::SessionExpiryInterval,
            "Session Expiry Interval",
            Emulated,
            "as the clean session flag; a device of 5 is told what its session gets",
        ),
        (
            Property::AssignedClientIdentifier,
            "Assigned Client Identifier",
            Emulated,
            "the proxy makes one up for a device of 5",
        ),
        (
            Property::ServerKeepAlive,
            "Server Keep Alive",
            Emulated,
            "the proxy pings for the device",
        ),
        (
            Property::AuthenticationMethod,
            "Authentication Method",
            Lost,
            "CONNECT is refused: bad authentication method",
        ),
        (
            Property::AuthenticationData,
            "Authentication Data",
            Lost,
            "CONNECT is refused: bad authentication method",
        ),
        (Property::RequestProblemInformation, "Request Problem Information", Local, ""),
        (
            Property::WillDelayInterval,
            "Will Delay Interval",
            Emulated,
            "the proxy keeps the upstream's connection so long",
        ),
        (
            Property::RequestResponseInformation,
            "Request Response Information",
            Local,
            "a server need not answer it",
        ),
        (Property::ResponseInformation, "Response Information", Lost, ""),
        (Property::ServerReference, "Server Reference", Lost, ""),
        (Property::ReasonString, "Reason String", Lost, ""),
        (
            Property::ReceiveMaximum,
            "Receive Maximum",
            Emulated,
            "messages wait in the proxy's buffer, then in the sender's socket",
        ),
        (
            Property::TopicAliasMaximum,
            "Topic Alias Maximum",
            Local,
            "each connection has aliases of its own",
        ),
        (Property::TopicAlias, "Topic Alias", Local, "resolved"),
        (
            Property::MaximumQos,
            "Maximum QoS",
            Emulated,
            "lowered, with the handshake finished by the proxy",
        ),
        (Property::RetainAvailable, "Retain Available", Emulated, "RETAIN is taken away"),
        (Property::UserProperty, "User Property", Lost, ""),
        (
            Property::MaximumPacketSize,
            "Maximum Packet Size",
            Emulated,
            "what is larger is refused, with a reason",
        ),
        (
            Property::WildcardSubscriptionAvailable,
            "Wildcard Subscription Available",
            Emulated,
            "the proxy refuses the filter",
        ),
        (Property::SubscriptionIdentifierAvailable, "Subscription Identifier Available", Local, ""),
        (
            Property::SharedSubscriptionAvailable,
            "Shared Subscription Available",
            Emulated,
            "the proxy refuses the filter",
        ),
    ]
};

/// What becomes of a property.
#[must_use]
pub fn fate(identifier: PropertyIdentifier) -> Fate {
    let row = TABLE.iter().find(|(known, ..)| *known == identifier);
    row.map_or(Fate::Lost, |(_, _, fate, _)| *fate)
}

/// Whether something of a message's properties is lost towards an older version.
#[must_use]
pub fn loses(properties: Properties<'_>) -> bool {
    !properties.is_empty()
        && properties.iter().any(|property| fate(property.identifier()) == Fate::Lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::{Property, PropertyBuffer};

    #[test]
    fn every_property_has_one_row() {
        let numbers: Vec<u8> = TABLE.iter().map(|(identifier, ..)| identifier.number()).collect();
        let known: Vec<u8> = (0..=u8::MAX)
            .filter(|number| PropertyIdentifier::from_number(*number).is_some())
            .collect();
        assert_eq!(numbers, known);
    }

    #[test]
    fn an_alias_is_no_loss() {
        let mut buffer = PropertyBuffer::new();
        buffer.push(Property::TopicAlias(1)).unwrap();
        assert!(!loses(buffer.properties()));
        buffer.push(Property::ContentType("text/plain")).unwrap();
        assert!(loses(buffer.properties()));
    }
}

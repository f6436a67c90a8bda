//! Builds the properties of a packet.
//!
//! It belongs to its owner and can be used again; it isn't where decoded properties live. Invariant:
//! what it holds are whole properties with legal values, none of them more often than some packet
//! allows.

use super::error::EncodeError;
use super::properties::{Properties, Seen};
use super::property::Property;
use super::property_table::Places;

/// A list of properties that grows.
#[derive(Debug, Clone)]
pub struct PropertyBuffer {
    bytes: Vec<u8>,
    seen: Seen,
}

impl PropertyBuffer {
    /// An empty list. Allocates with the first property.
    pub fn new() -> Self {
        Self { bytes: Vec::new(), seen: Seen::NONE }
    }

    /// Empties the list and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.seen = Seen::NONE;
    }

    /// Adds a property at the end.
    ///
    /// # Errors
    /// A string or binary data too long, U+0000, a value out of range, a second property of a kind
    /// that no packet may have twice. The list is as it was then.
    pub fn push(&mut self, property: Property<'_>) -> Result<(), EncodeError> {
        property.check()?;
        let mut seen = self.seen;
        if seen.add(property.identifier()) == Places::NONE {
            return Err(EncodeError::PropertyDuplicate(property.identifier()));
        }
        self.seen = seen;
        property.write(&mut self.bytes);
        Ok(())
    }

    /// What the list holds, to be put in a packet. Whether that packet may carry it is checked when it
    /// is encoded.
    pub fn properties(&self) -> Properties<'_> {
        let places = if self.seen.lacks_method() { Places::NONE } else { self.seen.places };
        Properties::from_checked(&self.bytes, places)
    }
}

impl Default for PropertyBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::property::PropertyIdentifier as Identifier;
    use super::super::property_table::Place;
    use super::*;

    #[test]
    fn one_of_each_comes_back() {
        let all = [
            Property::PayloadFormatIndicator(1),
            Property::MessageExpiryInterval(0),
            Property::ContentType("text/plain"),
            Property::ResponseTopic("a/b"),
            Property::CorrelationData(&[0, 255]),
            Property::SubscriptionIdentifier(268_435_455),
            Property::SessionExpiryInterval(u32::MAX),
            Property::AssignedClientIdentifier("c"),
            Property::ServerKeepAlive(0),
            Property::AuthenticationMethod("m"),
            Property::AuthenticationData(&[]),
            Property::RequestProblemInformation(0),
            Property::WillDelayInterval(1),
            Property::RequestResponseInformation(1),
            Property::ResponseInformation("r"),
            Property::ServerReference("s"),
            Property::ReasonString(""),
            Property::ReceiveMaximum(1),
            Property::TopicAliasMaximum(0),
            Property::TopicAlias(65_535),
            Property::MaximumQos(1),
            Property::RetainAvailable(0),
            Property::UserProperty("n", "v"),
            Property::MaximumPacketSize(1),
            Property::WildcardSubscriptionAvailable(0),
            Property::SubscriptionIdentifierAvailable(1),
            Property::SharedSubscriptionAvailable(0),
        ];
        let mut buffer = PropertyBuffer::new();
        for property in all {
            buffer.push(property).unwrap();
        }
        assert_eq!(buffer.properties().iter().collect::<Vec<_>>(), all);
        // No packet has all of them.
        let refused = Err(EncodeError::PropertyNotAllowed);
        assert_eq!(buffer.properties().check(Place::Publish), refused);
        buffer.clear();
        assert!(buffer.properties().is_empty());
        assert_eq!(buffer.properties().check(Place::Publish), Ok(()));
    }

    #[test]
    fn wrong_values_leave_the_list_as_it_was() {
        let long = "x".repeat(65_536);
        let cases = [
            (Property::MaximumQos(2), EncodeError::PropertyValueInvalid(Identifier::MaximumQos)),
            (
                Property::SubscriptionIdentifier(268_435_456),
                EncodeError::PropertyValueInvalid(Identifier::SubscriptionIdentifier),
            ),
            (
                Property::ResponseTopic(""),
                EncodeError::PropertyValueInvalid(Identifier::ResponseTopic),
            ),
            (Property::ResponseTopic("a/#"), EncodeError::TopicNameInvalid),
            (Property::ContentType(&long), EncodeError::StringTooLong),
            (Property::UserProperty("", &long), EncodeError::StringTooLong),
            (Property::UserProperty("\0", ""), EncodeError::StringHasNull),
            (Property::CorrelationData(long.as_bytes()), EncodeError::BinaryTooLong),
            (Property::TopicAlias(2), EncodeError::PropertyDuplicate(Identifier::TopicAlias)),
        ];
        let mut buffer = PropertyBuffer::new();
        buffer.push(Property::TopicAlias(1)).unwrap();
        for (property, fault) in cases {
            assert_eq!(buffer.push(property), Err(fault));
            assert_eq!(buffer.properties().as_bytes(), [35, 0, 1]);
            assert_eq!(buffer.properties().check(Place::Publish), Ok(()));
        }
    }

    #[test]
    fn what_one_packet_may_have_another_may_not() {
        let mut buffer = PropertyBuffer::new();
        buffer.push(Property::SubscriptionIdentifier(1)).unwrap();
        assert_eq!(buffer.properties().check(Place::Subscribe), Ok(()));
        buffer.push(Property::SubscriptionIdentifier(2)).unwrap();
        let refused = Err(EncodeError::PropertyNotAllowed);
        assert_eq!(buffer.properties().check(Place::Subscribe), refused);
        assert_eq!(buffer.properties().check(Place::Publish), Ok(()));

        buffer.clear();
        buffer.push(Property::AuthenticationData(b"d")).unwrap();
        assert_eq!(buffer.properties().check(Place::Connect), refused);
        buffer.push(Property::AuthenticationMethod("m")).unwrap();
        assert_eq!(buffer.properties().check(Place::Connect), Ok(()));
    }
}

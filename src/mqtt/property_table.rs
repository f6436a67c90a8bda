//! Which packet may carry which property: the table of v5 section 2.2.2.2.
//!
//! Not what a value may be: that is in `property`. Invariant: the table has all 27 properties.

use super::property::PropertyIdentifier;

/// A place that has a list of properties. The discriminant is a bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    Connect,
    Connack,
    Publish,
    /// The will in CONNECT.
    Will,
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK: all alike.
    Acknowledgement,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Auth,
}

/// A set of places, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places(u16);

impl Places {
    pub(super) const ALL: Self = Self(0xFFFF);
    pub(super) const NONE: Self = Self(0);
    pub(super) const PUBLISH: Self = Self::of(&[Place::Publish]);

    const fn of(places: &[Place]) -> Self {
        let mut bits = 0;
        let mut left = places;
        while let [first, rest @ ..] = left {
            bits |= 1 << (*first as u8);
            left = rest;
        }
        Self(bits)
    }

    #[inline]
    pub(super) fn contains(self, place: Place) -> bool {
        self.0 & (1 << (place as u8)) != 0
    }

    /// The places that are in both sets.
    #[inline]
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

const MESSAGE: Places = Places::of(&[Place::Publish, Place::Will]);
const CONNECT: Places = Places::of(&[Place::Connect]);
const CONNACK: Places = Places::of(&[Place::Connack]);
const CONNECT_CONNACK: Places = Places::of(&[Place::Connect, Place::Connack]);
const AUTHENTICATION: Places = Places::of(&[Place::Connect, Place::Connack, Place::Auth]);
const REASON: Places =
    Places::of(&[Place::Connack, Place::Acknowledgement, Place::Disconnect, Place::Auth]);

/// Where a property may stand.
#[inline]
pub(super) fn places(identifier: PropertyIdentifier) -> Places {
    use PropertyIdentifier as Identifier;
    match identifier {
        Identifier::PayloadFormatIndicator
        | Identifier::MessageExpiryInterval
        | Identifier::ContentType
        | Identifier::ResponseTopic
        | Identifier::CorrelationData => MESSAGE,
        Identifier::SubscriptionIdentifier => {
            const { Places::of(&[Place::Publish, Place::Subscribe]) }
        }
        Identifier::SessionExpiryInterval => {
            const { Places::of(&[Place::Connect, Place::Connack, Place::Disconnect]) }
        }
        Identifier::AuthenticationMethod | Identifier::AuthenticationData => AUTHENTICATION,
        Identifier::RequestProblemInformation | Identifier::RequestResponseInformation => CONNECT,
        Identifier::WillDelayInterval => const { Places::of(&[Place::Will]) },
        Identifier::ServerReference => const { Places::of(&[Place::Connack, Place::Disconnect]) },
        Identifier::ReasonString => REASON,
        Identifier::ReceiveMaximum
        | Identifier::TopicAliasMaximum
        | Identifier::MaximumPacketSize => CONNECT_CONNACK,
        Identifier::TopicAlias => Places::PUBLISH,
        Identifier::UserProperty => Places::ALL,
        Identifier::AssignedClientIdentifier
        | Identifier::ServerKeepAlive
        | Identifier::ResponseInformation
        | Identifier::MaximumQos
        | Identifier::RetainAvailable
        | Identifier::WildcardSubscriptionAvailable
        | Identifier::SubscriptionIdentifierAvailable
        | Identifier::SharedSubscriptionAvailable => CONNACK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's table, once more, by number: C CONNECT, c CONNACK, P PUBLISH, W will,
    /// a acknowledgements, S SUBSCRIBE, U UNSUBSCRIBE, D DISCONNECT, A AUTH.
    const TABLE: [(u8, &str); 27] = [
        (1, "PW"),
        (2, "PW"),
        (3, "PW"),
        (8, "PW"),
        (9, "PW"),
        (11, "PS"),
        (17, "CcD"),
        (18, "c"),
        (19, "c"),
        (21, "CcA"),
        (22, "CcA"),
        (23, "C"),
        (24, "W"),
        (25, "C"),
        (26, "c"),
        (28, "cD"),
        (31, "caDA"),
        (33, "Cc"),
        (34, "Cc"),
        (35, "P"),
        (36, "c"),
        (37, "c"),
        (38, "CcPWaSUDA"),
        (39, "Cc"),
        (40, "c"),
        (41, "c"),
        (42, "c"),
    ];

    #[test]
    fn the_table_is_the_specifications() {
        let letters = [
            ('C', Place::Connect),
            ('c', Place::Connack),
            ('P', Place::Publish),
            ('W', Place::Will),
            ('a', Place::Acknowledgement),
            ('S', Place::Subscribe),
            ('U', Place::Unsubscribe),
            ('D', Place::Disconnect),
            ('A', Place::Auth),
        ];
        for (number, allowed) in TABLE {
            let identifier = PropertyIdentifier::from_number(number).unwrap();
            assert_eq!(identifier.number(), number);
            for (letter, place) in letters {
                let found = places(identifier).contains(place);
                assert_eq!(found, allowed.contains(letter), "{identifier:?} in {place:?}");
            }
        }
        let known = (0..=255).filter(|number| PropertyIdentifier::from_number(*number).is_some());
        assert_eq!(known.count(), TABLE.len());
    }
}

//! The properties of one packet, as a view over their bytes.
//!
//! It isn't a map: nothing is unpacked until asked for. Invariant: the bytes were validated (known
//! identifiers, ranges, no duplicates, nothing cut off), so reading them again can't fail.

use std::fmt;

use super::error::{EncodeError, WireError};
use super::property::{Property, PropertyIdentifier};
use super::property_table::{Place, Places, places};
use super::read::Reader;

/// Validated properties, without their length.
///
/// ```text
/// +------------+-------+------------+-------+----
/// | identifier | value | identifier | value | ...
/// +------------+-------+------------+-------+----
/// ```
#[derive(Clone, Copy)]
pub struct Properties<'a> {
    bytes: &'a [u8],
    /// The packets that may carry all of these properties.
    places: Places,
}

impl<'a> Properties<'a> {
    /// No properties; also what every 3.x packet has.
    pub const EMPTY: Properties<'static> = Properties { bytes: &[], places: Places::ALL };

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, without the property length.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The properties in the order of the packet. Each step reads one property again.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + Clone + use<'a> {
        let mut reader = Reader::new(self.bytes);
        std::iter::from_fn(move || Property::read(&mut reader).ok())
    }

    /// The first property of a kind. Linear, cheap for the few properties that packets have.
    pub fn find(&self, identifier: PropertyIdentifier) -> Option<Property<'a>> {
        self.iter().find(|property| property.identifier() == identifier)
    }

    /// Properties that a `PropertyBuffer` has checked one by one.
    pub(super) fn from_checked(bytes: &'a [u8], places: Places) -> Self {
        Self { bytes, places }
    }

    /// Reads length and properties, and validates them in one pass.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>, place: Place) -> Result<Self, WireError> {
        let length = reader.variable_byte_integer()?;
        let bytes = reader.take(length as usize)?;
        if bytes.is_empty() { Ok(Self::EMPTY) } else { Self::validate(bytes, place) }
    }

    fn validate(bytes: &'a [u8], place: Place) -> Result<Self, WireError> {
        let mut seen = Seen::NONE;
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let property = Property::read(&mut reader)?;
            let identifier = property.identifier();
            if !places(identifier).contains(place) {
                return Err(WireError::PropertyNotAllowed(identifier));
            }
            if !seen.add(identifier).contains(place) {
                return Err(WireError::PropertyDuplicate(identifier));
            }
        }
        if seen.lacks_method() {
            return Err(WireError::AuthenticationMethodMissing);
        }
        Ok(Self { bytes, places: seen.places })
    }

    /// Refuses properties that this packet may not carry.
    #[inline]
    pub(super) fn check(self, place: Place) -> Result<(), EncodeError> {
        if self.places.contains(place) { Ok(()) } else { Err(EncodeError::PropertyNotAllowed) }
    }
}

/// What a list of properties has so far: one bit per identifier, all are below 64.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    identifiers: u64,
    /// The packets that may carry all that was seen.
    pub(super) places: Places,
}

impl Seen {
    pub(super) const NONE: Self = Self { identifiers: 0, places: Places::ALL };

    fn contains(self, identifier: PropertyIdentifier) -> bool {
        self.identifiers & (1 << identifier.number()) != 0
    }

    /// Adds a property; returns the packets that may carry it as often as it is there now: any number
    /// of user properties anywhere, of subscription identifiers in PUBLISH (v5 section 3.3.2.3.8).
    #[inline]
    pub(super) fn add(&mut self, identifier: PropertyIdentifier) -> Places {
        let allowed = match identifier {
            PropertyIdentifier::UserProperty => Places::ALL,
            _ if !self.contains(identifier) => places(identifier),
            PropertyIdentifier::SubscriptionIdentifier => Places::PUBLISH,
            _ => Places::NONE,
        };
        self.identifiers |= 1 << identifier.number();
        self.places = self.places.and(allowed);
        allowed
    }

    /// Authentication data without method is a protocol error (v5 section 3.1.2.11.10).
    pub(super) fn lacks_method(self) -> bool {
        self.contains(PropertyIdentifier::AuthenticationData)
            && !self.contains(PropertyIdentifier::AuthenticationMethod)
    }
}

impl PartialEq for Properties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Properties<'_> {}

impl Default for Properties<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], place: Place) -> Result<Properties<'_>, WireError> {
        let mut reader = Reader::new(bytes);
        let properties = Properties::read(&mut reader, place)?;
        reader.finish()?;
        Ok(properties)
    }

    #[test]
    fn properties_come_in_order_and_can_be_found() {
        let bytes = [12, 11, 1, 38, 0, 1, b'a', 0, 0, 11, 0x80, 1, 0x23];
        assert_eq!(read(&bytes, Place::Publish), Err(WireError::Truncated));
        let bytes = [11, 11, 1, 38, 0, 1, b'a', 0, 0, 11, 0x80, 1];
        let properties = read(&bytes, Place::Publish).unwrap();
        let expected = [
            Property::SubscriptionIdentifier(1),
            Property::UserProperty("a", ""),
            Property::SubscriptionIdentifier(128),
        ];
        assert_eq!(properties.iter().collect::<Vec<_>>(), expected);
        assert_eq!(properties.find(PropertyIdentifier::UserProperty), Some(expected[1]));
        assert_eq!(properties.find(PropertyIdentifier::TopicAlias), None);
        assert_eq!(format!("{properties:?}"), format!("{expected:?}"));
    }

    #[test]
    fn malformed_properties_are_refused() {
        use PropertyIdentifier as Id;
        use WireError as Wrong;
        let cases: &[(&[u8], Place, WireError)] = &[
            (&[], Place::Publish, Wrong::Truncated),
            (&[1], Place::Publish, Wrong::Truncated),
            (&[1, 1], Place::Publish, Wrong::Truncated),
            (&[0x80, 0], Place::Publish, Wrong::VariableByteIntegerNotMinimal),
            // The property runs past the length into what follows.
            (&[2, 2, 0, 0, 0, 1], Place::Publish, Wrong::Truncated),
            (&[2, 1, 1, 9], Place::Publish, Wrong::TrailingBytes),
            (&[1, 0], Place::Publish, Wrong::PropertyUnknown(0)),
            (&[2, 43, 0], Place::Connack, Wrong::PropertyUnknown(43)),
            // The identifier is a variable byte integer too, and all of them fit one byte.
            (&[3, 0x81, 0, 1], Place::Publish, Wrong::PropertyUnknown(0x81)),
            (&[2, 1, 2], Place::Publish, Wrong::PropertyValueInvalid(Id::PayloadFormatIndicator)),
            (&[3, 33, 0, 0], Place::Connect, Wrong::PropertyValueInvalid(Id::ReceiveMaximum)),
            (
                &[5, 39, 0, 0, 0, 0],
                Place::Connect,
                Wrong::PropertyValueInvalid(Id::MaximumPacketSize),
            ),
            (
                &[2, 11, 0],
                Place::Subscribe,
                Wrong::PropertyValueInvalid(Id::SubscriptionIdentifier),
            ),
            (&[3, 11, 0x80, 0], Place::Publish, Wrong::VariableByteIntegerNotMinimal),
            (&[2, 36, 2], Place::Connack, Wrong::PropertyValueInvalid(Id::MaximumQos)),
            (&[2, 37, 2], Place::Connack, Wrong::PropertyValueInvalid(Id::RetainAvailable)),
            (
                &[2, 23, 9],
                Place::Connect,
                Wrong::PropertyValueInvalid(Id::RequestProblemInformation),
            ),
            (
                &[2, 25, 2],
                Place::Connect,
                Wrong::PropertyValueInvalid(Id::RequestResponseInformation),
            ),
            (&[3, 35, 0, 0], Place::Publish, Wrong::TopicAliasInvalid),
            (&[4, 8, 0, 1, b'+'], Place::Publish, Wrong::TopicNameInvalid),
            (&[4, 8, 0, 1, b'#'], Place::Will, Wrong::TopicNameInvalid),
            (&[3, 8, 0, 0], Place::Will, Wrong::TopicNameInvalid),
            (&[4, 3, 0, 1, 0xFF], Place::Publish, Wrong::StringNotUtf8),
            (&[4, 31, 0, 1, 0], Place::Auth, Wrong::StringHasNull),
            (
                &[4, 1, 0, 1, 0],
                Place::Publish,
                Wrong::PropertyDuplicate(Id::PayloadFormatIndicator),
            ),
            (
                &[4, 11, 1, 11, 2],
                Place::Subscribe,
                Wrong::PropertyDuplicate(Id::SubscriptionIdentifier),
            ),
            (&[2, 1, 0], Place::Connect, Wrong::PropertyNotAllowed(Id::PayloadFormatIndicator)),
            (
                &[5, 24, 0, 0, 0, 1],
                Place::Publish,
                Wrong::PropertyNotAllowed(Id::WillDelayInterval),
            ),
            (&[3, 35, 0, 1], Place::Will, Wrong::PropertyNotAllowed(Id::TopicAlias)),
            (&[3, 22, 0, 0], Place::Connect, Wrong::AuthenticationMethodMissing),
        ];
        for (bytes, place, fault) in cases {
            assert_eq!(read(bytes, *place), Err(*fault), "{bytes:?} in {place:?}");
        }
    }
}

//! The 27 properties of MQTT 5: their identifiers, their values, their bytes.
//!
//! Which packet may carry which is in `property_table`; a packet's whole list is in `properties`.
//! Invariant: [`Property::read`] and [`Property::check`] hold the same ranges.

use super::error::{EncodeError, WireError};
use super::read::Reader;
use super::write;

/// The kind of a property, v5 section 2.2.2.2. The discriminant is the identifier on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the specification's names; `Property` describes the values")]
pub enum PropertyIdentifier {
    PayloadFormatIndicator = 1,
    MessageExpiryInterval = 2,
    ContentType = 3,
    ResponseTopic = 8,
    CorrelationData = 9,
    SubscriptionIdentifier = 11,
    SessionExpiryInterval = 17,
    AssignedClientIdentifier = 18,
    ServerKeepAlive = 19,
    AuthenticationMethod = 21,
    AuthenticationData = 22,
    RequestProblemInformation = 23,
    WillDelayInterval = 24,
    RequestResponseInformation = 25,
    ResponseInformation = 26,
    ServerReference = 28,
    ReasonString = 31,
    ReceiveMaximum = 33,
    TopicAliasMaximum = 34,
    TopicAlias = 35,
    MaximumQos = 36,
    RetainAvailable = 37,
    UserProperty = 38,
    MaximumPacketSize = 39,
    WildcardSubscriptionAvailable = 40,
    SubscriptionIdentifierAvailable = 41,
    SharedSubscriptionAvailable = 42,
}

/// One property with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property<'a> {
    /// 0: bytes; 1: UTF-8.
    PayloadFormatIndicator(u8),
    /// Seconds.
    MessageExpiryInterval(u32),
    /// A media type, by convention of the applications.
    ContentType(&'a str),
    /// A topic name, without wildcards.
    ResponseTopic(&'a str),
    /// Whatever joins an answer with its question.
    CorrelationData(&'a [u8]),
    /// 1 to 268,435,455.
    SubscriptionIdentifier(u32),
    /// Seconds; 0xFFFF_FFFF: for ever.
    SessionExpiryInterval(u32),
    /// The client identifier that the server chose.
    AssignedClientIdentifier(&'a str),
    /// Seconds; it replaces CONNECT's keep alive.
    ServerKeepAlive(u16),
    /// The name of the method.
    AuthenticationMethod(&'a str),
    /// What the method exchanges.
    AuthenticationData(&'a [u8]),
    /// 0 or 1.
    RequestProblemInformation(u8),
    /// Seconds.
    WillDelayInterval(u32),
    /// 0 or 1.
    RequestResponseInformation(u8),
    /// The basis of a response topic.
    ResponseInformation(&'a str),
    /// Another server to use.
    ServerReference(&'a str),
    /// A diagnostic for people.
    ReasonString(&'a str),
    /// Unacknowledged PUBLISH packets of QoS 1 and 2, 1 to 65,535.
    ReceiveMaximum(u16),
    /// The highest topic alias; 0: none.
    TopicAliasMaximum(u16),
    /// 1 to 65,535.
    TopicAlias(u16),
    /// 0 or 1.
    MaximumQos(u8),
    /// 0 or 1.
    RetainAvailable(u8),
    /// A name and a value; any number of times, in order.
    UserProperty(&'a str, &'a str),
    /// Bytes of a whole packet, not 0.
    MaximumPacketSize(u32),
    /// 0 or 1.
    WildcardSubscriptionAvailable(u8),
    /// 0 or 1.
    SubscriptionIdentifierAvailable(u8),
    /// 0 or 1.
    SharedSubscriptionAvailable(u8),
}

/// The data types of the values, v5 section 2.2.2.2.
enum Value<'a> {
    /// In every property that is a byte: 0 or 1.
    Byte(u8),
    TwoBytes(u16),
    FourBytes(u32),
    VariableByteInteger(u32),
    String(&'a str),
    Binary(&'a [u8]),
    StringPair(&'a str, &'a str),
}

impl PropertyIdentifier {
    /// The number on the wire, 1 to 42.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The identifier with this number; `None` for those that the specification skips.
    #[inline]
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::PayloadFormatIndicator,
            2 => Self::MessageExpiryInterval,
            3 => Self::ContentType,
            8 => Self::ResponseTopic,
            9 => Self::CorrelationData,
            11 => Self::SubscriptionIdentifier,
            17 => Self::SessionExpiryInterval,
            18 => Self::AssignedClientIdentifier,
            19 => Self::ServerKeepAlive,
            21 => Self::AuthenticationMethod,
            22 => Self::AuthenticationData,
            23 => Self::RequestProblemInformation,
            24 => Self::WillDelayInterval,
            25 => Self::RequestResponseInformation,
            26 => Self::ResponseInformation,
            28 => Self::ServerReference,
            31 => Self::ReasonString,
            33 => Self::ReceiveMaximum,
            34 => Self::TopicAliasMaximum,
            35 => Self::TopicAlias,
            36 => Self::MaximumQos,
            37 => Self::RetainAvailable,
            38 => Self::UserProperty,
            39 => Self::MaximumPacketSize,
            40 => Self::WildcardSubscriptionAvailable,
            41 => Self::SubscriptionIdentifierAvailable,
            42 => Self::SharedSubscriptionAvailable,
            _ => return None,
        })
    }
}

impl<'a> Property<'a> {
    /// Which property it is.
    pub fn identifier(self) -> PropertyIdentifier {
        use PropertyIdentifier as Identifier;
        match self {
            Self::PayloadFormatIndicator(_) => Identifier::PayloadFormatIndicator,
            Self::MessageExpiryInterval(_) => Identifier::MessageExpiryInterval,
            Self::ContentType(_) => Identifier::ContentType,
            Self::ResponseTopic(_) => Identifier::ResponseTopic,
            Self::CorrelationData(_) => Identifier::CorrelationData,
            Self::SubscriptionIdentifier(_) => Identifier::SubscriptionIdentifier,
            Self::SessionExpiryInterval(_) => Identifier::SessionExpiryInterval,
            Self::AssignedClientIdentifier(_) => Identifier::AssignedClientIdentifier,
            Self::ServerKeepAlive(_) => Identifier::ServerKeepAlive,
            Self::AuthenticationMethod(_) => Identifier::AuthenticationMethod,
            Self::AuthenticationData(_) => Identifier::AuthenticationData,
            Self::RequestProblemInformation(_) => Identifier::RequestProblemInformation,
            Self::WillDelayInterval(_) => Identifier::WillDelayInterval,
            Self::RequestResponseInformation(_) => Identifier::RequestResponseInformation,
            Self::ResponseInformation(_) => Identifier::ResponseInformation,
            Self::ServerReference(_) => Identifier::ServerReference,
            Self::ReasonString(_) => Identifier::ReasonString,
            Self::ReceiveMaximum(_) => Identifier::ReceiveMaximum,
            Self::TopicAliasMaximum(_) => Identifier::TopicAliasMaximum,
            Self::TopicAlias(_) => Identifier::TopicAlias,
            Self::MaximumQos(_) => Identifier::MaximumQos,
            Self::RetainAvailable(_) => Identifier::RetainAvailable,
            Self::UserProperty(..) => Identifier::UserProperty,
            Self::MaximumPacketSize(_) => Identifier::MaximumPacketSize,
            Self::WildcardSubscriptionAvailable(_) => Identifier::WildcardSubscriptionAvailable,
            Self::SubscriptionIdentifierAvailable(_) => Identifier::SubscriptionIdentifierAvailable,
            Self::SharedSubscriptionAvailable(_) => Identifier::SharedSubscriptionAvailable,
        }
    }

    /// Reads one property, identifier and value, and checks its range.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        use PropertyIdentifier as Identifier;
        let number = reader.byte()?;
        let identifier =
            Identifier::from_number(number).ok_or(WireError::PropertyUnknown(number))?;
        let property = match identifier {
            Identifier::PayloadFormatIndicator => Self::PayloadFormatIndicator(reader.byte()?),
            Identifier::MessageExpiryInterval => Self::MessageExpiryInterval(reader.four_bytes()?),
            Identifier::ContentType => Self::ContentType(reader.string()?),
            Identifier::ResponseTopic => Self::ResponseTopic(reader.topic_name()?),
            Identifier::CorrelationData => Self::CorrelationData(reader.binary()?),
            Identifier::SubscriptionIdentifier => {
                Self::SubscriptionIdentifier(reader.variable_byte_integer()?)
            }
            Identifier::SessionExpiryInterval => Self::SessionExpiryInterval(reader.four_bytes()?),
            Identifier::AssignedClientIdentifier => {
                Self::AssignedClientIdentifier(reader.string()?)
            }
            Identifier::ServerKeepAlive => Self::ServerKeepAlive(reader.two_bytes()?),
            Identifier::AuthenticationMethod => Self::AuthenticationMethod(reader.string()?),
            Identifier::AuthenticationData => Self::AuthenticationData(reader.binary()?),
            Identifier::RequestProblemInformation => {
                Self::RequestProblemInformation(reader.byte()?)
            }
            Identifier::WillDelayInterval => Self::WillDelayInterval(reader.four_bytes()?),
            Identifier::RequestResponseInformation => {
                Self::RequestResponseInformation(reader.byte()?)
            }
            Identifier::ResponseInformation => Self::ResponseInformation(reader.string()?),
            Identifier::ServerReference => Self::ServerReference(reader.string()?),
            Identifier::ReasonString => Self::ReasonString(reader.string()?),
            Identifier::ReceiveMaximum => Self::ReceiveMaximum(reader.two_bytes()?),
            Identifier::TopicAliasMaximum => Self::TopicAliasMaximum(reader.two_bytes()?),
            Identifier::TopicAlias => Self::TopicAlias(reader.two_bytes()?),
            Identifier::MaximumQos => Self::MaximumQos(reader.byte()?),
            Identifier::RetainAvailable => Self::RetainAvailable(reader.byte()?),
            Identifier::UserProperty => Self::UserProperty(reader.string()?, reader.string()?),
            Identifier::MaximumPacketSize => Self::MaximumPacketSize(reader.four_bytes()?),
            Identifier::WildcardSubscriptionAvailable => {
                Self::WildcardSubscriptionAvailable(reader.byte()?)
            }
            Identifier::SubscriptionIdentifierAvailable => {
                Self::SubscriptionIdentifierAvailable(reader.byte()?)
            }
            Identifier::SharedSubscriptionAvailable => {
                Self::SharedSubscriptionAvailable(reader.byte()?)
            }
        };
        if property.is_in_range() { Ok(property) } else { Err(property.range_fault()) }
    }

    /// Checks lengths, characters and range before anything is written.
    pub(super) fn check(self) -> Result<(), EncodeError> {
        if let Self::ResponseTopic(topic_name) = self {
            write::topic_name_length(topic_name)?;
        }
        match self.value() {
            Value::String(text) => _ = write::string_length(text)?,
            Value::StringPair(name, value) => {
                write::string_length(name)?;
                write::string_length(value)?;
            }
            Value::Binary(bytes) => _ = write::binary_length(bytes)?,
            Value::Byte(_)
            | Value::TwoBytes(_)
            | Value::FourBytes(_)
            | Value::VariableByteInteger(_) => {}
        }
        if self.is_in_range() {
            Ok(())
        } else {
            Err(EncodeError::PropertyValueInvalid(self.identifier()))
        }
    }

    /// Writes identifier and value. Only after [`Property::check`].
    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.push(self.identifier().number());
        match self.value() {
            Value::Byte(byte) => out.push(byte),
            Value::TwoBytes(number) => write::put_two_bytes(number, out),
            Value::FourBytes(number) => out.extend_from_slice(&number.to_be_bytes()),
            Value::VariableByteInteger(number) => {
                write::put_variable_byte_integer(number as usize, out);
            }
            Value::String(text) => write::put_string(text, out),
            Value::Binary(bytes) => write::put_binary(bytes, out),
            Value::StringPair(name, value) => {
                write::put_string(name, out);
                write::put_string(value, out);
            }
        }
    }

    fn value(self) -> Value<'a> {
        match self {
            Self::PayloadFormatIndicator(byte)
            | Self::RequestProblemInformation(byte)
            | Self::RequestResponseInformation(byte)
            | Self::MaximumQos(byte)
            | Self::RetainAvailable(byte)
            | Self::WildcardSubscriptionAvailable(byte)
            | Self::SubscriptionIdentifierAvailable(byte)
            | Self::SharedSubscriptionAvailable(byte) => Value::Byte(byte),
            Self::ServerKeepAlive(number)
            | Self::ReceiveMaximum(number)
            | Self::TopicAliasMaximum(number)
            | Self::TopicAlias(number) => Value::TwoBytes(number),
            Self::MessageExpiryInterval(number)
            | Self::SessionExpiryInterval(number)
            | Self::WillDelayInterval(number)
            | Self::MaximumPacketSize(number) => Value::FourBytes(number),
            Self::SubscriptionIdentifier(number) => Value::VariableByteInteger(number),
            Self::ContentType(text)
            | Self::ResponseTopic(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => Value::String(text),
            Self::CorrelationData(bytes) | Self::AuthenticationData(bytes) => Value::Binary(bytes),
            Self::UserProperty(name, value) => Value::StringPair(name, value),
        }
    }

    /// The ranges: bytes are 0 or 1, four values aren't 0, a response topic isn't empty
    /// (v5 [MQTT-4.7.3-1]).
    fn is_in_range(self) -> bool {
        match self {
            Self::ReceiveMaximum(number) | Self::TopicAlias(number) => number != 0,
            Self::MaximumPacketSize(number) => number != 0,
            Self::SubscriptionIdentifier(number) => {
                number != 0 && number as usize <= write::VARIABLE_BYTE_INTEGER_MAX
            }
            Self::ResponseTopic(topic_name) => !topic_name.is_empty(),
            _ => !matches!(self.value(), Value::Byte(2..)),
        }
    }

    #[cold]
    fn range_fault(self) -> WireError {
        match self {
            Self::TopicAlias(_) => WireError::TopicAliasInvalid,
            Self::ResponseTopic(_) => WireError::TopicNameInvalid,
            _ => WireError::PropertyValueInvalid(self.identifier()),
        }
    }
}

//! What can be wrong with bytes ([`WireError`]) and with values ([`EncodeError`]).
//!
//! It decides nothing: the session chooses what to answer. Invariant: labels are stable, for logs and
//! metrics carry them.

use super::packet_type::PacketType;
use super::property::PropertyIdentifier;
use super::reason_code::ReasonCode;

/// Why bytes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Type 0, or AUTH before 5.
    #[error("there is no packet type {0} in this version")]
    PacketTypeInvalid(u8),
    /// A decoder for one type was given another.
    #[error("{0} isn't the packet expected here")]
    PacketTypeUnexpected(PacketType),
    /// Reserved bits of the first byte.
    #[error("{packet_type} can't have the flags {flags:#06b}")]
    FlagsInvalid {
        /// The packet type.
        packet_type: PacketType,
        /// Its flags.
        flags: u8,
    },
    /// QoS 3, in PUBLISH, a will or a subscription.
    #[error("QoS 3 doesn't exist")]
    QosInvalid,
    /// DUP in a PUBLISH of QoS 0.
    #[error("DUP is set in a PUBLISH of QoS 0")]
    DupWithoutQos,
    /// More than four bytes.
    #[error("a variable byte integer has more than four bytes")]
    VariableByteIntegerTooLong,
    /// More bytes than it needs.
    #[error("a variable byte integer has more bytes than it needs")]
    VariableByteIntegerNotMinimal,
    /// The whole packet is longer than allowed.
    #[error("the packet has {packet_length} bytes, {packet_size_max} are allowed")]
    PacketTooLarge {
        /// Bytes of the whole packet, announced.
        packet_length: usize,
        /// Bytes allowed.
        packet_size_max: usize,
    },
    /// A field reaches past the end of the packet or of its properties.
    #[error("the packet ends inside a field")]
    Truncated,
    /// Bytes behind the last field.
    #[error("the packet has bytes behind its last field")]
    TrailingBytes,
    /// Ill-formed UTF-8.
    #[error("a string isn't UTF-8")]
    StringNotUtf8,
    /// U+0000 in a string.
    #[error("a string has U+0000")]
    StringHasNull,
    /// Wildcards, or an empty name outside PUBLISH of 5.
    #[error("the topic name is empty or has wildcards")]
    TopicNameInvalid,
    /// An empty topic name without topic alias, in 5.
    #[error("the topic name is empty and there is no topic alias")]
    TopicNameMissing,
    /// Topic alias 0.
    #[error("the topic alias is 0")]
    TopicAliasInvalid,
    /// Empty, or a wildcard or `$share` out of place.
    #[error("the topic filter is malformed")]
    TopicFilterInvalid,
    /// Packet identifier 0.
    #[error("the packet identifier is 0")]
    PacketIdentifierZero,
    /// SUBSCRIBE or UNSUBSCRIBE without topic filters.
    #[error("there are no topic filters")]
    TopicFiltersMissing,
    /// Reserved bits of the subscription options.
    #[error("the subscription options have reserved bits")]
    SubscriptionOptionsInvalid,
    /// Retain handling 3.
    #[error("retain handling 3 doesn't exist")]
    RetainHandlingInvalid,
    /// No Local with `$share`.
    #[error("a shared subscription has the No Local option")]
    NoLocalOnSharedSubscription,
    /// No such property, or its identifier isn't one byte.
    #[error("there is no property {0}")]
    PropertyUnknown(u8),
    /// The property belongs to other packets.
    #[error("the property {0:?} isn't for this packet")]
    PropertyNotAllowed(PropertyIdentifier),
    /// The property appears twice.
    #[error("the property {0:?} appears twice")]
    PropertyDuplicate(PropertyIdentifier),
    /// The value is out of range.
    #[error("the value of the property {0:?} is out of range")]
    PropertyValueInvalid(PropertyIdentifier),
    /// Authentication data without method, or AUTH without method.
    #[error("the authentication method is missing")]
    AuthenticationMethodMissing,
    /// No such code in this packet and version.
    #[error("the reason code {0:#04x} isn't for this packet")]
    ReasonCodeInvalid(u8),
    /// SUBACK or UNSUBACK without codes.
    #[error("there are no reason codes")]
    ReasonCodesMissing,
    /// CONNECT of a protocol that isn't spoken here.
    #[error("the protocol of CONNECT, level {level}, isn't known")]
    UnsupportedProtocolVersion {
        /// The level that CONNECT announces.
        level: u8,
    },
    /// The reserved bit, or will flags without will.
    #[error("the flags of CONNECT contradict each other")]
    ConnectFlagsInvalid,
    /// Not allowed before 5.
    #[error("there is a password without user name")]
    PasswordWithoutUserName,
    /// Empty where it can't be.
    #[error("the client identifier can't be empty here")]
    ClientIdentifierInvalid,
    /// Reserved bits of the acknowledge flags.
    #[error("the flags of CONNACK have reserved bits")]
    ConnackFlagsInvalid,
    /// A refusal that claims a session.
    #[error("CONNACK refuses, but announces a session")]
    SessionPresentWithRefusal,
}

impl WireError {
    /// A stable name in snake_case, for log and metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::PacketTypeInvalid(_) => "packet_type_invalid",
            Self::PacketTypeUnexpected(_) => "packet_type_unexpected",
            Self::FlagsInvalid { .. } => "flags_invalid",
            Self::QosInvalid => "qos_invalid",
            Self::DupWithoutQos => "dup_without_qos",
            Self::VariableByteIntegerTooLong => "variable_byte_integer_too_long",
            Self::VariableByteIntegerNotMinimal => "variable_byte_integer_not_minimal",
            Self::PacketTooLarge { .. } => "packet_too_large",
            Self::Truncated => "truncated",
            Self::TrailingBytes => "trailing_bytes",
            Self::StringNotUtf8 => "string_not_utf8",
            Self::StringHasNull => "string_has_null",
            Self::TopicNameInvalid => "topic_name_invalid",
            Self::TopicNameMissing => "topic_name_missing",
            Self::TopicAliasInvalid => "topic_alias_invalid",
            Self::TopicFilterInvalid => "topic_filter_invalid",
            Self::PacketIdentifierZero => "packet_identifier_zero",
            Self::TopicFiltersMissing => "topic_filters_missing",
            Self::SubscriptionOptionsInvalid => "subscription_options_invalid",
            Self::RetainHandlingInvalid => "retain_handling_invalid",
            Self::NoLocalOnSharedSubscription => "no_local_on_shared_subscription",
            Self::PropertyUnknown(_) => "property_unknown",
            Self::PropertyNotAllowed(_) => "property_not_allowed",
            Self::PropertyDuplicate(_) => "property_duplicate",
            Self::PropertyValueInvalid(_) => "property_value_invalid",
            Self::AuthenticationMethodMissing => "authentication_method_missing",
            Self::ReasonCodeInvalid(_) => "reason_code_invalid",
            Self::ReasonCodesMissing => "reason_codes_missing",
            Self::UnsupportedProtocolVersion { .. } => "unsupported_protocol_version",
            Self::ConnectFlagsInvalid => "connect_flags_invalid",
            Self::PasswordWithoutUserName => "password_without_user_name",
            Self::ClientIdentifierInvalid => "client_identifier_invalid",
            Self::ConnackFlagsInvalid => "connack_flags_invalid",
            Self::SessionPresentWithRefusal => "session_present_with_refusal",
        }
    }

    /// The reason code to close the connection with, v5 section 4.13. What can't be parsed is
    /// malformed; what can, but must not be sent, is a protocol error.
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::PacketTooLarge { .. } => ReasonCode::PacketTooLarge,
            Self::UnsupportedProtocolVersion { .. } => ReasonCode::UnsupportedProtocolVersion,
            Self::ClientIdentifierInvalid => ReasonCode::ClientIdentifierNotValid,
            Self::TopicNameInvalid => ReasonCode::TopicNameInvalid,
            Self::TopicFilterInvalid => ReasonCode::TopicFilterInvalid,
            Self::TopicAliasInvalid => ReasonCode::TopicAliasInvalid,
            Self::PacketTypeUnexpected(_)
            | Self::TopicNameMissing
            | Self::PacketIdentifierZero
            | Self::TopicFiltersMissing
            | Self::RetainHandlingInvalid
            | Self::NoLocalOnSharedSubscription
            | Self::PropertyDuplicate(_)
            | Self::PropertyValueInvalid(_)
            | Self::AuthenticationMethodMissing
            | Self::ReasonCodesMissing
            | Self::SessionPresentWithRefusal => ReasonCode::ProtocolError,
            _ => ReasonCode::MalformedPacket,
        }
    }
}

/// Why a value can't be written. The output buffer is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A string of more than 65,535 bytes.
    #[error("a string has more than 65,535 bytes")]
    StringTooLong,
    /// U+0000 in a string.
    #[error("a string has U+0000")]
    StringHasNull,
    /// Binary data of more than 65,535 bytes.
    #[error("binary data has more than 65,535 bytes")]
    BinaryTooLong,
    /// A remaining length of more than 268,435,455 bytes.
    #[error("the packet has more than 268,435,455 bytes")]
    PacketTooLong,
    /// Empty without topic alias, or wildcards, or U+0000.
    #[error("the topic name isn't valid")]
    TopicNameInvalid,
    /// Empty, or a wildcard or `$share` out of place.
    #[error("the topic filter isn't valid")]
    TopicFilterInvalid,
    /// SUBSCRIBE or UNSUBSCRIBE without topic filters.
    #[error("there are no topic filters")]
    TopicFiltersMissing,
    /// No Local with `$share`.
    #[error("a shared subscription has the No Local option")]
    NoLocalOnSharedSubscription,
    /// PUBLISH of QoS 1 or 2 without packet identifier, or of QoS 0 with one.
    #[error("the packet identifier doesn't go with the QoS")]
    PacketIdentifierMismatch,
    /// DUP with QoS 0.
    #[error("DUP is set in a PUBLISH of QoS 0")]
    DupWithoutQos,
    /// The property belongs to other packets.
    #[error("a property isn't for this packet")]
    PropertyNotAllowed,
    /// The property is there already.
    #[error("the property {0:?} appears twice")]
    PropertyDuplicate(PropertyIdentifier),
    /// The value is out of range.
    #[error("the value of the property {0:?} is out of range")]
    PropertyValueInvalid(PropertyIdentifier),
    /// AUTH without authentication method.
    #[error("the authentication method is missing")]
    AuthenticationMethodMissing,
    /// No such code in this packet and version.
    #[error("the reason code {0:#04x} isn't for this packet")]
    ReasonCodeInvalid(u8),
    /// SUBACK or UNSUBACK without codes.
    #[error("there are no reason codes")]
    ReasonCodesMissing,
    /// AUTH before 5.
    #[error("there is no {0} in this version")]
    NotInVersion(PacketType),
    /// Not allowed before 5.
    #[error("there is a password without user name")]
    PasswordWithoutUserName,
    /// Empty where it can't be.
    #[error("the client identifier can't be empty here")]
    ClientIdentifierInvalid,
    /// A refusal that claims a session.
    #[error("CONNACK refuses, but announces a session")]
    SessionPresentWithRefusal,
}

impl EncodeError {
    /// A stable name in snake_case, for log and metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::StringTooLong => "string_too_long",
            Self::StringHasNull => "string_has_null",
            Self::BinaryTooLong => "binary_too_long",
            Self::PacketTooLong => "packet_too_long",
            Self::TopicNameInvalid => "topic_name_invalid",
            Self::TopicFilterInvalid => "topic_filter_invalid",
            Self::TopicFiltersMissing => "topic_filters_missing",
            Self::NoLocalOnSharedSubscription => "no_local_on_shared_subscription",
            Self::PacketIdentifierMismatch => "packet_identifier_mismatch",
            Self::DupWithoutQos => "dup_without_qos",
            Self::PropertyNotAllowed => "property_not_allowed",
            Self::PropertyDuplicate(_) => "property_duplicate",
            Self::PropertyValueInvalid(_) => "property_value_invalid",
            Self::AuthenticationMethodMissing => "authentication_method_missing",
            Self::ReasonCodeInvalid(_) => "reason_code_invalid",
            Self::ReasonCodesMissing => "reason_codes_missing",
            Self::NotInVersion(_) => "not_in_version",
            Self::PasswordWithoutUserName => "password_without_user_name",
            Self::ClientIdentifierInvalid => "client_identifier_invalid",
            Self::SessionPresentWithRefusal => "session_present_with_refusal",
        }
    }
}

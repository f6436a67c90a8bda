//! The reason codes of MQTT 5, which also stand for the return codes of 3.x.
//!
//! Which packet may carry which code is in `reason_code_table`. Invariant: the discriminant is the
//! byte on the wire.

use std::fmt;

/// A reason code, v5 section 2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the specification's names; `name` has its words")]
pub enum ReasonCode {
    /// Also normal disconnection (DISCONNECT) and granted QoS 0 (SUBACK).
    Success = 0x00,
    GrantedQos1 = 0x01,
    GrantedQos2 = 0x02,
    DisconnectWithWillMessage = 0x04,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    ContinueAuthentication = 0x18,
    ReAuthenticate = 0x19,
    UnspecifiedError = 0x80,
    MalformedPacket = 0x81,
    ProtocolError = 0x82,
    ImplementationSpecificError = 0x83,
    UnsupportedProtocolVersion = 0x84,
    ClientIdentifierNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerUnavailable = 0x88,
    ServerBusy = 0x89,
    Banned = 0x8A,
    ServerShuttingDown = 0x8B,
    BadAuthenticationMethod = 0x8C,
    KeepAliveTimeout = 0x8D,
    SessionTakenOver = 0x8E,
    TopicFilterInvalid = 0x8F,
    TopicNameInvalid = 0x90,
    PacketIdentifierInUse = 0x91,
    PacketIdentifierNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    MessageRateTooHigh = 0x96,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    PayloadFormatInvalid = 0x99,
    RetainNotSupported = 0x9A,
    QosNotSupported = 0x9B,
    UseAnotherServer = 0x9C,
    ServerMoved = 0x9D,
    SharedSubscriptionsNotSupported = 0x9E,
    ConnectionRateExceeded = 0x9F,
    MaximumConnectTime = 0xA0,
    SubscriptionIdentifiersNotSupported = 0xA1,
    WildcardSubscriptionsNotSupported = 0xA2,
}

/// Every code in order, with the specification's words.
const NAMES: [(ReasonCode, &str); 43] = [
    (ReasonCode::Success, "Success"),
    (ReasonCode::GrantedQos1, "Granted QoS 1"),
    (ReasonCode::GrantedQos2, "Granted QoS 2"),
    (ReasonCode::DisconnectWithWillMessage, "Disconnect with Will Message"),
    (ReasonCode::NoMatchingSubscribers, "No matching subscribers"),
    (ReasonCode::NoSubscriptionExisted, "No subscription existed"),
    (ReasonCode::ContinueAuthentication, "Continue authentication"),
    (ReasonCode::ReAuthenticate, "Re-authenticate"),
    (ReasonCode::UnspecifiedError, "Unspecified error"),
    (ReasonCode::MalformedPacket, "Malformed Packet"),
    (ReasonCode::ProtocolError, "Protocol Error"),
    (ReasonCode::ImplementationSpecificError, "Implementation specific error"),
    (ReasonCode::UnsupportedProtocolVersion, "Unsupported Protocol Version"),
    (ReasonCode::ClientIdentifierNotValid, "Client Identifier not valid"),
    (ReasonCode::BadUserNameOrPassword, "Bad User Name or Password"),
    (ReasonCode::NotAuthorized, "Not authorized"),
    (ReasonCode::ServerUnavailable, "Server unavailable"),
    (ReasonCode::ServerBusy, "Server busy"),
    (ReasonCode::Banned, "Banned"),
    (ReasonCode::ServerShuttingDown, "Server shutting down"),
    (ReasonCode::BadAuthenticationMethod, "Bad authentication method"),
    (ReasonCode::KeepAliveTimeout, "Keep Alive timeout"),
    (ReasonCode::SessionTakenOver, "Session taken over"),
    (ReasonCode::TopicFilterInvalid, "Topic Filter invalid"),
    (ReasonCode::TopicNameInvalid, "Topic Name invalid"),
    (ReasonCode::PacketIdentifierInUse, "Packet Identifier in use"),
    (ReasonCode::PacketIdentifierNotFound, "Packet Identifier not found"),
    (ReasonCode::ReceiveMaximumExceeded, "Receive Maximum exceeded"),
    (ReasonCode::TopicAliasInvalid, "Topic Alias invalid"),
    (ReasonCode::PacketTooLarge, "Packet too large"),
    (ReasonCode::MessageRateTooHigh, "Message rate too high"),
    (ReasonCode::QuotaExceeded, "Quota exceeded"),
    (ReasonCode::AdministrativeAction, "Administrative action"),
    (ReasonCode::PayloadFormatInvalid, "Payload format invalid"),
    (ReasonCode::RetainNotSupported, "Retain not supported"),
    (ReasonCode::QosNotSupported, "QoS not supported"),
    (ReasonCode::UseAnotherServer, "Use another server"),
    (ReasonCode::ServerMoved, "Server moved"),
    (ReasonCode::SharedSubscriptionsNotSupported, "Shared Subscriptions not supported"),
    (ReasonCode::ConnectionRateExceeded, "Connection rate exceeded"),
    (ReasonCode::MaximumConnectTime, "Maximum connect time"),
    (ReasonCode::SubscriptionIdentifiersNotSupported, "Subscription Identifiers not supported"),
    (ReasonCode::WildcardSubscriptionsNotSupported, "Wildcard Subscriptions not supported"),
];

impl ReasonCode {
    /// The byte on the wire.
    pub fn value(self) -> u8 {
        self as u8
    }

    /// The code of a byte; `None` for those that the specification skips.
    pub fn from_byte(byte: u8) -> Option<Self> {
        NAMES.iter().map(|(code, _)| *code).find(|code| code.value() == byte)
    }

    /// Whether it reports a failure: 0x80 and above.
    pub fn is_error(self) -> bool {
        self.value() >= 0x80
    }

    /// Whether only servers send it in DISCONNECT (v5 section 3.14.2.1). The one that only clients send is
    /// [`ReasonCode::DisconnectWithWillMessage`].
    pub fn is_of_servers(self) -> bool {
        matches!(self.value(), 0x87..=0x8F | 0x9A..=0xA2)
    }

    /// The specification's words.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(code, _)| *code == self).map_or("", |(_, name)| name)
    }

    /// The nearest return code of a 3.x CONNACK (3.1.1 table 3.1), 0 to 5.
    ///
    /// What has no counterpart is "server unavailable" (3) if trying again may help, or "not
    /// authorized" (5) if the same CONNECT will always be refused.
    pub fn connect_return_code(self) -> u8 {
        match self {
            code if !code.is_error() => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword | Self::BadAuthenticationMethod => 4,
            Self::NotAuthorized
            | Self::Banned
            | Self::MalformedPacket
            | Self::ProtocolError
            | Self::TopicNameInvalid
            | Self::PacketTooLarge
            | Self::PayloadFormatInvalid
            | Self::RetainNotSupported
            | Self::QosNotSupported => 5,
            _ => 3,
        }
    }

    /// The reason code of a 3.x CONNACK's return code; `None` for 6 and above, which are reserved.
    pub fn from_connect_return_code(return_code: u8) -> Option<Self> {
        match return_code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_and_has_words() {
        let known: Vec<ReasonCode> = (0..=255).filter_map(ReasonCode::from_byte).collect();
        assert_eq!(known.len(), NAMES.len());
        assert!(known.is_sorted());
        for code in known {
            assert!(!code.name().is_empty());
            assert_eq!(code.is_error(), code.value() & 0x80 != 0);
        }
        assert_eq!(ReasonCode::from_byte(0x9D), Some(ReasonCode::ServerMoved));
        assert_eq!(ReasonCode::from_byte(0x03), None);
        assert_eq!(ReasonCode::from_byte(0xA3), None);
    }

    #[test]
    fn return_codes_of_3_x_come_back() {
        for return_code in 0..=5 {
            let code = ReasonCode::from_connect_return_code(return_code).unwrap();
            assert_eq!(code.connect_return_code(), return_code);
        }
        assert_eq!(ReasonCode::from_connect_return_code(6), None);
        assert_eq!(ReasonCode::ServerBusy.connect_return_code(), 3);
        assert_eq!(ReasonCode::Banned.connect_return_code(), 5);
    }
}

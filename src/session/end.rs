//! How a session ended: one cause, with a stable label for log and metric alike.

use crate::mqtt::{ReasonCode, WireError};
use crate::translate::Refusal;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The device sent DISCONNECT.
    #[error("the device disconnected")]
    DeviceDisconnected,
    /// The device's connection closed without DISCONNECT.
    #[error("the device's connection closed without DISCONNECT")]
    DeviceClosed,
    /// The device sent bytes that are no MQTT.
    #[error("the device sent a malformed packet: {0}")]
    DeviceMalformed(WireError),
    /// The device sent a packet that it may not send, or not now.
    #[error("the device broke the protocol: {0}")]
    DeviceProtocol(&'static str),
    /// The device was silent for one and a half times its keep alive.
    #[error("the device was silent for longer than its keep alive allows")]
    KeepAliveTimeout,
    /// No whole CONNECT in time.
    #[error("no CONNECT arrived in time")]
    ConnectTimeout,
    /// The proxy refused the CONNECT.
    #[error("CONNECT refused: {0}")]
    ConnectRefused(Refusal),
    /// The upstream can't be reached.
    #[error("the upstream can't be reached")]
    UpstreamUnreachable,
    /// The upstream has failed too often, and isn't asked for a while.
    #[error("the upstream has failed too often; it is asked again after a while")]
    UpstreamSuspended,
    /// The upstream didn't answer CONNECT in time.
    #[error("the upstream didn't answer CONNECT in time")]
    UpstreamTimeout,
    /// The upstream refused the CONNECT.
    #[error("the upstream refused CONNECT: {}", .0.name())]
    UpstreamRefused(ReasonCode),
    /// The upstream sent DISCONNECT.
    #[error("the upstream disconnected: {}", .0.name())]
    UpstreamDisconnected(ReasonCode),
    /// The upstream's connection closed.
    #[error("the upstream's connection closed")]
    UpstreamClosed,
    /// The upstream has given the client identifier to another session.
    #[error("another session has the client identifier now")]
    TakenOver,
    /// The upstream sent bytes that are no MQTT.
    #[error("the upstream sent a malformed packet: {0}")]
    UpstreamMalformed(WireError),
    /// The upstream sent a packet that it may not send, or not now.
    #[error("the upstream broke the protocol: {0}")]
    UpstreamProtocol(&'static str),
    /// A message could not be translated, and the configuration says to disconnect then.
    #[error("a message could not be translated: {0}")]
    MessageRefused(Refusal),
    /// More unfinished exchanges than the proxy remembers.
    #[error("more unfinished exchanges than the limit")]
    ExchangesExceeded,
    /// Its address has too many connections, or opens them too fast; seen once a balancer had said whose it is.
    #[error("the address has too many connections, or opens them too fast")]
    TurnedAway,
    /// A packet with more properties than the proxy takes.
    #[error("a packet with more properties than the limit")]
    PropertiesExceeded,
    /// What the device had proven of itself has ended to be true.
    #[error("the device's token or certificate has expired")]
    AccessExpired,
    /// The device's user or the key of its token is no longer in the listener's file, or no authority of the listener vouches
    /// for its certificate any more.
    #[error("the device's user, key or authority is no longer there or another one")]
    AccessRevoked,
    /// The proxy is short of memory, and this session held much of it.
    #[error("the proxy is short of memory, and the session held much of it")]
    MemoryShort,
    /// The proxy is stopping.
    #[error("the proxy is stopping")]
    Drained,
    /// What comes before MQTT failed: TLS, for example.
    #[error("the handshake failed")]
    HandshakeFailed,
}

/// What the end of a session before CONNACK says of its upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It is there, if only to refuse this device.
    Answers,
    /// It says itself that it takes nobody now.
    TakesNobody,
    /// It said nothing, or nothing that could be read.
    Silent,
    /// Nothing.
    Nothing,
}

impl End {
    /// What it says of the upstream, if it comes before CONNACK.
    #[must_use]
    pub fn sign(self) -> Sign {
        match self {
            End::UpstreamRefused(ReasonCode::ServerUnavailable | ReasonCode::ServerBusy) => {
                Sign::TakesNobody
            }
            End::UpstreamRefused(_) => Sign::Answers,
            End::UpstreamUnreachable
            | End::UpstreamTimeout
            | End::UpstreamClosed
            | End::UpstreamDisconnected(_)
            | End::UpstreamMalformed(_)
            | End::UpstreamProtocol(_) => Sign::Silent,
            _ => Sign::Nothing,
        }
    }

    /// Every label, in the order of [`End::index`].
    pub const LABELS: [&'static str; 25] = [
        "device_disconnected",
        "device_closed",
        "device_malformed",
        "device_protocol",
        "keep_alive_timeout",
        "connect_timeout",
        "connect_refused",
        "upstream_unreachable",
        "upstream_timeout",
        "upstream_refused",
        "upstream_disconnected",
        "upstream_closed",
        "upstream_malformed",
        "upstream_protocol",
        "message_refused",
        "exchanges_exceeded",
        "drained",
        "taken_over",
        "access_expired",
        "access_revoked",
        "handshake_failed",
        "properties_exceeded",
        "turned_away",
        "upstream_suspended",
        "memory_short",
    ];

    /// Place in [`End::LABELS`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            End::DeviceDisconnected => 0,
            End::DeviceClosed => 1,
            End::DeviceMalformed(_) => 2,
            End::DeviceProtocol(_) => 3,
            End::KeepAliveTimeout => 4,
            End::ConnectTimeout => 5,
            End::ConnectRefused(_) => 6,
            End::UpstreamUnreachable => 7,
            End::UpstreamTimeout => 8,
            End::UpstreamRefused(_) => 9,
            End::UpstreamDisconnected(_) => 10,
            End::UpstreamClosed => 11,
            End::UpstreamMalformed(_) => 12,
            End::UpstreamProtocol(_) => 13,
            End::MessageRefused(_) => 14,
            End::ExchangesExceeded => 15,
            End::Drained => 16,
            End::TakenOver => 17,
            End::AccessExpired => 18,
            End::AccessRevoked => 19,
            End::HandshakeFailed => 20,
            End::PropertiesExceeded => 21,
            End::TurnedAway => 22,
            End::UpstreamSuspended => 23,
            End::MemoryShort => 24,
        }
    }

    /// The stable word: metric label, log field.
    #[must_use]
    pub fn label(self) -> &'static str {
        Self::LABELS.get(self.index()).copied().unwrap_or("")
    }

    /// The reason code for a version 5 device whose session ends like this (v5 section 3.14.2.1). `None`
    /// where the device is gone, or has been told already.
    pub(super) fn reason_code(self) -> Option<ReasonCode> {
        match self {
            End::DeviceDisconnected
            | End::DeviceClosed
            | End::ConnectTimeout
            | End::HandshakeFailed
            | End::TurnedAway
            | End::UpstreamDisconnected(_) => None,
            End::DeviceMalformed(error) => Some(match error.reason_code() {
                // CONNACK only; a later packet with such a fault is a protocol error.
                ReasonCode::ClientIdentifierNotValid | ReasonCode::UnsupportedProtocolVersion => {
                    ReasonCode::ProtocolError
                }
                code => code,
            }),
            End::DeviceProtocol(_) => Some(ReasonCode::ProtocolError),
            End::KeepAliveTimeout => Some(ReasonCode::KeepAliveTimeout),
            End::ExchangesExceeded => Some(ReasonCode::ReceiveMaximumExceeded),
            // An administrative imposed limit (v5 section 4.13).
            End::PropertiesExceeded => Some(ReasonCode::QuotaExceeded),
            // It isn't the device's fault, but the most was this session's.
            End::MemoryShort => Some(ReasonCode::QuotaExceeded),
            End::MessageRefused(refusal) => Some(super::answer::reason_code(refusal)),
            End::AccessExpired | End::AccessRevoked => Some(ReasonCode::NotAuthorized),
            End::Drained => Some(ReasonCode::ServerShuttingDown),
            End::TakenOver => Some(ReasonCode::SessionTakenOver),
            End::ConnectRefused(_)
            | End::UpstreamUnreachable
            | End::UpstreamSuspended
            | End::UpstreamTimeout
            | End::UpstreamRefused(_)
            | End::UpstreamClosed
            | End::UpstreamMalformed(_)
            | End::UpstreamProtocol(_) => Some(ReasonCode::UnspecifiedError),
        }
    }
}

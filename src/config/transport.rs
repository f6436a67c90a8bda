//! What carries MQTT on either side, and the words for it.

/// What carries MQTT to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket over TCP.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// QUIC, which is TLS over UDP.
    Quic,
}

impl Transport {
    /// The word that configurations write.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Quic => "quic",
        }
    }

    /// Whether it encrypts.
    #[must_use]
    pub fn has_tls(self) -> bool {
        match self {
            Self::Tcp | Self::Ws => false,
            Self::Tls | Self::Wss | Self::Quic => true,
        }
    }

    /// Whether it is WebSocket, which has a path.
    #[must_use]
    pub fn has_path(self) -> bool {
        match self {
            Self::Tcp | Self::Tls | Self::Quic => false,
            Self::Ws | Self::Wss => true,
        }
    }
}

/// Whether connections begin with a header of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeader {
    /// No. One that comes all the same is no MQTT.
    #[default]
    Off,
    /// Each does, of version 1 or 2.
    Required,
}

impl ProxyHeader {
    pub(super) const WORDS: [(&'static str, Self); 2] =
        [("off", Self::Off), ("require", Self::Required)];
}

/// A version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl ProxyProtocol {
    pub(super) const WORDS: [(&'static str, Option<Self>); 3] =
        [("off", None), ("v1", Some(Self::V1)), ("v2", Some(Self::V2))];
}

/// What carries MQTT to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `mqtt://`, plain TCP.
    Mqtt,
    /// `mqtts://`, TLS over TCP.
    Mqtts,
    /// `ws://`, WebSocket over TCP.
    Ws,
    /// `wss://`, WebSocket over TLS.
    Wss,
    /// `quic://`, which is TLS over UDP.
    Quic,
}

impl Scheme {
    /// The word before `://`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Quic => "quic",
        }
    }

    /// The port where the URL names none.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
            Self::Ws => 80,
            Self::Wss => 443,
            Self::Quic => 14_567,
        }
    }

    /// Whether it encrypts.
    #[must_use]
    pub fn has_tls(self) -> bool {
        match self {
            Self::Mqtt | Self::Ws => false,
            Self::Mqtts | Self::Wss | Self::Quic => true,
        }
    }

    /// Whether it is WebSocket, which has a path.
    #[must_use]
    pub fn has_path(self) -> bool {
        match self {
            Self::Mqtt | Self::Mqtts | Self::Quic => false,
            Self::Ws | Self::Wss => true,
        }
    }
}

//! What all sessions of one listener share: the translator, the limits, what to do with refused messages.

use std::num::NonZeroU16;
use std::time::Duration;

use crate::translate::Translator;

use super::pace::Rate;

/// The plan of a listener's sessions.
#[derive(Debug)]
pub struct SessionPlan {
    /// Device dialect to upstream dialect.
    pub translator: Translator,
    /// Bounds.
    pub limits: SessionLimits,
    /// What becomes of a message that can't be translated.
    pub on_refusal: OnRefusal,
}

/// The bounds of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLimits {
    /// Bytes of a packet at most, in either direction.
    pub packet_size_max: usize,
    /// Bytes of a CONNECT at most: little is held for who hasn't said who it is.
    pub connect_size_max: usize,
    /// Time from the open connection to the end of its CONNECT.
    pub connect_timeout: Duration,
    /// Time from there to the upstream's CONNACK.
    pub upstream_timeout: Duration,
    /// How long the proxy keeps a will back at most, where it does that for the upstream (v5 Will Delay Interval). So
    /// long the upstream's connection stays.
    pub will_delay_max: Duration,
    /// Exchanges that the proxy has to remember itself (refused and clamped messages), per direction.
    pub exchanges_max: usize,
    /// Topic filters that a session remembers whose packets are written anew.
    pub subscriptions_max: usize,
    /// Topic aliases that a side of version 5 may use towards the proxy, and that it is given; 0 is none. Not where packets
    /// pass unchanged: there both sides agree on them between themselves.
    pub topic_aliases_max: u16,
    /// Devices that the session of a gateway attaches.
    pub attachments_max: usize,
    /// The keep alive that a device is given at most, in seconds, also where it asked for none; `None`: what it asked for.
    pub keep_alive_max: Option<NonZeroU16>,
    /// Messages per second that the device may send; `None`: any number.
    pub message_rate: Option<Rate>,
    /// Bytes per second that the device may send; `None`: any number.
    pub byte_rate: Option<Rate>,
    /// Levels of a topic name or topic filter, of either side.
    pub topic_levels_max: usize,
    /// Bytes of a topic name or topic filter, of either side.
    pub topic_bytes_max: usize,
    /// Properties of a packet of version 5, of either side; of a CONNECT, and of its will, each.
    pub properties_max: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            packet_size_max: 4 * 1024 * 1024,
            connect_size_max: 128 * 1024,
            connect_timeout: Duration::from_secs(10),
            upstream_timeout: Duration::from_secs(10),
            will_delay_max: Duration::from_secs(3600),
            exchanges_max: 1024,
            subscriptions_max: 1000,
            topic_aliases_max: 32,
            attachments_max: 10_000,
            keep_alive_max: None,
            message_rate: None,
            byte_rate: None,
            topic_levels_max: 128,
            topic_bytes_max: 4096,
            properties_max: 256,
        }
    }
}

/// What becomes of a message that can't be translated. MQTT 3.1.1 has no word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefusal {
    /// It is acknowledged (with the reason code in MQTT 5), counted and dropped.
    AckAndDrop,
    /// The session ends.
    Disconnect,
}

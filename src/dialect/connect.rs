//! How a dialect connects (the texts of its CONNECT) and what its platform grants a session.

use crate::mqtt::Qos;

use super::form::RetainRule;
use super::text_template::TextTemplate;

/// The templates of a CONNECT's texts; `None` where the dialect says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectRules {
    /// Client identifier.
    pub client_identifier: Option<TextTemplate>,
    /// Bytes of a client identifier at most, where the platform says so.
    pub client_identifier_bytes_max: Option<usize>,
    /// User name.
    pub user_name: Option<TextTemplate>,
    /// Password.
    pub password: Option<TextTemplate>,
    /// The common name of a device's certificate: only read, where a device shows one. What it says agrees with what the
    /// other texts say.
    pub certificate: Option<TextTemplate>,
    /// User properties of each message towards the platform, in MQTT 5: names, and where their values come from.
    pub message_properties: Vec<(Box<str>, TextTemplate)>,
    /// Line of the table on which the rules start; 0 where there are none.
    pub line: usize,
}

/// What the platform grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The highest QoS of a PUBLISH towards the platform.
    pub qos_max: Qos,
    /// What becomes of the RETAIN flag of messages towards it, unless a form says otherwise.
    pub retain: RetainRule,
    /// Whether it takes a will.
    pub will: WillRule,
    /// Whether it keeps sessions.
    pub session: SessionRule,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            qos_max: Qos::ExactlyOnce,
            retain: RetainRule::Keep,
            will: WillRule::Carry,
            session: SessionRule::Keep,
        }
    }
}

/// Who publishes the will when a device vanishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WillRule {
    /// The platform; the will goes up in the CONNECT.
    Carry,
    /// The platform has none; the proxy keeps the will and publishes it.
    Emulate,
}

/// Whether sessions outlive their connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRule {
    /// As the device asks.
    Keep,
    /// Every session is clean, whatever the device asks.
    Clean,
}

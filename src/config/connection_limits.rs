//! `[listener.limits]`: how many connections a listener takes, how fast, and how much their devices may say.

use std::num::{NonZeroU32, NonZeroU64};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::Table;
use crate::session::{Rate, SessionLimits};

/// Connections, of an address or per second.
const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;
const MESSAGES: RangeInclusive<u64> = 1..=1_000_000;
/// A kilobyte per second is less than any device needs to come in; a terabyte is more than any network.
const BYTES: RangeInclusive<u64> = 1024..=1_000_000_000_000;

/// How many seconds' worth a device may send at once.
const BURST: Duration = Duration::from_secs(1);

/// Connections that a listener accepts per second, unless it is written: what brokers take of CONNECTs, and, at some 60 µs for
/// each session that begins, a small part of a shard's time, whoever floods it. A fleet that is smaller comes back at once.
const RATE_DEFAULT: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// What a listener takes of connections; `None`: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections of one address at once. Of IPv6 addresses 64 bits count.
    pub per_address_max: Option<NonZeroU32>,
    /// Connections that one address opens per second.
    pub rate_per_address_max: Option<NonZeroU32>,
    /// Connections that all open per second.
    pub rate_max: NonZeroU32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { per_address_max: None, rate_per_address_max: None, rate_max: RATE_DEFAULT }
    }
}

/// `[listener.limits]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WrittenLimits {
    pub(super) connections: ConnectionLimits,
    /// Messages per second of one session's device.
    pub(super) message_rate_max: Option<NonZeroU64>,
    /// Bytes per second of one session's device.
    pub(super) byte_rate_max: Option<NonZeroU64>,
}

impl WrittenLimits {
    /// The limits of the listener's sessions.
    pub(super) fn of_sessions(&self, limits: &SessionLimits) -> SessionLimits {
        let rate = |most: Option<NonZeroU64>| most.map(|most| Rate::new(most, BURST));
        let (message_rate, byte_rate) = (rate(self.message_rate_max), rate(self.byte_rate_max));
        SessionLimits { message_rate, byte_rate, ..limits.clone() }
    }
}

pub(super) fn read_listener_limits(mut table: Table<'_>) -> WrittenLimits {
    let mut number = |key, range| NonZeroU64::new(table.integer(key, range)?.value);
    let small = |number: Option<NonZeroU64>| number.and_then(|number| number.try_into().ok());
    let limits = WrittenLimits {
        connections: ConnectionLimits {
            per_address_max: small(number("connections_per_address_max", CONNECTIONS)),
            rate_per_address_max: small(number("connect_rate_per_address_max", CONNECTIONS)),
            rate_max: small(number("connect_rate_max", CONNECTIONS)).unwrap_or(RATE_DEFAULT),
        },
        message_rate_max: number("message_rate_max", MESSAGES),
        byte_rate_max: number("byte_rate_max", BYTES),
    };
    table.finish();
    limits
}

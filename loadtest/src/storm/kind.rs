//! The kinds of storms: what each does, to which listener, and how much of it.

use clap::ValueEnum;
use serde::Serialize;

use super::Options;
use super::attacker::Manner;
use crate::caller::Carrier;

/// Connections of a flood of CONNECTs at once.
const FLOODERS: u32 = 64;
/// Of the slow connections so many parts are begun per second at most. With a deadline of ten seconds, a tenth of them ends in each.
const SLOW_RATE_PART: u32 = 5;
const SLOW_RATE_MIN: u32 = 50;
/// Connections of garbage at once, by those begun per second: each lasts a second at most.
const GARBAGE_SECONDS: u32 = 2;

/// A storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// TLS handshakes, one byte per second
    SlowHello,
    /// CONNECTs behind a whole TLS handshake, one byte per second
    SlowConnect,
    /// Connections with random bytes
    Garbage,
    /// The same at a TLS listener
    GarbageTls,
    /// Datagrams with random bytes at a QUIC listener
    GarbageQuic,
    /// As many CONNECTs as one address can make
    Connects,
    /// As slow-hello, with limits per address
    SlowHelloLimited,
    /// As connects, with limits per address
    ConnectsLimited,
    /// As connects, where nothing limits how many are accepted: only if it is named, since no aim is held against it
    ConnectsUnlimited,
}

/// What a listener takes of one address where it is limited: what the README says of listeners that face the internet.
const LIMITS: &str =
    "[listener.limits]\nconnections_per_address_max = 100\nconnect_rate_per_address_max = 10\n";

/// As many as there can be.
const UNLIMITED: &str = "[listener.limits]\nconnect_rate_max = 1000000\n";

/// Listeners of the proxy; the honest devices are at the first. The second has a broker of its own.
pub(super) const FIELD: &str = "field";
pub(super) const FLOODED: &str = "flooded";
pub(super) const SECURE: &str = "secure";
pub(super) const QUICK: &str = "quick";

impl Kind {
    /// As the command line has it.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What attackers do.
    pub(super) fn manner(self) -> Manner {
        match self {
            Kind::SlowHello | Kind::SlowHelloLimited => Manner::SlowHello,
            Kind::SlowConnect => Manner::SlowConnect,
            Kind::Garbage | Kind::GarbageTls => Manner::Garbage,
            Kind::GarbageQuic => Manner::Datagrams,
            Kind::Connects | Kind::ConnectsLimited | Kind::ConnectsUnlimited => Manner::Connects,
        }
    }

    /// Where they do it.
    pub(super) fn listener(self) -> &'static str {
        match self {
            Kind::Garbage => FIELD,
            Kind::Connects | Kind::ConnectsLimited | Kind::ConnectsUnlimited => FLOODED,
            Kind::SlowHello | Kind::SlowConnect | Kind::GarbageTls | Kind::SlowHelloLimited => {
                SECURE
            }
            Kind::GarbageQuic => QUICK,
        }
    }

    /// What carries MQTT there.
    pub(super) fn carrier(self) -> Carrier {
        match self.listener() {
            SECURE => Carrier::Tls,
            QUICK => Carrier::Quic,
            _ => Carrier::Tcp,
        }
    }

    /// Their connections at once, and those that they begin per second.
    pub(super) fn extent(self, options: &Options) -> (u32, u32) {
        match self {
            Kind::SlowHello | Kind::SlowConnect | Kind::SlowHelloLimited => {
                (options.slow, (options.slow / SLOW_RATE_PART).max(SLOW_RATE_MIN))
            }
            Kind::Garbage | Kind::GarbageTls | Kind::GarbageQuic => {
                (options.garbage * GARBAGE_SECONDS, options.garbage)
            }
            // They go by the answers.
            Kind::Connects | Kind::ConnectsLimited | Kind::ConnectsUnlimited => (FLOODERS, 1),
        }
    }

    /// What the listeners' tables end with.
    pub(super) fn limits(self) -> &'static str {
        match self {
            Kind::SlowHelloLimited | Kind::ConnectsLimited => LIMITS,
            Kind::ConnectsUnlimited => UNLIMITED,
            _ => "",
        }
    }
}

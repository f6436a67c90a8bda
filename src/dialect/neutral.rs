//! The neutral words: what a message is for (kind), whom it is about (the parts of an address), and who
//! sends it. Every dialect's topics map to these and nothing else passes between two dialects.

use std::fmt;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Measured values; their history matters.
    Telemetry,
    /// The current condition of a device or entity; the latest matters.
    State,
    /// A discrete occurrence: an alarm, a log line.
    Event,
    /// The result of a command.
    Response,
    /// A report of a failure, in either direction.
    Error,
    /// A directive that is given once.
    Command,
    /// A desired state, delivered again on each subscription.
    Config,
    /// A question for a current value.
    Query,
    /// A gateway takes a device.
    Attach,
    /// A gateway lets a device go.
    Detach,
    /// Onboarding, credentials, discovery.
    Provision,
    /// Users, groups, rooms, licences, files.
    Admin,
}

impl Kind {
    /// Every kind with the word that tables write.
    pub const WORDS: [(&'static str, Kind); 12] = [
        ("telemetry", Kind::Telemetry),
        ("state", Kind::State),
        ("event", Kind::Event),
        ("response", Kind::Response),
        ("error", Kind::Error),
        ("command", Kind::Command),
        ("config", Kind::Config),
        ("query", Kind::Query),
        ("attach", Kind::Attach),
        ("detach", Kind::Detach),
        ("provision", Kind::Provision),
        ("admin", Kind::Admin),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS.iter().find(|(_, kind)| kind == self).map_or("", |(word, _)| word))
    }
}

/// One part of an address. A dialect has a variable of its own for each part that its topics carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The customer: a space, a subscription, an account's alias.
    Tenant,
    /// A place of the customer's: a registry, a home, a collection.
    Site,
    /// The gateway that a device sits behind.
    Gateway,
    /// The device.
    Device,
    /// What of the device: a tag, an entity, a property, a subfolder. May hold `/`.
    Channel,
}

impl Part {
    /// Every part with the word that tables write.
    pub const WORDS: [(&'static str, Part); 5] = [
        ("tenant", Part::Tenant),
        ("site", Part::Site),
        ("gateway", Part::Gateway),
        ("device", Part::Device),
        ("channel", Part::Channel),
    ];

    /// The word that tables write.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, part)| *part == self).map_or("", |(word, _)| word)
    }

    /// The part that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, part)| *part)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The device (or a gateway for it): the way up.
    Device,
    /// The platform or an application: the way down.
    Cloud,
}

impl Sender {
    /// Both senders with the word that tables write.
    pub const WORDS: [(&'static str, Sender); 2] =
        [("device", Sender::Device), ("cloud", Sender::Cloud)];
}

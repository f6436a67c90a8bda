//! The scenarios that are built in: `loadtest/scenarios/*.toml`, as text.

/// A built-in scenario.
#[derive(Debug)]
pub(crate) struct Preset {
    /// What the command line writes.
    pub(crate) name: &'static str,
    /// Its file.
    pub(crate) text: &'static str,
}

/// All of them, the simple ones first.
#[rustfmt::skip]
pub(crate) const PRESETS: &[Preset] = &[
    Preset { name: "steady", text: include_str!("../../scenarios/steady.toml") },
    Preset { name: "steps", text: include_str!("../../scenarios/steps.toml") },
    Preset { name: "burst", text: include_str!("../../scenarios/burst.toml") },
    Preset { name: "reconnect-storm", text: include_str!("../../scenarios/reconnect-storm.toml") },
    Preset { name: "churn", text: include_str!("../../scenarios/churn.toml") },
    Preset { name: "slow-readers", text: include_str!("../../scenarios/slow-readers.toml") },
    Preset { name: "many-topics", text: include_str!("../../scenarios/many-topics.toml") },
    Preset { name: "commands", text: include_str!("../../scenarios/commands.toml") },
    Preset { name: "connections", text: include_str!("../../scenarios/connections.toml") },
    Preset { name: "side-by-side", text: include_str!("../../scenarios/side-by-side.toml") },
    Preset { name: "flood", text: include_str!("../../scenarios/flood.toml") },
];

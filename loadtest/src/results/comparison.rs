//! What a comparison of two targets found out: every run of every round, and what came out of them figure by figure.
//!
//! It measures nothing and prints nothing. Invariant: what a figure can't say is `None`, never 0.

use serde::{Deserialize, Serialize};

use super::spread::{Series, grouped};
use super::{Machine, Results};

/// The number of the JSON's form.
pub(crate) const COMPARISON_FORMAT: u32 = 1;

/// Everything about one comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// [`COMPARISON_FORMAT`].
    pub(crate) comparison_format: u32,
    /// Version of the load generator.
    pub(crate) version: String,
    /// When it began, in milliseconds of Unix time.
    pub(crate) started_unix_ms: u64,
    /// The command line, without secrets.
    pub(crate) command: String,
    /// The scenario's name.
    pub(crate) name: String,
    /// The whole scenario as TOML text.
    pub(crate) scenario: String,
    /// What all that is random came from; both targets of a round get the same, the next round the next.
    pub(crate) seed: u64,
    /// Where it ran.
    pub(crate) machine: Machine,
    /// The load average at the end, its own load included.
    pub(crate) load_average_after: Option<f64>,
    /// Who was kept on which cores.
    pub(crate) pinning: Pinning,
    /// The first target.
    pub(crate) a: TargetText,
    /// The second one.
    pub(crate) b: TargetText,
    /// Round by round.
    pub(crate) rounds: Vec<Round>,
    /// All rounds of the first target.
    pub(crate) total_a: Total,
    /// All rounds of the second one.
    pub(crate) total_b: Total,
    /// Figure by figure, with the ratio of both.
    pub(crate) figures: Vec<Row>,
    /// What a reader has to know before believing the figures, one sentence each.
    pub(crate) remarks: Vec<String>,
}

/// Who was kept on which cores; empty: wherever the system put them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pinning {
    /// The targets', one after the other.
    pub(crate) target: Vec<usize>,
    /// The sending threads'.
    pub(crate) generator: Vec<usize>,
    /// The sink's or echo's.
    pub(crate) end: Option<usize>,
}

/// A target in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetText {
    /// In one word or two.
    pub(crate) name: String,
    /// What was started, or where it is.
    pub(crate) about: String,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// One round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Round {
    /// From 1.
    pub(crate) number: usize,
    /// Which target came first in it.
    pub(crate) first: Side,
    /// The first target.
    pub(crate) a: Measured,
    /// The second one.
    pub(crate) b: Measured,
    /// The sink or echo itself, without a target.
    pub(crate) direct: Option<Direct>,
}

/// One target in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// PUBLISH packets that came through in the measured time, up and down.
    pub(crate) messages: u64,
    /// The figures that are compared.
    pub(crate) figures: Vec<(Figure, f64)>,
    /// The part of the measured time in which the target could have run, and others had its core.
    pub(crate) waited: Option<f64>,
    /// The whole run.
    pub(crate) results: Results,
}

impl Comparison {
    /// Every run, with what it was.
    pub(crate) fn named_runs(&self) -> impl Iterator<Item = (String, &Results)> {
        self.rounds.iter().flat_map(|round| {
            let name = |what: &str| format!("round {}, {what}", round.number);
            let direct = round.direct.as_ref();
            direct
                .map(|direct| (name("direct"), &direct.results))
                .into_iter()
                .chain([(name("A"), &round.a.results), (name("B"), &round.b.results)])
        })
    }

    /// Every run.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Results> {
        self.named_runs().map(|(_, results)| results)
    }

    /// All rounds of a target.
    pub(crate) fn measured(&self, side: Side) -> Vec<&Measured> {
        self.rounds.iter().map(|round| round.side(side)).collect()
    }

    /// A figure of both targets.
    pub(crate) fn row(&self, wanted: Figure) -> Option<&Row> {
        self.figures.iter().find(|row| row.figure == wanted)
    }
}

impl Pinning {
    /// In one line.
    pub(crate) fn text(&self) -> String {
        let cores = |cores: &[usize]| match cores {
            [] => "not pinned".to_owned(),
            [core] => format!("on core {core}"),
            cores => {
                let list: Vec<String> = cores.iter().map(usize::to_string).collect();
                format!("on cores {}", list.join(", "))
            }
        };
        let end = cores(self.end.as_slice());
        format!("targets {}, sending {}, sink {end}", cores(&self.target), cores(&self.generator))
    }
}

impl Round {
    /// One of the targets.
    pub(crate) fn side(&self, side: Side) -> &Measured {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }
}

impl Measured {
    /// A figure, if there is one.
    pub(crate) fn figure(&self, wanted: Figure) -> Option<f64> {
        self.figures.iter().find(|(figure, _)| *figure == wanted).map(|(_, value)| *value)
    }
}

/// The sink or echo itself in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Direct {
    /// The whole run.
    pub(crate) results: Results,
}

/// All rounds of one target.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Total {
    /// PUBLISH packets that came through in the measured time.
    pub(crate) messages: u64,
    /// Measured time.
    pub(crate) measured_s: f64,
    /// CPU time in it.
    pub(crate) cpu_us: Option<f64>,
    /// CPU time by messages.
    pub(crate) cpu_us_per_message: Option<f64>,
    /// Messages by CPU time.
    pub(crate) messages_per_cpu_s: Option<f64>,
}

/// One figure of both targets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Which one.
    pub(crate) figure: Figure,
    /// What it is counted in.
    pub(crate) unit: Unit,
    /// The first target's.
    pub(crate) a: Series,
    /// The second one's.
    pub(crate) b: Series,
    /// The first by the second, in each round.
    pub(crate) ratio: Series,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// CPU time of the target per message.
    CpuPerMessage,
    /// The same the other way round.
    MessagesPerCpuSecond,
    /// Messages that came through, by the clock.
    MessagesPerSecond,
    /// Median latency.
    LatencyP50,
    /// 99th percentile of the latency.
    LatencyP99,
    /// 99.9th percentile of the latency.
    LatencyP999,
    /// Median latency without the median of the same load on the sink itself.
    AddedP50,
    /// The same with the 99th percentiles.
    AddedP99,
    /// The same with the 99.9th percentiles.
    AddedP999,
    /// What resident memory grew by per connection.
    MemoryPerConnection,
    /// The largest resident memory.
    MemoryMax,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// µs.
    Microseconds,
    /// Messages per second, of CPU time or of the clock.
    MessagesPerSecond,
    /// Bytes.
    Bytes,
}

impl Figure {
    /// All of them, in the order of reports.
    pub(crate) const ALL: [Figure; 11] = [
        Figure::CpuPerMessage,
        Figure::MessagesPerCpuSecond,
        Figure::MessagesPerSecond,
        Figure::AddedP50,
        Figure::AddedP99,
        Figure::AddedP999,
        Figure::LatencyP50,
        Figure::LatencyP99,
        Figure::LatencyP999,
        Figure::MemoryPerConnection,
        Figure::MemoryMax,
    ];

    /// What it is counted in.
    pub(crate) fn unit(self) -> Unit {
        match self {
            Figure::MessagesPerCpuSecond | Figure::MessagesPerSecond => Unit::MessagesPerSecond,
            Figure::MemoryPerConnection | Figure::MemoryMax => Unit::Bytes,
            _ => Unit::Microseconds,
        }
    }

    /// For a person.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Figure::CpuPerMessage => "CPU per message",
            Figure::MessagesPerCpuSecond => "messages per CPU-second",
            Figure::MessagesPerSecond => "messages per second",
            Figure::LatencyP50 => "latency p50",
            Figure::LatencyP99 => "latency p99",
            Figure::LatencyP999 => "latency p99.9",
            Figure::AddedP50 => "added latency p50",
            Figure::AddedP99 => "added latency p99",
            Figure::AddedP999 => "added latency p99.9",
            Figure::MemoryPerConnection => "memory per connection",
            Figure::MemoryMax => "memory at most",
        }
    }
}

impl Unit {
    /// A value for a person.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Unit::Microseconds if value.abs() < 100.0 => format!("{value:.2} µs"),
            Unit::Microseconds if value < 0.0 => format!("−{}", super::duration(-value)),
            Unit::Microseconds => super::duration(value),
            Unit::MessagesPerSecond => format!("{}/s", grouped(value)),
            Unit::Bytes if value.abs() < f64::from(1 << 20) => {
                format!("{:.1} KiB", value / 1024.0)
            }
            Unit::Bytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
        }
    }
}

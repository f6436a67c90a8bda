//! What a run found out: the model that the table, the JSON and every later report are made from.
//!
//! It measures nothing and prints nothing. Times are in the unit that their names end with; latencies are in
//! microseconds, as whole numbers of nanoseconds divided by 1000.
//! Invariant: what a field can't say is `None` or left out, never 0.

mod comparison;
mod latency;
mod machine;
mod spread;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use comparison::{
    COMPARISON_FORMAT, Comparison, Direct, Figure, Measured, Pinning, Round, Row, Side, TargetText,
    Total,
};
pub(crate) use latency::{Histogram, Latency, microseconds, new_histogram};
pub(crate) use machine::{Machine, load_average};
pub(crate) use spread::{Series, Spread, grouped};
pub(crate) use table::{duration, one_check, table};

/// The number of the JSON's form; it grows when a field changes its meaning or goes away.
pub(crate) const FORMAT: u32 = 1;

/// Everything about one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// Version of the load generator.
    pub(crate) version: String,
    /// When the run began, in milliseconds of Unix time.
    pub(crate) started_unix_ms: u64,
    /// The command line, without secrets. `None` for a run inside of a comparison.
    #[serde(default)]
    pub(crate) command: Option<String>,
    /// Where it ran. `None` for a run inside of a comparison.
    #[serde(default)]
    pub(crate) machine: Option<Machine>,
    /// The scenario's name.
    pub(crate) name: String,
    /// The whole scenario as TOML text, with every default written out.
    pub(crate) scenario: String,
    /// What all that is random came from.
    pub(crate) seed: u64,
    /// Where the devices connected.
    pub(crate) target: String,
    /// What stood behind the target, if this process had it.
    pub(crate) end: End,
    /// How long the parts of the run took.
    pub(crate) durations: Durations,
    /// What was counted.
    pub(crate) counts: Counts,
    /// Errors by kind, such as `connection_reset`.
    pub(crate) errors: BTreeMap<String, u64>,
    /// What was checked.
    pub(crate) checks: Vec<Check>,
    /// How long things took, after the warm-up.
    pub(crate) latencies: Latencies,
    /// Second by second, from the start of the load.
    pub(crate) seconds: Vec<Second>,
    /// What the generator itself needed.
    pub(crate) generator: Generator,
    /// What the process given with `--pid` needed.
    pub(crate) process: Option<ProcessUse>,
    /// What a reader has to know before believing the figures, one sentence each.
    pub(crate) remarks: Vec<String>,
}

/// What stood behind the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum End {
    /// Something that isn't ours: a broker, say.
    Foreign,
    /// The sink in this process.
    Sink,
    /// The echo in this process.
    Echo,
}

/// How long the parts of the run took.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Durations {
    /// From the first connect until every device was connected or had failed.
    pub(crate) connecting_s: f64,
    /// Load before it was measured.
    pub(crate) warm_up_s: f64,
    /// Load that was measured.
    pub(crate) measured_s: f64,
    /// Waiting for what was still on its way.
    pub(crate) drain_s: f64,
    /// Whether a signal ended the run early.
    pub(crate) interrupted: bool,
}

/// What was counted over the whole run, warm-up included. "Sent" and "received" are the devices' words.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Devices of the scenario.
    pub(crate) devices: u64,
    /// Connections begun.
    pub(crate) connects: u64,
    /// CONNACKs that let the device in.
    pub(crate) accepted: u64,
    /// CONNACKs that didn't.
    pub(crate) refused: u64,
    /// Connections that ended as the scenario wanted: churn, storms, the end.
    pub(crate) disconnects_wanted: u64,
    /// Connections that the target ended.
    pub(crate) disconnects_unwanted: u64,
    /// PUBLISH packets sent by devices.
    pub(crate) publish_sent: u64,
    /// PUBLISH packets acknowledged to devices (PUBACK, or PUBCOMP at QoS 2).
    pub(crate) publish_acknowledged: u64,
    /// Acknowledgements with an error as their reason code; not among the acknowledged.
    pub(crate) publish_rejected: u64,
    /// PUBLISH packets that reached the sink or the echo. `None` without one.
    pub(crate) publish_arrived: Option<u64>,
    /// Of those, the ones whose payload was rewritten around its stamp, which is what a translation does.
    pub(crate) publish_rewritten: Option<u64>,
    /// PUBLISH packets received by devices.
    pub(crate) publish_received: u64,
    /// Commands sent by the controller.
    pub(crate) commands_sent: u64,
    /// PUBLISH packets that the schedule asked for, and that couldn't be sent before the end.
    pub(crate) publish_unsent: u64,
    /// PUBLISH packets whose acknowledgement the run didn't wait for any longer.
    pub(crate) publish_unanswered: u64,
    /// PUBLISH packets that waited for their acknowledgement when their connection ended in the middle of the run.
    pub(crate) publish_cut_off: u64,
    /// SUBSCRIBE packets sent by devices.
    pub(crate) subscribe_sent: u64,
    /// Subscriptions granted.
    pub(crate) subscribe_granted: u64,
    /// Subscriptions refused.
    pub(crate) subscribe_refused: u64,
    /// PUBLISH packets sent between the warm-up and the end of the load.
    pub(crate) measured_sent: u64,
    /// PUBLISH packets acknowledged in that time.
    pub(crate) measured_acknowledged: u64,
    /// PUBLISH packets that reached the sink or the echo in that time. `None` without one.
    pub(crate) measured_arrived: Option<u64>,
    /// PUBLISH packets received by devices in that time.
    pub(crate) measured_received: u64,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Looked at, and nothing was wrong.
    Passed,
    /// Something was wrong: the process ends with 1.
    Failed,
    /// It couldn't be looked at; the detail says why.
    NotChecked,
}

/// One check over all messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Check {
    /// `loss`, `duplicates`, `order`, `corruption`, … ; for what devices received `down_loss`, ….
    pub(crate) name: String,
    /// What came out.
    pub(crate) verdict: Verdict,
    /// How many messages were wrong.
    pub(crate) count: u64,
    /// What was compared, or the first that was wrong.
    pub(crate) detail: String,
}

/// How long things took.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Latencies {
    /// From the intended time of a QoS 1 or 2 PUBLISH to its PUBACK or PUBCOMP.
    pub(crate) acknowledged: Option<Latency>,
    /// From the intended time to the arrival in the sink or the echo.
    pub(crate) arrival: Option<Latency>,
    /// From the intended time until the echo came back to the device.
    pub(crate) round_trip: Option<Latency>,
    /// From a command's intended time to its device.
    pub(crate) command: Option<Latency>,
    /// From the start of a connection to its CONNACK.
    pub(crate) connect: Option<Latency>,
}

/// One second of the load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Second {
    /// Seconds since the start of the load; the warm-up comes first.
    pub(crate) second: u64,
    /// PUBLISH packets that the schedule asked for.
    pub(crate) intended: u64,
    /// PUBLISH packets sent by devices.
    pub(crate) sent: u64,
    /// PUBLISH packets acknowledged.
    pub(crate) acknowledged: u64,
    /// PUBLISH packets that reached the sink or the echo. `None` without one.
    pub(crate) arrived: Option<u64>,
    /// PUBLISH packets received by devices.
    pub(crate) received: u64,
    /// Errors of any kind.
    pub(crate) errors: u64,
    /// Connected devices at the end of the second.
    pub(crate) connected: u64,
    /// Which latency the next three are.
    pub(crate) of: Option<LatencyKind>,
    /// Half of the messages that were done in this second took at most this.
    pub(crate) p50_us: Option<f64>,
    /// 99 % of them took at most this.
    pub(crate) p99_us: Option<f64>,
    /// 99.9 % of them took at most this.
    pub(crate) p999_us: Option<f64>,
}

/// The latency that stands for a run: the first of these that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LatencyKind {
    /// [`Latencies::acknowledged`].
    Acknowledged,
    /// [`Latencies::arrival`].
    Arrival,
    /// [`Latencies::round_trip`].
    RoundTrip,
    /// [`Latencies::command`].
    Command,
}

/// What the generator itself needed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Generator {
    /// Threads that sent.
    pub(crate) threads: usize,
    /// The cores that they were pinned to; empty if they weren't.
    pub(crate) cores: Vec<usize>,
    /// CPU time of these threads in the measured time, waiting by spinning left out.
    pub(crate) cpu_us: f64,
    /// CPU time that they spent spinning until something was due.
    pub(crate) spin_us: f64,
    /// `cpu_us` per PUBLISH sent or received in the measured time.
    pub(crate) cpu_us_per_message: Option<f64>,
    /// CPU time of the sink or echo in the measured time.
    pub(crate) end_cpu_us: Option<f64>,
    /// How much later than intended the generator itself got to a message. What the target held up isn't in it.
    pub(crate) lateness: Option<Latency>,
}

/// What a process needed during the measured time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ProcessUse {
    /// Its process identifier.
    pub(crate) pid: i32,
    /// Its name.
    pub(crate) command: String,
    /// CPU time, user and system.
    pub(crate) cpu_us: f64,
    /// Time in which its threads could have run, and others had the core.
    #[serde(default)]
    pub(crate) waited_us: Option<f64>,
    /// CPU time per PUBLISH that the devices sent or received.
    pub(crate) cpu_us_per_message: Option<f64>,
    /// Cores that it kept busy on average.
    pub(crate) cores: f64,
    /// Resident memory before the first connection.
    pub(crate) resident_before_bytes: u64,
    /// Resident memory when all devices were connected and before the load.
    pub(crate) resident_connected_bytes: u64,
    /// The largest resident memory that was seen.
    pub(crate) resident_max_bytes: u64,
    /// What a connection added, by the first two.
    pub(crate) bytes_per_connection: Option<f64>,
}

impl Results {
    /// Whether a check failed.
    pub(crate) fn failed(&self) -> bool {
        self.checks.iter().any(|check| check.verdict == Verdict::Failed)
    }
}

//! Every metric's name in one place, and how the shards' plain counters become Prometheus text.
//!
//! Nothing here is on the way of a message: shards count with loads and stores of their own, and the sums are
//! made when somebody asks. No label ever comes from the network.

use std::sync::Arc;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::overload::Overload;
use crate::session::{End, Excess, Paced, Tally};
use crate::translate::{Note, Reason, Way};
use crate::upstream::{Reach, Standing};

const OPEN: &str = "interlingua_sessions";
const SHARD_OPEN: &str = "interlingua_shard_sessions";
const OPENED: &str = "interlingua_connections_accepted_total";
const ESTABLISHED: &str = "interlingua_sessions_established_total";
const ENDED: &str = "interlingua_sessions_ended_total";
const PACKETS: &str = "interlingua_packets_received_total";
const BYTES: &str = "interlingua_bytes_received_total";
const MESSAGES: &str = "interlingua_messages_total";
const REFUSED: &str = "interlingua_refused_total";
const NOTES: &str = "interlingua_notes_total";
const FILTERED: &str = "interlingua_deliveries_filtered_total";
const UNDELIVERED: &str = "interlingua_messages_undelivered_total";
const TURNED_AWAY: &str = "interlingua_connections_turned_away_total";
const ACCEPTING_PAUSED: &str = "interlingua_accepting_paused_total";
const PAUSED: &str = "interlingua_devices_paused_total";
const UPSTREAM_STATE: &str = "interlingua_upstream_state";
const SUSPENSIONS: &str = "interlingua_upstream_suspensions_total";
const SHARD_STALLED: &str = "interlingua_shard_stalled";
const MEMORY: &str = "interlingua_memory_bytes";
const MEMORY_MAX: &str = "interlingua_memory_max_bytes";
const MEMORY_LEVEL: &str = "interlingua_memory_level";
const BUILD: &str = "interlingua_build_info";

/// The counters of all shards.
pub struct Telemetry {
    shards: Vec<Arc<Tally>>,
    upstreams: Vec<Arc<Reach>>,
    overload: Arc<Overload>,
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Telemetry {
    /// Tallies for this many shards, which share these upstreams; one may be there several times.
    #[must_use]
    pub fn new(shards: usize, upstreams: Vec<Arc<Reach>>, overload: Arc<Overload>) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, describe);
        let shards = (0..shards).map(|_| Arc::default()).collect();
        Self { shards, upstreams, overload, recorder, handle }
    }

    /// The tally of a shard.
    #[must_use]
    pub fn tally(&self, shard: usize) -> Arc<Tally> {
        self.shards[shard].clone()
    }

    /// The Prometheus text of this moment.
    #[must_use]
    pub fn render(&self) -> String {
        with_local_recorder(&self.recorder, || self.record());
        self.handle.render()
    }

    fn record(&self) {
        gauge!(OPEN).set(self.sum(open) as f64);
        for (number, tally) in self.shards.iter().enumerate() {
            gauge!(SHARD_OPEN, "shard" => number.to_string()).set(open(tally) as f64);
            let stalled = f64::from(u8::from(self.overload.is_stalled(number)));
            gauge!(SHARD_STALLED, "shard" => number.to_string()).set(stalled);
        }
        counter!(OPENED).absolute(self.sum(|tally| tally.opened.value()));
        counter!(ESTABLISHED).absolute(self.sum(|tally| tally.established.value()));
        counter!(FILTERED).absolute(self.sum(Tally::filtered));
        for upstream in &self.upstreams {
            let name = upstream.name().to_owned();
            gauge!(UPSTREAM_STATE, "upstream" => name.clone()).set(state_of(upstream.standing()));
            counter!(SUSPENSIONS, "upstream" => name).absolute(upstream.suspensions());
        }
        gauge!(MEMORY).set(self.overload.memory_used() as f64);
        gauge!(MEMORY_MAX).set(self.overload.memory_max() as f64);
        gauge!(MEMORY_LEVEL).set(f64::from(self.overload.level() as u8));
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        counter!(ACCEPTING_PAUSED).absolute(self.sum(|tally| tally.accepting_paused.value()));
        for (index, label) in Excess::LABELS.into_iter().enumerate() {
            counter!(TURNED_AWAY, "reason" => label)
                .absolute(self.sum(|tally| tally.turned_away(index)));
        }
        for paced in Paced::ALL {
            counter!(PAUSED, "limit" => paced.label())
                .absolute(self.sum(|tally| tally.paused(paced)));
        }
        for (index, label) in End::LABELS.into_iter().enumerate() {
            counter!(ENDED, "end" => label).absolute(self.sum(|tally| tally.ended(index)));
        }
        for way in [Way::Up, Way::Down] {
            let direction = way.label();
            counter!(PACKETS, "direction" => direction)
                .absolute(self.sum(|tally| tally.packets(way)));
            counter!(BYTES, "direction" => direction).absolute(self.sum(|tally| tally.bytes(way)));
            counter!(MESSAGES, "direction" => direction)
                .absolute(self.sum(|tally| tally.messages(way)));
            counter!(UNDELIVERED, "direction" => direction)
                .absolute(self.sum(|tally| tally.undelivered(way)));
            for reason in Reason::ALL {
                let refused = self.sum(|tally| tally.refused(way, reason));
                counter!(REFUSED, "direction" => direction, "reason" => reason.label())
                    .absolute(refused);
            }
            for note in Note::ALL {
                let noted = self.sum(|tally| tally.noted(way, note));
                counter!(NOTES, "direction" => direction, "note" => note.label()).absolute(noted);
            }
        }
    }

    fn sum(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        self.shards.iter().map(|tally| of(tally)).sum()
    }
}

/// Sessions of a shard that are there now.
fn open(tally: &Tally) -> u64 {
    let ended: u64 = (0..End::LABELS.len()).map(|index| tally.ended(index)).sum();
    tally.opened.value().saturating_sub(ended)
}

fn state_of(standing: Standing) -> f64 {
    match standing {
        Standing::Closed => 0.0,
        Standing::HalfOpen => 1.0,
        Standing::Open => 2.0,
    }
}

fn describe() {
    describe_gauge!(OPEN, Unit::Count, "Connections of devices that are open now");
    describe_gauge!(SHARD_OPEN, Unit::Count, "Those of each shard");
    describe_gauge!(
        UPSTREAM_STATE,
        "Whom the upstream's breaker lets through: 0 everybody, 1 a trial, 2 nobody"
    );
    describe_counter!(SUSPENSIONS, Unit::Count, "Times that the upstream's breaker has opened");
    describe_gauge!(SHARD_STALLED, "1: the shard hangs, or is dead");
    describe_gauge!(MEMORY, Unit::Bytes, "Memory that the process has");
    describe_gauge!(MEMORY_MAX, Unit::Bytes, "Memory that it may have; 0: it isn't watched");
    describe_gauge!(
        MEMORY_LEVEL,
        "How short memory is: 0 it isn't, 1 new sessions are refused, 2 sessions are ended"
    );
    describe_gauge!(BUILD, "The version that is running");
    describe_counter!(OPENED, Unit::Count, "Connections accepted from devices");
    describe_counter!(ESTABLISHED, Unit::Count, "Sessions whose upstream accepted them");
    describe_counter!(
        TURNED_AWAY,
        Unit::Count,
        "Connections closed before anything of them was read, by what their address has too many of"
    );
    describe_counter!(
        ACCEPTING_PAUSED,
        Unit::Count,
        "How often a listener waited before it accepted the next connection"
    );
    describe_counter!(
        PAUSED,
        Unit::Count,
        "How often a device was not read for a while, by what it had sent too much of"
    );
    describe_counter!(ENDED, Unit::Count, "Sessions ended, by cause");
    describe_counter!(
        PACKETS,
        Unit::Count,
        "MQTT packets received: up from devices, down from upstreams"
    );
    describe_counter!(BYTES, Unit::Bytes, "Bytes of those packets");
    describe_counter!(MESSAGES, Unit::Count, "Messages translated and passed on");
    describe_counter!(
        REFUSED,
        Unit::Count,
        "Messages, subscriptions and connections refused, by reason"
    );
    describe_counter!(NOTES, Unit::Count, "Messages changed or poorer on the other side, by note");
    describe_counter!(
        UNDELIVERED,
        Unit::Count,
        "Messages at QoS 0 that were dropped because their receiver, or their session, had gone"
    );
    describe_counter!(
        FILTERED,
        Unit::Count,
        "Deliveries of widened subscriptions that nobody asked for"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_reason_and_the_sum_of_all_shards() {
        let telemetry = Telemetry::new(2, Vec::new(), Arc::default());
        telemetry.tally(0).opened.add(2);
        telemetry.tally(1).opened.add(1);
        telemetry.tally(1).end(End::DeviceClosed);
        let text = telemetry.render();
        assert!(text.contains("interlingua_connections_accepted_total 3"), "{text}");
        assert!(text.contains("interlingua_sessions 2"), "{text}");
        assert!(
            text.contains("interlingua_sessions_ended_total{end=\"device_closed\"} 1"),
            "{text}"
        );
        for reason in Reason::ALL {
            assert!(text.contains(&format!("reason=\"{}\"", reason.label())), "{reason}");
        }
        telemetry.tally(0).opened.add(1);
        assert!(telemetry.render().contains("interlingua_connections_accepted_total 4"));
    }
}

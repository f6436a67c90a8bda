//! Messages and bytes per second that a device may send: what is more waits for its turn, in its order.

mod script;

use std::num::NonZeroU64;
use std::time::Duration;

use interlingua::mqtt::{Qos, Version};
use interlingua::session::{Paced, Rate, SessionLimits};
use script::packets::*;
use script::{Script, pairs};

const V311: Version = Version::V311;
const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;

fn rate(per_second: u64) -> Option<Rate> {
    NonZeroU64::new(per_second).map(|number| Rate::new(number, Duration::from_secs(1)))
}

/// CONNECT counts, too: the bucket is full again when the conversation begins.
fn limited(change: impl FnOnce(&mut SessionLimits)) -> Script {
    pairs::plain(V311).limits(change).connected().after(2.0)
}

fn message(number: u16) -> Vec<u8> {
    publish(V311, publish_of(Q1, number, "t", b"x"))
}

fn messages(numbers: std::ops::RangeInclusive<u16>) -> Vec<u8> {
    numbers.flat_map(message).collect()
}

fn paused(script: Script, paced: Paced, times: u64) -> Script {
    script.look(move |_, tally| assert_eq!(tally.paused(paced), times))
}

#[test]
fn messages_beyond_the_rate_wait_for_their_turn_and_none_is_lost() {
    let script = limited(|limits| limits.message_rate = rate(4))
        .device_sends(messages(1..=7))
        .upstream_receives(messages(1..=4))
        // What is behind them waits as well: the order is the device's.
        .device_sends(PINGREQ)
        .after(0.24)
        .goes_on()
        .after(0.02)
        .upstream_receives(message(5))
        .after(0.5)
        .upstream_receives(messages(6..=7))
        .upstream_receives(PINGREQ)
        .upstream_sends(PINGRESP)
        .device_receives(PINGRESP);
    paused(script, Paced::Messages, 3)
        .after(10.0)
        .device_sends(messages(8..=11))
        .upstream_receives(messages(8..=11))
        .device_sends(message(12))
        .after(1.0)
        .upstream_receives(message(12))
        .goes_on()
        .play();
}

#[test]
fn a_packet_larger_than_a_second_is_taken_whole_and_paid_afterwards() {
    for payload in [5000, 20_000] {
        let bytes = vec![b'x'; payload];
        let large = publish(V311, publish_of(Q0, 0, "t", &bytes));
        let seconds = large.len() as f64 / 1000.0;
        let script = limited(|limits| limits.byte_rate = rate(1000))
            .device_sends(large.clone())
            .upstream_receives(large)
            .device_sends(message(1))
            .after(seconds - 1.1)
            .goes_on()
            .after(0.2)
            .upstream_receives(message(1));
        paused(script, Paced::Bytes, 1).play();
    }
}

#[test]
fn only_the_device_is_slowed() {
    let acknowledgements: Vec<u8> = (1..=9).flat_map(|number| puback(V311, number)).collect();
    limited(|limits| limits.message_rate = rate(1))
        .upstream_sends(messages(1..=9))
        .device_receives(messages(1..=9))
        // They aren't messages.
        .device_sends(acknowledgements.clone())
        .upstream_receives(acknowledgements)
        .goes_on()
        .play();
}

#[test]
fn without_limits_nothing_waits() {
    limited(|_| {})
        .device_sends(messages(1..=5000))
        .upstream_receives(messages(1..=5000))
        .goes_on()
        .play();
}

/// The device's side is closed: what is left of it is taken at once, since nobody can say more.
#[test]
fn a_pause_keeps_neither_the_end_nor_what_was_said_before() {
    limited(|limits| limits.message_rate = rate(1))
        .device_sends(messages(1..=3))
        .upstream_receives(message(1))
        .device_closes()
        .ends_as("device_closed")
        .play();
}

/// A pause that is longer than the keep alive: the device is not taken for silent, and its upstream hears from the proxy.
#[test]
fn a_long_pause_is_no_silence() {
    let bytes = vec![b'x'; 200_000];
    let large = publish(V311, publish_of(Q0, 0, "t", &bytes));
    limited(|limits| limits.byte_rate = rate(1000))
        .device_sends(large.clone())
        .upstream_receives(large)
        .device_sends(message(1))
        .after(55.0)
        .upstream_receives(PINGREQ)
        .upstream_sends(PINGRESP)
        .after(54.0)
        .upstream_receives(PINGREQ)
        .after(54.0)
        .upstream_receives(PINGREQ)
        .after(37.0)
        .upstream_receives(message(1))
        .after(89.0)
        .goes_on()
        .after(2.0)
        .ends_as("keep_alive_timeout")
        .play();
}

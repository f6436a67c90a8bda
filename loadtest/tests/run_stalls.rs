//! Coordinated omission: what a target holds up has to show in the latency of everything that was meant to be sent then,
//! not only of what was on its way.
//!
//! Lower bounds only, which a slow machine can't break, and a comparison with the closed loop that leaves much room.

mod fixture;

use std::time::Duration;

use fixture::{Fault, Way, failed, through};
use serde_json::Value;

/// 2,000 messages in four seconds. Few may be in flight: what is due then waits, and its waiting has to count.
#[rustfmt::skip]
const LOAD: [&str; 15] = [
    "--sink", "--devices", "5", "--rate", "500/s", "--duration", "4s", "--warm-up", "0", "--ramp-up", "0", "--qos", "1",
    "--in-flight", "2",
];
const SECOND: Duration = Duration::from_secs(1);

fn percentile(results: &Value, name: &str) -> f64 {
    results["latencies"]["acknowledged"][name].as_f64().expect("a latency") / 1000.0
}

#[test]
fn a_delay_of_50_ms_for_one_second_is_a_quarter_of_four() {
    let hold = Duration::from_millis(50);
    let (code, results) =
        through(Way::Up, Fault::Delay { after: SECOND, length: SECOND, hold }, &LOAD);
    assert_eq!((code, failed(&results)), (Some(0), vec![]));
    // A quarter of the messages had it, so a fifth shows it for certain, and every higher percentile does.
    let distribution =
        results["latencies"]["acknowledged"]["distribution"].as_array().expect("points");
    let above_80 = distribution.iter().find(|point| point["percentile"].as_f64() >= Some(80.0));
    let at_80 = above_80.and_then(|point| point["us"].as_f64()).expect("a point") / 1000.0;
    for (name, found) in [
        ("80 %", at_80),
        ("90 %", percentile(&results, "p90_us")),
        ("99.9 %", percentile(&results, "p999_us")),
    ] {
        assert!(found >= 50.0, "{name} took {found} ms");
    }
    // The series has it too.
    let seconds = results["seconds"].as_array().expect("seconds");
    assert!(
        seconds.iter().any(|second| second["p50_us"].as_f64() >= Some(50_000.0)),
        "{seconds:?}"
    );
}

#[test]
fn a_stall_of_one_second_shows_in_the_open_loop_and_hides_in_the_closed_one() {
    let fault = Fault::Stall { after: SECOND, length: SECOND };
    let (_, open) = through(Way::Up, fault, &LOAD);
    let (_, closed) = through(Way::Up, fault, &[&LOAD[..], &["--pacing", "closed"]].concat());
    // A quarter of the messages waited between nothing and a second: a tenth of all more than 600 ms.
    let (in_open, in_closed) = (percentile(&open, "p90_us"), percentile(&closed, "p90_us"));
    assert!(in_open >= 500.0, "open loop: 90 % took {in_open} ms");
    assert!(in_closed < in_open / 2.0, "closed loop: 90 % took {in_closed} ms, open {in_open} ms");
    // Both know the longest: one message per device was on its way.
    for results in [&open, &closed] {
        let longest = percentile(results, "max_us");
        assert!(longest >= 500.0, "{longest}");
    }
    // The closed loop asked for less, which is how it hides.
    let sent = |results: &Value| results["counts"]["publish_sent"].as_u64().expect("a count");
    assert_eq!(sent(&open), 2000);
    assert!(sent(&closed) <= 1600, "{}", sent(&closed));
}

//! `run` with something between the devices and its own end that loses, doubles, reorders or damages: each is detected,
//! counted exactly, and makes the exit code 1. Without it everything passes.

mod fixture;

use fixture::{Fault, Way, check, failed, start, through};
use serde_json::Value;

/// 400 messages, 20 per device.
#[rustfmt::skip]
const LOAD: [&str; 14] = [
    "--devices", "20", "--rate", "400/s", "--duration", "1s", "--warm-up", "0", "--ramp-up", "0", "--drain", "8s",
    "--seed", "1",
];

fn load(way: Way, fault: Fault, arguments: &[&str]) -> (Option<i32>, Value) {
    through(way, fault, &[&LOAD[..], arguments].concat())
}

fn passed(count: u64) -> (String, u64) {
    ("passed".to_owned(), count)
}

fn wrong(count: u64) -> (String, u64) {
    ("failed".to_owned(), count)
}

#[test]
fn a_forwarder_that_does_nothing_wrong_passes_at_every_qos_and_version() {
    for arguments in [
        &["--sink", "--qos", "0"][..],
        &["--sink", "--qos", "1", "--mqtt", "3.1"],
        &["--echo", "--qos", "2", "--command-qos", "2"],
        &["--echo", "--qos", "1", "--topics", "7", "--encoding", "messagepack"],
        &["--sink", "--qos", "0", "--encoding", "raw", "--payload", "5000"],
    ] {
        let (code, results) = load(Way::Up, Fault::None, arguments);
        assert_eq!((code, failed(&results)), (Some(0), vec![]), "{arguments:?}");
        let counts = &results["counts"];
        assert_eq!(counts["publish_sent"], 400, "{arguments:?}");
        assert_eq!(counts["publish_arrived"], 400, "{arguments:?}");
        let acknowledged = if arguments.contains(&"0") { 0 } else { 400 };
        assert_eq!(counts["publish_acknowledged"], acknowledged, "{arguments:?}");
        let received = if arguments[0] == "--echo" { 400 } else { 0 };
        assert_eq!(counts["publish_received"], received, "{arguments:?}");
        assert_eq!(check(&results, "loss"), passed(0));
    }
}

#[test]
fn loss_is_detected_with_and_without_acknowledgements() {
    for qos in ["0", "1"] {
        let (code, results) = load(Way::Up, Fault::Lose(10), &["--sink", "--qos", qos]);
        assert_eq!((code, failed(&results)), (Some(1), vec!["loss".to_owned()]), "QoS {qos}");
        // Two of the twenty of each device; the last of each is one of them, so it isn't only gaps that are seen.
        assert_eq!(check(&results, "loss"), wrong(40), "QoS {qos}");
        assert_eq!(results["counts"]["publish_arrived"], 360, "QoS {qos}");
    }
}

#[test]
fn duplicates_are_detected() {
    let (code, results) = load(Way::Up, Fault::Double(10), &["--sink", "--qos", "0"]);
    assert_eq!((code, failed(&results)), (Some(1), vec!["duplicates".to_owned()]));
    assert_eq!(check(&results, "duplicates"), wrong(40));
}

#[test]
fn reordering_is_detected() {
    // The seventh and the fourteenth of each device.
    let (code, results) = load(Way::Up, Fault::Swap(7), &["--sink", "--qos", "0"]);
    assert_eq!((code, failed(&results)), (Some(1), vec!["order".to_owned()]));
    assert_eq!(check(&results, "order"), wrong(40));
}

#[test]
fn corruption_is_detected_in_the_stamp_and_around_it() {
    let (code, results) = load(Way::Up, Fault::DamageFrame(10), &["--sink", "--qos", "1"]);
    assert_eq!((code, failed(&results)), (Some(1), vec!["corruption".to_owned()]));
    assert_eq!(check(&results, "corruption"), wrong(40));
    // What can't be read is missing as well.
    let (code, results) = load(Way::Up, Fault::DamageStamp(10), &["--sink", "--qos", "1"]);
    assert_eq!(code, Some(1));
    assert_eq!((check(&results, "corruption"), check(&results, "loss")), (wrong(40), wrong(40)));
    // A translation may change the frame.
    let any = ["--sink", "--qos", "1", "--bytes", "any"];
    let (code, results) = load(Way::Up, Fault::DamageFrame(10), &any);
    assert_eq!((code, &results["counts"]["publish_rewritten"]), (Some(0), &Value::from(40)));
}

#[test]
fn faults_of_the_way_down_are_detected_by_the_devices() {
    for (fault, name) in [
        (Fault::Lose(10), "down_loss"),
        (Fault::Double(10), "down_duplicates"),
        (Fault::Swap(7), "down_order"),
        (Fault::DamageFrame(10), "down_corruption"),
    ] {
        let (code, results) =
            load(Way::Down, fault, &["--echo", "--qos", "0", "--command-qos", "0"]);
        assert_eq!((code, failed(&results)), (Some(1), vec![name.to_owned()]), "{fault:?}");
        assert_eq!(check(&results, name), wrong(40), "{fault:?}");
    }
}

#[test]
fn without_an_end_of_ones_own_nothing_is_claimed() {
    // The echo of one run is a foreign target for another.
    let long = [
        "--echo",
        "--devices",
        "1",
        "--rate",
        "1/s",
        "--duration",
        "60s",
        "--ramp-up",
        "0",
        "--warm-up",
        "0",
    ];
    let other = start(None, &long);
    let address = other.end.to_string();
    let output =
        fixture::output(&[&[address.as_str(), "--json", "-", "--quiet"][..], &LOAD[..]].concat());
    let results: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), failed(&results)), (Some(0), vec![]));
    assert_eq!(results["counts"]["publish_arrived"], Value::Null);
    for name in ["loss", "duplicates", "order", "corruption"] {
        assert_eq!(check(&results, name), ("not_checked".to_owned(), 0));
    }
    assert_eq!(check(&results, "acknowledgement"), passed(0));
    // The other one hears of strangers, and isn't confused by them.
    let (code, results) = other.interrupt().finish();
    assert_eq!((code, failed(&results)), (Some(0), vec![]));
    assert_eq!(results["durations"]["interrupted"], true);
    let remarks = results["remarks"].to_string();
    assert!(remarks.contains("400 messages of other runs came"), "{remarks}");
}

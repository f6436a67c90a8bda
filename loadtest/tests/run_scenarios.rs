//! Connections that come and go, slow readers, commands, limits: the scenarios beside plain load, against the run's own
//! end or a real Mosquitto.

mod fixture;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use fixture::{check, failed, output, start};
use serde_json::Value;

fn run(arguments: &[&str]) -> (Option<i32>, Value) {
    let short = ["--warm-up", "0", "--ramp-up", "100ms", "--drain", "8s"];
    start(None, &[&short[..], arguments].concat()).finish()
}

fn count(results: &Value, name: &str) -> u64 {
    results["counts"][name].as_u64().unwrap_or_else(|| panic!("{name}: {}", results["counts"]))
}

#[test]
fn every_preset_runs_as_it_is_but_shorter() {
    for (preset, arguments) in [
        ("steady", &["--duration", "1s"][..]),
        ("steps", &["--steps", "100/s for 500ms,400/s for 500ms"]),
        ("burst", &["--duration", "2s", "--burst", "2000/s for 200ms every 1s"]),
        ("reconnect-storm", &["--duration", "2s", "--storms", "1s", "--devices", "100"]),
        ("churn", &["--duration", "2s"]),
        ("many-topics", &["--duration", "1s"]),
        ("flood", &["--duration", "1s"]),
        ("connections", &["--duration", "1s", "--devices", "300"]),
    ] {
        let (code, results) = run(&[&["--sink", "--scenario", preset], arguments].concat());
        assert_eq!((code, failed(&results)), (Some(0), vec![]), "{preset}: {}", results["remarks"]);
        assert_eq!(results["name"], preset);
        assert!(count(&results, "publish_sent") > 0, "{preset}");
        assert_eq!(check(&results, "loss").0, "passed", "{preset}");
    }
}

#[test]
fn steps_and_bursts_send_what_they_say() {
    let arguments = ["--sink", "--steps", "100/s for 1s,400/s for 1s", "--devices", "10"];
    let (_, results) = run(&arguments);
    assert_eq!(count(&results, "publish_sent"), 500);
    let arguments =
        ["--sink", "--rate", "100/s", "--burst", "1000/s for 500ms every 1s", "--duration", "2s"];
    let (_, results) = run(&arguments);
    // A second and a half at 100/s, half a second at 1000/s.
    assert_eq!(count(&results, "publish_sent"), 650);
}

#[test]
fn churning_devices_lose_nothing_and_come_back() {
    let churn =
        ["--sink", "--devices", "20", "--rate", "200/s", "--duration", "2s", "--churn", "20/s"];
    for qos in ["0", "1", "2"] {
        let (code, results) = run(&[&churn[..], &["--qos", qos]].concat());
        assert_eq!((code, failed(&results)), (Some(0), vec![]), "QoS {qos}");
        assert_eq!(count(&results, "connects"), 20 + 40, "QoS {qos}");
        assert_eq!(count(&results, "publish_arrived"), 400, "QoS {qos}");
    }
}

#[test]
fn what_comes_down_while_devices_leave_is_not_judged() {
    #[rustfmt::skip]
    let one_leaves = [
        "--echo", "--devices", "5", "--rate", "100/s", "--duration", "1s", "--churn", "1/s", "--qos", "1",
    ];
    let (code, results) = run(&one_leaves);
    assert_eq!((code, failed(&results)), (Some(0), vec![]));
    assert_eq!(check(&results, "down_loss").0, "not_checked");
    assert_eq!(check(&results, "loss").0, "passed");
}

#[test]
fn a_storm_cuts_all_and_all_come_back() {
    let storm = [
        "--sink",
        "--devices",
        "50",
        "--rate",
        "500/s",
        "--duration",
        "2s",
        "--storms",
        "500ms,1s",
    ];
    let (code, results) = run(&storm);
    assert_eq!((code, failed(&results)), (Some(0), vec![]));
    assert_eq!(count(&results, "connects"), 150);
    assert_eq!(count(&results, "disconnects_wanted"), 150);
    // What was intended meanwhile is sent by those who come back.
    assert_eq!(count(&results, "publish_sent"), 1000);
}

#[test]
fn slow_readers_stay_behind_and_the_others_do_not() {
    #[rustfmt::skip]
    let slow = [
        "--echo", "--devices", "10", "--slow-readers", "2", "--slow-reader-bytes", "500", "--rate", "1000/s", "--qos", "0",
        "--command-qos", "0", "--duration", "2s", "--payload", "200", "--drain", "1s",
    ];
    let (code, results) = run(&slow);
    assert_eq!((code, failed(&results)), (Some(0), vec![]));
    let received = count(&results, "publish_received");
    // Eight of ten read all of theirs; two read 500 bytes per second of the 20,000 that come.
    assert!((1600..1800).contains(&received), "{received}");
}

/// A Mosquitto that ends with the test.
struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one on a free port, which is asked for again if somebody else was faster.
fn mosquitto() -> (Broker, String) {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    for _ in 0..20 {
        let free =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let mut command = Command::new("mosquitto");
        command.env("PATH", &path).args(["-p", &free.port().to_string()]).stderr(Stdio::null());
        let mut broker = Broker(command.spawn().expect("mosquitto is installed"));
        // The test of readiness is a run that connects.
        let address = free.to_string();
        #[rustfmt::skip]
        let probe = [
            &address, "--devices", "1", "--rate", "1/s", "--duration", "1s", "--warm-up", "0", "--ramp-up", "0", "--quiet",
        ];
        let ready = output(&probe).status.success();
        if ready && broker.0.try_wait().expect("its state").is_none() {
            return (broker, address);
        }
    }
    panic!("mosquitto doesn't start");
}

#[test]
fn commands_reach_their_devices_through_a_real_broker() {
    let (_broker, address) = mosquitto();
    for (qos, version) in [("0", "3.1.1"), ("1", "5"), ("2", "3.1")] {
        #[rustfmt::skip]
        let output = output(&[
            &address, "--devices", "20", "--rate", "100/s", "--commands", "200/s", "--command-qos", qos, "--mqtt", version,
            "--duration", "2s", "--warm-up", "0", "--ramp-up", "0", "--qos", qos, "--quiet", "--json", "-",
        ]);
        let results: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((output.status.code(), failed(&results)), (Some(0), vec![]), "QoS {qos}");
        assert_eq!(count(&results, "commands_sent"), 400, "QoS {qos}");
        assert_eq!(count(&results, "publish_received"), 400, "QoS {qos}");
        assert_eq!(check(&results, "down_loss"), ("passed".to_owned(), 0), "QoS {qos}");
        assert_eq!(results["latencies"]["command"]["count"], 400, "QoS {qos}");
    }
}

/// Exit code and standard error of what is refused before the start.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = output(arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_the_machine_does_not_allow_is_said_before_the_start() {
    let (code, text) = refused(&["--sink", "--devices", "900000"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("900000 devices need 1800032 open files"), "{text}");
    assert!(text.contains("ulimit -Hn 1800032"), "{text}");
    // Not a loopback address, so there are no others to connect from: ports or files are too few. Nothing is sent there.
    let (code, text) = refused(&["192.0.2.1:1883", "--devices", "900000"]);
    assert_eq!(code, Some(2), "{text}");
    // 70 GiB of topic names, which aren't made to find that out.
    let (code, text) = refused(&["--sink", "--devices", "9000", "--topics", "65536"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("use fewer devices or topics"), "{text}");
}

#[test]
fn what_can_not_be_meant_is_said_before_the_start() {
    for (arguments, expected) in [
        (&["--devices", "5"][..], "there is no target; write HOST:PORT"),
        (
            &["localhost", "--devices", "5"],
            "localhost has no port; write HOST:PORT, such as localhost:1883",
        ),
        (
            &["--sink", "--rate", "fast"],
            "command line: --rate: `fast` is not understood; write a rate such as",
        ),
        (
            &["--sink", "--scenario", "stedy"],
            "there is no scenario `stedy`; did you mean `steady`?",
        ),
        (&["--sink", "--dialect", "omnicore"], "dialect omnicore needs `"),
        (&["wss://example.com:443"], "only TCP is spoken"),
    ] {
        let (code, text) = refused(arguments);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_target_that_is_not_there_is_said_with_its_error() {
    let nobody =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let (code, text) =
        refused(&[&nobody.to_string(), "--devices", "3", "--ramp-up", "0", "--quiet"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains(&format!("no device could connect to {nobody}: connection_refused")),
        "{text}"
    );
}

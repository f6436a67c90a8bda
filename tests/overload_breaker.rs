//! An upstream that fails is left alone: devices are refused at once, few try whether it is well again. Attack 27.
#![cfg(feature = "server")]

mod stage;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use stage::{ADMIN, DEADLINE, Stage, packet};

const PLAIN: &str = "dialect = 'plain'";
const UNAVAILABLE: &[u8] = b"\x20\x02\0\x03";
const ACCEPTED: &[u8] = b"\x20\x02\0\0";
const NOT_AUTHORIZED: &[u8] = b"\x20\x02\0\x05";

/// A CONNECT of 3.1.1 with a client identifier of four bytes.
fn connect(number: usize) -> Vec<u8> {
    [b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04", format!("{number:04}").as_bytes()].concat()
}

fn stage(breaker: &str) -> Stage {
    Stage::new(ADMIN, PLAIN, &format!("{PLAIN}\n[upstream.breaker]\n{breaker}"))
}

/// What a device of this number is told. Where it is refused, its connection has ended then.
fn told(stage: &Stage, number: usize) -> Vec<u8> {
    let mut device = TcpStream::connect(stage.proxy).expect("a connection");
    device.set_read_timeout(Some(DEADLINE)).expect("a socket");
    device.write_all(&connect(number)).expect("sent");
    let connack = packet(&mut device);
    if connack != ACCEPTED {
        assert_eq!(device.read(&mut [0]).expect("an end"), 0);
    }
    connack
}

/// A broker that does this with each connection, behind its CONNECT. Gives how many there were.
fn plays(broker: &TcpListener, does: impl Fn(TcpStream) + Send + 'static) -> Arc<AtomicUsize> {
    let (broker, seen) = (broker.try_clone().expect("a socket"), Arc::new(AtomicUsize::new(0)));
    let count = seen.clone();
    thread::spawn(move || {
        for stream in broker.incoming() {
            let Ok(mut stream) = stream else { return };
            count.fetch_add(1, Ordering::SeqCst);
            packet(&mut stream);
            does(stream);
        }
    });
    seen
}

fn ended(stage: &Stage, end: &str) -> f64 {
    stage.metric(&format!("interlingua_sessions_ended_total{{end=\"{end}\"}}"))
}

fn state(stage: &Stage) -> f64 {
    stage.metric("interlingua_upstream_state{upstream=\"b\"}")
}

#[test]
fn attack_27_a_broker_that_accepts_and_closes_is_left_alone_and_devices_hear_so_at_once() {
    let stage = stage("failures = 3\nbackoff_min_ms = 3600000\nbackoff_max_ms = 3600000");
    let seen = plays(&stage.broker, drop);
    for number in 0..100 {
        assert_eq!(told(&stage, number), UNAVAILABLE, "never accepted and closed");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 3, "the others didn't get there");
    assert_eq!(
        [ended(&stage, "upstream_closed"), ended(&stage, "upstream_suspended")],
        [3.0, 97.0]
    );
    assert_eq!(state(&stage), 2.0);
    assert_eq!(stage.metric("interlingua_upstream_suspensions_total{upstream=\"b\"}"), 1.0);
    assert!(stage.asks("/readyz").contains("200 OK"), "other upstreams may well work");
    // In version 5: Server unavailable, and the connection ends.
    let mut device = TcpStream::connect(stage.proxy).expect("a connection");
    device.set_read_timeout(Some(DEADLINE)).expect("a socket");
    device.write_all(b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01d").expect("sent");
    let mut answer = Vec::new();
    device.read_to_end(&mut answer).expect("an end");
    assert_eq!(answer, b"\x20\x03\0\x88\0");
}

/// A whole fleet that comes again and again: the broker sees one trial per back-off.
#[test]
fn attack_27_a_fleet_in_front_of_a_flapping_broker_is_one_trial_per_backoff() {
    let backoff = Duration::from_millis(300);
    let stage = stage("failures = 3\nbackoff_min_ms = 300\nbackoff_max_ms = 300");
    let seen = plays(&stage.broker, drop);
    let begun = Instant::now();
    let asked: usize = thread::scope(|scope| {
        let fleet: Vec<_> = (0..8)
            .map(|device| {
                let stage = &stage;
                scope.spawn(move || {
                    let mut asked = 0;
                    while begun.elapsed() < 5 * backoff {
                        assert_eq!(told(stage, device * 1000 + asked % 1000), UNAVAILABLE);
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        fleet.into_iter().map(|device| device.join().expect("refused each time")).sum()
    });
    // Those of the start may be on their way together; a back-off is half as long at least.
    let trials = begun.elapsed().as_millis() / (backoff.as_millis() / 2) + 1;
    let most = 3 + 8 + usize::try_from(trials).expect("few");
    let seen = seen.load(Ordering::SeqCst);
    assert!(seen >= 4, "it was tried again: {seen}");
    assert!(seen <= most, "{seen} of {asked}, instead of {most}");
    assert!(asked > 10 * most, "{asked} devices are no crowd");
}

#[test]
fn an_upstream_that_is_well_again_is_used_again() {
    let stage = stage("failures = 2\nbackoff_min_ms = 20\nbackoff_max_ms = 20");
    let is_well = Arc::new(AtomicUsize::new(0));
    let well = is_well.clone();
    plays(&stage.broker, move |mut stream| {
        if well.load(Ordering::SeqCst) == 1 {
            stream.write_all(ACCEPTED).expect("sent");
            // It stays for as long as the device does.
            thread::spawn(move || stream.read(&mut [0]));
        }
    });
    let mut number = 0;
    while state(&stage) != 2.0 {
        assert_eq!(told(&stage, number), UNAVAILABLE);
        number += 1;
        assert!(number < 1000, "it never opens");
    }
    is_well.store(1, Ordering::SeqCst);
    let late = Instant::now() + DEADLINE;
    while told(&stage, 9999) != ACCEPTED {
        assert!(Instant::now() < late, "nobody tries");
    }
    while state(&stage) != 0.0 {
        assert!(Instant::now() < late, "it stays open");
    }
    assert!((0..20).all(|number| told(&stage, number) == ACCEPTED));
}

#[test]
fn what_a_broker_has_against_one_device_is_no_failure_of_the_broker() {
    let stage = stage("failures = 2\nbackoff_min_ms = 3600000\nbackoff_max_ms = 3600000");
    let seen = plays(&stage.broker, |mut stream| {
        stream.write_all(NOT_AUTHORIZED).expect("sent");
    });
    for number in 0..20 {
        assert_eq!(told(&stage, number), NOT_AUTHORIZED);
    }
    assert_eq!(seen.load(Ordering::SeqCst), 20);
    assert_eq!(state(&stage), 0.0);
}

/// One device that every broker throws out, with whatever it writes, doesn't shut the door for the others.
#[test]
fn one_device_alone_shuts_out_nobody_by_connections_that_the_broker_closes() {
    let stage = stage("failures = 2\nbackoff_min_ms = 3600000\nbackoff_max_ms = 3600000");
    let seen = plays(&stage.broker, drop);
    for _ in 0..20 {
        assert_eq!(told(&stage, 1), UNAVAILABLE);
    }
    assert_eq!([seen.load(Ordering::SeqCst) as f64, state(&stage)], [20.0, 0.0]);
}

#[test]
fn a_broker_that_says_that_it_takes_nobody_is_left_alone() {
    let stage = stage("failures = 2\nbackoff_min_ms = 3600000\nbackoff_max_ms = 3600000");
    let seen = plays(&stage.broker, |mut stream| {
        stream.write_all(UNAVAILABLE).expect("sent");
    });
    for _ in 0..20 {
        assert_eq!(told(&stage, 1), UNAVAILABLE);
    }
    assert_eq!([seen.load(Ordering::SeqCst) as f64, state(&stage)], [2.0, 2.0]);
}

#[test]
fn a_broker_that_is_not_there_is_left_alone() {
    let text = format!("{PLAIN}\n[upstream.breaker]\nfailures = 2\nbackoff_min_ms = 3600000");
    let mut stage = Stage::new(ADMIN, PLAIN, &text);
    // The old one is closed.
    stage.broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    for number in 0..20 {
        assert_eq!(told(&stage, number), UNAVAILABLE);
    }
    let ends = ["upstream_unreachable", "upstream_suspended"].map(|end| ended(&stage, end));
    assert_eq!(ends, [2.0, 18.0]);
}

/// A broker that is there and says nothing: the time of each is over, and then it isn't waited for any more.
#[test]
fn a_broker_that_says_nothing_is_left_alone() {
    let breaker = "[upstream.breaker]\nfailures = 2\nbackoff_min_ms = 3600000";
    let limits = format!("upstream_timeout_ms = 200\n{ADMIN}");
    let stage = Stage::new(&limits, PLAIN, &format!("{PLAIN}\n{breaker}"));
    for number in 0..20 {
        assert_eq!(told(&stage, number), UNAVAILABLE);
    }
    let ends = ["upstream_timeout", "upstream_suspended"].map(|end| ended(&stage, end));
    assert_eq!(ends, [2.0, 18.0]);
}

/// A broker that has asked a device for its AUTH isn't silent: the device is, and could be under any number of client identifiers.
#[test]
fn attack_27_devices_that_owe_the_broker_an_answer_shut_out_nobody() {
    const AUTH: &[u8] = b"\xF0\x06\x18\x04\x15\0\x01m";
    let breaker = "[upstream.breaker]\nfailures = 2\nbackoff_min_ms = 3600000";
    let limits = format!("upstream_timeout_ms = 200\n{ADMIN}");
    let stage = Stage::new(&limits, PLAIN, &format!("{PLAIN}\n{breaker}"));
    let broker = stage.broker.try_clone().expect("a socket");
    thread::spawn(move || {
        for stream in broker.incoming() {
            let Ok(mut stream) = stream else { return };
            let enhanced = packet(&mut stream).ends_with(b"x");
            stream.write_all(if enhanced { AUTH } else { ACCEPTED }).expect("sent");
            thread::spawn(move || stream.read(&mut [0]));
        }
    });
    for number in 0..6 {
        let mut device = TcpStream::connect(stage.proxy).expect("a connection");
        device.set_read_timeout(Some(DEADLINE)).expect("a socket");
        let head = b"\x10\x14\0\x04MQTT\x05\x02\0\0\x04\x15\0\x01m\0\x03".as_slice();
        device.write_all(&[head, format!("{number:02}x").as_bytes()].concat()).expect("sent");
        let mut answer = Vec::new();
        device.read_to_end(&mut answer).expect("an end");
        assert_eq!(answer, [AUTH, b"\x20\x03\0\x88\0"].concat(), "the broker is still asked");
    }
    assert_eq!(ended(&stage, "upstream_timeout"), 6.0);
    assert_eq!((state(&stage), told(&stage, 1)), (0.0, ACCEPTED.to_vec()));
}

/// A device that is refused hasn't come back: its will, which the proxy keeps back, waits on, until it does.
#[test]
fn a_device_that_is_refused_while_its_will_waits_keeps_its_will() {
    // Version 5, client identifier `d`, a session of 60 seconds, and a will that waits as long.
    const WILL: &[u8] = b"\x10\x22\0\x04MQTT\x05\x04\0\0\x05\x11\0\0\0\x3C\0\x01d\
        \x05\x18\0\0\0\x3C\0\x01w\0\x04gone";
    let breaker = "[upstream.breaker]\nfailures = 1\nbackoff_min_ms = 1000\nbackoff_max_ms = 1000";
    let stage = Stage::new(ADMIN, PLAIN, &format!("{PLAIN}\nmqtt = ['3.1.1']\n{breaker}"));
    let (device, mut broker) = stage.pair(WILL, ACCEPTED);
    let comes = || {
        let mut back = TcpStream::connect(stage.proxy).expect("a connection");
        back.set_read_timeout(Some(DEADLINE)).expect("a socket");
        back.write_all(WILL).expect("sent");
        (packet(&mut back)[3], back)
    };
    let failing = stage.broker.try_clone().expect("a socket");
    let failed = thread::spawn(move || packet(&mut failing.accept().expect("a connection").0));
    assert_eq!(told(&stage, 1), UNAVAILABLE);
    failed.join().expect("it closed");
    drop(device);
    assert_eq!(comes().0, 0x88, "nobody is let through now");
    broker.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
    let nothing = broker.read(&mut [0; 1]).expect_err("no good-bye, which would drop the will");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    broker.set_read_timeout(Some(DEADLINE)).expect("a socket");

    plays(&stage.broker, |mut stream| {
        stream.write_all(ACCEPTED).expect("sent");
        thread::spawn(move || stream.read(&mut [0]));
    });
    let late = Instant::now() + DEADLINE;
    while comes().0 != 0 {
        assert!(Instant::now() < late, "nobody tries");
    }
    assert_eq!(packet(&mut broker), b"\xE0\0", "it has come back, so there is no will");
}

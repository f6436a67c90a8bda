//! A device that sends more than it may, with real sockets: it is slowed, keeps its session, and loses nothing.
#![cfg(feature = "server")]

mod stage;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stage::{Stage, packet};

/// Keep alive of one second: after one and a half in silence the session ends.
const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x01\0\x01d";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const PINGREQ: &[u8] = b"\xC0\0";
const PINGRESP: &[u8] = b"\xD0\0";
const MESSAGES: u8 = 60;

fn stage(limit: &str) -> Stage {
    let listener = format!("dialect = 'plain'\n[listener.limits]\n{limit}");
    Stage::new("", &listener, "dialect = 'plain'")
}

fn message(number: u8) -> Vec<u8> {
    let mut message = b"\x30\x84\x08\0\x01t".to_vec();
    message.resize(message.len() + 1025, number);
    message
}

fn all() -> Vec<u8> {
    (0..MESSAGES).flat_map(message).collect()
}

fn expect_all(broker: &mut TcpStream) {
    for number in 0..MESSAGES {
        assert_eq!(packet(broker), message(number), "{number}");
    }
}

#[test]
fn a_device_that_is_slowed_is_not_taken_for_silent() {
    // Forty of sixty messages wait: two seconds.
    for limit in ["message_rate_max = 20", "byte_rate_max = 20000"] {
        let stage = stage(limit);
        let (mut device, mut broker) = stage.pair(CONNECT, CONNACK);
        let begun = Instant::now();
        device.write_all(&[&all()[..], PINGREQ].concat()).expect("sent");
        expect_all(&mut broker);
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(1800), "{limit}: {took:?}");
        // The proxy pings for a device that it doesn't hear.
        while packet(&mut broker) == PINGREQ {
            broker.write_all(PINGRESP).expect("sent");
            let mut got = [0; 2];
            device.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
            if device.read_exact(&mut got).is_ok() {
                assert_eq!(got, PINGRESP);
                break;
            }
        }
        // Its next message is taken as ever.
        device.write_all(&message(1)).expect("sent");
        assert_eq!(packet(&mut broker), message(1));
    }
}

#[test]
fn another_device_of_the_listener_is_not_slowed() {
    let stage = stage("message_rate_max = 1");
    let (mut first, _broker) = stage.pair(CONNECT, CONNACK);
    let (mut second, mut broker) = stage.pair(CONNECT, CONNACK);
    first.write_all(&all()).expect("sent");
    second.write_all(&message(1)).expect("sent");
    assert_eq!(packet(&mut broker), message(1));
}

/// Nobody waits for a device that has gone: what it had said goes on at once.
#[test]
fn what_a_device_said_before_it_left_arrives() {
    let stage = stage("message_rate_max = 1");
    let (mut device, mut broker) = stage.pair(CONNECT, CONNACK);
    device.write_all(&all()).expect("sent");
    drop(device);
    let begun = Instant::now();
    expect_all(&mut broker);
    // At their rate they would take twice as long.
    assert!(
        begun.elapsed() < Duration::from_secs(u64::from(MESSAGES) / 2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(broker.read(&mut [0]).expect("an end"), 0);
}

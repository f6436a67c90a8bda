//! Faults of the shell that a review found, each with the sockets that showed it.

mod stage;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use interlingua::registry::Registry;
use stage::{DEADLINE, Stage};

/// Reads until the end. `false`: the stream stays open, silent.
fn ends(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(_) => return true,
        }
    }
}

fn length_of(mut length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let more = if length > 0x7F { 0x80 } else { 0 };
        out.push((length & 0x7F) as u8 | more);
        length >>= 7;
        if length == 0 {
            return out;
        }
    }
}

fn publish_1(identifier: u16, payload: usize) -> Vec<u8> {
    let mut out = vec![0x32];
    out.extend(length_of(5 + payload));
    out.extend_from_slice(b"\0\x01t");
    out.extend_from_slice(&identifier.to_be_bytes());
    out.resize(out.len() + payload, b'x');
    out
}

/// PUBLISH with QoS 0.
fn publish_0(payload: usize) -> Vec<u8> {
    let mut out = vec![0x30];
    out.extend(length_of(3 + payload));
    out.extend_from_slice(b"\0\x01t");
    out.resize(out.len() + payload, b'x');
    out
}

const PLAIN: &str = "dialect = 'plain'";

#[test]
fn a_device_that_has_closed_is_given_up_whatever_waits() {
    let stage = Stage::new("upstream_timeout_ms = 500", PLAIN, "dialect = 'plain'\nmqtt = ['5']");
    // Clean session, no keep alive; Receive Maximum 1.
    let connect = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d";
    let (mut device, mut broker) = stage.pair(connect, b"\x20\x06\0\0\x03\x21\0\x01");
    for identifier in 1..=20 {
        device.write_all(&publish_1(identifier, 5000)).expect("sent");
    }
    drop(device);
    // The broker never acknowledges the first one.
    assert!(ends(&mut broker), "the device is long gone, and its broker isn't told");
}

#[test]
fn all_of_a_burst_arrives_though_it_grows() {
    let long = "r".repeat(200);
    let upstream = format!(
        "dialect = 'omnicore'\n[upstream.vars]\nsubscription = 's'\nregistry = '{long}'\npassword = 'j'\n[identity]\nrule = {{ prefix = 'd' }}"
    );
    let listener = "dialect = 'thingscale'\n[listener.vars]\ntoken = 'T'";
    let stage = Stage::new("packet_size_max = 16384", listener, &upstream);
    let connect = b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x0277";
    let (device, mut broker) = stage.pair(connect, b"\x20\x02\0\0");
    let mine = b"\x30\x0b\0\x09T/json/77";
    let count = 200_000;
    let burst = mine.repeat(count);
    let mut writer = device.try_clone().expect("a socket");
    let writing = std::thread::spawn(move || writer.write_all(&burst));
    broker.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let mut seen = 0;
    let mut rest = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let size = loop {
        // The size of one.
        let bytes = broker.read(&mut buffer).expect("the first");
        rest.extend_from_slice(&buffer[..bytes]);
        if rest.len() > 4 {
            let length = usize::from(rest[1] & 0x7F) | usize::from(rest[2]) << 7;
            assert!(rest[1] & 0x80 != 0);
            break length + 3;
        }
    };
    seen += rest.len();
    while seen < size * count {
        match broker.read(&mut buffer) {
            Ok(0) => panic!("closed after {} of {count}", seen / size),
            Ok(bytes) => seen += bytes,
            Err(error) => panic!("{} of {count} arrived: {error}", seen / size),
        }
    }
    writing.join().expect("a thread").expect("sent");
}

#[test]
fn a_device_that_is_not_read_is_not_silent() {
    let stage = Stage::new("buffered_bytes_max = 65536", PLAIN, PLAIN);
    // Keep alive of one second.
    let connect = b"\x10\x0d\0\x04MQTT\x04\x02\0\x01\0\x01d";
    let (mut device, _broker) = stage.pair(connect, b"\x20\x02\0\0");
    let packet = publish_0(16_384);
    // It writes all the time, as far as it can.
    let mut at = 0;
    device.set_write_timeout(Some(Duration::from_millis(200))).expect("a socket");
    let since = std::time::Instant::now();
    while since.elapsed() < DEADLINE {
        match device.write(&packet[at % packet.len()..]) {
            Ok(bytes) => at += bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("closed after {:?} and {at} bytes: {error}", since.elapsed()),
        }
    }
}

#[test]
fn what_a_device_has_not_read_keeps_nobody_once_it_is_gone() {
    let stage = Stage::new("", PLAIN, "dialect = 'plain'\nmqtt = ['3.1.1']");
    // Session and will wait for a minute, and the proxy waits with them.
    let expiry = b"\x05\x11\0\0\0\x3c";
    let will = b"\x05\x18\0\0\0\x3c\0\x01w\0\x01x";
    let connect = [b"\x10\x1f\0\x04MQTT\x05\x04\0\0", &expiry[..], b"\0\x01d", will].concat();
    let (device, mut broker) = stage.pair(&connect, b"\x20\x02\0\0");
    let packet = publish_0(5000);
    broker.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let mut sent = 0;
    while let Ok(bytes) = broker.write(&packet[sent % packet.len()..]) {
        sent += bytes;
        assert!(sent < 256 << 20, "nobody slows the broker down");
    }
    device.shutdown(Shutdown::Write).expect("it is there");
    broker.set_write_timeout(Some(DEADLINE)).expect("a socket");
    broker.write_all(&packet[sent % packet.len()..]).expect("the upstream is read again");
    for _ in 0..10_000 {
        broker.write_all(&packet).expect("it goes on being read");
    }
}

#[test]
fn connections_that_are_refused_supersede_nobody() {
    let registry = Arc::new(Registry::default());
    let enter = || registry.enter("cloud", "dev", Waker::noop().clone());
    let first = enter();
    let (second, third) = {
        let second = enter();
        let _ = second.claim();
        let third = enter();
        let _ = third.claim();
        (second, third)
    };
    // The broker refuses both.
    drop(second);
    drop(third);
    assert!(!first.is_superseded());
}

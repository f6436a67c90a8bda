//! A slow reader on either side, with real sockets: it slows its own sender, loses nothing, and nobody else
//! notices.
#![cfg(feature = "server")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use interlingua::config;
use interlingua::server::{self, Server};

const DEADLINE: Duration = Duration::from_secs(20);
const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const PINGREQ: &[u8] = b"\xC0\0";
const PINGRESP: &[u8] = b"\xD0\0";

/// A proxy of `plain` on both sides, and the broker behind it, which the test plays.
struct Stage {
    broker: TcpListener,
    proxy: SocketAddr,
    server: Option<Server>,
}

impl Stage {
    fn new(limits: &str) -> Self {
        let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
        let text = format!(
            "[proxy]\nshards = 1\n[limits]\n{limits}\n\
             [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n\
             [[upstream]]\nname = 'b'\nurl = 'mqtt://{}'\ndialect = 'plain'\n",
            broker.local_addr().expect("an address")
        );
        let config = config::load("test.toml", &text, &mut |_| Err("nothing outside".to_owned()))
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        let server =
            server::start(&config).unwrap_or_else(|errors| panic!("it starts: {errors:?}"));
        let proxy = server.listening[0].1;
        Self { broker, proxy, server: Some(server) }
    }

    /// A device and its other end at the broker, connected.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let mut device = TcpStream::connect(self.proxy).expect("a connection");
        device.set_read_timeout(Some(DEADLINE)).expect("a socket");
        device.write_all(CONNECT).expect("sent");
        let (mut broker, _) = self.broker.accept().expect("a connection");
        broker.set_read_timeout(Some(DEADLINE)).expect("a socket");
        expect(&mut broker, CONNECT);
        broker.write_all(CONNACK).expect("sent");
        expect(&mut device, CONNACK);
        (device, broker)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

fn expect(stream: &mut TcpStream, wanted: &[u8]) {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got).unwrap_or_else(|error| panic!("{wanted:02x?} awaited: {error}"));
    assert_eq!(got, wanted);
}

/// PUBLISH with QoS 0 and 16 KiB of payload.
fn publish() -> Vec<u8> {
    let payload = 16 * 1024;
    let length = 3 + payload;
    let mut packet = vec![0x30, (length & 0x7F) as u8 | 0x80, (length >> 7 & 0x7F) as u8 | 0x80];
    packet.push((length >> 14) as u8);
    packet.extend_from_slice(b"\0\x01t");
    packet.resize(packet.len() + payload, b'x');
    packet
}

/// Sends until the receiver is `stuck`: nothing went for as long as the timeout. How many bytes went.
fn fill(sender: &mut TcpStream, packet: &[u8]) -> usize {
    sender.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let mut sent = 0;
    loop {
        match sender.write(&packet[sent % packet.len()..]) {
            Ok(bytes) => sent += bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return sent;
            }
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 256 << 20, "nobody slows the sender down");
    }
}

/// A sender fills everything on its way, the receiver wakes up and reads: all of it comes, and what is sent
/// after that.
fn stalls_and_goes_on(sender: &mut TcpStream, receiver: &mut TcpStream) {
    let packet = publish();
    let sent = fill(sender, &packet);
    let rest = (packet.len() - sent % packet.len()) % packet.len();
    sender.set_write_timeout(Some(DEADLINE)).expect("a socket");
    let mut writer = sender.try_clone().expect("a socket");
    let tail = packet[packet.len() - rest..].to_vec();
    let more = packet.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&tail).expect("the rest goes");
        for _ in 0..256 {
            writer.write_all(&more).expect("more goes");
        }
    });
    let mut left = sent + rest + 256 * packet.len();
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        match receiver.read(&mut buffer) {
            Ok(0) => panic!("closed with {left} bytes to come"),
            Ok(bytes) => left -= bytes,
            Err(error) => panic!("{left} bytes never came: {error}"),
        }
    }
    writing.join().expect("everything was sent");
}

#[test]
fn a_device_that_stalls_gets_everything_once_it_reads() {
    for limits in ["buffered_bytes_max = 4096", "buffered_bytes_max = 65536", ""] {
        let stage = Stage::new(limits);
        let (mut device, mut broker) = stage.pair();
        stalls_and_goes_on(&mut broker, &mut device);
    }
}

#[test]
fn an_upstream_that_stalls_gets_everything_once_it_reads() {
    for limits in ["buffered_bytes_max = 4096", "buffered_bytes_max = 65536", ""] {
        let stage = Stage::new(limits);
        let (mut device, mut broker) = stage.pair();
        stalls_and_goes_on(&mut device, &mut broker);
    }
}

#[test]
fn others_go_on_beside_a_device_that_never_reads() {
    let stage = Stage::new("");
    let (_deaf, mut flooding) = stage.pair();
    let (mut device, mut broker) = stage.pair();
    fill(&mut flooding, &publish());
    device.write_all(PINGREQ).expect("sent");
    expect(&mut broker, PINGREQ);
    broker.write_all(PINGRESP).expect("sent");
    expect(&mut device, PINGRESP);
}

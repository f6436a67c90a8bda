//! The PROXY protocol on both sides, with real sockets.
#![cfg(feature = "server")]

mod secure;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use secure::*;

const REQUIRED: Said<'static> = Said {
    shards: 1,
    proxy: "",
    limits: "",
    listener: "proxy_protocol = 'require'",
    scheme: "",
    upstream: "proxy_protocol = 'v1'",
    from: "",
    to: "",
};

/// Binary, of 192.0.2.7:50000, with an extension.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xC0\0\x02\x07\x7F\0\0\x01\xC3\x50\x07\x5B\xE0\0\x02ab";
const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 1883\r\n";
/// A balancer that looks whether we are there.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// What a broker is told of a device with this address.
fn told(source: SocketAddr, proxy: SocketAddr) -> Vec<u8> {
    let (source_ip, ip) = (source.ip(), proxy.ip());
    format!("PROXY TCP4 {source_ip} {ip} {} {}\r\n", source.port(), proxy.port()).into_bytes()
}

#[test]
fn a_balancer_says_whose_connection_it_is_and_the_broker_is_told() {
    let stage = Stage::new(folder(), REQUIRED);
    let named: SocketAddr = "192.0.2.7:50000".parse().expect("an address");
    for (header, names) in [(BINARY, true), (LINE, true), (LOCAL, false), (UNKNOWN, false)] {
        // In one with what follows, and byte after byte.
        for pieces in [1000, 1] {
            let mut device = tcp(stage.proxy);
            device.set_nodelay(true).expect("a socket");
            for piece in [header, CONNECT].concat().chunks(pieces) {
                device.write_all(piece).expect("sent");
            }
            let source = if names { named } else { device.local_addr().expect("an address") };
            let mut broker = stage.accept();
            expect(&mut broker, &told(source, stage.proxy));
            expect(&mut broker, CONNECT);
            broker.write_all(CONNACK).expect("sent");
            expect(&mut device, CONNACK);
            ping(&mut device, &mut broker);
        }
    }
}

#[test]
fn version_2_goes_out_in_front_of_tls() {
    let authority = Authority::new("authority");
    let tls = broker_tls(&authority.vouch(&["localhost"], &[]), None);
    let folder = folder();
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
    let upstream = "proxy_protocol = 'v2'\n[upstream.tls]\nca = 'ca.pem'";
    let stage = Stage::new(folder, Said { scheme: "mqtts", upstream, listener: "", ..REQUIRED });
    let mut device = tcp(stage.proxy);
    device.write_all(CONNECT).expect("sent");
    let mut socket = stage.accept();
    let mut wanted = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\x7F\0\0\x01\x7F\0\0\x01".to_vec();
    wanted.extend(device.local_addr().expect("an address").port().to_be_bytes());
    wanted.extend(stage.proxy.port().to_be_bytes());
    expect(&mut socket, &wanted);
    let mut broker = broker_shake(&tls, socket).expect("trusted");
    expect(&mut broker, CONNECT);
}

#[test]
fn a_header_stands_in_front_of_tls() {
    let (folder, authority) = (folder(), Authority::new("authority"));
    authority.vouch(&["localhost"], &[]).write(folder.path(), "server");
    let listener = "proxy_protocol = 'require'\ntransport = 'tls'\n\
                    [listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'";
    let stage = Stage::new(folder, Said { listener, ..REQUIRED });
    let mut socket = tcp(stage.proxy);
    socket.write_all(BINARY).expect("sent");
    let mut device = Dialer::trusting(&authority).shake(socket).expect("in");
    device.write_all(CONNECT).and_then(|()| device.flush()).expect("sent");
    let mut broker = stage.accept();
    expect(&mut broker, &told("192.0.2.7:50000".parse().expect("an address"), stage.proxy));
    expect(&mut broker, CONNECT);
}

/// Nothing of it comes to the broker.
fn is_refused(stage: &Stage, bytes: &[u8]) -> TcpStream {
    let mut device = tcp(stage.proxy);
    // It may be closed before all is sent.
    let _ = device.write_all(bytes);
    assert!(ends(&mut device), "{}", bytes.escape_ascii());
    stage.broker.set_nonblocking(true).expect("a socket");
    assert!(stage.broker.accept().is_err(), "{}", bytes.escape_ascii());
    device
}

#[test]
fn attack_7_what_is_no_header_ends_the_connection_at_once() {
    let stage = Stage::new(folder(), REQUIRED);
    let since = Instant::now();
    let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
    let overrun =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0F\xC0\0\x02\x07\x7F\0\0\x01\xC3\x50\x07\x5B\xE0\0\x02";
    let long = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF";
    for bytes in
        [&endless[..], overrun, long, CONNECT, b"GET / HTTP/1.1\r\n\r\n", b"PROXY  \r\n\r\n\r\n"]
    {
        is_refused(&stage, bytes);
    }
    assert!(since.elapsed() < Duration::from_secs(5), "something is waited for");
    // Nothing that the kernel has of the next one's header is lost.
    stage.broker.set_nonblocking(false).expect("a socket");
    let mut device = tcp(stage.proxy);
    device.write_all(&[LINE, CONNECT].concat()).expect("sent");
    let mut broker = stage.accept();
    expect(&mut broker, &told("192.0.2.7:50000".parse().expect("an address"), stage.proxy));
    expect(&mut broker, CONNECT);
}

/// Attack 7: who may not say who it is doesn't.
#[test]
fn attack_7_a_header_where_none_is_allowed_is_no_mqtt() {
    let stage = Stage::new(folder(), Said { listener: "", ..REQUIRED });
    for header in [BINARY, LINE, LOCAL, UNKNOWN] {
        is_refused(&stage, &[header, CONNECT].concat());
    }
}

#[test]
fn attack_1_a_slow_header_ends_with_the_time_for_connect() {
    let stage = Stage::new(folder(), Said { limits: "connect_timeout_ms = 500", ..REQUIRED });
    for start in [&b""[..], b"PROXY TCP4 ", &BINARY[..20]] {
        let since = Instant::now();
        let mut device = tcp(stage.proxy);
        device.write_all(start).expect("sent");
        let mut got = Vec::new();
        let _ = device.read_to_end(&mut got);
        let took = since.elapsed();
        assert!((Duration::from_millis(500)..Duration::from_secs(2)).contains(&took), "{took:?}");
    }
}

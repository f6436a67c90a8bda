//! WebSocket on both sides, with real sockets and another implementation at the other end.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use secure::*;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::{Message, WebSocket};

const WS: Said<'static> = Said {
    shards: 1,
    proxy: "",
    limits: "",
    listener: "transport = 'ws'",
    scheme: "",
    upstream: "",
    from: "",
    to: "",
};

/// A WebSocket as a stream of bytes; each write is a message.
struct Bytes<S> {
    socket: WebSocket<S>,
    rest: Vec<u8>,
}

impl<S: Read + Write> Read for Bytes<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.rest = bytes.to_vec(),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) => return Err(error),
                Err(tungstenite::Error::ConnectionClosed) => return Ok(0),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        let length = self.rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}

impl<S: Read + Write> Write for Bytes<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let message = Message::binary(bytes.to_vec());
        self.socket.send(message).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush().map_err(io::Error::other)
    }
}

fn request(url: &str, subprotocol: &'static str) -> Request {
    let mut request = url.into_client_request().expect("a URL");
    let value = HeaderValue::from_static(subprotocol);
    request.headers_mut().insert("Sec-WebSocket-Protocol", value);
    request
}

/// A device that has been let in.
fn upgrade<S: Read + Write>(socket: S) -> Bytes<S> {
    let (socket, response) = tungstenite::client(request("ws://localhost/mqtt", "mqtt"), socket)
        .unwrap_or_else(|error| panic!("not let in: {error}"));
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    Bytes { socket, rest: Vec::new() }
}

/// A PUBLISH with 3 MiB of payload.
fn large() -> Vec<u8> {
    let length = 3 + (3 << 20);
    let mut packet = vec![0x30];
    packet.extend([(length & 0x7F) as u8 | 0x80, (length >> 7 & 0x7F) as u8 | 0x80]);
    packet.extend([(length >> 14 & 0x7F) as u8 | 0x80, (length >> 21) as u8]);
    packet.extend(b"\0\x01t");
    packet.extend((0..3_u32 << 20).map(|at| (at / 7) as u8));
    packet
}

#[test]
fn a_device_over_ws_or_wss_reaches_the_broker() {
    let stage = Stage::new(folder(), WS);
    let mut device = upgrade(tcp(stage.proxy));
    let mut broker = stage.join(&mut device);
    ping(&mut device, &mut broker);
    // Both ends learn of an end; the device with a goodbye.
    drop(broker);
    assert!(matches!(device.socket.read(), Ok(Message::Close(Some(_)))));

    let (folder, authority) = (folder(), Authority::new("authority"));
    authority.vouch(&["localhost"], &[]).write(folder.path(), "server");
    let listener =
        "transport = 'wss'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'";
    let stage = Stage::new(folder, Said { listener, ..WS });
    let mut device = upgrade(Dialer::trusting(&authority).dial(stage.proxy).expect("in"));
    let mut broker = stage.join(&mut device);
    ping(&mut device, &mut broker);
    device.socket.close(None).expect("said");
    assert!(ends(&mut broker));
}

#[test]
fn the_path_is_the_listeners_and_devices_of_3_1_have_a_subprotocol_of_their_own() {
    let listener = "transport = 'ws'\npath = '/iot/mqtt'";
    let stage = Stage::new(folder(), Said { listener, ..WS });
    let dial = |url: &str, subprotocol| {
        tungstenite::client(request(url, subprotocol), tcp(stage.proxy))
            .map(|(_, answer)| answer)
            .map_err(|error| error.to_string())
    };
    let answer = dial("ws://h/iot/mqtt", "mqttv3.1").expect("in");
    assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "mqttv3.1");
    let answer = dial("ws://h/iot/mqtt?x=1", "mqttv3.1, mqtt").expect("in");
    assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "mqtt");
    for (url, subprotocol, status) in
        [("ws://h/mqtt", "mqtt", "404"), ("ws://h/iot/mqtt", "soap", "400")]
    {
        let error = dial(url, subprotocol).expect_err("refused");
        assert!(error.contains(status), "{url}: {error}");
    }
}

/// One frame of a client, as it is sent.
fn frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader { opcode, is_final, mask: Some([0; 4]), ..FrameHeader::default() };
    let mut out = Vec::new();
    header.format(payload.len() as u64, &mut out).expect("written");
    out.extend_from_slice(payload);
    out
}

const BINARY: OpCode = OpCode::Data(Data::Binary);
const CONTINUE: OpCode = OpCode::Data(Data::Continue);

#[test]
fn packets_span_frames_and_frames_hold_packets() {
    let stage = Stage::new(folder(), WS);
    let mut device = upgrade(tcp(stage.proxy));
    let socket = device.socket.get_mut();
    for (at, byte) in CONNECT.iter().enumerate() {
        // A message of as many frames as it has bytes, and empty ones between them.
        let opcode = if at == 0 { BINARY } else { CONTINUE };
        let is_final = at + 1 == CONNECT.len();
        socket
            .write_all(&frame(opcode, false, b""))
            .and_then(|()| socket.write_all(&frame(CONTINUE, is_final, &[*byte])))
            .expect("sent");
    }
    let mut broker = stage.accept();
    expect(&mut broker, CONNECT);
    broker.write_all(CONNACK).expect("sent");
    expect(&mut device, CONNACK);
    let many = [PINGREQ; 500].concat();
    device.write_all(&many).expect("sent");
    expect(&mut broker, &many);
    ping(&mut device, &mut broker);
}

#[test]
fn large_packets_pass_both_ways_and_a_slow_reader_gets_all() {
    let stage = Stage::new(folder(), WS);
    let mut device = upgrade(tcp(stage.proxy));
    let mut broker = stage.join(&mut device);
    let packet = large();
    let up = packet.clone();
    let mut other = broker.try_clone().expect("a socket");
    let sending = std::thread::spawn(move || other.write_all(&up).expect("sent"));
    device.write_all(&packet).expect("sent");
    expect(&mut broker, &packet);
    // Nobody has read the device's part so far.
    expect(&mut device, &packet);
    sending.join().expect("sent");
    ping(&mut device, &mut broker);
}

#[test]
fn pings_are_answered_also_before_connect() {
    let stage = Stage::new(folder(), WS);
    let mut device = upgrade(tcp(stage.proxy));
    let is_answered = |device: &mut Bytes<TcpStream>| {
        device.socket.send(Message::Ping("there?".into())).expect("sent");
        let answer = device.socket.read().expect("an answer");
        assert_eq!(answer, Message::Pong("there?".into()));
    };
    is_answered(&mut device);
    let _broker = stage.join(&mut device);
    is_answered(&mut device);
}

/// What is sent, and the status of the goodbye that comes back, if one does.
#[test]
fn attack_8_frames_that_are_none_of_mqtt_end_one_connection() {
    let stage = Stage::new(folder(), WS);
    let mut honest = upgrade(tcp(stage.proxy));
    let mut its_broker = stage.join(&mut honest);
    let text = frame(OpCode::Data(Data::Text), true, b"hello");
    let mut compressed = frame(BINARY, true, CONNECT);
    compressed[0] |= 0x40;
    let mut unmasked = Vec::new();
    Frame::message(CONNECT.to_vec(), BINARY, true).format(&mut unmasked).expect("written");
    for (bytes, status) in [
        (text, 1003),
        (compressed, 1002),
        (unmasked, 1002),
        (b"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0".to_vec(), 1002),
        (b"\x89\xFE\x01\0\0\0\0\0".to_vec(), 1002),
        (
            frame(OpCode::Control(tungstenite::protocol::frame::coding::Control::Ping), false, b""),
            1002,
        ),
        (frame(CONTINUE, true, CONNECT), 1002),
    ] {
        let mut device = upgrade(tcp(stage.proxy));
        device.socket.get_mut().write_all(&bytes).expect("sent");
        match device.socket.read() {
            Ok(Message::Close(Some(close))) => assert_eq!(u16::from(close.code), status),
            other => panic!("{bytes:02x?}: {other:?}"),
        }
        assert!(ends(&mut device));
    }
    // A frame of HTTP where frames of WebSocket are due, and the other way round.
    let mut device = upgrade(tcp(stage.proxy));
    device.socket.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    assert!(ends(&mut device));
    let mut device = tcp(stage.proxy);
    device.write_all(CONNECT).and_then(|()| device.write_all(b"\r\n\r\n")).expect("sent");
    assert!(ends(&mut device));
    ping(&mut honest, &mut its_broker);
}

/// The length of the packet is not that of the frame (CVE-2026-25627): the rest is waited for, as over TCP.
#[test]
fn attack_8_a_packet_longer_than_its_frame_is_waited_for() {
    let stage = Stage::new(folder(), Said { limits: "connect_timeout_ms = 500", ..WS });
    let mut device = upgrade(tcp(stage.proxy));
    let since = Instant::now();
    device.write_all(b"\x10\xFF\x7F\0\x04MQTT").expect("sent");
    assert!(ends(&mut device) && since.elapsed() >= Duration::from_millis(400));
    // One that is longer than CONNECT may be is not.
    let mut device = upgrade(tcp(stage.proxy));
    let since = Instant::now();
    device.write_all(b"\x10\xFF\xFF\xFF\x7F\0\x04MQTT").expect("sent");
    assert!(ends(&mut device) && since.elapsed() < Duration::from_millis(400));
}

/// Nobody reads the answers; others go on, and what comes after the flood is heard.
#[test]
fn attack_8_a_flood_of_pings_holds_up_nobody() {
    let stage = Stage::new(folder(), WS);
    let mut honest = upgrade(tcp(stage.proxy));
    let mut its_broker = stage.join(&mut honest);
    let mut flooding = upgrade(tcp(stage.proxy));
    let mut broker = stage.join(&mut flooding);
    let ping_frame = frame(
        OpCode::Control(tungstenite::protocol::frame::coding::Control::Ping),
        true,
        &[7; 125],
    );
    let flood = ping_frame.repeat(1000);
    for _ in 0..200 {
        flooding.socket.get_mut().write_all(&flood).expect("sent");
    }
    ping(&mut honest, &mut its_broker);
    flooding.write_all(PINGREQ).expect("sent");
    expect(&mut broker, PINGREQ);
}

/// Attack 1: the time for CONNECT is that of the upgrade, too.
#[test]
fn attack_1_a_slow_upgrade_ends_with_the_time_for_connect() {
    let late = Duration::from_millis(700);
    let stage = Stage::new(folder(), Said { limits: "connect_timeout_ms = 700", ..WS });
    let is_timely = |since: Instant| (late..late * 4).contains(&since.elapsed());
    let since = Instant::now();
    let mut silent = tcp(stage.proxy);
    assert!(ends(&mut silent) && is_timely(since), "no byte: {:?}", since.elapsed());

    let since = Instant::now();
    let mut dripping = tcp(stage.proxy);
    dripping.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket");
    let mut bytes = b"GET /mqtt HTTP/1.1\r\nX: ".iter().copied().chain(std::iter::repeat(b'x'));
    while dripping.write_all(&[bytes.next().expect("endless")]).is_ok() && !ends(&mut dripping) {
        assert!(since.elapsed() < DEADLINE, "it may drip forever");
    }
    assert!(is_timely(since), "a byte now and then: {:?}", since.elapsed());

    // Pings are no CONNECT.
    let since = Instant::now();
    let mut device = upgrade(tcp(stage.proxy));
    device.socket.get_mut().set_read_timeout(Some(Duration::from_millis(20))).expect("a socket");
    while device.socket.send(Message::Ping("x".into())).is_ok() && !ends(&mut device) {
        assert!(since.elapsed() < DEADLINE, "it may ping forever");
    }
    assert!(is_timely(since), "pings: {:?}", since.elapsed());
}

#[test]
fn attack_8_a_request_without_end_is_cut_off() {
    let stage = Stage::new(folder(), WS);
    for endless in ["x".repeat(200), "X: y\r\n".repeat(40)] {
        let mut device = tcp(stage.proxy);
        device.write_all(b"GET /mqtt HTTP/1.1\r\n").expect("sent");
        let mut sent = 0;
        while device.write_all(endless.as_bytes()).is_ok() {
            sent += endless.len();
            assert!(sent < 16 << 20, "it never ends");
        }
    }
}

/// A broker's end after its upgrade; what the proxy asked for.
fn broker_upgrade<S: Read + Write>(socket: S) -> (Bytes<S>, String) {
    let mut asked = String::new();
    #[allow(clippy::result_large_err, reason = "the library's type")]
    let callback = |request: &Request, mut response: Response| {
        asked = format!("{} {:?}", request.uri(), request.headers());
        let value = HeaderValue::from_static("mqtt");
        response.headers_mut().insert("Sec-WebSocket-Protocol", value);
        Ok::<_, ErrorResponse>(response)
    };
    let socket = tungstenite::accept_hdr(socket, callback).expect("upgraded");
    (Bytes { socket, rest: Vec::new() }, asked)
}

#[test]
fn a_broker_over_ws_or_wss_is_reached() {
    let authority = Authority::new("authority");
    let tls = broker_tls(&authority.vouch(&["localhost"], &[]), None);
    for scheme in ["ws", "wss"] {
        let folder = folder();
        fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
        let upstream = if scheme == "wss" { "[upstream.tls]\nca = 'ca.pem'" } else { "" };
        let stage = Stage::new(folder, Said { scheme, upstream, listener: "", ..WS });
        let mut device = tcp(stage.proxy);
        device.write_all(CONNECT).expect("sent");
        let socket = stage.accept();
        let large = large();
        let mut play = |broker: &mut dyn ReadWrite, asked: &str| {
            let port = stage.broker.local_addr().expect("an address").port();
            assert!(asked.starts_with("/mqtt "), "{asked}");
            assert!(asked.contains(&format!("localhost:{port}")), "{asked}");
            expect(&mut &mut *broker, CONNECT);
            broker.write_all(CONNACK).and_then(|()| broker.flush()).expect("sent");
            expect(&mut device, CONNACK);
            device.write_all(&large).expect("sent");
            expect(&mut &mut *broker, &large);
            broker.write_all(&large).and_then(|()| broker.flush()).expect("sent");
            expect(&mut device, &large);
        };
        if scheme == "ws" {
            let (mut broker, asked) = broker_upgrade(socket);
            play(&mut broker, &asked);
        } else {
            let shaken = broker_shake(&tls, socket).expect("trusted");
            let (mut broker, asked) = broker_upgrade(shaken);
            play(&mut broker, &asked);
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// The device hears of it before it thinks that it is connected.
#[test]
fn a_broker_that_is_no_websocket_is_given_up() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "\x20\x02\0\0\r\n\r\n",
        "",
    ] {
        let said = Said { scheme: "ws", listener: "", limits: "upstream_timeout_ms = 2000", ..WS };
        let stage = Stage::new(folder(), said);
        let mut device = tcp(stage.proxy);
        device.write_all(CONNECT).expect("sent");
        let mut broker = stage.accept();
        broker.write_all(answer.as_bytes()).expect("sent");
        if answer.is_empty() {
            broker.shutdown(std::net::Shutdown::Write).expect("a socket");
        }
        expect(&mut device, b"\x20\x02\0\x03");
    }
}

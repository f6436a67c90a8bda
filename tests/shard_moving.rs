//! A payload that is moved, with real sockets: what the proxy says to its receiver meanwhile comes behind it.
#![cfg(feature = "server")]

mod stage;

use std::io::{Read, Write};
use std::net::TcpStream;

use interlingua::mqtt::{PacketIdentifier, Properties, Publish, Qos, Version};
use stage::{Stage, packet};

const CONNECT: &[u8] = b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x0477_x";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const PUBACK: &[u8] = b"\x40\x02\0\x09";
const PAYLOAD: usize = 250 * 1024;

fn thingscale_to_omnicore(limits: &str) -> Stage {
    Stage::new(
        limits,
        "dialect = 'thingscale'\nvars = { token = 'TOK', tenant = 'acme', account = 'U1' }",
        "dialect = 'omnicore'\nvars = { subscription = 'sub', registry = 'plant' }\n\
         [identity]\nrule = { prefix = 'd' }",
    )
}

fn publish(identifier: u16, topic_name: &str, payload: &[u8]) -> Vec<u8> {
    let publish = Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic_name,
        packet_identifier: PacketIdentifier::new(identifier),
        properties: Properties::EMPTY,
        payload,
    };
    let mut bytes = Vec::new();
    publish.encode(Version::V311, &mut bytes).expect("a PUBLISH");
    bytes
}

fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).expect("so many bytes");
    bytes
}

#[test]
fn an_answer_waits_until_the_payload_is_through() {
    let stage = thingscale_to_omnicore("");
    let (mut device, mut upstream) = stage.pair(CONNECT, CONNACK);
    let payload: Vec<u8> = (0..PAYLOAD).map(|at| (at % 251) as u8).collect();
    let given = publish(7, "TOK/json/77/room1", &payload);
    let expected = publish(7, "/plant/d77/events/room1", &payload);
    let start = given.len() - payload.len();
    device.write_all(&given[..start + 70_000]).expect("sent");
    let out = expected.len() - payload.len() + 70_000;
    assert_eq!(read(&mut upstream, out), expected[..out]);
    // No platform of the device has a topic for it, so the proxy acknowledges it.
    upstream.write_all(&publish(9, "elsewhere", b"x")).expect("sent");
    // By the time that some pieces have come through, the proxy has read that, too.
    let mut pieces = payload[70_000..].chunks(5_000);
    for piece in pieces.by_ref() {
        device.write_all(piece).expect("sent");
        assert_eq!(read(&mut upstream, piece.len()), piece);
    }
    assert_eq!(packet(&mut upstream), PUBACK);
    device.write_all(&publish(8, "TOK/json/77/room1", b"5")).expect("sent");
    assert_eq!(packet(&mut upstream), publish(8, "/plant/d77/events/room1", b"5"));
}

#[test]
fn a_payload_goes_on_however_much_waits_behind_it() {
    let stage = thingscale_to_omnicore("buffered_bytes_max = 4096");
    let (mut device, mut upstream) = stage.pair(CONNECT, CONNACK);
    let payload = [b'5'; PAYLOAD];
    let given = publish(7, "TOK/json/77/room1", &payload);
    let expected = publish(7, "/plant/d77/events/room1", &payload);
    let start = given.len() - payload.len();
    device.write_all(&given[..start + 70_000]).expect("sent");
    let out = expected.len() - payload.len() + 70_000;
    assert_eq!(read(&mut upstream, out), expected[..out]);
    // Each is answered with four bytes, which can't be sent before the payload is through.
    let refused: Vec<u8> = (1..=3000).flat_map(|number| publish(number, "else", b"x")).collect();
    upstream.write_all(&refused).expect("sent");
    for piece in payload[70_000..].chunks(5_000) {
        device.write_all(piece).expect("sent");
        assert_eq!(read(&mut upstream, piece.len()), piece);
    }
    for number in 1..=3000_u16 {
        let [high, low] = number.to_be_bytes();
        assert_eq!(packet(&mut upstream), [0x40, 2, high, low]);
    }
}

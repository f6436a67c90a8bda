//! What sessions hold: little when they are idle, and no payload that goes through as it is.
#![cfg(feature = "server")]

mod stage;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::thread;

use interlingua::mqtt::{Connect, PacketIdentifier, Properties, Publish, Qos, Version};
use peak_alloc::PeakAlloc;
use stage::{Stage, packet};

/// Counts what the whole process has allocated.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// One measurement at a time.
static TURN: Mutex<()> = Mutex::new(());

const SESSIONS: usize = 400;
/// Bytes of heap that an idle session may hold, with both of its sockets.
const IDLE_MAX: usize = 2560;
const MIB: usize = 1 << 20;
const CONNACK: &[u8] = b"\x20\x02\0\0";

const PLAIN: [&str; 2] = ["dialect = 'plain'", "dialect = 'plain'"];
const TRANSLATED: [&str; 2] = [
    "dialect = 'thingscale'\nvars = { token = 'TOK', tenant = 'acme', account = 'U1' }",
    "dialect = 'omnicore'\nvars = { subscription = 'sub', registry = 'plant' }\n\
     [identity]\nrule = { prefix = 'd' }",
];

fn stage([listener, upstream]: [&str; 2]) -> Stage {
    Stage::new("packet_size_max = 100000000", listener, upstream)
}

/// A device and its upstream connection, behind CONNACK.
fn session(stage: &Stage, number: usize) -> [TcpStream; 2] {
    let (device, upstream) = stage.pair(&connect(number), CONNACK);
    [device, upstream]
}

fn connect(number: usize) -> Vec<u8> {
    let name = format!("77{number:04}_x");
    let connect = Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive_seconds: 60,
        client_identifier: &name,
        properties: Properties::EMPTY,
        will: None,
        user_name: None,
        password: None,
    };
    let mut bytes = Vec::new();
    connect.encode(&mut bytes).expect("a CONNECT");
    bytes
}

fn publish(topic_name: &str, payload: &[u8]) -> Vec<u8> {
    let publish = Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic_name,
        packet_identifier: PacketIdentifier::new(7),
        properties: Properties::EMPTY,
        payload,
    };
    let mut bytes = Vec::new();
    publish.encode(Version::V311, &mut bytes).expect("a PUBLISH");
    bytes
}

/// Heap per session: of sessions that have just begun, and of the same after each has carried a message each way and a
/// burst of large ones.
fn idle(dialects: [&str; 2], topic: &str) -> [usize; 2] {
    let stage = stage(dialects);
    // What the first session of a shard brings stays with the shard.
    let mut sessions = Vec::with_capacity(SESSIONS + 1);
    sessions.push(session(&stage, 0));
    let before = HEAP.current_usage();
    (1..=SESSIONS).for_each(|number| sessions.push(session(&stage, number)));
    let begun = HEAP.current_usage().saturating_sub(before) / SESSIONS;
    let burst: Vec<u8> = (0..20).flat_map(|_| publish(topic, &[b'5'; 3000])).collect();
    for [device, upstream] in &mut sessions {
        device.write_all(&burst).expect("sent");
        for _ in 0..20 {
            packet(upstream);
            upstream.write_all(b"\x40\x02\0\x07").expect("sent");
        }
        for _ in 0..20 {
            assert_eq!(packet(device), b"\x40\x02\0\x07");
        }
    }
    drop(burst);
    let after = HEAP.current_usage().saturating_sub(before) / SESSIONS;
    [begun, after]
}

#[test]
fn an_idle_session_holds_little() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for (what, dialects, topic) in
        [("plain", PLAIN, "a/b"), ("translated", TRANSLATED, "TOK/json/770000/room1")]
    {
        let [begun, after] = idle(dialects, topic);
        println!("{what}: {begun} bytes of heap per session, {after} after a burst");
        assert!(begun > 500, "{what}: {begun} bytes can't be all");
        assert!(begun.max(after) <= IDLE_MAX, "{what}: {begun}, after a burst {after}");
    }
}

#[test]
fn a_large_payload_is_not_held() {
    const PAYLOAD: usize = 64 * MIB;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let stage = stage(PLAIN);
    let [mut device, mut upstream] = session(&stage, 0);
    let mut head = publish("a/b", &[]);
    // The remaining length of the whole packet.
    let length = head.len() - 2 + PAYLOAD;
    head.splice(1..2, (0..4).map(|at| (length >> (7 * at)) as u8 & 0x7F | u8::from(at < 3) << 7));
    let start = head.clone();
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let sending = thread::spawn(move || {
        device.write_all(&start).expect("sent");
        let piece = [b'x'; 64 * 1024];
        (0..PAYLOAD / piece.len()).for_each(|_| device.write_all(&piece).expect("sent"));
        device
    });
    let mut got = vec![0; 64 * 1024];
    upstream.read_exact(&mut got[..head.len()]).expect("the start");
    assert_eq!(got[..head.len()], head);
    for _ in 0..PAYLOAD / got.len() {
        upstream.read_exact(&mut got).expect("the payload");
        assert!(got.iter().all(|byte| *byte == b'x'));
    }
    let most = HEAP.peak_usage() - before;
    println!("{most} bytes of heap for a payload of {PAYLOAD}");
    assert!(most < MIB, "{most} bytes");
    let mut device = sending.join().expect("it was sent");
    upstream.write_all(b"\x40\x02\0\x07").expect("sent");
    assert_eq!(packet(&mut device), b"\x40\x02\0\x07");
}

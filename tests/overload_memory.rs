//! Short of memory, seen from outside: who comes is refused, who holds the most goes, everybody else goes on. Attack 30.
#![cfg(all(feature = "server", target_os = "linux"))]

mod process;
mod stage;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use process::Process;
use stage::{DEADLINE, ask, metric, packet};

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const BUSY: &[u8] = b"\x20\x02\0\x03";
const CONNECT_5: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01d";
const BUSY_5: &[u8] = b"\x20\x03\0\x89\0";
const PINGREQ: &[u8] = b"\xC0\0";

/// Devices that never read, each with a broker that sends without end: 4 MiB wait for each of them.
const HOARDERS: usize = 40;

const SETTINGS: &str = "memory_max_bytes = 134217728\nmemory_refuse_percent = 60\nmemory_end_percent = 80\n\
     [limits]\nbuffered_bytes_max = 4194304\n";

/// A second listener, which asks who comes.
const GUARDED: &str = "[[listener]]\nname = 'c'\nbind = '127.0.0.1:0'\nupstream = 'b'\ndialect = 'plain'\n\
     [listener.access]\nbind = 'nothing'\npasswords = 'users.txt'";
const USERS: &str = "ann:$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiB0ZXN0cw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
/// A name and a password that are wrong.
const STRANGER: &[u8] = b"\x10\x13\0\x04MQTT\x04\xC2\0\0\0\x01d\0\x01x\0\x01x";
const WRONG: &[u8] = b"\x20\x02\0\x04";

/// A device that is in, and its connection at the broker.
fn pair(proxy: &Process, broker: &TcpListener) -> [TcpStream; 2] {
    let mut device = connect(proxy, 0, CONNECT);
    let (mut upstream, _) = broker.accept().expect("a connection");
    upstream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    packet(&mut upstream);
    upstream.write_all(CONNACK).expect("sent");
    assert_eq!(packet(&mut device), CONNACK);
    [device, upstream]
}

fn connect(proxy: &Process, listener: usize, connect: &[u8]) -> TcpStream {
    let mut device = TcpStream::connect(proxy.listening[listener]).expect("a connection");
    device.set_read_timeout(Some(DEADLINE)).expect("a socket");
    device.write_all(connect).expect("sent");
    device
}

/// PUBLISH with QoS 0 and 16 KiB of payload.
fn publish() -> Vec<u8> {
    [b"\x30\x83\x80\x01\0\x01t", &[b'x'; 16 * 1024][..]].concat()
}

fn value(proxy: &Process, name: &str) -> f64 {
    metric(&ask(proxy.admin, "/metrics"), name)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let late = Instant::now() + 3 * DEADLINE;
    while !is_so() {
        assert!(Instant::now() < late, "not in time: {what}");
        thread::yield_now();
    }
}

#[test]
fn attack_30_memory_that_gets_short_costs_newcomers_then_those_that_hold_the_most() {
    const ENDED: &str = "interlingua_sessions_ended_total{end=\"memory_short\"}";
    const LEVEL: &str = "interlingua_memory_level";
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let files = [("users.txt", USERS)];
    let mut proxy = Process::start_with(SETTINGS, GUARDED, &broker, &files, &[]);
    let [mut modest, mut modest_upstream] = pair(&proxy, &broker);
    let hoarders: Vec<_> = (0..HOARDERS).map(|_| pair(&proxy, &broker)).collect();
    assert!(ask(proxy.admin, "/readyz").contains("200 OK"));
    assert_eq!(value(&proxy, "interlingua_memory_max_bytes"), 134_217_728.0);
    assert_eq!(packet(&mut connect(&proxy, 1, STRANGER)), WRONG);

    let mut fills = hoarders.into_iter().map(|[device, mut upstream]| {
        let filling = thread::spawn(move || {
            let packet = publish();
            // It ends when the proxy does that to the session, or the device goes.
            while upstream.write_all(&packet).is_ok() {}
        });
        (device, filling)
    });
    // The lower mark is 77 MiB, the upper one 102; these take 72, and the proxy itself more than ten.
    let mut filled: Vec<_> = fills.by_ref().take(18).collect();
    until("the lower mark", || value(&proxy, LEVEL) == 1.0);
    assert!(
        ask(proxy.admin, "/readyz").contains("503")
            && ask(proxy.admin, "/readyz").contains("short of memory")
    );
    assert!(ask(proxy.admin, "/healthz").contains("200 OK"), "a restart wouldn't help");
    // At the guarded one the password isn't even looked at: that takes memory, too.
    for (listener, given, told) in [(0, CONNECT, BUSY), (0, CONNECT_5, BUSY_5), (1, STRANGER, BUSY)]
    {
        let mut answer = Vec::new();
        connect(&proxy, listener, given).read_to_end(&mut answer).expect("an end");
        assert_eq!(answer, told);
    }
    assert_eq!(value(&proxy, ENDED), 0.0, "nobody has to go yet");
    let refused = "interlingua_refused_total{direction=\"up\",reason=\"memory_short\"}";
    assert_eq!(value(&proxy, refused), 3.0);

    // The upper mark: all of them would be more than there is.
    filled.extend(fills);
    until("the upper mark", || value(&proxy, ENDED) > 0.0);
    until("below the upper mark", || value(&proxy, LEVEL) < 2.0);
    let ended = value(&proxy, ENDED);
    assert!(ended < HOARDERS as f64, "{ended}: no more than it takes");
    // Who holds nothing goes on.
    modest.write_all(PINGREQ).expect("sent");
    assert_eq!(packet(&mut modest_upstream), PINGREQ);
    assert!(value(&proxy, "interlingua_memory_bytes") < 134_217_728.0);

    // The devices go, and there is room again.
    let (devices, fillings): (Vec<_>, Vec<_>) = filled.into_iter().unzip();
    drop(devices);
    fillings.into_iter().for_each(|filling| filling.join().expect("its session has ended"));
    until("room again", || value(&proxy, LEVEL) == 0.0);
    drop(pair(&proxy, &broker));
    for line in
        ["memory is short", "memory is nearly gone", "sessions that hold the most are ended"]
    {
        proxy.says(line);
    }
}

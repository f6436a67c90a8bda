//! Where connections go: evenly over the shards, and to the upstream no faster than it is said to bear.
#![cfg(feature = "server")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use interlingua::config;
use interlingua::server::{self, Server};

const CONNECT: &[u8] = b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const DEADLINE: Duration = Duration::from_secs(10);

fn start(settings: &str, upstream: SocketAddr) -> Server {
    let text = format!(
        "{settings}\n[admin]\nbind = '127.0.0.1:0'\n\
         [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n\
         [[upstream]]\nname = 'b'\nurl = 'mqtt://{upstream}'\ndialect = 'plain'\n",
    );
    let config = config::load("test.toml", &text, &mut |_| Err("nothing outside".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    server::start(&config).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn connect(proxy: SocketAddr) -> TcpStream {
    let mut device = TcpStream::connect(proxy).expect("a connection");
    device.set_read_timeout(Some(DEADLINE)).expect("a socket");
    device.write_all(CONNECT).expect("sent");
    device
}

fn accept(broker: &TcpListener) -> TcpStream {
    let (mut upstream, _) = broker.accept().expect("a connection");
    let mut got = [0; CONNECT.len()];
    upstream.read_exact(&mut got).expect("CONNECT");
    upstream
}

/// Sessions of each shard, as the metrics have them.
fn sessions(server: &Server, shards: usize) -> Vec<u64> {
    let mut stream = TcpStream::connect(server.admin.expect("it is open")).expect("a connection");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let of = |shard: usize| {
        let name = format!("interlingua_shard_sessions{{shard=\"{shard}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
    };
    (0..shards).map(of).collect()
}

#[test]
fn connections_are_spread_evenly() {
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = broker.local_addr().expect("an address");
    let server = start("[proxy]\nshards = 4", address);
    let pairs: Vec<_> = (0..40)
        .map(|_| {
            let mut device = connect(server.listening[0].1);
            let mut upstream = accept(&broker);
            upstream.write_all(CONNACK).expect("sent");
            let mut got = [0; CONNACK.len()];
            device.read_exact(&mut got).expect("CONNACK");
            (device, upstream)
        })
        .collect();
    assert_eq!(sessions(&server, 4), [10; 4]);
    drop(pairs);
    server.stop();
}

#[test]
fn the_room_is_that_of_the_process_and_not_of_a_shard() {
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = broker.local_addr().expect("an address");
    let server = start("[proxy]\nshards = 4\n[limits]\nsessions_max = 3", address);
    let devices: Vec<_> = (0..4).map(|_| connect(server.listening[0].1)).collect();
    let upstreams: Vec<_> = (0..3).map(|_| accept(&broker)).collect();
    assert_eq!(sessions(&server, 4).iter().sum::<u64>(), 3);
    broker.set_nonblocking(true).expect("a socket");
    assert_eq!(broker.accept().expect_err("it has to wait").kind(), ErrorKind::WouldBlock);
    broker.set_nonblocking(false).expect("a socket");
    drop(upstreams);
    // One of them has gone, so there is room for the fourth.
    accept(&broker);
    drop(devices);
    server.stop();
}

/// Connections to an address that wait for the kernel's answer.
fn waiting_for(address: SocketAddr) -> usize {
    const SYN_SENT: &str = "02";
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let remote = format!(":{:04X}", address.port());
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 3 && row[2].ends_with(&remote) && row[3] == SYN_SENT).count()
}

#[test]
fn an_upstream_that_does_not_answer_is_asked_by_so_many_at_once() {
    // A listener whose queue is full: the kernel doesn't answer further connections.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let queued = TcpStream::connect(address).expect("the one that has room");
    let limits = "[limits]\nopenings_max = 1\nupstream_timeout_ms = 4000";
    let server = start(&format!("[proxy]\nshards = 2\n{limits}"), address);
    let devices = [connect(server.listening[0].1), connect(server.listening[0].1)];
    let mut most = 0;
    let begun = Instant::now();
    // Half a second of looking: who isn't held back is there within a millisecond.
    while most == 0 || begun.elapsed() < Duration::from_millis(500) {
        assert!(begun.elapsed() < DEADLINE, "nobody asks");
        most = most.max(waiting_for(address));
    }
    assert_eq!(most, 1);
    // The second waits for its turn until its time is over, as the first waits for its answer.
    for mut device in devices {
        let mut answer = Vec::new();
        device.read_to_end(&mut answer).expect("an end");
        assert_eq!(answer, b"\x20\x02\0\x03", "server unavailable");
    }
    // Who gives up frees the way for others.
    drop(queued);
    let broker: TcpListener = socket.into();
    drop(broker.accept());
    let device = connect(server.listening[0].1);
    let mut upstream = broker.accept().expect("a connection").0;
    upstream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    while upstream.read_exact(&mut [0; CONNECT.len()]).is_err() {
        // Those that gave up are in the queue, too.
        upstream = broker.accept().expect("a connection").0;
        upstream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    }
    drop(device);
    server.stop();
}

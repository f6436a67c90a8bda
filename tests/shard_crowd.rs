//! Connections of one address and of all, with real sockets: who is turned away, who waits, and who is let in again.
#![cfg(feature = "server")]

mod stage;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use interlingua::config;
use interlingua::server::{self, Server};
use socket2::{Domain, Socket, Type};
use stage::DEADLINE;

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d";
const CONNACK: &[u8] = b"\x20\x02\0\0";

/// A proxy whose listener has these limits, with a broker that is nobody: who gets an answer is let in.
struct Door {
    server: Server,
    proxy: SocketAddr,
}

/// CONNACK 3: the proxy has read CONNECT, and there is no broker.
const UNAVAILABLE: &[u8] = b"\x20\x02\0\x03";

fn door(bind: &str, shards: usize, listener: &str, limits: &str) -> Door {
    let text = format!(
        "[proxy]\nshards = {shards}\n[admin]\nbind = '127.0.0.1:0'\n\
         [[listener]]\nname = 'a'\nbind = '{bind}'\ndialect = 'plain'\nupstream = 'b'\n{listener}\n\
         [listener.limits]\n{limits}\n\
         [[upstream]]\nname = 'b'\nurl = 'mqtt://127.0.0.1:1'\ndialect = 'plain'\n"
    );
    let config = config::load("test.toml", &text, &mut |_| Err("nothing outside".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    let server = server::start(&config).unwrap_or_else(|errors| panic!("{errors:?}"));
    let proxy = server.listening[0].1;
    Door { server, proxy }
}

impl Door {
    /// Connects from an address of this machine; 127.0.0.0/8 are all its own.
    fn from(&self, source: &str) -> TcpStream {
        let source: SocketAddr = format!("{source}:0").parse().expect("an address");
        let domain = if source.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::STREAM, None).expect("a socket");
        socket.bind(&source.into()).expect("an address of this machine");
        socket.connect_timeout(&self.proxy.into(), DEADLINE).expect("a connection");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> u64 {
        let admin = self.server.admin.expect("it is open");
        let mut stream = TcpStream::connect(admin).expect("a connection");
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
    }

    /// Waits until so many connections were accepted: each shard has a queue of its own.
    fn has_accepted(&self, count: u64) {
        self.reaches("interlingua_connections_accepted_total", count);
    }

    /// Waits until a metric has this value.
    fn reaches(&self, name: &str, value: u64) {
        let begun = Instant::now();
        while self.metric(name) < value {
            assert!(begun.elapsed() < DEADLINE, "{name} isn't {value}");
        }
        assert_eq!(self.metric(name), value, "{name}");
    }

    fn turned_away(&self, reason: &str) -> u64 {
        self.metric(&format!("interlingua_connections_turned_away_total{{reason=\"{reason}\"}}"))
    }
}

/// What the proxy says to a CONNECT: an answer, or nothing.
fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    match stream.write_all(CONNECT).and_then(|()| stream.read_to_end(&mut got)) {
        Ok(_) => {}
        // Bytes that nobody has read are answered with a reset.
        Err(error)
            if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()) => {}
        Err(error) => panic!("{error}"),
    }
    got
}

fn is_let_in(mut stream: TcpStream) -> bool {
    match &answer(&mut stream)[..] {
        UNAVAILABLE => true,
        [] => false,
        other => panic!("{other:02X?}"),
    }
}

/// Tries until somebody is let in: whoever left may not be gone yet.
fn is_let_in_at_last(door: &Door, source: &str) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        if is_let_in(door.from(source)) {
            return true;
        }
    }
    false
}

#[test]
fn attack_27_an_address_has_so_many_connections_on_all_shards_together() {
    let door = door("127.0.0.1:0", 3, "", "connections_per_address_max = 3");
    // They are silent, and still there.
    let mut here: Vec<_> = (0..3).map(|_| door.from("127.0.0.2")).collect();
    door.has_accepted(3);
    for _ in 0..5 {
        assert!(!is_let_in(door.from("127.0.0.2")), "one too many");
    }
    assert_eq!(door.turned_away("address_connections"), 5);
    assert_eq!(door.metric("interlingua_connections_accepted_total"), 3, "no session began");
    assert!(is_let_in(door.from("127.0.0.3")), "others are none of its matter");
    // Whoever was there first is still there.
    assert_eq!(answer(&mut here[0]), UNAVAILABLE);
    drop(here);
    assert!(is_let_in_at_last(&door, "127.0.0.2"));
    door.server.stop();
}

#[test]
fn addresses_of_version_6_count_by_their_network() {
    let door = door("[::1]:0", 1, "", "connections_per_address_max = 1");
    let first = door.from("[::1]");
    door.has_accepted(1);
    assert!(!is_let_in(door.from("[::1]")));
    drop(first);
    assert!(is_let_in_at_last(&door, "[::1]"));
    door.server.stop();
}

#[test]
fn attack_27_an_address_opens_so_many_connections_per_second() {
    let door = door("127.0.0.1:0", 2, "", "connect_rate_per_address_max = 1");
    let begun = Instant::now();
    let let_in = (0..100).filter(|_| is_let_in(door.from("127.0.0.2"))).count();
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("few");
    assert!((10..=11 + seconds).contains(&let_in), "{let_in} in {seconds} s");
    assert_eq!(door.turned_away("address_rate"), 100 - let_in as u64);
    assert!(is_let_in(door.from("127.0.0.3")));
    assert!(is_let_in_at_last(&door, "127.0.0.2"), "its turn comes again");
    door.server.stop();
}

/// The address that counts is the one that the balancer names, and it counts before TLS or anything else.
#[test]
fn attack_27_behind_a_balancer_the_addresses_that_it_names_count() {
    let listener = "proxy_protocol = 'require'";
    // With one shard they are counted in the order in which they come.
    let door = door("127.0.0.1:0", 1, listener, "connections_per_address_max = 1");
    let named = |last: u8| {
        let mut stream = door.from("127.0.0.1");
        let line = format!("PROXY TCP4 192.0.2.{last} 127.0.0.1 50000 1883\r\n");
        stream.write_all(line.as_bytes()).expect("sent");
        stream
    };
    let mut first = named(7);
    assert!(!is_let_in(named(7)));
    assert_eq!(door.turned_away("address_connections"), 1);
    // It was accepted before anybody knew whose it is, so it is one of those that have ended.
    door.reaches("interlingua_sessions_ended_total{end=\"turned_away\"}", 1);
    assert!(is_let_in(named(8)), "another one behind the same balancer");
    let checks: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = door.from("127.0.0.1");
            stream.write_all(b"PROXY UNKNOWN\r\n").expect("sent");
            stream
        })
        .collect();
    for mut own in checks {
        assert_eq!(answer(&mut own), UNAVAILABLE, "the balancer's own are nobody's");
    }
    assert_eq!(answer(&mut first), UNAVAILABLE);
    door.server.stop();
}

/// The others wait in the kernel: nobody is refused, and nobody is let in and then closed.
#[test]
fn attack_27_a_listener_accepts_so_many_connections_per_second() {
    let door = door("127.0.0.1:0", 2, "", "connect_rate_max = 20");
    let begun = Instant::now();
    let streams: Vec<_> = (0..50).map(|_| door.from("127.0.0.2")).collect();
    for mut stream in streams {
        assert_eq!(answer(&mut stream), UNAVAILABLE);
    }
    let took = begun.elapsed();
    // Twenty at once, one or two more since there are two shards, the others at their rate.
    assert!(took > Duration::from_millis(1300), "{took:?}");
    assert!(door.metric("interlingua_accepting_paused_total") > 0);
    assert_eq!(door.metric("interlingua_connections_accepted_total"), 50);
    door.server.stop();
}

/// Ten thousand devices behind one address are none too many, unless somebody says so.
#[test]
fn nobody_is_turned_away_without_a_limit() {
    let stage = stage::Stage::new("", "dialect = 'plain'", "dialect = 'plain'");
    let pairs: Vec<_> = (0..300).map(|_| stage.pair(CONNECT, CONNACK)).collect();
    drop(pairs);
}

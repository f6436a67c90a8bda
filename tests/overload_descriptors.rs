//! Descriptors that run out, in a process that may have few of them. Attacks 29 and 30.
#![cfg(all(feature = "server", target_os = "linux"))]

#[path = "access/mod.rs"]
mod access;
mod process;
mod secure;
mod stage;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use access::user;
use process::Process;
use secure::{Authority, Dialer};
use stage::{DEADLINE, ask, metric, packet};

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d";
/// With the user name `a` and the password `x`.
const CONNECT_AS: &[u8] = b"\x10\x13\0\x04MQTT\x04\xC2\0\0\0\x01d\0\x01a\0\x01x";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const UNAVAILABLE: &[u8] = b"\x20\x02\0\x03";
const PINGREQ: &[u8] = b"\xC0\0";

/// The process may have so many.
const LIMIT: usize = 80;
const FEW: &[&str] = &["prlimit", "--nofile=80:80"];

fn connect(proxy: SocketAddr, connect: &[u8]) -> TcpStream {
    let mut device = TcpStream::connect(proxy).expect("a connection");
    device.set_read_timeout(Some(DEADLINE)).expect("a socket");
    device.write_all(connect).expect("sent");
    device
}

/// The session of a device that is let in.
fn accept(broker: &TcpListener, device: &mut TcpStream) -> TcpStream {
    let (mut upstream, _) = broker.accept().expect("a connection");
    upstream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    packet(&mut upstream);
    upstream.write_all(CONNACK).expect("sent");
    assert_eq!(packet(device), CONNACK);
    upstream
}

fn goes_on(device: &mut TcpStream, upstream: &mut TcpStream) {
    device.write_all(PINGREQ).expect("sent");
    assert_eq!(packet(upstream), PINGREQ);
}

/// Descriptors of the process below its limit. What it has inherited above that takes no room.
fn open_files(proxy: &Process) -> usize {
    let folder = format!("/proc/{}/fd", proxy.child.id());
    let numbers = fs::read_dir(folder).expect("it is there").map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.to_str().and_then(|name| name.parse::<usize>().ok()).expect("a number")
    });
    numbers.filter(|number| *number < LIMIT).count()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let late = Instant::now() + 2 * DEADLINE;
    while !is_so() {
        assert!(Instant::now() < late, "not in time: {what}");
        thread::yield_now();
    }
}

/// Opens connections until the proxy has so many descriptors. Each is answered, so each has one.
fn fill(proxy: &Process, up_to: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    while open_files(proxy) < up_to {
        assert!(held.len() < LIMIT, "they don't stay open");
        let mut stream = TcpStream::connect(proxy.admin).expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        assert_ne!(stream.read(&mut [0; 512]).expect("an answer"), 0);
        held.push(stream);
    }
    held
}

#[test]
fn attack_30_there_are_no_more_sessions_than_descriptors_for_them() {
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut proxy = Process::start_with("", "", &broker, &[], FEW);
    let listening = proxy.listening[0];
    let line = proxy.seen().lines().find(|line| line.contains("too low for `sessions_max`"));
    let line = line.expect("it is said at the start").to_owned();
    assert!(line.contains("sessions_max=100000") && line.contains("open_files=80"), "{line}");
    let room: usize =
        line.split("room=").nth(1).expect("a number").trim().parse().expect("a number");
    assert!((10..40).contains(&room), "{line}");

    let mut pairs: Vec<_> = (0..room)
        .map(|_| {
            let mut device = connect(listening, CONNECT);
            let upstream = accept(&broker, &mut device);
            (device, upstream)
        })
        .collect();
    // The next one waits in the kernel's queue: it isn't accepted to be closed.
    let mut waiting = connect(listening, CONNECT);
    assert!(open_files(&proxy) < LIMIT, "some are spared");
    for (device, upstream) in &mut pairs {
        goes_on(device, upstream);
    }
    broker.set_nonblocking(true).expect("a socket");
    assert_eq!(broker.accept().expect_err("nobody more").kind(), ErrorKind::WouldBlock);
    broker.set_nonblocking(false).expect("a socket");
    drop(pairs.pop());
    accept(&broker, &mut waiting);
    proxy.child.kill().expect("it runs");
}

#[test]
fn attack_30_without_descriptors_nobody_comes_in_and_the_others_go_on() {
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut proxy = Process::start_with("", "", &broker, &[], FEW);
    let listening = proxy.listening[0];
    let mut device = connect(listening, CONNECT);
    let mut upstream = accept(&broker, &mut device);

    // One is left: enough to accept a device, and not to reach the broker for it.
    let mut held = fill(&proxy, LIMIT - 1);
    for _ in 0..10 {
        let mut refused = connect(listening, CONNECT);
        assert_eq!(packet(&mut refused), UNAVAILABLE);
        assert_eq!(refused.read(&mut [0]).expect("an end"), 0);
    }
    proxy.says("Too many open files");
    goes_on(&mut device, &mut upstream);

    // None is left: connections wait.
    held.extend(fill(&proxy, LIMIT));
    let mut waiting = connect(listening, CONNECT);
    proxy.says("accepting fails, and is tried again and again");
    goes_on(&mut device, &mut upstream);
    assert_eq!(open_files(&proxy), LIMIT);

    drop(held);
    accept(&broker, &mut waiting);
    proxy.says("connections are accepted again");
    // It was the proxy's own lack: the broker isn't left alone for that.
    let suspensions = "interlingua_upstream_suspensions_total{upstream=\"b\"}";
    assert_eq!(metric(&ask(proxy.admin, "/metrics"), suspensions), 0.0);
    goes_on(&mut device, &mut upstream);
}

#[test]
fn attack_29_files_that_cannot_be_opened_change_nothing_and_are_read_later() {
    let authority = Authority::new("test");
    let [first, second] = [(); 2].map(|()| authority.vouch(&["localhost"], &["proxy"]));
    let users = [user("a", "x"), user("b", "x")].concat();
    let files = [
        ("users.txt", users.as_str()),
        ("server.pem", &first.certificate),
        ("server.key", &first.key),
    ];
    let listener = "[listener.access]\nbind = 'nothing'\npasswords = 'users.txt'\n\
         [[listener]]\nname = 'c'\nbind = '127.0.0.1:0'\nupstream = 'b'\ndialect = 'plain'\ntransport = 'tls'\n\
         [listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut proxy = Process::start_with("", listener, &broker, &files, FEW);
    let (guarded, secured) = (proxy.listening[0], proxy.listening[1]);
    let mut device = connect(guarded, CONNECT_AS);
    let mut upstream = accept(&broker, &mut device);
    let before = open_files(&proxy);
    let dialer = Dialer::trusting(&authority);
    let shown = |address| {
        let device = dialer.dial(address).expect("a handshake");
        device.conn.peer_certificates().expect("shown")[0].clone().into_owned()
    };
    assert_eq!(shown(secured), first.chain()[0]);
    until("that session's end", || open_files(&proxy) == before);

    let held = fill(&proxy, LIMIT);
    assert_eq!(open_files(&proxy), LIMIT);
    // `a` is gone from the new file, and the certificate is another one.
    let write =
        |name: &str, text: &str| fs::write(proxy.folder.path().join(name), text).expect("written");
    write("users.txt", &user("b", "x"));
    second.write(proxy.folder.path(), "server");
    proxy.hang_up();
    let mut told = [
        ("the one that was read before stays in force", false),
        ("were not taken over; the old ones stay", false),
    ];
    while told.iter().any(|(_, said)| !said) {
        let line = proxy.says("Too many open files");
        told.iter_mut().for_each(|(words, said)| *said |= line.contains(*words));
    }
    goes_on(&mut device, &mut upstream);

    // With descriptors again the files are read without being asked for.
    drop(held);
    assert_eq!(
        device.read(&mut [0]).expect("an end"),
        0,
        "the session of a user that is gone ends"
    );
    assert_eq!(packet(&mut connect(guarded, CONNECT_AS)), b"\x20\x02\0\x04");
    until("the new certificate", || shown(secured) == second.chain()[0]);
}

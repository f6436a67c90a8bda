//! A proxy in this process, and the broker behind it, which the test plays: real sockets on both sides.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use interlingua::config;
use interlingua::server::{self, Server};

pub const DEADLINE: Duration = Duration::from_secs(8);

/// The proxy and its broker. The limits, the listener and the upstream are TOML; what is behind the upstream may follow it.
pub struct Stage {
    pub broker: TcpListener,
    pub proxy: SocketAddr,
    server: Option<Server>,
}

impl Stage {
    pub fn new(limits: &str, listener: &str, upstream: &str) -> Self {
        let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
        let text = format!(
            "[proxy]\nshards = 1\n[limits]\n{limits}\n\
             [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\nupstream = 'b'\n{listener}\n\
             [[upstream]]\nname = 'b'\nurl = 'mqtt://{}'\n{upstream}\n",
            broker.local_addr().expect("an address")
        );
        let config = config::load("test.toml", &text, &mut |_| Err("nothing outside".to_owned()))
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        let server =
            server::start(&config).unwrap_or_else(|errors| panic!("it starts: {errors:?}"));
        let proxy = server.listening[0].1;
        Self { broker, proxy, server: Some(server) }
    }

    pub fn pair(&self, connect: &[u8], connack: &[u8]) -> (TcpStream, TcpStream) {
        let mut device = TcpStream::connect(self.proxy).expect("a connection");
        device.set_read_timeout(Some(DEADLINE)).expect("a socket");
        device.set_write_timeout(Some(DEADLINE)).expect("a socket");
        device.write_all(connect).expect("sent");
        let (mut broker, _) = self.broker.accept().expect("a connection");
        broker.set_read_timeout(Some(DEADLINE)).expect("a socket");
        packet(&mut broker);
        broker.write_all(connack).expect("sent");
        packet(&mut device);
        (device, broker)
    }
}

impl Stage {
    /// What the admin interface says, which `limits` has to open: status line, headers and text.
    pub fn asks(&self, path: &str) -> String {
        ask(self.server.as_ref().and_then(|server| server.admin).expect("it is open"), path)
    }

    /// The value of a metric, by its name with labels.
    pub fn metric(&self, name: &str) -> f64 {
        metric(&self.asks("/metrics"), name)
    }
}

/// What is served at an address over HTTP.
pub fn ask(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// The value of a metric in what `/metrics` says.
pub fn metric(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} in {text}")).parse().expect("a number")
}

/// Opens the admin interface, behind the limits of [`Stage::new`].
pub const ADMIN: &str = "[admin]\nbind = '127.0.0.1:0'";

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

/// Reads one whole packet.
pub fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = vec![0; 1];
    stream.read_exact(&mut head).expect("a packet");
    let (mut length, mut shift) = (0, 0);
    loop {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).expect("a length");
        head.push(byte[0]);
        length |= usize::from(byte[0] & 0x7F) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    [head, body].concat()
}

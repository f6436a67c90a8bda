//! The limit of sessions, with real sockets and two listeners that share it.
#![cfg(feature = "server")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use interlingua::{config, server};

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d";
const CONNACK: &[u8] = b"\x20\x02\0\0";

#[test]
fn every_listener_gets_the_room_that_is_left() {
    (1..=3).for_each(room_with_shards);
}

fn room_with_shards(shards: usize) {
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let text = format!(
        "[proxy]\nshards = {shards}\n[limits]\nsessions_max = 1\n\
         [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n\
         [[listener]]\nname = 'c'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n\
         [[upstream]]\nname = 'b'\nurl = 'mqtt://{}'\ndialect = 'plain'\n",
        broker.local_addr().expect("an address")
    );
    let config = config::load("test.toml", &text, &mut |_| Err("nothing outside".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    let server = server::start(&config).unwrap_or_else(|errors| panic!("{errors:?}"));
    // Each is let in once the one before it has left, whichever door it stands at.
    for door in [0, 1, 0, 0, 1, 1, 0] {
        let mut device = TcpStream::connect(server.listening[door].1).expect("a connection");
        device.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        device.write_all(CONNECT).expect("sent");
        let (mut upstream, _) = broker.accept().expect("a connection");
        let mut got = [0; CONNECT.len()];
        upstream.read_exact(&mut got).expect("CONNECT");
        upstream.write_all(CONNACK).expect("sent");
        let mut got = [0; CONNACK.len()];
        device.read_exact(&mut got).expect("CONNACK");
        assert_eq!(got, CONNACK);
        // The next one waits at the other door while this one is still here.
        let waiting = TcpStream::connect(server.listening[1 - door].1).expect("a connection");
        drop((device, upstream));
        drop(waiting);
    }
    server.stop();
}

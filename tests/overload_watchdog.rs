//! A shard that hangs, for real: the log of one thread blocks, as it does where nobody reads it. Attack 30.
#![cfg(feature = "server")]

mod stage;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use interlingua::{config, server};
use stage::{ask, metric, packet};

const CONNECT: &[u8] = b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const DEADLINE: Duration = Duration::from_secs(20);

/// Whether shard 0 may write to the log.
static BLOCKED: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if thread::current().name() == Some("shard-0") {
            let blocked = BLOCKED.lock().expect("a lock");
            drop(CHANGED.wait_while(blocked, |blocked| *blocked).expect("a lock"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn set_blocked(blocked: bool) {
    *BLOCKED.lock().expect("a lock") = blocked;
    CHANGED.notify_all();
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let late = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < late, "not in time: {what}");
        thread::yield_now();
    }
}

#[test]
fn attack_30_a_shard_that_hangs_is_told_and_the_others_go_on() {
    tracing_subscriber::fmt().with_writer(|| Log).init();
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let text = format!(
        "[proxy]\nshards = 2\nwatchdog_ms = 1000\n[admin]\nbind = '127.0.0.1:0'\n\
         [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n\
         [[upstream]]\nname = 'b'\nurl = 'mqtt://{}'\ndialect = 'plain'\n",
        broker.local_addr().expect("an address")
    );
    let config = config::load("test.toml", &text, &mut |_| Err("nothing outside".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    let server = server::start(&config).unwrap_or_else(|errors| panic!("{errors:?}"));
    let (proxy, admin) = (server.listening[0].1, server.admin.expect("it is open"));
    let stalled = |shard: usize| {
        let name = format!("interlingua_shard_stalled{{shard=\"{shard}\"}}");
        metric(&ask(admin, "/metrics"), &name)
    };
    let sessions = |shard: usize| {
        let name = format!("interlingua_shard_sessions{{shard=\"{shard}\"}}");
        metric(&ask(admin, "/metrics"), &name)
    };
    let connect = || {
        let mut device = TcpStream::connect(proxy).expect("a connection");
        device.set_read_timeout(Some(DEADLINE)).expect("a socket");
        device.write_all(CONNECT).expect("sent");
        device
    };
    let accept = || {
        let (mut upstream, _) = broker.accept().expect("a connection");
        upstream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        packet(&mut upstream);
        upstream.write_all(CONNACK).expect("sent");
        upstream
    };
    let mut pairs: Vec<_> = (0..4)
        .map(|_| {
            let (mut device, upstream) = (connect(), accept());
            assert_eq!(packet(&mut device), CONNACK);
            (device, upstream)
        })
        .collect();
    assert_eq!([sessions(0), sessions(1)], [2.0, 2.0], "two on each");
    for path in ["/healthz", "/readyz"] {
        assert!(ask(admin, path).contains("200 OK"));
    }

    // The end of a session is a line of the log: that of shard 0 never comes to its end.
    set_blocked(true);
    let others = pairs.split_off(2);
    drop(pairs);
    until("it is missed", || ask(admin, "/healthz").contains("503"));
    // Of two sessions on different shards one ends.
    for path in ["/healthz", "/readyz"] {
        assert!(ask(admin, path).contains("shard 0 does not run"));
    }
    assert_eq!([stalled(0), stalled(1)], [1.0, 0.0]);

    // Of those that come now, some come to the socket of the shard that hangs, and wait there; the others are served.
    let waiting: Vec<_> = (0..16).map(|_| connect()).collect();
    let mut served = vec![accept()];
    set_blocked(false);
    until("it runs again", || ask(admin, "/healthz").contains("200 OK"));
    assert_eq!([stalled(0), stalled(1)], [0.0, 0.0]);
    served.extend((1..16).map(|_| accept()));
    for mut device in waiting {
        assert_eq!(packet(&mut device), CONNACK, "nobody was lost");
    }
    for (mut device, mut upstream) in others {
        device.write_all(b"\xC0\0").expect("sent");
        upstream.read_exact(&mut [0; 2]).expect("it goes on");
    }
    drop(served);
    server.stop();
}

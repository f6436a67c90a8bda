//! What the tests of access share: keys and tokens, a proxy with files, a broker that the test plays, a device.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test binary compiles this room for itself and uses a part of it"
)]

pub mod keys;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use interlingua::config::{self, Config, Lookup};
use interlingua::mqtt::{
    Connack, Connect, Properties, Publish, Qos, ReasonCode, Version, Will, next_packet,
};
use interlingua::server::{self, Server};
use tempfile::TempDir;

pub const DEADLINE: Duration = Duration::from_secs(20);

/// A line of the file of users, as cheap as it can be.
pub fn user(name: &str, password: &str) -> String {
    costly_user(name, password, 8)
}

/// The same with this much memory, in KiB.
pub fn costly_user(name: &str, password: &str, memory_kib: u32) -> String {
    use argon2::password_hash::phc::PasswordHash;
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(memory_kib, 1, 1, None).expect("parameters");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash =
        argon2.hash_password_with_salt(password.as_bytes(), b"salt of tests").expect("a hash");
    format!("{name}:{hash}\n")
}

/// A proxy with its files, and the broker behind it, which the test plays.
pub struct Stage {
    pub folder: TempDir,
    pub broker: TcpListener,
    pub proxy: SocketAddr,
    pub server: Option<Server>,
}

impl Stage {
    /// `files` stand in the configuration's folder; `listener` is all of its tables but the name and the address.
    pub fn new(files: &[(&str, &str)], limits: &str, listener: &str, upstream: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = broker.local_addr().expect("an address");
        let config = load(folder.path(), &text_of(limits, listener, upstream, address));
        let config = config.unwrap_or_else(|faults| panic!("{faults}"));
        let server =
            server::start(&config).unwrap_or_else(|errors| panic!("it starts: {errors:?}"));
        let proxy = server.listening[0].1;
        Self { folder, broker, proxy, server: Some(server) }
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    /// Connects and sends a CONNECT.
    pub fn connect(&self, connect: &Connect<'_>) -> Peer {
        let mut device = Peer::of(TcpStream::connect(self.proxy).expect("a connection"));
        device.version = connect.version;
        let mut bytes = Vec::new();
        connect.encode(&mut bytes).expect("a CONNECT");
        device.send(&bytes);
        device
    }

    /// What a device is told that shows these credentials; the broker, where it is asked, accepts.
    pub fn verdict(&self, connect: &Connect<'_>) -> ReasonCode {
        let mut device = self.connect(connect);
        match device.first_of(&self.broker) {
            None => device.connack(),
            Some(mut broker) => {
                broker.version = connect.version;
                broker.packet();
                broker.accept(&mut device)
            }
        }
    }

    /// A device that is in, and its connection at the broker, with the CONNECT that came there.
    pub fn pair(&self, connect: &Connect<'_>, upstream: Version) -> (Peer, Peer, Vec<u8>) {
        let mut device = self.connect(connect);
        let (stream, _) = self.broker.accept().expect("a connection");
        let mut broker = Peer::of(stream);
        broker.version = upstream;
        let got = broker.packet();
        assert_eq!(broker.accept(&mut device), ReasonCode::Success);
        (device, broker, got)
    }

    /// Waits until it is so.
    pub fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let late = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(Instant::now() < late, "not in time: {what}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

pub fn text_of(limits: &str, listener: &str, upstream: &str, broker: SocketAddr) -> String {
    format!(
        "[proxy]\nshards = 1\n[limits]\n{limits}\n\
         [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\nupstream = 'b'\n{listener}\n\
         [[upstream]]\nname = 'b'\nurl = 'mqtt://{broker}'\n{upstream}\n"
    )
}

/// Loads a configuration whose files stand in a folder; otherwise every fault, each on its line.
pub fn load(folder: &Path, text: &str) -> Result<Config, String> {
    let read = &mut |lookup: Lookup<'_>| match lookup {
        Lookup::File(path) => {
            std::fs::read_to_string(folder.join(path)).map_err(|error| error.kind().to_string())
        }
        Lookup::Environment(_) => Err("it is not set".to_owned()),
    };
    let config = config::load("test.toml", text, read);
    let config = config
        .map_err(|faults| faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())?;
    Ok(Config { folder: folder.to_owned(), ..config })
}

/// A CONNECT with these credentials.
pub fn shows<'c>(name: Option<&'c str>, password: Option<&'c str>) -> Connect<'c> {
    Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive_seconds: 0,
        client_identifier: "c1",
        properties: Properties::EMPTY,
        will: None,
        user_name: name,
        password: password.map(str::as_bytes),
    }
}

pub fn will<'w>(topic_name: &'w str) -> Will<'w> {
    Will {
        topic_name,
        payload: b"1",
        qos: Qos::AtMostOnce,
        retain: false,
        properties: Properties::EMPTY,
    }
}

/// One side of a connection.
pub struct Peer {
    pub stream: TcpStream,
    pub version: Version,
}

impl Peer {
    pub fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket");
        Self { stream, version: Version::V311 }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    /// The next packet, whole.
    pub fn packet(&mut self) -> Vec<u8> {
        self.try_packet().expect("a packet, not the end")
    }

    /// The next packet; `None`: the connection has ended.
    pub fn try_packet(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            if let Some(whole) = next_packet(&bytes, Version::V5, 1 << 20).expect("a packet") {
                assert_eq!(whole.bytes.len(), bytes.len());
                return Some(bytes);
            }
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(0) => return None,
                Ok(_) => bytes.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// What CONNACK says.
    pub fn connack(&mut self) -> ReasonCode {
        let bytes = self.packet();
        let raw = next_packet(&bytes, self.version, 1 << 20).expect("a packet").expect("whole");
        Connack::decode(raw, self.version).expect("a CONNACK").reason_code
    }

    /// As the broker: accepts the device, which hears of it.
    pub fn accept(&mut self, device: &mut Peer) -> ReasonCode {
        self.send(match self.version {
            Version::V5 => &[0x20, 3, 0, 0, 0],
            _ => &[0x20, 2, 0, 0],
        });
        device.connack()
    }

    /// The broker's end of this device's session, or `None` if the device is answered before the broker is asked.
    pub fn first_of(&mut self, broker: &TcpListener) -> Option<Peer> {
        broker.set_nonblocking(true).expect("a socket");
        self.stream.set_nonblocking(true).expect("a socket");
        let late = Instant::now() + DEADLINE;
        let found = loop {
            // Who is refused is answered; the broker is looked at first, since it comes first.
            if let Ok((stream, _)) = broker.accept() {
                stream.set_nonblocking(false).expect("a socket");
                break Some(Peer::of(stream));
            }
            if self.stream.peek(&mut [0]).is_ok() {
                break None;
            }
            assert!(Instant::now() < late, "neither an answer nor the broker");
            std::thread::yield_now();
        };
        broker.set_nonblocking(false).expect("a socket");
        self.stream.set_nonblocking(false).expect("a socket");
        found
    }

    pub fn publish(&mut self, topic_name: &str, payload: &[u8]) {
        let publish = Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: false,
            topic_name,
            packet_identifier: None,
            properties: Properties::EMPTY,
            payload,
        };
        let mut bytes = Vec::new();
        publish.encode(self.version, &mut bytes).expect("a PUBLISH");
        self.send(&bytes);
    }

    /// The next packet, which is a PUBLISH: its topic name.
    pub fn topic(&mut self) -> String {
        let bytes = self.packet();
        let raw = next_packet(&bytes, self.version, 1 << 20).expect("a packet").expect("whole");
        Publish::decode(raw, self.version).expect("a PUBLISH").topic_name.to_owned()
    }
}

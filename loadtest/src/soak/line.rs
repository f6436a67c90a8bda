//! One connection of MQTT 3.1.1 or 5: bytes to packets and back, and the cut that its owner makes.
//!
//! It knows no session: that belongs to whoever reconnects. Invariant: nothing is read or written after it broke.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use fastrand::Rng;
use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connect, Disconnect, Packet, PacketIdentifier,
    Properties, Property, PropertyBuffer, PropertyIdentifier, Publish, Qos, ReasonCode,
    RetainHandling, Subscription, Version, encode_subscribe, next_packet,
};

use super::state::State;

const PACKET_SIZE_MAX: usize = 1024 * 1024;
/// An answer on one machine takes milliseconds. One that takes this long on a living connection won't come.
const PATIENCE: Duration = Duration::from_secs(30);
/// A connection that is cut by its owner lasts this many packets at most, both ways together.
const PACKETS_MAX: u32 = 400;

/// Topic aliases that a connection of version 5 takes.
const ALIASES: u16 = 4;

/// Who connects, and where.
#[derive(Debug, Clone)]
pub(crate) struct Introduction {
    pub(crate) address: SocketAddr,
    pub(crate) version: Version,
    pub(crate) client_identifier: String,
    pub(crate) user_name: Option<&'static str>,
    pub(crate) password: Option<&'static str>,
}

/// Whether the owner of a connection cuts it.
#[derive(Debug, Clone)]
pub(crate) enum Cuts {
    Never,
    Random(Rng),
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Broken {
    /// By its owner.
    Cut,
    /// By the other side, or never made.
    Closed,
    /// The other side doesn't answer.
    Silent,
    /// The other side sent what the specification doesn't allow.
    Malformed(String),
    /// The time of the run is over.
    Over,
}

/// A packet that came, of those that servers send.
#[derive(Debug)]
pub(crate) enum Heard {
    Connack {
        session_present: bool,
        reason_code: ReasonCode,
    },
    Message {
        topic: String,
        payload: Vec<u8>,
        qos: Qos,
        identifier: Option<PacketIdentifier>,
    },
    Acknowledgement(AcknowledgementKind, PacketIdentifier),
    Suback(Vec<u8>),
    /// Only version 5 has it from a server.
    Disconnect(ReasonCode),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    version: Version,
    /// What the other side's topic aliases stand for.
    aliases: HashMap<u16, String>,
    received: Vec<u8>,
    out: Vec<u8>,
    /// Where the cut comes: after this many packets. The generator says where in the packet.
    cut: Option<(u32, Rng)>,
}

impl Line {
    /// Connects with clean session off. The second value is whether there was a session.
    pub(crate) fn connect(
        state: &State,
        introduction: &Introduction,
        cuts: &mut Cuts,
    ) -> Result<(Self, bool), Broken> {
        let stream = TcpStream::connect(introduction.address).map_err(|_| Broken::Closed)?;
        // Towards a free port of the local machine, TCP may connect a socket to itself.
        if stream.local_addr().ok() == Some(introduction.address) {
            return Err(Broken::Closed);
        }
        stream.set_nodelay(true).map_err(|_| Broken::Closed)?;
        let cut = match cuts {
            Cuts::Never => None,
            Cuts::Random(rng) => Some((rng.u32(1..=PACKETS_MAX), rng.fork())),
        };
        let mut line = Self {
            stream,
            version: introduction.version,
            aliases: HashMap::new(),
            received: Vec::new(),
            out: Vec::new(),
            cut,
        };
        line.put_connect(introduction);
        match line.receive(state)? {
            Heard::Connack { session_present, reason_code: ReasonCode::Success } => {
                Ok((line, session_present))
            }
            // 3, "server unavailable": the upstream connection was cut before it was one.
            Heard::Connack { reason_code: ReasonCode::ServerUnavailable, .. } => {
                Err(Broken::Closed)
            }
            other => Err(Broken::Malformed(format!("{other:?} instead of CONNACK 0"))),
        }
    }

    fn put_connect(&mut self, introduction: &Introduction) {
        let mut properties = PropertyBuffer::new();
        if self.version == Version::V5 {
            // 3.1.1 keeps such a session without end.
            for property in
                [Property::SessionExpiryInterval(u32::MAX), Property::TopicAliasMaximum(ALIASES)]
            {
                properties.push(property).expect("both are legal");
            }
        }
        let connect = Connect {
            version: self.version,
            clean_start: false,
            keep_alive_seconds: 0,
            client_identifier: &introduction.client_identifier,
            properties: properties.properties(),
            will: None,
            user_name: introduction.user_name,
            password: introduction.password.map(str::as_bytes),
        };
        connect.encode(&mut self.out).expect("names are short");
    }

    /// Queues a message and, when it is this connection's turn, cuts.
    pub(crate) fn publish(&mut self, publish: &Publish<'_>) -> Result<(), Broken> {
        publish.encode(self.version, &mut self.out).expect("soak messages fit");
        self.count()
    }

    pub(crate) fn acknowledge(
        &mut self,
        kind: AcknowledgementKind,
        identifier: PacketIdentifier,
    ) -> Result<(), Broken> {
        let given = Acknowledgement::success(kind, identifier);
        given.encode(self.version, &mut self.out).expect("four bytes fit");
        self.count()
    }

    /// Subscribes to all of these at QoS 2.
    pub(crate) fn subscribe(&mut self, topic_filters: &[String]) -> Result<(), Broken> {
        let subscription = |topic_filter| Subscription {
            topic_filter,
            qos: Qos::ExactlyOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let all: Vec<_> =
            topic_filters.iter().map(|filter| subscription(filter.as_str())).collect();
        let identifier = PacketIdentifier::new(1).expect("it isn't 0");
        let properties = Properties::EMPTY;
        encode_subscribe(self.version, identifier, properties, &all, &mut self.out)
            .expect("filters are short");
        self.count()
    }

    /// Says good-bye. The other side may be gone, which is the same.
    pub(crate) fn disconnect(mut self) {
        let (reason_code, properties) = (ReasonCode::Success, Properties::EMPTY);
        let disconnect = Disconnect { reason_code, properties };
        disconnect.encode(self.version, &mut self.out).expect("two bytes fit");
        let _ = self.flush();
    }

    /// Writes what is queued.
    pub(crate) fn flush(&mut self) -> Result<(), Broken> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).map_err(|_| Broken::Closed)?;
            self.out.clear();
        }
        Ok(())
    }

    /// Waits for the next packet. What is queued is written when nothing more is at hand.
    pub(crate) fn receive(&mut self, state: &State) -> Result<Heard, Broken> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = read_packet(&self.received, self.version, &mut self.aliases);
            if let Some((heard, length)) = read.map_err(Broken::Malformed)? {
                self.received.drain(..length);
                self.count()?;
                return match heard {
                    // The connection behind was cut, or its session has come back already. Any other reason would be a
                    // reproach.
                    Heard::Disconnect(
                        ReasonCode::UnspecifiedError | ReasonCode::SessionTakenOver,
                    ) => Err(Broken::Closed),
                    heard => Ok(heard),
                };
            }
            self.flush()?;
            let patience = state.left().ok_or(Broken::Over)?.min(PATIENCE);
            self.stream.set_read_timeout(Some(patience)).map_err(|_| Broken::Closed)?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Broken::Closed),
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if is_timeout(&error) && state.left().is_none() => {
                    return Err(Broken::Over);
                }
                Err(error) if is_timeout(&error) => return Err(Broken::Silent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken::Closed),
            }
        }
    }

    /// Counts a packet. At the cut a part of what is queued still goes out, then nothing, not even DISCONNECT.
    fn count(&mut self) -> Result<(), Broken> {
        let Some((left, rng)) = &mut self.cut else { return Ok(()) };
        *left -= 1;
        if *left > 0 {
            return Ok(());
        }
        let length = rng.usize(..=self.out.len());
        let _ = self.stream.write_all(&self.out[..length]);
        let _ = self.stream.shutdown(Shutdown::Both);
        Err(Broken::Cut)
    }
}

/// The first packet of the bytes and its length, if it is whole.
fn read_packet(
    bytes: &[u8],
    version: Version,
    aliases: &mut HashMap<u16, String>,
) -> Result<Option<(Heard, usize)>, String> {
    let raw = match next_packet(bytes, version, PACKET_SIZE_MAX) {
        Ok(None) => return Ok(None),
        Ok(Some(raw)) => raw,
        Err(fault) => return Err(fault.to_string()),
    };
    let length = raw.bytes.len();
    let heard = match Packet::decode(raw, version).map_err(|fault| fault.to_string())? {
        Packet::Connack(connack) => Heard::Connack {
            session_present: connack.session_present,
            reason_code: connack.reason_code,
        },
        Packet::Publish(Publish { retain: true, topic_name, .. }) => {
            return Err(format!("a retained message in {topic_name}, where nothing is retained"));
        }
        Packet::Publish(publish) => Heard::Message {
            topic: topic_of(&publish, aliases)?,
            payload: publish.payload.to_vec(),
            qos: publish.qos,
            identifier: publish.packet_identifier,
        },
        Packet::Acknowledgement(given) => {
            Heard::Acknowledgement(given.kind, given.packet_identifier)
        }
        Packet::Suback(suback) => Heard::Suback(suback.reason_codes.to_vec()),
        Packet::Disconnect(disconnect) => Heard::Disconnect(disconnect.reason_code),
        other => return Err(format!("{} from a server", other.packet_type())),
    };
    Ok(Some((heard, length)))
}

/// The topic name, which an alias may stand for.
fn topic_of(publish: &Publish<'_>, aliases: &mut HashMap<u16, String>) -> Result<String, String> {
    let found = publish.properties.find(PropertyIdentifier::TopicAlias);
    let Some(Property::TopicAlias(number)) = found else {
        return Ok(publish.topic_name.to_owned());
    };
    if number > ALIASES {
        return Err(format!("topic alias {number}, where {ALIASES} are allowed"));
    }
    if !publish.topic_name.is_empty() {
        aliases.insert(number, publish.topic_name.to_owned());
    }
    aliases.get(&number).cloned().ok_or(format!("topic alias {number}, which stands for nothing"))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

//! A device that says exactly what a test wants it to say, and hears every packet.

use std::io::{Read, Write};
use std::net::TcpStream;

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connect, Disconnect, PINGREQ, Packet, PacketIdentifier,
    Properties, Property, PropertyBuffer, Publish, Qos, ReasonCode, RetainHandling, Subscription,
    Version, Will, encode_subscribe, next_packet,
};

use super::PATIENCE;

/// What a CONNECT says.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) version: Version,
    pub(crate) client: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) clean_start: bool,
    pub(crate) will: Option<&'a str>,
    pub(crate) keep_alive_seconds: u16,
}

impl<'a> Login<'a> {
    pub(crate) fn new(version: Version, client: &'a str, user: &'a str, password: &'a str) -> Self {
        Self {
            version,
            client,
            user: Some(user),
            password: Some(password),
            clean_start: true,
            will: None,
            keep_alive_seconds: 0,
        }
    }
}

/// A packet, or the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Connack {
        code: u8,
        session_present: bool,
    },
    Publish(Message),
    /// PUBACK, PUBREC, PUBREL, PUBCOMP with their reason code.
    Acknowledged(AcknowledgementKind, u16, u8),
    Suback(Vec<u8>),
    Disconnect(u8),
    Pong,
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) number: u16,
    pub(crate) response_topic: Option<String>,
}

/// A PUBLISH that a test wants.
#[derive(Clone, Copy)]
pub(crate) struct Spoken<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) user_properties: &'a [(&'a str, &'a str)],
}

impl<'a> Spoken<'a> {
    pub(crate) fn new(topic: &'a str, payload: &'a str, qos: u8) -> Self {
        let payload = payload.as_bytes();
        Self { topic, payload, qos, retain: false, user_properties: &[] }
    }
}

pub(crate) struct Device {
    stream: TcpStream,
    received: Vec<u8>,
    version: Version,
    last: u16,
}

impl Device {
    /// Connects; the answer isn't waited for.
    pub(crate) fn dial(address: &str, login: Login<'_>) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let version = login.version;
        let mut device = Self { stream, received: Vec::new(), version, last: 0 };
        let will = login.will.map(|topic_name| Will {
            topic_name,
            payload: b"gone",
            qos: Qos::AtLeastOnce,
            retain: false,
            properties: Properties::EMPTY,
        });
        let connect = Connect {
            version,
            clean_start: login.clean_start,
            keep_alive_seconds: login.keep_alive_seconds,
            client_identifier: login.client,
            properties: Properties::EMPTY,
            will,
            user_name: login.user,
            password: login.password.map(str::as_bytes),
        };
        let mut bytes = Vec::new();
        connect.encode(&mut bytes).expect("a CONNECT");
        device.write(&bytes);
        device
    }

    /// Connects and is let in.
    pub(crate) fn connect(address: &str, login: Login<'_>) -> Self {
        let mut device = Self::dial(address, login);
        match device.hear() {
            Heard::Connack { code: 0, .. } => device,
            other => panic!("{}: {other:?}", login.client),
        }
    }

    /// Connects and isn't let in: CONNACK's code, and the connection closes.
    pub(crate) fn refused(address: &str, login: Login<'_>) -> u8 {
        let mut device = Self::dial(address, login);
        let Heard::Connack { code, .. } = device.hear() else { panic!("no CONNACK") };
        assert_ne!(code, 0, "{} was let in", login.client);
        assert_eq!(device.hear(), Heard::Closed);
        code
    }

    /// Publishes; the answer isn't waited for.
    pub(crate) fn publish(&mut self, spoken: Spoken<'_>) {
        let qos = Qos::from_level(spoken.qos).expect("a QoS");
        self.last += u16::from(spoken.qos > 0);
        let mut properties = PropertyBuffer::new();
        for (name, value) in spoken.user_properties {
            properties.push(Property::UserProperty(name, value)).expect("a property");
        }
        let publish = Publish {
            dup: false,
            qos,
            retain: spoken.retain,
            topic_name: spoken.topic,
            packet_identifier: PacketIdentifier::new(self.last).filter(|_| spoken.qos > 0),
            properties: properties.properties(),
            payload: spoken.payload,
        };
        let mut bytes = Vec::new();
        publish.encode(self.version, &mut bytes).expect("a PUBLISH");
        self.write(&bytes);
    }

    /// Publishes at QoS 1: PUBACK's code, which is 0 before MQTT 5.
    pub(crate) fn acknowledged(&mut self, topic: &str, payload: &str) -> u8 {
        self.publish(Spoken::new(topic, payload, 1));
        self.puback()
    }

    /// The code of the PUBACK for the last PUBLISH.
    pub(crate) fn puback(&mut self) -> u8 {
        match self.hear() {
            Heard::Acknowledged(AcknowledgementKind::Puback, number, code) => {
                assert_eq!(number, self.last);
                code
            }
            other => panic!("{other:?} instead of PUBACK"),
        }
    }

    /// Publishes at QoS 2, to its end.
    pub(crate) fn completed(&mut self, topic: &str, payload: &str) {
        self.publish(Spoken::new(topic, payload, 2));
        let kind = AcknowledgementKind::Pubrec;
        assert_eq!(self.hear(), Heard::Acknowledged(kind, self.last, 0));
        self.acknowledge(AcknowledgementKind::Pubrel, self.last);
        let kind = AcknowledgementKind::Pubcomp;
        assert_eq!(self.hear(), Heard::Acknowledged(kind, self.last, 0));
    }

    /// Publishes, and the connection closes. In 5 the code of DISCONNECT.
    pub(crate) fn thrown_out(mut self, spoken: Spoken<'_>) -> Option<u8> {
        self.publish(spoken);
        self.closed()
    }

    /// The connection closes. In 5 the code of DISCONNECT.
    pub(crate) fn closed(&mut self) -> Option<u8> {
        match self.hear() {
            Heard::Closed => None,
            Heard::Disconnect(code) => {
                assert_eq!(self.hear(), Heard::Closed);
                Some(code)
            }
            other => panic!("{other:?} instead of the end"),
        }
    }

    /// Subscribes to one filter: SUBACK's code.
    pub(crate) fn subscribe(&mut self, topic_filter: &str, qos: u8) -> u8 {
        self.last += 1;
        let subscription = Subscription {
            topic_filter,
            qos: Qos::from_level(qos).expect("a QoS"),
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let number = PacketIdentifier::new(self.last).expect("a number");
        let mut bytes = Vec::new();
        encode_subscribe(self.version, number, Properties::EMPTY, &[subscription], &mut bytes)
            .expect("a SUBSCRIBE");
        self.write(&bytes);
        match self.hear() {
            Heard::Suback(codes) => codes[0],
            other => panic!("{other:?} instead of SUBACK"),
        }
    }

    /// The next message, acknowledged if it wants to be.
    pub(crate) fn message(&mut self) -> Message {
        match self.hear() {
            Heard::Publish(message) => {
                if message.qos == 1 {
                    self.acknowledge(AcknowledgementKind::Puback, message.number);
                }
                message
            }
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// Nothing else is on its way: what was sent before is answered before this.
    pub(crate) fn silence(&mut self) {
        self.write(&PINGREQ);
        assert_eq!(self.hear(), Heard::Pong);
    }

    /// Sends an acknowledgement.
    pub(crate) fn acknowledge(&mut self, kind: AcknowledgementKind, number: u16) {
        let number = PacketIdentifier::new(number).expect("a number");
        let mut bytes = Vec::new();
        Acknowledgement::success(kind, number).encode(self.version, &mut bytes).expect("it fits");
        self.write(&bytes);
    }

    /// DISCONNECT, and the end of the socket.
    pub(crate) fn leave(mut self) {
        let (reason_code, properties) = (ReasonCode::Success, Properties::EMPTY);
        let mut bytes = Vec::new();
        let disconnect = Disconnect { reason_code, properties };
        disconnect.encode(self.version, &mut bytes).expect("a DISCONNECT");
        self.write(&bytes);
        assert_eq!(self.hear(), Heard::Closed);
    }

    /// The next packet.
    pub(crate) fn hear(&mut self) -> Heard {
        let mut buffer = [0; 4096];
        loop {
            if let Some(raw) = next_packet(&self.received, self.version, 1 << 20).expect("MQTT") {
                let length = raw.bytes.len();
                let heard = heard(Packet::decode(raw, self.version).expect("a packet"));
                self.received.drain(..length);
                return heard;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Heard::Closed,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("somebody reads");
    }
}

fn heard(packet: Packet<'_>) -> Heard {
    match packet {
        Packet::Connack(connack) => Heard::Connack {
            // 3.x has other numbers for the same reasons; the names stay.
            code: connack.reason_code.value(),
            session_present: connack.session_present,
        },
        Packet::Publish(publish) => Heard::Publish(Message {
            topic: publish.topic_name.to_owned(),
            payload: String::from_utf8(publish.payload.to_vec()).expect("text"),
            qos: publish.qos.level(),
            retain: publish.retain,
            dup: publish.dup,
            number: publish.packet_identifier.map_or(0, PacketIdentifier::value),
            response_topic: publish.properties.iter().find_map(|property| match property {
                Property::ResponseTopic(topic) => Some(topic.to_owned()),
                _ => None,
            }),
        }),
        Packet::Acknowledgement(given) => Heard::Acknowledged(
            given.kind,
            given.packet_identifier.value(),
            given.reason_code.value(),
        ),
        Packet::Suback(suback) => Heard::Suback(suback.reason_codes.to_vec()),
        Packet::Disconnect(disconnect) => Heard::Disconnect(disconnect.reason_code.value()),
        Packet::Pingresp => Heard::Pong,
        other => panic!("{other:?}"),
    }
}

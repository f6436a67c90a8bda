//! A session that has carried some messages, and one more for it: what `instructions` counts and `session` times.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each bench uses a part of it")]

use std::sync::Arc;
use std::time::Instant;

use interlingua::dialect::builtin;
use interlingua::mqtt::{
    Connack, Connect, PacketIdentifier, Properties, Publish, Qos, ReasonCode, RetainHandling,
    Suback, Subscription, Version, encode_subscribe,
};
use interlingua::session::{OnRefusal, Scratch, Session, SessionLimits, SessionPlan, Tally, Wake};
use interlingua::translate::{
    BinaryRule, Identity, PayloadOptions, PrefixRule, Side, Translator, Way, compile,
};

pub const V311: Version = Version::V311;
/// What one message of the measured ones costs before anything is measured: buffers grow, topics are remembered.
pub const WARM: usize = 100;
pub const PAYLOAD: &[u8] = &[b'5'; 64];
pub const TELEMETRY: &str = "TOK/json/1085266243/room1";
pub const BINARY: &str = "TOK/binary/1085266243/room1";
pub const COMMAND: &str = "/plant/d1085266243/commands";
pub const PLAIN: &str = "site/1085266243/room1/temperature";
/// `{"temperature":23.5,"humidity":41}`.
pub const MESSAGEPACK: &[u8] =
    b"\x82\xABtemperature\xCB\x40\x37\x80\x00\x00\x00\x00\x00\xA8humidity\x29";

/// A session that has carried some messages, and the packet that is measured.
pub struct Warm {
    session: Session,
    scratch: Scratch,
    tally: Tally,
    to_device: Vec<u8>,
    to_upstream: Vec<u8>,
    now: Instant,
    pub packet: Vec<u8>,
    way: Way,
}

pub fn side(name: &str, values: &[(&str, &str)]) -> Side {
    let dialect = Arc::new(builtin(name).expect("built in").expect("sound"));
    values.iter().fold(Side::new(dialect), |side, (name, text)| side.with(name, text))
}

pub fn thingscale_to_omnicore(binary: BinaryRule) -> Translator {
    let mut here = side("thingscale", &[("token", "TOK"), ("tenant", "acme"), ("account", "U1")]);
    here.payload = PayloadOptions { binary, ..PayloadOptions::default() };
    let there = side("omnicore", &[("subscription", "acme-sub"), ("registry", "plant")]);
    compile(here, there, Identity::Prefix(PrefixRule::new("d"))).expect("a pair")
}

pub fn packet(topic_name: &str, qos: Qos, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic_name,
        packet_identifier: PacketIdentifier::new(7).filter(|_| qos != Qos::AtMostOnce),
        properties: Properties::EMPTY,
        payload,
    };
    publish.encode(V311, &mut out).expect("a PUBLISH");
    out
}

impl Warm {
    fn new(translator: Translator, way: Way, packet: Vec<u8>) -> Box<Self> {
        let limits = SessionLimits::default();
        let plan = SessionPlan { translator, limits, on_refusal: OnRefusal::AckAndDrop };
        let now = Instant::now();
        let mut warm = Box::new(Self {
            session: Session::new(Arc::new(plan), now),
            scratch: Scratch::starting_at(1),
            tally: Tally::default(),
            to_device: Vec::with_capacity(1 << 16),
            to_upstream: Vec::with_capacity(1 << 16),
            now,
            packet,
            way,
        });
        warm.open();
        for _ in 0..WARM {
            warm.carry();
        }
        warm
    }

    fn open(&mut self) {
        let connect = Connect {
            version: V311,
            clean_start: true,
            keep_alive_seconds: 60,
            client_identifier: "1085266243_x",
            properties: Properties::EMPTY,
            will: None,
            user_name: None,
            password: None,
        };
        let (mut bytes, mut answers) = (Vec::new(), Vec::new());
        connect.encode(&mut bytes).expect("a CONNECT");
        self.feed(Way::Up, &bytes);
        self.session.on_upstream_open(self.now);
        let (reason_code, properties) = (ReasonCode::Success, Properties::EMPTY);
        let connack = Connack { session_present: false, reason_code, properties };
        connack.encode(V311, &mut answers).expect("a CONNACK");
        self.feed(Way::Down, &answers);
        self.subscribe();
    }

    fn subscribe(&mut self) {
        let wish = Subscription {
            topic_filter: "TOK/1085266243/subscribe",
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let identifier = PacketIdentifier::new(1).expect("it isn't 0");
        let (mut bytes, mut answer) = (Vec::new(), Vec::new());
        encode_subscribe(V311, identifier, Properties::EMPTY, &[wish], &mut bytes)
            .expect("SUBSCRIBE");
        self.feed(Way::Up, &bytes);
        let suback = Suback {
            packet_identifier: identifier,
            properties: Properties::EMPTY,
            reason_codes: &[0],
        };
        suback.encode(V311, &mut answer).expect("a SUBACK");
        self.feed(Way::Down, &answer);
    }

    fn feed(&mut self, way: Way, bytes: &[u8]) {
        let mut wake = Wake {
            now: self.now,
            to_device: &mut self.to_device,
            to_upstream: &mut self.to_upstream,
            scratch: &mut self.scratch,
            tally: &self.tally,
        };
        let used = match way {
            Way::Up => self.session.on_device_bytes(bytes, &mut wake),
            Way::Down => self.session.on_upstream_bytes(bytes, &mut wake),
        };
        assert_eq!(used, bytes.len());
    }

    /// One message. Says how many bytes it became.
    pub fn carry(&mut self) -> usize {
        self.to_device.clear();
        self.to_upstream.clear();
        let packet = std::mem::take(&mut self.packet);
        self.feed(self.way, &packet);
        self.packet = packet;
        let out = match self.way {
            Way::Up => &self.to_upstream,
            Way::Down => &self.to_device,
        };
        assert!(!out.is_empty(), "nothing goes out");
        out.len()
    }
}

pub fn plain(way: Way) -> Box<Warm> {
    Warm::new(Translator::plain(), way, packet(PLAIN, Qos::AtMostOnce, PAYLOAD))
}

pub fn plain_up() -> Box<Warm> {
    plain(Way::Up)
}

pub fn plain_down() -> Box<Warm> {
    plain(Way::Down)
}

pub fn translated_up() -> Box<Warm> {
    let packet = packet(TELEMETRY, Qos::AtMostOnce, PAYLOAD);
    Warm::new(thingscale_to_omnicore(BinaryRule::Raw), Way::Up, packet)
}

pub fn translated_up_at_least_once() -> Box<Warm> {
    let packet = packet(TELEMETRY, Qos::AtLeastOnce, PAYLOAD);
    Warm::new(thingscale_to_omnicore(BinaryRule::Raw), Way::Up, packet)
}

pub fn translated_down() -> Box<Warm> {
    let packet = packet(COMMAND, Qos::AtMostOnce, PAYLOAD);
    Warm::new(thingscale_to_omnicore(BinaryRule::Raw), Way::Down, packet)
}

pub fn messagepack_up() -> Box<Warm> {
    let packet = packet(BINARY, Qos::AtMostOnce, MESSAGEPACK);
    Warm::new(thingscale_to_omnicore(BinaryRule::Decode), Way::Up, packet)
}

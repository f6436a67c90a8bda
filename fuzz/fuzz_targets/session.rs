//! Both sides of a session send any bytes, in pieces: nothing panics, and what goes out is whole packets.
#![no_main]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use interlingua::dialect::builtin;
use interlingua::mqtt::{
    Connack, Connect, Packet, Property, PropertyBuffer, ReasonCode, Version, next_packet,
};
use interlingua::session::{OnRefusal, Scratch, Session, SessionLimits, SessionPlan, Tally, Wake};
use interlingua::translate::{Identity, PrefixRule, Side, Translator, Way, compile};
use libfuzzer_sys::fuzz_target;

fn side(name: &str, values: &[(&str, &str)]) -> Side {
    let dialect = Arc::new(builtin(name).expect("built in").expect("sound"));
    values.iter().fold(Side::new(dialect), |side, (name, text)| side.with(name, text))
}

/// A plain session, one whose messages become several, one of a gateway, and bridges to an older and a newer version.
fn plans() -> &'static [Arc<SessionPlan>] {
    static ALL: OnceLock<Vec<Arc<SessionPlan>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let thingscale = side("thingscale", &[("token", "T")]);
        let home = side("mqtt2go", &[("home", "h"), ("gateway", "g")]);
        let values = [("subscription", "s"), ("registry", "p")];
        let omnicore = side("omnicore", &values).with_option("attach");
        let prefix = Identity::Prefix(PrefixRule::new("d"));
        [
            Translator::plain(),
            compile(thingscale, home.clone(), prefix).expect("a pair"),
            compile(home, omnicore, Identity::Same).expect("a pair"),
            Translator::plain_in(&[Version::V311]),
            Translator::plain_in(&[Version::V5]),
        ]
        .into_iter()
        .map(|translator| {
            let limits = SessionLimits { packet_size_max: 100_000, ..SessionLimits::default() };
            Arc::new(SessionPlan { translator, limits, on_refusal: OnRefusal::AckAndDrop })
        })
        .collect()
    })
}

/// What a side has sent and the session hasn't taken yet.
#[derive(Default)]
struct Tails {
    device: Vec<u8>,
    upstream: Vec<u8>,
}

/// What the sides are to be sent: the device, and the upstream.
#[derive(Default)]
struct Outputs {
    sent: [Vec<u8>; 2],
    /// Behind a payload that is being moved.
    behind: [Vec<u8>; 2],
}

impl Outputs {
    fn wake<'w>(
        &'w mut self,
        session: &Session,
        now: Instant,
        scratch: &'w mut Scratch,
        tally: &'w Tally,
    ) -> Wake<'w> {
        let Self { sent: [device, upstream], behind: [behind_device, behind_upstream] } = self;
        let moves = |way| session.payload_left(way) > 0;
        let to_device = if moves(Way::Down) { behind_device } else { device };
        let to_upstream = if moves(Way::Up) { behind_upstream } else { upstream };
        Wake { now, to_device, to_upstream, scratch, tally }
    }

    fn move_payload(&mut self, session: &mut Session, way: Way, tail: &mut Vec<u8>, now: Instant) {
        let to = usize::from(way == Way::Up);
        let moved = session.payload_left(way).min(tail.len());
        if moved > 0 {
            self.sent[to].extend(tail.drain(..moved));
            session.payload_moved(way, moved, now);
        }
        if session.payload_left(way) == 0 {
            let behind = std::mem::take(&mut self.behind[to]);
            self.sent[to].extend(behind);
        }
    }

    fn length(&self) -> usize {
        self.sent.iter().chain(&self.behind).map(Vec::len).sum()
    }
}

/// Whether the sides announce little of everything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Plenty,
    Little,
}

/// What a side of version 5 announces.
fn announced(version: Version, room: Room) -> PropertyBuffer {
    let mut buffer = PropertyBuffer::new();
    let little = [
        Property::ReceiveMaximum(2),
        Property::TopicAliasMaximum(3),
        Property::MaximumPacketSize(100),
    ];
    for property in little.into_iter().filter(|_| version == Version::V5 && room == Room::Little) {
        buffer.push(property).expect("a legal property");
    }
    buffer
}

/// CONNECT of the device and CONNACK of the upstream: without them most bytes end the session at once.
fn opening(version: Version, upstream: Version, room: Room) -> (Vec<u8>, Vec<u8>) {
    let (mut from_device, mut from_upstream) = (Vec::new(), Vec::new());
    let (device_says, upstream_says) = (announced(version, room), announced(upstream, room));
    let connect = Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 0,
        client_identifier: "g",
        properties: device_says.properties(),
        will: None,
        user_name: None,
        password: None,
    };
    connect.encode(&mut from_device).expect("a CONNECT");
    let connack = Connack {
        session_present: false,
        reason_code: ReasonCode::Success,
        properties: upstream_says.properties(),
    };
    connack.encode(upstream, &mut from_upstream).expect("a CONNACK");
    (from_device, from_upstream)
}

// The first byte chooses the plan and the opening. Then come pieces: a byte with the side and the length, and as many
// bytes as it says.
fuzz_target!(|bytes: &[u8]| {
    let Some((choice, mut rest)) = bytes.split_first() else { return };
    let plans = plans();
    let mut now = Instant::now();
    let plan = plans[usize::from(choice & 7) % plans.len()].clone();
    let mut session = Session::new(plan.clone(), now);
    let mut outputs = Outputs::default();
    let (mut scratch, tally) = (Scratch::default(), Tally::default());
    let mut tails = Tails::default();
    let room = if choice >> 5 & 1 == 0 { Room::Plenty } else { Room::Little };
    let opened = |version| opening(version, plan.translator.version_for(version), room);
    (tails.device, tails.upstream) = match choice >> 3 & 3 {
        0 => (Vec::new(), Vec::new()),
        1 => opened(Version::V311),
        2 => opened(Version::V31),
        _ => opened(Version::V5),
    };
    while let Some((step, following)) = rest.split_first() {
        let length = following.len().min(usize::from(step >> 1));
        let (piece, following) = following.split_at(length);
        rest = following;
        // An empty piece is time that passes, or a connection that closes.
        now += Duration::from_secs(u64::from(length == 0));
        let mut wake = outputs.wake(&session, now, &mut scratch, &tally);
        if session.deadline().is_some_and(|deadline| deadline <= now) {
            session.on_deadline(&mut wake);
        }
        match (length, step & 1) {
            (0, 0) if rest.is_empty() => session.on_device_closed(&mut wake),
            (0, 1) if rest.is_empty() => session.on_upstream_closed(&mut wake),
            _ => {}
        }
        let before = outputs.length();
        if step & 1 == 0 {
            tails.device.extend_from_slice(piece);
        } else {
            tails.upstream.extend_from_slice(piece);
        }
        outputs.move_payload(&mut session, Way::Up, &mut tails.device, now);
        let mut wake = outputs.wake(&session, now, &mut scratch, &tally);
        let used = session.on_device_bytes(&tails.device, &mut wake);
        tails.device.drain(..used);
        if session.wants_upstream() {
            session.on_upstream_open(now);
        }
        outputs.move_payload(&mut session, Way::Down, &mut tails.upstream, now);
        let mut wake = outputs.wake(&session, now, &mut scratch, &tally);
        let used = session.on_upstream_bytes(&tails.upstream, &mut wake);
        tails.upstream.drain(..used);
        if session.is_behind() {
            let mut wake = outputs.wake(&session, now, &mut scratch, &tally);
            session.resume(&mut wake);
        }
        let after = outputs.length();
        assert!(after - before < 2 * 1024 * 1024, "a piece became {} bytes", after - before);
    }
    let mut wake = outputs.wake(&session, now, &mut scratch, &tally);
    session.on_ended(&mut wake);
    let [device, upstream] = &outputs.sent;
    let sides = [
        (device, session.version(), session.payload_left(Way::Down)),
        (upstream, session.upstream_version(), session.payload_left(Way::Up)),
    ];
    for (out, version, left) in sides {
        // The rest of a payload that hasn't come.
        let out = [&out[..], &vec![0; left]].concat();
        let mut out = &out[..];
        while !out.is_empty() {
            let raw = next_packet(out, version, usize::MAX).expect("legal").expect("whole");
            // A protocol level that nobody knows is answered in the form of 3.1.1.
            let well_formed =
                [version, Version::V311].map(|version| Packet::decode(raw, version).is_ok());
            assert!(well_formed.contains(&true), "{raw:?}");
            out = &out[raw.bytes.len()..];
        }
    }
});

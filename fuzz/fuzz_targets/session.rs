//! Both sides of a session send any bytes, in pieces: nothing panics, and what goes out is whole packets.
#![no_main]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use interlingua::dialect::builtin;
use interlingua::mqtt::{Connack, Connect, Packet, Properties, ReasonCode, Version, next_packet};
use interlingua::session::{OnRefusal, Scratch, Session, SessionLimits, SessionPlan, Tally, Wake};
use interlingua::translate::{Identity, PrefixRule, Side, Translator, compile};
use libfuzzer_sys::fuzz_target;

fn side(name: &str, values: &[(&str, &str)]) -> Side {
    let dialect = Arc::new(builtin(name).expect("built in").expect("sound"));
    values.iter().fold(Side::new(dialect), |side, (name, text)| side.with(name, text))
}

/// A plain session, one whose messages become several, and one of a gateway.
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
        ]
        .into_iter()
        .map(|translator| {
            let limits = SessionLimits { packet_size_max: 4096, ..SessionLimits::default() };
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

/// CONNECT of the device and CONNACK of the upstream: without them most bytes end the session at once.
fn opening(version: Version) -> (Vec<u8>, Vec<u8>) {
    let (mut from_device, mut from_upstream) = (Vec::new(), Vec::new());
    let connect = Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 0,
        client_identifier: "g",
        properties: Properties::EMPTY,
        will: None,
        user_name: None,
        password: None,
    };
    connect.encode(&mut from_device).expect("a CONNECT");
    let connack = Connack {
        session_present: false,
        reason_code: ReasonCode::Success,
        properties: Properties::EMPTY,
    };
    connack.encode(version, &mut from_upstream).expect("a CONNACK");
    (from_device, from_upstream)
}

// The first byte chooses the plan and the opening. Then come pieces: a byte with the side and the length, and as many
// bytes as it says.
fuzz_target!(|bytes: &[u8]| {
    let Some((choice, mut rest)) = bytes.split_first() else { return };
    let plans = plans();
    let mut now = Instant::now();
    let mut session = Session::new(plans[usize::from(choice & 3) % plans.len()].clone(), now);
    let (mut to_device, mut to_upstream) = (Vec::new(), Vec::new());
    let (mut scratch, tally) = (Scratch::default(), Tally::default());
    let mut tails = Tails::default();
    (tails.device, tails.upstream) = match choice >> 2 & 3 {
        0 => (Vec::new(), Vec::new()),
        1 => opening(Version::V311),
        2 => opening(Version::V31),
        _ => opening(Version::V5),
    };
    while let Some((step, following)) = rest.split_first() {
        let length = following.len().min(usize::from(step >> 1));
        let (piece, following) = following.split_at(length);
        rest = following;
        // An empty piece is time that passes, or a connection that closes.
        now += Duration::from_secs(u64::from(length == 0));
        let mut wake = Wake {
            now,
            to_device: &mut to_device,
            to_upstream: &mut to_upstream,
            scratch: &mut scratch,
            tally: &tally,
        };
        if session.deadline().is_some_and(|deadline| deadline <= now) {
            session.on_deadline(&mut wake);
        }
        match (length, step & 1) {
            (0, 0) if rest.is_empty() => session.on_device_closed(&mut wake),
            (0, 1) if rest.is_empty() => session.on_upstream_closed(&mut wake),
            _ => {}
        }
        let before = wake.to_device.len() + wake.to_upstream.len();
        if step & 1 == 0 {
            tails.device.extend_from_slice(piece);
        } else {
            tails.upstream.extend_from_slice(piece);
        }
        let used = session.on_device_bytes(&tails.device, &mut wake);
        tails.device.drain(..used);
        if session.wants_upstream() {
            session.on_upstream_open(now);
        }
        let used = session.on_upstream_bytes(&tails.upstream, &mut wake);
        tails.upstream.drain(..used);
        let after = wake.to_device.len() + wake.to_upstream.len();
        assert!(after - before < 2 * 1024 * 1024, "a piece became {} bytes", after - before);
    }
    let outputs = [(&to_device, session.version()), (&to_upstream, session.upstream_version())];
    for (out, version) in outputs {
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

//! Random conversations: whatever both sides send, sound or spoiled, in any order, the session keeps its
//! invariants. Each conversation is played twice, in whole chunks and in small pieces, with one outcome.

mod script;

use std::sync::Arc;
use std::time::{Duration, Instant};

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Packet, PacketType, Property, Publish, Qos, ReasonCode,
    Version, next_packet,
};
use interlingua::session::{End, OnRefusal, SessionPlan};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use script::packets::*;
use script::run::{Peer, Run};
use script::{Script, pairs};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A sound packet that this peer may send, number so and so of its list, with this identifier.
    Packet(Peer, Index, u16),
    /// One that only the other peer may send.
    Foreign(Peer, Index, u16),
    /// The same with one byte changed.
    Spoiled(Peer, Index, u16, Index, u8),
    /// The same, cut short; the rest of the stream follows in its place.
    Cut(Peer, Index, u16, Index),
    Bytes(Peer, Vec<u8>),
    /// CONNECT, or the upstream's connection opens.
    Open,
    Closes(Peer),
    Unreachable,
    Suspended,
    Drain,
    ShortOfMemory,
    Passes(u16),
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![Just(Peer::Device), Just(Peer::Upstream)]
}

fn event() -> impl Strategy<Value = Event> {
    let identifier = 1..4_u16;
    prop_oneof![
        40 => (peer(), any::<Index>(), identifier.clone()).prop_map(|(p, i, n)| Event::Packet(p, i, n)),
        1 => (peer(), any::<Index>(), identifier.clone())
            .prop_map(|(p, i, n)| Event::Foreign(p, i, n)),
        2 => (peer(), any::<Index>(), identifier.clone(), any::<Index>(), any::<u8>())
            .prop_map(|(p, i, n, at, byte)| Event::Spoiled(p, i, n, at, byte)),
        1 => (peer(), any::<Index>(), identifier, any::<Index>())
            .prop_map(|(p, i, n, at)| Event::Cut(p, i, n, at)),
        1 => (peer(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(p, b)| Event::Bytes(p, b)),
        1 => Just(Event::Open),
        1 => prop_oneof![
            peer().prop_map(Event::Closes),
            Just(Event::Unreachable),
            Just(Event::Suspended),
            Just(Event::Drain),
            Just(Event::ShortOfMemory),
        ],
        2 => (0..100_u16).prop_map(Event::Passes),
    ]
}

/// Topics and filters of all pairs, on their own side and on the wrong one.
const TOPICS: [&str; 14] = [
    "a/b",
    "TOK-4711/json/77",
    "TOK-4711/77/subscribe",
    "/plant/d77/commands/relay",
    "/plant/d77/config",
    "/plant/lamp1/commands/light",
    "h1/gw1/lamp1/light/out",
    "h1/gw1/lamp1/light/in",
    "h9/gw9/lamp1/light/in",
    "h9/gw9/lamp1/heat/in",
    "v1/device/XID/command",
    "v1/device/XID/commands",
    "v1/device/XID/telemetry",
    "v1/device/homes/commands",
];
const FILTERS: [&str; 8] = [
    "#",
    "a/+",
    "TOK-4711/77/subscribe",
    "h1/gw1/lamp1/light/in",
    "h1/gw1/lamp1/+/in",
    "v1/device/XID/commands",
    "v1/device/homes/commands",
    "$share/g/a",
];
const PAYLOADS: [&[u8]; 4] =
    [b"", b"23.5", b"{\"type\":\"periodic_report\",\"value\":1}", b"{\"type\":\"status\"}"];

/// Every sound packet of a version that the conversations are made of.
fn packets(v: Version, n: u16, from: Peer) -> Vec<Vec<u8>> {
    const DEVICES: [u8; 3] = [8, 10, 12];
    const UPSTREAMS: [u8; 4] = [2, 9, 11, 13];
    let foreign: &[u8] = if from == Peer::Device { &UPSTREAMS } else { &DEVICES };
    let mut all = all_packets(v, n);
    all.retain(|packet| !foreign.contains(&(packet[0] >> 4)));
    all
}

/// Those of both peers.
fn all_packets(v: Version, n: u16) -> Vec<Vec<u8>> {
    use AcknowledgementKind::{Puback, Pubcomp, Pubrec, Pubrel};
    const LEVELS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
    let mut all = vec![PINGREQ.to_vec(), PINGRESP.to_vec()];
    for (at, topic) in TOPICS.iter().enumerate() {
        for (level, qos) in LEVELS.into_iter().enumerate() {
            let identifier = if level == 0 { 0 } else { n };
            let payload = PAYLOADS[(at + level + usize::from(n)) % PAYLOADS.len()];
            let retain = at % 2 == 0;
            let dup = level > 0 && at % 3 == 0;
            all.push(publish(
                v,
                Publish { retain, dup, ..publish_of(qos, identifier, topic, payload) },
            ));
        }
    }
    let list = [
        Property::ResponseTopic("v1/device/XID/commands"),
        Property::UserProperty("access_key", pairs::ACCESS_KEY),
        Property::CorrelationData(b"c"),
    ];
    if v == Version::V5 {
        for topic in &TOPICS[10..] {
            let buffer = properties(&list);
            let message = publish_of(Qos::AtLeastOnce, n, topic, b"{}");
            all.push(publish(v, Publish { properties: buffer.properties(), ..message }));
        }
        for kind in [Puback, Pubrec, Pubrel, Pubcomp] {
            let buffer = properties(&list[1..2]);
            let properties = buffer.properties();
            let plain = Acknowledgement::success(kind, id(n));
            all.push(bytes(v, Packet::Acknowledgement(Acknowledgement { properties, ..plain })));
        }
        let wishes = [("v1/device/XID/commands", Qos::AtLeastOnce)];
        all.push(subscribe_with(v, n, &wishes, &list[1..2]));
        all.push(unsubscribe_with(v, n, &[wishes[0].0], &list[1..2]));
        all.push(suback_with(v, n, &[1], &list[1..2]));
        all.push(disconnect_with(v, ReasonCode::UnspecifiedError, &list[1..2]));
        all.push(auth(ReasonCode::ContinueAuthentication, b"x"));
        all.push(disconnect_with(v, ReasonCode::ServerMoved, &[Property::ServerReference("s")]));
        all.push(acknowledge_with(v, Puback, n, ReasonCode::QuotaExceeded));
        all.push(acknowledge_with(v, Pubrec, n, ReasonCode::QuotaExceeded));
    }
    for kind in [Puback, Pubrec, Pubrel, Pubcomp] {
        // Often, for they are what exchanges are made of.
        (0..4).for_each(|_| all.push(acknowledge(v, kind, n)));
    }
    for pair in FILTERS.windows(2) {
        all.push(subscribe(v, n, &[(pair[0], Qos::ExactlyOnce), (pair[1], Qos::AtMostOnce)]));
        all.push(unsubscribe(v, n, pair));
    }
    for codes in [&[0][..], &[1, 0], &[1, 1, 2], &[2, 2, 2, 2]] {
        all.push(suback(v, n, codes));
        all.push(unsuback(v, n, &codes.iter().map(|_| 0).collect::<Vec<_>>()));
    }
    all.push(disconnect(v, ReasonCode::Success));
    all.push(connack(v, ReasonCode::Success));
    all.push(connack_with(v, true, ReasonCode::Success, &[]));
    all
}

fn bytes_of(event: &Event, version: Version) -> Option<(Peer, Vec<u8>)> {
    let packet = |from: &Peer, index: &Index, n: u16| {
        let all = packets(version, n, *from);
        all[index.index(all.len())].clone()
    };
    match event {
        Event::Packet(peer, index, n) => Some((*peer, packet(peer, index, *n))),
        Event::Foreign(peer, index, n) => {
            let other = if *peer == Peer::Device { Peer::Upstream } else { Peer::Device };
            Some((*peer, packet(&other, index, *n)))
        }
        Event::Spoiled(peer, index, n, at, byte) => {
            let mut bytes = packet(peer, index, *n);
            let at = at.index(bytes.len());
            bytes[at] = *byte;
            Some((*peer, bytes))
        }
        Event::Cut(peer, index, n, at) => {
            let mut bytes = packet(peer, index, *n);
            bytes.truncate(at.index(bytes.len()));
            Some((*peer, bytes))
        }
        Event::Bytes(peer, bytes) => Some((*peer, bytes.clone())),
        _ => None,
    }
}

const SCRIPTS: [fn() -> Script; 10] = [
    || pairs::plain(Version::V31),
    || pairs::plain(Version::V311),
    || pairs::plain(Version::V5),
    pairs::thingscale_to_omnicore,
    pairs::thingscale_to_thingscale,
    pairs::will_to_omnicore,
    pairs::mqtt2go_to_omnicore5,
    pairs::xyte_legacy_to_xyte,
    pairs::mqtt2go_to_mqtt2go,
    pairs::xyte_to_mqtt2go,
];

/// What holds for the packets that one peer receives, all together.
fn check(peer: Peer, stream: &[u8], version: Version, without_qos_2: bool) -> Result<(), String> {
    use PacketType as T;
    let mut rest = stream;
    let mut seen: Vec<PacketType> = Vec::new();
    let wrong = |what: &str, seen: &[PacketType]| Err(format!("{peer:?}: {what}: {seen:?}"));
    while let Some(raw) =
        next_packet(rest, version, usize::MAX).map_err(|error| error.to_string())?
    {
        rest = &rest[raw.bytes.len()..];
        let foreign: &[PacketType] = match peer {
            Peer::Device => &[T::Connect, T::Subscribe, T::Unsubscribe, T::Pingreq],
            Peer::Upstream => &[T::Connack, T::Suback, T::Unsuback, T::Pingresp],
        };
        let opening = if peer == Peer::Device { T::Connack } else { T::Connect };
        let opened = seen.contains(&opening);
        seen.push(raw.packet_type);
        if foreign.contains(&raw.packet_type) {
            return wrong("a packet that is never sent to it", &seen);
        }
        let first = raw.packet_type == opening;
        if opened == first && raw.packet_type != T::Auth {
            return wrong("one opening, before all else", &seen);
        }
        if seen[..seen.len() - 1].contains(&T::Disconnect) {
            return wrong("a packet behind DISCONNECT", &seen);
        }
        if without_qos_2 && peer == Peer::Upstream {
            let message = raw.packet_type == T::Publish && raw.flags & 0b0101 != 0;
            if message || raw.packet_type == T::Pubrel {
                return wrong("QoS 2 or retain for a platform without", &seen);
            }
        }
    }
    Ok(())
}

/// What came out: both outputs, and the end.
type Outcome = ([Vec<u8>; 2], Option<End>);

fn play(
    script: Script,
    on_refusal: OnRefusal,
    opened: bool,
    events: &[Event],
    piece: usize,
) -> Result<Outcome, String> {
    let (version, opening) = (script.version(), script.opening());
    let secrets = script.secrets();
    let without_qos_2 = script.is_without_qos_2();
    let (translator, mut limits) = script.parts();
    limits.exchanges_max = 3;
    limits.subscriptions_max = 3;
    let plan = Arc::new(SessionPlan { translator, limits, on_refusal });
    let start = Instant::now();
    let mut run = Run::new(plan, version, start);
    let mut out = [Vec::new(), Vec::new()];
    let mut read = 0;
    let mut steps = 0;
    let feed = |run: &mut Run, peer, bytes: &[u8]| {
        bytes.chunks(piece).try_for_each(|piece| run.feed(peer, piece))
    };
    if opened {
        feed(&mut run, Peer::Device, &opening.device_connect)?;
        run.wake(|session, wake| session.on_upstream_open(wake.now))?;
        feed(&mut run, Peer::Upstream, &opening.upstream_connack)?;
    }
    for event in events {
        steps += 1;
        match event {
            Event::Open if run.session.wants_upstream() => {
                run.wake(|session, wake| session.on_upstream_open(wake.now))?;
            }
            Event::Open => {
                read += opening.device_connect.len();
                feed(&mut run, Peer::Device, &opening.device_connect)?;
            }
            Event::Closes(Peer::Device) => {
                run.wake(|session, wake| session.on_device_closed(wake))?
            }
            Event::Closes(Peer::Upstream) => {
                run.wake(|session, wake| session.on_upstream_closed(wake))?;
            }
            Event::Unreachable => {
                run.wake(|session, wake| session.on_upstream_unreachable(wake))?
            }
            Event::Suspended => run.wake(|session, wake| session.on_upstream_suspended(wake))?,
            Event::Drain => run.wake(|session, wake| session.on_drain(wake))?,
            Event::ShortOfMemory => run.wake(|session, wake| session.on_memory_short(wake))?,
            Event::Passes(seconds) => run.pass(Duration::from_secs(u64::from(*seconds)))?,
            _ => {
                let Some((peer, bytes)) = bytes_of(event, version) else { continue };
                read += bytes.len();
                feed(&mut run, peer, &bytes)?;
            }
        }
        let ended = run.session.end().is_some();
        let fresh = [run.take(Peer::Device), run.take(Peer::Upstream)];
        for (all, new) in out.iter_mut().zip(fresh) {
            all.extend(new);
        }
        if ended {
            // Nothing more, whatever comes.
            feed(&mut run, Peer::Device, &PINGREQ)?;
            feed(&mut run, Peer::Upstream, &PINGRESP)?;
            run.wake(|session, wake| session.on_drain(wake))?;
            run.wake(|session, wake| session.on_memory_short(wake))?;
            run.wake(|session, wake| session.on_device_closed(wake))?;
            run.wake(|session, wake| session.on_upstream_closed(wake))?;
            run.pass(Duration::from_secs(100))?;
            let more = [run.take(Peer::Device), run.take(Peer::Upstream)];
            if more.iter().any(|bytes| !bytes.is_empty()) {
                return Err(format!("output after the end: {more:02X?}"));
            }
            break;
        }
    }
    for (peer, bytes) in [Peer::Device, Peer::Upstream].into_iter().zip(&out) {
        check(peer, bytes, version, without_qos_2)?;
        // A spoiled name is no secret's any more.
        let sound = |event: &Event| {
            bytes_of(event, version).is_none() || matches!(event, Event::Packet(..))
        };
        for secret in secrets[peer as usize].iter().filter(|_| events.iter().all(sound)) {
            if bytes.windows(secret.len()).any(|part| part == secret.as_bytes()) {
                return Err(format!("{peer:?} received {secret:?}"));
            }
        }
    }
    let opening = opening.device_connect.len() + opening.upstream_connect.len();
    let most = 8 * read + 64 * steps + 4 * opening + 256;
    let written = out[0].len() + out[1].len();
    if written > most {
        return Err(format!("{written} bytes written for {read} read"));
    }
    Ok((out, run.session.end()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_both_sides_send(
        script in select(SCRIPTS.to_vec()),
        disconnects in any::<bool>(),
        opened in prop::bool::weighted(0.9),
        events in prop::collection::vec(event(), 1..60),
        piece in 1..7_usize,
    ) {
        let on_refusal = if disconnects { OnRefusal::Disconnect } else { OnRefusal::AckAndDrop };
        let whole = play(script(), on_refusal, opened, &events, usize::MAX).map_err(TestCaseError::fail)?;
        let pieces = play(script(), on_refusal, opened, &events, piece).map_err(TestCaseError::fail)?;
        prop_assert_eq!(whole, pieces);
    }
}

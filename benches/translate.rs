//! What a translation costs: view, rules and encoding of one PUBLISH. Each bench checks its result first.
//!
//! `cargo bench --no-default-features --bench translate`

use std::hint::black_box;
use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use interlingua::dialect::builtin;
use interlingua::mqtt::{Properties, Publish, Qos, Version, next_packet};
use interlingua::translate::{
    Identity, Incoming, Memory, PrefixRule, Scratch, Side, Translator, Way, compile,
};

const THINGSCALE: &[(&str, &str)] = &[("token", "TOK"), ("tenant", "acme"), ("account", "U000001")];
const OMNICORE: &[(&str, &str)] = &[("subscription", "acme-sub"), ("registry", "plant")];
const MQTT2GO: &[(&str, &str)] = &[("home", "h1"), ("gateway", "gw1")];
const SMARTWORKS: &[(&str, &str)] = &[("space", "acme")];

struct Case {
    from: (&'static str, &'static [(&'static str, &'static str)]),
    to: (&'static str, &'static [(&'static str, &'static str)]),
    topic: &'static str,
    payload: &'static [u8],
    /// The start of the topic and of the payload that go out.
    expected: (&'static str, &'static [u8]),
}

const NUMBER: &[u8] = b"23.5000000000000000000000000000000000000000000000000000000000000";
const OBJECT: &[u8] = br#"{"temperature":23.5,"humidity":41,"pressure":1013.25,"ok":true}"#;
const REPORT: &[u8] = br#"{"type":"periodic_report","timestamp":1567677926,"value":21.80}"#;

const CASES: &[Case] = &[
    Case {
        from: ("thingscale", THINGSCALE),
        to: ("omnicore", OMNICORE),
        topic: "TOK/json/1085266243/room1",
        payload: NUMBER,
        expected: ("/plant/d1085266243/events/room1", NUMBER),
    },
    Case {
        from: ("thingscale", THINGSCALE),
        to: ("smartworks", SMARTWORKS),
        topic: "TOK/json/1085266243",
        payload: OBJECT,
        expected: ("spaces/acme/things/d1085266243/properties", OBJECT),
    },
    Case {
        from: ("thingscale", THINGSCALE),
        to: ("xyte", &[]),
        topic: "TOK/json/1085266243",
        payload: OBJECT,
        expected: ("v1/device/d1085266243/telemetry", br#"{"status":"online","#),
    },
    Case {
        from: ("mqtt2go", MQTT2GO),
        to: ("omnicore", OMNICORE),
        topic: "h1/gw1/1085266243/temperature/out",
        payload: REPORT,
        expected: ("/plant/d1085266243/events/temperature", REPORT),
    },
    Case {
        from: ("mqtt2go", MQTT2GO),
        to: ("thingscale", THINGSCALE),
        topic: "h1/gw1/1085266243/temperature/out",
        payload: REPORT,
        expected: ("TOK/json/d1085266243/temperature", b"21.80"),
    },
    Case {
        from: ("omnicore", OMNICORE),
        to: ("mqtt2go", MQTT2GO),
        topic: "/plant/lamp1/events/temperature",
        payload: b"21.8",
        expected: ("h1/gw1/dlamp1/temperature/out", b"{"),
    },
    Case {
        from: ("smartworks", SMARTWORKS),
        to: ("omnicore", OMNICORE),
        topic: "spaces/acme/things/01FDSA7KS76MNR32J8W0RAWEFX/properties",
        payload: OBJECT,
        expected: ("/plant/d01FDSA7KS76MNR32J8W0RAWEFX/state", OBJECT),
    },
];

fn translator(case: &Case) -> Translator {
    let side = |(name, values): (&str, &[(&str, &str)])| {
        let dialect = builtin(name).unwrap().unwrap();
        values.iter().fold(Side::new(Arc::new(dialect)), |side, (name, text)| side.with(name, text))
    };
    compile(side(case.from), side(case.to), Identity::Prefix(PrefixRule::new("d"))).unwrap()
}

fn packet(topic_name: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let publish = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic_name,
        packet_identifier: None,
        properties: Properties::EMPTY,
        payload,
    };
    publish.encode(Version::V311, &mut bytes).unwrap();
    bytes
}

/// What a session and its shard keep from message to message.
#[derive(Default)]
struct Kept {
    memory: Memory,
    scratch: Scratch,
}

impl Kept {
    fn new() -> Self {
        Self { scratch: Scratch::at(1_567_677_926_000, 1), ..Self::default() }
    }
}

/// View, rules, encoding.
fn pass(translator: &Translator, bytes: &[u8], kept: &mut Kept, out: &mut Vec<u8>) {
    let Kept { memory, scratch } = kept;
    let raw = next_packet(bytes, Version::V311, usize::MAX).unwrap().unwrap();
    let Publish { topic_name, payload, qos, retain, .. } =
        Publish::decode(raw, Version::V311).unwrap();
    let translated = translator
        .publish(Way::Up, &Incoming { topic_name, payload, qos, retain }, memory, scratch)
        .unwrap();
    for message in translated.messages() {
        let publish = Publish {
            dup: false,
            qos: message.qos,
            retain: message.retain,
            topic_name: message.topic_name,
            packet_identifier: None,
            properties: Properties::EMPTY,
            payload: message.payload,
        };
        publish.encode(Version::V311, out).unwrap();
    }
}

fn check(case: &Case, out: &[u8]) {
    let raw = next_packet(out, Version::V311, usize::MAX).unwrap().unwrap();
    let publish = Publish::decode(raw, Version::V311).unwrap();
    assert_eq!(publish.topic_name, case.expected.0);
    assert!(publish.payload.starts_with(case.expected.1), "{}", publish.payload.escape_ascii());
}

fn translate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("translate");
    for case in CASES {
        let translator = translator(case);
        let bytes = packet(case.topic, case.payload);
        let (mut kept, mut out) = (Kept::new(), Vec::new());
        pass(&translator, &bytes, &mut kept, &mut out);
        check(case, &out);
        group.bench_function(format!("{}_to_{}/64B", case.from.0, case.to.0), |bencher| {
            bencher.iter(|| {
                out.clear();
                pass(&translator, black_box(&bytes), &mut kept, &mut out);
                black_box(out.len())
            });
        });
    }
    new_topics(&mut group);
    let bytes = packet(CASES[0].topic, CASES[0].payload);
    let mut out = Vec::new();
    group.bench_function("baseline/copy/64B", |bencher| {
        bencher.iter(|| {
            out.clear();
            out.extend_from_slice(black_box(&bytes));
            black_box(out.len())
        });
    });
    group.finish();
}

/// The first case with more topics than a session remembers, in turn: each is a new one when it comes.
fn new_topics(group: &mut BenchmarkGroup<'_, WallTime>) {
    let case = &CASES[0];
    let translator = translator(case);
    let topics = |tag| packet(&case.topic.replace("room1", &format!("room{tag}")), case.payload);
    let packets: Vec<_> = (1..=8).map(topics).collect();
    let (mut kept, mut out) = (Kept::new(), Vec::new());
    pass(&translator, &packets[0], &mut kept, &mut out);
    check(case, &out);
    let mut packets = packets.iter().cycle();
    group.bench_function(format!("{}_to_{}/64B_new_topic", case.from.0, case.to.0), |bencher| {
        bencher.iter(|| {
            out.clear();
            pass(&translator, black_box(packets.next().unwrap()), &mut kept, &mut out);
            black_box(out.len())
        });
    });
}

criterion_group!(benches, translate);
criterion_main!(benches);

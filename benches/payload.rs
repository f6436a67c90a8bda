//! `payload/…`: MessagePack to JSON and back, and finding one member of a JSON object.
//!
//! Baselines in the same run: the serde trio (rmp-serde, serde-transcode, serde_json), the same by
//! way of a tree, and a plain copy. Every result is checked once before it's timed.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use interlingua::payload::body::{
    BodyOptions, Carried, ChannelNeed, Context, Name, Origin, Purpose, decode, encode, pieces,
};
use interlingua::payload::msgpack::{Limits, MsgpackOptions, Outcome, from_json, to_json};
use interlingua::payload::{Shape, json};
use serde_json::Value;

/// A name and the message in both formats.
struct Sample {
    name: &'static str,
    msgpack: Vec<u8>,
    json: Vec<u8>,
}

impl Sample {
    fn of(name: &'static str, json: &str, length: usize) -> Self {
        let mut msgpack = Vec::new();
        from_json(json.as_bytes(), &Limits::default(), &mut msgpack).expect("valid JSON");
        assert_eq!(msgpack.len(), length, "{name}");
        Self { name, msgpack, json: json.as_bytes().to_vec() }
    }
}

fn samples() -> [Sample; 3] {
    let telemetry = r#"{"temp":21.5,"humidity":50,"ok":true,"ts":1567677926,"id":"node-17"}"#;
    let fields: Vec<String> = (0..50).map(field).collect();
    let fields = format!("{{{}}}", fields.join(","));
    let floats: Vec<String> = (0..200).map(float).collect();
    let floats = format!("[{}]", floats.join(","));
    [
        Sample::of("48B", telemetry, 48),
        Sample::of("832B", &fields, 832),
        Sample::of("200f64", &floats, 1803),
    ]
}

/// Ten each of double, u32, bool, text and u16.
fn field(number: usize) -> String {
    let value = match number % 5 {
        0 => format!("{}.25", number * 7),
        1 => format!("{}", 1_567_677_926 + number),
        2 => "true".to_owned(),
        3 if number == 3 => "\"eighteen bytes....\"".to_owned(),
        3 => "\"nineteen bytes of t\"".to_owned(),
        _ => format!("{}", 1_000 + number),
    };
    format!("\"field_{number:02}\":{value}")
}

/// A double that takes all its digits: 17 between 1 and 2, where they lie that close.
fn float(number: usize) -> String {
    let mut candidate = 1.1 + number as f64 * 0.004_123_456_789;
    loop {
        let text = serde_json::to_string(&candidate).expect("finite");
        if text.len() == "1.".len() + 16 {
            return text;
        }
        candidate = candidate.next_up();
    }
}

fn ours_to_json(msgpack: &[u8], out: &mut Vec<u8>) {
    let outcome = to_json(msgpack, &MsgpackOptions::default(), out);
    assert_eq!(outcome, Ok(Outcome::Json));
}

fn serde_to_json(msgpack: &[u8], out: &mut Vec<u8>) {
    let mut reader = rmp_serde::Deserializer::from_read_ref(msgpack);
    let mut writer = serde_json::Serializer::new(out);
    serde_transcode::transcode(&mut reader, &mut writer).expect("valid");
}

fn tree_to_json(msgpack: &[u8], out: &mut Vec<u8>) {
    let tree: Value = rmp_serde::from_slice(msgpack).expect("valid");
    serde_json::to_writer(out, &tree).expect("writes");
}

fn ours_to_msgpack(json: &[u8], out: &mut Vec<u8>) {
    from_json(json, &Limits::default(), out).expect("valid");
}

fn serde_to_msgpack(json: &[u8], out: &mut Vec<u8>) {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let mut writer = rmp_serde::Serializer::new(out);
    serde_transcode::transcode(&mut reader, &mut writer).expect("valid");
    reader.end().expect("nothing follows");
}

fn tree_to_msgpack(json: &[u8], out: &mut Vec<u8>) {
    let tree: Value = serde_json::from_slice(json).expect("valid");
    rmp_serde::encode::write(out, &tree).expect("writes");
}

fn copy(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(input);
}

type Translate = fn(&[u8], &mut Vec<u8>);

/// Whether a method keeps the order of members; the tree sorts them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    Sorted,
}

fn time(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    input: &[u8],
    (expected, order): (&[u8], Order),
    translate: Translate,
) {
    let mut out = Vec::with_capacity(8 * 1024);
    translate(input, &mut out);
    assert_eq!(out.len(), expected.len(), "{name}");
    assert!(order == Order::Sorted || out == expected, "{name}");
    group.throughput(Throughput::Bytes(input.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            out.clear();
            translate(black_box(input), &mut out);
            black_box(out.len())
        });
    });
}

fn both_ways(criterion: &mut Criterion) {
    for Sample { name, msgpack, json } in samples() {
        let mut group = criterion.benchmark_group("payload/msgpack_to_json");
        let (expected, sorted) = ((&json[..], Order::Kept), (&json[..], Order::Sorted));
        time(&mut group, name, &msgpack, expected, ours_to_json);
        time(&mut group, &format!("{name}/serde"), &msgpack, expected, serde_to_json);
        time(&mut group, &format!("{name}/tree"), &msgpack, sorted, tree_to_json);
        time(&mut group, &format!("{name}/memcpy"), &msgpack, (&msgpack, Order::Kept), copy);
        group.finish();
        let mut group = criterion.benchmark_group("payload/json_to_msgpack");
        let (expected, sorted) = ((&msgpack[..], Order::Kept), (&msgpack[..], Order::Sorted));
        time(&mut group, name, &json, expected, ours_to_msgpack);
        time(&mut group, &format!("{name}/serde"), &json, expected, serde_to_msgpack);
        time(&mut group, &format!("{name}/tree"), &json, sorted, tree_to_msgpack);
        time(&mut group, &format!("{name}/memcpy"), &json, (&json, Order::Kept), copy);
        group.finish();
    }
}

fn one_member(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("payload/json_member");
    for (sample, wanted, value) in [("48B", "ts", "1567677926"), ("832B", "field_25", "175.25")] {
        let json = samples().into_iter().find(|known| known.name == sample).expect("known").json;
        assert_eq!(json::member(&json, wanted), Ok(Some(value.as_bytes())));
        let tree: Value = serde_json::from_slice(&json).expect("valid");
        assert_eq!(tree[wanted].to_string(), value);
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(sample, |bencher| {
            bencher.iter(|| {
                json::member(black_box(&json), wanted).map(|found| found.map(<[u8]>::len))
            });
        });
        group.bench_function(format!("{sample}/validate"), |bencher| {
            bencher.iter(|| json::validate(black_box(&json), 32));
        });
        group.bench_function(format!("{sample}/tree"), |bencher| {
            bencher.iter(|| {
                let tree: Value = serde_json::from_slice(black_box(&json)).expect("valid");
                tree[wanted].as_f64()
            });
        });
        let mut out = Vec::with_capacity(8 * 1024);
        group.bench_function(format!("{sample}/memcpy"), |bencher| {
            bencher.iter(|| {
                out.clear();
                copy(black_box(&json), &mut out);
                black_box(out.len())
            });
        });
    }
    group.finish();
}

const MEASURED: &str = r#"{"temp":21.5,"humidity":50,"ok":true,"id":"node-17"}"#;
const REPORTED: &str = r#"{"priority_level":2,"type":"periodic_report","timestamp":1567677956,"report":{"value":21.8,"unit":"C"}}"#;
const ACTION: &str = r#"{"OpenDoor":{"input":{"speed":2},"href":"/things/1/actions/OpenDoor/01E","status":"pending"}}"#;
const TELEMETRY: &str =
    r#"{"status":"online","telemetries":{"temp":21.5,"humidity":50,"ok":true}}"#;

/// From the bytes of a source to the bytes of all messages for a target, buffers reused.
fn shapes(criterion: &mut Criterion) {
    use ChannelNeed::{No, Topic};
    let mut group = criterion.benchmark_group("payload/shape");
    for (source, purpose, payload, channel, target, need) in [
        (Shape::JsonOrNumber, Purpose::Telemetry, MEASURED, None, Shape::Members, No),
        (Shape::JsonOrNumber, Purpose::Telemetry, MEASURED, None, Shape::Keyed, Topic),
        (Shape::JsonOrNumber, Purpose::Telemetry, MEASURED, None, Shape::XyteTelemetry, No),
        (Shape::Opaque, Purpose::Telemetry, MEASURED, None, Shape::Mqtt2goReport, Topic),
        (Shape::Opaque, Purpose::Command, "on", Some("switch"), Shape::Mqtt2goCommand, Topic),
        (Shape::Opaque, Purpose::Command, "on", Some("switch"), Shape::SmartworksAction, Topic),
        (Shape::Mqtt2goReport, Purpose::Telemetry, REPORTED, Some("temp"), Shape::Opaque, No),
        (Shape::SmartworksAction, Purpose::Command, ACTION, None, Shape::Opaque, No),
        (Shape::XyteTelemetry, Purpose::Telemetry, TELEMETRY, None, Shape::Members, No),
    ] {
        let options = BodyOptions::default();
        let (received_ms, serial) = (1_567_677_926_000, 17);
        let origin = Origin::default();
        let context = Context {
            origin,
            purpose,
            received_ms,
            device: "lamp1",
            serial,
            options: &options,
            layout: None,
        };
        let carried = if need == Topic { Carried::InTopic } else { Carried::Nowhere };
        let mut out = Vec::with_capacity(8 * 1024);
        let mut translate = |payload: &[u8]| {
            out.clear();
            let content = decode(source, purpose, payload).expect("valid");
            let mut cut = Vec::with_capacity(8);
            let channel = channel.map(Name::Text);
            pieces(&content, channel, target, need, &options, &mut cut).expect("expressible");
            for piece in &cut {
                encode(source, target, &content, piece, carried, &context, &mut out)
                    .expect("expressible");
            }
            out.len()
        };
        assert!(translate(payload.as_bytes()) > 0);
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function(format!("{}_to_{}", source.word(), target.word()), |bencher| {
            bencher.iter(|| black_box(translate(black_box(payload.as_bytes()))));
        });
    }
    group.finish();
}

criterion_group! {
    name = payload;
    config = Criterion::default().sample_size(40)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_millis(900));
    targets = both_ways, one_member, shapes
}
criterion_main!(payload);

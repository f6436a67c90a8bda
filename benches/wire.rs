//! What reading and writing a PUBLISH costs: our view, mqttbytes, and a copy of the bytes as the floor.
//!
//! Each case checks its result before it's timed. Run: `cargo bench --no-default-features --bench wire`.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use interlingua::mqtt::{
    PacketIdentifier, Properties, Property, PropertyBuffer, Publish, Qos, Version, next_packet,
};

/// Twenty bytes, as the audit of mqttbytes had.
const TOPIC_NAME: &str = "plant/7/line/3/temp1";
const PACKET_SIZE_MAX: usize = 1 << 20;

fn packet(properties: Properties<'_>, version: Version, payload: &[u8]) -> Vec<u8> {
    let publish = Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic_name: TOPIC_NAME,
        packet_identifier: PacketIdentifier::new(7),
        properties,
        payload,
    };
    let mut bytes = Vec::new();
    publish.encode(version, &mut bytes).expect("a legal packet");
    bytes
}

fn decode(bytes: &[u8], version: Version) -> Publish<'_> {
    let raw = next_packet(bytes, version, PACKET_SIZE_MAX).expect("legal").expect("complete");
    Publish::decode(raw, version).expect("legal")
}

fn time_decode(bencher: &mut Bencher<'_>, bytes: &[u8], version: Version) {
    assert_eq!(decode(bytes, version).topic_name, TOPIC_NAME);
    bencher.iter(|| decode(black_box(bytes), version).payload.len());
}

fn time_encode(bencher: &mut Bencher<'_>, bytes: &[u8], version: Version) {
    let publish = decode(bytes, version);
    let mut out = Vec::with_capacity(bytes.len());
    publish.encode(version, &mut out).expect("legal");
    assert_eq!(out, bytes);
    bencher.iter(|| {
        out.clear();
        black_box(&publish).encode(version, &mut out).is_ok()
    });
}

/// mqttbytes takes packets out of a buffer, so filling it is part of the price.
fn time_mqttbytes(bencher: &mut Bencher<'_>, bytes: &[u8], version: Version) {
    let read = |stream: &mut BytesMut| match version {
        Version::V5 => match mqttbytes::v5::read(stream, PACKET_SIZE_MAX) {
            Ok(mqttbytes::v5::Packet::Publish(publish)) => Some((publish.topic, publish.payload)),
            _ => None,
        },
        Version::V31 | Version::V311 => match mqttbytes::v4::read(stream, PACKET_SIZE_MAX) {
            Ok(mqttbytes::v4::Packet::Publish(publish)) => Some((publish.topic, publish.payload)),
            _ => None,
        },
    };
    let (topic_name, payload) = read(&mut BytesMut::from(bytes)).expect("mqttbytes reads it");
    assert_eq!((topic_name.as_str(), &payload[..]), (TOPIC_NAME, decode(bytes, version).payload));
    let mut stream = BytesMut::with_capacity(1 << 20);
    bencher.iter(|| {
        stream.extend_from_slice(black_box(bytes));
        read(&mut stream)
    });
}

fn time_copy(bencher: &mut Bencher<'_>, bytes: &[u8]) {
    let mut out = Vec::with_capacity(bytes.len());
    bencher.iter(|| {
        out.clear();
        out.extend_from_slice(black_box(bytes));
        out.len()
    });
    assert_eq!(out, bytes);
}

fn publish(criterion: &mut Criterion) {
    let mut four = PropertyBuffer::new();
    for property in [
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(60),
        Property::ContentType("application/json"),
        Property::UserProperty("site", "north"),
    ] {
        four.push(property).expect("a legal property");
    }
    let mut group = criterion.benchmark_group("wire");
    for (size, length) in [("64B", 64), ("1KiB", 1024)] {
        let payload = vec![b'x'; length];
        let cases = [
            ("", Version::V311, Properties::EMPTY),
            ("_v5", Version::V5, Properties::EMPTY),
            ("_v5_properties", Version::V5, four.properties()),
        ];
        for (suffix, version, properties) in cases {
            let bytes = packet(properties, version, &payload);
            group.throughput(Throughput::Elements(1));
            group.bench_function(format!("publish_decode{suffix}/{size}"), |bencher| {
                time_decode(bencher, &bytes, version);
            });
            group.bench_function(format!("publish_encode{suffix}/{size}"), |bencher| {
                time_encode(bencher, &bytes, version);
            });
            group.bench_function(format!("publish_decode{suffix}_mqttbytes/{size}"), |bencher| {
                time_mqttbytes(bencher, &bytes, version);
            });
            group.bench_function(format!("publish_copy{suffix}/{size}"), |bencher| {
                time_copy(bencher, &bytes);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);

//! What a whole session costs for one PUBLISH: bytes in, bytes out. The baseline copies them.
//!
//! `cargo bench --no-default-features --bench session`

mod warm;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use warm::*;

type Case = fn() -> Box<Warm>;

fn session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    let cases: [(&str, Case); 6] = [
        ("plain_up", plain_up),
        ("plain_down", plain_down),
        ("translated_up", translated_up),
        ("translated_up_qos_1", translated_up_at_least_once),
        ("translated_down", translated_down),
        ("messagepack_up", messagepack_up),
    ];
    for (name, case) in cases {
        let mut warm = case();
        assert!(warm.carry() > 0);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(warm.carry())));
    }
    let packet = plain_up().packet;
    let mut out = Vec::with_capacity(1 << 16);
    group.bench_function("copy", |bencher| {
        bencher.iter(|| {
            out.clear();
            out.extend_from_slice(black_box(&packet));
            black_box(out.len())
        })
    });
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);

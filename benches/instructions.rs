//! Instructions that one PUBLISH costs a session, from the bytes that came in to the bytes that go out: a regression shows
//! without a quiet machine. Each count has a figure here; one that grows by more than 5 % fails.
//!
//! `tests/run instructions`, which installs valgrind and gungraun-runner. The figures are of rustc 1.95, x86-64 with AVX2.

#![allow(missing_docs, reason = "the macros write modules and functions without")]

mod warm;

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use interlingua::dialect::parse;
use interlingua::mqtt::{Publish, Qos, next_packet};
use interlingua::translate::{
    self as names, BinaryRule, Identity, IdentityTable, Incoming, Memory, Outgoing, PrefixRule,
    Side, Translator, Way, compile,
};
use warm::*;

/// Fails where a count is more than 5 % above its figure.
fn figure(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    let most = instructions + instructions / 20;
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, most)]));
    config
}

#[library_benchmark]
#[bench::plain_up(args = (), setup = plain_up, config = figure(919))]
#[bench::plain_down(args = (), setup = plain_down, config = figure(854))]
#[bench::translated_up(args = (), setup = translated_up, config = figure(2369))]
#[bench::translated_up_qos_1(args = (), setup = translated_up_at_least_once, config = figure(2428))]
#[bench::translated_down(args = (), setup = translated_down, config = figure(3433))]
#[bench::messagepack_up(args = (), setup = messagepack_up, config = figure(7730))]
fn publish(mut warm: Box<Warm>) -> Box<Warm> {
    black_box(warm.carry());
    warm
}

/// The three steps that are about the message itself: view, translation, encoding.
struct Steps {
    translator: Translator,
    memory: Memory,
    scratch: names::Scratch,
    packet: Vec<u8>,
    out: Vec<u8>,
}

impl Steps {
    fn take(&mut self) -> usize {
        self.out.clear();
        let raw = next_packet(&self.packet, V311, 1 << 20).expect("legal").expect("whole");
        let publish = Publish::decode(raw, V311).expect("a PUBLISH");
        let Publish { topic_name, payload, qos, retain, .. } = publish;
        let incoming = Incoming { topic_name, payload, qos, retain };
        let (memory, scratch) = (&mut self.memory, &mut self.scratch);
        let translated = self.translator.publish(Way::Up, &incoming, memory, scratch);
        for message in translated.expect("it is translated").messages() {
            let Outgoing { topic_name, payload, qos, retain } = message;
            let written = Publish { topic_name, payload, qos, retain, ..publish };
            written.encode(V311, &mut self.out).expect("it fits");
        }
        self.out.len()
    }
}

/// The steps for `measured`, after some messages like `before`.
fn steps(translator: Translator, before: Vec<u8>, measured: Vec<u8>) -> Box<Steps> {
    let mut steps = Box::new(Steps {
        translator,
        memory: Memory::default(),
        scratch: names::Scratch::at(0, 1),
        packet: before,
        out: Vec::with_capacity(1 << 12),
    });
    (0..WARM).for_each(|_| assert!(steps.take() > PAYLOAD.len()));
    steps.packet = measured;
    steps
}

/// A translation that changes nothing but the topic, of one that the session remembers or, by its topic, doesn't.
fn topic_only(topic: &str) -> Box<Steps> {
    let [known, measured] = [TELEMETRY, topic].map(|name| packet(name, Qos::AtMostOnce, PAYLOAD));
    steps(thingscale_to_omnicore(BinaryRule::Raw), known, measured)
}

fn known() -> Box<Steps> {
    topic_only(TELEMETRY)
}

fn new() -> Box<Steps> {
    topic_only("TOK/json/1085266243/room2")
}

/// A topic that the session doesn't remember, in front of so many identities in a table.
fn identities(count: usize) -> Box<Steps> {
    let mut table = String::from("device,upstream\n");
    (0..count).for_each(|number| {
        let _ = writeln!(table, "{number:07},dev-{number:07}");
    });
    let identity = Identity::Table(IdentityTable::parse(&table).expect("a table"));
    let here = side("thingscale", &[("token", "TOK"), ("tenant", "acme"), ("account", "U1")]);
    let there = side("omnicore", &[("subscription", "acme-sub"), ("registry", "plant")]);
    let translator = compile(here, there, identity).expect("a pair");
    let topic = |room| packet(&format!("TOK/json/0000007/room{room}"), Qos::AtMostOnce, PAYLOAD);
    steps(translator, topic(1), topic(2))
}

/// The same with a table of so many forms.
fn forms(count: usize) -> Box<Steps> {
    let mut table = String::from(
        "name = 'factory'\ntitle = 'Factory'\nmqtt = ['3.1.1']\n\
         [variables]\ndevice = { part = 'device' }\n[connect]\nclient_id = '{device}'\n\
         [[topic]]\nkind = 'command'\nfrom = 'cloud'\ntemplate = 'to/{device}'\nshape = 'opaque'\n",
    );
    (0..count).for_each(|number| {
        let _ = writeln!(
            table,
            "[[topic]]\nkind = 'telemetry'\nfrom = 'device'\n\
             template = 'line{number:04}/{{device}}/value'\nshape = 'opaque'"
        );
    });
    let here = Side::new(Arc::new(parse("factory.toml", &table).expect("a table")));
    let there = side("omnicore", &[("subscription", "acme-sub"), ("registry", "plant")]);
    let translator = compile(here, there, Identity::Prefix(PrefixRule::new("d"))).expect("a pair");
    let topic = |line| format!("line{line:04}/1085266243/value");
    let [known, new] = [0, count - 1].map(|line| packet(&topic(line), Qos::AtMostOnce, PAYLOAD));
    steps(translator, known, new)
}

#[library_benchmark]
#[bench::of_10(args = (10), setup = identities, config = figure(3160))]
#[bench::of_1000(args = (1000), setup = identities, config = figure(3160))]
#[bench::of_100000(args = (100_000), setup = identities, config = figure(3160))]
fn identity_publish(mut steps: Box<Steps>) -> Box<Steps> {
    black_box(steps.take());
    steps
}

#[library_benchmark]
#[bench::of_10(args = (10), setup = forms, config = figure(2955))]
#[bench::of_100(args = (100), setup = forms, config = figure(2997))]
#[bench::of_1000(args = (1000), setup = forms, config = figure(2966))]
fn form_publish(mut steps: Box<Steps>) -> Box<Steps> {
    black_box(steps.take());
    steps
}

#[library_benchmark]
#[bench::known_topic(args = (), setup = known, config = figure(780))]
#[bench::new_topic(args = (), setup = new, config = figure(3399))]
fn topic_only_publish(mut steps: Box<Steps>) -> Box<Steps> {
    black_box(steps.take());
    steps
}

library_benchmark_group!(name = session, benchmarks = publish);
library_benchmark_group!(
    name = steps,
    benchmarks = [topic_only_publish, identity_publish, form_publish]
);

main!(library_benchmark_groups = session, steps);

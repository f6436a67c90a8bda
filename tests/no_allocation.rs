//! The way of a PUBLISH allocates nothing once the buffers have grown: view, translation, encoding.

use std::sync::Arc;
use std::time::Instant;

use interlingua::dialect::builtin;
use interlingua::mqtt::{
    Connack, Connect, PacketIdentifier, Properties, Publish, Qos, ReasonCode, Version,
};
use interlingua::session::{OnRefusal, Scratch, Session, SessionLimits, SessionPlan, Tally, Wake};
use interlingua::translate::{Identity, PrefixRule, Side, Translator, compile};

fn thingscale_to_omnicore() -> Translator {
    let side = |name: &str| Side::new(Arc::new(builtin(name).unwrap().unwrap()));
    let device = side("thingscale").with("token", "TOK").with("tenant", "acme");
    let upstream = side("omnicore").with("subscription", "acme-sub").with("registry", "plant");
    compile(device, upstream, Identity::Prefix(PrefixRule::new("d"))).unwrap()
}

/// A session up to its CONNACK, then `rounds` messages each way; returns the allocations of the last round.
fn allocations(translator: Translator, up: &[u8], down: &[u8]) -> u64 {
    let limits = SessionLimits::default();
    let plan = SessionPlan { translator, limits, on_refusal: OnRefusal::AckAndDrop };
    let now = Instant::now();
    let mut session = Session::new(Arc::new(plan), now);
    let (mut to_device, mut to_upstream) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    let (mut scratch, tally) = (Scratch::default(), Tally::default());
    let mut round = |session: &mut Session, up: &[u8], down: &[u8]| {
        to_device.clear();
        to_upstream.clear();
        let mut wake = Wake {
            now,
            to_device: &mut to_device,
            to_upstream: &mut to_upstream,
            scratch: &mut scratch,
            tally: &tally,
        };
        let used =
            (session.on_device_bytes(up, &mut wake), session.on_upstream_bytes(down, &mut wake));
        assert_eq!(used, (up.len(), down.len()), "{:?}", session.end());
        assert!(session.end().is_none());
        (to_upstream.len(), to_device.len())
    };
    let mut connect = Vec::new();
    let opening = Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive_seconds: 0,
        client_identifier: "1085266243_x",
        properties: Properties::EMPTY,
        will: None,
        user_name: None,
        password: None,
    };
    opening.encode(&mut connect).unwrap();
    round(&mut session, &connect, &[]);
    session.on_upstream_open(now);
    let mut connack = Vec::new();
    let accepted = Connack {
        session_present: false,
        reason_code: ReasonCode::Success,
        properties: Properties::EMPTY,
    };
    accepted.encode(Version::V311, &mut connack).unwrap();
    round(&mut session, &[], &connack);
    let subscribe = b"\x82\x1D\0\x01\0\x18TOK/1085266243/subscribe\x01";
    let subscribe = [&subscribe[..]].concat();
    round(&mut session, &subscribe, &[]);
    round(&mut session, &[], b"\x90\x03\0\x01\x01");
    round(&mut session, up, down);
    let mut written = (0, 0);
    let counted = allocation_counter::measure(|| written = round(&mut session, up, down));
    assert!(written.0 > 0 && written.1 > 0, "both messages went on: {written:?}");
    counted.count_total
}

fn publish(topic_name: &str, qos: Qos) -> Vec<u8> {
    let mut bytes = Vec::new();
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic_name,
        packet_identifier: PacketIdentifier::new(7).filter(|_| qos != Qos::AtMostOnce),
        properties: Properties::EMPTY,
        payload: &[b'7'; 64],
    };
    publish.encode(Version::V311, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_message_whose_topic_is_translated_allocates_nothing() {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let up = publish("TOK/json/1085266243/room1", qos);
        let down = publish("/plant/d1085266243/commands", qos);
        assert_eq!(allocations(thingscale_to_omnicore(), &up, &down), 0, "{qos:?}");
    }
}

#[test]
fn more_topics_than_a_session_remembers_allocate_nothing() {
    let of = |number: usize| format!("TOK/json/1085266243/room{}", "x".repeat(number));
    let topics = (0..8).map(of).map(|topic| publish(&topic, Qos::AtMostOnce));
    let up: Vec<u8> = topics.collect::<Vec<_>>().concat();
    // A round first grows each place to the longest topic that it ever holds; eight topics in four places.
    let down = publish("/plant/d1085266243/commands", Qos::AtMostOnce);
    assert_eq!(allocations(thingscale_to_omnicore(), &up, &down), 0);
}

#[test]
fn a_message_that_passes_allocates_nothing() {
    let up = publish("a/b", Qos::AtLeastOnce);
    let down = publish("c/d", Qos::AtLeastOnce);
    assert_eq!(allocations(Translator::plain(), &up, &down), 0);
}

#[test]
fn the_counter_counts() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8; 100])));
    assert_eq!(counted.count_total, 1);
}

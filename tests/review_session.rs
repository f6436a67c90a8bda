//! Faults of sessions that a review found, each with the conversation that showed it.

mod script;

use std::sync::Arc;
use std::time::Instant;

use interlingua::mqtt::{
    Connect, Packet, Property, Publish, Qos, ReasonCode, RetainHandling, Version, encode_subscribe,
    next_packet,
};
use interlingua::session::{End, OnRefusal, SessionLimits, SessionPlan};
use interlingua::translate::{Identity, Translator};
use script::packets::*;
use script::run::{Peer, Run};
use script::{Opening, Script, pairs};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;

/// A device of `here` in front of a broker that speaks only `there` and grants `granted`.
fn bridge(
    here: Version,
    base: Connect<'_>,
    there: Version,
    granted: &[Property<'_>],
    told: &[Property<'_>],
) -> Script {
    let own = [pairs::own_limit()];
    let limits = |version: Version| if version == V5 { &own[..] } else { &[] };
    let upstream = properties(limits(there));
    let opening = Opening {
        device_connect: connect(Connect { version: here, ..base }),
        upstream_connect: connect(Connect {
            version: there,
            properties: upstream.properties(),
            ..connect_of(there, base.client_identifier)
        }),
        upstream_connack: connack_with(there, false, ReasonCode::Success, granted),
        device_connack: connack_with(
            here,
            false,
            ReasonCode::Success,
            &[limits(here), told].concat(),
        ),
    };
    Script::new(here, Translator::plain_in(&[there]), opening).upstream_in(there)
}

/// The same, where the device's session is kept.
fn kept(here: Version, there: Version) -> Script {
    let base = Connect { clean_start: false, ..connect_of(here, "dev") };
    let script = bridge(here, base, there, &[], &[]);
    let opening = Opening {
        upstream_connect: connect(Connect { version: there, ..base }),
        ..script.opening()
    };
    script.opening_with(opening)
}

#[test]
fn dup_stays_where_a_broker_of_3_1_may_have_kept_the_session() {
    let again = |version| {
        publish(version, Publish { dup: true, ..publish_of(Qos::ExactlyOnce, 8, "a", b"x") })
    };
    kept(V311, V31)
        .connected()
        .device_sends(again(V311))
        .upstream_receives(again(V31))
        .goes_on()
        .play();
}

#[test]
fn a_kept_session_of_3_1_delivers_what_was_subscribed_to_before() {
    let script = pairs::thingscale_to_thingscale();
    let given = Connect { clean_start: false, ..connect_of(V31, "77") };
    let upstream = Connect { user_name: Some("U999999"), password: Some(b"TOK-THERE"), ..given };
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(upstream),
        ..script.opening()
    };
    script
        .opening_with(opening)
        .connected()
        .upstream_sends(publish(V31, publish_of(Q1, 3, "TOK-THERE/77/subscribe", b"1")))
        .device_receives(publish(V31, publish_of(Q1, 3, "TOK-4711/77/subscribe", b"1")))
        .goes_on()
        .play();
}

#[test]
fn what_was_unsubscribed_is_not_delivered() {
    let small = [Property::MaximumPacketSize(50)];
    let [one, two] = ["x".repeat(30), "y".repeat(30)];
    bridge(V311, connect_of(V311, "dev"), V5, &small, &[])
        .connected()
        .device_sends(subscribe(V311, 1, &[(&one, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(&one, Q1)]))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V311, 1, &[1]))
        .device_sends(subscribe(V311, 2, &[(&two, Q1)]))
        .upstream_receives(subscribe(V5, 2, &[(&two, Q1)]))
        .upstream_sends(suback(V5, 2, &[1]))
        .device_receives(suback(V311, 2, &[1]))
        .device_sends(unsubscribe(V311, 3, &[&one, &two]))
        // Whatever the upstream is asked: the device is told that both are gone.
        .device_receives(unsuback(V311, 3, &[]))
        .upstream_sends(publish(V5, publish_of(Q0, 0, &one, b"x")))
        .goes_on()
        .play();
}

/// An MQTT2GO device of 3.1.1 in front of another home whose broker speaks only 5 and takes 60 bytes.
fn small_home() -> Script {
    let here = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let mut there = pairs::side("mqtt2go", &[("home", "h9"), ("gateway", "gw9")]);
    there.versions = vec![V5];
    let own = properties(&[pairs::own_limit()]);
    let small = [Property::MaximumPacketSize(60)];
    let opening = Opening {
        device_connect: connect(connect_of(V311, "lamp1")),
        upstream_connect: connect(Connect {
            properties: own.properties(),
            ..connect_of(V5, "lamp1")
        }),
        upstream_connack: connack_with(V5, false, ReasonCode::Success, &small),
        device_connack: connack(V311, ReasonCode::Success),
    };
    Script::new(V311, pairs::translator(here, there, Identity::Same), opening).upstream_in(V5)
}

#[test]
fn a_refused_subscribe_leaves_older_subscriptions_alone() {
    let [one, two] = ["h1/gw1/lamp1/temperature/in", "h1/gw1/lamp1/humidity/in"];
    small_home()
        .connected()
        .device_sends(subscribe(V311, 1, &[(one, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[("h9/gw9/lamp1/temperature/in", Q1)]))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V311, 1, &[1]))
        .device_sends(subscribe(V311, 2, &[(one, Q1), (two, Q1)]))
        .device_receives(suback(V311, 2, &[0x80, 0x80]))
        .upstream_sends(publish(V5, publish_of(Q1, 7, "h9/gw9/lamp1/temperature/in", b"{}")))
        .device_receives(publish(V311, publish_of(Q1, 7, one, b"{}")))
        .goes_on()
        .play();
}

#[test]
fn an_emulated_will_is_published_when_a_refused_delivery_ends_the_session() {
    pairs::will_to_omnicore()
        .disconnecting()
        .connected()
        .upstream_sends(publish(V311, publish_of(Q0, 0, "/elsewhere/at/all", b"1")))
        .upstream_receives(publish(V311, publish_of(Q1, 65_534, "/plant/d77/events/gone", b"1")))
        .play();
}

/// A device of 5 whose will waits 20 seconds, in front of 3.1.1.
fn delayed(clean_start: bool, expiry: u32, kept: u32) -> Script {
    let will_properties = properties(&[Property::WillDelayInterval(20)]);
    let last = will("site/gone", b"1", Q1);
    let expiry = properties(&[Property::SessionExpiryInterval(expiry)]);
    let base = Connect { clean_start, ..connect_of(V311, "dev") };
    let given = Connect {
        version: V5,
        properties: expiry.properties(),
        will: Some(interlingua::mqtt::Will { properties: will_properties.properties(), ..last }),
        ..base
    };
    let script = bridge(V5, base, V311, &[], &[Property::SessionExpiryInterval(kept)]);
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(Connect { will: Some(last), ..base }),
        ..script.opening()
    };
    script.opening_with(opening)
}

#[test]
fn a_good_bye_does_not_prolong_a_session_that_is_not_kept() {
    // CONNACK said 0: nothing is kept, so the will is due at once [MQTT-3.1.3-9].
    let longer = [Property::SessionExpiryInterval(60)];
    delayed(true, 60, 0)
        .connected()
        .device_sends(disconnect_with(V5, ReasonCode::DisconnectWithWillMessage, &longer))
        .ends(End::DeviceDisconnected)
        .play();
}

#[test]
fn a_stopping_proxy_does_not_wait_for_a_delayed_will() {
    delayed(false, 60, u32::MAX)
        .connected()
        .drain()
        .device_receives(disconnect(V5, ReasonCode::ServerShuttingDown))
        .ends(End::Drained)
        .play();
}

#[test]
fn a_device_that_is_not_heard_is_not_silent() {
    let base = Connect { keep_alive_seconds: 10, ..connect_of(V311, "dev") };
    let granted = [Property::ReceiveMaximum(1)];
    let script = bridge(V311, base, V5, &granted, &[]);
    let own = properties(&[pairs::own_limit()]);
    let upstream =
        Connect { version: V5, properties: own.properties(), keep_alive_seconds: 10, ..base };
    let opening = Opening { upstream_connect: connect(upstream), ..script.opening() };
    let long = vec![b'x'; 40_000];
    let sent = |version, id| publish(version, publish_of(Q1, id, "a", &long));
    script
        .opening_with(opening)
        .connected()
        .device_sends([sent(V311, 1), sent(V311, 2), sent(V311, 3), sent(V311, 4)].concat())
        .upstream_receives(sent(V5, 1))
        .after(9.0)
        // It speaks, but the session takes nothing: the upstream owes its PUBACK.
        .device_sends([0xC0, 0])
        .after(7.0)
        .goes_on()
        .play();
}

#[test]
fn a_repeated_subscribe_does_not_eat_the_retained_messages_of_the_first() {
    let asking = |identifier| {
        let mut asked = wish("a/#", Q1);
        asked.retain_handling = RetainHandling::SendIfNew;
        let (none, mut out) = (properties(&[]), Vec::new());
        encode_subscribe(V5, id(identifier), none.properties(), &[asked], &mut out).unwrap();
        out
    };
    let retained =
        |version| publish(version, Publish { retain: true, ..publish_of(Q0, 0, "a/b", b"old") });
    let there = |identifier| subscribe(V311, identifier, &[("a/#", Q1)]);
    bridge(V5, connect_of(V5, "dev"), V311, &[], &[])
        .connected()
        .device_sends([asking(1), asking(2)].concat())
        .upstream_receives([there(1), there(2)].concat())
        .upstream_sends([suback(V311, 1, &[1]), retained(V311)].concat())
        .device_receives([suback(V5, 1, &[1]), retained(V5)].concat())
        .upstream_sends([suback(V311, 2, &[1]), retained(V311)].concat())
        .device_receives(suback(V5, 2, &[1]))
        .goes_on()
        .play();
}

const ERRORS: &str = "/plant/gw1/errors";
const LENT: [u16; 4] = [65_534, 65_533, 65_532, 65_531];
const REPORT: &[u8] = br#"{"type":"periodic_report","timestamp":1567677926,"value":21.8}"#;

/// The home gateway gw1 in front of OmniCore with `attach`, up to the subscription to what goes wrong.
fn gateway(version: Version) -> Script {
    let home = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let values = [("subscription", "acme-sub"), ("registry", "plant"), ("password", pairs::JWT)];
    let there = pairs::side("omnicore", &values).with_option("attach");
    let own = "subscriptions/acme-sub/registries/plant/devices/gw1";
    let told: &[_] = if version == V5 { &pairs::told() } else { &[] };
    let opening = Opening {
        device_connect: connect(connect_of(version, "gw1")),
        upstream_connect: connect(pairs::omnicore_connect(V311, own)),
        upstream_connack: connack(V311, ReasonCode::Success),
        device_connack: connack_with(version, false, ReasonCode::Success, told),
    };
    Script::new(version, pairs::translator(home, there, Identity::Same), opening).upstream_in(V311)
}

fn running(script: Script) -> Script {
    script
        .connected()
        .upstream_receives(subscribe(V311, LENT[0], &[(ERRORS, Q0)]))
        .upstream_sends(suback(V311, LENT[0], &[0]))
}

fn attach(identifier: u16, device: &str) -> Vec<u8> {
    publish(V311, publish_of(Q1, identifier, &format!("/plant/{device}/attach"), b"{}"))
}

#[test]
fn a_lost_device_is_attached_again_also_under_an_alias() {
    let by = |identifier, topic| {
        let alias = properties(&[Property::TopicAlias(1)]);
        let base = publish_of(Q1, identifier, topic, REPORT);
        publish(V5, Publish { properties: alias.properties(), ..base })
    };
    let reported = |identifier| {
        publish(V311, publish_of(Q1, identifier, "/plant/ms1/events/temperature", REPORT))
    };
    let lost = br#"{"error_type":"GATEWAY_DEVICE_NOT_FOUND","device_id":"ms1"}"#;
    let script = gateway(V5).limits(|limits| limits.topic_aliases_max = 5);
    let told =
        [&pairs::told()[..1], &[Property::TopicAliasMaximum(5)], &pairs::told()[1..]].concat();
    let opening = Opening {
        device_connack: connack_with(V5, false, ReasonCode::Success, &told),
        ..script.opening()
    };
    running(script.opening_with(opening))
        .device_sends(by(1, "h1/gw1/ms1/temperature/out"))
        .upstream_receives(attach(LENT[1], "ms1"))
        .upstream_sends(puback(V311, LENT[1]))
        .upstream_receives(reported(1))
        .upstream_sends(publish(V311, publish_of(Q0, 0, ERRORS, lost)))
        .device_sends(by(2, ""))
        .upstream_receives(attach(LENT[2], "ms1"))
        .upstream_sends(puback(V311, LENT[2]))
        .upstream_receives(reported(2))
        .goes_on()
        .play();
}

#[test]
fn an_unsubscribe_does_not_overtake_its_subscribe() {
    let filters = [("/plant/lamp1/commands/#", Q1), ("/plant/lamp1/config", Q1)];
    running(gateway(V311))
        .device_sends(subscribe(V311, 1, &[("h1/gw1/lamp1/+/in", Q1)]))
        .upstream_receives(attach(LENT[1], "lamp1"))
        .device_sends(unsubscribe(V311, 2, &["h1/gw1/lamp1/+/in"]))
        .upstream_sends(puback(V311, LENT[1]))
        .upstream_receives(subscribe(V311, 1, &filters))
        .upstream_receives(unsubscribe(V311, 2, &filters.map(|(filter, _)| filter)))
        .play();
}

#[test]
fn an_emulated_will_keeps_to_receive_maximum() {
    let script = pairs::mqtt2go_to_omnicore5();
    let last = will("h1/gw1/lamp1/temperature/out", REPORT, Q1);
    let granted = [Property::ReceiveMaximum(1)];
    let opening = Opening {
        device_connect: connect(Connect { will: Some(last), ..connect_of(V5, "lamp1") }),
        upstream_connack: connack_with(V5, false, ReasonCode::Success, &granted),
        device_connack: connack_with(
            V5,
            false,
            ReasonCode::Success,
            &[&granted[..], &pairs::told()].concat(),
        ),
        ..script.opening()
    };
    let topic = "/plant/lamp1/events/temperature";
    script
        .opening_with(opening)
        .connected()
        .device_sends(publish(V5, publish_of(Q1, 7, "h1/gw1/lamp1/temperature/out", REPORT)))
        .upstream_receives(publish(V5, publish_of(Q1, 7, topic, REPORT)))
        .device_closes()
        // One is out already: the upstream would disconnect with 0x93, and the will would be lost.
        .upstream_sends(puback(V5, 7))
        .upstream_receives(publish(V5, publish_of(Q1, 65_534, topic, REPORT)))
        .play();
}

/// What the upstream is sent first, and what follows a whole opening.
fn run_of(version: Version, translator: Translator) -> Run {
    let plan = SessionPlan {
        translator,
        limits: SessionLimits::default(),
        on_refusal: OnRefusal::AckAndDrop,
    };
    Run::new(Arc::new(plan), version, Instant::now())
}

#[test]
fn a_client_identifier_of_the_proxys_own_has_no_session_to_keep() {
    let mut run = run_of(V5, Translator::plain_in(&[V311]));
    // It asks for a session that ends with the connection (no Session Expiry Interval).
    let given = Connect { clean_start: false, ..connect_of(V5, "") };
    run.feed(Peer::Device, &connect(given)).unwrap();
    run.wake(|session, wake| session.on_upstream_open(wake.now)).unwrap();
    let sent = run.take(Peer::Upstream);
    let raw = next_packet(&sent, V311, 1000).unwrap().unwrap();
    let Packet::Connect(upstream) = Packet::decode(raw, V311).unwrap() else { panic!("{sent:?}") };
    assert!(upstream.clean_start, "nobody will ever come back as {}", upstream.client_identifier);
}

#[test]
fn a_filter_that_only_3_1_1_knows_is_refused() {
    bridge(V311, connect_of(V311, "dev"), V5, &[], &[])
        .connected()
        .device_sends(subscribe(V311, 1, &[("$share/a", Q1), ("b", Q1)]))
        .upstream_receives(subscribe(V5, 1, &[("b", Q1)]))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V311, 1, &[0x80, 1]))
        .goes_on()
        .play();
}

/// A delivery used to compare all filters with each other; that is seen by who waits for this test.
#[test]
fn deliveries_find_their_filter_among_a_thousand() {
    let filters = 1000;
    let script = pairs::mqtt2go_to_mqtt2go();
    let Opening { device_connect, upstream_connack, .. } = script.opening();
    let (translator, _) = script.parts();
    let mut run = run_of(V5, translator);
    run.feed(Peer::Device, &device_connect).unwrap();
    run.wake(|session, wake| session.on_upstream_open(wake.now)).unwrap();
    run.feed(Peer::Upstream, &upstream_connack).unwrap();
    let identifier = properties(&[Property::SubscriptionIdentifier(7)]);
    for first in (0..filters).step_by(100) {
        let topics: Vec<String> =
            (first..first + 100).map(|at| format!("h1/gw1/lamp{at:05}/temperature/in")).collect();
        let wishes: Vec<_> = topics.iter().map(|topic| wish(topic, Q0)).collect();
        let mut packet = Vec::new();
        let own = id(1);
        encode_subscribe(V5, own, identifier.properties(), &wishes, &mut packet).unwrap();
        run.feed(Peer::Device, &packet).unwrap();
        run.feed(Peer::Upstream, &suback(V5, 1, &[0; 100])).unwrap();
    }
    run.take(Peer::Device);
    let one = publish(V5, publish_of(Q0, 0, "h9/gw9/lamp00000/temperature/in", b"{}"));
    let deliveries = 20;
    run.feed(Peer::Upstream, &one.repeat(deliveries)).unwrap();
    let expected = publish(V5, publish_of(Q0, 0, "h1/gw1/lamp00000/temperature/in", b"{}"));
    assert_eq!(run.take(Peer::Device), expected.repeat(deliveries));
}

#[test]
fn a_known_filter_is_removed_wherever_it_stands() {
    let gone = ReasonCode::NoSubscriptionExisted.value();
    bridge(V5, connect_of(V5, "dev"), V311, &[], &[])
        .limits(|limits| limits.subscriptions_max = 2)
        .connected()
        .device_sends(subscribe(V5, 1, &[("k", Q1)]))
        .upstream_receives(subscribe(V311, 1, &[("k", Q1)]))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V5, 1, &[1]))
        .device_sends(unsubscribe(V5, 2, &["a", "b", "k"]))
        .upstream_receives(unsubscribe(V311, 2, &["k"]))
        .upstream_sends(unsuback(V311, 2, &[]))
        .device_receives(unsuback(V5, 2, &[gone, gone, 0]))
        .goes_on()
        .play();
}

#[test]
fn more_filters_than_there_can_be_are_answered_all_the_same() {
    let mut run = run_of(V5, Translator::plain_in(&[V311]));
    run.feed(Peer::Device, &connect(connect_of(V5, "dev"))).unwrap();
    run.wake(|session, wake| session.on_upstream_open(wake.now)).unwrap();
    run.feed(Peer::Upstream, &connack(V311, ReasonCode::Success)).unwrap();
    let topics: Vec<String> = (1000..2000).map(|at| at.to_string()).collect();
    let wishes: Vec<_> = topics.iter().map(|topic| (topic.as_str(), Q0)).collect();
    run.feed(Peer::Device, &subscribe(V5, 1, &wishes)).unwrap();
    run.feed(Peer::Upstream, &suback(V311, 1, &[0; 1000])).unwrap();
    for peer in [Peer::Device, Peer::Upstream] {
        run.take(peer);
    }
    run.feed(Peer::Device, &unsubscribe(V5, 2, &vec!["9999"; 690_000])).unwrap();
    let gone = ReasonCode::NoSubscriptionExisted.value();
    assert!(run.take(Peer::Device) == unsuback(V5, 2, &vec![gone; 690_000]));
    assert!(run.take(Peer::Upstream).is_empty() && run.session.end().is_none());
}

//! `plain` between two versions: nothing is translated, and everything is written anew.

mod script;

use std::sync::Arc;
use std::time::Instant;

use interlingua::mqtt::{
    AcknowledgementKind, Connect, Packet, Property, Publish, Qos, ReasonCode, RetainHandling,
    Subscription, Version, encode_subscribe, next_packet,
};
use interlingua::session::{End, OnRefusal, SessionLimits, SessionPlan};
use interlingua::translate::{Note, Reason, Translator, Way};
use script::packets::*;
use script::run::{Peer, Run};
use script::{Opening, Script, pairs};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;
const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;

/// A device of `here`, whose CONNECT says `given`, in front of a broker that speaks only `there` and grants `granted`.
fn bridge_saying(
    here: Version,
    given: &[Property<'_>],
    there: Version,
    granted: &[Property<'_>],
) -> Script {
    let own = [pairs::own_limit()];
    let told = |version: Version| if version == V5 { &own[..] } else { &[] };
    let passed: Vec<_> = granted.iter().copied().filter(|_| here == V5).collect();
    let base = connect_of(V311, "dev");
    let [device, upstream] = [(here, given), (there, told(there))].map(|(version, list)| {
        let buffer = properties(list);
        connect(Connect { version, properties: buffer.properties(), ..base })
    });
    let opening = Opening {
        device_connect: device,
        upstream_connect: upstream,
        upstream_connack: connack_with(there, false, ReasonCode::Success, granted),
        device_connack: connack_with(
            here,
            false,
            ReasonCode::Success,
            &[&passed[..], told(here)].concat(),
        ),
    };
    Script::new(here, Translator::plain_in(&[there]), opening).upstream_in(there)
}

fn bridge(here: Version, there: Version) -> Script {
    bridge_saying(here, &[], there, &[])
}

#[test]
fn each_version_reaches_each_other_one_at_every_qos() {
    for (here, there) in [(V31, V311), (V31, V5), (V311, V31), (V311, V5), (V5, V31), (V5, V311)] {
        for (from, to, up) in [(here, there, true), (there, here, false)] {
            let sent = |version, qos, id, payload| {
                publish(version, publish_of(qos, id, "site/a", payload))
            };
            let script = bridge(here, there).connected();
            let says = |script: Script, bytes| match up {
                true => script.device_sends(bytes),
                false => script.upstream_sends(bytes),
            };
            let hears = |script: Script, bytes| match up {
                true => script.upstream_receives(bytes),
                false => script.device_receives(bytes),
            };
            let answers = |script: Script, answer: fn(Version, u16) -> Vec<u8>| match up {
                true => script.upstream_sends(answer(to, 8)).device_receives(answer(from, 8)),
                false => script.device_sends(answer(to, 8)).upstream_receives(answer(from, 8)),
            };
            let script = hears(says(script, sent(from, Q0, 0, b"0")), sent(to, Q0, 0, b"0"));
            let script = hears(says(script, sent(from, Q1, 8, b"1")), sent(to, Q1, 8, b"1"));
            let script = answers(script, puback);
            let script = hears(says(script, sent(from, Q2, 8, b"2")), sent(to, Q2, 8, b"2"));
            let script = answers(script, pubrec);
            let script = hears(says(script, pubrel(from, 8)), pubrel(to, 8));
            answers(script, pubcomp).goes_on().play();
        }
    }
}

#[test]
fn a_broker_may_send_what_nobody_asked_for() {
    for (here, there) in [(V311, V5), (V5, V311)] {
        for topic in ["$SYS/broker/uptime", "site/a"] {
            bridge(here, there)
                .connected()
                .upstream_sends(publish(there, publish_of(Q1, 3, topic, b"x")))
                .device_receives(publish(here, publish_of(Q1, 3, topic, b"x")))
                .goes_on()
                .play();
        }
    }
}

#[test]
fn shared_subscriptions_and_system_topics_pass() {
    for (here, there) in [(V311, V5), (V5, V311)] {
        let filters = [("$share/g/site/+", Q1), ("$SYS/#", Q0), ("#", Q2)];
        bridge(here, there)
            .connected()
            .device_sends(subscribe(here, 1, &filters))
            .upstream_receives(subscribe(there, 1, &filters))
            .upstream_sends(suback(there, 1, &[1, 0, 0x80]))
            .device_receives(suback(here, 1, &[1, 0, 0x80]))
            .device_sends(unsubscribe(here, 2, &["$SYS/#"]))
            .upstream_receives(unsubscribe(there, 2, &["$SYS/#"]))
            .upstream_sends(unsuback(there, 2, &[0]))
            .device_receives(unsuback(here, 2, &[0]))
            .goes_on()
            .play();
    }
}

#[test]
fn aliases_are_resolved_and_given_anew() {
    let own = [Property::TopicAliasMaximum(2)];
    let aliased = |topic, number, payload| {
        let buffer = properties(&[Property::TopicAlias(number)]);
        let base = publish_of(Q0, 0, topic, payload);
        publish(V5, Publish { properties: buffer.properties(), ..base })
    };
    let plain = |version, topic, payload| publish(version, publish_of(Q0, 0, topic, payload));
    // The device's are resolved: the broker's version has none.
    bridge(V5, V311)
        .limits(|limits| limits.topic_aliases_max = 2)
        .announcing(&own)
        .connected()
        .device_sends(aliased("site/one", 2, b"1"))
        .upstream_receives(plain(V311, "site/one", b"1"))
        .device_sends(aliased("", 2, b"2"))
        .upstream_receives(plain(V311, "site/one", b"2"))
        .device_sends(aliased("site/two", 2, b"3"))
        .upstream_receives(plain(V311, "site/two", b"3"))
        .device_sends(aliased("", 2, b"4"))
        .upstream_receives(plain(V311, "site/two", b"4"))
        .look(|_, tally| assert_eq!(tally.noted(Way::Up, Note::MetaLost), 0))
        .device_sends(aliased("", 1, b"5"))
        .device_receives(disconnect(V5, ReasonCode::ProtocolError))
        .ends_as("device_protocol")
        .play();
    // The broker takes one, so the first topic that comes gets it.
    bridge_saying(V311, &[], V5, &[Property::TopicAliasMaximum(1)])
        .limits(|limits| limits.topic_aliases_max = 2)
        .announcing(&own)
        .connected()
        .device_sends(plain(V311, "site/one", b"1"))
        .upstream_receives(aliased("site/one", 1, b"1"))
        .device_sends(plain(V311, "site/two", b"2"))
        .upstream_receives(plain(V5, "site/two", b"2"))
        .device_sends(plain(V311, "site/one", b"3"))
        .upstream_receives(aliased("", 1, b"3"))
        .upstream_sends(aliased("down/one", 2, b"4"))
        .device_receives(plain(V311, "down/one", b"4"))
        .upstream_sends(aliased("", 2, b"5"))
        .device_receives(plain(V311, "down/one", b"5"))
        .upstream_sends(aliased("down/one", 3, b"6"))
        .upstream_receives(disconnect(V5, ReasonCode::TopicAliasInvalid))
        .ends_as("upstream_malformed")
        .play();
    // The device takes some, too.
    bridge_saying(V5, &[Property::TopicAliasMaximum(9)], V311, &[])
        .limits(|limits| limits.topic_aliases_max = 2)
        .announcing(&own)
        .connected()
        .upstream_sends(plain(V311, "down/one", b"1"))
        .device_receives(aliased("down/one", 1, b"1"))
        .upstream_sends(plain(V311, "down/one", b"2"))
        .device_receives(aliased("", 1, b"2"))
        .goes_on()
        .play();
}

#[test]
fn a_message_that_is_refused_gives_its_topic_no_alias() {
    let granted = [Property::TopicAliasMaximum(1), Property::MaximumPacketSize(40)];
    let alias = properties(&[Property::TopicAlias(1)]);
    let small = publish_of(Q1, 7, "site/two", b"x");
    bridge_saying(V311, &[], V5, &granted)
        .limits(|limits| limits.topic_aliases_max = 2)
        .announcing(&[Property::TopicAliasMaximum(2)])
        .connected()
        .device_sends(publish(V311, publish_of(Q1, 6, "site/one", &[b'x'; 30])))
        .device_receives(puback(V311, 6))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::PayloadTooLarge), 1))
        .device_sends(publish(V311, small))
        .upstream_receives(publish(V5, Publish { properties: alias.properties(), ..small }))
        .goes_on()
        .play();
}

#[test]
fn what_is_too_large_for_a_side_that_the_other_one_was_not_told_of_is_refused() {
    let large = |version| publish(version, publish_of(Q1, 6, "site/one", &[b'x'; 200]));
    bridge_saying(V5, &[Property::MaximumPacketSize(100)], V311, &[])
        .connected()
        .upstream_sends(large(V311))
        .upstream_receives(puback(V311, 6))
        .look(|_, tally| assert_eq!(tally.refused(Way::Down, Reason::PayloadTooLarge), 1))
        .goes_on()
        .play();
}

#[test]
fn a_subscribe_that_is_too_large_for_the_upstream_is_refused() {
    let long = "x".repeat(60);
    bridge_saying(V311, &[], V5, &[Property::MaximumPacketSize(50)])
        .connected()
        .device_sends(subscribe(V311, 1, &[(&long, Q1)]))
        .device_receives(suback(V311, 1, &[0x80]))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::PayloadTooLarge), 1))
        .device_sends(subscribe(V311, 2, &[("x", Q1)]))
        .upstream_receives(subscribe(V5, 2, &[("x", Q1)]))
        .goes_on()
        .play();
}

#[test]
fn filters_that_the_upstream_would_disconnect_for_are_refused() {
    let missing =
        [Property::WildcardSubscriptionAvailable(0), Property::SharedSubscriptionAvailable(0)];
    bridge_saying(V311, &[], V5, &missing)
        .connected()
        .device_sends(subscribe(V311, 1, &[("a/#", Q1), ("a/b", Q1), ("$share/g/a", Q1)]))
        .upstream_receives(subscribe(V5, 1, &[("a/b", Q1)]))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V311, 1, &[0x80, 1, 0x80]))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::FilterNotMappable), 2))
        .goes_on()
        .play();
}

fn asking(filter: &str, identifier: Option<u32>, change: fn(&mut Subscription<'_>)) -> Vec<u8> {
    let mut asked = wish(filter, Q1);
    change(&mut asked);
    let list: Vec<_> = identifier.map(Property::SubscriptionIdentifier).into_iter().collect();
    let (buffer, mut out) = (properties(&list), Vec::new());
    encode_subscribe(V5, id(1), buffer.properties(), &[asked], &mut out).unwrap();
    out
}

/// A device of 5 that has subscribed, in front of 3.1.1.
fn subscribed(filter: &str, identifier: Option<u32>, change: fn(&mut Subscription<'_>)) -> Script {
    more(bridge(V5, V311).connected(), filter, identifier, change)
}

fn more(
    script: Script,
    filter: &str,
    identifier: Option<u32>,
    change: fn(&mut Subscription<'_>),
) -> Script {
    script
        .device_sends(asking(filter, identifier, change))
        .upstream_receives(subscribe(V311, 1, &[(filter, Q1)]))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V5, 1, &[1]))
}

#[test]
fn subscription_identifiers_are_the_proxys_where_the_upstream_has_none() {
    let delivered = |identifiers: &[u32], topic| {
        let list: Vec<_> =
            identifiers.iter().copied().map(Property::SubscriptionIdentifier).collect();
        let buffer = properties(&list);
        let base = publish_of(Q0, 0, topic, b"x");
        publish(V5, Publish { properties: buffer.properties(), ..base })
    };
    let sent = |topic| publish(V311, publish_of(Q0, 0, topic, b"x"));
    let script = subscribed("a/#", Some(7), |_| {});
    let script = more(script, "a/+", Some(300_000), |_| {});
    more(script, "b", None, |_| {})
        .upstream_sends(sent("a/b"))
        .device_receives(delivered(&[7, 300_000], "a/b"))
        .upstream_sends(sent("a/b/c"))
        .device_receives(delivered(&[7], "a/b/c"))
        .upstream_sends(sent("b"))
        .device_receives(delivered(&[], "b"))
        .goes_on()
        .play();
}

#[test]
fn what_the_device_itself_sent_is_left_out_where_it_asked_for_that() {
    let sent = |version, payload| publish(version, publish_of(Q1, 5, "a/b", payload));
    subscribed("a/#", None, |asked| asked.no_local = true)
        .device_sends(sent(V5, b"own"))
        .upstream_receives(sent(V311, b"own"))
        .upstream_sends([puback(V311, 5), sent(V311, b"own")].concat())
        .upstream_receives(puback(V311, 5))
        .device_receives(puback(V5, 5))
        .look(|_, tally| assert_eq!(tally.filtered(), 1))
        // Somebody else says the same.
        .upstream_sends(sent(V311, b"own"))
        .device_receives(sent(V5, b"own"))
        .goes_on()
        .play();
    subscribed("a/#", None, |_| {})
        .device_sends(sent(V5, b"own"))
        .upstream_receives(sent(V311, b"own"))
        .upstream_sends(sent(V311, b"own"))
        .device_receives(sent(V5, b"own"))
        .goes_on()
        .play();
}

#[test]
fn retained_messages_come_only_to_who_wants_them() {
    let retained = |version| {
        let base = publish_of(Q0, 0, "a/b", b"old");
        publish(version, Publish { retain: true, ..base })
    };
    let new = |version| publish(version, publish_of(Q0, 0, "a/b", b"new"));
    subscribed("a/#", None, |asked| asked.retain_handling = RetainHandling::DoNotSend)
        .upstream_sends([retained(V311), new(V311)].concat())
        .device_receives(new(V5))
        .look(|_, tally| assert_eq!(tally.filtered(), 1))
        .goes_on()
        .play();
    let once = |asked: &mut Subscription<'_>| asked.retain_handling = RetainHandling::SendIfNew;
    let script =
        subscribed("a/#", None, once).upstream_sends(retained(V311)).device_receives(retained(V5));
    more(script, "a/#", None, once).upstream_sends(retained(V311)).goes_on().play();
}

/// A session without a script: what it writes can't be known before.
fn run_of(version: Version, there: Version) -> Run {
    let plan = SessionPlan {
        translator: Translator::plain_in(&[there]),
        limits: SessionLimits::default(),
        on_refusal: OnRefusal::AckAndDrop,
    };
    Run::new(Arc::new(plan), version, Instant::now())
}

fn identifier_for(version: Version, there: Version) -> (String, Vec<u8>) {
    let mut run = run_of(version, there);
    run.feed(Peer::Device, &connect(connect_of(version, ""))).unwrap();
    run.wake(|session, wake| session.on_upstream_open(wake.now)).unwrap();
    let sent = run.take(Peer::Upstream);
    let raw = next_packet(&sent, there, 1000).unwrap().unwrap();
    let Packet::Connect(upstream) = Packet::decode(raw, there).unwrap() else { panic!("{sent:?}") };
    run.feed(Peer::Upstream, &connack(there, ReasonCode::Success)).unwrap();
    (upstream.client_identifier.to_owned(), run.take(Peer::Device))
}

#[test]
fn v5_3_2_2_16_a_device_without_a_client_identifier_is_told_the_one_that_it_gets() {
    let (given, told) = identifier_for(V5, V311);
    assert!(given.len() == 23 && given.chars().all(|char| char.is_ascii_alphanumeric()), "{given}");
    let raw = next_packet(&told, V5, 1000).unwrap().unwrap();
    let Packet::Connack(connack) = Packet::decode(raw, V5).unwrap() else { panic!("{told:?}") };
    let assigned = Property::AssignedClientIdentifier(&given);
    assert!(connack.properties.iter().any(|property| property == assigned), "{connack:?}");
    let (another, _) = identifier_for(V5, V311);
    assert_ne!(given, another);
    // 3.1.1 lets the broker choose, and 3.1 lets nobody go without.
    assert_eq!(identifier_for(V311, V5).0, "");
    assert_eq!(identifier_for(V311, V31).0.len(), 23);
}

#[test]
fn a_password_without_a_user_name_gets_an_empty_one_before_5() {
    let given = Connect { password: Some(b"secret"), ..connect_of(V5, "dev") };
    let upstream = Connect { version: V311, user_name: Some(""), ..given };
    let script = bridge(V5, V311);
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(upstream),
        ..script.opening()
    };
    script.opening_with(opening).connected().goes_on().play();
}

/// A device of 5 with a will that waits, in front of 3.1.1, whose session outlives its connection by `expiry` seconds.
fn delayed(delay: u32, expiry: u32) -> Script {
    let will_properties = properties(&[Property::WillDelayInterval(delay)]);
    let last = will("site/gone", b"1", Q1);
    let expiry = properties(&[Property::SessionExpiryInterval(expiry)]);
    let base = Connect { clean_start: false, keep_alive_seconds: 10, ..connect_of(V311, "dev") };
    let given = Connect {
        version: V5,
        properties: expiry.properties(),
        will: Some(interlingua::mqtt::Will { properties: will_properties.properties(), ..last }),
        ..base
    };
    let script = bridge(V5, V311);
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect(Connect { will: Some(last), ..base }),
        // 3.1.1 keeps the session without end, so that is how long it is.
        device_connack: connack_with(
            V5,
            false,
            ReasonCode::Success,
            &[pairs::own_limit(), Property::SessionExpiryInterval(u32::MAX)],
        ),
        ..script.opening()
    };
    script.opening_with(opening).connected()
}

#[test]
fn v5_3_1_3_9_a_wills_delay_is_kept_by_the_proxy_where_the_upstream_knows_none() {
    // The upstream's connection stays, and breaks when the time has come: then the broker publishes the will.
    delayed(20, 60)
        .device_closes()
        .goes_on()
        .after(9.0)
        .upstream_receives(PINGREQ)
        .upstream_sends(PINGRESP)
        // What comes meanwhile is for a device that is not there: it comes again.
        .upstream_sends(publish(V311, publish_of(Q1, 3, "a", b"x")))
        .upstream_sends(publish(V311, publish_of(Q0, 0, "a", b"x")))
        .look(|_, tally| assert_eq!(tally.undelivered(Way::Down), 1))
        .after(10.9)
        .upstream_receives(PINGREQ)
        .goes_on()
        .after(0.1)
        .ends(End::DeviceClosed)
        .play();
    delayed(0, 60).device_closes().ends(End::DeviceClosed).play();
    // A good-bye that keeps the will waits as well, and may shorten the session, which ends it.
    delayed(20, 60)
        .device_sends(disconnect(V5, ReasonCode::DisconnectWithWillMessage))
        .goes_on()
        .after(9.0)
        .upstream_receives(PINGREQ)
        .after(11.0)
        .upstream_receives(PINGREQ)
        .ends(End::DeviceDisconnected)
        .play();
    let shorter = [Property::SessionExpiryInterval(3)];
    delayed(20, 60)
        .device_sends(disconnect_with(V5, ReasonCode::DisconnectWithWillMessage, &shorter))
        .after(2.9)
        .goes_on()
        .after(0.1)
        .ends(End::DeviceDisconnected)
        .play();
    // The device comes back, and the broker hands its session over.
    delayed(20, 60).device_closes().after(1.0).upstream_closes().ends(End::DeviceClosed).play();
    delayed(20, 60)
        .device_sends(disconnect(V5, ReasonCode::Success))
        .upstream_receives(disconnect(V311, ReasonCode::Success))
        .ends(End::DeviceDisconnected)
        .play();
    delayed(20, 60)
        .limits(|limits| limits.will_delay_max = std::time::Duration::from_secs(2))
        .device_closes()
        .after(1.9)
        .goes_on()
        .after(0.1)
        .ends(End::DeviceClosed)
        .play();
    delayed(20, 60)
        .device_closes()
        .after(1.0)
        .device_returns()
        .upstream_receives(disconnect(V311, ReasonCode::Success))
        .ends(End::DeviceClosed)
        .play();
    delayed(20, 60).device_returns().goes_on().play();
    delayed(20, 60).device_closes().drain().ends(End::DeviceClosed).play();
}

#[test]
fn a_session_whose_will_the_proxy_delays_holds_what_it_sends() {
    // PINGREQ and DISCONNECT behind half a packet would be a part of it, or never be said.
    let payload = vec![b'x'; 200 * 1024];
    let given = publish(V5, publish_of(Q0, 0, "site/a", &payload));
    delayed(20, 60)
        .device_sends(&given[..100_000])
        .device_closes()
        .after(9.0)
        .upstream_receives(PINGREQ)
        .upstream_sends(PINGRESP)
        .device_returns()
        .upstream_receives(disconnect(V311, ReasonCode::Success))
        .ends(End::DeviceClosed)
        .play();
    delayed(20, 60)
        .device_sends(&given[..100_000])
        .device_sends(&given[100_000..])
        .upstream_receives(publish(V311, publish_of(Q0, 0, "site/a", &payload)))
        .goes_on()
        .play();
}

#[test]
fn a_will_waits_no_longer_than_the_session_that_the_platform_does_not_keep() {
    let script = pairs::mqtt2go_to_omnicore5();
    let list = properties(&[Property::WillDelayInterval(5)]);
    let expiry = properties(&[Property::SessionExpiryInterval(9)]);
    let report = br#"{"type":"periodic_report","timestamp":1567677926,"value":21.8}"#;
    let last = will("h1/gw1/lamp1/temperature/out", report, Q0);
    let given = Connect {
        will: Some(interlingua::mqtt::Will { properties: list.properties(), ..last }),
        properties: expiry.properties(),
        ..connect_of(V5, "lamp1")
    };
    let lost = Property::SessionExpiryInterval(0);
    let opening = Opening {
        device_connect: connect(given),
        device_connack: connack_with(
            V5,
            false,
            ReasonCode::Success,
            &[&pairs::told()[..], &[lost]].concat(),
        ),
        ..script.opening()
    };
    script
        .opening_with(opening)
        .connected()
        .device_closes()
        .upstream_receives(publish(
            V5,
            publish_of(Q0, 0, "/plant/lamp1/events/temperature", report),
        ))
        .upstream_receives(disconnect(V5, ReasonCode::Success))
        .ends(End::DeviceClosed)
        .play();
}

#[test]
fn v5_3_1_4_a_password_method_of_5_is_refused_by_name() {
    let list = properties(&[Property::AuthenticationMethod("m")]);
    let given = Connect { properties: list.properties(), ..connect_of(V5, "dev") };
    bridge(V5, V311)
        .device_sends(connect(given))
        .device_receives(connack(V5, ReasonCode::BadAuthenticationMethod))
        .ends_as("connect_refused")
        .play();
}

#[test]
fn v5_3_14_2_a_session_that_was_to_end_is_not_prolonged() {
    let longer = [Property::SessionExpiryInterval(9)];
    for script in [pairs::plain(V5), bridge(V5, V311), pairs::mqtt2go_to_mqtt2go()] {
        script
            .connected()
            .device_sends(disconnect_with(V5, ReasonCode::Success, &longer))
            .device_receives(disconnect(V5, ReasonCode::ProtocolError))
            .ends_as("device_protocol")
            .play();
    }
    // A server has no session to speak of [MQTT-3.14.2-2].
    pairs::plain(V5)
        .connected()
        .upstream_sends(disconnect_with(V5, ReasonCode::ServerBusy, &longer))
        .upstream_receives(disconnect(V5, ReasonCode::ProtocolError))
        .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
        .ends_as("upstream_protocol")
        .play();
}

#[test]
fn a_removed_filter_that_was_never_there_is_told_in_5() {
    bridge(V5, V311)
        .connected()
        .device_sends(unsubscribe(V5, 2, &["a"]))
        .device_receives(unsuback(V5, 2, &[ReasonCode::NoSubscriptionExisted.value()]))
        .goes_on()
        .play();
}

#[test]
fn an_error_of_a_receiver_crosses_the_versions_as_far_as_it_can() {
    let failed = |kind| acknowledge_with(V5, kind, 8, ReasonCode::NotAuthorized);
    bridge(V311, V5)
        .connected()
        .device_sends(publish(V311, publish_of(Q1, 8, "a", b"x")))
        .upstream_receives(publish(V5, publish_of(Q1, 8, "a", b"x")))
        .upstream_sends(failed(AcknowledgementKind::Puback))
        .device_receives(puback(V311, 8))
        .goes_on()
        .play();
}

#[test]
fn v5_3_1_4_3_a_device_that_is_taken_over_is_told_though_its_upstream_has_no_word_for_it() {
    bridge(V5, V311)
        .connected()
        .taken_over()
        .device_receives(disconnect(V5, ReasonCode::SessionTakenOver))
        .ends(End::TakenOver)
        .play();
    bridge(V311, V5).connected().taken_over().ends(End::TakenOver).play();
    // A broker of 5 says it itself, or doesn't.
    pairs::plain(V5).connected().taken_over().ends(End::TakenOver).play();
    bridge(V5, V311)
        .connecting()
        .taken_over()
        .device_receives(connack(V5, ReasonCode::ServerUnavailable))
        .ends(End::UpstreamClosed)
        .play();
}

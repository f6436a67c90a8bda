//! A device and an upstream that speak different versions of MQTT, in translated sessions.

mod script;

use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connack, Connect, Disconnect, Packet, Properties,
    Property, Publish, Qos, ReasonCode, Version,
};
use interlingua::session::End;
use interlingua::translate::{Identity, Note, Way};
use script::packets::*;
use script::{Opening, Script, pairs};

const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;
const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;
const UP: &str = "h1/gw1/77/temperature/out";
const UP_THERE: &str = "h9/gw9/77/temperature/out";
const DOWN: &str = "h1/gw1/77/switch/in";
const DOWN_THERE: &str = "h9/gw9/77/switch/in";
const REPORT: &[u8] = br#"{"type":"periodic_report","timestamp":1567677926,"value":21.8}"#;

/// Two homes, of which the upstream's platform speaks only `there`.
fn homes(here: Version, there: &str, opening: Opening) -> Script {
    let table = interlingua::dialect::builtin_text("mqtt2go").unwrap();
    let table = table.replace("[\"3.1.1\", \"5\"]", &format!("[\"{there}\"]"));
    let dialect = interlingua::dialect::parse("home.toml", &table).unwrap();
    let there = interlingua::translate::Side::new(std::sync::Arc::new(dialect));
    let there = there.with("home", "h9").with("gateway", "gw9");
    let here_side = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let translator = pairs::translator(here_side, there, Identity::Same);
    let upstream = translator.version_for(here);
    Script::new(here, translator, opening).upstream_in(upstream)
}

fn connack_saying(list: &[Property<'_>]) -> Vec<u8> {
    connack_with(V5, false, ReasonCode::Success, list)
}

/// A CONNECT in version 5 with properties.
fn connect5(base: Connect<'_>, list: &[Property<'_>]) -> Vec<u8> {
    let buffer = properties(list);
    connect(Connect { version: V5, properties: buffer.properties(), ..base })
}

/// A device of `here` in front of version 5, which says `granted` in its CONNACK.
fn to_5_granting(here: Version, granted: &[Property<'_>]) -> Script {
    let given = connect_of(here, "77");
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect5(given, &[pairs::own_limit()]),
        upstream_connack: connack_saying(granted),
        device_connack: connack(here, ReasonCode::Success),
    };
    homes(here, "5", opening)
}

fn to_5(here: Version) -> Script {
    to_5_granting(here, &[])
}

/// What a device of version 5 is told where its upstream speaks 3.1.1.
fn told() -> [Property<'static>; 2] {
    pairs::told()
}

/// A device of version 5 in front of 3.1.1, which says `given` in its CONNECT.
fn from_5_saying(given: &[Property<'_>]) -> Script {
    let base = connect_of(V311, "77");
    let opening = Opening {
        device_connect: connect5(base, given),
        upstream_connect: connect(base),
        upstream_connack: connack(V311, ReasonCode::Success),
        device_connack: connack_with(V5, false, ReasonCode::Success, &told()),
    };
    homes(V5, "3.1.1", opening)
}

fn from_5() -> Script {
    from_5_saying(&[])
}

fn acknowledged(version: Version, kind: AcknowledgementKind, code: ReasonCode) -> Vec<u8> {
    acknowledge_with(version, kind, 7, code)
}

#[test]
fn an_upstream_is_spoken_to_in_its_own_version() {
    let chosen = |device: Version, list: &str| {
        let table = interlingua::dialect::builtin_text("mqtt2go").unwrap();
        let table = table.replace("[\"3.1.1\", \"5\"]", list);
        let dialect = interlingua::dialect::parse("home.toml", &table).unwrap();
        let there = interlingua::translate::Side::new(std::sync::Arc::new(dialect));
        let there = there.with("home", "h9").with("gateway", "gw9");
        let here = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
        pairs::translator(here, there, Identity::Same).version_for(device)
    };
    for (device, list, expected) in [
        (V311, "[\"3.1.1\", \"5\"]", V311),
        (V5, "[\"3.1.1\", \"5\"]", V5),
        (V31, "[\"3.1.1\", \"5\"]", V311),
        (V31, "[\"5\"]", V5),
        (V311, "[\"5\"]", V5),
        (V5, "[\"3.1\", \"3.1.1\"]", V311),
        (V5, "[\"3.1\"]", V31),
    ] {
        assert_eq!(chosen(device, list), expected, "{device} in front of {list}");
    }
}

#[test]
fn a_message_and_its_answers_cross_the_versions() {
    for here in [V31, V311] {
        to_5(here)
            .connected()
            .device_sends(publish(here, publish_of(Q1, 7, UP, REPORT)))
            .upstream_receives(publish(V5, publish_of(Q1, 7, UP_THERE, REPORT)))
            .upstream_sends(acknowledged(
                V5,
                AcknowledgementKind::Puback,
                ReasonCode::NoMatchingSubscribers,
            ))
            .device_receives(puback(here, 7))
            .device_sends(publish(here, publish_of(Q2, 8, UP, REPORT)))
            .upstream_receives(publish(V5, publish_of(Q2, 8, UP_THERE, REPORT)))
            .upstream_sends(pubrec(V5, 8))
            .device_receives(pubrec(here, 8))
            .device_sends(pubrel(here, 8))
            .upstream_receives(pubrel(V5, 8))
            .upstream_sends(pubcomp(V5, 8))
            .device_receives(pubcomp(here, 8))
            .device_sends(disconnect(here, ReasonCode::Success))
            .upstream_receives(disconnect(V5, ReasonCode::Success))
            .ends(End::DeviceDisconnected)
            .play();
    }
}

#[test]
fn what_only_version_5_can_say_of_a_message_is_lost_and_counted() {
    let buffer = properties(&[Property::ContentType("json"), Property::MessageExpiryInterval(9)]);
    let given = Publish { properties: buffer.properties(), ..publish_of(Q1, 7, UP, REPORT) };
    from_5()
        .connected()
        .device_sends(publish(V5, given))
        .upstream_receives(publish(V311, publish_of(Q1, 7, UP_THERE, REPORT)))
        .look(|_, tally| assert_eq!(tally.noted(Way::Up, Note::MetaLost), 1))
        .upstream_sends(puback(V311, 7))
        .device_receives(puback(V5, 7))
        .goes_on()
        .play();
    let filters = |topic| [(topic, Q1)];
    let given =
        Publish { properties: buffer.properties(), ..publish_of(Q1, 9, DOWN_THERE, REPORT) };
    to_5(V311)
        .connected()
        .device_sends(subscribe(V311, 1, &filters(DOWN)))
        .upstream_receives(subscribe(V5, 1, &filters(DOWN_THERE)))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V311, 1, &[1]))
        .upstream_sends(publish(V5, given))
        .device_receives(publish(V311, publish_of(Q1, 9, DOWN, REPORT)))
        .look(|_, tally| assert_eq!(tally.noted(Way::Down, Note::MetaLost), 1))
        .device_sends(puback(V311, 9))
        .upstream_receives(puback(V5, 9))
        .goes_on()
        .play();
}

#[test]
fn a_refused_exchange_ends_on_both_sides_in_their_own_way() {
    // The upstream is done with it; a device of 3.1.1 knows no errors and still sends PUBREL.
    to_5(V311)
        .connected()
        .device_sends(publish(V311, publish_of(Q2, 7, UP, REPORT)))
        .upstream_receives(publish(V5, publish_of(Q2, 7, UP_THERE, REPORT)))
        .upstream_sends(acknowledged(V5, AcknowledgementKind::Pubrec, ReasonCode::QuotaExceeded))
        .device_receives(pubrec(V311, 7))
        .device_sends(pubrel(V311, 7))
        .device_receives(pubcomp(V311, 7))
        // The identifier is free again.
        .device_sends(publish(V311, publish_of(Q2, 7, UP, REPORT)))
        .upstream_receives(publish(V5, publish_of(Q2, 7, UP_THERE, REPORT)))
        .goes_on()
        .play();
    from_5()
        .connected()
        .device_sends(subscribe(V5, 1, &[(DOWN, Q2)]))
        .upstream_receives(subscribe(V311, 1, &[(DOWN_THERE, Q2)]))
        .upstream_sends(suback(V311, 1, &[2]))
        .device_receives(suback(V5, 1, &[2]))
        .upstream_sends(publish(V311, publish_of(Q2, 7, DOWN_THERE, REPORT)))
        .device_receives(publish(V5, publish_of(Q2, 7, DOWN, REPORT)))
        .device_sends(acknowledged(V5, AcknowledgementKind::Pubrec, ReasonCode::QuotaExceeded))
        .upstream_receives(pubrec(V311, 7))
        .upstream_sends(pubrel(V311, 7))
        .upstream_receives(pubcomp(V311, 7))
        .goes_on()
        .play();
}

#[test]
fn a_session_that_is_to_be_kept_is_kept_in_both_versions() {
    // 3.1.1 without clean session: version 5 has to be told that it never expires.
    let given = Connect { clean_start: false, ..connect_of(V311, "77") };
    let kept = [Property::SessionExpiryInterval(u32::MAX), pairs::own_limit()];
    let present = |version| {
        bytes(
            version,
            Packet::Connack(Connack {
                session_present: true,
                reason_code: ReasonCode::Success,
                properties: Properties::EMPTY,
            }),
        )
    };
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect5(given, &kept),
        upstream_connack: present(V5),
        device_connack: present(V311),
    };
    homes(V311, "5", opening).connected().goes_on().play();
    // Version 5 that begins clean and wants to be kept: 3.1.1 can't, and the device is told.
    let given = connect_of(V311, "77");
    let mut answer = told().to_vec();
    answer.push(Property::SessionExpiryInterval(0));
    let opening = Opening {
        device_connect: connect5(given, &[Property::SessionExpiryInterval(60)]),
        upstream_connect: connect(given),
        upstream_connack: connack(V311, ReasonCode::Success),
        device_connack: connack_with(V5, false, ReasonCode::Success, &answer),
    };
    homes(V5, "3.1.1", opening).connected().goes_on().play();
}

#[test]
fn a_refusal_is_told_in_the_devices_version() {
    for (code, return_code) in [
        (ReasonCode::NotAuthorized, 5),
        (ReasonCode::BadUserNameOrPassword, 4),
        (ReasonCode::ServerBusy, 3),
        (ReasonCode::ClientIdentifierNotValid, 2),
    ] {
        to_5(V311)
            .connecting()
            .upstream_sends(connack(V5, code))
            .device_receives([0x20, 2, 0, return_code])
            .ends(End::UpstreamRefused(code))
            .play();
    }
    from_5()
        .connecting()
        .upstream_sends([0x20, 2, 0, 5])
        .device_receives(connack_with(V5, false, ReasonCode::NotAuthorized, &[]))
        .ends(End::UpstreamRefused(ReasonCode::NotAuthorized))
        .play();
}

#[test]
fn codes_of_subscriptions_are_those_of_the_devices_version() {
    let failed = |version: Version, code| {
        to_5(version)
            .connected()
            .device_sends(subscribe(version, 1, &[(DOWN, Q1)]))
            .upstream_receives(subscribe(V5, 1, &[(DOWN_THERE, Q1)]))
            .upstream_sends(suback(V5, 1, &[0x97]))
            .device_receives(suback(version, 1, &[code]))
            .goes_on()
            .play();
    };
    failed(V311, 0x80);
    failed(V31, 0);
    from_5()
        .connected()
        .device_sends(subscribe(V5, 1, &[(DOWN, Q1)]))
        .upstream_receives(subscribe(V311, 1, &[(DOWN_THERE, Q1)]))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V5, 1, &[1]))
        .device_sends(unsubscribe(V5, 2, &[DOWN]))
        .upstream_receives(unsubscribe(V311, 2, &[DOWN_THERE]))
        .upstream_sends(unsuback(V311, 2, &[]))
        .device_receives(unsuback(V5, 2, &[0]))
        .goes_on()
        .play();
}

#[test]
fn an_upstream_that_takes_only_so_many_at_once_gets_no_more() {
    to_5_granting(V311, &[Property::ReceiveMaximum(2)])
        .connected()
        .device_sends([1, 2, 3, 4].map(|id| publish(V311, publish_of(Q1, id, UP, REPORT))).concat())
        .upstream_receives(
            [1, 2].map(|id| publish(V5, publish_of(Q1, id, UP_THERE, REPORT))).concat(),
        )
        .upstream_sends(puback(V5, 2))
        .device_receives(puback(V311, 2))
        .upstream_receives(publish(V5, publish_of(Q1, 3, UP_THERE, REPORT)))
        .upstream_sends([puback(V5, 1), puback(V5, 3)].concat())
        .device_receives([puback(V311, 1), puback(V311, 3)].concat())
        .upstream_receives(publish(V5, publish_of(Q1, 4, UP_THERE, REPORT)))
        .goes_on()
        .play();
}

#[test]
fn a_device_that_takes_only_so_many_at_once_gets_no_more() {
    let messages = |ids: &[u16], version, topic| {
        ids.iter()
            .map(|id| publish(version, publish_of(Q1, *id, topic, REPORT)))
            .collect::<Vec<_>>()
            .concat()
    };
    from_5_saying(&[Property::ReceiveMaximum(1)])
        .connected()
        .device_sends(subscribe(V5, 1, &[(DOWN, Q1)]))
        .upstream_receives(subscribe(V311, 1, &[(DOWN_THERE, Q1)]))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V5, 1, &[1]))
        .upstream_sends(messages(&[1, 2], V311, DOWN_THERE))
        .device_receives(messages(&[1], V5, DOWN))
        .device_sends(puback(V5, 1))
        .upstream_receives(puback(V311, 1))
        .device_receives(messages(&[2], V5, DOWN))
        .goes_on()
        .play();
}

#[test]
fn what_the_upstream_does_not_take_is_lowered_for_an_older_device() {
    let retained = Publish { retain: true, ..publish_of(Q2, 7, UP, REPORT) };
    to_5_granting(V311, &[Property::MaximumQos(1), Property::RetainAvailable(0)])
        .connected()
        .device_sends(publish(V311, retained))
        .upstream_receives(publish(V5, publish_of(Q1, 7, UP_THERE, REPORT)))
        .upstream_sends(puback(V5, 7))
        .device_receives(pubrec(V311, 7))
        .device_sends(pubrel(V311, 7))
        .device_receives(pubcomp(V311, 7))
        .look(|_, tally| {
            for note in [Note::QosClamped, Note::RetainStripped] {
                assert_eq!(tally.noted(Way::Up, note), 1, "{note:?}");
            }
        })
        .goes_on()
        .play();
}

#[test]
fn a_keep_alive_that_the_device_can_not_be_told_is_kept_by_the_proxy() {
    to_5_granting(V311, &[Property::ServerKeepAlive(10)])
        .connected()
        // The device's own is 60 s, and it may be silent for so long.
        .after(9.5)
        .upstream_receives([0xC0, 0])
        .upstream_sends([0xD0, 0])
        .after(9.5)
        .upstream_receives([0xC0, 0])
        .upstream_sends([0xD0, 0])
        .goes_on()
        .play();
}

#[test]
fn a_good_bye_that_keeps_the_will_is_none_before_5() {
    let farewell = |code| {
        bytes(
            V5,
            Packet::Disconnect(Disconnect { reason_code: code, properties: Properties::EMPTY }),
        )
    };
    from_5()
        .connected()
        .device_sends(farewell(ReasonCode::DisconnectWithWillMessage))
        .ends(End::DeviceDisconnected)
        .play();
    from_5()
        .connected()
        .device_sends(farewell(ReasonCode::Success))
        .upstream_receives([0xE0, 0])
        .ends(End::DeviceDisconnected)
        .play();
    // A server of version 5 that says good-bye: the device's connection just closes.
    to_5(V311)
        .connected()
        .upstream_sends(farewell(ReasonCode::ServerShuttingDown))
        .ends(End::UpstreamDisconnected(ReasonCode::ServerShuttingDown))
        .play();
}

#[test]
fn malformed_packets_are_those_of_the_senders_version() {
    // A PUBACK with a reason code is one of version 5 only.
    let long = Acknowledgement {
        kind: AcknowledgementKind::Puback,
        packet_identifier: id(7),
        reason_code: ReasonCode::QuotaExceeded,
        properties: Properties::EMPTY,
    };
    let long = bytes(V5, Packet::Acknowledgement(long));
    to_5(V311).connected().device_sends(long.clone()).ends_as("device_malformed").play();
    from_5()
        .connected()
        .upstream_sends(long)
        .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
        .ends_as("upstream_malformed")
        .play();
}

#[test]
fn a_release_passes_the_messages_that_wait() {
    let message = |version, id, topic| publish(version, publish_of(Q2, id, topic, REPORT));
    to_5_granting(V311, &[Property::ReceiveMaximum(1)])
        .connected()
        .device_sends([message(V311, 1, UP), message(V311, 2, UP), message(V311, 3, UP)].concat())
        .upstream_receives(message(V5, 1, UP_THERE))
        .upstream_sends(pubrec(V5, 1))
        .device_receives(pubrec(V311, 1))
        // It stands behind the messages, and only it makes room for them. So does the ping.
        .device_sends([&pubrel(V311, 1)[..], &PINGREQ].concat())
        .upstream_receives([&pubrel(V5, 1)[..], &PINGREQ].concat())
        .upstream_sends([&PINGRESP[..], &pubcomp(V5, 1)].concat())
        .device_receives([&PINGRESP[..], &pubcomp(V311, 1)].concat())
        .upstream_receives(message(V5, 2, UP_THERE))
        // Only messages keep their place.
        .device_sends(subscribe(V311, 9, &[(DOWN, Q1)]))
        .upstream_receives(subscribe(V5, 9, &[(DOWN_THERE, Q1)]))
        .upstream_sends(pubrec(V5, 2))
        .device_receives(pubrec(V311, 2))
        .device_sends(pubrel(V311, 2))
        .upstream_receives(pubrel(V5, 2))
        .upstream_sends(pubcomp(V5, 2))
        .device_receives(pubcomp(V311, 2))
        .upstream_receives(message(V5, 3, UP_THERE))
        .goes_on()
        .play();
}

#[test]
fn a_device_that_says_good_bye_behind_waiting_messages_is_heard_to_the_end() {
    let message = |version, id, topic| publish(version, publish_of(Q1, id, topic, REPORT));
    to_5_granting(V311, &[Property::ReceiveMaximum(1)])
        .connected()
        .device_sends([&message(V311, 1, UP)[..], &message(V311, 2, UP), &[0xE0, 0]].concat())
        .upstream_receives(message(V5, 1, UP_THERE))
        .device_closes()
        .goes_on()
        .upstream_sends(puback(V5, 1))
        .device_receives(puback(V311, 1))
        .upstream_receives([&message(V5, 2, UP_THERE)[..], &[0xE0, 0]].concat())
        .ends(End::DeviceDisconnected)
        .play();
    // It isn't waited for without end. Only what nobody sends again is lost.
    let last = publish(V311, publish_of(Qos::AtMostOnce, 0, UP, REPORT));
    to_5_granting(V311, &[Property::ReceiveMaximum(1)])
        .connected()
        .device_sends([message(V311, 1, UP), message(V311, 2, UP), last].concat())
        .upstream_receives(message(V5, 1, UP_THERE))
        .device_closes()
        .after(9.9)
        .goes_on()
        .after(0.1)
        .ends(End::DeviceClosed)
        .look(|_, tally| assert_eq!(tally.undelivered(Way::Up), 1))
        .play();
}

#[test]
fn no_more_than_a_limit_waits_aside() {
    // Three messages of 30 KB fill the room; then the device is no longer read, and the upstream has to take one more.
    let large = vec![b' '; 30_000];
    let payload = [&large[..], REPORT].concat();
    let message = |version, id, topic| publish(version, publish_of(Q2, id, topic, &payload));
    let five = [1, 2, 3, 4, 5].map(|id| message(V311, id, UP)).concat();
    to_5_granting(V311, &[Property::ReceiveMaximum(1)])
        .connected()
        .device_sends(five)
        .upstream_receives(message(V5, 1, UP_THERE))
        .look(|session, _| assert!(!session.is_open()))
        .upstream_sends(pubrec(V5, 1))
        .device_receives(pubrec(V311, 1))
        .upstream_receives(message(V5, 2, UP_THERE))
        .goes_on()
        .play();
}

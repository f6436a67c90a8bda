//! PUBLISH and its acknowledgements, both ways, at every QoS: passed, clamped, refused.

mod script;

use interlingua::mqtt::{
    AcknowledgementKind, Connect, Property, Publish, Qos, ReasonCode, Version, WireError,
};
use interlingua::session::End;
use interlingua::translate::{Identity, Note, Reason, Way};
use script::packets::*;
use script::{Opening, Script, pairs};

const V311: Version = Version::V311;
const V5: Version = Version::V5;
const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;

/// A message under the names of the device, and of the upstream.
struct Names {
    script: fn() -> Script,
    version: Version,
    device_topic: &'static str,
    upstream_topic: &'static str,
    payload: &'static [u8],
}

const PLAIN: [Names; 3] = [
    Names {
        script: || pairs::plain(Version::V31),
        version: Version::V31,
        device_topic: "a/b",
        upstream_topic: "a/b",
        payload: b"x",
    },
    Names {
        script: || pairs::plain(V311),
        version: V311,
        device_topic: "a/b",
        upstream_topic: "a/b",
        payload: b"x",
    },
    Names {
        script: || pairs::plain(V5),
        version: V5,
        device_topic: "a/b",
        upstream_topic: "a/b",
        payload: b"x",
    },
];
const TWO_HOMES: Names = Names {
    script: pairs::mqtt2go_to_mqtt2go,
    version: V5,
    device_topic: "h1/gw1/lamp1/light/out",
    upstream_topic: "h9/gw9/lamp1/light/out",
    payload: b"{\"type\":\"periodic_report\",\"value\":1}",
};

#[test]
fn up_nothing_is_acknowledged_before_the_upstream_has_it() {
    for Names { script, version: v, device_topic, upstream_topic, payload } in
        PLAIN.into_iter().chain([TWO_HOMES])
    {
        let given = |qos, id| publish(v, publish_of(qos, id, device_topic, payload));
        let sent = |qos, id| publish(v, publish_of(qos, id, upstream_topic, payload));
        script()
            .connected()
            .device_sends(given(Q0, 0))
            .upstream_receives(sent(Q0, 0))
            .device_sends(given(Q1, 7))
            .upstream_receives(sent(Q1, 7))
            .upstream_sends(puback(v, 7))
            .device_receives(puback(v, 7))
            .device_sends(given(Q2, 8))
            .upstream_receives(sent(Q2, 8))
            .upstream_sends(pubrec(v, 8))
            .device_receives(pubrec(v, 8))
            .device_sends(pubrel(v, 8))
            .upstream_receives(pubrel(v, 8))
            .upstream_sends(pubcomp(v, 8))
            .device_receives(pubcomp(v, 8))
            .goes_on()
            .play();
    }
}

#[test]
fn down_nothing_is_acknowledged_before_the_device_has_it() {
    for Names { script, version: v, .. } in PLAIN {
        let message = |qos, id| publish(v, publish_of(qos, id, "c/d", b"on"));
        script()
            .connected()
            .upstream_sends(message(Q0, 0))
            .device_receives(message(Q0, 0))
            .upstream_sends(message(Q1, 7))
            .device_receives(message(Q1, 7))
            .device_sends(puback(v, 7))
            .upstream_receives(puback(v, 7))
            .upstream_sends(message(Q2, 8))
            .device_receives(message(Q2, 8))
            .device_sends(pubrec(v, 8))
            .upstream_receives(pubrec(v, 8))
            .upstream_sends(pubrel(v, 8))
            .device_receives(pubrel(v, 8))
            .device_sends(pubcomp(v, 8))
            .upstream_receives(pubcomp(v, 8))
            .goes_on()
            .play();
    }
}

#[test]
fn plain_passes_what_it_checked_byte_for_byte() {
    // Longer forms than our own encoder would write.
    for bytes in [
        &b"\x40\x04\x00\x07\x00\x00"[..],
        b"\x40\x03\x00\x07\x10",
        b"\x50\x08\x00\x07\x83\x04\x1F\x00\x01r",
        b"\x3B\x0B\x00\x01t\x00\x07\x03\x23\x00\x02xy",
    ] {
        let taking = || pairs::plain(V5).taking_aliases(40);
        taking().connected().device_sends(bytes).upstream_receives(bytes).play();
        taking().connected().upstream_sends(bytes).device_receives(bytes).play();
    }
    let v = Version::V31;
    let again = b"\x8A\x06\x00\x07\x00\x01t\x01";
    pairs::plain(v).connected().device_sends(again).upstream_receives(again).play();
}

#[test]
fn unknown_packet_identifiers_pass_where_both_sides_speak_for_themselves() {
    for Names { script, version: v, .. } in PLAIN {
        for packet in [puback(v, 9), pubrec(v, 9), pubrel(v, 9), pubcomp(v, 9)] {
            script()
                .connected()
                .device_sends(packet.clone())
                .upstream_receives(packet.clone())
                .upstream_sends(packet.clone())
                .device_receives(packet)
                .goes_on()
                .play();
        }
    }
}

// ---- ThingScale in front of OmniCore: QoS 2 ends in the proxy ----

fn measured(qos: Qos, identifier: u16) -> Publish<'static> {
    publish_of(qos, identifier, "TOK-4711/json/77", b"23.5")
}

fn event(qos: Qos, identifier: u16) -> Publish<'static> {
    publish_of(qos, identifier, "/plant/d77/events", b"23.5")
}

#[test]
fn qos_2_up_is_clamped_and_pubrec_waits_for_puback() {
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(publish(V311, measured(Q2, 5)))
        .upstream_receives(publish(V311, event(Q1, 5)))
        .look(|_, tally| assert_eq!(tally.noted(Way::Up, Note::QosClamped), 1))
        .upstream_sends(puback(V311, 5))
        .device_receives(pubrec(V311, 5))
        .device_sends(pubrel(V311, 5))
        .device_receives(pubcomp(V311, 5))
        // The identifier is free again.
        .device_sends(publish(V311, measured(Q2, 5)))
        .upstream_receives(publish(V311, event(Q1, 5)))
        .goes_on()
        .play();
}

#[test]
fn a_clamped_message_sent_again_is_not_sent_twice_in_any_state() {
    let again = publish(V311, Publish { dup: true, ..measured(Q2, 5) });
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(publish(V311, measured(Q2, 5)))
        .upstream_receives(publish(V311, event(Q1, 5)))
        // Its PUBACK is on the way.
        .device_sends(again.clone())
        .upstream_sends(puback(V311, 5))
        .device_receives(pubrec(V311, 5))
        // PUBREC was lost on the device's side.
        .device_sends(again.clone())
        .device_receives(pubrec(V311, 5))
        .device_sends(publish(V311, measured(Q2, 5)))
        .device_receives(pubrec(V311, 5))
        .device_sends(pubrel(V311, 5))
        .device_receives(pubcomp(V311, 5))
        .device_sends(pubrel(V311, 5))
        .device_receives(pubcomp(V311, 5))
        .goes_on()
        .play();
}

/// OmniCore ends the connection at the first packet of a QoS 2 exchange.
#[test]
fn a_pubrel_of_an_older_connection_never_reaches_an_upstream_without_qos_2() {
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(pubrel(V311, 5))
        .device_receives(pubcomp(V311, 5))
        .goes_on()
        .play();
    let unknown = ReasonCode::PacketIdentifierNotFound;
    pairs::mqtt2go_to_omnicore5()
        .connected()
        .device_sends(pubrel(V5, 5))
        .device_receives(acknowledge_with(V5, AcknowledgementKind::Pubcomp, 5, unknown))
        .goes_on()
        .play();
}

#[test]
fn a_pubrel_before_its_pubrec_breaks_the_protocol() {
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(publish(V311, measured(Q2, 5)))
        .upstream_receives(publish(V311, event(Q1, 5)))
        .device_sends(pubrel(V311, 5))
        .ends_as("device_protocol")
        .play();
}

#[test]
fn acknowledgements_of_an_exchange_that_ended_here_go_no_further() {
    for stray in [puback(V311, 5), pubrec(V311, 5), pubcomp(V311, 5)] {
        pairs::thingscale_to_omnicore()
            .connected()
            .device_sends(publish(V311, measured(Q2, 5)))
            .upstream_receives(publish(V311, event(Q1, 5)))
            .upstream_sends(puback(V311, 5))
            .device_receives(pubrec(V311, 5))
            .upstream_sends(stray)
            .goes_on()
            .play();
    }
}

#[test]
fn an_error_of_the_upstream_ends_a_clamped_exchange_in_5() {
    let light = |topic, qos| publish(V5, publish_of(qos, 5, topic, TWO_HOMES.payload));
    let refused = ReasonCode::QuotaExceeded;
    pairs::mqtt2go_to_omnicore5()
        .connected()
        .device_sends(light("h1/gw1/lamp1/light/out", Q2))
        .upstream_receives(light("/plant/lamp1/events/light", Q1))
        .upstream_sends(acknowledge_with(V5, AcknowledgementKind::Puback, 5, refused))
        .device_receives(acknowledge_with(V5, AcknowledgementKind::Pubrec, 5, refused))
        // The identifier is free: this is another message.
        .device_sends(light("h1/gw1/lamp1/light/out", Q2))
        .upstream_receives(light("/plant/lamp1/events/light", Q1))
        .upstream_sends(puback(V5, 5))
        .device_receives(pubrec(V5, 5))
        .play();
}

#[test]
fn retained_flags_are_stripped_kept_and_set_as_the_platforms_need() {
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(publish(V311, Publish { retain: true, ..measured(Q1, 5) }))
        .upstream_receives(publish(V311, event(Q1, 5)))
        .look(|_, tally| assert_eq!(tally.noted(Way::Up, Note::RetainStripped), 1))
        .play();
    for (body, retain, becomes) in [
        (&b"{\"type\":\"status\",\"value\":1}"[..], false, true),
        (b"{\"type\":\"command_response\",\"value\":1}", true, false),
        (b"{\"type\":\"periodic_report\",\"value\":1}", true, true),
        (b"{\"type\":\"periodic_report\",\"value\":1}", false, false),
    ] {
        let (here, there) = ("h1/gw1/lamp1/light/out", "h9/gw9/lamp1/light/out");
        let given = Publish { retain, ..publish_of(Q1, 5, here, body) };
        let sent = Publish { retain: becomes, ..publish_of(Q1, 5, there, body) };
        pairs::mqtt2go_to_mqtt2go()
            .connected()
            .device_sends(publish(V5, given))
            .upstream_receives(publish(V5, sent))
            .play();
    }
}

// ---- refusals ----

#[test]
fn a_refused_message_of_3_1_1_is_acknowledged_and_goes_no_further() {
    let lost = |qos, id| publish(V311, publish_of(qos, id, "nowhere", b"x"));
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(lost(Q0, 0))
        .device_sends(lost(Q1, 3))
        .device_receives(puback(V311, 3))
        .device_sends(lost(Q2, 4))
        .device_receives(pubrec(V311, 4))
        .device_sends(publish(V311, Publish { dup: true, ..publish_of(Q2, 4, "nowhere", b"x") }))
        .device_receives(pubrec(V311, 4))
        .device_sends(pubrel(V311, 4))
        .device_receives(pubcomp(V311, 4))
        .goes_on()
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::BadTopic), 3))
        .play();
}

#[test]
fn a_refused_message_of_5_is_answered_with_the_reason() {
    let lost = |qos, id| publish(V5, publish_of(qos, id, "nowhere", b"x"));
    let why = ReasonCode::TopicNameInvalid;
    pairs::xyte_legacy_to_xyte()
        .connected()
        .device_sends(lost(Q0, 0))
        .device_sends(lost(Q1, 3))
        .device_receives(acknowledge_with(V5, AcknowledgementKind::Puback, 3, why))
        .device_sends(lost(Q2, 4))
        .device_receives(acknowledge_with(V5, AcknowledgementKind::Pubrec, 4, why))
        // The exchange is over: the same identifier starts another one.
        .device_sends(lost(Q2, 4))
        .device_receives(acknowledge_with(V5, AcknowledgementKind::Pubrec, 4, why))
        .goes_on()
        .play();
}

#[test]
fn a_refused_message_ends_the_session_where_that_is_configured() {
    for (qos, id) in [(Q0, 0), (Q1, 3), (Q2, 4)] {
        pairs::thingscale_to_omnicore()
            .disconnecting()
            .connected()
            .device_sends(publish(V311, publish_of(qos, id, "nowhere", b"x")))
            .ends_as("message_refused")
            .play();
        pairs::xyte_legacy_to_xyte()
            .disconnecting()
            .connected()
            .device_sends(publish(V5, publish_of(qos, id, "nowhere", b"x")))
            .device_receives(disconnect(V5, ReasonCode::TopicNameInvalid))
            .ends_as("message_refused")
            .play();
    }
}

#[test]
fn a_refused_delivery_is_acknowledged_or_ends_the_session_as_configured() {
    let lost = |v, qos, id| publish(v, publish_of(qos, id, "/plant/d77/config", b"x"));
    pairs::thingscale_to_omnicore()
        .connected()
        .upstream_sends(lost(V311, Q0, 0))
        .upstream_sends(lost(V311, Q1, 3))
        .upstream_receives(puback(V311, 3))
        .upstream_sends(lost(V311, Q2, 4))
        .upstream_receives(pubrec(V311, 4))
        .upstream_sends(pubrel(V311, 4))
        .upstream_receives(pubcomp(V311, 4))
        .goes_on()
        .play();
    for qos in [Q1, Q2] {
        pairs::thingscale_to_omnicore()
            .disconnecting()
            .connected()
            .upstream_sends(lost(V311, qos, 3))
            .ends_as("message_refused")
            .play();
        pairs::xyte_legacy_to_xyte()
            .disconnecting()
            .connected()
            .upstream_sends(lost(V5, qos, 3))
            .upstream_receives(disconnect(V5, ReasonCode::TopicNameInvalid))
            .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
            .ends_as("message_refused")
            .play();
    }
    let why = ReasonCode::TopicNameInvalid;
    pairs::xyte_legacy_to_xyte()
        .connected()
        .upstream_sends(lost(V5, Q1, 3))
        .upstream_receives(acknowledge_with(V5, AcknowledgementKind::Puback, 3, why))
        .upstream_sends(lost(V5, Q2, 4))
        .upstream_receives(acknowledge_with(V5, AcknowledgementKind::Pubrec, 4, why))
        .goes_on()
        .play();
}

#[test]
fn more_open_exchanges_than_the_limit_end_the_session() {
    let lost = |id| publish(V311, publish_of(Q2, id, "nowhere", b"x"));
    pairs::thingscale_to_omnicore()
        .limits(|limits| limits.exchanges_max = 2)
        .connected()
        .device_sends(lost(1))
        .device_receives(pubrec(V311, 1))
        .device_sends(lost(2))
        .device_receives(pubrec(V311, 2))
        .device_sends(lost(3))
        .ends(End::ExchangesExceeded)
        .play();
    let light = |topic, id, qos| publish(V5, publish_of(qos, id, topic, TWO_HOMES.payload));
    pairs::mqtt2go_to_omnicore5()
        .remembering(1)
        .connected()
        .device_sends(light("h1/gw1/lamp1/light/out", 1, Q2))
        .upstream_receives(light("/plant/lamp1/events/light", 1, Q1))
        .device_sends(light("h1/gw1/lamp1/light/out", 2, Q2))
        // It isn't acknowledged, so the device sends it again: at least once.
        .upstream_receives(light("/plant/lamp1/events/light", 2, Q1))
        .device_receives(disconnect(V5, ReasonCode::ReceiveMaximumExceeded))
        .ends(End::ExchangesExceeded)
        .play();
}

/// It is the upstream that has too many open; the device did nothing wrong.
#[test]
fn the_upstream_is_told_when_it_has_too_many_exchanges_open() {
    let lost = |id| publish(V311, publish_of(Q2, id, "/plant/d77/config", b"x"));
    pairs::thingscale_to_omnicore()
        .limits(|limits| limits.exchanges_max = 1)
        .connected()
        .upstream_sends(lost(1))
        .upstream_receives(pubrec(V311, 1))
        .upstream_sends(lost(2))
        .ends(End::ExchangesExceeded)
        .play();
    // Deliveries that nobody asked for are acknowledged here, with success.
    let lost = |id| publish(V5, publish_of(Q2, id, "v1/device/XID/command", b"{}"));
    pairs::xyte_legacy_to_xyte()
        .remembering(1)
        .connected()
        .upstream_sends(lost(1))
        .upstream_receives(pubrec(V5, 1))
        .upstream_sends(lost(2))
        .upstream_receives(disconnect(V5, ReasonCode::ReceiveMaximumExceeded))
        .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
        .ends(End::ExchangesExceeded)
        .play();
}

// ---- properties ----

fn with_properties<'a>(topic: &'a str, payload: &'a [u8], list: &[Property<'_>]) -> Vec<u8> {
    let buffer = properties(list);
    let properties = buffer.properties();
    publish(V5, Publish { properties, ..publish_of(Q1, 9, topic, payload) })
}

#[test]
fn response_topics_are_translated_secrets_stay_and_the_rest_keeps_its_order() {
    let given = [
        Property::UserProperty("a", "1"),
        Property::ResponseTopic("v1/device/XID/commands"),
        Property::UserProperty("access_key", pairs::ACCESS_KEY),
        Property::CorrelationData(b"c"),
        Property::UserProperty("a", "2"),
    ];
    let sent = [given[0], Property::ResponseTopic("v1/device/XID/command"), given[3], given[4]];
    let topic = "v1/device/XID/commands/update";
    pairs::xyte_legacy_to_xyte()
        .connected()
        .device_sends(with_properties(topic, b"{\"id\":\"1\",\"status\":\"done\"}", &given))
        .upstream_receives(with_properties(topic, b"{\"id\":\"1\",\"status\":\"done\"}", &sent))
        .goes_on()
        .play();
}

#[test]
fn a_response_topic_that_leads_nowhere_refuses_the_message() {
    let topic = "v1/device/XID/commands/update";
    let list = [Property::ResponseTopic("elsewhere")];
    let why = ReasonCode::TopicNameInvalid;
    pairs::xyte_legacy_to_xyte()
        .connected()
        .device_sends(with_properties(topic, b"{}", &list))
        .device_receives(acknowledge_with(V5, AcknowledgementKind::Puback, 9, why))
        .goes_on()
        .play();
}

#[test]
fn secrets_stay_behind_in_every_packet_that_has_properties() {
    let secret = [
        Property::UserProperty("access_key", pairs::ACCESS_KEY),
        Property::UserProperty("model", "T1"),
    ];
    let kept = &secret[1..];
    let ack = |kind, list: &[Property<'_>]| {
        let buffer = properties(list);
        let packet = interlingua::mqtt::Acknowledgement {
            kind,
            packet_identifier: id(7),
            reason_code: ReasonCode::Success,
            properties: buffer.properties(),
        };
        bytes(V5, interlingua::mqtt::Packet::Acknowledgement(packet))
    };
    use AcknowledgementKind::{Puback, Pubcomp, Pubrec, Pubrel};
    for kind in [Puback, Pubrec, Pubrel, Pubcomp] {
        pairs::xyte_legacy_to_xyte()
            .connected()
            .device_sends(ack(kind, &secret))
            .upstream_receives(ack(kind, kept))
            .play();
    }
    let theirs = [Property::UserProperty("access_key", pairs::UPSTREAM_KEY), secret[1]];
    for kind in [Puback, Pubrec, Pubrel, Pubcomp] {
        pairs::xyte_legacy_to_xyte()
            .connected()
            .upstream_sends(ack(kind, &theirs))
            .device_receives(ack(kind, kept))
            .play();
    }
    pairs::xyte_legacy_to_xyte()
        .connected()
        .device_sends(disconnect_with(V5, ReasonCode::Success, &secret))
        .upstream_receives(disconnect_with(V5, ReasonCode::Success, kept))
        .ends(End::DeviceDisconnected)
        .play();
    let moved = [Property::ServerReference("evil.example"), theirs[0], theirs[1]];
    pairs::xyte_legacy_to_xyte()
        .connected()
        .upstream_sends(disconnect_with(V5, ReasonCode::ServerMoved, &moved))
        .device_receives(disconnect_with(V5, ReasonCode::ServerMoved, kept))
        .ends(End::UpstreamDisconnected(ReasonCode::ServerMoved))
        .play();
}

// ---- attackers ----

/// [MQTT-3.3.4-6]: only servers say which subscription brought a message.
#[test]
fn a_device_sends_no_subscription_identifier() {
    let list = [Property::SubscriptionIdentifier(1)];
    for (script, topic) in
        [(pairs::plain(V5), "a/b"), (pairs::xyte_legacy_to_xyte(), "v1/device/XID/commands/update")]
    {
        script
            .connected()
            .device_sends(with_properties(topic, b"{}", &list))
            .device_receives(disconnect(V5, ReasonCode::ProtocolError))
            .ends_as("device_protocol")
            .play();
    }
    let delivery = with_properties("a/b", b"{}", &list);
    pairs::plain(V5).connected().upstream_sends(delivery.clone()).device_receives(delivery).play();
}

#[test]
fn topic_aliases_do_not_pass_a_translation() {
    let list = [Property::TopicAlias(1)];
    pairs::xyte_legacy_to_xyte()
        .connected()
        .device_sends(with_properties("v1/device/XID/telemetry", b"{}", &list))
        .device_receives(disconnect(V5, ReasonCode::TopicAliasInvalid))
        .ends(End::DeviceMalformed(WireError::TopicAliasInvalid))
        .play();
    pairs::xyte_legacy_to_xyte()
        .connected()
        .upstream_sends(with_properties("v1/device/XID/command", b"{}", &list))
        .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
        .upstream_receives(disconnect(V5, ReasonCode::TopicAliasInvalid))
        .ends(End::UpstreamMalformed(WireError::TopicAliasInvalid))
        .play();
}

#[test]
fn a_translated_message_larger_than_its_receiver_takes_is_refused() {
    let [_, shared] = pairs::told();
    let opening = pairs::mqtt2go_to_omnicore5().opening();
    // The device's packet has 71 bytes, the upstream's would have 74.
    let limit = Property::MaximumPacketSize(72);
    let big = b"{\"type\":\"periodic_report\",\"value\":100000}";
    pairs::mqtt2go_to_omnicore5()
        .device_sends(opening.device_connect)
        .upstream_opens()
        .upstream_receives(opening.upstream_connect)
        .upstream_sends(connack_with(V5, false, ReasonCode::Success, &[limit]))
        .device_receives(connack_with(V5, false, ReasonCode::Success, &[limit, shared]))
        .device_sends(publish(V5, publish_of(Q1, 3, "h1/gw1/lamp1/light/out", big)))
        .device_receives(acknowledge_with(
            V5,
            AcknowledgementKind::Puback,
            3,
            ReasonCode::QuotaExceeded,
        ))
        .goes_on()
        .play();
}

/// [MQTT-3.1.2-24], [MQTT-3.2.2-15]: each side was told a limit and has to keep it, in plain too.
#[test]
fn a_packet_larger_than_its_sender_was_told_ends_the_session() {
    let small = properties(&[Property::MaximumPacketSize(30)]);
    let given =
        interlingua::mqtt::Connect { properties: small.properties(), ..connect_of(V5, "dev") };
    let opened = || {
        pairs::plain(V5)
            .device_sends(connect(given))
            .upstream_opens()
            .upstream_receives(connect(given))
            .upstream_sends(connack_with(
                V5,
                false,
                ReasonCode::Success,
                &[Property::MaximumPacketSize(40)],
            ))
            .device_receives(connack_with(
                V5,
                false,
                ReasonCode::Success,
                &[Property::MaximumPacketSize(40)],
            ))
    };
    let message = |size: usize| publish(V5, publish_of(Q0, 0, "t", &vec![b'x'; size - 6]));
    opened()
        .upstream_sends(message(30))
        .device_receives(message(30))
        .device_sends(message(40))
        .upstream_receives(message(40))
        .goes_on()
        .play();
    opened()
        .upstream_sends(message(31))
        .upstream_receives(disconnect(V5, ReasonCode::PacketTooLarge))
        .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
        .ends_as("upstream_malformed")
        .play();
    opened()
        .device_sends(message(41))
        .device_receives(disconnect(V5, ReasonCode::PacketTooLarge))
        .ends_as("device_malformed")
        .play();
}

#[test]
fn what_only_the_other_side_may_send_ends_the_session() {
    for v in [Version::V31, V311, V5] {
        for packet in [
            connack(v, ReasonCode::Success),
            suback(v, 1, &[0]),
            unsuback(v, 1, &[0]),
            PINGRESP.to_vec(),
        ] {
            let mut script = pairs::plain(v).connected().device_sends(packet);
            if v == V5 {
                script = script.device_receives(disconnect(v, ReasonCode::ProtocolError));
            }
            script.ends(End::DeviceProtocol("a packet that only servers send")).play();
        }
        for packet in [
            connect(connect_of(v, "c")),
            subscribe(v, 1, &[("a", Q0)]),
            unsubscribe(v, 1, &["a"]),
            PINGREQ.to_vec(),
        ] {
            let mut script = pairs::plain(v).connected().upstream_sends(packet);
            if v == V5 {
                script = script
                    .device_receives(disconnect(v, ReasonCode::UnspecifiedError))
                    .upstream_receives(disconnect(v, ReasonCode::ProtocolError));
            }
            script.ends(End::UpstreamProtocol("a packet that only clients send")).play();
        }
    }
    pairs::plain(V311)
        .connected()
        .upstream_sends(disconnect(V311, ReasonCode::Success))
        .ends_as("upstream_protocol")
        .play();
}

#[test]
fn malformed_bytes_end_the_session_and_both_sides_of_5_are_told() {
    let wrong: [(&[u8], ReasonCode); 9] = [
        (b"\x00\x00", ReasonCode::MalformedPacket),
        (b"\x36\x05\x00\x01t\x00\x01", ReasonCode::MalformedPacket),
        (b"\x30\xFF\xFF\xFF\x7F", ReasonCode::PacketTooLarge),
        (b"\x30\x80\x80\x80\x80\x01", ReasonCode::MalformedPacket),
        (b"\x30\x06\x00\x03a/#\x00", ReasonCode::TopicNameInvalid),
        (b"\x30\x05\x00\x02\xED\xA0\x00", ReasonCode::MalformedPacket),
        (b"\x30\x03\x00\x00\x00", ReasonCode::ProtocolError),
        (b"\x40\x02\x00\x00", ReasonCode::ProtocolError),
        (b"\x40\x03\x00\x01\x92", ReasonCode::MalformedPacket),
    ];
    for (bytes, code) in wrong {
        for script in [pairs::plain(V5), pairs::xyte_legacy_to_xyte()] {
            script
                .connected()
                .device_sends(bytes)
                .device_receives(disconnect(V5, code))
                .ends_as("device_malformed")
                .play();
        }
        for script in [pairs::plain(V5), pairs::xyte_legacy_to_xyte()] {
            script
                .connected()
                .upstream_sends(bytes)
                .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
                .upstream_receives(disconnect(V5, code))
                .ends_as("upstream_malformed")
                .play();
        }
        let bytes = &bytes[..bytes.len().min(5)];
        if code != ReasonCode::ProtocolError && bytes[0] != 0x30 && bytes[0] != 0x40 {
            pairs::thingscale_to_omnicore()
                .connected()
                .device_sends(bytes)
                .ends_as("device_malformed")
                .play();
        }
    }
}

#[test]
fn a_topic_of_65535_slashes_is_refused_and_nothing_else() {
    let deep = "/".repeat(65_535);
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(publish(V311, publish_of(Q1, 3, &deep, b"x")))
        .device_receives(puback(V311, 3))
        .goes_on()
        .play();
}

/// Xyte's older generation wants to be told with each message who sends it.
#[test]
fn messages_carry_the_user_properties_that_the_platform_wants() {
    let here = pairs::side("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]);
    let there = pairs::side("xyte-legacy", &[("access_key", pairs::UPSTREAM_KEY)]);
    let translator = pairs::translator(here, there, Identity::Same);
    let limit = properties(&[pairs::own_limit()]);
    let opening = Opening {
        device_connect: connect(connect_of(V311, "XID")),
        upstream_connect: connect(Connect {
            properties: limit.properties(),
            user_name: Some("XID"),
            password: Some(pairs::UPSTREAM_KEY.as_bytes()),
            ..connect_of(V5, "XID")
        }),
        upstream_connack: connack(V5, ReasonCode::Success),
        device_connack: connack(V311, ReasonCode::Success),
    };
    let report = br#"{"type":"periodic_report","timestamp":1567677926,"value":21.8}"#;
    let wanted = properties(&[
        Property::UserProperty("device_id", "XID"),
        Property::UserProperty("access_key", pairs::UPSTREAM_KEY),
    ]);
    let telemetry = br#"{"status":"online","timestamp":"2019-09-05T10:05:26.000Z","telemetries":{"temperature":21.8}}"#;
    let sent = publish_of(Q1, 7, "v1/device/XID/telemetry", telemetry);
    Script::new(V311, translator, opening)
        .upstream_in(V5)
        .secret_of_upstream(pairs::UPSTREAM_KEY)
        .connected()
        .device_sends(publish(V311, publish_of(Q1, 7, "h1/gw1/XID/temperature/out", report)))
        .upstream_receives(publish(V5, Publish { properties: wanted.properties(), ..sent }))
        .upstream_sends(puback(V5, 7))
        .device_receives(puback(V311, 7))
        .goes_on()
        .play();
}

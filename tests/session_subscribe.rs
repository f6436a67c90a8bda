//! SUBSCRIBE and UNSUBSCRIBE: mapped, merged, refused; and which deliveries reach the device.

mod script;

use interlingua::mqtt::{Property, Publish, Qos, ReasonCode, Version};
use interlingua::session::End;
use interlingua::translate::{Reason, Way};
use script::packets::*;
use script::{Script, pairs};

const V31: Version = Version::V31;
const V311: Version = Version::V311;
const V5: Version = Version::V5;
const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;

const NOT_MAPPABLE: u8 = 0x8F;
/// What a filter of MQTT2GO becomes at OmniCore: commands and configurations are two topics there.
const COMMANDS: &str = "/plant/lamp1/commands/#";
const CONFIG: &str = "/plant/lamp1/config";
const THERE: [(&str, Qos); 2] = [(COMMANDS, Q1), (CONFIG, Q1)];

#[test]
fn plain_passes_subscriptions_as_they_are() {
    for v in [V31, V311, V5] {
        let packets = [
            subscribe(v, 1, &[("a/#", Q2), ("$share/g/b", Q0), ("#", Q1)]),
            unsubscribe(v, 2, &["a/#", "never/there"]),
        ];
        let answers = [suback(v, 1, &[2, 0, 1]), unsuback(v, 2, &[0, 0x11])];
        let mut script = pairs::plain(v).connected();
        for (packet, answer) in packets.into_iter().zip(answers) {
            script = script
                .device_sends(packet.clone())
                .upstream_receives(packet)
                .upstream_sends(answer.clone())
                .device_receives(answer);
        }
        // Whoever asked, in plain the device is the judge.
        let stray = suback(v, 77, &[0]);
        script.upstream_sends(stray.clone()).device_receives(stray).goes_on().play();
    }
}

fn lamp() -> Script {
    pairs::mqtt2go_to_omnicore().connected()
}

#[test]
fn a_filter_is_mapped_and_its_qos_is_what_both_platforms_know() {
    lamp()
        .device_sends(subscribe(V311, 1, &[("h1/gw1/lamp1/light/in", Q2)]))
        .upstream_receives(subscribe(V311, 1, &THERE))
        .upstream_sends(suback(V311, 1, &[1, 1]))
        .device_receives(suback(V311, 1, &[1]))
        .goes_on()
        .play();
}

#[test]
fn a_filter_that_became_two_is_granted_what_the_weaker_one_got() {
    for (codes, merged) in [([1, 0], 0), ([0x80, 1], 0x80), ([1, 0x80], 0x80), ([1, 1], 1)] {
        lamp()
            .device_sends(subscribe(V311, 1, &[("h1/gw1/lamp1/light/in", Q1)]))
            .upstream_receives(subscribe(V311, 1, &THERE))
            .upstream_sends(suback(V311, 1, &codes))
            .device_receives(suback(V311, 1, &[merged]))
            .goes_on()
            .play();
    }
}

#[test]
fn the_codes_of_a_suback_stand_in_the_order_of_the_devices_filters() {
    lamp()
        .device_sends(subscribe(
            V311,
            1,
            &[
                ("#", Q1),
                ("h1/gw1/lamp1/light/in", Q0),
                ("elsewhere/x", Q1),
                ("h1/gw1/lamp1/heat/in", Q1),
            ],
        ))
        // One upstream filter for two of the device's, with the highest QoS of them.
        .upstream_receives(subscribe(V311, 1, &THERE))
        .upstream_sends(suback(V311, 1, &[1, 1]))
        // Nobody is granted more than was asked for.
        .device_receives(suback(V311, 1, &[0x80, 0, 0x80, 1]))
        .look(|_, tally| assert_eq!(tally.refused(Way::Up, Reason::FilterNotMappable), 2))
        .goes_on()
        .play();
}

#[test]
fn a_later_filter_does_not_lower_the_qos_of_an_earlier_one() {
    lamp()
        .device_sends(subscribe(V311, 1, &[("h1/gw1/lamp1/light/in", Q1)]))
        .upstream_receives(subscribe(V311, 1, &THERE))
        .upstream_sends(suback(V311, 1, &[1, 1]))
        .device_receives(suback(V311, 1, &[1]))
        .device_sends(subscribe(V311, 2, &[("h1/gw1/lamp1/heat/in", Q0)]))
        .upstream_receives(subscribe(V311, 2, &THERE))
        .upstream_sends(suback(V311, 2, &[1, 1]))
        .device_receives(suback(V311, 2, &[0]))
        .play();
}

#[test]
fn what_cannot_be_mapped_is_refused_without_the_upstream() {
    let wide = ["#", "+/#", "$SYS/#", "elsewhere/x"];
    for filter in wide {
        pairs::thingscale_to_omnicore()
            .connected()
            .device_sends(subscribe(V311, 1, &[(filter, Q1)]))
            .device_receives(suback(V311, 1, &[0x80]))
            .goes_on()
            .play();
        pairs::xyte_legacy_to_xyte()
            .connected()
            .device_sends(subscribe(V5, 1, &[(filter, Q1), ("$share/g/x", Q0)]))
            .device_receives(suback(V5, 1, &[NOT_MAPPABLE, NOT_MAPPABLE]))
            .goes_on()
            .play();
    }
}

/// SUBACK knows fewer reason codes than PUBACK.
#[test]
fn every_refusal_of_a_filter_has_a_code_that_suback_may_carry() {
    pairs::xyte_to_mqtt2go()
        .connected()
        .device_sends(subscribe(V5, 1, &[("v1/device/homes/commands", Q1)]))
        .device_receives(suback(V5, 1, &[NOT_MAPPABLE]))
        .goes_on()
        .play();
}

#[test]
fn thingscales_one_topic_brings_every_command() {
    let filter = "TOK-4711/77/subscribe";
    let command = |topic| publish(V311, publish_of(Q1, 9, topic, b"on"));
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(subscribe(V311, 1, &[(filter, Q1)]))
        .upstream_receives(subscribe(V311, 1, &[("/plant/d77/commands/#", Q1)]))
        // A delivery may overtake the SUBACK.
        .upstream_sends(command("/plant/d77/commands/relay"))
        .device_receives(command(filter))
        .upstream_sends(suback(V311, 1, &[1]))
        .device_receives(suback(V311, 1, &[1]))
        .device_sends(puback(V311, 9))
        .upstream_receives(puback(V311, 9))
        .play();
}

#[test]
fn deliveries_that_nobody_asked_for_are_acknowledged_and_kept_from_the_device() {
    let command = |qos, id| publish(V311, publish_of(qos, id, "/plant/d77/commands", b"on"));
    pairs::thingscale_to_omnicore()
        .connected()
        .upstream_sends(command(Q0, 0))
        .upstream_sends(command(Q1, 9))
        .upstream_receives(puback(V311, 9))
        .upstream_sends(command(Q2, 9))
        .upstream_receives(pubrec(V311, 9))
        .upstream_sends(command(Q2, 9))
        .upstream_receives(pubrec(V311, 9))
        .upstream_sends(pubrel(V311, 9))
        .upstream_receives(pubcomp(V311, 9))
        .look(|_, tally| assert_eq!(tally.filtered(), 3))
        .goes_on()
        .play();
}

const LIGHT: (&str, &str) = ("h1/gw1/lamp1/light/in", "h9/gw9/lamp1/light/in");
const HEAT: (&str, &str) = ("h1/gw1/lamp1/heat/in", "h9/gw9/lamp1/heat/in");
const SET: &[u8] = b"{\"type\":\"set\",\"value\":1}";

fn homes() -> Script {
    pairs::mqtt2go_to_mqtt2go().connected()
}

/// [MQTT-3.8.4-8]: an upstream that delivers with more QoS than was granted.
#[test]
fn nothing_is_delivered_with_more_qos_than_was_granted() {
    let set = |topic, qos, id| publish(V5, publish_of(qos, id, topic, SET));
    homes()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q0), (HEAT.0, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q0), (HEAT.1, Q1)]))
        .upstream_sends(suback(V5, 1, &[0, 1]))
        .device_receives(suback(V5, 1, &[0, 1]))
        .upstream_sends(set(LIGHT.1, Q1, 9))
        .device_receives(set(LIGHT.0, Q0, 0))
        .upstream_receives(puback(V5, 9))
        // MQTT has no DUP at QoS 0.
        .upstream_sends(publish(V5, Publish { dup: true, ..publish_of(Q1, 9, LIGHT.1, SET) }))
        .device_receives(set(LIGHT.0, Q0, 0))
        .upstream_receives(puback(V5, 9))
        .upstream_sends(set(HEAT.1, Q2, 9))
        .device_receives(set(HEAT.0, Q1, 9))
        .device_sends(puback(V5, 9))
        .upstream_receives(pubrec(V5, 9))
        .upstream_sends(pubrel(V5, 9))
        .upstream_receives(pubcomp(V5, 9))
        .goes_on()
        .play();
}

#[test]
fn a_resumed_session_may_have_asked_for_anything() {
    let set = |topic, qos, id| publish(V5, publish_of(qos, id, topic, SET));
    let script = pairs::mqtt2go_to_mqtt2go();
    let mut opening = script.opening();
    // Clean start off, on both sides: bit 1 of the flags.
    opening.device_connect[9] &= !2;
    opening.upstream_connect[9] &= !2;
    script
        .device_sends(opening.device_connect)
        .upstream_opens()
        .upstream_receives(opening.upstream_connect)
        .upstream_sends(connack_with(V5, true, ReasonCode::Success, &[]))
        .device_receives(connack_with(V5, true, ReasonCode::Success, &pairs::told()))
        .upstream_sends(set(LIGHT.1, Q2, 9))
        .device_receives(set(LIGHT.0, Q2, 9))
        .device_sends(unsubscribe(V5, 2, &[LIGHT.0]))
        .upstream_receives(unsubscribe(V5, 2, &[LIGHT.1]))
        .upstream_sends(unsuback(V5, 2, &[0]))
        .device_receives(unsuback(V5, 2, &[0]))
        .play();
}

#[test]
fn retained_flags_of_deliveries_follow_the_device_platforms_rule() {
    let set = |topic, retain| publish(V5, Publish { retain, ..publish_of(Q1, 9, topic, SET) });
    homes()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1)]))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V5, 1, &[1]))
        .upstream_sends(set(LIGHT.1, true))
        .device_receives(set(LIGHT.0, false))
        .play();
}

#[test]
fn a_refusal_of_the_upstream_reaches_the_device_and_is_remembered() {
    let set = |topic| publish(V5, publish_of(Q1, 9, topic, SET));
    homes()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1), (HEAT.0, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1), (HEAT.1, Q1)]))
        .upstream_sends(suback(V5, 1, &[0x87, 1]))
        .device_receives(suback(V5, 1, &[0x87, 1]))
        .upstream_sends(set(LIGHT.1))
        .upstream_receives(puback(V5, 9))
        .upstream_sends(set(HEAT.1))
        .device_receives(set(HEAT.0))
        .play();
}

#[test]
fn a_shared_upstream_filter_goes_with_its_last_user() {
    let both = [("h1/gw1/lamp1/light/in", Q1), ("h1/gw1/lamp1/heat/in", Q1)];
    let command = |topic| publish(V311, publish_of(Q1, 9, topic, SET));
    lamp()
        .device_sends(subscribe(V311, 1, &both))
        .upstream_receives(subscribe(V311, 1, &THERE))
        .upstream_sends(suback(V311, 1, &[1, 1]))
        .device_receives(suback(V311, 1, &[1, 1]))
        .device_sends(unsubscribe(V311, 2, &[both[0].0]))
        .device_receives(unsuback(V311, 2, &[]))
        .upstream_sends(command("/plant/lamp1/commands/light"))
        .upstream_receives(puback(V311, 9))
        .device_sends(unsubscribe(V311, 3, &[both[1].0, "elsewhere"]))
        .upstream_receives(unsubscribe(V311, 3, &[COMMANDS, CONFIG]))
        .upstream_sends(unsuback(V311, 3, &[]))
        .device_receives(unsuback(V311, 3, &[]))
        .goes_on()
        .play();
}

#[test]
fn unsubscribing_answers_each_filter_in_its_order() {
    homes()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1)]))
        .upstream_sends(suback(V5, 1, &[1]))
        .device_receives(suback(V5, 1, &[1]))
        .device_sends(unsubscribe(V5, 2, &["elsewhere", LIGHT.0, HEAT.0]))
        .upstream_receives(unsubscribe(V5, 2, &[LIGHT.1, HEAT.1]))
        .upstream_sends(unsuback(V5, 2, &[0, 0x11]))
        .device_receives(unsuback(V5, 2, &[0x11, 0, 0x11]))
        .goes_on()
        .play();
    // A filter that was never there, whose upstream filter serves another one.
    pairs::mqtt2go_to_omnicore5()
        .connected()
        .device_sends(subscribe(V5, 1, &[("h1/gw1/lamp1/light/in", Q1)]))
        .upstream_receives(subscribe(V5, 1, &THERE))
        .upstream_sends(suback(V5, 1, &[1, 1]))
        .device_receives(suback(V5, 1, &[1]))
        .device_sends(unsubscribe(V5, 2, &["h1/gw1/lamp1/heat/in"]))
        .device_receives(unsuback(V5, 2, &[0x11]))
        .play();
}

#[test]
fn secrets_in_subscriptions_stay_behind() {
    let secret = [
        Property::UserProperty("access_key", pairs::ACCESS_KEY),
        Property::UserProperty("model", "T1"),
    ];
    let theirs = [Property::UserProperty("access_key", pairs::UPSTREAM_KEY), secret[1]];
    let (here, there) = ("v1/device/XID/commands", "v1/device/XID/command");
    pairs::xyte_legacy_to_xyte()
        .connected()
        .device_sends(subscribe_with(V5, 1, &[(here, Q1)], &secret))
        .upstream_receives(subscribe_with(V5, 1, &[(there, Q1)], &secret[1..]))
        .upstream_sends(suback_with(V5, 1, &[1], &theirs))
        .device_receives(suback_with(V5, 1, &[1], &secret[1..]))
        .device_sends(unsubscribe_with(V5, 2, &[here], &secret))
        .upstream_receives(unsubscribe_with(V5, 2, &[there], &secret[1..]))
        .play();
}

// ---- attackers ----

#[test]
fn an_answer_that_nobody_is_owed_ends_the_session() {
    for packet in [suback(V5, 1, &[0]), unsuback(V5, 1, &[0])] {
        homes()
            .upstream_sends(packet)
            .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
            .upstream_receives(disconnect(V5, ReasonCode::ProtocolError))
            .ends_as("upstream_protocol")
            .play();
    }
    // UNSUBACK for a SUBSCRIBE.
    lamp()
        .device_sends(subscribe(V311, 1, &[("h1/gw1/lamp1/light/in", Q1)]))
        .upstream_receives(subscribe(V311, 1, &THERE))
        .upstream_sends(unsuback(V311, 1, &[]))
        .ends_as("upstream_protocol")
        .play();
}

#[test]
fn a_suback_with_the_wrong_number_of_codes_grants_nothing_by_mistake() {
    for codes in [&[1][..], &[1, 1, 1]] {
        homes()
            .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1), (HEAT.0, Q1)]))
            .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1), (HEAT.1, Q1)]))
            .upstream_sends(suback(V5, 1, codes))
            .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
            .upstream_receives(disconnect(V5, ReasonCode::ProtocolError))
            .ends_as("upstream_protocol")
            .play();
    }
    for codes in [&[0][..], &[0, 0, 0]] {
        homes()
            .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1)]))
            .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1)]))
            .upstream_sends(suback(V5, 1, &[1]))
            .device_receives(suback(V5, 1, &[1]))
            .device_sends(unsubscribe(V5, 2, &[LIGHT.0, HEAT.0]))
            .upstream_receives(unsubscribe(V5, 2, &[LIGHT.1, HEAT.1]))
            .upstream_sends(unsuback(V5, 2, codes))
            .device_receives(disconnect(V5, ReasonCode::UnspecifiedError))
            .upstream_receives(disconnect(V5, ReasonCode::ProtocolError))
            .ends_as("upstream_protocol")
            .play();
    }
}

#[test]
fn a_packet_identifier_in_use_is_the_devices_mistake_not_the_upstreams() {
    homes()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1)]))
        .device_sends(subscribe(V5, 1, &[(HEAT.0, Q1)]))
        .device_receives(disconnect(V5, ReasonCode::ProtocolError))
        .ends_as("device_protocol")
        .play();
    homes()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1)]))
        .device_sends(unsubscribe(V5, 1, &[LIGHT.0]))
        .device_receives(disconnect(V5, ReasonCode::ProtocolError))
        .ends_as("device_protocol")
        .play();
}

/// MQTT 3.1 sends SUBSCRIBE again, with DUP, when its answer takes long (section 3.8).
#[test]
fn a_subscribe_sent_again_is_answered_once() {
    let (here, there) = ("TOK-4711/77/subscribe", "TOK-THERE/77/subscribe");
    let given = subscribe(V31, 1, &[(here, Q1)]);
    let mut again = given.clone();
    again[0] |= 0b1000;
    pairs::thingscale_to_thingscale()
        .connected()
        .device_sends(given)
        .upstream_receives(subscribe(V31, 1, &[(there, Q1)]))
        .device_sends(again)
        .upstream_sends(suback(V31, 1, &[1]))
        .device_receives(suback(V31, 1, &[1]))
        .upstream_sends(publish(V31, publish_of(Q1, 9, there, b"on")))
        .device_receives(publish(V31, publish_of(Q1, 9, here, b"on")))
        .goes_on()
        .play();
    // 3.1 has no code for a refusal: what will never come is granted.
    pairs::thingscale_to_thingscale()
        .connected()
        .device_sends(subscribe(V31, 1, &[("#", Q2)]))
        .device_receives(suback(V31, 1, &[0]))
        .goes_on()
        .play();
}

#[test]
fn no_more_filters_than_the_limit() {
    let three = [("h1/gw1/lamp1/a/in", Q1), ("h1/gw1/lamp1/b/in", Q1), ("h1/gw1/lamp1/c/in", Q1)];
    pairs::mqtt2go_to_mqtt2go()
        .limits(|limits| limits.subscriptions_max = 2)
        .connected()
        .device_sends(subscribe(V5, 1, &three))
        .upstream_receives(subscribe(
            V5,
            1,
            &[("h9/gw9/lamp1/a/in", Q1), ("h9/gw9/lamp1/b/in", Q1)],
        ))
        .upstream_sends(suback(V5, 1, &[1, 1]))
        .device_receives(suback(V5, 1, &[1, 1, 0x97]))
        .goes_on()
        .play();
}

#[test]
fn unanswered_subscriptions_are_bounded_in_number_and_in_bytes() {
    let script = pairs::mqtt2go_to_mqtt2go().remembering(1).connected();
    script
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q1)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q1)]))
        .device_sends(subscribe(V5, 2, &[(LIGHT.0, Q1)]))
        .device_receives(disconnect(V5, ReasonCode::ReceiveMaximumExceeded))
        .ends(End::ExchangesExceeded)
        .play();
    // An upstream that never answers lets a device pile up filters: 30 at a time here, the same ones.
    let wishes: Vec<(&str, Qos)> = (0..30).map(|_| (LIGHT.0, Q1)).collect();
    let mut script = pairs::mqtt2go_to_mqtt2go()
        .limits(|limits| limits.packet_size_max = 2000)
        .limits(|limits| limits.subscriptions_max = 50);
    let opening = script.opening();
    let limit = Property::MaximumPacketSize(2000);
    let mut upstream_connect = opening.upstream_connect.clone();
    // The properties of CONNECT begin at byte 12, after their length.
    upstream_connect[14..18].copy_from_slice(&2000_u32.to_be_bytes());
    script = script
        .device_sends(opening.device_connect)
        .upstream_opens()
        .upstream_receives(upstream_connect)
        .upstream_sends(opening.upstream_connack)
        .device_receives(connack_with(V5, false, ReasonCode::Success, &[limit, pairs::told()[1]]));
    for identifier in 1..3 {
        script = script
            .device_sends(subscribe(V5, identifier, &wishes))
            .upstream_receives(subscribe(V5, identifier, &[(LIGHT.1, Q1)]));
    }
    script
        .device_sends(subscribe(V5, 3, &wishes))
        .device_receives(disconnect(V5, ReasonCode::ReceiveMaximumExceeded))
        .ends(End::ExchangesExceeded)
        .play();
}

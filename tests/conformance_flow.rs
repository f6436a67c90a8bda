//! Statements of chapter 4: the exchanges of QoS 1 and 2, sending again, order, and how much may be open at once.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{AcknowledgementKind, Publish, Qos, ReasonCode, Version};
use script::packets::*;
use script::{Script, pairs};

fn up(version: Version, qos: Qos, id: u16) -> Vec<u8> {
    publish(version, publish_of(qos, id, UP, REPORT))
}

fn up_there(version: Version, qos: Qos, id: u16) -> Vec<u8> {
    publish(version, publish_of(qos, id, UP_THERE, REPORT))
}

fn refusing(version: Version, kind: AcknowledgementKind, id: u16) -> Vec<u8> {
    acknowledge_with(version, kind, id, ReasonCode::QuotaExceeded)
}

/// Sessions that translate between two homes: 3.1.1 and 5 on both sides, and one in front of the other.
fn homes_running() -> [(Script, Version, Version); 4] {
    [
        (homes_of(V311).connected(), V311, V311),
        (homes_of(V5).connected(), V5, V5),
        (to_5(V311, &[]).connected(), V311, V5),
        (from_5(&[]).connected(), V5, V311),
    ]
}

/// And with what the device subscribed to.
fn homes_listening() -> impl Iterator<Item = (Script, Version, Version)> {
    homes_running().into_iter().map(|(script, here, there)| {
        let script = script
            .device_sends(subscribe(here, 1, &[(DOWN, Q2)]))
            .upstream_receives(subscribe(there, 1, &[(DOWN_THERE, Q2)]))
            .upstream_sends(suback(there, 1, &[2]))
            .device_receives(suback(here, 1, &[2]));
        (script, here, there)
    })
}

fn down(version: Version, qos: Qos, id: u16) -> Vec<u8> {
    publish(version, publish_of(qos, id, DOWN, SET))
}

fn down_there(version: Version, qos: Qos, id: u16) -> Vec<u8> {
    publish(version, publish_of(qos, id, DOWN_THERE, SET))
}

// ---- QoS 1 ----

/// Under its own identifier, and only when the other side has it; both ways, between all versions.
#[test]
fn v5_4_3_2_4_puback_is_the_receivers() {
    for (script, here, there) in homes_listening() {
        script
            .device_sends(up(here, Q1, 0xABCD))
            .upstream_receives(up_there(there, Q1, 0xABCD))
            .after(50.0)
            .upstream_sends(puback(there, 0xABCD))
            .device_receives(puback(here, 0xABCD))
            .upstream_sends(down_there(there, Q1, 0x1234))
            .device_receives(down(here, Q1, 0x1234))
            .device_sends(puback(here, 0x1234))
            .upstream_receives(puback(there, 0x1234))
            .goes_on()
            .play();
    }
}

/// Whatever its DUP flag says.
#[test]
fn v5_4_3_2_5_after_puback_the_identifier_is_another_messages() {
    for dup in [false, true] {
        for (script, here, there) in homes_running() {
            let again = |v, topic| publish(v, Publish { dup, ..publish_of(Q1, 7, topic, REPORT) });
            script
                .device_sends(up(here, Q1, 7))
                .upstream_receives(up_there(there, Q1, 7))
                .upstream_sends(puback(there, 7))
                .device_receives(puback(here, 7))
                .device_sends(again(here, UP))
                .upstream_receives(again(there, UP_THERE))
                .goes_on()
                .play();
        }
        // One that the proxy answers itself.
        let lost = |dup| Publish { dup, ..publish_of(Q1, 7, "elsewhere", b"x") };
        homes_of(V5)
            .connected()
            .device_sends(publish(V5, lost(false)))
            .device_receives([0x40, 3, 0, 7, 0x90])
            .device_sends(publish(V5, lost(dup)))
            .device_receives([0x40, 3, 0, 7, 0x90])
            .goes_on()
            .play();
    }
}

/// It comes again before its parts have arrived: nothing may be acknowledged that the upstream doesn't have.
#[test]
fn v3_4_3_2_2_a_message_in_parts_that_comes_again_is_not_acknowledged_early() {
    let part = |(topic, payload), id| publish(V311, publish_of(Q1, id, topic, payload));
    let again = Publish { dup: true, ..publish_of(Q1, 7, BOTH.0, BOTH.1) };
    properties_apart(V311)
        .connected()
        .device_sends(part(BOTH, 7))
        .upstream_receives([part(TEMP, 7), part(WIND, LENT)].concat())
        .device_sends(publish(V311, again))
        .upstream_sends([puback(V311, 7), puback(V311, LENT)].concat())
        .device_receives(puback(V311, 7))
        .goes_on()
        .play();
}

// ---- QoS 2 ----

/// All four steps, both ways, and then the identifier is free.
#[test]
fn v5_4_3_3_12_after_pubcomp_the_identifier_is_another_messages() {
    for (script, here, there) in homes_listening() {
        let mut script = script;
        for _ in 0..2 {
            script = script
                .device_sends(up(here, Q2, 7))
                .upstream_receives(up_there(there, Q2, 7))
                .upstream_sends(pubrec(there, 7))
                .device_receives(pubrec(here, 7))
                .device_sends(pubrel(here, 7))
                .upstream_receives(pubrel(there, 7))
                .upstream_sends(pubcomp(there, 7))
                .device_receives(pubcomp(here, 7))
                .upstream_sends(down_there(there, Q2, 7))
                .device_receives(down(here, Q2, 7))
                .device_sends(pubrec(here, 7))
                .upstream_receives(pubrec(there, 7))
                .upstream_sends(pubrel(there, 7))
                .device_receives(pubrel(here, 7))
                .device_sends(pubcomp(here, 7))
                .upstream_receives(pubcomp(there, 7));
        }
        script.goes_on().play();
    }
}

/// A message that ends in the proxy: PUBREC with an error is the last word of version 5.
#[test]
fn v5_4_3_3_9_after_an_error_in_pubrec_the_message_is_a_new_one() {
    let lost = |topic| publish(V5, publish_of(Q2, 7, topic, REPORT));
    homes_of(V5)
        .connected()
        .device_sends(lost("elsewhere"))
        .device_receives([0x50, 3, 0, 7, 0x90])
        .device_sends(lost(UP))
        .upstream_receives(lost(UP_THERE))
        .goes_on()
        .play();
}

/// Each PUBREL is answered, under its identifier; where the receiver knows nothing of it, with the code for that.
#[test]
fn v5_4_3_3_11_each_pubrel_is_answered_by_pubcomp() {
    let lost = |v, id| publish(v, publish_of(Q2, id, "elsewhere", b"x"));
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends([lost(V311, 7), lost(V311, 8)].concat())
        .device_receives([pubrec(V311, 7), pubrec(V311, 8)].concat())
        .device_sends([pubrel(V311, 8), pubrel(V311, 7), pubrel(V311, 7)].concat())
        .device_receives([pubcomp(V311, 8), pubcomp(V311, 7), pubcomp(V311, 7)].concat())
        .goes_on()
        .play();
    pairs::mqtt2go_to_omnicore5()
        .connected()
        .device_sends(pubrel(V5, 9))
        .device_receives([0x70, 3, 0, 9, 0x92])
        .goes_on()
        .play();
}

/// While the exchange is open, the same message again is answered and goes no further.
#[test]
fn v3_4_3_3_2_a_message_of_an_open_exchange_is_not_delivered_twice() {
    let again = |v, topic| publish(v, Publish { dup: true, ..publish_of(Q2, 7, topic, b"x") });
    pairs::thingscale_to_omnicore()
        .connected()
        .device_sends(publish(V311, publish_of(Q2, 7, "elsewhere", b"x")))
        .device_receives(pubrec(V311, 7))
        .device_sends(again(V311, "elsewhere"))
        .device_receives(pubrec(V311, 7))
        // Whatever its topic is: it is known by its identifier.
        .device_sends(again(V311, "TOK-4711/json/77"))
        .device_receives(pubrec(V311, 7))
        .device_sends(pubrel(V311, 7))
        .device_receives(pubcomp(V311, 7))
        .goes_on()
        .play();
}

// ---- sending again ----

/// The proxy itself never sends anything again, however long it takes.
#[test]
fn v5_4_4_0_1_nothing_is_sent_again_by_itself() {
    for (script, here, there) in homes_listening() {
        let mut script = script
            .device_sends([up(here, Q1, 7), up(here, Q2, 8)].concat())
            .upstream_receives([up_there(there, Q1, 7), up_there(there, Q2, 8)].concat())
            .upstream_sends([down_there(there, Q1, 7), down_there(there, Q2, 8)].concat())
            .device_receives([down(here, Q1, 7), down(here, Q2, 8)].concat())
            .upstream_sends(pubrec(there, 8))
            .device_receives(pubrec(here, 8))
            .device_sends(pubrel(here, 8))
            .upstream_receives(pubrel(there, 8));
        for _ in 0..100 {
            script = script
                .after(50.0)
                .device_sends(PINGREQ)
                .upstream_receives(PINGREQ)
                .upstream_sends(PINGRESP)
                .device_receives(PINGRESP);
        }
        script.goes_on().play();
    }
}

/// An error in PUBACK or PUBREC ends the message for both sides; its identifier is free.
#[test]
fn v5_4_4_0_2_a_refused_message_is_done() {
    use AcknowledgementKind::{Puback, Pubrec};
    for (qos, kind) in [(Q1, Puback), (Q2, Pubrec)] {
        homes_of(V5)
            .connected()
            .device_sends(up(V5, qos, 7))
            .upstream_receives(up_there(V5, qos, 7))
            .upstream_sends(refusing(V5, kind, 7))
            .device_receives(refusing(V5, kind, 7))
            .after(50.0)
            .device_sends(up(V5, qos, 7))
            .upstream_receives(up_there(V5, qos, 7))
            .goes_on()
            .play();
    }
}

// ---- order ----

/// As they came, both ways, with everything of one side in one chunk; and so do their answers.
#[test]
fn v5_4_6_0_5_messages_keep_their_order() {
    let ids = [3, 1, 2, 9, 7];
    let all = |one: &dyn Fn(u16) -> Vec<u8>| ids.map(one).concat();
    for (script, here, there) in homes_listening() {
        script
            .device_sends(all(&|id| up(here, Q1, id)))
            .upstream_receives(all(&|id| up_there(there, Q1, id)))
            .upstream_sends(all(&|id| puback(there, id)))
            .device_receives(all(&|id| puback(here, id)))
            .upstream_sends(all(&|id| down_there(there, Q2, id)))
            .device_receives(all(&|id| down(here, Q2, id)))
            .device_sends(all(&|id| pubrec(here, id)))
            .upstream_receives(all(&|id| pubrec(there, id)))
            .upstream_sends(all(&|id| pubrel(there, id)))
            .device_receives(all(&|id| pubrel(here, id)))
            .goes_on()
            .play();
    }
}

/// The second message is one that the device didn't ask for, so that the proxy could answer it at once.
fn answers_keep_the_order_of_messages(qos: Qos, answer: fn(Version, u16) -> Vec<u8>) {
    let set = |topic, id| publish(V5, publish_of(qos, id, topic, SET));
    pairs::mqtt2go_to_mqtt2go()
        .connected()
        .device_sends(subscribe(V5, 1, &[(LIGHT.0, Q2)]))
        .upstream_receives(subscribe(V5, 1, &[(LIGHT.1, Q2)]))
        .upstream_sends(suback(V5, 1, &[2]))
        .device_receives(suback(V5, 1, &[2]))
        .upstream_sends([set(LIGHT.1, 1), set(HEAT.1, 2)].concat())
        .device_receives(set(LIGHT.0, 1))
        .device_sends(answer(V5, 1))
        .upstream_receives([answer(V5, 1), answer(V5, 2)].concat())
        .goes_on()
        .play();
}

#[test]
fn v5_4_6_0_2_pubacks_keep_the_order_of_messages() {
    answers_keep_the_order_of_messages(Q1, puback);
}

#[test]
fn v5_4_6_0_3_pubrecs_keep_the_order_of_messages() {
    answers_keep_the_order_of_messages(Q2, pubrec);
}

//! Statements about how much may be open at once (Receive Maximum), and about sessions that outlive a connection,
//! where a device and its upstream speak different versions: one of them wasn't told.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use std::sync::Arc;
use std::time::Instant;

use conformance::*;
use interlingua::mqtt::{
    AcknowledgementKind, Connack, Connect, Packet, Property, PropertyIdentifier, Qos, ReasonCode,
    Version, next_packet,
};
use interlingua::session::{OnRefusal, SessionPlan};
use script::packets::*;
use script::run::{Peer, Run};
use script::{Opening, Script, pairs};

const ONE: Property<'static> = Property::ReceiveMaximum(1);

fn up(version: Version, qos: Qos, id: u16) -> Vec<u8> {
    publish(version, publish_of(qos, id, if version == V5 { UP_THERE } else { UP }, REPORT))
}

fn down(version: Version, qos: Qos, id: u16) -> Vec<u8> {
    publish(version, publish_of(qos, id, if version == V5 { DOWN } else { DOWN_THERE }, SET))
}

/// A device of 3.1.1 in front of version 5, which takes one message at a time.
fn one_up() -> Script {
    to_5(V311, &[ONE]).connected()
}

/// A device of version 5 that takes one message at a time, and has subscribed, in front of 3.1.1.
fn one_down() -> Script {
    from_5(&[ONE])
        .connected()
        .device_sends(subscribe(V5, 1, &[(DOWN, Q2)]))
        .upstream_receives(subscribe(V311, 1, &[(DOWN_THERE, Q2)]))
        .upstream_sends(suback(V311, 1, &[2]))
        .device_receives(suback(V5, 1, &[2]))
}

// ---- no more than Receive Maximum ----

#[test]
fn v5_3_3_4_7_puback_makes_room() {
    one_up()
        .device_sends([up(V311, Q1, 1), up(V311, Q1, 2)].concat())
        .upstream_receives(up(V5, Q1, 1))
        .upstream_sends(puback(V5, 1))
        .device_receives(puback(V311, 1))
        .upstream_receives(up(V5, Q1, 2))
        .goes_on()
        .play();
}

#[test]
fn v5_3_3_4_7_an_error_in_pubrec_makes_room() {
    let refused = ReasonCode::QuotaExceeded;
    one_up()
        .device_sends([up(V311, Q2, 1), up(V311, Q2, 2)].concat())
        .upstream_receives(up(V5, Q2, 1))
        .upstream_sends(acknowledge_with(V5, AcknowledgementKind::Pubrec, 1, refused))
        .device_receives(pubrec(V311, 1))
        .upstream_receives(up(V5, Q2, 2))
        .goes_on()
        .play();
}

/// PUBREC makes none, PUBCOMP does. The device's PUBREL stands behind the message that has to wait.
#[test]
fn v5_3_3_4_7_pubrec_makes_no_room() {
    one_up()
        .device_sends([up(V311, Q2, 1), up(V311, Q2, 2)].concat())
        .upstream_receives(up(V5, Q2, 1))
        .upstream_sends(pubrec(V5, 1))
        .device_receives(pubrec(V311, 1))
        .device_sends(pubrel(V311, 1))
        .upstream_receives(pubrel(V5, 1))
        .upstream_sends(pubcomp(V5, 1))
        .device_receives(pubcomp(V311, 1))
        .upstream_receives(up(V5, Q2, 2))
        .goes_on()
        .play();
}

#[test]
fn v5_3_3_4_9_the_device_gets_no_more_than_it_takes() {
    one_down()
        .upstream_sends([down(V311, Q1, 1), down(V311, Q1, 2)].concat())
        .device_receives(down(V5, Q1, 1))
        .device_sends(puback(V5, 1))
        .upstream_receives(puback(V311, 1))
        .device_receives(down(V5, Q1, 2))
        .goes_on()
        .play();
}

#[test]
fn v5_3_3_4_9_pubrec_makes_no_room() {
    one_down()
        .upstream_sends([down(V311, Q2, 1), down(V311, Q2, 2)].concat())
        .device_receives(down(V5, Q2, 1))
        .device_sends(pubrec(V5, 1))
        .upstream_receives(pubrec(V311, 1))
        .upstream_sends(pubrel(V311, 1))
        .device_receives(pubrel(V5, 1))
        .device_sends(pubcomp(V5, 1))
        .upstream_receives(pubcomp(V311, 1))
        .device_receives(down(V5, Q2, 2))
        .goes_on()
        .play();
}

/// Messages of QoS 0 aren't counted.
#[test]
fn v5_4_9_0_2_messages_of_qos_0_need_no_room() {
    one_up()
        .device_sends([up(V311, Q1, 1), up(V311, Q0, 0)].concat())
        .upstream_receives([up(V5, Q1, 1), up(V5, Q0, 0)].concat())
        .goes_on()
        .play();
}

// ---- what isn't a message doesn't wait ----

#[test]
fn v5_3_3_4_8_answers_and_pings_of_the_device_do_not_wait() {
    one_up()
        .device_sends(subscribe(V311, 9, &[(DOWN, Q1)]))
        .upstream_receives(subscribe(V5, 9, &[(DOWN_THERE, Q1)]))
        .upstream_sends(
            [suback(V5, 9, &[1]), publish(V5, publish_of(Q1, 3, DOWN_THERE, SET))].concat(),
        )
        .device_receives(
            [suback(V311, 9, &[1]), publish(V311, publish_of(Q1, 3, DOWN, SET))].concat(),
        )
        .device_sends(
            [up(V311, Q1, 1), up(V311, Q1, 2), puback(V311, 3), PINGREQ.to_vec()].concat(),
        )
        .upstream_receives([up(V5, Q1, 1), puback(V5, 3), PINGREQ.to_vec()].concat())
        .upstream_sends([PINGRESP.to_vec(), puback(V5, 1)].concat())
        .device_receives([PINGRESP.to_vec(), puback(V311, 1)].concat())
        .upstream_receives(up(V5, Q1, 2))
        .goes_on()
        .play();
}

/// What keeps its place behind a message is delayed with it.
#[test]
fn v5_3_3_4_8_subscriptions_do_not_wait() {
    one_up()
        .device_sends([up(V311, Q1, 1), up(V311, Q1, 2)].concat())
        .upstream_receives(up(V5, Q1, 1))
        .device_sends(subscribe(V311, 9, &[(DOWN, Q1)]))
        .upstream_receives(subscribe(V5, 9, &[(DOWN_THERE, Q1)]))
        .goes_on()
        .play();
}

#[test]
fn v5_3_3_4_10_other_packets_of_the_upstream_do_not_wait() {
    one_down()
        .device_sends([PINGREQ.to_vec(), publish(V5, publish_of(Q1, 7, UP, REPORT))].concat())
        .upstream_receives(PINGREQ)
        .upstream_receives(publish(V311, publish_of(Q1, 7, UP_THERE, REPORT)))
        .upstream_sends([down(V311, Q1, 1), down(V311, Q1, 2)].concat())
        .device_receives(down(V5, Q1, 1))
        .upstream_sends([PINGRESP.to_vec(), puback(V311, 7)].concat())
        .device_receives([PINGRESP.to_vec(), puback(V5, 7)].concat())
        .goes_on()
        .play();
}

/// It has spoken in time, though its packet waits; and the upstream may not think that nobody is there.
#[test]
fn v3_3_1_2_24_a_device_whose_packets_wait_is_not_silent() {
    one_up()
        .device_sends([up(V311, Q1, 1), up(V311, Q1, 2)].concat())
        .upstream_receives(up(V5, Q1, 1))
        .after(50.0)
        .device_sends(PINGREQ)
        .upstream_receives(PINGREQ)
        .after(50.0)
        .goes_on()
        .play();
}

// ---- sessions ----

/// 3.1.1 keeps a session that isn't clean for as long as it likes. The device has to know.
#[test]
fn v5_4_1_0_2_a_session_that_is_kept_for_longer_says_so() {
    let given = Connect { clean_start: false, ..connect_of(V311, "77") };
    let mut told = pairs::told().to_vec();
    told.push(Property::SessionExpiryInterval(u32::MAX));
    for asked in [&[][..], &[Property::SessionExpiryInterval(60)]] {
        let opening = Opening {
            device_connect: connect5(given, asked),
            upstream_connect: connect(given),
            upstream_connack: connack(V311, ReasonCode::Success),
            device_connack: connack5(&told),
        };
        homes(V5, "3.1.1", opening).connected().goes_on().play();
    }
}

/// A device without a name in front of 3.1.1, which gives it one and doesn't say which: either the proxy gives it one,
/// or the device is refused.
#[test]
fn v5_3_2_2_16_a_device_without_identifier_is_given_one() {
    let (translator, limits) = from_5(&[]).parts();
    let plan = SessionPlan { translator, limits, on_refusal: OnRefusal::AckAndDrop };
    let mut run = Run::new(Arc::new(plan), V5, Instant::now());
    run.feed(Peer::Device, &connect5(connect_of(V311, ""), &[])).unwrap();
    if run.session.end().is_some() {
        let refusal = connack(V5, ReasonCode::ClientIdentifierNotValid);
        return assert_eq!(run.take(Peer::Device), refusal);
    }
    run.wake(|session, wake| session.on_upstream_open(wake.now)).unwrap();
    let sent = run.take(Peer::Upstream);
    let Packet::Connect(sent) = decoded(&sent, V311) else { panic!("no CONNECT: {sent:02X?}") };
    run.feed(Peer::Upstream, &connack(V311, ReasonCode::Success)).unwrap();
    let answer = run.take(Peer::Device);
    let Packet::Connack(Connack { properties, .. }) = decoded(&answer, V5) else {
        panic!("no CONNACK: {answer:02X?}")
    };
    assert_ne!(sent.client_identifier, "");
    assert!(properties.find(PropertyIdentifier::AssignedClientIdentifier).is_some());
}

fn decoded(bytes: &[u8], version: Version) -> Packet<'_> {
    Packet::decode(next_packet(bytes, version, 1000).unwrap().unwrap(), version).unwrap()
}

/// The upstream's own choice reaches the device that asked for one.
#[test]
fn v5_3_1_3_7_the_assigned_client_identifier_reaches_the_device() {
    let assigned = [Property::AssignedClientIdentifier("auto-1")];
    let own = pairs::own_limit();
    let given = connect_of(V5, "");
    let opening = Opening {
        device_connect: connect(given),
        upstream_connect: connect5(given, &[own]),
        upstream_connack: connack5(&assigned),
        device_connack: connack5(&[assigned[0], own]),
    };
    pairs::plain(V5).opening_with(opening).connected().goes_on().play();
}

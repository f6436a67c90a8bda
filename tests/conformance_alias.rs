//! Statements of section 3.3.2.3.4: topic aliases, where both sides speak version 5. Across versions they are in
//! tests/session_bridge.rs.
//!
//! Each test is named after its statement; tests/conformance.md has them all.

mod conformance;
mod script;

use conformance::*;
use interlingua::mqtt::{Property, Publish, ReasonCode};
use script::packets::*;
use script::{Script, pairs};

fn aliased(topic: &str, number: u16, payload: &[u8]) -> Vec<u8> {
    let buffer = properties(&[Property::TopicAlias(number)]);
    let properties = buffer.properties();
    publish(V5, Publish { properties, ..publish_of(Q0, 0, topic, payload) })
}

/// Five aliases for both sides: in plain they are each other's, in a translated session the proxy's.
fn with_aliases() -> [Script; 2] {
    let translated = pairs::mqtt2go_to_mqtt2go().limits(|limits| limits.topic_aliases_max = 5);
    [pairs::plain(V5).taking_aliases(5), translated.announcing(&[Property::TopicAliasMaximum(5)])]
}

#[test]
fn v5_3_3_2_7_an_alias_of_another_connection_stands_for_nothing() {
    for script in with_aliases() {
        device_violates(script, &aliased("", 1, REPORT), ReasonCode::ProtocolError);
    }
    for script in with_aliases() {
        upstream_violates(script, &aliased("", 1, SET), ReasonCode::ProtocolError);
    }
}

#[test]
fn v5_3_3_2_9_no_alias_above_the_maximum() {
    let code = ReasonCode::TopicAliasInvalid;
    for script in with_aliases() {
        device_violates(script, &aliased(LAMP.0, 6, REPORT), code);
    }
    for script in with_aliases() {
        upstream_violates(script, &aliased(LIGHT.1, 6, SET), code);
    }
}

#[test]
fn v5_3_3_2_12_each_alias_up_to_the_maximum_is_taken() {
    let [plain, translated] = with_aliases().map(Script::connected);
    let (mut plain, mut translated) = (plain, translated);
    let resolved = publish(V5, publish_of(Q0, 0, LAMP.1, REPORT));
    for number in 1..=5 {
        for topic in [LAMP.0, ""] {
            let given = aliased(topic, number, REPORT);
            plain = plain
                .device_sends(given.clone())
                .upstream_receives(given.clone())
                .upstream_sends(given.clone())
                .device_receives(given.clone());
            translated = translated.device_sends(given).upstream_receives(resolved.clone());
        }
    }
    plain.goes_on().play();
    translated.goes_on().play();
}

#[test]
fn v5_3_3_2_8_topic_alias_0_closes_the_connection() {
    let message = raw(0x30, &[&field(b"t"), &[3, 0x23, 0, 0], b"x"]);
    either_violates(V5, &message, ReasonCode::TopicAliasInvalid);
}

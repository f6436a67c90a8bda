//! CONNECT and CONNACK: accepted, refused, too early, too late, by an attacker.

mod script;

use interlingua::mqtt::{Connect, Property, Qos, ReasonCode, Version, WireError};
use interlingua::session::End;
use script::packets::*;
use script::{Script, pairs};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

fn every_pair() -> Vec<Script> {
    let mut all: Vec<Script> = VERSIONS.into_iter().map(pairs::plain).collect();
    all.extend([
        pairs::thingscale_to_omnicore(),
        pairs::thingscale_to_thingscale(),
        pairs::mqtt2go_to_omnicore(),
        pairs::mqtt2go_to_omnicore5(),
        pairs::xyte_legacy_to_xyte(),
        pairs::mqtt2go_to_mqtt2go(),
        pairs::xyte_to_mqtt2go(),
    ]);
    all
}

#[test]
fn every_pair_connects() {
    for script in every_pair() {
        script
            .connected()
            .goes_on()
            .look(|_, tally| assert_eq!(tally.established.value(), 1))
            .play();
    }
}

/// The device of any pair is told, in its own version, before it was accepted; the upstream hears nothing more.
fn refused(script: Script, reason_code: ReasonCode) -> Script {
    let version = script.version();
    script.device_receives(connack(version, reason_code))
}

#[test]
fn an_upstream_that_cannot_be_reached_refuses_the_device() {
    for script in every_pair() {
        let connect = script.opening().device_connect;
        let script = script.device_sends(connect).upstream_unreachable();
        refused(script, ReasonCode::ServerUnavailable).ends(End::UpstreamUnreachable).play();
    }
}

#[test]
fn an_upstream_that_closes_before_connack_refuses_the_device() {
    for script in every_pair() {
        let script = script.connecting().upstream_closes();
        refused(script, ReasonCode::ServerUnavailable).ends(End::UpstreamClosed).play();
    }
}

#[test]
fn an_upstream_that_never_opens_or_never_answers_is_given_one_timeout_for_both() {
    for script in every_pair() {
        let connect = script.opening().device_connect;
        let script = script.device_sends(connect).after(9.9).goes_on().after(0.2);
        refused(script, ReasonCode::ServerUnavailable).ends(End::UpstreamTimeout).play();
    }
    for script in every_pair() {
        let opening = script.opening();
        let script = script.device_sends(opening.device_connect).after(6.0).upstream_opens();
        let script = script.upstream_receives(opening.upstream_connect).after(3.9).goes_on();
        refused(script.after(0.2), ReasonCode::ServerUnavailable).ends(End::UpstreamTimeout).play();
    }
}

#[test]
fn a_device_without_connect_is_dropped_in_time_without_a_word() {
    for script in every_pair() {
        script.after(9.9).goes_on().after(0.2).ends(End::ConnectTimeout).play();
    }
    // One byte per second doesn't help: the deadline is for the whole CONNECT.
    let mut script = pairs::plain(Version::V311);
    for byte in [0x10, 0x0F, 0x00, 0x04, b'M', b'Q', b'T', b'T', 4] {
        script = script.device_sends([byte]).after(1.0).goes_on();
    }
    script.device_sends([2]).after(1.1).ends(End::ConnectTimeout).play();
}

#[test]
fn the_refusal_of_the_upstream_reaches_the_device() {
    for script in every_pair() {
        let version = script.version();
        let refusal = connack(version, ReasonCode::NotAuthorized);
        let script = script.connecting().upstream_sends(refusal.clone()).device_receives(refusal);
        script.ends(End::UpstreamRefused(ReasonCode::NotAuthorized)).play();
    }
}

#[test]
fn a_stopping_proxy_refuses_those_that_are_not_accepted_yet() {
    for script in every_pair() {
        let version = script.version();
        let script = script.connecting().drain();
        // 0x8B (server shutting down) isn't for CONNACK.
        let script = script.device_receives(connack(version, ReasonCode::ServerUnavailable));
        script.ends(End::Drained).play();
    }
    for script in every_pair() {
        let (version, connect) = (script.version(), script.opening().device_connect);
        let script = script.device_sends(connect).drain();
        let script = script.device_receives(connack(version, ReasonCode::ServerUnavailable));
        script.ends(End::Drained).play();
    }
    pairs::plain(Version::V5).drain().ends(End::Drained).play();
}

#[test]
fn an_upstream_that_is_left_alone_is_an_upstream_that_is_not_there() {
    for script in every_pair() {
        let (version, connect) = (script.version(), script.opening().device_connect);
        let script = script.device_sends(connect).upstream_suspended();
        let script = script.device_receives(connack(version, ReasonCode::ServerUnavailable));
        script.ends(End::UpstreamSuspended).play();
        // Afterwards it is none of the session's business.
    }
    for script in every_pair() {
        script.connected().upstream_suspended().goes_on().play();
    }
}

#[test]
fn without_memory_nobody_is_accepted() {
    let asking = every_pair().into_iter().map(|script| {
        let connect = script.opening().device_connect;
        script.device_sends(connect)
    });
    let asked = every_pair().into_iter().map(Script::connecting);
    for script in asking.chain(asked) {
        let version = script.version();
        // "Try again later" is 0x89, and 3 before version 5.
        let busy = connack(version, ReasonCode::ServerBusy);
        script.short_of_memory().device_receives(busy).ends_as("connect_refused").play();
    }
    pairs::plain(Version::V5).short_of_memory().ends(End::MemoryShort).play();
}

#[test]
fn a_stopping_proxy_says_so_to_version_5() {
    for script in every_pair() {
        let version = script.version();
        let mut script = script.connected().drain();
        if version == Version::V5 {
            script = script.device_receives(disconnect(version, ReasonCode::ServerShuttingDown));
        }
        script.ends(End::Drained).play();
    }
}

#[test]
fn a_device_that_leaves_before_its_upstream_is_open_leaves_nothing_behind() {
    for script in every_pair() {
        let connect = script.opening().device_connect;
        script.device_sends(connect).device_closes().ends(End::DeviceClosed).play();
    }
    for script in every_pair() {
        script.connecting().device_closes().ends(End::DeviceClosed).play();
    }
    pairs::plain(Version::V311).device_closes().ends(End::DeviceClosed).play();
}

#[test]
fn the_first_packet_is_a_connect() {
    for first in 0..=255_u8 {
        if first >> 4 == 1 {
            continue;
        }
        let script = pairs::plain(Version::V311).device_sends([first]);
        script.ends(End::DeviceProtocol("the first packet isn't a CONNECT")).play();
    }
    for flags in 1..16_u8 {
        pairs::plain(Version::V311)
            .device_sends([0x10 | flags, 0])
            .ends_as("device_malformed")
            .play();
    }
}

#[test]
fn a_connect_larger_than_the_limit_is_refused_by_its_length_alone() {
    for length in [&[0xFF, 0xFF, 0xFF, 0x7F][..], &[0x80, 0x80, 0x08], &[0xFF, 0xFF, 0xFF, 0xFF]] {
        let bytes = [&[0x10], length].concat();
        pairs::plain(Version::V5).device_sends(bytes).ends_as("device_malformed").play();
    }
    let connect = pairs::plain(Version::V5).opening().device_connect;
    let size = connect.len();
    let script = pairs::plain(Version::V5).limits(|limits| limits.connect_size_max = size);
    script.connected().goes_on().play();
    let script = pairs::plain(Version::V5).limits(|limits| limits.connect_size_max = size - 1);
    script.device_sends(&connect[..2]).ends_as("device_malformed").play();
}

#[test]
fn an_unknown_protocol_is_answered_where_it_can_be_understood() {
    // In the form that every client since 3.1 reads, as brokers do.
    let cases: [&[u8]; 3] = [
        b"\x10\x0C\0\x04MQTT\x06\x02\0\x3C\0\0",
        b"\x10\x0C\0\x04MQTT\xFF\x02\0\x3C\0\0",
        b"\x10\x0C\0\x04MQTT\x03\x02\0\x3C\0\0",
    ];
    for connect in cases {
        let script = pairs::plain(Version::V311).device_sends(connect);
        let answer = connack(Version::V311, ReasonCode::UnsupportedProtocolVersion);
        script.device_receives(answer).ends_as("device_malformed").play();
    }
    // [MQTT-3.1.3-8]: an empty client identifier without clean session.
    let script = pairs::plain(Version::V311).device_sends(b"\x10\x0C\0\x04MQTT\x04\0\0\x3C\0\0");
    let answer = connack(Version::V311, ReasonCode::ClientIdentifierNotValid);
    let end = End::DeviceMalformed(WireError::ClientIdentifierInvalid);
    script.device_receives(answer).ends(end).play();
}

#[test]
fn what_connect_says_wrong_is_refused_with_its_own_code() {
    let v = Version::V311;
    let refused = |given: Connect<'_>, reason_code| {
        let script = pairs::thingscale_to_omnicore().device_sends(connect(given));
        script.device_receives(connack(v, reason_code)).ends_as("connect_refused").play();
    };
    let base = connect_of(v, "77_x1");
    let wrong = Connect { user_name: Some("U123456"), password: Some(b"no"), ..base };
    refused(wrong, ReasonCode::BadUserNameOrPassword);
    refused(Connect { user_name: Some("U999999"), ..base }, ReasonCode::BadUserNameOrPassword);
    for identifier in ["a+", "#"] {
        refused(
            Connect { client_identifier: identifier, ..base },
            ReasonCode::ClientIdentifierNotValid,
        );
    }
    for topic in ["elsewhere", "TOK-4712/json/77", "TOK-4711/77/subscribe"] {
        let lost = Connect { will: Some(will(topic, b"gone", Qos::AtLeastOnce)), ..base };
        // The nearest return code of 3.1.1.
        refused(lost, ReasonCode::TopicNameInvalid);
    }
}

#[test]
fn a_second_connect_ends_the_session() {
    for script in every_pair() {
        let (version, connect) = (script.version(), script.opening().device_connect);
        let mut script = script.connected().device_sends(connect);
        if version == Version::V5 {
            script = script.device_receives(disconnect(version, ReasonCode::ProtocolError));
        }
        script.ends(End::DeviceProtocol("a second CONNECT")).play();
    }
}

#[test]
fn packets_behind_connect_wait_for_connack() {
    for version in VERSIONS {
        let script = pairs::plain(version);
        let opening = script.opening();
        let message = publish(version, publish_of(Qos::AtLeastOnce, 7, "t", b"x"));
        let both = [&opening.device_connect[..], &message[..], &PINGREQ[..]].concat();
        script
            .device_sends(both)
            .upstream_opens()
            .upstream_receives(opening.upstream_connect)
            .upstream_sends(opening.upstream_connack)
            .device_receives(opening.device_connack)
            .upstream_receives(message)
            .upstream_receives(PINGREQ)
            .goes_on()
            .play();
    }
    // A refused device is not heard any more.
    let version = Version::V311;
    let script = pairs::plain(version);
    let opening = script.opening();
    let message = publish(version, publish_of(Qos::AtLeastOnce, 7, "t", b"x"));
    script
        .device_sends([&opening.device_connect[..], &message[..]].concat())
        .upstream_opens()
        .upstream_receives(opening.upstream_connect)
        .upstream_sends(connack(version, ReasonCode::NotAuthorized))
        .device_receives(connack(version, ReasonCode::NotAuthorized))
        .ends_as("upstream_refused")
        .play();
}

#[test]
fn nothing_but_connack_may_come_first_from_the_upstream() {
    for script_of in [pairs::plain as fn(Version) -> Script, |_| pairs::xyte_legacy_to_xyte()] {
        let v = Version::V5;
        let early = [
            publish(v, publish_of(Qos::AtMostOnce, 0, "t", b"x")),
            suback(v, 1, &[0]),
            puback(v, 1),
            PINGRESP.to_vec(),
            disconnect(v, ReasonCode::ServerBusy),
            connect(connect_of(v, "c")),
        ];
        for packet in early {
            script_of(v)
                .connecting()
                .upstream_sends(packet)
                .device_receives(connack(v, ReasonCode::ServerUnavailable))
                .ends_as("upstream_protocol")
                .play();
        }
        for garbage in [&[0x00][..], &[0x21], &[0x20, 0xFF, 0xFF, 0xFF, 0xFF], &[0x20, 2, 4, 0]] {
            script_of(v)
                .connecting()
                .upstream_sends(garbage)
                .device_receives(connack(v, ReasonCode::ServerUnavailable))
                .ends_as("upstream_malformed")
                .play();
        }
    }
}

#[test]
fn a_second_connack_ends_the_session() {
    for version in VERSIONS {
        let script = pairs::plain(version).connected();
        let mut script = script.upstream_sends(connack(version, ReasonCode::Success));
        if version == Version::V5 {
            script = script
                .device_receives(disconnect(version, ReasonCode::UnspecifiedError))
                .upstream_receives(disconnect(version, ReasonCode::ProtocolError));
        }
        script.ends(End::UpstreamProtocol("a second CONNACK")).play();
    }
}

/// What [MQTT-3.2.2-2] forbids would switch the proxy's own filter off.
#[test]
fn a_translated_session_that_began_clean_has_no_past() {
    let v = Version::V311;
    pairs::thingscale_to_omnicore()
        .connecting()
        .upstream_sends(connack_with(v, true, ReasonCode::Success, &[]))
        .device_receives(connack(v, ReasonCode::ServerUnavailable))
        .ends_as("upstream_protocol")
        .play();
}

#[test]
fn omnicore_is_never_asked_to_keep_a_session() {
    let v = Version::V311;
    let given = Connect { clean_start: false, ..connect_of(v, "77_x1") };
    pairs::thingscale_to_omnicore()
        .device_sends(connect(given))
        .upstream_opens()
        .upstream_receives(connect(pairs::omnicore_connect(v, pairs::OMNICORE_77)))
        .upstream_sends(connack(v, ReasonCode::Success))
        .device_receives(connack(v, ReasonCode::Success))
        .play();
    // In version 5 the device has to be told that its session won't be kept (section 3.2.2.3.2).
    let v = Version::V5;
    let given = properties(&[Property::SessionExpiryInterval(3600)]);
    let given =
        Connect { clean_start: false, properties: given.properties(), ..connect_of(v, "lamp1") };
    let script = pairs::mqtt2go_to_omnicore5();
    let upstream = script.opening().upstream_connect;
    let [limit, shared] = pairs::told();
    script
        .device_sends(connect(given))
        .upstream_opens()
        .upstream_receives(upstream)
        .upstream_sends(connack(v, ReasonCode::Success))
        .device_receives(connack_with(
            v,
            false,
            ReasonCode::Success,
            &[limit, shared, Property::SessionExpiryInterval(0)],
        ))
        .device_sends(disconnect_with(
            v,
            ReasonCode::Success,
            &[Property::SessionExpiryInterval(60)],
        ))
        .upstream_receives(disconnect(v, ReasonCode::Success))
        .play();
}

#[test]
fn both_sides_are_told_the_smaller_packet_limit() {
    let v = Version::V5;
    let aliases = Property::TopicAliasMaximum(9);
    // What is smaller than the proxy's own limit passes byte for byte; what is larger is said anew, at the end.
    for (own, device, upstream, up_told, down_told) in [
        (1000, 500, 2000, 500, [aliases, Property::MaximumPacketSize(1000)]),
        (1000, 2000, 300, 1000, [Property::MaximumPacketSize(300), aliases]),
    ] {
        let given = properties(&[Property::MaximumPacketSize(device)]);
        let sent = properties(&[Property::MaximumPacketSize(up_told)]);
        let base = connect_of(v, "dev");
        pairs::plain(v)
            .limits(|limits| limits.packet_size_max = own)
            .device_sends(connect(Connect { properties: given.properties(), ..base }))
            .upstream_opens()
            .upstream_receives(connect(Connect { properties: sent.properties(), ..base }))
            .upstream_sends(connack_with(
                v,
                true,
                ReasonCode::Success,
                &[Property::MaximumPacketSize(upstream), Property::TopicAliasMaximum(9)],
            ))
            .device_receives(connack_with(v, true, ReasonCode::Success, &down_told))
            .play();
    }
}

#[test]
fn a_translated_connack_offers_no_aliases_no_other_server_and_no_secret() {
    let v = Version::V5;
    let [limit, shared] = pairs::told();
    let kept = [Property::ReceiveMaximum(20), Property::UserProperty("region", "eu")];
    let list = [
        kept[0],
        Property::TopicAliasMaximum(9),
        Property::ServerReference("evil.example"),
        Property::ResponseInformation("v1/reply"),
        kept[1],
        Property::UserProperty("access_key", pairs::UPSTREAM_KEY),
    ];
    pairs::xyte_legacy_to_xyte()
        .connecting()
        .upstream_sends(connack_with(v, false, ReasonCode::Success, &list))
        .device_receives(connack_with(
            v,
            false,
            ReasonCode::Success,
            &[kept[0], kept[1], limit, shared],
        ))
        .play();
    pairs::xyte_legacy_to_xyte()
        .connecting()
        .upstream_sends(connack_with(v, false, ReasonCode::UseAnotherServer, &list[2..3]))
        .device_receives(connack(v, ReasonCode::UseAnotherServer))
        .ends_as("upstream_refused")
        .play();
    pairs::xyte_legacy_to_xyte()
        .connecting()
        .upstream_sends(connack_with(v, false, ReasonCode::NotAuthorized, &list[4..]))
        .device_receives(connack_with(v, false, ReasonCode::NotAuthorized, &kept[1..]))
        .ends_as("upstream_refused")
        .play();
}

#[test]
fn a_translated_connect_carries_no_alias_limit_and_no_secret() {
    let v = Version::V5;
    let given = properties(&[
        Property::TopicAliasMaximum(9),
        Property::UserProperty("access_key", pairs::ACCESS_KEY),
        Property::UserProperty("model", "T1"),
    ]);
    let sent = properties(&[Property::UserProperty("model", "T1"), pairs::own_limit()]);
    let base = connect_of(v, "XID");
    pairs::xyte_legacy_to_xyte()
        .device_sends(connect(Connect { properties: given.properties(), ..base }))
        .upstream_opens()
        .upstream_receives(connect(Connect {
            properties: sent.properties(),
            user_name: Some("XID"),
            password: Some(pairs::UPSTREAM_KEY.as_bytes()),
            ..base
        }))
        .play();
}

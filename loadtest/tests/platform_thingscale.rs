//! The stand-in of ThingScale: the token, client identifiers, topics, and what a real client sees of it.

mod platform_support;

use std::process::{Command, Stdio};

use interlingua::mqtt::Version;
use platform_support::device::{Device, Heard, Login, Message, Spoken};
use platform_support::{StandIn, finished, violations};
use serde_json::json;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn account() -> StandIn {
    StandIn::start("thingscale", &["--set", &format!("token={TOKEN}")])
}

fn login(client: &str) -> Login<'_> {
    Login::new(Version::V311, client, "U123456", TOKEN)
}

fn topic(rest: &str) -> String {
    format!("{TOKEN}/{rest}")
}

#[test]
fn client_identifier_account_and_token_open_the_door() {
    let standin = account();
    let (longest, longer) = ("a".repeat(23), "a".repeat(24));
    for client in ["77_x", "7", &longest] {
        Device::connect(&standin.address, login(client)).leave();
    }
    let cases = [
        ("client_identifier", Login { client: &longer, ..login("7") }, 0x85),
        ("client_identifier", Login { client: "", ..login("7") }, 0x85),
        ("user_name", Login { user: Some("123456"), ..login("7") }, 0x86),
        ("user_name", Login { user: None, password: None, ..login("7") }, 0x86),
        ("password", Login { password: Some("another"), ..login("7") }, 0x86),
        ("version", Login { version: Version::V5, ..login("7") }, 0x84),
    ];
    for (rule, login, code) in cases {
        assert_eq!(Device::refused(&standin.address, login), code, "{rule}");
    }
    Device::connect(&standin.address, Login { version: Version::V31, ..login("7_y") }).leave();
    let summary = standin.summary();
    assert_eq!(summary["connections"]["accepted"], 4);
    let expected = json!({
        "client_identifier": { "refused": 2 },
        // `7` and the longest one have no random part.
        "client_identifier_nonce": { "noted": 2 },
        "password": { "refused": 1 },
        "user_name": { "refused": 2 },
        "version": { "refused": 1 },
    });
    assert_eq!(summary["violations"], expected);
}

#[test]
fn what_is_refused_is_acknowledged_and_goes_nowhere() {
    let standin = account();
    let mut device = Device::connect(&standin.address, login("77_x"));
    assert_eq!(device.subscribe(&topic("#"), 1), 1);
    let refused = [
        ("foreign/json/77".to_owned(), "1", "topic_token"),
        ("json/77".to_owned(), "1", "topic_token"),
        (topic("json/77"), "temp=1", "payload"),
    ];
    for (topic, payload, rule) in &refused {
        assert_eq!(device.acknowledged(topic, payload), 0, "{rule}");
        device.silence();
    }
    for (topic, payload) in [
        (topic("json/77"), "{\"t\":20}"),
        (topic("json/77/room"), "23.5"),
        (topic("json/77/"), "\"Hello!\""),
        (topic("binary/77"), "temp=1"),
        (topic("78/subscribe"), "to another device"),
    ] {
        device.publish(Spoken::new(&topic, payload, 0));
        let message = device.message();
        assert_eq!((&*message.topic, &*message.payload), (&*topic, payload));
    }
    let summary = standin.summary();
    assert_eq!(violations(&summary, "topic_token", "dropped"), 2);
    assert_eq!(violations(&summary, "payload", "dropped"), 1);
    assert_eq!(violations(&summary, "topic", "noted"), 1);
    assert_eq!(summary["forms"]["json"], 4);
}

#[test]
fn filters_stay_in_the_account() {
    let standin = account();
    let mut device = Device::connect(&standin.address, login("77_x"));
    for filter in ["#", "+/77/subscribe", TOKEN, "other/#"] {
        assert_eq!(device.subscribe(filter, 1), 0x80, "{filter}");
    }
    assert_eq!(device.subscribe(&topic("77/subscribe"), 1), 1);
    assert_eq!(device.subscribe(&topic("#"), 2), 2);
    let old = Login { version: Version::V31, ..login("78_x") };
    let mut device = Device::connect(&standin.address, old);
    assert_eq!(device.subscribe(&topic("78/subscribe"), 0), 0);
    assert_eq!(violations(&standin.summary(), "topic_token", "refused"), 4);
}

#[test]
fn the_token_never_shows() {
    let mut standin = account();
    let mut device = Device::connect(&standin.address, login("77_x"));
    assert_eq!(device.subscribe(&topic("77/subscribe"), 1), 1);
    let shown = standin.wait_for(&["subscribed "]);
    assert!(shown.contains("{token}/77/subscribe"), "{shown}");
    device.acknowledged(&topic("json/77"), "1");
    let shown = standin.wait_for(&["received "]);
    assert!(shown.contains("{token}/json/77"), "{shown}");
    device.acknowledged("ffffffffffffffffffffffffffffffff/json/77", "1");
    let shown = standin.wait_for(&["violation "]);
    assert!(shown.contains("{other}/json/77") && !shown.contains("ffff"), "{shown}");
}

#[test]
fn retained_messages_wills_and_sessions_are_kept() {
    let standin = account();
    let lasting = Login { clean_start: false, ..login("77_x") };
    let mut device = Device::connect(&standin.address, lasting);
    assert_eq!(device.subscribe(&topic("77/subscribe"), 1), 1);
    device.leave();

    let mut other = Device::connect(&standin.address, login("78_x"));
    assert_eq!(other.acknowledged(&topic("77/subscribe"), "while you were out"), 0);
    other.publish(Spoken { retain: true, ..Spoken::new(&topic("json/78"), "1", 1) });
    assert_eq!(other.puback(), 0);
    other.completed(&topic("json/78/exactly"), "2");

    let mut device = Device::dial(&standin.address, lasting);
    assert_eq!(device.hear(), Heard::Connack { code: 0, session_present: true });
    assert_eq!(device.message().payload, "while you were out");
    assert_eq!(device.subscribe(&topic("json/#"), 1), 1);
    let retained = device.message();
    assert_eq!((&*retained.payload, retained.retain), ("1", true));

    let will = topic("json/79/gone");
    // The payload of a will is given by CONNECT, whoever reads it.
    drop(Device::connect(&standin.address, Login { will: Some(&will), ..login("79_x") }));
    assert_eq!(device.message().topic, will);
    Device::connect(&standin.address, Login { will: Some(&will), ..login("79_x") }).leave();
    device.silence();
}

#[test]
fn an_unanswered_message_comes_again() {
    let mut standin = account();
    let lasting = Login { clean_start: false, ..login("77_x") };
    let mut device = Device::connect(&standin.address, lasting);
    assert_eq!(device.subscribe(&topic("77/subscribe"), 1), 1);
    standin.say("command 77 door=open");
    let Heard::Publish(first) = device.hear() else { panic!("no message") };
    drop(device);
    let mut device = Device::dial(&standin.address, lasting);
    assert_eq!(device.hear(), Heard::Connack { code: 0, session_present: true });
    assert_eq!(device.message(), Message { dup: true, ..first });
    device.silence();
}

#[test]
fn real_clients_in_both_directions() {
    let mut standin = account();
    let port = standin.address.rsplit_once(':').expect("a port").1.to_owned();
    let client = |program: &str, client: &str, topic: &str, rest: &[&str]| {
        Command::new(program)
            .args(["-p", &port, "-i", client, "-u", "U123456", "-P", TOKEN, "-t", topic])
            .args(rest)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; tests/run install installs it"))
    };
    let own = topic("77/subscribe");
    let subscriber = client("mosquitto_sub", "77_sub", &own, &["-q", "1", "-C", "1", "-W", "60"]);
    standin.wait_for(&["subscribed ", "77_sub"]);
    let data = topic("json/77/room");
    let publisher = client("mosquitto_pub", "77_pub", &data, &["-q", "2", "-m", "23.5"]);
    assert!(finished(publisher).0);
    standin.wait_for(&["received form=json", "{token}/json/77/room", "23.5"]);
    standin.say("command 77 door=open");
    assert_eq!(finished(subscriber), (true, "door=open\n".to_owned()));
    let summary = standin.summary();
    assert_eq!(summary["violations"], json!({}));
    assert_eq!(summary["commands"]["sent"], 1);
}

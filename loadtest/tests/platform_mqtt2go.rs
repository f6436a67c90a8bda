//! The stand-in of MQTT2GO: credentials, envelopes, and commands that need a reply.

mod platform_support;

use interlingua::mqtt::Version;
use platform_support::device::{Device, Login, Spoken};
use platform_support::{StandIn, violations};
use serde_json::{Value, json};
use tempfile::TempDir;

const REPORT: &str = "{\"priority_level\":2,\"type\":\"periodic_report\",\"timestamp\":1567677926,\"report\":{\"value\":21.8}}";
const REPLY: &str = "{\"type\":\"command_response\",\"timestamp\":1567677926,\"value\":\"on\"}";
const SET: &str = "{\"type\":\"set\",\"timestamp\":1567677926,\"value\":\"on\"}";

fn login(client: &str) -> Login<'_> {
    Login::new(Version::V311, client, "user", "password")
}

#[test]
fn issued_credentials_open_the_door() {
    let folder = TempDir::new().expect("a folder");
    let users = folder.path().join("users.toml");
    let text = "[[device]]\nname = \"lamp1\"\nuser = \"user\"\npassword = \"password\"\n";
    std::fs::write(&users, text).expect("a file");
    let standin = StandIn::start("mqtt2go", &["--users", &users.display().to_string()]);
    for version in [Version::V311, Version::V5] {
        Device::connect(&standin.address, Login { version, ..login("lamp1") }).leave();
    }
    for (rule, login, code) in [
        ("version", Login { version: Version::V31, ..login("lamp1") }, 0x84),
        ("user_name", Login { user: Some("other"), ..login("lamp1") }, 0x86),
        ("password", Login { password: Some("other"), ..login("lamp1") }, 0x86),
    ] {
        assert_eq!(Device::refused(&standin.address, login), code, "{rule}");
    }
    let expected = json!({
        "password": { "refused": 1 },
        "user_name": { "refused": 1 },
        "version": { "refused": 1 },
    });
    assert_eq!(standin.summary()["violations"], expected);
}

#[test]
fn envelopes_and_topics_are_noted_and_routed() {
    let standin = StandIn::start("mqtt2go", &[]);
    let mut device = Device::connect(&standin.address, login("ms1"));
    assert_eq!(device.subscribe("#", 0), 0);
    for (topic, payload) in [
        ("h1/gw1/ms1/temperature/out", REPORT),
        ("h1/gw1/ms1/switch/out", REPLY),
        ("h1/gw1/events/in", "{\"priority_level\":2,\"timestamp\":1,\"value\":{}}"),
        ("h1/users/add_usr/in", "{}"),
        ("123456/activation/out", "{}"),
        ("homes/access/out", "{}"),
        ("h1/in", "{}"),
        // From here on something is wrong with each.
        ("h1/gw1/ms1/temperature/out", "21.8"),
        ("h1/gw1/ms1/temperature/out", "{\"type\":\"status\",\"timestamp\":1,\"value\":1}"),
        ("h1/gw1/ms1/temperature/out", "{\"priority_level\":1,\"type\":\"status\",\"value\":1}"),
        (
            "h1/gw1/ms1/temperature/out",
            "{\"priority_level\":1,\"type\":\"status\",\"timestamp\":1}",
        ),
        ("/h1/gw1/ms1/temperature/out", REPORT),
        ("/h1/in", "{}"),
        ("h1/gw1/ms1/temperature", REPORT),
    ] {
        device.publish(Spoken::new(topic, payload, 0));
        assert_eq!(device.message().topic, topic);
    }
    let summary = standin.summary();
    let expected = json!({ "payload": { "noted": 4 }, "topic": { "noted": 3 } });
    assert_eq!(summary["violations"], expected);
    assert_eq!(summary["forms"]["report"], 6);
}

#[test]
fn a_command_needs_a_reply() {
    let mut standin = StandIn::start("mqtt2go", &["--set", "reply-seconds=5"]);
    let mut lamp = Device::connect(&standin.address, login("lamp1"));
    assert_eq!(lamp.subscribe("h1/gw1/lamp1/+/in", 1), 1);
    let mut controller = Device::connect(&standin.address, login("controller"));
    assert_eq!(controller.subscribe("h1/gw1/+/+/out", 1), 1);

    controller.publish(Spoken::new("h1/gw1/lamp1/switch/in", SET, 0));
    assert_eq!(lamp.message().payload, SET);
    lamp.publish(Spoken::new("h1/gw1/lamp1/switch/out", REPLY, 0));
    assert_eq!(controller.message().payload, REPLY);

    // One of a controller and one of the stand-in have no reply; a report of another entity is none.
    controller.publish(Spoken::new("h1/gw1/lamp1/color/in", SET, 0));
    lamp.message();
    standin.say("command lamp1/brightness 75");
    let command: Value = serde_json::from_str(&lamp.message().payload).expect("JSON");
    assert_eq!((&command["type"], &command["value"]), (&json!("set"), &json!(75)));
    lamp.publish(Spoken::new("h1/gw1/lamp1/switch/out", REPLY, 0));
    standin.wait_for(&["violation rule=reply_missing outcome=noted", "h1/gw1/lamp1/"]);
    standin.wait_for(&["violation rule=reply_missing outcome=noted", "h1/gw1/lamp1/"]);
    let summary = standin.summary();
    assert_eq!(summary["commands"], json!({ "sent": 1, "unheard": 0, "confirmed": 1 }));
    assert_eq!(violations(&summary, "reply_missing", "noted"), 2);
}

#[test]
fn a_configuration_is_a_retained_set() {
    let mut standin = StandIn::start("mqtt2go", &[]);
    standin.say("config lamp1/switch on");
    standin.wait_for(&["sent subscribers=0"]);
    let mut lamp = Device::connect(&standin.address, login("lamp1"));
    assert_eq!(lamp.subscribe("h1/gw1/lamp1/+/in", 1), 1);
    let message = lamp.message();
    assert!(message.retain && message.payload.contains("\"value\":\"on\""), "{message:?}");
    standin.say("command h2/gw2/lamp1/switch on");
    standin.wait_for(&["sent subscribers=0", "h2/gw2/lamp1/switch/in"]);
    standin.say("command lamp1 on");
    standin.wait_for(&["violation rule=topic outcome=refused"]);
}

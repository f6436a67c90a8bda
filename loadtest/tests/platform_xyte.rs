//! The stand-in of Xyte, both generations: version 5, credentials, own topics, payloads, commands one after the other.

mod platform_support;

use interlingua::mqtt::Version;
use platform_support::device::{Device, Login, Spoken};
use platform_support::{StandIn, violations};
use serde_json::{Value, json};

const DEVICE: &str = "6f1c9a52-0000-4000-8000-000000000001";
const OTHER: &str = "6f1c9a52-0000-4000-8000-000000000002";
const KEY: &[&str] = &["--set", "access-key=KEY"];
const NOT_AUTHORIZED: u8 = 0x87;
const TOPIC_NAME_INVALID: u8 = 0x90;
const PAYLOAD_FORMAT_INVALID: u8 = 0x99;

fn login(client: &str) -> Login<'_> {
    Login::new(Version::V5, client, client, "KEY")
}

fn topic(rest: &str) -> String {
    format!("v1/device/{DEVICE}/{rest}")
}

#[test]
fn version_5_and_the_device_s_credential_open_the_door() {
    let standin = StandIn::start("xyte", KEY);
    Device::connect(&standin.address, login(DEVICE)).leave();
    for (rule, login, code) in [
        ("version", Login { version: Version::V311, ..login(DEVICE) }, 0x84),
        ("client_identifier", login("device-1"), 0x85),
        ("user_name", Login { user: Some(OTHER), ..login(DEVICE) }, 0x86),
        ("password", Login { password: Some("key"), ..login(DEVICE) }, 0x86),
    ] {
        assert_eq!(Device::refused(&standin.address, login), code, "{rule}");
    }
    let expected = json!({
        "client_identifier": { "refused": 1 },
        "password": { "refused": 1 },
        "user_name": { "refused": 1 },
        "version": { "refused": 1 },
    });
    assert_eq!(standin.summary()["violations"], expected);
}

#[test]
fn a_list_of_devices_is_all_that_is_known() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let users = folder.path().join("users.toml");
    let text = format!("[[device]]\nname = \"{DEVICE}\"\npassword = \"KEY\"\n");
    std::fs::write(&users, text).expect("a file");
    let standin = StandIn::start("xyte", &["--users", &users.display().to_string()]);
    Device::connect(&standin.address, login(DEVICE)).leave();
    assert_eq!(Device::refused(&standin.address, login(OTHER)), 0x86);
    assert_eq!(violations(&standin.summary(), "device_unknown", "refused"), 1);
}

#[test]
fn topics_and_payloads_are_looked_at() {
    let standin = StandIn::start("xyte", KEY);
    let mut device = Device::connect(&standin.address, login(DEVICE));
    let foreign = format!("v1/device/{OTHER}/telemetry");
    for (topic, payload, code) in [
        (foreign, "{}", NOT_AUTHORIZED),
        (topic("events"), "{}", TOPIC_NAME_INVALID),
        (format!("v1/devices/{DEVICE}/telemetry"), "{}", TOPIC_NAME_INVALID),
        (topic("telemetry"), "20", PAYLOAD_FORMAT_INVALID),
        (topic("telemetry"), "{\"telemetries\":{\"a\":{\"b\":1}}}", PAYLOAD_FORMAT_INVALID),
        (topic("telemetry"), "{\"status\":\"on\"}", PAYLOAD_FORMAT_INVALID),
        (topic("telemetry"), "{\"timestamp\":1628063144}", PAYLOAD_FORMAT_INVALID),
        (topic("commands/update"), "{\"status\":\"done\"}", PAYLOAD_FORMAT_INVALID),
        (topic("commands/update"), "{\"id\":\"1\",\"status\":\"ok\"}", PAYLOAD_FORMAT_INVALID),
        (topic("config/update"), "[]", PAYLOAD_FORMAT_INVALID),
        (topic("license/update"), "{\"id\":\"1\",\"state\":\"lost\"}", PAYLOAD_FORMAT_INVALID),
        (topic("telemetry"), "{\"status\":\"online\",\"telemetries\":{\"t\":20,\"on\":true}}", 0),
        (topic("telemetry"), "{\"timestamp\":\"2021-08-04T07:45:44.122Z\"}", 0),
        (topic("config/update"), "{\"interval\":60}", 0),
        (topic("license/update"), "{\"id\":\"1\",\"state\":\"inuse\"}", 0),
    ] {
        assert_eq!(device.acknowledged(&topic, payload), code, "{topic} {payload}");
    }
    let summary = standin.summary();
    assert_eq!(violations(&summary, "payload", "dropped"), 8);
    assert_eq!(violations(&summary, "topic", "dropped"), 2);
    assert_eq!(violations(&summary, "foreign_device", "dropped"), 1);
}

#[test]
fn filters_are_the_device_s_own() {
    let standin = StandIn::start("xyte", KEY);
    let mut device = Device::connect(&standin.address, login(DEVICE));
    for filter in ["#", "v1/device/+/command", &format!("v1/device/{OTHER}/command")] {
        assert_eq!(device.subscribe(filter, 1), NOT_AUTHORIZED, "{filter}");
    }
    for filter in ["command", "config", "firmware", "command/children"] {
        assert_eq!(device.subscribe(&topic(filter), 1), 1, "{filter}");
    }
    // The older generation's topic: nothing will come, and nobody says so but the log.
    assert_eq!(device.subscribe(&topic("commands"), 1), 1);
    let summary = standin.summary();
    assert_eq!(violations(&summary, "topic_filter", "refused"), 3);
    assert_eq!(violations(&summary, "topic_filter", "noted"), 1);
}

/// The next command's identifier and name.
fn command(device: &mut Device, topic_name: &str) -> (String, String) {
    let message = device.message();
    assert_eq!(message.topic, topic(topic_name));
    let document: Value = serde_json::from_str(&message.payload).expect("JSON");
    assert_eq!(document["status"], "pending");
    let text = |name: &str| document[name].as_str().expect("a text").to_owned();
    (text("id"), text("name"))
}

#[test]
fn commands_wait_for_the_device_and_for_each_other() {
    let mut standin = StandIn::start("xyte", KEY);
    standin.say(&format!("command {DEVICE}/dump {{}}"));
    standin.say(&format!("command {DEVICE}/reboot {{}}"));
    standin.wait_for(&["waits "]);
    let mut device = Device::connect(&standin.address, login(DEVICE));
    assert_eq!(device.subscribe(&topic("command"), 1), 1);
    let (first, name) = command(&mut device, "command");
    assert_eq!(name, "dump");
    let update = |id: &str, status: &str| json!({ "id": id, "status": status }).to_string();
    assert_eq!(device.acknowledged(&topic("commands/update"), &update("other", "done")), 0);
    assert_eq!(device.acknowledged(&topic("commands/update"), &update(&first, "in_progress")), 0);
    device.silence();
    device.publish(Spoken::new(&topic("commands/update"), &update(&first, "done"), 0));
    let (second, name) = command(&mut device, "command");
    assert_eq!(name, "reboot");
    assert_ne!(first, second);
    assert_eq!(device.acknowledged(&topic("commands/update"), &update(&second, "error")), 0);
    let summary = standin.summary();
    assert_eq!(violations(&summary, "command_identifier", "noted"), 1);
    assert_eq!(summary["commands"]["confirmed"], 2);
}

#[test]
fn the_older_generation_wants_the_credential_on_each_publish() {
    let mut standin = StandIn::start("xyte-legacy", KEY);
    let mut device = Device::connect(&standin.address, login(DEVICE));
    let telemetry = topic("telemetry");
    let bare = Spoken::new(&telemetry, "{\"status\":\"online\"}", 1);
    for properties in [
        &[][..],
        &[("device_id", DEVICE)],
        &[("device_id", DEVICE), ("access_key", "key")],
        &[("device_id", OTHER), ("access_key", "KEY")],
    ] {
        device.publish(Spoken { user_properties: properties, ..bare });
        assert_eq!(device.puback(), NOT_AUTHORIZED, "{properties:?}");
    }
    let credential = &[("device_id", DEVICE), ("access_key", "KEY")][..];
    device.publish(Spoken { user_properties: credential, ..bare });
    assert_eq!(device.puback(), 0);
    assert_eq!(device.subscribe(&topic("commands"), 1), 1);
    standin.say(&format!("command {DEVICE}"));
    let message = device.message();
    assert_eq!(message.topic, topic("commands"));
    assert_eq!(message.response_topic, Some(topic("commands/update")));
    assert_eq!(violations(&standin.summary(), "user_properties", "dropped"), 4);
}

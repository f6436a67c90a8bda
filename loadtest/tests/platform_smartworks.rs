//! The stand-in of SmartWorks, both generations: credentials, their patterns, payloads, and what the platform says back.

mod platform_support;

use interlingua::mqtt::Version;
use platform_support::device::{Device, Login, Spoken};
use platform_support::{StandIn, violations};
use serde_json::{Value, json};
use tempfile::TempDir;

const THING: &str = "01FDSA0000000000000000THNG";
const OTHER: &str = "01FDSA0000000000000000THRE";
const NOT_AUTHORIZED: u8 = 0x87;
const PAYLOAD_FORMAT_INVALID: u8 = 0x99;

/// A stand-in with a credential for one Thing, and one for all.
fn space(name: &str) -> (StandIn, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let users = folder.path().join("users.toml");
    let text = format!("[[device]]\nname = \"{THING}\"\nuser = \"thing@acme\"\npassword = \"P\"\n");
    std::fs::write(&users, text).expect("a file");
    let users = users.display().to_string();
    let all = ["--set", "space=acme", "--set", "user=all@acme", "--set", "password=A"];
    (StandIn::start(name, &[&all[..], &["--users", &users]].concat()), folder)
}

fn login(version: Version, client: &str) -> Login<'_> {
    Login::new(version, client, "thing@acme", "P")
}

#[test]
fn the_credential_opens_the_door_whatever_the_client_identifier() {
    let (standin, _folder) = space("smartworks");
    for version in [Version::V311, Version::V5] {
        Device::connect(&standin.address, login(version, "ESP32Client")).leave();
        for (user, password) in [("thing@acme", "A"), ("nobody@acme", "P")] {
            let login = Login::new(version, "ESP32Client", user, password);
            assert_eq!(Device::refused(&standin.address, login), 0x86, "{user}");
        }
    }
    let old = login(Version::V31, "ESP32Client");
    assert_eq!(Device::refused(&standin.address, old), 0x84);
    let summary = standin.summary();
    assert_eq!(violations(&summary, "user_name", "refused"), 2);
    assert_eq!(violations(&summary, "password", "refused"), 2);
}

#[test]
fn a_thing_s_patterns_hold_it_in_its_place() {
    let (standin, _folder) = space("smartworks");
    let own = format!("spaces/acme/things/{THING}");
    let foreign = format!("spaces/acme/things/{OTHER}");
    let mut device = Device::connect(&standin.address, login(Version::V5, "c"));
    for (topic, payload, code) in [
        (format!("{own}/properties"), "{\"Temperature\":24,\"Humidity\":40}", 0),
        (format!("{own}/events"), "{\"SecurityAlert\":{\"data\":\"text\"}}", 0),
        (format!("{foreign}/properties"), "{\"Temperature\":24}", NOT_AUTHORIZED),
        (format!("spaces/other/things/{THING}/properties"), "{}", NOT_AUTHORIZED),
        ("anything".to_owned(), "{}", NOT_AUTHORIZED),
        (format!("{own}/properties"), "24", PAYLOAD_FORMAT_INVALID),
        (format!("{own}/events"), "{\"SecurityAlert\":\"text\"}", PAYLOAD_FORMAT_INVALID),
    ] {
        assert_eq!(device.acknowledged(&topic, payload), code, "{topic} {payload}");
    }
    for (filter, code) in [
        (format!("{own}/actions/+"), 1),
        (format!("{own}/properties/+"), 1),
        (format!("{foreign}/actions/+"), NOT_AUTHORIZED),
        ("spaces/acme/things/+/actions/+".to_owned(), NOT_AUTHORIZED),
        ("#".to_owned(), NOT_AUTHORIZED),
    ] {
        assert_eq!(device.subscribe(&filter, 1), code, "{filter}");
    }
    // The credential of all Things may; what it publishes reaches who may hear it.
    let all = Login::new(Version::V5, "app", "all@acme", "A");
    let mut application = Device::connect(&standin.address, all);
    assert_eq!(application.subscribe("spaces/acme/things/+/actions/+", 1), 1);
    application.publish(Spoken::new(&format!("{own}/properties/Fan"), "{\"Fan\":true}", 0));
    assert_eq!(device.message().payload, "{\"Fan\":true}");
    let summary = standin.summary();
    assert_eq!(violations(&summary, "acl", "dropped"), 3);
    assert_eq!(violations(&summary, "acl", "refused"), 3);
    assert_eq!(violations(&summary, "payload", "dropped"), 2);
}

#[test]
fn actions_and_properties_reach_the_thing() {
    let (mut standin, _folder) = space("smartworks");
    let mut device = Device::connect(&standin.address, login(Version::V311, "c"));
    let own = format!("spaces/acme/things/{THING}");
    assert_eq!(device.subscribe(&format!("{own}/actions/+"), 1), 1);
    assert_eq!(device.subscribe(&format!("{own}/properties/+"), 1), 1);
    standin.say(&format!("command {THING}/Volumechange {{\"level\":70}}"));
    let message = device.message();
    assert_eq!(message.topic, format!("{own}/actions/Volumechange"));
    let action: Value = serde_json::from_str(&message.payload).expect("JSON");
    let action = &action["Volumechange"];
    assert_eq!((&action["input"], &action["status"]), (&json!({ "level": 70 }), &json!("pending")));
    standin.say(&format!("config {THING}/Fan-status true"));
    let message = device.message();
    assert_eq!(message.topic, format!("{own}/properties/Fan-status"));
    assert_eq!(message.payload, "{\"Fan-status\":true}");
}

#[test]
fn the_first_generation_is_told_what_has_changed() {
    let (standin, _folder) = space("smartworks-g1");
    let place = format!("acme/collections/lab/things/{THING}");
    let mut device = Device::connect(&standin.address, login(Version::V311, "c"));
    for kind in ["properties", "actions", "events"] {
        assert_eq!(device.subscribe(&format!("status/{place}/{kind}/#"), 1), 1, "{kind}");
    }
    assert_eq!(device.subscribe(&format!("set/{place}/properties/#"), 1), 0x80);
    assert_eq!(device.subscribe(&format!("acme/data/{THING}"), 1), 1);
    let mut said = |topic: &str, payload: &str| {
        device.publish(Spoken::new(topic, payload, 0));
        let message = device.message();
        let document: Value = serde_json::from_str(&message.payload).expect("JSON");
        (message.topic, document)
    };
    let (topic, document) = said(&format!("set/{place}/properties/temp"), "{\"temp\":21.7}");
    assert_eq!(
        (topic, document),
        (format!("status/{place}/properties/temp"), json!({ "temp": 21.7 }))
    );
    let (_, document) = said(&format!("set/{place}/actions/delay"), "{\"delay\":{\"input\":5}}");
    assert_eq!(document["delay"]["input"], 5);
    assert_eq!(document["delay"]["status"], "pending");
    let update = "{\"delay\":{\"status\":\"completed\"}}";
    let (_, document) = said(&format!("set/{place}/actions/delay"), update);
    assert_eq!(document, json!({ "delay": { "status": "completed" } }));
    let (topic, document) = said(&format!("set/{place}/events/hot"), "{\"hot\":{\"data\":61}}");
    assert_eq!(topic, format!("status/{place}/events/hot"));
    assert_eq!(document["hot"]["data"], 61);
    assert!(document["hot"]["timestamp"].is_string());
    // One topic for both ways.
    let record = "{\"data\":{\"temperature\":50}}";
    let (topic, document) = said(&format!("acme/data/{THING}"), record);
    assert_eq!((topic, document.to_string()), (format!("acme/data/{THING}"), record.to_owned()));
    // `status` is only subscribed to.
    device.publish(Spoken::new(&format!("status/{place}/properties/temp"), "{\"temp\":1}", 1));
    assert_eq!(device.puback(), 0);
    device.silence();
    let summary = standin.summary();
    assert_eq!(violations(&summary, "acl", "dropped"), 1);
    assert_eq!(violations(&summary, "acl", "refused"), 1);
}

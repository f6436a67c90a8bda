//! The stand-in of OmniCore for gateways: attach before anything else, and the errors topic.

mod platform_support;

use std::fs;

use interlingua::mqtt::Version;
use platform_support::device::{Device, Login, Spoken};
use platform_support::tokens::Signer;
use platform_support::{StandIn, violations};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Fleet {
    standin: StandIn,
    folder: TempDir,
    gateway: Signer,
    sensor: Signer,
}

/// A registry of `gw1`, `ms1` that is bound to it, and `ms2` that is bound to another gateway.
fn fleet(arguments: &[&str]) -> Fleet {
    let folder = TempDir::new().expect("a folder");
    let (gateway, sensor) = (Signer::elliptic(&folder, "gw1"), Signer::rsa(&folder, "ms1"));
    let users = folder.path().join("users.toml");
    let text = "[[device]]\nname = \"gw1\"\nkeys = [\"gw1.pem\"]\ngateway = true\n\
                [[device]]\nname = \"ms1\"\nkeys = [\"ms1.pem\"]\ngateways = [\"gw1\"]\n\
                [[device]]\nname = \"ms2\"\ngateways = [\"gw2\"]\n";
    fs::write(&users, text).expect("a file");
    let users = users.display().to_string();
    let place = ["--set", "subscription=acme", "--set", "registry=plant", "--users", &users];
    let standin = StandIn::start("omnicore", &[&place[..], arguments].concat());
    Fleet { standin, folder, gateway, sensor }
}

impl Fleet {
    fn connect(&self, name: &str, signer: &Signer) -> Device {
        let client = format!("subscriptions/acme/registries/plant/devices/{name}");
        let token = signer.token("acme");
        let login = Login::new(Version::V311, &client, "unused", &token);
        Device::connect(&self.standin.address, login)
    }

    /// The gateway, which hears errors.
    fn gateway(&self) -> Device {
        let mut gateway = self.connect("gw1", &self.gateway);
        assert_eq!(gateway.subscribe("/plant/gw1/errors", 0), 0);
        gateway
    }
}

/// The next message, which is an error about a device.
fn error(gateway: &mut Device) -> (String, String) {
    let message = gateway.message();
    assert_eq!((&*message.topic, message.qos), ("/plant/gw1/errors", 0));
    let payload: Value = serde_json::from_str(&message.payload).expect("JSON");
    let text = |name: &str| payload[name].as_str().expect("a text").to_owned();
    (text("error_type"), text("device_id"))
}

fn about(kind: &str, device: &str) -> (String, String) {
    (kind.to_owned(), device.to_owned())
}

#[test]
fn a_device_is_attached_before_anything_is_said_about_it() {
    let fleet = fleet(&[]);
    let mut gateway = fleet.gateway();
    gateway.publish(Spoken::new("/plant/ms1/events/t", "21", 1));
    assert_eq!(error(&mut gateway), about("GATEWAY_DEVICE_NOT_FOUND", "ms1"));
    assert_eq!(gateway.puback(), 0);
    // A subscription can't wait either.
    gateway.publish(Spoken::new("/plant/gw1/events", "own", 1));
    assert_eq!(gateway.puback(), 0);

    assert_eq!(gateway.acknowledged("/plant/ms1/attach", "{}"), 0);
    assert_eq!(gateway.acknowledged("/plant/ms1/events/t", "21"), 0);
    assert_eq!(gateway.subscribe("/plant/ms1/commands/#", 1), 1);
    assert_eq!(gateway.subscribe("/plant/ms1/errors", 1), 1);

    assert_eq!(gateway.acknowledged("/plant/ms1/detach", ""), 0);
    assert_eq!(gateway.acknowledged("/plant/ms1/detach", ""), 0, "the second one too");
    gateway.publish(Spoken::new("/plant/ms1/state", "on", 1));
    assert_eq!(error(&mut gateway), about("GATEWAY_DEVICE_NOT_FOUND", "ms1"));
    assert_eq!(gateway.puback(), 0);
    let summary = fleet.standin.summary();
    assert_eq!(summary["violations"], json!({ "not_attached": { "dropped": 2 } }));
}

#[test]
fn a_subscription_about_a_device_that_is_not_attached_is_refused() {
    let fleet = fleet(&[]);
    let mut gateway = fleet.connect("gw1", &fleet.gateway);
    assert_eq!(gateway.subscribe("/plant/ms1/config", 1), 0x80);
    assert_eq!(gateway.acknowledged("/plant/ms1/attach", ""), 0);
    assert_eq!(gateway.subscribe("/plant/ms1/config", 1), 1);
    assert_eq!(violations(&fleet.standin.summary(), "not_attached", "refused"), 1);
}

#[test]
fn what_can_not_be_attached_is_an_error_without_acknowledgement() {
    let fleet = fleet(&[]);
    let mut gateway = fleet.gateway();
    for (device, payload, qos) in
        [("ms2", "{}", 1), ("nobody", "{}", 1), ("ms1", "no JSON", 1), ("ms1", "{}", 0)]
    {
        let topic = format!("/plant/{device}/attach");
        gateway.publish(Spoken::new(&topic, payload, qos));
        assert_eq!(error(&mut gateway), about("GATEWAY_ATTACHMENT_ERROR", device), "{payload}");
        gateway.silence();
    }
    let summary = fleet.standin.summary();
    assert_eq!(violations(&summary, "attach_refused", "unacknowledged"), 3);
    assert_eq!(violations(&summary, "attach_qos", "unacknowledged"), 1);
}

#[test]
fn a_gateway_may_have_to_show_the_device_s_token() {
    let fleet = fleet(&["--set", "gateway-auth=device-auth-token-only"]);
    let mut gateway = fleet.gateway();
    let other = Signer::rsa(&fleet.folder, "other");
    for payload in [
        "{}".to_owned(),
        json!({ "authorization": other.token("acme") }).to_string(),
        json!({ "authorization": fleet.sensor.token("another") }).to_string(),
    ] {
        gateway.publish(Spoken::new("/plant/ms1/attach", &payload, 1));
        assert_eq!(error(&mut gateway), about("GATEWAY_ATTACHMENT_ERROR", "ms1"), "{payload}");
        gateway.silence();
    }
    let payload = json!({ "authorization": fleet.sensor.token("acme") }).to_string();
    assert_eq!(gateway.acknowledged("/plant/ms1/attach", &payload), 0);
    assert_eq!(violations(&fleet.standin.summary(), "attach_refused", "unacknowledged"), 3);
}

#[test]
fn commands_for_an_attached_device_reach_its_gateway() {
    let mut fleet = fleet(&[]);
    let mut gateway = fleet.gateway();
    assert_eq!(gateway.acknowledged("/plant/ms1/attach", "{}"), 0);
    assert_eq!(gateway.subscribe("/plant/ms1/commands/#", 1), 1);
    fleet.standin.say("command ms1/led on");
    let command = gateway.message();
    assert_eq!((&*command.topic, &*command.payload), ("/plant/ms1/commands/led", "on"));
}

#[test]
fn an_attachment_ends_with_the_connection() {
    let fleet = fleet(&[]);
    let mut gateway = fleet.gateway();
    assert_eq!(gateway.acknowledged("/plant/ms1/attach", "{}"), 0);
    gateway.leave();
    let mut gateway = fleet.gateway();
    gateway.publish(Spoken::new("/plant/ms1/events", "21", 0));
    assert_eq!(error(&mut gateway), about("GATEWAY_DEVICE_NOT_FOUND", "ms1"));
}

#[test]
fn only_registered_devices_with_their_own_key_get_in() {
    let fleet = fleet(&[]);
    fleet.connect("ms1", &fleet.sensor).leave();
    for (name, signer, rule) in [
        ("ms1", &fleet.gateway, "token_signature"),
        ("ms2", &fleet.sensor, "token_signature"),
        ("ms3", &fleet.sensor, "device_unknown"),
    ] {
        let client = format!("subscriptions/acme/registries/plant/devices/{name}");
        let token = signer.token("acme");
        let login = Login::new(Version::V311, &client, "unused", &token);
        assert_eq!(Device::refused(&fleet.standin.address, login), 0x86, "{name}: {rule}");
    }
    let summary = fleet.standin.summary();
    assert_eq!(violations(&summary, "token_signature", "refused"), 2);
    assert_eq!(violations(&summary, "device_unknown", "refused"), 1);
}

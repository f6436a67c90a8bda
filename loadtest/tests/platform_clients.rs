//! Stand-ins and client libraries; and a thousand devices on one stand-in.

mod platform_support;

use std::time::Duration;

use interlingua::mqtt::Version;
use platform_support::StandIn;
use platform_support::device::{Device, Login, Spoken};
use platform_support::tokens::Signer;
use rumqttc::v5::mqttbytes::v5::{Packet as Packet5, PubAckReason};
use rumqttc::{Event, MqttOptions, Packet, QoS};
use serde_json::json;
use tempfile::TempDir;

const UUID: &str = "6f1c9a52-0000-4000-8000-000000000001";
/// More than some loops over file descriptors and small tables take.
const DEVICES: u64 = 1200;

fn port(standin: &StandIn) -> u16 {
    standin.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
}

#[test]
fn rumqttc_speaks_with_omnicore() {
    let folder = TempDir::new().expect("a folder");
    let signer = Signer::rsa(&folder, "registry");
    let key = format!("key={}", signer.public.display());
    let place = ["--set", "subscription=acme", "--set", "registry=plant", "--set", &key];
    let mut standin = StandIn::start("omnicore", &place);
    let client = "subscriptions/acme/registries/plant/devices/dev1";
    let mut options = MqttOptions::new(client, "127.0.0.1", port(&standin));
    options.set_credentials("unused", signer.token("acme")).set_keep_alive(Duration::from_secs(60));
    let (client, mut connection) = rumqttc::Client::new(options, 16);
    client.subscribe("/plant/dev1/commands/#", QoS::AtLeastOnce).expect("a request");
    client.publish("/plant/dev1/events", QoS::AtLeastOnce, false, "21").expect("a request");
    let (mut acknowledged, mut command) = (false, None);
    for event in connection.iter() {
        match event.expect("a connection") {
            Event::Incoming(Packet::SubAck(_)) => standin.say("command dev1 door=open"),
            Event::Incoming(Packet::PubAck(_)) => acknowledged = true,
            Event::Incoming(Packet::Publish(publish)) => command = Some(publish.payload),
            _ => {}
        }
        if acknowledged && command.is_some() {
            break;
        }
    }
    assert_eq!(command.as_deref(), Some(&b"door=open"[..]));
    assert_eq!(standin.summary()["violations"], json!({}));
}

#[test]
fn rumqttc_speaks_with_xyte() {
    let standin = StandIn::start("xyte", &["--set", "access-key=KEY"]);
    let mut options = rumqttc::v5::MqttOptions::new(UUID, "127.0.0.1", port(&standin));
    options.set_credentials(UUID, "KEY").set_keep_alive(Duration::from_secs(60));
    let (client, mut connection) = rumqttc::v5::Client::new(options, 16);
    let qos = rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
    let topic = format!("v1/device/{UUID}/telemetry");
    for payload in ["{\"status\":\"online\"}", "{\"status\":\"on\"}"] {
        client.publish(&*topic, qos, false, payload).expect("a request");
    }
    let mut reasons = Vec::new();
    for event in connection.iter() {
        if let Ok(rumqttc::v5::Event::Incoming(Packet5::PubAck(given))) = event {
            reasons.push(given.reason);
        }
        if reasons.len() == 2 {
            break;
        }
    }
    assert_eq!(reasons, [PubAckReason::Success, PubAckReason::PayloadFormatInvalid]);
}

#[test]
fn a_thousand_devices_on_one_stand_in() {
    rlimit::increase_nofile_limit(u64::MAX).expect("enough file descriptors");
    let command = ["--command-every", "0.5", "--command-text", "{number}"];
    let standin = StandIn::start("mqtt2go", &command);
    let mut devices: Vec<Device> = (0..DEVICES)
        .map(|number| {
            let client = format!("d{number}");
            let login = Login::new(Version::V311, &client, "u", "p");
            Device::connect(&standin.address, login)
        })
        .collect();
    let report = "{\"priority_level\":3,\"type\":\"status\",\"timestamp\":1,\"value\":1}";
    for (number, device) in devices.iter_mut().enumerate() {
        device.publish(Spoken::new(&format!("h1/gw1/d{number}/t/out"), report, 1));
    }
    for device in &mut devices {
        assert_eq!(device.puback(), 0);
    }
    for (number, device) in devices.iter_mut().enumerate() {
        // Commands for the earlier ones may come already.
        assert_eq!(device.subscribe(&format!("h1/gw1/d{number}/+/in"), 1), 1);
    }
    for (number, device) in devices.iter_mut().enumerate() {
        assert_eq!(device.message().topic, format!("h1/gw1/d{number}/switch/in"));
    }
    let summary = standin.summary();
    assert_eq!(summary["connections"]["most_at_once"], DEVICES);
    assert_eq!(summary["forms"]["report"], DEVICES);
    assert!(summary["commands"]["sent"].as_u64() >= Some(DEVICES), "{}", summary["commands"]);
}

//! The stand-in of OmniCore: who gets in, what may be said, what comes. Gateways have a file of their own.

mod platform_support;

use interlingua::mqtt::Version;
use jsonwebtoken::{EncodingKey, Header};
use platform_support::device::{Device, Login, Spoken};
use platform_support::tokens::{Signer, now};
use platform_support::{StandIn, refused_to_start, violations};
use serde_json::json;
use tempfile::TempDir;

const PLACE: [&str; 4] = ["--set", "subscription=acme", "--set", "registry=plant"];
const DEVICE: &str = "subscriptions/acme/registries/plant/devices/dev1";
/// CONNACK 2, 4 and 1, by the names that MQTT 5 gave them.
const IDENTIFIER: u8 = 0x85;
const PASSWORD: u8 = 0x86;
const VERSION: u8 = 0x84;

struct Registry {
    standin: StandIn,
    signer: Signer,
    folder: TempDir,
}

/// A stand-in with one key for the registry.
fn registry(arguments: &[&str]) -> Registry {
    let folder = TempDir::new().expect("a folder");
    let signer = Signer::elliptic(&folder, "registry");
    let key = format!("key={}", signer.public.display());
    let standin = StandIn::start("omnicore", &[&PLACE[..], &["--set", &key], arguments].concat());
    Registry { standin, signer, folder }
}

impl Registry {
    fn device(&self, client: &str) -> Device {
        let token = self.signer.token("acme");
        Device::connect(&self.standin.address, login(client, &token))
    }

    fn refuses(&self, client: &str, password: &str) -> u8 {
        Device::refused(&self.standin.address, login(client, password))
    }
}

fn login<'a>(client: &'a str, password: &'a str) -> Login<'a> {
    Login::new(Version::V311, client, "unused", password)
}

#[test]
fn a_token_of_each_algorithm_and_key_file_opens_the_door() {
    let folder = TempDir::new().expect("a folder");
    for signer in [Signer::elliptic(&folder, "ec"), Signer::rsa(&folder, "rsa")] {
        for file in [&signer.public, &signer.certificate] {
            let key = format!("key={}", file.display());
            let standin = StandIn::start("omnicore", &[&PLACE[..], &["--set", &key]].concat());
            let token = signer.token("acme");
            let mut device = Device::connect(&standin.address, login(DEVICE, &token));
            assert_eq!(device.acknowledged("/plant/dev1/events", "1"), 0);
            let summary = standin.summary();
            assert_eq!(summary["violations"], json!({}), "{:?}", signer.algorithm);
            assert_eq!(summary["connections"]["accepted"], 1);
        }
    }
}

#[test]
fn each_rule_of_the_token_is_held() {
    let own = registry(&[]);
    let other = Signer::elliptic(&own.folder, "other");
    let (now, life) = (now(), 3600);
    let claims = |iat: u64, exp: u64| json!({ "iat": iat, "exp": exp, "aud": "acme" });
    let symmetric = jsonwebtoken::encode(
        &Header::new(jsonwebtoken::Algorithm::HS256),
        &claims(now, now + life),
        &EncodingKey::from_secret(b"shared"),
    );
    let padded = format!("{}=", own.signer.token("acme"));
    let mut forged = own.signer.token("acme");
    let changed = if forged.ends_with('A') { "B" } else { "A" };
    let dot = forged.rfind('.').expect("a signature") + 1;
    forged.replace_range(dot..=dot, changed);
    let cases = [
        ("token_missing", String::new()),
        ("token_padding", padded),
        ("token_malformed", "no.token".to_owned()),
        ("token_algorithm", symmetric.expect("a token")),
        ("token_signature", other.token("acme")),
        ("token_signature", forged),
        ("token_claims", own.signer.sign(&json!({ "aud": "acme", "exp": now + life }))),
        ("token_audience", own.signer.token("another")),
        ("token_expired", own.signer.sign(&claims(now - 2 * life, now - life))),
        ("token_issued", own.signer.sign(&claims(now + life, now + 2 * life))),
        ("token_lifetime", own.signer.sign(&claims(now, now + 25 * life))),
    ];
    let mut own = own;
    for (rule, token) in &cases {
        assert_eq!(own.refuses(DEVICE, token), PASSWORD, "{rule}");
        own.standin.wait_for(&[&format!("violation rule={rule} outcome=refused")]);
    }
    own.device(DEVICE).leave();
    let summary = own.standin.summary();
    assert_eq!(summary["connections"]["accepted"], 1);
    assert_eq!(summary["connections"]["opened"], 1 + cases.len());
    assert_eq!(violations(&summary, "token_signature", "refused"), 2);
}

#[test]
fn a_token_that_ends_closes_the_connection() {
    let mut own = registry(&["--set", "skew=0"]);
    let token = own.signer.sign(&json!({ "iat": now(), "exp": now() + 4, "aud": "acme" }));
    let mut device = Device::connect(&own.standin.address, login(DEVICE, &token));
    let mut lasting = own.device("subscriptions/acme/registries/plant/devices/dev2");
    assert_eq!(device.closed(), None);
    own.standin.wait_for(&["violation rule=token_expired outcome=closed", "devices/dev1"]);
    lasting.silence();
}

#[test]
fn the_client_identifier_is_a_path_to_a_legal_device() {
    let own = registry(&[]);
    let token = own.signer.token("acme");
    let place = "subscriptions/acme/registries/plant/devices/";
    for client in [
        "dev1",
        "subscriptions/acme/registries/other/devices/dev1",
        "subscriptions/other/registries/plant/devices/dev1",
        &format!("{place}1085266243"),
        &format!("{place}ab"),
        &format!("{place}goog1"),
        &format!("{place}a/b"),
        place,
    ] {
        assert_eq!(own.refuses(client, &token), IDENTIFIER, "{client}");
    }
    own.device(&format!("{place}d1085266243")).leave();
    assert_eq!(violations(&own.standin.summary(), "client_identifier", "refused"), 8);
}

#[test]
fn only_3_1_1_is_spoken() {
    let own = registry(&[]);
    let token = own.signer.token("acme");
    for version in [Version::V31, Version::V5] {
        let login = Login { version, ..login(DEVICE, &token) };
        assert_eq!(Device::refused(&own.standin.address, login), VERSION);
    }
    own.device(DEVICE).leave();
    assert_eq!(violations(&own.standin.summary(), "version", "refused"), 2);
}

#[test]
fn what_is_not_supported_closes_the_connection() {
    let own = registry(&[]);
    let events = "/plant/dev1/events";
    let large = vec![b'x'; 256 * 1024 + 1];
    let cases = [
        ("qos2", Spoken::new(events, "1", 2)),
        ("retain", Spoken { retain: true, ..Spoken::new(events, "1", 1) }),
        ("topic", Spoken::new("/plant/dev1/state/sub", "1", 1)),
        ("topic", Spoken::new("/other/dev1/events", "1", 1)),
        ("topic", Spoken::new("plant/dev1/events", "1", 1)),
        ("topic", Spoken::new("anything", "1", 0)),
        ("foreign_device", Spoken::new("/plant/dev2/events", "1", 1)),
        ("payload_size", Spoken { payload: &large, ..Spoken::new(events, "", 1) }),
        (
            "payload_size",
            Spoken { payload: &large[..65_537], ..Spoken::new("/plant/dev1/state", "", 1) },
        ),
        ("attach_not_gateway", Spoken::new("/plant/dev2/attach", "{}", 1)),
        ("attach_not_gateway", Spoken::new("/plant/dev2/detach", "", 1)),
    ];
    for (rule, spoken) in cases {
        assert_eq!(own.device(DEVICE).thrown_out(spoken), None, "{rule} {}", spoken.topic);
    }
    let mut device = own.device(DEVICE);
    for (topic, length) in
        [(events, 256 * 1024), ("/plant/dev1/events/a/b", 1), ("/plant/dev1/state", 65_536)]
    {
        device.publish(Spoken { payload: &large[..length], ..Spoken::new(topic, "", 1) });
        assert_eq!(device.puback(), 0, "{topic}");
    }
    let summary = own.standin.summary();
    for (rule, count) in [
        ("qos2", 1),
        ("retain", 1),
        ("topic", 4),
        ("foreign_device", 1),
        ("payload_size", 2),
        ("attach_not_gateway", 2),
    ] {
        assert_eq!(violations(&summary, rule, "closed"), count, "{rule}");
    }
    assert_eq!(summary["forms"]["events"], 4 + 2);
}

#[test]
fn only_the_documented_filters_are_granted() {
    let own = registry(&[]);
    let mut device = own.device(DEVICE);
    for filter in [
        "#",
        "/plant/+/commands/#",
        "/plant/dev1/#",
        "/plant/dev1/commands",
        "/plant/dev1/commands/+",
        "/plant/dev1/events",
        "/plant/dev1/errors",
        "/other/dev1/config",
        "/plant/dev2/config",
    ] {
        assert_eq!(device.subscribe(filter, 1), 0x80, "{filter}");
    }
    assert_eq!(device.subscribe("/plant/dev1/config", 0), 0);
    assert_eq!(device.subscribe("/plant/dev1/commands/#", 2), 1, "QoS 2 is granted as 1");
    let summary = own.standin.summary();
    assert_eq!(violations(&summary, "topic_filter", "refused"), 8);
    assert_eq!(violations(&summary, "foreign_device", "refused"), 1);
}

#[test]
fn commands_and_configurations_reach_the_device() {
    let mut own = registry(&[]);
    own.standin.say("command dev1 lost");
    own.standin.wait_for(&["sent subscribers=0"]);
    own.standin.say("config dev1 {\"interval\":60}");
    own.standin.wait_for(&["sent subscribers=0", "/plant/dev1/config"]);
    let mut device = own.device(DEVICE);
    assert_eq!(device.subscribe("/plant/dev1/commands/#", 1), 1);
    assert_eq!(device.subscribe("/plant/dev1/config", 1), 1);
    let config = device.message();
    assert_eq!((&*config.topic, &*config.payload), ("/plant/dev1/config", "{\"interval\":60}"));
    own.standin.say("command dev1 door=open");
    own.standin.say("command dev1/door/left close it");
    let messages = [device.message(), device.message()];
    assert_eq!((&*messages[0].topic, &*messages[0].payload), ("/plant/dev1/commands", "door=open"));
    assert_eq!(messages[1].topic, "/plant/dev1/commands/door/left");
    assert_eq!((&*messages[1].payload, messages[1].qos), ("close it", 1));
    device.silence();
    let summary = own.standin.summary();
    assert_eq!(summary["commands"], json!({ "sent": 4, "unheard": 2, "confirmed": 0 }));
    assert_eq!(summary["messages"]["arrived"], 3);
}

#[test]
fn towards_devices_there_are_rates() {
    let mut own = registry(&[]);
    own.standin.say("config dev1 1");
    own.standin.say("config dev1 2");
    own.standin.wait_for(&["violation rule=config_rate outcome=refused"]);
    // The bucket holds 100 and fills with 100 per second; a slow machine may need more to empty it.
    for _ in 0..2000 {
        own.standin.say("command dev1 now");
    }
    own.standin.wait_for(&["violation rule=command_rate outcome=refused"]);
}

#[test]
fn a_second_connection_closes_the_first() {
    let own = registry(&[]);
    let mut first = own.device(DEVICE);
    let mut second = own.device(DEVICE);
    assert_eq!(first.closed(), None);
    second.silence();
    assert_eq!(violations(&own.standin.summary(), "taken_over", "closed"), 1);
}

#[test]
fn wills_sessions_and_fast_states_are_noted() {
    let own = registry(&[]);
    let token = own.signer.token("acme");
    let asking =
        Login { clean_start: false, will: Some("/plant/dev1/state"), ..login(DEVICE, &token) };
    let mut device = Device::connect(&own.standin.address, asking);
    assert_eq!(device.acknowledged("/plant/dev1/state", "a"), 0);
    drop(device);
    // There is no session and no will: the state that was published is the only one.
    let mut device = Device::dial(&own.standin.address, asking);
    let connack = platform_support::device::Heard::Connack { code: 0, session_present: false };
    assert_eq!(device.hear(), connack);
    for _ in 0..3 {
        assert_eq!(device.acknowledged("/plant/dev1/state", "b"), 0);
    }
    let summary = own.standin.summary();
    assert_eq!(violations(&summary, "will", "noted"), 2);
    assert_eq!(violations(&summary, "session", "noted"), 2);
    assert!(violations(&summary, "state_rate", "noted") >= 1, "{summary}");
    assert_eq!(summary["forms"]["state"], 4);
}

#[test]
fn silence_ends_a_connection() {
    let own = registry(&["--set", "idle=2"]);
    let token = own.signer.token("acme");
    let mut device = Device::connect(&own.standin.address, login(DEVICE, &token));
    assert_eq!(device.closed(), None);
    let speaking = Login { keep_alive_seconds: 1, ..login(DEVICE, &token) };
    let mut device = Device::connect(&own.standin.address, speaking);
    assert_eq!(device.closed(), None);
    let summary = own.standin.summary();
    assert_eq!(violations(&summary, "idle", "closed"), 1);
    assert_eq!(violations(&summary, "keep_alive", "closed"), 1);
}

#[test]
fn wrong_settings_start_nothing() {
    for (arguments, said) in [
        (&["--set", "registry=plant"][..], "--set subscription="),
        (&PLACE, "--set key=PUBLIC.pem or --users FILE"),
        (&["--set", "colour=red"], "it has subscription, registry, key"),
        (&["--users", "/nonexistent"], "/nonexistent"),
    ] {
        let error = refused_to_start("omnicore", arguments);
        assert!(error.contains(said), "{error}");
    }
}

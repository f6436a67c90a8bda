//! Sessions of a listener that asks who comes: what waits for the verdict, and what a bound device may say and ask. Attacks
//! 17, 18 and 20.

mod script;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use interlingua::access::{
    Bind, Credentials, Denied, Devices, Forwarding, Password, Rules, Users, Witness, line_of,
};
use interlingua::dialect::parse;
use interlingua::mqtt::{
    Connack, Connect, Properties, Property, Publish, Qos, ReasonCode, Version, Will, next_packet,
};
use interlingua::session::{
    Admitted, End, OnRefusal, Session, SessionLimits, SessionPlan, Standing,
};
use interlingua::translate::{Identity, Reason, Side, Translator, Way};
use script::packets::{connack, connect, connect_of, properties, publish, publish_of, subscribe};
use script::pairs::{prefix, side, translator};
use script::run::{Peer, Run};

const TOKEN: &str = "TOK-4711";

fn thingscale_to_omnicore() -> Translator {
    let here = side("thingscale", &[("token", TOKEN), ("tenant", "acme")]);
    let there =
        side("omnicore", &[("subscription", "sub"), ("registry", "plant"), ("password", "J")]);
    translator(here, there, prefix())
}

fn xyte_to_xyte() -> Translator {
    let [here, there] = ["HERE", "THERE"].map(|key| side("xyte", &[("access_key", key)]));
    translator(here, there, Identity::Same)
}

const OWN: Rules =
    Rules { bind: Bind::Device, devices: Devices::Own, forwarding: Forwarding::Withheld };

/// A session with the listener's side and the upstream's played by the test.
struct Talk {
    run: Run,
    version: Version,
    /// Whether the last message was refused as somebody else's.
    was_denied: bool,
}

impl Talk {
    fn new(translator: Translator, rules: &Rules, version: Version) -> Self {
        let rules = Arc::new(rules.clone());
        Self::with(translator, version, |session| session.with_access(rules))
    }

    /// Who comes is known before CONNECT.
    fn known(
        translator: Translator,
        rules: &Rules,
        version: Version,
        verdict: Result<Admitted, Denied>,
    ) -> Self {
        let rules = Arc::new(rules.clone());
        Self::with(translator, version, |session| session.with_verdict(rules, verdict))
    }

    fn with(
        translator: Translator,
        version: Version,
        access: impl FnOnce(Session) -> Session,
    ) -> Self {
        let limits = SessionLimits::default();
        let plan = SessionPlan { translator, limits, on_refusal: OnRefusal::AckAndDrop };
        let mut run = Run::new(Arc::new(plan), version, Instant::now());
        let idle = Session::new(
            Arc::new(SessionPlan {
                translator: Translator::plain(),
                limits: SessionLimits::default(),
                on_refusal: OnRefusal::AckAndDrop,
            }),
            run.now,
        );
        run.session = access(std::mem::replace(&mut run.session, idle));
        Self { run, version, was_denied: false }
    }

    fn says(&mut self, bytes: &[u8]) {
        self.run.feed(Peer::Device, bytes).unwrap();
    }

    fn hears(&mut self, bytes: &[u8]) {
        self.run.feed(Peer::Upstream, bytes).unwrap();
    }

    fn judge(&mut self, verdict: Result<Admitted, Denied>) {
        self.run.wake(|session, wake| session.on_access(verdict, wake)).unwrap();
    }

    fn admit(&mut self, name: &str) {
        self.judge(Ok(admitted(name, None)));
    }

    /// CONNECT, proven under this name. What the device is told, if it is refused.
    fn comes(&mut self, given: Connect<'_>, name: &str) -> Option<ReasonCode> {
        self.says(&connect(given));
        assert!(self.run.session.take_asked().is_some());
        self.admit(name);
        if self.run.session.wants_upstream() {
            return None;
        }
        assert!(self.run.take(Peer::Upstream).is_empty());
        Some(self.connack())
    }

    /// The same, and the upstream accepts.
    fn comes_in(mut self, given: Connect<'_>, name: &str) -> Self {
        assert_eq!(self.comes(given, name), None);
        let now = self.run.now;
        self.run.wake(|session, _| session.on_upstream_open(now)).unwrap();
        let upstream = self.run.session.upstream_version();
        self.hears(&connack(upstream, ReasonCode::Success));
        self.run.take(Peer::Upstream);
        self.run.take(Peer::Device);
        self
    }

    fn connack(&mut self) -> ReasonCode {
        let bytes = self.run.take(Peer::Device);
        let raw = next_packet(&bytes, self.version, 1000).unwrap().expect("a CONNACK");
        assert_eq!(raw.bytes.len(), bytes.len());
        Connack::decode(raw, self.version).unwrap().reason_code
    }

    /// The topic under which a message arrives; `None`: it was refused.
    fn publishes(&mut self, topic: &str) -> Option<String> {
        let given = publish(self.version, publish_of(Qos::AtMostOnce, 0, topic, b"1"));
        self.sent(Peer::Device, &given)
    }

    fn delivers(&mut self, topic: &str, payload: &[u8]) -> Option<String> {
        let version = self.run.session.upstream_version();
        let given = publish(version, publish_of(Qos::AtMostOnce, 0, topic, payload));
        self.sent(Peer::Upstream, &given)
    }

    fn sent(&mut self, from: Peer, packet: &[u8]) -> Option<String> {
        let (to, way, version) = match from {
            Peer::Device => (Peer::Upstream, Way::Up, self.run.session.upstream_version()),
            Peer::Upstream => (Peer::Device, Way::Down, self.version),
        };
        let denied = self.denied(way);
        self.run.feed(from, packet).unwrap();
        let out = self.run.take(to);
        self.was_denied = self.denied(way) > denied;
        if out.is_empty() {
            return None;
        }
        let raw = next_packet(&out, version, 100_000).unwrap().unwrap();
        Some(Publish::decode(raw, version).unwrap().topic_name.to_owned())
    }

    fn denied(&self, way: Way) -> u64 {
        self.run.tally.refused(way, Reason::AccessDenied)
    }

    /// Whether a SUBSCRIBE with this filter reaches the upstream.
    fn asks(&mut self, filter: &str) -> bool {
        self.says(&subscribe(self.version, 7, &[(filter, Qos::AtMostOnce)]));
        let asked = !self.run.take(Peer::Upstream).is_empty();
        assert!(asked || !self.run.take(Peer::Device).is_empty(), "a SUBACK");
        asked
    }
}

/// A device that has shown a password.
fn admitted(name: &str, until: Option<Instant>) -> Admitted {
    static WITNESS: OnceLock<Witness> = OnceLock::new();
    let witness = WITNESS.get_or_init(|| {
        let password = Password::new(b"p");
        let line = line_of("u", &password, b"salt of tests").expect("a line");
        let users = Users::parse("users.txt", &line).expect("a line");
        let credentials = Credentials { user_name: Some("u".into()), password: Some(password) };
        users.check(&credentials).expect("it is right").witness
    });
    Admitted { name: name.into(), until, witness: witness.clone(), reading: 0 }
}

fn of(client_identifier: &str) -> Connect<'_> {
    connect_of(Version::V311, client_identifier)
}

#[test]
fn a_connect_waits_whole_until_its_credentials_are_proven() {
    let given = Connect { user_name: Some("77"), password: Some(b"\xFFpw"), ..of("77_x1") };
    let packet = connect(given);
    for at in 1..=packet.len() {
        let mut talk = Talk::new(thingscale_to_omnicore(), &OWN, Version::V311);
        talk.says(&packet[..at]);
        assert_eq!(talk.run.session.take_asked().is_some(), at == packet.len());
        talk.says(&packet[at..]);
        if at < packet.len() {
            let asked = talk.run.session.take_asked().expect("now it is whole");
            let password = Some(Password::new(b"\xFFpw"));
            assert_eq!(asked, Credentials { user_name: Some("77".into()), password });
        }
        talk.says(b"\xC0\0");
        assert!(!talk.run.session.is_open() && !talk.run.session.wants_upstream());
        assert!(talk.run.take(Peer::Upstream).is_empty() && talk.run.take(Peer::Device).is_empty());
        assert_eq!(talk.run.session.client_identifier(), "77_x1");
        talk.admit("77");
        assert!(talk.run.session.wants_upstream());
        assert!(talk.run.session.take_asked().is_none());
    }
}

#[test]
fn a_denied_device_is_told_and_nobody_else_hears_of_it() {
    for version in [Version::V31, Version::V311, Version::V5] {
        for (denied, code) in [
            (Denied::NothingShown, ReasonCode::NotAuthorized),
            (Denied::WrongPassword, ReasonCode::BadUserNameOrPassword),
            (Denied::TokenExpired, ReasonCode::BadUserNameOrPassword),
        ] {
            let mut talk = Talk::new(Translator::plain(), &OWN, version);
            talk.says(&[&connect(connect_of(version, "dev"))[..], b"\xC0\0"].concat());
            talk.judge(Err(denied));
            assert_eq!(talk.connack(), code, "{version}");
            assert!(matches!(talk.run.session.end(), Some(End::ConnectRefused(refusal))
                if refusal.reason == Reason::AccessDenied && refusal.detail == denied.detail()));
            assert!(talk.run.take(Peer::Upstream).is_empty());
        }
    }
}

#[test]
fn a_verdict_that_nobody_waits_for_changes_nothing() {
    let mut talk = Talk::new(Translator::plain(), &OWN, Version::V311);
    talk.admit("dev");
    talk.judge(Err(Denied::WrongPassword));
    assert_eq!(talk.run.session.end(), None);
    talk.says(&connect(of("dev")));
    assert!(talk.run.session.take_asked().is_some() && !talk.run.session.wants_upstream());
    // Too late is a refusal, and a verdict behind it is none.
    talk.run.pass(SessionLimits::default().connect_timeout).unwrap();
    assert_eq!(talk.connack(), ReasonCode::ServerUnavailable);
    talk.admit("dev");
    assert!(!talk.run.session.wants_upstream());
    assert!(matches!(talk.run.session.end(), Some(End::ConnectRefused(refusal))
        if refusal.reason == Reason::RateLimited));
}

#[test]
fn what_ends_the_connection_ends_the_waiting() {
    let waiting = || {
        let mut talk = Talk::new(Translator::plain(), &OWN, Version::V311);
        talk.says(&connect(of("dev")));
        talk
    };
    let mut talk = waiting();
    talk.run.wake(|session, wake| session.on_device_closed(wake)).unwrap();
    assert_eq!(talk.run.session.end(), Some(End::DeviceClosed));
    let mut talk = waiting();
    talk.run.wake(|session, wake| session.on_drain(wake)).unwrap();
    assert_eq!(talk.connack(), ReasonCode::ServerUnavailable);
    assert_eq!(talk.run.session.end(), Some(End::Drained));
}

#[test]
fn attack_20_what_is_proven_ends_and_so_does_the_session() {
    let mut talk = Talk::new(Translator::plain(), &OWN, Version::V5);
    talk.says(&connect(connect_of(Version::V5, "dev")));
    let until = Some(talk.run.now + Duration::from_secs(60));
    talk.judge(Ok(admitted("dev", until)));
    let now = talk.run.now;
    talk.run.wake(|session, _| session.on_upstream_open(now)).unwrap();
    talk.hears(&connack(Version::V5, ReasonCode::Success));
    talk.run.take(Peer::Device);
    talk.run.pass(Duration::from_millis(59_999)).unwrap();
    assert_eq!(talk.run.session.end(), None);
    talk.run.pass(Duration::from_millis(1)).unwrap();
    assert_eq!(talk.run.take(Peer::Device), [0xE0, 1, 0x87]);
    assert_eq!(talk.run.session.end(), Some(End::AccessExpired));
}

#[test]
fn attack_20_the_proven_name_is_the_devices_name() {
    for (client_identifier, name, told) in [
        ("77", "77", None),
        ("77_x1", "77", None),
        ("78", "77", Some(ReasonCode::NotAuthorized)),
        ("78_77", "77", Some(ReasonCode::NotAuthorized)),
        ("77", "7", Some(ReasonCode::NotAuthorized)),
        ("77", "77_x1", Some(ReasonCode::NotAuthorized)),
        ("77", "d77", Some(ReasonCode::NotAuthorized)),
        ("", "77", Some(ReasonCode::NotAuthorized)),
        ("", "", Some(ReasonCode::NotAuthorized)),
    ] {
        let mut talk = Talk::new(thingscale_to_omnicore(), &OWN, Version::V311);
        assert_eq!(talk.comes(of(client_identifier), name), told, "{client_identifier} as {name}");
    }
    let whole = Rules { bind: Bind::ClientIdentifier, ..OWN };
    for (client_identifier, name, told) in [
        ("77_x1", "77_x1", None),
        ("77_x1", "77", Some(ReasonCode::NotAuthorized)),
        ("", "", Some(ReasonCode::NotAuthorized)),
    ] {
        let mut talk = Talk::new(thingscale_to_omnicore(), &whole, Version::V311);
        assert_eq!(talk.comes(of(client_identifier), name), told, "{client_identifier} as {name}");
    }
    // Where nothing is translated there is still the client identifier.
    for (rules, told) in [(&whole, Some(ReasonCode::NotAuthorized)), (&OWN, None)] {
        let mut talk = Talk::new(Translator::plain(), rules, Version::V311);
        assert_eq!(talk.comes(of("dev"), "other"), told);
    }
}

#[test]
fn the_dialects_own_credentials_are_not_asked_for_any_more() {
    // Without access, another password than the token is refused.
    let given = Connect { user_name: Some("77"), password: Some(b"its own"), ..of("77") };
    let mut talk = Talk::new(thingscale_to_omnicore(), &OWN, Version::V311);
    assert_eq!(talk.comes(given, "77"), None);
    let bytes = talk.run.take(Peer::Upstream);
    let raw = next_packet(&bytes, Version::V311, 1000).unwrap().unwrap();
    let upstream = Connect::decode(raw).unwrap();
    assert_eq!((upstream.user_name, upstream.password), (Some("unused"), Some(&b"J"[..])));
}

#[test]
fn attack_18_a_bound_device_speaks_of_itself_only() {
    let mut talk =
        Talk::new(thingscale_to_omnicore(), &OWN, Version::V311).comes_in(of("77_a"), "77");
    for round in 0..2 {
        assert_eq!(
            talk.publishes("TOK-4711/json/77/t").as_deref(),
            Some("/plant/d77/events/t"),
            "{round}"
        );
        for other in [
            "TOK-4711/json/78/t",
            "TOK-4711/json/78",
            "TOK-4711/json/777/t",
            "TOK-4711/json/7/t",
            "TOK-4711/json/d77/t",
            "TOK-4711/json/%37%37/t",
            "TOK-4711/binary/78/t",
            "TOK-4711/json/78/response",
            "TOK-4711/json/78/error",
        ] {
            assert_eq!(talk.publishes(other), None, "{other}");
            assert!(talk.was_denied, "{other}");
        }
    }
    // A payload that would go through as it arrives is no way around.
    let large =
        |topic| publish(Version::V311, publish_of(Qos::AtMostOnce, 0, topic, &[b'1'; 9000]));
    let sent = talk.sent(Peer::Device, &large("TOK-4711/json/78/t"));
    assert_eq!((sent, talk.was_denied), (None, true));
    let sent = talk.sent(Peer::Device, &large("TOK-4711/json/77/t"));
    assert_eq!((sent.as_deref(), talk.was_denied), (Some("/plant/d77/events/t"), false));
    // With the same session unbound, they pass: it is the rule that holds them.
    let open = Rules { devices: Devices::Any, ..OWN };
    let mut talk =
        Talk::new(thingscale_to_omnicore(), &open, Version::V311).comes_in(of("77"), "77");
    assert_eq!(talk.publishes("TOK-4711/json/78/t").as_deref(), Some("/plant/d78/events/t"));
}

#[test]
fn attack_18_a_bound_device_asks_about_itself_only() {
    let mut talk =
        Talk::new(thingscale_to_omnicore(), &OWN, Version::V311).comes_in(of("77"), "77");
    for filter in [
        "TOK-4711/78/subscribe",
        "TOK-4711/78/#",
        "TOK-4711/d77/subscribe",
        "#",
        "+/77/subscribe",
        "TOK-4711/78/+",
        "$share/g/TOK-4711/77/subscribe",
    ] {
        assert!(!talk.asks(filter), "{filter}");
    }
    assert!(talk.asks("TOK-4711/77/subscribe"));
    let mut talk =
        Talk::new(thingscale_to_omnicore(), &OWN, Version::V311).comes_in(of("77"), "77");
    // A wildcard in the place of the device is the device.
    talk.says(&subscribe(Version::V311, 8, &[("TOK-4711/+/subscribe", Qos::AtMostOnce)]));
    let bytes = talk.run.take(Peer::Upstream);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("/plant/d77/") && !text.contains('+'), "{text}");
    let open = Rules { devices: Devices::Any, ..OWN };
    let mut talk =
        Talk::new(thingscale_to_omnicore(), &open, Version::V311).comes_in(of("77"), "77");
    assert!(talk.asks("TOK-4711/78/subscribe"));
}

#[test]
fn attack_20_what_comes_for_another_device_is_refused_under_its_upstream_name() {
    let mut talk =
        Talk::new(thingscale_to_omnicore(), &OWN, Version::V311).comes_in(of("77"), "77");
    assert!(talk.asks("TOK-4711/77/subscribe"));
    let own = talk.delivers("/plant/d77/commands", b"on");
    assert_eq!(own.as_deref(), Some("TOK-4711/77/subscribe"));
    assert_eq!(talk.delivers("/plant/d78/commands", b"on"), None);
    assert!(talk.was_denied);
    assert_eq!(
        talk.delivers("/plant/d77/commands", b"off").as_deref(),
        Some("TOK-4711/77/subscribe")
    );
}

#[test]
fn attack_18_a_will_is_held_to_the_same() {
    let will = |topic_name| Will {
        topic_name,
        payload: b"1",
        qos: Qos::AtMostOnce,
        retain: false,
        properties: Properties::EMPTY,
    };
    for (topic, told) in
        [("TOK-4711/json/77/t", None), ("TOK-4711/json/78/t", Some(ReasonCode::NotAuthorized))]
    {
        let mut talk = Talk::new(thingscale_to_omnicore(), &OWN, Version::V311);
        assert_eq!(
            talk.comes(Connect { will: Some(will(topic)), ..of("77") }, "77"),
            told,
            "{topic}"
        );
    }
}

#[test]
fn attack_18_an_answer_is_asked_for_on_own_topics_only() {
    let given = connect_of(Version::V5, "XID");
    let mut talk = Talk::new(xyte_to_xyte(), &OWN, Version::V5).comes_in(given, "XID");
    for (answer, expected) in [
        ("v1/device/XID/command", Some("v1/device/XID/telemetry")),
        ("v1/device/YID/command", None),
    ] {
        let own = properties(&[Property::ResponseTopic(answer)]);
        let message = Publish {
            properties: own.properties(),
            payload: b"{}",
            ..publish_of(Qos::AtMostOnce, 0, "v1/device/XID/telemetry", b"")
        };
        let sent = talk.sent(Peer::Device, &publish(Version::V5, message));
        assert_eq!((sent.as_deref(), talk.was_denied), (expected, expected.is_none()), "{answer}");
    }
}

/// Names that have tricked somebody: separators, wildcards, references of rewriting rules, other spellings of a name.
const HOSTILE: [&str; 18] = [
    "a/b", "/", "77/json", "+", "#", "a+", "a#", "$SYS", "$share", "&", "\\1", "$1", "..", "../78",
    "%2F", "d77", " 77", "{device}",
];

#[test]
fn attack_17_no_name_leads_to_another_place_than_its_own() {
    let mut names: Vec<String> = HOSTILE.iter().map(|name| (*name).to_owned()).collect();
    names.push("x".repeat(60_000));
    names.push("\u{202E}77".to_owned());
    let mut seen = std::collections::BTreeMap::new();
    for name in names {
        let mut talk = Talk::new(thingscale_to_omnicore(), &OWN, Version::V311);
        let refused = talk.comes(of(&name), &name);
        if let Some(code) = refused {
            assert!(matches!(code, ReasonCode::ClientIdentifierNotValid), "{name}: {code:?}");
            continue;
        }
        let mut talk =
            Talk::new(thingscale_to_omnicore(), &OWN, Version::V311).comes_in(of(&name), &name);
        // Some can come in and say nothing: their own topics belong to others, or to nobody.
        let Some(topic) = talk.publishes(&format!("TOK-4711/json/{name}/t")) else { continue };
        let levels: Vec<&str> = topic.split('/').collect();
        assert_eq!(
            (levels.len(), levels[1], levels[3], levels[4]),
            (5, "plant", "events", "t"),
            "{topic}"
        );
        assert!(!topic.contains(['+', '#', '\0']), "{topic}");
        assert!(!matches!(levels[2], "d77" | "d78" | "." | ".."), "{name} became {topic}");
        assert_eq!(
            seen.insert(topic.clone(), name.clone()),
            None,
            "{topic} is also somebody else's"
        );
    }
    assert!(seen.len() >= 5, "too few are taken to show anything: {seen:?}");
}

/// Who comes by a certificate: its name was proven, or not, before CONNECT.
const BY_CERTIFICATE: Rules =
    Rules { bind: Bind::Device, devices: Devices::Own, forwarding: Forwarding::NotAsked };

#[test]
fn who_was_denied_before_connect_is_told_once_it_has_come() {
    for version in [Version::V31, Version::V311, Version::V5] {
        for denied in
            [Denied::NoCertificate, Denied::CertificateNameless, Denied::CertificateExpired]
        {
            let mut talk = Talk::known(Translator::plain(), &BY_CERTIFICATE, version, Err(denied));
            let packet = [&connect(connect_of(version, "dev"))[..], b"\xC0\0"].concat();
            talk.says(&packet[..packet.len() - 3]);
            assert!(talk.run.take(Peer::Device).is_empty());
            talk.says(&packet[packet.len() - 3..]);
            assert_eq!(talk.connack(), ReasonCode::NotAuthorized, "{version}");
            assert!(matches!(talk.run.session.end(), Some(End::ConnectRefused(refusal))
                if refusal.reason == Reason::AccessDenied && refusal.detail == denied.detail()));
            assert!(talk.run.session.take_asked().is_none());
            assert!(talk.run.take(Peer::Upstream).is_empty());
            assert_eq!(talk.denied(Way::Up), 1);
        }
    }
}

#[test]
fn who_is_known_before_connect_does_not_wait_and_is_bound_all_the_same() {
    let known = |client_identifier, password| {
        let verdict = Ok(admitted("77", None));
        let mut talk =
            Talk::known(thingscale_to_omnicore(), &BY_CERTIFICATE, Version::V311, verdict);
        talk.says(&connect(Connect {
            user_name: Some("u"),
            password: Some(password),
            ..of(client_identifier)
        }));
        assert!(talk.run.session.take_asked().is_none());
        talk
    };
    assert!(known("77_x1", TOKEN.as_bytes()).run.session.wants_upstream());
    // User name and password are the dialect's, as without access.
    assert_eq!(known("77_x1", b"TOK-x").connack(), ReasonCode::BadUserNameOrPassword);
    assert_eq!(known("78_x1", TOKEN.as_bytes()).connack(), ReasonCode::NotAuthorized);
    assert_eq!(known("", TOKEN.as_bytes()).connack(), ReasonCode::NotAuthorized);
    let mut talk = known("77_x1", TOKEN.as_bytes());
    let now = talk.run.now;
    talk.run.wake(|session, _| session.on_upstream_open(now)).unwrap();
    talk.hears(&connack(Version::V311, ReasonCode::Success));
    talk.run.take(Peer::Upstream);
    assert!(talk.publishes(&format!("{TOKEN}/json/77")).is_some());
    assert!(talk.publishes(&format!("{TOKEN}/json/78")).is_none() && talk.was_denied);
}

#[test]
fn plain_passes_the_credentials_on_that_a_certificate_did_not_need() {
    let rules = Rules { bind: Bind::ClientIdentifier, devices: Devices::Any, ..BY_CERTIFICATE };
    let given = Connect { user_name: Some("u"), password: Some(b"p"), ..of("77") };
    let verdict = Ok(admitted("77", None));
    let mut talk = Talk::known(Translator::plain(), &rules, Version::V311, verdict);
    talk.says(&connect(given));
    assert_eq!(talk.run.take(Peer::Upstream), connect(given));
}

/// Nothing is said to who hasn't said anything yet.
#[test]
fn a_certificate_that_is_withdrawn_before_connect_ends_the_connection_silently() {
    let verdict = Ok(admitted("77", None));
    let mut talk = Talk::known(Translator::plain(), &BY_CERTIFICATE, Version::V5, verdict);
    let review = |talk: &mut Talk, reading, standing| {
        talk.run.wake(|session, wake| session.on_access_reviewed(reading, standing, wake)).unwrap();
    };
    review(&mut talk, 1, Standing::Unchanged);
    assert_eq!(talk.run.session.end(), None);
    assert_eq!(talk.run.session.admitted().map(|known| known.reading), Some(1));
    review(&mut talk, 2, Standing::Over);
    assert_eq!(talk.run.session.end(), Some(End::AccessRevoked));
    assert!(talk.run.take(Peer::Device).is_empty() && talk.run.take(Peer::Upstream).is_empty());
}

/// A dialect that reads the certificate: its tenant is the session's own, like its device.
const CERTIFIED: &str = r#"
name = "certified"
mqtt = ["3.1.1", "5"]
[variables]
tenant = { punctuation = "-" }
[connect]
client_id   = "{device}"
certificate = "{tenant}.{device}"
[[topic]]
kind     = "telemetry"
from     = "device"
template = "{tenant}/{device}/up"
[[topic]]
kind     = "command"
from     = "cloud"
template = "{tenant}/{device}/down"
"#;

fn certified() -> Translator {
    let side = || Side::new(Arc::new(parse("t.toml", CERTIFIED).unwrap()));
    translator(side(), side(), Identity::Same)
}

/// What TLS has verified, and what the proven name is.
fn with_certificate(rules: &Rules, certificate: Option<&str>) -> Talk {
    let rules = Arc::new(rules.clone());
    Talk::with(certified(), Version::V311, |session| {
        let session = session.with_verdict(rules, Ok(admitted("acme.77", None)));
        certificate.into_iter().fold(session, |session, name| session.with_certificate(name.into()))
    })
}

#[test]
fn attack_18_a_session_is_bound_by_what_its_dialect_reads_in_the_certificate() {
    let rules = Rules { bind: Bind::Certificate, ..BY_CERTIFICATE };
    let mut talk = with_certificate(&rules, Some("acme.77"));
    talk.says(&connect(of("77")));
    let now = talk.run.now;
    talk.run.wake(|session, _| session.on_upstream_open(now)).unwrap();
    talk.hears(&connack(Version::V311, ReasonCode::Success));
    talk.run.take(Peer::Upstream);
    assert_eq!(talk.publishes("acme/77/up").as_deref(), Some("acme/77/up"));
    for topic in ["evil/77/up", "acme/78/up"] {
        assert!(talk.publishes(topic).is_none() && talk.was_denied, "{topic}");
    }
    talk.run.take(Peer::Device);
    assert!(!talk.asks("evil/77/down"));
    assert!(talk.asks("acme/77/down"));
    assert_eq!(talk.delivers("acme/77/down", b"1").as_deref(), Some("acme/77/down"));
    assert!(talk.delivers("evil/77/down", b"1").is_none() && talk.was_denied);
}

#[test]
fn attack_17_a_connect_that_contradicts_its_certificate_is_refused() {
    let rules = Rules { bind: Bind::Certificate, ..BY_CERTIFICATE };
    for (certificate, client_identifier) in [
        (Some("acme.77"), "78"),
        (Some("acme"), "77"),
        (Some(""), "77"),
        // Another one than was proven, or none: it was never handed on. The door stays closed.
        (Some("evil.77"), "77"),
        (None, "77"),
    ] {
        let mut talk = with_certificate(&rules, certificate);
        talk.says(&connect(of(client_identifier)));
        assert_eq!(
            talk.connack(),
            ReasonCode::NotAuthorized,
            "{certificate:?} {client_identifier}"
        );
        assert!(talk.run.take(Peer::Upstream).is_empty());
    }
}

/// Also where nobody asks who comes: a dialect that reads certificates believes them.
#[test]
fn a_certificate_counts_without_access_too() {
    let mut talk = Talk::with(certified(), Version::V311, |session| {
        session.with_certificate("acme.77".into())
    });
    talk.says(&connect(of("78")));
    assert_eq!(talk.connack(), ReasonCode::NotAuthorized);
    assert_eq!(talk.denied(Way::Up), 1);
}

//! The name in a device's certificate as a text of its dialect: what it says of the session, what has to agree with it, and
//! what a session that is kept to it may not say. Attacks 17 and 18.

use std::sync::Arc;

use interlingua::dialect::parse;
use interlingua::mqtt::Qos;
use interlingua::translate::{
    ConnectPlan, ConnectRefusal, Identity, Incoming, Memory, PrefixRule, Reason, Refusal, Scratch,
    Shown, Side, Translator, Way, compile,
};

/// A tenant has no dot, so the first one ends it, whatever the device is called.
const NEAR: &str = r#"
name = "near"
mqtt = ["3.1.1", "5"]
[variables]
tenant = { punctuation = "-" }
nonce  = { about = "anything" }
[connect]
client_id   = "{device}[_{nonce}]"
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

const FAR: &str = r#"
name = "far"
mqtt = ["3.1.1", "5"]
[connect]
client_id = "{tenant}/{device}"
username  = "{tenant}"
[[topic]]
kind     = "telemetry"
from     = "device"
template = "of/{tenant}/{device}/telemetry"
[[topic]]
kind     = "command"
from     = "cloud"
template = "of/{tenant}/{device}/command"
"#;

fn side(table: &str, values: &[(&str, &str)]) -> Side {
    let dialect = parse("t.toml", table).unwrap_or_else(|faults| panic!("{faults:#?}"));
    values.iter().fold(Side::new(Arc::new(dialect)), |side, (name, text)| side.with(name, text))
}

fn pair(values: &[(&str, &str)]) -> Translator {
    let identity = Identity::Prefix(PrefixRule::new("d"));
    compile(side(NEAR, values), side(FAR, &[]), identity)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn connect(
    translator: &Translator,
    client_identifier: &str,
    certificate: Option<&str>,
) -> Result<ConnectPlan, ConnectRefusal> {
    let shown = Shown { client_identifier, certificate, ..Shown::default() };
    translator.connect(&shown).map(|plan| plan.expect("a pair"))
}

fn device(plan: &ConnectPlan) -> Option<&str> {
    plan.names.device.as_deref()
}

/// Why the certificate is refused.
fn refused(outcome: Result<ConnectPlan, ConnectRefusal>) -> Reason {
    match outcome {
        Err(ConnectRefusal::Certificate(Refusal { reason, .. })) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_says_who_the_session_is() {
    let translator = pair(&[]);
    assert!(translator.reads_certificate());
    let plan = connect(&translator, "77_x1", Some("acme.77")).unwrap();
    assert_eq!(device(&plan), Some("77"));
    assert_eq!(plan.names.upstream_device.as_deref(), Some("d77"));
    assert_eq!(plan.client_identifier, "acme/d77");
    assert_eq!(plan.user_name.as_deref(), Some("acme"), "the upstream is told the tenant");
    // Without a client identifier the certificate is enough; the upstream's stays the upstream's to choose.
    let plan = connect(&translator, "", Some("acme.77")).unwrap();
    assert_eq!((device(&plan), plan.client_identifier.as_str()), (Some("77"), ""));
    // Who shows none is known by the client identifier alone, which doesn't say the tenant.
    assert!(matches!(connect(&translator, "77", None), Err(ConnectRefusal::ClientIdentifier(_))));
    assert_eq!(device(&connect(&translator, "", None).unwrap()), None);
}

#[test]
fn attack_17_a_name_is_read_in_one_way() {
    let translator = pair(&[]);
    let plan = connect(&translator, "m.77", Some("acme.m.77")).unwrap();
    assert_eq!((device(&plan), plan.user_name.as_deref()), (Some("m.77"), Some("acme")));
    // As the certificate says it: the client identifier alone would be device `my`.
    let plan = connect(&translator, "my_7", Some("acme.my_7")).unwrap();
    assert_eq!(device(&plan), Some("my_7"));
    assert_eq!(device(&connect(&translator, "my_7", Some("acme.my")).unwrap()), Some("my"));
    for foreign in ["", "acme", "acme.", ".77", "a/b.77", "acme.7/7", "acme.+", "acme.#", "a b.77"]
    {
        assert_eq!(
            refused(connect(&translator, "77", Some(foreign))),
            Reason::UnknownDevice,
            "{foreign:?}"
        );
    }
}

#[test]
fn attack_17_what_contradicts_the_certificate_is_refused() {
    let translator = pair(&[]);
    for other in ["78", "78_x1", "7", "acme", "acme.77"] {
        let outcome = connect(&translator, other, Some("acme.77"));
        assert_eq!(refused(outcome), Reason::AccessDenied, "{other}");
    }
    // What is configured stands in the certificate, too.
    let of_acme = pair(&[("tenant", "acme")]);
    assert!(connect(&of_acme, "77", Some("acme.77")).is_ok());
    assert_eq!(refused(connect(&of_acme, "77", Some("evil.77"))), Reason::UnknownDevice);
}

/// Two variables of one part are one thing, whatever they are called.
#[test]
fn attack_17_another_word_for_the_device_is_no_way_around() {
    let table = NEAR.replace("nonce  =", "serial = { part = \"device\" }\nnonce  =");
    let table =
        table.replace("certificate = \"{tenant}.{device}\"", "certificate = \"{tenant}.{serial}\"");
    let translator = compile(side(&table, &[]), side(FAR, &[]), Identity::Same).unwrap();
    assert_eq!(device(&connect(&translator, "77", Some("acme.77")).unwrap()), Some("77"));
    assert_eq!(refused(connect(&translator, "78", Some("acme.77"))), Reason::AccessDenied);
}

fn outcome(
    translator: &Translator,
    way: Way,
    topic_name: &str,
    memory: &mut Memory,
) -> Result<String, Reason> {
    let message = Incoming { topic_name, payload: b"1", qos: Qos::AtMostOnce, retain: false };
    let mut scratch = Scratch::default();
    let translated = translator.publish(way, &message, memory, &mut scratch);
    let translated = translated.map_err(|refusal| refusal.reason)?;
    let sent = translated.messages().next().expect("one message");
    Ok(sent.topic_name.to_owned())
}

#[test]
fn attack_18_a_session_is_kept_to_the_tenant_of_its_certificate_in_both_directions() {
    let translator = pair(&[]);
    let plan = connect(&translator, "77", Some("acme.77")).unwrap();
    let mut memory = Memory::default();
    memory.keep_to(&plan);
    for (way, topic_name, expected) in [
        (Way::Up, "acme/77/up", Ok("of/acme/d77/telemetry")),
        (Way::Up, "evil/77/up", Err(Reason::AccessDenied)),
        (Way::Up, "acme/78/up", Err(Reason::AccessDenied)),
        (Way::Down, "of/acme/d77/command", Ok("acme/77/down")),
        (Way::Down, "of/evil/d77/command", Err(Reason::AccessDenied)),
        (Way::Down, "of/acme/d78/command", Err(Reason::AccessDenied)),
    ] {
        for _ in 0..2 {
            let outcome = outcome(&translator, way, topic_name, &mut memory);
            assert_eq!(outcome.as_deref().map_err(|reason| *reason), expected, "{topic_name}");
        }
    }
    // The will is translated before there is a session.
    assert!(outcome(&translator, Way::Up, "evil/77/up", &mut memory.of_will()).is_err());
    // Payloads that aren't held are no way around.
    let message =
        Incoming { topic_name: "evil/77/up", payload: b"", qos: Qos::AtMostOnce, retain: false };
    let mut scratch = Scratch::default();
    let start = translator.publish_start(Way::Up, &message, 1 << 20, &mut memory, &mut scratch);
    assert!(matches!(start, Ok(None)), "it is looked at, and refused then");
    // Nor is an answer.
    assert!(translator.response_topic(Way::Up, "evil/77/down", &memory).is_err());
    assert!(translator.response_topic(Way::Up, "acme/77/down", &memory).is_ok());
}

#[test]
fn attack_18_a_filter_reaches_the_tenant_of_the_certificate_only() {
    let translator = pair(&[]);
    let plan = connect(&translator, "77", Some("acme.77")).unwrap();
    let mut memory = Memory::default();
    memory.keep_to(&plan);
    for (filter, expected) in [
        ("acme/77/down", Ok(vec!["of/acme/d77/command".to_owned()])),
        ("acme/+/down", Ok(vec!["of/acme/d77/command".to_owned()])),
        ("acme/#", Ok(vec!["of/acme/d77/command".to_owned()])),
        ("evil/77/down", Err(Reason::AccessDenied)),
        ("evil/+/down", Err(Reason::AccessDenied)),
        ("acme/78/down", Err(Reason::AccessDenied)),
        ("+/77/down", Err(Reason::FilterNotMappable)),
    ] {
        let plan = translator.filter_within(filter, &plan.names, &memory);
        let plan = plan.map(|plan| plan.upstream).map_err(|refusal| refusal.reason);
        assert_eq!(plan, expected, "{filter}");
    }
}

#[test]
fn built_in_dialects_read_no_certificate() {
    use interlingua::dialect::{builtin, builtin_names};
    for name in builtin_names() {
        let dialect = builtin(name).expect("known").expect("sound");
        assert!(dialect.connect.certificate.is_none(), "{name}: no source says what it holds");
    }
}

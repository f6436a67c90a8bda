//! Names across pairs of dialects: topics both ways, filters, response topics, the texts of CONNECT.

use std::sync::Arc;

use interlingua::dialect::builtin;
use interlingua::mqtt::Qos;
use interlingua::translate::{
    ConnectRefusal, Identity, IdentityTable, Incoming, Memory, Note, PrefixRule, Reason, Scratch,
    SessionNames, Shown, Side, Translator, Way, compile,
};

fn side(dialect: &str, values: &[(&str, &str)]) -> Side {
    let dialect = builtin(dialect).expect("a built-in dialect").expect("a sound table");
    values.iter().fold(Side::new(Arc::new(dialect)), |side, (name, text)| side.with(name, text))
}

const THINGSCALE: &[(&str, &str)] = &[("token", "TOK"), ("tenant", "acme"), ("account", "U000001")];
const OMNICORE: &[(&str, &str)] = &[("subscription", "acme-sub"), ("registry", "plant")];
const MQTT2GO: &[(&str, &str)] = &[("home", "h1"), ("gateway", "gw1")];

fn prefix() -> Identity {
    Identity::Prefix(PrefixRule::new("d"))
}

fn table() -> Identity {
    let text = "device,upstream\n1085266243,01FDSA7KS76MNR32J8W0RAWEFX\n";
    Identity::Table(IdentityTable::parse(text).unwrap())
}

fn pair(
    from: &str,
    from_values: &[(&str, &str)],
    to: &str,
    to_values: &[(&str, &str)],
    identity: Identity,
) -> Translator {
    compile(side(from, from_values), side(to, to_values), identity)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn thingscale_to_omnicore() -> Translator {
    pair("thingscale", THINGSCALE, "omnicore", OMNICORE, prefix())
}

fn sent(
    translator: &Translator,
    way: Way,
    topic_name: &str,
    payload: &[u8],
) -> Result<String, Reason> {
    let mut scratch = Scratch::default();
    let message = Incoming { topic_name, payload, qos: Qos::AtLeastOnce, retain: false };
    let mut memory = Memory::default();
    let mut outcome = || {
        let out = translator.publish(way, &message, &mut memory, &mut scratch);
        let out = out.map_err(|refusal| refusal.reason)?;
        assert_eq!(out.len(), 1, "one message");
        let sent = out.messages().next().unwrap();
        assert_eq!(sent.payload, payload, "payloads pass untouched");
        Ok((sent.topic_name.to_owned(), sent.qos, sent.retain, out.notes()))
    };
    let first = outcome();
    assert_eq!(outcome(), first, "a topic that is known says the same");
    first.map(|(topic_name, ..)| topic_name)
}

fn names(device: &str, upstream: &str) -> SessionNames {
    SessionNames { device: Some(device.into()), upstream_device: Some(upstream.into()) }
}

fn filters(
    translator: &Translator,
    filter: &str,
    names: &SessionNames,
) -> Result<Vec<String>, Reason> {
    translator.filter(filter, names).map(|plan| plan.upstream).map_err(|refusal| refusal.reason)
}

#[test]
fn thingscale_to_omnicore_both_ways() {
    let translator = thingscale_to_omnicore();
    for (topic, expected) in [
        ("TOK/json/1085266243", Ok("/plant/d1085266243/events")),
        ("TOK/json/1085266243/", Ok("/plant/d1085266243/events")),
        ("TOK/json/1085266243/room1", Ok("/plant/d1085266243/events/room1")),
        ("TOK/binary/1085266243/img", Ok("/plant/d1085266243/events/img")),
        ("TOK/json/1085266243/response", Ok("/plant/d1085266243/events/response")),
        ("TOK/json/a b", Ok("/plant/da%20b/events")),
        ("TOL/json/1085266243", Err(Reason::BadTopic)),
        ("TOK/json/json", Err(Reason::BadTopic)),
        ("TOK/json/1/2/3", Err(Reason::BadTopic)),
        ("TOK/1085266243/subscribe", Err(Reason::BadTopic)),
    ] {
        assert_eq!(
            sent(&translator, Way::Up, topic, b"23.5"),
            expected.map(str::to_owned),
            "{topic}"
        );
    }
    for (topic, expected) in [
        ("/plant/d1085266243/commands", Ok("TOK/1085266243/subscribe")),
        ("/plant/d1085266243/commands/relay", Ok("TOK/1085266243/subscribe")),
        ("/plant/d1085266243/config", Err(Reason::KindUnsupported)),
        ("/plant/x1085266243/commands", Err(Reason::UnknownDevice)),
        ("/other/d1085266243/commands", Err(Reason::BadTopic)),
        ("/plant/djson/commands", Err(Reason::IdIllegalForTarget)),
    ] {
        assert_eq!(
            sent(&translator, Way::Down, topic, b"on"),
            expected.map(str::to_owned),
            "{topic}"
        );
    }
}

#[test]
fn what_the_upstream_lacks_is_clamped_and_noted() {
    let translator = thingscale_to_omnicore();
    let mut scratch = Scratch::default();
    let message =
        Incoming { topic_name: "TOK/json/77", payload: b"1", qos: Qos::ExactlyOnce, retain: true };
    let out = translator.publish(Way::Up, &message, &mut Memory::default(), &mut scratch).unwrap();
    let sent = out.messages().next().unwrap();
    assert_eq!((sent.qos, sent.retain), (Qos::AtLeastOnce, false));
    assert_eq!(out.notes().iter().collect::<Vec<_>>(), [Note::QosClamped, Note::RetainStripped]);
    let message = Incoming {
        topic_name: "/plant/d77/commands/relay",
        payload: b"on",
        qos: Qos::AtMostOnce,
        retain: false,
    };
    let out =
        translator.publish(Way::Down, &message, &mut Memory::default(), &mut scratch).unwrap();
    assert_eq!(
        out.notes().iter().collect::<Vec<_>>(),
        [Note::MetaLost],
        "the subfolder has no place on ThingScale"
    );
}

#[test]
fn a_payload_larger_than_the_platform_takes_is_refused() {
    let translator = thingscale_to_omnicore();
    assert!(sent(&translator, Way::Up, "TOK/json/77", &vec![b'1'; 262_144]).is_ok());
    assert_eq!(
        sent(&translator, Way::Up, "TOK/json/77", &vec![b'1'; 262_145]),
        Err(Reason::PayloadTooLarge)
    );
}

#[test]
fn a_configuration_shares_the_command_topic_on_request() {
    let device = side("thingscale", THINGSCALE).with_option("config");
    let translator = compile(device, side("omnicore", OMNICORE), prefix()).unwrap();
    assert_eq!(
        sent(&translator, Way::Down, "/plant/d77/config", b"{}").as_deref(),
        Ok("TOK/77/subscribe")
    );
    assert_eq!(
        filters(&translator, "TOK/77/subscribe", &SessionNames::default()).unwrap(),
        ["/plant/d77/commands/#", "/plant/d77/config"]
    );
}

#[test]
fn filters_are_mapped_within_the_own_device() {
    let translator = thingscale_to_omnicore();
    let nobody = SessionNames::default();
    let own = names("77", "d77");
    assert_eq!(
        filters(&translator, "TOK/77/subscribe", &nobody).unwrap(),
        ["/plant/d77/commands/#"]
    );
    assert_eq!(filters(&translator, "TOK/#", &own).unwrap(), ["/plant/d77/commands/#"]);
    assert_eq!(filters(&translator, "TOK/+/subscribe", &own).unwrap(), ["/plant/d77/commands/#"]);
    assert_eq!(filters(&translator, "TOK/+/+", &own).unwrap(), ["/plant/d77/commands/#"]);
    for (filter, names) in [
        ("TOK/#", &nobody),
        ("TOK/+/subscribe", &nobody),
        ("#", &own),
        ("+/#", &own),
        ("+/7/subscribe", &own),
        ("TOL/7/subscribe", &own),
        ("TOK/77/other", &own),
        ("TOK/json/#", &own),
        ("TOK//subscribe", &own),
        ("TOK/json/77", &own),
        ("$share/g/TOK/77/subscribe", &own),
        ("$SYS/#", &own),
    ] {
        assert_eq!(filters(&translator, filter, names), Err(Reason::FilterNotMappable), "{filter}");
    }
}

#[test]
fn filters_of_every_dialect_become_upstream_filters() {
    let smartworks = &[("space", "acme")];
    let g1 = &[("space", "acme"), ("collection", "plant"), ("account", "acme")];
    let uid = "01FDSA7KS76MNR32J8W0RAWEFX";
    let own = names(uid, "d1085266243");
    let table = || {
        let text = format!("device,upstream\n{uid},d1085266243\n");
        Identity::Table(IdentityTable::parse(&text).unwrap())
    };
    let to_omnicore = pair("smartworks", smartworks, "omnicore", OMNICORE, table());
    let properties = format!("spaces/acme/things/{uid}/properties/+");
    assert_eq!(filters(&to_omnicore, &properties, &own).unwrap(), ["/plant/d1085266243/config"]);
    let actions = format!("spaces/acme/things/{uid}/actions/+");
    assert_eq!(filters(&to_omnicore, &actions, &own).unwrap(), ["/plant/d1085266243/commands/#"]);
    let everything = format!("spaces/acme/things/{uid}/#");
    assert_eq!(
        filters(&to_omnicore, &everything, &own).unwrap(),
        ["/plant/d1085266243/config", "/plant/d1085266243/commands/#"]
    );
    let to_omnicore = pair("smartworks-g1", g1, "omnicore", OMNICORE, table());
    let actions = format!("status/acme/collections/plant/things/{uid}/actions/#");
    assert_eq!(filters(&to_omnicore, &actions, &own).unwrap(), ["/plant/d1085266243/commands/#"]);
    let events = format!("status/acme/collections/plant/things/{uid}/events/#");
    assert_eq!(
        filters(&to_omnicore, &events, &own),
        Err(Reason::FilterNotMappable),
        "OmniCore sends no events down"
    );

    let to_mqtt2go = pair("omnicore", OMNICORE, "mqtt2go", MQTT2GO, Identity::Same);
    let lamp = names("lamp1", "lamp1");
    assert_eq!(
        filters(&to_mqtt2go, "/plant/lamp1/commands/#", &lamp).unwrap(),
        ["h1/gw1/lamp1/+/in"]
    );
    assert_eq!(
        filters(&to_mqtt2go, "/plant/lamp1/commands/switch", &lamp).unwrap(),
        ["h1/gw1/lamp1/switch/in"]
    );
    assert_eq!(
        filters(&to_mqtt2go, "/plant/lamp1/config", &lamp).unwrap(),
        Vec::<String>::new(),
        "granted, and empty"
    );
    assert_eq!(filters(&to_mqtt2go, "/plant/gw1/errors", &lamp).unwrap(), Vec::<String>::new());
    assert_eq!(filters(&to_mqtt2go, "/plant/other/#", &lamp).unwrap(), ["h1/gw1/other/+/in"]);

    let from_mqtt2go = pair("mqtt2go", MQTT2GO, "omnicore", OMNICORE, Identity::Same);
    assert_eq!(
        filters(&from_mqtt2go, "h1/gw1/lamp1/+/in", &lamp).unwrap(),
        ["/plant/lamp1/commands/#", "/plant/lamp1/config"]
    );
    assert_eq!(
        filters(&from_mqtt2go, "h1/gw1/#", &lamp).unwrap(),
        ["/plant/lamp1/commands/#", "/plant/lamp1/config"]
    );

    let xyte = pair("xyte-legacy", &[], "xyte", &[], Identity::Same);
    let own = names("XID", "XID");
    assert_eq!(filters(&xyte, "v1/device/XID/commands", &own).unwrap(), ["v1/device/XID/command"]);
    assert_eq!(filters(&xyte, "v1/device/XID/license", &own), Err(Reason::FilterNotMappable));
}

#[test]
fn a_setting_that_is_left_open_opens_no_filter() {
    let text = "name = \"acme\"\nmqtt = [\"5\"]\n[variables]\naccount = { about = \"whose\" }\n\
                [[topic]]\nkind = \"command\"\nfrom = \"cloud\"\ntemplate = \"{account}/{site}/{device}/in\"\n\
                [[topic]]\nkind = \"telemetry\"\nfrom = \"device\"\ntemplate = \"{site}/{device}/out\"\n";
    let acme = interlingua::dialect::parse("acme.toml", text).unwrap();
    let upstream = Side::new(Arc::new(acme)).with("site", "s");
    let device = side("thingscale", THINGSCALE);
    let translator = compile(device, upstream.clone(), Identity::Same).unwrap();
    let own = names("77", "77");
    assert_eq!(filters(&translator, "TOK/77/subscribe", &own), Err(Reason::FilterNotMappable));
    let device = side("thingscale", THINGSCALE);
    let translator = compile(device, upstream.with("account", "me"), Identity::Same).unwrap();
    assert_eq!(filters(&translator, "TOK/77/subscribe", &own).unwrap(), ["me/s/77/in"]);
}

#[test]
fn a_gateway_attaches_devices_that_the_other_side_has() {
    let text = "device,upstream\nlamp1,l-1\n";
    let identity = Identity::Table(IdentityTable::parse(text).unwrap());
    let translator = pair("omnicore", OMNICORE, "mqtt2go", MQTT2GO, identity);
    let publish = |topic_name: &str| {
        let message = Incoming { topic_name, payload: b"{}", qos: Qos::AtLeastOnce, retain: false };
        let mut scratch = Scratch::default();
        let translated =
            translator.publish(Way::Up, &message, &mut Memory::default(), &mut scratch);
        translated.map(|translated| translated.len()).map_err(|refusal| refusal.reason)
    };
    assert_eq!(publish("/plant/lamp1/attach"), Ok(0), "acknowledged, and nothing on the wire");
    assert_eq!(publish("/plant/lamp1/detach"), Ok(0));
    assert_eq!(publish("/plant/other/attach"), Err(Reason::UnknownDevice));
}

#[test]
fn one_message_becomes_only_so_many() {
    let translator = pair("omnicore", OMNICORE, "mqtt2go", MQTT2GO, Identity::Same);
    let publish = |members: usize| {
        let list: Vec<String> =
            (0..members).map(|number| format!("\"e{number}\":{number}")).collect();
        let payload = format!("{{{}}}", list.join(","));
        let message = Incoming {
            topic_name: "/plant/ms1/events",
            payload: payload.as_bytes(),
            qos: Qos::AtMostOnce,
            retain: false,
        };
        let mut scratch = Scratch::default();
        let translated =
            translator.publish(Way::Up, &message, &mut Memory::default(), &mut scratch);
        translated.map(|translated| translated.len()).map_err(|refusal| refusal.reason)
    };
    assert_eq!(publish(256), Ok(256));
    assert_eq!(publish(257), Err(Reason::PayloadTooLarge));
}

#[test]
fn administration_and_credentials_never_pass() {
    let translator = pair("mqtt2go", MQTT2GO, "omnicore", OMNICORE, Identity::Same);
    for (topic, reason) in [
        ("123456/activation/out", Reason::CredentialTopic),
        ("123456/wifi/out", Reason::CredentialTopic),
        ("homes/42/out", Reason::CredentialTopic),
        ("lamp1/home/out", Reason::CredentialTopic),
        ("h1/users/add_usr/in", Reason::AdminTopic),
        ("h1/gw1/room/in", Reason::AdminTopic),
        ("h1/gw1/in", Reason::AdminTopic),
        ("h1/in", Reason::AdminTopic),
    ] {
        assert_eq!(sent(&translator, Way::Up, topic, b"{}"), Err(reason), "{topic}");
    }
    let translator = pair("omnicore", OMNICORE, "mqtt2go", MQTT2GO, Identity::Same);
    assert_eq!(
        sent(&translator, Way::Down, "h1/gw1/lamp1/remove/in", b"{}"),
        Err(Reason::AdminTopic)
    );
}

#[test]
fn payloads_tell_mqtt2go_reports_apart() {
    let translator = pair("mqtt2go", MQTT2GO, "omnicore", OMNICORE, Identity::Same);
    let up =
        |payload: &str| sent(&translator, Way::Up, "h1/gw1/lamp1/switch/out", payload.as_bytes());
    assert_eq!(
        up(r#"{"type":"periodic_report","value":1}"#).as_deref(),
        Ok("/plant/lamp1/events/switch")
    );
    assert_eq!(
        up(r#"{"type":"command_response","value":"on"}"#).as_deref(),
        Ok("/plant/lamp1/events/response/switch")
    );
    assert_eq!(up(r#"{"value":1}"#).as_deref(), Ok("/plant/lamp1/events/switch"));
    assert_eq!(up("not json"), Err(Reason::PayloadNotJson));
    assert_eq!(
        sent(&translator, Way::Up, "h1/gw1/events/in", br#"{"value":{}}"#).as_deref(),
        Ok("/plant/gw1/events/log")
    );
}

#[test]
fn a_device_that_the_table_does_not_have_is_refused() {
    let translator = pair("thingscale", THINGSCALE, "smartworks", &[("space", "acme")], table());
    assert_eq!(sent(&translator, Way::Up, "TOK/json/999", b"{}"), Err(Reason::UnknownDevice));
    assert_eq!(
        filters(&translator, "TOK/999/subscribe", &SessionNames::default()),
        Err(Reason::UnknownDevice),
        "and so is a subscription for it"
    );
}

#[test]
fn nobody_gets_past_the_own_tree_by_odd_names() {
    let translator = thingscale_to_omnicore();
    for device in ["..", "a%2Fb", "a.b", "é", "%", "$SYS", "a\u{1}b"] {
        let topic = format!("TOK/json/{device}");
        let there = sent(&translator, Way::Up, &topic, b"1").unwrap();
        let levels: Vec<&str> = there.split('/').collect();
        assert_eq!((levels[0], levels[1], levels[3]), ("", "plant", "events"), "{there}");
        assert_eq!(levels.len(), 4, "{there}");
    }
    assert_eq!(
        sent(&translator, Way::Up, &format!("TOK/json/{}", "x".repeat(255)), b"1"),
        Err(Reason::IdIllegalForTarget)
    );
}

#[test]
fn a_name_that_is_not_taken_is_refused_with_what_is_wrong_with_it() {
    let refused = |to: &str, values: &[(&str, &str)], topic_name: &str| {
        let translator = pair("thingscale", THINGSCALE, to, values, Identity::Same);
        let mut scratch = Scratch::default();
        let message = Incoming { topic_name, payload: b"1", qos: Qos::AtMostOnce, retain: false };
        let mut memory = Memory::default();
        let refusal = translator.publish(Way::Up, &message, &mut memory, &mut scratch).err();
        let refusal = refusal.unwrap_or_else(|| panic!("{topic_name} is taken"));
        assert_eq!(refusal.reason, Reason::IdIllegalForTarget, "{topic_name}");
        refusal.detail
    };
    let device = |name: &str| refused("omnicore", OMNICORE, &format!("TOK/json/{name}"));
    assert!(device("p1").contains("device's name is shorter or longer"));
    assert!(device("pump 1").contains("device's name has a character"));
    assert!(device("1pump").contains("device's name has a character"));
    assert!(device("google").contains("device's name means something else"));
    let channel = refused("mqtt2go", MQTT2GO, "TOK/json/pump/remove");
    assert!(channel.contains("a name means something else"), "{channel}");
}

#[test]
fn response_topics_find_back() {
    let translator = pair("xyte-legacy", &[], "xyte", &[], Identity::Same);
    let down = translator
        .response_topic(Way::Down, "v1/device/XID/commands/update", &Memory::default())
        .unwrap();
    assert_eq!(down, "v1/device/XID/commands/update");
    let up =
        translator.response_topic(Way::Up, "v1/device/XID/commands", &Memory::default()).unwrap();
    assert_eq!(up, "v1/device/XID/command");
    assert!(
        translator.response_topic(Way::Up, "v1/device/XID/elsewhere", &Memory::default()).is_err()
    );
}

fn shown<'s>(
    client_identifier: &'s str,
    user_name: Option<&'s str>,
    password: Option<&'s [u8]>,
) -> Shown<'s> {
    Shown { client_identifier, user_name, password, certificate: None }
}

#[test]
fn connect_says_who_the_device_is_under_the_upstreams_names() {
    let translator = thingscale_to_omnicore();
    let plan =
        translator.connect(&shown("dev1_a", Some("U000001"), Some(b"TOK"))).unwrap().unwrap();
    assert_eq!(plan.client_identifier, "subscriptions/acme-sub/registries/plant/devices/ddev1");
    assert_eq!(plan.user_name.as_deref(), Some("unused"));
    assert!(plan.password.is_none(), "the device's password is not the upstream's");
    assert_eq!(plan.names, names("dev1", "ddev1"));
    let plan = translator.connect(&shown("", None, None)).unwrap().unwrap();
    assert_eq!((plan.client_identifier.as_str(), plan.names), ("", SessionNames::default()));
    assert!(matches!(
        translator.connect(&shown("dev1_a", None, Some(b"TOL"))),
        Err(ConnectRefusal::Credentials(_))
    ));
    assert!(matches!(
        translator.connect(&shown("a/+", None, None)),
        Err(ConnectRefusal::ClientIdentifier(_))
    ));

    let text = "device,upstream,access_key\n1085266243,XID,KEY\n";
    let identity = Identity::Table(IdentityTable::parse(text).unwrap());
    let translator = pair("thingscale", THINGSCALE, "xyte", &[], identity);
    let plan = translator.connect(&shown("1085266243_ab12", None, None)).unwrap().unwrap();
    assert_eq!((plan.client_identifier.as_str(), plan.user_name.as_deref()), ("XID", Some("XID")));
    assert!(
        plan.password.is_some_and(|password| password.is(b"KEY")),
        "the table holds the device's own key"
    );
    assert!(matches!(
        translator.connect(&shown("999_x", None, None)),
        Err(ConnectRefusal::ClientIdentifier(_))
    ));

    let translator = pair("omnicore", OMNICORE, "thingscale", THINGSCALE, Identity::Same);
    let plan = translator
        .connect(&shown(
            "subscriptions/acme-sub/registries/plant/devices/lamp1",
            Some("unused"),
            Some(b"a.b.c"),
        ))
        .unwrap()
        .unwrap();
    assert_eq!(plan.client_identifier, "lamp1");
    assert!(plan.password.is_some_and(|password| password.is(b"TOK")));
    let long = format!("subscriptions/acme-sub/registries/plant/devices/{}", "x".repeat(24));
    assert!(matches!(
        translator.connect(&shown(&long, None, None)),
        Err(ConnectRefusal::ClientIdentifier(_))
    ));
    let elsewhere = "subscriptions/acme-sub/registries/other/devices/lamp1";
    assert!(matches!(
        translator.connect(&shown(elsewhere, None, None)),
        Err(ConnectRefusal::ClientIdentifier(_))
    ));
}

#[test]
fn a_pair_that_can_not_work_is_refused_with_what_to_write() {
    let faults = |from: Side, to: Side| -> Vec<String> {
        let faults = compile(from, to, Identity::Same).err().unwrap_or_default();
        faults
            .into_iter()
            .map(|fault| format!("{}: {}; {}", fault.side, fault.message, fault.remedy))
            .collect()
    };
    let found = faults(side("thingscale", &[]), side("omnicore", OMNICORE));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("listener: thingscale has `token`"), "{found:?}");
    let found = faults(side("thingscale", THINGSCALE), side("omnicore", &[("subscription", "s")]));
    assert!(found.iter().any(|fault| fault.contains("`registry`")), "{found:?}");
    let found = faults(side("thingscale", THINGSCALE), side("plain", &[]));
    assert!(found[0].contains("upstream: `plain`"), "{found:?}");
    let without_account = side("thingscale", &[("token", "TOK")]);
    let found = faults(side("omnicore", OMNICORE), without_account);
    assert!(found[0].contains("upstream: thingscale sends a password"), "{found:?}");
    let found = faults(side("plain", &[]), side("plain", &[("token", "x")]));
    assert!(found[0].contains("no variable `token`"), "{found:?}");
    let found = faults(side("thingscale", &[("token", "a/b")]), side("omnicore", OMNICORE));
    assert!(found[0].contains("has a `/`"), "{found:?}");
    let found =
        faults(side("thingscale", THINGSCALE).with_option("confg"), side("omnicore", OMNICORE));
    assert!(found[0].contains("`confg`") && found[0].contains("`config`"), "{found:?}");
}

#[test]
fn a_secret_never_shows_in_debug_output() {
    let translator = pair(
        "thingscale",
        &[("token", "s3cr3t-t0ken"), ("tenant", "acme")],
        "omnicore",
        OMNICORE,
        prefix(),
    );
    assert!(!format!("{translator:?} {translator:#?}").contains("s3cr3t"));
}

#[test]
fn plain_to_plain_changes_nothing() {
    let translator = compile(side("plain", &[]), side("plain", &[]), Identity::Same).unwrap();
    assert!(translator.is_plain());
    assert_eq!(
        sent(&translator, Way::Up, "$SYS/any//thing", b"x").as_deref(),
        Ok("$SYS/any//thing")
    );
    assert_eq!(
        filters(&translator, "$share/g/#", &SessionNames::default()).unwrap(),
        ["$share/g/#"]
    );
    assert_eq!(translator.response_topic(Way::Up, "a/b", &Memory::default()).unwrap(), "a/b");
    assert!(translator.connect(&shown("x", None, None)).unwrap().is_none());
}

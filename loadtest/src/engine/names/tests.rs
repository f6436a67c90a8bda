//! Names, topics and filters of the built-in dialects, and what their tables refuse.

use super::*;

fn scenario(dialect: &str, vars: &[(&str, &str)]) -> Scenario {
    let mut scenario = Scenario::default();
    scenario.devices.dialect = dialect.to_owned();
    scenario.devices.name = "dev{number}".to_owned();
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    scenario.devices.vars = vars.collect();
    scenario
}

#[test]
fn each_dialect_has_its_topics_and_identities() {
    type Case = (&'static str, &'static [(&'static str, &'static str)], [&'static str; 4]);
    #[rustfmt::skip]
    let cases: [Case; 6] = [
        ("plain", &[], ["dev3", "loadtest/dev3", "loadtest/dev3/commands", "loadtest/dev3/commands"]),
        ("thingscale", &[("token", "TOK"), ("account", "U123456")],
            ["dev3", "TOK/json/dev3", "TOK/dev3/subscribe", "TOK/dev3/subscribe"]),
        ("omnicore", &[("subscription", "sub"), ("registry", "plant"), ("password", "jwt")],
            ["subscriptions/sub/registries/plant/devices/dev3", "/plant/dev3/events",
             "/plant/dev3/commands/#", "/plant/dev3/commands"]),
        ("smartworks", &[("space", "S"), ("username", "u"), ("password", "p")],
            ["dev3", "spaces/S/things/dev3/properties", "spaces/S/things/dev3/actions/+",
             "spaces/S/things/dev3/actions/load"]),
        ("mqtt2go", &[("home", "H"), ("gateway", "G"), ("username", "u"), ("password", "p")],
            ["dev3", "H/G/dev3/load/out", "H/G/dev3/+/in", "H/G/dev3/load/in"]),
        ("xyte", &[("access_key", "k")],
            ["dev3", "v1/device/dev3/telemetry", "v1/device/dev3/command", "v1/device/dev3/command"]),
    ];
    for (dialect, vars, expected) in cases {
        let scenario = scenario(dialect, vars);
        let names = Names::of_devices(&scenario).expect(dialect);
        let topics = names.topics(3, &scenario).expect(dialect);
        let found = [
            names.identity(3, &scenario).expect(dialect).client_identifier,
            topics[0].to_string(),
            names.command_filter(3).expect(dialect),
            names.command_topic(3).expect(dialect).to_string(),
        ];
        assert_eq!(found, expected, "{dialect}");
    }
}

#[test]
fn messagepack_and_several_topics_change_the_topic() {
    let mut scenario = scenario("thingscale", &[("token", "TOK"), ("account", "U1")]);
    scenario.message.encoding = Encoding::MessagePack;
    scenario.message.topics = 2;
    let names = Names::of_devices(&scenario).expect("it fits");
    let topics = names.topics(0, &scenario).expect("topics");
    assert_eq!(topics, ["TOK/binary/dev0/c0".into(), "TOK/binary/dev0/c1".into()]);
}

#[test]
fn what_a_table_refuses_is_said() {
    let fault = |dialect: &str, vars: &[(&str, &str)], name: &str| {
        let mut scenario = scenario(dialect, vars);
        scenario.devices.name = name.to_owned();
        let names = Names::of_devices(&scenario).map_err(|error| error.to_string());
        names
            .and_then(|names| names.identity(0, &scenario).map_err(|error| error.to_string()))
            .unwrap_err()
    };
    let given = [("token", "T"), ("account", "U")];
    assert_eq!(fault("omnicor", &[], "d"), "there is no dialect `omnicor`; write `omnicore`");
    assert_eq!(
        fault("thingscale", &[("tokn", "T")], "d"),
        "dialect thingscale has no variable `tokn`; it has `token`"
    );
    assert!(
        fault("thingscale", &[("token", "T")], "d")
            .starts_with("dialect thingscale needs `account` (")
    );
    assert!(fault("thingscale", &given, "json").ends_with("the platform reserves it"));
    assert!(
        fault("thingscale", &given, "a-name-that-is-far-too-long-{number}")
            .contains("more than the 23 bytes")
    );
}

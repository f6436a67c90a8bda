//! The command line without a file: values find their side, and faults speak of flags.

use interlingua::config::{Arguments, Lookup, from_arguments, pair_from_arguments};

fn nothing(_: Lookup<'_>) -> Result<String, String> {
    Err("no such file".to_owned())
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn arguments(from: &str, to: &str, set: &[&str]) -> Arguments {
    Arguments {
        listen: "tcp://127.0.0.1:1883".to_owned(),
        upstream: "mqtt://127.0.0.1:1884".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        set: texts(set),
        ..Arguments::default()
    }
}

#[track_caller]
fn check(told: &str, expected: &str) {
    assert!(!told.contains("hunter"), "a secret is shown:\n{told}");
    assert_eq!(told, expected, "\n--- told:\n{told}");
}

/// The faults of `serve`, as they are printed.
fn served(arguments: &Arguments) -> String {
    match from_arguments(arguments, &mut nothing) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

/// The faults of `explain`, as they are printed.
fn explained(arguments: &Arguments) -> String {
    match pair_from_arguments(arguments, &mut nothing) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

#[test]
fn the_command_line_of_the_manual_is_sound() {
    let set = ["token=hunter=2", "tenant=acme", "subscription=acme-sub", "registry=plant"];
    let mut arguments = arguments("thingscale", "omnicore", &set);
    arguments.identity_prefix = Some("d".to_owned());
    arguments.admin = Some("127.0.0.1:0".to_owned());
    let config =
        from_arguments(&arguments, &mut nothing).unwrap_or_else(|told| panic!("{told:#?}"));
    let listener = &config.listeners[0];
    assert_eq!((&*listener.name, &*listener.upstream.name), ("default", "default"));
    assert_eq!(listener.bind.to_string(), "127.0.0.1:1883");
    assert_eq!(listener.upstream.url.to_string(), "mqtt://127.0.0.1:1884");
    assert_eq!(config.admin.as_ref().map(|admin| admin.bind.port), Some(0));
    assert!(!format!("{config:?}").contains("hunter"), "a secret is shown");
    check(&explained(&arguments), "");
}

#[test]
fn a_value_that_both_sides_know_needs_its_side() {
    let mut arguments =
        arguments("xyte-legacy", "xyte", &["access_key=hunter2", "acces_key=hunter2", "hunter2"]);
    check(
        &served(&arguments),
        r#"command line: --set access_key: both dialects have the variable `access_key`; say which side is meant: `--from-set` or `--to-set`
command line: --set acces_key: neither dialect has the variable `acces_key`; did you mean `access_key`?
command line: --set (number 3): isn't `name=value`; write `--set name=value`
"#,
    );
    arguments.set.clear();
    arguments.from_set = texts(&["access_key=one"]);
    arguments.to_set = texts(&["access_key=two"]);
    check(&served(&arguments), "");
}

#[test]
fn every_fault_is_told_in_the_words_of_the_command_line() {
    let mut arguments = arguments(
        "thingscale",
        "omnicor",
        &["tenant=a/b", "tenant=c", "registry=plant", "tokn=hunter2"],
    );
    arguments.listen = "127.0.0.1:1883".to_owned();
    arguments.upstream = "amqp://u:hunter2@broker".to_owned();
    arguments.to_set = texts(&["=x"]);
    arguments.options = texts(&["event-tag"]);
    arguments.from_options = texts(&["event-tag"]);
    arguments.identity_prefix = Some("d".to_owned());
    arguments.identity_table = Some("devices.csv".to_owned());
    arguments.admin = Some("9090".to_owned());
    check(
        &served(&arguments),
        r#"command line: --to: there is no dialect `omnicor`; did you mean `omnicore`?
command line: --to-set (number 1): isn't `name=value`; write `--to-set name=value`
command line: --listen: has no transport; write it as in `tcp://127.0.0.1:1883`
command line: --identity-prefix: stands beside `--identity-table`; keep one of them
command line: --set tenant: is given twice; keep one of the two
command line: --from-option event-tag: the dialect thingscale has no option `event-tag`; did you mean `event-tags`?
command line: --set tenant: the value of `tenant` is empty or has a `/`, `+` or `#`; write a value that can be one level of a topic
command line: --upstream: `amqp` is not known; write `mqtt`, `mqtts`, `ws`, `wss` or `quic`
command line: --admin: has no port; write it as in `0.0.0.0:1883` or `[::]:1883`
command line: --identity-table: the file `devices.csv` can't be read: no such file; correct the path, or let the proxy read the file
"#,
    );
}

#[test]
fn what_is_missing_is_told_as_a_flag() {
    check(
        &explained(&arguments("thingscale", "omnicore", &[])),
        r#"command line: --set token: is missing: thingscale has `token` in its topics and no value for it; add `--set token=…`
command line: --set registry: is missing: nothing that the device sends can pass; add `--set registry=…`
"#,
    );
    check(
        &explained(&arguments("plain", "omnicore", &["registri=plant"])),
        r#"command line: --set registri: neither dialect has the variable `registri`; did you mean `registry`?
command line: --from: plain to omnicore: `plain` translates nothing, so it stands on both sides or on neither; name the dialect of this side, or use `plain` on both
"#,
    );
    check(
        &served(&arguments("mqtt2go", "mqtt2go", &["home=h1"])),
        r#"command line: --set home: both dialects have the variable `home`; say which side is meant: `--from-set` or `--to-set`
"#,
    );
    let mut options = arguments("thingscale", "thingscale", &[]);
    options.from_set = texts(&["token=hunter2"]);
    options.to_set = texts(&["token=hunter3", "account=U000001"]);
    options.options = texts(&["config", "confi", "all"]);
    check(
        &explained(&options),
        r#"command line: --option config: both dialects have the option `config`; say which side is meant: `--from-option` or `--to-option`
command line: --option confi: neither dialect has the option `confi`; did you mean `config`?
command line: --option all: neither dialect has the option `all`; write `config` or `event-tags`
"#,
    );
}

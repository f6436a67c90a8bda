//! A broken configuration is refused whole: every fault, its line, what to write instead, and no secret.

use interlingua::config::{Config, Lookup, MemoryMax, load};
use interlingua::mqtt::Qos;
use interlingua::translate::{Incoming, Memory, Reason, Scratch, Translated, Way};

fn outside(lookup: Lookup<'_>) -> Result<String, String> {
    match lookup {
        Lookup::Environment("EMPTY") => Ok(String::new()),
        Lookup::Environment(_) => Err("it is not set".to_owned()),
        Lookup::File("token.txt") => Ok("hunter2\n".to_owned()),
        Lookup::File("newline.txt") => Ok("\n".to_owned()),
        Lookup::File("slash.txt") => Ok("hunter2/3".to_owned()),
        Lookup::File("devices.csv") => Ok("device,upstream\na,1\na,2\nb,1\n".to_owned()),
        Lookup::File("columns.csv") => Ok("device,upstream,registri,note\na,b,c,d\n".to_owned()),
        Lookup::File("./own.toml") => Ok("name = \"own\"\nmqtt = [\"4\"]\ncolour = 1\n".to_owned()),
        Lookup::File(_) => Err("no such file".to_owned()),
    }
}

/// The faults as they are printed.
fn printed(text: &str) -> String {
    match load("proxy.toml", text, &mut outside) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let told = printed(text);
    assert!(!told.contains("hunter"), "a secret is shown:\n{told}");
    assert_eq!(told, expected, "\n--- told:\n{told}");
}

#[test]
fn every_fault_is_told_in_the_order_of_the_lines() {
    let text = r#"[proxy]
shards = 300
log = "jsn"
colour = "red"
[admin]
bind = "0.0.0.0:1883"
[limits]
packet_size_max = 1024
connect_size_max = 4096

[[listener]]
name = "field"
bind = "0.0.0.0:1883"
transport = "udp"
dialect = "thingscale"
upstream = "clod"
options = ["event-tag"]
[listener.vars]
token = { env = "THINGSCALE_TOKEN" }
tenant = "a/b"
tennant = "acme"

[[listener]]
name = "field"
bind = "0.0.0.0"
dialect = "thingscal"
upstream = "cloud"
on_refusal = "drop"
[listener.vars]
token = { file = "newline.txt" }

[[listener]]
bind = "127.0.0.1:1900"
dialect = "plain"
upstream = "cloud"

[[listener]]
name = "by hand"
bind = "127.0.0.1:1901"
dialect = "thingscale"
upstream = "cloud"
[listener.vars]
token = { environment = "X" }

[[upstream]]
name = "cloud"
url = "amqp://user:hunter2@broker:8883"
dialect = "omnicore"
mode = "gateway"
[upstream.vars]
subscription = "acme-sub"
registry = { file = "nowhere.txt" }
password = { file = "token.txt", env = "X" }

[[upstream]]
name = "cellar"
url = "mqtt://user:hunter2@broker"
dialect = "./own.toml"

[identity]
table = "devices.csv"
"#;
    check(
        text,
        r#"proxy.toml:2: proxy.shards: 300 is out of range; write "auto" or a number from 1 to 256
proxy.toml:3: proxy.log: `jsn` is not known; did you mean `json`?
proxy.toml:4: proxy.colour: unknown key; this table has `certificate_check_ms`, `drain_timeout_ms`, `log`, `log_level`, `memory_end_percent`, `memory_max_bytes`, `memory_refuse_percent`, `pin`, `shards` or `watchdog_ms`
proxy.toml:6: admin.bind: `0.0.0.0:1883` is already taken by listener[0].bind; write another port or host
proxy.toml:9: limits.connect_size_max: is more than `packet_size_max`, which is 1024; a CONNECT is a packet: write a smaller number here or a larger one there
proxy.toml:14: listener[0].transport: `udp` is not known; did you mean `tcp`?
proxy.toml:16: listener[0].upstream: no [[upstream]] has the name `clod`; did you mean `cloud`?
proxy.toml:17: listener[0].options: the dialect thingscale has no option `event-tag`; did you mean `event-tags`?
proxy.toml:19: listener[0].vars.token: the environment variable `THINGSCALE_TOKEN` can't be used: it is not set; set `THINGSCALE_TOKEN` before the start, or write `{ file = "path" }`
proxy.toml:20: listener[0].vars.tenant: the value of `tenant` is empty or has a `/`, `+` or `#`; write a value that can be one level of a topic
proxy.toml:21: listener[0].vars.tennant: the dialect thingscale has no variable `tennant`; did you mean `tenant`?
proxy.toml:24: listener[1].name: another listener has the name `field`; give each its own
proxy.toml:25: listener[1].bind: has no port; write it as in `0.0.0.0:1883` or `[::]:1883`
proxy.toml:26: listener[1].dialect: there is no dialect `thingscal`; did you mean `thingscale`?
proxy.toml:28: listener[1].on_refusal: `drop` is not known; write `ack_and_drop` or `disconnect`
proxy.toml:30: listener[1].vars.token: the file `newline.txt` is empty; write the value into it
proxy.toml:32: listener[2].name: is missing; name it, as in `name = "field"`
proxy.toml:34: listener[2].dialect: plain to omnicore: `plain` translates nothing, so it stands on both sides or on neither; name the dialect of this side, or use `plain` on both
proxy.toml:38: listener[3].name: can't be a label of logs and metrics; write up to 64 letters, digits, `.`, `_` or `-`
proxy.toml:43: listener[3].vars.token: doesn't say where its value comes from; write a text, `{ env = "NAME" }` or `{ file = "path" }`
proxy.toml:43: listener[3].vars.token.environment: unknown key; this table has `env` or `file`
proxy.toml:47: upstream[0].url: `amqp` is not known; write `mqtt`, `mqtts`, `ws`, `wss` or `quic`
proxy.toml:49: upstream[0].mode: `gateway` is not available in this version; write `session`
proxy.toml:52: upstream[0].vars.registry: the file `nowhere.txt` can't be read: no such file; correct the path, or let the proxy read the file
proxy.toml:53: upstream[0].vars.password: doesn't say where its value comes from; write a text, `{ env = "NAME" }` or `{ file = "path" }`
proxy.toml:56: upstream[1].name: no listener uses the upstream `cellar`; name it in a [[listener]], or remove it
proxy.toml:57: upstream[1].url: has credentials in it; remove them; they are variables of the upstream's dialect
./own.toml:2: mqtt: `4` is no MQTT version; write "3.1", "3.1.1" or "5"
./own.toml:3: colour: unknown key; this table has `connect`, `layouts`, `limits`, `mqtt`, `name`, `secrets`, `title`, `topic` or `variables`
devices.csv:3: device `a` stands here for the second time; names are unique
devices.csv:4: upstream `1` stands here for the second time; names are unique
"#,
    );
}

#[test]
fn what_watches_the_process_has_numbers_that_make_sense() {
    const REST: &str = "[[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n\
         [[upstream]]\nname = 'b'\nurl = 'mqtt://h'\ndialect = 'plain'\n";
    let cases = [
        (
            "memory_max_bytes = 1024",
            "memory_max_bytes: 1024 is out of range; write \"auto\", \"off\" or a number of bytes from 16777216 on",
        ),
        (
            "memory_max_bytes = -1",
            "memory_max_bytes: -1 is out of range; write \"auto\", \"off\" or a number of bytes from 16777216 on",
        ),
        (
            "memory_max_bytes = '1G'",
            "memory_max_bytes: is another word; write \"auto\", \"off\" or a number of bytes from 16777216 on",
        ),
        (
            "memory_max_bytes = true",
            "memory_max_bytes: is no number of bytes; write \"auto\", \"off\" or a number of bytes from 16777216 on",
        ),
        (
            "memory_refuse_percent = 95",
            "memory_end_percent: is 95, and `memory_refuse_percent` is 95; new sessions are refused before others are ended: write a smaller number there or a larger one here",
        ),
        (
            "memory_end_percent = 85",
            "memory_end_percent: is 85, and `memory_refuse_percent` is 85; new sessions are refused before others are ended: write a smaller number there or a larger one here",
        ),
        (
            "memory_end_percent = 100",
            "memory_end_percent: 100 is out of range; write a number from 10 to 99",
        ),
    ];
    for (written, told) in cases {
        check(&format!("[proxy]\n{written}\n{REST}"), &format!("proxy.toml:2: proxy.{told}\n"));
    }
    let loaded = |proxy: &str| {
        let text = format!("[proxy]\n{proxy}\n{REST}");
        load("proxy.toml", &text, &mut outside).expect("it is good").proxy
    };
    assert_eq!(loaded("memory_max_bytes = 'off'").memory_max, MemoryMax::Off);
    assert_eq!(loaded("watchdog_ms = 0").watchdog, None);
    assert_eq!(loaded("memory_max_bytes = 268435456").memory_max, MemoryMax::Exactly(1 << 28));
    let reference = "memory_max_bytes = 'auto'\nmemory_refuse_percent = 85\nmemory_end_percent = 95\nwatchdog_ms = 5000";
    assert_eq!(loaded(reference), loaded(""), "what is written as default is the default");
}

#[test]
fn a_breaker_has_numbers_that_go_together() {
    let text = |breaker: &str| {
        format!(
            "[[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n\
             [[upstream]]\nname = 'b'\nurl = 'mqtt://h'\ndialect = 'plain'\n[upstream.breaker]\n{breaker}\n"
        )
    };
    check(
        &text("failures = -1\ntrials = 0\nbackoff_min_ms = 900\nbackoff_max_ms = 800\npause = 1"),
        "proxy.toml:11: upstream[0].breaker.failures: -1 is out of range; write a number from 0 to 1000000\n\
         proxy.toml:12: upstream[0].breaker.trials: 0 is out of range; write a number from 1 to 1000\n\
         proxy.toml:14: upstream[0].breaker.backoff_max_ms: is less than `backoff_min_ms`, which is 900; write a larger number here or a smaller one there\n\
         proxy.toml:15: upstream[0].breaker.pause: unknown key; this table has `backoff_max_ms`, `backoff_min_ms`, `failures` or `trials`\n",
    );
    let loaded = |breaker: &str| {
        let config = load("proxy.toml", &text(breaker), &mut outside).expect("it is good");
        config.listeners[0].upstream.breaker
    };
    let long = loaded("backoff_min_ms = 60000");
    assert_eq!(long.backoff_max.as_millis(), 60_000, "the maximum follows where it isn't written");
    let reference = "failures = 5\nbackoff_min_ms = 500\nbackoff_max_ms = 30000\ntrials = 1";
    assert_eq!(loaded(reference), loaded(""), "what is written as default is the default");
}

#[test]
fn values_are_checked_against_their_dialect() {
    let text = r#"[[listener]]
name = "a"
bind = "[::1]:1883"
dialect = "thingscale"
upstream = "b"
[listener.vars]
token = { file = "slash.txt" }
tenant = 12

[[listener]]
name = "c"
bind = "[::1]:1884"
dialect = "thingscale"
upstream = "b"

[[upstream]]
name = "b"
url = "mqtt://[::1]"
dialect = "omnicore"
[upstream.vars]
device = "9"
subscription = ""
password = true

[identity]
rule = { prefix = "a/" }
table = "columns.csv"
"#;
    check(
        text,
        r#"proxy.toml:7: listener[0].vars.token: the value of `token` is empty or has a `/`, `+` or `#`; write a value that can be one level of a topic
proxy.toml:10: listener[1].vars.token: is missing: thingscale has `token` in its topics and no value for it; write `token = { env = "…" }` under [listener.vars]
proxy.toml:16: upstream[0].vars.registry: is missing: nothing that the device sends can pass; write `registry = "…"` under [upstream.vars]
proxy.toml:21: upstream[0].vars.device: the value of `device` is not one that omnicore takes: its length is not one the platform takes; device identifier, starts with a letter
proxy.toml:22: upstream[0].vars.subscription: is empty; write its value
proxy.toml:23: upstream[0].vars.password: is `true` or `false`, not a text; write it in quotes
proxy.toml:25: identity: has a rule and a table; keep one of them
proxy.toml:26: identity.rule.prefix: has a `/`, `+` or `#`; write letters and digits
"#,
    );
}

#[test]
fn what_a_pair_needs_is_told_where_it_would_stand() {
    let text = r#"[[listener]]
name = "a"
bind = "127.0.0.1:1883"
dialect = "thingscale"
upstream = "b"

[[upstream]]
name = "b"
url = "mqtt://broker"
dialect = "omnicore"

[identity]
table = "columns.csv"
"#;
    check(
        text,
        r#"proxy.toml:1: listener[0].vars.token: is missing: thingscale has `token` in its topics and no value for it; write `token = { env = "…" }` under [listener.vars]
proxy.toml:7: upstream[0].vars.registry: is missing: nothing that the device sends can pass; write `registry = "…"` under [upstream.vars]
proxy.toml:13: identity.table: its column `registri` is no variable of an upstream's dialect; did you mean `registry`?
proxy.toml:13: identity.table: its column `note` is no variable of an upstream's dialect; name the column after a variable of the upstream's dialect, or remove it
"#,
    );
}

#[test]
fn plain_stands_on_both_sides_or_on_neither() {
    let text = r#"[[listener]]
name = "a"
bind = "127.0.0.1:1883"
dialect = "plain"
upstream = "b"
[[listener]]
name = "c"
bind = "127.0.0.1:1883"
dialect = "plain"
upstream = "d"
[[upstream]]
name = "b"
url = "broker"
dialect = "omnicore"
[[upstream]]
name = "d"
url = "mqtt://broker"
dialect = "plain"
"#;
    check(
        text,
        r#"proxy.toml:4: listener[0].dialect: plain to omnicore: `plain` translates nothing, so it stands on both sides or on neither; name the dialect of this side, or use `plain` on both
proxy.toml:8: listener[1].bind: `127.0.0.1:1883` is already taken by listener[0].bind; write another port or host
proxy.toml:13: upstream[0].url: has no scheme; write it as in `mqtt://broker.example.com:1883`
"#,
    );
    let text = r#"identity = { rule = { prefix = "d" } }
[[listener]]
name = "a"
bind = "127.0.0.1:1883"
dialect = "plain"
upstream = "b"
[[upstream]]
name = "b"
url = "mqtt://broker"
dialect = "plain"
"#;
    check(
        text,
        r#"proxy.toml:1: identity.rule.prefix: `plain` translates no names, so nobody would use this; remove it, or name dialects that translate
"#,
    );
}

#[test]
fn an_empty_text_and_broken_syntax_are_told() {
    check(
        "",
        r#"proxy.toml: listener: is missing; write at least one [[listener]]
proxy.toml: upstream: is missing; write at least one [[upstream]]
"#,
    );
    check(
        "[[listener]\nname = 3\n",
        r#"proxy.toml: listener: is missing; write at least one [[listener]]
proxy.toml: upstream: is missing; write at least one [[upstream]]
proxy.toml:1: unclosed array table, expected `]`; correct the TOML syntax here
proxy.toml:2: name: unknown key; this table has `admin`, `identity`, `limits`, `listener`, `proxy` or `upstream`
"#,
    );
}

/// A configuration with this credential on both sides: itself, or the faults as they are printed.
fn with_token(token: &str) -> Result<Config, String> {
    let text = format!(
        r#"[[listener]]
name = "a"
bind = "127.0.0.1:1883"
dialect = "thingscale"
upstream = "b"
[listener.vars]
token = {token}
tenant = "acme"
[[upstream]]
name = "b"
url = "mqtt://broker"
dialect = "omnicore"
[upstream.vars]
registry = "plant"
password = {token}
[identity]
rule = {{ prefix = "d" }}
"#
    );
    let mut read = |lookup: Lookup<'_>| match lookup {
        Lookup::Environment("TOKEN") => Ok("hunter2".to_owned()),
        Lookup::File("unix.txt") => Ok("hunter2\n".to_owned()),
        Lookup::File("windows.txt") => Ok("hunter2\r\n".to_owned()),
        Lookup::File("two.txt") => Ok("hunter2\n\n".to_owned()),
        lookup => outside(lookup),
    };
    load("proxy.toml", &text, &mut read)
        .map_err(|faults| faults.iter().map(|fault| format!("{fault}\n")).collect())
}

/// Whether a device with this token is let through.
fn passes(config: &Config, token: &str) -> Result<String, Reason> {
    let topic = format!("{token}/json/77");
    let message =
        Incoming { topic_name: &topic, payload: b"1", qos: Qos::AtMostOnce, retain: false };
    let mut scratch = Scratch::default();
    let translated = config.listeners[0].plan.translator.publish(
        Way::Up,
        &message,
        &mut Memory::default(),
        &mut scratch,
    );
    let topic =
        |out: Translated<'_>| out.messages().map(|sent| sent.topic_name).collect::<String>();
    translated.map(topic).map_err(|refusal| refusal.reason)
}

#[test]
fn a_secret_is_the_same_wherever_it_comes_from_and_is_never_shown() {
    for token in [
        r#""hunter2""#,
        r#"{ env = "TOKEN" }"#,
        r#"{ file = "unix.txt" }"#,
        r#"{ file = "windows.txt" }"#,
    ] {
        let config = with_token(token).unwrap_or_else(|told| panic!("{token}:\n{told}"));
        assert_eq!(passes(&config, "hunter2").as_deref(), Ok("/plant/d77/events"), "{token}");
        assert_eq!(passes(&config, "hunter3"), Err(Reason::BadTopic), "{token}");
        let plan = format!("{:?}", config.listeners[0].plan);
        for shown in [format!("{config:?}"), format!("{config:#?}"), plan] {
            assert!(!shown.contains("hunter"), "{token}: {shown}");
        }
    }
    let config = with_token(r#"{ file = "two.txt" }"#).expect("a newline is a legal character");
    assert_eq!(
        passes(&config, "hunter2"),
        Err(Reason::BadTopic),
        "one newline is left out, not two"
    );
}

#[test]
fn a_secret_that_is_not_there_refuses_to_start() {
    for token in [
        r#"{ env = "UNSET" }"#,
        r#"{ env = "EMPTY" }"#,
        r#"{ file = "nowhere.txt" }"#,
        r#"{ file = "newline.txt" }"#,
        r#""""#,
    ] {
        let told = with_token(token).err().unwrap_or_default();
        assert!(told.contains("proxy.toml:7: listener[0].vars.token: "), "{token}:\n{told}");
        assert!(told.contains("proxy.toml:15: upstream[0].vars.password: "), "{token}:\n{told}");
        assert_eq!(told.lines().count(), 2, "nothing follows from them:\n{told}");
    }
}

#[test]
fn limits_are_numbers_in_their_range() {
    let text = r#"[limits]
topic_levels_max = 0
topic_bytes_max = 65536
properties_max = 0
keep_alive_max_s = 0
[[listener]]
name = "a"
bind = "127.0.0.1:1"
dialect = "plain"
upstream = "b"
[listener.limits]
connections_per_address_max = 0
connect_rate_per_address_max = "10"
connect_rate_max = 1000001
message_rate_max = -1
byte_rate_max = 1023
bytes = 1
[[upstream]]
name = "b"
url = "mqtt://broker"
dialect = "plain"
"#;
    check(
        text,
        r#"proxy.toml:2: limits.topic_levels_max: 0 is out of range; write a number from 1 to 65536
proxy.toml:3: limits.topic_bytes_max: 65536 is out of range; write a number from 1 to 65535
proxy.toml:4: limits.properties_max: 0 is out of range; write a number from 1 to 1000000
proxy.toml:5: limits.keep_alive_max_s: 0 is out of range; write a number from 1 to 65535
proxy.toml:12: listener[0].limits.connections_per_address_max: 0 is out of range; write a number from 1 to 1000000
proxy.toml:13: listener[0].limits.connect_rate_per_address_max: is a string, not an integer; write an integer
proxy.toml:14: listener[0].limits.connect_rate_max: 1000001 is out of range; write a number from 1 to 1000000
proxy.toml:15: listener[0].limits.message_rate_max: -1 is out of range; write a number from 1 to 1000000
proxy.toml:16: listener[0].limits.byte_rate_max: 1023 is out of range; write a number from 1024 to 1000000000000
proxy.toml:17: listener[0].limits.bytes: unknown key; this table has `byte_rate_max`, `connect_rate_max`, `connect_rate_per_address_max`, `connections_per_address_max` or `message_rate_max`
"#,
    );
}

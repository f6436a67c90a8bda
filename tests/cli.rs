//! The command line as a user sees it: what it prints, where, and with which exit code.
#![cfg(feature = "server")]

use std::net::TcpListener;
use std::process::{Command, Output};

const PAIR: [&str; 14] = [
    "--from",
    "thingscale",
    "--set",
    "token=TOK",
    "--set",
    "tenant=acme",
    "--to",
    "omnicore",
    "--set",
    "subscription=acme-sub",
    "--set",
    "registry=plant",
    "--identity-prefix",
    "d",
];

fn interlingua(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlingua"));
    command.args(arguments).output().expect("the binary runs")
}

fn explain(more: &[&str]) -> Output {
    let mut arguments = vec!["explain"];
    arguments.extend(PAIR);
    arguments.extend(more);
    interlingua(&arguments)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

fn fails(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
    assert!(stdout(output).is_empty(), "errors go to standard error: {}", stdout(output));
    stderr(output)
}

#[test]
fn explain_shows_each_step_of_a_message() {
    let text = succeeds(&explain(&[
        "--topic",
        "TOK/json/1085266243/room1",
        "--payload",
        "23.5",
        "--qos",
        "2",
    ]));
    for line in [
        "in       thingscale topic TOK/json/1085266243/room1",
        "         payload 23.5 (QoS 2, retain 0)",
        "matched  {token}/json/{device}[/{channel}]   telemetry, shape json-or-number",
        "         device = 1085266243",
        "         channel = room1",
        "neutral  telemetry: tenant acme, device 1085266243, channel room1",
        "as       /{registry}/{device}/events[/{channel…}]   shape opaque",
        "out      omnicore topic /plant/d1085266243/events/room1",
        "         payload 23.5 (QoS 1, retain 0, bytes untouched)",
        "note     qos_clamped",
    ] {
        assert!(text.lines().any(|printed| printed.starts_with(line)), "{line}\nis not in\n{text}");
    }
}

#[test]
fn explain_tells_what_the_limits_refuse() {
    let deep = "a/".repeat(128);
    for direction in ["up", "down", "subscribe"] {
        let plain = ["explain", "--from", "plain", "--to", "plain", "--direction", direction];
        let text = succeeds(&interlingua(&[&plain[..], &["--topic", &deep]].concat()));
        assert!(text.contains("refused  bad_topic: more levels than `topic_levels_max`"), "{text}");
        let text = succeeds(&interlingua(&[&plain[..], &["--topic", &deep[2..]]].concat()));
        assert!(!text.contains("refused"), "{text}");
    }
}

#[test]
fn explain_tells_deliveries_subscriptions_and_refusals() {
    let down =
        ["--direction", "down", "--topic", "/plant/d1085266243/commands/relay", "--payload", "on"];
    let text = succeeds(&explain(&down));
    assert!(text.contains("out      thingscale topic TOK/1085266243/subscribe"), "{text}");
    assert!(text.contains("note     meta_lost"), "{text}");
    let text =
        succeeds(&explain(&["--direction", "subscribe", "--topic", "TOK/1085266243/subscribe"]));
    assert!(text.contains("out      filter /plant/d1085266243/commands/#"), "{text}");
    let text = succeeds(&explain(&["--direction", "subscribe", "--topic", "TOK/#"]));
    assert!(text.contains("refused  filter_not_mappable"), "{text}");
    let own = ["--direction", "subscribe", "--topic", "TOK/#", "--client-id", "1085266243_ab12"];
    let text = succeeds(&explain(&own));
    assert!(text.contains("own      device 1085266243, upstream d1085266243"), "{text}");
    assert!(text.contains("out      filter /plant/d1085266243/commands/#"), "{text}");
    let text = succeeds(&explain(&["--topic", "elsewhere", "--payload", "hex:00ff"]));
    assert!(text.contains("payload hex:00ff") && text.contains("refused  bad_topic"), "{text}");
}

#[test]
fn explain_shows_every_message_that_one_becomes() {
    let pair = [
        "--from",
        "omnicore",
        "--to",
        "mqtt2go",
        "--set",
        "registry=plant",
        "--set",
        "home=h1",
        "--set",
        "gateway=gw1",
    ];
    let message = ["--topic", "/plant/ms1/events", "--payload", r#"{"t":21.8,"h":35}"#];
    let text = succeeds(&interlingua(&[&["explain"][..], &pair, &message].concat()));
    for topic in ["h1/gw1/ms1/t/out", "h1/gw1/ms1/h/out"] {
        assert!(text.contains(&format!("out      mqtt2go topic {topic}")), "{text}");
    }
    let json = succeeds(&interlingua(&[&["explain", "--json"][..], &pair, &message].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["out"].as_array().map(Vec::len), Some(2));
    let bytes = ["--topic", "/plant/ms1/events/img", "--payload", "hex:ffd8"];
    let text = succeeds(&interlingua(&[&["explain"][..], &pair, &bytes].concat()));
    assert!(text.contains("refused  payload_not_json"), "{text}");
}

#[test]
fn explain_speaks_json_to_programs() {
    let text = succeeds(&explain(&["--json", "--topic", "TOK/json/1085266243", "--payload", "{}"]));
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["out"][0]["topic"], "/plant/d1085266243/events");
    assert_eq!(json["captures"]["device"], "1085266243");
    assert_eq!(json["refused"], serde_json::Value::Null);
    let text = succeeds(&explain(&["--json", "--topic", "TOL/json/1085266243"]));
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["refused"]["reason"], "bad_topic");
    let subscribe = ["--json", "--direction", "subscribe", "--topic", "TOK/1085266243/subscribe"];
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(&explain(&subscribe))).expect("JSON");
    assert_eq!(json["out"][0], "/plant/d1085266243/commands/#");
}

#[test]
fn explain_names_the_layout_of_a_declared_frame() {
    let pair = ["--from", "config/examples/own-dialect/acme.toml", "--set", "plant=north", "--to"];
    let to = ["omnicore", "--set", "subscription=acme-sub", "--set", "registry=plant"];
    let payload = r#"{"v":2,"gauge":"inlet","data":{"reading":9.75,"at":1567677926000}}"#;
    let message = ["--topic", "acme/north/p77/alarms", "--payload", payload];
    let text = succeeds(&interlingua(&[&["explain"][..], &pair, &to, &message].concat()));
    for line in [
        "matched  acme/{plant}/{pump}/alarms   event, shape alarm, line ",
        "out      omnicore topic /plant/p77/events/inlet",
        "         payload 9.75 (QoS 0, retain 0)",
        "note     meta_lost",
    ] {
        assert!(text.lines().any(|printed| printed.starts_with(line)), "{line}\nis not in\n{text}");
    }
    let json = ["explain", "--json"];
    let json = succeeds(&interlingua(&[&json[..], &pair, &to, &message].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["matched"]["shape"], "alarm");
    assert_eq!(json["as"]["shape"], "opaque");
}

#[test]
fn explain_reads_the_configuration_that_runs() {
    let example = "config/examples/two-listeners.toml";
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlingua"));
        command
            .args(["explain", "--config", example, "--topic", "TOK/json/77/t", "--payload", "1"])
            .args(more);
        command
            .env("THINGSCALE_TOKEN", "TOK")
            .env("OMNICORE_TOKEN", "a.b.c")
            .output()
            .expect("the binary runs")
    };
    let text = fails(&run(&[]), 1);
    assert!(text.contains("several listeners fit; write --listener with"), "{text}");
    let text = fails(&run(&["--listener", "nobody"]), 1);
    assert!(text.contains("no listener fits; the file has"), "{text}");
    let text = succeeds(&run(&["--listener", "meters"]));
    assert!(text.contains("out      omnicore topic"), "{text}");
    assert!(!text.contains("a.b.c"), "{text}");
}

#[test]
fn mistakes_in_the_command_line_are_usage_errors() {
    for arguments in
        [&["explain"][..], &["serve"], &["serve", "--from", "plain"], &["nonsense"], &["check"]]
    {
        let text = fails(&interlingua(arguments), 2);
        assert!(text.contains("Usage:"), "{text}");
    }
    let both = ["serve", "--config", "config/examples/plain.toml", "--set", "a=b"];
    assert!(
        fails(&interlingua(&both), 2).contains("cannot be used with"),
        "a file says everything"
    );
    let text = fails(&explain(&["--topic", "a/+/b"]), 1);
    assert!(text.contains("--topic is no topic name"), "{text}");
    let text = fails(&explain(&["--topic", "a", "--payload", "hex:0"]), 1);
    assert!(text.contains("even number"), "{text}");
    let text = fails(&explain(&["--topic", "a", "--payload", "@nothing-here"]), 1);
    assert!(text.contains("nothing-here can't be read"), "{text}");
}

#[test]
fn check_prints_every_error_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken.toml");
    let text = "[proxy]\nshards = \"many\"\n\n[[listener]]\nname = \"field\"\nbnd = \"0.0.0.0:1883\"\n\
                dialect = \"thingscal\"\nupstream = \"cloud\"\n\n[[upstream]]\nname = \"clowd\"\n\
                url = \"ftp://x\"\ndialect = \"omnicore\"\n";
    std::fs::write(&file, text).expect("written");
    let path = file.display().to_string();
    let printed = fails(&interlingua(&["check", &path]), 1);
    for (line, what) in [(2, "shards"), (6, "bnd"), (7, "thingscal"), (8, "cloud"), (12, "ftp")] {
        let place = format!("{path}:{line}: ");
        assert!(
            printed.lines().any(|printed| printed.starts_with(&place) && printed.contains(what)),
            "line {line} ({what}) is not in\n{printed}"
        );
    }
    assert!(printed.contains("did you mean `thingscale`?"), "{printed}");
    let served = fails(&interlingua(&["serve", "--config", &path]), 1);
    assert_eq!(served, printed, "serve says the same and starts nothing");
}

#[test]
fn check_says_what_a_sound_file_does() {
    let text = succeeds(&interlingua(&["check", "config/examples/plain.toml"]));
    assert!(text.starts_with("config/examples/plain.toml is sound\n"), "{text}");
    assert!(text.contains("plain to plain"), "{text}");
}

#[test]
fn dialects_are_listed_and_printed() {
    let text = succeeds(&interlingua(&["dialects"]));
    for name in ["plain", "thingscale", "smartworks", "omnicore", "mqtt2go", "xyte"] {
        assert!(
            text.lines().any(|line| line.split_whitespace().next() == Some(name)),
            "{name}: {text}"
        );
    }
    let text = succeeds(&interlingua(&["dialects", "omnicore"]));
    assert!(text.contains("\"/{registry}/{device}/state\""), "{text}");
    let text = fails(&interlingua(&["dialects", "omnicor"]), 1);
    assert!(text.contains("did you mean `omnicore`?"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(&interlingua(&["dialects", "--json"]))).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(9));
}

#[test]
fn a_port_in_use_starts_nothing_and_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("tcp://{}", taken.local_addr().expect("its address"));
    let plain = ["--from", "plain", "--to", "plain", "--upstream", "mqtt://127.0.0.1:1883"];
    let mut arguments = vec!["serve", "--listen", &listen];
    arguments.extend(plain);
    let text = fails(&interlingua(&arguments), 1);
    assert!(
        text.contains("can't listen on 127.0.0.1") && text.contains("port is in use"),
        "{text}"
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlingua"));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command.args(["dialects", "thingscale"]).stdout(writer).output().expect("it runs");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

/// What the README shows is what is printed. A line `…` stands for lines that it leaves out.
#[test]
fn the_readme_shows_what_explain_prints() {
    let readme = include_str!("../README.md").replace("\\\n", " ");
    let shown: Vec<(&str, &str)> = readme
        .split("```\n$ ")
        .skip(1)
        .filter_map(|block| block.split_once("```")?.0.split_once('\n'))
        .collect();
    assert_eq!(shown.len(), 2, "examples of explain");
    for (command, expected) in shown {
        // Words without blanks, and one payload in single quotes.
        let words = command.split('\'').enumerate().flat_map(|(at, part)| {
            let whole = at % 2 == 1;
            let words = part.split_whitespace().filter(move |_| !whole);
            words.chain(Some(part).filter(move |_| whole))
        });
        let arguments: Vec<&str> = words.skip(1).collect();
        let printed = succeeds(&interlingua(&arguments));
        match expected.strip_prefix("…\n") {
            Some(end) => assert!(printed.ends_with(end), "{command} prints\n{printed}"),
            None => assert_eq!(printed, expected, "{command}"),
        }
    }
}

const READS_CERTIFICATES: &str = r#"
name = "own"
mqtt = ["3.1.1"]
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

#[test]
fn explain_keeps_to_what_the_certificate_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("own.toml");
    std::fs::write(&table, READS_CERTIFICATES).expect("written");
    let table = table.display().to_string();
    let explain = |more: &[&str]| {
        let mut arguments = vec!["explain", "--from", &table, "--to", &table];
        arguments.extend(["--certificate", "acme.77"]);
        arguments.extend(more);
        interlingua(&arguments)
    };
    let text = succeeds(&explain(&["--topic", "acme/77/up"]));
    assert!(text.contains("out      own topic acme/77/up"), "{text}");
    let text = succeeds(&explain(&["--topic", "evil/77/up"]));
    assert!(text.contains("refused  access_denied"), "{text}");
    let text = succeeds(&explain(&["--direction", "subscribe", "--topic", "acme/#"]));
    assert!(
        text.contains("own      device 77") && text.contains("out      filter acme/77/down"),
        "{text}"
    );
    let text = fails(&explain(&["--topic", "acme/77/up", "--client-id", "78"]), 1);
    assert!(text.contains("--certificate would be refused: access_denied"), "{text}");
}

#[test]
fn check_and_explain_know_the_routes_of_certificates() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    write("x.pem", &certificate.pem());
    write("x.key", &key.serialize_pem());
    let omnicore = |name: &str| {
        format!(
            "[[upstream]]\nname = '{name}'\nurl = 'mqtt://{name}.example'\ndialect = 'omnicore'\n\
             [upstream.vars]\nsubscription = 's'\nregistry = '{name}'\n"
        )
    };
    let config = write(
        "interlingua.toml",
        &format!(
            "{}{}[[listener]]\nname = 'field'\nbind = '127.0.0.1:0'\ntransport = 'tls'\ndialect = 'thingscale'\nupstream = 'here'\n\
             [listener.vars]\ntoken = 'TOK'\n\
             [listener.tls]\ncertificate = 'x.pem'\nkey = 'x.key'\nclient_ca = 'x.pem'\n\
             [[listener.route]]\ncertificate = 'plant.*'\nupstream = 'there'\n",
            omnicore("here"),
            omnicore("there"),
        ),
    );
    let text = succeeds(&interlingua(&["check", &config]));
    assert!(
        text.contains(
            "  field on 127.0.0.1:0: thingscale to omnicore at mqtt://here.example:1883 (here)"
        ),
        "{text}"
    );
    assert!(
        text.contains("    certificate plant.*: to omnicore at mqtt://there.example:1883 (there)"),
        "{text}"
    );
    for (more, registry) in [
        (&[][..], "here"),
        (&["--certificate", "plant.1"], "there"),
        (&["--certificate", "garden.1"], "here"),
        (&["--upstream", "there"], "there"),
        (&["--upstream", "here", "--certificate", "plant.1"], "here"),
    ] {
        let mut arguments = vec!["explain", "--config", &config, "--topic", "TOK/json/d77/t"];
        arguments.extend(["--payload", "1"]);
        arguments.extend(more);
        let text = succeeds(&interlingua(&arguments));
        assert!(
            text.contains(&format!("out      omnicore topic /{registry}/d77/")),
            "{more:?}: {text}"
        );
    }
}

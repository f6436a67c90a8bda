//! Every example and the reference configuration mean something, and the reference tells the truth about
//! defaults.

use std::fs;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use interlingua::config::{
    Config, ConnectionLimits, LogFormat, LogLevel, Lookup, MemoryMax, Proxy, Shards, load,
};
use interlingua::session::{OnRefusal, Rate, SessionLimits};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// Loads a configuration as the shell does, with an environment in which every name is set.
fn load_file(path: &Path) -> Config {
    let folder = path.parent().expect("a folder");
    let text = fs::read_to_string(path).expect("the configuration");
    let mut read = |lookup: Lookup<'_>| match lookup {
        Lookup::Environment(name) => Ok(format!("FAKE-{name}")),
        // Certificates and keys are never in the repository: here only that they are named matters.
        Lookup::File(file) if file.starts_with("certificates/") => {
            let label = if file.ends_with(".key") { "PRIVATE KEY" } else { "CERTIFICATE" };
            Ok(format!("-----BEGIN {label}-----\nFAKE\n-----END {label}-----\n"))
        }
        Lookup::File(file) => {
            fs::read_to_string(folder.join(file)).map_err(|error| error.to_string())
        }
    };
    load(&path.display().to_string(), &text, &mut read).unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())
    })
}

#[test]
fn every_example_is_sound() {
    let mut loaded = Vec::new();
    for entry in fs::read_dir(root().join("examples")).expect("the examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let config = load_file(&path);
            let plain = ["plain.toml", "quic.toml", "routes.toml", "tls.toml"]
                .iter()
                .any(|own| path.ends_with(own));
            for listener in &config.listeners {
                assert_eq!(listener.plan.translator.is_plain(), plain, "{}", path.display());
            }
            let shown = format!("{config:?}");
            assert!(!shown.contains("FAKE"), "{}: shows a secret: {shown}", path.display());
            loaded.push(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    loaded.sort_unstable();
    assert_eq!(
        loaded,
        [
            "access",
            "mqtt2go-to-omnicore",
            "omnicore-to-mqtt2go",
            "own-dialect",
            "plain",
            "quic",
            "routes",
            "smartworks-to-omnicore",
            "thingscale-to-omnicore",
            "tls",
            "two-listeners",
            "xyte-legacy-to-xyte",
        ]
    );
}

#[test]
fn the_reference_shows_the_defaults() {
    let config = load_file(&root().join("interlingua.toml"));
    assert_eq!(config.proxy, Proxy::default());
    let listener = &config.listeners[0];
    assert_eq!(listener.plan.limits, SessionLimits::default());
    assert_eq!(listener.plan.on_refusal, OnRefusal::AckAndDrop);
    assert_eq!(listener.bind.to_string(), "0.0.0.0:1883");
    assert_eq!(listener.upstream.url.to_string(), "mqtt://127.0.0.1:1884");
    assert_eq!(&*listener.dialect, "thingscale");
    assert_eq!(&*listener.upstream.dialect, "omnicore");
    assert_eq!(config.admin.expect("it is opened").bind.to_string(), "127.0.0.1:9090");
}

const SMALLEST: &str = r#"
[[listener]]
name = "field"
bind = "127.0.0.1:0"
dialect = "plain"
upstream = "broker"
[[upstream]]
name = "broker"
url = "mqtt://127.0.0.1:1884"
dialect = "plain"
"#;

fn load_text(text: &str) -> Config {
    load("t.toml", text, &mut |_| Err("nothing is outside".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn what_is_not_written_has_its_default() {
    let config = load_text(SMALLEST);
    assert_eq!(config.proxy, Proxy::default());
    assert_eq!(config.listeners[0].plan.limits, SessionLimits::default());
    assert!(config.admin.is_none());
}

#[test]
fn every_setting_reaches_its_place() {
    let settings = r#"
[proxy]
shards = 3
pin = true
drain_timeout_ms = 1
certificate_check_ms = 11
memory_max_bytes = 20000000
memory_refuse_percent = 30
memory_end_percent = 40
watchdog_ms = 1013
log = "json"
log_level = "trace"
[limits]
packet_size_max = 2000
connect_size_max = 1000
connect_timeout_ms = 2
upstream_timeout_ms = 3
exchanges_max = 4
subscriptions_max = 5
attachments_max = 6
topic_aliases_max = 8
will_delay_max_ms = 9
keep_alive_max_s = 16
topic_levels_max = 13
topic_bytes_max = 14
properties_max = 15
buffered_bytes_max = 6000
sessions_max = 7
openings_max = 10
handshakes_max = 12
"#;
    let config = load_text(&format!("{settings}{SMALLEST}"));
    let expected = Proxy {
        shards: Shards::Exactly(3),
        pin: true,
        buffered_bytes_max: 6000,
        sessions_max: 7,
        openings_max: 10,
        handshakes_max: 12,
        certificate_check: Duration::from_millis(11),
        memory_max: MemoryMax::Exactly(20_000_000),
        memory_refuse_percent: 30,
        memory_end_percent: 40,
        watchdog: Some(Duration::from_millis(1013)),
        drain_timeout: Duration::from_millis(1),
        log: LogFormat::Json,
        log_level: LogLevel::Trace,
    };
    assert_eq!(config.proxy, expected);
    let limits = SessionLimits {
        packet_size_max: 2000,
        connect_size_max: 1000,
        connect_timeout: Duration::from_millis(2),
        upstream_timeout: Duration::from_millis(3),
        exchanges_max: 4,
        subscriptions_max: 5,
        attachments_max: 6,
        topic_aliases_max: 8,
        will_delay_max: Duration::from_millis(9),
        keep_alive_max: NonZeroU16::new(16),
        topic_levels_max: 13,
        topic_bytes_max: 14,
        properties_max: 15,
        message_rate: None,
        byte_rate: None,
    };
    assert_eq!(config.listeners[0].plan.limits, limits);
    assert_eq!(config.listeners[0].connections, ConnectionLimits::default());
}

#[test]
fn every_limit_of_a_listener_reaches_its_place() {
    let limits = "[listener.limits]\nconnections_per_address_max = 1\nconnect_rate_per_address_max = 2\n\
                  connect_rate_max = 3\nmessage_rate_max = 4\nbyte_rate_max = 5000\n[[upstream]]";
    let config = load_text(&SMALLEST.replacen("[[upstream]]", limits, 1));
    let expected = ConnectionLimits {
        per_address_max: NonZeroU32::new(1),
        rate_per_address_max: NonZeroU32::new(2),
        rate_max: NonZeroU32::new(3).expect("a number"),
    };
    assert_eq!(config.listeners[0].connections, expected);
    let rate =
        |number| NonZeroU64::new(number).map(|number| Rate::new(number, Duration::from_secs(1)));
    let sessions = &config.listeners[0].plan.limits;
    assert_eq!((sessions.message_rate, sessions.byte_rate), (rate(4), rate(5000)));
}

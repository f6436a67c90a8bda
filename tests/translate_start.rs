//! A message whose payload isn't here yet: what is said of it holds for every payload.

mod script;

use std::panic::catch_unwind;

use interlingua::mqtt::Qos;
use interlingua::translate::{Incoming, Memory, Outgoing, Scratch, Translator, Way, compile};
use script::pairs;

type Values = &'static [(&'static str, &'static str)];

const DIALECTS: &[(&str, Values)] = &[
    ("thingscale", &[("token", "TOK"), ("tenant", "acme"), ("account", "U1")]),
    ("omnicore", &[("subscription", "s"), ("registry", "plant")]),
    ("mqtt2go", &[("home", "h1"), ("gateway", "gw1")]),
    ("smartworks", &[("space", "acme")]),
    ("xyte", &[]),
    ("xyte-legacy", &[]),
];

const TOPICS: &[&str] = &[
    "TOK/json/77",
    "TOK/json/77/room1",
    "TOK/binary/77/room1",
    "TOK/77/subscribe",
    "/plant/77/events",
    "/plant/77/events/room1",
    "/plant/77/state",
    "/plant/77/commands",
    "h1/gw1/lamp1/light/out",
    "h1/gw1/lamp1/light/in",
    "spaces/acme/things/lamp/properties",
    "spaces/acme/things/lamp/events/fire",
    "spaces/acme/things/lamp/actions/blink",
    "v1/device/77/telemetry",
    "nobody/knows/it",
];

/// Among them some that no document can be.
const PAYLOADS: &[&[u8]] = &[
    b"",
    b"5",
    b"\xFF{",
    b"{\"a\":1}",
    b"\x81\xA1a\x01",
    br#"{"type":"periodic_report","timestamp":1567677926,"value":21.8}"#,
];

fn incoming<'a>(topic_name: &'a str, payload: &'a [u8]) -> Incoming<'a> {
    Incoming { topic_name, payload, qos: Qos::ExactlyOnce, retain: true }
}

/// Every pair of platforms that can be had without more configuration.
fn translators() -> Vec<(String, Translator)> {
    let mut all = vec![("plain".to_owned(), Translator::plain())];
    for (here, values) in DIALECTS {
        for (there, values_there) in DIALECTS {
            let sides =
                catch_unwind(|| [pairs::side(here, values), pairs::side(there, values_there)]);
            let [device, upstream] = sides.expect("both are built in");
            if let Ok(translator) = compile(device, upstream, pairs::prefix()) {
                all.push((format!("{here} to {there}"), translator));
            }
        }
    }
    all
}

#[test]
fn whatever_the_payload_becomes_the_start_has_said_it() {
    let mut said = 0;
    for (pair, translator) in translators() {
        for (way, topic) in [Way::Up, Way::Down]
            .into_iter()
            .flat_map(|way| TOPICS.iter().map(move |topic| (way, *topic)))
        {
            let (mut memory, mut scratch) = (Memory::default(), Scratch::default());
            let start = incoming(topic, b"");
            let start = translator.publish_start(way, &start, 100, &mut memory, &mut scratch);
            let Ok(Some(start)) = start else { continue };
            let messages: Vec<Outgoing<'_>> = start.messages().collect();
            let [start] = messages[..] else { panic!("{pair}, {topic}: {messages:?}") };
            for payload in PAYLOADS {
                let (mut memory, mut scratch) = (Memory::default(), Scratch::default());
                let whole = incoming(topic, payload);
                let whole = translator.publish(way, &whole, &mut memory, &mut scratch);
                let whole: Vec<_> = whole
                    .unwrap_or_else(|refusal| panic!("{pair}, {topic}, {payload:?}: {refusal:?}"))
                    .messages()
                    .collect();
                assert_eq!(whole, [Outgoing { payload, ..start }], "{pair}, {topic}");
                said += 1;
            }
        }
    }
    assert!(said > 100, "{said}");
}

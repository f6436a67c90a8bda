//! rumqttc behind a JSON line protocol: one command per line on stdin, one answer or event per line on stdout.
//! Commands: `{seq, op, client, …}`. Answers: `{seq, result}` or `{seq, error}`. Events: `{client, event, …}`.
//!
//! Not a test: it reports what rumqttc saw, and decides nothing.

mod v3;
mod v5;

use std::collections::HashMap;
use std::io::{BufRead, Write};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};

/// How many requests rumqttc takes before it makes the caller wait.
const CAPACITY: usize = 100;
/// What rumqttc would refuse by itself otherwise: above 10 KiB.
const PACKET_SIZE_MAX: u32 = 64 * 1024 * 1024;

enum Requests {
    V3(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

struct Peer {
    requests: Requests,
    events: JoinHandle<()>,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, run());
}

async fn run() {
    let (sender, mut lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    say(json!({"event": "ready"}));
    let mut peers = HashMap::new();
    while let Some(line) = lines.recv().await {
        let command: Value = serde_json::from_str(&line).unwrap();
        let answer = match perform(&command, &mut peers).await {
            Ok(()) => json!({"seq": command["seq"], "result": null}),
            Err(error) => json!({"seq": command["seq"], "error": error}),
        };
        say(answer);
    }
}

async fn perform(command: &Value, peers: &mut HashMap<String, Peer>) -> Result<(), String> {
    let name = text(&command["client"]);
    let options = &command["options"];
    if command["op"] == "connect" {
        let version_5 = options["protocolVersion"] == 5;
        let peer =
            if version_5 { v5::connect(&name, options) } else { v3::connect(&name, options) };
        peers.insert(name, peer);
        return Ok(());
    }
    let peer = peers.get(&name).ok_or("no such client")?;
    match command["op"].as_str().unwrap_or_default() {
        "subscribe" => subscribe(peer, command).await,
        "unsubscribe" => match &peer.requests {
            Requests::V3(requests) => {
                requests.unsubscribe(text(&command["filter"])).await.map_err(shown)
            }
            Requests::V5(requests) => {
                requests.unsubscribe(text(&command["filter"])).await.map_err(shown)
            }
        },
        "publish" => {
            publish(peer, command["messages"].clone());
            Ok(())
        }
        "disconnect" => match &peer.requests {
            Requests::V3(requests) => requests.disconnect().await.map_err(shown),
            Requests::V5(requests) => requests.disconnect().await.map_err(shown),
        },
        "cut" => {
            peer.events.abort();
            say(json!({"client": name, "event": "close"}));
            Ok(())
        }
        other => Err(format!("no operation {other}")),
    }
}

async fn subscribe(peer: &Peer, command: &Value) -> Result<(), String> {
    let filters = command["filters"].as_array().cloned().unwrap_or_default();
    let qos = number(&command["qos"]);
    match &peer.requests {
        Requests::V3(requests) => {
            requests.subscribe_many(v3::filters(&filters, qos)).await.map_err(shown)
        }
        Requests::V5(requests) => {
            requests.subscribe_many(v5::filters(&filters, qos)).await.map_err(shown)
        }
    }
}

/// Hands the messages over one after the other; each is told by an event of its own.
fn publish(peer: &Peer, messages: Value) {
    let messages = messages.as_array().cloned().unwrap_or_default();
    match &peer.requests {
        Requests::V3(requests) => {
            drop(tokio::task::spawn_local(v3::publish(requests.clone(), messages)))
        }
        Requests::V5(requests) => {
            drop(tokio::task::spawn_local(v5::publish(requests.clone(), messages)))
        }
    }
}

fn shown(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub(crate) fn say(line: Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap_or_default().as_bytes();
    let digit = |at: u8| char::from(at).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

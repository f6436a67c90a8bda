//! MQTT 3.1.1 with rumqttc.

use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS,
    SubscribeFilter, SubscribeReasonCode,
};
use serde_json::{Value, json};

use crate::{CAPACITY, PACKET_SIZE_MAX, Peer, Requests, bytes, hex, number, say, text};

fn level(value: u64) -> QoS {
    rumqttc::qos(value as u8).unwrap()
}

/// A client that connects now. It doesn't connect again.
pub(crate) fn connect(name: &str, given: &Value) -> Peer {
    let mut options =
        MqttOptions::new(text(&given["clientId"]), "127.0.0.1", number(&given["port"]) as u16);
    options.set_keep_alive(Duration::from_secs(number(&given["keepalive"])));
    options.set_clean_session(given["clean"] == true);
    options.set_max_packet_size(PACKET_SIZE_MAX as usize, PACKET_SIZE_MAX as usize);
    if given["username"].is_string() {
        options.set_credentials(text(&given["username"]), text(&given["password"]));
    }
    let will = &given["will"];
    if will.is_object() {
        let retain = will["retain"] == true;
        options.set_last_will(LastWill::new(
            text(&will["topic"]),
            bytes(&will["payload"]),
            level(number(&will["qos"])),
            retain,
        ));
    }
    let (requests, events) = AsyncClient::new(options, CAPACITY);
    let events = tokio::task::spawn_local(watch(name.to_owned(), events));
    Peer { requests: Requests::V3(requests), events }
}

async fn watch(name: String, mut events: EventLoop) {
    loop {
        match events.poll().await {
            Ok(event) => tell(&name, event),
            Err(error) => {
                if let ConnectionError::ConnectionRefused(code) = &error {
                    say(
                        json!({"client": name, "event": "connack", "code": *code as u8, "session_present": 0}),
                    );
                }
                say(json!({"client": name, "event": "close", "text": error.to_string()}));
                return;
            }
        }
    }
}

fn tell(name: &str, event: Event) {
    match event {
        Event::Incoming(Packet::ConnAck(connack)) => say(json!({
            "client": name, "event": "connack", "code": connack.code as u8, "session_present": u8::from(connack.session_present),
        })),
        Event::Incoming(Packet::SubAck(suback)) => {
            let codes: Vec<u8> = suback.return_codes.iter().map(code_of).collect();
            say(json!({"client": name, "event": "suback", "codes": codes}));
        }
        Event::Incoming(Packet::UnsubAck(_)) => {
            say(json!({"client": name, "event": "suback", "codes": []}))
        }
        Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))
        | Event::Outgoing(Outgoing::Publish(0)) => {
            say(json!({"client": name, "event": "published", "code": 0}));
        }
        Event::Incoming(Packet::Publish(publish)) => say(json!({
            "client": name, "event": "message", "topic": publish.topic, "payload": hex(&publish.payload),
            "qos": publish.qos as u8, "retain": publish.retain, "dup": publish.dup, "properties": {},
        })),
        _ => {}
    }
}

fn code_of(code: &SubscribeReasonCode) -> u8 {
    match code {
        SubscribeReasonCode::Success(qos) => *qos as u8,
        SubscribeReasonCode::Failure => 0x80,
    }
}

pub(crate) fn filters(filters: &[Value], qos: u64) -> Vec<SubscribeFilter> {
    filters.iter().map(|filter| SubscribeFilter::new(text(filter), level(qos))).collect()
}

pub(crate) async fn publish(requests: AsyncClient, messages: Vec<Value>) {
    for message in messages {
        let qos = level(number(&message["qos"]));
        let sent = requests.publish(
            text(&message["topic"]),
            qos,
            message["retain"] == true,
            bytes(&message["payload"]),
        );
        if sent.await.is_err() {
            return;
        }
    }
}

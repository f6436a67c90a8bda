//! MQTT 5 with rumqttc, whose model of it shares nothing with that of 3.1.1.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAckProperties, ConnectProperties, Filter, LastWill, PubAckReason, Publish,
    PublishProperties, SubscribeReasonCode, UnsubAckReason,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{Outgoing, v5::mqttbytes::v5::Packet};
use serde_json::{Map, Value, json};

use crate::{CAPACITY, Peer, Requests, bytes, hex, number, say, text};

fn level(value: u64) -> QoS {
    rumqttc::v5::mqttbytes::qos(value as u8).unwrap()
}

/// A client that connects now. It doesn't connect again.
pub(crate) fn connect(name: &str, given: &Value) -> Peer {
    let mut options =
        MqttOptions::new(text(&given["clientId"]), "127.0.0.1", number(&given["port"]) as u16);
    options.set_keep_alive(Duration::from_secs(number(&given["keepalive"])));
    options.set_clean_start(given["clean"] == true);
    let wanted = |key: &str| given["properties"][key].as_u64();
    let properties = ConnectProperties {
        session_expiry_interval: wanted("session_expiry_interval").map(|value| value as u32),
        receive_maximum: wanted("receive_maximum").map(|value| value as u16),
        max_packet_size: Some(crate::PACKET_SIZE_MAX),
        ..ConnectProperties::new()
    };
    options.set_connect_properties(properties);
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
            None,
        ));
    }
    let (requests, events) = AsyncClient::new(options, CAPACITY);
    let events = tokio::task::spawn_local(watch(name.to_owned(), events));
    Peer { requests: Requests::V5(requests), events }
}

async fn watch(name: String, mut events: EventLoop) {
    loop {
        match events.poll().await {
            Ok(event) => tell(&name, event),
            Err(error) => {
                if let ConnectionError::ConnectionRefused(code) = &error {
                    say(
                        json!({"client": name, "event": "connack", "code": format!("{code:?}"), "session_present": 0, "properties": {}}),
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
            "client": name, "event": "connack", "code": 0, "session_present": u8::from(connack.session_present),
            "properties": connack.properties.map(connack_properties),
        })),
        Event::Incoming(Packet::SubAck(suback)) => {
            let codes: Vec<Value> = suback.return_codes.iter().map(code_of).collect();
            say(json!({"client": name, "event": "suback", "codes": codes}));
        }
        Event::Incoming(Packet::UnsubAck(unsuback)) => {
            let codes: Vec<Value> = unsuback
                .reasons
                .iter()
                .map(|reason| match reason {
                    UnsubAckReason::Success => json!(0),
                    UnsubAckReason::NoSubscriptionExisted => json!(0x11),
                    other => json!(format!("{other:?}")),
                })
                .collect();
            say(json!({"client": name, "event": "suback", "codes": codes}));
        }
        Event::Incoming(Packet::PubAck(puback)) => {
            let code = match puback.reason {
                PubAckReason::Success => json!(0),
                PubAckReason::NoMatchingSubscribers => json!(0x10),
                other => json!(format!("{other:?}")),
            };
            say(json!({"client": name, "event": "published", "code": code}));
        }
        // rumqttc keeps what PUBREC said to itself.
        Event::Incoming(Packet::PubComp(_)) | Event::Outgoing(Outgoing::Publish(0)) => {
            say(json!({"client": name, "event": "published", "code": 0}));
        }
        Event::Incoming(Packet::Disconnect(disconnect)) => {
            say(
                json!({"client": name, "event": "disconnect", "code": disconnect.reason_code as u8}),
            );
        }
        Event::Incoming(Packet::Publish(publish)) => message(name, publish),
        _ => {}
    }
}

fn message(name: &str, publish: Publish) {
    say(json!({
        "client": name, "event": "message", "topic": String::from_utf8_lossy(&publish.topic), "payload": hex(&publish.payload),
        "qos": publish.qos as u8, "retain": publish.retain, "dup": publish.dup,
        "properties": publish.properties.map(message_properties).unwrap_or_default(),
    }));
}

fn code_of(code: &SubscribeReasonCode) -> Value {
    match code {
        SubscribeReasonCode::Success(qos) => json!(*qos as u8),
        SubscribeReasonCode::Failure | SubscribeReasonCode::Unspecified => json!(0x80),
        other => json!(format!("{other:?}")),
    }
}

/// Those that are there, under the specification's names.
fn present<const N: usize>(values: [(&str, Value); N]) -> Map<String, Value> {
    let is_there =
        |value: &Value| !value.is_null() && value.as_array().is_none_or(|array| !array.is_empty());
    values
        .into_iter()
        .filter(|(_, value)| is_there(value))
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn connack_properties(given: ConnAckProperties) -> Map<String, Value> {
    present([
        ("session_expiry_interval", json!(given.session_expiry_interval)),
        ("receive_maximum", json!(given.receive_max)),
        ("maximum_qos", json!(given.max_qos)),
        ("retain_available", json!(given.retain_available)),
        ("maximum_packet_size", json!(given.max_packet_size)),
        ("assigned_client_identifier", json!(given.assigned_client_identifier)),
        ("topic_alias_maximum", json!(given.topic_alias_max)),
        ("user_property", json!(given.user_properties)),
        ("server_keep_alive", json!(given.server_keep_alive)),
    ])
}

fn message_properties(given: PublishProperties) -> Map<String, Value> {
    present([
        ("payload_format_indicator", json!(given.payload_format_indicator)),
        ("message_expiry_interval", json!(given.message_expiry_interval)),
        ("response_topic", json!(given.response_topic)),
        ("correlation_data", json!(given.correlation_data.map(|data| hex(&data)))),
        ("user_property", json!(given.user_properties)),
        ("subscription_identifier", json!(given.subscription_identifiers)),
        ("content_type", json!(given.content_type)),
    ])
}

pub(crate) fn filters(filters: &[Value], qos: u64) -> Vec<Filter> {
    filters.iter().map(|filter| Filter::new(text(filter), level(qos))).collect()
}

pub(crate) async fn publish(requests: AsyncClient, messages: Vec<Value>) {
    for message in messages {
        let (topic, payload) = (text(&message["topic"]), bytes(&message["payload"]));
        let (qos, retain) = (level(number(&message["qos"])), message["retain"] == true);
        let given = &message["properties"];
        let sent = match given.as_object().is_some_and(|given| !given.is_empty()) {
            true => {
                requests.publish_with_properties(topic, qos, retain, payload, asked(given)).await
            }
            false => requests.publish(topic, qos, retain, payload).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

fn asked(given: &Value) -> PublishProperties {
    let name = |key: &str| given[key].as_str().map(str::to_owned);
    let pairs = given["user_property"].as_array().cloned().unwrap_or_default();
    PublishProperties {
        payload_format_indicator: given["payload_format_indicator"]
            .as_u64()
            .map(|value| value as u8),
        message_expiry_interval: given["message_expiry_interval"]
            .as_u64()
            .map(|value| value as u32),
        topic_alias: given["topic_alias"].as_u64().map(|value| value as u16),
        response_topic: name("response_topic"),
        correlation_data: given["correlation_data"]
            .is_string()
            .then(|| bytes(&given["correlation_data"]).into()),
        user_properties: pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        subscription_identifiers: Vec::new(),
        content_type: name("content_type"),
    }
}

//! The test vectors of npm's mqtt-packet, the codec of the JavaScript world, against ours.
//!
//! They are somebody else's reading of the specification: where ours differs, it's in a list here,
//! with the statement of the specification that decides. `tests/data/mqtt-packet` has the vectors,
//! their licence and the script that extracts them.

use interlingua::mqtt::{Connect, Packet, Properties, Property, RawPacket, Version, next_packet};
use serde_json::{Map, Value, json};

/// Vectors that mqtt-packet takes and we refuse.
const REFUSED_HERE: &[(&str, &str)] = &[
    (
        "connect MQTT bridge 131",
        "Bit 7 of the level is a convention of bridges; [MQTT-3.1.2-2]: refuse an unacceptable level",
    ),
    (
        "connect MQTT bridge 132",
        "Bit 7 of the level is a convention of bridges; [MQTT-3.1.2-2]: refuse an unacceptable level",
    ),
    (
        "Version 4 CONACK in Version 5 mode",
        "v5 3.2.2: CONNACK has a property length always, and the codes of table 3-1",
    ),
    (
        "Version 5 CONNACK test 1",
        "v5 3.2.2: CONNACK has a property length always, and the codes of table 3-1",
    ),
    (
        "Version 5 CONNACK test 2",
        "v5 3.2.2: CONNACK has a property length always, and the codes of table 3-1",
    ),
    (
        "connack MQTT 5 with properties",
        "v5 3.2.2.3.4: a Maximum QoS other than 0 or 1 is a Protocol Error, the vector has 2",
    ),
    (
        "connack MQTT 5 with properties and doubled user properties",
        "v5 3.2.2.3.4: a Maximum QoS other than 0 or 1 is a Protocol Error, the vector has 2",
    ),
];

/// Vectors that mqtt-packet refuses and we take.
const TAKEN_HERE: &[(&str, &str)] = &[(
    "Cannot parse username",
    "3.1 section 3.1: the remaining length takes precedence over the user name flag",
)];

/// Vectors that come back in other bytes, or not as mqtt-packet describes them.
const WRITTEN_OTHERWISE: &[(&str, &str)] = &[
    (
        "Version 5 PUBACK test 2.1",
        "v5 3.4.2.1: reason code and property length may be left out, we write the shortest form",
    ),
    (
        "Version 5 PUBACK test 3",
        "v5 3.4.2.1: reason code and property length may be left out, we write the shortest form",
    ),
    (
        "puback with reason and no MQTT 5 properties",
        "v5 3.4.2.1: reason code and property length may be left out, we write the shortest form",
    ),
    (
        "Version 5 DISCONNECT test 2",
        "v5 3.14.2.1: reason code and property length may be left out, we write the shortest form",
    ),
    (
        "Version 5 DISCONNECT test 3",
        "v5 3.14.2.1: reason code and property length may be left out, we write the shortest form",
    ),
    (
        "disconnect MQTT 5 with no properties",
        "v5 3.14.2.1: reason code and property length may be left out, we write the shortest form",
    ),
];

#[test]
fn valid_packets_decode_to_equal_fields_and_the_same_bytes() {
    let mut faults = Vec::new();
    let mut seen = Vec::new();
    let mut count = 0;
    for vector in vectors() {
        if vector.verdict == "refuse" {
            continue;
        }
        count += 1;
        let packet = match vector.decode() {
            Ok(packet) => packet,
            Err(_) if contains(REFUSED_HERE, &vector.name) => {
                seen.push(vector.name);
                continue;
            }
            Err(fault) => {
                faults.push(format!("{}: refused: {fault}", vector.name));
                continue;
            }
        };
        if vector.verdict != "encode" {
            faults.extend(differences(&vector, &packet));
        }
        let mut out = Vec::new();
        packet.encode(vector.version, &mut out).unwrap();
        if out != vector.bytes {
            if contains(WRITTEN_OTHERWISE, &vector.name) {
                seen.push(vector.name);
            } else {
                faults.push(format!("{}: {:02x?} became {out:02x?}", vector.name, vector.bytes));
            }
        }
    }
    assert!(count > 60, "only {count} vectors");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (name, _) in REFUSED_HERE.iter().chain(WRITTEN_OTHERWISE) {
        assert!(seen.iter().any(|seen| seen == name), "`{name}` is no exception any more");
    }
}

#[test]
fn invalid_packets_are_refused() {
    let mut faults = Vec::new();
    let mut taken = Vec::new();
    let mut count = 0;
    for vector in vectors() {
        if vector.verdict != "refuse" {
            continue;
        }
        count += 1;
        if let Ok(packet) = vector.decode() {
            if contains(TAKEN_HERE, &vector.name) {
                taken.push(vector.name);
            } else {
                faults.push(format!("{} {:02x?}: taken: {packet:?}", vector.name, vector.bytes));
            }
        }
    }
    assert!(count > 50, "only {count} vectors");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (name, _) in TAKEN_HERE {
        assert!(taken.iter().any(|seen| seen == name), "`{name}` is no exception any more");
    }
}

struct Vector {
    verdict: String,
    name: String,
    version: Version,
    packet: Value,
    bytes: Vec<u8>,
}

impl Vector {
    fn decode(&self) -> Result<Packet<'_>, String> {
        self.raw().and_then(|raw| {
            Packet::decode(raw, self.version).map_err(|fault| fault.label().to_owned())
        })
    }

    fn raw(&self) -> Result<RawPacket<'_>, String> {
        match next_packet(&self.bytes, self.version, 10_000) {
            Ok(Some(raw)) if raw.bytes.len() == self.bytes.len() => Ok(raw),
            Ok(Some(_)) => Err("bytes behind the packet".to_owned()),
            Ok(None) => Err("incomplete".to_owned()),
            Err(fault) => Err(fault.label().to_owned()),
        }
    }
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("data/mqtt-packet/vectors.json")).unwrap();
    let read = |vector: &Value| Vector {
        verdict: vector["verdict"].as_str().unwrap().to_owned(),
        name: vector["name"].as_str().unwrap().to_owned(),
        version: match vector["version"].as_u64() {
            Some(3) => Version::V31,
            Some(5) => Version::V5,
            _ => Version::V311,
        },
        packet: vector["packet"].clone(),
        bytes: from_hex(vector["bytes"].as_str().unwrap()),
    };
    file["vectors"].as_array().unwrap().iter().map(read).collect()
}

fn contains(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(listed, _)| *listed == name)
}

/// What mqtt-packet says and we don't.
fn differences(vector: &Vector, packet: &Packet<'_>) -> Vec<String> {
    let ours = canonical(&describe(packet, vector.raw().unwrap()));
    let theirs = canonical(&vector.packet);
    let mut faults = Vec::new();
    for (key, theirs) in theirs.as_object().unwrap() {
        if ours.get(key) != Some(theirs) {
            let ours = ours.get(key);
            faults.push(format!("{}: `{key}` is {ours:?}, expected {theirs}", vector.name));
        }
    }
    faults
}

/// A packet in mqtt-packet's words.
fn describe(packet: &Packet<'_>, raw: RawPacket<'_>) -> Value {
    let mut found = Map::new();
    let mut put = |key: &str, value: Value| _ = found.insert(key.to_owned(), value);
    put("cmd", json!(packet.packet_type().name().to_lowercase()));
    put("retain", json!(raw.flags & 1));
    put("qos", json!((raw.flags >> 1) & 3));
    put("dup", json!(raw.flags >> 3));
    put("length", json!(raw.body.len()));
    match packet {
        Packet::Connect(packet) => return described_connect(found, packet),
        Packet::Connack(packet) => {
            put("sessionPresent", json!(packet.session_present));
            put("returnCode", json!(packet.reason_code.connect_return_code()));
            put("reasonCode", json!(packet.reason_code.value()));
            put("properties", properties(packet.properties));
        }
        Packet::Publish(packet) => {
            put("topic", json!(packet.topic_name));
            put("payload", bytes(packet.payload));
            put("messageId", json!(packet.packet_identifier.map(|identifier| identifier.value())));
            put("properties", properties(packet.properties));
        }
        Packet::Acknowledgement(packet) => {
            put("messageId", json!(packet.packet_identifier.value()));
            put("reasonCode", json!(packet.reason_code.value()));
            put("properties", properties(packet.properties));
        }
        Packet::Subscribe(packet) => {
            put("messageId", json!(packet.packet_identifier.value()));
            put("properties", properties(packet.properties));
            let five = raw_is_five(packet.properties);
            put(
                "subscriptions",
                Value::Array(
                    packet
                        .subscriptions()
                        .map(|wish| {
                            let mut wanted =
                                json!({"topic": wish.topic_filter, "qos": wish.qos.level()});
                            if five {
                                wanted["nl"] = json!(wish.no_local);
                                wanted["rap"] = json!(wish.retain_as_published);
                                wanted["rh"] = json!(wish.retain_handling as u8);
                            }
                            wanted
                        })
                        .collect(),
                ),
            );
        }
        Packet::Suback(packet) => {
            put("messageId", json!(packet.packet_identifier.value()));
            put("granted", json!(packet.reason_codes));
            put("properties", properties(packet.properties));
        }
        Packet::Unsubscribe(packet) => {
            put("messageId", json!(packet.packet_identifier.value()));
            put("unsubscriptions", json!(packet.topic_filters().collect::<Vec<_>>()));
            put("properties", properties(packet.properties));
        }
        Packet::Unsuback(packet) => {
            put("messageId", json!(packet.packet_identifier.value()));
            put("granted", json!(packet.reason_codes));
            put("properties", properties(packet.properties));
        }
        Packet::Pingreq | Packet::Pingresp => {}
        Packet::Disconnect(packet) => {
            put("reasonCode", json!(packet.reason_code.value()));
            put("properties", properties(packet.properties));
        }
        Packet::Auth(packet) => {
            put("reasonCode", json!(packet.reason_code.value()));
            put("properties", properties(packet.properties));
        }
    }
    Value::Object(found)
}

/// mqtt-packet names the options of 5 only there; each of its vectors of 5 has properties.
fn raw_is_five(properties: Properties<'_>) -> bool {
    !properties.is_empty()
}

fn described_connect(mut found: Map<String, Value>, packet: &Connect<'_>) -> Value {
    let mut put = |key: &str, value: Value| _ = found.insert(key.to_owned(), value);
    put("protocolId", json!(packet.version.protocol_name()));
    put("protocolVersion", json!(packet.version.level()));
    put("clean", json!(packet.clean_start));
    put("keepalive", json!(packet.keep_alive_seconds));
    put("clientId", json!(packet.client_identifier));
    put("properties", properties(packet.properties));
    put("username", json!(packet.user_name));
    put("password", packet.password.map_or(Value::Null, bytes));
    if let Some(will) = packet.will {
        let mut described = json!({
            "topic": will.topic_name,
            "payload": bytes(will.payload),
            "qos": will.qos.level(),
            "retain": will.retain,
        });
        if !will.properties.is_empty() {
            described["properties"] = properties(will.properties);
        }
        put("will", described);
    }
    Value::Object(found)
}

fn properties(properties: Properties<'_>) -> Value {
    let mut found = Map::new();
    for property in properties.iter() {
        if let Property::UserProperty(name, value) = property {
            let users = found.entry("userProperties").or_insert_with(|| json!({}));
            add(users.as_object_mut().unwrap(), name, json!(value));
        } else {
            let (name, value) = named(property);
            add(&mut found, &name, value);
        }
    }
    Value::Object(found)
}

/// One value stands alone, more of a name become a list.
fn add(found: &mut Map<String, Value>, name: &str, value: Value) {
    match found.get_mut(name) {
        None => _ = found.insert(name.to_owned(), value),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = json!([first.clone(), value]),
    }
}

fn named(property: Property<'_>) -> (String, Value) {
    let name = match property {
        Property::MaximumQos(_) => "maximumQoS".to_owned(),
        Property::SubscriptionIdentifierAvailable(_) => {
            "subscriptionIdentifiersAvailable".to_owned()
        }
        _ => {
            let name = format!("{:?}", property.identifier());
            name[..1].to_lowercase() + &name[1..]
        }
    };
    let value = match property {
        Property::PayloadFormatIndicator(byte)
        | Property::RequestProblemInformation(byte)
        | Property::RequestResponseInformation(byte)
        | Property::MaximumQos(byte)
        | Property::RetainAvailable(byte)
        | Property::WildcardSubscriptionAvailable(byte)
        | Property::SubscriptionIdentifierAvailable(byte)
        | Property::SharedSubscriptionAvailable(byte) => json!(byte),
        Property::ServerKeepAlive(number)
        | Property::ReceiveMaximum(number)
        | Property::TopicAliasMaximum(number)
        | Property::TopicAlias(number) => json!(number),
        Property::MessageExpiryInterval(number)
        | Property::SessionExpiryInterval(number)
        | Property::WillDelayInterval(number)
        | Property::MaximumPacketSize(number)
        | Property::SubscriptionIdentifier(number) => json!(number),
        Property::ContentType(text)
        | Property::ResponseTopic(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => json!(text),
        Property::CorrelationData(data) | Property::AuthenticationData(data) => bytes(data),
        Property::UserProperty(..) => unreachable!("a user property has a name of its own"),
    };
    (name, value)
}

fn bytes(bytes: &[u8]) -> Value {
    json!({"hex": to_hex(bytes)})
}

/// JavaScript is loose about text and bytes, true and 1, absent and null: this makes them equal.
fn canonical(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(to_hex(text.as_bytes())),
        Value::Bool(flag) => json!(u8::from(*flag)),
        Value::Array(values) => values.iter().map(canonical).collect(),
        Value::Object(object) => match object.get("hex") {
            Some(hex) => hex.clone(),
            None => object
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), canonical(value)))
                .collect::<Map<_, _>>()
                .into(),
        },
        Value::Null | Value::Number(_) => value.clone(),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

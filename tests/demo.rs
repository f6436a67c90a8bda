//! `interlingua demo` as a reader sees it, and its broker as other people's clients see it.
#![cfg(feature = "demo")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use interlingua::demo::broker::Broker;
use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Packet, QoS};

/// Nothing here takes longer than moments; a machine that is busy may.
const DEADLINE: Duration = Duration::from_secs(60);

// ---- the command ----

/// A running demo, line by line. Dropping it ends it.
struct Show {
    child: Child,
    lines: Receiver<String>,
}

impl Show {
    fn start(arguments: &[&str], columns: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_interlingua"))
            .arg("demo")
            .args(arguments)
            .env("COLUMNS", columns)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Lines up to and with the first one that has `text`, each with single spaces.
    fn until(&self, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self
                .lines
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("no line with {text:?}; there were {seen:#?}"));
            seen.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
            if line.contains(text) {
                return seen;
            }
        }
    }

    /// The exit code, after everything that was printed.
    fn exit_code(mut self) -> Option<i32> {
        let end = Instant::now() + DEADLINE;
        while self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
        assert!(Instant::now() < end, "it doesn't end");
        self.child.wait().expect("it has ended").code()
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        // It has ended already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ROUND: [&str; 8] = [
    "TOK/json/1085266243/room1 23.5 ──▶ /plant/d1085266243/events/room1 23.5",
    "TOK/1085266243/subscribe open ◀── /plant/d1085266243/commands open",
    r#"spaces/acme/things/01FDSA7KS76MNR32J8W0RAWEFX/properties {"temperature":71.5} ──▶ /plant/boiler-1/state {"temperature":71.5}"#,
    r#"h1/gw1/ms1/temperature/out {"type":"periodic_report","timestamp":1567677926,"value":21.9} ──▶ /plant/ms1/events/temperature {"type":"periodic_report","timestamp":1567677926,"value":21.9}"#,
    r#"/plant/lamp1/commands/switch {"type":"set","timestamp":1567677946,"value":"on"} ◀── h1/gw1/lamp1/switch/in {"type":"set","timestamp":1567677946,"value":"on"}"#,
    r#"v1/device/screen-7/telemetry {"status":"online","telemetries":{"lamp_hours":812}} ──▶ v1/device/screen-7/telemetry {"status":"online","telemetries":{"lamp_hours":812}}"#,
    r#"v1/device/screen-7/commands {"id":"c-9","status":"pending","name":"reboot","parameters":{}} ◀── v1/device/screen-7/command {"id":"c-9","status":"pending","name":"reboot","parameters":{}}"#,
    r#"v1/device/screen-7/commands/update {"id":"c-9","status":"done"} ──▶ v1/device/screen-7/commands/update {"id":"c-9","status":"done"}"#,
];

#[test]
fn the_round_shows_both_sides_of_each_translation() {
    let show = Show::start(&["--once"], "250");
    let lines = show.until("each seen on both sides");
    let translations: Vec<&String> =
        lines.iter().filter(|line| line.contains("──▶") || line.contains("◀──")).collect();
    assert_eq!(translations, ROUND);
    assert_eq!(lines.last().unwrap(), "8 translations, each seen on both sides.");
    assert_eq!(show.exit_code(), Some(0));
}

#[test]
fn a_narrow_terminal_has_the_sides_below_each_other() {
    let show = Show::start(&["--once"], "40");
    let lines = show.until("each seen on both sides");
    let at = lines.iter().position(|line| line == "TOK/json/1085266243/room1").unwrap();
    assert_eq!(lines[at + 1..at + 3], ["──▶ /plant/d1085266243/events/room1", "23.5"]);
    assert_eq!(show.exit_code(), Some(0));
}

#[test]
fn whoever_joins_is_seen_on_the_other_side_until_ctrl_c() {
    let show = Show::start(&[], "80");
    let lines = show.until("What passes from now on");
    let port = |start: &str, behind: &str| -> u16 {
        let found = lines.iter().find_map(|line| {
            let rest = line.strip_prefix(start)?;
            rest.contains(behind).then(|| rest.split(' ').next().unwrap().parse().unwrap())
        });
        found.unwrap_or_else(|| panic!("no {start:?} … {behind:?} in {lines:#?}"))
    };
    let broker = port("mosquitto_pub -h 127.0.0.1 -p ", "-t /plant/d42/commands -m open");
    let listener = port("mosquitto_pub -h 127.0.0.1 -p ", "-t TOK/json/42/lab -m 19.5");
    assert_eq!(broker, port("mosquitto_sub -h 127.0.0.1 -p ", "-v -t '#'"));
    assert_eq!(listener, port("mosquitto_sub -h 127.0.0.1 -p ", "-v -t TOK/42/subscribe"));

    let mut device = Peer::join(listener, "42_you");
    device.subscribe("TOK/42/subscribe", QoS::AtLeastOnce);
    device.publish("TOK/json/42/lab", QoS::AtLeastOnce, false, "19.5");
    show.until("broker              /plant/d42/events/lab  19.5");
    let mut application = Peer::join(broker, "you");
    application.publish("/plant/d42/commands", QoS::AtLeastOnce, false, "open");
    show.until("broker              /plant/d42/commands  open");
    let heard = device.message();
    assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("TOK/42/subscribe", &b"open"[..]));
    application.publish("/plant/d1085266243/commands", QoS::AtLeastOnce, false, "shut\x1b[2J");
    show.until("thingscale device   TOK/1085266243/subscribe  shut\u{FFFD}[2J");

    let id = show.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(show.exit_code(), Some(0));
}

#[test]
fn the_line_to_paste_for_explain_works() {
    let show = Show::start(&[], "80");
    let lines = show.until("What passes from now on");
    let at = lines.iter().position(|line| line.contains(" explain ")).expect("the line");
    let pasted = lines[at..at + 3].join(" ").replace('\\', "");
    let output = Command::new("sh").args(["-c", &pasted]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && printed.contains("/plant/d42/events/lab"), "{pasted}");
}

// ---- the broker ----

const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A client by other people, one step at a time. MQTT 3.1.1.
struct Peer {
    client: Client,
    connection: Connection,
    waiting: Vec<rumqttc::Publish>,
}

impl Peer {
    fn options(port: u16, identifier: &str) -> MqttOptions {
        let mut options = MqttOptions::new(identifier, "127.0.0.1", port);
        options.set_max_packet_size(1 << 20, 1 << 20);
        options
    }

    fn join(port: u16, identifier: &str) -> Self {
        Self::join_with(Self::options(port, identifier)).0
    }

    /// The client and whether the broker had a session of it.
    fn join_with(options: MqttOptions) -> (Self, bool) {
        let (client, connection) = Client::new(options, 100);
        let mut peer = Self { client, connection, waiting: Vec::new() };
        let session_present = peer.wait(|event| match event {
            Event::Incoming(Packet::ConnAck(connack)) => Some(connack.session_present),
            _ => None,
        });
        (peer, session_present)
    }

    fn event(&mut self) -> Result<Event, Box<rumqttc::ConnectionError>> {
        let event = self
            .connection
            .recv_timeout(DEADLINE)
            .expect("something happens in time")
            .map_err(Box::new)?;
        if let Event::Incoming(Packet::Publish(publish)) = &event {
            self.waiting.push(publish.clone());
        }
        Ok(event)
    }

    fn wait<T>(&mut self, mut found: impl FnMut(&Event) -> Option<T>) -> T {
        loop {
            let event = self.event().expect("the connection stands");
            if let Some(found) = found(&event) {
                return found;
            }
        }
    }

    fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.client.subscribe(filter, qos).unwrap();
        let granted = self.wait(|event| match event {
            Event::Incoming(Packet::SubAck(suback)) => Some(suback.return_codes.clone()),
            _ => None,
        });
        assert_eq!(granted, [rumqttc::SubscribeReasonCode::Success(qos)]);
    }

    /// Publishes and waits for the last acknowledgement of the QoS, or until it is written.
    fn publish(&mut self, topic: &str, qos: QoS, retain: bool, payload: &str) {
        self.client.publish(topic, qos, retain, payload).unwrap();
        self.wait(|event| match (qos, event) {
            (QoS::AtMostOnce, Event::Outgoing(rumqttc::Outgoing::Publish(_)))
            | (QoS::AtLeastOnce, Event::Incoming(Packet::PubAck(_)))
            | (QoS::ExactlyOnce, Event::Incoming(Packet::PubComp(_))) => Some(()),
            _ => None,
        });
        if qos == QoS::AtMostOnce {
            self.ping();
        }
    }

    /// Everything before it has arrived when this returns: the broker takes packets in order.
    fn ping(&mut self) {
        self.client.subscribe("ping/nobody", QoS::AtMostOnce).unwrap();
        self.wait(|event| matches!(event, Event::Incoming(Packet::SubAck(_))).then_some(()));
    }

    fn message(&mut self) -> rumqttc::Publish {
        while self.waiting.is_empty() {
            self.event().expect("the connection stands");
        }
        self.waiting.remove(0)
    }
}

fn start() -> (Broker, u16) {
    let broker = Broker::start().expect("a free port");
    let port = broker.address().port();
    (broker, port)
}

#[test]
fn messages_arrive_once_with_the_lower_qos() {
    let (_broker, port) = start();
    for subscribed in LEVELS {
        let mut subscriber = Peer::join(port, "subscriber");
        subscriber.subscribe("a/b", subscribed);
        let mut publisher = Peer::join(port, "publisher");
        for published in LEVELS {
            let payload = format!("{published:?}");
            publisher.publish("a/b", published, false, &payload);
            let message = subscriber.message();
            assert_eq!(message.payload, payload.as_bytes(), "exactly one copy of each");
            assert_eq!(message.qos as u8, (published as u8).min(subscribed as u8));
            assert!(!message.retain && !message.dup);
        }
    }
}

#[test]
fn overlapping_subscriptions_get_one_copy() {
    let (_broker, port) = start();
    let mut peer = Peer::join(port, "peer");
    peer.subscribe("a/#", QoS::AtMostOnce);
    peer.subscribe("a/+", QoS::ExactlyOnce);
    for number in ["1", "2"] {
        peer.publish("a/b", QoS::ExactlyOnce, false, number);
        let message = peer.message();
        assert_eq!((message.qos, &message.payload[..]), (QoS::ExactlyOnce, number.as_bytes()));
    }
}

#[test]
fn the_last_retained_message_waits_for_subscribers_and_can_be_cleared() {
    let (_broker, port) = start();
    let mut publisher = Peer::join(port, "publisher");
    publisher.publish("state/x", QoS::AtLeastOnce, true, "old");
    publisher.publish("state/x", QoS::AtLeastOnce, true, "new");
    publisher.publish("state/y", QoS::AtLeastOnce, true, "gone");
    publisher.publish("state/y", QoS::AtLeastOnce, true, "");
    let mut subscriber = Peer::join(port, "subscriber");
    subscriber.subscribe("state/+", QoS::AtLeastOnce);
    let message = subscriber.message();
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("state/x", &b"new"[..]));
    assert!(message.retain);
    publisher.publish("state/y", QoS::AtLeastOnce, true, "live");
    let message = subscriber.message();
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("state/y", &b"live"[..]));
    assert!(!message.retain, "it has just been published");
}

#[test]
fn wildcards_match_levels_but_no_dollar_topics() {
    let (_broker, port) = start();
    let mut all = Peer::join(port, "all");
    all.subscribe("#", QoS::AtMostOnce);
    let mut own = Peer::join(port, "own");
    own.subscribe("$own/#", QoS::AtMostOnce);
    let mut publisher = Peer::join(port, "publisher");
    for topic in ["$own/x", "/", "a//b"] {
        publisher.publish(topic, QoS::AtLeastOnce, false, "");
    }
    assert_eq!([all.message().topic, all.message().topic], ["/", "a//b"]);
    assert_eq!(own.message().topic, "$own/x");
    all.client.unsubscribe("#").unwrap();
    all.wait(|event| matches!(event, Event::Incoming(Packet::UnsubAck(_))).then_some(()));
    all.subscribe("only", QoS::AtMostOnce);
    publisher.publish("other", QoS::AtLeastOnce, false, "");
    publisher.publish("only", QoS::AtLeastOnce, false, "");
    assert_eq!(all.message().topic, "only");
}

#[test]
fn a_will_is_published_for_who_vanishes_and_not_for_who_says_goodbye() {
    let (_broker, port) = start();
    let mut heir = Peer::join(port, "heir");
    heir.subscribe("will/+", QoS::AtLeastOnce);
    let with_will = |identifier: &str| {
        let mut options = Peer::options(port, identifier);
        options.set_last_will(LastWill::new(
            format!("will/{identifier}"),
            "gone",
            QoS::AtLeastOnce,
            false,
        ));
        Peer::join_with(options).0
    };
    let mut polite = with_will("polite");
    polite.client.disconnect().unwrap();
    while polite.event().is_ok() {}
    drop(with_will("rude"));
    let message = heir.message();
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("will/rude", &b"gone"[..]));
}

#[test]
fn a_second_connection_takes_the_client_identifier_over() {
    let (_broker, port) = start();
    let mut first = Peer::join(port, "same");
    first.subscribe("x", QoS::AtMostOnce);
    let mut options = Peer::options(port, "same");
    options.set_clean_session(false);
    let (mut second, session_present) = Peer::join_with(options);
    assert!(!session_present, "no session outlives its connection");
    while first.event().is_ok() {}
    second.subscribe("y", QoS::AtMostOnce);
    second.publish("x", QoS::AtLeastOnce, false, "for nobody");
    second.publish("y", QoS::AtLeastOnce, false, "mine");
    assert_eq!(second.message().topic, "y");
}

#[test]
fn version_5_keeps_properties_and_says_why() {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::{
        ConnAck, Packet, PubAckReason, Publish, PublishProperties, SubAck, SubscribeReasonCode,
    };
    use rumqttc::v5::{Client, Event, MqttOptions};
    let (_broker, port) = start();
    let mut options = MqttOptions::new("", "127.0.0.1", port);
    options.set_session_expiry_interval(Some(3600));
    let (client, mut connection) = Client::new(options, 100);
    let mut next = |wanted: fn(&Packet) -> bool| loop {
        let event = connection.recv_timeout(DEADLINE).expect("in time").expect("a connection");
        match event {
            Event::Incoming(packet) if wanted(&packet) => return packet,
            _ => {}
        }
    };
    let Packet::ConnAck(ConnAck { session_present, properties: Some(properties), .. }) =
        next(|packet| matches!(packet, Packet::ConnAck(_)))
    else {
        panic!("CONNACK has properties")
    };
    assert!(!session_present);
    assert_eq!(properties.session_expiry_interval, Some(0), "what it really grants");
    assert_eq!(properties.shared_subscription_available, Some(0));
    assert!(properties.assigned_client_identifier.is_some_and(|name| !name.is_empty()));

    client.publish("a", QoS::AtLeastOnce, false, "x").unwrap();
    let Packet::PubAck(puback) = next(|packet| matches!(packet, Packet::PubAck(_))) else {
        unreachable!()
    };
    assert_eq!(puback.reason, PubAckReason::NoMatchingSubscribers);
    client.subscribe("$share/g/a", QoS::AtMostOnce).unwrap();
    let Packet::SubAck(SubAck { return_codes, .. }) =
        next(|packet| matches!(packet, Packet::SubAck(_)))
    else {
        unreachable!()
    };
    assert_eq!(return_codes, [SubscribeReasonCode::SharedSubscriptionsNotSupported]);

    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        response_topic: Some("answer/here".to_owned()),
        correlation_data: Some("7".into()),
        user_properties: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
        content_type: Some("text/plain".to_owned()),
        ..PublishProperties::default()
    };
    client.subscribe("a", QoS::ExactlyOnce).unwrap();
    client.publish_with_properties("a", QoS::ExactlyOnce, false, "y", properties.clone()).unwrap();
    let Packet::Publish(Publish { properties: found, qos, .. }) =
        next(|packet| matches!(packet, Packet::Publish(_)))
    else {
        unreachable!()
    };
    assert_eq!((found, qos), (Some(properties), QoS::ExactlyOnce));
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let (_broker, port) = start();
    let mut lazy = TcpStream::connect(("127.0.0.1", port)).unwrap();
    lazy.set_read_timeout(Some(DEADLINE)).unwrap();
    // CONNECT without keep alive and SUBSCRIBE to everything; then nothing is read.
    lazy.write_all(b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04lazy").unwrap();
    lazy.write_all(b"\x82\x06\0\x01\0\x01#\0").unwrap();
    let mut answers = [0; 9];
    lazy.read_exact(&mut answers).unwrap();
    assert_eq!(answers, *b"\x20\x02\0\0\x90\x03\0\x01\0");
    let mut publisher = Peer::join(port, "publisher");
    let payload = "x".repeat(400_000);
    for _ in 0..100 {
        publisher.publish("load", QoS::AtLeastOnce, false, &payload);
    }
    // The end comes before the forty megabytes do.
    let mut read = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match lazy.read(&mut read) {
            Ok(0) => break,
            Ok(length) => total += length,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(total < 100 * payload.len(), "{total} bytes came");
}

#[test]
fn what_is_not_mqtt_is_shown_the_door() {
    let (_broker, port) = start();
    let cases: [(&[u8], &[u8]); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", b""),
        // An unknown version, answered in the form that every client reads.
        (b"\x10\x0D\0\x04MQTT\x06\x02\0\0\0\x01c", b"\x20\x02\0\x01"),
        (b"\x10\x0D\0\x04MQTT\x03\x02\0\0\0\x01c", b"\x20\x02\0\x01"),
        // An empty client identifier without clean session.
        (b"\x10\x0C\0\x04MQTT\x04\0\0\0\0\0", b"\x20\x02\0\x02"),
        // Anything before CONNECT.
        (b"\xC0\0", b""),
    ];
    for (sent, answer) in cases {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(sent).unwrap();
        let mut found = Vec::new();
        // A reset is as good an end.
        let _ = stream.read_to_end(&mut found);
        assert_eq!(found, answer, "{sent:02X?}");
    }
}

#[test]
fn a_silent_client_is_told_that_its_keep_alive_is_over() {
    let (_broker, port) = start();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"\x10\x0E\0\x04MQTT\x05\x02\0\x01\0\0\x01c").unwrap();
    let since = Instant::now();
    let mut found = Vec::new();
    stream.read_to_end(&mut found).unwrap();
    assert!(found.ends_with(&[0xE0, 1, 0x8D]), "{found:02X?}");
    assert!(since.elapsed() >= Duration::from_millis(1400), "one and a half times one second");
}

#[test]
fn a_message_of_qos_2_that_comes_twice_is_published_once() {
    use interlingua::mqtt::{PacketType, Version, next_packet};
    let (_broker, port) = start();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let packets: [&[u8]; 7] = [
        b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01c",
        b"\x82\x06\0\x01\0\x01a\0",
        b"\x34\x06\0\x01a\0\x07x",
        b"\x3C\x06\0\x01a\0\x07x",
        b"\x62\x02\0\x07",
        b"\x62\x02\0\x07",
        b"\xC0\0",
    ];
    stream.write_all(&packets.concat()).unwrap();
    let mut found = [0; 4 + 5 + 4 + 4 + 4 + 4 + 2 + 4];
    stream.read_exact(&mut found).unwrap();
    stream.write_all(b"\xE0\0").unwrap();
    let mut bytes = found.to_vec();
    stream.read_to_end(&mut bytes).unwrap();
    let mut types = Vec::new();
    while let Some(raw) = next_packet(&bytes, Version::V311, 100).unwrap() {
        types.push(raw.packet_type);
        bytes.drain(..raw.bytes.len());
    }
    types.sort_by_key(|packet_type| *packet_type as u8);
    use PacketType::{Connack, Pingresp, Pubcomp, Publish, Pubrec, Suback};
    assert_eq!(types, [Connack, Publish, Pubrec, Pubrec, Pubcomp, Pubcomp, Suback, Pingresp]);
}

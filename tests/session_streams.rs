//! A device with several streams: what goes on which, packet by packet.

use interlingua::session::{FIRST_STREAM, Front, Routed, Streams};

const LARGE: usize = 1000;
const CONNECT_5: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01d";
const CONNACK_5: &[u8] = b"\x20\x03\0\0\0";

/// A device of version 5 that was accepted.
fn accepted() -> Streams {
    let mut streams = Streams::default();
    assert_eq!(streams.look(FIRST_STREAM, CONNECT_5, LARGE), Ok(Front::Packet(CONNECT_5.len())));
    goes(&mut streams, CONNACK_5, FIRST_STREAM);
    streams
}

#[track_caller]
fn comes(streams: &mut Streams, stream: usize, packet: &[u8]) {
    for length in 0..packet.len() {
        assert_eq!(streams.look(stream, &packet[..length], LARGE), Ok(Front::Incomplete));
    }
    assert_eq!(streams.look(stream, packet, LARGE), Ok(Front::Packet(packet.len())));
}

#[track_caller]
fn goes(streams: &mut Streams, packet: &[u8], stream: usize) {
    let routed = Routed { stream, length: packet.len() };
    assert_eq!(streams.route(packet), Ok(Some(routed)), "{packet:02x?}");
}

fn subscribe(identifier: u8, filter: &str) -> Vec<u8> {
    let length = u8::try_from(filter.len()).unwrap();
    [&[0x82, length + 6, 0, identifier, 0, 0, length], filter.as_bytes(), &[0]].concat()
}

fn publish(topic: &str, alias: Option<u8>) -> Vec<u8> {
    let properties = alias.map_or(vec![0], |alias| vec![3, 35, 0, alias]);
    let length = u8::try_from(topic.len()).unwrap();
    let rest = [&[0, length], topic.as_bytes(), &properties].concat();
    [&[0x30, u8::try_from(rest.len()).unwrap()], &rest[..]].concat()
}

#[test]
fn other_streams_wait_until_the_device_is_accepted() {
    let mut streams = Streams::default();
    comes(&mut streams, FIRST_STREAM, CONNECT_5);
    assert!(!streams.is_open());
    goes(&mut streams, b"\x20\x03\0\x87\0", FIRST_STREAM);
    assert!(!streams.is_open(), "it was refused");
    goes(&mut streams, CONNACK_5, FIRST_STREAM);
    assert!(streams.is_open());
}

#[test]
fn what_answers_a_packet_goes_where_the_packet_came() {
    let mut streams = accepted();
    comes(&mut streams, 2, b"\x32\x06\0\x01a\0\x05\0");
    comes(&mut streams, 1, &subscribe(6, "s"));
    comes(&mut streams, 3, b"\xA2\x06\0\x07\0\0\x01u");
    comes(&mut streams, FIRST_STREAM, b"\x32\x06\0\x01a\0\x08\0");
    goes(&mut streams, b"\x40\x02\0\x08", FIRST_STREAM);
    goes(&mut streams, b"\xB0\x04\0\x07\0\0", 3);
    goes(&mut streams, b"\x90\x04\0\x06\0\0", 1);
    goes(&mut streams, b"\x40\x02\0\x05", 2);
    // An answer is one; the identifier is another packet's now.
    goes(&mut streams, b"\x40\x02\0\x05", FIRST_STREAM);
    comes(&mut streams, 2, b"\x32\x06\0\x01a\0\x05\0");
    comes(&mut streams, FIRST_STREAM, b"\x3A\x06\0\x01a\0\x05\0");
    goes(&mut streams, b"\x40\x02\0\x05", FIRST_STREAM);
    goes(&mut streams, b"\xD0\0", FIRST_STREAM);
}

#[test]
fn an_exchange_of_qos_2_stays_where_it_began() {
    let mut streams = accepted();
    for code in [&[][..], &[0, 0]] {
        comes(&mut streams, 2, b"\x34\x06\0\x01a\0\x05\0");
        let pubrec = [&[0x50, 2 + u8::try_from(code.len()).unwrap(), 0, 5], code].concat();
        goes(&mut streams, &pubrec, 2);
        assert!(!streams.is_idle(2));
        comes(&mut streams, 2, b"\x62\x02\0\x05");
        goes(&mut streams, b"\x70\x02\0\x05", 2);
        assert!(streams.is_idle(2));
    }
    // Nothing follows a no.
    comes(&mut streams, 2, b"\x34\x06\0\x01a\0\x05\0");
    goes(&mut streams, b"\x50\x03\0\x05\x87", 2);
    assert!(streams.is_idle(2));

    comes(&mut streams, 1, &subscribe(1, "a"));
    goes(&mut streams, b"\x34\x06\0\x01a\0\x09\0", 1);
    comes(&mut streams, 1, b"\xA2\x06\0\x07\0\0\x01a");
    goes(&mut streams, b"\x90\x04\0\x01\0\0", 1);
    goes(&mut streams, b"\xB0\x04\0\x07\0\0", 1);
    goes(&mut streams, b"\x62\x02\0\x09", 1);
    assert!(!streams.is_idle(1), "PUBCOMP is still to come");
    comes(&mut streams, 1, b"\x70\x02\0\x09");
    assert!(streams.is_idle(1));
    goes(&mut streams, b"\x62\x02\0\x09", FIRST_STREAM);
}

#[test]
fn what_a_subscription_brings_goes_on_its_stream() {
    let mut streams = accepted();
    comes(&mut streams, 1, &subscribe(1, "a/+"));
    comes(&mut streams, 2, &subscribe(2, "$share/g/b/#"));
    comes(&mut streams, 3, &subscribe(3, "#"));
    for (topic, stream) in
        [("a/x", 1), ("b", 2), ("b/c/d", 2), ("c", 3), ("$SYS/x", FIRST_STREAM), ("a/x", 1)]
    {
        goes(&mut streams, &publish(topic, None), stream);
    }
    // The last SUBSCRIBE counts, on the first stream as on any.
    comes(&mut streams, 2, &subscribe(4, "a/+"));
    comes(&mut streams, FIRST_STREAM, &subscribe(5, "#"));
    goes(&mut streams, &publish("a/x", None), 2);
    goes(&mut streams, &publish("c", None), FIRST_STREAM);
    comes(&mut streams, 2, b"\xA2\x08\0\x07\0\0\x03a/+");
    goes(&mut streams, &publish("a/x", None), FIRST_STREAM);
}

/// Streams are read at different times: the device must have heard what an alias stands for.
#[test]
fn an_alias_stays_on_the_stream_where_it_was_said() {
    let mut streams = accepted();
    comes(&mut streams, 1, &subscribe(1, "a"));
    goes(&mut streams, &publish("a", Some(4)), 1);
    goes(&mut streams, &publish("", Some(4)), 1);
    comes(&mut streams, 2, &subscribe(2, "a"));
    goes(&mut streams, &publish("", Some(4)), 1);
    goes(&mut streams, &publish("a", None), 2);
    goes(&mut streams, &publish("a", Some(4)), 2);
    goes(&mut streams, &publish("", Some(4)), 2);
    streams.forget(2);
    goes(&mut streams, &publish("", Some(4)), FIRST_STREAM);
}

#[test]
fn what_belongs_to_a_stream_that_is_gone_goes_on_the_first() {
    let mut streams = accepted();
    comes(&mut streams, 1, &subscribe(1, "a"));
    goes(&mut streams, b"\x90\x04\0\x01\0\0", 1);
    comes(&mut streams, 1, b"\x34\x06\0\x01a\0\x05\0");
    goes(&mut streams, b"\x34\x06\0\x01a\0\x09\0", 1);
    assert!(!streams.is_idle(1));
    streams.forget(1);
    assert!(streams.is_idle(1));
    goes(&mut streams, &publish("a", None), FIRST_STREAM);
    goes(&mut streams, b"\x50\x02\0\x05", FIRST_STREAM);
    goes(&mut streams, b"\x62\x02\0\x09", FIRST_STREAM);
    // The number is another stream's now.
    comes(&mut streams, 1, b"\x32\x06\0\x01a\0\x06\0");
    goes(&mut streams, b"\x40\x02\0\x06", 1);
    assert!(streams.is_idle(1));
}

#[test]
fn nobody_waits_for_the_end_of_a_long_packet() {
    let mut streams = accepted();
    let start = b"\x32\x90\x4E\0\x01a\0\x05\0";
    for length in 0..start.len() {
        assert_eq!(streams.look(2, &start[..length], LARGE), Ok(Front::Incomplete), "{length}");
    }
    assert_eq!(streams.look(2, start, LARGE), Ok(Front::Large(3 + 10_000)));
    goes(&mut streams, b"\x40\x02\0\x05", 2);
    // What has no payload is looked at when so much is there that nobody wants to hold more.
    let mut long = b"\x82\x90\x4E\0\x05\0\x03\xE8".to_vec();
    long.resize(LARGE - 1, b'x');
    assert_eq!(streams.look(2, &long, LARGE), Ok(Front::Incomplete));
    long.push(b'x');
    assert_eq!(streams.look(2, &long, LARGE), Ok(Front::Large(3 + 10_000)));
    assert!(streams.is_idle(2));
}

#[test]
fn filters_have_a_limit_and_what_is_malformed_is_left_to_the_session() {
    let mut streams = accepted();
    for number in 0..1100 {
        let packet = subscribe(1, &format!("{number:04}"));
        assert_eq!(streams.look(1, &packet, LARGE), Ok(Front::Packet(packet.len())));
    }
    goes(&mut streams, &publish("1023", None), 1);
    goes(&mut streams, &publish("1024", None), FIRST_STREAM);
    assert!(streams.look(1, b"\0", LARGE).is_err());
    comes(&mut streams, 1, b"\x82\x01\0");
    comes(&mut streams, 1, b"\x32\x03\0\x01a");
    assert_eq!(streams.route(b"\x32"), Ok(None));
    assert_eq!(streams.route(b"\x32\x7F\0\x09a"), Ok(None), "its topic name isn't complete");
    goes(&mut streams, b"\x40\x01\0", FIRST_STREAM);
}

/// What a packet says of thousands of filters costs about as much as reading it, and a stream that comes and goes next to
/// nothing, whatever else is remembered. What it takes isn't asserted here; where each was a search, this test took 12 s instead
/// of one.
#[test]
fn attack_9_many_filters_and_many_streams_are_no_work() {
    let mut streams = accepted();
    let mut names = (0..=u16::MAX).map(|number| format!("{number:08x}"));
    let mut packet = |count: usize| {
        let filters = names.by_ref().take(count);
        let filters = filters.flat_map(|name| [b"\0\x08", name.as_bytes(), b"\0"].concat());
        let body: Vec<u8> = b"\0\x01\0".iter().copied().chain(filters).collect();
        let (mut packet, mut left) = (vec![0x82], body.len());
        while left > 0x7F {
            packet.push((left & 0x7F) as u8 | 0x80);
            left >>= 7;
        }
        [&packet[..], &[left as u8], &body].concat()
    };
    let (full, more) = (packet(1024), packet(5000));
    assert_eq!(streams.look(1, &full, LARGE), Ok(Front::Packet(full.len())));
    for _ in 0..100 {
        assert_eq!(streams.look(1, &more, LARGE), Ok(Front::Packet(more.len())));
    }
    // Those that were there first are remembered, and nothing of the others.
    goes(&mut streams, &publish("000003ff", None), 1);
    goes(&mut streams, &publish("00000400", None), FIRST_STREAM);
    for number in 1..=u16::MAX {
        let [high, low] = number.to_be_bytes();
        comes(&mut streams, 2, &[0x32, 6, 0, 1, b'a', high, low, 0]);
    }
    for _ in 0..10_000 {
        streams.forget(3);
    }
    goes(&mut streams, b"\x40\x02\xFF\xFF", 2);
}

/// Versions differ behind the topic name.
#[test]
fn packets_are_read_in_the_devices_version() {
    let mut streams = Streams::default();
    comes(&mut streams, FIRST_STREAM, b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d");
    goes(&mut streams, b"\x20\x02\0\0", FIRST_STREAM);
    comes(&mut streams, 1, b"\x82\x06\0\x01\0\x01a\0");
    goes(&mut streams, b"\x90\x03\0\x01\0", 1);
    goes(&mut streams, b"\x30\x03\0\x01a", 1);
    comes(&mut streams, 2, b"\x32\x05\0\x01b\0\x02");
    goes(&mut streams, b"\x40\x02\0\x02", 2);
}

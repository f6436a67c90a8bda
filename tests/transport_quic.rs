//! QUIC at listeners, with real sockets: who gets in, which streams there are, and what an address is.
#![cfg(feature = "server")]

mod quic;
mod secure;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use quic::{Device, Lane, client, runtime};
use secure::*;

const QUIC: &str =
    "transport = 'quic'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";

/// A stage whose listener has a certificate for `localhost`, and who vouches for it.
fn stage(said: Said<'_>) -> (Stage, Authority) {
    let (folder, authority) = (folder(), Authority::new("authority"));
    authority.vouch(&["localhost"], &["server"]).write(folder.path(), "server");
    (Stage::new(folder, said), authority)
}

fn quic(more: &str) -> (Stage, Authority) {
    let listener = format!("{QUIC}[listener.quic]\n{more}");
    stage(Said { listener: &listener, ..Said::default() })
}

#[test]
fn a_device_over_quic_reaches_the_broker() {
    let (stage, authority) = quic("");
    let device = Device::trusting(&runtime(), &authority, stage.proxy);
    let mut first = device.open().expect("a stream");
    let mut broker = stage.join(&mut first);
    ping(&mut first, &mut broker);
    // Both ends learn of an end.
    device.connection.close(0_u32.into(), b"");
    assert!(ends(&mut broker));
    // And of the other's.
    let device = Device::trusting(&runtime(), &authority, stage.proxy);
    let mut first = device.open().expect("a stream");
    drop(stage.join(&mut first));
    assert!(ends(&mut first));
}

/// Nobody has to wait for silence, which takes its time.
#[test]
fn devices_are_told_when_the_proxy_ends() {
    let (mut stage, authority) = quic("");
    let runtime = runtime();
    let devices: Vec<_> = (0..300)
        .map(|_| {
            let device = Device::trusting(&runtime, &authority, stage.proxy);
            let mut first = device.open().expect("a stream");
            let broker = stage.join(&mut first);
            (device, first, broker)
        })
        .collect();
    stage.server.take().expect("it runs").stop();
    for (device, _first, _broker) in devices {
        // Far less than the time after which silence counts as an end.
        let told = async { tokio::time::timeout(DEADLINE / 2, device.connection.closed()).await };
        runtime.block_on(told).expect("it was told");
    }
}

#[test]
fn a_device_that_says_good_bye_is_heard() {
    let (stage, authority) = quic("");
    let device = Device::trusting(&runtime(), &authority, stage.proxy);
    let mut first = device.open().expect("a stream");
    let mut broker = stage.join(&mut first);
    first.write_all(b"\x30\x03\0\x01t\xE0\0").expect("sent");
    first.finish();
    expect(&mut broker, b"\x30\x03\0\x01t\xE0\0");
    assert!(ends(&mut broker) && ends(&mut first));
}

/// PUBLISH with so many bytes of payload.
fn large(topic: &[u8; 1], payload: u32) -> Vec<u8> {
    let mut packet = vec![0x30];
    let mut length = 3 + payload;
    while length > 0x7F {
        packet.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend(b"\0\x01");
    packet.extend(topic);
    packet.extend((0..payload).map(|at| (at / 7) as u8));
    packet
}

#[test]
fn large_packets_pass_both_ways_and_a_slow_reader_gets_all() {
    let (stage, authority) = quic("");
    let device = Device::trusting(&runtime(), &authority, stage.proxy);
    let mut first = device.open().expect("a stream");
    let mut broker = stage.join(&mut first);
    let packet = large(b"t", 3 << 20);
    let up = packet.clone();
    let mut other = broker.try_clone().expect("a socket");
    let sending = std::thread::spawn(move || other.write_all(&up).expect("sent"));
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| expect(&mut broker, &packet));
        first.write_all(&packet).expect("sent");
        reading.join().expect("read");
    });
    // Nobody has read the device's part so far.
    expect(&mut first, &packet);
    sending.join().expect("sent");
    ping(&mut first, &mut broker);
}

#[test]
fn without_the_name_of_the_protocol_nobody_gets_in() {
    let (stage, authority) = quic("");
    let runtime = runtime();
    for alpn in [&[][..], &[&b"h3"[..]], &[&b"mqttv3.1"[..]]] {
        let dialed = Device::dial(&runtime, client(&authority, None, alpn), stage.proxy);
        let error = dialed.err().expect("refused").to_string();
        assert!(error.contains("120"), "{error}");
    }
}

#[test]
fn a_device_shows_a_certificate_where_it_is_asked_for_one() {
    let (folder, authority) = (folder(), Authority::new("authority"));
    let (devices, strangers) = (Authority::new("devices"), Authority::new("strangers"));
    authority.vouch(&["localhost"], &["server"]).write(folder.path(), "server");
    std::fs::write(folder.path().join("devices.pem"), &devices.pem).expect("written");
    let listener = format!("{QUIC}client_ca = 'devices.pem'\n");
    let stage = Stage::new(folder, Said { listener: &listener, ..Said::default() });
    let (good, bad) = (devices.vouch(&[], &["meter-77"]), strangers.vouch(&[], &["meter-77"]));
    let runtime = runtime();
    for (papers, passes) in [(None, false), (Some(&bad), false), (Some(&good), true)] {
        let config = client(&authority, papers, &[b"mqtt"]);
        let joined = Device::dial(&runtime, config, stage.proxy).and_then(|device| {
            let mut first = device.open()?;
            first.write_all(CONNECT)?;
            match passes {
                true => {
                    let mut broker = stage.accept();
                    expect(&mut broker, CONNECT);
                    broker.write_all(CONNACK)?;
                    expect(&mut first, CONNACK);
                }
                // A client learns of it after its handshake.
                false => {
                    first.read_exact(&mut [0])?;
                }
            }
            Ok(())
        });
        assert_eq!(joined.is_ok(), passes, "{joined:?}");
    }
}

/// What is proven by a certificate over TLS is proven over QUIC, too, until nobody vouches for it any more.
#[test]
fn attack_20_a_certificate_counts_over_quic_as_over_tls() {
    let (folder, authority) = (folder(), Authority::new("authority"));
    let devices = Authority::new("devices");
    authority.vouch(&["localhost"], &["server"]).write(folder.path(), "server");
    std::fs::write(folder.path().join("devices.pem"), &devices.pem).expect("written");
    let listener = format!(
        "{QUIC}client_ca = 'devices.pem'\n\
         [listener.access]\ncertificate = 'common_name'\nbind = 'client_identifier'\n"
    );
    let stage = Stage::new(folder, Said { listener: &listener, ..Said::default() });
    let runtime = runtime();
    let papers = |name| client(&authority, Some(&devices.vouch(&[], &[name])), &[b"mqtt"]);
    let device = Device::dial(&runtime, papers("e"), stage.proxy).expect("in");
    let mut other = device.open().expect("a stream");
    other.write_all(CONNECT).expect("sent");
    expect(&mut other, b"\x20\x02\0\x05");
    let config = papers("d");
    let device = Device::dial(&runtime, config.clone(), stage.proxy).expect("in");
    let mut first = device.open().expect("a stream");
    let mut broker = stage.join(&mut first);
    ping(&mut first, &mut broker);
    // With the ticket of the first connection.
    let again = Device::dial(&runtime, config, stage.proxy).expect("in");
    let mut second = again.open().expect("a stream");
    let mut its_broker = stage.join(&mut second);
    ping(&mut second, &mut its_broker);
    let another = Authority::new("another");
    std::fs::write(stage.folder.path().join("devices.pem"), &another.pem).expect("written");
    stage.reread();
    for end in [&mut first, &mut second] {
        assert!(ends(end), "over QUIC an authority is trusted for ever");
    }
}

/// A device changes its port as often as it likes, and stays in its session, on its shard.
#[test]
fn a_session_outlives_another_address_of_its_device() {
    let listener = QUIC;
    let (stage, authority) = stage(Said { shards: 4, listener, ..Said::default() });
    let runtime = runtime();
    let mut sessions: Vec<_> = (0..12)
        .map(|_| {
            let device = Device::trusting(&runtime, &authority, stage.proxy);
            let mut first = device.open().expect("a stream");
            let broker = stage.join(&mut first);
            (device, first, broker)
        })
        .collect();
    for _ in 0..3 {
        for (device, first, broker) in &mut sessions {
            device.rebind();
            ping(first, broker);
        }
    }
}

#[test]
fn sessions_are_spread_over_shards() {
    let more = "[admin]\nbind = '127.0.0.1:0'";
    let (stage, authority) = stage(Said {
        shards: 2,
        listener: QUIC,
        proxy: "",
        limits: "",
        upstream: more,
        ..Said::default()
    });
    let runtime = runtime();
    let _sessions: Vec<_> = (0..40)
        .map(|_| {
            let device = Device::trusting(&runtime, &authority, stage.proxy);
            let mut first = device.open().expect("a stream");
            let broker = stage.join(&mut first);
            (device, first, broker)
        })
        .collect();
    let admin = stage.server.as_ref().and_then(|server| server.admin).expect("an address");
    let mut socket = tcp(admin);
    socket
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let mut page = String::new();
    socket.read_to_string(&mut page).expect("a page");
    for shard in 0..2 {
        let name = format!("interlingua_shard_sessions{{shard=\"{shard}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(name.as_str()));
        let count: u32 = line.expect("a gauge").parse().expect("a number");
        // By the first byte of what the client draws: 40 heads or tails.
        assert!((5..=35).contains(&count), "{page}");
    }
}

/// A device with a first stream that is in, and the broker's end.
fn joined(stage: &Stage, authority: &Authority) -> (Device, Lane, std::net::TcpStream) {
    let device = Device::trusting(&runtime(), authority, stage.proxy);
    let mut first = device.open().expect("a stream");
    let broker = stage.join(&mut first);
    (device, first, broker)
}

const SUBSCRIBE_A: &[u8] = b"\x82\x06\0\x01\0\x01a\0";
const SUBACK_1: &[u8] = b"\x90\x03\0\x01\0";

#[test]
fn what_belongs_to_a_stream_goes_on_it() {
    let (stage, authority) = quic("");
    let (device, mut first, mut broker) = joined(&stage, &authority);
    let (mut second, mut third) = (device.open().expect("one"), device.open().expect("another"));

    second.write_all(SUBSCRIBE_A).expect("sent");
    expect(&mut broker, SUBSCRIBE_A);
    broker.write_all(SUBACK_1).expect("sent");
    expect(&mut second, SUBACK_1);

    third.write_all(b"\x32\x05\0\x01b\0\x02").expect("sent");
    expect(&mut broker, b"\x32\x05\0\x01b\0\x02");
    // QoS 2 on the second, while QoS 1 on the third isn't answered.
    second.write_all(b"\x34\x05\0\x01c\0\x03").expect("sent");
    expect(&mut broker, b"\x34\x05\0\x01c\0\x03");
    broker.write_all(b"\x50\x02\0\x03\x40\x02\0\x02").expect("sent");
    expect(&mut second, b"\x50\x02\0\x03");
    expect(&mut third, b"\x40\x02\0\x02");
    second.write_all(b"\x62\x02\0\x03").expect("sent");
    expect(&mut broker, b"\x62\x02\0\x03");
    broker.write_all(b"\x70\x02\0\x03").expect("sent");
    expect(&mut second, b"\x70\x02\0\x03");

    // What was subscribed to on the second, and what nobody knows. PUBREL follows its message.
    broker.write_all(b"\x34\x05\0\x01a\0\x07\x30\x03\0\x01x").expect("sent");
    expect(&mut second, b"\x34\x05\0\x01a\0\x07");
    expect(&mut first, b"\x30\x03\0\x01x");
    second.write_all(b"\x50\x02\0\x07").expect("sent");
    expect(&mut broker, b"\x50\x02\0\x07");
    broker.write_all(b"\x62\x02\0\x07").expect("sent");
    expect(&mut second, b"\x62\x02\0\x07");
    ping(&mut first, &mut broker);

    // A stream of its own for each message: more than there may be at once.
    for _ in 0..100 {
        let mut message = device.open().expect("room for one more");
        message.write_all(b"\x32\x05\0\x01b\0\x09").expect("sent");
        message.finish();
        expect(&mut broker, b"\x32\x05\0\x01b\0\x09");
        broker.write_all(b"\x40\x02\0\x09").expect("sent");
        expect(&mut message, b"\x40\x02\0\x09");
        assert!(ends(&mut message), "nothing more comes");
    }
}

#[test]
fn what_comes_on_other_streams_waits_until_the_device_is_accepted() {
    let (stage, authority) = quic("");
    let device = Device::trusting(&runtime(), &authority, stage.proxy);
    let (mut first, mut second) = (device.open().expect("one"), device.open().expect("another"));
    first.write_all(&CONNECT[..3]).expect("sent");
    second.write_all(SUBSCRIBE_A).expect("sent");
    first.write_all(&CONNECT[3..]).expect("sent");
    let mut broker = stage.accept();
    expect(&mut broker, CONNECT);
    broker.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
    let nothing = broker.read(&mut [0; 1]).expect_err("nothing before CONNACK");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    broker.set_read_timeout(Some(DEADLINE)).expect("a socket");
    broker.write_all(CONNACK).expect("sent");
    expect(&mut first, CONNACK);
    expect(&mut broker, SUBSCRIBE_A);
}

/// Packets of streams are never mixed, however they are cut, and however long they are.
#[test]
fn packets_of_several_streams_stay_whole() {
    let (stage, authority) = quic("");
    let (device, mut first, mut broker) = joined(&stage, &authority);
    let lanes: Vec<_> = (b'a'..=b'f').map(|name| (name, device.open().expect("one"))).collect();
    const EACH: usize = 12;
    std::thread::scope(|scope| {
        for (name, mut lane) in lanes {
            scope.spawn(move || {
                for round in 0..EACH {
                    let packet = large(&[name], if round % 4 == 3 { 100_000 } else { 20_000 });
                    for piece in packet.chunks(7_001) {
                        lane.write_all(piece).expect("sent");
                    }
                }
            });
        }
        for _ in 0..6 * EACH {
            let mut head = [0; 7];
            broker.read_exact(&mut head).expect("a packet");
            let [kind, l0, l1, l2, zero, one, name] = head;
            assert_eq!((kind, zero, one), (0x30, 0, 1), "{head:02x?}");
            let length = [l2, l1, l0].iter().fold(0, |sum, byte| sum << 7 | u32::from(byte & 0x7F));
            let mut payload = vec![0; length as usize - 3];
            broker.read_exact(&mut payload).expect("a payload");
            assert!(large(&[name], length - 3).ends_with(&payload), "{}", name as char);
        }
    });
    ping(&mut first, &mut broker);
}

#[test]
fn a_stream_that_the_device_gives_up_takes_nothing_with_it() {
    let (stage, authority) = quic("");
    let (device, mut first, mut broker) = joined(&stage, &authority);
    let mut second = device.open().expect("one");
    second.write_all(SUBSCRIBE_A).expect("sent");
    expect(&mut broker, SUBSCRIBE_A);
    broker.write_all(SUBACK_1).expect("sent");
    expect(&mut second, SUBACK_1);
    second.receive.stop(7_u32.into()).expect("open");
    second.send.reset(7_u32.into()).expect("open");
    // What is sent later arrives later here, so that the proxy knows of it now. The message is lost nowhere.
    ping(&mut first, &mut broker);
    broker.write_all(b"\x30\x03\0\x01a").expect("sent");
    expect(&mut first, b"\x30\x03\0\x01a");
    // Half a packet can be taken back while nobody has seen it; the next stream has its number, and begins anew.
    for _ in 0..3 {
        let mut other = device.open().expect("another");
        other.write_all(b"\x30\x7F\0\x01").expect("sent");
        ping(&mut first, &mut broker);
        other.send.reset(7_u32.into()).expect("open");
        ping(&mut first, &mut broker);
        let mut other = device.open().expect("another");
        other.write_all(b"\x30\x03\0\x01b").expect("sent");
        other.finish();
        expect(&mut broker, b"\x30\x03\0\x01b");
    }
    // Else it can't.
    let mut third = device.open().expect("another");
    third.write_all(&large(b"t", 100_000)[..90_000]).expect("sent");
    let mut start = vec![0; 8];
    broker.read_exact(&mut start).expect("it has begun");
    third.send.reset(7_u32.into()).expect("open");
    assert!(ends(&mut broker), "nothing can follow");
}

/// Who hears nothing on a stream any more can still speak there: what it has begun to say is taken to its end, and nothing of it
/// gets into what comes on the next stream.
#[test]
fn a_stream_on_which_the_device_no_longer_listens_is_still_heard() {
    // A packet that is waited for, and one that is moved as it comes.
    for payload in [10_000, 100_000] {
        let (stage, authority) = quic("");
        let (device, mut first, mut broker) = joined(&stage, &authority);
        let mut second = device.open().expect("one");
        second.write_all(SUBSCRIBE_A).expect("sent");
        expect(&mut broker, SUBSCRIBE_A);
        broker.write_all(SUBACK_1).expect("sent");
        expect(&mut second, SUBACK_1);
        let (packet, third) = (large(b"b", payload), b"\x30\x03\0\x01c");
        let (start, rest) = packet.split_at(5_000);
        second.receive.stop(7_u32.into()).expect("open");
        second.write_all(start).expect("sent");
        let is_moved = payload == 100_000;
        match is_moved {
            true => expect(&mut broker, &start[..7]),
            false => ping(&mut first, &mut broker),
        }
        // By this the proxy finds out that nobody listens there.
        broker.write_all(b"\x30\x03\0\x01a").expect("sent");
        expect(&mut first, b"\x30\x03\0\x01a");
        let mut other = device.open().expect("another");
        other.write_all(third).expect("sent");
        if !is_moved {
            expect(&mut broker, third);
        }
        second.write_all(rest).expect("sent");
        second.finish();
        match is_moved {
            true => {
                expect(&mut broker, &packet[7..]);
                expect(&mut broker, third);
            }
            false => expect(&mut broker, &packet),
        }
        ping(&mut first, &mut broker);
    }
}

#[test]
fn a_stream_that_ends_with_half_a_packet_ends_the_session() {
    let (stage, authority) = quic("");
    let (device, _first, mut broker) = joined(&stage, &authority);
    let mut second = device.open().expect("one");
    second.write_all(b"\x30\x7F\0\x01").expect("sent");
    second.finish();
    assert!(ends(&mut broker));
}

#[test]
fn what_comes_on_a_stream_in_one_direction_is_answered_on_the_first() {
    let (stage, authority) = quic("");
    let (device, mut first, mut broker) = joined(&stage, &authority);
    let runtime = runtime();
    // More than there may be at once: their room comes back.
    for _ in 0..30 {
        let mut messages = device.open_one_way().expect("room for one more");
        runtime.block_on(messages.write_all(SUBSCRIBE_A)).expect("sent");
        expect(&mut broker, SUBSCRIBE_A);
        broker.write_all(SUBACK_1).expect("sent");
        expect(&mut first, SUBACK_1);
        runtime.block_on(messages.write_all(b"\x32\x05\0\x01b\0\x02")).expect("sent");
        messages.finish().expect("open");
        expect(&mut broker, b"\x32\x05\0\x01b\0\x02");
        broker.write_all(b"\x40\x02\0\x02\x30\x03\0\x01a").expect("sent");
        expect(&mut first, b"\x40\x02\0\x02\x30\x03\0\x01a");
    }
}

/// Attack 1: a device that isn't accepted has 256 KiB in the proxy at most, however many streams it opens.
#[test]
fn attack_1_streams_of_a_device_that_says_no_connect_hold_little() {
    let (stage, authority) = quic("");
    let (runtime, authority) = (runtime(), &authority);
    let device = Device::trusting(&runtime, authority, stage.proxy);
    let mut first = device.open().expect("a stream");
    first.write_all(&CONNECT[..3]).expect("sent");
    let mut others: Vec<_> = (0..8).map(|_| device.open().expect("one").send).collect();
    others.extend((0..8).map(|_| device.open_one_way().expect("one")));
    let mut taken = 3;
    for other in &mut others {
        let all = [0x30; 64 * 1024];
        let patience = Duration::from_millis(100);
        let written = async { tokio::time::timeout(patience, other.write(&all)).await };
        taken += runtime.block_on(written).map_or(0, |written| written.expect("open"));
    }
    assert_eq!(taken, 256 * 1024);
}

/// What has begun on one stream is read to its end, though the others have all that they may on their way.
#[test]
fn a_long_packet_comes_through_while_all_other_streams_are_full() {
    let (stage, authority) = quic("");
    let (device, mut first, mut broker) = joined(&stage, &authority);
    let packet = large(b"t", 300_000);
    let mut second = device.open().expect("one");
    second.write_all(&packet[..5_000]).expect("sent");
    expect(&mut broker, &packet[..7]);
    let mut others: Vec<_> = (0..7).map(|_| device.open().expect("one")).collect();
    for other in &mut others {
        other.write_all(&[0xC0, 0].repeat(32 * 1024)).expect("sent");
    }
    second.write_all(&packet[5_000..]).expect("sent");
    expect(&mut broker, &packet[7..]);
    for _ in 0..7 * 32 * 1024 {
        expect(&mut broker, PINGREQ);
    }
    ping(&mut first, &mut broker);
}

/// Attack 9: no more streams than the listener allows, in either kind.
#[test]
fn attack_9_a_flood_of_streams_ends_at_the_limit() {
    let (stage, authority) = quic("streams_max = 2");
    let (device, mut first, mut broker) = joined(&stage, &authority);
    let _streams = [device.open().expect("one"), device.open().expect("another")];
    let _one_way = [device.open_one_way().expect("one"), device.open_one_way().expect("another")];
    let runtime = runtime();
    let third = async {
        tokio::time::timeout(Duration::from_millis(200), device.connection.open_bi()).await.is_err()
            && tokio::time::timeout(Duration::from_millis(200), device.connection.open_uni())
                .await
                .is_err()
    };
    assert!(runtime.block_on(third), "there is room for one more");
    ping(&mut first, &mut broker);
}

/// Attack 1: the deadline is one for everything before the end of CONNECT.
#[test]
fn attack_1_a_slow_device_over_quic_ends_with_the_time_for_connect() {
    let limits = "connect_timeout_ms = 700";
    let (stage, authority) = stage(Said { limits, listener: QUIC, ..Said::default() });
    let runtime = runtime();
    let late = Duration::from_millis(700);
    for bytes in [None, Some(0), Some(5)] {
        let since = Instant::now();
        let device = Device::trusting(&runtime, &authority, stage.proxy);
        let lane = bytes.map(|bytes| {
            let mut first = device.open().expect("a stream");
            first.write_all(&CONNECT[..bytes]).expect("sent");
            first
        });
        runtime.block_on(device.connection.closed());
        let took = since.elapsed();
        assert!((late..late * 4).contains(&took), "{bytes:?}: {took:?}");
        drop(lane);
    }
}

/// Attack 9: whoever doesn't show where it is gets less than it has sent, or three times that where the operator says so.
#[test]
fn attack_9_who_does_not_show_its_address_gets_little() {
    // The library looks at its limit before a datagram, not after it.
    for (validation, [times, more]) in [("under_load", [3, 1199]), ("always", [1, 0])] {
        let (stage, authority) = quic(&format!("address_validation = '{validation}'"));
        let runtime = runtime();
        // The first datagram of a real handshake, caught on its way.
        let trap = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        trap.set_read_timeout(Some(DEADLINE)).expect("a socket");
        let endpoint = quic::endpoint(&runtime);
        let config = client(&authority, None, &[b"mqtt"]);
        let address = trap.local_addr().expect("an address");
        let _connecting = runtime.connect(&endpoint, config, address);
        let mut datagram = [0; 2048];
        let (length, _) = trap.recv_from(&mut datagram).expect("a datagram");
        assert!(length >= 1200);

        let liar = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        liar.set_read_timeout(Some(Duration::from_millis(1500))).expect("a socket");
        liar.send_to(&datagram[..length], stage.proxy).expect("sent");
        let (mut got, mut answers) = (0, 0);
        while let Ok(length) = liar.recv(&mut [0; 2048]) {
            (got, answers) = (got + length, answers + 1);
        }
        assert!(answers > 0 && got <= times * length + more, "{validation}: {got} for {length}");
    }
}

#[test]
fn who_shows_its_address_gets_in_all_the_same() {
    let (stage, authority) = quic("address_validation = 'always'");
    let (_device, mut first, mut broker) = joined(&stage, &authority);
    ping(&mut first, &mut broker);
}

/// Attack 9: what is sent before the handshake's end may come from whoever has seen it before. A CONNECT counts, where the
/// listener says so; what stands behind it waits for the end.
#[test]
fn attack_9_early_data_is_a_connect_and_nothing_behind_it() {
    let (stage, authority) = quic("early_data = 'connect'\naddress_validation = 'under_load'");
    let (runtime, config) = (runtime(), client(&authority, None, &[b"mqtt"]));
    let endpoint = quic::endpoint(&runtime);
    let connection = runtime.block_on(runtime.connect(&endpoint, config.clone(), stage.proxy));
    let connection = connection.expect("in");
    let (send, receive) = runtime.block_on(connection.open_bi()).expect("a stream");
    let mut first = Lane::new(&runtime, send, receive);
    let mut broker = stage.join(&mut first);
    ping(&mut first, &mut broker);

    // With the ticket of the first connection; the proxy's words don't reach the device, which can't go on shaking hands.
    let relay = quic::Relay::new(stage.proxy);
    let connecting = runtime.connect(&endpoint, config, relay.address);
    let Ok((connection, _)) = connecting.into_0rtt() else { panic!("a ticket") };
    let (send, receive) = runtime.block_on(connection.open_bi()).expect("a stream");
    let mut first = Lane::new(&runtime, send, receive);
    first.write_all(CONNECT).expect("sent");
    first.write_all(b"\x32\x05\0\x01b\0\x02").expect("sent");
    let mut broker = stage.accept();
    expect(&mut broker, CONNECT);
    broker.write_all(CONNACK).expect("sent");
    broker.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let nothing = broker.read(&mut [0; 1]).expect_err("nothing before the end of the handshake");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    broker.set_read_timeout(Some(DEADLINE)).expect("a socket");
    relay.open();
    expect(&mut broker, b"\x32\x05\0\x01b\0\x02");
    expect(&mut first, CONNACK);
}

#[test]
fn early_data_is_taken_where_the_listener_says_so() {
    for (early_data, taken) in [("off", false), ("connect", true)] {
        let (stage, authority) = quic(&format!("early_data = '{early_data}'"));
        let (runtime, config) = (runtime(), client(&authority, None, &[b"mqtt"]));
        let endpoint = quic::endpoint(&runtime);
        let dial = || runtime.connect(&endpoint, config.clone(), stage.proxy);
        // The first time there is no ticket.
        let connection = runtime.block_on(dial()).expect("in");
        let (send, receive) = runtime.block_on(connection.open_bi()).expect("a stream");
        let mut first = Lane::new(&runtime, send, receive);
        let mut broker = stage.join(&mut first);
        ping(&mut first, &mut broker);
        connection.close(0_u32.into(), b"");
        assert!(ends(&mut broker));

        let connection = dial().into_0rtt();
        assert_eq!(connection.is_ok(), taken, "{early_data}");
        let Ok((connection, accepted)) = connection else { continue };
        let (send, receive) = runtime.block_on(connection.open_bi()).expect("a stream");
        let mut first = Lane::new(&runtime, send, receive);
        first.write_all(CONNECT).expect("sent");
        first.write_all(b"\x32\x05\0\x01b\0\x02").expect("sent");
        let mut broker = stage.accept();
        expect(&mut broker, CONNECT);
        assert!(runtime.block_on(accepted), "it was early");
        broker.write_all(CONNACK).expect("sent");
        expect(&mut broker, b"\x32\x05\0\x01b\0\x02");
        expect(&mut first, CONNACK);
    }
}

/// An address that counts has to be shown first, or anybody could use up anybody's: so it is asked for, and then turned away.
#[test]
fn attack_27_connections_over_quic_count_by_their_address() {
    let listener = format!("{QUIC}[listener.limits]\nconnections_per_address_max = 1");
    let (stage, authority) = stage(Said { listener: &listener, ..Said::default() });
    let runtime = runtime();
    let device = Device::trusting(&runtime, &authority, stage.proxy);
    let mut first = device.open().expect("a stream");
    let mut broker = stage.join(&mut first);
    let second = || Device::dial(&runtime, client(&authority, None, &[b"mqtt"]), stage.proxy);
    let error = second().err().expect("one too many");
    assert!(error.to_string().contains("refused"), "{error}");
    ping(&mut first, &mut broker);
    // Once it has left there is room again.
    device.connection.close(0_u32.into(), b"");
    assert!(ends(&mut broker));
    let begun = Instant::now();
    while let Err(error) = second() {
        assert!(begun.elapsed() < DEADLINE, "{error}");
    }
}

/// A broker that has answered a CONNECT whose handshake never ends has failed nobody.
#[test]
fn attack_27_early_data_without_a_handshake_shuts_out_nobody() {
    let quic = "early_data = 'connect'\naddress_validation = 'under_load'";
    let listener = format!("{QUIC}[listener.quic]\n{quic}");
    let (stage, authority) = stage(Said {
        listener: &listener,
        limits: "upstream_timeout_ms = 300",
        upstream: "[upstream.breaker]\nfailures = 1\nbackoff_min_ms = 3600000",
        ..Said::default()
    });
    let (runtime, config) = (runtime(), client(&authority, None, &[b"mqtt"]));
    let endpoint = quic::endpoint(&runtime);
    let dial = |address| runtime.connect(&endpoint, config.clone(), address);
    let join = |connection: &quinn::Connection| {
        let (send, receive) = runtime.block_on(connection.open_bi()).expect("a stream");
        let mut first = Lane::new(&runtime, send, receive);
        (stage.join(&mut first), first)
    };
    let connection = runtime.block_on(dial(stage.proxy)).expect("in");
    let (mut broker, mut first) = join(&connection);
    ping(&mut first, &mut broker);

    let relay = quic::Relay::new(stage.proxy);
    let Ok((early, _)) = dial(relay.address).into_0rtt() else { panic!("a ticket") };
    let (mut send, _receive) = runtime.block_on(early.open_bi()).expect("a stream");
    runtime.block_on(send.write_all(CONNECT)).expect("sent");
    let mut broker = stage.accept();
    expect(&mut broker, CONNECT);
    broker.write_all(CONNACK).expect("sent");
    assert!(ends(&mut broker), "the device is waited for no longer");

    let connection = runtime.block_on(dial(stage.proxy)).expect("in");
    let (mut broker, mut first) = join(&connection);
    ping(&mut first, &mut broker);
}

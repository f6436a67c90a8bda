//! TLS at listeners, with real sockets: who gets in, what is shown, and what a handshake may take.
#![cfg(feature = "server")]

mod secure;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use secure::*;

const TLS: &str =
    "transport = 'tls'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";

/// A stage whose listener has a certificate for `localhost`, and who vouches for it.
fn stage(said: Said<'_>) -> (Stage, Authority) {
    let (folder, authority) = (folder(), Authority::new("authority"));
    authority.vouch(&["localhost"], &["server"]).write(folder.path(), "server");
    (Stage::new(folder, said), authority)
}

fn tls() -> (Stage, Authority) {
    stage(Said { listener: TLS, ..Said::default() })
}

fn shown(device: &ToServer) -> CertificateDer<'static> {
    device.conn.peer_certificates().expect("shown")[0].clone().into_owned()
}

#[test]
fn a_device_over_tls_reaches_the_broker() {
    let (stage, authority) = tls();
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let mut device = Dialer::new(&authority, None, versions).dial(stage.proxy).expect("in");
        let mut broker = stage.join(&mut device);
        ping(&mut device, &mut broker);
        // Both ends learn of an end.
        drop(device);
        assert!(ends(&mut broker), "{versions:?}");
    }
}

#[test]
fn large_packets_pass_both_ways_and_a_slow_reader_gets_all() {
    let (stage, authority) = tls();
    let mut device = Dialer::trusting(&authority).dial(stage.proxy).expect("in");
    let mut broker = stage.join(&mut device);
    // PUBLISH with 3 MiB of payload.
    let length = 3 + (3 << 20);
    let mut packet = vec![0x30];
    packet.extend([(length & 0x7F) as u8 | 0x80, (length >> 7 & 0x7F) as u8 | 0x80]);
    packet.extend([(length >> 14 & 0x7F) as u8 | 0x80, (length >> 21) as u8]);
    packet.extend(b"\0\x01t");
    packet.extend((0..3_u32 << 20).map(|at| (at / 7) as u8));
    let up = packet.clone();
    let mut other = broker.try_clone().expect("a socket");
    let sending = std::thread::spawn(move || other.write_all(&up).expect("sent"));
    device.write_all(&packet).expect("sent");
    device.flush().expect("sent");
    expect(&mut broker, &packet);
    // Nobody has read the device's part so far.
    expect(&mut device, &packet);
    sending.join().expect("sent");
    ping(&mut device, &mut broker);
}

#[test]
fn a_device_shows_a_certificate_where_it_is_asked_for_one() {
    let devices = Authority::new("devices");
    let strangers = Authority::new("strangers");
    let good = devices.vouch(&[], &["meter-77"]);
    let bad = strangers.vouch(&[], &["meter-77"]);
    for (asked, [none_passes, bad_passes]) in [
        ("client_certificates = 'off'", [true, true]),
        ("client_ca = 'devices.pem'\nclient_certificates = 'optional'", [true, false]),
        ("client_ca = 'devices.pem'\nclient_certificates = 'required'", [false, false]),
        ("client_ca = 'devices.pem'", [false, false]),
    ] {
        let (folder, authority) = (folder(), Authority::new("authority"));
        authority.vouch(&["localhost"], &["server"]).write(folder.path(), "server");
        std::fs::write(folder.path().join("devices.pem"), &devices.pem).expect("written");
        let listener = format!("{TLS}{asked}");
        let stage = Stage::new(folder, Said { listener: &listener, ..Said::default() });
        for (papers, passes) in [(None, none_passes), (Some(&bad), bad_passes), (Some(&good), true)]
        {
            for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
                let dialed = Dialer::new(&authority, papers, versions).dial(stage.proxy);
                let shown = papers.map(|papers| papers.certificate == good.certificate);
                if passes {
                    let mut device = dialed.expect("in");
                    let mut broker = stage.join(&mut device);
                    ping(&mut device, &mut broker);
                } else if let Ok(mut device) = dialed {
                    // With TLS 1.3 a client learns of it after its handshake.
                    let _ = device.write_all(CONNECT);
                    let _ = device.flush();
                    let mut got = [0; 1];
                    let answer = device.read(&mut got);
                    assert!(answer.is_err(), "{asked}, {versions:?}, good: {shown:?}: {answer:?}");
                }
            }
        }
    }
}

#[test]
fn a_device_is_shown_the_certificate_for_the_name_that_it_asks_for() {
    let (folder, authority) = (folder(), Authority::new("authority"));
    let names =
        [("server", "localhost"), ("one", "one.example.com"), ("many", "*.many.example.com")];
    let papers = names.map(|(file, host)| {
        let papers = authority.vouch(&[host], &[file]);
        papers.write(folder.path(), file);
        papers.chain()[0].clone()
    });
    let listener = format!(
        "{TLS}[[listener.tls.more]]\ncertificate = 'one.pem'\nkey = 'one.key'\n\
         [[listener.tls.more]]\ncertificate = 'many.pem'\nkey = 'many.key'\n"
    );
    let stage = Stage::new(folder, Said { listener: &listener, ..Said::default() });
    let dialer = Dialer::trusting(&authority);
    for (name, number) in [("localhost", 0), ("one.example.com", 1), ("x.many.example.com", 2)] {
        let device = Dialer { name, ..dialer.clone() }.dial(stage.proxy).expect("in");
        assert_eq!(shown(&device), papers[number], "{name}");
    }
    // Attack 10: a name that is in no certificate, or an address, which is no name: the first is shown.
    for name in ["else.example.com", "a.b.many.example.com", "127.0.0.1"] {
        let error = Dialer { name, ..dialer.clone() }.dial(stage.proxy).expect_err("not its name");
        let error = error.to_string();
        assert!(error.contains("localhost"), "{name}: {error}");
    }
}

#[test]
fn old_versions_are_refused_where_they_are_not_wanted() {
    let listener = format!("{TLS}version_min = '1.3'");
    let (stage, authority) = stage(Said { listener: &listener, ..Said::default() });
    let old = Dialer::new(&authority, None, &[&rustls::version::TLS12]);
    let error = old.dial(stage.proxy).expect_err("too old");
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    assert!(Dialer::trusting(&authority).dial(stage.proxy).is_ok());
}

#[test]
fn sessions_are_resumed() {
    let (stage, authority) = tls();
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let dialer = Dialer::new(&authority, None, versions);
        for resumed in [false, true, true] {
            let mut device = dialer.dial(stage.proxy).expect("in");
            // Tickets of TLS 1.3 come with the first bytes.
            let mut broker = stage.join(&mut device);
            ping(&mut device, &mut broker);
            assert_eq!(is_resumed(&device), resumed, "{versions:?}");
        }
    }
}

/// Attack 1: the deadline is one for everything before the end of CONNECT, whatever arrives meanwhile.
#[test]
fn attack_1_a_slow_handshake_ends_with_the_time_for_connect() {
    let limits = "connect_timeout_ms = 700";
    let (stage, authority) = stage(Said { limits, listener: TLS, ..Said::default() });
    let late = Duration::from_millis(700);
    // Nobody closes before its time, nor much after it.
    let is_timely = |since: Instant| (late..late * 4).contains(&since.elapsed());

    let since = Instant::now();
    let mut silent = tcp(stage.proxy);
    assert!(ends(&mut silent) && is_timely(since), "no byte: {:?}", since.elapsed());

    let since = Instant::now();
    let mut dripping = tcp(stage.proxy);
    dripping.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
    // The header of a record of 16,000 bytes, then one after the other.
    let mut bytes =
        b"\x16\x03\x01\x3e\x80\x01\0\x3e\x7c".iter().copied().chain(std::iter::repeat(3));
    while dripping.write_all(&[bytes.next().expect("endless")]).is_ok() && !ends(&mut dripping) {
        assert!(since.elapsed() < DEADLINE, "it may drip forever");
    }
    assert!(is_timely(since), "a byte now and then: {:?}", since.elapsed());

    let since = Instant::now();
    let socket = tcp(stage.proxy);
    let mut device = Dialer::trusting(&authority).shake(socket).expect("in");
    device.write_all(&CONNECT[..5]).and_then(|()| device.flush()).expect("sent");
    assert!(ends(&mut device) && is_timely(since), "half a CONNECT: {:?}", since.elapsed());
}

/// A socket whose every write goes out in pieces.
struct Pieces {
    socket: TcpStream,
    size: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.socket.write(&bytes[..bytes.len().min(self.size)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

/// Attack 10: a ClientHello in fragments, of TCP and of TLS.
#[test]
fn attack_10_a_client_hello_in_fragments_is_put_together() {
    let (stage, authority) = tls();
    let mut dialer = Dialer::trusting(&authority);
    let mut config = (*dialer.config).clone();
    // The smallest records that the library writes.
    config.max_fragment_size = Some(32);
    dialer.config = std::sync::Arc::new(config);
    for size in [1, 3, 1000] {
        let socket = tcp(stage.proxy);
        socket.set_nodelay(true).expect("a socket");
        let mut device = dialer.shake(Pieces { socket, size }).expect("in");
        let mut broker = stage.join(&mut device);
        ping(&mut device, &mut broker);
    }
}

/// Attack 10: what is no TLS, and a certificate chain without end. Others go on.
#[test]
fn attack_10_garbage_and_endless_certificates_end_one_connection() {
    let devices = Authority::new("devices");
    let (folder, authority) = (folder(), Authority::new("authority"));
    authority.vouch(&["localhost"], &["server"]).write(folder.path(), "server");
    std::fs::write(folder.path().join("devices.pem"), &devices.pem).expect("written");
    let listener = format!("{TLS}client_ca = 'devices.pem'\nclient_certificates = 'optional'");
    let stage = Stage::new(folder, Said { listener: &listener, ..Said::default() });
    let mut honest = Dialer::trusting(&authority).dial(stage.proxy).expect("in");
    let mut broker = stage.join(&mut honest);

    for garbage in [CONNECT, b"GET / HTTP/1.1\r\n\r\n", &[0xFF; 2000], b"\x16\x03\x01\xFF\xFF"] {
        let mut stranger = tcp(stage.proxy);
        stranger.write_all(garbage).expect("sent");
        assert!(ends(&mut stranger), "{garbage:02x?} is waited for");
    }
    let mut papers = devices.vouch(&[], &["meter"]);
    papers.certificate = papers.certificate.repeat(250);
    let bytes: usize = papers.chain().iter().map(|der| der.len()).sum();
    assert!(bytes > 64 * 1024, "{bytes}");
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let dialed = Dialer::new(&authority, Some(&papers), versions).dial(stage.proxy);
        if let Ok(mut device) = dialed {
            let _ = device.write_all(CONNECT).and_then(|()| device.flush());
            assert!(device.read(&mut [0; 1]).is_err(), "{versions:?}: it is let in");
        }
    }
    ping(&mut honest, &mut broker);
}

/// Connections that shake hands count among the sessions, and no more than the limit do at once.
#[test]
fn handshakes_at_once_are_bounded() {
    let limits = "handshakes_max = 2\nconnect_timeout_ms = 1500";
    let (stage, authority) = stage(Said { limits, listener: TLS, ..Said::default() });
    let since = Instant::now();
    let slow: Vec<TcpStream> = (0..2).map(|_| tcp(stage.proxy)).collect();
    let mut device = Dialer::trusting(&authority).dial(stage.proxy).expect("in");
    assert!(since.elapsed() >= Duration::from_millis(1500), "it was not made to wait");
    let mut broker = stage.join(&mut device);
    ping(&mut device, &mut broker);
    drop(slow);
}

#[test]
fn a_handshake_does_not_hold_up_the_end_of_the_process() {
    let (mut stage, _) = tls();
    let mut slow = tcp(stage.proxy);
    slow.write_all(b"\x16").expect("sent");
    // The default time for CONNECT is ten seconds, and so is that for draining.
    let since = Instant::now();
    stage.server.take().expect("a server").stop();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(ends(&mut slow));
}

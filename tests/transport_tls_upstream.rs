//! TLS towards brokers, with real sockets: who is trusted, under which name, and what is shown.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::io::Write;

use secure::*;

const PLAIN: Said<'static> = Said {
    shards: 1,
    proxy: "",
    limits: "",
    listener: "",
    scheme: "mqtts",
    upstream: "",
    from: "",
    to: "",
};

/// A stage in front of a broker with a certificate for this host, and the broker's authority, which is in `ca.pem`.
fn stage(authority: &Authority, upstream: &str) -> Stage {
    let folder = folder();
    fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
    let upstream = format!("[upstream.tls]\n{upstream}");
    Stage::new(folder, Said { upstream: &upstream, ..PLAIN })
}

#[test]
fn a_broker_over_tls_is_reached_and_its_sessions_are_resumed() {
    let authority = Authority::new("authority");
    let stage = stage(&authority, "ca = 'ca.pem'");
    let tls = broker_tls(&authority.vouch(&["localhost"], &[]), None);
    for resumed in [false, true] {
        let mut device = tcp(stage.proxy);
        device.write_all(CONNECT).expect("sent");
        let mut broker = broker_shake(&tls, stage.accept()).expect("trusted");
        expect(&mut broker, CONNECT);
        broker.write_all(CONNACK).and_then(|()| broker.flush()).expect("sent");
        expect(&mut device, CONNACK);
        ping(&mut device, &mut broker);
        let kind = broker.conn.handshake_kind();
        assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed, "{kind:?}");
    }
}

/// The device hears of it before it thinks that it is connected.
#[test]
fn a_broker_that_is_not_to_be_trusted_gets_nothing() {
    let authority = Authority::new("authority");
    for (upstream, papers) in [
        ("ca = 'ca.pem'", Authority::new("strangers").vouch(&["localhost"], &[])),
        ("ca = 'ca.pem'", authority.vouch(&["broker.example.com"], &["localhost"])),
        ("ca = 'ca.pem'\nserver_name = 'other'", authority.vouch(&["localhost"], &[])),
        // Whoever made the certificates of this test is no authority of the system.
        ("", authority.vouch(&["localhost"], &[])),
    ] {
        let stage = stage(&authority, upstream);
        let tls = broker_tls(&papers, None);
        let mut device = tcp(stage.proxy);
        device.write_all(CONNECT).expect("sent");
        let shaken = broker_shake(&tls, stage.accept());
        if let Ok(mut broker) = shaken {
            assert!(ends(&mut broker), "{upstream}: it is spoken to");
        }
        expect(&mut device, b"\x20\x02\0\x03");
    }
}

#[test]
fn a_broker_is_known_by_another_name_and_sees_the_proxys_certificate() {
    let (authority, proxies) = (Authority::new("authority"), Authority::new("proxies"));
    let folder = folder();
    fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
    proxies.vouch(&[], &["proxy-1"]).write(folder.path(), "proxy");
    let upstream = "[upstream.tls]\nca = 'ca.pem'\nserver_name = 'broker.example.com'\n\
                    certificate = 'proxy.pem'\nkey = 'proxy.key'";
    let stage = Stage::new(folder, Said { upstream, ..PLAIN });
    let tls = broker_tls(&authority.vouch(&["broker.example.com"], &[]), Some(&proxies));
    let mut device = tcp(stage.proxy);
    device.write_all(CONNECT).expect("sent");
    let mut broker = broker_shake(&tls, stage.accept()).expect("trusted");
    assert_eq!(broker.conn.server_name(), Some("broker.example.com"));
    assert!(broker.conn.peer_certificates().is_some());
    expect(&mut broker, CONNECT);
    broker.write_all(CONNACK).and_then(|()| broker.flush()).expect("sent");
    expect(&mut device, CONNACK);
}

/// Attack 1, from the other side: a broker that accepts and says nothing.
#[test]
fn attack_1_a_broker_that_never_shakes_hands_is_given_up() {
    let authority = Authority::new("authority");
    let folder = folder();
    fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
    let upstream = "[upstream.tls]\nca = 'ca.pem'";
    let limits = "upstream_timeout_ms = 300";
    let stage = Stage::new(folder, Said { upstream, limits, ..PLAIN });
    let mut device = tcp(stage.proxy);
    device.write_all(CONNECT).expect("sent");
    let mut broker = stage.accept();
    expect(&mut device, b"\x20\x02\0\x03");
    assert!(ends(&mut broker));
}

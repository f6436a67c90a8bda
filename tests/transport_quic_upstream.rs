//! QUIC towards brokers, with real sockets: who is trusted, under which name, and what becomes of new certificates.
#![cfg(feature = "server")]

mod quic;
mod secure;

use std::fs;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Instant;

use interlingua::server::{self, Server};
use interlingua::transport::{Connector, QuicEndpoints, Renewal};
use quic::{Broker, Device, Engine, runtime};
use rustls::pki_types::CertificateDer;
use secure::*;

const LISTENER: &str =
    "transport = 'quic'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";

/// The broker's papers, by the authority whom the proxy trusts.
type MakePapers<'m> = &'m dyn Fn(&Authority) -> Papers;

/// A proxy in front of a broker over QUIC.
struct Pair {
    runtime: Arc<Engine>,
    broker: Broker,
    server: Option<Server>,
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Pair {
    fn new(papers: MakePapers<'_>, said: Said<'_>) -> Self {
        let (runtime, folder, authority) = (runtime(), folder(), Authority::new("authority"));
        fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
        authority.vouch(&["localhost"], &["server"]).write(folder.path(), "server");
        let broker = Broker::new(&runtime, &papers(&authority), None);
        let config = configure(folder.path(), broker.address, Said { scheme: "quic", ..said });
        let server = Some(server::start(&config).unwrap_or_else(|errors| panic!("{errors:?}")));
        Self { runtime, broker, server, folder, authority }
    }

    fn proxy(&self) -> std::net::SocketAddr {
        self.server.as_ref().expect("it runs").listening[0].1
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

fn for_localhost(authority: &Authority) -> Papers {
    authority.vouch(&["localhost"], &[])
}

const TRUSTED: &str = "[upstream.tls]\nca = 'ca.pem'";

#[test]
fn a_broker_over_quic_is_reached_by_any_number_of_devices() {
    let pair = Pair::new(&for_localhost, Said { upstream: TRUSTED, ..Said::default() });
    let mut sessions = Vec::new();
    for _ in 0..5 {
        let mut device = tcp(pair.proxy());
        device.write_all(CONNECT).expect("sent");
        let (connection, mut broker) = pair.broker.accept().expect("trusted");
        expect(&mut broker, CONNECT);
        broker.write_all(CONNACK).expect("sent");
        expect(&mut device, CONNACK);
        sessions.push((device, connection, broker));
    }
    for (device, _, broker) in &mut sessions {
        ping(device, broker);
    }
    // Each end learns of the other's.
    let (device, _, mut broker) = sessions.pop().expect("one");
    drop(device);
    assert!(ends(&mut broker));
    let (mut device, connection, _) = sessions.pop().expect("one");
    connection.close(0_u32.into(), b"");
    assert!(ends(&mut device));
    // The proxy ends, and tells: nobody has to wait for silence.
    let since = Instant::now();
    pair_stops(pair);
    for (mut device, connection, _) in sessions {
        assert!(ends(&mut device));
        assert!(connection.close_reason().is_some(), "it was told");
    }
    assert!(since.elapsed() < DEADLINE);
}

fn pair_stops(mut pair: Pair) {
    pair.server.take().expect("it runs").stop();
}

#[test]
fn a_broker_that_is_not_to_be_trusted_gets_nothing() {
    let strangers = Authority::new("strangers");
    let by_strangers = |_: &Authority| strangers.vouch(&["localhost"], &[]);
    let misnamed = |authority: &Authority| authority.vouch(&["broker.example.com"], &["localhost"]);
    let cases: [(&str, MakePapers<'_>); 3] =
        [(TRUSTED, &by_strangers), (TRUSTED, &misnamed), ("", &for_localhost)];
    for (upstream, papers) in cases {
        let pair = Pair::new(papers, Said { upstream, ..Said::default() });
        let mut device = tcp(pair.proxy());
        device.write_all(CONNECT).expect("sent");
        assert!(pair.broker.accept().is_err(), "{upstream}: it is spoken to");
        expect(&mut device, b"\x20\x02\0\x03");
    }
}

/// What everybody meets first says what to do, as over TLS.
#[test]
fn a_broker_that_is_not_trusted_is_told_with_a_remedy() {
    let strangers = Authority::new("strangers");
    let by_strangers = |_: &Authority| strangers.vouch(&["localhost"], &[]);
    let misnamed = |authority: &Authority| authority.vouch(&["broker.example.com"], &["localhost"]);
    let cases: [(MakePapers<'_>, &str); 2] = [
        (&by_strangers, "`ca` under [upstream.tls]"),
        (&misnamed, "`server_name` under [upstream.tls]"),
    ];
    for (papers, remedy) in cases {
        let (runtime, folder, authority) = (runtime(), folder(), Authority::new("authority"));
        fs::write(folder.path().join("ca.pem"), &authority.pem).expect("written");
        let broker = Broker::new(&runtime, &papers(&authority), None);
        let said = Said { scheme: "quic", upstream: TRUSTED, ..Said::default() };
        let config = configure(folder.path(), broker.address, said);
        let upstream = &config.listeners[0].upstream;
        let connector = Connector::new(upstream, folder.path(), &mut Renewal::default());
        let connector = connector.expect("sound");
        let endpoints = QuicEndpoints::default();
        let error = std::thread::scope(|scope| {
            scope.spawn(|| broker.accept().map(drop).expect_err("not trusted"));
            runtime.block_on(connector.connect(&endpoints, None)).expect_err("not trusted")
        });
        assert!(error.to_string().contains(remedy), "{error}");
    }
}

/// Attack 1, from the other side: whoever has the port says nothing.
#[test]
fn attack_1_a_broker_over_quic_that_never_answers_is_given_up() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let folder = folder();
    fs::write(folder.path().join("ca.pem"), &Authority::new("authority").pem).expect("written");
    let limits = "upstream_timeout_ms = 300";
    let said = Said { scheme: "quic", limits, upstream: TRUSTED, ..Said::default() };
    let config = configure(folder.path(), silent.local_addr().expect("an address"), said);
    let server = server::start(&config).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut device = tcp(server.listening[0].1);
    device.write_all(CONNECT).expect("sent");
    expect(&mut device, b"\x20\x02\0\x03");
    server.stop();
}

/// Sessions that are open keep what they began with.
#[test]
fn new_certificates_are_shown_to_new_devices() {
    let pair = Pair::new(
        &for_localhost,
        Said { listener: LISTENER, upstream: TRUSTED, ..Said::default() },
    );
    let shown = |device: &Device| {
        let identity = device.connection.peer_identity().expect("shown");
        let chain = identity.downcast::<Vec<CertificateDer<'static>>>().expect("a chain");
        chain[0].clone()
    };
    let old = Device::trusting(&pair.runtime, &pair.authority, pair.proxy());
    let mut first = old.open().expect("a stream");
    first.write_all(CONNECT).expect("sent");
    let (_connection, mut broker) = pair.broker.accept().expect("trusted");
    expect(&mut broker, CONNECT);
    broker.write_all(CONNACK).expect("sent");
    expect(&mut first, CONNACK);

    let papers = pair.authority.vouch(&["localhost"], &["newer"]);
    papers.write(pair.folder.path(), "server");
    pair.server.as_ref().expect("it runs").read_again();
    let since = Instant::now();
    loop {
        let new = Device::trusting(&pair.runtime, &pair.authority, pair.proxy());
        if shown(&new) == papers.chain()[0] {
            break;
        }
        assert!(since.elapsed() < DEADLINE, "the old one is still shown");
    }
    assert!(shown(&old) != papers.chain()[0]);
    ping(&mut first, &mut broker);
    let _ = first.read(&mut []);
}

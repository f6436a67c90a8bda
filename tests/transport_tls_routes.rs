//! Devices go to the upstream that the listener's routes name for their certificate, each in its own plan. Attack 18.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use interlingua::mqtt::{Connect, Version, next_packet};
use secure::*;

const TLS: &str = "transport = 'tls'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\nclient_ca = 'devices.pem'\n";

const ROUTES: &str = "[[listener.route]]\ncertificate = 'plant-a.7'\nupstream = 'b'\n\
    [[listener.route]]\ncertificate = 'plant-a.*'\nupstream = 'c'\n";

/// The other broker speaks 5 only, so that a session of its route is another one.
struct Place {
    stage: Stage,
    other: TcpListener,
    authority: Authority,
    devices: Authority,
}

impl Place {
    fn new(clients: &str, access: &str) -> Self {
        let (folder, authority) = (folder(), Authority::new("authority"));
        let devices = Authority::new("devices");
        authority.vouch(&["localhost"], &[]).write(folder.path(), "server");
        fs::write(folder.path().join("devices.pem"), &devices.pem).expect("written");
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        socket2::SockRef::from(&other).set_read_timeout(Some(DEADLINE)).expect("a socket");
        let port = other.local_addr().expect("an address").port();
        let upstream = format!(
            "[[upstream]]\nname = 'c'\ndialect = 'plain'\nmqtt = ['5']\nurl = 'mqtt://localhost:{port}'"
        );
        let listener = format!("{TLS}{clients}\n{access}\n{ROUTES}");
        let said = Said { listener: &listener, upstream: &upstream, ..Said::default() };
        Self { stage: Stage::new(folder, said), other, authority, devices }
    }

    fn device(&self, common_names: Option<&[&str]>) -> ToServer {
        let papers = common_names.map(|names| self.devices.vouch(&[], names));
        let dialer = Dialer::new(&self.authority, papers.as_ref(), rustls::ALL_VERSIONS);
        let mut device = dialer.dial(self.stage.proxy).expect("in");
        device.write_all(CONNECT).and_then(|()| device.flush()).expect("sent");
        device
    }
}

/// What comes to a broker.
fn connect(broker: &TcpListener) -> (String, Version) {
    let (mut broker, _) = broker.accept().expect("a connection");
    broker.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let mut start = [0; 2];
    broker.read_exact(&mut start).expect("CONNECT");
    let mut rest = vec![0; usize::from(start[1])];
    broker.read_exact(&mut rest).expect("CONNECT");
    let bytes = [&start[..], &rest].concat();
    let raw = next_packet(&bytes, Version::V5, 1000).unwrap().unwrap();
    let connect = Connect::decode(raw).unwrap();
    (connect.client_identifier.to_owned(), connect.version)
}

#[test]
fn attack_18_a_certificate_leads_to_its_own_upstream() {
    let place = Place::new("client_certificates = 'optional'", "");
    for (common_names, is_other) in [
        (Some(&["plant-a.1"][..]), true),
        (Some(&["plant-a."]), true),
        // The first that fits.
        (Some(&["plant-a.7"]), false),
        (Some(&["plant-b.1"]), false),
        (Some(&["plant-A.1"]), false),
        (Some(&["x-plant-a.1"]), false),
        // Who has no certain name goes nowhere else.
        (Some(&["plant-a.1", "plant-a.2"]), false),
        (Some(&[]), false),
        (None, false),
    ] {
        let _device = place.device(common_names);
        let (broker, version) = match is_other {
            true => (&place.other, Version::V5),
            false => (&place.stage.broker, Version::V311),
        };
        assert_eq!(connect(broker), ("d".to_owned(), version), "{common_names:?}");
    }
}

/// What a listener asks, it asks behind each of its routes, too, and those sessions end with their authority like others.
#[test]
fn attack_20_a_route_is_no_way_around_access() {
    let access = "[listener.access]\ncertificate = 'common_name'\nbind = 'client_identifier'";
    let place = Place::new("", access);
    let mut refused = place.device(Some(&["plant-a.1"]));
    expect(&mut refused, b"\x20\x02\0\x05");
    assert!(ends(&mut refused));
    let place = Place::new("", &access.replace("client_identifier", "nothing"));
    let mut device = place.device(Some(&["plant-a.1"]));
    let (mut broker, _) = place.other.accept().expect("a connection");
    broker.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let mut start = [0; 2];
    broker.read_exact(&mut start).expect("CONNECT");
    broker.read_exact(&mut vec![0; usize::from(start[1])]).expect("CONNECT");
    broker.write_all(b"\x20\x03\0\0\0").expect("sent");
    expect(&mut device, CONNACK);
    ping(&mut device, &mut broker);
    let another = Authority::new("another");
    fs::write(place.stage.folder.path().join("devices.pem"), &another.pem).expect("written");
    place.stage.reread();
    assert!(ends(&mut device), "behind a route an authority is trusted for ever");
    assert!(ends(&mut broker));
}

//! Who comes in by a certificate, over real TLS: as whom, for how long, and until nobody vouches for it any more. Attacks 17
//! and 20.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::io::{self, Read, Write};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use interlingua::mqtt::{Connect, Properties, Version, next_packet};
use rustls::SupportedProtocolVersion;
use secure::*;

const TLS: &str = "transport = 'tls'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\nclient_ca = 'devices.pem'\n";
const CERTIFICATE: &str = "[listener.access]\ncertificate = 'common_name'\n";

const NOT_AUTHORIZED: &[u8] = b"\x20\x02\0\x05";

/// A proxy, and who vouches for it and for its devices.
struct Place {
    stage: Stage,
    authority: Authority,
    devices: Authority,
}

impl Place {
    fn new(said: Said<'_>, access: &str) -> Self {
        Self::trusting(&Authority::new("another"), said, access)
    }

    /// Devices of another authority are let in as well.
    fn trusting(another: &Authority, said: Said<'_>, access: &str) -> Self {
        let (folder, authority) = (folder(), Authority::new("authority"));
        let devices = Authority::new("devices");
        authority.vouch(&["localhost"], &[]).write(folder.path(), "server");
        let both = format!("{}{}", devices.pem, another.pem);
        fs::write(folder.path().join("devices.pem"), both).expect("written");
        let listener = format!("{TLS}{CERTIFICATE}{access}\n{}", said.listener);
        let said = Said { proxy: "certificate_check_ms = 20", listener: &listener, ..said };
        Self { stage: Stage::new(folder, said), authority, devices }
    }

    fn dialer(&self, papers: &Papers) -> Dialer {
        Dialer::new(&self.authority, Some(papers), rustls::ALL_VERSIONS)
    }

    /// A device with a certificate of these common names.
    fn device(&self, common_names: &[&str]) -> ToServer {
        let papers = self.devices.vouch(&[], common_names);
        self.dialer(&papers).dial(self.stage.proxy).expect("in")
    }

    /// Says CONNECT. What the broker gets of it; `None`: the device is answered, and the broker isn't asked.
    fn comes(&self, device: &mut ToServer, connect: &Connect<'_>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        connect.encode(&mut bytes).expect("a CONNECT");
        device.write_all(&bytes).and_then(|()| device.flush()).expect("sent");
        self.stage.broker.set_nonblocking(true).expect("a socket");
        let (mut answer, since) = ([0; 4], Instant::now());
        let asked = loop {
            assert!(since.elapsed() < DEADLINE, "neither an answer nor the broker");
            if let Ok((mut broker, _)) = self.stage.broker.accept() {
                broker.set_nonblocking(false).expect("a socket");
                let mut start = [0; 2];
                broker.read_exact(&mut start).expect("CONNECT");
                let mut rest = vec![0; usize::from(start[1])];
                broker.read_exact(&mut rest).expect("CONNECT");
                break Some([&start[..], &rest].concat());
            }
            device.sock.set_nonblocking(true).expect("a socket");
            let read = device.read(&mut answer[..1]);
            device.sock.set_nonblocking(false).expect("a socket");
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                read => {
                    assert_eq!(read.expect("an answer"), 1);
                    device.read_exact(&mut answer[1..]).expect("a CONNACK");
                    assert_eq!(answer, NOT_AUTHORIZED);
                    assert!(ends(device));
                    break None;
                }
            }
        };
        self.stage.broker.set_nonblocking(false).expect("a socket");
        asked
    }
}

fn of(client_identifier: &str) -> Connect<'_> {
    Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive_seconds: 0,
        client_identifier,
        properties: Properties::EMPTY,
        will: None,
        user_name: Some("u"),
        password: Some(b"p"),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// User name and password aren't this listener's, so with `plain` the broker gets them as they came.
#[test]
fn attack_17_a_certificate_comes_under_its_own_name_only() {
    let place = Place::new(Said::default(), "bind = 'client_identifier'");
    for (common_names, client_identifier, is_in) in [
        (&["d"][..], "d", true),
        (&["d"], "e", false),
        (&["d"], "", false),
        (&["d"], "d/e", false),
        (&[], "d", false),
        // Of two names one reader would take the first, and another the last.
        (&["d", "e"], "d", false),
        (&["d", "e"], "e", false),
    ] {
        let given = of(client_identifier);
        let got = place.comes(&mut place.device(common_names), &given);
        assert_eq!(got.is_some(), is_in, "{common_names:?} as {client_identifier:?}");
        let Some(got) = got else { continue };
        let raw = next_packet(&got, Version::V311, 1000).unwrap().unwrap();
        assert_eq!(Connect::decode(raw), Ok(given));
    }
}

/// The dialect's own password is looked at as without access, and the broker gets its own.
#[test]
fn attack_20_the_certificates_name_is_the_devices_name() {
    let said = Said {
        from: "thingscale",
        listener: "[listener.vars]\ntenant = 'acme'\ntoken = 'TOK'",
        to: "omnicore",
        upstream: "[upstream.vars]\nsubscription = 's'\nregistry = 'r'\npassword = 'J'",
        ..Said::default()
    };
    let place = Place::new(said, "bind = 'common_name'");
    let with = |client_identifier, password| {
        place.comes(
            &mut place.device(&["d77"]),
            &Connect { user_name: None, password, ..of(client_identifier) },
        )
    };
    let got = with("d77_a1", None).expect("it is its own");
    assert!(got.windows(11).any(|text| text == b"devices/d77"), "{}", got.escape_ascii());
    assert!(with("d78", None).is_none());
    assert!(with("", None).is_none(), "nobody says which device it is");
}

#[test]
fn attack_20_a_session_ends_with_its_certificate_and_a_ticket_does_not_outlive_it() {
    let place = Place::new(Said::default(), "bind = 'client_identifier'");
    let of_two: [&[&'static SupportedProtocolVersion]; 2] =
        [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];
    for versions in of_two {
        let last = now() + 2;
        let papers = place.devices.vouch_until("d", last);
        let dialer = Dialer::new(&place.authority, Some(&papers), versions);
        let mut device = dialer.dial(place.stage.proxy).expect("in");
        let mut broker = place.stage.join(&mut device);
        ping(&mut device, &mut broker);
        assert!(ends(&mut device), "a session for ever");
        assert!(now() > last, "it was valid still");
        assert!(ends(&mut broker));
        // Who comes back with the ticket isn't asked for the certificate, which has ended.
        let mut again = dialer.dial(place.stage.proxy).expect("TLS doesn't look at it");
        assert!(place.comes(&mut again, &of("d")).is_none());
        assert!(is_resumed(&again), "{versions:?}");
    }
}

#[test]
fn attack_20_sessions_end_when_nobody_vouches_for_their_certificate_any_more() {
    let later = Authority::new("later");
    let place = Place::trusting(&later, Said::default(), "bind = 'client_identifier'");
    let file = place.stage.folder.path().join("devices.pem");
    let mut of_the_old = place.device(&["d"]);
    let mut its_broker = place.stage.join(&mut of_the_old);
    let dialer = place.dialer(&later.vouch(&[], &["d"]));
    let mut of_the_new = dialer.dial(place.stage.proxy).expect("in");
    let mut broker = place.stage.join(&mut of_the_new);
    // A file that is no good changes nothing; one without the old authority ends who rests on it, and nobody else.
    ping(&mut of_the_old, &mut its_broker);
    fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    place.stage.reread();
    ping(&mut of_the_old, &mut its_broker);
    fs::write(&file, &later.pem).expect("written");
    place.stage.reread();
    assert!(ends(&mut of_the_old), "the old authority is trusted for ever");
    assert!(ends(&mut its_broker));
    ping(&mut of_the_new, &mut broker);
}

const DIALECT: &str = r#"
name = "own"
mqtt = ["3.1.1"]
[variables]
tenant = { punctuation = "-" }
[connect]
client_id   = "{device}"
certificate = "{tenant}.{device}"
[[topic]]
kind     = "telemetry"
from     = "device"
template = "{tenant}/{device}/up"
[[topic]]
kind     = "command"
from     = "cloud"
template = "{tenant}/{device}/down"
"#;

/// No tenant is configured: each device's certificate says its own.
#[test]
fn attack_18_the_dialect_reads_tenant_and_device_in_the_certificate() {
    let (folder, authority) = (folder(), Authority::new("authority"));
    let devices = Authority::new("devices");
    authority.vouch(&["localhost"], &[]).write(folder.path(), "server");
    fs::write(folder.path().join("devices.pem"), &devices.pem).expect("written");
    fs::write(folder.path().join("own.toml"), DIALECT).expect("written");
    let listener = format!("{TLS}{CERTIFICATE}bind = 'common_name'");
    let said =
        Said { listener: &listener, from: "./own.toml", to: "./own.toml", ..Said::default() };
    let stage = Stage::new(folder, said);
    let place = Place { stage, authority, devices };
    let mut device = place.device(&["acme.d"]);
    let mut broker = place.stage.join(&mut device);
    // Of three messages the middle one is refused, and the others go on.
    device
        .write_all(b"\x30\x0b\0\x09acme/d/up\x30\x0b\0\x09evil/d/up\x30\x0c\0\x09acme/d/upX")
        .expect("sent");
    device.flush().expect("sent");
    expect(&mut broker, b"\x30\x0b\0\x09acme/d/up\x30\x0c\0\x09acme/d/upX");
    assert!(place.comes(&mut place.device(&["acme.e"]), &of("d")).is_none());
    assert!(place.comes(&mut place.device(&["d"]), &of("d")).is_none());
}

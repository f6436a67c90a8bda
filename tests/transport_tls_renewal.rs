//! New certificates while the proxy runs: who is there stays, what is no good is not taken over.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use secure::*;

const TLS: &str =
    "transport = 'tls'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";

fn shown(device: &ToServer) -> CertificateDer<'static> {
    device.conn.peer_certificates().expect("shown")[0].clone().into_owned()
}

/// Waits until the proxy shows this certificate.
fn await_shown(dialer: &Dialer, proxy: SocketAddr, wanted: &CertificateDer<'_>) -> ToServer {
    let since = Instant::now();
    loop {
        let device = dialer.dial(proxy).expect("in");
        if shown(&device) == *wanted {
            return device;
        }
        assert!(since.elapsed() < DEADLINE, "the new certificate is never shown");
    }
}

/// Whether by a look at the files or because somebody asked; and nobody loses the session.
#[test]
fn a_new_certificate_is_shown_and_no_session_drops() {
    for (check, asks) in [(20, false), (3_600_000, true)] {
        let (folder, authority) = (folder(), Authority::new("authority"));
        authority.vouch(&["localhost"], &[]).write(folder.path(), "server");
        let proxy = format!("certificate_check_ms = {check}");
        let stage = Stage::new(folder, Said { proxy: &proxy, listener: TLS, ..Said::default() });
        let dialer = Dialer::trusting(&authority);
        let mut before = dialer.dial(stage.proxy).expect("in");
        let mut its_broker = stage.join(&mut before);
        ping(&mut before, &mut its_broker);

        let new = authority.vouch(&["localhost"], &[]);
        new.write(stage.folder.path(), "server");
        if asks {
            stage.reread();
        }
        let mut after = await_shown(&dialer, stage.proxy, &new.chain()[0]);
        let mut broker = stage.join(&mut after);
        ping(&mut after, &mut broker);
        ping(&mut before, &mut its_broker);
    }
}

/// Attack 10: a ticket from before is no way around an authority that is no longer trusted.
#[test]
fn attack_10_a_ticket_does_not_outlive_the_authority_that_it_rests_on() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let papers = old.vouch(&[], &["meter"]);
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let (folder, authority) = (folder(), Authority::new("authority"));
        authority.vouch(&["localhost"], &[]).write(folder.path(), "server");
        fs::write(folder.path().join("devices.pem"), &old.pem).expect("written");
        let listener = format!("{TLS}client_ca = 'devices.pem'");
        let proxy = "certificate_check_ms = 20";
        let stage = Stage::new(folder, Said { proxy, listener: &listener, ..Said::default() });
        let dialer = Dialer::new(&authority, Some(&papers), versions);
        for resumed in [false, true] {
            let mut device = dialer.dial(stage.proxy).expect("in");
            stage.join(&mut device);
            assert_eq!(is_resumed(&device), resumed, "{versions:?}");
        }
        fs::write(stage.folder.path().join("devices.pem"), &new.pem).expect("written");
        let since = Instant::now();
        while gets_in(&stage, &dialer) {
            assert!(since.elapsed() < DEADLINE, "{versions:?}: the ticket is good for ever");
        }
    }
}

/// With TLS 1.3 a client learns that it is refused after its handshake.
fn gets_in(stage: &Stage, dialer: &Dialer) -> bool {
    let Ok(mut device) = dialer.dial(stage.proxy) else { return false };
    if device.write_all(CONNECT).and_then(|()| device.flush()).is_err() {
        return false;
    }
    // A connection that is refused never comes to the broker; one that is let in always does.
    stage.broker.set_nonblocking(true).expect("a socket");
    device.sock.set_nonblocking(true).expect("a socket");
    loop {
        match device.read(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return false,
        }
        if stage.broker.accept().is_ok() {
            return true;
        }
        std::thread::yield_now();
    }
}

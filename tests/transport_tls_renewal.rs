//! New certificates while the proxy runs: who is there stays, what is no good is not taken over.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use interlingua::transport::{Reception, Renewal, Trigger};
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

/// What the log got.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines since the last time.
    fn lines(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("a lock"));
        String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
    }
}

/// The certificate that a reception shows.
fn shown_by(reception: &Arc<Reception>, dialer: &Dialer) -> CertificateDer<'static> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let reception = reception.clone();
    let serving = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (socket, peer) = listener.accept().expect("a connection");
            socket.set_nonblocking(true).expect("a socket");
            let socket = tokio::net::TcpStream::from_std(socket).expect("a socket");
            reception.welcome(socket, peer).await.map(drop)
        })
    });
    let device = dialer.dial(address).expect("in");
    serving.join().expect("no panic").expect("welcome");
    shown(&device)
}

#[test]
fn what_is_no_good_is_told_once_and_the_old_stays() {
    let (folder, authority) = (folder(), Authority::new("authority"));
    let folder: &Path = folder.path();
    let [old, other, new] = [(); 3].map(|()| authority.vouch(&["localhost"], &[]));
    old.write(folder, "server");
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let config = configure(folder, nobody, Said { listener: TLS, ..Said::default() });
    let mut renewal = Renewal::default();
    let reception = Reception::new(&config.listeners[0], folder, &mut renewal).expect("good");
    let (reception, dialer) = (Arc::new(reception), Dialer::trusting(&authority));
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    tracing::subscriber::with_default(lines.finish(), || {
        assert_eq!(shown_by(&reception, &dialer), old.chain()[0]);
        renewal.look(Trigger::Clock);
        assert_eq!(log.lines(), [""; 0], "nothing has changed");

        let path = |name: &str| folder.join(name);
        let breaks: [(&str, &dyn Fn(), &str); 6] = [
            (
                "key of another",
                &|| fs::write(path("server.key"), &other.key).expect("written"),
                "doesn't belong",
            ),
            (
                "empty key",
                &|| fs::write(path("server.key"), "").expect("written"),
                "has no private key",
            ),
            (
                "half a certificate",
                &|| fs::write(path("server.pem"), &old.certificate[..200]).expect("written"),
                "server.pem",
            ),
            (
                "no certificate in PEM",
                &|| {
                    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
                    fs::write(path("server.pem"), text).expect("written");
                },
                "server.pem is malformed",
            ),
            ("no file", &|| fs::remove_file(path("server.pem")).expect("removed"), "can't be read"),
            (
                "a folder",
                &|| {
                    fs::remove_file(path("server.pem"))
                        .and_then(|()| fs::create_dir(path("server.pem")))
                        .expect("made")
                },
                "can't be read",
            ),
        ];
        for (what, spoil, told) in breaks {
            old.write(folder, "server");
            spoil();
            renewal.look(Trigger::Clock);
            let lines = log.lines();
            let [line] = lines.as_slice() else { panic!("{what}: {lines:?}") };
            assert!(line.contains("ERROR") && line.contains("the old ones stay"), "{what}: {line}");
            assert!(line.contains(told) && !line.contains("PRIVATE KEY--"), "{what}: {line}");
            renewal.look(Trigger::Clock);
            assert_eq!(log.lines(), [""; 0], "{what}: told once");
            renewal.look(Trigger::Request);
            assert_eq!(log.lines().len(), 1, "{what}: told whenever somebody asks");
            assert_eq!(shown_by(&reception, &dialer), old.chain()[0], "{what}");
            let _ = fs::remove_dir(path("server.pem"));
        }
        new.write(folder, "server");
        renewal.look(Trigger::Clock);
        let lines = log.lines();
        assert!(lines.len() == 1 && lines[0].contains("read again"), "{lines:?}");
        assert_eq!(shown_by(&reception, &dialer), new.chain()[0]);
    });
}

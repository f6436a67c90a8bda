//! What the log says of new certificates. Alone in its process: other tests would write into the same log.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use interlingua::transport::{Coming, Reception, Renewal, Trigger};
use rustls::pki_types::CertificateDer;
use secure::*;

const TLS: &str =
    "transport = 'tls'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";

fn shown(device: &ToServer) -> CertificateDer<'static> {
    device.conn.peer_certificates().expect("shown")[0].clone().into_owned()
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
            reception.welcome(Coming::Tcp(socket), peer).await.map(drop)
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

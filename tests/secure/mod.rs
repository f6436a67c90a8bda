//! The stage of tests with TLS: authorities and certificates made on the spot, a proxy, and the two ends that the test
//! plays itself.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test binary compiles this room for itself and uses a part of it"
)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use interlingua::config::{self, Config};
use interlingua::server::{self, Server};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
    StreamOwned, SupportedProtocolVersion,
};

pub const DEADLINE: Duration = Duration::from_secs(20);
pub const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d";
pub const CONNACK: &[u8] = b"\x20\x02\0\0";
pub const PINGREQ: &[u8] = b"\xC0\0";
pub const PINGRESP: &[u8] = b"\xD0\0";

/// Who vouches.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate and its key, as PEM.
pub struct Papers {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named(&[name]);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these hosts, whose subject has these common names.
    pub fn vouch(&self, hosts: &[&str], common_names: &[&str]) -> Papers {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(hosts).expect("names");
        params.distinguished_name = named(common_names);
        self.sign(&params)
    }

    /// A device's certificate that ends with this second since 1970.
    pub fn vouch_until(&self, common_name: &str, unix_s: u64) -> Papers {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = named(&[common_name]);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(unix_s);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Papers {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Papers { certificate, key: key.serialize_pem() }
    }
}

fn named(common_names: &[&str]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (at, text) in common_names.iter().enumerate() {
        // A distinguished name holds each kind once: a second one is told by its identifier.
        let kind = match at {
            0 => DnType::CommonName,
            _ => DnType::CustomDnType(vec![2, 5, 4, 3]),
        };
        name.push(kind, *text);
    }
    name
}

impl Papers {
    /// Writes both files; `name.pem` and `name.key`.
    pub fn write(&self, folder: &Path, name: &str) {
        fs::write(folder.join(format!("{name}.pem")), &self.certificate).expect("written");
        fs::write(folder.join(format!("{name}.key")), &self.key).expect("written");
    }

    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        let found = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        found.collect::<Result<_, _>>().expect("certificates")
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key")
    }
}

pub type ToServer<S = TcpStream> = StreamOwned<ClientConnection, S>;
pub type ToClient = StreamOwned<ServerConnection, TcpStream>;

/// How a client shakes hands.
#[derive(Clone)]
pub struct Dialer {
    pub config: Arc<ClientConfig>,
    pub name: &'static str,
}

impl Dialer {
    /// Trusts this authority, shows these papers, and knows these versions.
    pub fn new(
        authority: &Authority,
        papers: Option<&Papers>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM"))
            .expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        let config = match papers {
            Some(papers) => {
                builder.with_client_auth_cert(papers.chain(), papers.key()).expect("papers")
            }
            None => builder.with_no_client_auth(),
        };
        Self { config: Arc::new(config), name: "localhost" }
    }

    pub fn trusting(authority: &Authority) -> Self {
        Self::new(authority, None, rustls::ALL_VERSIONS)
    }

    /// Connects and shakes hands to the end.
    pub fn dial(&self, address: SocketAddr) -> std::io::Result<ToServer> {
        self.shake(tcp(address))
    }

    pub fn shake<S: Read + Write>(&self, mut socket: S) -> std::io::Result<ToServer<S>> {
        let name = ServerName::try_from(self.name).expect("a name");
        let mut session = ClientConnection::new(self.config.clone(), name).expect("a client");
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(StreamOwned::new(session, socket))
    }
}

pub fn tcp(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket");
    socket.set_write_timeout(Some(DEADLINE)).expect("a socket");
    socket
}

/// A broker's TLS.
pub fn broker_tls(papers: &Papers, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM"))
                .expect("a root");
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    Arc::new(builder.with_single_cert(papers.chain(), papers.key()).expect("papers"))
}

/// The broker's end of a connection, shaken to the end.
pub fn broker_shake(
    config: &Arc<ServerConfig>,
    mut socket: TcpStream,
) -> std::io::Result<ToClient> {
    let mut session = ServerConnection::new(config.clone()).expect("a server");
    while session.is_handshaking() {
        session.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(session, socket))
}

/// A proxy of `plain` on both sides in a folder of its own, and the broker behind it, which the test plays.
pub struct Stage {
    pub folder: tempfile::TempDir,
    pub broker: TcpListener,
    pub proxy: SocketAddr,
    pub server: Option<Server>,
}

/// What a stage's configuration says beside names and addresses.
#[derive(Default, Clone, Copy)]
pub struct Said<'s> {
    /// 0: one.
    pub shards: usize,
    pub proxy: &'s str,
    pub limits: &'s str,
    pub listener: &'s str,
    pub scheme: &'s str,
    pub upstream: &'s str,
    /// The dialects; `plain` where nothing is said.
    pub from: &'s str,
    pub to: &'s str,
}

/// A configuration in a folder.
pub fn configure(folder: &Path, broker: SocketAddr, said: Said<'_>) -> Config {
    let or = |said: &'_ str, default| if said.is_empty() { default } else { said.to_owned() };
    let scheme = or(said.scheme, "mqtt".to_owned());
    let [from, to] = [said.from, said.to].map(|dialect| or(dialect, "plain".to_owned()));
    let Said { shards, proxy, limits, listener, upstream, .. } = said;
    let shards = shards.max(1);
    let text = format!(
        "[proxy]\nshards = {shards}\n{proxy}\n[limits]\n{limits}\n\
         [[upstream]]\nname = 'b'\ndialect = '{to}'\nurl = '{scheme}://localhost:{}'\n{upstream}\n\
         [[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = '{from}'\nupstream = 'b'\n{listener}\n",
        broker.port()
    );
    let mut read = |lookup: config::Lookup<'_>| match lookup {
        config::Lookup::File(path) => {
            fs::read_to_string(folder.join(path)).map_err(|error| error.to_string())
        }
        config::Lookup::Environment(_) => Err("nothing outside".to_owned()),
    };
    let mut config = config::load("test.toml", &text, &mut read)
        .unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"));
    config.folder = PathBuf::from(folder);
    config
}

impl Stage {
    pub fn new(folder: tempfile::TempDir, said: Said<'_>) -> Self {
        let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
        // Also of `accept`: a test that fails ends.
        socket2::SockRef::from(&broker).set_read_timeout(Some(DEADLINE)).expect("a socket");
        let config = configure(folder.path(), broker.local_addr().expect("an address"), said);
        let server =
            server::start(&config).unwrap_or_else(|errors| panic!("it starts: {errors:?}"));
        let proxy = server.listening[0].1;
        Self { folder, broker, proxy, server: Some(server) }
    }

    /// The broker's end of the next connection.
    pub fn accept(&self) -> TcpStream {
        let (socket, _) = self.broker.accept().expect("a connection");
        socket.set_read_timeout(Some(DEADLINE)).expect("a socket");
        socket.set_write_timeout(Some(DEADLINE)).expect("a socket");
        socket
    }

    /// CONNECT of a device goes to the broker, and CONNACK comes back. The broker's end.
    pub fn join(&self, device: &mut (impl Read + Write)) -> TcpStream {
        device.write_all(CONNECT).expect("sent");
        device.flush().expect("sent");
        let mut broker = self.accept();
        expect(&mut broker, CONNECT);
        broker.write_all(CONNACK).expect("sent");
        expect(device, CONNACK);
        broker
    }

    pub fn reread(&self) {
        self.server.as_ref().expect("a server").read_again();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[track_caller]
pub fn expect(stream: &mut impl Read, wanted: &[u8]) {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got).unwrap_or_else(|error| panic!("{wanted:02x?} awaited: {error}"));
    assert_eq!(got, wanted);
}

/// A packet there and its answer back.
#[track_caller]
pub fn ping(device: &mut (impl Read + Write), broker: &mut (impl Read + Write)) {
    device.write_all(PINGREQ).expect("sent");
    device.flush().expect("sent");
    expect(broker, PINGREQ);
    broker.write_all(PINGRESP).expect("sent");
    broker.flush().expect("sent");
    expect(device, PINGRESP);
}

/// Reads until the end. `false`: it stays open.
pub fn ends(stream: &mut impl Read) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(_) => return true,
        }
    }
}

/// Whether the session's ticket was taken.
pub fn is_resumed<S: Read + Write>(device: &ToServer<S>) -> bool {
    device.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}

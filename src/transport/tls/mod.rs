//! TLS on both sides: what handshakes use at the moment, and how that changes while the proxy runs.
//!
//! Certificates are read again when their files change, or when somebody asks. If the new files are no good, the old
//! ones stay. Connections that are open keep what they began with; whether a device's certificate would still be good can
//! be asked.
//!
//! Invariant: there is always a configuration that works, and nothing here switches verification off.

mod build;
mod files;
mod names;
mod renewal;
mod subject;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::config::{Address, EarlyData, ListenerTls, UpstreamTls};

pub use files::TlsFault;
pub use renewal::{Renewal, Trigger};
pub use subject::{Chain, DeviceCertificate};

use build::Serving;
use renewal::Current;

/// What carries TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// TCP.
    Tcp,
    /// QUIC, which says in the handshake that MQTT is meant, and may take something before its end.
    Quic(EarlyData),
}

/// TLS of a listener.
#[derive(Debug)]
pub(super) struct ServerTls {
    listener: String,
    tls: ListenerTls,
    carrier: Carrier,
    folder: PathBuf,
    current: Current<Serving>,
}

impl ServerTls {
    /// Reads a listener's files. Relative paths start at `folder`.
    pub(super) fn load(
        listener: &str,
        tls: &ListenerTls,
        carrier: Carrier,
        folder: &Path,
    ) -> Result<Self, TlsFault> {
        let config = build::server(tls, carrier, folder)?;
        let current = Current::new(config, files::print(tls.paths(), folder));
        let (listener, tls, folder) = (listener.to_owned(), tls.clone(), folder.to_owned());
        Ok(Self { listener, tls, carrier, folder, current })
    }

    /// What the next handshake uses, and the number of the reading of the files that it is of.
    pub(super) fn current(&self) -> (u64, Arc<ServerConfig>) {
        let (reading, serving) = self.current.get();
        (reading, serving.config.clone())
    }

    /// The server's side of a handshake, and the number of the reading of the files that it went by. The caller bounds the
    /// time.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(u64, TlsStream<TcpStream>)> {
        let (reading, config) = self.current();
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        Ok((reading, TlsStream::Server(stream)))
    }

    /// The number of the latest reading of the files.
    pub(super) fn readings(&self) -> watch::Receiver<u64> {
        self.current.readings()
    }

    /// Whether the authorities of the moment vouch for a certificate that was shown, and as of which reading. Costs what it
    /// costs in a handshake: a signature or several.
    pub(super) fn vouches_for(&self, chain: &Chain) -> (u64, bool) {
        let (reading, serving) = self.current.get();
        let Some((own, others)) = chain.certificates().split_first() else {
            return (reading, false);
        };
        let verdict = serving.clients.verify_client_cert(own, others, UnixTime::now());
        (reading, verdict.is_ok())
    }
}

/// TLS towards an upstream.
#[derive(Debug)]
pub(super) struct ClientTls {
    upstream: String,
    tls: UpstreamTls,
    carrier: Carrier,
    folder: PathBuf,
    name: ServerName<'static>,
    current: Current<ClientConfig>,
}

impl ClientTls {
    /// Reads an upstream's files, or the system's authorities.
    pub(super) fn load(
        upstream: &str,
        tls: &UpstreamTls,
        carrier: Carrier,
        address: &Address,
        folder: &Path,
    ) -> Result<Self, TlsFault> {
        let name = tls.server_name.as_ref().unwrap_or(&address.host);
        let name = ServerName::try_from(name.clone())
            .map_err(|_| TlsFault::Name { name: name.clone() })?;
        let config = build::client(tls, carrier, folder)?;
        let current = Current::new(config, files::print(tls.paths(), folder));
        let (upstream, tls, folder) = (upstream.to_owned(), tls.clone(), folder.to_owned());
        Ok(Self { upstream, tls, carrier, folder, name, current })
    }

    /// What the next handshake uses.
    pub(super) fn current(&self) -> Arc<ClientConfig> {
        self.current.get().1
    }

    /// The name that the broker's certificate has to have.
    pub(super) fn name(&self) -> Cow<'_, str> {
        self.name.to_str()
    }

    /// The client's side of a handshake. The caller bounds the time.
    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(self.current.get().1);
        connector.connect(self.name.clone(), stream).await.map(TlsStream::Client).map_err(explain)
    }
}

const UNKNOWN: &str = "name who vouches for the broker: `ca` under [upstream.tls]";
const MISNAMED: &str =
    "write the name in the broker's certificate: `server_name` under [upstream.tls]";

/// The same where a library gives no more than a text.
pub(super) fn remedy_in(text: &str) -> Option<&'static str> {
    match text {
        _ if text.contains("UnknownIssuer") => Some(UNKNOWN),
        _ if text.contains("not valid for name") => Some(MISNAMED),
        _ => None,
    }
}

/// Says what to do about the fault that everybody meets first.
fn explain(error: io::Error) -> io::Error {
    use rustls::{CertificateError, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let remedy = match inner {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => UNKNOWN,
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => MISNAMED,
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}; {remedy}"))
}

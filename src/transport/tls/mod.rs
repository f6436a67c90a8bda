//! TLS on both sides: what handshakes use at the moment, and how that changes while the proxy runs.
//!
//! Certificates are read again when their files change, or when somebody asks. If the new files are no good, the old
//! ones stay. Connections that are open keep what they began with.
//!
//! Invariant: there is always a configuration that works, and nothing here switches verification off.

mod build;
mod files;
mod names;
mod renewal;
mod subject;

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::config::{Address, ListenerTls, UpstreamTls};

pub use files::TlsFault;
pub use renewal::{Renewal, Trigger};
pub use subject::DeviceCertificate;

use renewal::Current;

/// TLS of a listener.
#[derive(Debug)]
pub(super) struct ServerTls {
    listener: String,
    tls: ListenerTls,
    folder: PathBuf,
    current: Current<ServerConfig>,
}

impl ServerTls {
    /// Reads a listener's files. Relative paths start at `folder`.
    pub(super) fn load(listener: &str, tls: &ListenerTls, folder: &Path) -> Result<Self, TlsFault> {
        let current = Current::new(build::server(tls, folder)?, files::print(tls.paths(), folder));
        let (listener, tls, folder) = (listener.to_owned(), tls.clone(), folder.to_owned());
        Ok(Self { listener, tls, folder, current })
    }

    /// The server's side of a handshake. The caller bounds the time.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.current.get()).accept(stream).await.map(TlsStream::Server)
    }
}

/// TLS towards an upstream.
#[derive(Debug)]
pub(super) struct ClientTls {
    upstream: String,
    tls: UpstreamTls,
    folder: PathBuf,
    name: ServerName<'static>,
    current: Current<ClientConfig>,
}

impl ClientTls {
    /// Reads an upstream's files, or the system's authorities.
    pub(super) fn load(
        upstream: &str,
        tls: &UpstreamTls,
        address: &Address,
        folder: &Path,
    ) -> Result<Self, TlsFault> {
        let name = tls.server_name.as_ref().unwrap_or(&address.host);
        let name = ServerName::try_from(name.clone())
            .map_err(|_| TlsFault::Name { name: name.clone() })?;
        let current = Current::new(build::client(tls, folder)?, files::print(tls.paths(), folder));
        let (upstream, tls, folder) = (upstream.to_owned(), tls.clone(), folder.to_owned());
        Ok(Self { upstream, tls, folder, name, current })
    }

    /// The client's side of a handshake. The caller bounds the time.
    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(self.current.get());
        connector.connect(self.name.clone(), stream).await.map(TlsStream::Client).map_err(explain)
    }
}

/// Says what to do about the fault that everybody meets first.
fn explain(error: io::Error) -> io::Error {
    use rustls::{CertificateError, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let remedy = match inner {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "name who vouches for the broker: `ca` under [upstream.tls]"
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "write the name in the broker's certificate: `server_name` under [upstream.tls]",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}; {remedy}"))
}

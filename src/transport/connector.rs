//! How an upstream is reached.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::tls::{ClientTls, Renewal, TlsFault};
use super::{Caller, Stream, proxy_protocol, tcp, websocket};
use crate::config::{Address, ProxyProtocol, Upstream};

/// Opens connections to one upstream.
#[derive(Debug)]
pub struct Connector {
    address: Address,
    /// How the broker is told whose connection it is.
    proxy_protocol: Option<ProxyProtocol>,
    tls: Option<Arc<ClientTls>>,
    /// Where WebSocket is asked for, if it has to be.
    path: Option<Box<str>>,
}

impl Connector {
    /// The connector of an upstream. Relative paths start at `folder`; what can change is handed to `renewal`.
    ///
    /// # Errors
    /// When certificates, keys or authorities are no good.
    pub fn new(
        upstream: &Upstream,
        folder: &Path,
        renewal: &mut Renewal,
    ) -> Result<Self, TlsFault> {
        let address = upstream.url.address.clone();
        let tls = match &upstream.tls {
            Some(tls) => Some(Arc::new(ClientTls::load(&upstream.name, tls, &address, folder)?)),
            None => None,
        };
        tls.iter().for_each(|tls| renewal.watch_client(tls));
        let path = upstream.url.path.as_deref().map(Into::into);
        Ok(Self { address, proxy_protocol: upstream.proxy_protocol, tls, path })
    }

    /// Whether the broker is told whose connection it is.
    #[must_use]
    pub fn names_caller(&self) -> bool {
        self.proxy_protocol.is_some()
    }

    /// Opens a connection. Who calls bounds the time. `caller`: whose connection it is, if the broker is to be told.
    ///
    /// # Errors
    /// When nobody answers, or the answer is not to be trusted.
    pub async fn connect(&self, caller: Option<Caller>) -> io::Result<Stream> {
        let mut stream = tcp::connect(&self.address).await?;
        if let (Some(version), Some(caller)) = (self.proxy_protocol, caller) {
            stream.write_all(&proxy_protocol::write(version, caller)?).await?;
        }
        let stream = match &self.tls {
            Some(tls) => Stream::from(tls.connect(stream).await?),
            None => Stream::from(stream),
        };
        let Some(path) = &self.path else { return Ok(stream) };
        let authority = self.address.to_string();
        Ok(websocket::connect(stream, &authority, path).await?.into())
    }
}

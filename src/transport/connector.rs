//! How an upstream is reached.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::tls::{ClientTls, Renewal, TlsFault};
use super::{Stream, tcp, websocket};
use crate::config::{Address, Upstream};

/// Opens connections to one upstream.
#[derive(Debug)]
pub struct Connector {
    address: Address,
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
        Ok(Self { address, tls, path: upstream.url.path.as_deref().map(Into::into) })
    }

    /// Opens a connection. The caller bounds the time.
    ///
    /// # Errors
    /// When nobody answers, or the answer is not to be trusted.
    pub async fn connect(&self) -> io::Result<Stream> {
        let stream = tcp::connect(&self.address).await?;
        let stream = match &self.tls {
            Some(tls) => Stream::from(tls.connect(stream).await?),
            None => Stream::from(stream),
        };
        let Some(path) = &self.path else { return Ok(stream) };
        let authority = self.address.to_string();
        Ok(websocket::connect(stream, &authority, path).await?.into())
    }
}

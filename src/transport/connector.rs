//! How an upstream is reached.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::tls::{ClientTls, Renewal, TlsFault};
use super::{Stream, tcp};
use crate::config::{Address, Upstream};

/// Opens connections to one upstream.
#[derive(Debug)]
pub struct Connector {
    address: Address,
    tls: Option<Arc<ClientTls>>,
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
        Ok(Self { address, tls })
    }

    /// Opens a connection. The caller bounds the time.
    ///
    /// # Errors
    /// When nobody answers, or the answer is not to be trusted.
    pub async fn connect(&self) -> io::Result<Stream> {
        let stream = tcp::connect(&self.address).await?;
        Ok(match &self.tls {
            Some(tls) => Stream::Tls(Box::new(tls.connect(stream).await?)),
            None => Stream::Tcp(stream),
        })
    }
}

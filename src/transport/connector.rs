//! How an upstream is reached.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::quic::{QuicClient, QuicEndpoints};
use super::tls::{Carrier, ClientTls, Renewal, TlsFault};
use super::{Caller, Stream, proxy_protocol, tcp, websocket};
use crate::config::{Address, EarlyData, ProxyProtocol, Scheme, Upstream};

/// Opens connections to one upstream.
#[derive(Debug)]
pub struct Connector {
    address: Address,
    /// How the broker is told whose connection it is.
    proxy_protocol: Option<ProxyProtocol>,
    tls: Option<Arc<ClientTls>>,
    /// Where WebSocket is asked for, if it has to be.
    path: Option<Box<str>>,
    /// `None`: over TCP.
    quic: Option<QuicClient>,
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
        let carrier = match upstream.url.scheme {
            Scheme::Quic => Carrier::Quic(EarlyData::Off),
            Scheme::Mqtt | Scheme::Mqtts | Scheme::Ws | Scheme::Wss => Carrier::Tcp,
        };
        let load = |tls| ClientTls::load(&upstream.name, tls, carrier, &address, folder);
        let tls = upstream.tls.as_ref().map(load).transpose()?.map(Arc::new);
        tls.iter().for_each(|tls| renewal.watch_client(tls));
        let quic = match (carrier, &tls) {
            (Carrier::Quic(_), Some(tls)) => Some(QuicClient::new(tls.clone())?),
            _ => None,
        };
        let path = upstream.url.path.as_deref().map(Into::into);
        Ok(Self { address, proxy_protocol: upstream.proxy_protocol, tls, path, quic })
    }

    /// Whether the broker is told whose connection it is.
    #[must_use]
    pub fn names_caller(&self) -> bool {
        self.proxy_protocol.is_some()
    }

    /// Opens a connection. Who calls bounds the time. `endpoints`: the own shard's. `caller`: whose connection it is, if the
    /// broker is to be told.
    ///
    /// # Errors
    /// When nobody answers, or the answer is not to be trusted.
    pub async fn connect(
        &self,
        endpoints: &QuicEndpoints,
        caller: Option<Caller>,
    ) -> io::Result<Stream> {
        if let Some(quic) = &self.quic {
            return Ok(quic.connect(&self.address, endpoints).await?.into());
        }
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

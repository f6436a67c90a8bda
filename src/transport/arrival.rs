//! What happens to a device's connection before its first MQTT byte.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::tls::{Renewal, ServerTls, TlsFault};
use super::{Stream, proxy_protocol, websocket};
use crate::config::{Listener, ProxyHeader};

/// How a listener's connections become byte streams.
#[derive(Debug)]
pub struct Reception {
    header: ProxyHeader,
    tls: Option<Arc<ServerTls>>,
    /// Where WebSocket is asked for, if it has to be.
    path: Option<Box<str>>,
}

/// A connection that can speak MQTT.
#[derive(Debug)]
pub struct Arrival {
    /// Its bytes.
    pub stream: Stream,
    /// Whose it is: where the PROXY protocol is spoken, whom the balancer names.
    pub peer: SocketAddr,
}

impl Reception {
    /// The reception of a listener. Relative paths start at `folder`; what can change is handed to `renewal`.
    ///
    /// # Errors
    /// When certificates, keys or authorities are no good.
    pub fn new(
        listener: &Listener,
        folder: &Path,
        renewal: &mut Renewal,
    ) -> Result<Self, TlsFault> {
        let tls = match &listener.tls {
            Some(tls) => Some(Arc::new(ServerTls::load(&listener.name, tls, folder)?)),
            None => None,
        };
        tls.iter().for_each(|tls| renewal.watch_server(tls));
        Ok(Self {
            header: listener.proxy_protocol,
            tls,
            path: listener.path.as_deref().map(Into::into),
        })
    }

    /// Whether a connection is ready as it comes.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.header == ProxyHeader::Off && self.tls.is_none() && self.path.is_none()
    }

    /// Does what has to be done before MQTT. The caller bounds the time, and may drop the future.
    ///
    /// # Errors
    /// When the peer does something else, or is gone.
    pub async fn welcome(&self, mut stream: TcpStream, peer: SocketAddr) -> io::Result<Arrival> {
        let peer = match self.header {
            ProxyHeader::Off => peer,
            ProxyHeader::Required => proxy_protocol::read(&mut stream).await?.unwrap_or(peer),
        };
        let stream = match &self.tls {
            None => Stream::from(stream),
            Some(tls) => Stream::from(tls.accept(stream).await?),
        };
        let stream = match &self.path {
            None => stream,
            Some(path) => websocket::accept(stream, path).await?.into(),
        };
        Ok(Arrival { stream, peer })
    }
}

//! What happens to a device's connection before its first MQTT byte.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::quic::{self, QuicServer};
use super::tcp::{self, Listening};
use super::tls::{Carrier, Renewal, ServerTls, TlsFault};
use super::{Chain, Stream, proxy_protocol, websocket};
use crate::config::{Address, Listener, ProxyHeader};

/// How a listener's connections become byte streams.
#[derive(Debug)]
pub struct Reception {
    header: ProxyHeader,
    tls: Option<Arc<ServerTls>>,
    /// Where WebSocket is asked for, if it has to be.
    path: Option<Box<str>>,
    /// `None`: over TCP.
    quic: Option<QuicServer>,
}

/// A connection that has come to a listener, and has not said a word.
#[derive(Debug)]
pub enum Coming {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over QUIC: its first packet.
    Quic(Box<quinn::Incoming>),
}

/// A connection that can speak MQTT.
#[derive(Debug)]
pub struct Arrival {
    /// Its bytes.
    pub stream: Stream,
    /// Whose it is: where the PROXY protocol is spoken, whom the balancer names.
    pub peer: SocketAddr,
    /// The reading of the listener's certificates and authorities that its handshake went by; 0 without TLS.
    pub reading: u64,
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
        let carrier = match &listener.quic {
            Some(quic) => Carrier::Quic(quic.early_data),
            None => Carrier::Tcp,
        };
        let tls = match &listener.tls {
            Some(tls) => Some(Arc::new(ServerTls::load(&listener.name, tls, carrier, folder)?)),
            None => None,
        };
        tls.iter().for_each(|tls| renewal.watch_server(tls));
        let quic = match (&listener.quic, &tls) {
            (Some(quic), Some(tls)) => Some(QuicServer::new(tls.clone(), quic)?),
            _ => None,
        };
        let path = listener.path.as_deref().map(Into::into);
        Ok(Self { header: listener.proxy_protocol, tls, path, quic })
    }

    /// Binds an address once per shard. All or nothing: what was bound is closed on an error.
    ///
    /// # Errors
    /// When the host has no address, or the port is taken by somebody else.
    pub fn bind(&self, address: &Address, shards: usize) -> io::Result<Listening> {
        match &self.quic {
            Some(_) => quic::bind(address, shards),
            None => tcp::bind(address, shards),
        }
    }

    /// QUIC, if that is how connections come.
    #[must_use]
    pub fn quic(&self) -> Option<&QuicServer> {
        self.quic.as_ref()
    }

    /// Whether a connection is ready as it comes.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.header == ProxyHeader::Off && self.tls.is_none() && self.path.is_none()
    }

    /// Whether a balancer says whose a connection is.
    #[must_use]
    pub fn is_told_whose(&self) -> bool {
        self.header == ProxyHeader::Required
    }

    /// Reads what a balancer says of whose the connection is, which comes before all else. `None`: it is the peer's own.
    ///
    /// # Errors
    /// When there is no header, or the peer is gone.
    pub async fn read_whose(&self, coming: &mut Coming) -> io::Result<Option<SocketAddr>> {
        match (coming, self.header) {
            (Coming::Tcp(stream), ProxyHeader::Required) => proxy_protocol::read(stream).await,
            (Coming::Tcp(_) | Coming::Quic(_), _) => Ok(None),
        }
    }

    /// Does what else has to be done before MQTT. The caller bounds the time, and may drop the future.
    ///
    /// # Errors
    /// When the peer does something else, or is gone.
    pub async fn welcome(&self, coming: Coming, peer: SocketAddr) -> io::Result<Arrival> {
        match (coming, &self.quic) {
            (Coming::Tcp(stream), _) => self.welcome_tcp(stream, peer).await,
            (Coming::Quic(incoming), Some(quic)) => {
                let (reading, stream) = quic.accept(*incoming).await?;
                Ok(Arrival { stream: stream.into(), peer, reading })
            }
            (Coming::Quic(_), None) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    async fn welcome_tcp(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<Arrival> {
        let (reading, stream) = match &self.tls {
            None => (0, Stream::from(stream)),
            Some(tls) => {
                let (reading, stream) = tls.accept(stream).await?;
                (reading, Stream::from(stream))
            }
        };
        let stream = match &self.path {
            None => stream,
            Some(path) => websocket::accept(stream, path).await?.into(),
        };
        Ok(Arrival { stream, peer, reading })
    }

    /// The number of the latest reading of certificates and authorities; `None`: there are none.
    #[must_use]
    pub fn readings(&self) -> Option<watch::Receiver<u64>> {
        self.tls.as_ref().map(|tls| tls.readings())
    }

    /// Whether the listener's authorities still vouch for what the device has shown, and as of which reading.
    #[must_use]
    pub fn vouches_for(&self, chain: Option<&Chain>) -> (u64, bool) {
        match (&self.tls, chain) {
            (Some(tls), Some(chain)) => tls.vouches_for(chain),
            // Without TLS there is nobody to vouch, and nothing to be asked.
            _ => (0, false),
        }
    }
}

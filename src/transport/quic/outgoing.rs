//! A shard's sockets of QUIC, and the way to an upstream: one socket per kind of address, for all connections.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectionError, Endpoint};

use crate::config::Address;
use crate::transport::dial::first_that_answers;
use crate::transport::tls::{ClientTls, TlsFault, remedy_in};

use super::stream::QuicStream;
use super::{Room, no_suite};

/// How long an upstream may give no sign of life, and how often it is asked for one. Devices may be silent for hours.
const IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long the last packets of a shard that ends may take to be sent.
const SETTLING: Duration = Duration::from_millis(500);

/// A shard's sockets of QUIC. They belong to its thread.
#[derive(Debug, Default)]
pub struct QuicEndpoints {
    v4: OnceCell<Endpoint>,
    v6: OnceCell<Endpoint>,
    listening: RefCell<Vec<Endpoint>>,
}

impl QuicEndpoints {
    /// The socket from which an address is reached; opened when it is first needed.
    fn towards(&self, address: SocketAddr) -> io::Result<&Endpoint> {
        let (cell, any) = match address {
            SocketAddr::V4(_) => (&self.v4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            SocketAddr::V6(_) => (&self.v6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
        };
        if let Some(endpoint) = cell.get() {
            return Ok(endpoint);
        }
        let endpoint = Endpoint::client(any)?;
        Ok(cell.get_or_init(|| endpoint))
    }

    /// Remembers a listener's socket.
    pub fn keep(&self, endpoint: Endpoint) {
        self.listening.borrow_mut().push(endpoint);
    }

    /// Refuses whoever comes from now on; connections that are there go on.
    pub fn refuse_new(&self) {
        for endpoint in self.listening.borrow().iter() {
            endpoint.set_server_config(None);
        }
    }

    /// Waits a little until the other ends have been told of the end of their connections.
    pub async fn settle(&self) {
        let outgoing = [self.v4.get(), self.v6.get()].into_iter().flatten().cloned();
        let all: Vec<Endpoint> = self.listening.take().into_iter().chain(outgoing).collect();
        let idle = async {
            for endpoint in &all {
                endpoint.wait_idle().await;
            }
        };
        // Whoever isn't told notices by himself.
        let _ = tokio::time::timeout(SETTLING, idle).await;
    }
}

/// QUIC towards one upstream. All shards share it.
pub(in crate::transport) struct QuicClient {
    tls: Arc<ClientTls>,
    made: Mutex<Made>,
}

/// A configuration and what it was made of, which changes with the certificates.
struct Made {
    of: Arc<rustls::ClientConfig>,
    config: ClientConfig,
}

impl std::fmt::Debug for QuicClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicClient").finish_non_exhaustive()
    }
}

impl QuicClient {
    pub(in crate::transport) fn new(tls: Arc<ClientTls>) -> Result<Self, TlsFault> {
        let of = tls.current();
        let config = config(of.clone())?;
        Ok(Self { tls, made: Mutex::new(Made { of, config }) })
    }

    fn config(&self) -> io::Result<ClientConfig> {
        let tls = self.tls.current();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&made.of, &tls) {
            let config = config(tls.clone()).map_err(io::Error::other)?;
            *made = Made { of: tls, config };
        }
        Ok(made.config.clone())
    }

    /// Opens a connection with its one stream, from the sockets of the own shard. The caller bounds the time.
    pub(in crate::transport) async fn connect(
        &self,
        address: &Address,
        endpoints: &QuicEndpoints,
    ) -> io::Result<QuicStream> {
        first_that_answers(address, async |candidate| {
            let endpoint = endpoints.towards(candidate)?;
            let name = self.tls.name();
            let connecting = endpoint
                .connect_with(self.config()?, candidate, &name)
                .map_err(io::Error::other)?;
            let connection = connecting.await.map_err(explain)?;
            let (send, receive) = connection.open_bi().await?;
            Ok(QuicStream::new(connection, send, receive, None))
        })
        .await
    }
}

/// Says what to do about the faults that everybody meets first.
fn explain(error: ConnectionError) -> io::Error {
    let text = error.to_string();
    match remedy_in(&text) {
        Some(remedy) => io::Error::other(format!("{text}; {remedy}")),
        None => error.into(),
    }
}

fn config(tls: Arc<rustls::ClientConfig>) -> Result<ClientConfig, TlsFault> {
    let crypto = QuicClientConfig::try_from(tls).map_err(|error| no_suite(&error))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    // The broker opens no streams.
    config.transport_config(Arc::new(super::transport(
        Room { both_ways: 0, one_way: 0 },
        IDLE,
        Some(KEEP_ALIVE),
    )));
    Ok(config)
}

//! A listener's side of QUIC: what every shard's socket uses, and what a connection goes through before its first byte.

use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, PoisonError};

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime, VarInt};

use crate::config::{AddressValidation, EarlyData, ListenerQuic};
use crate::transport::tls::{ServerTls, TlsFault};

use super::routing::OfShard;
use super::stream::QuicStream;
use super::{Room, WINDOW_BEFORE, no_suite};

/// Connections whose first packet waits to be looked at, of each shard.
const WAITING_MAX: usize = 1024;

/// Bytes that may wait for each of them, and for all: what follows a first packet before somebody has looked at it.
const WAITING_BYTES_EACH: u64 = 16 * 1024;
const WAITING_BYTES: u64 = 8 << 20;

/// Whether a device has to show that it is where its packets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// It has to, whatever the listener's configuration says.
    Required,
    /// It has to where the listener asks each device.
    AsConfigured,
}

/// QUIC of a listener. All its shards share it.
#[derive(Debug)]
pub struct QuicServer {
    tls: Arc<ServerTls>,
    early_data: EarlyData,
    address_validation: AddressValidation,
    /// All shards have one key for resets: a packet may get to a shard that doesn't know its connection.
    endpoint: EndpointConfig,
    /// Of a device that is accepted.
    window: VarInt,
    made: Mutex<Made>,
}

/// A configuration, and the reading of the certificates that it was made of.
struct Made {
    reading: u64,
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").finish_non_exhaustive()
    }
}

impl QuicServer {
    pub(in crate::transport) fn new(
        tls: Arc<ServerTls>,
        quic: &ListenerQuic,
    ) -> Result<Self, TlsFault> {
        let (reading, of) = tls.current();
        let crypto = QuicServerConfig::try_from(of.clone()).map_err(|error| no_suite(&error))?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        let others = u32::from(quic.streams_max);
        let room = Room { both_ways: 1 + others, one_way: others };
        let mut transport = super::transport(room, quic.idle_timeout, quic.keep_alive);
        transport.receive_window(room.window().min(VarInt::from_u32(WINDOW_BEFORE)));
        config
            .transport_config(Arc::new(transport))
            .max_incoming(WAITING_MAX)
            .incoming_buffer_size(WAITING_BYTES_EACH)
            .incoming_buffer_size_total(WAITING_BYTES);
        Ok(Self {
            tls,
            early_data: quic.early_data,
            address_validation: quic.address_validation,
            endpoint: EndpointConfig::default(),
            window: room.window(),
            made: Mutex::new(Made { reading, config: Arc::new(config) }),
        })
    }

    /// What new connections use. It was made when the certificates were read the last time, which has this number.
    fn config(&self) -> io::Result<(u64, Arc<ServerConfig>)> {
        let (reading, tls) = self.tls.current();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.reading != reading {
            let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
            // The keys of tokens stay: whoever has shown its address needn't do it again.
            let mut config = ServerConfig::clone(&made.config);
            config.crypto = Arc::new(crypto);
            *made = Made { reading, config: Arc::new(config) };
        }
        Ok((reading, made.config.clone()))
    }

    /// Begins to hear a shard's socket. It has to be called on the shard.
    ///
    /// # Errors
    /// When the socket can't be used.
    pub fn listen(&self, socket: UdpSocket, shard: usize, shards: usize) -> io::Result<Endpoint> {
        let mut endpoint = self.endpoint.clone();
        endpoint.cid_generator(move || Box::new(OfShard::new(shard, shards)));
        let config = ServerConfig::clone(&*self.config()?.1);
        Endpoint::new(endpoint, Some(config), socket, Arc::new(TokioRuntime))
    }

    /// Whether a connection goes on. `None`: it has been told to show where it is, and comes again.
    #[must_use]
    pub fn validated(&self, incoming: Incoming, showing: Showing) -> Option<Incoming> {
        let asked =
            self.address_validation == AddressValidation::Always || showing == Showing::Required;
        if !asked || incoming.remote_address_validated() {
            return Some(incoming);
        }
        match incoming.retry() {
            Ok(()) => None,
            // It was told before, and its address is shown by that.
            Err(error) => Some(error.into_incoming()),
        }
    }

    /// Shakes hands and waits for the device's first stream; with the number of the reading of the certificates that this went
    /// by. The caller bounds the time, and may drop the future.
    pub(in crate::transport) async fn accept(
        &self,
        incoming: Incoming,
    ) -> io::Result<(u64, QuicStream)> {
        let (reading, config) = self.config()?;
        let connecting = incoming.accept_with(config)?;
        let (connection, confirmed) = match self.early_data {
            EarlyData::Off => (connecting.await?, None),
            EarlyData::Connect => match connecting.into_0rtt() {
                Ok((connection, confirmed)) => (connection, Some(confirmed)),
                Err(connecting) => (connecting.await?, None),
            },
        };
        let (send, receive) = connection.accept_bi().await?;
        let confirmed = confirmed.filter(|_| receive.is_0rtt());
        let first = QuicStream::new(connection, send, receive, confirmed);
        Ok((reading, first.widening_to(self.window)))
    }
}

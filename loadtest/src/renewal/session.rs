//! A session that sends, a message after the other, each at QoS 1.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connack, Connect, Disconnect, PacketIdentifier,
    PacketType, Properties, Publish, Qos, ReasonCode, Version, next_packet,
};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::results::Histogram;
use crate::stage::HOST;

/// For each answer.
const PATIENCE: Duration = Duration::from_secs(30);
const PACKET_SIZE_MAX: usize = 1024;
const VERSION: Version = Version::V311;
/// How often a silent connection over QUIC says that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// What a session is carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Tls,
    Quic,
}

impl Carrier {
    pub(super) const ALL: [Self; 2] = [Self::Tls, Self::Quic];

    /// The listener that takes it.
    pub(super) fn listener(self) -> &'static str {
        match self {
            Carrier::Tls => "tls",
            Carrier::Quic => "quic",
        }
    }
}

/// What all sessions share.
pub(super) struct Devices {
    pub(super) addresses: [SocketAddr; 2],
    tls: TlsConnector,
    endpoint: quinn::Endpoint,
    pub(super) pause: Duration,
    /// Whether sessions say good-bye.
    pub(super) over: Cell<bool>,
    pub(super) connected: Cell<u32>,
    pub(super) sent: Cell<u64>,
    pub(super) acknowledged: Cell<u64>,
    pub(super) latency: RefCell<Histogram>,
}

/// Both directions of a connection, and what keeps it.
pub(super) struct Line<S> {
    stream: S,
    kept: Vec<u8>,
}

/// A stream of bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl Devices {
    /// Has to be called where a runtime is.
    pub(super) fn new(
        addresses: [SocketAddr; 2],
        config: rustls::ClientConfig,
        pause: Duration,
    ) -> anyhow::Result<Rc<Self>> {
        let mut quic = config.clone();
        quic.alpn_protocols = vec![b"mqtt".to_vec()];
        let mut quic = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(quic)?));
        let mut transport = quinn::TransportConfig::default();
        transport.keep_alive_interval(Some(SIGN_OF_LIFE));
        quic.transport_config(Arc::new(transport));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut endpoint = quinn::Endpoint::client(any).context("a socket for QUIC")?;
        endpoint.set_default_client_config(quic);
        Ok(Rc::new(Self {
            addresses,
            tls: TlsConnector::from(Arc::new(config)),
            endpoint,
            pause,
            over: Cell::default(),
            connected: Cell::default(),
            sent: Cell::default(),
            acknowledged: Cell::default(),
            latency: RefCell::new(crate::results::new_histogram()),
        }))
    }

    async fn dial(&self, carrier: Carrier) -> anyhow::Result<(Box<dyn Stream>, Vec<u8>)> {
        let [tls, quic] = self.addresses;
        match carrier {
            Carrier::Tls => {
                let socket = TcpStream::connect(tls).await?;
                socket.set_nodelay(true)?;
                let stream = self.tls.connect(ServerName::try_from(HOST)?, socket).await?;
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let shown = shown.context("no certificate")?.to_vec();
                Ok((Box::new(stream), shown))
            }
            Carrier::Quic => {
                let connection = self.endpoint.connect(quic, HOST)?.await?;
                let identity = connection.peer_identity().context("no certificate")?;
                let chain = identity.downcast::<Vec<CertificateDer<'static>>>();
                let chain = chain.map_err(|_| anyhow::anyhow!("an unknown kind of certificate"))?;
                let shown = chain.first().context("no certificate")?.to_vec();
                let (send, receive) = connection.open_bi().await?;
                Ok((Box::new(tokio::io::join(receive, send)), shown))
            }
        }
    }

    /// One session, until it is over.
    pub(super) async fn session(
        &self,
        number: u32,
        carrier: Carrier,
        turns: &Semaphore,
    ) -> anyhow::Result<()> {
        let turn = turns.acquire().await?;
        let (mut line, _) = self.enter(&format!("device-{number}"), carrier).await?;
        drop(turn);
        self.connected.set(self.connected.get() + 1);
        let topic = format!("renewal/{number}");
        for count in 1_u64.. {
            if self.over.get() {
                break;
            }
            let began = Instant::now();
            let low = (count % u64::from(u16::MAX)) as u16 + 1;
            let identifier = PacketIdentifier::new(low).context("0")?;
            self.sent.set(self.sent.get() + 1);
            line.publish(&topic, identifier).await?;
            self.acknowledged.set(self.acknowledged.get() + 1);
            let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.latency.borrow_mut().saturating_record(took);
            tokio::time::sleep(self.pause.saturating_sub(began.elapsed())).await;
        }
        line.leave().await
    }

    /// A new connection that is let in, and goes. The certificate that it was shown.
    pub(super) async fn probe(&self, number: u32, carrier: Carrier) -> anyhow::Result<Vec<u8>> {
        let (line, shown) = self.enter(&format!("probe-{number}"), carrier).await?;
        line.leave().await?;
        Ok(shown)
    }

    async fn enter(
        &self,
        name: &str,
        carrier: Carrier,
    ) -> anyhow::Result<(Line<Box<dyn Stream>>, Vec<u8>)> {
        let (stream, shown) = within(self.dial(carrier)).await.context("shaking hands")?;
        let mut line = Line { stream, kept: Vec::new() };
        line.connect(name).await?;
        Ok((line, shown))
    }
}

impl<S: Stream> Line<S> {
    async fn connect(&mut self, name: &str) -> anyhow::Result<()> {
        let connect = Connect {
            version: VERSION,
            clean_start: true,
            keep_alive_seconds: 60,
            client_identifier: name,
            properties: Properties::EMPTY,
            will: None,
            user_name: None,
            password: None,
        };
        let mut bytes = Vec::new();
        connect.encode(&mut bytes)?;
        self.write(&bytes).await.context("CONNECT")?;
        let answer = within(self.next()).await.context("CONNACK")?;
        let raw = next_packet(&answer, VERSION, PACKET_SIZE_MAX)?.context("half a packet")?;
        let connack = Connack::decode(raw, VERSION)?;
        if connack.reason_code != ReasonCode::Success {
            bail!("CONNACK with {:?}", connack.reason_code);
        }
        Ok(())
    }

    /// Sends a message and waits for its PUBACK.
    async fn publish(&mut self, topic: &str, identifier: PacketIdentifier) -> anyhow::Result<()> {
        let publish = Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic_name: topic,
            packet_identifier: Some(identifier),
            properties: Properties::EMPTY,
            payload: b"a message while certificates are replaced",
        };
        let mut bytes = Vec::new();
        publish.encode(VERSION, &mut bytes)?;
        self.write(&bytes).await.context("PUBLISH")?;
        let answer = within(self.next()).await.context("PUBACK")?;
        let raw = next_packet(&answer, VERSION, PACKET_SIZE_MAX)?.context("half a packet")?;
        if raw.packet_type != PacketType::Puback {
            bail!("{:?} instead of PUBACK", raw.packet_type);
        }
        let found = Acknowledgement::decode(raw, VERSION)?;
        let wanted = Acknowledgement::success(AcknowledgementKind::Puback, identifier);
        if found != wanted {
            bail!("{found:?} instead of {wanted:?}");
        }
        Ok(())
    }

    async fn leave(mut self) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        let disconnect =
            Disconnect { reason_code: ReasonCode::Success, properties: Properties::EMPTY };
        disconnect.encode(VERSION, &mut bytes)?;
        self.write(&bytes).await.context("DISCONNECT")?;
        // Until the proxy has read it; how the connection then ends is no matter.
        let _ = within(async { Ok(self.stream.read(&mut [0; 64]).await?) }).await;
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        within(async {
            self.stream.write_all(bytes).await?;
            Ok(self.stream.flush().await?)
        })
        .await
    }

    /// The next packet.
    async fn next(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            let found = next_packet(&self.kept, VERSION, PACKET_SIZE_MAX)?;
            if let Some(length) = found.map(|raw| raw.bytes.len()) {
                return Ok(self.kept.drain(..length).collect());
            }
            let mut buffer = [0; 256];
            match self.stream.read(&mut buffer).await? {
                0 => bail!("the connection has ended"),
                read => self.kept.extend_from_slice(&buffer[..read]),
            }
        }
    }
}

async fn within<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| bail!("nothing for {} s", PATIENCE.as_secs()))
}

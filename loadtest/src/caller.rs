//! A device that comes by itself, over TCP, TLS or QUIC: it connects, sends a message now and then, and goes.
//!
//! It isn't for load: each of its steps is awaited, and it allocates.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use interlingua::mqtt::{
    Acknowledgement, AcknowledgementKind, Connack, Connect, Disconnect, PacketIdentifier,
    PacketType, Properties, Publish, Qos, ReasonCode, Version, next_packet,
};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::stage::HOST;

/// For each answer.
const PATIENCE: Duration = Duration::from_secs(30);
const PACKET_SIZE_MAX: usize = 1024;
const VERSION: Version = Version::V311;
/// How often a silent connection over QUIC says that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
const PAYLOAD: &[u8] = b"a message of one that has come by itself";

/// What a connection is carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Tls,
    Quic,
}

impl Carrier {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Carrier::Tcp => "tcp",
            Carrier::Tls => "tls",
            Carrier::Quic => "quic",
        }
    }
}

/// Where a device comes from, where it goes, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// Over QUIC it is the caller's own.
    pub(crate) source: IpAddr,
    pub(crate) target: SocketAddr,
    pub(crate) carrier: Carrier,
}

/// Whom devices trust, and the socket of those that come over QUIC.
pub(crate) struct Caller {
    tls: TlsConnector,
    endpoint: quinn::Endpoint,
}

/// Both directions of a connection whose CONNECT was accepted, and what was read too much.
pub(crate) struct Line {
    stream: Box<dyn Stream>,
    kept: Vec<u8>,
}

/// A stream of bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl Caller {
    /// Over QUIC all devices come from `source`, by one socket. Has to be called where a runtime is.
    ///
    /// # Errors
    /// No socket can be had there.
    pub(crate) fn new(config: rustls::ClientConfig, source: IpAddr) -> anyhow::Result<Self> {
        let mut quic = config.clone();
        quic.alpn_protocols = vec![b"mqtt".to_vec()];
        let mut quic = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(quic)?));
        let mut transport = quinn::TransportConfig::default();
        transport.keep_alive_interval(Some(SIGN_OF_LIFE));
        quic.transport_config(Arc::new(transport));
        let any = SocketAddr::new(source, 0);
        let mut endpoint = quinn::Endpoint::client(any).context("a socket for QUIC")?;
        endpoint.set_default_client_config(quic);
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), endpoint })
    }

    /// A device that is let in, and the certificate that it was shown, if there is one.
    ///
    /// # Errors
    /// It isn't let in, or has to wait for too long.
    pub(crate) async fn enter(
        &self,
        name: &str,
        route: Route,
    ) -> anyhow::Result<(Line, Option<Vec<u8>>)> {
        let dialled = within(self.dial(route)).await;
        let (stream, shown) = dialled.context("shaking hands")?;
        let mut line = Line { stream, kept: Vec::new() };
        line.connect(name).await?;
        Ok((line, shown))
    }

    async fn dial(&self, route: Route) -> anyhow::Result<(Box<dyn Stream>, Option<Vec<u8>>)> {
        let Route { source, target, carrier } = route;
        match carrier {
            Carrier::Tcp => Ok((Box::new(tcp(target, source).await?), None)),
            Carrier::Tls => {
                let socket = tcp(target, source).await?;
                let stream = self.tls.connect(ServerName::try_from(HOST)?, socket).await?;
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let shown = shown.map(|shown| shown.to_vec());
                Ok((Box::new(stream), shown))
            }
            Carrier::Quic => {
                let connection = self.endpoint.connect(target, HOST)?.await?;
                let identity = connection.peer_identity().context("no certificate")?;
                let chain = identity.downcast::<Vec<CertificateDer<'static>>>();
                let chain = chain.map_err(|_| anyhow::anyhow!("an unknown kind of certificate"))?;
                let shown = chain.first().map(|shown| shown.to_vec());
                let (send, receive) = connection.open_bi().await?;
                Ok((Box::new(tokio::io::join(receive, send)), shown))
            }
        }
    }
}

async fn tcp(target: SocketAddr, source: IpAddr) -> anyhow::Result<TcpStream> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    socket.bind(SocketAddr::new(source, 0))?;
    Ok(socket.connect(target).await?)
}

/// The CONNECT of MQTT 3.1.1 of a device that shows nothing but its name.
///
/// # Errors
/// The name is too long.
pub(crate) fn connect_packet(name: &str) -> anyhow::Result<Vec<u8>> {
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
    Ok(bytes)
}

impl Line {
    async fn connect(&mut self, name: &str) -> anyhow::Result<()> {
        let bytes = connect_packet(name)?;
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
    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        identifier: PacketIdentifier,
    ) -> anyhow::Result<()> {
        let publish = Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic_name: topic,
            packet_identifier: Some(identifier),
            properties: Properties::EMPTY,
            payload: PAYLOAD,
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

    /// Says good-bye.
    pub(crate) async fn leave(mut self) -> anyhow::Result<()> {
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

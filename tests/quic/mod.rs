//! The two ends of tests over QUIC: a device that opens streams, and a broker that takes them. They block like sockets, so
//! that what is written for those plays them.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test binary compiles this room for itself and uses a part of it"
)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connecting, Connection, Endpoint, RecvStream, SendStream, TransportConfig, VarInt};
use tokio::runtime::Handle;

use crate::secure::{Authority, DEADLINE, Dialer, Papers, broker_tls};

/// What runs the library's side of things, in a thread of its own.
pub struct Engine {
    handle: Handle,
    /// Dropped, it ends the thread.
    _running: tokio::sync::oneshot::Sender<()>,
}

pub fn runtime() -> Arc<Engine> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    let handle = runtime.handle().clone();
    let (running, stopped) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || runtime.block_on(stopped));
    Arc::new(Engine { handle, _running: running })
}

impl Engine {
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }

    /// Begins a handshake.
    pub fn connect(
        &self,
        endpoint: &Endpoint,
        config: quinn::ClientConfig,
        address: SocketAddr,
    ) -> Connecting {
        let _inside = self.enter();
        endpoint.connect_with(config, address, "localhost").expect("it begins")
    }

    fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.handle.enter()
    }
}

/// How devices shake hands: with these names of protocols, and whether they send before it is over.
pub fn client(
    authority: &Authority,
    papers: Option<&Papers>,
    alpn: &[&[u8]],
) -> quinn::ClientConfig {
    let tls = Dialer::new(authority, papers, &[&rustls::version::TLS13]).config;
    let mut tls = rustls::ClientConfig::clone(&tls);
    tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    tls.enable_early_data = true;
    let crypto = QuicClientConfig::try_from(tls).expect("a cipher");
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    let mut transport = TransportConfig::default();
    transport.keep_alive_interval(Some(Duration::from_secs(1)));
    config.transport_config(Arc::new(transport));
    config
}

/// A device with its connection.
pub struct Device {
    runtime: Arc<Engine>,
    pub endpoint: Endpoint,
    pub connection: Connection,
}

impl Device {
    /// Shakes hands to the end.
    pub fn dial(
        runtime: &Arc<Engine>,
        config: quinn::ClientConfig,
        proxy: SocketAddr,
    ) -> io::Result<Self> {
        let endpoint = endpoint(runtime);
        let connecting = runtime.connect(&endpoint, config, proxy);
        let connection = runtime.block_on(within(connecting))??;
        Ok(Self { runtime: runtime.clone(), endpoint, connection })
    }

    pub fn trusting(runtime: &Arc<Engine>, authority: &Authority, proxy: SocketAddr) -> Self {
        Self::dial(runtime, client(authority, None, &[b"mqtt"]), proxy).expect("in")
    }

    /// One more stream.
    pub fn open(&self) -> io::Result<Lane> {
        let (send, receive) = self.runtime.block_on(within(self.connection.open_bi()))??;
        Ok(Lane { runtime: self.runtime.clone(), send, receive })
    }

    /// One more stream, on which only the device speaks.
    pub fn open_one_way(&self) -> io::Result<SendStream> {
        Ok(self.runtime.block_on(within(self.connection.open_uni()))??)
    }

    /// From now on all packets come from another port.
    pub fn rebind(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let _inside = self.runtime.enter();
        self.endpoint.rebind(socket).expect("another port");
    }
}

/// A client's socket.
pub fn endpoint(runtime: &Arc<Engine>) -> Endpoint {
    let _inside = runtime.enter();
    Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a port")
}

async fn within<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.map_err(|_| ErrorKind::TimedOut.into())
}

/// A stream of a connection.
pub struct Lane {
    runtime: Arc<Engine>,
    pub send: SendStream,
    pub receive: RecvStream,
}

impl Lane {
    pub fn new(runtime: &Arc<Engine>, send: SendStream, receive: RecvStream) -> Self {
        Self { runtime: runtime.clone(), send, receive }
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        self.send.finish().expect("open");
    }
}

impl Read for Lane {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { runtime, receive, .. } = self;
        let read = runtime.block_on(within(receive.read(buffer)))??;
        Ok(read.unwrap_or(0))
    }
}

impl Write for Lane {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { runtime, send, .. } = self;
        Ok(runtime.block_on(within(send.write(bytes)))??)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What stands between a device and the proxy. What comes back is kept until somebody lets it through.
pub struct Relay {
    pub address: SocketAddr,
    open: mpsc::Sender<()>,
}

impl Relay {
    pub fn new(proxy: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let back = UdpSocket::bind("127.0.0.1:0").expect("a port");
        back.connect(proxy).expect("an address");
        let address = front.local_addr().expect("an address");
        let (open, opened) = mpsc::channel();
        let (told, device) = mpsc::channel();
        let (there, here) =
            (front.try_clone().expect("a socket"), back.try_clone().expect("a socket"));
        // Both threads end with the process: a test takes seconds.
        std::thread::spawn(move || {
            let mut datagram = [0; 2048];
            while let Ok((length, from)) = front.recv_from(&mut datagram) {
                let _ = told.send(from);
                let _ = back.send(&datagram[..length]);
            }
        });
        std::thread::spawn(move || {
            let from = device.recv().expect("somebody");
            opened.recv().expect("let through");
            let mut datagram = [0; 2048];
            while let Ok(length) = here.recv(&mut datagram) {
                let _ = there.send_to(&datagram[..length], from);
            }
        });
        Self { address, open }
    }

    pub fn open(&self) {
        self.open.send(()).expect("it waits");
    }
}

/// A broker over QUIC.
pub struct Broker {
    runtime: Arc<Engine>,
    endpoint: Endpoint,
    pub address: SocketAddr,
}

impl Broker {
    pub fn new(runtime: &Arc<Engine>, papers: &Papers, clients: Option<&Authority>) -> Self {
        let mut tls = rustls::ServerConfig::clone(&broker_tls(papers, clients));
        tls.alpn_protocols = vec![b"mqtt".to_vec()];
        let crypto = QuicServerConfig::try_from(tls).expect("a cipher");
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let mut transport = TransportConfig::default();
        transport.max_concurrent_uni_streams(VarInt::from_u32(0));
        config.transport_config(Arc::new(transport));
        let _inside = runtime.enter();
        let any = "127.0.0.1:0".parse().expect("an address");
        let endpoint = Endpoint::server(config, any).expect("a port");
        let address = endpoint.local_addr().expect("an address");
        Self { runtime: runtime.clone(), endpoint, address }
    }

    /// The broker's end of the next connection, and its stream.
    pub fn accept(&self) -> io::Result<(Connection, Lane)> {
        let accepting = async {
            let incoming = self.endpoint.accept().await.ok_or(ErrorKind::NotConnected)?;
            let connection = incoming.await?;
            let (send, receive) = connection.accept_bi().await?;
            Ok::<_, io::Error>((connection, send, receive))
        };
        let (connection, send, receive) = self.runtime.block_on(within(accepting))??;
        Ok((connection, Lane { runtime: self.runtime.clone(), send, receive }))
    }
}

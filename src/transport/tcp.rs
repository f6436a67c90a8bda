//! TCP: listeners that several shards share, and connections to upstreams.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use crate::config::Address;

use super::dial::{first_that_answers, resolve};

/// Connections that the kernel keeps waiting for each listener.
const BACKLOG: i32 = 4096;

/// How long a peer may be silent before the kernel asks whether it is still there, and how often it asks.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// One address, with a listener of its own for each shard.
#[derive(Debug)]
pub struct Listening {
    /// The address as it really is: a port 0 has become a port.
    pub address: SocketAddr,
    /// One for each shard. The kernel spreads connections over them (`SO_REUSEPORT`).
    pub sockets: Vec<ListenSocket>,
}

/// What a shard listens at, bound and not blocking.
#[derive(Debug)]
pub enum ListenSocket {
    /// For TCP, and what is carried by it.
    Tcp(TcpListener),
    /// For QUIC.
    Udp(UdpSocket),
}

/// Binds an address once per shard. All or nothing: what was bound is closed on an error.
///
/// # Errors
/// When the host has no address, or the port is taken by somebody else.
pub(super) fn bind(address: &Address, shards: usize) -> io::Result<Listening> {
    let first = resolve(address)?;
    // Another process that also shares the port would take half of the connections without a word.
    drop(listen(first, Sharing::Alone)?);
    let listener = listen(first, Sharing::Shards)?;
    let address = listener.local_addr()?;
    let mut sockets = vec![ListenSocket::Tcp(listener)];
    for _ in 1..shards {
        sockets.push(ListenSocket::Tcp(listen(address, Sharing::Shards)?));
    }
    Ok(Listening { address, sockets })
}

/// With whom a socket shares its address.
#[derive(PartialEq, Eq)]
pub(super) enum Sharing {
    Alone,
    Shards,
}

fn listen(address: SocketAddr, sharing: Sharing) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if sharing == Sharing::Shards {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    if sharing == Sharing::Shards {
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
    }
    Ok(socket.into())
}

/// Opens a connection, to the first address of the host that answers. The caller bounds the time.
///
/// # Errors
/// When the host has no address, or none of them answers.
pub(super) async fn connect(address: &Address) -> io::Result<TcpStream> {
    first_that_answers(address, async |candidate| {
        let stream = TcpStream::connect(candidate).await?;
        prepare(&stream)?;
        Ok(stream)
    })
    .await
}

/// Small packets are sent at once, and a peer that is gone is noticed.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

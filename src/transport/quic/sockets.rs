//! UDP sockets that several shards share.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Address;
use crate::transport::dial::resolve;
use crate::transport::tcp::{ListenSocket, Listening, Sharing};

use super::routing;

/// Bytes of datagrams that wait in the kernel, as far as it allows: all connections of a shard come in at one socket.
const WAITING_BYTES: usize = 4 << 20;

/// Binds an address once per shard. All or nothing: what was bound is closed on an error.
///
/// # Errors
/// When the host has no address, or the port is taken by somebody else.
pub(in crate::transport) fn bind(address: &Address, shards: usize) -> io::Result<Listening> {
    let first = resolve(address)?;
    // Another process that also shares the port would take some of the connections without a word.
    drop(socket(first, Sharing::Alone)?);
    let socket_of_first = socket(first, Sharing::Shards)?;
    let address = UdpSocket::from(socket_of_first.try_clone()?).local_addr()?;
    let mut sockets = vec![socket_of_first];
    for _ in 1..shards {
        sockets.push(socket(address, Sharing::Shards)?);
    }
    if let Some(one) = sockets.first().filter(|_| shards > 1) {
        routing::attach(one, shards)?;
    }
    let sockets = sockets.into_iter().map(|socket| ListenSocket::Udp(socket.into())).collect();
    Ok(Listening { address, sockets })
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if sharing == Sharing::Shards {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    // The kernel has a limit of its own, and takes what it allows.
    let _ = socket.set_recv_buffer_size(WAITING_BYTES);
    let _ = socket.set_send_buffer_size(WAITING_BYTES);
    Ok(socket)
}

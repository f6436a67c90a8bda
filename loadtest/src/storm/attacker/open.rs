//! Opening a connection as an attacker does: from its own address, and leaving nothing behind.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpSocket, TcpStream};

use super::Assault;

/// How long an attacker waits to get in: the kernel answers at once unless its queue is full.
const PATIENCE: Duration = Duration::from_secs(5);
/// After an error of its own, such as no port left.
const PAUSE: Duration = Duration::from_millis(10);

/// Opens one. `None`: it didn't work, and was counted.
pub(super) async fn open(assault: &Rc<Assault>) -> Option<TcpStream> {
    let opened = tokio::time::timeout(PATIENCE, connect(assault)).await;
    if let Ok(Ok(socket)) = opened {
        assault.count(|counts| counts.opened += 1);
        return Some(socket);
    }
    assault.count(|counts| counts.failed += 1);
    tokio::time::sleep(PAUSE).await;
    None
}

async fn connect(assault: &Rc<Assault>) -> io::Result<TcpStream> {
    let options = &assault.options;
    let socket = if options.target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    // Closing resets: else this machine's ports would be the limit, since each is kept for a minute.
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    socket.bind(SocketAddr::new(options.source, 0))?;
    socket.connect(options.target).await
}

/// Waits until the target ends the connection, whatever it says before.
pub(super) async fn until_ended(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 1024];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}

//! The sink and the echo: an upstream that lets everybody in, counts, checks and acknowledges, and nothing else. The echo
//! also sends each message back on what its connection subscribed to.
//!
//! They are no brokers: no connection hears of another, nothing is kept. Invariant: what is acknowledged was counted and
//! checked before.

mod connection;
mod options;
mod receiver;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use crate::engine::clock::Clock;
use crate::engine::control::{Control, Phase};

use connection::Connection;
pub(crate) use options::{Options, run_echo, run_sink};
pub(crate) use receiver::{Demand, Expected, Received, Receiver};

const LISTENER: Token = Token(usize::MAX);
/// Waits are no longer than this, so that the end is seen.
const WAIT: Duration = Duration::from_millis(20);
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// What is done beside counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing.
    Sink,
    /// Each message goes back.
    Echo,
}

/// A listening sink or echo.
pub(crate) struct Sink {
    manner: Manner,
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    desk: Desk,
}

/// What the connections share.
pub(crate) struct Desk {
    pub(crate) clock: Clock,
    pub(crate) receiver: Receiver,
    pub(crate) out: Vec<u8>,
    read: Vec<u8>,
}

impl Sink {
    /// Serves what [`listen`] gave.
    pub(crate) fn new(
        mut listener: TcpListener,
        manner: Manner,
        clock: Clock,
        receiver: Receiver,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let out = Vec::with_capacity(READ_BYTES);
        let desk = Desk { clock, receiver, out, read: vec![0; READ_BYTES] };
        Ok(Self { manner, poll, listener, connections: Vec::new(), free: Vec::new(), desk })
    }

    /// Serves until the control says that it's over.
    pub(crate) fn run(mut self, control: &Arc<Control>) -> io::Result<Received> {
        let mut events = Events::with_capacity(1024);
        while control.phase() < Phase::Over {
            match self.poll.poll(&mut events, Some(WAIT)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            self.desk.receiver.roll(self.desk.clock.now());
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    Token(index) => self.serve(index, event.is_writable()),
                }
            }
            let gauges = &control.end;
            gauges.received.store(self.desk.receiver.arrived(), Ordering::Relaxed);
            let connected = self.connections.len() - self.free.len();
            gauges.connected.store(connected as u64, Ordering::Relaxed);
            gauges.sent.store(self.desk.receiver.echoed(), Ordering::Relaxed);
        }
        Ok(self.desk.receiver.finish())
    }

    fn accept(&mut self) {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.desk.receiver.error("accept_failed");
                    return;
                }
            };
            let index = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registered = self.poll.registry().register(&mut stream, Token(index), interest);
            if registered.is_err() || stream.set_nodelay(true).is_err() {
                self.desk.receiver.error("accept_failed");
                self.free.push(index);
                continue;
            }
            self.connections[index] = Some(Connection::new(stream));
        }
    }

    fn serve(&mut self, index: usize, writable: bool) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let mut buffer = std::mem::take(&mut self.desk.read);
        let mut outcome = Ok(());
        if writable {
            outcome = connection.flush();
        }
        let outcome =
            outcome.and_then(|()| connection.serve(self.manner, &mut buffer, &mut self.desk));
        self.desk.read = buffer;
        if let Err(end) = outcome {
            if let connection::End::Fault(label) = end {
                self.desk.receiver.error(label);
            }
            if let Some(mut connection) = self.connections[index].take() {
                connection.close(self.poll.registry());
            }
            self.desk.out.clear();
            self.free.push(index);
        }
    }
}

/// Binds an address, with a queue that a storm of connections fits into.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(TcpListener::from_std(socket.into()))
}

//! Accepting connections: one per turn, never more than the process has room for, and where there are fewest.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::transport::{self, Coming, ListenSocket, Showing};

use super::Post;
use super::balance::Visitor;
use super::crowd::Guest;
use super::door::Door;
use super::state::ShardState;

/// The pause after an error that won't go away by itself, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts accepting at all posts, and what other shards have accepted.
pub(crate) fn start(
    posts: Vec<Post>,
    visitors: mpsc::Receiver<Visitor>,
    state: &Rc<ShardState>,
) -> Vec<JoinHandle<()>> {
    let (doors, sockets): (Vec<_>, Vec<_>) = posts.into_iter().map(Door::of).unzip();
    let doors: Rc<[Rc<Door>]> = doors.into();
    let receiving = receive(visitors, doors.clone(), state.clone());
    let mut tasks = vec![tokio::task::spawn_local(receiving)];
    for door in doors.iter() {
        if let Some(readings) = door.readings() {
            let watching = watch(readings, door.clone(), state.clone());
            tasks.push(tokio::task::spawn_local(watching));
        }
    }
    for (number, socket) in sockets.into_iter().enumerate() {
        let Some(door) = doors.get(number).cloned() else { continue };
        let accepting = Accepting { door: door.clone(), number, state: state.clone() };
        match accepting.start(socket) {
            Ok(task) => tasks.push(task),
            Err(error) => {
                tracing::error!(listener = %door.name, %error, "the listener can't be used")
            }
        }
    }
    tasks
}

/// Wakes the sessions when the doorkeeper's file was read again, so that each looks whether its device is still let in.
async fn watch(mut readings: watch::Receiver<u64>, door: Rc<Door>, state: Rc<ShardState>) {
    // An error means that the doorkeeper is gone, and with it whoever came through.
    while readings.changed().await.is_ok() {
        door.reading.set(*readings.borrow_and_update());
        state.wake_all();
    }
}

/// Takes the connections that other shards have accepted for this one.
async fn receive(
    mut visitors: mpsc::Receiver<Visitor>,
    doors: Rc<[Rc<Door>]>,
    state: Rc<ShardState>,
) {
    while let Some(Visitor { door, stream, peer, guest }) = visitors.recv().await {
        let Some(door) = doors.get(door) else { continue };
        match TcpStream::from_std(stream) {
            Ok(stream) => door.admit(Coming::Tcp(stream), peer, guest, &state),
            Err(error) => {
                state.balance.leave(state.number);
                door.has_lost(peer, &error);
            }
        }
        tokio::task::yield_now().await;
    }
}

/// One door, and who stands there.
struct Accepting {
    door: Rc<Door>,
    /// The door's among all of the shard.
    number: usize,
    state: Rc<ShardState>,
}

impl Accepting {
    /// Begins to accept at a socket.
    fn start(self, socket: ListenSocket) -> io::Result<JoinHandle<()>> {
        let ShardState { number, limits, .. } = &*self.state;
        match (socket, self.door.reception.quic()) {
            (ListenSocket::Tcp(socket), _) => {
                let listener = TcpListener::from_std(socket)?;
                Ok(tokio::task::spawn_local(self.run(listener)))
            }
            (ListenSocket::Udp(socket), Some(quic)) => {
                let endpoint = quic.listen(socket, *number, limits.shards)?;
                self.state.endpoints.keep(endpoint.clone());
                Ok(tokio::task::spawn_local(self.run_quic(endpoint)))
            }
            (ListenSocket::Udp(_), None) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Connections over QUIC stay where their packets arrive: the kernel has been told by what to spread them.
    async fn run_quic(self, endpoint: quinn::Endpoint) {
        let ShardState { balance, number: own, .. } = &*self.state;
        loop {
            self.wait_for_turn().await;
            self.wait_for_room().await;
            let Some(incoming) = endpoint.accept().await else {
                let listener = &self.door.name;
                tracing::error!(%listener, shard = own, "the listener's socket can't be used any more; restart the process");
                return;
            };
            let (quic, showing) = (self.door.reception.quic(), self.showing());
            let Some(incoming) = quic.and_then(|quic| quic.validated(incoming, showing)) else {
                continue;
            };
            let peer = incoming.remote_address();
            let Some(guest) = self.count(peer) else {
                incoming.refuse();
                continue;
            };
            balance.take_own_room(*own).await;
            self.door.admit(Coming::Quic(Box::new(incoming)), peer, guest, &self.state);
            tokio::task::yield_now().await;
        }
    }

    /// An address that counts has to be shown, or anybody could use up anybody's; and so has each while many shake hands.
    fn showing(&self) -> Showing {
        let ShardState { handshakes, limits, .. } = &*self.state;
        let are_many = handshakes.available_permits() * 2 < limits.handshakes_max;
        match are_many || self.door.counting().is_some() {
            true => Showing::Required,
            false => Showing::AsConfigured,
        }
    }

    async fn run(self, listener: TcpListener) {
        let mut is_failing = false;
        loop {
            self.wait_for_turn().await;
            self.wait_for_room().await;
            let coming = listener.accept().await;
            self.tell(&coming, &mut is_failing);
            match coming {
                Ok((stream, peer)) => self.place(stream, peer).await,
                Err(error) if is_of_connection(&error) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
            // It is some tens of microseconds of work, with what follows it: the shard's sessions have their turn now.
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the listener may accept one more.
    async fn wait_for_turn(&self) {
        loop {
            let pause = self.door.crowd.pause(Instant::now());
            if pause.is_zero() {
                return;
            }
            self.state.tally.accepting_paused.add(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// Counts a connection that was accepted. `None`: it is turned away.
    fn count(&self, peer: SocketAddr) -> Option<Option<Guest>> {
        // Where a balancer says whose it is, that isn't known yet.
        let guest = match self.door.reception.is_told_whose() {
            true => None,
            false => self.door.count(peer, &self.state).ok()?,
        };
        self.door.crowd.accepted(Instant::now());
        Some(guest)
    }

    /// Waits until there is room for one more: a connection that isn't accepted waits in the kernel, where it costs little
    /// and none of its time.
    async fn wait_for_room(&self) {
        self.state.balance.wait_for_room().await;
        if !self.door.reception.is_immediate() {
            // Not kept: there may be nobody, and somebody at another door.
            drop(self.state.handshakes.acquire().await);
        }
    }

    /// Puts a connection where there are fewest sessions.
    async fn place(&self, stream: TcpStream, peer: SocketAddr) {
        let ShardState { balance, number: own, .. } = &*self.state;
        let Some(guest) = self.count(peer) else { return };
        if let Err(error) = transport::prepare(&stream) {
            // The peer is gone already.
            return self.door.has_lost(peer, &error);
        }
        // Others may have filled the process while this door waited for somebody.
        let shard = balance.take_room(*own).await;
        if shard == *own {
            return self.door.admit(Coming::Tcp(stream), peer, guest, &self.state);
        }
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                balance.leave(shard);
                return self.door.has_lost(peer, &error);
            }
        };
        let visitor = Visitor { door: self.number, stream, peer, guest };
        let Err(Visitor { stream, guest, .. }) = balance.send(*own, shard, visitor) else { return };
        match TcpStream::from_std(stream) {
            Ok(stream) => self.door.admit(Coming::Tcp(stream), peer, guest, &self.state),
            Err(error) => {
                // Its room is the own shard's again.
                balance.leave(*own);
                self.door.has_lost(peer, &error);
            }
        }
    }

    /// Says what went wrong; what doesn't go away by itself, once.
    fn tell<T>(&self, coming: &io::Result<T>, is_failing: &mut bool) {
        let (listener, shard) = (&self.door.name, self.state.number);
        match coming {
            Ok(_) if std::mem::take(is_failing) => {
                tracing::info!(%listener, shard, "connections are accepted again");
            }
            Ok(_) => {}
            // `accept` also tells what went wrong with the one connection that it would have brought.
            Err(error) if is_of_connection(error) => {
                tracing::debug!(%listener, %error, "connection lost before it was accepted");
            }
            Err(error) => {
                if !std::mem::replace(is_failing, true) {
                    tracing::warn!(
                        %listener, shard, %error,
                        "accepting fails, and is tried again and again; raise the limit of open files if that is it"
                    );
                }
            }
        }
    }
}

/// Whether the next `accept` may succeed all the same.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | HostUnreachable | NetworkUnreachable | Interrupted
    )
}

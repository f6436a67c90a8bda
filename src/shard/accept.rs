//! Accepting connections: a few per turn, never more than the shard has room for.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::config::Upstream;
use crate::session::{Session, SessionPlan};
use crate::transport::{self, Stream};

use super::Post;
use super::connection::Connection;
use super::state::ShardState;

/// Connections accepted before the shard's sessions get their turn again.
const ACCEPTED_PER_TURN: usize = 64;

/// The pause after an error that won't go away by itself, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts accepting at a post.
pub(crate) fn start(post: Post, state: &Rc<ShardState>) -> JoinHandle<()> {
    let state = state.clone();
    tokio::task::spawn_local(async move {
        match TcpListener::from_std(post.socket) {
            Ok(listener) => {
                let door =
                    Rc::new(Door { name: post.name, plan: post.plan, upstream: post.upstream });
                Accepting { door, state }.run(listener).await;
            }
            Err(error) => {
                tracing::error!(listener = %post.name, %error, "the listener can't be used")
            }
        }
    })
}

/// What every session of a post gets.
pub(super) struct Door {
    pub(super) name: Arc<str>,
    plan: Arc<SessionPlan>,
    pub(super) upstream: Arc<Upstream>,
}

/// Who stands at a door.
struct Accepting {
    door: Rc<Door>,
    state: Rc<ShardState>,
}

impl Accepting {
    async fn run(self, listener: TcpListener) {
        let mut accepted = 0;
        loop {
            self.state.room().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // Another listener of the shard may have filled it while this one waited for somebody.
                    self.state.room().await;
                    self.admit(stream, peer);
                }
                Err(error) => self.pause(&error).await,
            }
            accepted += 1;
            if accepted % ACCEPTED_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = transport::prepare(&stream) {
            // The peer is gone already.
            tracing::debug!(listener = %self.door.name, %peer, %error, "connection lost while it was accepted");
            return;
        }
        self.state.tally.opened.add(1);
        let session = Session::new(self.door.plan.clone(), std::time::Instant::now());
        let stream = Stream::Tcp(stream);
        let connection = Connection::new(session, stream, peer, self.door.clone(), &self.state);
        tokio::task::spawn_local(connection);
    }

    async fn pause(&self, error: &io::Error) {
        // `accept` also tells what went wrong with the one connection that it would have brought.
        if is_of_connection(error) {
            tracing::debug!(listener = %self.door.name, %error, "connection lost before it was accepted");
            return;
        }
        tracing::warn!(listener = %self.door.name, %error, "accepting failed; raise the limit of open files if that is it");
        tokio::time::sleep(PAUSE).await;
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

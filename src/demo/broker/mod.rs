//! The broker of `interlingua demo`: MQTT 3.1, 3.1.1 and 5 over TCP, on this machine only.
//!
//! A demo broker, on purpose: no TLS, no passwords, no files, no shared subscriptions, and a session
//! ends with its connection, whatever the client asks for (it is told so). What it does, it does by
//! the book: QoS 0 to 2 both ways, retained messages, wills, wildcards, takeover, keep alive. It is
//! also the example of how to use the room `mqtt`.
//!
//! ```text
//!  socket ⇄ connection ⇄ conversation → hub → outbox of each subscriber
//!           (bytes)      (packets)      (who wants what)
//! ```
//!
//! Invariant: everything that a client can make the broker hold has a bound, and a client that
//! doesn't read is disconnected rather than waited for.

mod connection;
mod conversation;
mod hub;
mod message;
mod opening;
mod outbox;

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;

use hub::Hub;

/// Bytes of a packet from a client.
const PACKET_SIZE_MAX: usize = 512 * 1024;
/// Connections at the same time.
const CLIENTS_MAX: usize = 256;
/// How long accepting pauses when the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running broker, on a thread of its own. Dropping it closes all its connections.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no free port, or no thread can be made.
    pub fn start() -> io::Result<Self> {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name("demo-broker".to_owned()).spawn(move || {
                LocalSet::new().block_on(&runtime, async {
                    tokio::select! {
                        outcome = accept(socket) => {
                            if let Err(error) = outcome {
                                tracing::error!(%error, "the demo broker has ended");
                            }
                        }
                        // The sender being dropped means the same.
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been printed by then, and there is nothing left to save.
            let _ = thread.join();
        }
    }
}

async fn accept(socket: std::net::TcpListener) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let hub = Rc::new(RefCell::new(Hub::default()));
    let seats = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match seats.clone().try_acquire_owned() {
                Ok(seat) => {
                    let hub = hub.clone();
                    tokio::task::spawn_local(async move {
                        connection::serve(stream, hub).await;
                        drop(seat);
                    });
                }
                Err(_) => tracing::warn!("the demo broker takes {CLIENTS_MAX} clients, no more"),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

//! What comes before a session: a connection's handshake, within the time for CONNECT.
//!
//! A task of its own, which ends when the session's begins: nothing of it stays in memory for as long as the session lasts.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;

use crate::session::End;
use crate::transport::{Arrival, Coming};

use super::door::Door;
use super::state::{Place, ShardState};

/// A connection before MQTT. It has a place like a session, which becomes the session's.
pub(super) struct Handshake {
    door: Rc<Door>,
    state: Rc<ShardState>,
    /// `None`: the session has it.
    place: Option<Place>,
    peer: SocketAddr,
    accepted: Instant,
    /// Taken at once, so that the next connection is accepted only if there is another. `None`: connections of several
    /// doors came at once, and this one has to wait.
    turn: Option<OwnedSemaphorePermit>,
}

/// How a handshake failed.
enum Failure {
    Io(io::Error),
    Late,
    Drained,
    TurnedAway,
}

impl Handshake {
    pub(super) fn new(
        door: Rc<Door>,
        state: Rc<ShardState>,
        place: Place,
        peer: SocketAddr,
        accepted: Instant,
    ) -> Self {
        let turn = state.handshakes.clone().try_acquire_owned().ok();
        Self { door, state, place: Some(place), peer, accepted, turn }
    }

    /// Shakes hands, and lets the connection in.
    pub(super) async fn run(mut self, coming: Coming) {
        match self.shake(coming).await {
            Ok(arrival) => {
                if let Some(place) = self.place.take() {
                    self.door.let_in(arrival, self.accepted, place, &self.state);
                }
            }
            Err(failure) => self.tell(&failure),
        }
    }

    async fn shake(&self, mut coming: Coming) -> Result<Arrival, Failure> {
        let Door { reception, plan, .. } = &*self.door;
        let welcome = async {
            let _later = match &self.turn {
                Some(_) => None,
                // It fails only once it is closed, which nobody does.
                None => self.state.handshakes.acquire().await.ok(),
            };
            let whose = reception.read_whose(&mut coming).await.map_err(Failure::Io)?;
            if let (Some(peer), Some(place)) = (whose, &self.place) {
                let guest = self.door.count(peer, &self.state).map_err(|_| Failure::TurnedAway)?;
                self.state.seat(place, guest);
            }
            let welcome = reception.welcome(coming, whose.unwrap_or(self.peer));
            self.state.turns.step_by_step(welcome).await.map_err(Failure::Io)
        };
        let deadline = self.accepted + plan.limits.connect_timeout;
        let mut welcome = Box::pin(tokio::time::timeout_at(deadline.into(), welcome));
        poll_fn(|context| {
            // Whoever drains the shard wakes everybody who has a place.
            if let Some(place) = &self.place {
                self.state.set_waker(place, context.waker());
            }
            if self.state.is_draining() {
                return Poll::Ready(Err(Failure::Drained));
            }
            welcome.as_mut().poll(context).map(|outcome| match outcome {
                Ok(arrived) => arrived,
                Err(_) => Err(Failure::Late),
            })
        })
        .await
    }

    fn tell(&self, failure: &Failure) {
        let (end, error) = match failure {
            Failure::Io(error) => (End::HandshakeFailed, Some(error)),
            Failure::Late => (End::ConnectTimeout, None),
            Failure::Drained => (End::Drained, None),
            Failure::TurnedAway => (End::TurnedAway, None),
        };
        self.state.tally.end(end);
        if end == End::TurnedAway {
            // Said where it was counted, and not for each of a flood.
            return;
        }
        let (listener, peer) = (&self.door.name, self.peer);
        let seconds = self.accepted.elapsed().as_secs_f64();
        // What the library says may repeat what came from the network: as text in quotes.
        let error = error.map(ToString::to_string);
        tracing::info!(
            %listener, %peer, seconds = format_args!("{seconds:.3}"), end = end.label(), reason = %end,
            error, "no session"
        );
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            self.state.leave(place);
        }
    }
}

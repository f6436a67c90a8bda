//! How many sessions each shard has, and the way of a connection from the shard that accepted it to one that has fewer.
//!
//! The kernel spreads connections by their addresses: with 200 of them on four shards the fullest has 10 % more than the
//! mean, and a few can all be on one. A session never moves; so it is put right when it begins.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, mpsc};

use crate::overload::Overload;

use super::crowd::Guest;

/// Connections on their way to one shard.
const ON_THE_WAY_MAX: usize = 1024;

/// A shard keeps a connection while it has no more than this part more than the emptiest.
const UNEVEN: usize = 16;

/// What all shards know of each other.
#[derive(Debug)]
pub struct Balance {
    shards: Box<[Neighbour]>,
    /// One permit for each session that the process may still take.
    room: Semaphore,
    /// Which shards hang.
    overload: Arc<Overload>,
}

#[derive(Debug)]
struct Neighbour {
    sessions: AtomicUsize,
    visitors: mpsc::Sender<Visitor>,
}

/// A connection that another shard has accepted.
#[derive(Debug)]
pub struct Visitor {
    /// Which of the shard's doors it came to; all shards have the same.
    pub(super) door: usize,
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Its place in the crowd, where that is counted.
    pub(super) guest: Option<Guest>,
}

impl Balance {
    /// For so many shards, with room for so many sessions in all; and for each shard where its visitors come in.
    #[must_use]
    pub fn new(
        shards: usize,
        sessions_max: usize,
        overload: Arc<Overload>,
    ) -> (Arc<Self>, Vec<mpsc::Receiver<Visitor>>) {
        let (neighbours, visitors): (Vec<_>, Vec<_>) = (0..shards)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(ON_THE_WAY_MAX);
                (Neighbour { sessions: AtomicUsize::new(0), visitors: sender }, receiver)
            })
            .unzip();
        let room = Semaphore::new(sessions_max.min(Semaphore::MAX_PERMITS));
        (Arc::new(Self { shards: neighbours.into(), room, overload }), visitors)
    }

    /// Waits until there is room for one more session somewhere, and takes nothing.
    pub(super) async fn wait_for_room(&self) {
        // It fails only once it is closed, which nobody does.
        let _ = self.room.acquire().await;
    }

    /// Waits for room, and takes it for a session of the emptiest shard; of the own one, if that is hardly fuller. Returns
    /// which one it is.
    pub(super) async fn take_room(&self, own: usize) -> usize {
        if let Ok(permit) = self.room.acquire().await {
            // A session gives it back when it ends.
            permit.forget();
        }
        let shard = self.choose(own);
        self.count(shard, |sessions| sessions + 1);
        shard
    }

    /// Waits for room, and takes it for a session of the own shard, which can't go to another one.
    pub(super) async fn take_own_room(&self, own: usize) {
        if let Ok(permit) = self.room.acquire().await {
            permit.forget();
        }
        self.count(own, |sessions| sessions + 1);
    }

    fn choose(&self, own: usize) -> usize {
        let sessions = |shard: usize| {
            self.shards.get(shard).map_or(0, |shard| shard.sessions.load(Ordering::Relaxed))
        };
        // Nobody is sent to one that hangs; what came to its own socket waits there.
        let running = (0..self.shards.len()).filter(|shard| !self.overload.is_stalled(*shard));
        let emptiest = running.min_by_key(|shard| sessions(*shard)).unwrap_or(own);
        let least = sessions(emptiest);
        if sessions(own) > least + least / UNEVEN { emptiest } else { own }
    }

    /// Sends a connection to the shard for which room was taken. `Err`: it stays here, since that is the own one, or the
    /// other one has stopped, or too many are on their way to it.
    pub(super) fn send(&self, own: usize, shard: usize, visitor: Visitor) -> Result<(), Visitor> {
        let Some(neighbour) = self.shards.get(shard).filter(|_| shard != own) else {
            return Err(visitor);
        };
        neighbour.visitors.try_send(visitor).map_err(|refused| {
            self.count(shard, |sessions| sessions - 1);
            self.count(own, |sessions| sessions + 1);
            refused.into_inner()
        })
    }

    /// A session of a shard has ended.
    pub(super) fn leave(&self, shard: usize) {
        self.count(shard, |sessions| sessions - 1);
        self.room.add_permits(1);
    }

    fn count(&self, shard: usize, change: impl Fn(usize) -> usize) {
        if let Some(shard) = self.shards.get(shard) {
            shard.sessions.update(Ordering::Relaxed, Ordering::Relaxed, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_go_where_there_are_fewest() {
        let (balance, _visitors) = Balance::new(4, 1000, Arc::default());
        // All of them come to the first shard, as they may.
        let mut counts = [0; 4];
        for _ in 0..400 {
            counts[balance.take_room(0).await] += 1;
        }
        assert!(counts.iter().all(|count| (94..=106).contains(count)), "{counts:?}");
        (0..90).for_each(|_| balance.leave(2));
        for _ in 0..80 {
            assert_eq!(balance.take_room(1).await, 2);
        }
    }

    #[tokio::test]
    async fn a_shard_that_hangs_gets_nobody() {
        let overload = Arc::new(Overload::of_shards(3));
        let (balance, _visitors) = Balance::new(3, 1000, overload.clone());
        overload.set_stalled(1, true);
        for _ in 0..40 {
            assert_ne!(balance.take_room(0).await, 1);
        }
        overload.set_stalled(1, false);
        for _ in 0..10 {
            assert_eq!(balance.take_room(0).await, 1, "it catches up");
        }
    }

    #[tokio::test]
    async fn a_few_are_spread_too() {
        let (balance, _visitors) = Balance::new(2, 1000, Arc::default());
        let shards = [balance.take_room(1).await, balance.take_room(1).await];
        assert_eq!(shards, [1, 0]);
    }

    #[tokio::test]
    async fn there_is_room_again_when_a_session_ends() {
        let (balance, _visitors) = Balance::new(2, 1, Arc::default());
        balance.wait_for_room().await;
        let shard = balance.take_room(0).await;
        let mut next = Box::pin(balance.take_room(1));
        assert!(futures_are_pending(&mut next).await);
        balance.leave(shard);
        assert_eq!(next.await, 1);
    }

    async fn futures_are_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }

    #[tokio::test]
    async fn a_shard_that_has_stopped_gets_no_visitors() {
        let (balance, mut visitors) = Balance::new(2, 10, Arc::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let visitor =
            || Visitor { door: 0, stream: TcpStream::connect(peer).unwrap(), peer, guest: None };
        assert_eq!([balance.take_room(0).await, balance.take_room(0).await], [0, 1]);
        balance.send(0, 1, visitor()).expect("it goes there");
        assert_eq!(visitors[1].recv().await.expect("it arrives").door, 0);
        drop(visitors);
        assert!(balance.send(0, 1, visitor()).is_err());
        assert!(balance.send(0, 0, visitor()).is_err(), "it is here already");
        assert_eq!(balance.take_room(0).await, 1, "it was counted for the own shard");
    }
}

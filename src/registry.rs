//! Which session speaks for a client identifier: the one thing that shards share. It is asked when a session begins and
//! when it ends, never for a message.
//!
//! It decides nothing: the broker does, when it gives a client identifier to another connection. But before version 5 a
//! broker only closes, and a device of 5 is owed the reason; and a session that waits out its will's delay has to make way
//! for its device before that comes back, or the broker would publish the will.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use dashmap::DashMap;
use tokio::sync::Notify;

/// The sessions of the process, by upstream and client identifier.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: DashMap<u64, Arc<Slot>>,
    /// Client identifiers are the devices' to choose, and kept as fingerprints.
    keys: RandomState,
}

/// One session's place.
#[derive(Debug)]
struct Slot {
    standing: AtomicU8,
    waker: Waker,
    gone: Notify,
    is_alive: AtomicBool,
    /// The session before this one, until the upstream has accepted this one.
    before: Mutex<Option<Arc<Slot>>>,
}

impl Slot {
    fn before(&self) -> Option<Arc<Slot>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) -> Option<Arc<Slot>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The latest session before this one that is still there. Others in between were refused.
    fn last_alive(&self) -> Option<Arc<Slot>> {
        let mut before = self.forget();
        while let Some(slot) = before {
            if slot.is_alive.load(Ordering::Acquire) {
                return Some(slot);
            }
            before = slot.forget();
        }
        None
    }
}

/// One after the other: there may be as many as sessions, and each would drop the next from within.
impl Drop for Slot {
    fn drop(&mut self) {
        let mut next = self.forget();
        while let Some(slot) = next {
            next = Arc::into_inner(slot).and_then(|slot| slot.forget());
        }
    }
}

const ALONE: u8 = 0;
/// Its device is gone, and its will waits.
const LINGERING: u8 = 1;
/// Another session has the client identifier now.
const SUPERSEDED: u8 = 2;

/// A session's entry. Dropped, it leaves the registry.
#[derive(Debug)]
pub struct Entry {
    registry: Arc<Registry>,
    key: u64,
    slot: Arc<Slot>,
}

impl Registry {
    /// Enters a session that is about to connect to an upstream under a client identifier. `waker` wakes the session.
    #[must_use]
    pub fn enter(self: &Arc<Self>, upstream: &str, client_identifier: &str, waker: Waker) -> Entry {
        let key = self.keys.hash_one((upstream, client_identifier));
        let slot = Arc::new(Slot {
            standing: AtomicU8::new(ALONE),
            waker,
            gone: Notify::new(),
            is_alive: AtomicBool::new(true),
            before: Mutex::new(None),
        });
        let before = self.sessions.insert(key, slot.clone());
        *slot.before.lock().unwrap_or_else(PoisonError::into_inner) = before;
        Entry { registry: self.clone(), key, slot }
    }
}

impl Entry {
    /// The session before this one, if it waits out its will's delay: it is woken to make way, and the result is ready once
    /// it has. Any other is left to the broker.
    #[must_use]
    pub fn claim(&self) -> Option<impl Future<Output = ()> + use<>> {
        let predecessor = self.slot.before()?;
        let before = predecessor.standing.swap(SUPERSEDED, Ordering::AcqRel);
        (before == LINGERING).then_some(async move {
            let gone = predecessor.gone.notified();
            predecessor.waker.wake_by_ref();
            gone.await;
        })
    }

    /// The upstream has accepted the session, so the one before is over.
    pub fn is_accepted(&self) {
        drop(self.slot.forget());
    }

    /// The session's device is gone, and its will waits. Whether another session has come for the client identifier, so that
    /// it must not.
    #[must_use]
    pub fn lingers(&self) -> bool {
        let (order, other) = (Ordering::AcqRel, Ordering::Acquire);
        self.slot.standing.compare_exchange(ALONE, LINGERING, order, other).is_err()
            && self.is_superseded()
    }

    /// Whether another session has come for the client identifier.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.slot.standing.load(Ordering::Acquire) == SUPERSEDED
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.slot.is_alive.store(false, Ordering::Release);
        self.slot.gone.notify_one();
        // One step, so that nobody comes between.
        if let dashmap::Entry::Occupied(mut own) = self.registry.sessions.entry(self.key)
            && Arc::ptr_eq(own.get(), &self.slot)
        {
            match self.slot.last_alive() {
                // The upstream didn't want this one: the one before goes on as if nothing had been.
                Some(before) => {
                    before.standing.store(ALONE, Ordering::Release);
                    // If its will waits, it says so again.
                    before.waker.wake_by_ref();
                    own.insert(before);
                }
                None => drop(own.remove()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(registry: &Arc<Registry>) -> Entry {
        registry.enter("cloud", "dev", Waker::noop().clone())
    }

    #[test]
    fn the_newer_session_supersedes_the_older_one() {
        let registry = Arc::new(Registry::default());
        let first = enter(&registry);
        assert!(!first.is_superseded());
        let second = enter(&registry);
        assert!(second.claim().is_none(), "nothing to wait for");
        assert!(first.is_superseded());
        second.is_accepted();
        drop(first);
        assert!(!second.is_superseded());
        drop(second);
        assert!(registry.sessions.is_empty());
    }

    #[test]
    fn a_session_that_the_upstream_refuses_supersedes_nobody() {
        let registry = Arc::new(Registry::default());
        let first = enter(&registry);
        let second = enter(&registry);
        let _ = second.claim();
        assert!(first.is_superseded());
        drop(second);
        assert!(!first.is_superseded());
        let third = enter(&registry);
        let _ = third.claim();
        assert!(first.is_superseded(), "it is still known");
        drop((first, third));
        assert!(registry.sessions.is_empty());
    }

    #[test]
    fn refused_sessions_in_any_order_supersede_nobody() {
        let registry = Arc::new(Registry::default());
        let first = enter(&registry);
        let [second, third] = [enter(&registry), enter(&registry)];
        let _ = (second.claim(), third.claim());
        drop(second);
        drop(third);
        assert!(!first.is_superseded());
        assert_eq!(registry.sessions.len(), 1);
    }

    #[test]
    fn others_have_nothing_to_do_with_it() {
        let registry = Arc::new(Registry::default());
        let first = enter(&registry);
        let others = [("cloud", "dev2"), ("other", "dev")]
            .map(|(upstream, name)| registry.enter(upstream, name, Waker::noop().clone()));
        assert!(others.iter().all(|entry| entry.claim().is_none()) && !first.is_superseded());
    }

    #[tokio::test]
    async fn a_session_that_waits_makes_way_and_is_waited_for() {
        let registry = Arc::new(Registry::default());
        let first = enter(&registry);
        assert!(!first.lingers());
        let second = enter(&registry);
        let gone = second.claim().expect("somebody has to make way");
        assert!(first.is_superseded() && first.lingers());
        let (gone, ()) = tokio::join!(gone, async { drop(first) });
        gone
    }
}

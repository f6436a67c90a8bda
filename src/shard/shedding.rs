//! What all sessions of a shard are called for, and what they hold where memory is short.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use crate::overload::{Holder, Level, Order};
use crate::session::Session;

use super::connection::Connection;
use super::peer::Peer;
use super::state::ShardState;

/// What every session is to see to when it is awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// The shard stops: end.
    Drain,
    /// Say what you hold.
    Report,
    /// End, whose turn it is.
    End,
}

/// Passes on what is ordered, for as long as the shard runs.
pub(crate) async fn obey(mut orders: watch::Receiver<Order>, state: Rc<ShardState>) {
    // An error means that nobody orders anything any more.
    while orders.changed().await.is_ok() {
        let order = orders.borrow_and_update().clone();
        match order {
            Order::Nothing => state.call(None),
            Order::Report => {
                state.call(Some(Call::Report));
                state.wake_all();
            }
            Order::End(holders) => end(holders, &state),
        }
    }
}

fn end(holders: Arc<[Holder]>, state: &ShardState) {
    let own = holders.iter().filter(|holder| holder.shard == state.number);
    let places: Vec<u32> = own.map(|holder| holder.place).collect();
    state.condemn(holders);
    state.call(Some(Call::End));
    places.into_iter().for_each(|place| state.wake(place));
}

impl Connection {
    /// Does what all sessions are called for.
    pub(super) fn heed(&mut self, call: Call, now: Instant) {
        match call {
            Call::Drain => self.with_session(now, Session::on_drain),
            Call::Report => {
                let holder = self.holder();
                self.state.overload.report(holder);
            }
            Call::End => {
                // It may have been read meanwhile, or be another session in the same place.
                let Holder { place, bytes, .. } = self.holder();
                if self.state.condemned(place).is_some_and(|known| bytes >= known / 2) {
                    self.end_for_memory(now);
                }
            }
        }
    }

    /// Whether the session, which is about to begin, was refused because memory is short.
    pub(super) fn is_refused_for_memory(&mut self, now: Instant) -> bool {
        if self.state.overload.level() == Level::Normal {
            return false;
        }
        self.with_session(now, Session::on_memory_short);
        true
    }

    fn holder(&self) -> Holder {
        let upstream = self.upstream.as_ref().map_or(0, Peer::held_bytes);
        let behind = self.behind.as_deref().map_or(0, |behind| behind.held_bytes());
        let aside = self.session.bytes_aside();
        let bytes = self.device.held_bytes() + upstream + behind + aside;
        Holder { shard: self.state.number, place: self.place.number(), bytes: bytes as u64 }
    }

    /// Ends the session and frees what waits: whoever hasn't read so much won't read it now.
    fn end_for_memory(&mut self, now: Instant) {
        let state = self.state.clone();
        let device_reads = self.device.backlog() == 0;
        self.with_session(now, Session::on_memory_short);
        if !device_reads {
            self.device.give_up(&state.buffers);
        }
        // Where the proxy publishes the device's will, the upstream is still needed.
        if self.session.end().is_some()
            && let Some(upstream) = &mut self.upstream
        {
            upstream.give_up(&state.buffers);
        }
    }
}

//! What the sessions of a shard share: buffers, counters, and who is there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, Semaphore};

use crate::overload::{Holder, Overload};
use crate::registry::Registry;
use crate::session::{Scratch, Tally};
use crate::transport::QuicEndpoints;

use super::ShardLimits;
use super::balance::Balance;
use super::buffers::Buffers;
use super::crowd::Guest;
use super::shedding::Call;
use super::timing::Timing;
use super::turns::Turns;

/// How long the time of day is counted on before the system is asked again.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// Bytes that one `recv` can bring.
const READ_BYTES: usize = 64 * 1024;

/// The state of one shard. Everything in it belongs to one thread.
pub(crate) struct ShardState {
    pub(crate) limits: ShardLimits,
    pub(crate) tally: Arc<Tally>,
    /// Output buffers that no session needs at the moment.
    pub(crate) buffers: Buffers,
    /// The one read buffer; bytes are parsed in it, only an incomplete tail is copied.
    pub(crate) read: RefCell<Box<[u8]>>,
    pub(crate) scratch: RefCell<Scratch>,
    /// What all shards share.
    pub(crate) registry: Arc<Registry>,
    pub(crate) balance: Arc<Balance>,
    pub(crate) number: usize,
    pub(crate) timing: Timing,
    /// One permit for each connection of the process that may shake hands.
    pub(crate) handshakes: Arc<Semaphore>,
    pub(crate) turns: Turns,
    /// The shard's sockets of QUIC.
    pub(crate) endpoints: Rc<QuicEndpoints>,
    /// What is known of the process as a whole.
    pub(crate) overload: Arc<Overload>,
    call: Cell<Option<Call>>,
    /// Sessions of any shard that are to end.
    condemned: RefCell<Option<Arc<[Holder]>>>,
    calendar: Cell<Calendar>,
    places: RefCell<Places>,
    /// By the places of their sessions, where a listener counts whom it lets in.
    guests: RefCell<HashMap<u32, Guest>>,
    emptied: Notify,
}

/// The time of day, and when it was that.
#[derive(Clone, Copy)]
struct Calendar {
    read_at: Instant,
    unix_ms: u64,
}

impl Calendar {
    fn read(now: Instant) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { read_at: now, unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// One waker per session, so that all of them can be woken to end.
#[derive(Default)]
struct Places {
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
    taken: usize,
}

/// A session's place in its shard.
pub(crate) struct Place(u32);

impl Place {
    pub(crate) fn number(&self) -> u32 {
        self.0
    }
}

impl ShardState {
    pub(crate) fn new(
        number: usize,
        limits: ShardLimits,
        tally: Arc<Tally>,
        registry: Arc<Registry>,
        balance: Arc<Balance>,
        handshakes: Arc<Semaphore>,
        overload: Arc<Overload>,
    ) -> Self {
        // Distinct between shards and between runs, so that no identifier comes twice.
        let serial =
            (Calendar::read(Instant::now()).unix_ms << 20) | ((number as u64 & 0xFF) << 12);
        Self {
            limits,
            tally,
            buffers: Buffers::default(),
            read: RefCell::new(vec![0; READ_BYTES].into()),
            scratch: RefCell::new(Scratch::starting_at(serial)),
            registry,
            balance,
            handshakes,
            turns: Turns::default(),
            endpoints: Rc::default(),
            number,
            timing: Timing::new(Instant::now()),
            overload,
            call: Cell::new(None),
            condemned: RefCell::new(None),
            calendar: Cell::new(Calendar::read(Instant::now())),
            places: RefCell::default(),
            guests: RefCell::default(),
            emptied: Notify::new(),
        }
    }

    /// The time of day, in milliseconds since 1970. The system is asked once a second at most.
    pub(crate) fn unix_ms(&self, now: Instant) -> u64 {
        let calendar = self.calendar.get();
        let since = now.saturating_duration_since(calendar.read_at);
        if since < ASKED_EVERY {
            return calendar.unix_ms + u64::try_from(since.as_millis()).unwrap_or(0);
        }
        self.calendar.set(Calendar::read(now));
        self.calendar.get().unix_ms
    }

    /// Takes a place for a new session, for which there is room.
    pub(crate) fn enter(&self) -> Place {
        let mut places = self.places.borrow_mut();
        places.taken += 1;
        if let Some(place) = places.free.pop() {
            return Place(place);
        }
        let place = places.wakers.len() as u32;
        places.wakers.push(None);
        Place(place)
    }

    /// Counts somebody for as long as the place is taken.
    pub(crate) fn seat(&self, place: &Place, guest: Option<Guest>) {
        if let Some(guest) = guest {
            self.guests.borrow_mut().insert(place.0, guest);
        }
    }

    /// Remembers how to wake a session.
    pub(crate) fn set_waker(&self, place: &Place, waker: &Waker) {
        if let Some(known) = self.places.borrow_mut().wakers.get_mut(place.0 as usize) {
            *known = Some(waker.clone());
        }
    }

    /// Wakes the session of a place, if there is one.
    pub(crate) fn wake(&self, place: u32) {
        if let Some(Some(waker)) = self.places.borrow().wakers.get(place as usize) {
            waker.wake_by_ref();
        }
    }

    /// Gives a place back.
    pub(crate) fn leave(&self, place: &Place) {
        self.guests.borrow_mut().remove(&place.0);
        let mut places = self.places.borrow_mut();
        if let Some(waker) = places.wakers.get_mut(place.0 as usize) {
            *waker = None;
        }
        places.free.push(place.0);
        places.taken -= 1;
        self.balance.leave(self.number);
        if places.taken == 0 {
            self.emptied.notify_one();
        }
    }

    /// Sessions at the moment.
    pub(crate) fn sessions(&self) -> usize {
        self.places.borrow().taken
    }

    /// Ends all sessions.
    pub(crate) fn drain(&self) {
        self.call.set(Some(Call::Drain));
        self.wake_all();
    }

    /// Calls all sessions for something, as each of them wakes up. Once the shard stops there is nothing else.
    pub(crate) fn call(&self, call: Option<Call>) {
        if !self.is_draining() {
            self.call.set(call);
        }
    }

    /// What all sessions are called for.
    pub(crate) fn called(&self) -> Option<Call> {
        self.call.get()
    }

    /// Says which sessions are to end.
    pub(crate) fn condemn(&self, holders: Arc<[Holder]>) {
        *self.condemned.borrow_mut() = Some(holders);
    }

    /// How many bytes the session of a place held when it was said that it has to end; `None`: it hasn't.
    pub(crate) fn condemned(&self, place: u32) -> Option<u64> {
        let condemned = self.condemned.borrow();
        let own = |holder: &&Holder| holder.shard == self.number && holder.place == place;
        condemned.as_deref()?.iter().find(own).map(|holder| holder.bytes)
    }

    /// Wakes all sessions.
    pub(crate) fn wake_all(&self) {
        for waker in self.places.borrow().wakers.iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// Whether the shard stops.
    pub(crate) fn is_draining(&self) -> bool {
        self.call.get() == Some(Call::Drain)
    }

    /// Waits until no session is left.
    pub(crate) async fn emptied(&self) {
        while self.sessions() > 0 {
            self.emptied.notified().await;
        }
    }
}

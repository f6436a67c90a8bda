//! Who stands at a listener's door: connections, and how fast they come, by address and in all. One for all shards.
//!
//! It is asked when a connection is accepted and told when it ends, never in between. What it knows is bounded: an address is
//! forgotten with its last connection, as soon as it might come as often as one that was never here.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::ConnectionLimits;
use crate::session::{Bucket, Excess, Rate, nanoseconds};

/// How many seconds' worth of connections an address may open at once: one that comes back opens a few.
const BURST_OF_ADDRESS: Duration = Duration::from_secs(10);
const BURST_OF_ALL: Duration = Duration::from_secs(1);

/// So many are turned away in the time of one that is let in: it costs about a tenth, most of it the kernel's.
const TURNED_AWAY_PER_ACCEPTED: NonZeroU64 = NonZeroU64::MIN.saturating_add(9);

/// Addresses without connections that are remembered for how often they came.
const AWAY_MAX: usize = 65_536;

/// Of those, how many are looked at whenever somebody comes.
const LOOKED_AT: usize = 4;

/// How often the log is told that somebody was turned away.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A connection that is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TurnedAway {
    pub(super) excess: Excess,
    /// It is time to say so: how many there were since the last time.
    pub(super) told: Option<u64>,
}

/// The connections of one listener.
#[derive(Debug)]
pub struct Crowd {
    connections_max: Option<NonZeroU32>,
    rate_of_address: Option<Rate>,
    rate_of_all: Rate,
    rate_of_turned_away: Rate,
    began: Instant,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<Network, Guests>,
    /// Addresses whose last connection has ended, and which may not be forgotten yet, or are here again.
    away: VecDeque<Network>,
    all: Bucket,
    turned_away_bucket: Bucket,
    told: Option<Instant>,
    turned_away: u64,
}

#[derive(Debug, Default)]
struct Guests {
    connections: u32,
    bucket: Bucket,
    is_listed: bool,
}

/// What counts as one address: of version 6 the first half, which is what one customer gets at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4(Ipv4Addr),
    V6(u64),
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments().map(u64::from);
                Self::V6(a << 48 | b << 32 | c << 16 | d)
            }
        }
    }
}

/// A connection that is counted, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Guest {
    crowd: Arc<Crowd>,
    network: Network,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.crowd.leave(self.network, Instant::now());
    }
}

impl Crowd {
    /// Nobody yet.
    #[must_use]
    pub fn new(limits: &ConnectionLimits) -> Arc<Self> {
        let rate = |most: NonZeroU32, burst| Rate::new(most.into(), burst);
        let turned_away = TURNED_AWAY_PER_ACCEPTED.saturating_mul(limits.rate_max.into());
        Arc::new(Self {
            connections_max: limits.per_address_max,
            rate_of_address: limits.rate_per_address_max.map(|most| rate(most, BURST_OF_ADDRESS)),
            rate_of_all: rate(limits.rate_max, BURST_OF_ALL),
            rate_of_turned_away: Rate::new(turned_away, BURST_OF_ALL),
            began: Instant::now(),
            known: Mutex::default(),
        })
    }

    /// Whether addresses matter.
    pub(super) fn counts_addresses(&self) -> bool {
        self.connections_max.is_some() || self.rate_of_address.is_some()
    }

    /// How long the listener has to wait until it may accept one more.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        let (at, known) = (self.at(now), self.known());
        let turned_away = known.turned_away_bucket.wait(self.rate_of_turned_away, at);
        known.all.wait(self.rate_of_all, at).max(turned_away)
    }

    /// One was accepted and stays.
    pub(super) fn accepted(&self, now: Instant) {
        let at = self.at(now);
        self.known().all.take(self.rate_of_all, 1, at);
    }

    /// Somebody comes.
    pub(super) fn arrive(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Result<Guest, TurnedAway> {
        let (network, at) = (Network::of(address), self.at(now));
        let mut known = self.known();
        known.forget(at);
        let guests = known.addresses.entry(network).or_default();
        match self.excess(guests, at) {
            Some(excess) => {
                known.turned_away_bucket.take(self.rate_of_turned_away, 1, at);
                Err(known.turn_away(excess, now))
            }
            None => {
                guests.connections += 1;
                if let Some(rate) = self.rate_of_address {
                    guests.bucket.take(rate, 1, at);
                }
                Ok(Guest { crowd: self.clone(), network })
            }
        }
    }

    /// Of an address that was never here nothing is too much, so that only those that are let in make an entry.
    fn excess(&self, guests: &Guests, at: u64) -> Option<Excess> {
        if self.connections_max.is_some_and(|most| guests.connections >= most.get()) {
            return Some(Excess::Connections);
        }
        let waits =
            self.rate_of_address.is_some_and(|rate| !guests.bucket.wait(rate, at).is_zero());
        waits.then_some(Excess::Rate)
    }

    fn leave(&self, network: Network, now: Instant) {
        let at = self.at(now);
        let mut known = self.known();
        let Some(guests) = known.addresses.get_mut(&network) else { return };
        guests.connections = guests.connections.saturating_sub(1);
        if guests.connections > 0 || guests.is_listed {
            return;
        }
        if guests.bucket.is_full(at) {
            known.addresses.remove(&network);
            return;
        }
        guests.is_listed = true;
        known.away.push_back(network);
        if known.away.len() > AWAY_MAX {
            known.look_at_next(u64::MAX);
        }
    }

    fn at(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.began))
    }

    /// A thread that panics leaves it as whole as it was: nothing here is done in two steps.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Forgets some of those that are away.
    fn forget(&mut self, at: u64) {
        for _ in 0..LOOKED_AT.min(self.away.len()) {
            self.look_at_next(at);
        }
    }

    /// Forgets the address that has been away for longest, unless it is here again or came too often. At the end of time
    /// that doesn't matter.
    fn look_at_next(&mut self, at: u64) {
        let Some(network) = self.away.pop_front() else { return };
        let Some(guests) = self.addresses.get_mut(&network) else { return };
        if guests.connections > 0 {
            guests.is_listed = false;
        } else if guests.bucket.is_full(at) {
            self.addresses.remove(&network);
        } else {
            self.away.push_back(network);
        }
    }

    fn turn_away(&mut self, excess: Excess, now: Instant) -> TurnedAway {
        self.turned_away += 1;
        let due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TOLD_EVERY);
        if !due {
            return TurnedAway { excess, told: None };
        }
        self.told = Some(now);
        TurnedAway { excess, told: Some(std::mem::take(&mut self.turned_away)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(connections: u32, rate: u32) -> Arc<Crowd> {
        let limits = ConnectionLimits {
            per_address_max: NonZeroU32::new(connections),
            rate_per_address_max: NonZeroU32::new(rate),
            ..ConnectionLimits::default()
        };
        Crowd::new(&limits)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn who_counts_as_one_address() {
        let same = [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("0.0.0.0", "::", false),
        ];
        for (one, other, expected) in same {
            let equal = Network::of(address(one)) == Network::of(address(other));
            assert_eq!(equal, expected, "{one} {other}");
        }
    }

    #[test]
    fn an_address_has_so_many_connections_and_others_have_theirs() {
        let (crowd, now) = (crowd(2, 0), Instant::now());
        let come = |text| crowd.arrive(address(text), now);
        let guests = [come("192.0.2.1").unwrap(), come("192.0.2.1").unwrap()];
        assert_eq!(come("192.0.2.1").unwrap_err().excess, Excess::Connections);
        let other = come("192.0.2.2").expect("another one");
        drop(guests);
        let again = come("192.0.2.1").expect("the first have left");
        drop((other, again));
        assert!(crowd.known().addresses.is_empty(), "nobody is here, nothing is known");
    }

    #[test]
    fn an_address_comes_so_often_and_is_forgotten_when_it_may_come_again() {
        let (crowd, now) = (crowd(0, 1), Instant::now());
        let come = |text, seconds| {
            crowd.arrive(address(text), now + Duration::from_secs(seconds)).map(drop)
        };
        for _ in 0..10 {
            assert!(come("192.0.2.1", 1).is_ok());
        }
        assert_eq!(come("192.0.2.1", 1).unwrap_err().excess, Excess::Rate);
        assert!(come("192.0.2.1", 3).is_ok(), "a second later there is one more");
        assert_eq!(crowd.known().addresses.len(), 1);
        assert!(come("192.0.2.2", 30).is_ok());
        let left: Vec<_> = crowd.known().addresses.keys().copied().collect();
        assert_eq!(left, [Network::of(address("192.0.2.2"))]);
    }

    #[test]
    fn those_that_are_away_are_so_many_at_most() {
        // They come later than they leave, so that none of them may be forgotten for the time that has passed.
        let (crowd, later) = (crowd(0, 1), Instant::now() + Duration::from_secs(3600));
        for number in 0..u32::try_from(AWAY_MAX + 1000).unwrap() {
            let address = IpAddr::V4(Ipv4Addr::from(number));
            drop(crowd.arrive(address, later).expect("a new one"));
        }
        let known = crowd.known();
        assert_eq!((known.addresses.len(), known.away.len()), (AWAY_MAX, AWAY_MAX));
    }

    #[test]
    fn the_log_is_told_now_and_then_how_many_were_turned_away() {
        let (crowd, now) = (crowd(1, 0), Instant::now());
        let come = |seconds| crowd.arrive(address("192.0.2.1"), now + Duration::from_secs(seconds));
        let guest = come(0).expect("the first");
        let told: Vec<_> =
            [0, 1, 9, 10, 11, 20].map(|at| come(at).unwrap_err().told).into_iter().collect();
        assert_eq!(told, [Some(1), None, None, Some(3), None, Some(2)]);
        drop(guest);
    }

    #[test]
    fn addresses_are_counted_only_where_one_of_their_limits_is_written() {
        assert!(!Crowd::new(&ConnectionLimits::default()).counts_addresses());
        assert!(crowd(1, 0).counts_addresses());
        assert!(crowd(0, 1).counts_addresses());
    }

    #[test]
    fn all_come_at_the_rate_of_all_after_a_second_s_worth_at_once() {
        let limits = ConnectionLimits::default();
        let (crowd, rate) = (Crowd::new(&limits), limits.rate_max.get());
        let now = crowd.began + Duration::from_secs(1);
        for _ in 0..rate {
            assert_eq!(crowd.pause(now), Duration::ZERO);
            crowd.accepted(now);
        }
        assert_eq!(crowd.pause(now), Duration::from_secs(1) / rate);
        assert_eq!(crowd.pause(now + Duration::from_secs(1) / rate), Duration::ZERO);
    }
    #[test]
    fn ten_times_as_many_are_turned_away_as_are_let_in_and_then_all_wait() {
        let (crowd, limits) = (crowd(1, 0), ConnectionLimits::default());
        let now = crowd.began + Duration::from_secs(1);
        let here = crowd.arrive(address("192.0.2.1"), now).expect("the first");
        for _ in 0..limits.rate_max.get() * 10 {
            assert_eq!(crowd.pause(now), Duration::ZERO);
            assert!(crowd.arrive(address("192.0.2.1"), now).is_err());
        }
        assert_eq!(crowd.pause(now), Duration::from_secs(1) / (limits.rate_max.get() * 10));
        drop(here);
    }
}

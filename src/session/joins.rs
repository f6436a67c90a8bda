//! Messages that became several: the sender is acknowledged when all of them are.
//!
//! The first of them travels under the sender's own packet identifier, the others under identifiers that the
//! sender isn't using. A sender that takes one of those later has to wait until it is free again.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::mqtt::{PacketIdentifier, ReasonCode};
use crate::translate::Way;

/// The joined messages of one direction.
#[derive(Debug, Default)]
pub(super) struct Joins {
    open: HashMap<PacketIdentifier, Join, RandomState>,
    /// Added identifiers, with the sender's that they belong to.
    added: HashMap<PacketIdentifier, PacketIdentifier, RandomState>,
    /// The identifiers under which the sender's own messages are on their way.
    used: HashSet<PacketIdentifier, RandomState>,
    /// Where the search for a free identifier goes on, downwards.
    last: u16,
}

#[derive(Debug)]
struct Join {
    remaining: usize,
    worst: ReasonCode,
}

/// The joins of both directions.
#[derive(Debug, Default)]
pub(super) struct BothJoins {
    up: Joins,
    down: Joins,
}

impl BothJoins {
    /// See [`Joins::is_added`].
    pub(super) fn is_added(&self, way: Way, identifier: PacketIdentifier) -> bool {
        match way {
            Way::Up => self.up.is_added(identifier),
            Way::Down => self.down.is_added(identifier),
        }
    }

    /// See [`Joins::is_open`].
    pub(super) fn is_open(&self, way: Way, identifier: PacketIdentifier) -> bool {
        match way {
            Way::Up => self.up.is_open(identifier),
            Way::Down => self.down.is_open(identifier),
        }
    }

    /// Those of messages that travel this way.
    pub(super) fn on(&mut self, way: Way) -> &mut Joins {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

/// What an acknowledgement of the receiver means to the sender.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It isn't of a joined message.
    Foreign,
    /// Others are still missing.
    Waiting,
    /// All are there: the sender's identifier, and the first failure if there was one.
    Complete(PacketIdentifier, ReasonCode),
}

/// No more joins than the limit, or no identifier is free.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Joins {
    /// Whether the receiver still owes something under an identifier of the proxy's own.
    pub(super) fn is_added(&self, identifier: PacketIdentifier) -> bool {
        self.added.contains_key(&identifier)
    }

    /// Whether a message of the sender's is on its way in parts.
    pub(super) fn is_open(&self, identifier: PacketIdentifier) -> bool {
        self.open.contains_key(&identifier)
    }

    /// The sender's message goes on under its own identifier.
    pub(super) fn uses(&mut self, identifier: PacketIdentifier) {
        self.used.insert(identifier);
    }

    /// The sender may use the identifier for another message.
    pub(super) fn done(&mut self, identifier: PacketIdentifier) {
        self.used.remove(&identifier);
    }

    /// Starts a join of `parts` messages, and gives the identifiers of all but the first. `is_owed` as in [`Joins::lend`].
    pub(super) fn start(
        &mut self,
        own: PacketIdentifier,
        parts: usize,
        most: usize,
        is_owed: impl Fn(PacketIdentifier) -> bool,
    ) -> Result<Vec<PacketIdentifier>, Full> {
        if self.open.len() + self.added.len() + parts > most.max(1) {
            return Err(Full);
        }
        let mut identifiers = Vec::with_capacity(parts.saturating_sub(1));
        for _ in 1..parts {
            let free = self.free_of(Some(own), &is_owed).ok_or(Full);
            let free =
                free.inspect_err(|_| identifiers.iter().for_each(|added| self.forget(added)))?;
            self.added.insert(free, own);
            identifiers.push(free);
        }
        self.open.insert(own, Join { remaining: parts, worst: ReasonCode::Success });
        Ok(identifiers)
    }

    /// An identifier for a packet of the proxy's own, until it is given back.
    /// `is_owed` says which ones the sender uses for other packets than messages.
    pub(super) fn lend(
        &mut self,
        is_owed: impl Fn(PacketIdentifier) -> bool,
    ) -> Option<PacketIdentifier> {
        let free = self.free_of(None, is_owed)?;
        self.added.insert(free, free);
        Some(free)
    }

    /// The proxy's own packet is acknowledged.
    pub(super) fn give_back(&mut self, lent: PacketIdentifier) {
        self.forget(&lent);
    }

    /// Nothing of the message was sent.
    pub(super) fn give_up(&mut self, own: PacketIdentifier) {
        self.open.remove(&own);
        self.used.remove(&own);
        self.added.retain(|_, of| *of != own);
    }

    fn forget(&mut self, added: &PacketIdentifier) {
        self.added.remove(added);
    }

    fn free_of(
        &mut self,
        own: Option<PacketIdentifier>,
        is_owed: impl Fn(PacketIdentifier) -> bool,
    ) -> Option<PacketIdentifier> {
        for _ in 0..u16::MAX {
            let free = self.free(own)?;
            if !is_owed(free) {
                return Some(free);
            }
        }
        None
    }

    fn free(&mut self, own: Option<PacketIdentifier>) -> Option<PacketIdentifier> {
        for _ in 0..u16::MAX {
            self.last = self.last.checked_sub(1).filter(|last| *last > 0).unwrap_or(u16::MAX - 1);
            let candidate = PacketIdentifier::new(self.last)?;
            let taken = self.is_added(candidate)
                || self.is_open(candidate)
                || self.used.contains(&candidate);
            if own != Some(candidate) && !taken {
                return Some(candidate);
            }
        }
        None
    }

    /// The receiver has one of the messages.
    pub(super) fn acknowledged(
        &mut self,
        identifier: PacketIdentifier,
        code: ReasonCode,
    ) -> Joined {
        let own = match self.added.remove(&identifier) {
            Some(own) => own,
            None if self.is_open(identifier) => identifier,
            None => return Joined::Foreign,
        };
        let Some(join) = self.open.get_mut(&own) else { return Joined::Waiting };
        join.remaining = join.remaining.saturating_sub(1);
        if code.is_error() && !join.worst.is_error() {
            join.worst = code;
        }
        if join.remaining > 0 {
            return Joined::Waiting;
        }
        let worst = join.worst;
        self.open.remove(&own);
        Joined::Complete(own, worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u16) -> PacketIdentifier {
        PacketIdentifier::new(value).unwrap()
    }

    #[test]
    fn a_join_is_complete_when_every_part_is() {
        let mut joins = Joins::default();
        let added = joins.start(id(7), 3, 100, |_| false).unwrap();
        assert_eq!(added.len(), 2);
        assert_eq!(joins.acknowledged(id(9), ReasonCode::Success), Joined::Foreign);
        assert_eq!(joins.acknowledged(added[1], ReasonCode::QuotaExceeded), Joined::Waiting);
        assert_eq!(joins.acknowledged(id(7), ReasonCode::Success), Joined::Waiting);
        let complete = Joined::Complete(id(7), ReasonCode::QuotaExceeded);
        assert_eq!(joins.acknowledged(added[0], ReasonCode::Success), complete);
        assert_eq!(joins.acknowledged(id(7), ReasonCode::Success), Joined::Foreign);
    }

    #[test]
    fn added_identifiers_are_free_ones() {
        let mut joins = Joins::default();
        (65_531..=u16::MAX).for_each(|value| joins.uses(id(value)));
        let first = joins.start(id(1), 2, 100, |_| false).unwrap();
        assert_eq!(first, [id(65_530)]);
        let second = joins.start(id(65_529), 2, 100, |_| false).unwrap();
        assert_eq!(second, [id(65_528)], "not the sender's own");
        assert!(joins.is_added(id(65_530)) && !joins.is_added(id(65_529)));
        assert_eq!(joins.start(id(2), 2, 4, |_| false), Err(Full));
    }

    #[test]
    fn without_a_free_identifier_nothing_is_started() {
        let mut joins = Joins::default();
        (3..=u16::MAX).for_each(|value| joins.uses(id(value)));
        assert_eq!(joins.start(id(1), 3, 100, |_| false), Err(Full), "only one is free");
        assert!(!joins.is_open(id(1)) && joins.added.is_empty());
        joins.done(id(9));
        assert_eq!(joins.start(id(1), 3, 100, |_| false).map(|added| added.len()), Ok(2));
    }
}

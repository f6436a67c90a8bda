//! The answers to SUBSCRIBE and UNSUBSCRIBE that a device is still owed, while the upstream's are on their way.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mqtt::PacketIdentifier;

use super::plan::SessionLimits;
use super::subscriptions::Removed;

/// What a device is owed, by the packet identifier of what it has asked.
#[derive(Debug, Default)]
pub(super) struct OwedAnswers {
    answers: HashMap<PacketIdentifier, Owed, RandomState>,
}

impl OwedAnswers {
    /// Whether an answer is owed under this packet identifier.
    pub(super) fn has(&self, identifier: PacketIdentifier) -> bool {
        self.answers.contains_key(&identifier)
    }

    /// Whether one more may be owed. What is owed already is less than any of the limits, so that all
    /// of it is at most these and one packet more.
    pub(super) fn has_room(&self, limits: &SessionLimits) -> bool {
        let filters: usize = self.answers.values().map(|owed| owed.answers.len()).sum();
        let bytes: usize = self.answers.values().map(Owed::bytes).sum();
        self.answers.len() < limits.exchanges_max
            && filters < limits.subscriptions_max
            && bytes < limits.packet_size_max
    }

    /// Remembers one.
    pub(super) fn add(&mut self, identifier: PacketIdentifier, owed: Owed) {
        self.answers.insert(identifier, owed);
    }

    /// The answer that is owed under this packet identifier.
    pub(super) fn settle(&mut self, identifier: PacketIdentifier, kind: OwedKind) -> Option<Owed> {
        let owed = self.answers.get(&identifier).is_some_and(|owed| owed.kind == kind);
        if owed { self.answers.remove(&identifier) } else { None }
    }
}

/// An answer that waits for the upstream's.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) kind: OwedKind,
    /// One for each topic filter of the device's packet, in its order.
    pub(super) answers: Vec<Answer>,
    /// The device's filters, for what the upstream grants and refuses.
    pub(super) filters: Vec<Box<str>>,
    /// How many filters the upstream was asked for, so many codes has its answer.
    pub(super) asked: usize,
    /// What the packet has removed or replaced, by the place of its answer: it comes back where the upstream refuses.
    pub(super) removed: Vec<(usize, Removed)>,
}

impl Owed {
    fn bytes(&self) -> usize {
        self.filters.iter().map(|filter| filter.len()).sum()
    }
}

/// Which packet is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwedKind {
    Suback,
    Unsuback,
}

/// The answer to one topic filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Known already.
    Local(u8),
    /// Made of the upstream's codes at these places; a success is this number at most.
    Upstream { places: Vec<usize>, most: u8 },
}

impl Answer {
    /// The reason code, given those of the upstream: the first failure, or the lowest grant.
    pub(super) fn code(&self, upstream: &[u8]) -> u8 {
        let (places, most) = match self {
            Answer::Local(code) => return *code,
            Answer::Upstream { places, most } => (places, *most),
        };
        let mut codes = places.iter().filter_map(|place| upstream.get(*place).copied());
        let failed = codes.clone().find(|code| *code >= 0x80);
        failed.or_else(|| codes.by_ref().min().map(|code| code.min(most))).unwrap_or(0x80)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_merged_to_the_first_failure_or_the_lowest_grant() {
        assert_eq!(Answer::Local(0x8F).code(&[0, 1]), 0x8F);
        let both = |most| Answer::Upstream { places: vec![0, 1], most };
        assert_eq!(both(2).code(&[2, 1]), 1);
        assert_eq!(both(0).code(&[2, 1]), 0, "nobody is granted more than was asked for");
        assert_eq!(both(0).code(&[2, 0x87]), 0x87);
        assert_eq!(both(2).code(&[]), 0x80, "no answer is a failure");
    }
}

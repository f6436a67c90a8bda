//! Which keys a map has had so far.
//!
//! What it's not: a copy of the keys. A key is remembered by a hash of its text and by the place in
//! the output where its JSON form stands. That form is the same for equal keys, and its closing
//! quote ends it; it's only looked at when the hashes agree (reading back what has just been
//! written stalls the processor).
//! Invariant: small maps allocate nothing; the table of a large one is at most half full and its
//! hashes are seeded at random per process, so a sender can't line keys up behind each other.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::{FixedState, RandomState};

/// Up to this many keys are compared one by one.
const FEW: usize = 16;

/// One key: its hash, and its place in the output plus one. Zero is a free slot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    hash: u32,
    place: u32,
}

/// The keys of one map.
#[derive(Debug)]
pub(super) enum KeySet {
    /// The first `used` slots are taken. `seen` has a bit for each possible end of a hash: most
    /// keys are known to be new without looking at any other.
    Few { slots: [Slot; FEW], used: usize, seen: u64 },
    /// Open addressing with a power of two of slots.
    Many { slots: Vec<Slot>, seed: RandomState },
}

impl KeySet {
    /// For a map of `count` pairs. More than sixteen take 16 to 32 bytes each.
    #[inline]
    pub(super) fn of(count: usize) -> Self {
        if count <= FEW {
            return Self::Few { slots: [Slot::default(); FEW], used: 0, seen: 0 };
        }
        let slots = vec![Slot::default(); count.saturating_mul(2).next_power_of_two()];
        Self::Many { slots, seed: RandomState::default() }
    }

    /// Adds the key with this text, whose JSON form (with both quotes) is the end of `written` from
    /// `start` on. If the map has it already, its earlier place is given back, and forgotten for
    /// the new one.
    #[inline]
    pub(super) fn insert(&mut self, key: &[u8], written: &[u8], start: u32) -> Option<u32> {
        let hash = match self {
            // Sixteen keys that collide on purpose do no harm, so these need no seed.
            Self::Few { .. } => hash(&FixedState::default(), key),
            Self::Many { seed, .. } => hash(seed, key),
        };
        self.insert_hash(hash, written, start)
    }

    #[inline]
    fn insert_hash(&mut self, hash: u32, written: &[u8], start: u32) -> Option<u32> {
        let new = Slot { hash, place: start + 1 };
        let is_same = |slot: &Slot| {
            slot.hash == hash
                && slot.place.checked_sub(1).is_some_and(|place| is_again(written, place, start))
        };
        let slot = match self {
            Self::Few { slots, used, seen } => {
                let bit = 1 << (hash & 63);
                let again = if *seen & bit == 0 { None } else { slots.iter().position(is_same) };
                *seen |= bit;
                let at = again.unwrap_or(*used);
                *used = (*used).max(at + 1);
                slots.get_mut(at)
            }
            Self::Many { slots, .. } => find(slots, hash, is_same),
        };
        let earlier = std::mem::replace(slot?, new);
        earlier.place.checked_sub(1)
    }
}

#[inline]
fn hash(seed: &impl BuildHasher, key: &[u8]) -> u32 {
    let mut hasher = seed.build_hasher();
    hasher.write(key);
    (hasher.finish() >> 32) as u32
}

/// The slot that is the same, or the first free one after the hash's place.
#[inline]
fn find(slots: &mut [Slot], hash: u32, is_same: impl Fn(&Slot) -> bool) -> Option<&mut Slot> {
    let mask = slots.len().wrapping_sub(1);
    let mut at = hash as usize & mask;
    while slots.get(at).is_some_and(|slot| slot.place != 0 && !is_same(slot)) {
        at = (at + 1) & mask;
    }
    slots.get_mut(at)
}

/// Whether the key that ends `written` stands at `earlier` as well.
#[inline(never)]
fn is_again(written: &[u8], earlier: u32, start: u32) -> bool {
    let key = written.get(start as usize..).unwrap_or_default();
    written.get(earlier as usize..).is_some_and(|earlier| earlier.starts_with(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(written: &mut Vec<u8>, key: &str) -> u32 {
        let start = u32::try_from(written.len()).unwrap();
        written.extend_from_slice(format!("\"{key}\"").as_bytes());
        start
    }

    #[test]
    fn tells_keys_apart_also_when_their_hashes_agree() {
        for count in [6, FEW, FEW + 1] {
            let (mut keys, mut written) = (KeySet::of(count), Vec::new());
            for (key, earlier) in [
                ("ab", None),
                ("a", None),
                ("abc", None),
                ("ab", Some(0)),
                ("ab", Some(12)),
                ("", None),
            ] {
                let start = write(&mut written, key);
                assert_eq!(keys.insert_hash(7, &written, start), earlier, "{key} of {count}");
            }
        }
    }

    #[test]
    fn finds_every_key_again() {
        for count in [1, FEW, FEW + 1, 1_000] {
            let (mut keys, mut written) = (KeySet::of(count), Vec::new());
            for round in 0..2 {
                for key in 0..count {
                    let key = key.to_string();
                    let start = write(&mut written, &key);
                    let earlier = keys.insert(key.as_bytes(), &written, start);
                    assert_eq!(earlier.is_some(), round == 1, "{key} of {count}");
                }
            }
        }
    }
}

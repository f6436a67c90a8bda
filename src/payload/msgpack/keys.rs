//! Which keys a map has had so far, for all the maps of one message at once.
//!
//! What it's not: a copy of the keys. A key is remembered as the place in the output where its
//! JSON form stands; that form is the same for equal keys, and its closing quote ends it.
//! Invariant: at most half full, so looking up is short; the hash is seeded at random per process,
//! so a sender can't line keys up behind each other.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

/// One key. `map` is the place of its map's opening brace, plus one; zero is a free slot.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    map: u32,
    start: u32,
    hash: u32,
}

/// An open-addressing table of the keys of all maps so far.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    slots: Vec<Slot>,
    used: usize,
    seed: RandomState,
}

impl KeySet {
    /// Makes room for `count` more keys: 24 to 48 bytes each, in powers of two.
    pub(super) fn expect(&mut self, count: usize) {
        let wanted = (self.used + count).saturating_mul(2).next_power_of_two();
        if wanted <= self.slots.len() {
            return;
        }
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); wanted]);
        for slot in old.into_iter().filter(|slot| slot.map != 0) {
            if let Some(free) = self.find(slot.hash, |_| false).1 {
                *free = slot;
            }
        }
    }

    /// Adds the key whose JSON form (with both quotes) is the end of `written` from `start` on, to
    /// the map that opened at `map`. If the map has it already, its earlier place is given back and
    /// forgotten for the new one.
    pub(super) fn insert(&mut self, written: &[u8], map: u32, start: u32) -> Option<u32> {
        let key = written.get(start as usize..).unwrap_or_default();
        let hash = self.hash(key, map);
        let is_same = |slot: &Slot| {
            let earlier = written.get(slot.start as usize..).unwrap_or_default();
            slot.hash == hash && slot.map == map + 1 && earlier.starts_with(key)
        };
        let (earlier, slot) = self.find(hash, is_same);
        if let Some(slot) = slot {
            *slot = Slot { map: map + 1, start, hash };
        }
        self.used += usize::from(earlier.is_none());
        earlier
    }

    #[inline]
    fn hash(&self, key: &[u8], map: u32) -> u32 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u32(map);
        hasher.write(key);
        (hasher.finish() >> 32) as u32
    }

    /// The slot that is the same, with its start, or else the first free one after its place.
    #[inline]
    fn find(
        &mut self,
        hash: u32,
        is_same: impl Fn(&Slot) -> bool,
    ) -> (Option<u32>, Option<&mut Slot>) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get(at) {
            if slot.map == 0 {
                return (None, self.slots.get_mut(at));
            }
            if is_same(slot) {
                return (Some(slot.start), self.slots.get_mut(at));
            }
            at = (at + 1) & mask;
        }
        (None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(keys: &mut KeySet, written: &mut Vec<u8>, map: u32, key: &str) -> Option<u32> {
        let start = u32::try_from(written.len()).unwrap();
        written.extend_from_slice(key.as_bytes());
        keys.insert(written, map, start)
    }

    #[test]
    fn knows_the_keys_of_each_map_apart() {
        let (mut keys, mut written) = (KeySet::default(), Vec::new());
        keys.expect(6);
        assert_eq!(add(&mut keys, &mut written, 0, r#""ab""#), None);
        assert_eq!(add(&mut keys, &mut written, 0, r#""a""#), None);
        assert_eq!(add(&mut keys, &mut written, 0, r#""abc""#), None);
        assert_eq!(add(&mut keys, &mut written, 9, r#""ab""#), None);
        assert_eq!(add(&mut keys, &mut written, 0, r#""ab""#), Some(0));
        assert_eq!(add(&mut keys, &mut written, 0, r#""ab""#), Some(16));
        assert_eq!(keys.used, 4);
    }

    #[test]
    fn finds_every_key_again_after_growing() {
        let (mut keys, mut written) = (KeySet::default(), Vec::new());
        for number in 0..1_000 {
            keys.expect(1);
            assert_eq!(add(&mut keys, &mut written, number % 3, &format!("\"{number}\"")), None);
        }
        for number in 0..1_000 {
            let earlier = add(&mut keys, &mut written, number % 3, &format!("\"{number}\""));
            assert!(earlier.is_some());
        }
        assert!(keys.slots.len() >= 2_000 && keys.used == 1_000);
    }
}

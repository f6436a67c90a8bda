//! The messages of one connection that wait for their acknowledgement.
//!
//! A packet identifier is a place in a list, so finding it is an index. Invariant: an identifier is in use or in the list
//! of free ones, never both.

use interlingua::mqtt::PacketIdentifier;

/// A message that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Which message of the sender.
    pub(crate) ordinal: u64,
    /// When it was meant to be sent.
    pub(crate) intended: u64,
    /// What is awaited.
    pub(crate) stage: Stage,
}

/// What is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// PUBACK.
    Puback,
    /// PUBREC.
    Pubrec,
    /// PUBCOMP.
    Pubcomp,
}

/// All of a connection's.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    slots: Vec<Option<Waiting>>,
    free: Vec<u16>,
}

impl Flight {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Adds a message; `None` when `most` wait already.
    pub(crate) fn add(&mut self, waiting: Waiting, most: u16) -> Option<PacketIdentifier> {
        if self.len() >= usize::from(most) {
            return None;
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(None);
                u16::try_from(self.slots.len() - 1).ok()?
            }
        };
        self.slots[usize::from(index)] = Some(waiting);
        PacketIdentifier::new(index + 1)
    }

    /// The message of an identifier.
    pub(crate) fn get(&mut self, identifier: PacketIdentifier) -> Option<&mut Waiting> {
        self.slots.get_mut(usize::from(identifier.value()) - 1)?.as_mut()
    }

    /// Takes the message of an identifier out.
    pub(crate) fn remove(&mut self, identifier: PacketIdentifier) -> Option<Waiting> {
        let index = identifier.value() - 1;
        let waiting = self.slots.get_mut(usize::from(index))?.take()?;
        self.free.push(index);
        Some(waiting)
    }

    /// Takes all of them out.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Waiting> {
        self.free.clear();
        std::mem::take(&mut self.slots).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_used_again_and_never_twice_at_once() {
        let waiting = |ordinal| Waiting { ordinal, intended: 0, stage: Stage::Puback };
        let mut flight = Flight::default();
        let first = flight.add(waiting(0), 2).expect("room");
        let second = flight.add(waiting(1), 2).expect("room");
        assert_ne!(first, second);
        assert_eq!(flight.add(waiting(2), 2), None);
        assert_eq!(flight.remove(first).map(|waiting| waiting.ordinal), Some(0));
        assert_eq!(flight.remove(first), None);
        assert_eq!(flight.add(waiting(3), 2), Some(first));
        let left: Vec<u64> = flight.clear().map(|waiting| waiting.ordinal).collect();
        assert_eq!((left, flight.len()), (vec![3, 1], 0));
        assert_eq!(flight.get(first), None);
    }
}

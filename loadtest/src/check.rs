//! Which messages came: per device and topic, gaps, repetitions and order. Both ends have one of these; what is lost
//! is decided at the end, when the sender's books are there too.
//!
//! Invariant: memory grows with the gaps that are open, not with the messages.

use crate::engine::stamp::{Stamp, Way};

/// What a receiver has seen of one device and topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Track {
    /// The number after the highest one that came.
    next: u64,
    /// Numbers below `next` that haven't come: from, until. In order.
    gaps: Vec<(u64, u64)>,
}

/// What a number was when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The one that was expected, or one after it.
    New,
    /// One that later ones had overtaken.
    Late,
    /// One that had come before.
    Again,
}

impl Track {
    fn take(&mut self, number: u64) -> Arrival {
        if number >= self.next {
            if number > self.next {
                self.gaps.push((self.next, number));
            }
            self.next = number + 1;
            return Arrival::New;
        }
        let behind = self.gaps.partition_point(|(_, until)| *until <= number);
        match self.gaps.get(behind).copied() {
            Some((from, until)) if from <= number => {
                let parts = [(from, number), (number + 1, until)];
                self.gaps.splice(
                    behind..=behind,
                    parts.into_iter().filter(|(from, until)| from < until),
                );
                Arrival::Late
            }
            _ => Arrival::Again,
        }
    }
}

/// What was wrong at a receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Came again.
    pub(crate) duplicates: u64,
    /// Came after one that was sent later.
    pub(crate) out_of_order: u64,
    /// A damaged stamp, none at all, or bytes around it that changed and may not.
    pub(crate) corrupted: u64,
    /// Came to a device that it wasn't for.
    pub(crate) misdelivered: u64,
    /// Of another run.
    pub(crate) strangers: u64,
    /// The first of each, for a person.
    pub(crate) first: Vec<String>,
}

impl Wrong {
    /// Keeps the first few.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.first.len() < 8 {
            self.first.push(text());
        }
    }

    fn add(&mut self, other: &Self) {
        self.duplicates += other.duplicates;
        self.out_of_order += other.out_of_order;
        self.corrupted += other.corrupted;
        self.misdelivered += other.misdelivered;
        self.strangers += other.strangers;
        self.first.extend(other.first.iter().cloned());
    }
}

/// All that a receiver has seen of one way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// By device, then topic.
    tracks: Vec<Vec<Track>>,
    /// What was wrong.
    pub(crate) wrong: Wrong,
}

impl Seen {
    /// Takes in a message.
    pub(crate) fn take(&mut self, stamp: &Stamp) -> Arrival {
        let (device, topic) = (stamp.device as usize, usize::from(stamp.topic));
        if self.tracks.len() <= device {
            self.tracks.resize_with(device + 1, Vec::new);
        }
        let topics = &mut self.tracks[device];
        if topics.len() <= topic {
            topics.resize_with(topic + 1, Track::default);
        }
        let arrival = topics[topic].take(stamp.sequence);
        match arrival {
            Arrival::New => {}
            Arrival::Late => {
                self.wrong.out_of_order += 1;
                self.wrong.note(|| format!("{} came late", named(stamp)));
            }
            Arrival::Again => {
                self.wrong.duplicates += 1;
                self.wrong.note(|| format!("{} came again", named(stamp)));
            }
        }
        arrival
    }

    /// Adds what another receiver saw of other devices.
    pub(crate) fn merge(&mut self, other: Self) {
        self.wrong.add(&other.wrong);
        if self.tracks.len() < other.tracks.len() {
            self.tracks.resize_with(other.tracks.len(), Vec::new);
        }
        for (mine, theirs) in self.tracks.iter_mut().zip(other.tracks) {
            if !theirs.is_empty() {
                *mine = theirs;
            }
        }
    }

    /// Gaps that are open: what is missing for certain, without the sender's books.
    pub(crate) fn open_gaps(&self) -> u64 {
        let gaps = self.tracks.iter().flatten().flat_map(|track| &track.gaps);
        gaps.map(|(from, until)| until - from).sum()
    }

    /// Compares with what was sent of one device and topic: stream `stream` of the `streams` in the sender's books.
    pub(crate) fn missing(
        &self,
        device: usize,
        topic: usize,
        books: &Books,
        (stream, streams): (u64, u64),
    ) -> Missing {
        let none = Track::default();
        let track = self.tracks.get(device).and_then(|topics| topics.get(topic)).unwrap_or(&none);
        let sent = books.sent.saturating_sub(stream).div_ceil(streams);
        let tail = (track.next < sent).then_some((track.next, sent));
        let mut missing = Missing::default();
        for (from, until) in track.gaps.iter().copied().chain(tail) {
            missing.count(books, (stream, streams), from, until);
        }
        missing
    }
}

fn named(stamp: &Stamp) -> String {
    let way = match stamp.way {
        Way::Up => "message",
        Way::Down => "command",
    };
    format!("{way} {} of device {}, topic {}", stamp.sequence, stamp.device, stamp.topic)
}

/// What a sender has sent. Message k belongs to stream k modulo the streams (a device's topics, a controller's devices),
/// as its number k divided by them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// How many.
    pub(crate) sent: u64,
    /// Messages whose fate nobody knows: from, until. Cut connections and refusals make them.
    pub(crate) undecided: Vec<(u64, u64)>,
}

/// What is missing at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Lost.
    pub(crate) lost: u64,
    /// Missing, and allowed to be.
    pub(crate) undecided: u64,
}

impl Missing {
    /// Adds another stream's.
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.undecided += other.undecided;
    }

    fn count(&mut self, books: &Books, (stream, streams): (u64, u64), from: u64, until: u64) {
        if books.undecided.is_empty() {
            self.lost += until - from;
            return;
        }
        for sequence in from..until {
            let ordinal = sequence * streams + stream;
            let known =
                books.undecided.iter().any(|(from, until)| (*from..*until).contains(&ordinal));
            if known {
                self.undecided += 1;
            } else {
                self.lost += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(numbers: &[u64]) -> (Track, Vec<Arrival>) {
        let mut track = Track::default();
        let arrivals = numbers.iter().map(|number| track.take(*number)).collect();
        (track, arrivals)
    }

    #[test]
    fn what_comes_late_or_again_is_told_apart() {
        use Arrival::{Again, Late, New};
        let (track, arrivals) = seen(&[0, 1, 5, 3, 3, 2, 1, 4, 6]);
        assert_eq!(arrivals, [New, New, New, Late, Again, Late, Again, Late, New]);
        assert_eq!((track.next, track.gaps), (7, vec![]));
        let (track, _) = seen(&[4, 1, 8]);
        assert_eq!(track.gaps, [(0, 1), (2, 4), (5, 8)]);
    }

    #[test]
    fn what_is_missing_is_compared_with_what_was_sent() {
        let stamp = |topic: u16, sequence: u64| Stamp {
            way: Way::Up,
            run: 1,
            device: 2,
            topic,
            sequence,
            time_ns: 0,
            filler: 0,
            rest: 0,
        };
        let mut all = Seen::default();
        // Of seven messages over two topics (0 to 3, and 0 to 2), the second topic's 1 and the first's 3 are missing.
        for (topic, sequence) in [(0, 0), (1, 0), (0, 1), (0, 2), (1, 2)] {
            assert_eq!(all.take(&stamp(topic, sequence)), Arrival::New);
        }
        let missing = |device: usize, undecided: Vec<(u64, u64)>| {
            let books = Books { sent: 7, undecided };
            let mut missing = all.missing(device, 0, &books, (0, 2));
            missing.add(all.missing(device, 1, &books, (1, 2)));
            missing
        };
        assert_eq!(missing(2, vec![]), Missing { lost: 2, undecided: 0 });
        assert_eq!(missing(2, vec![(6, 9)]), Missing { lost: 1, undecided: 1 });
        assert_eq!(missing(2, vec![(0, 7)]), Missing { lost: 0, undecided: 2 });
        // A device that nothing came from.
        assert_eq!(missing(7, vec![]), Missing { lost: 7, undecided: 0 });
        assert_eq!(all.open_gaps(), 1);
    }
}

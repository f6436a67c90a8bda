//! A topic with the places of its levels, found in one pass, and what the variables of a form took from it.
//!
//! Nothing is allocated and nothing copied: levels and captures are places in the topic.

/// Topics with more levels than this can only match a form whose last variable takes the rest.
pub(crate) const LEVELS_MAX: usize = 24;

/// Captures of one form at most; more is a fault of the table, reported when the pair is compiled.
pub(crate) const SLOTS: usize = 8;

/// A place in a topic name, which is at most 65,535 bytes long (MQTT 1.5.3), or one behind it.
type Place = u32;

/// `/` in each byte of a word.
const SEPARATORS: u64 = u64::from_ne_bytes([b'/'; 8]);
const LOW_BITS: u64 = u64::from_ne_bytes([0x7F; 8]);

/// A topic with the places of its levels.
pub(crate) struct Levels<'t> {
    topic: &'t str,
    /// Start of each level, for as many as there is room; behind the last one that of a level that isn't there.
    starts: [Place; LEVELS_MAX + 1],
    /// All levels of the topic, also those without a place.
    pub(crate) count: usize,
}

impl<'t> Levels<'t> {
    /// Eight bytes at a time: a search that is called once per level costs more than the levels are long.
    #[inline]
    pub(crate) fn split(topic: &'t str) -> Self {
        let mut levels = Self { topic, starts: [0; LEVELS_MAX + 1], count: 0 };
        let (words, tail) = topic.as_bytes().as_chunks::<8>();
        let mut start = 0;
        for word in words {
            let mut found = separators(u64::from_le_bytes(*word));
            while found != 0 {
                levels.end(start + found.trailing_zeros() as usize / 8);
                found &= found - 1;
            }
            start += 8;
        }
        for (at, byte) in tail.iter().enumerate() {
            if *byte == b'/' {
                levels.end(start + at);
            }
        }
        levels.end(topic.len());
        levels
    }

    #[inline]
    fn end(&mut self, at: usize) {
        self.count += 1;
        if let Some(place) = self.starts.get_mut(self.count) {
            *place = place_of(at + 1);
        }
    }

    /// Where a level is. Nowhere, if it has no place.
    #[inline]
    fn place(&self, level: usize) -> Span {
        match self.starts.get(level..).and_then(<[Place]>::first_chunk) {
            Some([start, next]) => Span { start: *start, end: next.saturating_sub(1) },
            None => Span { start: 0, end: 0 },
        }
    }

    /// The bytes of a level.
    #[inline]
    pub(super) fn level(&self, level: usize) -> &'t [u8] {
        self.topic.as_bytes().get(self.place(level).range()).unwrap_or(&[])
    }

    /// A level without `before` bytes at its start and `behind` at its end.
    #[inline]
    pub(super) fn span(&self, level: usize, before: usize, behind: usize) -> Span {
        let Span { start, end } = self.place(level);
        Span { start: start + place_of(before), end: end.saturating_sub(place_of(behind)) }
    }

    /// From a level to the end.
    pub(super) fn rest(&self, level: usize) -> Span {
        Span { start: self.place(level).start, end: place_of(self.topic.len()) }
    }

    /// The bytes of a part.
    pub(super) fn bytes(&self, span: Span) -> &'t [u8] {
        self.topic.as_bytes().get(span.range()).unwrap_or(&[])
    }

    /// No captures yet.
    #[inline]
    pub(super) fn captures(&self) -> Captures<'t> {
        Captures { topic: self.topic, spans: [Span { start: 0, end: 0 }; SLOTS] }
    }
}

#[inline]
fn place_of(at: usize) -> Place {
    Place::try_from(at).unwrap_or(Place::MAX)
}

/// The highest bit of each byte that is a `/`; all others are 0.
#[inline]
fn separators(word: u64) -> u64 {
    let other = word ^ SEPARATORS;
    !(((other & LOW_BITS) + LOW_BITS) | other | LOW_BITS)
}

/// A part of a topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: Place,
    end: Place,
}

impl Span {
    #[inline]
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What the variables of a form took from a topic, in the order of the form's variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Captures<'t> {
    topic: &'t str,
    spans: [Span; SLOTS],
}

impl<'t> Captures<'t> {
    /// The text of a slot; empty for a slot that the form doesn't have.
    #[inline]
    pub(crate) fn text(&self, slot: usize) -> &'t str {
        let span = self.spans.get(slot);
        span.and_then(|span| self.topic.get(span.range())).unwrap_or("")
    }

    #[inline]
    pub(super) fn set(&mut self, slot: usize, span: Span) {
        if let Some(place) = self.spans.get_mut(slot) {
            *place = span;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(topic: &str) -> Vec<&str> {
        let levels = Levels::split(topic);
        (0..levels.count.min(LEVELS_MAX))
            .map(|level| str::from_utf8(levels.level(level)).unwrap())
            .collect()
    }

    #[test]
    fn levels_are_what_stands_between_separators() {
        let long = format!("{}/{}", "é".repeat(9), "x".repeat(17));
        for topic in [
            "",
            "/",
            "//",
            "a",
            "a/b",
            "/a/",
            "a/b/c/d/e/f/g/h/i",
            "12345678",
            "1234567/",
            "/2345678/",
            "////////",
            "/////////",
            "12345678/0",
            ".-/.-/0/.",
            &long,
        ] {
            assert_eq!(split(topic), topic.split('/').collect::<Vec<_>>(), "{topic}");
        }
        // Neighbours of the separator, and the same with the highest bit, are none.
        for word in ["...0...0", "..0..0..", "\u{af}\u{af}\u{af}\u{af}"] {
            assert_eq!(split(word), [word]);
        }
    }

    #[test]
    fn a_level_beyond_the_places_ends_with_the_topic() {
        let topic = vec!["x"; 100].join("/");
        let levels = Levels::split(&topic);
        assert_eq!((levels.count, levels.bytes(levels.rest(1)).len()), (100, 197));
        let widest = "w".repeat(65_535);
        let levels = Levels::split(&widest);
        let mut captures = levels.captures();
        captures.set(0, levels.span(0, 0, 0));
        assert_eq!((captures.text(0).len(), captures.text(1)), (65_535, ""));
    }
}

//! "The last one wins": which pairs of the output a later pair with the same key has replaced.
//!
//! What it's not: in use unless the option says so; refusing needs none of this.
//! Invariant: pairs are kept in order of their start (an outer pair begins before the inner ones),
//! and the gaps are closed in one pass over the output, however they nest.

use std::ops::Range;

/// The pairs of all maps of one message, as places in the output.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    all: Vec<Range<usize>>,
    replaced: Vec<Range<usize>>,
}

impl Pairs {
    /// A pair begins at `start`; the answer names it to [`Self::end`].
    pub(super) fn begin(&mut self, start: usize) -> usize {
        self.all.push(start..start);
        self.all.len() - 1
    }

    /// The pair ends before `end`.
    pub(super) fn end(&mut self, pair: usize, end: usize) {
        if let Some(pair) = self.all.get_mut(pair) {
            pair.end = end;
        }
    }

    /// The pair that began at `start` has been replaced by a later one of the same map.
    pub(super) fn replace(&mut self, start: usize) {
        if let Ok(index) = self.all.binary_search_by_key(&start, |pair| pair.start) {
            // With the comma behind it: whoever replaces it comes later.
            self.replaced.extend(self.all.get(index).map(|pair| pair.start..pair.end + 1));
        }
    }

    /// Takes the replaced pairs out of `out`.
    pub(super) fn close_gaps(&mut self, out: &mut Vec<u8>) {
        self.replaced.sort_unstable_by_key(|gap| gap.start);
        let Some(first) = self.replaced.first() else { return };
        let (mut read, mut write) = (first.start, first.start);
        let end = out.len();
        for gap in self.replaced.iter().chain([&(end..end)]) {
            if gap.start < read {
                continue; // inside a gap that is closed already
            }
            out.copy_within(read..gap.start, write);
            write += gap.start - read;
            read = gap.end;
        }
        out.truncate(write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_gaps_that_follow_and_gaps_that_nest() {
        let mut out = b"{a:{b:1,b:2},c:3,a:4,c:5}".to_vec();
        let mut pairs = Pairs::default();
        let outer = pairs.begin(1);
        for (start, end) in [(4, 7), (8, 11)] {
            let inner = pairs.begin(start);
            pairs.end(inner, end);
        }
        pairs.end(outer, 12);
        let third = pairs.begin(13);
        pairs.end(third, 16);
        pairs.replace(4);
        pairs.replace(1);
        pairs.replace(13);
        pairs.close_gaps(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "{a:4,c:5}");
    }

    #[test]
    fn leaves_the_output_alone_if_nothing_was_replaced() {
        let mut out = b"{a:1}".to_vec();
        let mut pairs = Pairs::default();
        pairs.begin(1);
        pairs.close_gaps(&mut out);
        assert_eq!(out, b"{a:1}");
    }
}

//! Which routes a topic can have, without asking each: by its number of levels and, where that leaves many, by the word in
//! the level that tells most of them apart. So a message costs the same with ten forms and with a thousand.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::levels::Levels;
use super::pattern::Pattern;

/// So many routes are asked one after the other; that costs less than a look into a map.
const ASKED_MAX: usize = 8;

/// The routes for one number of levels, by their index. Those of each list are in the order of the table.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    /// All of them, or those that have no word of their own in `level`.
    others: Vec<usize>,
    /// By the word in `level`, with the others among them.
    by_word: HashMap<Box<[u8]>, Vec<usize>, RandomState>,
    level: usize,
}

impl Candidates {
    /// Of these routes.
    pub(super) fn of(routes: &[(usize, &Pattern)]) -> Self {
        let all = || routes.iter().map(|(index, _)| *index).collect();
        let Some(level) = telling_level(routes).filter(|_| routes.len() > ASKED_MAX) else {
            return Self { others: all(), ..Self::default() };
        };
        let mut by_word: HashMap<Box<[u8]>, Vec<usize>, RandomState> = HashMap::default();
        for word in routes.iter().filter_map(|(_, pattern)| pattern.literal(level)) {
            by_word.entry(word.as_bytes().into()).or_insert_with(|| {
                let fits = |pattern: &Pattern| pattern.literal(level).is_none_or(|own| own == word);
                routes.iter().filter(|(_, own)| fits(own)).map(|(index, _)| *index).collect()
            });
        }
        let others = routes.iter().filter(|(_, pattern)| pattern.literal(level).is_none());
        Self { others: others.map(|(index, _)| *index).collect(), by_word, level }
    }

    /// Those that a topic can have.
    #[inline]
    pub(super) fn for_topic(&self, topic: &Levels<'_>) -> &[usize] {
        if self.by_word.is_empty() {
            return &self.others;
        }
        self.by_word.get(topic.level(self.level)).unwrap_or(&self.others)
    }
}

/// The level in which most different words stand.
fn telling_level(routes: &[(usize, &Pattern)]) -> Option<usize> {
    let words = |level: usize| {
        let mut words: Vec<&str> =
            routes.iter().filter_map(|(_, pattern)| pattern.literal(level)).collect();
        words.sort_unstable();
        words.dedup();
        words.len()
    };
    let levels = routes.iter().map(|(_, pattern)| pattern.levels()).max().unwrap_or(0);
    // The first of those that are as good.
    (0..levels).rev().max_by_key(|level| words(*level)).filter(|level| words(*level) > 1)
}

//! The topics that one session had translated last. A device says the same few over and over, so that mostly
//! neither its form has to be found nor the other topic rendered.

use std::fmt;

use crate::translate::Way;

/// Topics remembered per way. The oldest gives way to a new one.
const TOPICS_MAX: usize = 4;

/// Longer topics, on either side, are not remembered: memory per session stays small whatever a device sends.
const TOPIC_BYTES_MAX: usize = 192;

/// The last topics of each way.
#[derive(Default)]
pub(in crate::translate) struct Topics {
    up: Ring,
    down: Ring,
}

#[derive(Default)]
struct Ring {
    entries: Vec<Entry>,
    oldest: usize,
}

#[derive(Default)]
struct Entry {
    topic: String,
    /// Index of the lane's route.
    route: usize,
    rendered: String,
}

/// What is known of a topic.
#[derive(Clone, Copy)]
pub(in crate::translate) struct Known<'m> {
    pub(in crate::translate) route: usize,
    pub(in crate::translate) rendered: &'m str,
}

impl Topics {
    /// The route of a topic whose form doesn't depend on the payload, and what it is on the other side.
    #[inline]
    pub(in crate::translate) fn find(&self, way: Way, topic: &str) -> Option<Known<'_>> {
        let ring = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        let mut entries = ring.entries.iter();
        let Entry { route, rendered, .. } = entries.find(|entry| entry.topic == topic)?;
        Some(Known { route: *route, rendered })
    }

    /// Remembers a topic. Its place is reused, so that nothing is allocated once the places have grown.
    pub(in crate::translate) fn remember(&mut self, way: Way, topic: &str, known: Known<'_>) {
        if topic.len().max(known.rendered.len()) > TOPIC_BYTES_MAX {
            return;
        }
        let Ring { entries, oldest } = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        if entries.len() < TOPICS_MAX {
            // Most devices have one topic.
            entries.reserve_exact(1);
            entries.push(Entry::default());
            *oldest = entries.len() - 1;
        }
        if let Some(entry) = entries.get_mut(*oldest) {
            refill(&mut entry.topic, topic);
            refill(&mut entry.rendered, known.rendered);
            entry.route = known.route;
        }
        *oldest = (*oldest + 1) % TOPICS_MAX;
    }
}

fn refill(text: &mut String, with: &str) {
    text.clear();
    text.reserve_exact(with.len());
    text.push_str(with);
}

/// Topics of a platform may hold its secrets.
impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(memory: &Topics, way: Way, topic: &str) -> Option<(usize, String)> {
        memory.find(way, topic).map(|known| (known.route, known.rendered.to_owned()))
    }

    #[test]
    fn the_last_topics_of_each_way_are_known() {
        let mut memory = Topics::default();
        for number in 0..10 {
            let (topic, rendered) = (format!("t{number}"), format!("r{number}"));
            memory.remember(Way::Up, &topic, Known { route: number, rendered: &rendered });
            assert_eq!(known(&memory, Way::Up, &topic), Some((number, rendered)));
            assert_eq!(known(&memory, Way::Down, &topic), None);
        }
        for number in 0..6 {
            assert_eq!(known(&memory, Way::Up, &format!("t{number}")), None, "{number}");
        }
        for number in 6..10 {
            assert!(known(&memory, Way::Up, &format!("t{number}")).is_some(), "{number}");
        }
        assert_eq!(memory.up.entries.capacity(), TOPICS_MAX);
    }

    #[test]
    fn long_topics_are_not_kept_and_none_is_shown() {
        let mut memory = Topics::default();
        let long = "x".repeat(TOPIC_BYTES_MAX + 1);
        memory.remember(Way::Up, &long, Known { route: 0, rendered: "r" });
        memory.remember(Way::Up, "hunter2", Known { route: 0, rendered: &long });
        assert!(known(&memory, Way::Up, &long).or(known(&memory, Way::Up, "hunter2")).is_none());
        memory.remember(Way::Up, "hunter2", Known { route: 0, rendered: "r" });
        assert!(known(&memory, Way::Up, "hunter2").is_some());
        assert!(!format!("{memory:?}").contains("hunter2"));
    }
}

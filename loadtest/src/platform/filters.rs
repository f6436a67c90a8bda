//! Who may want a message: topic filters in a tree by their levels, so that a message isn't held against each of them.
//!
//! It proposes; whether a subscription matches is the hub's to say. Invariant: whoever matches is proposed, and a tree
//! without filters is empty.

use std::collections::HashMap;
use std::rc::Rc;

/// The filters below one level.
#[derive(Debug, Default)]
pub(super) struct Filters {
    levels: HashMap<Box<str>, Filters>,
    /// `+`
    any: Option<Box<Filters>>,
    /// `#`
    rest: Vec<Rc<str>>,
    /// Filters that end here.
    here: Vec<Rc<str>>,
}

impl Filters {
    /// Adds a filter of a session. Adding it again changes nothing.
    pub(super) fn insert(&mut self, filter: &str, session: &Rc<str>) {
        let mut node = self;
        for level in filter.split('/') {
            node = match level {
                "#" => return add(&mut node.rest, session),
                "+" => node.any.get_or_insert_default(),
                level => node.levels.entry(level.into()).or_default(),
            };
        }
        add(&mut node.here, session);
    }

    /// Takes a filter of a session away.
    pub(super) fn remove(&mut self, filter: &str, session: &str) {
        let (level, below) = match filter.split_once('/') {
            Some((level, below)) => (level, Some(below)),
            None => (filter, None),
        };
        if level == "#" {
            return self.rest.retain(|own| **own != *session);
        }
        let node = match level {
            "+" => self.any.as_deref_mut(),
            level => self.levels.get_mut(level),
        };
        let Some(node) = node else { return };
        match below {
            Some(below) => node.remove(below, session),
            None => node.here.retain(|own| **own != *session),
        }
        if node.is_empty() {
            match level {
                "+" => self.any = None,
                level => _ = self.levels.remove(level),
            }
        }
    }

    /// The sessions with a filter that may match, each once.
    pub(super) fn find(&self, topic: &str) -> Vec<Rc<str>> {
        let mut found = Vec::new();
        self.collect(Some(topic), &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Depth of the recursion: the levels of the filters, which a packet bounds.
    fn collect(&self, topic: Option<&str>, found: &mut Vec<Rc<str>>) {
        found.extend_from_slice(&self.rest);
        let Some(topic) = topic else { return found.extend_from_slice(&self.here) };
        let (level, below) = match topic.split_once('/') {
            Some((level, below)) => (level, Some(below)),
            None => (topic, None),
        };
        for node in self.any.as_deref().into_iter().chain(self.levels.get(level)) {
            node.collect(below, found);
        }
    }

    fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.any.is_none() && self.rest.is_empty() && self.here.is_empty()
    }
}

fn add(list: &mut Vec<Rc<str>>, session: &Rc<str>) {
    if !list.contains(session) {
        list.push(session.clone());
    }
}

#[cfg(test)]
mod tests {
    use interlingua::mqtt::topic;

    use super::*;

    #[test]
    fn whoever_matches_is_proposed_and_nobody_stays() {
        let filters = ["#", "a", "a/#", "a/+", "+/b", "+", "a/b/c", "+/+/#", "/a", "a//b", "a/b"];
        let topics = ["a", "a/b", "a/b/c", "b", "/a", "a//b", "a/b/c/d", "x/y/z"];
        let mut tree = Filters::default();
        for filter in filters {
            tree.insert(filter, &filter.into());
            tree.insert(filter, &filter.into());
        }
        for name in topics {
            let mut matching: Vec<&str> =
                filters.iter().copied().filter(|filter| topic::matches(name, filter)).collect();
            matching.sort_unstable();
            let found = tree.find(name);
            assert_eq!(found.iter().map(|own| &**own).collect::<Vec<_>>(), matching, "{name}");
        }
        for filter in filters {
            tree.remove(filter, "somebody else");
            tree.remove(filter, filter);
        }
        assert!(tree.is_empty(), "{tree:?}");
    }
}

//! Topic aliases, which belong to one connection and one direction (v5 section 3.3.2.3.4): a translated session resolves
//! those of either side, and gives the topics that it sends aliases of its own. Where packets pass unchanged their
//! aliases do, too, and are only checked.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mqtt::{Properties, Property, PropertyIdentifier, Publish, Version, WireError};
use crate::translate::{Reason, Refusal, Way};

use super::conversation::Session;
use super::end::End;

/// Topic names that are shorter go as they are: an alias takes three bytes.
const WORTH: usize = 8;

/// What an alias stands for where packets pass unchanged and the message that brought it was refused.
const REFUSED: &str = "refused";
const UNBROUGHT: Refusal =
    Refusal::new(Reason::BadTopic, "the message that brought its topic alias was refused");

const UNKNOWN: &str = "a topic alias that stands for nothing";

/// The aliases of both directions of one session.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    from_device: Resolved,
    from_upstream: Resolved,
    pub(super) to_device: Assigned,
    pub(super) to_upstream: Assigned,
}

/// The aliases that one sender uses.
#[derive(Debug, Default)]
struct Resolved {
    /// The sender was allowed so many.
    most: u16,
    /// Where packets pass unchanged the names are empty, or [`REFUSED`]: only that there is one matters.
    names: HashMap<u16, Box<str>, RandomState>,
}

/// The aliases that one receiver is given: the first topics that come, until there are as many as it takes.
#[derive(Debug, Default)]
pub(super) struct Assigned {
    most: u16,
    numbers: HashMap<Box<str>, u16, RandomState>,
}

/// What a topic name is towards a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alias {
    /// The receiver knows it: the name may stay away.
    Known(u16),
    /// Name and alias go together this time.
    New(u16),
    None,
}

impl Assigned {
    /// The alias of a topic name; a new one is given at once.
    pub(super) fn of(&mut self, topic_name: &str) -> Alias {
        if topic_name.len() < WORTH || self.most == 0 {
            return Alias::None;
        }
        if let Some(number) = self.numbers.get(topic_name) {
            return Alias::Known(*number);
        }
        let Some(number) = self.given().checked_add(1).filter(|number| *number <= self.most) else {
            return Alias::None;
        };
        self.numbers.insert(topic_name.into(), number);
        Alias::New(number)
    }

    /// How many there are.
    pub(super) fn given(&self) -> u16 {
        u16::try_from(self.numbers.len()).unwrap_or(u16::MAX)
    }

    /// Forgets all but the first so many: what carried the others was not sent.
    pub(super) fn take_back(&mut self, given: u16) {
        self.numbers.retain(|_, number| *number <= given);
    }
}

/// What a CONNECT or CONNACK allows the other side.
pub(super) fn alias_maximum(properties: Properties<'_>) -> u16 {
    match properties.find(PropertyIdentifier::TopicAliasMaximum) {
        Some(Property::TopicAliasMaximum(most)) => most,
        _ => 0,
    }
}

fn alias_of(publish: &Publish<'_>) -> Option<u16> {
    match publish.properties.find(PropertyIdentifier::TopicAlias) {
        Some(Property::TopicAlias(number)) => Some(number),
        _ => None,
    }
}

impl Aliases {
    fn resolved(&mut self, way: Way) -> &mut Resolved {
        match way {
            Way::Up => &mut self.from_device,
            Way::Down => &mut self.from_upstream,
        }
    }

    /// Those of the side that messages on this way go to.
    pub(super) fn assigned(&mut self, way: Way) -> &mut Assigned {
        match way {
            Way::Up => &mut self.to_upstream,
            Way::Down => &mut self.to_device,
        }
    }
}

impl Session {
    /// The sender on this way may use so many aliases.
    pub(super) fn allow_aliases(&mut self, way: Way, most: u16) {
        if most > 0 {
            self.aliases.get_or_insert_default().resolved(way).most = most;
        }
    }

    /// The receiver on this way takes so many aliases of the proxy's.
    pub(super) fn offer_aliases(&mut self, way: Way, most: u16) {
        let most = most.min(self.plan.limits.topic_aliases_max);
        if most > 0 {
            self.aliases.get_or_insert_default().assigned(way).most = most;
        }
    }

    /// Checks a message that passes unchanged, unless it is refused already. A message that is refused doesn't bring its
    /// alias to the receiver: those that use it are refused, too, until it stands for another topic.
    pub(super) fn check_alias(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
        checked: Result<(), Refusal>,
    ) -> Result<Result<(), Refusal>, End> {
        if self.version != Version::V5 {
            return Ok(checked);
        }
        let Some(number) = alias_of(publish) else { return Ok(checked) };
        let names = &mut self.known_aliases(way, number)?.names;
        if !publish.topic_name.is_empty() {
            let name = if checked.is_ok() { "" } else { REFUSED };
            names.insert(number, name.into());
            return Ok(checked);
        }
        match names.get(&number).map(|name| &**name) {
            None => Err(broken(way)),
            Some(REFUSED) => Ok(Err(UNBROUGHT)),
            Some(_) => Ok(checked),
        }
    }

    /// The topic name of a message that isn't taken yet.
    pub(super) fn peek_topic<'n>(&'n self, way: Way, publish: &Publish<'n>) -> &'n str {
        let resolved = match way {
            Way::Up => self.aliases.as_deref().map(|aliases| &aliases.from_device),
            Way::Down => self.aliases.as_deref().map(|aliases| &aliases.from_upstream),
        };
        let known = alias_of(publish)
            .filter(|_| publish.topic_name.is_empty())
            .and_then(|number| resolved?.names.get(&number));
        known.map_or(publish.topic_name, |name| name)
    }

    /// The topic name that a message's alias stands for: `None` where it has none, and the name that it has is meant. An
    /// alias that comes with a name stands for it from now on.
    pub(super) fn resolve_alias(
        &mut self,
        way: Way,
        publish: &Publish<'_>,
    ) -> Result<Option<Box<str>>, End> {
        let Some(number) = alias_of(publish) else { return Ok(None) };
        let names = &mut self.known_aliases(way, number)?.names;
        if publish.topic_name.is_empty() {
            return names.get(&number).cloned().map(Some).ok_or(broken(way));
        }
        match names.get_mut(&number) {
            Some(known) if **known == *publish.topic_name => {}
            known => {
                let name = publish.topic_name.into();
                match known {
                    Some(known) => *known = name,
                    None => drop(names.insert(number, name)),
                }
            }
        }
        Ok(None)
    }

    /// The aliases of a sender, which may use this one [MQTT-3.3.2-9] [MQTT-3.3.2-10].
    fn known_aliases(&mut self, way: Way, number: u16) -> Result<&mut Resolved, End> {
        let resolved = self.aliases.as_deref_mut().map(|aliases| aliases.resolved(way));
        resolved.filter(|resolved| number <= resolved.most).ok_or(match way {
            Way::Up => End::DeviceMalformed(WireError::TopicAliasInvalid),
            Way::Down => End::UpstreamMalformed(WireError::TopicAliasInvalid),
        })
    }
}

fn broken(way: Way) -> End {
    match way {
        Way::Up => End::DeviceProtocol(UNKNOWN),
        Way::Down => End::UpstreamProtocol(UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_given_as_many_aliases_as_it_takes() {
        let mut assigned = Assigned { most: 2, ..Assigned::default() };
        assert_eq!(assigned.of("site/one"), Alias::New(1));
        assert_eq!(assigned.of("site/two"), Alias::New(2));
        assert_eq!(assigned.of("site/one"), Alias::Known(1));
        assert_eq!(assigned.of("site/three"), Alias::None);
        assert_eq!(assigned.of("a/b"), Alias::None, "an alias would be as long");
        assigned.take_back(1);
        assert_eq!(assigned.of("site/three"), Alias::New(2));
        assert_eq!(assigned.of("site/one"), Alias::Known(1));
    }
}

//! How deep and long topics may be, and how many properties a packet may have: held whatever the dialect, before anything
//! is matched. A topic that costs nothing here can cost a lot in whoever looks at its levels one by one.

use crate::mqtt::{Properties, Property, PropertyIdentifier};
use crate::translate::{Reason, Refusal};

use super::plan::SessionLimits;

const DEEP: Refusal = Refusal::new(Reason::BadTopic, "more levels than `topic_levels_max`");
const LONG: Refusal = Refusal::new(Reason::BadTopic, "more bytes than `topic_bytes_max`");
const MANY: Refusal =
    Refusal::new(Reason::PayloadTooLarge, "more properties than `properties_max`");

/// The shortest property: an identifier and a byte.
const PROPERTY_BYTES: usize = 2;

impl SessionLimits {
    /// Why a topic name or topic filter isn't taken. A short one costs two comparisons.
    ///
    /// # Errors
    /// `bad_topic`: more levels or bytes than the limits.
    #[inline]
    pub fn check_topic(&self, topic: &str) -> Result<(), Refusal> {
        // So many levels need as many bytes, but for one.
        let short = topic.len() < self.topic_levels_max && topic.len() <= self.topic_bytes_max;
        if short { Ok(()) } else { self.count_levels(topic) }
    }

    #[cold]
    fn count_levels(&self, topic: &str) -> Result<(), Refusal> {
        if topic.len() > self.topic_bytes_max {
            return Err(LONG);
        }
        let slashes = memchr::memchr_iter(b'/', topic.as_bytes());
        if slashes.count() < self.topic_levels_max { Ok(()) } else { Err(DEEP) }
    }

    /// Why a message or a will isn't taken: its topic name, its response topic, the number of its properties.
    #[inline]
    pub(super) fn check_message(
        &self,
        topic_name: &str,
        properties: Properties<'_>,
    ) -> Result<(), Refusal> {
        let bytes = properties.as_bytes().len();
        // No string in so many bytes can have more levels or bytes, nor can there be more properties.
        let longest = topic_name.len().max(bytes);
        let few =
            longest < self.topic_levels_max.min(self.topic_bytes_max) && !self.may_be_many(bytes);
        if few { Ok(()) } else { self.check_at_length(topic_name, properties) }
    }

    #[cold]
    fn check_at_length(&self, topic_name: &str, properties: Properties<'_>) -> Result<(), Refusal> {
        self.check_topic(topic_name)?;
        let most = self.properties_max;
        if properties.iter().take(most.saturating_add(1)).count() > most {
            return Err(MANY);
        }
        match properties.find(PropertyIdentifier::ResponseTopic) {
            Some(Property::ResponseTopic(topic)) => self.check_topic(topic),
            _ => Ok(()),
        }
    }

    /// Whether so many bytes can hold more properties than the limit.
    #[inline]
    pub(super) fn may_be_many(&self, bytes: usize) -> bool {
        bytes / PROPERTY_BYTES > self.properties_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_be_as_deep_and_as_long_as_the_limits_say() {
        let limits =
            SessionLimits { topic_levels_max: 3, topic_bytes_max: 8, ..SessionLimits::default() };
        let cases = [
            ("", Ok(())),
            ("a", Ok(())),
            ("a/b/c", Ok(())),
            ("//", Ok(())),
            ("///", Err(DEEP)),
            ("a/b/c/d", Err(DEEP)),
            ("12345678", Ok(())),
            ("123456789", Err(LONG)),
            ("1/3/5678", Ok(())),
            ("1/3/5/78", Err(DEEP)),
        ];
        for (topic, expected) in cases {
            assert_eq!(limits.check_topic(topic), expected, "{topic}");
        }
        let one = SessionLimits { topic_levels_max: 1, ..SessionLimits::default() };
        assert_eq!(one.check_topic("a"), Ok(()));
        assert_eq!(one.check_topic("/"), Err(DEEP));
        assert_eq!(one.check_topic("a/b"), Err(DEEP));
    }
}

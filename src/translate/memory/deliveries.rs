//! What came by before: a platform's echo of the session's own messages, and retained messages that come again
//! with each subscription. Only fingerprints are kept.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

/// Own messages remembered, and topics whose last delivery is.
const REMEMBERED_MAX: usize = 64;

/// How long an echo of an own message is expected.
const ECHO_WINDOW_MS: u64 = 5_000;

/// The session's own messages that a platform may send back.
#[derive(Debug, Default)]
pub(in crate::translate) struct Echoes {
    hasher: RandomState,
    sent: VecDeque<(u64, u64)>,
}

impl Echoes {
    /// Remembers a message that goes up.
    pub(in crate::translate) fn sent(&mut self, topic: &str, payload: &[u8], now_ms: u64) {
        if self.sent.len() >= REMEMBERED_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back((fingerprint(&self.hasher, topic, payload), now_ms));
    }

    /// Whether a message is the echo of one that went up a moment ago. Each has one echo.
    pub(in crate::translate) fn is_echo(
        &mut self,
        topic: &str,
        payload: &[u8],
        now_ms: u64,
    ) -> bool {
        while let Some((_, sent_ms)) = self.sent.front()
            && now_ms.saturating_sub(*sent_ms) > ECHO_WINDOW_MS
        {
            self.sent.pop_front();
        }
        if self.sent.is_empty() {
            return false;
        }
        let own = fingerprint(&self.hasher, topic, payload);
        let at = self.sent.iter().position(|(sent, _)| *sent == own);
        at.is_some_and(|at| self.sent.remove(at).is_some())
    }
}

/// The last message of each topic that the device got.
#[derive(Debug, Default)]
pub(in crate::translate) struct Deliveries {
    hasher: RandomState,
    last: VecDeque<Delivery>,
}

#[derive(Debug)]
struct Delivery {
    topic: u64,
    whole: u64,
}

impl Deliveries {
    /// Remembers what the device got.
    pub(in crate::translate) fn delivered(&mut self, topic: &str, payload: &[u8]) {
        let delivery = Delivery {
            topic: fingerprint(&self.hasher, topic, &[]),
            whole: fingerprint(&self.hasher, topic, payload),
        };
        self.last.retain(|last| last.topic != delivery.topic);
        if self.last.len() >= REMEMBERED_MAX {
            self.last.pop_front();
        }
        self.last.push_back(delivery);
    }

    /// Whether this is what the device got last on this topic.
    pub(in crate::translate) fn is_repeated(&self, topic: &str, payload: &[u8]) -> bool {
        let whole = fingerprint(&self.hasher, topic, payload);
        self.last.iter().any(|last| last.whole == whole)
    }
}

fn fingerprint(hasher: &RandomState, topic: &str, payload: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(topic.as_bytes());
    // A NUL is in no topic, so the two parts can't be cut elsewhere.
    state.write_u8(0);
    state.write(payload);
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_one_and_comes_soon() {
        let mut echoes = Echoes::default();
        echoes.sent("a/b", b"1", 1_000);
        assert!(!echoes.is_echo("a/b", b"2", 1_001), "another payload");
        assert!(!echoes.is_echo("a/", b"b1", 1_001), "another topic");
        assert!(echoes.is_echo("a/b", b"1", 1_001));
        assert!(!echoes.is_echo("a/b", b"1", 1_002), "it was there already");
        echoes.sent("a/b", b"1", 1_000);
        assert!(!echoes.is_echo("a/b", b"1", 1_001 + ECHO_WINDOW_MS), "too late");
        for number in 0..=REMEMBERED_MAX {
            echoes.sent(&number.to_string(), b"", 9_000);
        }
        assert!(!echoes.is_echo("0", b"", 9_000), "too many since");
        assert!(echoes.is_echo("1", b"", 9_000));
    }

    #[test]
    fn what_came_last_on_a_topic_is_known() {
        let mut deliveries = Deliveries::default();
        deliveries.delivered("a", b"on");
        assert!(deliveries.is_repeated("a", b"on"));
        assert!(!deliveries.is_repeated("b", b"on"));
        deliveries.delivered("a", b"off");
        assert!(!deliveries.is_repeated("a", b"on"), "something else came since");
        assert!(deliveries.is_repeated("a", b"off"));
        for number in 0..REMEMBERED_MAX {
            deliveries.delivered(&number.to_string(), b"");
        }
        assert!(!deliveries.is_repeated("a", b"off"), "too many since");
    }
}

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
pub(super) struct Echoes {
    hasher: RandomState,
    sent: VecDeque<Sent>,
}

/// A message that went up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    print: u64,
    at_ms: u64,
}

impl Echoes {
    /// What is remembered of a message.
    pub(super) fn print(&self, topic: &str, payload: &[u8], at_ms: u64) -> Sent {
        Sent { print: fingerprint(&self.hasher, topic, payload), at_ms }
    }

    /// Remembers a message that went up.
    pub(super) fn sent(&mut self, sent: Sent) {
        if self.sent.len() >= REMEMBERED_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
    }

    /// Whether a message is the echo of one that went up a moment ago. Each has one echo.
    pub(super) fn is_echo(&mut self, topic: &str, payload: &[u8], now_ms: u64) -> bool {
        while let Some(oldest) = self.sent.front()
            && now_ms.saturating_sub(oldest.at_ms) > ECHO_WINDOW_MS
        {
            self.sent.pop_front();
        }
        if self.sent.is_empty() {
            return false;
        }
        let own = fingerprint(&self.hasher, topic, payload);
        let at = self.sent.iter().position(|sent| sent.print == own);
        at.is_some_and(|at| self.sent.remove(at).is_some())
    }
}

/// The last message of each topic that the device got.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    hasher: RandomState,
    last: VecDeque<Delivery>,
}

#[derive(Debug)]
struct Delivery {
    topic: u64,
    whole: u64,
}

impl Deliveries {
    /// What is remembered of a message: of its topic, and of all of it.
    pub(super) fn prints(&self, topic: &str, payload: &[u8]) -> [u64; 2] {
        [fingerprint(&self.hasher, topic, &[]), fingerprint(&self.hasher, topic, payload)]
    }

    /// Remembers what the device got.
    pub(super) fn delivered(&mut self, topic: u64, whole: u64) {
        self.last.retain(|last| last.topic != topic);
        if self.last.len() >= REMEMBERED_MAX {
            self.last.pop_front();
        }
        self.last.push_back(Delivery { topic, whole });
    }

    /// Whether this is what the device got last on this topic.
    pub(super) fn is_repeated(&self, topic: &str, payload: &[u8]) -> bool {
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
        {
            let sent = echoes.print("a/b", b"1", 1_000);
            echoes.sent(sent)
        };
        assert!(!echoes.is_echo("a/b", b"2", 1_001), "another payload");
        assert!(!echoes.is_echo("a/", b"b1", 1_001), "another topic");
        assert!(echoes.is_echo("a/b", b"1", 1_001));
        assert!(!echoes.is_echo("a/b", b"1", 1_002), "it was there already");
        {
            let sent = echoes.print("a/b", b"1", 1_000);
            echoes.sent(sent)
        };
        assert!(!echoes.is_echo("a/b", b"1", 1_001 + ECHO_WINDOW_MS), "too late");
        for number in 0..=REMEMBERED_MAX {
            {
                let sent = echoes.print(&number.to_string(), b"", 9_000);
                echoes.sent(sent)
            };
        }
        assert!(!echoes.is_echo("0", b"", 9_000), "too many since");
        assert!(echoes.is_echo("1", b"", 9_000));
    }

    #[test]
    fn what_came_last_on_a_topic_is_known() {
        let mut deliveries = Deliveries::default();
        {
            let [topic, whole] = deliveries.prints("a", b"on");
            deliveries.delivered(topic, whole)
        };
        assert!(deliveries.is_repeated("a", b"on"));
        assert!(!deliveries.is_repeated("b", b"on"));
        {
            let [topic, whole] = deliveries.prints("a", b"off");
            deliveries.delivered(topic, whole)
        };
        assert!(!deliveries.is_repeated("a", b"on"), "something else came since");
        assert!(deliveries.is_repeated("a", b"off"));
        for number in 0..REMEMBERED_MAX {
            {
                let [topic, whole] = deliveries.prints(&number.to_string(), b"");
                deliveries.delivered(topic, whole)
            };
        }
        assert!(!deliveries.is_repeated("a", b"off"), "too many since");
    }
}

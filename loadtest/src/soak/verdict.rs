//! The verdict: what was sent against what arrived.
//!
//! Pure: two lists in, violations out. Invariant: whatever QoS 0, 1 or 2 doesn't allow is a violation.

use std::collections::BTreeMap;

use super::message::{Channel, Message, Way};

/// What became of a message at its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Unsent,
    /// It may have arrived.
    Sent,
    /// PUBACK or PUBCOMP was seen: it must have arrived.
    Acknowledged,
}

/// A message as its sender knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) message: Message,
    pub(crate) stage: Stage,
}

/// A message as its receiver saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) message: Message,
    /// The QoS that it was delivered with.
    pub(crate) level: u8,
}

/// What the way does to QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    ExactlyOnce,
    /// The platform behind has no QoS 2: it becomes 1.
    Clamped,
}

/// The numbers of one way, by QoS, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) sent: [u64; 3],
    pub(crate) acknowledged: [u64; 3],
    pub(crate) received: [u64; 3],
    pub(crate) duplicates: [u64; 3],
    pub(crate) violations: Vec<String>,
}

/// Arrivals of one receiver stand in the order in which they came.
pub(crate) fn judge(sent: &[Sent], arrivals: &[Arrival], promise: Promise) -> Verdict {
    let mut verdict = Verdict::default();
    let known: BTreeMap<(Way, u32, u32), Sent> =
        sent.iter().map(|sent| (place_of(&sent.message), *sent)).collect();
    let times = count(&known, arrivals, promise, &mut verdict);
    for sent in sent {
        let arrived = times.get(&sent.message).copied().unwrap_or(0);
        judge_one(sent, arrived, promise, &mut verdict);
    }
    verdict
}

fn place_of(message: &Message) -> (Way, u32, u32) {
    (message.way, message.stream, message.number)
}

/// How often each message arrived. Says which nobody sent, have another QoS, or overtook others of their topic.
fn count(
    known: &BTreeMap<(Way, u32, u32), Sent>,
    arrivals: &[Arrival],
    promise: Promise,
    verdict: &mut Verdict,
) -> BTreeMap<Message, u64> {
    let mut times = BTreeMap::new();
    let mut latest: BTreeMap<(Way, u32, Channel, u8), u32> = BTreeMap::new();
    for Arrival { message, level } in arrivals {
        let sent = known.get(&place_of(message));
        if sent.is_none_or(|sent| sent.message != *message || sent.stage == Stage::Unsent) {
            verdict.violations.push(format!("{message} arrived, and nobody sent it"));
            continue;
        }
        let expected = match promise {
            Promise::ExactlyOnce => message.level,
            Promise::Clamped => message.level.min(1),
        };
        if *level != expected {
            verdict.violations.push(format!("{message} arrived with QoS {level}"));
        }
        let so_far = times.entry(*message).or_insert(0);
        *so_far += 1;
        if *so_far == 1 && message.level > 0 {
            let topic = (message.way, message.stream, message.channel, message.level);
            let before = latest.insert(topic, message.number);
            if let Some(before) = before.filter(|before| *before > message.number) {
                verdict.violations.push(format!("{message} arrived after number {before}"));
            }
        }
    }
    times
}

fn judge_one(sent: &Sent, arrived: u64, promise: Promise, verdict: &mut Verdict) {
    let Sent { message, stage } = sent;
    let level = usize::from(message.level.min(2));
    verdict.sent[level] += u64::from(*stage != Stage::Unsent);
    verdict.acknowledged[level] += u64::from(*stage == Stage::Acknowledged);
    verdict.received[level] += arrived.min(1);
    verdict.duplicates[level] += arrived.saturating_sub(1);
    if *stage == Stage::Acknowledged && arrived == 0 {
        verdict.violations.push(format!("{message} was acknowledged, and never arrived"));
    }
    let once = level == 0 || (level == 2 && promise == Promise::ExactlyOnce);
    if once && arrived > 1 {
        verdict.violations.push(format!("{message} arrived {arrived} times"));
    }
    if level > 0 && *stage != Stage::Acknowledged {
        verdict.violations.push(format!("{message} was not acknowledged in time"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u32, level: u8) -> Message {
        Message { way: Way::Up, stream: 3, number, channel: Channel::A, level }
    }

    fn acknowledged(number: u32, level: u8) -> Sent {
        Sent { message: message(number, level), stage: Stage::Acknowledged }
    }

    fn arrival(number: u32, level: u8) -> Arrival {
        Arrival { message: message(number, level), level }
    }

    fn violations(sent: &[Sent], arrivals: &[Arrival], promise: Promise) -> Vec<String> {
        judge(sent, arrivals, promise).violations
    }

    #[test]
    fn what_the_qos_allows_is_no_violation() {
        let sent = [
            Sent { message: message(1, 0), stage: Stage::Sent },
            acknowledged(2, 1),
            acknowledged(3, 2),
            acknowledged(4, 1),
            Sent { message: message(5, 2), stage: Stage::Unsent },
        ];
        let arrivals = [arrival(2, 1), arrival(4, 1), arrival(2, 1), arrival(4, 1), arrival(3, 2)];
        let verdict = judge(&sent[..4], &arrivals, Promise::ExactlyOnce);
        assert_eq!(verdict.violations, Vec::<String>::new());
        assert_eq!((verdict.sent, verdict.acknowledged), ([1, 2, 1], [0, 2, 1]));
        assert_eq!((verdict.received, verdict.duplicates), ([0, 2, 1], [0, 2, 0]));
        assert_eq!(
            violations(&sent, &arrivals, Promise::ExactlyOnce),
            ["up 3/a number 5 (QoS 2) was not acknowledged in time"]
        );
    }

    #[test]
    fn whatever_the_qos_does_not_allow_is_one() {
        let cases: &[(Sent, &[Arrival], &str)] = &[
            (acknowledged(1, 1), &[], "(QoS 1) was acknowledged, and never arrived"),
            (acknowledged(1, 2), &[], "(QoS 2) was acknowledged, and never arrived"),
            (acknowledged(1, 2), &[arrival(1, 2), arrival(1, 2)], "(QoS 2) arrived 2 times"),
            (
                Sent { message: message(1, 0), stage: Stage::Sent },
                &[arrival(1, 0), arrival(1, 0)],
                "(QoS 0) arrived 2 times",
            ),
            (
                acknowledged(1, 2),
                &[Arrival { message: message(1, 2), level: 1 }],
                "(QoS 2) arrived with QoS 1",
            ),
        ];
        for (sent, arrivals, what) in cases {
            let expected = format!("up 3/a number 1 {what}");
            assert_eq!(violations(&[*sent], arrivals, Promise::ExactlyOnce), [expected]);
        }
    }

    #[test]
    fn what_nobody_sent_is_found() {
        let unsent = Sent { message: message(1, 0), stage: Stage::Unsent };
        for arrival in [arrival(1, 0), arrival(1, 1), arrival(2, 0)] {
            let found = violations(&[unsent], &[arrival], Promise::ExactlyOnce);
            assert_eq!(found, [format!("{} arrived, and nobody sent it", arrival.message)]);
        }
    }

    #[test]
    fn first_occurrences_are_in_order_per_topic_and_qos() {
        let sent = [acknowledged(1, 1), acknowledged(2, 1), acknowledged(3, 2)];
        let arrivals = [arrival(3, 2), arrival(2, 1), arrival(1, 1), arrival(2, 1)];
        assert_eq!(
            violations(&sent, &arrivals, Promise::ExactlyOnce),
            ["up 3/a number 1 (QoS 1) arrived after number 2"]
        );
    }

    #[test]
    fn a_clamped_message_comes_at_least_once() {
        let come = Arrival { message: message(1, 2), level: 1 };
        assert!(violations(&[acknowledged(1, 2)], &[come, come], Promise::Clamped).is_empty());
        assert_eq!(violations(&[acknowledged(1, 2)], &[], Promise::Clamped).len(), 1);
        assert_eq!(violations(&[acknowledged(1, 2)], &[arrival(1, 2)], Promise::Clamped).len(), 1);
    }
}

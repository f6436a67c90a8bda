//! The order in which the upstream hears of its messages: PUBACK and PUBREC go back in the order of PUBLISH
//! ([MQTT-4.6.0-2], [MQTT-4.6.0-3]), also where one of them is the device's and the other one the proxy's own.
//!
//! What the device answers goes on at once: it keeps the order itself. Only the proxy's own answers may have to wait.

use std::collections::VecDeque;

use crate::mqtt::{AcknowledgementKind, PacketIdentifier, Qos, ReasonCode};

/// The answers that are owed to the upstream. No more of them than there are packet identifiers.
#[derive(Debug, Default)]
pub(super) struct Order {
    pubacks: VecDeque<Turn>,
    pubrecs: VecDeque<Turn>,
}

/// An answer in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    identifier: PacketIdentifier,
    /// `None` until the device has answered.
    ready: Option<ReasonCode>,
}

/// Whether a message may have come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    First,
    Again,
}

/// An answer that may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) identifier: PacketIdentifier,
    pub(super) reason_code: ReasonCode,
}

impl Order {
    fn queue(&mut self, kind: AcknowledgementKind) -> Option<&mut VecDeque<Turn>> {
        match kind {
            AcknowledgementKind::Puback => Some(&mut self.pubacks),
            AcknowledgementKind::Pubrec => Some(&mut self.pubrecs),
            AcknowledgementKind::Pubrel | AcknowledgementKind::Pubcomp => None,
        }
    }

    /// A message has gone to the device, whose answer the upstream waits for.
    pub(super) fn expects(&mut self, qos: Qos, identifier: PacketIdentifier, sent: Sent) {
        let queue = match qos {
            Qos::AtMostOnce => return,
            Qos::AtLeastOnce => &mut self.pubacks,
            Qos::ExactlyOnce => &mut self.pubrecs,
        };
        // One that comes again keeps its place.
        let known = || queue.iter().any(|turn| turn.identifier == identifier);
        if sent == Sent::First || !known() {
            queue.push_back(Turn { identifier, ready: None });
        }
    }

    /// The device's own answer goes on now.
    pub(super) fn passes(&mut self, kind: AcknowledgementKind, identifier: PacketIdentifier) {
        let Some(queue) = self.queue(kind) else { return };
        if let Some(at) = queue.iter().position(|turn| turn.identifier == identifier) {
            queue.remove(at);
        }
    }

    /// An answer of the proxy's own is ready. `false`: it has no place to wait for, and goes now.
    #[must_use]
    pub(super) fn is_ready(&mut self, kind: AcknowledgementKind, due: Due) -> bool {
        let Some(queue) = self.queue(kind) else { return false };
        let ready = Some(due.reason_code);
        if queue.is_empty() {
            return false;
        }
        match queue.iter_mut().find(|turn| turn.identifier == due.identifier) {
            Some(turn) => turn.ready = ready,
            None => queue.push_back(Turn { identifier: due.identifier, ready }),
        }
        true
    }

    /// The next answer whose turn it is.
    pub(super) fn next(&mut self, kind: AcknowledgementKind) -> Option<Due> {
        let queue = self.queue(kind)?;
        let Turn { identifier, ready } = *queue.front()?;
        let reason_code = ready?;
        queue.pop_front();
        Some(Due { identifier, reason_code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBACK: AcknowledgementKind = AcknowledgementKind::Puback;

    fn due(identifier: u16) -> Due {
        let identifier = PacketIdentifier::new(identifier).unwrap();
        Due { identifier, reason_code: ReasonCode::Success }
    }

    #[test]
    fn an_own_answer_waits_for_those_before_it() {
        let mut order = Order::default();
        let id = |value| due(value).identifier;
        assert!(!order.is_ready(PUBACK, due(9)), "nobody is waited for");
        order.expects(Qos::AtLeastOnce, id(1), Sent::First);
        order.expects(Qos::AtLeastOnce, id(2), Sent::First);
        order.expects(Qos::AtLeastOnce, id(1), Sent::Again);
        assert!(order.is_ready(PUBACK, due(3)));
        assert!(order.is_ready(PUBACK, due(2)), "it is the proxy that answers, in the end");
        assert_eq!(order.next(PUBACK), None);
        order.passes(PUBACK, id(1));
        assert_eq!([order.next(PUBACK), order.next(PUBACK)], [Some(due(2)), Some(due(3))]);
        assert_eq!(order.next(PUBACK), None);
    }

    #[test]
    fn the_two_kinds_have_nothing_to_do_with_each_other() {
        let mut order = Order::default();
        order.expects(Qos::ExactlyOnce, due(1).identifier, Sent::First);
        assert!(!order.is_ready(PUBACK, due(2)));
        assert!(order.is_ready(AcknowledgementKind::Pubrec, due(2)));
        assert!(!order.is_ready(AcknowledgementKind::Pubcomp, due(2)));
    }
}

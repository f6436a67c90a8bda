//! What a message has become: one part mostly, several where the other side has a topic per member, and with which QoS each
//! of them goes on.

use crate::mqtt::Qos;
use crate::translate::{Note, Notes, Outgoing, Translated};

use super::publish::Outcome;
use super::subscriptions::{Arrival, Subscriptions};

/// The parts of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'p> {
    translated: Translated<'p>,
    /// By part; `None` is one that the receiver didn't ask for.
    qos: &'p [Option<Qos>],
    clamped: bool,
}

impl<'p> Parts<'p> {
    /// Of a translated message. `asked` are the subscriptions that a delivery has to answer; `qos_max` is what the receiver
    /// takes; `qos` is a buffer.
    pub(super) fn of(
        translated: Translated<'p>,
        asked: Option<(&Subscriptions, Arrival)>,
        qos_max: Qos,
        qos: &'p mut Vec<Option<Qos>>,
    ) -> Self {
        qos.clear();
        qos.extend(translated.messages().map(|message| match asked {
            Some((own, arrival)) => {
                own.asks_for(message.topic_name, arrival).map(|granted| granted.min(message.qos))
            }
            None => Some(message.qos),
        }));
        // Several messages can't share one QoS 2 exchange; each is delivered at least once.
        let several = qos.iter().flatten().count() > 1;
        let most = if several { Qos::AtLeastOnce.min(qos_max) } else { qos_max };
        let clamped = qos.iter().flatten().any(|part| *part > most);
        qos.iter_mut().flatten().for_each(|part| *part = (*part).min(most));
        Self { translated, qos, clamped }
    }

    /// Each part with its QoS.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Qos, Outgoing<'p>)> + Clone + use<'p> {
        let each = self.qos.iter().zip(self.translated.messages());
        each.filter_map(|(qos, message)| Some(((*qos)?, message)))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.qos.iter().flatten().count()
    }

    /// Whether it is one message with this QoS.
    pub(super) fn is_one_of(&self, qos: Qos) -> bool {
        self.qos == [Some(qos)]
    }

    /// How many of them are acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.qos.iter().flatten().filter(|qos| **qos > Qos::AtMostOnce).count()
    }

    /// What changed on the way.
    pub(super) fn notes(&self) -> Notes {
        let mut notes = self.translated.notes();
        if self.clamped {
            notes.add(Note::QosClamped);
        }
        notes
    }

    /// What became of the message, once all parts are sent.
    pub(super) fn outcome(&self) -> Outcome {
        let highest = self.qos.iter().flatten().copied().max();
        match (self.count(), highest.unwrap_or(Qos::AtMostOnce)) {
            (0, _) if self.translated.is_empty() => Outcome::Nothing,
            (0, _) => Outcome::NotAskedFor,
            (1, qos) => Outcome::Sent(qos),
            (_, qos) => Outcome::Split(qos),
        }
    }
}

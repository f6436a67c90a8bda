//! Why a message is refused, and what it may lose on its way. Both lists are closed: each word is a metric's
//! label, a log's field and what `explain` prints.

use std::fmt;

/// Why a message, a subscription or a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The topic has no form in the sender's dialect, or not the right secret in it.
    BadTopic,
    /// The identity table doesn't have the device, or no rule gives it a name.
    UnknownDevice,
    /// The other side needs to know what of the device, and nothing says it.
    NoChannel,
    /// The other side has nothing of this kind.
    KindUnsupported,
    /// The other side takes JSON only.
    PayloadNotJson,
    /// The payload isn't built as its form says, or can't be rebuilt as the other side's form wants it.
    PayloadShape,
    /// Larger than the receiver takes.
    PayloadTooLarge,
    /// Not MessagePack.
    MsgpackInvalid,
    /// Bytes behind the MessagePack value.
    MsgpackTrailing,
    /// NaN or an infinity, which JSON doesn't have.
    NumberNotFinite,
    /// Nested deeper than the limit.
    DepthExceeded,
    /// A timestamp that isn't one.
    TsInvalid,
    /// A name that the other platform doesn't take.
    IdIllegalForTarget,
    /// Onboarding and credentials never pass.
    CredentialTopic,
    /// Administration never passes.
    AdminTopic,
    /// The gateway hasn't attached the device.
    NotAttached,
    /// More than the limit per second.
    RateLimited,
    /// The queue towards the receiver is full.
    QueueOverflow,
    /// The proxy's own message came back.
    LoopSuppressed,
    /// The topic filter can't be expressed on the other side.
    FilterNotMappable,
    /// The listener doesn't let the device in, or not as the device that it says it is.
    AccessDenied,
    /// The proxy is short of memory.
    MemoryShort,
}

impl Reason {
    /// Every reason, in the order of [`Reason::index`].
    pub const ALL: [Reason; 22] = [
        Reason::BadTopic,
        Reason::UnknownDevice,
        Reason::NoChannel,
        Reason::KindUnsupported,
        Reason::PayloadNotJson,
        Reason::PayloadShape,
        Reason::PayloadTooLarge,
        Reason::MsgpackInvalid,
        Reason::MsgpackTrailing,
        Reason::NumberNotFinite,
        Reason::DepthExceeded,
        Reason::TsInvalid,
        Reason::IdIllegalForTarget,
        Reason::CredentialTopic,
        Reason::AdminTopic,
        Reason::NotAttached,
        Reason::RateLimited,
        Reason::QueueOverflow,
        Reason::LoopSuppressed,
        Reason::FilterNotMappable,
        Reason::AccessDenied,
        Reason::MemoryShort,
    ];

    /// The stable word: metric label, log field, `explain`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Reason::BadTopic => "bad_topic",
            Reason::UnknownDevice => "unknown_device",
            Reason::NoChannel => "no_channel",
            Reason::KindUnsupported => "kind_unsupported",
            Reason::PayloadNotJson => "payload_not_json",
            Reason::PayloadShape => "payload_shape",
            Reason::PayloadTooLarge => "payload_too_large",
            Reason::MsgpackInvalid => "msgpack_invalid",
            Reason::MsgpackTrailing => "msgpack_trailing",
            Reason::NumberNotFinite => "number_not_finite",
            Reason::DepthExceeded => "depth_exceeded",
            Reason::TsInvalid => "ts_invalid",
            Reason::IdIllegalForTarget => "id_illegal_for_target",
            Reason::CredentialTopic => "credential_topic",
            Reason::AdminTopic => "admin_topic",
            Reason::NotAttached => "not_attached",
            Reason::RateLimited => "rate_limited",
            Reason::QueueOverflow => "queue_overflow",
            Reason::LoopSuppressed => "loop_suppressed",
            Reason::FilterNotMappable => "filter_not_mappable",
            Reason::AccessDenied => "access_denied",
            Reason::MemoryShort => "memory_short",
        }
    }

    /// Place in [`Reason::ALL`], for arrays of counters.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// What was changed or lost without refusing the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// QoS 2 became QoS 1.
    QosClamped,
    /// RETAIN became 0.
    RetainStripped,
    /// Milliseconds were cut from a timestamp.
    SecondsRounded,
    /// A part of the address or a member of the payload has no place on the other side.
    MetaLost,
}

impl Note {
    /// Every note, in the order of [`Note::index`].
    pub const ALL: [Note; 4] =
        [Note::QosClamped, Note::RetainStripped, Note::SecondsRounded, Note::MetaLost];

    /// The stable word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Note::QosClamped => "qos_clamped",
            Note::RetainStripped => "retain_stripped",
            Note::SecondsRounded => "seconds_rounded",
            Note::MetaLost => "meta_lost",
        }
    }

    /// Place in [`Note::ALL`], for arrays of counters.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// The notes of one message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes(u8);

impl Notes {
    /// Adds a note.
    pub fn add(&mut self, note: Note) {
        self.0 |= 1 << note.index();
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: Notes) {
        self.0 |= other.0;
    }

    /// Whether the note was made.
    #[must_use]
    pub fn has(self, note: Note) -> bool {
        self.0 & (1 << note.index()) != 0
    }

    /// Each note that was made.
    pub fn iter(self) -> impl Iterator<Item = Note> {
        Note::ALL.into_iter().filter(move |note| self.has(*note))
    }

    /// Whether none was made.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A refusal: the reason, and one sentence for a person. The sentence never holds a byte from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// The word of the closed list.
    pub reason: Reason,
    /// What exactly, for logs and `explain`.
    pub detail: &'static str,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub const fn new(reason: Reason, detail: &'static str) -> Self {
        Self { reason, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_order_of_their_indexes_and_have_distinct_labels() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), at);
            assert_eq!(
                Reason::ALL.iter().filter(|other| other.label() == reason.label()).count(),
                1
            );
        }
        for (at, note) in Note::ALL.into_iter().enumerate() {
            assert_eq!(note.index(), at);
        }
    }

    #[test]
    fn notes_add_up() {
        let mut notes = Notes::default();
        assert!(notes.is_empty());
        notes.add(Note::MetaLost);
        notes.add(Note::QosClamped);
        assert_eq!(notes.iter().collect::<Vec<_>>(), [Note::QosClamped, Note::MetaLost]);
        assert!(!notes.has(Note::RetainStripped));
    }
}

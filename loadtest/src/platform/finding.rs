//! What a stand-in finds wrong, and what it does about it: a closed list of rules, each with a stable word.
//!
//! The words are an interface: scripts look for them in the log and in the summary. Invariant: a rule has one word,
//! whichever platform it belongs to.

use interlingua::mqtt::ReasonCode;

use super::message::Message;

/// A rule that something didn't keep. What each one means stands in `loadtest/platforms.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Acl,
    AttachLimit,
    AttachNotGateway,
    AttachQos,
    AttachRefused,
    ClientIdentifier,
    ClientIdentifierNonce,
    CommandIdentifier,
    CommandRate,
    ConfigRate,
    DeviceUnknown,
    ForeignDevice,
    Idle,
    KeepAlive,
    Malformed,
    NotAttached,
    Password,
    Payload,
    PayloadSize,
    PublishRate,
    Qos2,
    ReplyMissing,
    Retain,
    Session,
    StateRate,
    TakenOver,
    TokenAlgorithm,
    TokenAudience,
    TokenClaims,
    TokenExpired,
    TokenIssued,
    TokenLifetime,
    TokenMalformed,
    TokenMissing,
    TokenPadding,
    TokenSignature,
    TooSlow,
    Topic,
    TopicFilter,
    TopicToken,
    UserName,
    UserProperties,
    Version,
    Will,
}

impl Rule {
    /// The word in log lines and summaries.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::AttachLimit => "attach_limit",
            Self::AttachNotGateway => "attach_not_gateway",
            Self::AttachQos => "attach_qos",
            Self::AttachRefused => "attach_refused",
            Self::ClientIdentifier => "client_identifier",
            Self::ClientIdentifierNonce => "client_identifier_nonce",
            Self::CommandIdentifier => "command_identifier",
            Self::CommandRate => "command_rate",
            Self::ConfigRate => "config_rate",
            Self::DeviceUnknown => "device_unknown",
            Self::ForeignDevice => "foreign_device",
            Self::Idle => "idle",
            Self::KeepAlive => "keep_alive",
            Self::Malformed => "malformed",
            Self::NotAttached => "not_attached",
            Self::Password => "password",
            Self::Payload => "payload",
            Self::PayloadSize => "payload_size",
            Self::PublishRate => "publish_rate",
            Self::Qos2 => "qos2",
            Self::ReplyMissing => "reply_missing",
            Self::Retain => "retain",
            Self::Session => "session",
            Self::StateRate => "state_rate",
            Self::TakenOver => "taken_over",
            Self::TokenAlgorithm => "token_algorithm",
            Self::TokenAudience => "token_audience",
            Self::TokenClaims => "token_claims",
            Self::TokenExpired => "token_expired",
            Self::TokenIssued => "token_issued",
            Self::TokenLifetime => "token_lifetime",
            Self::TokenMalformed => "token_malformed",
            Self::TokenMissing => "token_missing",
            Self::TokenPadding => "token_padding",
            Self::TokenSignature => "token_signature",
            Self::TooSlow => "too_slow",
            Self::Topic => "topic",
            Self::TopicFilter => "topic_filter",
            Self::TopicToken => "topic_token",
            Self::UserName => "user_name",
            Self::UserProperties => "user_properties",
            Self::Version => "version",
            Self::Will => "will",
        }
    }
}

/// What became of whatever broke the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// Nothing: the documents name no consequence, or it is only advice.
    Noted,
    /// The message is acknowledged (MQTT 5: with a reason code) and goes nowhere.
    Dropped,
    /// The message goes nowhere and no acknowledgement is sent.
    Unacknowledged,
    /// CONNACK or SUBACK says no.
    Refused,
    /// The connection is closed.
    Closed,
}

impl Outcome {
    /// The word in log lines and summaries.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Dropped => "dropped",
            Self::Unacknowledged => "unacknowledged",
            Self::Refused => "refused",
            Self::Closed => "closed",
        }
    }
}

/// A broken rule that has no consequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) rule: Rule,
    pub(super) detail: String,
}

impl Note {
    pub(super) fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into() }
    }
}

/// A broken rule that has one; which, depends on what asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) rule: Rule,
    /// What the packet that answers says, where the version has a word for it.
    pub(super) code: ReasonCode,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(rule: Rule, code: ReasonCode, detail: impl Into<String>) -> Self {
        Self { rule, code, detail: detail.into() }
    }
}

/// What becomes of a PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes to its subscribers.
    Pass,
    /// The platform keeps it for itself.
    Take,
    /// It is acknowledged and goes nowhere.
    Drop(Fault),
    /// It goes nowhere and isn't acknowledged.
    Withhold(Fault),
    /// The connection is closed.
    Close(Fault),
}

/// What the rules say about a PUBLISH.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Which of the platform's forms the topic is: what the summary counts.
    pub(super) form: &'static str,
    pub(super) fate: Fate,
    pub(super) notes: Vec<Note>,
    /// What the platform publishes because of it, before the acknowledgement.
    pub(super) messages: Vec<Message>,
}

impl Verdict {
    pub(super) fn new(form: &'static str, fate: Fate) -> Self {
        Self { form, fate, notes: Vec::new(), messages: Vec::new() }
    }

    pub(super) fn with_note(mut self, note: Option<Note>) -> Self {
        self.notes.extend(note);
        self
    }

    pub(super) fn with_messages(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.messages.extend(messages);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_made_of_the_names() {
        for rule in [Rule::Acl, Rule::Qos2, Rule::AttachNotGateway, Rule::TokenExpired, Rule::Will]
        {
            let name = format!("{rule:?}").to_lowercase();
            assert_eq!(rule.word().replace('_', ""), name);
        }
    }
}

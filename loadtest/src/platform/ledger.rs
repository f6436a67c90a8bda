//! What is told: log lines while a stand-in runs, and the summary when it ends.
//!
//! A log line is `word key=value …` on standard error; values that a client chose are quoted. The summary goes to
//! standard output. Invariant: no line and no summary has a password or token in it: callers hand over masked topics.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::finding::{Outcome, Rule};

/// How much is told while it runs. Each one includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Detail {
    /// Nothing
    None,
    /// What the rules found
    Violations,
    /// Connections, subscriptions, commands
    Connections,
    /// Every message, with the start of its payload
    Messages,
}

/// Bytes of a payload that a log line shows.
const PAYLOAD_SHOWN: usize = 256;

/// Everything that was counted.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    pub(super) connections: Connections,
    pub(super) messages: Messages,
    /// Messages from clients by the platform's form of their topic.
    pub(super) forms: BTreeMap<&'static str, u64>,
    pub(super) commands: Commands,
    /// By rule and outcome.
    pub(super) violations: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Connections {
    pub(super) opened: u64,
    pub(super) accepted: u64,
    pub(super) most_at_once: u64,
    #[serde(skip)]
    pub(super) now: u64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Messages {
    /// From clients, without repetitions of QoS 2.
    pub(super) received: u64,
    /// To clients.
    pub(super) delivered: u64,
    /// Of those, finished by the client's PUBACK or PUBCOMP.
    pub(super) arrived: u64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Commands {
    /// By the stand-in.
    pub(super) sent: u64,
    /// For which nobody had subscribed.
    pub(super) unheard: u64,
    /// Answered as the platform wants it.
    pub(super) confirmed: u64,
}

/// Tells and counts.
#[derive(Debug)]
pub(super) struct Ledger {
    detail: Detail,
    pub(super) counts: Counts,
}

impl Ledger {
    pub(super) fn new(detail: Detail) -> Self {
        Self { detail, counts: Counts::default() }
    }

    /// Counts a broken rule and says it. `topic` is masked already.
    pub(super) fn violation(
        &mut self,
        rule: Rule,
        outcome: Outcome,
        client: &str,
        topic: Option<&str>,
        detail: &str,
    ) {
        let outcomes = self.counts.violations.entry(rule.word()).or_default();
        *outcomes.entry(outcome.word()).or_default() += 1;
        if self.detail >= Detail::Violations {
            let mut line = format!("violation rule={} outcome={}", rule.word(), outcome.word());
            put(&mut line, "client", Some(client));
            put(&mut line, "topic", topic);
            put(&mut line, "detail", Some(detail));
            eprintln!("{line}");
        }
    }

    /// Says what happened to a connection.
    pub(super) fn connection(&self, word: &str, client: &str, detail: &str) {
        if self.detail >= Detail::Connections {
            let mut line = word.to_owned();
            put(&mut line, "client", Some(client));
            put(&mut line, "detail", Some(detail).filter(|detail| !detail.is_empty()));
            eprintln!("{line}");
        }
    }

    /// Counts a client's message and says it.
    pub(super) fn received(
        &mut self,
        form: &'static str,
        client: &str,
        topic: &str,
        payload: &[u8],
    ) {
        self.counts.messages.received += 1;
        *self.counts.forms.entry(form).or_default() += 1;
        if self.detail >= Detail::Messages {
            let mut line = format!("received form={form}");
            put(&mut line, "client", Some(client));
            put(&mut line, "topic", Some(topic));
            put(&mut line, "payload", Some(&shown(payload)));
            eprintln!("{line}");
        }
    }

    /// Says what the stand-in itself has sent.
    pub(super) fn sent(&mut self, topic: &str, payload: &[u8], reached: u64) {
        self.counts.commands.sent += 1;
        self.counts.commands.unheard += u64::from(reached == 0);
        if self.detail >= Detail::Connections {
            let mut line = format!("sent subscribers={reached}");
            put(&mut line, "topic", Some(topic));
            put(&mut line, "payload", Some(&shown(payload)));
            eprintln!("{line}");
        }
    }

    /// A client is in.
    pub(super) fn entered(&mut self) {
        let connections = &mut self.counts.connections;
        connections.accepted += 1;
        connections.now += 1;
        connections.most_at_once = connections.most_at_once.max(connections.now);
    }

    /// It is out.
    pub(super) fn left(&mut self) {
        let connections = &mut self.counts.connections;
        connections.now = connections.now.saturating_sub(1);
    }

    /// The summary for a person.
    pub(super) fn text(&self) -> String {
        let Counts { connections, messages, forms, commands, violations } = &self.counts;
        let mut text = format!(
            "connections  {} opened, {} accepted, {} at once at most\n\
             messages     {} received, {} delivered, {} of them acknowledged\n\
             commands     {} sent, {} to nobody, {} confirmed\n",
            connections.opened,
            connections.accepted,
            connections.most_at_once,
            messages.received,
            messages.delivered,
            messages.arrived,
            commands.sent,
            commands.unheard,
            commands.confirmed,
        );
        for (form, count) in forms {
            let _ = writeln!(text, "form         {form} {count}");
        }
        for (rule, outcomes) in violations {
            for (outcome, count) in outcomes {
                let _ = writeln!(text, "violation    {rule} {outcome} {count}");
            }
        }
        if violations.is_empty() {
            text.push_str("violation    none\n");
        }
        text
    }

    /// The summary for a program.
    pub(super) fn json(&self, platform: &str) -> String {
        #[derive(Serialize)]
        struct Summary<'a> {
            platform: &'a str,
            #[serde(flatten)]
            counts: &'a Counts,
        }
        let summary = Summary { platform, counts: &self.counts };
        serde_json::to_string(&summary).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

/// The start of a payload, as text.
fn shown(payload: &[u8]) -> String {
    let start = payload.get(..PAYLOAD_SHOWN).unwrap_or(payload);
    String::from_utf8_lossy(start).into_owned()
}

fn put(line: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(line, " {key}={value:?}");
    }
}

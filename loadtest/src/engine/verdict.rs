//! The checks: what was sent compared with what arrived, both ways.
//!
//! Nothing is counted here. Invariant: what couldn't be looked at says so; it never passes.

use interlingua::mqtt::Qos;

use super::plan::Plan;
use crate::check::{Books, Missing, Seen, Wrong};
use crate::results::{Check, Counts, End, Verdict};
use crate::scenario::Stamping;
use crate::sink::Received;

/// What the threads brought back.
#[derive(Debug)]
pub(super) struct Evidence<'e> {
    pub(super) plan: &'e Plan,
    pub(super) counts: &'e Counts,
    /// What each device sent, by number.
    pub(super) books: &'e [Books],
    /// What the controller sent.
    pub(super) commands: Option<&'e Books>,
    pub(super) end: Option<&'e Received>,
    pub(super) echoes: &'e Seen,
    pub(super) received_commands: &'e Seen,
    /// Devices that were never connected.
    pub(super) never_connected: u64,
    pub(super) unexpected_acknowledgements: u64,
    /// Whether connections ended in the middle, for whatever reason.
    pub(super) cut: bool,
}

/// Every check.
pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let mut checks = vec![connections(evidence)];
    if evidence.plan.scenario.message.qos > Qos::AtMostOnce {
        checks.push(acknowledgement(evidence));
    }
    up(evidence, &mut checks);
    if evidence.plan.end == End::Echo {
        echoes(evidence, &mut checks);
    }
    if let Some(books) = evidence.commands {
        commands(evidence, books, &mut checks);
    }
    checks
}

fn connections(evidence: &Evidence<'_>) -> Check {
    let counts = evidence.counts;
    let ended = counts.disconnects_unwanted;
    let detail = format!(
        "{} devices never connected, {ended} connections ended by the target",
        evidence.never_connected
    );
    check("connections", evidence.never_connected + ended, detail)
}

fn acknowledgement(evidence: &Evidence<'_>) -> Check {
    let counts = evidence.counts;
    let strange = evidence.unexpected_acknowledgements;
    let wrong = counts.publish_unanswered + counts.publish_rejected + strange;
    let detail = format!(
        "{} never answered, {} rejected, {strange} answers to nothing",
        counts.publish_unanswered, counts.publish_rejected
    );
    check("acknowledgement", wrong, detail)
}

fn up(evidence: &Evidence<'_>, checks: &mut Vec<Check>) {
    let Some(end) = evidence.end else {
        let why = "nothing of ours stands behind the target; use --sink or --echo";
        checks
            .extend(["loss", "duplicates", "order", "corruption"].map(|name| unchecked(name, why)));
        return;
    };
    if evidence.plan.scenario.message.stamp == Stamping::Bare {
        let missing = evidence.counts.publish_sent.saturating_sub(end.arrived);
        let sent = evidence.counts.publish_sent;
        let detail =
            format!("{} of {sent} arrived; without stamps only their number is known", end.arrived);
        checks.push(if evidence.cut {
            unchecked("loss", "connections ended on the way, and payloads have no stamp")
        } else {
            check("loss", missing, detail)
        });
        let why = "payloads have no stamp";
        checks.extend(["duplicates", "order", "corruption"].map(|name| unchecked(name, why)));
        return;
    }
    let mut missing = Missing::default();
    for (number, books) in evidence.books.iter().enumerate() {
        missing.add(missing_of(evidence, &end.seen, number, books));
    }
    let detail = match missing.undecided {
        0 => format!("of {} sent", evidence.counts.publish_sent),
        undecided => format!(
            "of {} sent; {undecided} more are missing that a cut or a refusal may have taken",
            evidence.counts.publish_sent
        ),
    };
    checks.push(check("loss", missing.lost, detail));
    wrong("", &end.seen.wrong, checks);
}

fn missing_of(evidence: &Evidence<'_>, seen: &Seen, number: usize, books: &Books) -> Missing {
    let topics = u64::from(evidence.plan.scenario.message.topics);
    let mut missing = Missing::default();
    for topic in 0..topics {
        missing.add(seen.missing(number, topic as usize, books, (topic, topics)));
    }
    missing
}

fn echoes(evidence: &Evidence<'_>, checks: &mut Vec<Check>) {
    if evidence.plan.scenario.message.stamp == Stamping::Bare {
        checks.push(unchecked("down_loss", "payloads have no stamp"));
        return;
    }
    let Some(end) = evidence.end else { return };
    let slow = evidence.plan.scenario.connections.slow_readers as usize;
    let mut lost = 0;
    for (number, books) in evidence.books.iter().enumerate().skip(slow) {
        let way_up = missing_of(evidence, &end.seen, number, books);
        let both = missing_of(evidence, evidence.echoes, number, books);
        lost += (both.lost + both.undecided).saturating_sub(way_up.lost + way_up.undecided);
    }
    down(evidence, lost, format!("of {} sent back", end.echoed), &evidence.echoes.wrong, checks);
}

fn commands(evidence: &Evidence<'_>, books: &Books, checks: &mut Vec<Check>) {
    let devices = evidence.plan.devices.len() as u64;
    let slow = u64::from(evidence.plan.scenario.connections.slow_readers);
    let mut lost = 0;
    for device in slow..devices {
        let seen = evidence.received_commands;
        lost += seen.missing(device as usize, 0, books, (device, devices)).lost;
    }
    let detail = format!("of {} commands", books.sent);
    down(evidence, lost, detail, &evidence.received_commands.wrong, checks);
}

fn down(
    evidence: &Evidence<'_>,
    lost: u64,
    detail: String,
    found: &Wrong,
    checks: &mut Vec<Check>,
) {
    checks.push(if evidence.cut {
        unchecked("down_loss", "connections ended on the way, and what comes down then is nobody's")
    } else {
        check("down_loss", lost, detail)
    });
    wrong("down_", found, checks);
    let detail = found.first.iter().find(|text| text.contains("a message of device"));
    let detail = detail.cloned().unwrap_or_default();
    checks.push(check("down_misdelivery", found.misdelivered, detail));
}

fn wrong(prefix: &str, found: &Wrong, checks: &mut Vec<Check>) {
    let first = |word: &[&str]| {
        let text = found.first.iter().find(|text| word.iter().any(|word| text.contains(word)));
        text.cloned().unwrap_or_default()
    };
    let named = |name: &str| format!("{prefix}{name}");
    checks.push(check(&named("duplicates"), found.duplicates, first(&["came again"])));
    checks.push(check(&named("order"), found.out_of_order, first(&["came late"])));
    let damage = first(&["stamp", "changed"]);
    checks.push(check(&named("corruption"), found.corrupted, damage));
}

fn check(name: &str, count: u64, detail: String) -> Check {
    let verdict = if count == 0 { Verdict::Passed } else { Verdict::Failed };
    Check { name: name.to_owned(), verdict, count, detail }
}

fn unchecked(name: &str, why: &str) -> Check {
    let (name, detail) = (name.to_owned(), why.to_owned());
    Check { name, verdict: Verdict::NotChecked, count: 0, detail }
}

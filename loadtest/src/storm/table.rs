//! Storms as a table for a person. Every figure in it is in the JSON too.

use super::kind::Kind;
use super::report::{Attackers, Newcomers, Report, Round, Storm, Weather};
use crate::results::{duration, grouped};

/// The table.
pub(super) fn table(report: &Report) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&format!(
        "{} honest devices, {} messages per second at QoS 1, {:.1} s measured of each calm and each storm, seed {}",
        report.devices,
        grouped(report.messages_per_s),
        report.measured_s,
        report.seed
    ));
    line(&format!("{}; {}", report.machine.text(), report.pinning.text()));
    line("");
    line(&format!(
        "{:19}{:8}{:>10}{:>10}{:>10}{:>8}{:>10}{:>10}{:>8}{:>9}  {}",
        "storm",
        "",
        "p50",
        "p99",
        "p99.9",
        "wrong",
        "new p50",
        "new max",
        "CPU",
        "memory",
        "attackers"
    ));
    for storm in &report.storms {
        for (number, round) in storm.rounds.iter().enumerate() {
            let name = if number == 0 { storm.kind.name() } else { String::new() };
            line(&row(&name, &format!("{} calm", number + 1), &round.calm, ""));
            line(&row("", "  storm", &round.storm, &attackers(storm.kind, &round.attackers)));
        }
        line(&ratios(storm, report.ratio_max));
        for weather in storm.rounds.iter().flat_map(|Round { calm, storm, .. }| [calm, storm]) {
            for fault in weather.faults.iter().cloned().chain(kept_out(&weather.newcomers)) {
                line(&format!("{:19}{fault}", ""));
            }
        }
    }
    line("");
    for remark in &report.remarks {
        line(&format!("{:19}{remark}", "note"));
    }
    out
}

fn row(name: &str, round: &str, weather: &Weather, attackers: &str) -> String {
    let memory = weather.proxy_memory_max_bytes.map_or_else(
        || "–".to_owned(),
        |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    );
    let cores = weather
        .proxy_cores
        .map_or_else(|| "–".to_owned(), |cores| format!("{:.1} %", cores * 100.0));
    let [new_p50, new_max] = [weather.newcomers.p50_us, weather.newcomers.max_us]
        .map(|took| took.map_or_else(|| "–".to_owned(), duration));
    format!(
        "{name:19}{round:8}{:>10}{:>10}{:>10}{:>8}{new_p50:>10}{new_max:>10}{cores:>8}{memory:>9}  {attackers}",
        duration(weather.p50_us),
        duration(weather.p99_us),
        duration(weather.p999_us),
        weather.wrong
    )
}

/// Who wasn't let in, if somebody wasn't.
fn kept_out(newcomers: &Newcomers) -> Option<String> {
    let Newcomers { let_in, kept_out, fault, .. } = newcomers;
    let fault = fault.as_deref()?;
    Some(format!(
        "{kept_out} of {} newcomers weren't let in; the first: {fault}",
        let_in + kept_out
    ))
}

/// What suits the kind.
fn attackers(kind: Kind, found: &Attackers) -> String {
    let open =
        format!("{} to {} open", grouped(found.open_min as f64), grouped(found.open_max as f64));
    let per_s = |what: &str, rate: f64| format!("{}/s {what}", grouped(rate));
    let mut parts = match kind {
        Kind::SlowHello | Kind::SlowHelloLimited => vec![open, per_s("bytes", found.bytes_per_s)],
        Kind::SlowConnect => {
            vec![open, per_s("handshakes", found.shaken_per_s), per_s("bytes", found.bytes_per_s)]
        }
        Kind::Garbage | Kind::GarbageTls => vec![per_s("connections", found.opened_per_s)],
        Kind::GarbageQuic => return per_s("datagrams", found.opened_per_s),
        Kind::Connects | Kind::ConnectsLimited | Kind::ConnectsUnlimited => {
            vec![per_s("connections", found.opened_per_s), per_s("CONNACKs", found.answered_per_s)]
        }
    };
    parts.push(per_s("ended by the proxy", found.ended_by_target_per_s));
    if found.failed_per_s > 0.0 {
        parts.push(per_s("failed", found.failed_per_s));
    }
    parts.join(", ")
}

fn ratios(storm: &Storm, most: f64) -> String {
    let ratio =
        |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("× {ratio:.2}"));
    let verdict = if storm.holds { "holds" } else { "does not hold" };
    format!(
        "{:19}{:8}{:>10}{:>10}{:>10}  {verdict}: p99 at most × {most}, nothing lost",
        "",
        "median",
        ratio(storm.p50_ratio),
        ratio(storm.p99_ratio),
        ratio(storm.p999_ratio)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_kept_out_is_said_with_the_reason_of_the_first() {
        let fault = Some("shaking hands: refused".to_owned());
        let some = Newcomers { let_in: 18, kept_out: 2, fault, ..Newcomers::default() };
        let text = "2 of 20 newcomers weren't let in; the first: shaking hands: refused";
        assert_eq!(kept_out(&some).as_deref(), Some(text));
        assert_eq!(kept_out(&Newcomers { let_in: 20, ..Newcomers::default() }), None);
    }
}

//! The frame of a page: its head with the style, and the parts that both kinds of pages have.
//!
//! It knows nothing of what is shown.

use std::time::{Duration, UNIX_EPOCH};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Chart, Format, Ink};
use crate::command_line;
use crate::results::{Machine, Results, Verdict, one_check};

const STYLE: &str = include_str!("style.css");

/// How a sample in a legend looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Line,
    Dashed,
    Block,
    Area,
}

/// What a colour means.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) ink: Ink,
    pub(super) sample: Sample,
    pub(super) text: String,
}

/// A plot with what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) title: String,
    /// How it is to be read.
    pub(super) caption: String,
    pub(super) keys: Vec<Key>,
    pub(super) chart: Chart,
}

impl Key {
    pub(super) fn new(ink: Ink, sample: Sample, text: &str) -> Self {
        Self { ink, sample, text: text.to_owned() }
    }
}

/// A whole page.
pub(super) fn page(title: &str, started_unix_ms: u64, version: &str, body: &Markup) -> String {
    let when = date(started_unix_ms);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p.when.small { (when) ", interlingua-loadtest " (version) }
                (body)
            }
        }
    }
    .into_string()
}

fn date(unix_ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(unix_ms);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}

impl Figure {
    /// Title, caption, legend and the plot, once for wide and once for narrow pages.
    pub(super) fn html(&self) -> anyhow::Result<Markup> {
        let (wide, narrow) = (self.chart.svg(Format::Wide)?, self.chart.svg(Format::Narrow)?);
        Ok(html! {
            figure {
                h3 { (self.title) }
                figcaption { (self.caption) }
                @if !self.keys.is_empty() {
                    ul.legend {
                        @for key in &self.keys {
                            li class={ (key.ink.class()) " " (sample(key.sample)) } { span { (key.text) } }
                        }
                    }
                }
                div.wide role="img" aria-label=(self.title) { (PreEscaped(wide)) }
                div.narrow role="img" aria-label=(self.title) { (PreEscaped(narrow)) }
            }
        })
    }
}

fn sample(sample: Sample) -> &'static str {
    match sample {
        Sample::Line => "line",
        Sample::Dashed => "dashed",
        Sample::Block => "block",
        Sample::Area => "area",
    }
}

/// Names and what they are.
pub(super) fn facts(facts: &[(&str, String)]) -> Markup {
    html! {
        table.facts {
            tbody {
                @for (name, text) in facts {
                    tr { th scope="row" { (name) } td { (text) } }
                }
            }
        }
    }
}

/// What has to be known before the figures are believed.
pub(super) fn notes(remarks: &[String]) -> Markup {
    html! {
        @if !remarks.is_empty() {
            h2 { "To be known before believing the figures" }
            ul.notes { @for remark in remarks { li { (capitalised(remark)) "." } } }
        }
    }
}

/// The first letter of a sentence.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A figure of many, as a cell.
pub(super) fn number(text: &str) -> Markup {
    html! { td.number { (text) } }
}

/// The checks of one run.
pub(super) fn checks(results: &Results) -> Markup {
    html! {
        table.facts {
            tbody {
                @for check in &results.checks {
                    tr {
                        th scope="row" { (check.name.replace('_', " ")) }
                        td {
                            @match check.verdict {
                                Verdict::Passed => span.good { "passed" },
                                Verdict::Failed => span.bad { (check.count) " failed" },
                                Verdict::NotChecked => span.soft { "not checked" },
                            }
                            @if !check.detail.is_empty() { span.soft { ": " (check.detail) } }
                        }
                    }
                }
            }
        }
    }
}

/// The checks of many runs: how many passed, and each that failed.
pub(super) fn all_checks<'r>(runs: impl Iterator<Item = (String, &'r Results)>) -> Markup {
    let (mut passed, mut not_checked, mut count, mut failed) = (0, 0, 0, Vec::new());
    for (name, results) in runs {
        count += 1;
        for check in &results.checks {
            match check.verdict {
                Verdict::Passed => passed += 1,
                Verdict::NotChecked => not_checked += 1,
                Verdict::Failed => failed.push(format!("{name}: {}", one_check(check))),
            }
        }
    }
    html! {
        p {
            span.good { (passed) " checks passed" }
            " in " (count) " measurements"
            @if not_checked > 0 { ", " (not_checked) " couldn't be looked at" }
            ", "
            @if failed.is_empty() { "none failed" } @else { span.bad { (failed.len()) " failed" } }
            "."
        }
        @if !failed.is_empty() { ul.notes { @for line in &failed { li { (line) } } } }
    }
}

/// What the machine is and allows.
pub(super) fn machine(machine: &Machine) -> Vec<(&'static str, String)> {
    let files = machine.open_files.map_or_else(|| "unknown".to_owned(), |files| files.to_string());
    vec![
        ("Machine", machine.text()),
        (
            "Its limits",
            format!("{files} open files, {} source ports per address", machine.source_ports),
        ),
    ]
}

/// The command, and the scenario with everything that was left to defaults. Secrets are hidden.
pub(super) fn origin(command: Option<&str>, scenario: &str) -> Markup {
    html! {
        @if let Some(command) = command {
            h2 { "Command" }
            pre { (command) }
        }
        h2 { "Scenario" }
        p.small.soft { "With every default written out; it can be saved and run again." }
        pre { (command_line::scenario(scenario)) }
    }
}

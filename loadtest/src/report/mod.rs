//! Pages: a run or a comparison as one HTML file that needs nothing else, to be read, printed, or put into a document.
//!
//! ```text
//! results ──▶ run_page, comparison_page ──▶ plots ──▶ chart (plotters, as SVG) ──▶ page (the frame and the style)
//! ```
//!
//! Nothing is measured or counted here. Invariant: a page loads nothing and holds no script.

mod axis;
mod chart;
mod comparison_page;
mod page;
mod plots;
mod run_page;

use std::fs;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

pub(crate) use comparison_page::comparison;
pub(crate) use run_page::single_run;

use crate::results::{COMPARISON_FORMAT, FORMAT};

/// The options of `report`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// What `run --json` or `compare --json` has written
    #[arg(value_name = "FILE.json")]
    file: String,
    /// The page
    #[arg(long, value_name = "FILE")]
    html: String,
}

/// Makes a page from saved JSON.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let path = &options.file;
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let html = of_json(&text).with_context(|| path.clone())?;
    fs::write(&options.html, html).with_context(|| format!("--html {}", options.html))
}

/// A run and a comparison are told apart by the number of their form.
fn of_json(text: &str) -> anyhow::Result<String> {
    let value: Value = serde_json::from_str(text).context("this is no JSON")?;
    let form = |key: &str| value.get(key).and_then(Value::as_u64);
    match (form("format"), form("comparison_format")) {
        (_, Some(found)) if found == u64::from(COMPARISON_FORMAT) => {
            comparison(&serde_json::from_value(value).context("this is no whole comparison")?)
        }
        (Some(found), None) if found == u64::from(FORMAT) => {
            single_run(&serde_json::from_value(value).context("this is no whole run")?)
        }
        (None, None) => bail!("this is neither of a run nor of a comparison"),
        _ => bail!("this was written by another version, whose form this one can't read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_refused_with_a_reason() {
        for (text, expected) in [
            ("{", "no JSON"),
            ("[]", "neither"),
            ("{\"a\":1}", "neither"),
            ("{\"format\":1}", "no whole run"),
            ("{\"comparison_format\":1}", "no whole comparison"),
            ("{\"format\":99}", "another version"),
            ("{\"comparison_format\":99,\"format\":1}", "another version"),
        ] {
            let fault = format!("{:#}", of_json(text).expect_err(text));
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }
}

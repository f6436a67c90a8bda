//! What the tests of `compare` share: starting it, reading its JSON, and a HAProxy that is told what to do by a file.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const LOADTEST: &str = env!("CARGO_BIN_EXE_interlingua-loadtest");

/// A load that is over soon.
#[rustfmt::skip]
pub(crate) const SHORT: [&str; 14] = [
    "--devices", "20", "--rate", "1000/s", "--duration", "1s", "--warm-up", "200ms", "--ramp-up", "100ms", "--drain", "5s",
    "--seed", "7",
];

/// Runs `compare` with a short load.
pub(crate) fn compare(arguments: &[&str]) -> Output {
    let mut command = Command::new(LOADTEST);
    command.arg("compare").args(SHORT).args(arguments).output().expect("it runs")
}

/// The exit code, and the JSON of standard output.
pub(crate) fn compared(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = compare(&[arguments, &["--json", "-", "--quiet"]].concat());
    let (out, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let json = serde_json::from_str(&out);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {out}\n{errors}")))
}

/// HAProxy, or what to do without it.
pub(crate) fn haproxy() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("haproxy")).find(|program| program.is_file());
    found.expect("haproxy is not installed; `tests/run install` does it")
}

/// A configuration for [`filed`], which names its addresses `${LISTEN}` and `${UPSTREAM}`: devices go through `hops` frontends of
/// the same HAProxy, one after the other.
pub(crate) fn chain(folder: &Path, hops: usize) -> PathBuf {
    let socket = |hop: usize| format!("unix@{}/hop-{hop}", folder.display());
    let mut text = "global\n nbthread 1\n maxconn 500\ndefaults\n mode tcp\n timeout connect 9s\n timeout client 1h\n timeout server 1h\n".to_owned();
    for hop in 0..hops {
        let from = if hop == 0 { "${LISTEN}".to_owned() } else { socket(hop) };
        let to = if hop + 1 == hops { "${UPSTREAM}".to_owned() } else { socket(hop + 1) };
        text.push_str(&format!("listen hop{hop}\n bind {from}\n server next {to}\n"));
    }
    let path = folder.join(format!("chain-{hops}.cfg"));
    std::fs::write(&path, text).expect("a file");
    path
}

/// The words that start HAProxy with such a configuration.
pub(crate) fn filed(configuration: &Path) -> String {
    let (haproxy, file) = (haproxy(), configuration.display().to_string());
    format!("env LISTEN={{listen}} UPSTREAM={{upstream}} {} -q -db -f {file}", haproxy.display())
}

/// A row of the figures.
pub(crate) fn row<'v>(comparison: &'v Value, figure: &str) -> Option<&'v Value> {
    let figures = comparison["figures"].as_array().expect("figures");
    figures.iter().find(|row| row["figure"] == figure)
}

/// The median of one column of a row.
pub(crate) fn median(comparison: &Value, figure: &str, column: &str) -> Option<f64> {
    row(comparison, figure)?[column]["spread"]["median"].as_f64()
}

/// The process of one side in each round.
pub(crate) fn processes<'v>(comparison: &'v Value, side: &str) -> Vec<&'v Value> {
    let rounds = comparison["rounds"].as_array().expect("rounds");
    rounds.iter().map(|round| &round[side]["results"]["process"]).collect()
}

/// All that is remarked.
pub(crate) fn remarks(comparison: &Value) -> String {
    let remarks = comparison["remarks"].as_array().expect("remarks");
    remarks.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

//! `renewal`: a hundred sessions send while the proxy's certificates are replaced, and none of them notices.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const LOADTEST: &str = env!("CARGO_BIN_EXE_interlingua-loadtest");

/// `INTERLINGUA_BIN`, or what `cargo test --workspace` builds beside the load generator.
fn binary() -> PathBuf {
    let beside = Path::new(LOADTEST).with_file_name("interlingua");
    let path = std::env::var_os("INTERLINGUA_BIN").map_or(beside, PathBuf::from);
    assert!(path.is_file(), "{}: build it with `cargo test --workspace`", path.display());
    path
}

fn renewal(program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(LOADTEST);
    command.arg("renewal").args(arguments).env("INTERLINGUA_BIN", program);
    command.output().expect("it runs")
}

/// Good ones are shown to new connections, bad ones to nobody, over TLS and QUIC.
#[test]
fn certificates_are_replaced_under_load_and_no_session_drops() {
    let small =
        ["--sessions", "100", "--replacements", "5", "--every", "200ms", "--pause", "100ms"];
    let output = renewal(&binary(), &[&small[..], &["--json", "-"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["sessions"], 100);
    assert_eq!(report["ended"], serde_json::json!([]));
    assert_eq!(report["faults"], serde_json::json!([]));
    assert_eq!((&report["replaced_by_good"], &report["replaced_by_bad"]), (&3.into(), &2.into()));
    assert_eq!(report["probes"], 10);
    // Each session has at least one message before and one after.
    assert!(report["sent"].as_u64() >= Some(200), "{report}");
    assert_eq!(report["sent"], report["acknowledged"]);
    assert_eq!(report["sent"], report["arrived"]);
}

/// A proxy that doesn't know SIGHUP ends at it: sessions are cut, and the command says so.
#[test]
fn a_proxy_that_takes_nothing_over_fails() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("deaf");
    let text = format!("#!/bin/sh\ntrap '' HUP\n{} \"$@\" &\nwait $!\n", binary().display());
    std::fs::write(&program, text).expect("written");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("executable");
    let output = renewal(&program, &["--sessions", "4", "--replacements", "1", "--every", "10ms"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("the proxy never said that its certificates were read again"),
        "{errors}"
    );
}

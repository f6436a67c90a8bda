//! What `compare` refuses before it starts anything, and how it ends early.

mod comparing;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use comparing::{LOADTEST, SHORT, compare, compared, haproxy, remarks};

#[test]
fn what_cannot_be_compared_is_refused_with_a_remedy() {
    for (arguments, expected) in [
        (&["direct"][..], "B is missing; write `compare A B`"),
        (&[][..], "A is missing"),
        (&["direct", "haprxy"], "`haprxy` is no target; write HOST:PORT, haproxy"),
        (&["direct", "command=cat"], "write `{listen}`"),
        (&["direct", "direct", "--a", "direct"], "one target too many"),
        (&["direct", "direct", "--b-pid", "1"], "leave pid 1 out"),
        (&["direct", "direct", "--target-cores", "4096"], "there is no core 4096"),
        (&["direct", "direct", "--direct", "soon"], "write a time such as `3s`, or `off`"),
        (&["direct", "direct", "--scenario", "side-by-sid"], "did you mean `side-by-side`"),
        (
            &["direct", "direct", "--html", "/no/such/folder/a.html"],
            "writing /no/such/folder/a.html",
        ),
    ] {
        let output = compare(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_does_not_start_ends_the_comparison_with_what_it_said() {
    let output = compare(&["direct", "command=sh -c 'echo no licence >&2' {listen}", "--quiet"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("has ended; it said: no licence"), "{errors}");
}

#[test]
fn a_signal_ends_it_with_the_rounds_that_are_complete() {
    let mut command = Command::new(LOADTEST);
    command.args(["compare", "direct", "direct", "--rounds", "500", "--json", "-"]).args(SHORT);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines =
        BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("round  2 of 500  B")), "it says what it measures");
    let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(asked.expect("kill runs").success());
    let found = serde_json::from_reader(child.stdout.take().expect("a pipe"));
    let found: serde_json::Value = found.expect("JSON");
    lines.for_each(drop);
    assert!(child.wait().expect("it ends").success());
    let rounds = found["rounds"].as_array().expect("rounds").len();
    assert!((1..500).contains(&rounds), "{rounds}");
    assert!(
        remarks(&found).contains(&format!("interrupted: {rounds} of 500")),
        "{}",
        remarks(&found)
    );
}

#[test]
fn both_targets_get_the_same_messages_and_each_round_others() {
    let (code, found) = compared(&["direct", "direct", "--rounds", "2"]);
    assert_eq!(code, Some(0));
    let seed = |round: usize, side: &str| found["rounds"][round][side]["results"]["seed"].as_u64();
    assert_eq!((seed(0, "a"), seed(0, "b")), (Some(7), Some(7)));
    assert_eq!((seed(1, "a"), seed(1, "b")), (Some(8), Some(8)));
    for side in ["a", "b"] {
        let counts = &found["rounds"][0][side]["results"]["counts"];
        assert_eq!(counts["publish_arrived"], 1200, "{side}");
    }
}

#[test]
fn a_disturbed_round_is_measured_again_and_that_is_said() {
    haproxy();
    // Some moment of waiting there always is: each round is taken for disturbed.
    let arguments =
        ["haproxy", "haproxy", "--rounds", "2", "--undisturbed", "0", "--direct", "off"];
    let (code, found) = compared(&arguments);
    assert_eq!(code, Some(0));
    assert_eq!(found["rounds"].as_array().map(Vec::len), Some(2));
    assert!(
        remarks(&found).contains("2 rounds were left out and measured again"),
        "{}",
        remarks(&found)
    );
}

#[test]
fn as_fast_as_it_goes_has_no_latencies_to_compare() {
    let (code, found) =
        compared(&["direct", "direct", "--rounds", "1", "--scenario", "flood", "--pacing", "full"]);
    assert_eq!(code, Some(0));
    let figures = found["figures"].as_array().expect("figures");
    let names: Vec<&str> = figures.iter().filter_map(|row| row["figure"].as_str()).collect();
    assert_eq!(names, ["messages_per_second"]);
    assert!(found["rounds"][0]["direct"].is_null());
}

//! The command line as a report may show it: the program's bare name, and no secrets.

use std::env;
use std::path::Path;

/// Parts of the names whose values aren't shown.
const SECRET: [&str; 4] = ["password", "token", "secret", "jwt"];
/// What stands for them.
const HIDDEN: &str = "…";

/// This process's command line.
pub(crate) fn own() -> String {
    let mut words: Vec<String> =
        env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first_mut() {
        let name = Path::new(program.as_str()).file_name();
        *program = name.unwrap_or_default().to_string_lossy().into_owned();
    }
    shown(&words)
}

/// Words as they would be written for a shell, with their secrets hidden.
pub(crate) fn shown(words: &[String]) -> String {
    let mut out = Vec::new();
    let mut hide_next = false;
    for word in words {
        out.push(if hide_next { HIDDEN.to_owned() } else { without_value(word) });
        hide_next = word.starts_with("--") && !word.contains('=') && is_secret(word);
    }
    let quoted: Vec<_> = out.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

/// A scenario's text with the values of such keys hidden.
pub(crate) fn scenario(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some((key, _)) if is_secret(key) => format!("{key}= \"{HIDDEN}\"\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// `token=…` for `token=TOK`; a word with spaces in it is a command line itself.
fn without_value(word: &str) -> String {
    if let Some((name, _)) = word.split_once('=')
        && is_secret(name)
    {
        return format!("{name}={HIDDEN}");
    }
    match shell_words::split(word) {
        Ok(words) if words.len() > 1 => shown(&words),
        _ => word.to_owned(),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// Quotes only where a shell needs them: `=` and the sign for what is hidden don't.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,+@%…".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    shell_words::quote(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        shown(&shell_words::split(text).expect("a command line"))
    }

    #[test]
    fn secrets_are_not_shown() {
        for (text, expected) in [
            ("run --qos 1 127.0.0.1:1883", "run --qos 1 127.0.0.1:1883"),
            ("run --password hunter2 --qos 1", "run --password … --qos 1"),
            ("run --password=hunter2", "run --password=…"),
            ("run --set token=TOK --set tenant=acme", "run --set token=… --set tenant=acme"),
            ("run --set 'client secret=a b'", "run --set 'client secret=…'"),
            (
                "compare haproxy 'interlingua=--set token=TOK --to omnicore'",
                "compare haproxy 'interlingua=--set token=… --to omnicore'",
            ),
        ] {
            assert_eq!(line(text), expected);
        }
        let text =
            "[devices]\ncount = 3\npassword = \"x\"\nvars = { }\n[devices.vars]\ntoken = \"T\"\n";
        let expected =
            "[devices]\ncount = 3\npassword = \"…\"\nvars = { }\n[devices.vars]\ntoken = \"…\"\n";
        assert_eq!(scenario(text), expected);
    }
}

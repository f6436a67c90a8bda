//! What the stand-in shall send: lines on standard input, and a command every so many seconds.
//!
//! Reading standard input blocks, so a thread does it. Invariant: a line that isn't understood is said, and does nothing.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;

use super::rules::{Order, Verb};

/// Reads standard input until its end. Each line wakes the server.
pub(super) fn read_lines(waker: Arc<Waker>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() || waker.wake().is_err() {
                return;
            }
        }
    });
    receiver
}

/// `command DEVICE TEXT` or `config DEVICE TEXT`.
///
/// # Errors
/// What to write instead.
pub(super) fn parse(line: &str) -> Result<Order, String> {
    let mut words = line.trim_start().splitn(3, ' ');
    let verb = match words.next() {
        Some("command") => Verb::Command,
        Some("config") => Verb::Config,
        _ => return Err("write: command DEVICE TEXT, or: config DEVICE TEXT".to_owned()),
    };
    match words.next() {
        Some(target) if !target.is_empty() && !target.contains(['+', '#', '\0']) => Ok(Order {
            verb,
            target: target.to_owned(),
            text: words.next().unwrap_or_default().to_owned(),
        }),
        _ => Err("there is no device in it".to_owned()),
    }
}

/// Commands to everybody, again and again.
#[derive(Debug)]
pub(super) struct Repeating {
    every: Duration,
    due: Instant,
    text: String,
    number: u64,
}

impl Repeating {
    pub(super) fn new(every: Duration, text: String, now: Instant) -> Self {
        Self { every, due: now + every, text, number: 0 }
    }

    /// The orders that are due. `{number}` in the text counts them.
    pub(super) fn due(&mut self, targets: Vec<String>, now: Instant) -> Vec<Order> {
        if now < self.due {
            return Vec::new();
        }
        self.due = now + self.every;
        let order = |target| {
            self.number += 1;
            let text = self.text.replace("{number}", &self.number.to_string());
            Order { verb: Verb::Command, target, text }
        };
        targets.into_iter().map(order).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_verb_device_and_the_rest() {
        let order = parse("command d1/door {\"open\": true} now").unwrap();
        assert_eq!((&*order.target, &*order.text), ("d1/door", "{\"open\": true} now"));
        assert_eq!(parse("config d1").unwrap().text, "");
        for line in ["", "comand d1 x", "command", "command  x", "command a/# x"] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn repeated_commands_are_numbered() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut repeating = Repeating::new(second, "ping {number}".to_owned(), start);
        let targets = || vec!["a".to_owned(), "b".to_owned()];
        assert!(repeating.due(targets(), start).is_empty());
        let orders = repeating.due(targets(), start + second);
        let texts: Vec<&str> = orders.iter().map(|order| &*order.text).collect();
        assert_eq!(texts, ["ping 1", "ping 2"]);
        assert!(repeating.due(targets(), start + second).is_empty());
    }
}

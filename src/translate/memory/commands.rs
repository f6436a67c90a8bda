//! Commands on their way to devices, with the identifiers under which somebody upstream waits for the outcome.
//! Some devices answer without one: then the oldest command that fits is the one they mean.

use std::collections::VecDeque;

/// Commands remembered. The oldest gives way to a new one; its outcome then goes without identifier.
const COMMANDS_MAX: usize = 32;

/// Longer texts are not remembered.
const TEXT_BYTES_MAX: usize = 192;

/// Commands without an outcome.
#[derive(Debug, Default)]
pub(super) struct Commands(VecDeque<Command>);

#[derive(Debug)]
struct Command {
    device: Box<str>,
    /// What it is called towards the device.
    name: Box<str>,
    /// A JSON string with its quotes.
    identifier: Box<[u8]>,
}

/// Whether an outcome is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::translate) enum Stage {
    /// More is to come.
    Underway,
    /// The command is done with.
    Over,
}

impl Stage {
    /// Of the word that platforms have for it.
    pub(in crate::translate) fn of(word: Option<&str>) -> Self {
        match word {
            Some("pending" | "received" | "in_progress") => Stage::Underway,
            _ => Stage::Over,
        }
    }
}

impl Commands {
    /// Remembers a command that goes to a device. `identifier` is a JSON string.
    pub(super) fn sent(&mut self, device: &str, name: &str, identifier: &[u8]) {
        if device.len().max(name.len()).max(identifier.len()) > TEXT_BYTES_MAX {
            return;
        }
        if self.0.len() >= COMMANDS_MAX {
            self.0.pop_front();
        }
        let (device, name, identifier) = (device.into(), name.into(), identifier.into());
        self.0.push_back(Command { device, name, identifier });
    }

    /// The identifier of the oldest command of this name, or of any where the outcome has no name.
    pub(super) fn of(&self, device: &str, name: Option<&str>) -> Option<Box<[u8]>> {
        let fits = |command: &&Command| {
            *command.device == *device && name.is_none_or(|name| *command.name == *name)
        };
        self.0.iter().find(fits).map(|command| command.identifier.clone())
    }

    /// Forgets a command that is done with.
    pub(super) fn over(&mut self, device: &str, identifier: &[u8]) {
        let said =
            |command: &Command| *command.device == *device && *command.identifier == *identifier;
        if let Some(at) = self.0.iter().position(said) {
            self.0.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_of_the_oldest_command_that_fits() {
        let mut commands = Commands::default();
        for (device, name, identifier) in [
            ("7", "open", "\"a\""),
            ("7", "shut", "\"b\""),
            ("8", "open", "\"c\""),
            ("7", "open", "\"d\""),
        ] {
            commands.sent(device, name, identifier.as_bytes());
        }
        let of = |commands: &Commands, device, name| {
            commands.of(device, name).map(|found| String::from_utf8(found.into()).unwrap())
        };
        assert_eq!(of(&commands, "7", Some("open")).as_deref(), Some("\"a\""));
        commands.over("7", b"\"a\"");
        assert_eq!(of(&commands, "7", None).as_deref(), Some("\"b\""), "no name: the oldest");
        assert_eq!(of(&commands, "7", Some("open")).as_deref(), Some("\"d\""));
        assert_eq!(of(&commands, "9", None), None);
        commands.over("8", b"\"x\"");
        assert!(of(&commands, "8", None).is_some());
        commands.over("8", b"\"c\"");
        assert_eq!(of(&commands, "8", None), None);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut commands = Commands::default();
        for number in 0..=COMMANDS_MAX {
            commands.sent("7", &format!("c{number}"), b"\"x\"");
        }
        assert_eq!(commands.of("7", Some("c0")), None);
        assert!(commands.of("7", Some("c1")).is_some());
        commands.sent("7", &"x".repeat(TEXT_BYTES_MAX + 1), b"\"long\"");
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert_eq!(commands.of("7", Some(&long)), None);
    }

    #[test]
    fn a_status_says_whether_more_is_to_come() {
        for (word, stage) in [
            (Some("in_progress"), Stage::Underway),
            (Some("pending"), Stage::Underway),
            (Some("completed"), Stage::Over),
            (Some("error"), Stage::Over),
            (None, Stage::Over),
        ] {
            assert_eq!(Stage::of(word), stage, "{word:?}");
        }
    }
}

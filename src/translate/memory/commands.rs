//! Commands on their way to devices, with the identifiers under which somebody upstream waits for the outcome.
//! Some devices answer without one: then the oldest command that fits is the one they mean.

use std::collections::VecDeque;

/// Commands remembered. The oldest gives way to a new one; its outcome then goes without identifier.
const COMMANDS_MAX: usize = 32;

/// Longer texts are not remembered.
const TEXT_BYTES_MAX: usize = 192;

/// Commands without an outcome.
#[derive(Debug, Default)]
pub(in crate::translate) struct Commands(VecDeque<Command>);

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
    pub(in crate::translate) fn sent(&mut self, device: &str, name: &str, identifier: &[u8]) {
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
    pub(in crate::translate) fn outcome(
        &mut self,
        device: &str,
        name: Option<&str>,
        stage: Stage,
    ) -> Option<Box<[u8]>> {
        let fits = |command: &Command| {
            *command.device == *device && name.is_none_or(|name| *command.name == *name)
        };
        let at = self.0.iter().position(fits)?;
        match stage {
            Stage::Underway => self.0.get(at).map(|command| command.identifier.clone()),
            Stage::Over => self.0.remove(at).map(|command| command.identifier),
        }
    }

    /// Forgets a command whose outcome says its identifier itself.
    pub(in crate::translate) fn over(&mut self, device: &str, identifier: &str) {
        let said = |command: &Command| {
            let inside = command.identifier.get(1..command.identifier.len().saturating_sub(1));
            *command.device == *device && inside == Some(identifier.as_bytes())
        };
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
        let mut outcome = |device, name, stage| {
            let found = commands.outcome(device, name, stage)?;
            Some(String::from_utf8(found.into()).unwrap())
        };
        assert_eq!(outcome("7", Some("open"), Stage::Underway).as_deref(), Some("\"a\""));
        assert_eq!(outcome("7", Some("open"), Stage::Over).as_deref(), Some("\"a\""));
        assert_eq!(
            outcome("7", None, Stage::Over).as_deref(),
            Some("\"b\""),
            "no name: the oldest"
        );
        assert_eq!(outcome("7", Some("open"), Stage::Over).as_deref(), Some("\"d\""));
        assert_eq!(outcome("7", None, Stage::Over), None);
        assert_eq!(outcome("9", None, Stage::Over), None);
        commands.over("8", "x");
        commands.over("8", "c");
        assert_eq!(commands.outcome("8", None, Stage::Over), None);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut commands = Commands::default();
        for number in 0..=COMMANDS_MAX {
            commands.sent("7", &format!("c{number}"), b"\"x\"");
        }
        assert_eq!(commands.outcome("7", Some("c0"), Stage::Over), None);
        assert!(commands.outcome("7", Some("c1"), Stage::Over).is_some());
        commands.sent("7", &"x".repeat(TEXT_BYTES_MAX + 1), b"\"long\"");
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert_eq!(commands.outcome("7", Some(&long), Stage::Over), None);
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

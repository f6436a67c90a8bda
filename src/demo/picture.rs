//! What the demo prints: two columns, the device's side and the broker's.
//!
//! It observes nothing itself. Invariant: what came from elsewhere is printed on one line, without the
//! control characters that could move a terminal's cursor.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use super::script::{Pair, Step, Turn};

/// Columns, where the environment doesn't say how many the terminal has.
const WIDTH: usize = 80;
/// The width of an arrow with the spaces around it.
const ARROW: usize = 7;
const INDENT: &str = "  ";

/// Characters of a payload that are shown of traffic that the demo hasn't made.
const SHOWN_MAX: usize = 200;

/// A topic name and a payload as they were seen on a socket.
#[derive(Debug)]
pub(super) struct Sight {
    topic_name: String,
    payload: String,
}

impl Sight {
    pub(super) fn new(topic_name: &str, payload: &[u8]) -> Self {
        let payload = printable(&String::from_utf8_lossy(payload));
        Self { topic_name: printable(topic_name), payload }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload.as_str() {
            "" => formatter.pad(&self.topic_name),
            payload => formatter.pad(&format!("{}  {payload}", self.topic_name)),
        }
    }
}

fn printable(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_MAX)
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Where the two sides of a translation stand, the widest form that fits.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// Topics and payloads on one line; the left column's width.
    Line(usize),
    /// Topics on one line, the payload below; the left column's width.
    Topics(usize),
    /// Everything below each other.
    Stack,
}

#[derive(Debug)]
pub(super) struct Picture {
    width: usize,
    colour: bool,
    layout: Layout,
}

impl Picture {
    /// For this terminal, or for no terminal at all.
    pub(super) fn new() -> Self {
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { width: columns.unwrap_or(WIDTH), colour, layout: Layout::Stack }
    }

    /// One line of standard output.
    pub(super) fn line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
            .map_err(|error| io::Error::new(error.kind(), format!("standard output: {error}")))
    }

    /// The heading of a pair. Its layout follows from the script, for nothing has been seen yet.
    pub(super) fn heading(&mut self, pair: &Pair) -> io::Result<()> {
        let left_title = format!("{} device", pair.from);
        let right_title = format!("{} broker", pair.to);
        let widest = |length: fn(&Step) -> usize, title: &str| {
            pair.steps.iter().map(length).chain([title.len()]).max().unwrap_or(0)
        };
        let fitting = |left: usize, right: usize| {
            (INDENT.len() + left + ARROW + right <= self.width).then_some(left)
        };
        let line = fitting(
            widest(|step| step.device_topic.len() + 2 + step.payload.len(), &left_title),
            widest(|step| step.broker_topic.len() + 2 + step.payload.len(), &right_title),
        );
        let topics = fitting(
            widest(|step| step.device_topic.len(), &left_title),
            widest(|step| step.broker_topic.len(), &right_title),
        );
        self.layout = match (line, topics) {
            (Some(left), _) => Layout::Line(left),
            (None, Some(left)) => Layout::Topics(left),
            (None, None) => Layout::Stack,
        };
        let title = match self.layout {
            Layout::Line(left) | Layout::Topics(left) => {
                format!("{left_title:left$}{:ARROW$}{right_title}", "")
            }
            Layout::Stack => format!("{left_title}, {right_title}"),
        };
        self.line("")?;
        self.line(&format!("{INDENT}{}", self.paint("1", &title)))
    }

    /// A translation: the same message on both sides.
    pub(super) fn translation(&self, turn: Turn, device: &Sight, broker: &Sight) -> io::Result<()> {
        let arrow = match turn {
            Turn::Up | Turn::Answer => "──▶",
            Turn::Down { .. } => "◀──",
        };
        let arrow = self.paint("36", arrow);
        let (here, there) = (&device.topic_name, &broker.topic_name);
        match self.layout {
            Layout::Line(left) => {
                return self.line(&format!("{INDENT}{device:left$}  {arrow}  {broker}"));
            }
            // A payload that was changed has to be seen on both sides.
            _ if device.payload != broker.payload => {
                self.line(&format!("{INDENT}{device}"))?;
                return self.line(&format!("{INDENT}{arrow} {broker}"));
            }
            Layout::Topics(left) => {
                self.line(&format!("{INDENT}{here:left$}  {arrow}  {there}"))?;
            }
            Layout::Stack => {
                self.line(&format!("{INDENT}{here}"))?;
                self.line(&format!("{INDENT}{arrow} {there}"))?;
            }
        }
        self.line(&format!("{INDENT}    {}", device.payload))
    }

    /// Something that one side has seen by itself.
    pub(super) fn sight(&self, who: &str, sight: &Sight) -> io::Result<()> {
        let who = self.paint("36", &format!("{who:18}"));
        self.line(&format!("{INDENT}{who}  {sight}"))
    }

    /// A line that is to be copied.
    pub(super) fn command(&self, text: &str) -> io::Result<()> {
        self.line(&format!("{INDENT}{}", self.paint("32", text)))
    }

    /// Text in an ANSI colour.
    fn paint(&self, number: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{number}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_stays_on_its_line() {
        let shown = |topic_name: &str, payload: &[u8]| Sight::new(topic_name, payload).to_string();
        assert_eq!(shown("a/b", b""), "a/b");
        assert_eq!(shown("a", b"x\r\n\x1b[2J\xFF"), "a  x\u{FFFD}\u{FFFD}\u{FFFD}[2J\u{FFFD}");
        let long = shown("a", &[b'x'; 1_000_000]);
        assert_eq!((long.chars().count(), long.chars().last()), (3 + SHOWN_MAX + 1, Some('…')));
    }
}

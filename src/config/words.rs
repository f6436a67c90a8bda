//! Closed sets of words, some of which are known but not built yet.

use crate::document::{closest, list_words};

use super::faults::Wrong;
use super::model::Mode;
use super::transport::{Scheme, Transport};

/// A word with its meaning; `None`: known, not available in this version.
pub(super) type Word<T> = (&'static str, Option<T>);

pub(super) const TRANSPORTS: [Word<Transport>; 5] = [
    ("tcp", Some(Transport::Tcp)),
    ("tls", Some(Transport::Tls)),
    ("ws", Some(Transport::Ws)),
    ("wss", Some(Transport::Wss)),
    ("quic", Some(Transport::Quic)),
];

pub(super) const SCHEMES: [Word<Scheme>; 5] = [
    ("mqtt", Some(Scheme::Mqtt)),
    ("mqtts", Some(Scheme::Mqtts)),
    ("ws", Some(Scheme::Ws)),
    ("wss", Some(Scheme::Wss)),
    ("quic", Some(Scheme::Quic)),
];

pub(super) const MODES: [Word<Mode>; 2] = [("session", Some(Mode::Session)), ("gateway", None)];

/// What a word means.
pub(super) fn choose<T: Copy>(word: &str, words: &[Word<T>]) -> Result<T, Wrong> {
    let available = || {
        let known = words.iter().filter(|(_, meaning)| meaning.is_some()).map(|(word, _)| *word);
        format!("write {}", list_words(known))
    };
    match words.iter().find(|(known, _)| *known == word) {
        Some((_, Some(meaning))) => Ok(*meaning),
        Some((_, None)) => {
            Err(Wrong::new(format!("`{word}` is not available in this version"), available()))
        }
        None => {
            let remedy = match closest(word, words.iter().map(|(known, _)| *known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => available(),
            };
            Err(Wrong::new(format!("`{word}` is not known"), remedy))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_meant_or_known_or_unknown() {
        let wrong = |word: &str| {
            choose(word, &SCHEMES).map_err(|wrong| format!("{}; {}", wrong.message, wrong.remedy))
        };
        let mode = choose("gateway", &MODES).map_err(|wrong| wrong.message);
        assert_eq!(wrong("mqtt"), Ok(Scheme::Mqtt));
        assert_eq!(mode, Err("`gateway` is not available in this version".to_owned()));
        assert_eq!(wrong("mqqt").unwrap_err(), "`mqqt` is not known; did you mean `mqtt`?");
        assert_eq!(
            wrong("carrier-pigeon").unwrap_err(),
            "`carrier-pigeon` is not known; write `mqtt`, `mqtts`, `ws`, `wss` or `quic`"
        );
    }
}

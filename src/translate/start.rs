//! Messages whose payload isn't here yet, and needn't be: those that keep it as it is, whatever it is.

use super::lane::FoundBy;
use super::memory::Memory;
use super::message::{Incoming, Scratch, Translated};
use super::reason::Refusal;
use super::rewrite;
use super::target::Reading;
use super::translator::{Inner, Pair, Translator, Way, push_as_it_came};

impl Translator {
    /// Translates a message of which only the length of the payload is known. `Ok(None)`: its payload has to be looked
    /// at, or it would be refused: [`Translator::publish`] says what becomes of it, once the payload is there.
    ///
    /// Such a message leaves nothing in `memory`.
    ///
    /// # Errors
    /// The topic can't be rendered.
    pub fn publish_start<'a>(
        &self,
        way: Way,
        message: &Incoming<'a>,
        payload_length: usize,
        memory: &mut Memory,
        scratch: &'a mut Scratch,
    ) -> Result<Option<Translated<'a>>, Refusal> {
        scratch.clear();
        memory.begin();
        let is_whole = match &self.0 {
            Inner::Plain(_) => {
                scratch.pass(message);
                true
            }
            Inner::Pair(pair) => pair.start(way, message, payload_length, memory, scratch)?,
        };
        Ok(is_whole.then(|| scratch.translated(message)))
    }
}

impl Pair {
    /// Whether the message could be translated without its payload.
    fn start(
        &self,
        way: Way,
        message: &Incoming<'_>,
        payload_length: usize,
        memory: &Memory,
        scratch: &mut Scratch,
    ) -> Result<bool, Refusal> {
        let (lane, toward) = self.lane(way);
        if self.echoes {
            return Ok(false);
        }
        let Ok(found) = lane.find(message.topic_name, &[]) else { return Ok(false) };
        let Ok(target) = &found.route.target else { return Ok(false) };
        let of_another = memory.own().is_some_and(|own| own.check(way, &found).is_err());
        let looked_at = of_another
            || found.by != FoundBy::Topic
            || found.route.may_come_again
            || target.reading == Reading::Json
            || payload_length > target.payload_bytes_max
            || rewrite::is_needed(&found, target, &self.device.payload);
        if looked_at {
            return Ok(false);
        }
        target.render(&found.captures, &self.identity, toward, None, &mut scratch.topics)?;
        push_as_it_came(message, target, scratch);
        Ok(true)
    }
}

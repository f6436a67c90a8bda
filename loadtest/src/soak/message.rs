//! The messages of a soak: which they are, and what they look like on either side of the proxy.
//!
//! Invariant: topic and payload follow from the message, so whoever receives bytes knows every one that should be there.

use std::fmt;

use interlingua::mqtt::Qos;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    /// From a device to the broker.
    Up,
    /// From the broker to a device.
    Down,
}

/// One of the topics of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Channel {
    A,
    B,
    /// The last message of a stream: whoever receives it has received all before it.
    End,
}

/// What stands between the devices and the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Only the forwarder, for comparison.
    Direct,
    /// The proxy, `plain` to `plain`.
    Plain,
    /// The proxy, ThingScale to OmniCore.
    Translated,
}

/// On which side of the proxy a topic is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Device,
    Broker,
}

/// One message. The number counts the messages of its stream, and a stream belongs to one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Message {
    pub(crate) way: Way,
    pub(crate) stream: u32,
    pub(crate) number: u32,
    pub(crate) channel: Channel,
    pub(crate) level: u8,
}

impl Message {
    pub(crate) fn qos(&self) -> Qos {
        Qos::from_level(self.level).unwrap_or(Qos::AtMostOnce)
    }

    /// The topic as it is written on this side.
    pub(crate) fn topic(&self, course: Course, side: Side) -> String {
        let (way, stream, channel) = (self.way.word(), self.stream, self.channel.word());
        match (course, side) {
            (Course::Direct | Course::Plain, _) => format!("soak/{way}/{stream}/{channel}"),
            (Course::Translated, Side::Device) => format!("TOK/json/{stream}/{channel}"),
            (Course::Translated, Side::Broker) => format!("/plant/d{stream}/events/{channel}"),
        }
    }

    /// An object, since that is what ThingScale takes. Most are short; some don't fit the proxy's read buffer.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let filling = match self.number.wrapping_mul(7).wrapping_add(self.stream) {
            mixed if mixed % 997 == 0 => 70_000,
            mixed if mixed % 101 == 0 => 5_000,
            mixed => mixed as usize % 89,
        };
        let Self { way, stream, number, channel, level } = *self;
        let head = format!("{} {stream} {number} {} {level}", way.word(), channel.word());
        format!("{{\"soak\":\"{head} {}\"}}", "x".repeat(filling)).into_bytes()
    }

    /// The message that has exactly this payload, if there is one.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut words = text.strip_prefix("{\"soak\":\"")?.splitn(6, ' ');
        let way = [Way::Up, Way::Down].into_iter().find(word_of(words.next()?, Way::word))?;
        let stream = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        let channels = [Channel::A, Channel::B, Channel::End];
        let channel = channels.into_iter().find(word_of(words.next()?, Channel::word))?;
        let level = words.next()?.parse().ok()?;
        let message = Self { way, stream, number, channel, level };
        (message.payload() == payload).then_some(message)
    }
}

fn word_of<T: Copy>(word: &str, spell: fn(T) -> &'static str) -> impl Fn(&T) -> bool {
    move |candidate| spell(*candidate) == word
}

impl Way {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Channel {
    fn word(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::End => "end",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, stream, number, channel, level } = self;
        write!(f, "{} {stream}/{} number {number} (QoS {level})", way.word(), channel.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_says_which_message_it_is() {
        for number in 0..3000 {
            let (way, channel) = (Way::Up, Channel::B);
            let message = Message { way, stream: 7, number, channel, level: 2 };
            let mut payload = message.payload();
            assert_eq!(Message::read(&payload), Some(message));
            payload.pop();
            assert_eq!(Message::read(&payload), None);
        }
    }
}

//! A device with several streams: which of them what is sent to it belongs on.
//!
//! Over QUIC a device may open more streams than the one of its CONNECT. Packets of all of them make one session, whose
//! order counts per stream only. What answers a packet goes back on the packet's stream, what a subscription brings goes on
//! the SUBSCRIBE's, and everything else on the first one:
//!
//! ```text
//!  first   CONNECT ▸ ◂ CONNACK   PINGREQ ▸ ◂ PINGRESP   DISCONNECT ▸   ◂ PUBLISH that belongs nowhere else
//!  second  SUBSCRIBE 1 ▸ ◂ SUBACK 1     ◂ PUBLISH 7 ▸ PUBACK 7
//!  third   PUBLISH 2 ▸ ◂ PUBACK 2
//! ```
//!
//! There is no standard for it: this is what the brokers do that have it. Invariant: packets are only looked at, and those of
//! a device that has one stream not even that.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::mqtt::{
    Connect, PacketType, Property, PropertyIdentifier, Publish, Qos, RawPacket, Subscribe,
    Unsubscribe, Version, WireError, fixed_header, next_packet, publish_start, topic,
};

/// The stream of CONNECT.
pub const FIRST_STREAM: usize = 0;

/// Topic filters whose streams are remembered. What further ones bring goes on the first stream.
const FILTERS_MAX: usize = 1024;

/// What is known of a device's streams.
#[derive(Debug)]
pub struct Streams {
    version: Version,
    is_open: bool,
    /// Packets of the device that wait for an answer.
    asked: Owners,
    /// Messages of QoS 2 for the device whose PUBREL is still to come.
    told: Owners,
    /// Where a topic alias was said, so that the device knows it when it is used.
    aliases: HashMap<u16, usize, RandomState>,
    filters: Filters,
}

/// The streams of packet identifiers. Those of the first stream aren't kept.
#[derive(Debug, Default)]
struct Owners {
    streams: HashMap<u16, usize, RandomState>,
    /// How many each stream has.
    counts: Vec<usize>,
}

impl Owners {
    fn set(&mut self, identifier: u16, stream: usize) {
        self.take(identifier);
        if stream == FIRST_STREAM {
            return;
        }
        self.streams.insert(identifier, stream);
        if self.counts.len() <= stream {
            self.counts.resize(stream + 1, 0);
        }
        self.count(stream, |count| count + 1);
    }

    fn take(&mut self, identifier: u16) -> Option<usize> {
        let stream = self.streams.remove(&identifier)?;
        self.count(stream, |count| count.saturating_sub(1));
        Some(stream)
    }

    fn get(&self, identifier: u16) -> Option<usize> {
        self.streams.get(&identifier).copied()
    }

    fn has(&self, stream: usize) -> bool {
        self.counts.get(stream).is_some_and(|count| *count > 0)
    }

    fn forget(&mut self, stream: usize) {
        // Most streams have nothing to forget, and others may have much.
        if self.has(stream) {
            self.streams.retain(|_, owner| *owner != stream);
            self.count(stream, |_| 0);
        }
    }

    fn count(&mut self, stream: usize, change: impl Fn(usize) -> usize) {
        if let Some(count) = self.counts.get_mut(stream) {
            *count = change(*count);
        }
    }
}

/// The streams of topic filters, the oldest first. A packet may have thousands of filters, so each is found by its name.
#[derive(Debug, Default)]
struct Filters {
    streams: BTreeMap<u64, (Arc<str>, usize)>,
    numbers: HashMap<Arc<str>, u64, RandomState>,
    /// The next one's.
    number: u64,
}

impl Filters {
    fn remove(&mut self, filter: &str) {
        if let Some(number) = self.numbers.remove(filter) {
            self.streams.remove(&number);
        }
    }

    /// Remembers one that isn't, unless there are enough.
    fn add(&mut self, filter: &str, stream: usize) {
        if self.streams.len() >= FILTERS_MAX {
            return;
        }
        let filter: Arc<str> = filter.into();
        self.streams.insert(self.number, (filter.clone(), stream));
        self.numbers.insert(filter, self.number);
        self.number += 1;
    }

    /// The stream of the first that is meant.
    fn first(&self, is_meant: impl Fn(&str) -> bool) -> Option<usize> {
        self.streams.values().find(|(filter, _)| is_meant(filter)).map(|(_, stream)| *stream)
    }

    fn has(&self, stream: usize) -> bool {
        self.streams.values().any(|(_, other)| *other == stream)
    }

    fn forget(&mut self, stream: usize) {
        let Self { streams, numbers, .. } = self;
        streams.retain(|_, (filter, other)| {
            let stays = *other != stream;
            if !stays {
                numbers.remove(filter);
            }
            stays
        });
    }
}

/// A packet for the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routed {
    /// The stream on which it goes.
    pub stream: usize,
    /// Its bytes.
    pub length: usize,
}

/// What stands at the front of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// A packet of so many bytes.
    Packet(usize),
    /// The start of a packet that is so long that nobody waits for its end: so many bytes in all.
    Large(usize),
    /// More bytes are needed.
    Incomplete,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            // Until CONNECT says otherwise; the first packet looks the same in all versions.
            version: Version::V5,
            is_open: false,
            asked: Owners::default(),
            told: Owners::default(),
            aliases: HashMap::default(),
            filters: Filters::default(),
        }
    }
}

impl Streams {
    /// Whether the device was accepted. What it sends on other streams than the first has to wait until then.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Looks at what the device has sent on a stream. Packets longer than `large` are looked at before they are complete.
    ///
    /// # Errors
    /// When it is no packet. The session says what becomes of that.
    pub fn look(&mut self, stream: usize, bytes: &[u8], large: usize) -> Result<Front, WireError> {
        let Some(header) = fixed_header(bytes, self.version)? else { return Ok(Front::Incomplete) };
        let length = header.packet_length();
        if let Some(packet) = next_packet(bytes, self.version, length)? {
            self.remember(stream, packet);
            return Ok(Front::Packet(length));
        }
        if length <= large {
            return Ok(Front::Incomplete);
        }
        match publish_start(bytes, self.version)? {
            Some(start) => self.remember(stream, start),
            None if bytes.len() < large => return Ok(Front::Incomplete),
            // What can't be looked at is answered on the first stream.
            None => {}
        }
        Ok(Front::Large(length))
    }

    /// Malformed packets are left to the session.
    fn remember(&mut self, stream: usize, packet: RawPacket<'_>) {
        match packet.packet_type {
            PacketType::Connect => {
                if let Ok(connect) = Connect::decode(packet) {
                    self.version = connect.version;
                }
            }
            PacketType::Publish => {
                let identifier =
                    Publish::decode(packet, self.version).ok().and_then(|it| it.packet_identifier);
                self.expect_answer(stream, identifier.map(|identifier| identifier.value()));
            }
            PacketType::Subscribe => {
                if let Ok(subscribe) = Subscribe::decode(packet, self.version) {
                    self.expect_answer(stream, Some(subscribe.packet_identifier.value()));
                    for subscription in subscribe.subscriptions() {
                        self.subscribe(stream, subscription.topic_filter);
                    }
                }
            }
            PacketType::Unsubscribe => {
                if let Ok(unsubscribe) = Unsubscribe::decode(packet, self.version) {
                    self.expect_answer(stream, Some(unsubscribe.packet_identifier.value()));
                    for filter in unsubscribe.topic_filters() {
                        self.filters.remove(filter);
                    }
                }
            }
            PacketType::Pubcomp => {
                if let Some(identifier) = identifier_of(packet.body) {
                    self.told.take(identifier);
                }
            }
            _ => {}
        }
    }

    fn expect_answer(&mut self, stream: usize, identifier: Option<u16>) {
        if let Some(identifier) = identifier {
            self.asked.set(identifier, stream);
        }
    }

    /// The last SUBSCRIBE with a filter counts.
    fn subscribe(&mut self, stream: usize, filter: &str) {
        self.filters.remove(filter);
        if stream != FIRST_STREAM {
            self.filters.add(filter, stream);
        }
    }

    /// Where the packet at the front of what is sent to the device goes. `None`: its start isn't complete.
    ///
    /// # Errors
    /// When it is no packet, which the session doesn't write.
    pub fn route(&mut self, bytes: &[u8]) -> Result<Option<Routed>, WireError> {
        let Some(header) = fixed_header(bytes, self.version)? else { return Ok(None) };
        let length = header.packet_length();
        let body = bytes.get(header.header_length..).unwrap_or_default();
        let stream = match header.packet_type {
            PacketType::Connack => {
                // The reason code: 0 is success in all versions.
                self.is_open |= body.get(1) == Some(&0);
                FIRST_STREAM
            }
            PacketType::Publish => match publish_start(bytes, self.version)? {
                Some(start) => self.stream_of_message(start),
                None => return Ok(None),
            },
            PacketType::Puback
            | PacketType::Pubcomp
            | PacketType::Suback
            | PacketType::Unsuback => identifier_of(body)
                .and_then(|identifier| self.asked.take(identifier))
                .unwrap_or(FIRST_STREAM),
            PacketType::Pubrec => self.stream_of_pubrec(body),
            PacketType::Pubrel => stream_in(&self.told, body),
            _ => FIRST_STREAM,
        };
        Ok(Some(Routed { stream, length }))
    }

    /// Nothing follows a PUBREC that says no (v5 section 4.3.3).
    fn stream_of_pubrec(&mut self, body: &[u8]) -> usize {
        let stream = stream_in(&self.asked, body);
        if body.get(2).is_some_and(|code| *code >= 0x80)
            && let Some(identifier) = identifier_of(body)
        {
            self.asked.take(identifier);
        }
        stream
    }

    fn stream_of_message(&mut self, start: RawPacket<'_>) -> usize {
        let Ok(publish) = Publish::decode(start, self.version) else { return FIRST_STREAM };
        let alias = match publish.properties.find(PropertyIdentifier::TopicAlias) {
            Some(Property::TopicAlias(alias)) => Some(alias),
            _ => None,
        };
        let stream = match alias.filter(|_| publish.topic_name.is_empty()) {
            Some(alias) => self.aliases.get(&alias).copied().unwrap_or(FIRST_STREAM),
            None => self.stream_of_topic(publish.topic_name),
        };
        if let Some(alias) = alias.filter(|_| !publish.topic_name.is_empty()) {
            self.aliases.insert(alias, stream);
        }
        let told = publish.packet_identifier.filter(|_| publish.qos == Qos::ExactlyOnce);
        if let Some(identifier) = told {
            self.told.set(identifier.value(), stream);
        }
        stream
    }

    fn stream_of_topic(&self, name: &str) -> usize {
        let matches = |filter: &str| {
            let plain = match topic::shared(filter) {
                Some(Ok((_, plain))) => plain,
                _ => filter,
            };
            topic::matches(name, plain)
        };
        self.filters.first(matches).unwrap_or(FIRST_STREAM)
    }

    /// Whether nothing is to be expected on a stream on which the device sends no more.
    #[must_use]
    pub fn is_idle(&self, stream: usize) -> bool {
        !self.asked.has(stream) && !self.told.has(stream) && !self.filters.has(stream)
    }

    /// A stream is gone: what would go on it goes on the first one.
    pub fn forget(&mut self, stream: usize) {
        self.asked.forget(stream);
        self.told.forget(stream);
        self.filters.forget(stream);
        for owner in self.aliases.values_mut().filter(|owner| **owner == stream) {
            *owner = FIRST_STREAM;
        }
    }
}

fn stream_in(owners: &Owners, body: &[u8]) -> usize {
    identifier_of(body).and_then(|identifier| owners.get(identifier)).unwrap_or(FIRST_STREAM)
}

fn identifier_of(body: &[u8]) -> Option<u16> {
    body.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

//! CONNECT: from the device's to the upstream's, or a refusal before anyone was accepted.

use crate::dialect::{SessionRule, WillRule};
use crate::mqtt::{
    Connack, Connect, EncodeError, Properties, Property, PropertyBuffer, PropertyIdentifier,
    RawPacket, ReasonCode, Version, Will, WireError,
};
use crate::translate::{ConnectPlan, ConnectRefusal, Incoming, Memory, Reason, Refusal, Way};

use super::conversation::{Phase, Session, Wake};
use super::end::End;
use super::keep_alive::KeepAlive;
use super::properties;
use super::subscriptions::Subscriptions;
use super::will::{EmulatedWill, encode_will};

const NOT_ENCODED: Refusal =
    Refusal::new(Reason::IdIllegalForTarget, "the upstream's CONNECT doesn't fit a packet");
const SPLIT_WILL: Refusal =
    Refusal::new(Reason::PayloadShape, "a will has to become one message, and this one doesn't");
const ENHANCED: Refusal =
    Refusal::new(Reason::KindUnsupported, "enhanced authentication doesn't pass a translation");

/// A packet can't be larger than this (the largest remaining length with its header), so a limit of this size
/// is none.
const PACKET_SIZE_MAX: usize = 268_435_460;

/// Characters of a client identifier that the log shows at most.
const SHOWN_MAX: usize = 128;

/// A refused CONNECT: the cause and what the device is told.
struct Refused {
    end: End,
    reason_code: ReasonCode,
}

impl Refused {
    fn new(refusal: Refusal, reason_code: ReasonCode) -> Self {
        Self { end: End::ConnectRefused(refusal), reason_code }
    }
}

impl Session {
    /// The device's CONNECT.
    pub(super) fn on_connect(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let connect = match Connect::decode(raw) {
            Ok(connect) => connect,
            Err(error) => {
                refuse_malformed(error, wake);
                return Err(End::DeviceMalformed(error));
            }
        };
        self.version = connect.version;
        self.upstream_version = self.plan.translator.version_for(connect.version);
        self.client_identifier = self.shown(connect.client_identifier);
        self.keep_alive = KeepAlive::new(connect.keep_alive_seconds, wake.now);
        self.device_takes = self.packet_limit(connect.properties);
        self.phase = Phase::AwaitUpstream;
        self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
        let outcome = match self.plan.translator.is_plain() {
            true => self.pass_connect(&connect, raw, wake),
            false => self.translate_connect(&connect, wake),
        };
        if let Err(Refused { end, reason_code }) = outcome {
            if let End::ConnectRefused(refusal) = end {
                self.note_refusal(Way::Up, refusal, wake.tally);
            }
            self.refuse_connect(end, reason_code, wake);
        }
        Ok(())
    }

    /// A client identifier as the log may show it.
    fn shown(&self, client_identifier: &str) -> Box<str> {
        if self.plan.translator.has_secret_in(client_identifier) {
            return "[secret]".into();
        }
        client_identifier
            .chars()
            .take(SHOWN_MAX)
            .flat_map(char::escape_debug)
            .collect::<String>()
            .into()
    }

    /// Refuses the device before it was accepted: never accept and then close.
    pub(super) fn refuse_connect(
        &mut self,
        end: End,
        reason_code: ReasonCode,
        wake: &mut Wake<'_>,
    ) {
        wake.to_upstream.clear();
        if self.phase != Phase::AwaitConnect {
            let connack =
                Connack { session_present: false, reason_code, properties: Properties::EMPTY };
            // Without properties a CONNACK always fits.
            let _ = connack.encode(self.version, wake.to_device);
        }
        self.phase = Phase::Ended(end);
    }

    /// The smaller of what a side announces and what the proxy takes.
    pub(super) fn packet_limit(&self, properties: Properties<'_>) -> usize {
        let own = self.plan.limits.packet_size_max;
        properties::maximum_packet_size(properties).map_or(own, |bytes| own.min(bytes as usize))
    }

    /// `plain`: the same bytes, except that a version 5 upstream is told what the proxy takes at most, where
    /// that is less than what the device takes.
    fn pass_connect(
        &self,
        connect: &Connect<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), Refused> {
        let Some(lowered) = self.lowered_limit(connect.properties, self.version) else {
            wake.to_upstream.extend_from_slice(raw.bytes);
            return Ok(());
        };
        let dropped = [PropertyIdentifier::MaximumPacketSize];
        let refused = |refusal| Refused::new(refusal, ReasonCode::PacketTooLarge);
        let properties = properties::without(
            connect.properties,
            &dropped,
            &[lowered],
            &mut wake.scratch.properties,
        )
        .map_err(refused)?;
        let connect = Connect { properties, ..*connect };
        connect.encode(wake.to_upstream).map_err(|_| refused(NOT_ENCODED))
    }

    /// The Maximum Packet Size that one side has to be told, where the proxy takes less than the other side
    /// announces. Only version 5 has it.
    pub(super) fn lowered_limit(
        &self,
        announced: Properties<'_>,
        version: Version,
    ) -> Option<Property<'static>> {
        let own = self.plan.limits.packet_size_max;
        let theirs = properties::maximum_packet_size(announced)
            .map_or(PACKET_SIZE_MAX, |bytes| bytes as usize);
        let lowered = (version == Version::V5 && own < theirs).then_some(own)?;
        u32::try_from(lowered).ok().map(Property::MaximumPacketSize)
    }

    fn translate_connect(
        &mut self,
        connect: &Connect<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), Refused> {
        let plan = self.plan.clone();
        let translator = &plan.translator;
        if connect.properties.find(PropertyIdentifier::AuthenticationMethod).is_some() {
            return Err(Refused::new(ENHANCED, ReasonCode::BadAuthenticationMethod));
        }
        let names =
            translator.connect(connect.client_identifier, connect.user_name, connect.password);
        let Some(names) = names.map_err(refused_text)? else { return Ok(()) };
        let clean = translator.upstream_limits().session == SessionRule::Clean;
        let properties = self.upstream_properties(connect, clean, &mut wake.scratch.properties)?;
        self.write_connect(connect, &names, &properties, wake)?;
        self.names = names.names;
        if self.version == Version::V5 && self.upstream_version != Version::V5 {
            self.bounds.bound(Way::Down, connect.properties);
        }
        let subscriptions = match clean || connect.clean_start {
            true => Subscriptions::of_new_session(),
            false => Subscriptions::default(),
        };
        self.subscriptions = Some(Box::new(subscriptions));
        let expiry = connect.properties.find(PropertyIdentifier::SessionExpiryInterval);
        // Before 5 a session that begins clean ends with its connection.
        let ends = connect.clean_start && self.upstream_version != Version::V5;
        self.loses_session = (clean || ends) && expiry.is_some();
        Ok(())
    }

    /// The upstream's properties. Aliases are not offered, since topics are rewritten; a platform without
    /// sessions is not asked to keep one.
    fn upstream_properties(
        &self,
        connect: &Connect<'_>,
        clean: bool,
        buffer: &mut PropertyBuffer,
    ) -> Result<PropertyBuffer, Refused> {
        if self.version != Version::V5 || self.upstream_version != Version::V5 {
            return self.own_properties(connect, clean);
        }
        let given = connect.properties;
        let lowered = self.lowered_limit(given, self.upstream_version);
        let mut dropped = vec![PropertyIdentifier::TopicAliasMaximum];
        if lowered.is_some() {
            dropped.push(PropertyIdentifier::MaximumPacketSize);
        }
        if clean {
            dropped.push(PropertyIdentifier::SessionExpiryInterval);
        }
        let refused = |refusal| Refused::new(refusal, ReasonCode::PacketTooLarge);
        let kept =
            properties::without(given, &dropped, lowered.as_slice(), buffer).map_err(refused)?;
        let mut own = PropertyBuffer::new();
        for property in kept.iter() {
            let secret = matches!(property, Property::UserProperty(name, _) if self.plan.translator.is_secret(Way::Up, name));
            if !secret {
                own.push(property).map_err(|_| refused(NOT_ENCODED))?;
            }
        }
        Ok(own)
    }

    /// What an upstream of version 5 is told about a device of 3.x: the proxy's limit, and that a session which
    /// isn't clean is kept (3.1.1 section 3.1.2.4).
    fn own_properties(
        &self,
        connect: &Connect<'_>,
        clean: bool,
    ) -> Result<PropertyBuffer, Refused> {
        let mut own = PropertyBuffer::new();
        let kept = self.upstream_version == Version::V5 && !clean && !connect.clean_start;
        let expiry = kept.then_some(Property::SessionExpiryInterval(u32::MAX));
        let lowered = self.lowered_limit(Properties::EMPTY, self.upstream_version);
        for property in expiry.into_iter().chain(lowered) {
            let refused = |_| Refused::new(NOT_ENCODED, ReasonCode::PacketTooLarge);
            own.push(property).map_err(refused)?;
        }
        Ok(own)
    }

    fn write_connect(
        &mut self,
        connect: &Connect<'_>,
        names: &ConnectPlan,
        properties: &PropertyBuffer,
        wake: &mut Wake<'_>,
    ) -> Result<(), Refused> {
        let plan = self.plan.clone();
        let limits = plan.translator.upstream_limits();
        let mut will = None;
        let mut will_properties = PropertyBuffer::new();
        let scratch = &mut *wake.scratch;
        if let Some(given) = &connect.will {
            let message = Incoming {
                topic_name: given.topic_name,
                payload: given.payload,
                qos: given.qos,
                retain: given.retain,
            };
            let refused = |refusal| Refused::new(refusal, super::answer::reason_code(refusal));
            let names = &mut scratch.names;
            let translated = plan
                .translator
                .publish(Way::Up, &message, &mut Memory::default(), names)
                .map_err(refused)?;
            let notes = translated.notes();
            let mut messages = translated.messages();
            let (Some(sent), None) = (messages.next(), messages.next()) else {
                return Err(refused(SPLIT_WILL));
            };
            let (topic_name, payload) = (sent.topic_name, sent.payload);
            if limits.will == WillRule::Emulate {
                // What couldn't be published later is refused now.
                let encoded = encode_will(&sent, self.upstream_version, &mut Vec::new());
                encoded.map_err(|_| refused(NOT_ENCODED))?;
                self.will = Some(Box::new(EmulatedWill::of(given)));
            } else {
                let translated = properties::translate(
                    given.properties,
                    Way::Up,
                    &plan.translator,
                    &mut scratch.properties,
                );
                for property in translated.map_err(refused)?.iter() {
                    will_properties.push(property).map_err(|_| refused(NOT_ENCODED))?;
                }
                will = Some(Will {
                    topic_name,
                    payload,
                    qos: sent.qos,
                    retain: sent.retain,
                    properties: will_properties.properties(),
                });
            }
            wake.tally.message(Way::Up, notes);
        }
        let upstream = Connect {
            version: self.upstream_version,
            clean_start: connect.clean_start || limits.session == SessionRule::Clean,
            keep_alive_seconds: connect.keep_alive_seconds,
            client_identifier: &names.client_identifier,
            properties: properties.properties(),
            will,
            user_name: names.user_name.as_deref(),
            password: names.password.as_ref().map(|password| password.reveal().as_bytes()),
        };
        let encoded = upstream.encode(wake.to_upstream);
        encoded.map_err(|_: EncodeError| {
            Refused::new(NOT_ENCODED, ReasonCode::ClientIdentifierNotValid)
        })
    }
}

fn refused_text(refusal: ConnectRefusal) -> Refused {
    match refusal {
        ConnectRefusal::ClientIdentifier(refusal) => {
            Refused::new(refusal, ReasonCode::ClientIdentifierNotValid)
        }
        ConnectRefusal::Credentials(refusal) => {
            Refused::new(refusal, ReasonCode::BadUserNameOrPassword)
        }
    }
}

/// A malformed CONNECT is answered where the answer can be understood (v5 section 3.1.4, 3.1.1 [MQTT-3.1.2-2]
/// and [MQTT-3.1.3-8]), in the form that every client since 3.1 reads; otherwise the connection just closes.
fn refuse_malformed(error: WireError, wake: &mut Wake<'_>) {
    let version = match error {
        WireError::UnsupportedProtocolVersion { .. } | WireError::ClientIdentifierInvalid => {
            Version::V311
        }
        _ => return,
    };
    let connack = Connack {
        session_present: false,
        reason_code: error.reason_code(),
        properties: Properties::EMPTY,
    };
    // Without properties a CONNACK always fits.
    let _ = connack.encode(version, wake.to_device);
}

//! CONNECT: from the device's to the upstream's, or a refusal before anyone was accepted.

use crate::mqtt::{
    Connack, Connect, Properties, Property, PropertyIdentifier, RawPacket, ReasonCode, Version,
    WireError,
};
use crate::translate::{Reason, Refusal, Way};

use super::aliases::alias_maximum;
use super::authenticate::Authentication;
use super::conversation::{Passage, Session};
use super::end::End;
use super::keep_alive::KeepAlive;
use super::phase::Phase;
use super::properties;
use super::wake::Wake;

pub(super) const NOT_ENCODED: Refusal =
    Refusal::new(Reason::IdIllegalForTarget, "the upstream's CONNECT doesn't fit a packet");

/// A packet can't be larger than this (the largest remaining length with its header), so a limit of this size
/// is none.
const PACKET_SIZE_MAX: usize = 268_435_460;

/// Characters of a client identifier that the log shows at most.
const SHOWN_MAX: usize = 128;

/// A refused CONNECT: the cause and what the device is told.
pub(super) struct Refused {
    end: End,
    reason_code: ReasonCode,
}

impl Refused {
    pub(super) fn new(refusal: Refusal, reason_code: ReasonCode) -> Self {
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
        let same = self.version == self.upstream_version;
        let verbatim = same && self.plan.translator.is_plain();
        self.passage = if verbatim { Passage::Verbatim } else { Passage::Rewritten };
        self.client_identifier = self.shown(connect.client_identifier);
        self.keep_alive = KeepAlive::new(connect.keep_alive_seconds, wake.now)
            .bounded(self.plan.limits.keep_alive_max);
        self.device_takes = self.packet_limit(connect.properties);
        // Before 5 nobody tells the upstream what the device takes: it finds that out message by message.
        if self.upstream_version == Version::V5 {
            self.read_from_upstream = self.device_takes;
        }
        let expiry = properties::session_expiry(connect.properties).unwrap_or(0);
        self.session_expiry = expiry;
        self.ends_with_connection = self.version == Version::V5 && expiry == 0;
        self.phase = Phase::AwaitUpstream;
        self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
        let connect = self.without_withheld(connect);
        let outcome = self
            .check_sizes(&connect)
            .and_then(|()| self.check_identifier(connect.client_identifier))
            .and_then(|()| match self.passage {
                Passage::Verbatim => self.pass_connect(&connect, raw, wake),
                Passage::Rewritten => self.rewrite_connect(&connect, wake),
            });
        if let Err(Refused { end, reason_code }) = outcome {
            if let End::ConnectRefused(refusal) = end {
                self.note_refusal(Way::Up, refusal, wake.tally);
            }
            self.refuse_connect(end, reason_code, wake);
        }
        Ok(())
    }

    /// Holds the will's topic, and the properties of CONNECT and of the will, against the limits.
    fn check_sizes(&self, connect: &Connect<'_>) -> Result<(), Refused> {
        let limits = &self.plan.limits;
        let will = connect.will.as_ref().map(|will| (will.topic_name, will.properties));
        [("", connect.properties)].into_iter().chain(will).try_for_each(|(topic, properties)| {
            limits
                .check_message(topic, properties)
                .map_err(|refusal| Refused::new(refusal, super::answer::reason_code(refusal)))
        })
    }

    /// A client identifier as the log may show it.
    pub(super) fn shown(&self, client_identifier: &str) -> Box<str> {
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
        if self.phase == Phase::AwaitUpstream {
            // Nobody has been sent any of it.
            wake.to_upstream.clear();
        }
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

    /// `plain`: the same bytes, except that credentials may be withheld, and that a version 5 upstream is told what the
    /// proxy takes at most, where that is less than what the device takes.
    fn pass_connect(
        &mut self,
        connect: &Connect<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), Refused> {
        self.upstream_identifier = connect.client_identifier.into();
        if let Some(authentication) = Authentication::of(connect) {
            self.entrance.get_or_insert_default().authentication = Some(authentication);
        }
        self.allow_aliases(Way::Down, alias_maximum(connect.properties));
        let lowered = self.lowered_limit(connect.properties, self.version);
        let refused = |refusal| Refused::new(refusal, ReasonCode::PacketTooLarge);
        let Some(lowered) = lowered else {
            if self.withholds() {
                return connect.encode(wake.to_upstream).map_err(|_| refused(NOT_ENCODED));
            }
            wake.to_upstream.extend_from_slice(raw.bytes);
            return Ok(());
        };
        let dropped = [PropertyIdentifier::MaximumPacketSize];
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

//! CONNACK: the upstream's verdict reaches the device, with what the proxy itself has to lower.

use crate::mqtt::{Connack, Properties, Property, PropertyIdentifier, RawPacket, Version};
use crate::translate::Way;

use super::bounds::Granted;
use super::conversation::{Phase, Scratch, Session, Wake};
use super::end::End;
use super::properties;

/// What a translated session doesn't offer: aliases (topics are rewritten), answers under the upstream's
/// names, other servers.
const NOT_OFFERED: [PropertyIdentifier; 4] = [
    PropertyIdentifier::TopicAliasMaximum,
    PropertyIdentifier::ResponseInformation,
    PropertyIdentifier::ServerReference,
    PropertyIdentifier::SharedSubscriptionAvailable,
];

const LARGE: End = End::UpstreamProtocol("the properties of CONNACK don't fit a packet");

const NO_PAST: End = End::UpstreamProtocol("a session of old where a clean one was asked for");

impl Session {
    /// The upstream's CONNACK.
    pub(super) fn on_connack(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let connack =
            Connack::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        if let Some(subscriptions) = &mut self.subscriptions
            && connack.session_present
            && !subscriptions.resume()
        {
            return Err(NO_PAST);
        }
        self.write_connack(&connack, raw, wake)?;
        if connack.reason_code.is_error() {
            self.phase = Phase::Ended(End::UpstreamRefused(connack.reason_code));
            return Ok(());
        }
        if let Some(Property::ServerKeepAlive(seconds)) =
            connack.properties.find(PropertyIdentifier::ServerKeepAlive)
        {
            if self.version == Version::V5 {
                self.keep_alive.set(seconds);
            } else {
                self.keep_alive.set_for_upstream(seconds);
            }
        }
        // A device of version 5 was told, but not what the proxy adds to its messages.
        if self.version != Version::V5 {
            self.bounds.upstream = Granted::by(connack.properties);
        }
        if self.version != Version::V5 || self.joins.is_some() {
            self.bounds.bound(Way::Up, connack.properties);
        }
        self.upstream_takes = self.packet_limit(connack.properties);
        self.keep_alive.established(wake.now);
        self.phase = Phase::Running;
        self.phase_deadline = None;
        wake.tally.established.add(1);
        self.subscribe_to_errors(wake);
        Ok(())
    }

    fn write_connack(
        &mut self,
        connack: &Connack<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let plain = self.plan.translator.is_plain();
        let refused = connack.reason_code.is_error();
        if self.version != Version::V5 && self.version == self.upstream_version {
            wake.to_device.extend_from_slice(raw.bytes);
            return Ok(());
        }
        if self.version != Version::V5 {
            let told = Connack { properties: Properties::EMPTY, ..*connack };
            return told.encode(self.version, wake.to_device).map_err(|_| LARGE);
        }
        if plain && refused {
            wake.to_device.extend_from_slice(raw.bytes);
            return Ok(());
        }
        let lowered = self.lowered_limit(connack.properties, self.version).filter(|_| !refused);
        if plain && lowered.is_none() {
            wake.to_device.extend_from_slice(raw.bytes);
            return Ok(());
        }
        let mut dropped = if plain { Vec::new() } else { NOT_OFFERED.to_vec() };
        let mut added = Vec::new();
        if let Some(lowered) = lowered {
            dropped.push(PropertyIdentifier::MaximumPacketSize);
            added.push(lowered);
        }
        if !plain && !refused {
            added.push(Property::SharedSubscriptionAvailable(0));
        }
        if self.upstream_version != Version::V5 && !refused {
            added.push(Property::SubscriptionIdentifierAvailable(0));
        }
        if self.loses_session && !refused {
            // The device's session won't be kept, though the upstream wasn't asked to (v5 section 3.2.2.3.2).
            dropped.push(PropertyIdentifier::SessionExpiryInterval);
            added.push(Property::SessionExpiryInterval(0));
        }
        let Scratch { properties: buffer, guarded, .. } = &mut *wake.scratch;
        let given =
            properties::guard(connack.properties, Way::Down, &self.plan.translator, guarded);
        let properties = properties::without(given, &dropped, &added, buffer).map_err(|_| LARGE)?;
        Connack { properties, ..*connack }.encode(self.version, wake.to_device).map_err(|_| LARGE)
    }
}

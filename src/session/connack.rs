//! CONNACK: the upstream's verdict reaches the device, with what the proxy itself has to lower.

use crate::mqtt::{Connack, Properties, Property, PropertyIdentifier, RawPacket, Version};
use crate::translate::Way;

use super::aliases::alias_maximum;
use super::bounds::Granted;
use super::conversation::Session;
use super::end::End;
use super::phase::Phase;
use super::properties;
use super::wake::{Scratch, Wake};

/// What a translated session doesn't offer: answers under the upstream's names, other servers, shared
/// subscriptions.
const NOT_OFFERED: [PropertyIdentifier; 3] = [
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
        let may_be_kept = self.may_be_kept(&connack);
        if let Some(subscriptions) = self.subscriptions.as_mut().filter(|_| may_be_kept)
            && !subscriptions.resume()
        {
            return Err(NO_PAST);
        }
        self.write_connack(&connack, raw, wake)?;
        if connack.reason_code.is_error() {
            self.phase = Phase::Ended(End::UpstreamRefused(connack.reason_code));
            return Ok(());
        }
        self.upstream_begins = !may_be_kept;
        self.settle_on(connack.properties);
        self.keep_alive.established(wake.now);
        self.phase = Phase::Running;
        self.phase_deadline = None;
        wake.tally.established.add(1);
        self.subscribe_to_errors(wake);
        Ok(())
    }

    /// Whether the upstream has a session of an older connection: 3.1 can't say so.
    fn may_be_kept(&self, connack: &Connack<'_>) -> bool {
        let own = self.subscriptions.as_deref();
        let silent = self.upstream_version == Version::V31;
        connack.session_present || silent && own.is_some_and(|own| !own.began_clean())
    }

    /// What the upstream grants, for the rest of the session.
    fn settle_on(&mut self, granted: Properties<'_>) {
        let told = self.version == Version::V5;
        if let Some(seconds) = properties::server_keep_alive(granted) {
            match told {
                true => self.keep_alive.set(seconds),
                false => self.keep_alive.set_for_upstream(seconds),
            }
        }
        if !self.is_verbatim() {
            self.bounds.upstream = Granted::by(granted);
        }
        if !told || self.joins.is_some() {
            self.bounds.bound(Way::Up, granted);
        }
        self.upstream_takes = self.packet_limit(granted);
        // A device of 3.x isn't told: its message is refused instead.
        if told {
            self.read_from_device = self.upstream_takes;
        }
        match self.is_verbatim() {
            true => self.allow_aliases(Way::Up, alias_maximum(granted)),
            false => self.offer_aliases(Way::Up, alias_maximum(granted)),
        }
        if let Some(authentication) = self.authentication() {
            authentication.is_done();
        }
    }

    fn write_connack(
        &mut self,
        connack: &Connack<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let refused = connack.reason_code.is_error();
        let own = std::mem::take(&mut self.upstream_identifier);
        if self.is_verbatim() {
            let lowered = self.lowered_limit(connack.properties, self.version);
            let keep_alive = self.lowered_keep_alive(connack.properties);
            let added: Vec<_> = lowered.into_iter().chain(keep_alive).collect();
            if refused || added.is_empty() {
                wake.to_device.extend_from_slice(raw.bytes);
                return Ok(());
            }
            let dropped: Vec<_> = added.iter().map(|property| property.identifier()).collect();
            return self.write_changed(connack, &dropped, &added, wake);
        }
        if self.version != Version::V5 {
            let told = Connack { properties: Properties::EMPTY, ..*connack };
            return told.encode(self.version, wake.to_device).map_err(|_| LARGE);
        }
        let mut dropped = vec![PropertyIdentifier::TopicAliasMaximum];
        if !self.plan.translator.is_plain() {
            dropped.extend(NOT_OFFERED);
        }
        let mut added = Vec::new();
        if !refused {
            added = self.own_limits(connack.properties);
            added.extend(self.lowered_keep_alive(connack.properties));
            if !self.plan.translator.is_plain() {
                added.push(Property::SharedSubscriptionAvailable(0));
            }
        }
        // What becomes of the device's session, where that isn't what it asked for (v5 section 3.2.2.3.2).
        let expiry = self.told_expiry.filter(|_| !refused);
        added.extend(expiry.map(Property::SessionExpiryInterval));
        let assigned = Some(&*own).filter(|_| self.is_assigned && !refused);
        added.extend(assigned.map(Property::AssignedClientIdentifier));
        dropped.extend(added.iter().map(|property| property.identifier()));
        self.write_changed(connack, &dropped, &added, wake)
    }

    /// The keep alive that a device has to be told, where it would have none or a longer one than the limit. Only version 5
    /// has a word for it: a device of 3.x is ended when it is silent for as long as if it knew (3.1.1 section 3.1.2.10).
    fn lowered_keep_alive(&self, granted: Properties<'_>) -> Option<Property<'static>> {
        let told = self.keep_alive.told(properties::server_keep_alive(granted));
        told.filter(|_| self.version == Version::V5).map(Property::ServerKeepAlive)
    }

    /// Appends CONNACK with other properties, or, where it would be larger than the device takes, without what can be left
    /// out: what the proxy itself adds, and words for people [MQTT-3.1.2-24].
    fn write_changed(
        &self,
        connack: &Connack<'_>,
        dropped: &[PropertyIdentifier],
        added: &[Property<'_>],
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let words = [PropertyIdentifier::ReasonString, PropertyIdentifier::UserProperty];
        let start = wake.to_device.len();
        for (dropped, added) in [(dropped, added), (&[dropped, &words].concat(), &[])] {
            let Scratch { properties: buffer, guarded, .. } = &mut *wake.scratch;
            let given =
                properties::guard(connack.properties, Way::Down, &self.plan.translator, guarded);
            let properties =
                properties::without(given, dropped, added, buffer).map_err(|_| LARGE)?;
            let written = Connack { properties, ..*connack };
            written.encode(self.version, wake.to_device).map_err(|_| LARGE)?;
            if wake.to_device.len() - start <= self.device_takes {
                return Ok(());
            }
            wake.to_device.truncate(start);
        }
        Err(LARGE)
    }
}

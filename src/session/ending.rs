//! Ending a session: who is told what, and whether the will goes out.

use crate::mqtt::{Disconnect, Properties, PropertyIdentifier, RawPacket, ReasonCode, Version};
use crate::translate::Way;

use super::conversation::Session;
use super::end::End;
use super::phase::Phase;
use super::properties;
use super::wake::{Scratch, Wake};

/// v5 section 3.14.2.2.2.
const PROLONGED: End =
    End::DeviceProtocol("a session expiry where CONNECT asked for a session without one");

/// [MQTT-3.14.2-2].
const NOT_FROM_SERVERS: End =
    End::UpstreamProtocol("a session expiry in the DISCONNECT of a server");

/// [MQTT-3.14.2-1].
const CODE_OF_SERVER: End =
    End::DeviceProtocol("a reason code in DISCONNECT that only servers send");
const CODE_OF_CLIENT: End =
    End::UpstreamProtocol("a reason code in DISCONNECT that only clients send");

impl Session {
    /// Ends the session for a cause on the device's side: it is told the reason code where its version has
    /// one, and the upstream sees the connection break, so that the will is published.
    pub(super) fn end_for_device(&mut self, end: End, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::AwaitConnect | Phase::AwaitAccess | Phase::AwaitUpstream => {
                wake.to_upstream.clear();
                self.phase = Phase::Ended(end);
            }
            Phase::Ended(_) | Phase::Leaving(_) => {}
            Phase::AwaitConnack => self.phase = Phase::Ended(end),
            Phase::Running => {
                self.tell_device(end.reason_code(), wake);
                self.leave(end, wake);
            }
        }
    }

    /// Ends the session for a cause on the upstream's side. A will can't be published any more.
    pub(super) fn end_for_upstream(&mut self, end: End, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::Ended(_) => {}
            Phase::Leaving(end) => self.phase = Phase::Ended(end),
            Phase::AwaitConnect
            | Phase::AwaitAccess
            | Phase::AwaitUpstream
            | Phase::AwaitConnack => {
                self.refuse_connect(end, ReasonCode::ServerUnavailable, wake);
            }
            Phase::Running => {
                // Where nothing changes the device sees what the broker did, which was to say nothing.
                let closed = matches!(end, End::UpstreamClosed | End::TakenOver);
                if !closed || !self.is_verbatim() {
                    // Whatever else it was, the device is not to blame.
                    let told = match end {
                        End::TakenOver => end.reason_code(),
                        _ => end.reason_code().map(|_| ReasonCode::UnspecifiedError),
                    };
                    self.tell_device(told, wake);
                }
                if self.will.is_some() && matches!(end, End::MessageRefused(_)) {
                    // The upstream is there, and has no will of its own to publish.
                    return self.leave(end, wake);
                }
                self.tell_upstream(end, wake);
                self.phase = Phase::Ended(end);
            }
        }
    }

    /// DISCONNECT to the device: only version 5 has it from a server.
    fn tell_device(&self, reason_code: Option<ReasonCode>, wake: &mut Wake<'_>) {
        if let Some(reason_code) = reason_code.filter(|_| self.version == Version::V5) {
            let disconnect = Disconnect { reason_code, properties: Properties::EMPTY };
            // Without properties a DISCONNECT always fits.
            let _ = disconnect.encode(self.version, wake.to_device);
        }
    }

    /// Tells a version 5 upstream what it did wrong.
    fn tell_upstream(&self, end: End, wake: &mut Wake<'_>) {
        let reason_code = match end {
            End::UpstreamMalformed(error) => error.reason_code(),
            End::UpstreamProtocol(_) => ReasonCode::ProtocolError,
            End::ExchangesExceeded => ReasonCode::ReceiveMaximumExceeded,
            End::PropertiesExceeded => ReasonCode::QuotaExceeded,
            // A client has no word for all of them (v5 section 3.14.2.1).
            End::MessageRefused(refusal) => match super::answer::reason_code(refusal) {
                ReasonCode::NotAuthorized | ReasonCode::TopicFilterInvalid => {
                    ReasonCode::ImplementationSpecificError
                }
                code => code,
            },
            _ => return,
        };
        if self.upstream_version == Version::V5 {
            let disconnect = Disconnect { reason_code, properties: Properties::EMPTY };
            // As above.
            let _ = disconnect.encode(self.upstream_version, wake.to_upstream);
        }
    }

    /// Passes a DISCONNECT on: the same bytes, but for properties that have to stay behind.
    pub(super) fn pass_disconnect(
        &self,
        way: Way,
        given: Disconnect<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) {
        let version = self.version_toward(way);
        // Before 5 a server says nothing, and a device that wants its will published just goes.
        let is_said = way == Way::Up && given.reason_code == ReasonCode::Success;
        if version != Version::V5 && !is_said {
            return;
        }
        let Scratch { properties: buffer, guarded, .. } = &mut *wake.scratch;
        let mut kept = properties::guard(given.properties, way, &self.plan.translator, guarded);
        if self.told_expiry == Some(0) && way == Way::Up {
            // What CONNECT didn't ask for can't be prolonged (v5 section 3.14.2.2.2).
            let dropped = [PropertyIdentifier::SessionExpiryInterval];
            kept = properties::without(kept, &dropped, &[], buffer).unwrap_or(Properties::EMPTY);
        }
        let out = match way {
            Way::Up => &mut *wake.to_upstream,
            Way::Down => &mut *wake.to_device,
        };
        if kept == given.properties && self.version == self.upstream_version {
            out.extend_from_slice(raw.bytes);
        } else {
            // It is not longer than what was decoded.
            let _ = Disconnect { properties: kept, ..given }.encode(version, out);
        }
    }

    /// DISCONNECT from the device.
    pub(super) fn on_device_disconnect(
        &mut self,
        disconnect: Disconnect<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        if disconnect.reason_code.is_of_servers() {
            return Err(CODE_OF_SERVER);
        }
        if let Some(seconds) = properties::session_expiry(disconnect.properties) {
            if seconds > 0 && self.ends_with_connection {
                return Err(PROLONGED);
            }
            if self.told_expiry != Some(0) {
                self.session_expiry = seconds;
            }
        }
        // Only the normal good-bye deletes the will (v5 [MQTT-3.1.2-10]).
        let keeps_will = disconnect.reason_code != ReasonCode::Success;
        if keeps_will && (self.will.is_some() || !self.will_delay.is_zero()) {
            self.leave(End::DeviceDisconnected, wake);
            return Ok(());
        }
        self.will = None;
        self.pass_disconnect(Way::Up, disconnect, raw, wake);
        self.phase = Phase::Ended(End::DeviceDisconnected);
        Ok(())
    }

    /// DISCONNECT from the upstream, which speaks version 5.
    pub(super) fn on_upstream_disconnect(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let disconnect =
            Disconnect::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        if properties::session_expiry(disconnect.properties).is_some() {
            return Err(NOT_FROM_SERVERS);
        }
        if disconnect.reason_code == ReasonCode::DisconnectWithWillMessage {
            return Err(CODE_OF_CLIENT);
        }
        self.pass_disconnect(Way::Down, disconnect, raw, wake);
        self.phase = Phase::Ended(End::UpstreamDisconnected(disconnect.reason_code));
        Ok(())
    }
}

//! AUTH: enhanced authentication between a device and an upstream that both speak version 5, with nothing translated
//! (v5 section 4.12). The proxy understands no method; it sees that nobody breaks the order.

use crate::mqtt::{Auth, Connect, Properties, Property, PropertyIdentifier, RawPacket, ReasonCode};

use super::conversation::Session;
use super::end::End;
use super::phase::Phase;
use super::wake::Wake;

/// The authentication that a CONNECT began.
#[derive(Debug)]
pub(super) struct Authentication {
    method: Box<str>,
    exchange: Exchange,
    /// The upstream has asked something, and the device hasn't answered.
    device_owes: bool,
}

/// Whether an authentication is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    /// Until CONNACK, or until the upstream's AUTH 0.
    Open,
    /// The device may begin another.
    Done,
}

const UNASKED: &str = "AUTH without an Authentication Method in CONNECT";
const OTHER_METHOD: &str = "AUTH with another Authentication Method than CONNECT";
const OUT_OF_TURN: &str = "an AUTH out of turn";

fn method<'p>(properties: Properties<'p>) -> Option<&'p str> {
    match properties.find(PropertyIdentifier::AuthenticationMethod) {
        Some(Property::AuthenticationMethod(method)) => Some(method),
        _ => None,
    }
}

impl Authentication {
    /// Of a CONNECT, if it has a method.
    pub(super) fn of(connect: &Connect<'_>) -> Option<Self> {
        let method = method(connect.properties)?.into();
        Some(Self { method, exchange: Exchange::Open, device_owes: false })
    }

    /// CONNACK has ended the first authentication.
    pub(super) fn is_done(&mut self) {
        self.exchange = Exchange::Done;
    }

    /// What is wrong with an AUTH of the device, if anything [MQTT-4.12.0-5] [MQTT-4.12.1-1].
    fn by_device(&mut self, auth: &Auth<'_>) -> Result<(), &'static str> {
        if method(auth.properties) != Some(&*self.method) {
            return Err(OTHER_METHOD);
        }
        match (auth.reason_code, self.exchange) {
            (ReasonCode::ContinueAuthentication, Exchange::Open) => {
                self.device_owes = false;
                Ok(())
            }
            (ReasonCode::ReAuthenticate, Exchange::Done) => {
                self.exchange = Exchange::Open;
                Ok(())
            }
            _ => Err(OUT_OF_TURN),
        }
    }

    /// What is wrong with an AUTH of the upstream, if anything [MQTT-4.12.0-2].
    fn by_upstream(&mut self, auth: &Auth<'_>, phase: Phase) -> Result<(), &'static str> {
        if method(auth.properties).is_some_and(|method| *method != *self.method) {
            return Err(OTHER_METHOD);
        }
        match (auth.reason_code, self.exchange) {
            (ReasonCode::ContinueAuthentication, Exchange::Open) => {
                self.device_owes = true;
                Ok(())
            }
            (ReasonCode::Success, Exchange::Open) if phase == Phase::Running => {
                self.exchange = Exchange::Done;
                Ok(())
            }
            _ => Err(OUT_OF_TURN),
        }
    }
}

impl Session {
    /// The authentication that CONNECT began, if it did.
    pub(super) fn authentication(&mut self) -> Option<&mut Authentication> {
        self.entrance.as_deref_mut()?.authentication.as_mut()
    }

    /// Whether the upstream waits for an AUTH of the device, and owes it nothing meanwhile.
    #[must_use]
    pub fn device_owes_auth(&self) -> bool {
        let entrance = self.entrance.as_deref();
        let authentication = entrance.and_then(|entrance| entrance.authentication.as_ref());
        authentication.is_some_and(|own| own.device_owes)
    }

    /// AUTH from the device.
    pub(super) fn on_device_auth(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let auth = Auth::decode(raw, self.version).map_err(End::DeviceMalformed)?;
        let own = self.authentication().ok_or(End::DeviceProtocol(UNASKED))?;
        own.by_device(&auth).map_err(End::DeviceProtocol)?;
        wake.to_upstream.extend_from_slice(raw.bytes);
        Ok(())
    }

    /// AUTH from the upstream.
    pub(super) fn on_upstream_auth(
        &mut self,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), End> {
        let auth = Auth::decode(raw, self.upstream_version).map_err(End::UpstreamMalformed)?;
        // Not where the device named no method, and so not in a translation either [MQTT-4.12.0-6].
        let phase = self.phase;
        let own = self.authentication().ok_or(End::UpstreamProtocol(UNASKED))?;
        own.by_upstream(&auth, phase).map_err(End::UpstreamProtocol)?;
        wake.to_device.extend_from_slice(raw.bytes);
        Ok(())
    }
}

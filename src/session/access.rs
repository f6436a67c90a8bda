//! Access: the device's CONNECT waits until its credentials are proven, and is then taken as any other, with the
//! proven name held against who the device says it is.
//!
//! ```text
//!  AwaitConnect ── CONNECT ──▶ AwaitAccess ── proven ──▶ AwaitConnect, the same CONNECT again
//!                                   │ denied, too late
//!                                   ▼
//!                              CONNACK, Ended
//! ```
//!
//! Until then nothing of the CONNECT goes anywhere, and the device is not heard. Who is known by a certificate is known
//! before its CONNECT, which then doesn't wait.

use std::sync::Arc;
use std::time::Instant;

use crate::access::{Bind, Credentials, Denied, Devices, Forwarding, Password, Rules, Witness};
use crate::mqtt::{Connect, PacketType, RawPacket, ReasonCode};
use crate::translate::{ConnectPlan, Reason, Refusal, Way};

use super::authenticate::Authentication;
use super::connect::Refused;
use super::conversation::Session;
use super::end::End;
use super::phase::Phase;
use super::throttle::Throttle;
use super::wake::Wake;

const OTHER_IDENTIFIER: Refusal =
    Refusal::new(Reason::AccessDenied, "the client identifier isn't the proven name");
const OTHER_DEVICE: Refusal =
    Refusal::new(Reason::AccessDenied, "the device's name isn't the proven one");
const NO_DEVICE: Refusal = Refusal::new(Reason::AccessDenied, "nothing says which device it is");

/// What only some sessions have: what they need until they are in, and limits that hold while they are.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    pub(super) authentication: Option<Authentication>,
    /// Only where the listener asks who comes.
    pub(super) admission: Option<Admission>,
    /// Only where the listener limits what devices send.
    pub(super) throttle: Option<Throttle>,
    /// The common name of the device's certificate, until CONNECT. Only where the device's dialect reads it.
    pub(super) certificate: Option<Box<str>>,
}

/// What a listener that asks who comes knows of one session.
#[derive(Debug)]
pub(super) struct Admission {
    rules: Arc<Rules>,
    asked: Option<Credentials>,
    /// `None`: nobody has been asked yet.
    verdict: Option<Result<Admitted, Denied>>,
}

/// A device whose credentials are proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The proven name.
    pub name: Box<str>,
    /// When it ends to be true, if it does.
    pub until: Option<Instant>,
    /// By what it was proven, and as of which reading of the file that it rests on.
    pub witness: Witness,
    /// See [`Session::admitted`].
    pub reading: u64,
}

/// Whether what has let a device in is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Unchanged,
    /// Its user or its key is gone, or another one; or nobody vouches for its certificate any more.
    Over,
}

impl Admission {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self { rules, asked: None, verdict: None }
    }

    fn admitted(&self) -> Option<&Admitted> {
        self.verdict.as_ref()?.as_ref().ok()
    }
}

impl Session {
    /// The session of a listener that knows devices by their certificates: who this one is was proven, or not, before its
    /// CONNECT, which is answered accordingly.
    #[must_use]
    pub fn with_verdict(mut self, rules: Arc<Rules>, verdict: Result<Admitted, Denied>) -> Self {
        let admission = Admission { rules, asked: None, verdict: Some(verdict) };
        self.entrance.get_or_insert_default().admission = Some(admission);
        self
    }

    /// The session of a device that has shown a certificate with this common name, for a dialect that reads it; empty where
    /// it doesn't have exactly one.
    #[must_use]
    pub fn with_certificate(mut self, common_name: Box<str>) -> Self {
        self.entrance.get_or_insert_default().certificate = Some(common_name);
        self
    }

    pub(super) fn take_certificate(&mut self) -> Option<Box<str>> {
        self.entrance.as_deref_mut()?.certificate.take()
    }

    fn admission(&self) -> Option<&Admission> {
        self.entrance.as_deref()?.admission.as_ref()
    }

    fn admission_mut(&mut self) -> Option<&mut Admission> {
        self.entrance.as_deref_mut()?.admission.as_mut()
    }

    /// Whether this is a CONNECT that has to wait for the verdict on its credentials, which the shell is asked for.
    pub(super) fn asks_for_access(&mut self, raw: RawPacket<'_>) -> bool {
        if self.phase != Phase::AwaitConnect || raw.packet_type != PacketType::Connect {
            return false;
        }
        let Some(admission) = self.admission_mut().filter(|own| own.verdict.is_none()) else {
            return false;
        };
        // A malformed one is answered as it is without access.
        let Ok(connect) = Connect::decode(raw) else { return false };
        admission.asked = Some(Credentials {
            user_name: connect.user_name.map(Into::into),
            password: connect.password.map(Password::new),
        });
        self.version = connect.version;
        self.client_identifier = self.shown(connect.client_identifier);
        self.phase = Phase::AwaitAccess;
        true
    }

    /// The credentials that have to be checked, once. The shell says what came of it with [`Session::on_access`].
    pub fn take_asked(&mut self) -> Option<Credentials> {
        self.admission_mut()?.asked.take()
    }

    /// The verdict on the credentials. Where they are proven, the bytes that wait are to be handed in again.
    pub fn on_access(&mut self, verdict: Result<Admitted, Denied>, wake: &mut Wake<'_>) {
        if self.phase != Phase::AwaitAccess {
            return;
        }
        match verdict {
            Ok(admitted) => {
                if let Some(admission) = self.admission_mut() {
                    admission.verdict = Some(Ok(admitted));
                }
                self.phase = Phase::AwaitConnect;
            }
            Err(denied) => {
                let refusal = refusal_of(denied);
                self.note_refusal(Way::Up, refusal, wake.tally);
                self.refuse_connect(End::ConnectRefused(refusal), code_of(denied), wake);
            }
        }
    }

    /// Whose session this is, once that is proven. Where its `reading` isn't the guard's latest, the shell looks whether it
    /// still stands, and says so with [`Session::on_access_reviewed`].
    #[must_use]
    pub fn admitted(&self) -> Option<&Admitted> {
        self.admission()?.admitted()
    }

    /// The file of the guard, or of the authorities, was read again. The name still stands, or the session ends.
    pub fn on_access_reviewed(&mut self, reading: u64, standing: Standing, wake: &mut Wake<'_>) {
        let verdict = self.admission_mut().and_then(|own| own.verdict.as_mut());
        let Some(Ok(admitted)) = verdict else { return };
        admitted.reading = reading;
        if standing == Standing::Over {
            match self.phase {
                Phase::AwaitUpstream | Phase::AwaitConnack => {
                    self.refuse_connect(End::AccessRevoked, ReasonCode::NotAuthorized, wake);
                }
                _ => self.end_for_device(End::AccessRevoked, wake),
            }
        }
    }

    /// When what the device has proven ends to be true.
    pub(super) fn access_deadline(&self) -> Option<Instant> {
        self.admission()?.admitted()?.until
    }

    /// Whether the upstream doesn't get the device's credentials: they were for this listener.
    pub(super) fn withholds(&self) -> bool {
        self.admission().is_some_and(|own| match own.rules.forwarding {
            Forwarding::Withheld => true,
            Forwarding::Forwarded => !self.plan.translator.is_plain(),
            Forwarding::NotAsked => false,
        })
    }

    /// The CONNECT as the upstream is to know it.
    pub(super) fn without_withheld<'c>(&self, connect: Connect<'c>) -> Connect<'c> {
        match self.withholds() {
            true => Connect { user_name: None, password: None, ..connect },
            false => connect,
        }
    }

    /// Refuses who was denied before its CONNECT, and holds the proven name against the client identifier, where the two
    /// are bound.
    pub(super) fn check_identifier(&self, client_identifier: &str) -> Result<(), Refused> {
        if let Some(Err(denied)) = self.admission().and_then(|own| own.verdict.as_ref()) {
            return Err(Refused::new(refusal_of(*denied), code_of(*denied)));
        }
        let Some((rules, admitted)) = self.proven() else { return Ok(()) };
        let other = rules.bind == Bind::ClientIdentifier && *admitted.name != *client_identifier;
        if other { Err(not_authorized(OTHER_IDENTIFIER)) } else { Ok(()) }
    }

    /// Holds the proven name against the device's name, where the two are bound, and keeps the session to the topics of its
    /// own device.
    pub(super) fn bind_names(
        &mut self,
        plan: &ConnectPlan,
        certificate: Option<&str>,
    ) -> Result<(), Refused> {
        let Some((rules, admitted)) = self.proven() else { return Ok(()) };
        let device = plan.names.device.as_deref();
        let is_other = match rules.bind {
            Bind::Device => device != Some(&*admitted.name),
            // What the dialect has read there is what the whole CONNECT was held against.
            Bind::Certificate => certificate != Some(&*admitted.name),
            Bind::ClientIdentifier | Bind::Nothing => false,
        };
        if is_other {
            return Err(not_authorized(OTHER_DEVICE));
        }
        if rules.devices == Devices::Own {
            if device.is_none() {
                return Err(not_authorized(NO_DEVICE));
            }
            self.memory.keep_to(plan);
        }
        Ok(())
    }

    fn proven(&self) -> Option<(&Rules, &Admitted)> {
        let admission = self.admission()?;
        Some((&admission.rules, admission.admitted()?))
    }
}

fn not_authorized(refusal: Refusal) -> Refused {
    Refused::new(refusal, ReasonCode::NotAuthorized)
}

/// One reason for all; the sentence says which.
fn refusal_of(denied: Denied) -> Refusal {
    let reason = match denied {
        Denied::Busy => Reason::RateLimited,
        _ => Reason::AccessDenied,
    };
    Refusal::new(reason, denied.detail())
}

/// What the device is told (v5 section 3.2.2.2; 3.1.1 section 3.2.2.3 by way of the nearest return code).
fn code_of(denied: Denied) -> ReasonCode {
    match denied {
        Denied::Busy => ReasonCode::ServerBusy,
        Denied::NothingShown
        | Denied::NoCertificate
        | Denied::CertificateNameless
        | Denied::CertificateExpired => ReasonCode::NotAuthorized,
        _ => ReasonCode::BadUserNameOrPassword,
    }
}

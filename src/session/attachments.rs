//! Which devices a gateway's session has attached, and which it may not speak for.

use std::collections::HashMap;
use std::time::Instant;

use foldhash::fast::RandomState;

use crate::mqtt::{Acknowledgement, PacketIdentifier};
use crate::translate::{SessionNames, Verdict, gateway_error};

/// The attachments of one session. Devices have the upstream's names.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    devices: HashMap<Box<str>, Standing, RandomState>,
    pending: Option<Pending>,
    /// Attachments that nobody has answered in time. Their identifiers stay lent.
    overdue: Vec<(PacketIdentifier, Box<str>)>,
    /// Where the platform says what is wrong, and the identifier of the subscription to it until its SUBACK.
    pub(super) errors: Option<Errors>,
    /// How many filters of the first SUBSCRIBE that waits need nothing any more.
    pub(super) searched: usize,
    /// For a name that is being looked up.
    pub(super) name: String,
}

/// What the platform makes of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Attached,
    /// The platform had lost it, once.
    AttachedAgain,
    Lost,
    Refused,
}

#[derive(Debug)]
struct Pending {
    identifier: PacketIdentifier,
    device: Box<str>,
    deadline: Instant,
    /// What the platform has said already, before its acknowledgement.
    verdict: Option<Verdict>,
}

/// The session's own subscription.
#[derive(Debug)]
pub(super) struct Errors {
    pub(super) topic: Box<str>,
    pub(super) subscribing: Option<PacketIdentifier>,
}

impl Attachments {
    /// When the pending attachment has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.deadline)
    }

    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The platform is being asked.
    pub(super) fn asks(
        &mut self,
        device: Box<str>,
        identifier: PacketIdentifier,
        deadline: Instant,
    ) {
        self.pending = Some(Pending { identifier, device, deadline, verdict: None });
    }

    /// There is no way to ask for this device.
    pub(super) fn refuse(&mut self, device: Box<str>) {
        self.devices.insert(device, Standing::Refused);
    }

    /// The platform has said nothing in time. The device is refused until it does.
    pub(super) fn give_up(&mut self) {
        if let Some(Pending { device, identifier, .. }) = self.pending.take() {
            self.overdue.push((identifier, device.clone()));
            self.refuse(device);
        }
    }

    /// Whether an identifier waits for an answer that is overdue: then it can't be used for anything else.
    pub(super) fn is_overdue(&self, identifier: PacketIdentifier) -> bool {
        self.overdue.iter().any(|(own, _)| *own == identifier)
    }

    /// Takes an acknowledgement, if it is of an attachment.
    pub(super) fn settle(&mut self, given: &Acknowledgement<'_>) -> bool {
        let identifier = given.packet_identifier;
        let own = |pending: &mut Pending| pending.identifier == identifier;
        let late = self.overdue.iter().position(|(own, _)| *own == identifier);
        let (device, verdict) = match (self.pending.take_if(own), late) {
            (Some(Pending { device, verdict, .. }), _) => (device, verdict),
            (None, Some(at)) => (self.overdue.swap_remove(at).1, None),
            (None, None) => return false,
        };
        let standing = match self.devices.get(&device) {
            _ if given.reason_code.is_error() || verdict.is_some() => Standing::Refused,
            Some(Standing::Lost) => Standing::AttachedAgain,
            _ => Standing::Attached,
        };
        self.devices.insert(device, standing);
        true
    }

    /// Takes an error that the platform sent. Only devices that the session has tried to attach change.
    pub(super) fn hear(&mut self, payload: &[u8]) {
        let Some(error) = gateway_error(payload) else { return };
        if let Some(pending) = self.pending.as_mut().filter(|own| *own.device == *error.device) {
            pending.verdict = Some(error.verdict);
            return;
        }
        let Some(standing) = self.devices.get_mut(&*error.device) else { return };
        *standing = match (*standing, error.verdict) {
            (Standing::Attached | Standing::Lost, Verdict::Lost) => Standing::Lost,
            _ => Standing::Refused,
        };
    }

    /// Whether a device has to be attached first, and may be.
    pub(super) fn needs(&self, device: &str, names: &SessionNames, most: usize) -> bool {
        let own = names.upstream_device.as_deref() == Some(device);
        match self.devices.get(device) {
            Some(standing) => *standing == Standing::Lost && !own,
            None => !own && self.devices.len() < most,
        }
    }

    /// Whether a device is the session's own or attached.
    pub(super) fn may_speak_for(&self, device: &str, names: &SessionNames) -> bool {
        let attached = [Standing::Attached, Standing::AttachedAgain];
        names.upstream_device.as_deref() == Some(device)
            || self.devices.get(device).is_some_and(|standing| attached.contains(standing))
    }
}

//! The phases of a session, and what each of them allows.

use crate::translate::Way;

use super::bounds::Aside;
use super::conversation::Session;
use super::end::End;

/// Where a session is. See the picture in the room's own documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    AwaitConnect,
    /// The device's CONNECT waits for the verdict on its credentials.
    AwaitAccess,
    AwaitUpstream,
    AwaitConnack,
    Running,
    /// The device is gone for this cause; its emulated will is on the way.
    Leaving(End),
    Ended(End),
}

impl Session {
    /// Whether the shell should open the upstream's connection now.
    #[must_use]
    pub fn wants_upstream(&self) -> bool {
        self.phase == Phase::AwaitUpstream
    }

    /// Whether packets of the device are taken as they come. While its upstream is being connected they wait, and
    /// also while what the ones before have become is sent, too many of them wait already, or the device has sent too much.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let waits =
            self.behind.device || self.held.aside(Way::Up) == Aside::Full || self.is_paused();
        !waits
            && !matches!(
                self.phase,
                Phase::AwaitAccess | Phase::AwaitUpstream | Phase::AwaitConnack
            )
    }

    /// Whether the upstream has accepted the device.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Leaving(_))
    }

    /// How the session ended. The shell sends what is left in both buffers, then closes both connections.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Whether nothing more is said to the device or heard from it, though the session goes on: its will is
    /// on the way. The shell sends what is left and closes the device's connection.
    #[must_use]
    pub fn device_is_done(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_))
    }

    /// Whether there are still two sides.
    pub(super) fn goes_on(&self) -> bool {
        !matches!(self.phase, Phase::Leaving(_) | Phase::Ended(_))
    }

    pub(super) fn hears_device(&self) -> bool {
        matches!(self.phase, Phase::AwaitConnect | Phase::AwaitConnack | Phase::Running)
    }

    pub(super) fn hears_upstream(&self) -> bool {
        matches!(self.phase, Phase::AwaitConnack | Phase::Running | Phase::Leaving(_))
    }
}

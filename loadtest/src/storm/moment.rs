//! The moments of a run, as what goes on beside it has to know them.

use crate::engine::Live;
use crate::engine::control::Phase;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Honest devices connect.
    Before,
    /// They send, and nothing is measured yet.
    Growing,
    Measured,
    /// No more is sent.
    Over,
}

impl Moment {
    /// The moment of a run that is measured after so many nanoseconds of load.
    pub(super) fn of(live: &Live, warm_up_ns: u64) -> Self {
        match live.phase {
            Phase::Load if live.over_ns >= warm_up_ns => Moment::Measured,
            Phase::Load => Moment::Growing,
            Phase::Draining | Phase::Closing | Phase::Over => Moment::Over,
            _ => Moment::Before,
        }
    }
}

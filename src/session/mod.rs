//! One device's conversation with its upstream, as a state machine without sockets or clocks.
//!
//! The shell reads bytes from either side and hands them in with the time; the session appends what each
//! side is to be sent. Acknowledgements travel from end to end, so that nothing is acknowledged before the other side has
//! it; what has to wait is put aside unacknowledged (`held`). Packet identifiers pass through unchanged.
//!
//! ```text
//!                 CONNECT                upstream open             CONNACK 0
//!  AwaitConnect ───────────▶ AwaitUpstream ───────▶ AwaitConnack ───────────▶ Running
//!       │   ▲ (AwaitAccess)       │                      │                      │
//!       │ timeout, garbage        │ unreachable          │ refused, timeout     │ DISCONNECT, closed, …
//!       ▼                         ▼                      ▼                      ▼
//!     Ended ◀───────────────────────────────────────────────────────────── (Leaving)
//! ```
//!
//! `AwaitAccess`: the credentials of CONNECT are being checked; then the same CONNECT is taken again.
//! `Leaving`: the device is gone, and its will is on the way, or waits for its delay; only where the proxy sees to that.
//!
//! Invariant: whatever either side sends, nothing panics, nothing malformed is passed on, and an end has one
//! cause. With `plain` on both sides, in one version, packets are forwarded byte for byte after they were checked.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

mod access;
mod acknowledge;
mod aliases;
mod answer;
mod attaching;
mod attachments;
mod authenticate;
mod bounds;
mod connack;
mod connect;
mod conversation;
mod deadlines;
mod dispatch;
mod end;
mod ending;
mod exchanges;
mod feed;
mod forward;
mod held;
mod joins;
mod keep_alive;
mod order;
mod owed;
mod pace;
mod parts;
mod phase;
mod plan;
mod properties;
mod publish;
mod shortage;
mod sizes;
mod streams;
mod subscribe;
mod subscriptions;
mod tally;
mod throttle;
mod through;
mod unsubscribe;
mod upstream_connect;
mod wake;
mod will;

pub use access::{Admitted, Standing};
pub use conversation::Session;
pub use end::{End, Sign};
pub use pace::{Bucket, Rate, nanoseconds};
pub use plan::{OnRefusal, SessionLimits, SessionPlan};
pub use streams::{FIRST_STREAM, Front, Routed, Streams};
pub use tally::{Excess, Tally};
pub use throttle::Paced;
pub use wake::{Scratch, Wake};

pub use crate::translate::Way;

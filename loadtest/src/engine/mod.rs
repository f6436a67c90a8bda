//! The engine: devices that connect, publish by a schedule, and measure.
//!
//! ```text
//!            main thread: conduct (phases, intervals, results)
//!              │ control: phase, start, gauges        ▲ intervals, once a second
//!              ▼                                      │
//!  shard ── shard ── …   clients, schedule, desk ──▶ target ──▶ sink (its own thread)
//! ```
//!
//! One shard is one thread with all that it needs; on the way of a message there is no lock, no channel and no
//! allocation. Invariant: nothing is measured from the time at which something was sent, but from when it was meant to be.

mod client;
pub(crate) mod clock;
mod conduct;
pub(crate) mod control;
mod conversation;
mod desk;
mod due;
mod flight;
mod gather;
mod happenings;
pub(crate) mod measure;
mod names;
mod pattern;
mod payload;
pub(crate) mod plan;
mod schedule;
mod sending;
mod shard;
mod socket;
pub(crate) mod stamp;
mod template;
mod verdict;
mod wait;

pub(crate) use conduct::{Live, Setup, conduct};

//! Room `payload`: the bytes inside a PUBLISH. JSON sliced in place, MessagePack to JSON and back.
//!
//! What it's not: topics, packets, or what a platform's payload means (the dialects say that).
//! Invariant: pure functions over byte slices; strict, or refused with a reason; every
//! limit is a parameter; an error leaves the caller's buffer as it was.
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

pub mod body;
pub mod json;
pub mod msgpack;

mod error;
mod layout;
mod shape;

pub use error::{Excess, MsgpackFault, PayloadError, ShapeFault};
pub use layout::{
    Constant, LAYOUT_DEPTH_MAX, Layout, LayoutError, LayoutFault, Slot, TimeSpelling,
};
pub use shape::{Passage, Shape};

//! Payloads: the shapes that dialects name, JSON without trees, MessagePack. Knows nothing of topics or MQTT.
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

pub mod json;
mod shape;

pub use shape::{Passage, Shape};

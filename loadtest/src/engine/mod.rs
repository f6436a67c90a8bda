//! The engine: devices that connect, publish by a schedule, and measure.

pub(crate) mod stamp;

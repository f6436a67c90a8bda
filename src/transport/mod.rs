//! The only room that opens sockets: listening, connecting, and the byte streams that come of it.
//!
//! It knows addresses and bytes; it doesn't know MQTT.

mod stream;
mod tcp;

pub use stream::Stream;
pub(crate) use tcp::prepare;
pub use tcp::{Listening, bind, connect};

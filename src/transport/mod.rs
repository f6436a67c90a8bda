//! The only room that opens sockets: listening, connecting, and the byte streams that come of it.
//!
//! It knows addresses, certificates and bytes; it doesn't know MQTT.

mod arrival;
mod connector;
mod proxy_protocol;
mod stream;
mod tcp;
mod tls;
mod websocket;

pub use arrival::{Arrival, Reception};
pub use connector::Connector;
pub use proxy_protocol::Caller;
pub use stream::{Over, Stream};
pub(crate) use tcp::prepare;
pub use tcp::{Listening, bind};
pub use tls::{DeviceCertificate, Renewal, TlsFault, Trigger};
pub use websocket::WebSocket;

//! The only room that opens sockets: listening, connecting, and the byte streams that come of it.
//!
//! It knows addresses, certificates and bytes; it doesn't know MQTT.

mod arrival;
mod connector;
mod dial;
pub mod proxy_protocol;
mod quic;
mod stream;
mod tcp;
mod tls;
pub mod websocket;

pub use arrival::{Arrival, Coming, Reception};
pub use connector::Connector;
pub use proxy_protocol::Caller;
pub use quic::{QuicEndpoints, QuicStream, QuicStreams, Showing};
pub use stream::{Over, Stream, first_of, read};
pub(crate) use tcp::prepare;
pub use tcp::{ListenSocket, Listening};
pub use tls::{Chain, DeviceCertificate, Renewal, TlsFault, Trigger};
pub use websocket::WebSocket;

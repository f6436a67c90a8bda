//! QUIC on both sides: MQTT in streams of a QUIC connection (ALPN `mqtt`), as the brokers that have it speak it.
//!
//! The first stream that a device opens carries its CONNECT; it may open more. Towards an upstream there is one stream per
//! connection. A connection stays on its shard, also when its device gets another address: see `routing`.

mod incoming;
mod outgoing;
mod routing;
mod sockets;
mod stream;
mod streams;

use std::time::Duration;

use quinn::{IdleTimeout, TransportConfig, VarInt};

pub(super) use incoming::QuicServer;
pub use incoming::Showing;
pub use outgoing::QuicEndpoints;
pub(super) use sockets::bind;
pub use stream::QuicStream;
pub use streams::QuicStreams;

pub(super) use outgoing::QuicClient;

/// The name of MQTT in the handshake. Without it neither side goes on.
pub(super) const ALPN: &[u8] = b"mqtt";

/// Bytes of one stream that may be on their way before the reader has taken them. All streams together may have as much each:
/// a packet is read to its end before another stream's, which must not wait for room that the others have filled.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same of a device that hasn't been accepted, on all its streams together: there is room for its CONNECT, and little for
/// what it sends beside it.
const WINDOW_BEFORE: u32 = 4 * STREAM_WINDOW;

/// Bytes that wait to be sent, or to be acknowledged, on all streams of a connection.
const SEND_WINDOW: u64 = 256 * 1024;

/// How many streams the other end may open.
#[derive(Debug, Clone, Copy)]
struct Room {
    both_ways: u32,
    one_way: u32,
}

impl Room {
    /// Bytes that may be on their way on all streams together; one that we open has a window, too.
    fn window(self) -> VarInt {
        let streams = 1_u32.saturating_add(self.both_ways).saturating_add(self.one_way);
        VarInt::from_u32(STREAM_WINDOW.saturating_mul(streams))
    }
}

/// What both sides keep to: no datagrams, and nobody opens streams that don't belong to MQTT.
fn transport(room: Room, idle: Duration, keep_alive: Option<Duration>) -> TransportConfig {
    let mut config = TransportConfig::default();
    let idle = IdleTimeout::try_from(idle).unwrap_or(IdleTimeout::from(VarInt::MAX));
    config
        .max_concurrent_uni_streams(VarInt::from_u32(room.one_way))
        .max_concurrent_bidi_streams(VarInt::from_u32(room.both_ways))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(room.window())
        .send_window(SEND_WINDOW)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(keep_alive);
    config
}

fn no_suite(error: &impl std::fmt::Display) -> super::tls::TlsFault {
    super::tls::TlsFault::Library(error.to_string())
}

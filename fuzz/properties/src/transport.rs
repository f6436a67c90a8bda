//! What stands around MQTT: frames of WebSocket, headers of the PROXY protocol.

use std::net::SocketAddr;

use interlingua::config::ProxyProtocol;
use interlingua::transport::Caller;
use interlingua::transport::proxy_protocol::{source, write};
use interlingua::transport::websocket::frames::{
    Decoded, Decoder, FrameEnd, Purpose, Sender, append,
};

/// The first byte says what the others are.
pub fn transport(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, header)) => proxy_header(header),
        Some((1, payload)) => what_is_framed_is_read(payload),
        Some((choice, stream)) => frames(stream, *choice),
        None => {}
    }
}

/// Who is named is named again by a header of ours, in both versions.
fn proxy_header(header: &[u8]) {
    let Ok(Some(device)) = source(header) else { return };
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        let destination: SocketAddr = match device {
            SocketAddr::V4(_) => ([127, 0, 0, 1], 1883).into(),
            SocketAddr::V6(_) => ([0, 0, 0, 0, 0, 0, 0, 1], 1883).into(),
        };
        let again = write(version, Caller { source: device, destination }).expect("one kind");
        let read = source(&again).expect("our own header").expect("an address");
        // Neither version carries the flow or the scope of an address.
        assert_eq!((read.ip(), read.port()), (device.ip(), device.port()));
    }
}

/// A stream of any bytes comes to the same, read at once or in pieces.
fn frames(stream: &[u8], choice: u8) {
    let sender = sender(choice);
    let (mqtt, ended) = read_in(stream, sender, |left| left);
    assert!(mqtt.len() <= stream.len());
    let mut sizes = stream.iter().rev().cycle();
    let piece = |left: usize| left.min(1 + usize::from(sizes.next().copied().unwrap_or(0) & 31));
    assert_eq!(read_in(stream, sender, piece), (mqtt.clone(), ended));
    assert_eq!(read_in(stream, sender, |_| 1), (mqtt, ended));
}

fn sender(choice: u8) -> Sender {
    if choice & 1 == 0 { Sender::Client } else { Sender::Server }
}

/// The bytes of MQTT in a stream, and how it ended. Nothing may stand past the bytes that were handed in.
fn read_in(
    stream: &[u8],
    sender: Sender,
    mut piece: impl FnMut(usize) -> usize,
) -> (Vec<u8>, Option<FrameEnd>) {
    let (mut decoder, mut mqtt, mut rest) = (Decoder::new(sender), Vec::new(), stream);
    while !rest.is_empty() {
        let (bytes, more) = rest.split_at(piece(rest.len()).clamp(1, rest.len()));
        rest = more;
        let mut buffer = bytes.to_vec();
        let Decoded { bytes, ping, end } = decoder.decode(&mut buffer);
        assert!(ping.is_none_or(|ping| ping.len() <= 125), "a control frame is short");
        mqtt.extend_from_slice(buffer.get(..bytes).expect("bytes of the buffer"));
        if end.is_some() {
            return (mqtt, end);
        }
    }
    (mqtt, None)
}

/// What one end frames, the other end reads. The bytes say where the frames end.
fn what_is_framed_is_read(payload: &[u8]) {
    for (sender, mask) in [(Sender::Server, None), (Sender::Client, Some([7, 0, 255, 1]))] {
        let (mut stream, mut rest) = (Vec::new(), payload);
        while let Some(length) = rest.first().copied() {
            let (part, more) = rest.split_at(rest.len().min(1 + usize::from(length)));
            let (one, other) = part.split_at(part.len() / 3);
            append(&mut stream, Purpose::Data, [one, other].into_iter(), mask);
            if length % 3 == 0 {
                append(&mut stream, Purpose::Pong, [one].into_iter(), mask);
            }
            rest = more;
        }
        let long = stream.len() > usize::from(u16::MAX);
        let piece = |left: usize| if long { left } else { left.min(7) };
        // A pong of more than 125 bytes is none; nothing of ours writes one.
        let (mqtt, end) = read_in(&stream, sender, piece);
        assert!(end.is_some() || mqtt == payload, "{sender:?}");
        assert!(payload.starts_with(&mqtt));
    }
}

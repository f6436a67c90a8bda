//! Frames of WebSocket (RFC 6455, section 5), taken apart where they were read. No socket, no buffer.
//!
//! MQTT is a stream of bytes in binary frames: a packet may span frames, and a frame may hold many [MQTT-6.0.0-2]. So nothing is
//! put together here, and a frame of any length costs the same: nothing.
//!
//! Invariant: bytes that are handed on stood in binary frames, unmasked, in their order.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The longest header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// The most that a control frame carries (RFC 6455, section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// Why a connection can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// MQTT is binary [MQTT-6.0.0-1].
    #[error("a text frame: MQTT is binary")]
    Text,
    /// What nobody has agreed to, such as compression.
    #[error("a frame of an extension that was not agreed")]
    Extension,
    /// From a client without a mask, or from a server with one.
    #[error("a frame with the wrong masking")]
    Masking,
    /// An operation that RFC 6455 doesn't know.
    #[error("a frame of an unknown kind")]
    Unknown,
    /// A control frame in parts, or longer than it may be.
    #[error("a control frame in parts, or too long")]
    Control,
    /// A continuation of nothing, or a message within another.
    #[error("a fragment out of its place")]
    Fragment,
    /// A length with its highest bit set.
    #[error("a frame longer than a frame can be")]
    Length,
}

impl FrameFault {
    /// The status of the Close frame that tells the peer (RFC 6455, section 7.4.1).
    pub fn status(self) -> u16 {
        match self {
            Self::Text => 1003,
            _ => 1002,
        }
    }
}

/// Which end sends the frames that are taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Its frames are masked.
    Client,
    /// Its frames are not.
    Server,
}

/// What came of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// So many bytes of MQTT stand at the start of the buffer now.
    pub bytes: usize,
    /// The latest ping, which has to be answered with the same; earlier ones needn't be (RFC 6455, section 5.5.3).
    pub ping: Option<Vec<u8>>,
    /// Nothing more will come.
    pub end: Option<FrameEnd>,
}

/// Why nothing more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameEnd {
    /// The peer said goodbye.
    Closed,
    /// The peer broke the rules.
    Fault(FrameFault),
}

/// What is known in the middle of a stream.
#[derive(Debug)]
pub struct Decoder {
    sender: Sender,
    /// The start of a header whose end hasn't arrived.
    header: [u8; HEADER_BYTES_MAX],
    held: usize,
    frame: Option<Frame>,
    /// A message has begun whose last frame hasn't come.
    is_fragmented: bool,
    /// The payload of a control frame; without memory most of the time.
    control: Vec<u8>,
}

/// A frame whose payload is being read.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    left: u64,
    /// For the next byte first.
    mask: [u8; 4],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Binary,
    Ping,
    Pong,
    Close,
}

impl Decoder {
    /// At the start of a stream.
    #[must_use]
    pub fn new(sender: Sender) -> Self {
        Self {
            sender,
            header: [0; HEADER_BYTES_MAX],
            held: 0,
            frame: None,
            is_fragmented: false,
            control: Vec::new(),
        }
    }

    /// Takes apart what was read; the bytes of MQTT in it move to the start.
    pub fn decode(&mut self, buffer: &mut [u8]) -> Decoded {
        let mut decoded = Decoded::default();
        let mut at = 0;
        while at < buffer.len() && decoded.end.is_none() {
            if self.frame.is_none() {
                match self.open(buffer.get(at..).unwrap_or_default()) {
                    Ok(used) => at += used,
                    Err(fault) => decoded.end = Some(FrameEnd::Fault(fault)),
                }
            } else {
                at += self.read(buffer, at, &mut decoded.bytes);
            }
            self.finish(&mut decoded);
        }
        decoded
    }

    /// Reads a header. How many of the bytes it took; all of them where there is more to come.
    fn open(&mut self, bytes: &[u8]) -> Result<usize, FrameFault> {
        let room = self.header.get_mut(self.held..).unwrap_or_default();
        let new = room.len().min(bytes.len());
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
        let known = self.header.get(..self.held + new).unwrap_or_default();
        let mut cursor = Cursor::new(known);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| FrameFault::Unknown)?;
        let Some((header, length)) = parsed else {
            self.held += new;
            return Ok(new);
        };
        let size = usize::try_from(cursor.position()).unwrap_or(HEADER_BYTES_MAX);
        let used = size.saturating_sub(self.held);
        self.held = 0;
        let kind = self.check(&header, length)?;
        self.frame = Some(Frame { kind, left: length, mask: header.mask.unwrap_or_default() });
        Ok(used)
    }

    fn check(&mut self, header: &FrameHeader, length: u64) -> Result<Kind, FrameFault> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(FrameFault::Extension);
        }
        if header.mask.is_some() != (self.sender == Sender::Client) {
            return Err(FrameFault::Masking);
        }
        if length >> 63 != 0 {
            return Err(FrameFault::Length);
        }
        match header.opcode {
            OpCode::Data(data) => {
                let continues = match data {
                    Data::Binary => false,
                    Data::Continue => true,
                    Data::Text => return Err(FrameFault::Text),
                    Data::Reserved(_) => return Err(FrameFault::Unknown),
                };
                if continues != self.is_fragmented {
                    return Err(FrameFault::Fragment);
                }
                self.is_fragmented = !header.is_final;
                Ok(Kind::Binary)
            }
            OpCode::Control(_) if !header.is_final || length > CONTROL_BYTES_MAX => {
                Err(FrameFault::Control)
            }
            OpCode::Control(Control::Ping) => Ok(Kind::Ping),
            OpCode::Control(Control::Pong) => Ok(Kind::Pong),
            OpCode::Control(Control::Close) => Ok(Kind::Close),
            OpCode::Control(Control::Reserved(_)) => Err(FrameFault::Unknown),
        }
    }

    /// Reads of the open frame's payload, from `at` on. How many bytes it took.
    fn read(&mut self, buffer: &mut [u8], at: usize, bytes: &mut usize) -> usize {
        let Some(frame) = &mut self.frame else { return 0 };
        let there = buffer.len().saturating_sub(at);
        let length = usize::try_from(frame.left).unwrap_or(usize::MAX).min(there);
        let Some(part) = buffer.get_mut(at..at + length) else { return there };
        if self.sender == Sender::Client {
            apply(frame.mask, part);
            frame.mask.rotate_left(length % 4);
        }
        frame.left -= length as u64;
        match frame.kind {
            Kind::Binary => {
                if at > *bytes {
                    buffer.copy_within(at..at + length, *bytes);
                }
                *bytes += length;
            }
            Kind::Ping => self.control.extend_from_slice(part),
            Kind::Pong | Kind::Close => {}
        }
        length
    }

    /// Ends a frame that has been read.
    fn finish(&mut self, decoded: &mut Decoded) {
        let Some(frame) = self.frame.take_if(|frame| frame.left == 0) else { return };
        match frame.kind {
            Kind::Binary | Kind::Pong => {}
            Kind::Ping => decoded.ping = Some(std::mem::take(&mut self.control)),
            Kind::Close => decoded.end = Some(FrameEnd::Closed),
        }
    }
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Bytes of MQTT.
    Data,
    /// The answer to a ping.
    Pong,
    /// Goodbye.
    Close,
}

/// Appends one frame, whose payload may come in pieces. `mask`: of a client; a server has none.
pub fn append<'p>(
    out: &mut Vec<u8>,
    purpose: Purpose,
    payload: impl Iterator<Item = &'p [u8]> + Clone,
    mask: Option<[u8; 4]>,
) {
    let opcode = match purpose {
        Purpose::Data => OpCode::Data(Data::Binary),
        Purpose::Pong => OpCode::Control(Control::Pong),
        Purpose::Close => OpCode::Control(Control::Close),
    };
    let length = payload.clone().map(<[u8]>::len).sum::<usize>();
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    out.reserve(HEADER_BYTES_MAX + length);
    // Writing into memory doesn't fail.
    let _ = header.format(length as u64, out);
    let start = out.len();
    payload.for_each(|piece| out.extend_from_slice(piece));
    if let (Some(mask), Some(written)) = (mask, out.get_mut(start..)) {
        apply(mask, written);
    }
}

/// Masks, or takes a mask off: it is the same.
fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    let word = u32::from_ne_bytes(mask);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for four in words {
        *four = (u32::from_ne_bytes(*four) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, Purpose::Data, [payload].into_iter(), Some(MASK));
        out[0] = first;
        out
    }

    /// Everything that comes of a stream that is read in pieces of these sizes.
    fn all(sender: Sender, stream: &[u8], mut sizes: impl Iterator<Item = usize>) -> Decoded {
        let mut decoder = Decoder::new(sender);
        let (mut bytes, mut all) = (Vec::new(), Decoded::default());
        let mut rest = stream;
        while !rest.is_empty() && all.end.is_none() {
            let (piece, more) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
            rest = more;
            let mut piece = piece.to_vec();
            let decoded = decoder.decode(&mut piece);
            bytes.extend_from_slice(&piece[..decoded.bytes]);
            all.ping = decoded.ping.or(all.ping);
            all.end = decoded.end;
        }
        all.bytes = bytes.len();
        assert_eq!(bytes, b"0123456789"[..bytes.len()], "in their order");
        all
    }

    #[test]
    fn packets_span_frames_and_pings_stand_between() {
        let stream = [
            frame(0x02, b"012"),
            frame(0x89, b"you there?"),
            frame(0x00, b""),
            frame(0x80, b"3456"),
            frame(0x8A, b"unasked"),
            frame(0x82, b"789"),
            frame(0x88, b"\x03\xE8bye"),
            frame(0x82, b"never"),
        ]
        .concat();
        let wanted =
            Decoded { bytes: 10, ping: Some(b"you there?".to_vec()), end: Some(FrameEnd::Closed) };
        for size in 1..stream.len() {
            assert_eq!(all(Sender::Client, &stream, std::iter::repeat(size)), wanted, "{size}");
        }
    }

    #[test]
    fn attack_8_what_is_no_frame_of_mqtt_is_refused() {
        let huge = [&[0x82, 0xFF][..], &[0xFF; 8], &MASK].concat();
        let mut unmasked = Vec::new();
        append(&mut unmasked, Purpose::Data, [&b"0"[..]].into_iter(), None);
        for (stream, fault) in [
            (frame(0x81, b"text"), FrameFault::Text),
            (frame(0xC2, b"0"), FrameFault::Extension),
            (frame(0xA2, b"0"), FrameFault::Extension),
            (frame(0x92, b"0"), FrameFault::Extension),
            (unmasked.clone(), FrameFault::Masking),
            (frame(0x83, b"0"), FrameFault::Unknown),
            (frame(0x8B, b"0"), FrameFault::Unknown),
            (frame(0x09, b"0"), FrameFault::Control),
            (frame(0x89, &[0; 126]), FrameFault::Control),
            (frame(0x80, b"0"), FrameFault::Fragment),
            ([frame(0x02, b"0"), frame(0x82, b"1")].concat(), FrameFault::Fragment),
            (huge, FrameFault::Length),
        ] {
            for size in [1, 2, 1000] {
                let decoded = all(Sender::Client, &stream, std::iter::repeat(size));
                assert_eq!(decoded.end, Some(FrameEnd::Fault(fault)), "{stream:02x?}");
            }
        }
        let masked = all(Sender::Server, &frame(0x82, b"0"), std::iter::repeat(9));
        assert_eq!(masked.end, Some(FrameEnd::Fault(FrameFault::Masking)));
        assert_eq!(all(Sender::Server, &unmasked, std::iter::repeat(9)).bytes, 1);
    }

    /// A frame may say that it is as long as half of all numbers: what comes of it is passed on, nothing is kept.
    #[test]
    fn attack_8_a_long_frame_takes_no_memory() {
        let mut decoder = Decoder::new(Sender::Client);
        let mut header = [&[0x82, 0xFF, 0x7F][..], &[0xFF; 7], &MASK].concat();
        assert_eq!(decoder.decode(&mut header), Decoded::default());
        for _ in 0..1000 {
            assert_eq!(decoder.decode(&mut [0; 4096]).bytes, 4096);
            assert_eq!(decoder.control.capacity(), 0);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
            sizes in prop::collection::vec(1_usize..200, 1..20),
            mask in prop::option::of(any::<[u8; 4]>()),
        ) {
            let sender = if mask.is_some() { Sender::Client } else { Sender::Server };
            let mut stream = Vec::new();
            parts.iter().for_each(|part| {
                let (one, other) = part.split_at(part.len() / 3);
                append(&mut stream, Purpose::Data, [one, other].into_iter(), mask);
            });
            let mut decoder = Decoder::new(sender);
            let (mut got, mut rest, mut turn) = (Vec::new(), &stream[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(turn.next().unwrap().min(&rest.len()).to_owned());
                rest = more;
                let mut piece = piece.to_vec();
                let decoded = decoder.decode(&mut piece);
                prop_assert_eq!(decoded.end, None);
                got.extend_from_slice(&piece[..decoded.bytes]);
            }
            prop_assert_eq!(got, parts.concat());
        }

        #[test]
        fn any_bytes_are_taken_or_refused(
            mut bytes in prop::collection::vec(any::<u8>(), 0..400),
            cut in 0_usize..400,
        ) {
            let mut decoder = Decoder::new(Sender::Client);
            let cut = cut.min(bytes.len());
            let (first, second) = bytes.split_at_mut(cut);
            let decoded = decoder.decode(first);
            prop_assert!(decoded.bytes <= first.len());
            if decoded.end.is_none() {
                prop_assert!(decoder.decode(second).bytes <= second.len());
            }
        }
    }
}

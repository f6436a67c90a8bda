//! Payloads: a mold whose stamp is overwritten for each message, or a template that is filled anew.
//!
//! A mold costs two copies and a checksum per message; a template is rendered, and for MessagePack packed, each time.
//! Invariant: no allocation per message once the buffers have their size.

use std::io::Write;

use anyhow::{anyhow, bail};
use crc32fast::Hasher;
use interlingua::payload::Shape;
use interlingua::payload::msgpack;

use super::stamp::{self, FILLER_MAX, Stamp};
use super::template::{Moment, Piece, parse};
use crate::scenario::{Encoding, Payload, Stamping};

/// What filler is made of: letters that neither JSON nor a topic cares about.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Makes the payloads of one kind.
#[derive(Debug, Clone)]
pub(crate) struct PayloadMaker {
    pieces: Vec<Piece>,
    packed: bool,
    /// The last payload; of a mold all of it but the stamp stays.
    buffer: Vec<u8>,
    scratch: Vec<u8>,
    mold: Option<Place>,
}

/// Where the stamp is.
#[derive(Debug, Clone)]
struct Place {
    start: usize,
    filler: u16,
    filler_checksum: Hasher,
    rest: u32,
}

impl PayloadMaker {
    /// A maker for this payload, in the frame of `shape`.
    ///
    /// # Errors
    /// When a template isn't one, or the payload can't be encoded so.
    pub(crate) fn new(
        payload: &Payload,
        encoding: Encoding,
        stamping: Stamping,
        shape: Shape,
    ) -> anyhow::Result<Self> {
        let pieces = match payload {
            Payload::Template(text) => parse(text)?,
            Payload::Size(size) => sized(*size, encoding, stamping, shape)?,
        };
        let packed = encoding == Encoding::MessagePack;
        let mut maker =
            Self { pieces, packed, buffer: Vec::new(), scratch: Vec::new(), mold: None };
        maker.render(&Moment::default())?;
        if maker.pieces.iter().all(Piece::is_constant) {
            maker.mold = maker.place();
        }
        Ok(maker)
    }

    /// The smallest payload that a shape takes.
    pub(crate) fn smallest(stamping: Stamping, shape: Shape) -> anyhow::Result<Self> {
        let text = frame(shape)?;
        let text = match stamping {
            Stamping::Stamped => text.to_owned(),
            Stamping::Bare => text.replace("{stamp}", "load"),
        };
        Self::new(&Payload::Template(text), Encoding::Json, stamping, shape)
    }

    /// The payload of one message. `stamp` gets its filler and rest here.
    pub(crate) fn make(&mut self, stamp: Stamp, moment: &Moment) -> anyhow::Result<&[u8]> {
        if let Some(place) = &self.mold {
            place.write(stamp, &mut self.buffer);
            return Ok(&self.buffer);
        }
        if self.pieces.iter().any(|piece| !piece.is_constant()) {
            self.render(moment)?;
        }
        if let Some(place) = self.place() {
            place.write(stamp, &mut self.buffer);
        }
        Ok(&self.buffer)
    }

    /// Bytes of the payload that was made last.
    pub(crate) fn length(&self) -> usize {
        self.buffer.len()
    }

    fn render(&mut self, moment: &Moment) -> anyhow::Result<()> {
        let target = if self.packed { &mut self.scratch } else { &mut self.buffer };
        target.clear();
        for (index, piece) in self.pieces.iter().enumerate() {
            piece.render(index, moment, target)?;
        }
        if self.packed {
            self.buffer.clear();
            let limits = msgpack::Limits::default();
            msgpack::from_json(&self.scratch, &limits, &mut self.buffer)
                .map_err(|fault| anyhow!("the payload can't be MessagePack: {fault}"))?;
        }
        Ok(())
    }

    /// Finds the blank stamp in the buffer.
    fn place(&self) -> Option<Place> {
        let filler = self.pieces.iter().find_map(Piece::filler)?;
        let start = memchr::memmem::find(&self.buffer, &BLANK)?;
        let filler_start = start + stamp::LENGTH;
        let end = filler_start + filler.min(FILLER_MAX);
        let mut filler_checksum = Hasher::new();
        filler_checksum.update(&self.buffer[filler_start..end]);
        let rest = stamp::rest(&self.buffer, start, end);
        let filler = u16::try_from(end - filler_start).unwrap_or(u16::MAX);
        Some(Place { start, filler, filler_checksum, rest })
    }
}

/// What stands where a stamp will be written.
const BLANK: [u8; stamp::LENGTH] = [b'~'; stamp::LENGTH];

impl Place {
    fn write(&self, stamp: Stamp, buffer: &mut [u8]) {
        let stamp = Stamp { filler: self.filler, rest: self.rest, ..stamp };
        stamp.write(&self.filler_checksum, &mut buffer[self.start..self.start + stamp::LENGTH]);
    }
}

/// Appends a blank stamp and its filler.
pub(super) fn blank(filler: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&BLANK);
    letters(filler, out);
}

/// Appends so many letters.
pub(super) fn letters(count: usize, out: &mut Vec<u8>) {
    out.extend(LETTERS.iter().cycle().take(count));
}

/// The template that has so many bytes in the end.
fn sized(
    size: usize,
    encoding: Encoding,
    stamping: Stamping,
    shape: Shape,
) -> anyhow::Result<Vec<Piece>> {
    if stamping == Stamping::Bare && (encoding == Encoding::Raw || size < 10) {
        return Ok(vec![Piece::Filler(size)]);
    }
    let frame = match encoding {
        Encoding::Raw => "{stamp}",
        Encoding::Json | Encoding::MessagePack => frame(shape)?,
    };
    let mut pieces = parse(frame)?;
    let filler = |pieces: &mut Vec<Piece>, letters: usize| {
        for piece in pieces.iter_mut() {
            match (stamping, &piece) {
                (Stamping::Stamped, Piece::Stamp(_)) => *piece = Piece::Stamp(letters),
                (Stamping::Bare, Piece::Stamp(_) | Piece::Filler(_)) => {
                    *piece = Piece::Filler(letters)
                }
                _ => {}
            }
        }
    };
    // A MessagePack header grows with its text, so the length is found by trying.
    let mut letters = 0;
    for _ in 0..4 {
        filler(&mut pieces, letters);
        let made = rendered_length(&pieces, encoding)?;
        if made == size {
            return Ok(pieces);
        }
        if made > size && letters == 0 {
            bail!(
                "message.payload: {size} bytes are too few for this dialect's frame and the stamp; write at least {made}"
            );
        }
        letters = (letters + size).saturating_sub(made);
    }
    // One byte that no length of the text can give: the nearest below.
    Ok(pieces)
}

fn rendered_length(pieces: &[Piece], encoding: Encoding) -> anyhow::Result<usize> {
    let packed = encoding == Encoding::MessagePack;
    let mut maker = PayloadMaker {
        pieces: pieces.to_vec(),
        packed,
        buffer: Vec::new(),
        scratch: Vec::new(),
        mold: None,
    };
    maker.render(&Moment::default())?;
    Ok(maker.length())
}

/// The smallest message of a shape that carries a text.
fn frame(shape: Shape) -> anyhow::Result<&'static str> {
    Ok(match shape {
        Shape::Opaque | Shape::Json | Shape::JsonOrNumber | Shape::Binary | Shape::Members => {
            r#"{"s":"{stamp}"}"#
        }
        Shape::Keyed => r#"{"load":"{stamp}"}"#,
        Shape::SmartworksAction => r#"{"load":{"input":"{stamp}","status":"pending"}}"#,
        Shape::SmartworksEvent => r#"{"load":{"data":"{stamp}"}}"#,
        Shape::SmartworksData => r#"{"data":{"s":"{stamp}"}}"#,
        Shape::Mqtt2goCommand => r#"{"type":"set","timestamp":{seconds},"value":"{stamp}"}"#,
        Shape::Mqtt2goReport => {
            r#"{"type":"periodic_report","priority_level":3,"timestamp":{seconds},"value":"{stamp}"}"#
        }
        Shape::XyteTelemetry => r#"{"status":"online","telemetries":{"load":"{stamp}"}}"#,
        Shape::XyteCommand => {
            r#"{"id":"{identifier}","status":"pending","name":"load","parameters":{"s":"{stamp}"}}"#
        }
        Shape::Empty
        | Shape::Mqtt2goEvent
        | Shape::XyteUpdate
        | Shape::XyteConfig
        | Shape::Declared => {
            bail!("no frame is known for shape `{}`; write a template", shape.word())
        }
    })
}

impl Piece {
    /// Appends the piece's text.
    fn render(&self, index: usize, moment: &Moment, out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Piece::Literal(text) => out.extend_from_slice(text),
            Piece::Stamp(filler) => blank(*filler, out),
            Piece::Filler(count) => letters(*count, out),
            Piece::Sequence => write!(out, "{}", moment.ordinal)?,
            Piece::Number => write!(out, "{}", moment.device)?,
            Piece::Timestamp => write!(out, "{}", moment.unix_ms)?,
            Piece::Seconds => write!(out, "{}", moment.unix_ms / 1000)?,
            Piece::Identifier => {
                let (high, low) =
                    (moment.noise(index, moment.ordinal), moment.noise(index + 1, !moment.ordinal));
                write!(out, "{high:016x}{low:016x}")?;
            }
            Piece::Walk(range) => write!(out, "{:.2}", moment.walk(index, *range))?,
            Piece::Random(range) => write!(out, "{:.2}", moment.random(index, *range))?,
        }
        Ok(())
    }
}

//! Templates of payloads: text with placeholders. `{` followed by a lower-case letter begins one, so that JSON's own
//! braces need no escape.
//!
//! What is random comes from the seed, the device and the message's number alone: the same run makes the same payloads,
//! but for its clock.

use anyhow::{anyhow, bail};
use interlingua::document::closest;

/// One piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// This text.
    Literal(Vec<u8>),
    /// The stamp, and so many letters more.
    Stamp(usize),
    /// So many letters.
    Filler(usize),
    /// The number of the device's message.
    Sequence,
    /// The device's number.
    Number,
    /// Milliseconds of Unix time.
    Timestamp,
    /// Seconds of Unix time.
    Seconds,
    /// 32 hexadecimal digits.
    Identifier,
    /// A number that wanders between two others.
    Walk((f64, f64)),
    /// A number anywhere between two others.
    Random((f64, f64)),
}

const PLACEHOLDERS: [&str; 9] = [
    "stamp",
    "filler",
    "sequence",
    "number",
    "timestamp",
    "seconds",
    "identifier",
    "walk",
    "random",
];

/// Messages from one corner of a walk to the next.
const STEPS: u64 = 16;

/// What a template is filled from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moment {
    pub(crate) seed: u64,
    pub(crate) device: u32,
    pub(crate) ordinal: u64,
    pub(crate) unix_ms: u64,
}

impl Moment {
    /// Bits that depend on everything, and look like nothing (the finalizer of splitmix64).
    pub(super) fn noise(&self, place: usize, number: u64) -> u64 {
        let mut bits = self.seed ^ (u64::from(self.device) << 32) ^ ((place as u64) << 56);
        bits = bits.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn share(&self, place: usize, number: u64) -> f64 {
        (self.noise(place, number) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Goes evenly from one random value to the next.
    pub(super) fn walk(&self, place: usize, (low, high): (f64, f64)) -> f64 {
        let (corner, step) = (self.ordinal / STEPS, self.ordinal % STEPS);
        let (from, to) = (self.share(place, corner), self.share(place, corner + 1));
        low + (high - low) * (from + (to - from) * step as f64 / STEPS as f64)
    }

    pub(super) fn random(&self, place: usize, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.share(place, self.ordinal)
    }
}

impl Piece {
    /// Whether it is the same in every message, the stamp's own letters left out.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self, Piece::Literal(_) | Piece::Stamp(_) | Piece::Filler(_))
    }

    /// Letters behind the stamp, if this is it.
    pub(super) fn filler(&self) -> Option<usize> {
        match self {
            Piece::Stamp(filler) => Some(*filler),
            _ => None,
        }
    }
}

/// Reads a template.
///
/// # Errors
/// An unknown placeholder, or values that it can't have.
pub(super) fn parse(text: &str) -> anyhow::Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = text;
    while let Some(at) = next_placeholder(rest) {
        let (before, behind) = rest.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.as_bytes().to_vec()));
        }
        let (inside, tail) = behind[1..]
            .split_once('}')
            .ok_or_else(|| anyhow!("the template has `{behind}` without its `}}`"))?;
        pieces.push(placeholder(inside)?);
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.as_bytes().to_vec()));
    }
    if pieces.iter().filter(|piece| piece.filler().is_some()).count() > 1 {
        bail!("the template has `{{stamp}}` twice; one is enough");
    }
    Ok(pieces)
}

fn next_placeholder(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'{', bytes)
        .find(|at| bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase))
}

fn placeholder(inside: &str) -> anyhow::Result<Piece> {
    let mut words = inside.split_whitespace();
    let name = words.next().unwrap_or("");
    let values: Vec<&str> = words.collect();
    Ok(match (name, values.as_slice()) {
        ("stamp", []) => Piece::Stamp(0),
        ("stamp", [letters]) => Piece::Stamp(count(inside, letters)?),
        ("filler", [letters]) => Piece::Filler(count(inside, letters)?),
        ("sequence", []) => Piece::Sequence,
        ("number", []) => Piece::Number,
        ("timestamp", []) => Piece::Timestamp,
        ("seconds", []) => Piece::Seconds,
        ("identifier", []) => Piece::Identifier,
        ("walk", [low, high]) => Piece::Walk((number(inside, low)?, number(inside, high)?)),
        ("random", [low, high]) => Piece::Random((number(inside, low)?, number(inside, high)?)),
        (name, _) if PLACEHOLDERS.contains(&name) => bail!(
            "`{{{inside}}}` has the wrong values; write {{walk LOW HIGH}}, {{random LOW HIGH}}, {{filler LETTERS}}, \
             {{stamp}} or {{stamp LETTERS}}, and the others without values"
        ),
        (name, _) => match closest(name, PLACEHOLDERS) {
            Some(meant) => {
                bail!("there is no placeholder `{{{name}}}`; did you mean `{{{meant}}}`?")
            }
            None => {
                bail!("there is no placeholder `{{{name}}}`; there are {}", PLACEHOLDERS.join(", "))
            }
        },
    })
}

fn count(inside: &str, text: &str) -> anyhow::Result<usize> {
    let found = text.parse().ok().filter(|count| *count <= 268_000_000);
    found.ok_or_else(|| anyhow!("`{{{inside}}}`: `{text}` is no number of letters"))
}

fn number(inside: &str, text: &str) -> anyhow::Result<f64> {
    let found = text.parse().ok().filter(|number: &f64| number.is_finite());
    found.ok_or_else(|| anyhow!("`{{{inside}}}`: `{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::super::payload::PayloadMaker;
    use super::super::stamp::{self, Stamp, Way};
    use super::*;
    use crate::scenario::{Encoding, Payload, Stamping};
    use interlingua::payload::Shape;

    const STAMP: Stamp = Stamp {
        way: Way::Up,
        run: 7,
        device: 3,
        topic: 0,
        sequence: 9,
        time_ns: 5,
        filler: 0,
        rest: 0,
    };

    fn made(payload: Payload, encoding: Encoding, shape: Shape) -> Vec<u8> {
        let mut maker =
            PayloadMaker::new(&payload, encoding, Stamping::Stamped, shape).expect("it fits");
        let moment = Moment { seed: 1, device: 3, ordinal: 9, unix_ms: 1_700_000_000_123 };
        maker.make(STAMP, &moment).expect("made").to_vec()
    }

    #[test]
    fn a_size_is_met_in_every_encoding_and_the_stamp_is_in_it() {
        for size in [60, 64, 256, 1000, 70_000] {
            for encoding in [Encoding::Json, Encoding::MessagePack, Encoding::Raw] {
                let payload = made(Payload::Size(size), encoding, Shape::Opaque);
                assert_eq!(payload.len(), size, "{encoding:?}");
                let found = stamp::read(&payload).expect("a stamp");
                assert!(found.rest_is_same && found.stamp.sequence == 9, "{encoding:?}");
                if encoding == Encoding::Json {
                    serde_json::from_slice::<serde_json::Value>(&payload).expect("JSON");
                }
            }
        }
    }

    #[test]
    fn every_frame_is_json_with_its_size_and_stamp() {
        for shape in [
            Shape::Keyed,
            Shape::SmartworksAction,
            Shape::SmartworksEvent,
            Shape::SmartworksData,
            Shape::Mqtt2goCommand,
            Shape::Mqtt2goReport,
            Shape::XyteTelemetry,
            Shape::XyteCommand,
        ] {
            let payload = made(Payload::Size(256), Encoding::Json, shape);
            serde_json::from_slice::<serde_json::Value>(&payload).expect("JSON");
            assert!(stamp::read(&payload).expect("a stamp").rest_is_same, "{shape:?}");
        }
    }

    #[test]
    fn placeholders_are_filled() {
        let text = r#"{"n":{number},"q":{sequence},"t":{timestamp},"w":{walk 18 25},"r":{random -1 1},"i":"{identifier}","s":"{stamp 5}"}"#;
        for encoding in [Encoding::Json, Encoding::Raw] {
            let payload = made(Payload::Template(text.to_owned()), encoding, Shape::Opaque);
            let json: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            assert_eq!((json["n"].as_u64(), json["q"].as_u64()), (Some(3), Some(9)));
            assert_eq!(json["t"].as_u64(), Some(1_700_000_000_123));
            let (walk, random) = (json["w"].as_f64().expect("w"), json["r"].as_f64().expect("r"));
            assert!((18.0..=25.0).contains(&walk) && (-1.0..=1.0).contains(&random));
            assert_eq!(json["i"].as_str().map(str::len), Some(32));
            let found = stamp::read(&payload).expect("a stamp");
            assert!(found.rest_is_same && found.stamp.filler == 5);
        }
        let packed = made(Payload::Template(text.to_owned()), Encoding::MessagePack, Shape::Opaque);
        assert!(stamp::read(&packed).expect("a stamp").rest_is_same && packed[0] == 0x87);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, fault) in [
            ("{stmp}", "there is no placeholder `{stmp}`; did you mean `{stamp}`?"),
            ("{walk 3}", "`{walk 3}` has the wrong values; "),
            ("{walk a b}", "`{walk a b}`: `a` is no number"),
            ("{\"a\":{number", "the template has `{number` without its `}`"),
            ("{stamp}{stamp}", "the template has `{stamp}` twice"),
        ] {
            let found = parse(text).unwrap_err().to_string();
            assert!(found.starts_with(fault), "{found}");
        }
    }
}

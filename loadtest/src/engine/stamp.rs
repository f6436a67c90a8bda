//! The stamp that payloads carry: who sent it, which one it is, when it was meant to be sent, and checksums.
//!
//! It is one text of letters that JSON and MessagePack hold as they are, so it survives any translation that keeps
//! texts; its place in the payload doesn't matter. It says nothing about topics' names or QoS.
//! Invariant: reading what was written gives the same stamp, and one changed letter of it or its filler is found.
//!
//! ```text
//! +--------+-----+------------------- 27 bytes as 36 letters ---------------------------+--------
//! | "~i"   | u/d | run 2 | device 3 | topic 2 | sequence 5 | time 6 | filler 2 | 3 | 4   | filler
//! +--------+-----+-----------------------------------------------------------------------+--------
//!                  rest: checksum of the payload around stamp and filler ──────────┘   │
//!                  checksum of filler, way and all before it ──────────────────────────┘
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crc32fast::Hasher;

/// Letters of a stamp without filler.
pub(crate) const LENGTH: usize = MARKER.len() + 1 + LETTERS;
/// Bytes of the smallest JSON object around a stamp.
pub(crate) const FRAMED_LENGTH: usize = LENGTH + "{\"s\":\"\"}".len();
/// Filler that the checksum covers at most; what is beyond is a part of the rest.
pub(crate) const FILLER_MAX: usize = u16::MAX as usize;

const MARKER: &[u8] = b"~i";
const BYTES: usize = 27;
const LETTERS: usize = BYTES / 3 * 4;
/// Where the checksum begins.
const COVERED: usize = 23;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a device.
    Up,
    /// From the controller.
    Down,
}

/// What a stamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which way.
    pub(crate) way: Way,
    /// The run that it belongs to.
    pub(crate) run: u16,
    /// The device's number, below 2^24: the sender, or of a command the receiver.
    pub(crate) device: u32,
    /// The number of the device's topic.
    pub(crate) topic: u16,
    /// Counts the messages of this device and topic, below 2^40.
    pub(crate) sequence: u64,
    /// When it was meant to be sent: nanoseconds of the run's clock, below 2^48 (78 hours).
    pub(crate) time_ns: u64,
    /// Letters that follow the stamp and belong to it.
    pub(crate) filler: u16,
    /// 24 bits of the checksum of what stands around stamp and filler.
    pub(crate) rest: u32,
}

/// A stamp that was found in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// What it says.
    pub(crate) stamp: Stamp,
    /// Whether what stands around it is what it was.
    pub(crate) rest_is_same: bool,
}

/// Why there is no stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Nothing like it.
    Missing,
    /// The checksum is wrong.
    Damaged,
}

impl Stamp {
    /// Writes the stamp over the first [`LENGTH`] bytes of `out`. `filler` has taken in the filler's letters.
    pub(crate) fn write(&self, filler: &Hasher, out: &mut [u8]) {
        let mut bytes = [0; BYTES];
        bytes[..2].copy_from_slice(&self.run.to_be_bytes());
        bytes[2..5].copy_from_slice(&self.device.to_be_bytes()[1..]);
        bytes[5..7].copy_from_slice(&self.topic.to_be_bytes());
        bytes[7..12].copy_from_slice(&self.sequence.to_be_bytes()[3..]);
        bytes[12..18].copy_from_slice(&self.time_ns.to_be_bytes()[2..]);
        bytes[18..20].copy_from_slice(&self.filler.to_be_bytes());
        bytes[20..COVERED].copy_from_slice(&self.rest.to_be_bytes()[1..]);
        let mut checksum = filler.clone();
        checksum.update(&[self.way.letter()]);
        checksum.update(&bytes[..COVERED]);
        bytes[COVERED..].copy_from_slice(&checksum.finalize().to_be_bytes());
        out[..MARKER.len()].copy_from_slice(MARKER);
        out[MARKER.len()] = self.way.letter();
        URL_SAFE_NO_PAD
            .encode_slice(bytes, &mut out[MARKER.len() + 1..LENGTH])
            .expect("27 bytes are 36 letters");
    }

    fn from_bytes(way: Way, bytes: &[u8; BYTES]) -> Self {
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        Self {
            way,
            run: number(0, 2) as u16,
            device: number(2, 5) as u32,
            topic: number(5, 7) as u16,
            sequence: number(7, 12),
            time_ns: number(12, 18),
            filler: number(18, 20) as u16,
            rest: number(20, COVERED) as u32,
        }
    }
}

impl Way {
    fn letter(self) -> u8 {
        match self {
            Way::Up => b'u',
            Way::Down => b'd',
        }
    }
}

/// Finds and reads the stamp of a payload. No allocation; about a hundred nanoseconds for small ones.
///
/// # Errors
/// When there is none, or only damaged ones.
pub(crate) fn read(payload: &[u8]) -> Result<Found, Unreadable> {
    let mut outcome = Unreadable::Missing;
    for start in memchr::memchr_iter(MARKER[0], payload) {
        match read_at(payload, start) {
            Ok(found) => return Ok(found),
            Err(Unreadable::Damaged) => outcome = Unreadable::Damaged,
            Err(Unreadable::Missing) => {}
        }
    }
    Err(outcome)
}

fn read_at(payload: &[u8], start: usize) -> Result<Found, Unreadable> {
    let tail = payload[start..].strip_prefix(MARKER).ok_or(Unreadable::Missing)?;
    let way = match tail.first() {
        Some(b'u') => Way::Up,
        Some(b'd') => Way::Down,
        _ => return Err(Unreadable::Missing),
    };
    let letters = tail.get(1..=LETTERS).ok_or(Unreadable::Damaged)?;
    let mut bytes = [0; BYTES];
    match URL_SAFE_NO_PAD.decode_slice_unchecked(letters, &mut bytes) {
        Ok(BYTES) => {}
        _ => return Err(Unreadable::Damaged),
    }
    let stamp = Stamp::from_bytes(way, &bytes);
    let (filler_start, filler_end) = (start + LENGTH, start + LENGTH + usize::from(stamp.filler));
    let filler = payload.get(filler_start..filler_end).ok_or(Unreadable::Damaged)?;
    let mut checksum = Hasher::new();
    checksum.update(filler);
    checksum.update(&[way.letter()]);
    checksum.update(&bytes[..COVERED]);
    if checksum.finalize().to_be_bytes() != bytes[COVERED..] {
        return Err(Unreadable::Damaged);
    }
    let rest_is_same = rest(payload, start, filler_end) == stamp.rest;
    Ok(Found { stamp, rest_is_same })
}

/// The 24 bits for what stands before `start` and behind `end`.
pub(crate) fn rest(payload: &[u8], start: usize, end: usize) -> u32 {
    let mut checksum = Hasher::new();
    checksum.update(&payload[..start]);
    checksum.update(&payload[end..]);
    checksum.finalize() & 0x00FF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        way: Way::Up,
        run: 0xABCD,
        device: 0x00FE_DCBA,
        topic: 65_535,
        sequence: 0xFF_1234_5678,
        time_ns: 0xFFFF_0000_1111,
        filler: 5,
        rest: 0,
    };

    fn payload(before: &str, filler: &str, behind: &str) -> Vec<u8> {
        let mut bytes =
            [before.as_bytes(), &[b'?'; LENGTH], filler.as_bytes(), behind.as_bytes()].concat();
        let (start, end) = (before.len(), before.len() + LENGTH + filler.len());
        let stamp = Stamp { filler: filler.len() as u16, rest: rest(&bytes, start, end), ..STAMP };
        let mut checksum = Hasher::new();
        checksum.update(filler.as_bytes());
        stamp.write(&checksum, &mut bytes[start..]);
        bytes
    }

    #[test]
    fn what_was_written_is_read_wherever_it_stands() {
        for (before, filler, behind) in
            [("", "", ""), ("{\"s\":\"", "abcde", "\"}"), ("~~i~iu", "", "~id")]
        {
            let bytes = payload(before, filler, behind);
            let found = read(&bytes).expect("a stamp");
            let expected = Stamp { filler: filler.len() as u16, rest: found.stamp.rest, ..STAMP };
            assert_eq!(found, Found { stamp: expected, rest_is_same: true });
        }
    }

    #[test]
    fn a_frame_may_change_and_that_is_seen() {
        let bytes = payload("{\"s\":\"", "abcde", "\"}");
        let inner = &bytes[6..bytes.len() - 2];
        let found = read(&[b"\x81\xA1s\xD9\x2C", inner].concat()).expect("a stamp");
        assert!(!found.rest_is_same);
        assert_eq!(found.stamp.sequence, STAMP.sequence);
    }

    #[test]
    fn every_changed_byte_is_found() {
        let good = payload("{\"s\":\"", "abcde", "\"}");
        for place in 0..good.len() {
            for bit in [0x01, 0x20] {
                let mut bytes = good.clone();
                bytes[place] ^= bit;
                let same = read(&bytes).is_ok_and(|found| found.rest_is_same);
                assert!(!same, "byte {place}, bit {bit}");
            }
        }
        assert_eq!(read(b"nothing ~ of the ~i kind"), Err(Unreadable::Missing));
        assert_eq!(read(&good[..good.len() - 4]), Err(Unreadable::Damaged));
    }
}

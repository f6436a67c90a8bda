//! What the operator can choose where MessagePack and JSON differ, and the limits.
//!
//! What it's not: per-platform knowledge; a dialect fills these in.
//! Invariant: every default is the choice that loses nothing silently.

/// How a MessagePack payload becomes JSON. The defaults refuse whatever JSON can't say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MsgpackOptions {
    /// bin values. Default: base64.
    pub binary: BinEncoding,
    /// Extensions other than the timestamp. Default: refused.
    pub extension: ExtensionRule,
    /// Integer map keys. Default: refused.
    pub integer_keys: IntegerKeys,
    /// NaN and the infinities. Default: refused.
    pub non_finite: NonFinite,
    /// Integers that a double can't hold. Default: all their digits.
    pub large_integers: LargeIntegers,
    /// str values that aren't UTF-8. Default: refused.
    pub invalid_utf8: InvalidUtf8,
    /// The same key twice in one map. Default: refused.
    pub duplicates: Duplicates,
    /// Several values one after the other. Default: refused.
    pub stream: Stream,
    /// A top level that is neither map nor array. Default: it isn't taken for MessagePack.
    pub scalars: Scalars,
    /// How much is allowed.
    pub limits: Limits,
}

/// What one payload may cost. Checked before and while writing, never after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nested arrays and maps; values above [`DEPTH_LIMIT`](crate::payload::json::DEPTH_LIMIT)
    /// count as that. Default 32, as msgpack-c.
    pub depth_max: usize,
    /// Array elements, map keys and map values together. Default 65,536.
    pub elements_max: usize,
    /// Bytes appended to the output. Default 262,144; the most that counts is 2 GiB.
    pub output_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth_max: 32, elements_max: 65_536, output_max: 256 * 1024 }
    }
}

/// How bytes become a JSON string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinEncoding {
    /// RFC 4648 section 4, padded, no prefix.
    #[default]
    Base64,
    /// Two lower-case digits per byte.
    Hex,
}

/// What to do with an extension other than the timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtensionRule {
    /// `msgpack_invalid`.
    #[default]
    Refuse,
    /// `{"$ext":type,"data":"base64"}`.
    Object,
}

/// What to do with an integer as map key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntegerKeys {
    /// `payload_shape`.
    #[default]
    Refuse,
    /// Its decimal digits as string.
    Stringify,
}

/// What to do with NaN and the infinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NonFinite {
    /// `number_not_finite`.
    #[default]
    Refuse,
    /// `null`.
    Null,
}

/// How to write integers beyond ±(2^53 − 1), which readers that use doubles would round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LargeIntegers {
    /// As a number with all its digits.
    #[default]
    Digits,
    /// As a string with all its digits.
    StringAbove2Pow53,
}

/// What to do with a str that isn't UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidUtf8 {
    /// `msgpack_invalid`.
    #[default]
    Refuse,
    /// Treat it as bin (as map key: `payload_shape`, like every bin).
    AsBinary,
}

/// What to do with the same key twice in one map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// `payload_shape`.
    #[default]
    Refuse,
    /// Only the last pair is kept, at its own place. `output_max` still counts the dropped ones.
    LastWins,
}

/// What to do with several values one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stream {
    /// `msgpack_trailing`.
    #[default]
    Refuse,
    /// One JSON array of them all, also if there is only one. The array counts as one level.
    Array,
}

/// Whether a top level that is neither map nor array is MessagePack at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scalars {
    /// No: `7` (0x37) would be the integer 55.
    #[default]
    Refuse,
    /// Yes, the route says so.
    Accept,
}

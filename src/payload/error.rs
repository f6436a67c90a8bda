//! Why a payload is refused: one enum for the whole room, each variant with its stable reason.
//!
//! What it's not: a report for people with a trace; positions and faults are enough to find the
//! byte. Invariant: `Copy`, never holds a part of the payload (it may be secret).

use super::json::{JsonError, JsonFault};

/// Why a payload couldn't be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The text isn't strict JSON.
    #[error("not JSON: {0}")]
    NotJson(JsonError),
    /// Well-formed, but nothing that the other format can express faithfully.
    #[error("{fault} before byte {at}")]
    Shape {
        /// What can't be expressed.
        fault: ShapeFault,
        /// Offset in bytes of the input, just after the culprit.
        at: usize,
    },
    /// More than the caller allows.
    #[error("more {0} than allowed")]
    TooLarge(Excess),
    /// The bytes break the MessagePack specification, or the stricter reading of it here.
    #[error("not MessagePack: {fault} before byte {at}")]
    MsgpackInvalid {
        /// What is wrong.
        fault: MsgpackFault,
        /// Offset in bytes of the input, just after the culprit.
        at: usize,
    },
    /// A complete value, and then more bytes.
    #[error("bytes after the MessagePack value, from byte {at}")]
    MsgpackTrailing {
        /// Offset in bytes of the first surplus byte.
        at: usize,
    },
    /// NaN or an infinity, which JSON hasn't; or a JSON number beyond the doubles.
    #[error("number isn't finite before byte {at}")]
    NumberNotFinite {
        /// Offset in bytes of the input, just after the number.
        at: usize,
    },
    /// More nested arrays and maps than the limit.
    #[error("nested too deeply at byte {at}")]
    DepthExceeded {
        /// Offset in bytes of the container that is one too many.
        at: usize,
    },
}

/// What can't be expressed faithfully.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeFault {
    /// A map key that isn't a string (or an integer, where those are allowed).
    #[error("map key isn't a string")]
    Key,
    /// The same key twice in one map, perhaps only after integers became strings.
    #[error("duplicate map key")]
    Duplicate,
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Array elements, map keys and map values together.
    #[error("elements")]
    Elements,
    /// Bytes to be written.
    #[error("output")]
    Output,
}

/// What is wrong with MessagePack bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MsgpackFault {
    /// The bytes end inside a value, or a length or count is larger than what is left.
    #[error("more declared than there is")]
    Truncated,
    /// The byte `0xc1`, which is never used.
    #[error("reserved byte")]
    Reserved,
    /// A str that isn't UTF-8.
    #[error("str isn't UTF-8")]
    Utf8,
    /// An extension that has no JSON form here.
    #[error("unknown extension")]
    Extension,
    /// A timestamp with too many nanoseconds, or outside the years 1 to 9999.
    #[error("timestamp out of range")]
    Timestamp,
}

impl PayloadError {
    /// The label for logs and metrics; a closed list, stable across versions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "payload_not_json",
            Self::Shape { .. } => "payload_shape",
            Self::TooLarge(_) => "payload_too_large",
            Self::MsgpackInvalid { .. } => "msgpack_invalid",
            Self::MsgpackTrailing { .. } => "msgpack_trailing",
            Self::NumberNotFinite { .. } => "number_not_finite",
            Self::DepthExceeded { .. } => "depth_exceeded",
        }
    }
}

impl From<JsonError> for PayloadError {
    /// Depth has its own reason; a container of the wrong kind or a double member is a matter of
    /// shape for whoever asked, and still "not the JSON that was expected" here.
    fn from(error: JsonError) -> Self {
        match error.fault {
            JsonFault::Depth => Self::DepthExceeded { at: error.at },
            JsonFault::Duplicate => Self::Shape { fault: ShapeFault::Duplicate, at: error.at },
            _ => Self::NotJson(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_faults_keep_their_reason() {
        let reason = |fault| PayloadError::from(JsonError { fault, at: 3 }).reason();
        assert_eq!(reason(JsonFault::Depth), "depth_exceeded");
        assert_eq!(reason(JsonFault::Duplicate), "payload_shape");
        assert_eq!(reason(JsonFault::End), "payload_not_json");
        assert_eq!(reason(JsonFault::NotObject), "payload_not_json");
    }

    #[test]
    fn says_what_and_where() {
        let error = PayloadError::MsgpackInvalid { fault: MsgpackFault::Reserved, at: 7 };
        assert_eq!(error.to_string(), "not MessagePack: reserved byte before byte 7");
        assert_eq!(PayloadError::TooLarge(Excess::Output).to_string(), "more output than allowed");
    }
}

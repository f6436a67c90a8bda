//! What an operator can choose where two platforms' payloads differ. It belongs to a listener.

use crate::payload::body::BodyOptions;
use crate::payload::msgpack::MsgpackOptions;

/// How payloads are rewritten.
#[derive(Debug, Clone, Default)]
pub struct PayloadOptions {
    /// Bytes on a binary topic towards a platform that takes any bytes.
    pub binary: BinaryRule,
    /// MessagePack.
    pub msgpack: MsgpackOptions,
    /// Names and raw bytes.
    pub body: BodyOptions,
}

/// What becomes of bytes on a binary topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinaryRule {
    /// They pass as they are where the platform takes any bytes; elsewhere MessagePack is decoded.
    #[default]
    Raw,
    /// MessagePack is decoded; what isn't MessagePack passes as it is.
    Decode,
    /// MessagePack is decoded; what isn't is refused.
    DecodeStrict,
}

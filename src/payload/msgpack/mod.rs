//! MessagePack to JSON and back, in one pass, straight into the caller's buffer.
//!
//! What it is: the rules of `platforms.md 10.3` as code, with an option wherever platforms differ.
//! What it's not: a serde backend or a tree; and the two directions aren't inverse to each other
//! (bin becomes a string, and a string never becomes bin).
//! Invariant: what was written is complete and valid, or the buffer is as it was before. No
//! allocation is sized by what the input declares, only by what it holds.

mod binary;
mod from_json;
mod keys;
mod options;
mod pairs;
mod reader;
mod scalars;
pub(in crate::payload) mod timestamp;
mod to_json;

pub(in crate::payload) use binary::write as write_binary;
pub use from_json::from_json;
pub use options::{
    BinEncoding, Duplicates, ExtensionRule, IntegerKeys, InvalidUtf8, LargeIntegers, Limits,
    MsgpackOptions, NonFinite, Scalars, Stream,
};
pub use reader::looks_like;
pub use to_json::{Outcome, to_json};

#[cfg(test)]
mod tests;

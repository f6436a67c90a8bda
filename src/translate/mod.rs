//! Translation: a device dialect and an upstream dialect, compiled to one [`Translator`].
//!
//! Topic names both ways, topic filters, response topics, the texts of CONNECT. All of it goes through the
//! neutral form while compiling; at run time a message costs one match and one rendering.
//!
//! Invariant: what is refused has one [`Reason`]; what is delivered maps back to the topic that it came from;
//! a secret of one side is never rendered on the other.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

mod attachment;
mod candidates;
mod compile;
mod connect;
mod explain;
mod filter;
mod identity;
mod lane;
mod levels;
mod manner;
mod memory;
mod message;
mod name_check;
mod options;
mod own;
mod pattern;
mod reason;
mod recall;
mod render;
mod rewrite;
mod rivals;
mod side;
mod start;
mod target;
mod translator;
pub mod version;

pub use attachment::{ATTACH_PAYLOAD, GatewayError, Verdict, gateway_error};
pub use compile::{CompileFault, compile};
pub use connect::{ConnectPlan, ConnectRefusal, SessionNames, Shown};
pub use explain::{Explanation, FormView, Sent, explain};
pub use filter::FilterPlan;
pub use identity::{Identity, IdentityTable, PrefixRule, RowFault};
pub use memory::Memory;
pub use message::{Incoming, Outgoing, Scratch, Translated};
pub use options::{
    BinaryRule, CommandRule, KeyedRule, MessagesMax, PayloadOptions, ReportRule, StateRule,
};
pub use reason::{Note, Notes, Reason, Refusal};
pub use side::{Side, Value};
pub use translator::{Translator, Way};

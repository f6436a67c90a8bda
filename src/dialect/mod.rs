//! Dialects: how one platform names its topics and shapes its payloads, as a table that is checked when
//! it loads; and the neutral words (kind, address) that every dialect maps to.
//!
//! A dialect says nothing of any other dialect. What a pair of them means is the room `translate`.
//!
//! Invariant: a [`Dialect`] that exists has passed every check of its table: each readable topic has one
//! reading, and each form can be rendered back to the topic that it matched.
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

mod builtin;
mod compare;
mod connect;
mod form;
mod form_table;
mod layout_table;
mod neutral;
mod secret;
mod table;
mod template;
mod text_template;
mod variable;
mod verify;

pub(crate) use compare::{covers, overlap, told_apart};

pub use builtin::{PLAIN, builtin, builtin_names, builtin_text};
pub use connect::{ConnectRules, Limits, SessionRule, WillRule};
pub use form::{Binding, Form, RetainRule, Unserved, Usage, When};
pub use neutral::{Kind, Part, Sender};
pub use secret::Secret;
pub use table::{Dialect, VERSIONS_REMEDY, best_first, no_version, parse, version_of};
pub use template::{Level, Template, TemplateError};
pub use text_template::{TextTemplate, Token, Wanted};
pub use variable::{NameFault, NameRule, Role, Variable};

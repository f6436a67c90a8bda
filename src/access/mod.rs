//! Access: who may come in at a listener, decided before the upstream hears of it.
//!
//! A listener's [`Guard`] holds what the credentials of a CONNECT are checked against: a file of users with argon2 hashes,
//! or keys that verify tokens. It gives a [`Subject`], the name that is proven, or a [`Denied`], and so does a
//! [`Certificate`] that TLS has verified, which needs no guard. What the name is then held against in the CONNECT and in
//! topics is said by [`Rules`]; the session and the translator enforce it.
//!
//! What it is not: it reads no file and starts no thread. Checking a password costs tens of milliseconds on purpose, so the
//! shell (`gate`) does it away from the sessions.
//!
//! Invariant: whatever is missing, empty or malformed is a refusal, never an open door. Nothing here shows a password, a
//! token, a hash or a key.
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
#![cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "the cryptography that verifies tokens comes with the shell")
)]

mod certificate;
mod credentials;
mod guard;
mod keys;
mod pem;
mod rules;
mod token;
mod users;

pub use certificate::Certificate;
pub use credentials::{Credentials, Denied, Password, Subject, Witness};
pub use guard::{Guard, Source};
pub use keys::Keys;
pub use rules::{Bind, Devices, Forwarding, Rules};
pub use token::{TokenRules, Tokens};
pub use users::{Users, line_of};

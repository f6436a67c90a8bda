//! What holds whatever bytes come: one function per fuzz target, and a table of them.
//!
//! A property panics where it doesn't hold. The targets in `fuzz/fuzz_targets` call them with bytes that libFuzzer makes; the
//! test `replay` calls them with the seeds in `fuzz/seeds`, on stable Rust.

#[cfg(feature = "shell")]
mod access;
mod body;
mod configuration;
mod json;
mod msgpack;
mod pairs;
mod session;
mod speech;
mod table;
mod topic;
mod translate;
#[cfg(feature = "shell")]
mod transport;
mod wire;

#[cfg(feature = "shell")]
pub use access::access;
pub use body::body;
pub use configuration::configuration;
pub use msgpack::msgpack;
pub use session::session;
pub use table::table;
pub use topic::topic;
pub use translate::translate;
#[cfg(feature = "shell")]
pub use transport::transport;
pub use wire::packet;

/// What holds for any bytes; it panics where it doesn't.
pub type Holds = fn(&[u8]);

/// Every property with the name of its target and of its folder of seeds.
pub const ALL: &[(&str, Holds)] = &[
    #[cfg(feature = "shell")]
    ("access", access),
    ("body", body),
    ("configuration", configuration),
    ("msgpack", msgpack),
    ("packet", packet),
    ("session", session),
    ("table", table),
    ("topic", topic),
    ("translate", translate),
    #[cfg(feature = "shell")]
    ("transport", transport),
];

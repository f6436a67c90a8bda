//! Interlingua: an MQTT proxy that translates between the conventions of IoT platforms.
//!
//! The crate is a house of two storeys. The **pure rooms** (`mqtt`, `document`, `payload`, `dialect`,
//! `translate`, `session`, `gateway`, `config`) do no I/O, read no clock and know no async: bytes in,
//! bytes out, the time as an argument. The **shell** (everything behind the `server` feature) moves
//! bytes between sockets and those rooms. `ARCHITECTURE.md` has the plan; `tests/tidy.rs` holds the
//! plan against the code.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod mqtt;

pub mod document;
pub mod payload;

pub mod dialect;

pub mod translate;

pub mod access;

pub mod session;

pub mod config;

#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
#[cfg(feature = "server")]
pub mod gate;
#[cfg(feature = "server")]
pub mod overload;
#[cfg(feature = "server")]
pub mod registry;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod shard;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
pub mod transport;
#[cfg(feature = "server")]
pub mod upstream;

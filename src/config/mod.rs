//! Configuration: a text, or the words of a command line, becomes a validated [`Config`].
//!
//! Two stages. *Written*: what stands where (`written`). *Meant*: names found, dialects and values
//! resolved, every pair compiled (`meaning`). Files and environment variables are the caller's: this room
//! asks for them through a function.
//!
//! Invariant: a [`Config`] that exists can be started; otherwise **every** fault comes back, each with its
//! line and with what to write instead. No fault and no `Debug` shows a value that may be a secret.
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

mod access;
mod address;
mod arguments;
mod breaker;
mod connection_limits;
mod faults;
mod identity;
mod meaning;
mod model;
mod outside;
mod pair;
mod payload;
mod proof;
mod proxy;
mod quic;
mod route;
mod side;
mod tls;
mod transport;
mod unique;
mod words;
mod written;

pub use address::{Address, Url};
pub use arguments::{Arguments, from_arguments, pair_from_arguments};
pub use breaker::Breaker;
pub use connection_limits::ConnectionLimits;
pub use model::{
    Access, Admin, Checks, Config, Listener, LogFormat, LogLevel, MemoryMax, Mode, Proof, Proxy,
    Shards, Upstream,
};
pub use outside::Lookup;
pub use quic::{AddressValidation, EarlyData, ListenerQuic};
pub use route::{NamePattern, Route};
pub use tls::{CertificateFiles, ClientCertificates, ListenerTls, TlsVersion, UpstreamTls};
pub use transport::{ProxyHeader, ProxyProtocol, Scheme, Transport};

use crate::document::{Document, Fault};

use faults::Faults;
use outside::Outside;

/// Reads a configuration. `name` is the file name that faults carry; `read` answers what the text refers to,
/// or says why it can't (as in `it is not set` or `no such file`).
///
/// # Errors
/// Every fault: those of the text in the order of its lines, then those of the files that it names.
pub fn load(
    name: &str,
    text: &str,
    read: &mut dyn FnMut(Lookup<'_>) -> Result<String, String>,
) -> Result<Config, Vec<Fault>> {
    let document = Document::new(name, text);
    let tree = document.parse();
    let faults = Faults::new(&document);
    let written = written::read(document.root(&tree));
    let config = meaning::mean(&written, &mut Outside::new(read), &faults);
    let elsewhere = faults.into_elsewhere();
    faults::outcome(config, document, elsewhere)
}

//! From a host's name to a connection: which addresses it has, and which of them answers.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::config::Address;

/// How long an address of a host may be silent before the host's next address is tried.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// The first address of a host, for listening. Blocks while names are looked up.
pub(super) fn resolve(address: &Address) -> io::Result<SocketAddr> {
    let mut found = (address.host.as_str(), address.port).to_socket_addrs()?;
    found.next().ok_or_else(no_address)
}

/// Opens a connection to the first address of the host that answers. The caller bounds the time.
///
/// # Errors
/// When the host has no address, or none of them answers.
pub(super) async fn first_that_answers<T>(
    address: &Address,
    connect: impl AsyncFn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((address.host.as_str(), address.port)).await?.collect();
    let mut last = no_address();
    for (at, candidate) in addresses.iter().enumerate() {
        let connecting = connect(*candidate);
        // One that swallows every packet must not use up the time of those behind it.
        let outcome = match at + 1 == addresses.len() {
            true => connecting.await,
            false => match tokio::time::timeout(ADDRESS_TIMEOUT, connecting).await {
                Ok(outcome) => outcome,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
        };
        match outcome {
            Ok(connected) => return Ok(connected),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the host has no address")
}

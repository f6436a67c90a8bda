//! Reaching an upstream: which address, and the connection to it. Health and back-off come here.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::Upstream;
use crate::transport::{Caller, Connector, QuicEndpoints, Renewal, Stream, TlsFault};

/// An upstream, and who is on the way to it. All shards share it.
#[derive(Debug)]
pub struct Reach {
    name: String,
    connector: Connector,
    /// A permit for each connection that may be opened now.
    openings: Semaphore,
}

impl Reach {
    /// The way to an upstream on which so many connections are opened at once; the others wait for their turn. So a
    /// storm of devices is none for the upstream. Relative paths start at `folder`; what can change is handed to `renewal`.
    ///
    /// # Errors
    /// When certificates, keys or authorities are no good.
    pub fn new(
        upstream: &Upstream,
        openings_max: usize,
        folder: &Path,
        renewal: &mut Renewal,
    ) -> Result<Self, TlsFault> {
        let openings = Semaphore::new(openings_max.clamp(1, Semaphore::MAX_PERMITS));
        let connector = Connector::new(upstream, folder, renewal)?;
        Ok(Self { name: upstream.name.clone(), connector, openings })
    }

    /// Its name: a label of logs and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the upstream is told whose connection it is.
    #[must_use]
    pub fn names_caller(&self) -> bool {
        self.connector.names_caller()
    }
}

/// Opens a connection to an upstream. The session bounds the time, waiting included. `endpoints`: the own shard's. `caller`:
/// whose connection it is, if the upstream is to be told.
pub fn open(
    reach: Arc<Reach>,
    endpoints: Rc<QuicEndpoints>,
    caller: Option<Caller>,
) -> Pin<Box<dyn Future<Output = io::Result<Stream>>>> {
    Box::pin(async move {
        let turn = reach.openings.acquire().await;
        let stream = reach.connector.connect(&endpoints, caller).await;
        drop(turn);
        stream
    })
}

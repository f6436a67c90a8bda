//! Reaching an upstream: which address, and the connection to it. Health and back-off come here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::Upstream;
use crate::transport::{self, Stream};

/// An upstream, and who is on the way to it. All shards share it.
#[derive(Debug)]
pub struct Reach {
    upstream: Upstream,
    /// A permit for each connection that may be opened now.
    openings: Semaphore,
}

impl Reach {
    /// The way to an upstream on which so many connections are opened at once; the others wait for their turn. So a
    /// storm of devices is none for the upstream.
    #[must_use]
    pub fn new(upstream: Upstream, openings_max: usize) -> Self {
        let openings = Semaphore::new(openings_max.clamp(1, Semaphore::MAX_PERMITS));
        Self { upstream, openings }
    }

    /// Its name: a label of logs and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.upstream.name
    }
}

/// Opens a connection to an upstream. The session bounds the time, waiting included.
pub fn open(reach: Arc<Reach>) -> Pin<Box<dyn Future<Output = io::Result<Stream>>>> {
    Box::pin(async move {
        let turn = reach.openings.acquire().await;
        let stream = transport::connect(&reach.upstream.url.address).await;
        drop(turn);
        stream
    })
}

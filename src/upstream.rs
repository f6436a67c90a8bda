//! Reaching an upstream: which address, and the connection to it. Health and back-off come here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use crate::config::Upstream;
use crate::transport::{self, Stream};

/// Opens a connection to an upstream. The session bounds the time.
pub fn open(upstream: Arc<Upstream>) -> Pin<Box<dyn Future<Output = io::Result<Stream>>>> {
    Box::pin(async move { transport::connect(&upstream.url.address).await })
}

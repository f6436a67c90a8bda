//! Those that take their time: a ClientHello or a CONNECT, one byte per second.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::open::{open, until_ended};
use super::{Assault, Manner};
use crate::caller::connect_packet;
use crate::stage::HOST;

/// From one byte to the next.
const DRIP: Duration = Duration::from_secs(1);
/// Longer than any deadline for it, at a byte per second.
const NAME_BYTES: usize = 4096;

/// A ClientHello as it goes over the wire.
pub(super) fn hello(config: &Arc<rustls::ClientConfig>) -> anyhow::Result<Vec<u8>> {
    let name = ServerName::try_from(HOST)?;
    let mut client = rustls::ClientConnection::new(Arc::clone(config), name)?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes)?;
    Ok(bytes)
}

/// One connection, from its beginning until the target has enough.
pub(super) async fn one(assault: Rc<Assault>) {
    let Some(mut socket) = open(&assault).await else { return };
    if assault.options.manner == Manner::SlowHello {
        let hello = assault.hello.clone();
        return drip(&assault, &mut socket, &hello).await;
    }
    let (Some(connector), Ok(name)) = (&assault.connector, ServerName::try_from(HOST)) else {
        return;
    };
    match connector.connect(name, socket).await {
        Ok(mut stream) => {
            assault.count(|counts| counts.shaken += 1);
            // What can't be written isn't asked of it.
            let connect = connect_packet(&"s".repeat(NAME_BYTES)).unwrap_or_default();
            drip(&assault, &mut stream, &connect).await;
        }
        Err(_) => assault.count(|counts| counts.failed += 1),
    }
}

async fn drip(
    assault: &Rc<Assault>,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    bytes: &[u8],
) {
    for byte in bytes {
        let sent = async {
            stream.write_all(&[*byte]).await?;
            stream.flush().await
        };
        if sent.await.is_err() {
            break;
        }
        assault.count(|counts| counts.bytes += 1);
        if tokio::time::timeout(DRIP, until_ended(stream)).await.is_ok() {
            break;
        }
    }
    assault.count(|counts| counts.ended_by_target += 1);
}

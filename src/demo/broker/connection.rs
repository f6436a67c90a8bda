//! One client's socket: bytes in, bytes out, and the time that it may be silent.
//!
//! It knows where packets end, not what they mean. Invariant: while the client doesn't take what it is
//! owed, nothing more is read from it.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};

use super::conversation::{Conversation, End};
use super::hub::Hub;
use super::{PACKET_SIZE_MAX, opening};
use crate::mqtt::{PacketType, ReasonCode, Version, next_packet};

/// From the open connection to the end of its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the last bytes to a client that is being disconnected.
const CLOSING: Duration = Duration::from_secs(1);
/// Bytes that wait to be written before deliveries have to wait.
const OUT_MAX: usize = 64 * 1024;

/// Serves a client until it is gone.
pub(super) async fn serve(mut stream: TcpStream, hub: Rc<RefCell<Hub>>) {
    // Small packets are sent at once; without it they are only late.
    let _ = stream.set_nodelay(true);
    let (mut taken, mut out) = (Vec::new(), Vec::new());
    let opened = timeout(CONNECT_TIMEOUT, open(&mut stream, &hub, &mut taken, &mut out)).await;
    if let Ok(Some(mut conversation)) = opened {
        let (mut reading, mut writing) = stream.split();
        let end =
            converse(&mut conversation, &mut reading, &mut writing, &mut taken, &mut out).await;
        conversation.close(end, &mut out);
    }
    let _ = timeout(CLOSING, async {
        stream.write_all(&out).await?;
        stream.shutdown().await
    })
    .await;
}

/// Waits for CONNECT. `None`: there is nobody to talk to, at most an answer in `out`.
async fn open(
    stream: &mut TcpStream,
    hub: &Rc<RefCell<Hub>>,
    taken: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Option<Conversation> {
    loop {
        // The fixed header of CONNECT is the same in every version.
        if let Some(raw) = next_packet(taken, Version::V311, PACKET_SIZE_MAX).ok()? {
            if raw.packet_type != PacketType::Connect {
                return None;
            }
            let length = raw.bytes.len();
            let conversation = opening::open(raw, hub, out);
            taken.drain(..length);
            return conversation;
        }
        if stream.read_buf(taken).await.ok()? == 0 {
            return None;
        }
    }
}

/// Reads, writes and waits, whatever comes first.
async fn converse(
    conversation: &mut Conversation,
    reading: &mut ReadHalf<'_>,
    writing: &mut WriteHalf<'_>,
    taken: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> End {
    let outbox = conversation.outbox.clone();
    let mut heard = Instant::now();
    loop {
        if let Err(end) =
            take_all(conversation, taken, out).and_then(|()| conversation.give(out, OUT_MAX))
        {
            return end;
        }
        let deadline = conversation.grants.silence_max.map(|silence| heard + silence);
        tokio::select! {
            read = reading.read_buf(taken), if out.len() < OUT_MAX => match read {
                Ok(1..) => heard = Instant::now(),
                Ok(0) | Err(_) => return End::Gone,
            },
            written = writing.write(out), if !out.is_empty() => match written {
                Ok(length @ 1..) => _ = out.drain(..length),
                Ok(0) | Err(_) => return End::Gone,
            },
            () = outbox.changed() => {}
            () = until(deadline) => return End::Fault(ReasonCode::KeepAliveTimeout),
        }
    }
}

/// Takes every whole packet, as long as there is room for the answers.
fn take_all(
    conversation: &mut Conversation,
    taken: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), End> {
    let mut at = 0;
    let version = conversation.grants.version;
    let outcome = loop {
        if out.len() >= OUT_MAX {
            break Ok(());
        }
        match next_packet(taken.get(at..).unwrap_or_default(), version, PACKET_SIZE_MAX) {
            Ok(Some(raw)) => {
                at += raw.bytes.len();
                if let Err(end) = conversation.take(raw, out) {
                    break Err(end);
                }
            }
            Ok(None) => break Ok(()),
            Err(fault) => break Err(End::Fault(fault.reason_code())),
        }
    };
    taken.drain(..at);
    outcome
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

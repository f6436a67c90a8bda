//! Random bytes.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;

use super::open::{open, until_ended};
use super::{Assault, Due};

/// Bytes of one connection at most.
const BYTES_MAX: usize = 512;
/// How long it waits for the target's end of it. Some garbage is the beginning of a packet, whose rest the target may await.
const PATIENCE: Duration = Duration::from_secs(1);
/// The head of an Initial packet of QUIC version 1, with connection identifiers of 8 bytes behind it.
const INITIAL: [u8; 6] = [0xC3, 0, 0, 0, 1, 8];
/// The least that a server looks at.
const INITIAL_BYTES: usize = 1200;

/// One connection.
pub(super) async fn one(assault: Rc<Assault>) {
    let Some(mut socket) = open(&assault).await else { return };
    let length = assault.rng.borrow_mut().usize(1..=BYTES_MAX);
    let bytes = assault.random(length);
    if socket.write_all(&bytes).await.is_ok() {
        assault.count(|counts| counts.bytes += length as u64);
    }
    if tokio::time::timeout(PATIENCE, until_ended(&mut socket)).await.is_ok() {
        assault.count(|counts| counts.ended_by_target += 1);
    }
}

/// Datagrams at the rate, for ever.
pub(super) async fn datagrams(assault: &Rc<Assault>) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(assault.options.source, 0)).await;
    let socket = socket.context("a socket")?;
    let mut due = Due::new(assault.options.rate);
    loop {
        due.wait().await;
        while due.take() {
            let datagram = datagram(assault);
            // A target that is gone is told by others.
            match socket.send_to(&datagram, assault.options.target).await {
                Ok(sent) => assault.count(|counts| {
                    counts.opened += 1;
                    counts.bytes += sent as u64;
                }),
                Err(_) => assault.count(|counts| counts.failed += 1),
            }
        }
    }
}

/// Half of them begin as a new connection would.
fn datagram(assault: &Rc<Assault>) -> Vec<u8> {
    let (is_initial, length) = {
        let mut rng = assault.rng.borrow_mut();
        (rng.bool(), rng.usize(1..=INITIAL_BYTES))
    };
    if !is_initial {
        return assault.random(length);
    }
    let mut bytes = assault.random(INITIAL_BYTES);
    bytes[..INITIAL.len()].copy_from_slice(&INITIAL);
    // The source's identifier, no token, and the length of the rest in two bytes.
    bytes[14] = 8;
    bytes[23] = 0;
    let rest = (INITIAL_BYTES - 26) as u16 | 0x4000;
    bytes[24..26].copy_from_slice(&rest.to_be_bytes());
    bytes
}

//! Which shard a datagram belongs to. The kernel would spread datagrams by the address that they come from, which changes when a
//! device's network does. So a small program in the kernel looks at the connection identifier, whose first byte says which
//! shard has made it.
//!
//! ```text
//!  long header    flags · version, 4 bytes · length · identifier …      byte 6
//!  short header   flags · identifier …                                  byte 1
//! ```
//!
//! The first packets of a connection carry an identifier that the device has drawn; the program reads it in the same way, so
//! that all packets of a handshake get to one shard.

use std::sync::Arc;

use quinn::{ConnectionId, ConnectionIdGenerator};
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// Bytes of an identifier: enough that nobody draws one of another connection.
const LENGTH: usize = 10;

/// Draws identifiers whose first byte, divided by the number of shards, leaves the shard's number.
pub(super) struct OfShard {
    shard: usize,
    shards: usize,
    provider: Arc<CryptoProvider>,
}

impl OfShard {
    pub(super) fn new(shard: usize, shards: usize) -> Self {
        Self { shard, shards, provider: Arc::new(aws_lc_rs::default_provider()) }
    }
}

impl ConnectionIdGenerator for OfShard {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; LENGTH];
        // Identifiers that can be foreseen would still be checked; the library fails at nothing here but memory.
        let _ = self.provider.secure_random.fill(&mut bytes);
        if let Some(first) = bytes.first_mut() {
            *first = marked(*first, self.shard, self.shards);
        }
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

/// The byte next below `drawn`, or next above where there is none, that means the shard.
fn marked(drawn: u8, shard: usize, shards: usize) -> u8 {
    let (drawn, shards) = (usize::from(drawn), shards.max(1));
    let marked = drawn - drawn % shards + shard;
    let marked = if marked > usize::from(u8::MAX) { marked - shards } else { marked };
    u8::try_from(marked).unwrap_or_default()
}

/// Lets the kernel do the same for sockets that share an address, in the order in which they were bound.
#[cfg(target_os = "linux")]
pub(super) fn attach(socket: &socket2::Socket, shards: usize) -> std::io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    let mut program = program(u32::try_from(shards).unwrap_or(1));
    let length = u16::try_from(program.len()).unwrap_or_default();
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    setsockopt(socket, sockopt::AttachReusePortCbpf, &program).map_err(std::io::Error::from)
}

/// Elsewhere datagrams go by their address, and a device whose address changes connects again.
#[cfg(not(target_os = "linux"))]
pub(super) fn attach(_: &socket2::Socket, _: usize) -> std::io::Result<()> {
    Ok(())
}

/// The program: seven instructions of the classic packet filter.
#[cfg(target_os = "linux")]
fn program(shards: u32) -> [libc::sock_filter; 7] {
    use libc::{
        BPF_A, BPF_ABS, BPF_ALU, BPF_B, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_MOD, BPF_RET,
    };
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let load = BPF_LD | BPF_B | BPF_ABS;
    [
        step(load, 0, 0, 0),
        // The highest bit of the flags: a long header.
        step(BPF_JMP | BPF_JSET | BPF_K, 0, 2, 0x80),
        step(load, 0, 0, 6),
        step(BPF_JMP, 0, 0, 1),
        step(load, 0, 0, 1),
        step(BPF_ALU | BPF_MOD | BPF_K, 0, 0, shards),
        step(BPF_RET | BPF_A, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_says_whose_it_is() {
        for shards in [1, 2, 3, 7, 100, 256] {
            for shard in [0, shards / 2, shards - 1] {
                for drawn in 0..=u8::MAX {
                    assert_eq!(usize::from(marked(drawn, shard, shards)) % shards, shard);
                }
                let mut generator = OfShard::new(shard, shards);
                let (one, other) = (generator.generate_cid(), generator.generate_cid());
                assert_eq!(usize::from(one[0]) % shards, shard);
                assert!(one != other && one.len() == generator.cid_len());
            }
        }
    }
}

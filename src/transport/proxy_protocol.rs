//! The PROXY protocol (versions 1 and 2 of HAProxy's text): in front of everything else, a balancer says whose connection it
//! is.
//!
//! A header is read to its last byte and not further: what follows belongs to TLS, WebSocket or MQTT. The library takes it apart
//! and makes it; how much is read is said here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::config::ProxyProtocol;

/// How a header of version 2 starts.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// How a header of version 1 starts.
const WORD: &[u8] = b"PROXY ";

/// Bytes of a line of version 1, with its end.
const LINE_BYTES_MAX: usize = 107;

/// Bytes of addresses and extensions of version 2. It could be 65,535; balancers write some hundred.
const REST_BYTES_MAX: usize = 4096;

/// Reads a header. `None`: the connection is the balancer's own, which looks whether we are there.
///
/// # Errors
/// When there is none, or it is malformed or too long.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    // Not even the shortest one is shorter.
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        read_binary(stream, &mut header).await?;
    } else if header.starts_with(WORD) {
        read_line(stream, &mut header).await?;
    } else {
        return Err(invalid("no header of the PROXY protocol"));
    }
    source(&header)
}

async fn read_binary(stream: &mut TcpStream, header: &mut Vec<u8>) -> io::Result<()> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [_, _, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > REST_BYTES_MAX {
        return Err(invalid("a header of the PROXY protocol that is too long"));
    }
    header.extend_from_slice(&head);
    let start = header.len();
    header.resize(start + length, 0);
    stream.read_exact(header.get_mut(start..).unwrap_or_default()).await?;
    Ok(())
}

/// Looks at what is there before it takes it: the line's end isn't known before.
async fn read_line(stream: &mut TcpStream, header: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; LINE_BYTES_MAX];
    while header.len() < LINE_BYTES_MAX {
        let room = buffer.get_mut(..LINE_BYTES_MAX - header.len()).unwrap_or_default();
        let there = stream.peek(room).await?;
        if there == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = room.get_mut(..there).unwrap_or_default();
        let end = memchr::memchr(b'\n', there);
        let taken = there.get_mut(..end.map_or(there.len(), |at| at + 1)).unwrap_or_default();
        stream.read_exact(taken).await?;
        header.extend_from_slice(taken);
        if end.is_some() {
            return Ok(());
        }
    }
    Err(invalid("a line of the PROXY protocol without end"))
}

/// Whose connection it is, by a header that is all there. `None`: the balancer's own, or it doesn't know.
///
/// # Errors
/// When it is malformed, is of another protocol than TCP, or something stands behind it.
pub fn source(header: &[u8]) -> io::Result<Option<SocketAddr>> {
    let parsed = ProxyHeader::parse(header, ParseConfig::default());
    let Ok((parsed, length)) = parsed else {
        return Err(invalid("a malformed header of the PROXY protocol"));
    };
    // An extension that runs past the end has no other reader who could find out.
    if length != header.len() || parsed.tlvs().any(|extension| extension.is_err()) {
        return Err(invalid("a malformed header of the PROXY protocol"));
    }
    match parsed.proxied_address() {
        None => Ok(None),
        Some(address) if address.protocol == Protocol::Stream => Ok(Some(address.source)),
        Some(_) => Err(invalid("a header of the PROXY protocol for another protocol")),
    }
}

/// Whose connection it is that we open, and where that one came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The device.
    pub source: SocketAddr,
    /// Our address that it connected to.
    pub destination: SocketAddr,
}

/// The header that tells a broker whose connection it is.
///
/// # Errors
/// None that can be met: both addresses are made to be of one kind.
pub fn write(version: ProxyProtocol, caller: Caller) -> io::Result<Vec<u8>> {
    let Caller { source, destination } = caller;
    let (source, destination) = match (source, destination) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) | (SocketAddr::V6(_), SocketAddr::V6(_)) => {
            caller.both()
        }
        _ => (widen(source), widen(destination)),
    };
    let header = ProxyHeader::with_address(ProxiedAddress::stream(source, destination));
    let mut out = Vec::new();
    let written = match version {
        ProxyProtocol::V1 => header.encode_v1(&mut out),
        ProxyProtocol::V2 => header.encode_v2(&mut out),
    };
    written.map_err(io::Error::other)?;
    Ok(out)
}

impl Caller {
    fn both(self) -> (SocketAddr, SocketAddr) {
        (self.source, self.destination)
    }
}

/// The same address as IPv6.
fn widen(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::from((ip.to_ipv6_mapped(), address.port())),
        IpAddr::V6(_) => address,
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &str = "192.0.2.7:50000";
    const V6: &str = "[2001:db8::7]:50000";

    #[test]
    fn what_is_written_is_read() {
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            for (source, destination, read) in [
                (V4, "127.0.0.1:1883", V4),
                (V6, "[::1]:1883", V6),
                (V4, "[::1]:1883", "[::ffff:192.0.2.7]:50000"),
                (V6, "127.0.0.1:1883", V6),
            ] {
                let caller = Caller {
                    source: source.parse().unwrap(),
                    destination: destination.parse().unwrap(),
                };
                let header = write(version, caller).unwrap();
                assert_eq!(super::source(&header).unwrap(), Some(read.parse().unwrap()));
            }
        }
    }

    #[test]
    fn attack_7_what_is_no_header_is_refused() {
        let v2 = |command: u8, family: u8, rest: &[u8]| {
            let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
            [&SIGNATURE[..], &[command, family], &length, rest].concat()
        };
        let addresses = [192, 0, 2, 7, 127, 0, 0, 1, 0xC3, 0x50, 0x07, 0x5B];
        let with = |extension: &[u8]| v2(0x21, 0x11, &[&addresses[..], extension].concat());
        assert_eq!(source(&with(b"")).unwrap(), Some(V4.parse().unwrap()));
        assert_eq!(source(&with(b"\xE0\0\x02ab")).unwrap(), Some(V4.parse().unwrap()));
        // The balancer itself, or one that doesn't know.
        for own in [v2(0x20, 0, b""), v2(0x20, 0x11, &addresses), v2(0x21, 0, b"")] {
            assert_eq!(source(&own).unwrap(), None);
        }
        assert_eq!(source(b"PROXY UNKNOWN\r\n").unwrap(), None);
        assert_eq!(source(b"PROXY UNKNOWN 1.1.1.1 2.2.2.2 1 2\r\n").unwrap(), None);
        for bad in [
            with(b"\xE0\0\x03ab"),
            with(b"\xE0\xFF\xFF"),
            with(b"\xE0"),
            v2(0x21, 0x11, &addresses[..11]),
            v2(0x21, 0x21, &addresses),
            v2(0x21, 0x12, &addresses),
            v2(0x11, 0x11, &addresses),
            v2(0x22, 0x11, &addresses),
            v2(0x21, 0x41, &addresses),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 50000\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 65536\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 ::1 50000 1\r\n".to_vec(),
            b"PROXY TCP6 192.0.2.7 127.0.0.1 50000 1\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.7 127.0.0.1 50000 1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 1\n".to_vec(),
            b"PROXY TCP4 192.0.2.7  127.0.0.1 50000 1\r\n".to_vec(),
            b"PROXY nonsense\r\n".to_vec(),
        ] {
            assert!(source(&bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}

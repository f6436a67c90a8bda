//! Addresses and URLs, taken apart by hand: names are looked up by the shell, not here.
//!
//! Invariant: no fault repeats the text, since people write passwords into URLs.

use std::fmt;

use super::faults::Wrong;
use super::transport::{Scheme, Transport};
use super::words::{SCHEMES, TRANSPORTS, choose};

/// Where WebSocket is asked for, if nothing else is said: what brokers listen at.
pub(super) const DEFAULT_PATH: &str = "/mqtt";

/// A host and a port. `Display` gives what can be parsed again: IPv6 in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets; lower case.
    pub host: String,
    /// The port; 0 only where something listens, and means any free one.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Where an upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// What carries MQTT.
    pub scheme: Scheme,
    /// Where to; the port is never 0.
    pub address: Address,
    /// Where WebSocket is asked for, with its first `/`; there exactly if that is the scheme.
    pub path: Option<String>,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or_default();
        write!(f, "{}://{}{path}", self.scheme.word(), self.address)
    }
}

const BIND: &str = "write it as in `0.0.0.0:1883` or `[::]:1883`";
const URL: &str = "write it as in `mqtt://broker.example.com:1883`";
const PATH: &str = "write it as in `/mqtt`, without spaces and without a query";
const LISTEN: &str = "write it as in `tcp://127.0.0.1:1883`";

/// `host:port`, where something listens.
pub(super) fn parse_bind(text: &str) -> Result<Address, Wrong> {
    let (host, port) = split(text, BIND)?;
    let port = port.ok_or_else(|| Wrong::new("has no port", BIND))?;
    Ok(Address { host: check_host(host, BIND)?, port: parse_port(port, BIND)? })
}

/// What a command line listens at.
pub(super) struct Listen {
    pub(super) transport: Transport,
    pub(super) bind: Address,
    pub(super) path: Option<String>,
}

/// `tcp://host:port`, or `ws://host:port/path`, the listener of a command line.
pub(super) fn parse_listen(text: &str) -> Result<Listen, Wrong> {
    let (transport, rest) =
        text.split_once("://").ok_or_else(|| Wrong::new("has no transport", LISTEN))?;
    let transport = choose(transport, &TRANSPORTS)?;
    let (rest, path) = match rest.find('/').filter(|_| transport.has_path()) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let path = Some(path.to_owned()).filter(|path| !path.is_empty());
    Ok(Listen { transport, bind: parse_bind(rest)?, path })
}

/// The path of WebSocket: what may stand in a request as it is. No query, in which people put secrets.
pub(super) fn parse_path(text: &str) -> Result<String, Wrong> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    if !text.starts_with('/') || !text.bytes().all(legal) {
        return Err(Wrong::new("has a path that can't be one", PATH));
    }
    Ok(text.to_owned())
}

/// A host alone: a name or an address, without brackets.
pub(super) fn parse_host(text: &str) -> Result<String, Wrong> {
    check_host(text, "write a name as in `broker.example.com`, or an address")
}

/// `mqtt://host[:port]`.
pub(super) fn parse_url(text: &str) -> Result<Url, Wrong> {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| Wrong::new("has no scheme", URL))?;
    let scheme = choose(scheme, &SCHEMES)?;
    if rest.contains('@') {
        return Err(Wrong::new(
            "has credentials in it",
            "remove them; they are variables of the upstream's dialect",
        ));
    }
    let (rest, path) = split_path(rest, scheme)?;
    let (host, port) = split(rest, URL)?;
    let host = check_host(host, URL)?;
    let port = port.map_or(Ok(scheme.port()), |port| parse_port(port, URL))?;
    if port == 0 {
        return Err(Wrong::new("has port 0, to which nobody can connect", URL));
    }
    Ok(Url { scheme, address: Address { host, port }, path })
}

/// What stands before the path, and the path, of which only WebSocket has one.
fn split_path(rest: &str, scheme: Scheme) -> Result<(&str, Option<String>), Wrong> {
    if !scheme.has_path() {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?']) {
            return Err(Wrong::new("has a path, which only WebSocket knows", URL));
        }
        return Ok((rest, None));
    }
    match rest.find(['/', '?']) {
        None => Ok((rest, Some(DEFAULT_PATH.to_owned()))),
        Some(at) => {
            let (rest, path) = rest.split_at(at);
            Ok((rest, Some(parse_path(path)?)))
        }
    }
}

/// Host and, after the last colon, port.
fn split<'t>(text: &'t str, example: &str) -> Result<(&'t str, Option<&'t str>), Wrong> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or_else(|| Wrong::new("has no closing `]`", example))?;
        if !is_ipv6(host) {
            return Err(Wrong::new("has no IPv6 address in its brackets", example));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(Wrong::new("has something after the `]` that is no port", example)),
        };
    }
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, rest)) if rest.contains(':') => Err(Wrong::new(
            "has more than one colon",
            "put an IPv6 address in brackets: `[::1]:1883`",
        )),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn parse_port(text: &str, example: &str) -> Result<u16, Wrong> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| digits);
    port.ok_or_else(|| Wrong::new("has a port that is no number from 0 to 65535", example))
}

fn check_host(host: &str, example: &str) -> Result<String, Wrong> {
    if host.is_empty() {
        return Err(Wrong::new("has no host", example));
    }
    let numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let legal = host.contains(':') || if numeric { is_ipv4(host) } else { is_name(host) };
    if !legal {
        let message = "has a host that is neither a name nor an address";
        return Err(Wrong::new(message, example));
    }
    Ok(host.to_ascii_lowercase())
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.len() <= 253 && host.split('.').all(label)
}

fn is_ipv4(host: &str) -> bool {
    let octet = |octet: &str| octet.len() <= 3 && octet.parse::<u8>().is_ok();
    host.split('.').count() == 4 && host.split('.').all(octet)
}

/// Eight groups, or fewer around one `::`; the last two may be written as IPv4; a zone after `%`.
fn is_ipv6(host: &str) -> bool {
    let (host, zone) = host.split_once('%').map_or((host, None), |(host, zone)| (host, Some(zone)));
    let zone = zone.is_none_or(|zone| {
        !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%')
    });
    let groups = match host.split_once("::") {
        Some((before, after)) => {
            let side =
                |text: &str, last| if text.is_empty() { Some(0) } else { groups(text, last) };
            match (side(before, false), side(after, true)) {
                (Some(before), Some(after)) => before + after <= 7,
                _ => false,
            }
        }
        None => groups(host, true) == Some(8),
    };
    zone && groups
}

/// How many groups of 16 bits `text` has. An IPv4 address counts for two and stands last.
fn groups(text: &str, ends_address: bool) -> Option<usize> {
    let mut count = 0;
    let mut parts = text.split(':').peekable();
    while let Some(part) = parts.next() {
        let hex =
            (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        count += match hex {
            true => 1,
            false if ends_address && parts.peek().is_none() && is_ipv4(part) => 2,
            false => return None,
        };
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for (text, printed) in [
            ("0.0.0.0:1883", "0.0.0.0:1883"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("Broker.Example.com:65535", "broker.example.com:65535"),
            ("my_service:1", "my_service:1"),
            ("[::]:1883", "[::]:1883"),
            ("[::1]:1883", "[::1]:1883"),
            ("[2001:DB8::7]:1883", "[2001:db8::7]:1883"),
            ("[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1"),
            ("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1"),
            ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"),
        ] {
            let address = parse_bind(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!(address.to_string(), printed);
            assert_eq!(parse_bind(printed), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for (text, message) in [
            ("secret", "has no port"),
            (":1883", "has no host"),
            ("secret:", "has a port that is no number from 0 to 65535"),
            ("host:secret", "has a port that is no number from 0 to 65535"),
            ("host:+1", "has a port that is no number from 0 to 65535"),
            ("host:65536", "has a port that is no number from 0 to 65535"),
            ("::1:1883", "has more than one colon"),
            ("[::1", "has no closing `]`"),
            ("[::1]1883", "has something after the `]` that is no port"),
            ("[1::2::3]:1", "has no IPv6 address in its brackets"),
            ("[1:2:3:4:5:6:7]:1", "has no IPv6 address in its brackets"),
            ("[1:2:3:4:5:6:7:8::]:1", "has no IPv6 address in its brackets"),
            ("[192.0.2.1::]:1", "has no IPv6 address in its brackets"),
            ("[12345::]:1", "has no IPv6 address in its brackets"),
            ("[host]:1", "has no IPv6 address in its brackets"),
            ("256.0.0.1:1", "has a host that is neither a name nor an address"),
            ("1.2.3:1", "has a host that is neither a name nor an address"),
            ("-a.b:1", "has a host that is neither a name nor an address"),
            ("a..b:1", "has a host that is neither a name nor an address"),
            ("a b:1", "has a host that is neither a name nor an address"),
        ] {
            let wrong = parse_bind(text).expect_err(text);
            assert_eq!(wrong.message, message, "{text}");
            assert!(!wrong.remedy.is_empty() && !wrong.remedy.contains("secret"));
        }
    }

    #[test]
    fn a_url_has_a_scheme_a_host_and_perhaps_a_port() {
        for (text, printed) in [
            ("mqtt://h", "mqtt://h:1883"),
            ("mqtt://h:7/", "mqtt://h:7"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
            ("mqtts://h", "mqtts://h:8883"),
            ("ws://h", "ws://h:80/mqtt"),
            ("wss://h/", "wss://h:443/"),
            ("wss://[::1]:9/a/b", "wss://[::1]:9/a/b"),
            ("quic://h", "quic://h:14567"),
        ] {
            assert_eq!(parse_url(text).map(|url| url.to_string()), Ok(printed.to_owned()));
        }
        for (text, message) in [
            ("h:1883", "has no scheme"),
            ("quic://h/path", "has a path, which only WebSocket knows"),
            ("ws://h?x=secret", "has a path that can't be one"),
            ("wss://h/a b", "has a path that can't be one"),
            ("wss://h/mqtt?x=secret", "has a path that can't be one"),
            ("mqqt://h", "`mqqt` is not known"),
            ("mqtt://u:secret@h", "has credentials in it"),
            ("mqtt://h/path", "has a path, which only WebSocket knows"),
            ("mqtt://h:0", "has port 0, to which nobody can connect"),
            ("mqtt://", "has no host"),
        ] {
            assert_eq!(parse_url(text).expect_err(text).message, message, "{text}");
        }
        let listen =
            |text| parse_listen(text).map(|listen| listen.path).map_err(|wrong| wrong.message);
        assert_eq!(listen("127.0.0.1:1").unwrap_err(), "has no transport");
        assert_eq!(listen("tcp://127.0.0.1:1"), Ok(None));
        assert_eq!(listen("ws://127.0.0.1:1"), Ok(None));
        assert_eq!(listen("wss://127.0.0.1:1/a/b"), Ok(Some("/a/b".to_owned())));
        assert!(listen("tcp://127.0.0.1:1/a").is_err());
    }
}

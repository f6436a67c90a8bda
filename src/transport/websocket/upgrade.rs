//! The upgrade from HTTP to WebSocket (RFC 6455, section 4), on both sides.
//!
//! The library takes requests and answers apart and makes them; how much is read, and which path and subprotocol are right,
//! is said here. An extension such as compression is never agreed to.

use std::future::poll_fn;
use std::io;

use memchr::memmem;
use rustls::crypto::aws_lc_rs;
use tungstenite::handshake::client::{Response, generate_key, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tungstenite::http::{self, StatusCode};

use super::{Role, WebSocket};
use crate::transport::Stream;

/// Bytes of a request or an answer, up to its empty line.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// The subprotocol of MQTT [MQTT-6.0.0-3], and the one that clients of 3.1 used before there was a standard.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// The server's side. `path`: the only one that there is.
pub(in crate::transport) async fn accept(mut stream: Stream, path: &str) -> io::Result<WebSocket> {
    let (head, early) = read_head(&mut stream).await?;
    match answer(&head, path) {
        Ok(response) => {
            write(&mut stream, &response).await?;
            Ok(WebSocket::new(stream, Role::Server, early))
        }
        Err((status, why)) => {
            let response = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
            );
            // It is refused, whether it hears it or not.
            if write(&mut stream, response.as_bytes()).await.is_ok() {
                let _ = poll_fn(|context| stream.poll_shutdown(context)).await;
            }
            Err(invalid(why))
        }
    }
}

/// The answer to a request, or the status of its refusal and why.
fn answer(head: &[u8], path: &str) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    let Ok(Some((_, request))) = Request::try_parse(head) else {
        return Err((StatusCode::BAD_REQUEST, "no request of HTTP/1.1"));
    };
    if request.uri().path() != path {
        return Err((StatusCode::NOT_FOUND, "a request for another path"));
    }
    let Ok(mut response) = create_response(&request) else {
        return Err((StatusCode::UPGRADE_REQUIRED, "a request that asks for no WebSocket"));
    };
    let Some(subprotocol) = choose(request.headers()) else {
        return Err((StatusCode::BAD_REQUEST, "a request without the subprotocol `mqtt`"));
    };
    let value = HeaderValue::from_static(subprotocol);
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
    let mut out = Vec::new();
    match write_response(&mut out, &response) {
        Ok(()) => Ok(out),
        Err(_) => Err((StatusCode::BAD_REQUEST, "a request that can't be answered")),
    }
}

/// The best of the subprotocols that are offered.
fn choose(headers: &HeaderMap) -> Option<&'static str> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL);
    let offered = || offered.iter().filter_map(|value| value.to_str().ok());
    let is_offered = |known: &&&str| {
        offered().flat_map(|list| list.split(',')).any(|word| word.trim() == **known)
    };
    SUBPROTOCOLS.iter().find(is_offered).copied()
}

/// The client's side. `authority`: host and port, as in the URL.
pub(in crate::transport) async fn connect(
    mut stream: Stream,
    authority: &str,
    path: &str,
) -> io::Result<WebSocket> {
    let request = http::Request::builder()
        .uri(path)
        .header("Host", authority)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header("Sec-WebSocket-Protocol", SUBPROTOCOLS[0])
        .body(())
        .map_err(io::Error::other)?;
    let (request, key) = generate_request(request).map_err(io::Error::other)?;
    write(&mut stream, &request).await?;
    let (head, early) = read_head(&mut stream).await?;
    let Ok(Some((_, response))) = Response::try_parse(&head) else {
        return Err(invalid("the broker's answer is no HTTP/1.1"));
    };
    check(&response, &key)?;
    Ok(WebSocket::new(stream, Role::Client, early))
}

/// RFC 6455, section 4.1, what a client must check.
fn check(response: &Response, key: &str) -> io::Result<()> {
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let remedy = "correct the path of the URL";
        let kind = io::ErrorKind::ConnectionRefused;
        return Err(io::Error::new(kind, format!("the broker answers {status}; {remedy}")));
    }
    let headers = response.headers();
    let says = |name: &str, wanted: &str| {
        let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    let accepts = headers.get("Sec-WebSocket-Accept").map(HeaderValue::as_bytes);
    if !says("Upgrade", "websocket")
        || !says("Connection", "upgrade")
        || accepts != Some(derive_accept_key(key.as_bytes()).as_bytes())
    {
        return Err(invalid("the broker's answer is no WebSocket's"));
    }
    if headers.contains_key("Sec-WebSocket-Extensions") {
        return Err(invalid("the broker wants an extension that nobody asked for"));
    }
    if !says("Sec-WebSocket-Protocol", SUBPROTOCOLS[0]) {
        return Err(invalid("the broker doesn't agree to the subprotocol `mqtt`"));
    }
    Ok(())
}

/// Reads up to the empty line. The head with it, and what came behind it.
async fn read_head(stream: &mut Stream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < HEAD_BYTES_MAX {
        let length = poll_fn(|context| stream.poll_read(context, &mut buffer)).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The end may have begun in what came before.
        let from = head.len().saturating_sub(END.len() - 1);
        head.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if let Some(at) = memmem::find(head.get(from..).unwrap_or_default(), END) {
            let early = head.split_off(from + at + END.len());
            return Ok((head, early));
        }
    }
    Err(invalid("a head of HTTP without end"))
}

async fn write(stream: &mut Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match poll_fn(|context| stream.poll_write(context, bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            length => bytes = bytes.get(length..).unwrap_or_default(),
        }
    }
    poll_fn(|context| stream.poll_flush(context)).await
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A mask that nobody can know before (RFC 6455, section 5.3).
pub(super) fn mask() -> io::Result<[u8; 4]> {
    let mut mask = [0; 4];
    let random = aws_lc_rs::default_provider().secure_random;
    random.fill(&mut mask).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
                           Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                           Sec-WebSocket-Protocol: mqtt\r\n\r\n";

    fn told(request: &str) -> Result<String, (u16, &'static str)> {
        answer(request.as_bytes(), "/mqtt")
            .map(|response| String::from_utf8(response).unwrap().to_ascii_lowercase())
            .map_err(|(status, why)| (status.as_u16(), why))
    }

    #[test]
    fn the_subprotocol_is_agreed_and_an_extension_never() {
        for (offered, agreed) in [
            ("mqtt", "mqtt"),
            ("mqttv3.1", "mqttv3.1"),
            ("mqttv3.1, mqtt", "mqtt"),
            ("soap,mqtt", "mqtt"),
            ("soap\r\nSec-WebSocket-Protocol: mqtt", "mqtt"),
        ] {
            let request = REQUEST.replace("Protocol: mqtt", &format!("Protocol: {offered}"));
            let request = request.replace(
                "Host: h",
                "Host: h\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            );
            let response = told(&request).unwrap_or_else(|why| panic!("{offered}: {why:?}"));
            assert!(response.starts_with("http/1.1 101 "), "{response}");
            // The example of RFC 6455, section 1.3.
            assert!(response.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));
            let line = format!("sec-websocket-protocol: {agreed}\r\n");
            assert!(response.contains(&line), "{response}");
            assert!(!response.contains("extensions"), "{response}");
        }
    }

    #[test]
    fn attack_8_what_asks_for_something_else_is_refused() {
        for (from, to, status) in [
            ("/mqtt", "/", 404),
            ("/mqtt", "/mqtt/", 404),
            ("/mqtt", "//mqtt", 404),
            ("Upgrade: websocket", "Upgrade: h2c", 426),
            ("Version: 13", "Version: 8", 426),
            ("Sec-WebSocket-Key: dGhl", "Sec-WebSocket-Key: x", 426),
            ("GET ", "POST ", 400),
            ("HTTP/1.1", "HTTP/1.0", 400),
            ("Sec-WebSocket-Protocol: mqtt\r\n", "", 400),
            ("Protocol: mqtt", "Protocol: amqp", 400),
            ("Protocol: mqtt", "Protocol: mqtt5", 400),
            ("GET /mqtt", "\x10\x0d\0\x04MQTT", 400),
        ] {
            let refused = told(&REQUEST.replace(from, to)).expect_err(to);
            assert_eq!(refused.0, status, "{to}: {}", refused.1);
        }
        assert!(told(&REQUEST.replace("/mqtt", "/mqtt?x=y")).is_ok());
    }

    #[test]
    fn a_client_checks_the_answer() {
        let response = "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
        let verdict = |text: &str| {
            let (_, response) = Response::try_parse(text.as_bytes()).unwrap().unwrap();
            check(&response, "dGhlIHNhbXBsZSBub25jZQ==")
        };
        assert!(verdict(response).is_ok());
        for (from, to) in [
            ("101 x", "200 x"),
            ("101 x", "404 x"),
            ("WebSocket\r", "h2c\r"),
            ("Connection: upgrade", "Connection: close"),
            ("s3pP", "s3pQ"),
            ("Sec-WebSocket-Protocol: mqtt\r\n", ""),
            ("Protocol: mqtt", "Protocol: amqp"),
            ("Upgrade: W", "Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: W"),
        ] {
            assert!(verdict(&response.replace(from, to)).is_err(), "{to}");
        }
    }
}

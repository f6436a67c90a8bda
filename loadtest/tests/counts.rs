//! `publish` against a peer that acknowledges, and one that stops doing so.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use interlingua::mqtt::{Acknowledgement, AcknowledgementKind, Packet, Version, next_packet};

/// Answers CONNECT, and the first `most` PUBLISH of a connection; then it closes.
fn answer(mut stream: TcpStream, most: usize) {
    let (mut received, mut buffer, mut answered) = (Vec::new(), [0; 1024], 0);
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        if read == 0 {
            return;
        }
        received.extend_from_slice(&buffer[..read]);
        while let Some(raw) = next_packet(&received, Version::V311, 1024).expect("packets") {
            let length = raw.bytes.len();
            let mut out = Vec::new();
            match Packet::decode(raw, Version::V311).expect("a packet") {
                Packet::Connect(_) => out.extend_from_slice(&[0x20, 2, 0, 0]),
                Packet::Publish(publish) if answered < most => {
                    answered += 1;
                    let identifier = publish.packet_identifier.expect("QoS 1");
                    let puback = Acknowledgement::success(AcknowledgementKind::Puback, identifier);
                    puback.encode(Version::V311, &mut out).expect("it fits");
                }
                _ => return,
            }
            stream.write_all(&out).expect("written");
            received.drain(..length);
        }
    }
}

fn load(most: usize) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, most));
        }
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlingua-loadtest"));
    command
        .args(["publish", "--address", &address, "--devices", "3", "--messages", "20"])
        .output()
        .expect("it runs")
}

#[test]
fn every_acknowledged_message_is_counted() {
    let output = load(usize::MAX);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("60 of 60 messages acknowledged in "), "{text}");
}

#[test]
fn a_message_that_is_not_acknowledged_is_a_failure() {
    let output = load(7);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("3 devices failed") && text.contains("message 7: the connection was closed"),
        "{text}"
    );
}

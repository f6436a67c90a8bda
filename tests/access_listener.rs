//! Who comes in at a listener, over real sockets: before the broker hears of anybody, away from the sessions, and with files
//! that change. Attacks 2, 6, 20 and 21.
#![cfg(feature = "server")]

mod access;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use access::keys::Signer;
use access::{Stage, costly_user, shows, user};
use interlingua::access::{Credentials, Password};
use interlingua::config::Proof;
use interlingua::gate::Gate;
use interlingua::mqtt::{Connect, ReasonCode, Version, next_packet};
use serde_json::json;

const PLAIN: &str = "dialect = 'plain'";

/// About a second of work, also where it is optimised.
const COSTLY_KIB: u32 = 131_072;

fn listener(access: &str) -> String {
    format!("dialect = 'plain'\n[listener.access]\nbind = 'nothing'\n{access}\n")
}

fn passwords() -> String {
    listener("passwords = 'users.txt'")
}

fn users() -> String {
    format!("{}{}", user("ann", "one"), user("bob", "hunter2"))
}

fn stage() -> Stage {
    Stage::new(&[("users.txt", &users())], "", &passwords(), PLAIN)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn whoever_is_not_known_is_refused_before_the_broker_hears_of_it() {
    let stage = stage();
    let cases = [
        (Some("ann"), Some("one"), ReasonCode::Success),
        (Some("bob"), Some("hunter2"), ReasonCode::Success),
        (Some("ann"), Some("hunter2"), ReasonCode::BadUserNameOrPassword),
        (Some("ann"), Some(""), ReasonCode::BadUserNameOrPassword),
        (Some("eve"), Some("one"), ReasonCode::BadUserNameOrPassword),
        (Some(""), Some("one"), ReasonCode::BadUserNameOrPassword),
        (Some("ann"), None, ReasonCode::NotAuthorized),
        (None, None, ReasonCode::NotAuthorized),
    ];
    for version in [Version::V31, Version::V311, Version::V5] {
        for (name, password, expected) in cases {
            let connect = Connect { version, ..shows(name, password) };
            assert_eq!(stage.verdict(&connect), expected, "{version}: {name:?} {password:?}");
        }
    }
    let connect = Connect { version: Version::V5, ..shows(None, Some("one")) };
    assert_eq!(stage.verdict(&connect), ReasonCode::NotAuthorized);
}

#[test]
fn the_bytes_of_a_refusal_are_those_of_its_version() {
    let stage = stage();
    for (version, wrong, nothing) in [
        (Version::V31, &[0x20, 2, 0, 4][..], &[0x20, 2, 0, 5][..]),
        (Version::V311, &[0x20, 2, 0, 4], &[0x20, 2, 0, 5]),
        (Version::V5, &[0x20, 3, 0, 0x86, 0], &[0x20, 3, 0, 0x87, 0]),
    ] {
        for (connect, expected) in
            [(shows(Some("ann"), Some("x")), wrong), (shows(None, None), nothing)]
        {
            let mut device = stage.connect(&Connect { version, ..connect });
            assert_eq!(device.packet(), expected, "{version}");
            assert_eq!(device.try_packet(), None, "the connection ends");
        }
    }
}

#[test]
fn the_broker_gets_no_credentials_unless_they_are_forwarded() {
    for (more, kept) in [("", None), ("forward_credentials = true", Some("one"))] {
        let access = listener(&format!("passwords = 'users.txt'\n{more}"));
        let stage = Stage::new(&[("users.txt", &users())], "", &access, PLAIN);
        for version in [Version::V31, Version::V311, Version::V5] {
            let connect = Connect { version, ..shows(Some("ann"), Some("one")) };
            let (_device, _broker, got) = stage.pair(&connect, version);
            let raw = next_packet(&got, version, 1 << 20).unwrap().unwrap();
            let given = Connect::decode(raw).unwrap();
            assert_eq!(given.user_name, kept.map(|_| "ann"), "{version}");
            assert_eq!(given.password, kept.map(str::as_bytes), "{version}");
            assert_eq!((given.client_identifier, given.version), ("c1", version));
        }
    }
    // The same where the version changes, and so everything is written anew.
    let stage =
        Stage::new(&[("users.txt", &users())], "", &passwords(), "dialect = 'plain'\nmqtt = ['5']");
    let (_device, _broker, got) = stage.pair(&shows(Some("ann"), Some("one")), Version::V5);
    let raw = next_packet(&got, Version::V5, 1 << 20).unwrap().unwrap();
    let given = Connect::decode(raw).unwrap();
    assert_eq!((given.user_name, given.password), (None, None));
}

#[test]
fn packets_behind_connect_wait_for_the_verdict() {
    let stage = stage();
    let mut bytes = Vec::new();
    shows(Some("ann"), Some("one")).encode(&mut bytes).unwrap();
    bytes.extend_from_slice(b"\x30\x04\0\x01tA\x30\x04\0\x01tB\xE0\0");
    let mut device = access::Peer::of(TcpStream::connect(stage.proxy).unwrap());
    device.send(&bytes);
    let mut broker = device.first_of(&stage.broker).expect("the broker is asked");
    broker.packet();
    assert_eq!(broker.accept(&mut device), ReasonCode::Success);
    assert_eq!(broker.packet(), b"\x30\x04\0\x01tA");
    assert_eq!(broker.packet(), b"\x30\x04\0\x01tB");
    assert_eq!(broker.packet(), b"\xE0\0");
    // Of who is refused nothing goes on, and nothing is answered but CONNECT.
    let mut bytes = Vec::new();
    shows(Some("ann"), Some("two")).encode(&mut bytes).unwrap();
    bytes.extend_from_slice(b"\xC0\0\x30\x04\0\x01tA");
    let mut device = access::Peer::of(TcpStream::connect(stage.proxy).unwrap());
    device.send(&bytes);
    assert!(device.first_of(&stage.broker).is_none());
    assert_eq!(device.packet(), [0x20, 2, 0, 4]);
    assert_eq!(device.try_packet(), None);
}

#[test]
fn a_check_that_takes_long_holds_nobody_up() {
    let users = format!("{}{}", users(), costly_user("slow", "x", COSTLY_KIB));
    let stage = Stage::new(&[("users.txt", &users)], "", &passwords(), PLAIN);
    let (mut device, mut broker, _) = stage.pair(&shows(Some("ann"), Some("one")), Version::V311);
    let mut slow = stage.connect(&shows(Some("slow"), Some("y")));
    // There is one shard: what it computes itself would hold these up.
    for _ in 0..20 {
        device.send(b"\x30\x03\0\x01t");
        broker.packet();
        broker.send(b"\x30\x03\0\x01t");
        device.packet();
    }
    slow.stream.set_nonblocking(true).unwrap();
    assert!(slow.stream.peek(&mut [0]).is_err(), "the verdict came first");
    slow.stream.set_nonblocking(false).unwrap();
    assert_eq!(slow.connack(), ReasonCode::BadUserNameOrPassword);
}

#[test]
fn who_finds_the_queue_full_is_refused_at_once_and_the_others_are_served() {
    let users = format!("{}{}", users(), costly_user("slow", "x", COSTLY_KIB));
    let access = listener("passwords = 'users.txt'\nthreads = 1\nwaiting_max = 1");
    let stage = Stage::new(&[("users.txt", &users)], "", &access, PLAIN);
    let connect = Connect { version: Version::V5, ..shows(Some("slow"), Some("y")) };
    let mut crowd: Vec<_> = (0..6).map(|_| stage.connect(&connect)).collect();
    let mut told: Vec<ReasonCode> = crowd.iter_mut().map(|device| device.connack()).collect();
    told.sort_by_key(|code| code.value());
    // One is being checked, one waits; the first may have been taken from the queue before or after the second came.
    let checked = told.iter().filter(|code| **code == ReasonCode::BadUserNameOrPassword).count();
    let busy = told.iter().filter(|code| **code == ReasonCode::ServerBusy).count();
    assert_eq!(checked + busy, 6, "{told:?}");
    assert!((1..=2).contains(&checked) && busy >= 4, "{told:?}");
    assert_eq!(stage.verdict(&shows(Some("ann"), Some("one"))), ReasonCode::Success);
}

#[test]
fn a_check_that_takes_longer_than_the_deadline_is_a_refusal() {
    let users = costly_user("slow", "x", COSTLY_KIB);
    let limits = "connect_timeout_ms = 50";
    let stage = Stage::new(&[("users.txt", &users)], limits, &passwords(), PLAIN);
    let connect = Connect { version: Version::V5, ..shows(Some("slow"), Some("x")) };
    assert_eq!(stage.verdict(&connect), ReasonCode::ServerBusy);
}

#[test]
fn what_nobody_waits_for_is_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.txt"), users()).unwrap();
    let text = access::text_of("", &passwords(), PLAIN, "127.0.0.1:1".parse().unwrap());
    let config = access::load(folder.path(), &text).unwrap();
    let access = config.listeners[0].access.as_ref().unwrap();
    let Proof::Credentials(checks) = &access.proof else { panic!("it has users") };
    let (gate, _kept) = Gate::open("a", &access.rules, checks).unwrap();
    let shown =
        || Credentials { user_name: Some("ann".into()), password: Some(Password::new(b"one")) };
    let now = Instant::now();
    assert!(gate.ask(shown(), now).blocking_recv().is_err(), "it is too late already");
    let verdict = gate.ask(shown(), now + access::DEADLINE).blocking_recv();
    assert_eq!(verdict.unwrap().unwrap().name, "ann".into());
}

#[test]
fn who_leaves_while_it_is_checked_never_reaches_the_broker() {
    let users = format!("{}{}", users(), costly_user("slow", "x", COSTLY_KIB));
    let stage = Stage::new(&[("users.txt", &users)], "", &passwords(), PLAIN);
    drop(stage.connect(&shows(Some("slow"), Some("x"))));
    // It is checked after the one that has left.
    assert_eq!(stage.verdict(&shows(Some("bob"), Some("x"))), ReasonCode::BadUserNameOrPassword);
    stage.broker.set_nonblocking(true).unwrap();
    assert!(stage.broker.accept().is_err(), "nobody is there to be connected");
}

#[test]
fn users_come_and_go_with_their_file_and_a_bad_file_changes_nothing() {
    let stage = stage();
    let server = stage.server.as_ref().unwrap();
    let eve = || stage.verdict(&shows(Some("eve"), Some("three")));
    let ann = || stage.verdict(&shows(Some("ann"), Some("one")));
    assert_eq!(eve(), ReasonCode::BadUserNameOrPassword);
    stage.write("users.txt", &user("eve", "three"));
    server.read_again();
    stage.until("eve comes in", || eve() == ReasonCode::Success);
    assert_eq!(ann(), ReasonCode::BadUserNameOrPassword);
    for bad in ["", "ann:one\n", "# nobody\n"] {
        stage.write("users.txt", bad);
        server.read_again();
        assert_eq!(eve(), ReasonCode::Success, "{bad:?}");
    }
    std::fs::remove_file(stage.folder.path().join("users.txt")).unwrap();
    server.read_again();
    assert_eq!(eve(), ReasonCode::Success);
    // Nobody says so: the change alone is seen.
    stage.write("users.txt", &user("ann", "one"));
    stage.until("ann comes in", || ann() == ReasonCode::Success);
    assert_eq!(eve(), ReasonCode::BadUserNameOrPassword);
}

#[test]
fn attack_20_sessions_end_with_their_user_and_with_the_key_of_their_token() {
    let stage = stage();
    let server = stage.server.as_ref().unwrap();
    let v5 = |name, password| Connect {
        version: Version::V5,
        client_identifier: name,
        ..shows(Some(name), Some(password))
    };
    let (mut ann, mut ann_there, _) = stage.pair(&v5("ann", "one"), Version::V5);
    let (mut bob, mut bob_there, _) = stage.pair(&v5("bob", "hunter2"), Version::V5);
    // Bob stays as he is, beside others; Ann is the same name with another password.
    let users = format!("{}{}{}", user("zoe", "x"), user("ann", "other"), user("bob", "hunter2"));
    stage.write("users.txt", &users);
    server.read_again();
    assert_eq!(ann.packet(), [0xE0, 1, 0x87]);
    assert_eq!(ann_there.try_packet(), None, "without DISCONNECT: the will is published");
    for _ in 0..2 {
        bob.publish("t", b"still here");
        assert_eq!(bob_there.topic(), "t");
        // A file that can't be used ends nobody.
        stage.write("users.txt", "");
        server.read_again();
    }
    stage.write("users.txt", &user("zoe", "x"));
    server.read_again();
    assert_eq!(bob.packet(), [0xE0, 1, 0x87]);

    let (old, new) = (Signer::es256(), Signer::rs256());
    let set = |keys: &[(&str, &Signer)]| {
        let keys: Vec<_> = keys.iter().map(|(name, signer)| signer.jwk(name)).collect();
        json!({"keys": keys}).to_string()
    };
    let both = set(&[("old", &old), ("new", &new)]);
    let stage = Stage::new(&[("keys", &both)], "", &listener(TOKENS), PLAIN);
    let claims = json!({"aud": "here", "exp": now() + 600});
    let (with_old, with_new) = (old.token_of("old", &claims), new.token_of("new", &claims));
    let of = |token| Connect { version: Version::V5, ..shows(Some("unused"), Some(token)) };
    let (mut first, _first_there, _) = stage.pair(&of(&with_old), Version::V5);
    let (mut second, mut second_there, _) = stage.pair(&of(&with_new), Version::V5);
    stage.write("keys", &set(&[("renamed", &new)]));
    stage.server.as_ref().unwrap().read_again();
    assert_eq!(first.packet(), [0xE0, 1, 0x87]);
    second.publish("t", b"still here");
    assert_eq!(second_there.topic(), "t");
}

const TOKENS: &str = "[listener.access.tokens]\nkeys = 'keys'\naudience = 'here'\nleeway_ms = 0";

#[test]
fn keys_are_rotated_by_their_file() {
    let (old, new) = (Signer::es256(), Signer::rs256());
    let claims = json!({"aud": "here", "exp": now() + 600});
    let set = json!({"keys": [old.jwk("old")]}).to_string();
    let stage = Stage::new(&[("keys", &set)], "", &listener(TOKENS), PLAIN);
    let verdict = |token: &str| stage.verdict(&shows(Some("unused"), Some(token)));
    let (with_old, with_new) = (old.token_of("old", &claims), new.token_of("new", &claims));
    assert_eq!(verdict(&with_old), ReasonCode::Success);
    assert_eq!(verdict(&with_new), ReasonCode::BadUserNameOrPassword);
    stage.write("keys", &json!({"keys": [old.jwk("old"), new.jwk("new")]}).to_string());
    stage.server.as_ref().unwrap().read_again();
    stage.until("the new key counts", || verdict(&with_new) == ReasonCode::Success);
    assert_eq!(verdict(&with_old), ReasonCode::Success);
    stage.write("keys", &json!({"keys": [new.jwk("new")]}).to_string());
    stage.server.as_ref().unwrap().read_again();
    stage.until("the old one doesn't", || verdict(&with_old) != ReasonCode::Success);
    assert_eq!(verdict(&with_new), ReasonCode::Success);
}

#[test]
fn a_session_ends_with_its_token() {
    let signer = Signer::es256();
    let stage = Stage::new(&[("keys", &signer.pem())], "", &listener(TOKENS), PLAIN);
    for version in [Version::V311, Version::V5] {
        let token = signer.token(&json!({"aud": "here", "exp": now() + 3}));
        let connect = Connect { version, ..shows(Some("unused"), Some(&token)) };
        let (mut device, mut broker, _) = stage.pair(&connect, version);
        device.publish("t", b"before");
        assert_eq!(broker.topic(), "t");
        // Nothing but the time makes it end, and then both sides hear of it.
        let said = device.try_packet();
        match version {
            Version::V5 => assert_eq!(said.as_deref(), Some(&[0xE0, 1, 0x87][..])),
            _ => assert_eq!(said, None),
        }
        assert_eq!(broker.try_packet(), None, "without DISCONNECT: the will is published");
        assert_eq!(stage.verdict(&connect), ReasonCode::BadUserNameOrPassword);
    }
}

#[test]
fn refusals_are_counted_by_their_reason() {
    let limits = "[admin]\nbind = '127.0.0.1:0'";
    let stage = Stage::new(&[("users.txt", &users())], limits, &passwords(), PLAIN);
    stage.verdict(&shows(Some("ann"), Some("x")));
    stage.verdict(&shows(None, None));
    let address = stage.server.as_ref().unwrap().admin.unwrap();
    let metrics = || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let refused = "interlingua_refused_total{direction=\"up\",reason=\"access_denied\"} 2";
    let ended = "interlingua_sessions_ended_total{end=\"connect_refused\"} 2";
    stage.until("both are counted", || {
        let text = metrics();
        text.contains(refused) && text.contains(ended)
    });
}

//! `[listener.access]` in a configuration: what is refused before anything starts, and what is written instead. Attack 21.
#![cfg(feature = "server")]

mod access;

use access::keys::Signer;
use access::{load, text_of, user};

const PLAIN: &str = "dialect = 'plain'";
const OMNICORE: &str = "dialect = 'omnicore'\n[upstream.vars]\nsubscription = 's'\nregistry = 'plant'\npassword = 'hunter2'";
const THINGSCALE: &str =
    "dialect = 'thingscale'\n[listener.vars]\ntoken = 'hunter2'\ntenant = 'acme'";

/// The faults of a configuration with this `[listener.access]`; empty: it is sound.
fn told(files: &[(&str, &str)], side: &str, upstream: &str, access: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let broker = "127.0.0.1:1".parse().unwrap();
    let listener = format!("{side}\n[listener.access]\n{access}");
    let told =
        load(folder.path(), &text_of("", &listener, upstream, broker)).err().unwrap_or_default();
    assert!(!told.contains("hunter"), "a secret is shown: {told}");
    told
}

#[track_caller]
fn faults(side: &str, upstream: &str, access: &str, expected: &[&str]) {
    let users = user("ann", "hunter2");
    let keys = Signer::es256().pem();
    let told = told(&[("users.txt", &users), ("keys.pem", &keys)], side, upstream, access);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{told}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line}\ninstead of\n{expected}");
    }
}

#[test]
fn sound_tables_are_taken() {
    for (side, upstream, access) in [
        (PLAIN, PLAIN, "passwords = 'users.txt'\nbind = 'nothing'"),
        (PLAIN, PLAIN, "passwords = 'users.txt'\nbind = 'client_identifier'"),
        (PLAIN, PLAIN, "passwords = 'users.txt'\nbind = 'nothing'\nforward_credentials = true"),
        (THINGSCALE, OMNICORE, "passwords = 'users.txt'\nbind = 'username'"),
        (THINGSCALE, OMNICORE, "passwords = 'users.txt'\nbind = 'username'\ndevices = 'any'"),
        (THINGSCALE, OMNICORE, "bind = 'claim:dev'\n[listener.access.tokens]\nkeys = 'keys.pem'"),
        (
            THINGSCALE,
            OMNICORE,
            "bind = 'client_identifier'\nthreads = 2\nwaiting_max = 10\n[listener.access.tokens]\n\
             keys = 'keys.pem'\naudience = 'a'\nissuer = 'i'\nleeway_ms = 0",
        ),
    ] {
        faults(side, upstream, access, &[]);
    }
}

#[test]
fn what_contradicts_itself_is_told_with_what_to_write() {
    let tokens = "[listener.access.tokens]\nkeys = 'keys.pem'";
    faults(PLAIN, PLAIN, "", &["bind: is missing; write `username`"]);
    faults(
        PLAIN,
        PLAIN,
        "bind = 'nothing'",
        &["access: doesn't say how devices prove who they are; write `passwords"],
    );
    faults(
        PLAIN,
        PLAIN,
        &format!("bind = 'nothing'\npasswords = 'users.txt'\n{tokens}"),
        &["access: has passwords and tokens; keep one of them"],
    );
    faults(
        PLAIN,
        PLAIN,
        "bind = 'nobody'\npasswords = 'users.txt'",
        &["`nobody` is not known; write `username`"],
    );
    faults(PLAIN, PLAIN, &format!("bind = 'claim:'\n{tokens}"), &["`claim:` is not known"]);
    faults(THINGSCALE, OMNICORE, "bind = 'claim:sub'\npasswords = 'users.txt'", &["names a claim"]);
    faults(
        THINGSCALE,
        OMNICORE,
        &format!("bind = 'username'\n{tokens}"),
        &["is a user name, which a token doesn't prove"],
    );
    faults(
        PLAIN,
        PLAIN,
        "bind = 'username'\npasswords = 'users.txt'",
        &["`plain` knows none; write `client_identifier`"],
    );
    faults(
        PLAIN,
        PLAIN,
        "bind = 'client_identifier'\ndevices = 'own'\npasswords = 'users.txt'",
        &["devices: can't be: `plain`"],
    );
    faults(
        THINGSCALE,
        OMNICORE,
        "bind = 'nothing'\ndevices = 'own'\npasswords = 'users.txt'",
        &["devices: says little"],
    );
    faults(
        THINGSCALE,
        OMNICORE,
        "bind = 'username'\nforward_credentials = true\npasswords = 'users.txt'",
        &["forward_credentials: would change nothing"],
    );
    faults(PLAIN, PLAIN, "bind = 'nothing'\npasswords = 'users.txt'\nthreads = 0", &["threads"]);
    faults(PLAIN, PLAIN, "bind = 'nothing'\npasswords = 'users.txt'\ncolour = 1", &["colour"]);
    faults(PLAIN, PLAIN, "bind = 'nothing'\n[listener.access.tokens]\n", &["keys: is missing"]);
}

/// A listener's own TLS, and what is asked of devices.
fn tls(clients: &str) -> String {
    format!(
        "transport = 'tls'\ndialect = 'plain'\n[listener.tls]\ncertificate = 'x.pem'\nkey = 'x.key'\n{clients}"
    )
}

fn told_of_certificates(side: &str, access: &str) -> String {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
    let users = user("ann", "hunter2");
    let files = [("x.pem", &*certificate), ("x.key", &*key), ("users.txt", &*users)];
    told(&files, side, PLAIN, access)
}

#[test]
fn a_certificate_proves_something_where_each_device_has_one() {
    let access = "certificate = 'common_name'\nbind = 'client_identifier'";
    let required = tls("client_ca = 'x.pem'");
    assert_eq!(told_of_certificates(&required, access), "");
    let nobody = "certificate = 'common_name'\nbind = 'nothing'";
    assert_eq!(told_of_certificates(&required, nobody), "");
    for (side, access, expected) in [
        (
            PLAIN,
            access,
            "certificate: is asked for, and the listener doesn't ask; write `transport = \"tls\"`",
        ),
        (
            &tls(""),
            access,
            "doesn't ask; write `transport = \"tls\"`, `\"wss\"` or `\"quic\"`, and `client_ca`",
        ),
        (
            &tls("client_ca = 'x.pem'\nclient_certificates = 'optional'"),
            access,
            "lets devices in without one; write `client_certificates = \"required\"`",
        ),
        // What is wrong with TLS is told once.
        (&tls("client_ca = 'y.pem'"), access, "client_ca: "),
        (
            &required,
            "certificate = 'common_name'\nbind = 'username'",
            "`plain` knows none; write `client_identifier`",
        ),
        (&required, "certificate = 'subject'\nbind = 'client_identifier'", "certificate"),
        (
            &required,
            &format!("{access}\nthreads = 2"),
            "threads: would change nothing: TLS checks certificates",
        ),
        (
            &required,
            &format!("{access}\nforward_credentials = true"),
            "forward_credentials: would change nothing: user name and password aren't asked for",
        ),
        (
            &required,
            &format!("{access}\npasswords = 'users.txt'"),
            "has passwords and certificates; keep one of them",
        ),
        (
            PLAIN,
            "passwords = 'users.txt'\nbind = 'common_name'",
            "is the name in a certificate, which isn't asked for here",
        ),
    ] {
        let told = told_of_certificates(side, access);
        assert!(told.contains(expected), "{told}\ninstead of\n{expected}");
    }
}

#[test]
fn places_that_a_device_could_choose_have_to_be_configured() {
    let own = "dialect = 'mqtt2go'\n[listener.vars]\ngateway = 'g1'";
    let access = "bind = 'username'\npasswords = 'users.txt'";
    faults(own, OMNICORE, access, &["they could choose `home`; give `home` its value"]);
    let placed = "dialect = 'mqtt2go'\n[listener.vars]\nhome = 'h1'\ngateway = 'g1'";
    faults(placed, OMNICORE, access, &[]);
    faults(own, OMNICORE, &format!("{access}\ndevices = 'any'"), &[]);
}

#[test]
fn a_file_that_is_missing_empty_or_malformed_starts_nothing() {
    let access = "bind = 'nothing'\npasswords = 'users.txt'";
    let of = |text: &str| told(&[("users.txt", text)], PLAIN, PLAIN, access);
    let missing = told(&[], PLAIN, PLAIN, access);
    assert!(missing.contains("passwords: the file `users.txt` can't be read"), "{missing}");
    assert!(
        of("").starts_with("users.txt: has no user, so nobody could come in; write"),
        "{}",
        of("")
    );
    let good = user("ann", "hunter2");
    let two = of(&format!("{good}bob:hunter2\n# rest\nhunter2\n"));
    assert!(two.starts_with("users.txt:2: has no hash"), "{two}");
    assert!(two.contains("users.txt:4: is no user"), "{two}");
    // What is wrong elsewhere is told with it.
    let both = told(&[("users.txt", "x")], PLAIN, PLAIN, &format!("{access}\nthreads = 0"));
    assert!(both.contains("threads") && both.contains("users.txt:1"), "{both}");
    let keys = "bind = 'nothing'\n[listener.access.tokens]\nkeys = 'keys.pem'";
    let of = |text: &str| told(&[("keys.pem", text)], PLAIN, PLAIN, keys);
    assert!(
        told(&[], PLAIN, PLAIN, keys).contains("tokens.keys: the file `keys.pem` can't be read")
    );
    assert!(of("").starts_with("keys.pem: has no key"), "{}", of(""));
    assert!(of("-----BEGIN PUBLIC KEY-----\n").starts_with("keys.pem:1: begins"));
}

/// What stands in a certificate isn't a device's to choose.
#[test]
fn a_dialect_that_reads_certificates_needs_no_configured_place() {
    let dialect = |certificate: &str| {
        format!(
            "name = 'own'\nmqtt = ['3.1.1']\n[variables]\ntenant = {{ punctuation = '-' }}\n[connect]\n{certificate}\n\
             [[topic]]\nkind = 'telemetry'\nfrom = 'device'\ntemplate = '{{tenant}}/{{device}}/up'\n\
             [[topic]]\nkind = 'command'\nfrom = 'cloud'\ntemplate = '{{tenant}}/{{device}}/down'\n"
        )
    };
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
    let listener = tls("client_ca = 'x.pem'").replace("'plain'", "'./own.toml'");
    let told = |connect: &str, access: &str| {
        let (dialect, users) = (dialect(connect), user("ann", "hunter2"));
        let files = [
            ("x.pem", &*certificate),
            ("x.key", &*key),
            ("own.toml", &*dialect),
            ("users.txt", &*users),
        ];
        told(&files, &listener, "dialect = './own.toml'", access)
    };
    let both = "certificate = '{tenant}.{device}'";
    let access = "certificate = 'common_name'\nbind = 'common_name'";
    assert_eq!(told(both, access), "");
    for (connect, access, expected) in [
        ("client_id = '{device}'", access, "they could choose `tenant`"),
        ("client_id = '{device}'\ncertificate = '{device}'", access, "they could choose `tenant`"),
        (
            "client_id = '{device}'\ncertificate = '{tenant}'",
            access,
            "no certificate of own has it; write `{device}` into its `certificate`",
        ),
        // A password proves nothing of what the certificate says: devices may have none.
        (
            "client_id = '{device}'\ncertificate = '{tenant}.{device}'",
            "passwords = 'users.txt'\nbind = 'username'",
            "they could choose `tenant`",
        ),
    ] {
        let told = told(connect, access);
        assert!(told.contains(expected), "{told}\ninstead of\n{expected}");
    }
}

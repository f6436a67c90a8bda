//! The keys of TLS: what they mean, and what is told where they are wrong.

use interlingua::config::{
    Arguments, CertificateFiles, ClientCertificates, Config, Lookup, TlsVersion, Transport,
    from_arguments, load,
};

fn outside(lookup: Lookup<'_>) -> Result<String, String> {
    match lookup {
        Lookup::File("c.pem" | "ca.pem" | "d.pem") => {
            Ok("-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n".to_owned())
        }
        Lookup::File("k.pem") => Ok("-----BEGIN EC PRIVATE KEY-----\nhunter2\n".to_owned()),
        Lookup::File("locked.pem") => {
            Ok("-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n".to_owned())
        }
        Lookup::File("der.pem") => Ok("hunter2".to_owned()),
        _ => Err("no such file".to_owned()),
    }
}

fn text(listener: &str, url: &str, upstream: &str) -> String {
    format!(
        "[[listener]]\nname = 'a'\nbind = '127.0.0.1:8883'\ndialect = 'plain'\nupstream = 'b'\n{listener}\n\
         [[upstream]]\nname = 'b'\nurl = '{url}'\ndialect = 'plain'\n{upstream}\n"
    )
}

fn printed(outcome: Result<Config, Vec<interlingua::document::Fault>>) -> String {
    match outcome {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let told = printed(load("t.toml", text, &mut outside));
    assert!(!told.contains("hunter"), "a secret is shown:\n{told}");
    assert_eq!(told, expected, "\n--- told:\n{told}");
}

fn files(certificate: &str) -> CertificateFiles {
    CertificateFiles { certificate: certificate.to_owned(), key: "k.pem".to_owned() }
}

#[test]
fn every_key_reaches_its_place() {
    let listener = "transport = 'tls'\n[listener.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'\n\
                    client_ca = 'ca.pem'\nclient_certificates = 'optional'\nversion_min = '1.3'\n\
                    [[listener.tls.more]]\ncertificate = 'd.pem'\nkey = 'k.pem'";
    let upstream = "[upstream.tls]\nca = 'ca.pem'\ncertificate = 'd.pem'\nkey = 'k.pem'\n\
                    server_name = 'Broker.example.com'\nversion_min = '1.3'";
    let text = text(listener, "mqtts://h", upstream);
    let config = load("t.toml", &text, &mut outside).unwrap_or_else(|told| panic!("{told:#?}"));
    let listener = &config.listeners[0];
    assert_eq!(listener.transport, Transport::Tls);
    let tls = listener.tls.as_ref().expect("it has TLS");
    assert_eq!(tls.certificates, [files("c.pem"), files("d.pem")]);
    assert_eq!(tls.client_certificates, ClientCertificates::Optional("ca.pem".to_owned()));
    assert_eq!(tls.version_min, TlsVersion::V1_3);
    let tls = listener.upstream.tls.as_ref().expect("it has TLS");
    assert_eq!(tls.authorities.as_deref(), Some("ca.pem"));
    assert_eq!(tls.certificate, Some(files("d.pem")));
    assert_eq!(tls.server_name.as_deref(), Some("broker.example.com"));
    assert_eq!(tls.version_min, TlsVersion::V1_3);
    assert_eq!(listener.upstream.url.to_string(), "mqtts://h:8883");
    assert!(!format!("{config:?}").contains("hunter"));
}

#[test]
fn what_is_not_written_has_its_default() {
    let listener = "transport = 'tls'\n[listener.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'";
    let config = load("t.toml", &text(listener, "mqtts://h", ""), &mut outside).expect("sound");
    let tls = config.listeners[0].tls.as_ref().expect("it has TLS");
    assert_eq!(tls.client_certificates, ClientCertificates::Off);
    assert_eq!(tls.version_min, TlsVersion::V1_2);
    let tls = config.listeners[0].upstream.tls.as_ref().expect("it has TLS");
    assert_eq!((&tls.authorities, &tls.certificate, &tls.server_name), (&None, &None, &None));
    // Who vouches for devices is named for a reason.
    let listener = format!("{listener}\nclient_ca = 'ca.pem'");
    let config = load("t.toml", &text(&listener, "mqtt://h", ""), &mut outside).expect("sound");
    let tls = config.listeners[0].tls.as_ref().expect("it has TLS");
    assert_eq!(tls.client_certificates, ClientCertificates::Required("ca.pem".to_owned()));
    assert!(config.listeners[0].upstream.tls.is_none());
}

#[test]
fn every_fault_is_told() {
    check(
        &text("transport = 'tls'", "mqtt://h", ""),
        "t.toml:6: listener[0].transport: needs a certificate; write [listener.tls] with `certificate` and `key`\n",
    );
    let tables = "[listener.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'";
    check(
        &text(tables, "mqtt://h", "[upstream.tls]\nca = 'ca.pem'"),
        "t.toml:6: listener[0].tls: is there, but the transport has no TLS; write `transport = \"tls\"`, `\"wss\"` or `\"quic\"`, or remove the table\n\
         t.toml:13: upstream[0].tls: is there, but the transport has no TLS; write a URL with `mqtts://`, `wss://` or `quic://`, or remove the table\n",
    );
    let listener = "transport = 'tls'\n[listener.tls]\ncertificate = 'nowhere.pem'\nkey = 'locked.pem'\n\
                    client_certificates = 'yes'\nversion_min = '1.1'\ncolour = 1\n\
                    [[listener.tls.more]]\ncertificate = 'der.pem'\n\
                    [[listener.tls.more]]\ncertificate = 'k.pem'\nkey = 'c.pem'";
    let upstream =
        "[upstream.tls]\nca = 'k.pem'\nkey = 'k.pem'\nserver_name = 'a b'\ninsecure = true";
    check(
        &text(listener, "mqtts://h", upstream),
        "t.toml:8: listener[0].tls.certificate: the file `nowhere.pem` can't be read: no such file; correct the path, or let the proxy read the file\n\
         t.toml:9: listener[0].tls.key: the key in `locked.pem` is encrypted; decrypt it, and let only the proxy read the file\n\
         t.toml:10: listener[0].tls.client_certificates: `yes` is not known; write `off`, `optional` or `required`\n\
         t.toml:11: listener[0].tls.version_min: `1.1` is not known; did you mean `1.2`?\n\
         t.toml:12: listener[0].tls.colour: unknown key; this table has `certificate`, `client_ca`, `client_certificates`, `key`, `more` or `version_min`\n\
         t.toml:13: listener[0].tls.more[0].key: is missing; write the path of a PEM file\n\
         t.toml:14: listener[0].tls.more[0].certificate: the file `der.pem` has no certificate; write it as PEM, with `-----BEGIN CERTIFICATE-----`\n\
         t.toml:16: listener[0].tls.more[1].certificate: the file `k.pem` has no certificate; write it as PEM, with `-----BEGIN CERTIFICATE-----`\n\
         t.toml:17: listener[0].tls.more[1].key: the file `c.pem` has no private key; write it as PEM, with `-----BEGIN PRIVATE KEY-----`\n\
         t.toml:22: upstream[0].tls.certificate: is missing; write the path of a PEM file\n\
         t.toml:23: upstream[0].tls.ca: the file `k.pem` has no certificate; write it as PEM, with `-----BEGIN CERTIFICATE-----`\n\
         t.toml:25: upstream[0].tls.server_name: has a host that is neither a name nor an address; write a name as in `broker.example.com`, or an address\n\
         t.toml:26: upstream[0].tls.insecure: unknown key; this table has `ca`, `certificate`, `key`, `server_name` or `version_min`\n",
    );
}

#[test]
fn certificates_of_devices_need_somebody_who_vouches_for_them() {
    let tls = "transport = 'tls'\n[listener.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'\n";
    check(
        &text(&format!("{tls}client_certificates = 'required'"), "mqtt://h", ""),
        "t.toml:10: listener[0].tls.client_certificates: asks for what nobody vouches for; write `client_ca`, a PEM file of who vouches for devices\n",
    );
    check(
        &text(&format!("{tls}client_ca = 'ca.pem'\nclient_certificates = 'off'"), "mqtt://h", ""),
        "t.toml:10: listener[0].tls.client_ca: is there, but `client_certificates` is `off`; remove one of the two\n",
    );
}

#[test]
fn websocket_has_a_path_and_others_have_none() {
    let paths = |listener: &str, url: &str| {
        let config = load("t.toml", &text(listener, url, ""), &mut outside).expect("sound");
        let listener = &config.listeners[0];
        (listener.path.clone(), listener.upstream.url.path.clone())
    };
    let some = |path: &str| Some(path.to_owned());
    assert_eq!(paths("", "mqtt://h"), (None, None));
    assert_eq!(paths("transport = 'ws'", "ws://h"), (some("/mqtt"), some("/mqtt")));
    assert_eq!(paths("transport = 'ws'\npath = '/a/b'", "wss://h:1/"), (some("/a/b"), some("/")));
    let secure = "transport = 'wss'\n[listener.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'";
    assert_eq!(paths(secure, "wss://h/x"), (some("/mqtt"), some("/x")));
    check(
        &text("path = '/mqtt'", "mqtt://h/mqtt", ""),
        "t.toml:6: listener[0].path: is there, but only WebSocket has a path; write `transport = \"ws\"` or `\"wss\"`, or remove it\n\
         t.toml:9: upstream[0].url: has a path, which only WebSocket knows; write it as in `mqtt://broker.example.com:1883`\n",
    );
    check(
        &text("transport = 'wss'\npath = 'mqtt?x=hunter2'", "ws://h/a b", ""),
        "t.toml:6: listener[0].transport: needs a certificate; write [listener.tls] with `certificate` and `key`\n\
         t.toml:7: listener[0].path: has a path that can't be one; write it as in `/mqtt`, without spaces and without a query\n\
         t.toml:10: upstream[0].url: has a path that can't be one; write it as in `/mqtt`, without spaces and without a query\n",
    );
}

#[test]
fn the_proxy_protocol_is_required_or_written() {
    use interlingua::config::{ProxyHeader, ProxyProtocol};
    let meant = |listener: &str, upstream: &str| {
        let config = load("t.toml", &text(listener, "mqtt://h", upstream), &mut outside);
        let listener = config.expect("sound").listeners.remove(0);
        (listener.proxy_protocol, listener.upstream.proxy_protocol)
    };
    assert_eq!(meant("", ""), (ProxyHeader::Off, None));
    assert_eq!(
        meant("proxy_protocol = 'require'", "proxy_protocol = 'v1'"),
        (ProxyHeader::Required, Some(ProxyProtocol::V1))
    );
    assert_eq!(
        meant("proxy_protocol = 'off'", "proxy_protocol = 'v2'"),
        (ProxyHeader::Off, Some(ProxyProtocol::V2))
    );
    check(
        &text("proxy_protocol = 'v2'", "mqtt://h", "proxy_protocol = 'require'"),
        "t.toml:6: listener[0].proxy_protocol: `v2` is not known; write `off` or `require`\n\
         t.toml:11: upstream[0].proxy_protocol: `require` is not known; write `off`, `v1` or `v2`\n",
    );
}

#[test]
fn quic_is_a_table_of_its_own_and_has_no_header() {
    use interlingua::config::{AddressValidation, EarlyData, ListenerQuic};
    use std::time::Duration;
    const QUIC: &str = "transport = 'quic'\n[listener.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'\n";
    let meant = |quic: &str| {
        let text = text(&format!("{QUIC}{quic}"), "quic://h", "");
        load("t.toml", &text, &mut outside).expect("sound").listeners.remove(0)
    };
    assert_eq!(meant("").quic, Some(ListenerQuic::default()));
    let listener = meant(
        "[listener.quic]\nstreams_max = 0\nearly_data = 'connect'\n\
         address_validation = 'under_load'\nkeep_alive_ms = 0\nidle_timeout_ms = 5000",
    );
    let expected = ListenerQuic {
        streams_max: 0,
        early_data: EarlyData::Connect,
        address_validation: AddressValidation::UnderLoad,
        keep_alive: None,
        idle_timeout: Duration::from_secs(5),
    };
    assert_eq!(listener.quic, Some(expected));
    assert_eq!(listener.upstream.url.to_string(), "quic://h:14567");
    check(
        &text(
            &format!("{QUIC}[listener.quic]\nkeep_alive_ms = 60000\nstreams = 3"),
            "mqtt://h",
            "",
        ),
        "t.toml:11: listener[0].quic.keep_alive_ms: isn't less than `idle_timeout_ms`, which is 60000: it would come too late; write half of it, or 0 for never\n\
         t.toml:12: listener[0].quic.streams: unknown key; this table has `address_validation`, `early_data`, `idle_timeout_ms`, `keep_alive_ms` or `streams_max`\n",
    );
    check(
        &text("[listener.quic]", "mqtt://h", ""),
        "t.toml:6: listener[0].quic: is there, but the transport isn't QUIC; write `transport = \"quic\"`, or remove the table\n",
    );
    check(
        &text(
            "transport = 'quic'\nproxy_protocol = 'require'",
            "quic://h",
            "proxy_protocol = 'v1'",
        ),
        "t.toml:6: listener[0].transport: needs a certificate; write [listener.tls] with `certificate` and `key`\n\
         t.toml:7: listener[0].proxy_protocol: can't be spoken over QUIC, which begins with no header; remove it; a balancer keeps a QUIC client's address by passing its packets on\n\
         t.toml:12: upstream[0].proxy_protocol: can't be spoken over QUIC, which begins with no header; remove it; a balancer keeps a QUIC client's address by passing its packets on\n",
    );
    check(
        &text(
            &format!("{QUIC}client_ca = 'c.pem'\n[listener.quic]\nearly_data = 'connect'"),
            "mqtt://h",
            "",
        ),
        "t.toml:11: listener[0].quic: takes a CONNECT before its device has shown a certificate; write `early_data = \"off\"`, or ask for no certificates\n",
    );
}

#[test]
fn the_command_line_says_the_same() {
    let mut arguments = Arguments {
        listen: "tls://127.0.0.1:8883".to_owned(),
        upstream: "mqtts://h".to_owned(),
        from: "plain".to_owned(),
        to: "plain".to_owned(),
        ..Arguments::default()
    };
    let told = |arguments: &Arguments| printed(from_arguments(arguments, &mut outside));
    assert_eq!(
        told(&arguments),
        "command line: --listen: needs a certificate; add `--listen-certificate FILE` and `--listen-key FILE`\n"
    );
    arguments.listen_certificate = Some("c.pem".to_owned());
    assert_eq!(
        told(&arguments),
        "command line: --listen-certificate: is given without its key; add `--listen-key FILE`\n"
    );
    arguments.listen_key = Some("k.pem".to_owned());
    arguments.upstream_ca = Some("ca.pem".to_owned());
    let config = from_arguments(&arguments, &mut outside).expect("sound");
    assert_eq!(config.listeners[0].tls.as_ref().expect("TLS").certificates, [files("c.pem")]);
    let upstream = &config.listeners[0].upstream;
    assert_eq!(upstream.tls.as_ref().expect("TLS").authorities.as_deref(), Some("ca.pem"));
    arguments.listen = "wss://127.0.0.1:443/a".to_owned();
    let config = from_arguments(&arguments, &mut outside).expect("sound");
    assert_eq!(config.listeners[0].transport, Transport::Wss);
    assert_eq!(config.listeners[0].path.as_deref(), Some("/a"));
    arguments.listen = "tcp://127.0.0.1:1883".to_owned();
    arguments.upstream = "mqtt://h".to_owned();
    assert_eq!(
        told(&arguments),
        "command line: --listen-certificate: is there, but the transport has no TLS; write `--listen tls://…`, or leave this out\n\
         command line: --upstream-ca: is there, but the transport has no TLS; write `--upstream mqtts://…`, or leave this out\n"
    );
}

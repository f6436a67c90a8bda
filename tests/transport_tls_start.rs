//! What is wrong with certificates is told before anything starts, by `check` and by `serve`.
#![cfg(feature = "server")]

mod secure;

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use interlingua::server;
use secure::*;

const TLS: &str =
    "transport = 'tls'\n[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";

#[test]
fn every_listener_and_upstream_whose_files_are_no_good_is_told() {
    let (folder, authority) = (folder(), Authority::new("authority"));
    let [one, other] = [(); 2].map(|()| authority.vouch(&["localhost"], &[]));
    one.write(folder.path(), "server");
    fs::write(folder.path().join("server.key"), &other.key).expect("written");
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(folder.path().join("ca.pem"), empty).expect("written");
    let said = Said {
        listener: TLS,
        scheme: "mqtts",
        upstream: "[upstream.tls]\nca = 'ca.pem'",
        ..Said::default()
    };
    let config = configure(folder.path(), SocketAddr::from(([127, 0, 0, 1], 1)), said);
    for outcome in [server::check(&config), server::start(&config).map(drop)] {
        let told: Vec<String> =
            outcome.expect_err("no good").iter().map(ToString::to_string).collect();
        let [listener, upstream] = told.as_slice() else { panic!("{told:?}") };
        assert!(listener.starts_with("listener `a` can't use its certificates: the key in "));
        assert!(listener.contains("doesn't belong to the certificate in "), "{listener}");
        assert!(upstream.starts_with("upstream `b` can't use its certificates: "), "{upstream}");
        assert!(upstream.contains("ca.pem is malformed"), "{upstream}");
    }
}

#[test]
fn check_looks_at_the_files_of_the_example() {
    let folder = folder();
    let example = "config/examples/tls.toml";
    let file = folder.path().join("tls.toml");
    fs::copy(example, &file).expect("copied");
    let place = folder.path().join("certificates");
    fs::create_dir(&place).expect("a folder");
    let authority = Authority::new("authority");
    for name in ["proxy", "old-name"] {
        authority.vouch(&[name], &[]).write(&place, name);
    }
    for name in ["devices-ca.pem", "broker-ca.pem"] {
        fs::write(place.join(name), &authority.pem).expect("written");
    }
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlingua"));
        command.arg("check").arg(&file).output().expect("the binary runs")
    };
    let output = check();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    authority.vouch(&["old-name"], &[]).write(&place, "proxy");
    fs::write(place.join("proxy.key"), authority.vouch(&["x"], &[]).key).expect("written");
    let output = check();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(output.stdout.is_empty(), "it isn't called sound first");
    assert_eq!(told.matches("doesn't belong").count(), 2, "{told}");
}

//! `[[listener.route]]` in a configuration: what it means, and what is refused before anything starts.

use std::fmt::Write;

use interlingua::config::{Config, Lookup, load};

const TLS: &str = "transport = 'tls'\n[listener.tls]\ncertificate = 'x.pem'\nkey = 'x.key'\n";
const ASKS: &str = "client_ca = 'x.pem'\n";

fn configuration(listener: &str, routes: &[(&str, &str)]) -> Result<Config, String> {
    let mut text = format!(
        "[[upstream]]\nname = 'a'\ndialect = 'plain'\nurl = 'mqtt://a'\n\
         [[upstream]]\nname = 'b'\ndialect = 'plain'\nmqtt = ['5']\nurl = 'mqtt://b'\n\
         [[listener]]\nname = 'l'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'a'\n{listener}\n"
    );
    for (certificate, upstream) in routes {
        write!(
            text,
            "[[listener.route]]\ncertificate = '{certificate}'\nupstream = '{upstream}'\n"
        )
        .unwrap();
    }
    let read = &mut |lookup: Lookup<'_>| match lookup {
        Lookup::File("x.key") => {
            Ok("-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----".to_owned())
        }
        Lookup::File("x.pem") => {
            Ok("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----".to_owned())
        }
        _ => Err("it is not there".to_owned()),
    };
    load("t.toml", &text, read)
        .map_err(|faults| faults.iter().map(|fault| format!("{fault}\n")).collect())
}

fn asking() -> String {
    format!("{TLS}{ASKS}")
}

#[test]
fn the_first_route_that_fits_has_its_own_upstream_and_plan() {
    let routes = [("p.7", "a"), ("p.*", "b"), ("q", "b")];
    let config = configuration(&asking(), &routes).unwrap();
    let listener = &config.listeners[0];
    let goes = |name: &str| listener.route(name).map(|route| route.upstream.name.as_str());
    assert_eq!(goes("p.7"), Some("a"));
    assert_eq!(goes("p.70"), Some("b"));
    assert_eq!(goes("q"), Some("b"));
    assert_eq!(goes("q1"), None);
    let names: Vec<_> = listener.upstreams().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["a", "a", "b", "b"]);
    use interlingua::mqtt::Version;
    let version = |name| listener.route(name).unwrap().plan.translator.version_for(Version::V311);
    assert_eq!((version("p.7"), version("q")), (Version::V311, Version::V5));
    let optional = format!("{}client_certificates = 'optional'\n", asking());
    assert!(configuration(&optional, &routes).is_ok());
}

#[test]
fn routes_that_lead_nowhere_or_are_never_taken_are_told() {
    let every = [("p.*", "b")];
    for (listener, routes, expected) in [
        (asking(), &[("p.*", "bb")][..], "no [[upstream]] has the name `bb`; write `a` or `b`"),
        (asking(), &[("p.*", "far")], "no [[upstream]] has the name `far`; write `a` or `b`"),
        (
            String::new(),
            &every,
            "goes by certificates, and the listener doesn't ask for them; write `transport = \"tls\"`",
        ),
        (TLS.to_owned(), &every, "the listener doesn't ask for them"),
        (asking(), &[("p.*", "b"), ("p.7", "a")], "is never taken: `p.*` stands before it"),
        (asking(), &[("p", "b"), ("p", "a")], "is never taken: `p` stands before it"),
        (asking(), &[("*", "b"), ("q.*", "a")], "is never taken: `*` stands before it"),
        (asking(), &[("", "b")], "certificate: is empty"),
        (
            asking(),
            &[("p*q", "b")],
            "certificate: has a `*` that isn't at its end; write a common name",
        ),
    ] {
        let told = configuration(&listener, routes).unwrap_err();
        assert!(told.lines().count() == 1 || told.contains("no listener uses"), "{told}");
        assert!(told.contains(expected), "{told}\ninstead of\n{expected}");
    }
    // One that is named by a route is used; one that nobody names isn't.
    let told = configuration(&asking(), &[]).unwrap_err();
    assert!(told.contains("no listener uses the upstream `b`"), "{told}");
    let told = configuration(&format!("{}[[listener.route]]\n", asking()), &every).unwrap_err();
    assert!(
        told.contains("route[0].certificate: is missing")
            && told.contains("route[0].upstream: is missing"),
        "{told}"
    );
}

#[test]
fn each_route_is_a_pair_of_dialects_that_has_to_fit() {
    let text = "[[upstream]]\nname = 'a'\ndialect = 'plain'\nurl = 'mqtt://a'\n\
         [[upstream]]\nname = 'b'\ndialect = 'omnicore'\nurl = 'mqtt://b'\n\
         [upstream.vars]\nsubscription = 's'\nregistry = 'r'\n\
         [[listener]]\nname = 'l'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'a'\n\
         transport = 'tls'\n[listener.tls]\ncertificate = 'x.pem'\nkey = 'x.key'\nclient_ca = 'x.pem'\n\
         [[listener.route]]\ncertificate = 'p'\nupstream = 'b'\n";
    let read = &mut |lookup: Lookup<'_>| match lookup {
        Lookup::File(name) => {
            let label = if name.ends_with("key") { "PRIVATE KEY" } else { "CERTIFICATE" };
            Ok(format!("-----BEGIN {label}-----\nA\n-----END {label}-----"))
        }
        Lookup::Environment(_) => Err("it is not set".to_owned()),
    };
    let faults = load("t.toml", text, read).unwrap_err();
    assert!(
        faults.iter().any(|fault| fault.to_string().contains("plain to omnicore")),
        "{faults:#?}"
    );
}

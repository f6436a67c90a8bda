//! Tokens: who signed them, for whom, until when, and what is refused whatever it says. Attacks 20, 21 and 31.
#![cfg(feature = "server")]

#[path = "access/keys.rs"]
mod keys;

use std::time::Duration;

use interlingua::access::{Credentials, Denied, Keys, Password, TokenRules, Tokens};
use jsonwebtoken::{Algorithm, Header};
use keys::{Signer, forged, hmac_token, pem_of};
use serde_json::{Value, json};

/// The clock of these tests, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

fn rules() -> TokenRules {
    TokenRules {
        audience: Some("here".to_owned()),
        issuer: Some("them".to_owned()),
        claim: Some("sub".to_owned()),
        leeway: Duration::from_secs(30),
    }
}

fn claims() -> Value {
    json!({"sub": "d1", "aud": "here", "iss": "them", "exp": NOW + 60})
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
        value => claims[key] = value,
    }
    claims
}

fn tokens(keys: &str) -> Tokens {
    Tokens::new(Keys::parse("keys", keys).unwrap_or_else(|faults| panic!("{faults:?}")), rules())
}

fn check(tokens: &Tokens, token: &str) -> Result<String, Denied> {
    let password = Some(Password::new(token.as_bytes()));
    let credentials = Credentials { user_name: None, password };
    tokens.check(&credentials, NOW).map(|subject| subject.name.into())
}

#[test]
fn a_token_of_either_algorithm_names_its_holder_and_its_end() {
    for signer in [Signer::es256(), Signer::rs256()] {
        for keys in [signer.pem(), json!({"keys": [signer.jwk]}).to_string()] {
            let tokens = tokens(&keys);
            let credentials = Credentials {
                user_name: Some("unused".into()),
                password: Some(Password::new(signer.token(&claims()).as_bytes())),
            };
            let subject = tokens.check(&credentials, NOW).expect("it is right");
            assert_eq!((&*subject.name, subject.expires_unix_s), ("d1", Some(NOW + 90)));
        }
    }
}

#[test]
fn claims_are_held_against_the_rules_and_the_clock() {
    let signer = Signer::es256();
    let tokens = tokens(&signer.pem());
    let cases = [
        (claims(), Ok("d1")),
        (with("exp", json!(NOW - 29)), Ok("d1")),
        (with("exp", json!(NOW - 30)), Err(Denied::TokenExpired)),
        (with("exp", Value::Null), Err(Denied::TokenExpired)),
        (with("exp", json!("soon")), Err(Denied::TokenExpired)),
        (with("exp", json!(-1)), Err(Denied::TokenExpired)),
        (with("exp", json!(NOW as f64 + 0.5)), Ok("d1")),
        (with("exp", json!(1e300)), Err(Denied::TokenExpired)),
        (with("nbf", json!(NOW + 30)), Ok("d1")),
        (with("nbf", json!(NOW + 31)), Err(Denied::TokenEarly)),
        (with("nbf", json!("now")), Err(Denied::TokenEarly)),
        (with("aud", json!(["there", "here"])), Ok("d1")),
        (with("aud", json!(["there"])), Err(Denied::TokenForeign)),
        (with("aud", json!("there")), Err(Denied::TokenForeign)),
        (with("aud", Value::Null), Err(Denied::TokenForeign)),
        (with("aud", json!(1)), Err(Denied::TokenForeign)),
        (with("iss", json!("me")), Err(Denied::TokenForeign)),
        (with("iss", json!(["them"])), Err(Denied::TokenForeign)),
        (with("iss", Value::Null), Err(Denied::TokenForeign)),
        (with("sub", Value::Null), Err(Denied::TokenNameless)),
        (with("sub", json!("")), Err(Denied::TokenNameless)),
        (with("sub", json!(7)), Err(Denied::TokenNameless)),
    ];
    for (claims, expected) in cases {
        let got = check(&tokens, &signer.token(&claims));
        assert_eq!(got.as_deref().map_err(|denied| *denied), expected, "{claims}");
    }
}

#[test]
fn without_an_audience_a_token_for_somebody_is_for_somebody_else() {
    let signer = Signer::es256();
    let keys = Keys::parse("keys", &signer.pem()).unwrap();
    let tokens = Tokens::new(keys, TokenRules { audience: None, ..rules() });
    assert_eq!(check(&tokens, &signer.token(&with("aud", Value::Null))).as_deref(), Ok("d1"));
    assert_eq!(check(&tokens, &signer.token(&claims())), Err(Denied::TokenForeign));
}

#[test]
fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let (elliptic, rsa) = (Signer::es256(), Signer::rs256());
    let both = format!("{}{}", elliptic.pem(), rsa.pem());
    let tokens = tokens(&both);
    assert!(check(&tokens, &elliptic.token(&claims())).is_ok());
    assert!(check(&tokens, &rsa.token(&claims())).is_ok());
    // The public key is no secret: as the key of an HMAC it would sign for everybody.
    for key in [elliptic.pem(), rsa.pem(), both.clone()] {
        let token = hmac_token(key.as_bytes(), &claims());
        assert_eq!(check(&tokens, &token), Err(Denied::TokenAlgorithm));
    }
    for public in [&elliptic.public, &rsa.public] {
        assert_eq!(check(&tokens, &hmac_token(public, &claims())), Err(Denied::TokenAlgorithm));
    }
    for algorithm in ["none", "None", "NONE", "", "HS256", "ES384", "RS512", "PS256", "EdDSA"] {
        let token = forged(&json!({"alg": algorithm, "typ": "JWT"}), &claims(), b"");
        assert_eq!(check(&tokens, &token), Err(Denied::TokenAlgorithm), "{algorithm}");
    }
    // A header that says the other one of the two finds the other key.
    let good = elliptic.token(&claims());
    let signature = good.rsplit('.').next().unwrap();
    for header in [json!({"alg": "RS256"}), json!({"alg": "ES256"})] {
        let body = forged(&header, &claims(), b"");
        let token = format!("{}{signature}", body);
        assert_eq!(check(&tokens, &token), Err(Denied::TokenSignature), "{header}");
    }
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (ours, theirs) = (Signer::es256(), Signer::es256());
    let tokens = tokens(&ours.pem());
    assert_eq!(check(&tokens, &theirs.token(&claims())), Err(Denied::TokenSignature));
    let mut header = Header::new(Algorithm::ES256);
    header.jwk = Some(serde_json::from_value(theirs.jwk.clone()).unwrap());
    header.jku = Some("http://127.0.0.1:1/keys".to_owned());
    assert_eq!(check(&tokens, &theirs.token_with(&header, &claims())), Err(Denied::TokenSignature));
    let mut header = Header::new(Algorithm::ES256);
    header.crit = Some(vec!["exp".to_owned()]);
    assert_eq!(check(&tokens, &ours.token_with(&header, &claims())), Err(Denied::TokenAlgorithm));
}

#[test]
fn a_key_identifier_chooses_among_the_keys() {
    let (old, new) = (Signer::es256(), Signer::es256());
    let tokens = tokens(&json!({"keys": [old.jwk("old"), new.jwk("new")]}).to_string());
    assert!(check(&tokens, &old.token_of("old", &claims())).is_ok());
    assert!(check(&tokens, &new.token_of("new", &claims())).is_ok());
    assert_eq!(check(&tokens, &old.token_of("new", &claims())), Err(Denied::TokenSignature));
    assert_eq!(check(&tokens, &old.token_of("lost", &claims())), Err(Denied::TokenSignature));
    // One that says none may be of any.
    assert!(check(&tokens, &new.token(&claims())).is_ok());
}

#[test]
fn what_is_no_token_is_refused_whatever_it_is() {
    let signer = Signer::es256();
    let tokens = tokens(&signer.pem());
    let good = signer.token(&claims());
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    for token in [
        "x".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{header}.{body}"),
        format!("{good}.{signature}"),
        format!("{header}=.{body}.{signature}"),
        "\u{1F600}.a.b".to_owned(),
        "a".repeat(60_000),
        ".".repeat(60_000),
    ] {
        assert_eq!(
            check(&tokens, &token),
            Err(Denied::NoToken),
            "{}",
            &token[..token.len().min(80)]
        );
    }
    assert_eq!(check(&tokens, ""), Err(Denied::NothingShown));
    let nothing = Credentials { user_name: Some("ann".into()), password: None };
    assert_eq!(tokens.check(&nothing, NOW), Err(Denied::NothingShown));
    // Each byte counts.
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let credentials = Credentials { user_name: None, password: Some(Password::new(&bytes)) };
        // The last letter of base64 has bits that nobody reads.
        let read = tokens.check(&credentials, NOW);
        assert!(read.is_err() || at == good.len() - 1, "byte {at} may be another one");
    }
}

#[test]
fn a_file_of_keys_is_used_whole_or_not_at_all() {
    let (elliptic, large) = (Signer::es256(), Signer::es384());
    let private = pem_of("PRIVATE KEY", &[0x30, 0]);
    let broken = pem_of("PUBLIC KEY", &[0x30, 3, 2, 1, 1]);
    let good = elliptic.pem();
    let lines = good.lines().count() + 1;
    let mut short = elliptic.jwk("a");
    short["x"] = json!("AAAA");
    let cases = [
        (String::new(), "keys: has no key"),
        ("hello\n".to_owned(), "keys: has no key"),
        ("{}".to_owned(), "keys:1: is no JSON Web Key Set"),
        ("{\"keys\":\n[}".to_owned(), "keys:2: is no JSON Web Key Set"),
        ("{\"keys\":[]}".to_owned(), "keys: has no key"),
        (private.clone(), "keys:1: is a private key"),
        (format!("{good}{private}"), &format!("keys:{lines}: is a private key") as &str),
        (format!("{good}{broken}"), &format!("keys:{lines}: is no public key")),
        (large.pem(), "keys:1: isn't a key of P-256"),
        (pem_of("CERTIFICATE", &[0x30, 0]), "keys:1: is no public key"),
        (good.replace("-----END PUBLIC KEY-----", ""), "keys:1: begins a block that never ends"),
        (
            json!({"keys": [elliptic.jwk("a"), large.jwk("b")]}).to_string(),
            "keys: keys[1]: is neither",
        ),
        (
            json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string(),
            "keys: keys[0]: is a secret",
        ),
        (json!({"keys": [short]}).to_string(), "keys: keys[0]: isn't a key of P-256"),
        (
            json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}).to_string(),
            "keys: keys[0]: is an RSA key of less than 2048 bits",
        ),
    ];
    for (text, expected) in cases {
        let faults = Keys::parse("keys", &text).expect_err(expected);
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with(expected), "{told:?} instead of {expected}");
    }
    let many = json!({"keys": (0..33).map(|_| elliptic.jwk.clone()).collect::<Vec<_>>()});
    assert!(Keys::parse("keys", &many.to_string()).is_err());
    let others = json!({"keys": [elliptic.jwk("a"), {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}]});
    assert!(Keys::parse("keys", &others.to_string()).is_ok(), "keys for other things don't count");
}

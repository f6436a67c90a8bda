//! Who may come in: files of users and of keys, and tokens. Nothing is an open door, and no fault shows what it is about.

use std::sync::OnceLock;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use interlingua::access::{Credentials, Keys, Password, TokenRules, Tokens, Users};
use interlingua::document::Fault;
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use serde_json::Value;

/// The clock, in seconds since 1970.
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 30;

/// The first byte says what the others are.
pub fn access(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    match (choice, str::from_utf8(rest)) {
        (0, Ok(text)) => quiet(Users::parse("users.txt", text).err(), text),
        (1, Ok(text)) => quiet(Keys::parse("keys.pem", text).err(), text),
        (2, _) => assert!(check(rest).is_none(), "nobody has signed this"),
        (3, _) => claims(rest),
        _ => {}
    }
}

/// A refused file is told, and nothing of a line that could be a hash or a key.
fn quiet(faults: Option<Vec<Fault>>, text: &str) {
    let Some(faults) = faults else { return };
    assert!(!faults.is_empty(), "refused without a word");
    let told: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '+');
    for word in words.filter(|word| word.len() >= 24) {
        assert!(!told.contains(word), "{told}");
    }
}

struct Signer {
    private: EncodingKey,
    tokens: Tokens,
}

fn signer() -> &'static Signer {
    static ONE: OnceLock<Signer> = OnceLock::new();
    ONE.get_or_init(|| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let private = pair.to_pkcs8v1().expect("a key");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key");
        let keys = pem::encode(&pem::Pem::new("PUBLIC KEY", public.as_ref()));
        let rules = TokenRules {
            audience: Some("here".to_owned()),
            issuer: Some("them".to_owned()),
            claim: Some("sub".to_owned()),
            leeway: Duration::from_secs(LEEWAY),
        };
        let keys = Keys::parse("keys.pem", &keys).expect("a key");
        Signer {
            private: EncodingKey::from_ec_der(private.as_ref()),
            tokens: Tokens::new(keys, rules),
        }
    })
}

/// Name and end of a token that is taken.
fn check(token: &[u8]) -> Option<(String, u64)> {
    let credentials = Credentials { user_name: None, password: Some(Password::new(token)) };
    let subject = signer().tokens.check(&credentials, NOW).ok()?;
    Some((subject.name.into(), subject.expires_unix_s?))
}

/// Signed claims are taken only if they say all that the rules want.
fn claims(claims: &[u8]) {
    let header = base64url(br#"{"alg":"ES256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", base64url(claims));
    let signature =
        sign(signed.as_bytes(), &signer().private, Algorithm::ES256).expect("a signature");
    let Some((name, end)) = check(format!("{signed}.{signature}").as_bytes()) else { return };
    let claims: Value = serde_json::from_slice(claims).expect("claims are JSON");
    assert_eq!(claims["sub"], Value::from(name.as_str()));
    assert!(!name.is_empty());
    assert_eq!(claims["iss"], "them");
    let audience = &claims["aud"];
    assert!(
        audience == "here" || audience.as_array().is_some_and(|all| all.contains(&"here".into()))
    );
    assert!(end > NOW, "over");
    match claims["exp"].as_u64() {
        Some(exp) => assert_eq!(exp.saturating_add(LEEWAY), end),
        None => assert!(
            claims["exp"].as_f64().is_some_and(|exp| exp.trunc() + LEEWAY as f64 == end as f64)
        ),
    }
    let early = claims
        .get("nbf")
        .map(|nbf| nbf.as_f64().is_none_or(|nbf| nbf >= (NOW + LEEWAY + 1) as f64));
    assert_ne!(early, Some(true), "not valid yet");
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    out
}

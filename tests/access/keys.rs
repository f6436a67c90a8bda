//! Keys and tokens, made by the libraries that sign them.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test binary compiles this room for itself and uses a part of it"
)]

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair, RsaKeyPair,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// A pair of keys.
pub struct Signer {
    pub algorithm: Algorithm,
    pub private: EncodingKey,
    /// SubjectPublicKeyInfo, DER.
    pub public: Vec<u8>,
    pub jwk: Value,
}

pub fn pem_of(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
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

fn of_curve(algorithm: &'static EcdsaSigningAlgorithm, word: Algorithm, curve: &str) -> Signer {
    let pair = EcdsaKeyPair::generate(algorithm).expect("a key");
    let private = pair.to_pkcs8v1().expect("a key");
    let point = pair.public_key().as_ref().to_vec();
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key");
    Signer {
        algorithm: word,
        private: EncodingKey::from_ec_der(private.as_ref()),
        public: public.as_ref().to_vec(),
        jwk: json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)}),
    }
}

impl Signer {
    pub fn es256() -> Self {
        of_curve(&ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::ES256, "P-256")
    }

    pub fn es384() -> Self {
        of_curve(&ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::ES384, "P-384")
    }

    pub fn rs256() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("a key");
        let pkcs1 = pem::Pem::new("PRIVATE KEY", private.as_ref());
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key");
        let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
        Self {
            algorithm: Algorithm::RS256,
            private: EncodingKey::from_rsa_pem(pem::encode(&pkcs1).as_bytes()).expect("a key"),
            public: public.as_ref().to_vec(),
            jwk: json!({
                "kty": "RSA",
                "n": base64url(modulus.big_endian_without_leading_zero()),
                "e": base64url(exponent.big_endian_without_leading_zero()),
            }),
        }
    }

    pub fn pem(&self) -> String {
        pem_of("PUBLIC KEY", &self.public)
    }

    /// The key in a set, under this identifier.
    pub fn jwk(&self, identifier: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = json!(identifier);
        jwk
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&Header::new(self.algorithm), claims)
    }

    pub fn token_of(&self, identifier: &str, claims: &Value) -> String {
        let header = Header { kid: Some(identifier.to_owned()), ..Header::new(self.algorithm) };
        self.token_with(&header, claims)
    }

    pub fn token_with(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.private).expect("a token")
    }
}

/// A token whose header says whatever it says, with this signature.
pub fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    format!("{}.{}.{}", part(header), part(claims), base64url(signature))
}

/// What HMAC-SHA-256 with this key makes of the header and the claims: the token of the confusion attack.
pub fn hmac_token(key: &[u8], claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(key)).expect("a token")
}

/// Bytes that nobody can foresee.
pub fn random(count: usize) -> Vec<u8> {
    use aws_lc_rs::rand::SecureRandom;
    let mut bytes = vec![0; count];
    SystemRandom::new().fill(&mut bytes).expect("random bytes");
    bytes
}

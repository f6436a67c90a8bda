//! OmniCore's keys and tokens, made for one test and forgotten.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A key pair; the public half is in a file.
pub(crate) struct Signer {
    key: EncodingKey,
    pub(crate) algorithm: Algorithm,
    pub(crate) public: PathBuf,
    /// The same key in a certificate.
    pub(crate) certificate: PathBuf,
}

impl Signer {
    /// A P-256 key for ES256.
    pub(crate) fn elliptic(folder: &TempDir, name: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
        Self::write(folder, name, &pair, key, Algorithm::ES256)
    }

    /// An RSA key for RS256.
    pub(crate) fn rsa(folder: &TempDir, name: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).expect("a key");
        Self::write(folder, name, &pair, key, Algorithm::RS256)
    }

    fn write(
        folder: &TempDir,
        name: &str,
        pair: &KeyPair,
        key: EncodingKey,
        algorithm: Algorithm,
    ) -> Self {
        let public = folder.path().join(format!("{name}.pem"));
        fs::write(&public, pair.public_key_pem()).expect("a file");
        let certificate = folder.path().join(format!("{name}.crt"));
        let params = CertificateParams::new(Vec::new()).expect("parameters");
        let signed = params.self_signed(pair).expect("a certificate");
        fs::write(&certificate, signed.pem()).expect("a file");
        Self { key, algorithm, public, certificate }
    }

    /// A token for an hour.
    pub(crate) fn token(&self, audience: &str) -> String {
        self.sign(&json!({ "iat": now(), "exp": now() + 3600, "aud": audience }))
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.key).expect("a token")
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    since.as_secs()
}

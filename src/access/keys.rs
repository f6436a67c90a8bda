//! The keys that verify tokens: public keys as PEM, one or several behind each other, or a JSON Web Key Set (RFC 7517).

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

use crate::document::Fault;

use super::credentials::Witness;
use super::pem;

/// Keys of one file: each may have to be tried.
const KEYS_MAX: usize = 32;

/// Bytes of the shortest RSA modulus that is taken: 2048 bits (RFC 7518 section 3.3).
const MODULUS_BYTES_MIN: usize = 256;

/// An uncompressed point of P-256: its mark, 0x04, and two coordinates.
const POINT_BYTES: usize = 65;
const POINT_MARK: u8 = 0x04;

const REMEDY: &str = "write public keys of P-256 (ES256) or of RSA with 2048 bits or more (RS256), as PEM \
                      (`-----BEGIN PUBLIC KEY-----`) or as a JWKS (`{\"keys\":[…]}`)";

/// The keys of a file. At least one.
pub struct Keys(Vec<Key>);

/// A key with the one algorithm that it is for: what a token's header says can't change that.
pub(super) struct Key {
    pub(super) identifier: Option<Box<str>>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    pub(super) witness: Witness,
}

impl Key {
    fn new(identifier: Option<Box<str>>, (algorithm, key): (Algorithm, DecodingKey)) -> Self {
        let witness = match key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => Witness::new(bytes),
            DecodingKeyKind::RsaModulusExponent { n, .. } => Witness::new(n),
        };
        Self { identifier, algorithm, key, witness }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads a file; `file` is its name in faults.
    ///
    /// # Errors
    /// Every key that can't be used, and a file without keys.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut tell = |line: usize, key: String, message: String| {
            let (file, remedy) = (file.to_owned(), REMEDY.to_owned());
            faults.push(Fault { file, line, key, message, remedy });
        };
        let keys = match text.trim_start().starts_with('{') {
            true => of_set(text, &mut tell),
            false => of_pem(text, &mut tell),
        };
        match keys.len() {
            0 => tell(0, String::new(), "has no key, so nobody could come in".to_owned()),
            count if count > KEYS_MAX => {
                tell(0, String::new(), format!("has more than {KEYS_MAX} keys"));
            }
            _ => {}
        }
        // A file whose keys are all wrong is told once for each.
        if faults.len() > 1 {
            faults.retain(|fault| !fault.message.starts_with("has no key"));
        }
        if faults.is_empty() { Ok(Self(keys)) } else { Err(faults) }
    }

    /// Whether a key is still there.
    pub(super) fn has(&self, witness: &Witness) -> bool {
        self.0.iter().any(|key| key.witness == *witness)
    }

    /// The keys that may have signed a token of this algorithm: those with its key identifier, or those that have none. A
    /// token without a key identifier may be of any.
    pub(super) fn of_token<'k>(
        &'k self,
        algorithm: Algorithm,
        identifier: Option<&'k str>,
    ) -> impl Iterator<Item = &'k Key> {
        let may_be = move |key: &&Key| match (identifier, key.identifier.as_deref()) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        };
        self.0.iter().filter(move |key| key.algorithm == algorithm).filter(may_be)
    }
}

type Tell<'t> = &'t mut dyn FnMut(usize, String, String);

fn of_pem(text: &str, tell: Tell<'_>) -> Vec<Key> {
    let blocks = match pem::blocks(text) {
        Ok(blocks) => blocks,
        Err(broken) => {
            tell(broken.line, String::new(), broken.message.to_owned());
            return Vec::new();
        }
    };
    let mut keys = Vec::new();
    for block in blocks {
        match key_of_block(&block) {
            Ok(key) => keys.push(Key::new(None, key)),
            Err(message) => tell(block.line, String::new(), message.to_owned()),
        }
    }
    keys
}

fn key_of_block(block: &pem::Block<'_>) -> Result<(Algorithm, DecodingKey), &'static str> {
    if block.label.ends_with("PRIVATE KEY") {
        return Err("is a private key, which verifies nothing and shouldn't be here");
    }
    if !matches!(block.label, "PUBLIC KEY" | "RSA PUBLIC KEY") {
        return Err("is no public key");
    }
    let text = block.text.as_bytes();
    if let Ok(key) = DecodingKey::from_ec_pem(text) {
        return check_point(&key).map(|()| (Algorithm::ES256, key));
    }
    let key = DecodingKey::from_rsa_pem(text).map_err(|_| "is no public key that can be read")?;
    check_modulus(&key)?;
    Ok((Algorithm::RS256, key))
}

fn of_set(text: &str, tell: Tell<'_>) -> Vec<Key> {
    let set: JwkSet = match serde_json::from_str(text) {
        Ok(set) => set,
        Err(error) => {
            tell(error.line(), String::new(), "is no JSON Web Key Set".to_owned());
            return Vec::new();
        }
    };
    let mut keys = Vec::new();
    for (at, jwk) in set.keys.iter().enumerate() {
        // A set may have keys for other things; they are not for tokens.
        if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
            continue;
        }
        match key_of_jwk(jwk) {
            Ok(key) => {
                let identifier = jwk.common.key_id.as_deref().map(Into::into);
                keys.push(Key::new(identifier, key));
            }
            Err(message) => tell(0, format!("keys[{at}]"), message.to_owned()),
        }
    }
    keys
}

fn key_of_jwk(jwk: &Jwk) -> Result<(Algorithm, DecodingKey), &'static str> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(own) if own.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::OctetKey(_) => {
            return Err("is a secret: whoever reads this file could sign tokens with it");
        }
        _ => return Err("is neither of P-256 nor of RSA"),
    };
    let own = jwk.common.key_algorithm.map(|own| own.to_string());
    if own.is_some_and(|own| own != format!("{algorithm:?}")) {
        return Err("is for another algorithm than ES256 and RS256");
    }
    let key = DecodingKey::from_jwk(jwk).map_err(|_| "has a member that isn't base64url")?;
    match algorithm {
        Algorithm::ES256 => check_point(&key)?,
        _ => check_modulus(&key)?,
    }
    Ok((algorithm, key))
}

fn check_point(key: &DecodingKey) -> Result<(), &'static str> {
    match key.kind() {
        DecodingKeyKind::SecretOrDer(point)
            if point.len() == POINT_BYTES && point.first() == Some(&POINT_MARK) =>
        {
            Ok(())
        }
        _ => Err("isn't a key of P-256"),
    }
}

/// The modulus alone, or its sequence with the exponent (RFC 8017 appendix A.1.1), which is a little longer.
fn check_modulus(key: &DecodingKey) -> Result<(), &'static str> {
    let long = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let digits = n.iter().skip_while(|byte| **byte == 0).count();
            digits >= MODULUS_BYTES_MIN && !e.is_empty()
        }
        DecodingKeyKind::SecretOrDer(sequence) => sequence.len() > MODULUS_BYTES_MIN,
    };
    if long { Ok(()) } else { Err("is an RSA key of less than 2048 bits") }
}

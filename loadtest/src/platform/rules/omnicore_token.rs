//! OmniCore's password: a JSON Web Token, checked against the public keys of a device or registry.
//!
//! Sources: (jwt) docs.iotcore.omnicore.korewireless.com, managing-credentials/using-json-web-tokens-jwts: `iat`,
//! `exp`, `aud`, RS256 or ES256; (sdk) github.com/korewireless/OmniCore-C-Device-SDK: no padding, the subscription in
//! `aud`; (openapi) github.com/korewireless/OmniCore-Go-SDK api/openapi.yaml: RSA_PEM, RSA_X509_PEM, ES256_PEM,
//! ES256_X509_PEM. "Ancestor" is cloud.google.com/iot/docs (retired): 24 hours at most, clocks may differ by ten minutes.

use std::path::Path;

use anyhow::{Context, bail};
use interlingua::mqtt::ReasonCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::platform::finding::{Fault, Rule};

/// A token may live so long (ancestor).
const LIFE_SECONDS_MAX: u64 = 24 * 60 * 60;

/// A public key with the one algorithm that it is for.
pub(super) struct Key {
    key: DecodingKey,
    algorithm: Algorithm,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({:?})", self.algorithm)
    }
}

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) audience: &'a str,
    /// Seconds by which clocks may differ.
    pub(super) skew: u64,
    /// Seconds since 1970.
    pub(super) now: u64,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iat: Option<u64>,
    exp: Option<u64>,
    aud: Option<Audience>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }
}

/// Reads a public key or certificate.
///
/// # Errors
/// A file that can't be read, or is neither RSA nor P-256.
pub(super) fn read_key(path: &Path) -> anyhow::Result<Key> {
    let pem = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    if pem.windows(11).any(|part| part == b"PRIVATE KEY") {
        bail!("{} is a private key; the platform has the public one", path.display());
    }
    if let Ok(key) = DecodingKey::from_ec_pem(&pem) {
        return Ok(Key { key, algorithm: Algorithm::ES256 });
    }
    match DecodingKey::from_rsa_pem(&pem) {
        Ok(key) => Ok(Key { key, algorithm: Algorithm::RS256 }),
        Err(_) => bail!("{} is no public key or certificate (PEM, RSA or P-256)", path.display()),
    }
}

/// Checks a token. Says until when it counts, in seconds since 1970.
///
/// # Errors
/// The first rule that it breaks; CONNACK's code is that of a bad password (the sibling's documents).
pub(super) fn check<'k>(
    token: &[u8],
    keys: impl Iterator<Item = &'k Key>,
    expected: Expected<'_>,
) -> Result<u64, Fault> {
    let fault = |rule, detail: &str| Fault::new(rule, ReasonCode::BadUserNameOrPassword, detail);
    if token.is_empty() {
        return Err(fault(Rule::TokenMissing, "there is no password"));
    }
    if token.contains(&b'=') {
        return Err(fault(Rule::TokenPadding, "base64url has to be without `=`"));
    }
    let header = decode_header(token)
        .map_err(|error| fault(Rule::TokenMalformed, &format!("the header: {error}")))?;
    if !matches!(header.alg, Algorithm::ES256 | Algorithm::RS256) {
        let detail = format!("{:?}; RS256 and ES256 are known", header.alg);
        return Err(fault(Rule::TokenAlgorithm, &detail));
    }
    let mut fitting = keys.filter(|key| key.algorithm == header.alg);
    let Some(claims) = fitting.find_map(|key| claims(token, key)) else {
        return Err(fault(Rule::TokenSignature, "no key of the device or registry fits"));
    };
    let claims: Claims = serde_json::from_value(claims)
        .map_err(|error| fault(Rule::TokenClaims, &format!("the claims: {error}")))?;
    check_claims(&claims, expected)
}

/// The claims, if the key fits. Their values are checked elsewhere.
fn claims(token: &[u8], key: &Key) -> Option<serde_json::Value> {
    let mut validation = Validation::new(key.algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    decode(token, &key.key, &validation).ok().map(|data| data.claims)
}

fn check_claims(claims: &Claims, expected: Expected<'_>) -> Result<u64, Fault> {
    let fault = |rule, detail: String| Fault::new(rule, ReasonCode::BadUserNameOrPassword, detail);
    let (Some(iat), Some(exp), Some(aud)) = (claims.iat, claims.exp, &claims.aud) else {
        return Err(fault(Rule::TokenClaims, "iat, exp and aud are needed".to_owned()));
    };
    if !aud.has(expected.audience) {
        let detail = format!("aud has to be {:?}", expected.audience);
        return Err(fault(Rule::TokenAudience, detail));
    }
    let until = exp.saturating_add(expected.skew);
    if until <= expected.now {
        let ago = expected.now - exp;
        return Err(fault(Rule::TokenExpired, format!("exp was {ago} seconds ago")));
    }
    if iat > expected.now.saturating_add(expected.skew) {
        let ahead = iat - expected.now;
        return Err(fault(Rule::TokenIssued, format!("iat is {ahead} seconds ahead")));
    }
    if exp.saturating_sub(iat) > LIFE_SECONDS_MAX {
        let life = exp - iat;
        return Err(fault(Rule::TokenLifetime, format!("{life} seconds from iat to exp")));
    }
    Ok(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn rule(iat: u64, exp: u64, aud: Audience) -> Result<u64, Rule> {
        let claims = Claims { iat: Some(iat), exp: Some(exp), aud: Some(aud) };
        let expected = Expected { audience: "acme", skew: 600, now: NOW };
        check_claims(&claims, expected).map_err(|fault| fault.rule)
    }

    fn acme() -> Audience {
        Audience::One("acme".to_owned())
    }

    #[test]
    fn claims_have_limits_on_both_sides() {
        assert_eq!(rule(NOW, NOW + 3600, acme()), Ok(NOW + 4200));
        assert_eq!(rule(NOW - 9000, NOW - 599, acme()), Ok(NOW + 1));
        assert_eq!(rule(NOW - 9000, NOW - 600, acme()), Err(Rule::TokenExpired));
        assert_eq!(rule(NOW + 600, NOW + 700, acme()), Ok(NOW + 1300));
        assert_eq!(rule(NOW + 601, NOW + 700, acme()), Err(Rule::TokenIssued));
        assert_eq!(rule(NOW, NOW + 86_400, acme()), Ok(NOW + 87_000));
        assert_eq!(rule(NOW, NOW + 86_401, acme()), Err(Rule::TokenLifetime));
    }

    #[test]
    fn the_audience_is_one_of_a_list_or_the_only_one() {
        let several = |names: &[&str]| {
            Audience::Several(names.iter().map(|name| (*name).to_owned()).collect())
        };
        assert!(rule(NOW, NOW + 1, several(&["x", "acme"])).is_ok());
        assert_eq!(rule(NOW, NOW + 1, several(&["x"])), Err(Rule::TokenAudience));
        let other = Audience::One("acme2".to_owned());
        assert_eq!(rule(NOW, NOW + 1, other), Err(Rule::TokenAudience));
    }
}

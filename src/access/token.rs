//! Tokens: JSON Web Tokens (RFC 7519) in the place of the password, signed with ES256 or RS256.
//!
//! The algorithm is the key's, not the token's: a header that names another one finds no key (RFC 8725 section 3.1). Keys that
//! a header brings along or points to are not looked at. The clock is an argument.

use std::time::Duration;

use super::credentials::Witness;
use super::keys::Keys;

/// What a token has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// One of its `aud` has to be this. Without it, a token that has an audience is for somebody else (RFC 7519 section
    /// 4.1.3).
    pub audience: Option<String>,
    /// Its `iss`, where somebody certain has to have issued it.
    pub issuer: Option<String>,
    /// The claim that names its holder. Without it nobody is named.
    pub claim: Option<String>,
    /// How far the issuer's clock may be from ours.
    pub leeway: Duration,
}

/// Keys and rules of a listener.
#[derive(Debug)]
pub struct Tokens {
    keys: Keys,
    rules: TokenRules,
}

impl Tokens {
    /// Tokens that one of these keys has signed, and that say what the rules want.
    #[must_use]
    pub fn new(keys: Keys, rules: TokenRules) -> Self {
        Self { keys, rules }
    }

    /// Whether the key that has signed a token still counts.
    pub(super) fn has(&self, witness: &Witness) -> bool {
        self.keys.has(witness)
    }
}

#[cfg(feature = "server")]
mod verify {
    use jsonwebtoken::errors::ErrorKind;
    use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
    use serde_json::{Map, Value};

    use super::super::credentials::{Credentials, Denied, Subject, Witness};
    use super::{TokenRules, Tokens};

    type Claims = Map<String, Value>;

    impl Tokens {
        /// Checks the token that stands in the password's place; the user name isn't looked at. Costs a verification of
        /// its signature, a tenth of a millisecond or less, for each key that may have signed it.
        ///
        /// # Errors
        /// [`Denied`], all but [`Denied::WrongPassword`] and [`Denied::Busy`].
        pub fn check(&self, credentials: &Credentials, unix_s: u64) -> Result<Subject, Denied> {
            let token = credentials.password.as_ref().ok_or(Denied::NothingShown)?.reveal();
            if token.is_empty() {
                return Err(Denied::NothingShown);
            }
            let (claims, witness) = self.verified(token)?;
            let (name, expires_unix_s) = self.rules.accept(&claims, unix_s)?;
            Ok(Subject { name, expires_unix_s: Some(expires_unix_s), witness })
        }

        /// The claims of a token that one of the keys has signed, and that key.
        fn verified(&self, token: &[u8]) -> Result<(Claims, Witness), Denied> {
            let header = decode_header(token).map_err(|error| match error.kind() {
                // Its algorithm is a word that nobody knows.
                ErrorKind::Json(fault) if fault.is_data() => Denied::TokenAlgorithm,
                _ => Denied::NoToken,
            })?;
            // An extension that has to be understood, and isn't (RFC 7515 section 4.1.11).
            let taken = matches!(header.alg, Algorithm::ES256 | Algorithm::RS256);
            if !taken || header.crit.is_some() {
                return Err(Denied::TokenAlgorithm);
            }
            let validation = signature_only(header.alg);
            for key in self.keys.of_token(header.alg, header.kid.as_deref()) {
                match decode::<Claims>(token, &key.key, &validation) {
                    Ok(data) => return Ok((data.claims, key.witness.clone())),
                    Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                    Err(_) => return Err(Denied::NoToken),
                }
            }
            Err(Denied::TokenSignature)
        }
    }

    /// The library would read the clock for `exp` and `nbf`; what the claims have to say is checked here.
    fn signature_only(algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation
    }

    impl TokenRules {
        /// The name of the token's holder, and its end.
        fn accept(&self, claims: &Claims, unix_s: u64) -> Result<(Box<str>, u64), Denied> {
            let leeway = self.leeway.as_secs();
            let expires = claims.get("exp").and_then(seconds).ok_or(Denied::TokenExpired)?;
            let expires = expires.saturating_add(leeway);
            if expires <= unix_s {
                return Err(Denied::TokenExpired);
            }
            if let Some(start) = claims.get("nbf") {
                let start = seconds(start).ok_or(Denied::TokenEarly)?;
                if start > unix_s.saturating_add(leeway) {
                    return Err(Denied::TokenEarly);
                }
            }
            if !self.is_for_us(claims) || !self.is_from_ours(claims) {
                return Err(Denied::TokenForeign);
            }
            let name = match &self.claim {
                Some(claim) => {
                    let name = claims.get(claim).and_then(Value::as_str);
                    name.filter(|name| !name.is_empty()).ok_or(Denied::TokenNameless)?
                }
                None => "",
            };
            Ok((name.into(), expires))
        }

        fn is_for_us(&self, claims: &Claims) -> bool {
            let Some(own) = &self.audience else { return !claims.contains_key("aud") };
            match claims.get("aud") {
                Some(Value::String(audience)) => audience == own,
                Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(own)),
                _ => false,
            }
        }

        fn is_from_ours(&self, claims: &Claims) -> bool {
            let Some(issuer) = &self.issuer else { return true };
            claims.get("iss").and_then(Value::as_str) == Some(issuer)
        }
    }

    /// A `NumericDate` (RFC 7519 section 2): seconds since 1970, perhaps with a fraction, which is cut off.
    fn seconds(value: &Value) -> Option<u64> {
        value.as_u64().or_else(|| {
            let number = value.as_f64().filter(|number| (0.0..=MAX_EXACT).contains(number))?;
            format!("{}", number.trunc()).parse().ok()
        })
    }

    /// Up to here every whole number is a double.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
}

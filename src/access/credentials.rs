//! What a device shows of itself, what that proves, and why it may not come in.

use std::fmt;
use std::sync::Arc;

/// A password as it came: any bytes. It can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<[u8]>);

impl Password {
    /// Wraps the bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for checking them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The credentials of a CONNECT. Absent and empty are different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user_name: Option<Box<str>>,
    /// The password, or the token that stands in its place.
    pub password: Option<Password>,
}

/// What is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The user name, the token's claim that the configuration names, or the certificate's common name.
    pub name: Box<str>,
    /// When it ends to be true, in seconds since 1970.
    pub expires_unix_s: Option<u64>,
    /// By what it was proven.
    pub witness: Witness,
}

/// What has proven a name: a user's hash or the key of a token. While the guard has it, the name stands. Of a certificate
/// nothing is kept here: its connection has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Witness(Arc<[u8]>);

impl Witness {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// A certificate, which TLS keeps for as long as the connection lasts.
    pub(super) fn of_connection() -> Self {
        Self(Arc::default())
    }

    pub(super) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a device may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denied {
    /// The CONNECT has no user name, no password, or no token.
    NothingShown,
    /// There is no such user, or the password is another one. Which of the two, nobody is told.
    WrongPassword,
    /// The password isn't a token.
    NoToken,
    /// The token is signed in a way that isn't taken, or wants something that isn't known.
    TokenAlgorithm,
    /// None of the keys has signed the token.
    TokenSignature,
    /// The token is over, or doesn't say when it will be.
    TokenExpired,
    /// The token isn't valid yet.
    TokenEarly,
    /// The token is for somebody else, or from somebody else.
    TokenForeign,
    /// The token doesn't have the claim that names its holder.
    TokenNameless,
    /// The device showed no certificate.
    NoCertificate,
    /// The certificate has no common name, or several, of which one reader would take the first and another the last.
    CertificateNameless,
    /// The certificate isn't valid any more.
    CertificateExpired,
    /// Too many wait to be checked, or it took too long.
    Busy,
}

impl Denied {
    /// One sentence for a person, without a byte from the network.
    #[must_use]
    pub fn detail(self) -> &'static str {
        match self {
            Self::NothingShown => "user name and password, or the token, are missing",
            Self::WrongPassword => "there is no such user with this password",
            Self::NoToken => "the password isn't a token",
            Self::TokenAlgorithm => "the token isn't signed with ES256 or RS256, or has `crit`",
            Self::TokenSignature => "no key of the file has signed the token",
            Self::TokenExpired => "the token has expired, or has no `exp`",
            Self::TokenEarly => "the token isn't valid yet (`nbf`)",
            Self::TokenForeign => "the token has another audience or issuer",
            Self::TokenNameless => "the token doesn't have the claim that names its holder",
            Self::NoCertificate => "the device showed no certificate",
            Self::CertificateNameless => "the certificate doesn't have exactly one common name",
            Self::CertificateExpired => "the certificate has expired",
            Self::Busy => "too many connections wait for their credentials to be checked",
        }
    }
}

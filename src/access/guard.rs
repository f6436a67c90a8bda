//! The guard of a listener: one source of proof, and the file that it is made of. Certificates have no guard: TLS has
//! verified them.

use crate::document::Fault;

use super::credentials::Witness;
use super::keys::Keys;
use super::token::{TokenRules, Tokens};
use super::users::Users;

/// What credentials are checked against.
#[derive(Debug)]
pub enum Guard {
    /// User names with passwords.
    Users(Users),
    /// Tokens in the place of the password.
    Tokens(Tokens),
}

/// Which file a guard is made of, and how: at the start, and again when the file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of users.
    Passwords {
        /// Its path, as configured.
        file: String,
    },
    /// A file of keys.
    Tokens {
        /// Its path, as configured.
        file: String,
        /// What the tokens have to say.
        rules: TokenRules,
    },
}

impl Source {
    /// The path of the file, as configured.
    #[must_use]
    pub fn file(&self) -> &str {
        match self {
            Self::Passwords { file } | Self::Tokens { file, .. } => file,
        }
    }

    /// Makes the guard of the file's text.
    ///
    /// # Errors
    /// Everything that is wrong with the file; it is used whole or not at all.
    pub fn guard(&self, text: &str) -> Result<Guard, Vec<Fault>> {
        match self {
            Self::Passwords { file } => Users::parse(file, text).map(Guard::Users),
            Self::Tokens { file, rules } => {
                Keys::parse(file, text).map(|keys| Guard::Tokens(Tokens::new(keys, rules.clone())))
            }
        }
    }
}

impl Guard {
    /// Whether what has proven a name is still there: the same hash of the same user, or the key of the token.
    #[must_use]
    pub fn stands_by(&self, name: &str, witness: &Witness) -> bool {
        match self {
            Self::Users(users) => users.has(name, witness),
            Self::Tokens(tokens) => tokens.has(witness),
        }
    }
}

#[cfg(feature = "server")]
impl Guard {
    /// Checks the credentials of a CONNECT at this time, in seconds since 1970. A password costs tens of milliseconds.
    ///
    /// # Errors
    /// Why the device may not come in.
    pub fn check(
        &self,
        credentials: &super::Credentials,
        unix_s: u64,
    ) -> Result<super::Subject, super::Denied> {
        match self {
            Self::Users(users) => users.check(credentials),
            Self::Tokens(tokens) => tokens.check(credentials, unix_s),
        }
    }
}

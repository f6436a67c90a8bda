//! The file of users: one `name:$argon2id$…` per line.
//!
//! ```text
//! # who may come in; `interlingua password NAME` writes a line
//! 1085266243:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$…
//! ```

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use crate::document::Fault;

use super::credentials::{Credentials, Denied, Password, Subject, Witness};

/// What one check may cost at most: a line is somebody's text, and the proxy pays for it with each CONNECT.
const MEMORY_KIB_MAX: u32 = 128 * 1024;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 16;
/// Bytes. 16 is what RFC 9106 section 4 recommends for the salt; the library takes 8.
const OUTPUT_BYTES_MIN: usize = 16;

/// Bytes of a user name, as MQTT has it.
const NAME_BYTES_MAX: usize = 65_535;

const REMEDY: &str = "write the line that `interlingua password NAME` prints";

/// Users with their hashes. At least one.
pub struct Users {
    names: HashMap<Box<str>, usize>,
    hashes: Vec<Witness>,
    /// Spreads unknown names over the lines; drawn anew with each file.
    keys: RandomState,
}

/// Names and hashes are nobody's to see.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("count", &self.hashes.len()).finish_non_exhaustive()
    }
}

impl Users {
    /// Reads a file; `file` is its name in faults. Empty lines and lines that start with `#` don't count.
    ///
    /// # Errors
    /// Every line that can't be used, and a file without users.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let mut users =
            Self { names: HashMap::new(), hashes: Vec::new(), keys: RandomState::new() };
        let mut faults = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err((message, remedy)) = users.add(line) {
                faults.push(fault(file, at + 1, message, remedy));
            }
        }
        if faults.is_empty() && users.hashes.is_empty() {
            faults.push(fault(file, 0, "has no user, so nobody could come in", REMEDY));
        }
        if faults.is_empty() { Ok(users) } else { Err(faults) }
    }

    fn add(&mut self, line: &str) -> Result<(), (&'static str, &'static str)> {
        let (name, hash) =
            line.split_once(':').ok_or(("is no user: it has no `:` behind the name", REMEDY))?;
        check_name(name).map_err(|message| (message, REMEDY))?;
        let hash = hash.trim_end();
        check_hash(hash)?;
        if self.names.insert(name.into(), self.hashes.len()).is_some() {
            return Err(("is a second line for the same user", "keep one of them"));
        }
        self.hashes.push(Witness::new(hash.as_bytes()));
        Ok(())
    }

    /// Checks a user name with its password. Costs what the user's line says; for a name that isn't there, what some
    /// other line says, so that the time doesn't tell who exists.
    ///
    /// # Errors
    /// [`Denied::NothingShown`], [`Denied::WrongPassword`].
    pub fn check(&self, credentials: &Credentials) -> Result<Subject, Denied> {
        let Credentials { user_name: Some(name), password: Some(password) } = credentials else {
            return Err(Denied::NothingShown);
        };
        let (at, known) = match self.names.get(name) {
            Some(at) => (*at, true),
            None => (self.decoy_of(name), false),
        };
        let hash = self.hashes.get(at).filter(|hash| is_of(hash, password));
        match hash.filter(|_| known) {
            Some(hash) => {
                let witness = hash.clone();
                Ok(Subject { name: name.clone(), expires_unix_s: None, witness })
            }
            None => Err(Denied::WrongPassword),
        }
    }

    /// Whether a user is still there with the hash that let it in.
    pub(super) fn has(&self, name: &str, witness: &Witness) -> bool {
        self.names.get(name).and_then(|at| self.hashes.get(*at)) == Some(witness)
    }

    /// The line whose hash is computed for a name that isn't there: always the same one for one name.
    fn decoy_of(&self, name: &str) -> usize {
        let lines = self.hashes.len().max(1) as u64;
        usize::try_from(self.keys.hash_one(name) % lines).unwrap_or(0)
    }
}

/// The line of a user: name, `:`, and the hash with the library's default cost (19 MiB, two passes). The caller draws the
/// salt: at least 8 bytes that nobody can foresee.
///
/// # Errors
/// What is wrong with the name or the salt.
pub fn line_of(name: &str, password: &Password, salt: &[u8]) -> Result<String, String> {
    check_name(name).map_err(|message| format!("the name {message}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    let hash: PasswordHash = argon2
        .hash_password_with_salt(password.reveal(), salt)
        .map_err(|error| format!("the password can't be hashed: {error}"))?;
    Ok(format!("{name}:{hash}"))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > NAME_BYTES_MAX {
        return Err("is longer than a user name of MQTT can be");
    }
    if name.starts_with('#') || name.contains(|letter: char| letter == ':' || letter.is_control()) {
        return Err("starts with `#`, or has a `:` or a control character");
    }
    if name.trim() != name {
        return Err("starts or ends with a space");
    }
    Ok(())
}

fn check_hash(hash: &str) -> Result<(), (&'static str, &'static str)> {
    const COST: &str = "hash with at most m=131072 (KiB), t=10 and p=16";
    let malformed = || ("has no hash of the form `$argon2id$v=19$m=…,t=…,p=…$salt$hash`", REMEDY);
    let parsed = PasswordHash::new(hash).map_err(|_| malformed())?;
    if parsed.algorithm.as_str() != "argon2id" || parsed.version != Some(0x13) {
        return Err(("isn't argon2id of version 19", REMEDY));
    }
    let output = parsed.hash.as_ref().ok_or_else(malformed)?;
    if parsed.salt.is_none() || output.len() < OUTPUT_BYTES_MIN {
        return Err(malformed());
    }
    let params = Params::try_from(&parsed).map_err(|_| malformed())?;
    let dear = params.m_cost() > MEMORY_KIB_MAX
        || params.t_cost() > PASSES_MAX
        || params.p_cost() > LANES_MAX;
    if dear { Err(("costs more than the proxy pays for a CONNECT", COST)) } else { Ok(()) }
}

/// Whether a hash is of this password. The library compares in constant time.
fn is_of(hash: &Witness, password: &Password) -> bool {
    let text = std::str::from_utf8(hash.reveal()).ok();
    let Some(parsed) = text.and_then(|text| PasswordHash::new(text).ok()) else { return false };
    Argon2::default().verify_password(password.reveal(), &parsed).is_ok()
}

fn fault(file: &str, line: usize, message: &str, remedy: &str) -> Fault {
    Fault {
        file: file.to_owned(),
        line,
        key: String::new(),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `secret`, as cheap as it can be.
    fn cheap(name: &str, password: &[u8]) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: PasswordHash =
            argon2.hash_password_with_salt(password, b"salt of tests").unwrap();
        format!("{name}:{hash}")
    }

    fn shown(name: &str, password: &[u8]) -> Credentials {
        Credentials { user_name: Some(name.into()), password: Some(Password::new(password)) }
    }

    #[test]
    fn who_has_the_password_comes_in_and_nobody_else() {
        let text =
            format!("# people\n\n{}\n{}\r\n", cheap("ann", b"\xFFone"), cheap("bob", b"two"));
        let users = Users::parse("users.txt", &text).unwrap();
        let name = |credentials: &Credentials| users.check(credentials).map(|subject| subject.name);
        assert_eq!(name(&shown("ann", b"\xFFone")), Ok("ann".into()));
        assert_eq!(name(&shown("bob", b"two")), Ok("bob".into()));
        // The hash that is computed for an unknown name may well be of this password.
        for (user, password) in
            [("ann", &b"two"[..]), ("eve", b"two"), ("eve", b"\xFFone"), ("", b""), ("ann", b"")]
        {
            assert_eq!(name(&shown(user, password)), Err(Denied::WrongPassword), "{user}");
        }
        let nothing = Credentials { user_name: Some("ann".into()), password: None };
        assert_eq!(name(&nothing), Err(Denied::NothingShown));
        let nobody = Credentials { user_name: None, password: Some(Password::new(b"two")) };
        assert_eq!(name(&nobody), Err(Denied::NothingShown));
        assert!(!format!("{users:?}{:?}", shown("ann", b"hunter2")).contains("hunter"));
    }

    #[test]
    fn unknown_names_cost_what_the_lines_cost() {
        let text = (0..8).map(|user| cheap(&format!("u{user}"), b"p") + "\n").collect::<String>();
        let users = Users::parse("users.txt", &text).unwrap();
        let decoys: std::collections::BTreeSet<usize> =
            (0..200).map(|name| users.decoy_of(&format!("x{name}"))).collect();
        assert!(decoys.len() > 4, "unknown names have to be spread over the lines: {decoys:?}");
        assert_eq!(users.decoy_of("eve"), users.decoy_of("eve"));
    }

    #[test]
    fn every_line_that_cannot_be_used_is_told() {
        let good = cheap("ann", b"one");
        let hash = good.strip_prefix("ann:").unwrap();
        let cases = [
            (String::new(), "users.txt: has no user"),
            ("# nobody\n".into(), "users.txt: has no user"),
            ("ann\n".into(), "users.txt:1: is no user"),
            ("ann:hunter2\n".into(), "users.txt:1: has no hash"),
            ("ann:\n".into(), "users.txt:1: has no hash"),
            (format!(":{hash}\n"), "users.txt:1: is empty"),
            (format!(" ann:{hash}\n"), "users.txt:1: starts or ends with a space"),
            (format!("a\tb:{hash}\n"), "users.txt:1: starts with `#`, or has a `:` or a control"),
            (format!("{good}\n{good}\n"), "users.txt:2: is a second line for the same user"),
            (
                format!("\n\n{}\n", good.replace("argon2id", "argon2i")),
                "users.txt:3: isn't argon2id",
            ),
            (good.replace("v=19", "v=16"), "users.txt:1: isn't argon2id of version 19"),
            (good.replace("m=8", "m=131073"), "users.txt:1: costs more"),
            (good.replace("t=1", "t=11"), "users.txt:1: costs more"),
            (good.replace("m=8,t=1,p=1", "m=4096,t=1,p=17"), "users.txt:1: costs more"),
            (good.replace("m=8", "m=7"), "users.txt:1: has no hash"),
            (good.replace("m=8", "x=8"), "users.txt:1: has no hash"),
            (good.rsplit_once('$').unwrap().0.to_owned(), "users.txt:1: has no hash"),
        ];
        for (text, expected) in cases {
            let faults = Users::parse("users.txt", &text).unwrap_err();
            let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with(expected), "{told:?} instead of {expected}");
            assert!(!told[0].contains("hunter2") && !told[0].contains(hash), "{told:?}");
        }
        let two = Users::parse("users.txt", "a\nb\n").unwrap_err();
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn the_line_that_is_printed_lets_its_user_in() {
        let line = line_of("ann", &Password::new(b"one"), b"0123456789abcdef").unwrap();
        assert!(line.starts_with("ann:$argon2id$v=19$m=19456,t=2,p=1$"), "{line}");
        let users = Users::parse("users.txt", &line).unwrap();
        assert!(users.check(&shown("ann", b"one")).is_ok());
        assert!(line_of("a:b", &Password::new(b"one"), b"0123456789abcdef").is_err());
        assert!(line_of("ann", &Password::new(b"one"), b"short").is_err());
    }
}

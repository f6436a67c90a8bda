//! The files of certificates and keys: read, taken apart, and what can be wrong with them.
//!
//! Invariant: no fault repeats what stands in a file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::CertificateFiles;

/// What is wrong with certificates, keys or authorities.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file can't be read.
    #[error("{} can't be read: {error}; correct the path, or let the proxy read it", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file without what it should have.
    #[error("{} has no {what} in PEM", .path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A file whose PEM or whose content can't be taken apart.
    #[error("{} is malformed: {why}", .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What the library said.
        why: String,
    },
    /// A key of another certificate.
    #[error("the key in {} doesn't belong to the certificate in {}; put both files of one certificate there", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The system has no authorities.
    #[error(
        "the system trusts nobody: {why}; install its certificates (Debian: ca-certificates), or write `ca` under [upstream.tls]"
    )]
    NoSystemAuthorities {
        /// What the library said.
        why: String,
    },
    /// A host that can't stand in a certificate.
    #[error(
        "`{name}` can't be the name in a certificate; write `server_name` under [upstream.tls]"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// What the library refuses for another reason.
    #[error("{0}")]
    Library(String),
}

/// What files hold, in a number: a different one is a different content.
pub(super) fn print<'p>(paths: impl Iterator<Item = &'p str>, folder: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        let content = fs::read(folder.join(path)).map_err(|error| error.kind());
        content.hash(&mut hasher);
    }
    hasher.finish()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFault> {
    fs::read(path).map_err(|error| TlsFault::Unreadable { path: path.to_owned(), error })
}

fn malformed(path: &Path, why: impl ToString) -> TlsFault {
    TlsFault::Malformed { path: path.to_owned(), why: why.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| malformed(path, error))?;
    match found.is_empty() {
        true => Err(TlsFault::Empty { path: path.to_owned(), what: "certificate" }),
        false => Ok(found),
    }
}

/// A certificate with its chain, and its key, which belongs to it.
pub(super) fn certified_key(
    files: &CertificateFiles,
    folder: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsFault> {
    use rustls::pki_types::pem::Error;
    let (certificate, path) = (folder.join(&files.certificate), folder.join(&files.key));
    let chain = certificates(&certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&path)?).map_err(|error| match error {
        Error::NoItemsFound => TlsFault::Empty { path: path.clone(), what: "private key" },
        error => malformed(&path, error),
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsFault::Mismatch { certificate, key: path },
        rustls::Error::InvalidCertificate(why) => malformed(&certificate, why),
        error => malformed(&path, error),
    })
}

/// The authorities in a file. Each has to be one.
pub(super) fn authorities(path: &str, folder: &Path) -> Result<RootCertStore, TlsFault> {
    let path = folder.join(path);
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&path)? {
        roots.add(certificate).map_err(|error| malformed(&path, error))?;
    }
    Ok(roots)
}

/// The authorities that the system trusts; what it has that can't be read is left out.
pub(super) fn system_authorities() -> Result<RootCertStore, TlsFault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or("nothing found".to_owned(), ToString::to_string);
        return Err(TlsFault::NoSystemAuthorities { why });
    }
    Ok(roots)
}

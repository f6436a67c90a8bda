//! Which of a listener's certificates a device is shown.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates of a listener. The one that fits the name that the device asks for (SNI) is shown; the first where
/// none does, since many devices ask for no name, or for one of their own invention.
#[derive(Debug)]
pub(super) struct ByName {
    certificates: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    pub(super) fn new(certificates: Vec<Arc<CertifiedKey>>) -> Self {
        Self { certificates }
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let [only] = self.certificates.as_slice() {
            return Some(only.clone());
        }
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        // A device that knows no ECDSA is shown one with RSA, if there is one for the name.
        let is_legible = |certificate: &&Arc<CertifiedKey>| {
            certificate.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        let legible = || self.certificates.iter().filter(is_legible);
        let named = name.and_then(|name| legible().find(|certificate| fits(certificate, &name)));
        named.or_else(|| legible().next()).cloned()
    }
}

fn fits(certificate: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = certificate.cert.first().map(ParsedCertificate::try_from);
    matches!(parsed, Some(Ok(parsed)) if verify_server_name(&parsed, name).is_ok())
}

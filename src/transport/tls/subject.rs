//! Who a device is by its certificate.

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is known of the certificate that a device has shown. An authority of its listener vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The common name of its subject. `None`: it has none, or several, of which one reader would take the first and
    /// another the last.
    pub common_name: Option<Box<str>>,
    /// The first second since 1970 in which it isn't valid any more.
    pub expires_unix_s: u64,
}

impl DeviceCertificate {
    /// Takes a certificate (DER) apart. What can't be read has no name and no time.
    fn read(certificate: &[u8]) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return Self { common_name: None, expires_unix_s: 0 };
        };
        // Its last second is one in which it is valid (RFC 5280 section 4.1.2.5).
        let last = u64::try_from(certificate.validity().not_after.timestamp());
        let expires_unix_s = last.map_or(0, |last| last.saturating_add(1));
        Self { common_name: common_name(&certificate), expires_unix_s }
    }
}

/// The certificate that a device has shown, and those that lead to its authority.
#[derive(Debug, Clone)]
pub struct Chain(Vec<CertificateDer<'static>>);

impl Chain {
    pub(in crate::transport) fn new(shown: Vec<CertificateDer<'static>>) -> Self {
        Self(shown)
    }

    /// `None`: none was shown.
    pub(in crate::transport) fn of(stream: &TlsStream<TcpStream>) -> Option<Self> {
        Some(Self(stream.get_ref().1.peer_certificates()?.to_vec()))
    }

    /// Takes the device's own apart.
    pub(in crate::transport) fn certificate(&self) -> Option<DeviceCertificate> {
        Some(DeviceCertificate::read(self.0.first()?))
    }

    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<Box<str>> {
    let mut names = certificate.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(only), None) => only.as_str().ok().map(Into::into),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, text) in names {
            params.distinguished_name.push(kind.clone(), *text);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_device_is_called_by_its_only_common_name() {
        let again = DnType::CustomDnType(vec![2, 5, 4, 3]);
        for (names, called) in [
            (&[(DnType::OrganizationName, "acme"), (DnType::CommonName, "m/77")][..], Some("m/77")),
            (&[(DnType::CommonName, "zähler")], Some("zähler")),
            (&[(DnType::OrganizationName, "acme")], None),
            (&[(DnType::CommonName, "one"), (again, "other")], None),
            (&[], None),
        ] {
            let read = DeviceCertificate::read(&certificate(names));
            assert_eq!(read.common_name.as_deref(), called, "{names:?}");
            // What rcgen writes where nothing is said: the first day of 4096.
            assert_eq!(read.expires_unix_s, 67_090_118_400 + 1);
        }
        let nothing = DeviceCertificate { common_name: None, expires_unix_s: 0 };
        assert_eq!(DeviceCertificate::read(b"\x30\x82\xff\xff"), nothing);
    }
}

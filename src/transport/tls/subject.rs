//! Who a device is by its certificate.

use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is known of the certificate that a device has shown. An authority of its listener vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The common name of its subject. `None`: it has none, or several, of which one reader would take the first and
    /// another the last.
    pub common_name: Option<Box<str>>,
}

impl DeviceCertificate {
    /// `None`: the device showed none.
    pub(in crate::transport) fn of(stream: &TlsStream<TcpStream>) -> Option<Self> {
        let (_, session) = stream.get_ref();
        Some(Self::read(session.peer_certificates()?.first()?))
    }

    /// Takes a certificate (DER) apart.
    pub(in crate::transport) fn read(certificate: &[u8]) -> Self {
        Self { common_name: common_name(certificate) }
    }
}

fn common_name(certificate: &[u8]) -> Option<Box<str>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
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
            assert_eq!(common_name(&certificate(names)).as_deref(), called, "{names:?}");
        }
        assert_eq!(common_name(b"\x30\x82\xff\xff"), None);
    }
}

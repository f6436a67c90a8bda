//! Certificates as proof: TLS has seen that an authority of the listener vouches for the device, and here is said as whom
//! it comes in. The clock is an argument.

use super::credentials::{Denied, Subject, Witness};

/// What a device's certificate says of it, once it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The common name of its subject; `None` where it doesn't have exactly one.
    pub common_name: Option<Box<str>>,
    /// From when on it isn't valid any more, in seconds since 1970.
    pub expires_unix_s: u64,
}

impl Certificate {
    /// Who has shown this certificate, at this time in seconds since 1970. That it has ended is seen here as well: who
    /// resumes a TLS session isn't asked for it again.
    ///
    /// # Errors
    /// [`Denied::NoCertificate`], [`Denied::CertificateNameless`], [`Denied::CertificateExpired`].
    pub fn prove(shown: Option<Self>, unix_s: u64) -> Result<Subject, Denied> {
        let Self { common_name, expires_unix_s } = shown.ok_or(Denied::NoCertificate)?;
        if expires_unix_s <= unix_s {
            return Err(Denied::CertificateExpired);
        }
        let name = common_name.filter(|name| !name.is_empty());
        let name = name.ok_or(Denied::CertificateNameless)?;
        let expires_unix_s = Some(expires_unix_s);
        Ok(Subject { name, expires_unix_s, witness: Witness::of_connection() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prove(common_name: Option<&str>, expires_unix_s: u64) -> Result<Box<str>, Denied> {
        let shown = Certificate { common_name: common_name.map(Into::into), expires_unix_s };
        Certificate::prove(Some(shown), 1000).map(|subject| subject.name)
    }

    #[test]
    fn a_certificate_proves_its_only_common_name_as_long_as_it_is_valid() {
        assert_eq!(prove(Some("m/77"), 1001).as_deref(), Ok("m/77"));
        assert_eq!(prove(Some("m/77"), 1000), Err(Denied::CertificateExpired));
        assert_eq!(prove(None, 1001), Err(Denied::CertificateNameless));
        assert_eq!(prove(Some(""), 1001), Err(Denied::CertificateNameless));
        assert_eq!(Certificate::prove(None, 1000), Err(Denied::NoCertificate));
    }
}
